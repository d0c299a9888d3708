//! Ends a request that policy, or the key it is about, no longer allows.

use crate::domain::denial::DenialReason;
use crate::domain::request::{Notification, RequestEvent};
use crate::render::approval_card;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::denial_text;
use crate::worker::context::{Context, HandleError};
use crate::worker::outbox::finish_claim;

/// The end of a request that policy, or the key's own state, no longer allows.
pub(crate) async fn deny_request(
    ctx: &Context,
    stored: &StoredRequest,
    reason: DenialReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Ok(next) = stored.request.apply(RequestEvent::Refuse { reason: reason.clone() }, "keyvend", now)
    else {
        return Ok(());
    };
    let message = approval_card::text(&denial_text(ctx, &reason));
    let notifications = vec![
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() },
        Notification::UpdateCard,
    ];
    finish_claim(ctx, stored, next, Vec::new(), notifications).await
}
