//! Everything the functions read from their environment, in one place.
//! A value that cannot be right stops a function at start, with a message that names its variable.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "cli")]
use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

#[cfg(feature = "cli")]
pub use crate::aws::cli_config::OperatorAws;
pub use crate::aws::config::AwsConfig;
pub use crate::aws::queue_url::QueueUrl;
use crate::aws::session_policy::is_supported_path;
use crate::domain::approvers::Approvers;
use crate::domain::email_address::{MailAddress, NotAMailAddress, is_domain};
use crate::domain::iam::Account;
use crate::domain::ticket::page_url::{RevealUrl, origin_of};
use crate::id::{AccountAlias, AccountId, ChannelId, Partition, SlackAppId, SlackTeamId};
pub use crate::slack::api_url::SlackApiUrl;
use crate::slack::receive::ResponseUrlRule;

/// An environment variable that is missing or wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable} {problem}")]
pub struct ConfigError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Where values come from: the process environment, or a test's map.
pub trait Environment {
    /// The variable's value; an empty one is `None`.
    fn get(&self, variable: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, variable: &str) -> Option<String> {
        std::env::var(variable).ok().filter(|value| !value.is_empty())
    }
}

impl<K: Borrow<str> + Ord> Environment for BTreeMap<K, String> {
    fn get(&self, variable: &str) -> Option<String> {
        BTreeMap::get(self, variable).filter(|value| !value.is_empty()).cloned()
    }
}

/// What `slack` is told.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// Queue `slack`.
    pub queue: QueueUrl,
    /// The Secrets Manager id of Slack's signing secret.
    pub signing_secret_id: String,
    /// The app that requests must name; `None` until the app is connected to Slack.
    pub app_id: Option<SlackAppId>,
    /// The workspaces that requests may come from.
    pub team_ids: Vec<SlackTeamId>,
    /// Where Slack may ask to be answered.
    pub response_urls: ResponseUrlRule,
}

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
    /// Whose members approve.
    pub approvers: Approvers,
    /// Where people are sent who cannot be helped here.
    pub help_channel: Option<ChannelId>,
    /// The page's address.
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
    /// The sender's address.
    pub from: MailAddress,
    /// The domains, lower case, that a person's address must be of.
    pub domains: Vec<String>,
}

/// The longest that a link can be opened, in seconds: a link in Slack is what a thief would look for.
const MAX_TICKET_TTL: u64 = 3_600;

struct Reader<'e>(&'e dyn Environment);

impl Reader<'_> {
    fn optional<T>(
        &self,
        variable: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.0.get(variable) else { return Ok(None) };
        read(&value).map(Some).map_err(|problem| ConfigError { variable, problem })
    }

    fn required<T>(
        &self,
        variable: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        self.optional(variable, read)?
            .ok_or_else(|| ConfigError { variable, problem: "is not set".to_owned() })
    }

    fn slack_api(&self) -> Result<(SlackApiUrl, ResponseUrlRule), ConfigError> {
        let read = |url: &str| {
            let rule = ResponseUrlRule::for_api(url).map_err(|error| error.to_string())?;
            if http_url(url) && url.ends_with('/') {
                Ok((SlackApiUrl::new(url), rule))
            } else {
                Err("must end in /, like https://slack.com/api/".to_owned())
            }
        };
        match self.optional("KEYVEND_SLACK_API_URL", read)? {
            Some(given) => Ok(given),
            None => read(SlackApiUrl::DEFAULT)
                .map_err(|problem| ConfigError { variable: "KEYVEND_SLACK_API_URL", problem }),
        }
    }

    fn reveal_url(&self) -> Result<RevealUrl, ConfigError> {
        self.required("KEYVEND_REVEAL_URL", |url| {
            let local = is_local(url);
            let plain = !url.contains(['?', '#']) && !url.ends_with('/');
            if http_url(url) && plain && (url.starts_with("https://") || local) {
                Ok(RevealUrl::new(url.to_owned()))
            } else {
                Err("must be the page's https URL, such as https://keys.example.com/reveal".to_owned())
            }
        })
    }

    /// The channel of the cards, and whose members approve.
    fn approvers(&self) -> Result<(ChannelId, Approvers), ConfigError> {
        let channel: ChannelId = self.required("KEYVEND_APPROVALS_CHANNEL", id)?;
        let approvers = self.optional("KEYVEND_APPROVERS", |value| {
            id(value).map(Approvers::Channel).or_else(|_: String| id(value).map(Approvers::UserGroup))
        })?;
        Ok((channel.clone(), approvers.unwrap_or(Approvers::Channel(channel))))
    }

    fn duration(&self, variable: &'static str, default: u64, most: u64) -> Result<Duration, ConfigError> {
        let seconds = self.optional(variable, |text| match text.parse::<u64>() {
            Ok(seconds) if (60..=most).contains(&seconds) => Ok(seconds),
            _ => Err(format!("must be seconds, from 60 to {most}")),
        })?;
        Ok(Duration::from_secs(seconds.unwrap_or(default)))
    }
}

