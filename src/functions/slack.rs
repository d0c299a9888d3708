//! The function that Slack calls: verify, parse, queue, acknowledge. It knows no table and no IAM.

pub mod response;

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep, TokioSleep};
use futures_util::future::{Either, select};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::aws::{SecretVersion, Secrets, Sqs, VersionStage};
use crate::config::SlackConfig;
use crate::functions::gateway;
use crate::functions::slack::response::{response, unconfirmed};
use crate::http::api_gateway::{HttpRequest, HttpResponse};
use crate::render::text;
use crate::slack::receive::{AppIdentity, ReceiveOutcome, RejectReason, SlackEnvelope, receive};
use crate::slack::signature::{SignatureError, SigningSecret};
use crate::time::Timestamp;

/// Both versions are read again at most this often, in seconds, when a signature does not match.
const REREAD: i64 = 60;
/// The current secret is read again once it was read this long ago, in seconds, whatever comes.
const REFRESH: i64 = 240;
/// Nothing is accepted with a secret that was read this long ago, in seconds: it may have been rotated since.
const MAX_AGE: i64 = 300;
/// A reading that failed is tried again at most this often, in seconds.
const RETRY: i64 = 15;
/// How long the previous secret is accepted, in seconds, counted from when the current version was created.
const PREVIOUS_LIFE: i64 = 3_600;

/// Slack waits three seconds (<https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response>), in
/// which the request and the answer travel too. What takes longer is answered with what to do instead.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The `slack` function.
pub struct Slack {
    config: SlackConfig,
    pins: Option<AppIdentity>,
    secrets: Secrets,
    sqs: Sqs,
    sleep: SharedAsyncSleep,
    kept: Mutex<CachedSecrets>,
}

/// The signing secrets as last read. Both versions are good while a rotation is under way; the previous one is read
/// only once something does not fit the current one, for at a start every call counts.
#[derive(Default)]
struct CachedSecrets {
    /// The current secret, where it can be used, and then the previous one, where it was read.
    secrets: Vec<SigningSecret>,
    /// How many of them are current.
    current: usize,
    /// The current one's version.
    version: Option<String>,
    /// Until when the previous one is accepted.
    previous_until: Option<Timestamp>,
    /// When the current one was last read.
    read_at: Option<Timestamp>,
    /// When it was last asked for, whether or not it came.
    tried_at: Option<Timestamp>,
    /// When both were last asked for because something did not fit, whether or not they came.
    both_at: Option<Timestamp>,
}

impl CachedSecrets {
    fn age(&self, now: Timestamp) -> Option<i64> {
        self.read_at.map(|read_at| now.since(read_at))
    }

    /// Whether the previous secret was read and is still accepted.
    fn has_previous(&self, now: Timestamp) -> bool {
        self.previous_until.is_some_and(|until| now < until)
    }

    /// The secrets that are accepted now.
    fn accepted(&self, now: Timestamp) -> &[SigningSecret] {
        let count = if self.has_previous(now) { self.secrets.len() } else { self.current };
        self.secrets.get(..count).unwrap_or_default()
    }
}

