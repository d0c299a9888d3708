//! The internet-facing edge as a whole: gateway events in, an answer and perhaps a queue message out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyvend::command::Command;
use keyvend::form::Form;
use keyvend::gateway::{BODY_LIMIT, Header, HttpRequest, HttpResponse};
use keyvend::inbound::{Interaction, Message, Pins, Received, ResponseUrlRule, What, receive};
use keyvend::signature::{SignatureError, SigningSecret, verify};
use keyvend::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const NOW: i64 = 1_700_000_000;
const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 405, 413, 415];
/// Stands where Slack sends what must not be queued.
const UNWANTED: &str = "unwanted-7c1e";

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn gateway_cases() -> Vec<Value> {
    cases(include_str!("vectors/slack-gateway-events.json"))
}

fn secret(text: &str) -> SigningSecret {
    SigningSecret::new(text.to_owned()).unwrap()
}

fn header(value: &Value) -> Header<'_> {
    value.as_str().map_or(Header::Absent, Header::One)
}

fn pins(app_id: &str, team_ids: &[&str]) -> Pins {
    Pins {
        app_id: app_id.parse().unwrap(),
        team_ids: team_ids.iter().map(|id| id.parse().unwrap()).collect(),
        response_urls: ResponseUrlRule::for_api("https://slack.com/api/").unwrap(),
    }
}

fn ours() -> Pins {
    pins("A123456", &["T0001", "T0002"])
}

#[test]
fn every_signature_case_has_its_verdict_and_reason() {
    let cases = cases(include_str!("vectors/slack-signature.json"));
    assert_eq!(cases.len(), 71);
    for case in &cases {
        let name = &case["name"];
        let accepted = case["expect"] == "accept";
        let reason = case["reason"].as_str().unwrap_or_default();
        let texts = std::iter::once(&case["signing_secret"])
            .chain(case["also_secrets"].as_array().into_iter().flatten())
            .map(|text| text.as_str().unwrap().to_owned());
        let secrets: Vec<SigningSecret> = match texts.map(SigningSecret::new).collect() {
            Ok(secrets) => secrets,
            Err(_) => {
                let refused_as = [("boltjs_secret_empty", "bad_secret_config")];
                let blanks = name == "secret_trailing_newline_not_trimmed_here";
                assert!(blanks || refused_as.iter().any(|(n, r)| name == n && reason == *r), "{name}");
                continue;
            }
        };
        let body = match case["body_base64"].as_str() {
            Some(text) => STANDARD.decode(text).unwrap(),
            None => case["body"].as_str().unwrap_or_default().as_bytes().to_vec(),
        };
        let now = Timestamp(case["now"].as_i64().unwrap());
        let (timestamp, signature) = (header(&case["timestamp"]), header(&case["signature"]));
        match verify(&secrets, timestamp, signature, &body, now) {
            Ok(verified) => {
                assert!(accepted, "{name}");
                assert_eq!(*verified.get(), body, "{name}");
                let text = case["signature"].as_str().unwrap();
                assert_eq!(verified.hash().to_string(), hex(&Sha256::digest(text)), "{name}");
            }
            Err(error) => {
                assert!(!accepted, "{name}: {error}");
                let well_formed = case["signature"].as_str().is_some_and(|text| {
                    text.len() == 67 && text[3..].bytes().all(|b| b"0123456789abcdef".contains(&b))
                });
                let expected = match reason {
                    "missing_header" => SignatureError::Missing,
                    "bad_timestamp" => SignatureError::BadTimestamp,
                    "stale_timestamp" => SignatureError::Stale,
                    "future_timestamp" => SignatureError::Future,
                    "bad_signature_format" => SignatureError::BadFormat,
                    "signature_mismatch" if well_formed => SignatureError::Mismatch,
                    "signature_mismatch" => SignatureError::BadFormat,
                    other => panic!("{name}: unknown reason {other}"),
                };
                assert_eq!(error, expected, "{name}");
            }
        }
    }
}

