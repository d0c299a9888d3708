//! A timer that failed: its item is left alone for a while, longer each time, and found again by a later sweep. The item
//! itself says what is still to be done, so no message of it has to outlive its last try.

use std::time::Duration;

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::timer::backoff;
use crate::store::timers;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_RECEIVES};
use crate::worker::ops::key_in_iam::{NotShown, notify_of_unproven};
use crate::worker::rate_limit::{in_crowd, limited_by};

/// How often a timer's message is received before its item is left alone: a fault of a moment is over by then.
const MAX_TIMER_RECEIVES: u32 = 3;

/// After how many rounds of tries people are told of what IAM does not show.
const UNPROVEN_ROUNDS: i64 = 3;

/// How long an item is left alone at least whose lease or write somebody else was before with, again and again.
const MIN_WAIT: Duration = Duration::from_secs(60);

/// How the message of a timer ends that ended like this. At the first failure the item leaves the sweep's way already.
pub(crate) async fn settle(
    ctx: &Context,
    table: Table,
    (item, due_at): (&str, Timestamp),
    done: Result<(), HandleError>,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let done = done.map_err(|error| match limited_by(&error) {
        // Nothing failed.
        Some(delay) => HandleError::RetryAfter(in_crowd(delay, item, received)),
        None => error,
    });
    match done {
        Err(HandleError::Failed(error)) => {
            back_off(ctx, table, (item, due_at), now).await;
            if received < MAX_TIMER_RECEIVES {
                return Err(HandleError::Failed(error));
            }
            tracing::error!(
                receive_count = received,
                error = format!("{error:#}"),
                "timer failed, backing off"
            );
            // Of a key that is on no record yet people learn by this, once.
            if let Some(not_shown) = error.downcast_ref::<NotShown>()
                && timers::failures(&ctx.tables, table, item).await? == UNPROVEN_ROUNDS
            {
                notify_of_unproven(ctx, not_shown).await?;
            }
            Ok(())
        }
        Err(HandleError::RetryAfter(delay)) if received >= MAX_RECEIVES => {
            let postponed = timers::postpone(due_at, now + delay.max(MIN_WAIT));
            match ctx.tables.update(table, item, &postponed).await {
                Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
                Err(WriteError::Other(error)) => Err(error.into()),
            }
        }
        Ok(()) | Err(HandleError::RetryAfter(_) | HandleError::RateLimited) => done,
    }
}

/// Moves an item's timer on, unless the item changed since. Where that cannot be written, a sweep finds it as it was.
pub(crate) async fn back_off(ctx: &Context, table: Table, (item, due_at): (&str, Timestamp), now: Timestamp) {
    let moved = async {
        let failures = timers::failures(&ctx.tables, table, item).await?;
        let moved = timers::back_off(due_at, now + backoff(failures), failures.saturating_add(1));
        match ctx.tables.update(table, item, &moved).await {
            Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
            Err(WriteError::Other(error)) => Err(error),
        }
    };
    if let Err(error) = moved.await {
        tracing::warn!(error = format!("{error:#}"), "timer not moved on");
    }
}
