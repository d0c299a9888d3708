//! A message as Slack takes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something to say: `text` is what screen readers and notifications read, `blocks` what is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    /// Plain mrkdwn, never empty.
    pub text: String,
    /// Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>), an array.
    pub blocks: Value,
}