#[test]
fn every_gateway_case_has_its_status_and_outcome() {
    let cases = gateway_cases();
    assert_eq!(cases.len(), 26);
    for case in &cases {
        let name = &case["name"];
        let teams: Vec<&str> =
            case["config"]["team_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let pins = pins(case["config"]["api_app_id"].as_str().unwrap(), &teams);
        let secrets = [secret(case["signing_secret"].as_str().unwrap())];
        let now = Timestamp(case["now"].as_i64().unwrap());
        let request = HttpRequest::try_from(case["event"].clone()).unwrap();
        if let Some(text) = case["parsed_text"].as_str() {
            assert_eq!(Form::parse(request.body()).unwrap().get("text"), Some(text), "{name}");
        }
        let received = receive(&request, &pins, &secrets, now);
        let (message, response) = parts(&received);
        assert_eq!(response.status, case["expect"]["status"], "{name}: {received:?}");
        let what = message.map(|message| &message.what);
        let right = match case["expect"]["outcome"].as_str().unwrap() {
            "refused" => message.is_none() && response.status >= 400,
            "command" | "ephemeral_help" => match what {
                None => ephemeral_text(response).is_some(),
                Some(what) => matches!(what, What::Command(_)),
            },
            "interaction" => matches!(what, Some(What::Interaction(_))) && response.body.is_empty(),
            "ephemeral_refusal" => message.is_some() || ephemeral_text(response).is_some(),
            "ssl_check_ack" => message.is_none() && response.body.is_empty(),
            "challenge_echo" => {
                let sent: Value = serde_json::from_slice(request.body()).unwrap();
                content_type(response) == Some("application/json")
                    && response.body == json!({ "challenge": sent["challenge"] }).to_string()
            }
            other => panic!("{name}: unknown outcome {other}"),
        };
        assert!(right, "{name}: {received:?}");
        if response.status == 401 {
            assert_eq!(response.body, "", "{name}");
        }
    }
}

/// A request as a test sends it: signed unless it says otherwise.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    path: String,
    media_type: Option<String>,
    body: Vec<u8>,
    signed_with: Option<&'static str>,
    skew: i64,
}

