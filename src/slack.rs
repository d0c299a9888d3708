//! The function that Slack calls: verify, parse, queue, acknowledge. It knows no table and no IAM.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::aws::{Secrets, Sqs, Stage};
use crate::config::SlackConfig;
use crate::gateway::{HttpRequest, HttpResponse};
use crate::inbound::{Message, Pins, Received, receive};
use crate::signature::SigningSecret;
use crate::time::Timestamp;
use crate::words;

/// Secrets are read again at most this often, in seconds, when a signature does not match.
const REREAD: i64 = 60;

/// The `slack` function.
pub struct Slack {
    config: SlackConfig,
    pins: Option<Pins>,
    secrets: Secrets,
    sqs: Sqs,
    kept: Mutex<Kept>,
}

/// The signing secrets as last read. Both versions are good while a rotation is under way; the previous one is read
/// only once something does not fit the current one, for at a start every call counts.
#[derive(Default)]
struct Kept {
    secrets: Option<Vec<SigningSecret>>,
    /// When both were last asked for, whether or not they came.
    both_at: Option<Timestamp>,
}

impl Slack {
    /// The function, from what it is told and the SDK's configuration.
    #[must_use]
    pub fn new(config: SlackConfig, sdk: &aws_config::SdkConfig) -> Self {
        let pins = config.app_id.clone().map(|app_id| Pins {
            app_id,
            team_ids: config.team_ids.clone(),
            response_urls: config.response_urls.clone(),
        });
        Self { pins, secrets: Secrets::new(sdk), sqs: Sqs::new(sdk), kept: Mutex::default(), config }
    }

    /// Answers one gateway event. Never fails: what cannot be done is a status.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Value {
        let response = match HttpRequest::try_from(event) {
            Ok(request) => self.answer(&request, now).await,
            Err(not_a_request) => not_a_request.response(),
        };
        response.into_event()
    }

    async fn answer(&self, request: &HttpRequest, now: Timestamp) -> HttpResponse {
        let Some(pins) = &self.pins else {
            return HttpResponse::text(503, words::NOT_CONNECTED);
        };
        match self.received(request, pins, now).await {
            Ok(Received::Answer(response) | Received::SignatureMismatch(response)) => response,
            Ok(Received::Queue(message, response)) => match self.queue(&message).await {
                Ok(()) => response,
                Err(fault) => failed(&fault),
            },
            Err(fault) => failed(&fault),
        }
    }

    /// Judges the request with the secrets at hand, and once more with fresh ones where none of them made its signature.
    async fn received(&self, request: &HttpRequest, pins: &Pins, now: Timestamp) -> anyhow::Result<Received> {
        if self.kept()?.secrets.is_none() {
            let current = self.secrets.get(&self.config.signing_secret_id, Stage::Current).await?;
            self.keep([current])?;
        }
        let judge = |kept: &Kept| receive(request, pins, kept.secrets.as_deref().unwrap_or_default(), now);
        let first = judge(&*self.kept()?);
        let may_reread = self.kept()?.both_at.is_none_or(|both_at| now.since(both_at) >= REREAD);
        if !matches!(first, Received::SignatureMismatch(_)) || !may_reread {
            return Ok(first);
        }
        self.kept()?.both_at = Some(now);
        let id = &self.config.signing_secret_id;
        let (current, previous) =
            (self.secrets.get(id, Stage::Current), self.secrets.get(id, Stage::Previous));
        let (current, previous) = futures_util::future::try_join(current, previous).await?;
        self.keep([current, previous])?;
        Ok(judge(&*self.kept()?))
    }

    fn kept(&self) -> anyhow::Result<MutexGuard<'_, Kept>> {
        self.kept.lock().map_err(|_| anyhow::anyhow!("the secrets are poisoned"))
    }

    fn keep<const N: usize>(&self, texts: [Option<SecretString>; N]) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        let texts = texts.into_iter().flatten().map(|text| text.expose_secret().to_owned());
        let mut secrets = Vec::new();
        for text in texts.filter(|text| seen.insert(text.clone())) {
            match SigningSecret::new(text) {
                Ok(secret) => secrets.push(secret),
                Err(bad) => tracing::error!(%bad, "a signing secret cannot be used"),
            }
        }
        self.kept()?.secrets = Some(secrets);
        Ok(())
    }

    async fn queue(&self, message: &Message) -> anyhow::Result<()> {
        let body = serde_json::to_string(message)?;
        self.sqs.send(&self.config.queue, body, &message.group_id(), &message.dedup.to_string()).await
    }
}

/// Slack shows the person that the command failed, and repeats nothing by itself.
fn failed(fault: &anyhow::Error) -> HttpResponse {
    tracing::error!(fault = format!("{fault:#}"), "a request from Slack was not queued");
    HttpResponse::text(503, words::NOT_QUEUED)
}
