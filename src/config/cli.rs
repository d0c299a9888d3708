//! What the operator's tool is told: the functions' own variables, each read when a command needs it.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::aws::cli_config::OperatorAws;
use crate::config::accounts::parse_accounts;
use crate::config::environment::{ConfigError, Env, Environment};
use crate::config::slack::{read_command, read_slack_api};
use crate::config::value::{parse_teams, parse_text, parse_url};
use crate::config::worker::read_approvers;
use crate::domain::approvers::Approvers;
use crate::domain::iam::Account;
use crate::id::{ChannelId, SlackTeamId};
use crate::slack::api_url::SlackApiUrl;
use crate::slack::command_name::CommandName;
use crate::slack::receive::ResponseUrlRule;

/// What the operator's tool is told: the functions' own variables, each read when a command needs it.
#[derive(Clone, Copy)]
pub struct OperatorConfig<'e>(&'e dyn Environment);

impl<'e> OperatorConfig<'e> {
    #[must_use]
    pub fn new(environment: &'e dyn Environment) -> Self {
        Self(environment)
    }

    /// Reads `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL` and `AWS_CA_BUNDLE`.
    ///
    /// # Errors
    /// Names the variable that is wrong; so do all below, and where it is missing.
    pub fn aws(self) -> Result<OperatorAws, ConfigError> {
        let env = Env::new(self.0);
        Ok(OperatorAws {
            region: env.optional("AWS_REGION", parse_text)?,
            profile: env.optional("AWS_PROFILE", parse_text)?,
            endpoint_url: env.optional("AWS_ENDPOINT_URL", parse_url)?,
            ca_bundle: env.optional("AWS_CA_BUNDLE", parse_text)?.map(PathBuf::from),
        })
    }

    /// Table `Requests`.
    pub fn requests(self) -> Result<String, ConfigError> {
        Env::new(self.0).required("KEYVEND_REQUESTS_TABLE", parse_text)
    }

    /// Table `Requests`, where it is named.
    pub fn requests_if_named(self) -> Result<Option<String>, ConfigError> {
        Env::new(self.0).optional("KEYVEND_REQUESTS_TABLE", parse_text)
    }

    /// Table `Audit`.
    pub fn audit(self) -> Result<String, ConfigError> {
        Env::new(self.0).required("KEYVEND_AUDIT_TABLE", parse_text)
    }

    /// Where the policy files are.
    pub fn policy_dir(self) -> Result<Option<PathBuf>, ConfigError> {
        Ok(Env::new(self.0).optional("KEYVEND_POLICY_DIR", parse_text)?.map(PathBuf::from))
    }

    /// The accounts by their alias; none where there is only the home account, as for the functions.
    pub fn accounts(self) -> Result<Vec<Account>, ConfigError> {
        let policy_dir = self.policy_dir()?.unwrap_or_else(|| PathBuf::from("policies"));
        let read = |value: &str| parse_accounts(value, &policy_dir);
        Ok(Env::new(self.0).optional("KEYVEND_ACCOUNTS", read)?.unwrap_or_default())
    }

    /// What the slash command is called where it is installed.
    pub fn command(self) -> Result<CommandName, ConfigError> {
        read_command(Env::new(self.0))
    }

    /// The workspaces.
    pub fn team_ids(self) -> Result<Vec<SlackTeamId>, ConfigError> {
        Ok(Env::new(self.0).optional("KEYVEND_SLACK_TEAM_IDS", parse_teams)?.unwrap_or_default())
    }

    /// The channel of the cards, and whose members approve.
    pub fn approvers(self) -> Result<(ChannelId, Approvers), ConfigError> {
        read_approvers(Env::new(self.0))
    }

    /// Slack's API, what goes with it, and the bot token itself, which only this tool takes from the environment.
    pub fn slack(self) -> Result<(SlackApiUrl, ResponseUrlRule, SecretString), ConfigError> {
        let env = Env::new(self.0);
        let (api, rule) = read_slack_api(env)?;
        let token = env.required("KEYVEND_BOT_TOKEN", |token| Ok(SecretString::from(token)))?;
        Ok((api, rule, token))
    }
}