impl Sent {
    fn to(path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".to_owned(),
            path: path.to_owned(),
            media_type: Some(media_type.to_owned()),
            body: body.into(),
            signed_with: Some(SECRET),
            skew: 0,
        }
    }

    fn form(path: &str, fields: &[(&str, &str)]) -> Self {
        Self::to(path, "application/x-www-form-urlencoded", encoded(fields))
    }

    fn payload(payload: &Value) -> Self {
        Self::form("/slack/interactive", &[("payload", &payload.to_string())])
    }

    fn event(event: &Value) -> Self {
        Self::to("/slack/events", "application/json", event.to_string())
    }

    fn request(&self) -> HttpRequest {
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

    fn receive(&self) -> Received {
        receive(&self.request(), &ours(), &[secret("a-newer-secret"), secret(SECRET)], Timestamp(NOW))
    }

    fn status(&self) -> u16 {
        parts(&self.receive()).1.status
    }

    fn queued(&self) -> Message {
        match self.receive() {
            Received::Queue(message, response) => {
                assert_eq!(response.status, 200);
                *message
            }
            other => panic!("{other:?}"),
        }
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn parts(received: &Received) -> (Option<&Message>, &HttpResponse) {
    match received {
        Received::Answer(response) | Received::SignatureMismatch(response) => (None, response),
        Received::Queue(message, response) => (Some(message), response),
    }
}

fn content_type(response: &HttpResponse) -> Option<&str> {
    response.headers.iter().find(|(name, _)| *name == "Content-Type").map(|(_, value)| value.as_str())
}

fn ephemeral_text(response: &HttpResponse) -> Option<String> {
    let body: Value = serde_json::from_str(&response.body).ok()?;
    let ephemeral =
        body["response_type"] == "ephemeral" && content_type(response) == Some("application/json");
    body["text"].as_str().filter(|_| ephemeral).map(str::to_owned)
}

const SLASH: [(&str, &str); 10] = [
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

/// The slash command's fields with some replaced, or left out where replaced by nothing.
fn slash(changes: &[(&str, Option<&str>)]) -> Sent {
    let fields: Vec<(&str, &str)> = SLASH
        .iter()
        .filter_map(|(name, value)| match changes.iter().find(|(changed, _)| changed == name) {
            Some((_, change)) => change.map(|value| (*name, value)),
            None => Some((*name, *value)),
        })
        .collect();
    Sent::form("/slack/commands", &fields)
}

fn say(text: &str) -> Sent {
    slash(&[("text", Some(text))])
}

fn press() -> Value {
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

fn submission() -> Value {
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

fn user_change() -> Value {
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

fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    *base.pointer_mut(pointer).unwrap() = value;
    base
}

#[test]
fn a_command_is_queued_as_an_allow_list() {
    let sent = slash(&[]);
    let message = sent.queued();
    let body = serde_json::to_string_pretty(&message).unwrap();
    insta::assert_snapshot!(body, @r#"
    {
      "id": "XH83VHCYVC1T7A5P",
      "dedup": "ec503dc59edb03a3a8b65a52c4db8d42c826f55bd8477660702398040e38a3f7",
      "signed_at": 1700000000,
      "person": "T0001.U0001",
      "channel": "C0001",
      "response_url": "https://hooks.slack.com/commands/T0001/1/x",
      "trigger_id": "1.2.x",
      "what": {
        "command": {
          "create": {
            "user": "ci",
            "account": "prod",
            "use_case": "cli",
            "days": 30,
            "reason": "to deploy"
          }
        }
      }
    }
    "#);
    assert_eq!(message.id.to_string().len(), 16);
    assert_eq!(message.group_id(), "T0001.U0001");
    assert_eq!(serde_json::from_str::<Message>(&body).unwrap(), message);
    insta::assert_snapshot!(parts(&sent.receive()).1.body, @r#"{"response_type":"ephemeral","text":"Checking... the answer comes here in a moment."}"#);
}

#[test]
fn the_same_signed_request_gives_the_same_message_and_another_time_another() {
    let first = say("status");
    let later = Sent { skew: 1, ..say("status") };
    assert_eq!(first.queued(), first.queued());
    assert_ne!(first.queued().id, later.queued().id);
    assert_ne!(first.queued().dedup, later.queued().dedup);
    assert_eq!(later.queued().signed_at, Timestamp(NOW + 1));
}

#[test]
fn help_and_syntax_errors_are_answered_at_once_under_the_commands_own_name() {
    let text = |sent: Sent| match sent.receive() {
        Received::Answer(response) => ephemeral_text(&response).unwrap(),
        other => panic!("{other:?}"),
    };
    for line in ["", " ", "help", "Help me"] {
        assert!(text(say(line)).contains("`/aws-key create &lt;iam-user&gt;"), "{line:?}");
    }
    assert_eq!(text(slash(&[("text", None)])), text(say("")));
    insta::assert_snapshot!(text(say("create ci use:cli to deploy")), @r#"How many days should the key live? Add `ttl:`, such as `ttl:30d`. Type `/aws-key create ci use:cli ttl:30d why you need it`"#);
    insta::assert_snapshot!(text(say("create &lt;!channel&gt; use:cli ttl:1d x")), @r#"`&lt;!channel&gt;` is not an IAM user name. Write it as it stands in the AWS console. Type `/aws-key create ci-deployer use:cli ttl:1d why you need it`"#);
    for name in [None, Some("aws-key"), Some("/"), Some("/<!here>"), Some("/aws key"), Some("/`"), Some("")] {
        let reply = text(slash(&[("text", Some("nope")), ("command", name)]));
        assert!(reply.ends_with("Type `/access-key help`"), "{name:?}: {reply}");
    }
}

#[test]
fn a_press_is_queued_with_the_button_and_its_message_only() {
    let sent = Sent::payload(&press());
    let message = sent.queued();
    let pressed = serde_json::to_string_pretty(&message.what).unwrap();
    insta::assert_snapshot!(pressed, @r#"
    {
      "interaction": {
        "block_actions": {
          "action_id": "approve",
          "value": "0123456789ABCDEF.01234567",
          "message": {
            "channel": "C0002",
            "ts": "1700000000.000100"
          },
          "ephemeral": false
        }
      }
    }
    "#);
    assert_eq!(message.person.to_string(), "T0001.U0002");
    assert_eq!(message.group_id(), "0123456789ABCDEF");
    assert_eq!(parts(&sent.receive()).1.body, "");
}

#[test]
fn a_submitted_form_is_queued_as_what_was_filled_in() {
    let message = Sent::payload(&submission()).queued();
    let what = serde_json::to_string_pretty(&message.what).unwrap();
    insta::assert_snapshot!(what, @r#"
    {
      "interaction": {
        "view_submission": {
          "callback_id": "deny",
          "carried": "0123456789ABCDEF.01234567",
          "values": {
            "reason": "not needed",
            "use_case": "cli"
          }
        }
      }
    }
    "#);
    assert_eq!(message.group_id(), "0123456789ABCDEF");
    let free = with(submission(), "/view/private_metadata", json!(""));
    assert_eq!(Sent::payload(&free).queued().group_id(), "T0001.U0002");
}

#[test]
fn a_person_who_was_deactivated_is_queued() {
    let message = Sent::event(&user_change()).queued();
    assert_eq!(message.what, What::PersonLeft);
    assert_eq!(message.person.to_string(), "T0001.U0009");
}

#[test]
fn what_needs_no_work_is_acknowledged_with_an_empty_body() {
    let cases = [
        ("a link button", Sent::payload(&with(press(), "/actions/0/action_id", json!("open-link")))),
        ("a closed form", Sent::payload(&with(submission(), "/type", json!("view_closed")))),
        ("a shortcut", Sent::payload(&with(press(), "/type", json!("shortcut")))),
        ("an unknown interaction", Sent::payload(&with(press(), "/type", json!("brand_new")))),
        ("a changed user", Sent::event(&with(user_change(), "/event/user/deleted", json!(false)))),
        ("a user deleted by word", Sent::event(&with(user_change(), "/event/user/deleted", json!("true")))),
        ("another event", Sent::event(&with(user_change(), "/event/type", json!("team_join")))),
        ("another event type", Sent::event(&json!({ "type": "app_rate_limited" }))),
        ("ssl_check", Sent { signed_with: None, ..Sent::form("/slack/commands", &[("ssl_check", "1")]) }),
        (
            "ssl_check of interactions",
            Sent {
                signed_with: None,
                ..Sent::form("/slack/interactive", &[("ssl_check", "1"), ("token", "x")])
            },
        ),
    ];
    for (name, sent) in cases {
        match sent.receive() {
            Received::Answer(response) => assert_eq!(response, HttpResponse::empty(200), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn an_organisation_wide_install_goes_by_the_persons_own_team() {
    let org = |team: Value, user_team: &str, org_wide: Value| {
        let payload = with(press(), "/team", team);
        let payload = with(payload, "/user/team_id", json!(user_team));
        Sent::payload(&with(payload, "/is_enterprise_install", org_wide))
    };
    assert_eq!(org(json!(null), "T0002", json!(true)).queued().person.to_string(), "T0002.U0002");
    let refused = [
        org(json!(null), "T9999", json!(true)),
        org(json!(null), "T0002", json!(false)),
        org(json!(null), "T0002", json!("true")),
        org(json!({ "id": "T9999" }), "T0002", json!(true)),
        org(json!({}), "T0002", json!(true)),
        org(json!("T0001"), "T0002", json!(true)),
    ];
    for sent in refused {
        assert_eq!(sent.status(), 403, "{}", String::from_utf8_lossy(&sent.body));
    }
}

#[test]
fn what_is_not_as_slack_sends_it_to_us_is_refused() {
    let sent = |change: fn(&mut Sent)| {
        let mut sent = say("whoami");
        change(&mut sent);
        sent
    };
    let raw = |path: &str, media_type: &str, body: &str| Sent::to(path, media_type, body);
    let form = "application/x-www-form-urlencoded";
    let cases = [
        (404, "another path", sent(|s| s.path = "/slack".to_owned())),
        (404, "a trailing slash", sent(|s| s.path = "/slack/commands/".to_owned())),
        (404, "an unknown path by GET", sent(|s| (s.path, s.method) = ("/".to_owned(), "GET".to_owned()))),
        (405, "GET", sent(|s| s.method = "GET".to_owned())),
        (405, "a lower-case method", sent(|s| s.method = "post".to_owned())),
        (405, "OPTIONS", sent(|s| s.method = "OPTIONS".to_owned())),
        (401, "unsigned", sent(|s| s.signed_with = None)),
        (401, "unsigned and of no type", sent(|s| (s.signed_with, s.media_type) = (None, None))),
        (401, "another secret", sent(|s| s.signed_with = Some("another"))),
        (401, "too old", sent(|s| s.skew = -301)),
        (401, "too new", sent(|s| s.skew = 301)),
        (200, "just old enough", sent(|s| s.skew = -300)),
        (200, "just new enough", sent(|s| s.skew = 300)),
        (
            200,
            "a character set",
            sent(|s| s.media_type = Some("application/x-www-form-urlencoded; charset=utf-8".to_owned())),
        ),
        (415, "JSON for a command", sent(|s| s.media_type = Some("application/json".to_owned()))),
        (415, "no type", sent(|s| s.media_type = None)),
        (415, "a form for an event", raw("/slack/events", form, "{}")),
        (400, "a repeated field", raw("/slack/commands", form, "user_id=U1&user_id=U2")),
        (400, "a broken percent", raw("/slack/commands", form, "text=%zz")),
        (403, "an empty form", raw("/slack/commands", form, "")),
        (403, "no app", slash(&[("api_app_id", None)])),
        (403, "another app", slash(&[("api_app_id", Some("A123457"))])),
        (403, "no team", slash(&[("team_id", None)])),
        (403, "another team", slash(&[("team_id", Some("T9999"))])),
        (403, "another app and no user", slash(&[("api_app_id", Some("A9")), ("user_id", None)])),
        (400, "no user", slash(&[("user_id", None)])),
        (400, "no user's id", slash(&[("user_id", Some("alice"))])),
        (400, "a foreign response_url", slash(&[("response_url", Some("https://evil.test/x"))])),
        (200, "no response_url", slash(&[("response_url", None)])),
        (200, "a channel of a new kind", slash(&[("channel_id", Some("X1"))])),
        (400, "no payload", raw("/slack/interactive", form, "a=b")),
        (400, "a payload that is no JSON", raw("/slack/interactive", form, "payload=%7B")),
        (400, "a payload that is no object", raw("/slack/interactive", form, "payload=%5B%5D")),
        (400, "two payloads", raw("/slack/interactive", form, "payload=%7B%7D&payload=%7B%7D")),
        (403, "a payload of nobody", raw("/slack/interactive", form, "payload=%7B%7D")),
        (403, "a press in another app", Sent::payload(&with(press(), "/api_app_id", json!("A9")))),
        (403, "a press in another team", Sent::payload(&with(press(), "/team/id", json!("T9999")))),
        (
            403,
            "a link press in another team",
            Sent::payload(&with(
                with(press(), "/actions/0/action_id", json!("open-link")),
                "/team/id",
                json!("T9999"),
            )),
        ),
        (400, "a press of no type", Sent::payload(&with(press(), "/type", json!(null)))),
        (400, "a press by nobody", Sent::payload(&with(press(), "/user/id", json!(null)))),
        (400, "a press of nothing", Sent::payload(&with(press(), "/actions", json!([])))),
        (
            400,
            "a press of two",
            Sent::payload(&with(press(), "/actions", json!([{ "action_id": "a" }, { "action_id": "b" }]))),
        ),
        (400, "a nameless press", Sent::payload(&with(press(), "/actions/0/action_id", json!(null)))),
        (
            400,
            "a foreign response_url in a press",
            Sent::payload(&with(press(), "/response_url", json!("https://evil.test/x"))),
        ),
        (400, "a nameless form", Sent::payload(&with(submission(), "/view/callback_id", json!(null)))),
        (400, "an event that is no JSON", raw("/slack/events", "application/json", "{")),
        (400, "an event that is no object", raw("/slack/events", "application/json", "[]")),
        (400, "an event deep enough to hurt", raw("/slack/events", "application/json", &"[".repeat(100_000))),
        (400, "an event of no type", Sent::event(&json!({}))),
        (400, "no challenge", Sent::event(&json!({ "type": "url_verification" }))),
        (403, "an event of another app", Sent::event(&with(user_change(), "/api_app_id", json!("A9")))),
        (403, "an event of another team", Sent::event(&with(user_change(), "/team_id", json!("T9999")))),
        (403, "an event of no team", Sent::event(&with(user_change(), "/team_id", json!(null)))),
        (400, "nobody left", Sent::event(&with(user_change(), "/event/user/id", json!(7)))),
        (
            401,
            "ssl_check of events",
            Sent { signed_with: None, ..Sent::form("/slack/events", &[("ssl_check", "1")]) },
        ),
        (
            401,
            "ssl_check as JSON",
            Sent { signed_with: None, ..raw("/slack/commands", "application/json", "ssl_check=1") },
        ),
        (
            401,
            "ssl_check with a command",
            Sent { signed_with: None, ..Sent::form("/slack/commands", &[("ssl_check", "1"), ("text", "x")]) },
        ),
        (
            401,
            "ssl_check with a payload",
            Sent {
                signed_with: None,
                ..Sent::form("/slack/interactive", &[("ssl_check", "1"), ("payload", "{}")])
            },
        ),
        (
            401,
            "two ssl_checks",
            Sent { signed_with: None, ..raw("/slack/commands", form, "ssl_check=1&ssl_check=1") },
        ),
        (401, "ssl_check=0", Sent { signed_with: None, ..raw("/slack/commands", form, "ssl_check=0") }),
        (401, "an unsigned nothing", Sent { signed_with: None, ..raw("/slack/commands", form, "") }),
    ];
    for (status, name, sent) in cases {
        let received = sent.receive();
        assert_eq!(parts(&received).1.status, status, "{name}: {received:?}");
        assert_eq!(parts(&received).0.is_some(), status == 200, "{name}: {received:?}");
    }
}

#[test]
fn only_a_fresh_well_formed_signature_that_fits_no_secret_is_worth_another_look_at_the_secrets() {
    let mismatch = |sent: Sent| matches!(sent.receive(), Received::SignatureMismatch(r) if r == HttpResponse::empty(401));
    assert!(mismatch(Sent { signed_with: Some("rotated"), ..say("whoami") }));
    assert!(!mismatch(Sent { signed_with: Some("rotated"), skew: 301, ..say("whoami") }));
    assert!(!mismatch(Sent { signed_with: None, ..say("whoami") }));
}

#[test]
fn no_input_makes_a_message_that_the_queue_would_refuse() {
    let key = "\u{1f511}".repeat(2_000);
    let quotes = "\"\u{1}\\".repeat(3_000);
    let url = format!("https://hooks.slack.com/{}", "x".repeat(488));
    for text in [key.as_str(), &quotes] {
        let values: serde_json::Map<String, Value> = (0..14)
            .map(|n| (format!("{n:02}{}", &text[..280]), json!({ "input": { "value": &text[..1240] } })))
            .collect();
        let mut form = submission();
        form["view"]["state"]["values"] = Value::Object(values);
        form["view"]["callback_id"] = json!(text[..840]);
        form["view"]["private_metadata"] = json!(text[..840]);
        form["trigger_id"] = json!("x".repeat(256));
        form["response_url"] = json!(url);
        let mut button = press();
        button["actions"][0]["value"] = json!(text[..8000]);
        button["actions"][0]["action_id"] = json!(text[..8000]);
        let reason: String = text.chars().take(200).collect();
        let command = say(&format!("create ci use:cli ttl:1d {reason}"));
        for sent in [Sent::payload(&form), Sent::payload(&button), command] {
            let length = serde_json::to_string(&sent.queued()).unwrap().len();
            assert!(length < 32 * 1024, "{length}");
        }
    }
}

#[test]
fn a_cut_value_is_never_a_valid_one() {
    let long = format!("0123456789ABCDEF.01234567{}", " ".repeat(400));
    let message = Sent::payload(&with(press(), "/actions/0/value", json!(long))).queued();
    let What::Interaction(Interaction::BlockActions { value, .. }) = message.what else { panic!() };
    assert_eq!(value.len(), 200);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(vec!["T0001", "A123456", "U0001", "block_actions", "true", "2.0", "POST", ""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place inside a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, v)| pointers(v, &format!("{at}/{}", escaped(key)), all))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, v)| pointers(v, &format!("{at}/{n}"), all))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value with something else in up to two places.
fn damaged(base: Value) -> impl Strategy<Value = Value> {
    let mut all = Vec::new();
    pointers(&base, "", &mut all);
    prop::collection::vec((prop::sample::select(all), any_json()), 0..3).prop_map(move |changes| {
        changes.into_iter().fold(base.clone(), |mut value, (pointer, change)| {
            if let Some(place) = value.pointer_mut(&pointer) {
                *place = change;
            }
            value
        })
    })
}

/// A request, and whether its body is our app's and our team's by a reading of its own.
fn any_sent() -> impl Strategy<Value = (Sent, bool)> {
    let field = |name: &'static str, right: &'static str| {
        prop_oneof![
            6 => Just(Some((name.to_owned(), right.to_owned()))),
            1 => Just(None),
            1 => ".{0,9}".prop_map(move |value| Some((name.to_owned(), value))),
        ]
    };
    let line = prop_oneof![
        Just("create ci use:cli ttl:30d to deploy".to_owned()),
        Just("status".to_owned()),
        "create .{0,40}",
        ".*",
    ];
    let command = (
        [field("api_app_id", "A123456"), field("team_id", "T0002"), field("user_id", "U0001")],
        [field("command", "/k"), field("channel_id", "C1"), field("trigger_id", "1.x")],
        prop_oneof![4 => Just("https://hooks.slack.com/x".to_owned()), 1 => ".*"],
        line,
    )
        .prop_map(|(first, second, url, line)| {
            let mut fields: Vec<(String, String)> = first.into_iter().chain(second).flatten().collect();
            fields.push(("response_url".to_owned(), url));
            fields.push(("text".to_owned(), line));
            let has = |name: &str, values: &[&str]| {
                fields.iter().any(|(n, v)| n == name && values.contains(&v.as_str()))
            };
            let ours = has("api_app_id", &["A123456"]) && has("team_id", &["T0001", "T0002"]);
            let pairs: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            (Sent::form("/slack/commands", &pairs), ours)
        });
    let interaction = prop_oneof![damaged(press()), damaged(submission())].prop_map(|payload| {
        let org_wide = payload["team"].is_null() && payload["is_enterprise_install"] == true;
        let team = if org_wide { &payload["user"]["team_id"] } else { &payload["team"]["id"] };
        let ours = payload["api_app_id"] == "A123456" && (team == "T0001" || team == "T0002");
        (Sent::payload(&payload), ours)
    });
    let event = damaged(user_change()).prop_map(|event| {
        let ours = event["api_app_id"] == "A123456" && event["team_id"] == "T0001";
        (Sent::event(&event), ours)
    });
    let noise = (prop::collection::vec(any::<u8>(), 0..300), 0usize..3).prop_map(|(body, route)| {
        let (path, media_type) = [
            ("/slack/commands", "application/x-www-form-urlencoded"),
            ("/slack/interactive", "application/x-www-form-urlencoded"),
            ("/slack/events", "application/json"),
        ][route];
        (Sent::to(path, media_type, body), false)
    });
    let sent = prop_oneof![3 => command, 3 => interaction, 2 => event, 1 => noise];
    let around = (
        prop_oneof![8 => Just("POST".to_owned()), 1 => ".{0,6}"],
        prop_oneof![8 => Just(None), 1 => "(/slack/(commands|interactive|events)|.{0,20})".prop_map(Some)],
        prop_oneof![8 => Just(None), 1 => Just(Some(None)), 1 => ".{0,30}".prop_map(|t| Some(Some(t)))],
        prop_oneof![6 => Just(Some(SECRET)), 1 => Just(Some("another")), 1 => Just(None)],
        prop_oneof![4 => -300i64..=300, 1 => -400i64..=400],
    );
    (sent, around).prop_map(|((sent, ours), (method, path, media_type, signed_with, skew))| {
        let path = path.unwrap_or(sent.path);
        let media_type = media_type.unwrap_or(sent.media_type);
        (Sent { method, path, media_type, body: sent.body, signed_with, skew }, ours)
    })
}

fn check_response(response: &HttpResponse) -> Result<(), TestCaseError> {
    prop_assert!(STATUSES.contains(&response.status), "{:?}", response);
    prop_assert_eq!(response.body.is_empty(), content_type(response).is_none());
    prop_assert!(response.clone().into_event()["statusCode"].is_u64());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn only_what_slack_signed_for_our_app_and_team_is_queued((sent, ours) in any_sent()) {
        let received = sent.receive();
        let (message, response) = parts(&received);
        check_response(response)?;
        let signed = sent.signed_with == Some(SECRET) && sent.skew.abs() <= 300;
        if !signed && sent.method == "POST" {
            prop_assert!(matches!(response.status, 401 | 404) && response.body.is_empty() == (response.status == 401));
        }
        if let Some(message) = message {
            prop_assert!(signed && ours && sent.method == "POST");
            prop_assert_eq!(response.status, 200);
            let body = serde_json::to_string(message).unwrap();
            prop_assert!(body.len() < 32 * 1024);
            prop_assert!(!body.contains(UNWANTED), "{}", body);
            prop_assert_eq!(&serde_json::from_str::<Message>(&body).unwrap(), message);
            let group = message.group_id();
            prop_assert!((1..=128).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_graphic()), "{}", group);
            prop_assert!(!matches!(message.what, What::Command(Command::Help)));
            let printed = format!("{message:?}");
            prop_assert!(!printed.contains("hooks.slack.com"), "{}", printed);
        }
    }

    #[test]
    fn any_json_at_all_is_answered(event in any_json()) {
        match HttpRequest::try_from(event) {
            Ok(request) => {
                let received = receive(&request, &ours(), &[secret(SECRET)], Timestamp(NOW));
                check_response(parts(&received).1)?;
                prop_assert!(parts(&received).0.is_none());
            }
            Err(refused) => check_response(&refused.response())?,
        }
    }

    #[test]
    fn any_damaged_gateway_event_is_answered(
        event in prop::sample::select(gateway_cases()).prop_flat_map(|case| damaged(case["event"].clone())),
        now: i64,
    ) {
        for now in [now, NOW] {
            match HttpRequest::try_from(event.clone()) {
                Ok(request) => {
                    prop_assert!(request.body().len() <= BODY_LIMIT);
                    let received = receive(&request, &pins("A123456", &["T0001"]), &[secret(SECRET)], Timestamp(now));
                    check_response(parts(&received).1)?;
                }
                Err(refused) => check_response(&refused.response())?,
            }
        }
    }

    #[test]
    fn any_request_is_answered(
        method in ".*",
        path in "(/slack/(commands|interactive|events)|.*)",
        headers in prop::collection::vec(("(?i)(content-type|x-slack-signature|x-slack-request-timestamp|.{0,9})", ".*"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let request = HttpRequest::new(method, path, headers, body).unwrap();
        let received = receive(&request, &ours(), &[secret(SECRET)], Timestamp(NOW));
        check_response(parts(&received).1)?;
        prop_assert!(parts(&received).0.is_none());
    }
}
