//! What is queued of a request: an allow-list. Never the chat message, a view's blocks, a token or raw bytes, which
//! could hold a link to a key. Every text in it is bounded, so that no input makes a message the queue would refuse.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{
    AccessKeyId, ChannelId, MessageTs, PersonId, RequestId, SlackUserId, UserGroupId, ViewHash, ViewId,
};
use crate::slack::action_id::{Action, Callback, QueueGroup};
use crate::slack::command::Command;
use crate::slack::command_name::CommandName;
use crate::slack::response_url::ResponseUrl;
use crate::slack::signature::{SignatureHash, Verified};
use crate::slack::trigger::TriggerId;
use crate::time::Timestamp;

/// The longest group that SQS takes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
const GROUP_ID_MOST: usize = 128;

/// The whole body of a message on queue `slack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackEnvelope {
    /// The id that a request made of this would have.
    pub id: RequestId,
    /// The hash of Slack's signature, which is the queue's deduplication id.
    pub dedup: SignatureHash,
    /// When Slack signed it.
    pub signed_at: Timestamp,
    /// Who did it; of an event, whom it is about.
    pub person: PersonId,
    /// Where it was typed or pressed.
    pub channel: Option<ChannelId>,
    /// The name under which the slash command was typed, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandName>,
    pub response_url: Option<ResponseUrl>,
    /// With what to open a form, for 3 seconds.
    pub trigger_id: Option<TriggerId>,
    pub what: SlackEvent,
}

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlackEvent {
    Command(Command),
    /// Pressed a button or submitted a form.
    Interaction(Interaction),
    /// Opened keyvend's Home tab.
    OpenedHome,
    /// Was deactivated in Slack.
    UserDeactivated,
    /// Joined a channel that keyvend's bot is in.
    JoinedChannel {
        channel: ChannelId,
        /// Who invited them, where somebody did.
        inviter: Option<SlackUserId>,
    },
    /// Was added to a user group, with others perhaps.
    JoinedGroup {
        group: UserGroupId,
        /// Who was: 50 of them at most.
        users: Vec<SlackUserId>,
        more: usize,
    },
}

/// So many people are named of those who were added to a user group at once.
pub(crate) const MAX_JOINED: usize = 50;

impl SlackEvent {
    /// Whether somebody did this to keyvend and waits for an answer. An event is about somebody who asked for nothing.
    #[must_use]
    pub fn is_of_a_person(&self) -> bool {
        match self {
            Self::Command(_) | Self::Interaction(_) => true,
            Self::OpenedHome
            | Self::UserDeactivated
            | Self::JoinedChannel { .. }
            | Self::JoinedGroup { .. } => false,
        }
    }
}

/// An interaction (<https://docs.slack.dev/reference/interaction-payloads>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interaction {
    /// A button was pressed or a choice made.
    BlockActions {
        /// Which button; none where it is none of ours.
        #[serde(with = "crate::slack::action_id::queued_action")]
        action_id: Option<Action>,
        /// What the button carries: `<request id>.<revision>` where it is a decision, a key's id where it is about a key.
        value: String,
        /// The message it is in, if it is in one.
        message: Option<MessageRef>,
        /// The form it is in, if it is in one.
        view: Option<OpenView>,
        /// Whether only this person sees that message.
        ephemeral: bool,
    },
    /// A form was submitted.
    ViewSubmission {
        /// The view that the form is in, which shows how it went.
        view: ViewId,
        /// Which form; none where it is none of ours.
        #[serde(with = "crate::slack::action_id::queued_callback")]
        callback_id: Option<Callback>,
        /// What we gave the form to carry (`private_metadata`), as a button carries its value.
        carried: String,
        /// What was filled in, by `block_id`.
        values: BTreeMap<String, String>,
    },
}

/// A form that is open, as it was when something was chosen in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenView {
    pub id: ViewId,
    /// What stands for its state then.
    pub hash: Option<ViewHash>,
    /// What we gave it to carry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub carried: String,
}

/// The message that a button is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    pub channel: ChannelId,
    /// Its time stamp there.
    pub ts: MessageTs,
}

