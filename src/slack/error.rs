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
    /// Whether Slack does not know the person that was asked about, or shows them to nobody here: asked again, it says the
    /// same (<https://docs.slack.dev/reference/methods/users.info#errors>).
    #[must_use]
    pub fn is_about_unknown_person(&self) -> bool {
        match self {
            Self::Said(code) => {
                ["user_not_found", "users_not_found", "user_not_visible"].contains(&code.as_str())
            }
            Self::Wait(_) | Self::NoAnswer(_) => false,
        }
    }

    /// Whether Slack has no such user group.
    #[must_use]
    pub fn is_about_unknown_group(&self) -> bool {
        match self {
            Self::Said(code) => ["no_such_subteam", "subteam_not_found"].contains(&code.as_str()),
            Self::Wait(_) | Self::NoAnswer(_) => false,
        }
    }

    /// Whether another token may do: this one was rotated or revoked, or is of a bot that was removed.
    #[must_use]
    pub fn is_about_the_token(&self) -> bool {
        match self {
            Self::Said(code) => {
                ["invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"]
                    .contains(&code.as_str())
            }
            Self::Wait(_) | Self::NoAnswer(_) => false,
        }
    }
}
