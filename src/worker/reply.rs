//! Answers whoever did something: at its response URL or in its form, else by direct message.

use crate::domain::denial::DenialReason;
use crate::domain::request::KeyRequest;
use crate::facts::ApprovalsChannelError;
use crate::id::{PersonId, RequestId};
use crate::render::{approval_card, modal, text};
use crate::slack::api::SlackMessage;
use crate::slack::receive::{self, SlackEnvelope};
use crate::time::Timestamp;
use crate::worker::context::{Context, slack_client};
use crate::worker::ops::posted_messages::{keep_posted, offer_again};

/// What whoever waits is told of a fault, and what they can do.
pub(crate) fn failure_text(ctx: &Context, error: &anyhow::Error, reference: &RequestId) -> String {
    if ApprovalsChannelError::is_cause_of(error) {
        text::approvers_unreachable(ctx.config.help_channel.as_ref())
    } else {
        text::error(reference)
    }
}

/// The same where a fault is an answer: what has to do with approvers is not tried again while they cannot be
/// reached.
///
/// # Errors
/// Every other fault.
pub(crate) fn approvers_unreachable(error: anyhow::Error) -> anyhow::Result<DenialReason> {
    if !ApprovalsChannelError::is_cause_of(&error) {
        return Err(error);
    }
    tracing::error!(error = format!("{error:#}"), "approvals channel unreachable");
    Ok(DenialReason::ApproversUnreachable)
}

/// Answers whoever did something where they did it: in the form that they submitted, or as ever.
pub(crate) async fn reply(
    ctx: &Context,
    to: &SlackEnvelope,
    now: Timestamp,
    sentence: &str,
) -> anyhow::Result<()> {
    if show_outcome(ctx, to, sentence).await { Ok(()) } else { answer(ctx, to, now, sentence).await }
}

/// The last word on something; failing itself is only logged.
pub(crate) async fn try_to_reply(ctx: &Context, to: &SlackEnvelope, now: Timestamp, sentence: &str) {
    if !show_outcome(ctx, to, sentence).await {
        try_to_answer(ctx, to, now, sentence).await;
    }
}

/// Shows in a submitted form how it went; `false` where there is no such form, or no more.
pub(crate) async fn show_outcome(ctx: &Context, to: &SlackEnvelope, sentence: &str) -> bool {
    let Some(view) = to.submitted_view() else { return false };
    let shown = async {
        let slack = slack_client(ctx).await?;
        anyhow::Ok(slack.update_view(view, None, &modal::notice(sentence)).await?)
    };
    match shown.await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "updating modal failed");
            false
        }
    }
}

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
    let named = to.command.as_ref().map(|command| message.naming(command));
    let message = named.as_ref().unwrap_or(message);
    let url = to.response_url.as_ref().filter(|_| now.since(to.signed_at) < RESPONSE_URL_LIFE);
    if let Some(url) = url {
        match slack.respond(url, message).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!(%error, "posting to response_url failed, sending a direct message"),
        }
    }
    direct(ctx, &to.person, message, now).await
}

/// Answers that the same was requested before. The buttons of that request go where only its requester looks: a thief can
/// repeat a line, and must not learn the value of a button that another message made.
pub(crate) async fn show_open_request(
    ctx: &Context,
    to: &SlackEnvelope,
    open: &KeyRequest,
    now: Timestamp,
) -> anyhow::Result<()> {
    let posted = offer_again(ctx, open).await?;
    reply(ctx, to, now, &text::already_open(open)).await?;
    if let Some(posted) = posted {
        posted.keep(ctx, now).await;
    }
    Ok(())
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

/// A direct message, which is ended when its buttons lose their meaning.
pub(crate) async fn direct(
    ctx: &Context,
    to: &PersonId,
    message: &SlackMessage,
    now: Timestamp,
) -> anyhow::Result<()> {
    let place = slack_client(ctx).await?.post(to.user.as_str(), message).await?;
    keep_posted(ctx, place, message, now).await;
    Ok(())
}
