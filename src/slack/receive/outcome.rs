//! What a request can be received as, and for which app and workspaces.

use serde_json::Value;

use crate::id::{AccessKeyId, SlackAppId, SlackTeamId};
use crate::slack::command::{Field, Problem, SyntaxError};
use crate::slack::envelope::SlackEnvelope;
use crate::slack::response_url::{ResponseUrl, ResponseUrlRule};
use crate::slack::signature::SignatureError;

/// Whose requests count: one Slack app's, from these workspaces.
#[derive(Debug)]
pub struct AppIdentity {
    pub app_id: SlackAppId,
    /// The workspaces it serves.
    pub team_ids: Vec<SlackTeamId>,
    /// Where Slack may ask us to answer.
    pub response_urls: ResponseUrlRule,
}

/// What a request is; the function that received it answers.
#[derive(Debug)]
pub enum ReceiveOutcome {
    Acknowledged,
    /// Slack wants this back to see that the address is ours.
    Challenge(String),
    /// Somebody wants the help of the slash command of this name.
    Help(String),
    /// What was typed after the slash command of this name is no command.
    SyntaxError(String, SyntaxError),
    /// What was typed seems to hold a secret access key. It goes no further; the key id that was typed with it may.
    SecretTyped(Option<AccessKeyId>),
    /// Fields of a submitted form are wrong.
    FormErrors(Vec<(Field, Problem)>),
    Queue(Box<SlackEnvelope>),
    /// Turned away. Where no secret at hand made the signature, another secret may have come: look and try once more.
    Rejected(RejectReason),
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    NoSuchPath,
    Method,
    Signature(SignatureError),
    MediaType,
    Unreadable,
    /// For another app or workspace.
    NotOurs,
    /// A signed request without a usable field that Slack always sends.
    Lacks(&'static str),
}

impl AppIdentity {
    pub(crate) fn app(&self, app_id: Option<&str>) -> Result<(), RejectReason> {
        if app_id == Some(self.app_id.as_str()) { Ok(()) } else { Err(RejectReason::NotOurs) }
    }

    pub(crate) fn team(&self, team_id: Option<&str>) -> Result<SlackTeamId, RejectReason> {
        self.team_ids.iter().find(|ours| team_id == Some(ours.as_str())).cloned().ok_or(RejectReason::NotOurs)
    }

    /// The workspace of an event, as far as it can be told. Slack names one by which the event reached the app: that of an
    /// organisation's member, the organisation itself, or none. `None` where it names other workspaces alone.
    pub(crate) fn team_of_event(&self, body: &Value) -> Option<SlackTeamId> {
        let authorizations = body.get("authorizations").and_then(Value::as_array).into_iter().flatten();
        let is_org_wide = authorizations.clone().any(|authorization| {
            authorization.get("is_enterprise_install").and_then(Value::as_bool) == Some(true)
        });
        let member_of = body.pointer("/event/user/enterprise_user/teams").and_then(Value::as_array);
        let named: Vec<&str> = [body.get("team_id"), body.pointer("/event/user/team_id")]
            .into_iter()
            .chain(authorizations.map(|authorization| authorization.get("team_id")))
            .flatten()
            .chain(member_of.into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let ours = self.team_ids.iter().find(|ours| named.contains(&ours.as_str()));
        let is_workspace = |id: &&str| id.starts_with('T');
        let first = || (is_org_wide || !named.iter().any(is_workspace)).then(|| self.team_ids.first());
        ours.or_else(|| first().flatten()).cloned()
    }

    pub(crate) fn response_url(&self, url: Option<&str>) -> Result<Option<ResponseUrl>, RejectReason> {
        let checked = url.map(|url| self.response_urls.check(url)).transpose();
        checked.map_err(|_| RejectReason::Lacks("response_url"))
    }
}

pub(crate) fn json(body: &[u8]) -> Result<Value, RejectReason> {
    serde_json::from_slice(body).ok().filter(Value::is_object).ok_or(RejectReason::Unreadable)
}

pub(crate) fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}
