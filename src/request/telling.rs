//! What people are to be told of a request: written with the change that it tells of, delivered on its own.

use serde::{Deserialize, Serialize};

use crate::id::{AccessKeyId, PersonId};
use crate::slack_api::Message;
use crate::time::Timestamp;

/// Something to tell, written with the change that it tells of and delivered on its own: a Slack that does not answer
/// neither holds up what is done nor does it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// Draw the card as the request then stands; post it where there is none.
    Card,
    /// A direct message.
    Direct {
        /// To whom.
        to: PersonId,
        /// What it says. Never a link to a key.
        message: Message,
    },
    /// A direct message that reminds somebody of a key's end. Whether it was delivered matters, so that is noted.
    Reminder {
        /// To whom.
        to: PersonId,
        /// Of which key.
        key: AccessKeyId,
        /// Of which end.
        end: Timestamp,
        /// What it says.
        message: Message,
    },
    /// A message in the card's thread.
    Thread {
        /// What it says.
        message: Message,
    },
    /// A message to the approvals channel.
    Approvers {
        /// What it says.
        message: Message,
    },
}

/// A telling in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// Its number within the request, from 1.
    pub number: u32,
    /// What is told.
    pub telling: Telling,
}

/// The tellings of a request that are not yet known to be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tellings {
    count: u32,
    /// Still to be queued.
    pub outbox: Vec<Numbered>,
}

impl Tellings {
    /// Appends some.
    pub fn extend(&mut self, tellings: impl IntoIterator<Item = Telling>) {
        for telling in tellings {
            self.count += 1;
            self.outbox.push(Numbered { number: self.count, telling });
        }
    }

    /// Drops those that are known to be queued.
    pub fn drop_queued(&mut self, up_to: u32) {
        self.outbox.retain(|numbered| numbered.number > up_to);
    }
}
