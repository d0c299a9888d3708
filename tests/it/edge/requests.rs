//! Requests as Slack would send them, and as it would not.

use hmac::{Hmac, KeyInit as _, Mac as _};
use keyvend::functions::slack::response::response;
use keyvend::http::api_gateway::{HttpRequest, HttpResponse};
use keyvend::slack::receive::{
    AppIdentity, ReceiveOutcome, RejectReason, ResponseUrlRule, SlackEnvelope, receive as receive_request,
};
use keyvend::slack::signature::SignatureError;
use keyvend::slack::signature::SigningSecret;
use keyvend::time::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub(crate) const NOW: i64 = 1_700_000_000;
/// Stands where Slack sends what must not be queued.
pub(crate) const UNWANTED: &str = "unwanted-7c1e";

pub(crate) fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn gateway_cases() -> Vec<Value> {
    cases(include_str!("../../vectors/slack-gateway-events.json"))
}

pub(crate) fn secret(text: &str) -> SigningSecret {
    SigningSecret::new(text.to_owned()).unwrap()
}

pub(crate) fn pins(app_id: &str, team_ids: &[&str]) -> AppIdentity {
    AppIdentity {
        app_id: app_id.parse().unwrap(),
        team_ids: team_ids.iter().map(|id| id.parse().unwrap()).collect(),
        response_urls: ResponseUrlRule::for_api("https://slack.com/api/").unwrap(),
    }
}

pub(crate) fn ours() -> AppIdentity {
    pins("A123456", &["T0001", "T0002"])
}

/// A request as a test sends it: signed unless it says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) media_type: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) signed_with: Option<&'static str>,
    pub(crate) skew: i64,
}

