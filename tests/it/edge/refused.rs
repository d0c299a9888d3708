//! Requests that are not queued: what needs no work, what is refused, and that any input gets an answer.

use keyvend::http::api_gateway::HttpResponse;
use keyvend::slack::receive::{Interaction, SlackEvent};
use serde_json::{Value, json};

use crate::edge::requests::{
    Received, Sent, member_joined, members_changed, parts, press, say, slash, submission, user_change, with,
};

fn of_another_team(event: Value) -> Value {
    let event = with(event, "/team_id", json!("T9999"));
    with(event, "/authorizations", json!([{ "team_id": "T9999", "user_id": "U0KEYVEND", "is_bot": true }]))
}

#[test]
fn event_without_work_gets_empty_reply() {
    let cases = [
        ("a link button", Sent::payload(&with(press(), "/actions/0/action_id", json!("open-link")))),
        ("a closed form", Sent::payload(&with(submission(), "/type", json!("view_closed")))),
        ("a shortcut", Sent::payload(&with(press(), "/type", json!("shortcut")))),
        ("an unknown interaction", Sent::payload(&with(press(), "/type", json!("brand_new")))),
        ("a changed user", Sent::event(&with(user_change(), "/event/user/deleted", json!(false)))),
        ("a user deleted by word", Sent::event(&with(user_change(), "/event/user/deleted", json!("true")))),
        ("keyvend's own bot", Sent::event(&with(member_joined(), "/event/user", json!("U0KEYVEND")))),
        ("nobody added", Sent::event(&with(members_changed(), "/event/added_users", json!([])))),
        ("nobody said to be added", Sent::event(&with(members_changed(), "/event/added_users", json!(null)))),
        ("another event", Sent::event(&with(user_change(), "/event/type", json!("team_join")))),
        ("a group of another team", Sent::event(&with(members_changed(), "/team_id", json!("T9999")))),
        ("a join of another team", Sent::event(&of_another_team(member_joined()))),
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
            Received::Answered(response) => assert_eq!(response, HttpResponse::empty(200), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

// T1.7
#[test]
fn unexpected_request_shape_is_refused() {
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
        (403, "a join of another app", Sent::event(&with(member_joined(), "/api_app_id", json!("A9")))),
        (400, "nobody joined", Sent::event(&with(member_joined(), "/event/user", json!("C1")))),
        (400, "joined nothing", Sent::event(&with(member_joined(), "/event/channel", json!("#approvals")))),
        (400, "no group", Sent::event(&with(members_changed(), "/event/subteam_id", json!("C1")))),
        (400, "no users", Sent::event(&with(members_changed(), "/event/added_users", json!(["U1", 7])))),
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
fn only_fresh_mismatched_signature_reloads_secrets() {
    // Only a recent, well-formed signature that matches no cached secret causes the secrets to be read.
    let mismatch = |sent: Sent| matches!(sent.receive(), Received::SignatureMismatch(r) if r == HttpResponse::empty(401));
    assert!(mismatch(Sent { signed_with: Some("rotated"), ..say("whoami") }));
    assert!(!mismatch(Sent { signed_with: Some("rotated"), skew: 301, ..say("whoami") }));
    assert!(!mismatch(Sent { signed_with: None, ..say("whoami") }));
}

// T6.2
#[test]
fn queue_accepts_message_of_any_input() {
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
    let long = format!("0123456789ABCDEF.01234567{}", " ".repeat(4_000));
    let message = Sent::payload(&with(press(), "/actions/0/value", json!(long))).queued();
    let SlackEvent::Interaction(Interaction::BlockActions { value, .. }) = message.what else { panic!() };
    assert_eq!(value.len(), 2_000);
}
