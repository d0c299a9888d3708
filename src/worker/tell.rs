//! Telling people: through the response URL of what they did, else by direct message; and redrawing the card.

use super::Worker;
use crate::card;
use crate::id::{ChannelId, MessageTs, PersonId};
use crate::inbound;
use crate::slack_api::Message;
use crate::store::Stored;
use crate::time::Timestamp;

/// A response URL lives for 30 minutes.
const RESPONSE_URL_LIFE: i64 = 1_800;

impl Worker {
    /// Answers whoever did something, with a sentence.
    pub(super) async fn answer(
        &self,
        to: &inbound::Message,
        now: Timestamp,
        sentence: &str,
    ) -> anyhow::Result<()> {
        self.answer_with(to, now, &card::text(sentence)).await
    }

    /// Answers whoever did something. Only that person sees it, one way or the other.
    pub(super) async fn answer_with(
        &self,
        to: &inbound::Message,
        now: Timestamp,
        message: &Message,
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
    pub(super) async fn try_to_tell(&self, to: &inbound::Message, now: Timestamp, sentence: &str) {
        if let Err(fault) = self.answer(to, now, sentence).await {
            tracing::error!(fault = format!("{fault:#}"), "nobody was told");
        }
    }

    /// A direct message.
    pub(super) async fn direct(&self, to: &PersonId, message: &Message) -> anyhow::Result<()> {
        self.post(to.user.as_str(), message).await?;
        Ok(())
    }

    /// A message to a channel or a person; a token that was rotated in the meantime does not lose it.
    pub(super) async fn post(&self, to: &str, message: &Message) -> anyhow::Result<(ChannelId, MessageTs)> {
        match self.slack().await?.post(to, message).await {
            Ok(posted) => Ok(posted),
            Err(error) => Ok(self.slack_after(error).await?.post(to, message).await?),
        }
    }

    /// A direct message about what is already done: failing is logged, and undoes nothing.
    pub(super) async fn try_direct(&self, to: &PersonId, message: &Message) {
        if let Err(fault) = self.direct(to, message).await {
            tracing::error!(fault = format!("{fault:#}"), "a direct message was not delivered");
        }
    }

    /// Draws the card as the request now stands, if there is one.
    pub(super) async fn redraw(&self, stored: &Stored, now: Timestamp) {
        let Some(posted) = &stored.request.card else { return };
        let drawn = card::approval(&stored.request, None, now);
        let update = async {
            match self.slack().await?.update(&posted.channel, &posted.ts, &drawn).await {
                Ok(()) => anyhow::Ok(()),
                Err(error) => {
                    Ok(self.slack_after(error).await?.update(&posted.channel, &posted.ts, &drawn).await?)
                }
            }
        };
        if let Err(fault) = update.await {
            tracing::error!(fault = format!("{fault:#}"), "a card was not redrawn");
        }
    }
}
