//! The names of keyvend's buttons, choices and modals (Slack's `action_id` and `callback_id`). They are parsed once, when an
//! interaction is received.

use crate::domain::key::DeactivationReason;

/// What a button or a choice asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Action {
    Approve,
    /// Open the form in which an approver approves with a comment.
    #[strum(serialize = "approve-with-comment")]
    OpenApproveForm,
    /// Open the form in which an approver says why they deny.
    #[strum(serialize = "deny")]
    OpenDenyForm,
    /// Open the form in which an approver asks the requester.
    #[strum(serialize = "ask-question")]
    OpenAskForm,
    /// Open the form in which the requester answers.
    #[strum(serialize = "answer-question")]
    OpenAnswerForm,
    GetKey,
    Cancel,
    /// Open the request form with what a pending request asks for, to change it.
    EditRequest,
    Details,
    /// Open the request form, after its first trigger was too late.
    #[strum(serialize = "open-form")]
    OpenRequestForm,
    /// This wasn't me: deactivate the key that came of a request.
    #[strum(serialize = "not-me")]
    ReportKey,
    /// Deactivate a key whose requester was deactivated in Slack.
    #[strum(serialize = "owner-left")]
    DeactivateOrphaned,
    /// A suspect key came of the request: delete it.
    SuspectOurs,
    SuspectNotOurs,
    #[strum(serialize = "rotate-key")]
    Rotate,
    /// Another key in its place, for its lifetime from now.
    #[strum(serialize = "renew-key")]
    Renew,
    #[strum(serialize = "extend-key")]
    Extend,
    UndoExpiry,
    /// Take back a deactivation of a moment ago.
    UndoDeactivation,
    /// Nobody confirmed the key, but its requester has it.
    #[strum(serialize = "key-received")]
    ConfirmReceipt,
    /// Nobody confirmed the key, and its requester does not have it: another in its place.
    #[strum(serialize = "replace-key")]
    Replace,
    #[strum(serialize = "activate-key")]
    Activate,
    #[strum(serialize = "deactivate-key")]
    Deactivate,
    /// Deactivate a key that another one replaced.
    #[strum(serialize = "retire-key")]
    DeactivateRotated,
    #[strum(serialize = "delete-key")]
    Delete,
    /// Freeze key issuing, as the command does.
    #[strum(serialize = "freeze-issuing")]
    Freeze,
    /// Show all keys that do not match the records.
    ShowDiscrepancies,
    /// Mark keys that do not match the records as known for a while.
    MarkKnown,
    /// The use case in the request form, whose alternative is then shown.
    ChooseUseCase,
    /// A button that is a link. Slack reports its press too; there is nothing to do.
    OpenLink,
}

/// How an action's message is ordered on the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueGroup {
    /// Opens a modal, which must happen within three seconds: waits for nothing.
    Modal,
    /// Deactivates the key that came of a request: waits for nothing else of this person.
    ReportedKey,
    /// Deactivates the key in its value: waits for nothing else of this person.
    DeactivatedKey,
    /// In order with the same commands of this person.
    Freeze,
    /// In order with the person's other messages about the same request.
    Request,
}

impl Action {
    /// The `action_id` in a block.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The action of a received `action_id`; `None` where it is none of ours.
    #[must_use]
    pub fn parse(action_id: &str) -> Option<Self> {
        action_id.parse().ok()
    }

    #[must_use]
    pub fn queue_group(self) -> QueueGroup {
        match self {
            Self::OpenApproveForm
            | Self::OpenDenyForm
            | Self::OpenAskForm
            | Self::OpenAnswerForm
            | Self::EditRequest
            | Self::Details
            | Self::OpenRequestForm => QueueGroup::Modal,
            Self::ReportKey => QueueGroup::ReportedKey,
            Self::Freeze => QueueGroup::Freeze,
            Self::Deactivate | Self::DeactivateRotated | Self::DeactivateOrphaned => {
                QueueGroup::DeactivatedKey
            }
            Self::Approve
            | Self::GetKey
            | Self::Cancel
            | Self::SuspectOurs
            | Self::SuspectNotOurs
            | Self::Rotate
            | Self::Renew
            | Self::Extend
            | Self::UndoExpiry
            | Self::UndoDeactivation
            | Self::ConfirmReceipt
            | Self::Replace
            | Self::Activate
            | Self::Delete
            | Self::ShowDiscrepancies
            | Self::MarkKnown
            | Self::ChooseUseCase
            | Self::OpenLink => QueueGroup::Request,
        }
    }

