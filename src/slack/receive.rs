//! What comes in from the internet: which requests are Slack's, for us, and worth queueing.
//! Order matters: route, method, signature, media type, form or JSON, app and team, fields. Nothing of a body is
//! looked at before its signature holds, but for Slack's bare `ssl_check`, which does nothing.

pub mod event;
pub mod interaction;
pub mod slash_command;

use serde_json::Value;

use crate::http::api_gateway::HttpRequest;
use crate::http::form_urlencoded::{self, FORM, Form, JSON};
use crate::id::{SlackAppId, SlackTeamId};
use crate::slack::command::{Field, Problem, SyntaxError};
pub use crate::slack::envelope::{Interaction, MessageRef, OpenView, SlackEnvelope, SlackEvent, TriggerId};
pub use crate::slack::receive::interaction::LINK_ACTION_ID;
pub use crate::slack::response_url::{InvalidResponseUrl, InvalidSlackApiUrl, ResponseUrl, ResponseUrlRule};
use crate::slack::signature::{SignatureError, SigningSecret, verify};
use crate::time::Timestamp;

/// Whose requests count: one Slack app's, from these workspaces.
#[derive(Debug)]
pub struct AppIdentity {
    /// Our app.
    pub app_id: SlackAppId,
    /// The workspaces it serves.
    pub team_ids: Vec<SlackTeamId>,
    /// Where Slack may ask us to answer.
    pub response_urls: ResponseUrlRule,
}

/// What a request is; the function that received it answers.
#[derive(Debug)]
pub enum ReceiveOutcome {
    /// Nothing to do.
    Acknowledged,
    /// Slack wants this back to see that the address is ours.
    Challenge(String),
    /// Somebody wants the help of the slash command of this name.
    Help(String),
    /// What was typed after the slash command of this name is no command.
    SyntaxError(String, SyntaxError),
    /// Fields of a submitted form are wrong.
    FormErrors(Vec<(Field, Problem)>),
    /// To be queued.
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

#[derive(Clone, Copy)]
enum Route {
    Commands,
    Interactive,
    Events,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/slack/commands" => Some(Self::Commands),
            "/slack/interactive" => Some(Self::Interactive),
            "/slack/events" => Some(Self::Events),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Commands | Self::Interactive => FORM,
            Self::Events => JSON,
        }
    }
}

/// Decides about one request.
#[must_use]
pub fn receive(
    request: &HttpRequest,
    pins: &AppIdentity,
    secrets: &[SigningSecret],
    now: Timestamp,
) -> ReceiveOutcome {
    read(request, pins, secrets, now).unwrap_or_else(ReceiveOutcome::Rejected)
}

fn read(
    request: &HttpRequest,
    pins: &AppIdentity,
    secrets: &[SigningSecret],
    now: Timestamp,
) -> Result<ReceiveOutcome, RejectReason> {
    let route = Route::of(request.path()).ok_or(RejectReason::NoSuchPath)?;
    if request.method() != "POST" {
        return Err(RejectReason::Method);
    }
    let right_type = form_urlencoded::is_media_type(request.header("content-type"), route.media_type());
    if right_type && is_bare_ssl_check(route, request.body()) {
        return Ok(ReceiveOutcome::Acknowledged);
    }
    let timestamp = request.header("x-slack-request-timestamp");
    let signature = request.header("x-slack-signature");
    let verified =
        verify(secrets, timestamp, signature, request.body(), now).map_err(RejectReason::Signature)?;
    if !right_type {
        return Err(RejectReason::MediaType);
    }
    match route {
        Route::Commands => slash_command::receive(
            &verified.try_map(Form::parse).map_err(|_| RejectReason::Unreadable)?,
            pins,
        ),
        Route::Interactive => interaction::receive(&verified.try_map(interaction::payload)?, pins),
        Route::Events => event::receive(&verified.try_map(json)?, pins),
    }
}

/// Slack's check of the certificate carries `ssl_check=1`, a legacy token and no signature
/// (<https://docs.slack.dev/interactivity/implementing-slash-commands>). With anything beside those it must be signed.
fn is_bare_ssl_check(route: Route, body: &[u8]) -> bool {
    const LONGEST: usize = 256;
    match route {
        Route::Events => false,
        Route::Commands | Route::Interactive => {
            body.len() <= LONGEST
                && Form::parse(body).is_ok_and(|form| {
                    form.get("ssl_check") == Some("1")
                        && form.names().all(|name| matches!(name, "ssl_check" | "token"))
                })
        }
    }
}

fn json(body: &[u8]) -> Result<Value, RejectReason> {
    serde_json::from_slice(body).ok().filter(Value::is_object).ok_or(RejectReason::Unreadable)
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

impl AppIdentity {
    fn app(&self, app_id: Option<&str>) -> Result<(), RejectReason> {
        if app_id == Some(self.app_id.as_str()) { Ok(()) } else { Err(RejectReason::NotOurs) }
    }

    fn team(&self, team_id: Option<&str>) -> Result<SlackTeamId, RejectReason> {
        self.team_ids.iter().find(|ours| team_id == Some(ours.as_str())).cloned().ok_or(RejectReason::NotOurs)
    }

    fn response_url(&self, url: Option<&str>) -> Result<Option<ResponseUrl>, RejectReason> {
        let checked = url.map(|url| self.response_urls.check(url)).transpose();
        checked.map_err(|_| RejectReason::Lacks("response_url"))
    }
}
