//! What every handler works with: clients, policies and configuration; and how handling a message can end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::aws::{Secrets, Ses, Sqs, Sts, TableNames, Tables, VersionStage};
use crate::config::WorkerConfig;
use crate::facts::Lookup;
use crate::policy::{InvalidPolicies, Policies};
use crate::slack::api::SlackApi;
use crate::slack::token::{BotToken, ReadAgain, parse_bot_token};
use crate::time::Timestamp;

/// How often a message is received before it dies.
pub(crate) const MAX_RECEIVES: u32 = 6;

/// A message older than this begins nothing.
pub(crate) const MAX_COMMAND_AGE: i64 = 600;

/// How far the clock of whoever wrote something may be ahead of this function's, in seconds. It is waited for until then; a
/// time that is later still is none that a clock told.
pub(crate) const CLOCK_SKEW: i64 = 5;

/// How often a lost race is run again before the message is.
pub(crate) const MAX_CONFLICT_RETRIES: usize = 5;

/// How long to wait for whoever else works on the same IAM user.
pub(crate) const LEASE_RETRY_DELAY: Duration = Duration::from_secs(10);

/// The bot's token is read again at most this often.
const REREAD_TOKEN: Duration = Duration::from_secs(60);

/// Everything a message can need.
pub struct Context {
    pub(crate) config: WorkerConfig,
    pub(crate) policies: Result<Policies, InvalidPolicies>,
    pub(crate) tables: Tables,
    pub(crate) sqs: Sqs,
    pub(crate) ses: Ses,
    pub(crate) sts: Sts,
    pub(crate) secrets: Secrets,
    pub(crate) lookup: Lookup,
    pub(crate) connector: (SharedHttpConnector, SharedAsyncSleep),
    pub(crate) slack: Mutex<Option<Arc<SlackApi>>>,
    /// Only for how often a secret is read: what is decided has the time of its invocation.
    clock: SharedTimeSource,
}

/// When an invocation runs, and until when it may.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// The time it began.
    pub now: Timestamp,
    /// The time at which Lambda ends it.
    pub deadline: Timestamp,
}

/// Why a message is failed.
#[derive(Debug)]
pub(crate) enum HandleError {
    /// It is not time yet; nothing is wrong.
    RetryAfter(Duration),
    /// Its person sent too many in one minute.
    RateLimited,
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for HandleError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Context {
    /// A worker of this configuration. An invalid policy set is kept as such: everything is then refused.
    #[must_use]
    pub fn new(config: WorkerConfig, sdk: &aws_config::SdkConfig, connector: SharedHttpConnector) -> Self {
        let policies = Policies::load(&config.policy_dir);
        if let Err(invalid) = &policies {
            tracing::error!(reason = %invalid, "policy set invalid, denying all requests");
        }
        let names = TableNames {
            requests: config.requests.clone(),
            tickets: config.tickets.clone(),
            audit: config.audit.clone(),
        };
        let sts = Sts::new(sdk, &config.issuer_role_name, config.partition.clone());
        let sleep = sdk.sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new()));
        Self {
            policies,
            tables: Tables::new(sdk, names),
            sqs: Sqs::new(sdk),
            ses: Ses::new(sdk),
            secrets: Secrets::new(sdk),
            lookup: Lookup::new(sts.clone()),
            sts,
            connector: (connector, sleep),
            slack: Mutex::default(),
            clock: sdk.time_source().unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new())),
            config,
        }
    }
}

/// Reads the bot token, so that the first event need not wait for it. What fails is tried again, and reported, by that event.
pub async fn warm_up(ctx: &Context) {
    let _ = slack_client(ctx).await;
}

/// Slack, with the bot's token read once, and again where Slack refuses it.
pub(crate) async fn slack_client(ctx: &Context) -> anyhow::Result<Arc<SlackApi>> {
    let mut slack = ctx.slack.lock().await;
    if let Some(slack) = slack.as_ref() {
        return Ok(Arc::clone(slack));
    }
    let token = read_token(&ctx.secrets, &ctx.config.bot_token_id).await?;
    let token = BotToken::new(token, read_token_again(ctx));
    let (api, rule) = (ctx.config.slack_api.clone(), ctx.config.response_urls.clone());
    let made = SlackApi::new(ctx.connector.clone(), api, rule, token, ctx.config.team.clone());
    let made = Arc::new(made.with_command(ctx.config.command.clone()));
    *slack = Some(Arc::clone(&made));
    Ok(made)
}

async fn read_token(secrets: &Secrets, id: &str) -> anyhow::Result<SecretString> {
    let stored = secrets.get(id, VersionStage::Current).await?;
    let stored = stored.ok_or_else(|| anyhow::anyhow!("there is no bot token yet in the secret {id}"))?;
    parse_bot_token(&stored).map_err(|error| {
        tracing::error!(secret = id, %error, "bot token rejected");
        anyhow::Error::new(error).context(format!("the bot token in the secret {id} cannot be used"))
    })
}

/// Reads the token again, at most once a minute: Slack refuses every call with a token that is no longer good.
fn read_token_again(ctx: &Context) -> ReadAgain {
    let (secrets, id) = (ctx.secrets.clone(), ctx.config.bot_token_id.clone());
    let (clock, tried_at) = (ctx.clock.clone(), Arc::new(Mutex::new(None)));
    Box::new(move || {
        let (secrets, id, tried_at) = (secrets.clone(), id.clone(), Arc::clone(&tried_at));
        let now = clock.now();
        async move {
            let mut tried_at = tried_at.lock().await;
            let just_tried = tried_at.is_some_and(|tried_at: SystemTime| {
                now.duration_since(tried_at).is_ok_and(|passed| passed < REREAD_TOKEN)
            });
            if just_tried {
                return None;
            }
            *tried_at = Some(now);
            match read_token(&secrets, &id).await {
                Ok(token) => Some(token),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "bot token not read again");
                    None
                }
            }
        }
        .boxed()
    })
}

pub(crate) fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
