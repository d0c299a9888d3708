//! Writes a key's next state together with the audit entry of the request that it came of.

use std::time::Duration;

use crate::aws::WriteError;
use crate::aws::item::Write;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::IssuedKey;
use crate::domain::request::{Notification, RequestEvent};
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES};
use crate::worker::outbox::{commit, drain_outbox, record_audit};

/// Audits something about a key that changed nothing, in the chain of the request that it came of.
pub(crate) async fn note_on_key(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredKey,
    event: AuditEvent,
    now: Timestamp,
) -> anyhow::Result<()> {
    match StoredRequest::read(&ctx.tables, &stored.issued.request).await? {
        Some(request) => record_audit(ctx, &request, event, message, now).await,
        None => Ok(()),
    }
}

/// Who is behind what time alone brings about, in CloudTrail and in the trail.
pub(crate) const ACTOR_EXPIRY: &str = "keyvend.expiry";

/// Writes a key's next state with its audit entry and what is told of it, if the key is still as it was read.
/// Whatever else happens to its request meanwhile is no reason to give up.
pub(crate) async fn update_key(
    ctx: &Context,
    stored: &StoredKey,
    next: &IssuedKey,
    happened: NewAuditEntry,
    others: Vec<Write>,
    notifications: Vec<Notification>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let mut notifications = notifications;
    let before = &stored.issued;
    let is_changed = before.state.as_str() != next.state.as_str() || before.expires_at != next.expires_at;
    if is_changed && !notifications.contains(&Notification::UpdateCard) {
        notifications.push(Notification::UpdateCard);
    }
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(request) = StoredRequest::read(&ctx.tables, &next.request).await? else {
            return Err(anyhow::anyhow!("a key without the request that it came of").into());
        };
        let seen = RequestEvent::RecordTicketEvent { happened: happened.clone(), at: now, alert: false };
        let changed = request.request.apply(seen, "keyvend", now)?;
        let mut writes = vec![stored.update(next)?];
        writes.extend(others.iter().cloned());
        match commit(ctx, &request, changed, writes, notifications.clone()).await {
            Ok(saved) => {
                drain_outbox(ctx, saved).await;
                return Ok(());
            }
            Err(WriteError::Conflict(_)) => {
                if StoredKey::read(&ctx.tables, &next.key).await?.is_none_or(|found| !found.is_same(stored)) {
                    return Err(HandleError::RetryAfter(Duration::from_secs(1)));
                }
            }
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("a request changed too often for its key's end to be noted").into())
}

/// What the trail says of a key: by the person who began to deactivate it, else by time alone.
pub(crate) fn key_event<const N: usize>(
    event: AuditEvent,
    stored: &StoredKey,
    detail: [(&str, String); N],
) -> NewAuditEntry {
    let by = stored.deactivation_mark.as_ref().map_or(ACTOR_EXPIRY, |off| off.by.as_str());
    let mut happened = NewAuditEntry::new(event, by, detail);
    happened.detail.insert("key".to_owned(), stored.issued.key.to_string());
    happened
}
