//! What is due: once a minute the index is asked, and every hit becomes a message of its own. A hit is a hint: the item
//! is read as it is, and nothing happens to it but what its state and the time allow.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{try_join, try_join_all};

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::shard::SHARDS;
use crate::id::TicketId;
use crate::queue::DueMessage;
use crate::store::keys::StoredKey;
use crate::store::leases::DeletionLease;
use crate::store::requests;
use crate::store::requests::StoredRequest;
use crate::store::timers;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, Invocation, MAX_RECEIVES};
use crate::worker::jobs::audit_checkpoint::go_on_with_checkpoint;
use crate::worker::ops::ownership::refresh_daily;
use crate::worker::ops::unmanaged_key::finish_held;
use crate::worker::outbox::queue_timer;
use crate::worker::timers::key::run_key_timer;
use crate::worker::timers::request::run_request_timer;
use crate::worker::timers::ticket::run_ticket_timer;

/// How many items of a shard one sweep takes on; the next is a minute later.
const BATCH: i32 = 25;

/// How far an item that keeps failing is moved on, so that it keeps nobody behind it waiting.
const POSTPONED: Duration = Duration::from_secs(3_600);

pub(crate) async fn sweep(ctx: &Context, now: Timestamp) -> Result<(), HandleError> {
    let due = |table| try_join_all(SHARDS.map(|shard| ctx.tables.due(table, shard, now, BATCH)));
    let (items, tickets) = try_join(due(Table::Requests), due(Table::Tickets)).await?;
    let items = items.into_iter().flatten().map(|(item, due_at)| DueMessage::ItemTimer { item, due_at });
    let tickets = tickets.into_iter().flatten().filter_map(|(tid, due_at)| {
        let tid = tid.parse().ok()?;
        Some(DueMessage::TicketTimer { tid, due_at })
    });
    try_join_all(items.chain(tickets).map(|due| queue_timer(ctx, due))).await?;
    // What comes once a day holds up nothing that is due.
    for begun in [refresh_daily(ctx, now).await, go_on_with_checkpoint(ctx, now).await] {
        if let Err(error) = begun {
            tracing::error!(error = format!("{error:#}"), "daily jobs not started");
        }
    }
    Ok(())
}

pub(crate) async fn run_item_timer(
    ctx: &Context,
    item: &str,
    due_at: Timestamp,
    invocation: Invocation,
    received: u32,
) -> Result<(), HandleError> {
    let done = if let Some(id) = requests::request_of(item) {
        match StoredRequest::read(&ctx.tables, &id).await {
            Ok(Some(stored)) => run_request_timer(ctx, stored, invocation).boxed().await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        }
    } else if let Some(key) = StoredKey::of_item(item) {
        run_key_timer(ctx, &key, invocation.now).boxed().await
    } else if DeletionLease::is_item(item) {
        finish_held(ctx, item, invocation.now).boxed().await
    } else {
        tracing::error!("due item of unknown kind");
        Ok(())
    };
    reschedule(ctx, Table::Requests, (item, due_at), done, invocation.now, received).await
}

pub(crate) async fn ticket_timer(
    ctx: &Context,
    tid: &TicketId,
    due_at: Timestamp,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let done = run_ticket_timer(ctx, tid, now).await;
    reschedule(ctx, Table::Tickets, (tid.as_str(), due_at), done, now, received).await
}

/// An item that fails at its message's last receive is moved on, so that it keeps nobody waiting.
async fn reschedule(
    ctx: &Context,
    table: Table,
    (item, due_at): (&str, Timestamp),
    done: Result<(), HandleError>,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    if matches!(done, Err(HandleError::Failed(_))) && received >= MAX_RECEIVES {
        let postponed = timers::postpone(due_at, now + POSTPONED);
        match ctx.tables.update(table, item, &postponed).await {
            Ok(_) | Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    done
}
