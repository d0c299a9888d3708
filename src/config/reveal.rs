//! What function `reveal` is told, and the address of its page.

use crate::aws::queue_url::QueueUrl;
use crate::config::environment::{ConfigError, Env, Environment};
use crate::config::value::{is_http_url, is_local, parse_queue_url, parse_text};
use crate::domain::ticket::page_url::RevealUrl;

/// What `reveal` is told. No secret at all.
#[derive(Clone, Debug)]
pub struct RevealConfig {
    /// Queue `claims`.
    pub queue: QueueUrl,
    /// Table `Tickets`.
    pub tickets: String,
    /// The page's own address.
    pub reveal_url: RevealUrl,
}

impl RevealConfig {
    /// Reads what `reveal` needs.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let env = Env::new(environment);
        Ok(Self {
            queue: env.required("KEYVEND_CLAIMS_QUEUE_URL", parse_queue_url)?,
            tickets: env.required("KEYVEND_TICKETS_TABLE", parse_text)?,
            reveal_url: read_reveal_url(env)?,
        })
    }
}

pub(crate) fn read_reveal_url(env: Env<'_>) -> Result<RevealUrl, ConfigError> {
    env.required("KEYVEND_REVEAL_URL", |url| {
        let local = is_local(url);
        let plain = !url.contains(['?', '#']) && !url.ends_with('/');
        if is_http_url(url) && plain && (url.starts_with("https://") || local) {
            Ok(RevealUrl::new(url.to_owned()))
        } else {
            Err("must be the page's https URL, such as https://keys.example.com/reveal".to_owned())
        }
    })
}
