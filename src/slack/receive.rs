//! What comes in from the internet: which requests are Slack's, for us, and worth queueing.
//! Order matters: route, method, signature, media type, form or JSON, app and team, fields. Nothing of a body is
//! looked at before its signature holds, but for Slack's bare `ssl_check`, which does nothing.

pub mod event;
pub mod interaction;
pub mod outcome;
pub mod slash_command;

use crate::http::api_gateway::HttpRequest;
use crate::http::form_urlencoded::{self, FORM, Form, JSON};
pub use crate::slack::envelope::{Interaction, MessageRef, OpenView, SlackEnvelope, SlackEvent};
use crate::slack::receive::outcome::json;
pub use crate::slack::receive::outcome::{AppIdentity, ReceiveOutcome, RejectReason};
pub use crate::slack::response_url::{InvalidResponseUrl, InvalidSlackApiUrl, ResponseUrl, ResponseUrlRule};
use crate::slack::signature::{SigningSecret, verify};
pub use crate::slack::trigger::TriggerId;
use crate::time::Timestamp;

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
