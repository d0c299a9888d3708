//! Events (<https://docs.slack.dev/apis/events-api>): somebody was deactivated. All others are acknowledged, so that
//! Slack does not send them again.

use serde_json::{Value, json};

use super::message::{Message, What};
use super::{Pins, Received, Refused, acknowledged, text};
use crate::gateway::HttpResponse;
use crate::id::PersonId;
use crate::signature::Verified;

pub(super) fn receive(signed: &Verified<Value>, pins: &Pins) -> Result<Received, Refused> {
    let body = signed.get();
    match text(body, "/type").ok_or(Refused::Lacks("type"))? {
        // JSON, never text: a challenge echoed as HTML would run in a browser.
        "url_verification" => {
            let challenge = text(body, "/challenge").ok_or(Refused::Lacks("challenge"))?;
            Ok(Received::Answer(HttpResponse::json(&json!({ "challenge": challenge }))))
        }
        "event_callback" => {
            pins.app(text(body, "/api_app_id"))?;
            let team = pins.team(text(body, "/team_id"))?;
            let left = text(body, "/event/type") == Some("user_change")
                && body.pointer("/event/user/deleted") == Some(&Value::Bool(true));
            if !left {
                return Ok(acknowledged());
            }
            let user = text(body, "/event/user/id").and_then(|id| id.parse().ok());
            let person = PersonId { team, user: user.ok_or(Refused::Lacks("user"))? };
            let message = Message::of(signed, person, What::PersonLeft);
            Ok(Received::Queue(Box::new(message), HttpResponse::empty(200)))
        }
        _ => Ok(acknowledged()),
    }
}
