//! Writing a request's next state, and draining its outboxes of audit entries and notifications.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::aws::item::Write;
use crate::aws::{MAX_BATCH, Outgoing, WriteError};
use crate::domain::audit::{AuditChain, AuditEvent, NewAuditEntry};
use crate::domain::request::{Destination, KeyRequest, Notification, RequestEvent, RequestState, Unqueued};
use crate::id::RequestId;
use crate::queue::DueMessage;
use crate::slack::receive::SlackEnvelope;
use crate::store::chains;
use crate::store::requests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};

/// How many batches of timers are sent at a time: each takes a socket of the function's.
const BATCHES_AT_ONCE: usize = 8;

/// Audits a command that is about no request, in a chain of its own that its very message names: delivered again, it
/// finds its entry there.
pub(crate) async fn audit_alone(
    ctx: &Context,
    message: &SlackEnvelope,
    events: impl IntoIterator<Item = NewAuditEntry>,
) -> anyhow::Result<()> {
    let chain = alone(message, events);
    keep_alone(ctx, message, &chain).await?;
    insert_alone(ctx, message, &chain).await
}

pub(crate) async fn keep_alone(
    ctx: &Context,
    message: &SlackEnvelope,
    chain: &AuditChain,
) -> anyhow::Result<()> {
    match ctx.tables.write(vec![chains::put_standalone_chain_head(&message.id, chain)]).await {
        // Delivered again.
        Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

pub(crate) async fn insert_alone(
    ctx: &Context,
    message: &SlackEnvelope,
    chain: &AuditChain,
) -> anyhow::Result<()> {
    for entry in &chain.outbox {
        ctx.tables.insert_audit(&message.id, entry).await?;
    }
    Ok(())
}

/// The chain that a message's own events make: the same whenever it is delivered.
pub(crate) fn alone(message: &SlackEnvelope, events: impl IntoIterator<Item = NewAuditEntry>) -> AuditChain {
    let mut chain = AuditChain::default();
    for happened in events {
        chain.append(&message.id, message.signed_at, happened);
    }
    chain
}

/// The group of notifications that go to one destination by one of Slack's methods: one of them is delivered at a time, for
/// Slack limits these by themselves.
fn group_of(destination: &Destination, has_card: bool) -> String {
    match destination {
        Destination::Person(person) => format!("notify.{person}.post"),
        Destination::Card if has_card => "notify.approvals.update".to_owned(),
        Destination::Card | Destination::ApprovalsChannel => "notify.approvals.post".to_owned(),
        Destination::Postponements => "notify.approvals.postponements".to_owned(),
    }
}

/// Queues one notification: in order within its group, and once.
async fn queue_notification(
    ctx: &Context,
    request: &KeyRequest,
    Unqueued { number, destination }: &Unqueued,
) -> anyhow::Result<()> {
    let group = group_of(destination, request.card.is_some());
    let due = DueMessage::Notify { request: request.id.clone(), number: *number };
    let (body, once) = (serde_json::to_string(&due)?, format!("{}.notify.{number}", request.id));
    ctx.sqs.send(&ctx.config.due_queue, body, &group, &once).await
}

/// Queues a notification again that could not be delivered: once for each time that its timer ran out.
pub(crate) async fn queue_undelivered(
    ctx: &Context,
    request: &RequestId,
    number: u32,
    destination: &Destination,
    due_at: Timestamp,
) -> anyhow::Result<()> {
    let group = group_of(destination, false);
    let due = DueMessage::Notify { request: request.clone(), number };
    let (body, once) = (serde_json::to_string(&due)?, format!("{request}.notify.{number}.{}", due_at.0));
    ctx.sqs.send(&ctx.config.due_queue, body, &group, &once).await
}

/// Whether a request is one to carry out now.
pub(crate) fn is_to_fulfil(request: &KeyRequest) -> bool {
    request.state == RequestState::Approved && request.details.kind.existing().is_some()
}

/// The write that ends an attempt; losing it is looked at again.
pub(crate) async fn finish_claim(
    ctx: &Context,
    stored: &StoredRequest,
    next: KeyRequest,
    others: Vec<Write>,
    notifications: Vec<Notification>,
) -> Result<(), HandleError> {
    match commit(ctx, stored, next, others, notifications).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Audits something that changed nothing: a press that was refused, a message that dies. Losing the race to write it
/// is a fault, so that the message comes again.
pub(crate) async fn record_audit(
    ctx: &Context,
    stored: &StoredRequest,
    event: AuditEvent,
    message: &SlackEnvelope,
    now: Timestamp,
) -> anyhow::Result<()> {
    let happened = NewAuditEntry::new(event, &message.person, [("message", message.id.to_string())]);
    let next = stored.request.apply(
        RequestEvent::RecordTicketEvent { happened, at: now, alert: false },
        "keyvend",
        now,
    )?;
    let saved = commit(ctx, stored, next, Vec::new(), Vec::new()).await?;
    drain_outbox(ctx, saved).await;
    Ok(())
}

/// Writes a request's next state with what goes with it: its audit entry and notifications in the same item.
pub(crate) async fn commit(
    ctx: &Context,
    stored: &StoredRequest,
    next: KeyRequest,
    others: Vec<Write>,
    notifications: Vec<Notification>,
) -> Result<StoredRequest, WriteError> {
    let mut next = next;
    next.notifications.extend(notifications);
    stored.save(&ctx.tables, next, others).await
}

/// Inserts a request's audit entries and queues its notifications: the last thing every handler does, when whoever waits
/// has been answered. What fails or never came to this stays in the item's outboxes, and the next sweep finds it.
pub(crate) async fn drain_outbox(ctx: &Context, stored: StoredRequest) -> StoredRequest {
    let request = &stored.request;
    if matches!(request.state, RequestState::Issuing(_)) {
        // Another write would conflict with the invocation that holds the intent; what it leaves is flushed when it ends.
        return stored;
    }
    let mut next = request.clone();
    for entry in &request.chain.outbox {
        match ctx.tables.insert_audit(&request.id, entry).await {
            Ok(()) => next.chain.remove_inserted(entry.seq),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "audit entry not inserted, left in outbox");
                break;
            }
        }
    }
    for unqueued in &request.notifications.outbox {
        match queue_notification(ctx, request, unqueued).await {
            Ok(()) => next.notifications.remove_delivered(unqueued.number),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "notification not queued, left in outbox");
                break;
            }
        }
    }
    if is_to_fulfil(request)
        && let Err(error) = queue_fulfilment(ctx, request).await
    {
        tracing::warn!(error = format!("{error:#}"), "timer not queued");
    }
    if next == *request {
        return stored;
    }
    match stored.save(&ctx.tables, next, Vec::new()).await {
        Ok(saved) => saved,
        Err(_) => stored,
    }
}

