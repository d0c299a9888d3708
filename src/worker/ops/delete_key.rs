//! Deletes an inactive key under the lease of its IAM user.

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::aws::session_policy::IamStep;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::domain::request::Notification;
use crate::render::{approval_card, text};
use crate::store::keys::StoredKey;
use crate::store::leases;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, LEASE_RETRY_DELAY};
use crate::worker::ops::end_requests::end_requests_of_gone_key;
use crate::worker::ops::key_description::{Described, remove_descriptions};
use crate::worker::ops::key_in_iam::step_on_key;
use crate::worker::ops::key_record::{ACTOR_EXPIRY, update_key};

/// Its time is over: it is deleted, in the name of whoever began that, if somebody did.
pub(crate) async fn delete_in_time(
    ctx: &Context,
    stored: &StoredKey,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let by = match &stored.issued.state {
        KeyState::Deleting { by, .. } => by.clone(),
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Inactive { .. }
        | KeyState::Activating { .. }
        | KeyState::Active
        | KeyState::Deleted { .. }
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => ACTOR_EXPIRY.to_owned(),
    };
    delete_key(ctx, stored, (why, &by), now).await?;
    remove_description_of(ctx, &stored.issued, &by, now).await;
    Ok(())
}

/// Deletes a key that is off, under the IAM user's lease. Both the intent and the end are written down; what is cut
/// off between them, the timer does again.
pub(crate) async fn delete_key(
    ctx: &Context,
    stored: &StoredKey,
    (why, by): (DeactivationReason, &str),
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    // A key that was reported stays so.
    let reported =
        stored.deactivation_mark.as_ref().is_some_and(|off| off.why == DeactivationReason::Reported);
    let why = if reported { DeactivationReason::Reported } else { why };
    let holder = StoredKey::item_key(&issued.key);
    let deleting = IssuedKey { state: KeyState::Deleting { why, by: by.to_owned() }, ..issued.clone() };
    let lease = leases::take_lease(&issued.account, &issued.user, &holder);
    match ctx.tables.write(vec![stored.update(&deleting)?, lease]).await {
        Ok(()) => {}
        // The lease is held, or the key changed: look again.
        Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => return Err(error.into()),
    }
    // What is gone counts as deleted.
    step_on_key(ctx, IamStep::Delete, issued.into(), (issued.request.as_str(), by), now).boxed().await?;
    let Some(stored) = StoredKey::read(&ctx.tables, &issued.key).await? else { return Ok(()) };
    // It may have been reported meanwhile.
    let KeyState::Deleting { why, .. } = stored.issued.state else { return Ok(()) };
    let next =
        IssuedKey { state: KeyState::Deleted { why, at: now }, unproven: None, ..stored.issued.clone() };
    let detail = [("key", next.key.to_string()), ("why", why.as_str().to_owned())];
    let happened = NewAuditEntry::new(AuditEvent::KeyDeleted, by, detail);
    let message = approval_card::text(&text::key_deleted(&next, why));
    let told = vec![Notification::DirectMessage { to: next.requester.clone(), message: message.into() }];
    let release = leases::release_lease(&next.account, &next.user, &holder);
    update_key(ctx, &stored, &next, happened, vec![release], told, now).await?;
    end_requests_of_gone_key(ctx, &next, now).await;
    Ok(())
}

/// The description of a deleted key goes with it, after everybody has been answered.
pub(crate) async fn remove_description_of(ctx: &Context, issued: &IssuedKey, by: &str, now: Timestamp) {
    let described = Described {
        account: &issued.account,
        user: &issued.user,
        path: &issued.path,
        operation: issued.request.as_str(),
        by,
    };
    remove_descriptions(ctx, described, Some(&issued.key), now).boxed().await;
}
