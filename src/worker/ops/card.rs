//! Draws the card of a request in the approvals channel.

use crate::aws::WriteError;
use crate::domain::request::{Card, RequestEvent, RequestState};
use crate::facts::ApprovalsChannelError;
use crate::id::{ChannelId, MessageTs, RequestId};
use crate::render::approval_card;
use crate::slack::api::SlackMessage;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::limits::may_mention;

/// A message in the approvals channel.
pub(crate) async fn to_approvers(
    ctx: &Context,
    message: &SlackMessage,
) -> anyhow::Result<(ChannelId, MessageTs)> {
    let channel = &ctx.config.approvals_channel;
    let posted = slack_client(ctx).await?.post(channel.as_str(), message).await;
    posted.map_err(|error| ApprovalsChannelError::of(channel, error))
}

/// Draws the card as the request now stands, and posts it where there is none and it waits for approvers.
pub(crate) async fn draw(ctx: &Context, request: &RequestId, now: Timestamp) -> anyhow::Result<()> {
    let Some(mut stored) = StoredRequest::read(&ctx.tables, request).await? else { return Ok(()) };
    if let Some(posted) = &stored.request.card {
        let drawn = approval_card::approval(&stored.request, None, now);
        return Ok(slack_client(ctx).await?.update(&posted.channel, &posted.ts, &drawn).await?);
    }
    if stored.request.state != RequestState::Pending {
        return Ok(());
    }
    let mention = may_mention(ctx, &stored.request.details.requester, request.as_str(), now).await?;
    let drawn = approval_card::approval(&stored.request, mention.then_some(&ctx.config.approvers), now);
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

/// Draws the card in front of somebody again: it was an old one.
pub(crate) async fn redraw(ctx: &Context, stored: &StoredRequest, now: Timestamp) {
    if let Err(error) = draw(ctx, &stored.request.id, now).await {
        tracing::warn!(error = format!("{error:#}"), "card not updated");
    }
}
