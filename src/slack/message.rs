//! A message as Slack takes it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::notification::RenderedMessage;
use crate::slack::command_name::CommandName;

/// Something to say: `text` is what screen readers and notifications read, `blocks` what is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    /// Plain mrkdwn, never empty.
    pub text: String,
    /// Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>), an array.
    pub blocks: Value,
}

impl SlackMessage {
    /// The same, with the slash command under the name that its reader typed.
    #[must_use]
    pub fn naming(&self, command: &CommandName) -> Self {
        let named = RenderedMessage::from(self.clone());
        // A name takes the place of a name within a JSON text.
        Self::try_from(&RenderedMessage::new(command.name_in(named.as_str())))
            .unwrap_or_else(|_| self.clone())
    }
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
