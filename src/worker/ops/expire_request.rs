//! Ends a request whose time ran out.

use crate::aws::WriteError;
use crate::domain::request::{Notification, RequestEvent};
use crate::render::{approval_card, text};
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::Context;
use crate::worker::ops::void_ticket::void_ticket;
use crate::worker::outbox::{commit, drain_outbox};

/// Ends a request whose time ran out, and tells. Somebody else may have been first.
pub(crate) async fn expire_request(
    ctx: &Context,
    stored: &StoredRequest,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Ok(next) = stored.request.apply(RequestEvent::Expire, "keyvend", now) else { return Ok(()) };
    let voided = void_ticket(ctx, stored).await?;
    let message = approval_card::text(&text::request_expired(&next));
    let notifications = vec![
        Notification::UpdateCard,
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() },
    ];
    match commit(ctx, stored, next, voided, notifications).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}