fn http_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|b| b.is_ascii_graphic())
}

/// Plain http, to this very machine.
fn is_local(url: &str) -> bool {
    let origin = origin_of(url);
    let host = origin.strip_prefix("http://").unwrap_or_default();
    matches!(host.split_once(':').map_or(host, |(host, _)| host), "localhost" | "127.0.0.1")
}

fn text(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

fn id<T: std::str::FromStr<Err = crate::id::InvalidId>>(value: &str) -> Result<T, String> {
    value.trim().parse().map_err(|error| format!("is {error}"))
}

fn queue(url: &str) -> Result<QueueUrl, String> {
    let mut end = url.rsplit('/');
    let (name, account) = (end.next().unwrap_or_default(), end.next().unwrap_or_default());
    let named = name.strip_suffix(".fifo").is_some_and(|name| !name.is_empty());
    match account.parse::<AccountId>() {
        Ok(account) if http_url(url) && named => Ok(QueueUrl::new(url.to_owned(), &account, name)),
        _ => Err("must be the URL of an SQS FIFO queue".to_owned()),
    }
}

fn teams(value: &str) -> Result<Vec<SlackTeamId>, String> {
    value.split([',', ' ']).filter(|part| !part.is_empty()).map(id).collect()
}

const ACCOUNTS: &str = "must be JSON such as {\"prod\":\"123456789012\"}";

/// A JSON object's texts in the order in which they are written: the first account is the one that is meant where none
/// is named. A map would keep that order, or the last of two that have one name, only by the grace of its library.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn accounts(json: &str) -> Result<Vec<Account>, String> {
    let Pairs(pairs) = serde_json::from_str(json).map_err(|_| ACCOUNTS.to_owned())?;
    let mut accounts: Vec<Account> = Vec::new();
    for (alias, account) in pairs {
        let alias: AccountAlias = alias.parse().map_err(|error| format!("has a name that is {error}"))?;
        let id: AccountId = account.parse().map_err(|error| format!("has a value that is {error}"))?;
        if accounts.iter().any(|known| known.alias == alias) {
            return Err(format!("names `{alias}` twice"));
        }
        if let Some(known) = accounts.iter().find(|known| known.id == id) {
            return Err(format!(
                "names the account {id} twice, `{}` and `{alias}`: remove one of these aliases",
                known.alias
            ));
        }
        accounts.push(Account { alias, id });
    }
    if accounts.is_empty() { Err(ACCOUNTS.to_owned()) } else { Ok(accounts) }
}

fn address(value: &str) -> Result<MailAddress, String> {
    value.parse().map_err(|error: NotAMailAddress| error.to_string())
}

fn domains(value: &str) -> Result<Vec<String>, String> {
    let domains: Vec<String> =
        value.split([',', ' ']).filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect();
    if !domains.is_empty() && domains.iter().all(|domain| is_domain(domain)) {
        Ok(domains)
    } else {
        Err("must be domains such as example.com,example.org".to_owned())
    }
}

fn iam_path(value: &str) -> Result<String, String> {
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

impl AwsConfig {
    /// Reads `AWS_REGION` and `AWS_ENDPOINT_URL`
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let read = Reader(environment);
        let url = |url: &str| {
            if http_url(url) { Ok(url.to_owned()) } else { Err("must be a URL".to_owned()) }
        };
        Ok(Self {
            region: read.required("AWS_REGION", text)?,
            endpoint_url: read.optional("AWS_ENDPOINT_URL", url)?,
        })
    }
}

