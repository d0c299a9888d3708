//! Telling people: whoever did something through its response URL, else by direct message; everybody else, and the
//! card, by a message of its own on queue `due`.

use crate::aws::WriteError;
use crate::domain::request::{Card, Notification, RequestEvent, RequestState};
use crate::facts::ApprovalsChannelError;
use crate::id::{ChannelId, MessageTs, PersonId, RequestId};
use crate::queue::DueMessage;
use crate::render::approval_card;
use crate::render::text;
use crate::slack::api::{SlackError, SlackMessage};
use crate::slack::receive;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::cancel::MAX_CONFLICT_RETRIES;
use crate::worker::context::{Context, HandleError, MAX_RECEIVES, refresh_slack_client, slack_client};
use crate::worker::limits::may_mention;
use crate::worker::ops::key_expiry::note_delivered;

/// A response URL lives for 30 minutes.
const RESPONSE_URL_LIFE: i64 = 1_800;

/// Answers whoever did something, with a sentence.
pub(crate) async fn answer(
    ctx: &Context,
    to: &receive::SlackEnvelope,
    now: Timestamp,
    sentence: &str,
) -> anyhow::Result<()> {
    answer_with(ctx, to, now, &approval_card::text(sentence)).await
}

/// Answers whoever did something, where the request says. That may be a thief's place (docs/threat-model.md): so never
/// with a link to a key or a button of the card.
pub(crate) async fn answer_with(
    ctx: &Context,
    to: &receive::SlackEnvelope,
    now: Timestamp,
    message: &SlackMessage,
) -> anyhow::Result<()> {
    let slack = slack_client(ctx).await?;
    let url = to.response_url.as_ref().filter(|_| now.since(to.signed_at) < RESPONSE_URL_LIFE);
    if let Some(url) = url {
        match slack.respond(url, message).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!(%error, "posting to response_url failed, sending a direct message"),
        }
    }
    direct(ctx, &to.person, message).await
}

/// The last word on something that failed; failing itself is only logged.
pub(crate) async fn try_to_answer(
    ctx: &Context,
    to: &receive::SlackEnvelope,
    now: Timestamp,
    sentence: &str,
) {
    if let Err(error) = answer(ctx, to, now, sentence).await {
        tracing::error!(error = format!("{error:#}"), "reply not delivered");
    }
}

/// A direct message. It is often the last way to tell somebody, so a token that was rotated a moment ago does not
/// lose it.
pub(crate) async fn direct(ctx: &Context, to: &PersonId, message: &SlackMessage) -> anyhow::Result<()> {
    let slack = slack_client(ctx).await?;
    match slack.post(to.user.as_str(), message).await {
        Err(error) if error.is_about_the_token() => {
            refresh_slack_client(ctx, &slack).await?.post(to.user.as_str(), message).await?;
        }
        posted => _ = posted?,
    }
    Ok(())
}

/// Queues one notification: in order within its request, and once.
pub(crate) async fn queue_notification(
    ctx: &Context,
    request: &RequestId,
    number: u32,
) -> anyhow::Result<()> {
    let due = DueMessage::Tell { request: request.clone(), number };
    let (body, once) = (serde_json::to_string(&due)?, format!("{request}.notify.{number}"));
    ctx.sqs.send(&ctx.config.due_queue, body, &format!("notify.{request}"), &once).await
}

/// Delivers a stored notification. What Slack can never deliver is logged and let go; all else comes again. A message
/// that names none does nothing: whoever can send to the queue can only have one repeated.
pub(crate) async fn deliver_notification(
    ctx: &Context,
    request: &RequestId,
    number: u32,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let Some(notification) = store::read_notification(&ctx.tables, request, number).await? else {
        tracing::error!(%request, number, "notification not found");
        return Ok(());
    };
    let told = match &notification {
        Notification::Card => draw(ctx, request, now).await,
        Notification::Direct { to, message } => direct(ctx, to, message).await,
        Notification::Reminder { to, key, end, message } => match direct(ctx, to, message).await {
            Ok(()) => note_delivered(ctx, key, *end, now).await,
            Err(error) => Err(error),
        },
        Notification::Thread { message } => in_thread(ctx, request, message).await,
        Notification::Approvers { message } => to_approvers(ctx, message).await.map(drop),
    };
    match told {
        Err(error) if is_undeliverable(&notification, &error) => {
            tracing::warn!(error = format!("{error:#}"), "notification not delivered");
            Ok(())
        }
        Err(error) => {
            if notification == Notification::Card && received >= MAX_RECEIVES {
                tell_of_no_card(ctx, request).await;
            }
            Err(error.into())
        }
        Ok(()) => Ok(()),
    }
}

/// A message in the approvals channel.
async fn to_approvers(ctx: &Context, message: &SlackMessage) -> anyhow::Result<(ChannelId, MessageTs)> {
    let channel = &ctx.config.approvals_channel;
    let posted = slack_client(ctx).await?.post(channel.as_str(), message).await;
    posted.map_err(|error| ApprovalsChannelError::of(channel, error))
}

/// The card of a request that waits could not be posted, and its message dies: its requester would wait in vain.
async fn tell_of_no_card(ctx: &Context, request: &RequestId) {
    let told = async {
        let Some(stored) = StoredRequest::read(&ctx.tables, request).await? else { return Ok(()) };
        let request = &stored.request;
        if request.card.is_some() || request.state != RequestState::Pending {
            return Ok(());
        }
        let sentence = text::card_not_posted(request, ctx.config.help_channel.as_ref());
        direct(ctx, &request.details.requester, &approval_card::text(&sentence)).await
    };
    if let Err(error) = told.await {
        tracing::error!(error = format!("{error:#}"), "card not posted, requester not notified");
    }
}

/// A message in the card's thread; none where there is no card.
async fn in_thread(ctx: &Context, request: &RequestId, message: &SlackMessage) -> anyhow::Result<()> {
    let stored = StoredRequest::read(&ctx.tables, request).await?;
    let Some(card) = stored.and_then(|stored| stored.request.card) else { return Ok(()) };
    Ok(slack_client(ctx).await?.reply(&card.channel, &card.ts, message).await?)
}

/// Draws the card as the request now stands, and posts it where there is none and it waits for approvers.
async fn draw(ctx: &Context, request: &RequestId, now: Timestamp) -> anyhow::Result<()> {
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

/// Whether saying it again can never help.
fn is_undeliverable(notification: &Notification, error: &anyhow::Error) -> bool {
    let Some(SlackError::Said(code)) = error.downcast_ref() else { return false };
    match notification {
        Notification::Card => {
            matches!(code.as_str(), "message_not_found" | "cant_update_message" | "edit_window_closed")
        }
        Notification::Direct { .. } | Notification::Reminder { .. } => {
            matches!(code.as_str(), "user_disabled" | "user_not_found" | "cannot_dm_bot")
        }
        Notification::Thread { .. } | Notification::Approvers { .. } => false,
    }
}