pub(crate) async fn queue_timer(ctx: &Context, due: DueMessage) -> anyhow::Result<()> {
    let Some(Outgoing { body, group, deduplication }) = timer_message(&due)? else { return Ok(()) };
    ctx.sqs.send(&ctx.config.due_queue, body, &group, &deduplication).await
}

/// The same of many, in few calls.
pub(crate) async fn queue_timers(ctx: &Context, all: &[DueMessage]) -> anyhow::Result<()> {
    let messages = all.iter().filter_map(|due| timer_message(due).transpose());
    let messages = messages.collect::<anyhow::Result<Vec<_>>>()?;
    for some in messages.chunks(MAX_BATCH * BATCHES_AT_ONCE) {
        let batches = some.chunks(MAX_BATCH);
        try_join_all(batches.map(|batch| ctx.sqs.send_batch(&ctx.config.due_queue, batch.to_vec()))).await?;
    }
    Ok(())
}

fn timer_message(due: &DueMessage) -> anyhow::Result<Option<Outgoing>> {
    let (item, due_at) = match due {
        DueMessage::ItemTimer { item, due_at } => (item.as_str(), due_at),
        DueMessage::TicketTimer { tid, due_at } => (tid.as_str(), due_at),
        DueMessage::Notify { .. }
        | DueMessage::ResumeIssue { .. }
        | DueMessage::RefreshOwnership(_)
        | DueMessage::Checkpoint(_) => return Ok(None),
    };
    let (group, deduplication) = (format!("timer.{item}"), format!("{item}.{}", due_at.0));
    Ok(Some(Outgoing { body: serde_json::to_string(due)?, group, deduplication }))
}

/// What was approved about a key that exists is carried out at once, not at the next sweep.
async fn queue_fulfilment(ctx: &Context, request: &KeyRequest) -> anyhow::Result<()> {
    // Sent once for each time that it was approved.
    queue_timer(
        ctx,
        DueMessage::ItemTimer { item: requests::request_key(&request.id), due_at: request.pending_since },
    )
    .await
}
