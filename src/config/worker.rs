//! What function `worker` is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::aws::queue_url::QueueUrl;
use crate::aws::session_policy::is_supported_path;
use crate::config::accounts::parse_accounts;
use crate::config::environment::{ConfigError, Env, Environment};
use crate::config::reveal::read_reveal_url;
use crate::config::slack::{read_command, read_slack_api};
use crate::config::value::{parse_id, parse_queue_url, parse_teams, parse_text};
use crate::domain::approvers::Approvers;
use crate::domain::email_address::{MailAddress, NotAMailAddress, is_domain};
use crate::domain::iam::Account;
use crate::domain::ticket::page_url::RevealUrl;
use crate::id::{AccountAlias, ChannelId, Partition, SlackTeamId};
use crate::slack::api_url::SlackApiUrl;
use crate::slack::command_name::CommandName;
use crate::slack::receive::ResponseUrlRule;

/// What `worker` is told.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Queue `slack`, received from.
    pub slack_queue: QueueUrl,
    /// Queue `claims`, received from.
    pub claims_queue: QueueUrl,
    /// Queue `due`, received from and sent to.
    pub due_queue: QueueUrl,
    /// Queue `sweep`, received from.
    pub sweep_queue: QueueUrl,
    /// Table `Requests`.
    pub requests: String,
    /// Table `Tickets`.
    pub tickets: String,
    /// Table `Audit`.
    pub audit: String,
    /// The Secrets Manager id of Slack's bot token.
    pub bot_token_id: String,
    /// Where Slack's API is.
    pub slack_api: SlackApiUrl,
    /// The workspace whose user groups are meant where the app is installed for a whole organisation: the first of
    /// those that requests may come from.
    pub team: Option<SlackTeamId>,
    /// Where Slack may ask to be answered.
    pub response_urls: ResponseUrlRule,
    /// Where cards are posted: private, not shared.
    pub approvals_channel: ChannelId,
    pub approvers: Approvers,
    /// Where audit checkpoints are posted; without one, in a thread of the approvals channel.
    pub checkpoints_channel: Option<ChannelId>,
    /// What the slash command is called where it is installed.
    pub command: CommandName,
    /// Where people are sent who cannot be helped here.
    pub help_channel: Option<ChannelId>,
    pub reveal_url: RevealUrl,
    /// Mailed codes, if tickets want one.
    pub mail: Option<Mail>,
    /// The role assumed in each account.
    pub issuer_role_name: String,
    /// The partition that all accounts are in.
    pub partition: Partition,
    /// The accounts by their alias; the first is used where none is typed.
    pub accounts: Vec<Account>,
    /// The path all managed IAM users are under, if limited.
    pub iam_path: Option<String>,
    /// Where the policy files are.
    pub policy_dir: PathBuf,
    /// How long a request waits for approval.
    pub request_ttl: Duration,
    /// How long an approved request waits for its requester.
    pub approved_ttl: Duration,
    /// How long a ticket can be claimed.
    pub ticket_ttl: Duration,
    /// The longest lifetime a key may be asked for, whatever policy says.
    pub max_key_days: u32,
}

/// Where mailed codes come from and may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: MailAddress,
    /// The domains, lower case, that a person's address must be of.
    pub domains: Vec<String>,
}

/// The longest that a link can be opened, in seconds: a link in Slack is what a thief would look for.
const MAX_TICKET_TTL: u64 = 3_600;

impl WorkerConfig {
    /// The account of an alias, or of the number that was typed in its place.
    #[must_use]
    pub fn account(&self, alias: &AccountAlias) -> Option<&Account> {
        let by_alias = self.accounts.iter().find(|account| account.alias == *alias);
        by_alias.or_else(|| self.accounts.iter().find(|account| account.id.as_str() == alias.as_str()))
    }

    /// The channel of the cards, and whose members approve.
    #[must_use]
    pub fn approval_places(&self) -> (&ChannelId, &Approvers) {
        (&self.approvals_channel, &self.approvers)
    }