    /// Why the key in the button's value is to be deactivated, where that is what the button does.
    #[must_use]
    pub fn deactivation_reason(self) -> Option<DeactivationReason> {
        match self {
            Self::Deactivate => Some(DeactivationReason::UserRequested),
            Self::DeactivateRotated => Some(DeactivationReason::Rotated),
            Self::DeactivateOrphaned => Some(DeactivationReason::OwnerDeactivated),
            Self::Approve
            | Self::OpenApproveForm
            | Self::OpenDenyForm
            | Self::OpenAskForm
            | Self::OpenAnswerForm
            | Self::GetKey
            | Self::Cancel
            | Self::EditRequest
            | Self::Details
            | Self::OpenRequestForm
            | Self::ReportKey
            | Self::SuspectOurs
            | Self::SuspectNotOurs
            | Self::Rotate
            | Self::Renew
            | Self::Extend
            | Self::UndoExpiry
            | Self::UndoDeactivation
            | Self::ConfirmReceipt
            | Self::Replace
            | Self::Activate
            | Self::Delete
            | Self::Freeze
            | Self::ShowDiscrepancies
            | Self::MarkKnown
            | Self::ChooseUseCase
            | Self::OpenLink => None,
        }
    }

    /// Whether it can only end or deactivate something, so that it is never rate limited.
    #[must_use]
    pub fn only_turns_off(self) -> bool {
        match self {
            Self::OpenDenyForm
            | Self::Cancel
            | Self::Freeze
            | Self::ReportKey
            | Self::Deactivate
            | Self::DeactivateRotated
            | Self::DeactivateOrphaned => true,
            Self::Approve
            | Self::OpenApproveForm
            | Self::OpenAskForm
            | Self::OpenAnswerForm
            | Self::GetKey
            | Self::EditRequest
            | Self::Details
            | Self::OpenRequestForm
            | Self::SuspectOurs
            | Self::SuspectNotOurs
            | Self::Rotate
            | Self::Renew
            | Self::Extend
            | Self::UndoExpiry
            | Self::UndoDeactivation
            | Self::ConfirmReceipt
            | Self::Replace
            | Self::Activate
            | Self::Delete
            | Self::ShowDiscrepancies
            | Self::MarkKnown
            | Self::ChooseUseCase
            | Self::OpenLink => false,
        }
    }

    /// Whether it asks for a change of the key in its value that needs a request.
    #[must_use]
    pub fn is_key_change(self) -> bool {
        match self {
            Self::Rotate
            | Self::Renew
            | Self::Extend
            | Self::UndoExpiry
            | Self::ConfirmReceipt
            | Self::Replace
            | Self::Activate => true,
            Self::Approve
            | Self::OpenApproveForm
            | Self::OpenDenyForm
            | Self::OpenAskForm
            | Self::OpenAnswerForm
            | Self::GetKey
            | Self::Cancel
            | Self::EditRequest
            | Self::Details
            | Self::OpenRequestForm
            | Self::ReportKey
            | Self::DeactivateOrphaned
            | Self::SuspectOurs
            | Self::SuspectNotOurs
            | Self::Deactivate
            | Self::DeactivateRotated
            | Self::UndoDeactivation
            | Self::Delete
            | Self::Freeze
            | Self::ShowDiscrepancies
            | Self::MarkKnown
            | Self::ChooseUseCase
            | Self::OpenLink => false,
        }
    }
}

/// Which modal was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Callback {
    /// The form in which a key is requested.
    #[strum(serialize = "ask")]
    Request,
    /// The same form with what a pending request asks for, which the changed one replaces.
    Edit,
    /// The form in which an approver approves with a comment.
    Approve,
    /// The form in which an approver says why they deny.
    Deny,
    /// The form in which an approver asks the requester.
    #[strum(serialize = "question")]
    Question,
    /// The form in which the requester answers.
    Answer,
}

impl Callback {
    /// The `callback_id` of the view.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The modal of a received `callback_id`; `None` where it is none of ours.
    #[must_use]
    pub fn parse(callback_id: &str) -> Option<Self> {
        callback_id.parse().ok()
    }
}

/// An action as it is queued: by its name in Slack, and one that is none of ours as nothing.
pub(crate) mod queued_action {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::slack::action_id::Action;

    pub(crate) fn serialize<S: Serializer>(id: &Option<Action>, to: S) -> Result<S::Ok, S::Error> {
        id.map(Action::as_str).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Action>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.as_deref().and_then(Action::parse))
    }
}

/// A modal as it is queued: by its name in Slack, and one that is none of ours as nothing.
pub(crate) mod queued_callback {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::slack::action_id::Callback;

    pub(crate) fn serialize<S: Serializer>(id: &Option<Callback>, to: S) -> Result<S::Ok, S::Error> {
        id.map(Callback::as_str).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Callback>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.as_deref().and_then(Callback::parse))
    }
}
