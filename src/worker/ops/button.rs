//! What a pressed button belongs to: the request and revision in its value, and the card that it is on.

use std::time::Duration;

use serde_json::Value;

use crate::domain::audit::AuditEvent;
use crate::domain::key::DeactivationReason;
use crate::domain::request::{KeyRequest, RequestState};
use crate::id::{AccessKeyId, RequestId, Revision, ViewId};
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::api::SlackError;
use crate::slack::command::Command;
use crate::slack::receive::{Interaction, MessageRef, SlackEnvelope, SlackEvent};
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::outbox::record_audit;
use crate::worker::reply::{answer, reply};

/// The key that a command or a button asks to deactivate, and why.
pub(crate) fn key_to_deactivate(what: &SlackEvent) -> Option<(AccessKeyId, DeactivationReason)> {
    match what {
        SlackEvent::Command(Command::Deactivate(key)) => {
            Some((key.clone(), DeactivationReason::UserRequested))
        }
        SlackEvent::Interaction(Interaction::BlockActions { action_id, value, view: None, .. }) => {
            let why = action_id.and_then(Action::deactivation_reason)?;
            Some((value.parse().ok()?, why))
        }
        SlackEvent::Command(_)
        | SlackEvent::Interaction(_)
        | SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => None,
    }
}

/// How long a trigger lives (<https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses>).
const TRIGGER: i64 = 3;

/// Whether a modal was opened.
pub(crate) enum Opened {
    Now(ViewId),
    /// By an earlier delivery of the same message.
    Before,
    TooLate,
}

/// How long after a press its card may still be about to be noted with its request, in seconds.
const NOTED_WITHIN: i64 = 4;

/// When such a press is looked at again.
pub(crate) const NOTED_SOON: Duration = Duration::from_secs(1);

/// Whether a press may be on a card that was posted a moment ago and is not noted with its request yet: to be looked at
/// again. Only the channel of the cards has one, and only a request that waits for approvals.
pub(crate) fn is_card_being_noted(
    ctx: &Context,
    message: &SlackEnvelope,
    place: PressOrigin<'_>,
    request: &KeyRequest,
    now: Timestamp,
) -> bool {
    let PressOrigin::Card(Some(button)) = place else { return false };
    request.card.is_none()
        && request.state == RequestState::Pending
        && button.channel == ctx.config.approvals_channel
        && now.since(message.signed_at) <= NOTED_WITHIN
}

/// The request whose card the button is on; else that is said.
pub(crate) async fn on_card(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    place: PressOrigin<'_>,
    now: Timestamp,
) -> Result<Option<StoredRequest>, HandleError> {
    if let Some((id, revision)) = carried(value)
        && let Some(stored) = StoredRequest::read(&ctx.tables, &id).await?
    {
        if !stored.request.is_known_revision(&revision) {
            reject_unknown_button(ctx, message, &stored, now).await?;
            return Ok(None);
        }
        if place.is_of(&stored.request) {
            return Ok(Some(stored));
        }
        if is_card_being_noted(ctx, message, place, &stored.request, now) {
            return Err(HandleError::RetryAfter(NOTED_SOON));
        }
    }
    reply(ctx, message, now, text::UNKNOWN_BUTTON).await?;
    Ok(None)
}

/// The request of this person whose message the button is in; else that is said.
pub(crate) async fn of_requester(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> anyhow::Result<Option<StoredRequest>> {
    let Some((id, revision)) = carried(value) else {
        reply(ctx, message, now, text::UNKNOWN_BUTTON).await?;
        return Ok(None);
    };
    let Some(stored) = StoredRequest::read(&ctx.tables, &id).await? else {
        reply(ctx, message, now, text::UNKNOWN_BUTTON).await?;
        return Ok(None);
    };
    if revision != stored.request.requester_revision() {
        reject_unknown_button(ctx, message, &stored, now).await?;
        return Ok(None);
    }
    if stored.request.details.requester != message.person {
        reply(ctx, message, now, &text::no_such_request(&id)).await?;
        return Ok(None);
    }
    Ok(Some(stored))
}

/// Opens a modal for the person who did something just now.
pub(crate) async fn open(
    ctx: &Context,
    message: &SlackEnvelope,
    view: &Value,
    now: Timestamp,
) -> anyhow::Result<Opened> {
    let trigger = message.trigger_id.as_ref().filter(|_| now.since(message.signed_at) <= TRIGGER);
    let Some(trigger) = trigger else { return Ok(Opened::TooLate) };
    match slack_client(ctx).await?.open_view(trigger, view).await {
        Ok(id) => Ok(Opened::Now(id)),
        Err(SlackError::Said(code)) if code == "exchanged_trigger_id" => Ok(Opened::Before),
        Err(SlackError::Said(code)) if code.ends_with("_trigger_id") => Ok(Opened::TooLate),
        Err(error) => Err(error.into()),
    }
}

/// The same; where it is too late for that, the person is told to press again.
pub(crate) async fn open_or_say(
    ctx: &Context,
    message: &SlackEnvelope,
    view: &Value,
    now: Timestamp,
) -> Result<(), HandleError> {
    match open(ctx, message, view, now).await? {
        Opened::Now(_) | Opened::Before => Ok(()),
        Opened::TooLate => Ok(answer(ctx, message, now, text::PRESS_AGAIN).await?),
    }
}

/// Where they decided it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PressOrigin<'a> {
    /// On a card, which must be the request's own.
    Card(Option<&'a MessageRef>),
    /// In a form that the request's own card opened.
    Form,
}

impl PressOrigin<'_> {
    /// Whether it belongs to the request.
    pub(crate) fn is_of(self, request: &KeyRequest) -> bool {
        match (self, &request.card) {
            (Self::Form, _) => true,
            (Self::Card(Some(button)), Some(card)) => button.channel == card.channel && button.ts == card.ts,
            (Self::Card(_), _) => false,
        }
    }
}

/// `<request id>.<revision>`. That it has this form proves nothing: the revision must be one that the request showed.
pub(crate) fn carried(value: &str) -> Option<(RequestId, Revision)> {
    let (id, revision) = value.split_once('.')?;
    Some((id.parse().ok()?, revision.parse().ok()?))
}

/// Answers a press whose value no button of the request's ever had as one that belongs to nothing, and audits it.
pub(crate) async fn reject_unknown_button(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredRequest,
    now: Timestamp,
) -> anyhow::Result<()> {
    reply(ctx, message, now, text::UNKNOWN_BUTTON).await?;
    note_unknown(ctx, message, stored, now).await
}

/// Audits a press that somebody made up: the buttons themselves carry what was shown.
pub(crate) async fn note_unknown(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredRequest,
    now: Timestamp,
) -> anyhow::Result<()> {
    tracing::warn!("unknown revision in button value");
    record_audit(ctx, stored, AuditEvent::InteractionUnknownRevision, message, now).await
}