impl SlackConfig {
    /// Reads what `slack` needs.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let read = Reader(environment);
        let app_id = read.optional("KEYVEND_SLACK_APP_ID", id)?;
        let team_ids = read.optional("KEYVEND_SLACK_TEAM_IDS", teams)?.unwrap_or_default();
        if app_id.is_some() && team_ids.is_empty() {
            let problem = "must name the workspace, T..., once KEYVEND_SLACK_APP_ID is set".to_owned();
            return Err(ConfigError { variable: "KEYVEND_SLACK_TEAM_IDS", problem });
        }
        Ok(Self {
            queue: read.required("KEYVEND_SLACK_QUEUE_URL", queue)?,
            signing_secret_id: read.required("KEYVEND_SIGNING_SECRET_ID", text)?,
            app_id,
            team_ids,
            response_urls: read.slack_api()?.1,
        })
    }
}

impl RevealConfig {
    /// Reads what `reveal` needs.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let read = Reader(environment);
        Ok(Self {
            queue: read.required("KEYVEND_CLAIMS_QUEUE_URL", queue)?,
            tickets: read.required("KEYVEND_TICKETS_TABLE", text)?,
            reveal_url: read.reveal_url()?,
        })
    }
}

impl WorkerConfig {
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
        let read = Reader(environment);
        let (approvals_channel, approvers) = read.approvers()?;
        let mail = match read.optional("KEYVEND_MAIL_FROM", address)? {
            None => None,
            Some(from) => Some(Mail { from, domains: read.required("KEYVEND_MAIL_DOMAINS", domains)? }),
        };
        let (slack_api, response_urls) = read.slack_api()?;
        Ok(Self {
            slack_queue: read.required("KEYVEND_SLACK_QUEUE_URL", queue)?,
            claims_queue: read.required("KEYVEND_CLAIMS_QUEUE_URL", queue)?,
            due_queue: read.required("KEYVEND_DUE_QUEUE_URL", queue)?,
            sweep_queue: read.required("KEYVEND_SWEEP_QUEUE_URL", queue)?,
            requests: read.required("KEYVEND_REQUESTS_TABLE", text)?,
            tickets: read.required("KEYVEND_TICKETS_TABLE", text)?,
            audit: read.required("KEYVEND_AUDIT_TABLE", text)?,
            bot_token_id: read.required("KEYVEND_BOT_TOKEN_ID", text)?,
            slack_api,
            team: read.optional("KEYVEND_SLACK_TEAM_IDS", teams)?.unwrap_or_default().into_iter().next(),
            response_urls,
            approvers,
            approvals_channel,
            help_channel: read.optional("KEYVEND_HELP_CHANNEL", id)?,
            reveal_url: read.reveal_url()?,
            mail,
            issuer_role_name: read.required("KEYVEND_ISSUER_ROLE_NAME", text)?,
            partition: read.optional("KEYVEND_AWS_PARTITION", id)?.unwrap_or_default(),
            accounts: read.required("KEYVEND_ACCOUNTS", accounts)?,
            iam_path: read.optional("KEYVEND_IAM_PATH", iam_path)?,
            policy_dir: read
                .optional("KEYVEND_POLICY_DIR", text)?
                .unwrap_or_else(|| "/opt".to_owned())
                .into(),
            request_ttl: read.duration("KEYVEND_REQUEST_TTL", 86_400, 2_592_000)?,
            approved_ttl: Duration::from_secs(3 * 86_400),
            ticket_ttl: read.duration("KEYVEND_TICKET_TTL", 900, MAX_TICKET_TTL)?,
            max_key_days: read
                .optional("KEYVEND_MAX_KEY_DAYS", |days| match days.parse::<u32>() {
                    Ok(days) if (1..=365).contains(&days) => Ok(days),
                    _ => Err("must be days, from 1 to 365".to_owned()),
                })?
                .unwrap_or(90),
        })
    }
}

/// What the operator's tool is told: the functions' own variables, each read when a command needs it.
#[cfg(feature = "cli")]
#[derive(Clone, Copy)]
pub struct OperatorConfig<'e>(&'e dyn Environment);

