//! Answers and notifications: whoever did something through its response URL, else by direct message; everybody else, and the
//! card, by a message of its own on queue `due`.

use crate::domain::request::{Notification, RequestState};
use crate::id::RequestId;
use crate::render::{approval_card, text};
use crate::slack::api::{SlackError, SlackMessage};
use crate::store::notifications;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_RECEIVES, slack_client};
use crate::worker::ops::card::{to_approvers, update_messages};
use crate::worker::ops::key_expiry::{note_delivered, note_postponement_notified};
use crate::worker::ops::posted_messages::{is_beyond_change, keep_posted, keep_unchecked};
use crate::worker::rate_limit::retry_after;
use crate::worker::reply::direct;

/// Delivers a stored notification. What Slack can never deliver is logged and let go; all else comes again. A message
/// that names none does nothing: whoever can send to the queue can only have one repeated.
pub(crate) async fn deliver_notification(
    ctx: &Context,
    request: &RequestId,
    number: u32,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    let Some(notification) = notifications::read_notification(&ctx.tables, request, number).await? else {
        tracing::error!(%request, number, "notification not found");
        return Ok(());
    };
    let told = match &notification {
        Notification::UpdateCard => update_messages(ctx, request, now).await,
        Notification::DirectMessage { to, message } => direct(ctx, to, &message.try_into()?, now).await,
        Notification::ExpiryReminder { to, key, end, message } => {
            match direct(ctx, to, &message.try_into()?, now).await {
                Ok(()) => note_delivered(ctx, key, *end, now).await,
                Err(error) => Err(error),
            }
        }
        Notification::ThreadReply { message } => in_thread(ctx, request, &message.try_into()?).await,
        Notification::ApprovalsChannel { message } => {
            to_approvers_about(ctx, &message.try_into()?, now).await
        }
        Notification::PostponementNotice { key, end, message } => {
            match notify_of_postponement(ctx, &message.try_into()?).await {
                Ok(()) => note_postponement_notified(ctx, key, *end, now).await,
                Err(error) => Err(error),
            }
        }
    };
    match told {
        Err(error) if is_undeliverable(&notification, &error) => {
            tracing::warn!(error = format!("{error:#}"), "notification not delivered");
            Ok(())
        }
        Err(error) => {
            let is_last = received >= MAX_RECEIVES && retry_after(&error).is_none();
            if notification == Notification::UpdateCard && is_last {
                tell_of_no_card(ctx, request, now).await;
            }
            Err(error.into())
        }
        Ok(()) => Ok(()),
    }
}

/// A message in the approvals channel that is ended when its buttons lose their meaning.
async fn to_approvers_about(ctx: &Context, message: &SlackMessage, now: Timestamp) -> anyhow::Result<()> {
    let posted = to_approvers(ctx, message).await?;
    keep_posted(ctx, posted, message, now).await;
    Ok(())
}

/// The same of a postponement, of which there may be hundreds: the next one says it again.
async fn notify_of_postponement(ctx: &Context, message: &SlackMessage) -> anyhow::Result<()> {
    let posted = to_approvers(ctx, message).await?;
    keep_unchecked(ctx, posted, message).await;
    Ok(())
}

/// The card of a request that waits could not be posted, and its message dies: its requester would wait in vain.
async fn tell_of_no_card(ctx: &Context, request: &RequestId, now: Timestamp) {
    let told = async {
        let Some(stored) = StoredRequest::read(&ctx.tables, request).await? else { return Ok(()) };
        let request = &stored.request;
        if request.card.is_some() || request.state != RequestState::Pending {
            return Ok(());
        }
        let sentence = text::card_not_posted(request, ctx.config.help_channel.as_ref());
        direct(ctx, &request.details.requester, &approval_card::text(&sentence), now).await
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

/// Whether saying it again can never help.
fn is_undeliverable(notification: &Notification, error: &anyhow::Error) -> bool {
    let Some(said @ SlackError::Said(code)) = error.downcast_ref() else { return false };
    match notification {
        Notification::UpdateCard => is_beyond_change(said),
        Notification::DirectMessage { .. } | Notification::ExpiryReminder { .. } => {
            matches!(
                code.as_str(),
                "user_disabled" | "user_not_found" | "users_not_found" | "user_not_visible" | "cannot_dm_bot"
            )
        }
        Notification::ThreadReply { .. }
        | Notification::ApprovalsChannel { .. }
        | Notification::PostponementNotice { .. } => false,
    }
}
