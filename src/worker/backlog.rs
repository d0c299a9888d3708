//! Delivering notifications in the order of their group, however long Slack limits where they go. A short limit is waited for;
//! before it would use up a message's receives, the notification goes into the backlog of its group, and whatever comes after
//! it, too. The timer of the backlog delivers from there. It is written after each delivery, so that what was interrupted goes
//! on where it was: at worst one notification is delivered twice.

use std::time::Duration;

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::queue::DueMessage;
use crate::store::backlog::{NotificationRef, StoredBacklog, backlog_key};
use crate::store::timers;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, MAX_RECEIVES, seconds};
use crate::worker::notify::deliver_notification;
use crate::worker::outbox::queue_timer;
use crate::worker::rate_limit::{alone, limited_by};
use crate::worker::timers::notification::{leave_alone, retry_later};

/// A longer limit is not waited for by the message itself.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// How many receives a message may use up by waiting; as many are left for failures.
const MAX_LIMITED_RECEIVES: u32 = MAX_RECEIVES / 2;
/// How many notifications one run of a timer delivers.
const MAX_DELIVERIES: usize = 10;

/// Delivers a notification that was received from queue `due`, or adds it to those of its group that wait.
pub(crate) async fn deliver_in_order(
    ctx: &Context,
    group: &str,
    notification: &NotificationRef,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let key = backlog_key(group);
    let backlog = StoredBacklog::read(&ctx.tables, &key).await?;
    if !backlog.waiting.is_empty() && add(ctx, backlog, notification, None, now).await? {
        return Ok(());
    }
    let NotificationRef(request, number) = notification;
    let Err(error) = deliver_notification(ctx, request, *number, now, received).await else { return Ok(()) };
    let Some(delay) = limited_by(&error) else {
        return retry_later(ctx, (request, *number), error, now, received).await;
    };
    let delay = alone(delay, &format!("{request}.{number}.{received}"));
    if received < MAX_LIMITED_RECEIVES && delay <= MAX_WAIT {
        return Err(HandleError::RetryAfter(delay));
    }
    let backlog = StoredBacklog::read(&ctx.tables, &key).await?;
    add(ctx, backlog, notification, Some(now + delay), now).await?;
    queue_run(ctx, &key, now + delay, now).await;
    Ok(())
}

/// Adds a notification to a backlog: to one that is not empty, or to begin one that is due then. Whether it waits there now.
async fn add(
    ctx: &Context,
    backlog: StoredBacklog,
    notification: &NotificationRef,
    begin: Option<Timestamp>,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let mut backlog = backlog;
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(due_at) = backlog.due_at.or(begin) else { return Ok(false) };
        if backlog.waiting.contains(notification) {
            return Ok(true);
        }
        let key = backlog.key().to_owned();
        let waiting = [backlog.waiting.as_slice(), std::slice::from_ref(notification)].concat();
        match backlog.save(&ctx.tables, waiting, due_at, now).await {
            Ok(_) => return Ok(true),
            Err(WriteError::Conflict(_)) => backlog = StoredBacklog::read(&ctx.tables, &key).await?,
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("a backlog changed too often for a notification to be added")
}

/// The timer of a backlog ran out: what waits is delivered in order, until Slack limits it again.
pub(crate) async fn run_backlog_timer(
    ctx: &Context,
    key: &str,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<(), HandleError> {
    let mut backlog = StoredBacklog::read(&ctx.tables, key).await?;
    // Moved on since, it has another message.
    if backlog.due_at != Some(due_at) {
        return Ok(());
    }
    if due_at > now {
        return Err(HandleError::RetryAfter(seconds(due_at.since(now))));
    }
    for delivered in 0..MAX_DELIVERIES {
        let Some(first) = backlog.waiting.first().cloned() else { return Ok(()) };
        let NotificationRef(request, number) = &first;
        if let Err(error) = deliver_notification(ctx, request, *number, now, 0).await {
            if let Some(delay) = limited_by(&error) {
                let next = now + alone(delay, &format!("{request}.{number}.{}", now.0));
                // Where nothing was taken it is left to the sweeps.
                return postpone(ctx, key, due_at, next, (delivered > 0).then_some(now)).await;
            }
            let HandleError::Failed(failed) = error else { return Err(error) };
            // Slack may be away for hours, and the order is kept; but one notification does not stop the others for ever.
            if timers::failures(&ctx.tables, Table::Requests, key).await? < i64::from(MAX_RECEIVES) {
                return Err(failed.into());
            }
            leave_alone(ctx, (request, *number), failed, 0, now, MAX_RECEIVES).await?;
        }
        backlog = remove(ctx, backlog, &first, now).await?;
    }
    if backlog.waiting.is_empty() {
        return Ok(());
    }
    // At least a second later: a timer is sent once for each time.
    postpone(ctx, key, due_at, Timestamp(now.0 + 1), Some(now)).await
}

/// Takes the notification that was delivered out of the backlog; others may have been added meanwhile.
async fn remove(
    ctx: &Context,
    backlog: StoredBacklog,
    delivered: &NotificationRef,
    now: Timestamp,
) -> anyhow::Result<StoredBacklog> {
    let mut backlog = backlog;
    for _ in 0..MAX_CONFLICT_RETRIES {
        let (key, due_at) = (backlog.key().to_owned(), backlog.due_at.unwrap_or(now));
        let left = backlog.waiting.iter().filter(|other| *other != delivered).cloned().collect();
        match backlog.save(&ctx.tables, left, due_at, now).await {
            Ok(saved) => return Ok(saved),
            Err(WriteError::Conflict(_)) => backlog = StoredBacklog::read(&ctx.tables, &key).await?,
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("a backlog changed too often for a delivery to be noted")
}

/// Moves the timer of a backlog on, and queues it where it is to go on soon.
async fn postpone(
    ctx: &Context,
    key: &str,
    due_at: Timestamp,
    next: Timestamp,
    soon: Option<Timestamp>,
) -> Result<(), HandleError> {
    match ctx.tables.update(Table::Requests, key, &timers::postpone(due_at, next)).await {
        Ok(_) => {
            if let Some(now) = soon {
                queue_run(ctx, key, next, now).await;
            }
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Queues the timer of a backlog at once where it runs out before a sweep would find it; its message waits until then.
async fn queue_run(ctx: &Context, key: &str, due_at: Timestamp, now: Timestamp) {
    if due_at > now + MAX_WAIT {
        return;
    }
    if let Err(error) = queue_timer(ctx, DueMessage::ItemTimer { item: key.to_owned(), due_at }).await {
        tracing::warn!(error = format!("{error:#}"), "timer not queued");
    }
}
