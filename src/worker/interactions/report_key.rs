//! **This wasn't me**: the key is off within seconds. No lease, no policy, and nothing looked up outside the tables
//! unless who pressed is a stranger to them.

use crate::domain::audit::AuditEvent;
use crate::domain::key::DeactivationReason;
use crate::domain::request::RequestState;
use crate::id::AccessKeyId;
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::is_in_a_group;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::button::{carried, key_to_deactivate, reject_unknown_button};
use crate::worker::ops::deactivate_key::{deactivate_in_iam, finish_as_shown, mark};
use crate::worker::ops::key_in_iam::KeyOutcome;
use crate::worker::outbox::record_audit;
use crate::worker::reply::answer;

pub(crate) async fn report_key(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some((id, revision)) = carried(value) else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    let Some(stored) = StoredRequest::read(&ctx.tables, &id).await? else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    // The button is on the card and in the requester's own message.
    if !stored.request.is_known_revision(&revision) && revision != stored.request.requester_revision() {
        return Ok(reject_unknown_button(ctx, message, &stored, now).await?);
    }
    let RequestState::Issued { key, .. } = &stored.request.state else {
        return Ok(answer(ctx, message, now, &text::moved_on(&stored.request)).await?);
    };
    let Some(StoredKey { issued, .. }) = StoredKey::read(&ctx.tables, key).await? else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    if !issued.can_deactivate(&message.person) && !is_in_a_group(ctx, message, &issued).await? {
        record_audit(ctx, &stored, AuditEvent::KeyReportRejected, message, now).await?;
        return Ok(answer(ctx, message, now, text::NOT_YOURS_TO_DEACTIVATE).await?);
    }
    if issued.reported_by.as_ref() == Some(&message.id) {
        // Delivered again: it was carried out, and what was decided about the key since then stands.
        return Ok(answer(ctx, message, now, &text::reported_before(&issued)).await?);
    }
    let by = message.person.to_string();
    mark(ctx, &issued, StoredKey::mark_reported(&issued.key, &by, &message.id, now)).await?;
    let outcome = deactivate_in_iam(ctx, &issued, (message.id.as_str(), &by), now).await?;
    finish_as_shown(ctx, (key, outcome), DeactivationReason::Reported, now).await?;
    if outcome == KeyOutcome::Gone {
        return Ok(answer(ctx, message, now, text::KEY_GONE).await?);
    }
    Ok(answer(ctx, message, now, &text::key_deactivated(key)).await?)
}

/// The key that a message wanted off, where that is written down and IAM does not have it off yet.
pub(crate) async fn marked_off(ctx: &Context, message: &SlackEnvelope) -> Option<AccessKeyId> {
    let key = match (&message.what, key_to_deactivate(&message.what)) {
        (_, Some((key, _))) => key,
        (
            SlackEvent::Interaction(Interaction::BlockActions {
                action_id: Some(Action::ReportKey),
                value,
                ..
            }),
            None,
        ) => {
            let (id, revision) = carried(value)?;
            let request = StoredRequest::read(&ctx.tables, &id).await.ok()??.request;
            // Which key it is about is nothing to whoever knows the request's id alone.
            let shown = request.is_known_revision(&revision) || revision == request.requester_revision();
            request.issued().filter(|_| shown)?.0.clone()
        }
        (
            SlackEvent::Command(_)
            | SlackEvent::Interaction(_)
            | SlackEvent::OpenedHome
            | SlackEvent::UserDeactivated
            | SlackEvent::JoinedChannel { .. }
            | SlackEvent::JoinedGroup { .. },
            None,
        ) => return None,
    };
    let stored = StoredKey::read(&ctx.tables, &key).await.ok()??;
    stored.is_deactivation_pending().then_some(key)
}