    /// Reads what `worker` needs.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let env = Env::new(environment);
        let (approvals_channel, approvers) = read_approvers(env)?;
        let mail = match env.optional("KEYVEND_MAIL_FROM", parse_address)? {
            None => None,
            Some(from) => Some(Mail { from, domains: env.required("KEYVEND_MAIL_DOMAINS", parse_domains)? }),
        };
        let (slack_api, response_urls) = read_slack_api(env)?;
        let policy_dir = env.optional("KEYVEND_POLICY_DIR", parse_text)?.unwrap_or_else(|| "/opt".to_owned());
        let policy_dir = PathBuf::from(policy_dir);
        Ok(Self {
            slack_queue: env.required("KEYVEND_SLACK_QUEUE_URL", parse_queue_url)?,
            claims_queue: env.required("KEYVEND_CLAIMS_QUEUE_URL", parse_queue_url)?,
            due_queue: env.required("KEYVEND_DUE_QUEUE_URL", parse_queue_url)?,
            sweep_queue: env.required("KEYVEND_SWEEP_QUEUE_URL", parse_queue_url)?,
            requests: env.required("KEYVEND_REQUESTS_TABLE", parse_text)?,
            tickets: env.required("KEYVEND_TICKETS_TABLE", parse_text)?,
            audit: env.required("KEYVEND_AUDIT_TABLE", parse_text)?,
            bot_token_id: env.required("KEYVEND_BOT_TOKEN_ID", parse_text)?,
            slack_api,
            team: env.optional("KEYVEND_SLACK_TEAM_IDS", parse_teams)?.unwrap_or_default().into_iter().next(),
            response_urls,
            approvers,
            approvals_channel,
            checkpoints_channel: env.optional("KEYVEND_CHECKPOINTS_CHANNEL", parse_id)?,
            command: read_command(env)?,
            help_channel: env.optional("KEYVEND_HELP_CHANNEL", parse_id)?,
            reveal_url: read_reveal_url(env)?,
            mail,
            issuer_role_name: env.required("KEYVEND_ISSUER_ROLE_NAME", parse_text)?,
            partition: match env.optional("KEYVEND_AWS_PARTITION", parse_id)? {
                Some(partition) => partition,
                None => Partition::of_region(&env.optional("AWS_REGION", parse_text)?.unwrap_or_default()),
            },
            accounts: env.required("KEYVEND_ACCOUNTS", |value| parse_accounts(value, &policy_dir))?,
            iam_path: env.optional("KEYVEND_IAM_PATH", parse_iam_path)?,
            policy_dir,
            request_ttl: read_duration(env, "KEYVEND_REQUEST_TTL", 86_400, 2_592_000)?,
            approved_ttl: Duration::from_secs(3 * 86_400),
            ticket_ttl: read_duration(env, "KEYVEND_TICKET_TTL", 900, MAX_TICKET_TTL)?,
            max_key_days: env
                .optional("KEYVEND_MAX_KEY_DAYS", |days| match days.parse::<u32>() {
                    Ok(days) if (1..=365).contains(&days) => Ok(days),
                    _ => Err("must be days, from 1 to 365".to_owned()),
                })?
                .unwrap_or(90),
        })
    }
}

/// The channel of the cards, and whose members approve.
pub(crate) fn read_approvers(env: Env<'_>) -> Result<(ChannelId, Approvers), ConfigError> {
    let channel: ChannelId = env.required("KEYVEND_APPROVALS_CHANNEL", parse_id)?;
    let approvers = env.optional("KEYVEND_APPROVERS", |value| {
        parse_id(value).map(Approvers::Channel).or_else(|_: String| parse_id(value).map(Approvers::UserGroup))
    })?;
    Ok((channel.clone(), approvers.unwrap_or(Approvers::Channel(channel))))
}

fn read_duration(
    env: Env<'_>,
    variable: &'static str,
    default: u64,
    most: u64,
) -> Result<Duration, ConfigError> {
    let seconds = env.optional(variable, |text| match text.parse::<u64>() {
        Ok(seconds) if (60..=most).contains(&seconds) => Ok(seconds),
        _ => Err(format!("must be seconds, from 60 to {most}")),
    })?;
    Ok(Duration::from_secs(seconds.unwrap_or(default)))
}

fn parse_address(value: &str) -> Result<MailAddress, String> {
    value.parse().map_err(|error: NotAMailAddress| error.to_string())
}

fn parse_domains(value: &str) -> Result<Vec<String>, String> {
    let domains: Vec<String> =
        value.split([',', ' ']).filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect();
    if !domains.is_empty() && domains.iter().all(|domain| is_domain(domain)) {
        Ok(domains)
    } else {
        Err("must be domains such as example.com,example.org".to_owned())
    }
}

fn parse_iam_path(value: &str) -> Result<String, String> {
    let plain = value.bytes().all(|b| b.is_ascii_graphic()) && value != "//";
    if value.len() <= 512
        && value.starts_with('/')
        && value.ends_with('/')
        && plain
        && is_supported_path(value)
    {
        Ok(value.to_owned())
    } else {
        Err("must be an IAM path such as /keyvend/, without `*`, `?` or `$`".to_owned())
    }
}
