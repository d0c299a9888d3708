//! Once a day: the ends of all chains that grew, page by page, each page by a message of its own. Empty ones are passed over.

use std::time::Duration;

use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::checkpoint::{Checkpoint, CheckpointPage, chain_id, day_due_for_close};
use crate::queue::DueMessage;
use crate::render::{approval_card, text};
use crate::slack::api::SlackError;
use crate::store::chains;
use crate::store::document::{CHECKPOINT_PK, StoredCheckpoint};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};

/// How many ends go into one record: an item of DynamoDB's holds 400 KB.
const PAGE: i32 = 500;

async fn read_checkpoint(ctx: &Context) -> anyhow::Result<StoredCheckpoint> {
    StoredCheckpoint::read(&ctx.tables, CHECKPOINT_PK).await
}

/// Begins a day's checkpoint, if it is time for it and nobody has, and goes on with one that is not closed: whatever
/// became of the message of its page, it is sent for again, and SQS drops what it still has.
pub(crate) async fn go_on_with_checkpoint(ctx: &Context, now: Timestamp) -> anyhow::Result<()> {
    let stored = read_checkpoint(ctx).await?;
    let day = day_due_for_close(now);
    let mut checkpoint = stored.document.clone();
    if checkpoint.begun < day {
        // Before the first day there was nothing.
        checkpoint = Checkpoint { begun: day, grew: false, open: !stored.is_new(), ..checkpoint };
        match ctx.tables.write(vec![stored.replace(&checkpoint)?]).await {
            Ok(()) => {}
            Err(WriteError::Conflict(_)) => return Ok(()),
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    match checkpoint.resume_page() {
        Some(page) => queue_checkpoint(ctx, page).await,
        None => Ok(()),
    }
}

async fn queue_checkpoint(ctx: &Context, page: CheckpointPage) -> anyhow::Result<()> {
    let after = page.after.as_deref().unwrap_or("");
    let once = hex::encode(Sha256::digest(format!("{}.{}.{}.{after}", page.day, page.back, page.shard)));
    let body = serde_json::to_string(&DueMessage::Checkpoint(page))?;
    ctx.sqs.send(&ctx.config.due_queue, body, "checkpoint", &once).await
}

/// One page: its ends go into the chain, and the next page is sent for. The last one's hash is posted.
pub(crate) async fn take_page(
    ctx: &Context,
    page: &CheckpointPage,
    now: Timestamp,
) -> Result<(), HandleError> {
    let stored = read_checkpoint(ctx).await?;
    if !stored.document.expects(page) {
        tracing::warn!("checkpoint page out of order");
        return Ok(());
    }
    let noon = Timestamp::of_day(&page.day).ok_or_else(|| anyhow::anyhow!("a page of no day"))?;
    let mut next = stored.document.clone();
    if next.done.as_ref() != Some(page) {
        let (found, following) = next_ends(ctx, page, noon).await?;
        let ends = try_join_all(found.iter().map(|key| async move {
            let item = ctx.tables.get(Table::Requests, key, None).await?;
            item.as_ref().map(chains::chain_end).transpose()
        }));
        let ends: Vec<_> = ends.await?.into_iter().flatten().collect();
        next.grew |= !ends.is_empty();
        if !ends.is_empty() || (following.is_none() && next.grew) {
            let event = if following.is_none() {
                AuditEvent::AuditCheckpointClosed
            } else {
                AuditEvent::AuditCheckpoint
            };
            let mut happened = NewAuditEntry::new(event, "keyvend", [("day", page.day.clone())]);
            happened.detail.extend(ends.into_iter().map(|(id, end)| (id.to_string(), end)));
            next.chain.append(&chain_id(), now, happened);
        }
        next.done = Some(page.clone());
        next.following = following;
    }
    let following = next.following.clone();
    let stored = write_checkpoint(ctx, stored, next).await?;
    for entry in &stored.document.chain.outbox {
        ctx.tables.insert_audit(&chain_id(), entry).await?;
    }
    let open = following.is_some();
    let stored = match following {
        Some(following) => {
            queue_checkpoint(ctx, following).await?;
            stored
        }
        None if stored.document.grew => post_anchor(ctx, page, stored).await?,
        None => stored,
    };
    let mut emptied = Checkpoint { open, ..stored.document.clone() };
    emptied.chain.outbox.clear();
    write_checkpoint(ctx, stored, emptied).await?;
    Ok(())
}

/// The chains of a page, or of the first page behind it that has any, and the page that follows.
async fn next_ends(
    ctx: &Context,
    page: &CheckpointPage,
    noon: Timestamp,
) -> anyhow::Result<(Vec<String>, Option<CheckpointPage>)> {
    let mut at = page.clone();
    loop {
        let found = ctx.tables.changed(&at.partition(noon), at.after.as_deref(), PAGE).await?;
        let full = found.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        match at.following(found.last().filter(|_| full).cloned()) {
            Some(following) if found.is_empty() => at = following,
            following => return Ok((found, following)),
        }
    }
}

async fn write_checkpoint(
    ctx: &Context,
    stored: StoredCheckpoint,
    next: Checkpoint,
) -> Result<StoredCheckpoint, HandleError> {
    if next == stored.document {
        return Ok(stored);
    }
    match ctx.tables.write(vec![stored.replace(&next)?]).await {
        Ok(()) => Ok(read_checkpoint(ctx).await?),
        // Two at once: the message comes again and finds what the other did.
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// The anchor outside of the table: in a channel of its own, else in one thread of the approvals channel. Which that is, is written
/// down before anything is posted there: what fails then is not begun again in another.
async fn post_anchor(
    ctx: &Context,
    page: &CheckpointPage,
    stored: StoredCheckpoint,
) -> Result<StoredCheckpoint, HandleError> {
    let slack = slack_client(ctx).await?;
    let told = approval_card::text(&text::anchor(&page.day, &stored.document.chain.head()));
    if let Some(channel) = &ctx.config.checkpoints_channel {
        slack.post(channel.as_str(), &told).await.map_err(anyhow::Error::from)?;
        return Ok(stored);
    }
    let approvals = &ctx.config.approvals_channel;
    let before = stored.document.thread.clone().filter(|(channel, _)| channel == approvals);
    let (stored, (channel, thread)) = match before {
        Some(thread) => (stored, thread),
        None => {
            let opening = approval_card::text(text::CHECKPOINTS);
            let thread = slack.post(approvals.as_str(), &opening).await.map_err(anyhow::Error::from)?;
            let next = Checkpoint { thread: Some(thread.clone()), ..stored.document.clone() };
            (write_checkpoint(ctx, stored, next).await?, thread)
        }
    };
    match slack.reply(&channel, &thread, &told).await {
        Ok(()) => Ok(stored),
        Err(SlackError::Said(code)) if is_thread_gone(&code) => {
            let next = Checkpoint { thread: None, ..stored.document.clone() };
            write_checkpoint(ctx, stored, next).await?;
            Err(HandleError::RetryAfter(Duration::from_secs(1)))
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}

/// Whether nothing can be posted into that thread any more (<https://docs.slack.dev/reference/methods/chat.postMessage>).
fn is_thread_gone(code: &str) -> bool {
    matches!(
        code,
        "thread_not_found"
            | "message_not_found"
            | "invalid_thread_ts"
            | "cannot_reply_to_message"
            | "restricted_action_thread_locked"
    )
}
