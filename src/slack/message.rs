//! A message as Slack takes it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::notification::RenderedMessage;

/// Something to say: `text` is what screen readers and notifications read, `blocks` what is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    /// Plain mrkdwn, never empty.
    pub text: String,
    /// Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>), an array.
    pub blocks: Value,
}

impl From<SlackMessage> for RenderedMessage {
    fn from(message: SlackMessage) -> Self {
        Self::new(json!({"text": message.text, "blocks": message.blocks}).to_string())
    }
}

impl TryFrom<&RenderedMessage> for SlackMessage {
    type Error = serde_json::Error;

    fn try_from(message: &RenderedMessage) -> Result<Self, Self::Error> {
        serde_json::from_str(message.as_str())
    }
}
