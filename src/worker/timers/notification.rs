//! A notification that could not be delivered is left alone for a while, longer each time, and queued again: Slack may be
//! away for hours. What it says stays where it was stored.

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::timer::backoff;
use crate::id::RequestId;
use crate::store::notifications::{notification_key, read_notification};
use crate::store::timers;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_RECEIVES};
use crate::worker::outbox::queue_undelivered;

/// How often a notification that failed before is received before it is left alone again.
const MAX_LATER_RECEIVES: u32 = 2;

/// So often a notification is left alone and tried again: for about three days.
const MAX_ROUNDS: i64 = 144;

/// How the message of a notification ends that could not be delivered: after its last receive it is tried again later, and
/// given up where that was done for days.
pub(crate) async fn retry_later(
    ctx: &Context,
    (request, number): (&RequestId, u32),
    failed: HandleError,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let HandleError::Failed(error) = failed else { return Err(failed) };
    if received < MAX_LATER_RECEIVES {
        return Err(error.into());
    }
    let item = notification_key(request, number);
    let rounds = match timers::failures(&ctx.tables, Table::Requests, &item).await {
        Ok(rounds) => rounds,
        Err(unread) => {
            tracing::warn!(error = format!("{unread:#}"), "timer not moved on");
            return Err(error.into());
        }
    };
    if (rounds == 0 && received < MAX_RECEIVES) || rounds >= MAX_ROUNDS {
        return Err(error.into());
    }
    leave_alone(ctx, (request, number), error, rounds, now, received).await
}

/// Gives a notification a timer that could not be delivered in `rounds` rounds.
pub(crate) async fn leave_alone(
    ctx: &Context,
    (request, number): (&RequestId, u32),
    error: anyhow::Error,
    rounds: i64,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let item = notification_key(request, number);
    // Longer than the five minutes for which a queue drops what it was sent before.
    let at = now + backoff(rounds.saturating_add(3));
    let later = timers::retry_notification(&item, at, rounds.saturating_add(1));
    match ctx.tables.update(Table::Requests, &item, &later).await {
        Ok(_) => {
            let error = format!("{error:#}");
            if rounds == 0 {
                tracing::error!(receive_count = received, error, "notification failed, backing off");
            } else {
                tracing::warn!(rounds, error, "notification failed again, backing off");
            }
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Err(error.into()),
        Err(WriteError::Other(unwritten)) => {
            tracing::warn!(error = format!("{unwritten:#}"), "timer not moved on");
            Err(error.into())
        }
    }
}

/// Its time has come: it is queued like a new one.
pub(crate) async fn queue_again(
    ctx: &Context,
    request: &RequestId,
    number: u32,
    due_at: Timestamp,
) -> Result<(), HandleError> {
    let item = notification_key(request, number);
    if !timers::is_due(&ctx.tables, &item, due_at).await? {
        return Ok(());
    }
    let Some(notification) = read_notification(&ctx.tables, request, number).await? else { return Ok(()) };
    queue_undelivered(ctx, request, number, &notification.destination(), due_at).await?;
    match ctx.tables.update(Table::Requests, &item, &timers::clear(due_at)).await {
        Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}
