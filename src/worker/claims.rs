//! Queue `claims`: what `reveal` did with a ticket.

use futures_util::FutureExt as _;
use tracing::Span;
use tracing::field::display;

use crate::domain::request::RequestState;
use crate::queue::{ClaimEvent, ClaimMessage};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, Invocation, MAX_RECEIVES};
use crate::worker::ops::confirm_key::confirm;
use crate::worker::ops::issue_key::{give_up_claim, issue};
use crate::worker::ops::ticket_outbox::import_ticket_events;
use crate::worker::timers::ticket::misused;

pub(crate) async fn on_claims(
    ctx: &Context,
    body: &str,
    invocation: Invocation,
    received: u32,
) -> Result<(), HandleError> {
    let Ok(message) = serde_json::from_str::<ClaimMessage>(body) else {
        tracing::error!("malformed message");
        return Ok(());
    };
    Span::current().record("ticket_id", display(&message.tid));
    match message.event {
        ClaimEvent::Claimed => {
            let done = issue(ctx, &message, invocation).boxed().await;
            if let (Err(error), true) = (&done, received >= MAX_RECEIVES) {
                give_up_claim(ctx, &message, error, invocation.now).await;
            }
            done
        }
        ClaimEvent::Confirmed => confirm_ticket(ctx, &message, invocation.now).await,
        ClaimEvent::Misused => misused(ctx, &message.tid, invocation.now).await,
    }
}

/// The tab has the key.
async fn confirm_ticket(ctx: &Context, message: &ClaimMessage, now: Timestamp) -> Result<(), HandleError> {
    let Some(stored) = import_ticket_events(ctx, &message.tid, now).await? else { return Ok(()) };
    let RequestState::Issued { key, tid, .. } = &stored.request.state else { return Ok(()) };
    if *tid != message.tid {
        return Ok(());
    }
    confirm(ctx, key, now).await
}
