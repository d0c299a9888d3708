//! **Undo** of a deactivation: by the person who asked for it, within fifteen minutes, once. The value of the button is in a direct
//! message alone, so an attacker who can forge a press does not have it.

use futures_util::FutureExt as _;

use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::DeactivationUndo;
use crate::id::AccessKeyId;
use crate::render::{approval_card, text};
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::document::{StoredUndo, undo_pk};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::key_record::note_on_key;
use crate::worker::ops::undo_deactivation::undo_managed;
use crate::worker::ops::unmanaged_key::undo_unmanaged;
use crate::worker::outbox::audit_alone;
use crate::worker::reply::answer;

pub(crate) async fn undo_deactivation(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let carried = value.split_once('.').and_then(|(key, nonce)| Some((key.parse().ok()?, nonce)));
    let Some((key, nonce)): Option<(AccessKeyId, &str)> = carried else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    let stored = StoredUndo::read(&ctx.tables, &undo_pk(&key)).await?;
    let undo = match &stored.document {
        Some(undo) if undo.has_nonce(nonce) => undo,
        Some(undo) if undo.had_nonce(nonce) => {
            return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
        }
        Some(_) | None => {
            tracing::warn!("unknown nonce in button value");
            audit(ctx, message, &key, AuditEvent::InteractionUnknownRevision, now).await?;
            return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
        }
    };
    let outcome = match cannot_be_undone(message, &key, undo, now) {
        Some(no) => Err(no),
        None if undo.state.is_some() => {
            undo_managed(ctx, &message.id, &key, (&stored, undo), now).boxed().await?
        }
        None => undo_unmanaged(ctx, message, &key, (&stored, undo), now).boxed().await?,
    };
    let sentence = match outcome {
        Ok(done) => done,
        Err(no) => {
            audit(ctx, message, &key, AuditEvent::KeyUndoDenied, now).await?;
            no
        }
    };
    if undo.by == message.person {
        end_pressed(ctx, message, &sentence).await;
    }
    Ok(answer(ctx, message, now, &sentence).await?)
}

/// The button has had its meaning: its message says the outcome. The person who pressed it knew its nonce, so it is that one.
async fn end_pressed(ctx: &Context, message: &SlackEnvelope, sentence: &str) {
    let SlackEvent::Interaction(Interaction::BlockActions { message: Some(place), .. }) = &message.what
    else {
        return;
    };
    let ended = async {
        let slack = slack_client(ctx).await?;
        anyhow::Ok(slack.update(&place.channel, &place.ts, &approval_card::text(sentence)).await?)
    };
    if let Err(error) = ended.await {
        tracing::warn!(error = format!("{error:#}"), "message of a pressed button not updated");
    }
}

/// What the record alone says against it.
fn cannot_be_undone(
    message: &SlackEnvelope,
    key: &AccessKeyId,
    undo: &DeactivationUndo,
    now: Timestamp,
) -> Option<String> {
    if undo.by != message.person {
        return Some(text::NOT_YOURS_TO_UNDO.to_owned());
    }
    match &undo.pressed {
        Some(press) if *press == message.id => None,
        Some(_) => Some(text::undone_already(key)),
        None => (now >= undo.until()).then(|| text::too_late_to_undo(key, undo.state.is_some())),
    }
}

/// In the chain of the request that the key came of, or in one of its own.
async fn audit(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    event: AuditEvent,
    now: Timestamp,
) -> anyhow::Result<()> {
    match StoredKey::read(&ctx.tables, key).await? {
        Some(stored) => note_on_key(ctx, message, &stored, event, now).await,
        None => audit_alone(ctx, message, [NewAuditEntry::new(event, &message.person, [])]).await,
    }
}
