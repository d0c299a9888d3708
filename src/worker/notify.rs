//! Telling people: whoever did something through its response URL, else by direct message; everybody else, and the
//! card, by a message of its own on queue `due`.

use crate::aws::WriteError;
use crate::domain::request::{Card, Notification, RequestEvent, RequestState};
use crate::facts::ApprovalsChannelError;
use crate::id::{ChannelId, MessageTs, PersonId, RequestId};
use crate::render::approval_card;
use crate::render::text;
use crate::slack::api::{SlackError, SlackMessage};
use crate::slack::receive;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::cancel::MAX_CONFLICT_RETRIES;
use crate::worker::{DueMessage, HandleError, MAX_RECEIVES, Worker};

/// A response URL lives for 30 minutes.
const RESPONSE_URL_LIFE: i64 = 1_800;

impl Worker {
    /// Answers whoever did something, with a sentence.
    pub(crate) async fn answer(
        &self,
        to: &receive::SlackEnvelope,
        now: Timestamp,
        sentence: &str,
    ) -> anyhow::Result<()> {
        self.answer_with(to, now, &approval_card::text(sentence)).await
    }

    /// Answers whoever did something, where the request says. That may be a thief's place (docs/threat-model.md): so never
    /// with a link to a key or a button of the card.
    pub(crate) async fn answer_with(
        &self,
        to: &receive::SlackEnvelope,
        now: Timestamp,
        message: &SlackMessage,
    ) -> anyhow::Result<()> {
        let slack = self.slack().await?;
        let url = to.response_url.as_ref().filter(|_| now.since(to.signed_at) < RESPONSE_URL_LIFE);
        if let Some(url) = url {
            match slack.respond(url, message).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "a response URL did not take the answer"),
            }
        }
        self.direct(&to.person, message).await
    }

    /// The last word on something that failed; failing itself is only logged.
    pub(crate) async fn try_to_answer(&self, to: &receive::SlackEnvelope, now: Timestamp, sentence: &str) {
        if let Err(fault) = self.answer(to, now, sentence).await {
            tracing::error!(fault = format!("{fault:#}"), "nobody was told");
        }
    }

    /// A direct message. It is often the last way to tell somebody, so a token that was rotated a moment ago does not
    /// lose it.
    pub(crate) async fn direct(&self, to: &PersonId, message: &SlackMessage) -> anyhow::Result<()> {
        let slack = self.slack().await?;
        match slack.post(to.user.as_str(), message).await {
            Err(error) if error.is_about_the_token() => {
                self.refresh_slack_client(&slack).await?.post(to.user.as_str(), message).await?;
            }
            posted => _ = posted?,
        }
        Ok(())
    }

    /// Queues one notification: in order within its request, and once.
    pub(crate) async fn queue_notification(&self, request: &RequestId, number: u32) -> anyhow::Result<()> {
        let due = DueMessage::Tell { request: request.clone(), number };
        let (body, once) = (serde_json::to_string(&due)?, format!("{request}.tell.{number}"));
        self.sqs.send(&self.config.due_queue, body, &format!("tell.{request}"), &once).await
    }

    /// Delivers a stored notification. What Slack can never deliver is logged and let go; all else comes again. A message
    /// that names none does nothing: whoever can send to the queue can only have one repeated.
    pub(crate) async fn deliver_notification(
        &self,
        request: &RequestId,
        number: u32,
        now: Timestamp,
        received: u32,
    ) -> Result<(), HandleError> {
        let Some(telling) = store::read_notification(&self.tables, request, number).await? else {
            tracing::error!(%request, number, "a message on queue `due` names a notification that does not exist");
            return Ok(());
        };
        let told = match &telling {
            Notification::Card => self.draw(request, now).await,
            Notification::Direct { to, message } => self.direct(to, message).await,
            Notification::Reminder { to, key, end, message } => match self.direct(to, message).await {
                Ok(()) => self.note_delivered(key, *end, now).await,
                Err(fault) => Err(fault),
            },
            Notification::Thread { message } => self.in_thread(request, message).await,
            Notification::Approvers { message } => self.to_approvers(message).await.map(drop),
        };
        match told {
            Err(fault) if is_undeliverable(&telling, &fault) => {
                tracing::warn!(fault = format!("{fault:#}"), "somebody cannot be told");
                Ok(())
            }
            Err(fault) => {
                if telling == Notification::Card && received >= MAX_RECEIVES {
                    self.tell_of_no_card(request).await;
                }
                Err(fault.into())
            }
            Ok(()) => Ok(()),
        }
    }

    /// A message in the approvals channel.
    async fn to_approvers(&self, message: &SlackMessage) -> anyhow::Result<(ChannelId, MessageTs)> {
        let channel = &self.config.approvals_channel;
        let posted = self.slack().await?.post(channel.as_str(), message).await;
        posted.map_err(|error| ApprovalsChannelError::of(channel, error))
    }

    /// The card of a request that waits could not be posted, and its message dies: its requester would wait in vain.
    async fn tell_of_no_card(&self, request: &RequestId) {
        let told = async {
            let Some(stored) = StoredRequest::read(&self.tables, request).await? else { return Ok(()) };
            let request = &stored.request;
            if request.card.is_some() || request.state != RequestState::Pending {
                return Ok(());
            }
            let sentence = text::card_not_posted(request, self.config.help_channel.as_ref());
            self.direct(&request.details.requester, &approval_card::text(&sentence)).await
        };
        if let Err(fault) = told.await {
            tracing::error!(fault = format!("{fault:#}"), "nobody was told that a card is missing");
        }
    }

    /// A message in the card's thread; none where there is no card.
    async fn in_thread(&self, request: &RequestId, message: &SlackMessage) -> anyhow::Result<()> {
        let stored = StoredRequest::read(&self.tables, request).await?;
        let Some(card) = stored.and_then(|stored| stored.request.card) else { return Ok(()) };
        Ok(self.slack().await?.reply(&card.channel, &card.ts, message).await?)
    }

    /// Draws the card as the request now stands, and posts it where there is none and it waits for approvers.
    async fn draw(&self, request: &RequestId, now: Timestamp) -> anyhow::Result<()> {
        let Some(mut stored) = StoredRequest::read(&self.tables, request).await? else { return Ok(()) };
        if let Some(posted) = &stored.request.card {
            let drawn = approval_card::approval(&stored.request, None, now);
            return Ok(self.slack().await?.update(&posted.channel, &posted.ts, &drawn).await?);
        }
        if stored.request.state != RequestState::Pending {
            return Ok(());
        }
        let mention = self.may_mention(&stored.request.details.requester, request.as_str(), now).await?;
        let drawn = approval_card::approval(&stored.request, mention.then_some(&self.config.approvers), now);
        let (channel, ts) = self.to_approvers(&drawn).await?;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let posted = RequestEvent::CardPosted(Card { channel: channel.clone(), ts: ts.clone() });
            let next = stored.request.apply(posted, "keyvend", now)?;
            match stored.save(&self.tables, next, Vec::new()).await {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict(_)) => match StoredRequest::read(&self.tables, request).await? {
                    Some(found) => stored = found,
                    None => return Ok(()),
                },
                Err(WriteError::Other(fault)) => return Err(fault),
            }
        }
        anyhow::bail!("a request changed too often for its card to be noted")
    }

    /// Draws the card in front of somebody anew: it was an old one.
    pub(crate) async fn redraw(&self, stored: &StoredRequest, now: Timestamp) {
        if let Err(fault) = self.draw(&stored.request.id, now).await {
            tracing::error!(fault = format!("{fault:#}"), "a card was not redrawn");
        }
    }
}

/// Whether telling it again can never help.
fn is_undeliverable(telling: &Notification, fault: &anyhow::Error) -> bool {
    let Some(SlackError::Said(code)) = fault.downcast_ref() else { return false };
    match telling {
        Notification::Card => {
            matches!(code.as_str(), "message_not_found" | "cant_update_message" | "edit_window_closed")
        }
        Notification::Direct { .. } | Notification::Reminder { .. } => {
            matches!(code.as_str(), "user_disabled" | "user_not_found" | "cannot_dm_bot")
        }
        Notification::Thread { .. } | Notification::Approvers { .. } => false,
    }
}
