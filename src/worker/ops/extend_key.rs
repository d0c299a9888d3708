//! Moves the expiry of a key for an approved request; IAM is not asked.

use std::time::Duration;

use crate::aws::WriteError;
use crate::domain::denial::DenialReason;
use crate::domain::key::KeyState;
use crate::domain::request::{Notification, RequestEvent};
use crate::policy::{Authorized, Issue};
use crate::render::{approval_card, text};
use crate::store::freeze;
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::deny_request::deny_request;
use crate::worker::outbox::{commit, drain_outbox};

/// The approved end moves; the key itself is not touched.
pub(crate) async fn extend(
    ctx: &Context,
    stored: &StoredRequest,
    key: &StoredKey,
    authorized: &Authorized<Issue>,
    end: Timestamp,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &key.issued;
    let lives =
        matches!(issued.state, KeyState::Confirmed | KeyState::Active) && key.deactivation_mark.is_none();
    if !lives {
        return deny_request(ctx, stored, DenialReason::KeyNotActive { key: issued.key.clone() }, now).await;
    }
    let longer = issued.with_expiry(end, now);
    let next = stored.request.apply(RequestEvent::Complete, &authorized.principal().to_string(), now)?;
    let message = approval_card::text(&text::standing(&next));
    let told = vec![
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() },
        Notification::UpdateCard,
    ];
    let others = vec![key.update(&longer)?, freeze::not_frozen()];
    match commit(ctx, stored, next, others, told).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) if freeze::is_frozen(&ctx.tables).await? => {
            deny_request(ctx, stored, DenialReason::Frozen, now).await
        }
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}