#[cfg(feature = "cli")]
impl<'e> OperatorConfig<'e> {
    /// From this environment.
    #[must_use]
    pub fn new(environment: &'e dyn Environment) -> Self {
        Self(environment)
    }

    /// Reads `AWS_REGION`, `AWS_PROFILE` and `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// Names the variable that is wrong; so do all below, and where it is missing.
    pub fn aws(self) -> Result<OperatorAws, ConfigError> {
        let read = Reader(self.0);
        let url = |url: &str| {
            if http_url(url) { Ok(url.to_owned()) } else { Err("must be a URL".to_owned()) }
        };
        Ok(OperatorAws {
            region: read.optional("AWS_REGION", text)?,
            profile: read.optional("AWS_PROFILE", text)?,
            endpoint_url: read.optional("AWS_ENDPOINT_URL", url)?,
        })
    }

    /// Table `Requests`.
    ///
    /// # Errors
    /// As above.
    pub fn requests(self) -> Result<String, ConfigError> {
        Reader(self.0).required("KEYVEND_REQUESTS_TABLE", text)
    }

    /// Table `Requests`, where it is named.
    ///
    /// # Errors
    /// As above.
    pub fn requests_if_named(self) -> Result<Option<String>, ConfigError> {
        Reader(self.0).optional("KEYVEND_REQUESTS_TABLE", text)
    }

    /// Table `Audit`.
    ///
    /// # Errors
    /// As above.
    pub fn audit(self) -> Result<String, ConfigError> {
        Reader(self.0).required("KEYVEND_AUDIT_TABLE", text)
    }

    /// Where the policy files are.
    ///
    /// # Errors
    /// As above.
    pub fn policy_dir(self) -> Result<Option<PathBuf>, ConfigError> {
        Ok(Reader(self.0).optional("KEYVEND_POLICY_DIR", text)?.map(PathBuf::from))
    }

    /// The accounts by their alias; none where there is only the home account, as for the functions.
    ///
    /// # Errors
    /// As above.
    pub fn accounts(self) -> Result<Vec<Account>, ConfigError> {
        Ok(Reader(self.0).optional("KEYVEND_ACCOUNTS", accounts)?.unwrap_or_default())
    }

    /// The workspaces.
    ///
    /// # Errors
    /// As above.
    pub fn team_ids(self) -> Result<Vec<SlackTeamId>, ConfigError> {
        Ok(Reader(self.0).optional("KEYVEND_SLACK_TEAM_IDS", teams)?.unwrap_or_default())
    }

    /// The channel of the cards, and whose members approve.
    ///
    /// # Errors
    /// As above.
    pub fn approvers(self) -> Result<(ChannelId, Approvers), ConfigError> {
        Reader(self.0).approvers()
    }

