//! What is due: once a minute the index is asked, and every hit becomes a message of its own. A hit is a hint: the item
//! is read as it is, and nothing happens to it but what its state and the time allow.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{try_join, try_join_all};

use crate::aws::WriteError;
use crate::aws::item::{SHARDS, Table};
use crate::domain::key::StoredKey;
use crate::domain::request::{KeyRequest, Notification, RequestEvent, RequestState};
use crate::id::TicketId;
use crate::queue::DueMessage;
use crate::render::approval_card;
use crate::render::text;
use crate::store::{self, DeletionLease, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::cancel::expire_request;
use crate::worker::context::{Context, HandleError, Invocation, MAX_RECEIVES};
use crate::worker::jobs::audit_checkpoint::go_on_with_checkpoint;
use crate::worker::jobs::refresh_ownership::refresh_daily;
use crate::worker::limits::may_mention;
use crate::worker::ops::ambiguous_create::recheck_ambiguous_create;
use crate::worker::ops::complete_request::{complete_request, is_to_fulfil};
use crate::worker::ops::issue_key::resume_intent;
use crate::worker::ops::unmanaged_key::finish_held;
use crate::worker::outbox::{commit, drain_outbox};
use crate::worker::timers::key::run_key_timer;
use crate::worker::timers::ticket::run_ticket_timer;

/// How many items of a shard one sweep takes on; the next is a minute later.
const BATCH: i32 = 25;
/// How far an item that keeps failing is moved on, so that it keeps nobody behind it waiting.
const POSTPONED: Duration = Duration::from_secs(3_600);

pub(crate) async fn sweep(ctx: &Context, now: Timestamp) -> Result<(), HandleError> {
    let due = |table| try_join_all(SHARDS.map(|shard| ctx.tables.due(table, shard, now, BATCH)));
    let (items, tickets) = try_join(due(Table::Requests), due(Table::Tickets)).await?;
    let items = items.into_iter().flatten().map(|(item, due_at)| DueMessage::Timer { item, due_at });
    let tickets = tickets.into_iter().flatten().filter_map(|(tid, due_at)| {
        let tid = tid.parse().ok()?;
        Some(DueMessage::Ticket { tid, due_at })
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

async fn queue_timer(ctx: &Context, due: DueMessage) -> anyhow::Result<()> {
    let (item, due_at) = match &due {
        DueMessage::Timer { item, due_at } => (item.as_str(), due_at),
        DueMessage::Ticket { tid, due_at } => (tid.as_str(), due_at),
        DueMessage::Tell { .. }
        | DueMessage::Issue { .. }
        | DueMessage::Directory(_)
        | DueMessage::Checkpoint(_) => return Ok(()),
    };
    let (group, once) = (format!("timer.{item}"), format!("{item}.{}", due_at.0));
    let body = serde_json::to_string(&due)?;
    ctx.sqs.send(&ctx.config.due_queue, body, &group, &once).await
}

/// What was approved about a key that exists is carried out at once, not at the next sweep.
pub(crate) async fn queue_fulfilment(ctx: &Context, request: &KeyRequest) -> anyhow::Result<()> {
    // Sent once for each time that it was approved.
    queue_timer(
        ctx,
        DueMessage::Timer { item: store::request_key(&request.id), due_at: request.pending_since },
    )
    .await
}

pub(crate) async fn run_item_timer(
    ctx: &Context,
    item: &str,
    due_at: Timestamp,
    invocation: Invocation,
    received: u32,
) -> Result<(), HandleError> {
    let done = if let Some(id) = store::request_of(item) {
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
        let postponed = store::postpone(due_at, now + POSTPONED);
        match ctx.tables.update(table, item, &postponed).await {
            Ok(_) | Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    done
}

/// Leftovers first; then whatever the state and the time call for.
async fn run_request_timer(
    ctx: &Context,
    stored: StoredRequest,
    invocation: Invocation,
) -> Result<(), HandleError> {
    let now = invocation.now;
    if let RequestState::Issuing(intent) = &stored.request.state {
        let intent = intent.clone();
        return resume_intent(ctx, stored, intent, invocation).await;
    }
    let stored = drain_outbox(ctx, stored).await;
    if stored.request.is_expired(now) {
        return Ok(expire_request(ctx, &stored, now).await?);
    }
    if is_to_fulfil(&stored.request) {
        return complete_request(ctx, stored, now).boxed().await;
    }
    if let RequestState::Ambiguous(doubt) = &stored.request.state {
        let doubt = doubt.clone();
        return recheck_ambiguous_create(ctx, stored, &doubt, now).await;
    }
    let Ok(next) = stored.request.apply(RequestEvent::Remind, "keyvend", now) else { return Ok(()) };
    // Where the card could not be posted, that is still to be done, and calls the approvers too.
    let notification = if next.card.is_some() {
        let what = format!("{}.reminder", next.id);
        let mention = may_mention(ctx, &next.details.requester, &what, now).await?;
        let mention = mention.then_some(&ctx.config.approvers);
        Notification::Thread { message: approval_card::text(&text::reminder(&next, mention)) }
    } else {
        Notification::Card
    };
    match commit(ctx, &stored, next, Vec::new(), vec![notification]).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}
