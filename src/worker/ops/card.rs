//! Draws the card of a request in the approvals channel.

use crate::aws::WriteError;
use crate::domain::key::IssuedKey;
use crate::domain::request::{Card, KeyRequest, Notification, RequestEvent, RequestState};
use crate::facts::ApprovalsChannelError;
use crate::id::{ChannelId, MessageTs, RequestId};
use crate::render::approval_card;
use crate::slack::api::SlackMessage;
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::limits::may_mention;
use crate::worker::ops::posted_messages::{end_posted, is_deleted, origin_of};

/// A message in the approvals channel.
pub(crate) async fn to_approvers(
    ctx: &Context,
    message: &SlackMessage,
) -> anyhow::Result<(ChannelId, MessageTs)> {
    let channel = &ctx.config.approvals_channel;
    let posted = slack_client(ctx).await?.post(channel.as_str(), message).await;
    posted.map_err(|error| ApprovalsChannelError::of(channel, error))
}

/// To the approvers, about an incident: unlike what is routine, it calls them.
pub(crate) fn alarm(ctx: &Context, sentence: &str) -> Notification {
    let message = approval_card::incident(&ctx.config.approvers, sentence);
    Notification::ApprovalsChannel { message: message.into() }
}

/// The key that came of a request, as it is now.
pub(crate) async fn key_of(ctx: &Context, request: &KeyRequest) -> anyhow::Result<Option<IssuedKey>> {
    match request.issued() {
        Some((key, _)) => Ok(StoredKey::read(&ctx.tables, key).await?.map(|stored| stored.issued)),
        None => Ok(None),
    }
}

/// Draws the card as the request now stands, and posts it where there is none and it waits for approvers.
pub(crate) async fn draw(ctx: &Context, request: &RequestId, now: Timestamp) -> anyhow::Result<()> {
    let Some(mut stored) = StoredRequest::read(&ctx.tables, request).await? else { return Ok(()) };
    let is_pending = stored.request.state == RequestState::Pending;
    if let Some(posted) = &stored.request.card {
        let key = key_of(ctx, &stored.request).await?;
        let drawn = approval_card::approval(&stored.request, key.as_ref(), None, now);
        match slack_client(ctx).await?.update(&posted.channel, &posted.ts, &drawn).await {
            // Somebody deleted it, and the approvers still have to decide: it is posted again.
            Err(error) if is_pending && is_deleted(&error) => {}
            drawn => return Ok(drawn?),
        }
    }
    if !is_pending {
        return Ok(());
    }
    let mention = may_mention(ctx, &stored.request.details.requester, request.as_str(), now).await?;
    let unposted = KeyRequest { card: None, ..stored.request.clone() };
    let drawn = approval_card::approval(&unposted, None, mention.then_some(&ctx.config.approvers), now);
    let (channel, ts) = to_approvers(ctx, &drawn).await?;
    for _ in 0..MAX_CONFLICT_RETRIES {
        let posted = RequestEvent::CardPosted(Card { channel: channel.clone(), ts: ts.clone() });
        let next = stored.request.apply(posted, "keyvend", now)?;
        match stored.save(&ctx.tables, next, Vec::new()).await {
            Ok(_) => return Ok(()),
            Err(WriteError::Conflict(_)) => match StoredRequest::read(&ctx.tables, request).await? {
                Some(found) => stored = found,
                None => return Ok(()),
            },
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("a request changed too often for its card to be noted")
}

/// Draws the card, and ends the messages about the request that ask for nothing any more. What is requested about a key that
/// exists is told on the card of the request that the key came of, too.
pub(crate) async fn update_messages(
    ctx: &Context,
    request: &RequestId,
    now: Timestamp,
) -> anyhow::Result<()> {
    let drawn = draw(ctx, request, now).await;
    let Some(stored) = StoredRequest::read(&ctx.tables, request).await? else { return drawn };
    end_posted(ctx, &stored.request, now).await?;
    let origin = match stored.request.details.kind.existing() {
        Some(key) => origin_of(ctx, key).await?,
        None => None,
    };
    if let Some(origin) = origin.filter(|origin| origin != request)
        && let Some(stored) = StoredRequest::read(&ctx.tables, &origin).await?
    {
        end_posted(ctx, &stored.request, now).await?;
        redraw(ctx, &stored, now).await;
    }
    drawn
}

/// Draws the card in front of somebody again: it was an old one.
pub(crate) async fn redraw(ctx: &Context, stored: &StoredRequest, now: Timestamp) {
    if let Err(error) = draw(ctx, &stored.request.id, now).await {
        tracing::warn!(error = format!("{error:#}"), "card not updated");
    }
}
