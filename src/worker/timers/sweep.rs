//! What is due: once a minute the index is asked, lane by lane, and every hit becomes a message of its own. A hit is a hint:
//! the item is read as it is, and nothing happens to it but what its state and the time allow. What fails is left alone
//! for a while, longer each time, so that it keeps nothing else waiting.

use futures_util::FutureExt as _;
use futures_util::future::{try_join_all, try_join4};

use crate::aws::item::Table;
use crate::domain::timer::Lane;
use crate::id::TicketId;
use crate::queue::DueMessage;
use crate::store::backlog::is_backlog;
use crate::store::document::subject_of;
use crate::store::keys::StoredKey;
use crate::store::leases::DeletionLease;
use crate::store::notifications::notification_of;
use crate::store::requests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::backlog::run_backlog_timer;
use crate::worker::context::{Context, HandleError, Invocation};
use crate::worker::jobs::audit_checkpoint::go_on_with_checkpoint;
use crate::worker::ops::ownership::refresh_daily;
use crate::worker::ops::posted_messages::run_posts_timer;
use crate::worker::ops::unmanaged_key::finish_held;
use crate::worker::outbox::queue_timers;
use crate::worker::timers::backoff::{back_off, settle};
use crate::worker::timers::key::run_key_timer;
use crate::worker::timers::notification::queue_again;
use crate::worker::timers::request::{Outboxes, run_request_timer};
use crate::worker::timers::ticket::run_ticket_timer;

pub(crate) async fn sweep(ctx: &Context, now: Timestamp) -> Result<(), HandleError> {
    let due = |table, lane: Lane| {
        let shards = lane.shards().iter();
        try_join_all(shards.map(move |shard| ctx.tables.due(table, shard, now, lane.batch())))
    };
    let (urgent, tickets, routine, outbox) = try_join4(
        due(Table::Requests, Lane::Security),
        due(Table::Tickets, Lane::Security),
        due(Table::Requests, Lane::Routine),
        due(Table::Requests, Lane::Outbox),
    )
    .await?;
    let item_timer = |(item, due_at)| DueMessage::ItemTimer { item, due_at };
    let tickets = tickets.into_iter().flatten().filter_map(|(tid, due_at)| {
        let tid = tid.parse().ok()?;
        Some(DueMessage::TicketTimer { tid, due_at })
    });
    // What is about keys that may be on comes first.
    let urgent = urgent.into_iter().flatten().map(item_timer).chain(tickets);
    let others = routine.into_iter().chain(outbox).flatten().map(item_timer);
    let all: Vec<DueMessage> = urgent.chain(others).collect();
    queue_timers(ctx, &all).await?;
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
            Ok(Some(stored)) => match run_request_timer(ctx, stored, invocation).boxed().await {
                Ok(Outboxes::Left) => {
                    // Logged where it failed.
                    back_off(ctx, Table::Requests, (item, due_at), invocation.now).await;
                    Ok(())
                }
                Ok(Outboxes::Drained) => Ok(()),
                Err(error) => Err(error),
            },
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        }
    } else if let Some(key) = StoredKey::of_item(item) {
        run_key_timer(ctx, &key, invocation.now).boxed().await
    } else if let Some((request, number)) = notification_of(item) {
        queue_again(ctx, &request, number, due_at).await
    } else if is_backlog(item) {
        run_backlog_timer(ctx, item, due_at, invocation.now).boxed().await
    } else if let Some(subject) = subject_of(item) {
        Ok(run_posts_timer(ctx, &subject, invocation.now).boxed().await?)
    } else if DeletionLease::is_item(item) {
        finish_held(ctx, item, invocation.now).boxed().await
    } else {
        tracing::error!("due item of unknown kind");
        Ok(())
    };
    settle(ctx, Table::Requests, (item, due_at), done, invocation.now, received).await
}

pub(crate) async fn ticket_timer(
    ctx: &Context,
    tid: &TicketId,
    due_at: Timestamp,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let done = run_ticket_timer(ctx, tid, now).await;
    settle(ctx, Table::Tickets, (tid.as_str(), due_at), done, now, received).await
}