impl Slack {
    /// The function, from what it is told and the SDK's configuration.
    #[must_use]
    pub fn new(config: SlackConfig, sdk: &aws_config::SdkConfig) -> Self {
        let pins = config.app_id.clone().map(|app_id| AppIdentity {
            app_id,
            team_ids: config.team_ids.clone(),
            response_urls: config.response_urls.clone(),
        });
        let sleep = sdk.sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new()));
        Self { pins, secrets: Secrets::new(sdk), sqs: Sqs::new(sdk), sleep, kept: Mutex::default(), config }
    }

    /// Reads the signing secret, so that the first request need not wait for it. What fails is tried again, and reported, by that
    /// request.
    pub async fn warm_up(&self, now: Timestamp) {
        let _ = self.read(false, now).await;
    }

    /// Answers one gateway event. Never fails: what cannot be done is a status.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Value {
        let response = match HttpRequest::try_from(event) {
            Ok(request) => self.answer(&request, now).await,
            Err(error) => gateway::refusal(error),
        };
        response.into_event()
    }

    async fn answer(&self, request: &HttpRequest, now: Timestamp) -> HttpResponse {
        let Some(pins) = &self.pins else {
            return HttpResponse::text(503, text::NOT_CONNECTED);
        };
        let time_out = self.sleep.sleep(ANSWER_WITHIN);
        let received = Box::pin(self.received(request, pins, now));
        let (outcome, time_out) = match select(received, time_out).await {
            Either::Left((Ok(outcome), time_out)) => (outcome, time_out),
            Either::Left((Err(error), _)) => return failed(&error),
            Either::Right(_) => return failed(&anyhow::anyhow!("no signing secret in time")),
        };
        if let ReceiveOutcome::Queue(message) = &outcome {
            match select(Box::pin(self.queue(message)), time_out).await {
                Either::Left((Ok(()), _)) => {}
                Either::Left((Err(error), _)) => return failed(&error),
                Either::Right(_) => {
                    tracing::error!("enqueueing Slack request timed out");
                    return unconfirmed(&message.what);
                }
            }
        }
        response(&outcome)
    }

    /// Judges the request with the secrets at hand, and once more with fresh ones where none of them made its signature.
    async fn received(
        &self,
        request: &HttpRequest,
        pins: &AppIdentity,
        now: Timestamp,
    ) -> anyhow::Result<ReceiveOutcome> {
        Box::pin(self.refresh(now)).await?;
        let judge = |kept: &CachedSecrets| receive(request, pins, kept.accepted(now), now);
        let first = judge(&*self.cached()?);
        let may_reread = self.cached()?.both_at.is_none_or(|both_at| now.since(both_at) >= REREAD);
        let is_mismatch =
            matches!(first, ReceiveOutcome::Rejected(RejectReason::Signature(SignatureError::Mismatch)));
        if !is_mismatch || !may_reread {
            return Ok(first);
        }
        self.cached()?.both_at = Some(now);
        Box::pin(self.read(true, now)).await?;
        Ok(judge(&*self.cached()?))
    }

    /// Reads the secret where it was not read yet, or lately: one that was rotated must not stay good for as long as
    /// nothing else comes. A reading that fails is made up for until [`MAX_AGE`]; from then on nothing is accepted.
    async fn refresh(&self, now: Timestamp) -> anyhow::Result<()> {
        let (age, tried_at, both) = {
            let kept = self.cached()?;
            (kept.age(now), kept.tried_at, kept.has_previous(now))
        };
        let is_good = age.is_some_and(|age| age < MAX_AGE);
        if let Some(age) = age {
            let just_tried = tried_at.is_some_and(|tried_at| now.since(tried_at) < RETRY);
            if age < REFRESH || (is_good && just_tried) {
                return Ok(());
            }
            anyhow::ensure!(!just_tried, "the signing secret could not be read for {age} s");
        }
        self.cached()?.tried_at = Some(now);
        match self.read(both, now).await {
            Err(error) if is_good => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "reading the signing secret failed, using the cached secret"
                );
                Ok(())
            }
            read => read,
        }
    }

    /// Reads the current secret; the previous one, too, where it is asked for or the current one is a new one.
    async fn read(&self, both: bool, now: Timestamp) -> anyhow::Result<()> {
        let id = &self.config.signing_secret_id;
        let previous = || self.secrets.version(id, VersionStage::Previous);
        let current = self.secrets.version(id, VersionStage::Current);
        let (current, previous) = if both {
            futures_util::future::try_join(current, previous()).await?
        } else {
            let current = current.await?;
            let is_new = {
                let kept = self.cached()?;
                kept.read_at.is_some()
                    && kept.version != current.as_ref().and_then(|version| version.id.clone())
            };
            (current, if is_new { previous().await? } else { None })
        };
        self.cache(current, previous, now)
    }

    fn cached(&self) -> anyhow::Result<MutexGuard<'_, CachedSecrets>> {
        self.kept.lock().map_err(|_| anyhow::anyhow!("the secrets are poisoned"))
    }

    fn cache(
        &self,
        current: Option<SecretVersion>,
        previous: Option<SecretVersion>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let usable = |version: &SecretVersion| match SigningSecret::from_stored(&version.text) {
            Ok(secret) => Some(secret),
            Err(bad) => {
                tracing::error!(%bad, "signing secret rejected");
                None
            }
        };
        let same = |other: &SecretVersion| {
            current.as_ref().is_some_and(|own| own.text.expose_secret() == other.text.expose_secret())
        };
        let created_at = current.as_ref().and_then(|version| version.created_at);
        let mut secrets: Vec<SigningSecret> = current.iter().filter_map(usable).collect();
        let only_current = secrets.len();
        secrets.extend(previous.as_ref().filter(|version| !same(version)).and_then(usable));
        let mut kept = self.cached()?;
        kept.previous_until = created_at
            .filter(|_| secrets.len() > only_current)
            .map(|created_at| Timestamp(created_at.0.saturating_add(PREVIOUS_LIFE)));
        kept.secrets = secrets;
        kept.current = only_current;
        kept.version = current.and_then(|version| version.id);
        kept.read_at = Some(now);
        Ok(())
    }

    async fn queue(&self, message: &SlackEnvelope) -> anyhow::Result<()> {
        let body = serde_json::to_string(message)?;
        self.sqs.send(&self.config.queue, body, &message.group_id(), &message.dedup.to_string()).await
    }
}

/// Slack shows the person that the command failed, and repeats nothing by itself.
fn failed(error: &anyhow::Error) -> HttpResponse {
    tracing::error!(error = format!("{error:#}"), "enqueueing Slack request failed");
    HttpResponse::text(503, text::NOT_QUEUED)
}
