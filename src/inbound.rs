//! What comes in from the internet: which requests are Slack's, for us, and worth queueing.
//! Order matters: route, method, signature, media type, form or JSON, app and team, fields. Nothing of a body is
//! looked at before its signature holds, but for Slack's bare `ssl_check`, which does nothing.

mod event;
mod interaction;
mod message;
mod response_url;
mod slash;

use serde_json::Value;

pub use self::interaction::LINK_ACTION_ID;
pub(crate) use self::message::is_unsendable;
pub use self::message::{ButtonMessage, Interaction, Message, OpenView, TriggerId, What};
pub use self::response_url::{NotAResponseUrl, NotASlackApiUrl, ResponseUrl, ResponseUrlRule};
use crate::form::{self, FORM, Form, JSON};
use crate::gateway::{HttpRequest, HttpResponse};
use crate::id::{SlackAppId, SlackTeamId};
use crate::signature::{SignatureError, SigningSecret, verify};
use crate::time::Timestamp;
use crate::words;

/// Whose requests count: one Slack app's, from these workspaces.
#[derive(Debug)]
pub struct Pins {
    /// Our app.
    pub app_id: SlackAppId,
    /// The workspaces it serves.
    pub team_ids: Vec<SlackTeamId>,
    /// Where Slack may ask us to answer.
    pub response_urls: ResponseUrlRule,
}

/// What is to be done about a request.
#[derive(Debug)]
pub enum Received {
    /// Give this answer; there is nothing else to do.
    Answer(HttpResponse),
    /// Queue the message, then give the answer.
    Queue(Box<Message>, HttpResponse),
    /// No secret at hand made this signature. Where another secret may have come, look and try once more; else give
    /// the answer.
    SignatureMismatch(HttpResponse),
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    NoSuchPath,
    Method,
    Signature(SignatureError),
    MediaType,
    Unreadable,
    NotOurs,
    Lacks(&'static str),
}

impl Refused {
    fn response(self) -> HttpResponse {
        match self {
            Self::NoSuchPath => HttpResponse::text(404, words::NOT_FOUND),
            Self::Method => HttpResponse::text(405, words::POST_ONLY).with_header("Allow", "POST"),
            Self::Signature(_) => HttpResponse::empty(401),
            Self::MediaType => HttpResponse::text(415, words::WRONG_MEDIA_TYPE),
            Self::Unreadable => HttpResponse::text(400, words::UNREADABLE),
            Self::NotOurs => HttpResponse::text(403, words::NOT_FOR_US),
            Self::Lacks(field) => HttpResponse::text(400, &words::lacks(field)),
        }
    }
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
pub fn receive(request: &HttpRequest, pins: &Pins, secrets: &[SigningSecret], now: Timestamp) -> Received {
    match read(request, pins, secrets, now) {
        Ok(received) => received,
        Err(refused @ Refused::Signature(SignatureError::Mismatch)) => {
            Received::SignatureMismatch(refused.response())
        }
        Err(refused) => Received::Answer(refused.response()),
    }
}

fn read(
    request: &HttpRequest,
    pins: &Pins,
    secrets: &[SigningSecret],
    now: Timestamp,
) -> Result<Received, Refused> {
    let route = Route::of(request.path()).ok_or(Refused::NoSuchPath)?;
    if request.method() != "POST" {
        return Err(Refused::Method);
    }
    let right_type = form::is_media_type(request.header("content-type"), route.media_type());
    if right_type && is_bare_ssl_check(route, request.body()) {
        return Ok(acknowledged());
    }
    let timestamp = request.header("x-slack-request-timestamp");
    let signature = request.header("x-slack-signature");
    let verified = verify(secrets, timestamp, signature, request.body(), now).map_err(Refused::Signature)?;
    if !right_type {
        return Err(Refused::MediaType);
    }
    match route {
        Route::Commands => {
            slash::receive(&verified.try_map(Form::parse).map_err(|_| Refused::Unreadable)?, pins)
        }
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

fn json(body: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(body).ok().filter(Value::is_object).ok_or(Refused::Unreadable)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn acknowledged() -> Received {
    Received::Answer(HttpResponse::empty(200))
}

impl Pins {
    fn app(&self, app_id: Option<&str>) -> Result<(), Refused> {
        if app_id == Some(self.app_id.as_str()) { Ok(()) } else { Err(Refused::NotOurs) }
    }

    fn team(&self, team_id: Option<&str>) -> Result<SlackTeamId, Refused> {
        self.team_ids.iter().find(|ours| team_id == Some(ours.as_str())).cloned().ok_or(Refused::NotOurs)
    }

    fn response_url(&self, url: Option<&str>) -> Result<Option<ResponseUrl>, Refused> {
        let checked = url.map(|url| self.response_urls.check(url)).transpose();
        checked.map_err(|_| Refused::Lacks("response_url"))
    }
}
