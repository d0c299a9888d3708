//! What function `slack` is told, and what all are told of Slack.

use crate::aws::queue_url::QueueUrl;
use crate::config::environment::{ConfigError, Env, Environment};
use crate::config::value::{is_http_url, parse_id, parse_queue_url, parse_teams, parse_text};
use crate::id::{SlackAppId, SlackTeamId};
use crate::slack::api_url::SlackApiUrl;
use crate::slack::command_name::CommandName;
use crate::slack::receive::ResponseUrlRule;

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

impl SlackConfig {
    /// Reads what `slack` needs.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let env = Env::new(environment);
        let app_id = env.optional("KEYVEND_SLACK_APP_ID", parse_id)?;
        let team_ids = env.optional("KEYVEND_SLACK_TEAM_IDS", parse_teams)?.unwrap_or_default();
        if app_id.is_some() && team_ids.is_empty() {
            let problem = "must name the workspace, T..., once KEYVEND_SLACK_APP_ID is set".to_owned();
            return Err(ConfigError { variable: "KEYVEND_SLACK_TEAM_IDS", problem });
        }
        Ok(Self {
            queue: env.required("KEYVEND_SLACK_QUEUE_URL", parse_queue_url)?,
            signing_secret_id: env.required("KEYVEND_SIGNING_SECRET_ID", parse_text)?,
            app_id,
            team_ids,
            response_urls: read_slack_api(env)?.1,
        })
    }
}

/// What the slash command is called where it is installed.
pub(crate) fn read_command(env: Env<'_>) -> Result<CommandName, ConfigError> {
    Ok(env.optional("KEYVEND_SLASH_COMMAND", parse_id)?.unwrap_or_default())
}

pub(crate) fn read_slack_api(env: Env<'_>) -> Result<(SlackApiUrl, ResponseUrlRule), ConfigError> {
    let read = |url: &str| {
        let rule = ResponseUrlRule::for_api(url).map_err(|error| error.to_string())?;
        if is_http_url(url) && url.ends_with('/') {
            Ok((SlackApiUrl::new(url), rule))
        } else {
            Err("must end in /, like https://slack.com/api/".to_owned())
        }
    };
    match env.optional("KEYVEND_SLACK_API_URL", read)? {
        Some(given) => Ok(given),
        None => read(SlackApiUrl::DEFAULT)
            .map_err(|problem| ConfigError { variable: "KEYVEND_SLACK_API_URL", problem }),
    }
}
