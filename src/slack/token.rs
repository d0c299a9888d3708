//! The bot's token: checked when it is read, and read again where Slack says that it is no longer good.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

/// A text that is no bot token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BotTokenError {
    #[error("it is empty")]
    Empty,
    /// Secrets Manager's console stores such an object where **Key/value** is chosen.
    #[error("it is a JSON object; store the token alone, as plain text")]
    Json,
    #[error("it has a blank or a control character within")]
    Malformed,
    #[error("it is another kind of token; a bot token begins with xoxb-")]
    OtherKind,
}

/// The token in a stored text, without the line end that was pasted with it.
///
/// # Errors
/// [`BotTokenError`].
pub fn parse_bot_token(stored: &SecretString) -> Result<SecretString, BotTokenError> {
    let token = stored.expose_secret().trim();
    if token.is_empty() {
        return Err(BotTokenError::Empty);
    }
    if token.starts_with('{') {
        return Err(BotTokenError::Json);
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BotTokenError::Malformed);
    }
    // With token rotation the prefix is `xoxe.xoxb-` (<https://docs.slack.dev/authentication/using-token-rotation>).
    let is_of_a_bot = ["xoxb-", "xoxe.xoxb-"].iter().any(|prefix| token.starts_with(prefix));
    if is_of_a_bot { Ok(SecretString::from(token)) } else { Err(BotTokenError::OtherKind) }
}

/// Reads the stored token again; nothing where that was just done or failed.
pub type ReadAgain = Box<dyn Fn() -> BoxFuture<'static, Option<SecretString>> + Send + Sync>;

/// The token in use.
pub struct BotToken {
    current: Mutex<Arc<SecretString>>,
    read_again: ReadAgain,
}

impl BotToken {
    #[must_use]
    pub fn new(token: SecretString, read_again: ReadAgain) -> Self {
        Self { current: Mutex::new(Arc::new(token)), read_again }
    }

    /// A token that is not stored anywhere.
    #[must_use]
    pub fn fixed(token: SecretString) -> Self {
        Self::new(token, Box::new(|| Box::pin(std::future::ready(None))))
    }

    pub(crate) fn current(&self) -> Arc<SecretString> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another token than `refused`, which Slack does not take any more, if there is one by now.
    pub(crate) async fn replacement(&self, refused: &Arc<SecretString>) -> Option<Arc<SecretString>> {
        let current = self.current();
        if !Arc::ptr_eq(&current, refused) {
            // Somebody else was here meanwhile.
            return Some(current);
        }
        let stored = (self.read_again)().await?;
        if stored.expose_secret() == refused.expose_secret() {
            tracing::error!("bot token refused by Slack");
            return None;
        }
        let stored = Arc::new(stored);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&stored);
        Some(stored)
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_trimmed_and_checked() {
        let good =
            ["xoxb-1-a", " xoxb-1-a", "xoxb-1-a\n", "\txoxb-1-a\r\n", "xoxe.xoxb-1-a", "xoxb-1-a\u{a0}"];
        for stored in good {
            let token = parse_bot_token(&SecretString::from(stored)).unwrap();
            assert_eq!(token.expose_secret(), stored.trim(), "{stored:?}");
        }
        for (stored, expected) in [
            ("", BotTokenError::Empty),
            (" \n", BotTokenError::Empty),
            ("{\"token\": \"xoxb-1-a\"}", BotTokenError::Json),
            ("xoxb-1 -a", BotTokenError::Malformed),
            ("xoxb-1\nxoxb-2", BotTokenError::Malformed),
            ("xoxb-\u{e9}", BotTokenError::Malformed),
            ("xoxp-1-a", BotTokenError::OtherKind),
            ("xapp-1-a", BotTokenError::OtherKind),
            ("\"xoxb-1-a\"", BotTokenError::OtherKind),
            ("0123456789abcdef0123456789abcdef", BotTokenError::OtherKind),
        ] {
            let error = parse_bot_token(&SecretString::from(stored)).unwrap_err();
            assert_eq!(error, expected, "{stored:?}");
        }
    }
}
