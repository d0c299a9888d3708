//! Why a call to Slack failed.

use std::time::Duration;

/// Why Slack did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SlackError {
    /// Slack's own word: `channel_not_found`, `expired_url`, ...
    #[error("Slack said {0}")]
    Said(String),
    /// 429: wait this long.
    #[error("Slack asked to wait {} s", .0.as_secs())]
    Wait(Duration),
    /// No answer, or none that can be read.
    #[error("Slack gave no answer to {0}")]
    NoAnswer(&'static str),
}

impl SlackError {
    /// Whether another token may do: this one was rotated or revoked, or is of a bot that was removed.
    #[must_use]
    pub fn is_about_the_token(&self) -> bool {
        match self {
            Self::Said(code) => ["invalid_auth", "token_expired", "token_revoked", "account_inactive"]
                .contains(&code.as_str()),
            Self::Wait(_) | Self::NoAnswer(_) => false,
        }
    }
}
