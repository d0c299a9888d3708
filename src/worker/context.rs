//! What every handler works with: clients, policies and configuration; and how handling a message can end.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use tokio::sync::Mutex;

use crate::aws::{Secrets, Ses, Sqs, Sts, TableNames, Tables, VersionStage};
use crate::config::WorkerConfig;
use crate::facts::Lookup;
use crate::policy::{InvalidPolicies, Policies};
use crate::slack::api::SlackApi;
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
            config,
        }
    }
}

/// Slack, with the bot's token read once.
pub(crate) async fn slack_client(ctx: &Context) -> anyhow::Result<Arc<SlackApi>> {
    let mut slack = ctx.slack.lock().await;
    if let Some(slack) = slack.as_ref() {
        return Ok(Arc::clone(slack));
    }
    let token = ctx.secrets.get(&ctx.config.bot_token_id, VersionStage::Current).await?;
    let token = token.ok_or_else(|| anyhow::anyhow!("there is no bot token yet"))?;
    let (api, rule) = (ctx.config.slack_api.clone(), ctx.config.response_urls.clone());
    let made = SlackApi::new(ctx.connector.clone(), api, rule, token, ctx.config.team.clone());
    let made = Arc::new(made.with_command(ctx.config.command.clone()));
    *slack = Some(Arc::clone(&made));
    Ok(made)
}

/// Slack, with the bot's token read again: the one in `stale` is no longer good.
pub(crate) async fn refresh_slack_client(
    ctx: &Context,
    stale: &Arc<SlackApi>,
) -> anyhow::Result<Arc<SlackApi>> {
    let mut slack = ctx.slack.lock().await;
    // Somebody else may have been here meanwhile.
    if slack.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, stale)) {
        slack.take();
    }
    drop(slack);
    slack_client(ctx).await
}

pub(crate) fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