impl Sent {
    pub(crate) fn to(path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".to_owned(),
            path: path.to_owned(),
            media_type: Some(media_type.to_owned()),
            body: body.into(),
            signed_with: Some(SECRET),
            skew: 0,
        }
    }

    pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Self {
        Self::to(path, "application/x-www-form-urlencoded", encoded(fields))
    }

    pub(crate) fn payload(payload: &Value) -> Self {
        Self::form("/slack/interactive", &[("payload", &payload.to_string())])
    }

    pub(crate) fn event(event: &Value) -> Self {
        Self::to("/slack/events", "application/json", event.to_string())
    }

    pub(crate) fn request(&self) -> HttpRequest {
        let timestamp = (NOW + self.skew).to_string();
        let mut headers: Vec<(String, String)> = Vec::new();
        headers.extend(self.media_type.iter().map(|value| ("Content-Type".to_owned(), value.clone())));
        if let Some(secret) = self.signed_with {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(format!("v0:{timestamp}:").as_bytes());
            mac.update(&self.body);
            let signature = format!("v0={}", hex(&mac.finalize().into_bytes()));
            headers.push(("X-Slack-Request-Timestamp".to_owned(), timestamp));
            headers.push(("X-Slack-Signature".to_owned(), signature));
        }
        HttpRequest::new(self.method.clone(), self.path.clone(), headers, self.body.clone()).unwrap()
    }

    pub(crate) fn receive(&self) -> Received {
        receive(&self.request(), &ours(), &[secret("a-newer-secret"), secret(SECRET)], Timestamp(NOW))
    }

    pub(crate) fn status(&self) -> u16 {
        parts(&self.receive()).1.status
    }

    pub(crate) fn queued(&self) -> SlackEnvelope {
        match self.receive() {
            Received::Queued(message, response) => {
                assert_eq!(response.status, 200);
                *message
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a request is received as, with its answer.
#[derive(Debug)]
pub(crate) enum Received {
    Answered(HttpResponse),
    Queued(Box<SlackEnvelope>, HttpResponse),
    SignatureMismatch(HttpResponse),
}

pub(crate) fn receive(
    request: &HttpRequest,
    ours: &AppIdentity,
    secrets: &[SigningSecret],
    now: Timestamp,
) -> Received {
    let outcome = receive_request(request, ours, secrets, now);
    let response = response(&outcome);
    match outcome {
        ReceiveOutcome::Queue(message) => Received::Queued(message, response),
        ReceiveOutcome::Rejected(RejectReason::Signature(SignatureError::Mismatch)) => {
            Received::SignatureMismatch(response)
        }
        _ => Received::Answered(response),
    }
}

pub(crate) fn parts(received: &Received) -> (Option<&SlackEnvelope>, &HttpResponse) {
    match received {
        Received::Answered(response) | Received::SignatureMismatch(response) => (None, response),
        Received::Queued(message, response) => (Some(message), response),
    }
}

pub(crate) fn content_type(response: &HttpResponse) -> Option<&str> {
    response.headers.iter().find(|(name, _)| *name == "Content-Type").map(|(_, value)| value.as_str())
}

pub(crate) fn body_json(response: &HttpResponse) -> Option<Value> {
    serde_json::from_str(&response.body).ok()
}

pub(crate) fn ephemeral_text(response: &HttpResponse) -> Option<String> {
    let body = body_json(response)?;
    let ephemeral =
        body["response_type"] == "ephemeral" && content_type(response) == Some("application/json");
    body["text"].as_str().filter(|_| ephemeral).map(str::to_owned)
}

pub(crate) const SLASH: [(&str, &str); 10] = [
    ("token", UNWANTED),
    ("api_app_id", "A123456"),
    ("team_id", "T0001"),
    ("user_id", "U0001"),
    ("user_name", "alice_owner"),
    ("channel_id", "C0001"),
    ("command", "/aws-key"),
    ("text", "create ci@prod use:cli ttl:30d to deploy"),
    ("response_url", "https://hooks.slack.com/commands/T0001/1/x"),
    ("trigger_id", "1.2.x"),
];

/// The slash command's fields with some replaced, or skipped where replaced by nothing.
pub(crate) fn slash(changes: &[(&str, Option<&str>)]) -> Sent {
    let fields: Vec<(&str, &str)> = SLASH
        .iter()
        .filter_map(|(name, value)| match changes.iter().find(|(changed, _)| changed == name) {
            Some((_, change)) => change.map(|value| (*name, value)),
            None => Some((*name, *value)),
        })
        .collect();
    Sent::form("/slack/commands", &fields)
}

pub(crate) fn say(text: &str) -> Sent {
    slash(&[("text", Some(text))])
}

pub(crate) fn press() -> Value {
    json!({
        "type": "block_actions",
        "token": UNWANTED,
        "api_app_id": "A123456",
        "team": { "id": "T0001", "domain": "example" },
        "user": { "id": "U0002", "username": "bob_approver", "team_id": "T0001" },
        "container": {
            "type": "message", "message_ts": "1700000000.000100", "channel_id": "C0002", "is_ephemeral": false
        },
        "trigger_id": "1.2.x",
        "is_enterprise_install": false,
        "channel": { "id": "C0002", "name": "approvals" },
        "message": { "ts": "1.2", "text": UNWANTED, "blocks": [{ "type": "new", "url": UNWANTED }] },
        "response_url": "https://hooks.slack.com/actions/T0001/1/x",
        "actions": [{
            "type": "button", "action_id": "approve", "block_id": UNWANTED, "value": "0123456789ABCDEF.01234567",
            "text": { "type": "plain_text", "text": UNWANTED }
        }]
    })
}

pub(crate) fn submission() -> Value {
    json!({
        "type": "view_submission",
        "token": UNWANTED,
        "api_app_id": "A123456",
        "team": { "id": "T0001" },
        "user": { "id": "U0002" },
        "view": {
            "id": "V1",
            "callback_id": "deny",
            "private_metadata": "0123456789ABCDEF.01234567",
            "blocks": [{ "type": "section", "text": UNWANTED }],
            "state": { "values": {
                "reason": { "input": { "type": "plain_text_input", "value": "not\nneeded" } },
                "use_case": { "menu": { "type": "static_select", "selected_option": { "value": "cli" } } },
                "empty": { "input": { "type": "plain_text_input", "value": null } }
            } }
        }
    })
}

pub(crate) fn user_change() -> Value {
    json!({
        "type": "event_callback",
        "token": UNWANTED,
        "api_app_id": "A123456",
        "team_id": "T0001",
        "event": { "type": "user_change", "user": {
            "id": "U0009", "deleted": true, "profile": { "email": UNWANTED }
        } }
    })
}

pub(crate) fn member_joined() -> Value {
    json!({
        "type": "event_callback",
        "token": UNWANTED,
        "api_app_id": "A123456",
        "team_id": "T0001",
        "event_id": "Ev0001",
        "authorizations": [{ "team_id": "T0001", "user_id": "U0KEYVEND", "is_bot": true }],
        "event": {
            "type": "member_joined_channel", "user": "U0009", "channel": "C0APPROVE", "channel_type": "G",
            "team": "T0001", "inviter": "U0008", "enterprise": UNWANTED
        }
    })
}

pub(crate) fn members_changed() -> Value {
    json!({
        "type": "event_callback",
        "token": UNWANTED,
        "api_app_id": "A123456",
        "team_id": "T0001",
        "event_id": "Ev0002",
        "event": {
            "type": "subteam_members_changed", "subteam_id": "S0001", "team_id": "T0001",
            "date_previous_update": 1_699_999_999, "date_update": 1_700_000_000,
            "added_users": ["U0009", "U0010"], "added_users_count": "2",
            "removed_users": ["U0011"], "removed_users_count": "1"
        }
    })
}

pub(crate) fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    *base.pointer_mut(pointer).unwrap() = value;
    base
}
