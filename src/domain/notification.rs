//! What people are to be told of a request: stored with the change that it tells of, delivered on its own. What it says
//! stands in table `Requests` alone, never in a queue.

use serde::{Deserialize, Serialize};

use crate::id::{AccessKeyId, PersonId};
use crate::time::Timestamp;

/// Something to tell, written with the change that it tells of and delivered on its own: a Slack that does not answer
/// neither holds up what is done nor does it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notification {
    /// Draw the card as the request then stands; post it where there is none.
    UpdateCard,
    DirectMessage {
        to: PersonId,
        /// What it says. Never a link to a key.
        message: RenderedMessage,
    },
    /// A direct message that reminds somebody of a key's end. Whether it was delivered matters, so that is noted.
    ExpiryReminder { to: PersonId, key: AccessKeyId, end: Timestamp, message: RenderedMessage },
    /// A message in the card's thread.
    ThreadReply { message: RenderedMessage },
    /// A message to the approvals channel.
    ApprovalsChannel { message: RenderedMessage },
    /// The same about the postponed end of a key. Whether it was delivered matters, so that is noted.
    PostponementNotice { key: AccessKeyId, end: Timestamp, message: RenderedMessage },
}

/// Where a notification goes. Slack limits how much may be sent to each: what goes to one is sent one after the other, and
/// in the order in which it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    Person(PersonId),
    /// The card, which is posted to the approvals channel first and updated from then on.
    Card,
    ApprovalsChannel,
    /// Postponements to the approvals channel: there may be hundreds, and nothing else waits behind them.
    Postponements,
}

impl Notification {
    #[must_use]
    pub fn destination(&self) -> Destination {
        match self {
            Self::UpdateCard => Destination::Card,
            Self::DirectMessage { to, .. } | Self::ExpiryReminder { to, .. } => {
                Destination::Person(to.clone())
            }
            // After the card that it belongs to was posted there.
            Self::ThreadReply { .. } | Self::ApprovalsChannel { .. } => Destination::ApprovalsChannel,
            Self::PostponementNotice { .. } => Destination::Postponements,
        }
    }
}

/// A message as it was rendered with the change that it tells of: stored and delivered, never looked into here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RenderedMessage(String);

impl RenderedMessage {
    /// A message in the form that its sender reads.
    #[must_use]
    pub fn new(rendered: String) -> Self {
        Self(rendered)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A notification in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its number within the request, from 1.
    pub number: u32,
    pub notification: Notification,
}

/// A stored notification that is still to be queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unqueued {
    pub number: u32,
    pub destination: Destination,
}

/// The notifications of a request that are not yet known to be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    count: u32,
    /// Those that are still to be queued.
    pub outbox: Vec<Unqueued>,
    /// Those that the next write of the request stores, each as an item of its own.
    #[serde(skip)]
    new: Vec<OutboxEntry>,
}

impl Outbox {
    pub fn extend(&mut self, notifications: impl IntoIterator<Item = Notification>) {
        for notification in notifications {
            self.count += 1;
            let destination = notification.destination();
            self.outbox.push(Unqueued { number: self.count, destination });
            self.new.push(OutboxEntry { number: self.count, notification });
        }
    }

    /// Takes those that are not stored yet.
    #[must_use]
    pub fn take_new(&mut self) -> Vec<OutboxEntry> {
        std::mem::take(&mut self.new)
    }

    /// Whether all of them are stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.new.is_empty()
    }

    /// Drops those that are known to be queued.
    pub fn remove_delivered(&mut self, up_to: u32) {
        self.outbox.retain(|unqueued| unqueued.number > up_to);
    }
}