impl SlackEnvelope {
    /// A message about something signed, with nothing to answer to yet.
    pub(crate) fn of<T>(signed: &Verified<T>, person: PersonId, what: SlackEvent) -> Self {
        Self {
            id: signed.hash().request_id(),
            dedup: signed.hash(),
            signed_at: signed.signed_at(),
            person,
            channel: None,
            command: None,
            response_url: None,
            trigger_id: None,
            what,
        }
    }

    /// The queue's group: messages of one group keep their order, and wait for one another. Every group is of one person, so
    /// that nobody delays anybody else; and what stops something, or opens a form, has a group of its own, so that a person's
    /// other messages do not delay it either. Nothing rests on that order: every write is conditional on what it read.
    #[must_use]
    pub fn group_id(&self) -> String {
        let person = &self.person;
        let group = match &self.what {
            SlackEvent::UserDeactivated => format!("deactivated.{person}"),
            SlackEvent::OpenedHome => format!("home.{person}"),
            // Nobody's own messages wait for an announcement.
            SlackEvent::JoinedChannel { .. } | SlackEvent::JoinedGroup { .. } => {
                format!("joined.{person}.{}", self.id)
            }
            SlackEvent::Command(Command::Freeze | Command::Unfreeze) => format!("freeze.{person}"),
            SlackEvent::Command(Command::Deactivate(key)) => format!("deactivate.{person}.{key}"),
            // A form must be opened within three seconds.
            SlackEvent::Command(Command::Form(_)) => format!("form.{person}.{}", self.id),
            SlackEvent::Interaction(Interaction::BlockActions { view: Some(view), .. }) => {
                format!("view.{person}.{}", view.id)
            }
            SlackEvent::Interaction(Interaction::BlockActions { action_id, value, .. }) => {
                match action_id.map(Action::queue_group) {
                    Some(QueueGroup::Modal) => format!("form.{person}.{}", self.id),
                    Some(QueueGroup::Freeze) => format!("freeze.{person}"),
                    Some(QueueGroup::ReportedKey) => format!("deactivate.{person}.{}", self.about()),
                    Some(QueueGroup::DeactivatedKey) if value.parse::<AccessKeyId>().is_ok() => {
                        format!("deactivate.{person}.{value}")
                    }
                    Some(QueueGroup::DeactivatedKey | QueueGroup::Request) | None => self.group_of_carried(),
                }
            }
            SlackEvent::Command(_) | SlackEvent::Interaction(Interaction::ViewSubmission { .. }) => {
                self.group_of_carried()
            }
        };
        // All of it is ASCII. Keys whose long ids begin alike share a group, which does no harm.
        group.chars().take(GROUP_ID_MOST).collect()
    }

    /// One person's decisions about one request keep their order, as their commands do.
    fn group_of_carried(&self) -> String {
        let person = &self.person;
        self.carried().map_or_else(|| person.to_string(), |request| format!("{person}.{request}"))
    }

    /// The request that this is about: the one that a button or form carries, else the one that it makes.
    #[must_use]
    pub fn about(&self) -> RequestId {
        self.carried().unwrap_or_else(|| self.id.clone())
    }

    /// The view of the form that was submitted, if one was.
    #[must_use]
    pub fn submitted_view(&self) -> Option<&ViewId> {
        match &self.what {
            SlackEvent::Interaction(Interaction::ViewSubmission { view, .. }) => Some(view),
            SlackEvent::Interaction(Interaction::BlockActions { .. })
            | SlackEvent::Command(_)
            | SlackEvent::OpenedHome
            | SlackEvent::UserDeactivated
            | SlackEvent::JoinedChannel { .. }
            | SlackEvent::JoinedGroup { .. } => None,
        }
    }

    fn carried(&self) -> Option<RequestId> {
        let carried = match &self.what {
            SlackEvent::Interaction(Interaction::BlockActions { value, .. }) => value,
            SlackEvent::Interaction(Interaction::ViewSubmission { carried, .. }) => carried,
            SlackEvent::Command(_)
            | SlackEvent::OpenedHome
            | SlackEvent::UserDeactivated
            | SlackEvent::JoinedChannel { .. }
            | SlackEvent::JoinedGroup { .. } => {
                return None;
            }
        };
        carried.split('.').next().and_then(|id| id.parse().ok())
    }
}
