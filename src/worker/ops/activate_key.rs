//! Activates a key for an approved request: the decision is recorded with the lease before IAM is asked.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::aws::session_policy::IamStep;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::denial::DenialReason;
use crate::domain::key::{IssuedKey, KeyState};
use crate::domain::request::{Notification, RequestEvent, RequestKind};
use crate::policy::{Authorized, Issue};
use crate::render::{approval_card, text};
use crate::store::freeze;
use crate::store::keys::StoredKey;
use crate::store::leases;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, LEASE_RETRY_DELAY};
use crate::worker::ops::deactivate_key::redo_deactivation;
use crate::worker::ops::deny_request::deny_request;
use crate::worker::ops::key_in_iam::{KeyOutcome, step_on_key};
use crate::worker::outbox::{commit, drain_outbox, finish_claim};

/// The decision is written down with the lease, and that the key is to be off is taken back; then IAM is asked.
pub(crate) async fn reactivate(
    ctx: &Context,
    stored: &StoredRequest,
    key: &StoredKey,
    authorized: &Authorized<Issue>,
    end: Timestamp,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &key.issued;
    let (why, since) = match issued.state {
        KeyState::Inactive { why, since } => (why, since),
        // Begun before; its timer goes on.
        KeyState::Activating { .. } => return activate(ctx, key, now).await,
        KeyState::Deleting { .. } | KeyState::Deleted { .. } => {
            return deny_request(ctx, stored, DenialReason::KeyDeleted, now).await;
        }
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Active
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => {
            return deny_request(ctx, stored, DenialReason::KeyNotInactive { key: issued.key.clone() }, now)
                .await;
        }
    };
    let by = stored.request.id.clone();
    let state = KeyState::Activating { by, end, why, since };
    let activating = IssuedKey { state, reassert_at: None, ..issued.clone() };
    let detail = [("key", issued.key.to_string()), ("user", authorized.at().to_string())];
    let happened = NewAuditEntry::new(AuditEvent::KeyActivating, &stored.request.details.requester, detail);
    let seen = RequestEvent::RecordTicketEvent { happened, at: now, alert: false };
    let next = stored.request.apply(seen, "keyvend", now)?;
    let others = vec![
        key.update_if_unmarked(&activating)?,
        leases::take_lease(&issued.account, &issued.user, &StoredKey::item_key(&issued.key)),
        freeze::not_frozen(),
    ];
    match commit(ctx, stored, next, others, Vec::new()).await {
        Ok(saved) => drop(drain_outbox(ctx, saved).await),
        Err(WriteError::Conflict(_)) if freeze::is_frozen(&ctx.tables).await? => {
            return deny_request(ctx, stored, DenialReason::Frozen, now).await;
        }
        // The lease is held, or something moved since it was read: look again.
        Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => return Err(error.into()),
    }
    match StoredKey::read(&ctx.tables, &issued.key).await? {
        // Just judged.
        Some(key) if key.deactivation_mark.is_none() => activate(ctx, &key, now).boxed().await,
        // Somebody deactivated it meanwhile.
        Some(key) if key.is_deactivation_pending() => redo_deactivation(ctx, &key, now).boxed().await,
        Some(_) | None => Ok(()),
    }
}

/// Has IAM activate what was decided, and then says so. Whoever switches it off meanwhile changes the item, and wins.
async fn activate(ctx: &Context, key: &StoredKey, now: Timestamp) -> Result<(), HandleError> {
    let issued = &key.issued;
    let KeyState::Activating { by, end, why, .. } = &issued.state else { return Ok(()) };
    let Some(stored) = StoredRequest::read(&ctx.tables, by).await? else {
        return Err(anyhow::anyhow!("a key comes back for no request").into());
    };
    let actor = stored.request.details.requester.to_string();
    let outcome =
        step_on_key(ctx, IamStep::Activate, issued.into(), (by.as_str(), &actor), now).boxed().await?;
    let release = leases::release_lease(&issued.account, &issued.user, &StoredKey::item_key(&issued.key));
    if outcome == KeyOutcome::Gone {
        let gone = IssuedKey { state: KeyState::Deleted { why: *why, at: now }, ..issued.clone() };
        let Ok(next) =
            stored.request.apply(RequestEvent::Refuse { reason: DenialReason::KeyDeleted }, "keyvend", now)
        else {
            return Ok(());
        };
        let message = approval_card::text(text::KEY_GONE);
        let told =
            vec![Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() }];
        return finish_claim(ctx, &stored, next, vec![key.update(&gone)?, release], told).await;
    }
    let undone = match &stored.request.details.kind {
        RequestKind::Reactivate { undo: true, .. } => Some(*end),
        RequestKind::Reactivate { .. }
        | RequestKind::Create
        | RequestKind::Rotate { .. }
        | RequestKind::Extend { .. } => issued.undone_expiry,
    };
    let active = IssuedKey {
        state: KeyState::Active,
        undone_expiry: undone,
        unproven: None,
        ..issued.with_expiry(*end, now)
    };
    let Ok(next) = stored.request.apply(RequestEvent::Complete, &actor, now) else {
        // Its request ended meanwhile: the key does not stay on.
        return redo_deactivation(ctx, key, now).await;
    };
    let message = approval_card::text(&text::standing(&next));
    let told = vec![
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() },
        Notification::UpdateCard,
    ];
    let others = vec![key.update(&active)?, release];
    match commit(ctx, &stored, next, others, told).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => match StoredKey::read(&ctx.tables, &issued.key).await? {
            Some(found) if found.is_same(key) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
            // It was deactivated, or somebody else finished: if it is to be off, IAM hears it last from us.
            Some(found) if found.deactivation_mark.is_some() || !found.issued.state.is_active() => {
                redo_deactivation(ctx, &found, now).await
            }
            Some(_) | None => Ok(()),
        },
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}