    /// Slack's API, what goes with it, and the bot token itself, which only this tool takes from the environment.
    ///
    /// # Errors
    /// As above.
    pub fn slack(self) -> Result<(SlackApiUrl, ResponseUrlRule, SecretString), ConfigError> {
        let read = Reader(self.0);
        let (api, rule) = read.slack_api()?;
        let token = read.required("KEYVEND_BOT_TOKEN", |token| Ok(SecretString::from(token)))?;
        Ok((api, rule, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> BTreeMap<&'static str, String> {
        [
            (
                "KEYVEND_SLACK_QUEUE_URL",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-slack.fifo",
            ),
            (
                "KEYVEND_CLAIMS_QUEUE_URL",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-claims.fifo",
            ),
            ("KEYVEND_DUE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-due.fifo"),
            (
                "KEYVEND_SWEEP_QUEUE_URL",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-sweep.fifo",
            ),
            ("AWS_REGION", "eu-west-1"),
            ("KEYVEND_REQUESTS_TABLE", "r"),
            ("KEYVEND_TICKETS_TABLE", "t"),
            ("KEYVEND_AUDIT_TABLE", "a"),
            ("KEYVEND_SIGNING_SECRET_ID", "s"),
            ("KEYVEND_BOT_TOKEN_ID", "b"),
            ("KEYVEND_SLACK_APP_ID", "A1"),
            ("KEYVEND_SLACK_TEAM_IDS", "T0001,T0002"),
            ("KEYVEND_APPROVALS_CHANNEL", "C0APPROVE"),
            ("KEYVEND_REVEAL_URL", "https://keys.example.com/reveal"),
            ("KEYVEND_ISSUER_ROLE_NAME", "keyvend-issuer"),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012"}"#),
        ]
        .map(|(variable, value)| (variable, value.to_owned()))
        .into()
    }

    fn read_all(environment: &BTreeMap<&str, String>) -> Result<(), ConfigError> {
        AwsConfig::read(environment)?;
        SlackConfig::read(environment)?;
        RevealConfig::read(environment)?;
        WorkerConfig::read(environment)?;
        Ok(())
    }

    #[test]
    fn a_complete_environment_is_read() {
        assert_eq!(read_all(&complete()), Ok(()));
        let worker = WorkerConfig::read(&complete()).unwrap();
        assert_eq!(worker.approvers, Approvers::Channel(worker.approvals_channel.clone()));
        assert!(worker.slack_queue.is_source("arn:aws:sqs:eu-west-1:123456789012:keyvend-slack.fifo"));
        assert!(!worker.slack_queue.is_source("arn:aws:sqs:eu-west-1:123456789012:keyvend-claims.fifo"));
        assert!(!worker.slack_queue.is_source("arn:aws:sqs:eu-west-1:999999999999:keyvend-slack.fifo"));
    }

    #[test]
    fn what_is_not_said_is_as_the_design_has_it() {
        let worker = WorkerConfig::read(&complete()).unwrap();
        let day = 86_400;
        assert_eq!(
            (worker.request_ttl.as_secs(), worker.approved_ttl.as_secs(), worker.ticket_ttl.as_secs()),
            (day, 3 * day, 900)
        );
        assert_eq!((worker.max_key_days, worker.policy_dir.to_str()), (90, Some("/opt")));
        assert_eq!(worker.slack_api.as_str(), "https://slack.com/api/");
        let slack = SlackConfig::read(&complete()).unwrap();
        for rule in [&worker.response_urls, &slack.response_urls] {
            assert!(rule.check("https://hooks.slack.com/commands/T0001/1/x").is_ok());
            assert!(rule.check("https://slack.com/commands/T0001/1/x").is_err());
        }
        assert_eq!(worker.partition.as_str(), "aws");
        assert_eq!((worker.mail, worker.help_channel, worker.iam_path), (None, None, None));
    }

    #[test]
    fn an_app_not_yet_connected_is_no_error() {
        let mut environment = complete();
        environment.insert("KEYVEND_SLACK_APP_ID", String::new());
        environment.insert("KEYVEND_SLACK_TEAM_IDS", String::new());
        assert_eq!(SlackConfig::read(&environment).unwrap().app_id, None);
    }

    #[test]
    fn a_missing_variable_is_named() {
        for variable in complete().keys().filter(|name| **name != "KEYVEND_SLACK_APP_ID") {
            let mut environment = complete();
            environment.remove(variable);
            assert_eq!(read_all(&environment).unwrap_err().variable, *variable);
        }
    }

    #[test]
    fn a_wrong_value_is_named() {
        let wrong = [
            ("AWS_ENDPOINT_URL", "localhost:4566"),
            ("KEYVEND_SLACK_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/standard"),
            ("KEYVEND_CLAIMS_QUEUE_URL", "https://keyvend-claims.fifo"),
            ("KEYVEND_DUE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/.fifo"),
            ("KEYVEND_SWEEP_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/sweep"),
            ("KEYVEND_SLACK_APP_ID", "nope"),
            ("KEYVEND_SLACK_TEAM_IDS", "T1,U2"),
            ("KEYVEND_APPROVALS_CHANNEL", "#approvals"),
            ("KEYVEND_APPROVERS", "U0BOB"),
            ("KEYVEND_HELP_CHANNEL", "help"),
            ("KEYVEND_REVEAL_URL", "http://keys.example.com/reveal"),
            ("KEYVEND_REVEAL_URL", "https://keys.example.com/reveal#x"),
            ("KEYVEND_REVEAL_URL", "http://localhost.example.com/reveal"),
            ("KEYVEND_REVEAL_URL", "http://127.0.0.1@example.com/reveal"),
            ("KEYVEND_ACCOUNTS", "{}"),
            ("KEYVEND_ACCOUNTS", r#"{"home":"1"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"Home":"123456789012"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012","home":"210987654321"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012","main":"123456789012"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012"} {}"#),
            ("KEYVEND_ACCOUNTS", r#"["home","123456789012"]"#),
            ("KEYVEND_AWS_PARTITION", "us-gov"),
            ("KEYVEND_IAM_PATH", "keyvend"),
            ("KEYVEND_IAM_PATH", "//"),
            ("KEYVEND_IAM_PATH", "/key vend/"),
            ("KEYVEND_IAM_PATH", "/key*/"),
            ("KEYVEND_IAM_PATH", "/key?end/"),
            ("KEYVEND_IAM_PATH", "/${aws:username}/"),
            ("KEYVEND_TICKET_TTL", "0"),
            ("KEYVEND_TICKET_TTL", "3601"),
            ("KEYVEND_REQUEST_TTL", "soon"),
            ("KEYVEND_MAX_KEY_DAYS", "0"),
            ("KEYVEND_SLACK_API_URL", "https://slack.com/api"),
            ("KEYVEND_MAIL_FROM", "keys"),
            ("KEYVEND_MAIL_FROM", "keyvend <keys@example.com>"),
            ("KEYVEND_MAIL_FROM", "keys@example.com,eve@evil.test"),
        ];
        for (variable, value) in wrong {
            let mut environment = complete();
            environment.insert(variable, value.to_owned());
            let error = read_all(&environment).unwrap_err();
            assert_eq!(error.variable, variable, "{value}");
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }

    #[test]
    fn accounts_keep_the_order_in_which_they_are_written() {
        let mut environment = complete();
        let written = r#"{"zeta":"123456789012","alpha":"210987654321","mid":"112233445566"}"#;
        environment.insert("KEYVEND_ACCOUNTS", written.to_owned());
        let accounts = WorkerConfig::read(&environment).unwrap().accounts;
        let aliases: Vec<&str> = accounts.iter().map(|account| account.alias.as_str()).collect();
        assert_eq!(aliases, ["zeta", "alpha", "mid"]);
    }

    #[test]
    fn two_aliases_of_one_account_are_named() {
        let mut environment = complete();
        let written = r#"{"prod":"123456789012","dev":"210987654321","main":"123456789012"}"#;
        environment.insert("KEYVEND_ACCOUNTS", written.to_owned());
        let error = WorkerConfig::read(&environment).unwrap_err().to_string();
        assert!(error.contains("the account 123456789012 twice, `prod` and `main`"), "{error}");
        environment.insert("KEYVEND_TICKET_TTL", "3600".to_owned());
        environment.insert("KEYVEND_ACCOUNTS", r#"{"prod":"123456789012"}"#.to_owned());
        assert_eq!(WorkerConfig::read(&environment).unwrap().ticket_ttl, Duration::from_secs(3_600));
    }

    #[test]
    fn mailed_codes_want_their_domains() {
        let mut environment = complete();
        environment.insert("KEYVEND_MAIL_FROM", "keys@example.com".to_owned());
        assert_eq!(read_all(&environment).unwrap_err().variable, "KEYVEND_MAIL_DOMAINS");
        environment.insert("KEYVEND_MAIL_DOMAINS", "@example.com".to_owned());
        assert_eq!(read_all(&environment).unwrap_err().variable, "KEYVEND_MAIL_DOMAINS");
        environment.insert("KEYVEND_MAIL_DOMAINS", "Example.com, example.org".to_owned());
        let mail = WorkerConfig::read(&environment).unwrap().mail.unwrap();
        assert_eq!(mail.domains, ["example.com", "example.org"]);
    }

    #[test]
    fn the_page_has_one_origin() {
        assert_eq!(
            RevealUrl::new("https://Keys.example.com/reveal".to_owned()).origin(),
            "https://keys.example.com"
        );
        assert_eq!(
            RevealUrl::new("http://127.0.0.1:4010/reveal".to_owned()).origin(),
            "http://127.0.0.1:4010"
        );
    }
}
