//! `slack`: anything that is not signed for our app is turned away; anything that is signed is answered.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::any_json::{any_json, damaged};
use crate::hostile::corpus::{
    any_body, any_headers, any_method, any_path, any_text, event, executor, only_reads, run, status_of,
};
use testkit::aws::SIGNING_SECRET;
use testkit::deployed::Deployed;
use testkit::form;
use testkit::gateway;
use testkit::slack::{ALICE_OWNER, APP, GENERAL, TEAM};
use testkit::sqs::QUEUES;

const PATHS: &[&str] = &["/slack/commands", "/slack/interactive", "/slack/events"];
const HEADERS: &[(&str, &str)] = &[
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Type", "application/json"),
    ("Content-Type", "text/plain"),
    ("X-Slack-Request-Timestamp", "1764000000"),
    ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
];

/// Answers, and says whether anything but reading the secret was done for it.
fn answer(keyvend: &Deployed, event: Value) -> (Value, bool) {
    keyvend.world.net.forget();
    let answer = executor().block_on(keyvend.arrive(event));
    let quiet = keyvend.world.net.calls().iter().all(only_reads);
    (answer, quiet)
}

fn queued(keyvend: &Deployed) -> usize {
    QUEUES.iter().map(|queue| keyvend.world.net.sqs().messages(queue).len()).sum()
}

// T1.9
#[test]
fn unsigned_request_is_refused_without_effect() {
    let keyvend = executor().block_on(Deployed::new());
    run(
        1_500,
        (any_method(), any_path(PATHS), any_headers(HEADERS), any_body()),
        |(method, path, headers, body)| {
            let (answer, quiet) = answer(&keyvend, event(&method, &path, &headers, &body));
            let status = status_of(&answer)?;
            prop_assert!([400, 401, 404, 405, 413].contains(&status), "{}", answer);
            prop_assert!(quiet);
            if body.len() > keyvend::http::api_gateway::BODY_LIMIT {
                prop_assert_eq!(status, 413);
            }
            if status == 401 {
                prop_assert_eq!(&answer["body"], "");
            }
            Ok(())
        },
    );
    assert_eq!(queued(&keyvend), 0);
}

// T1.9
#[test]
fn any_json_instead_of_event_is_answered() {
    let keyvend = executor().block_on(Deployed::new());
    let real = keyvend.world.slash_command(ALICE_OWNER, "whoami");
    let mut broken = real.clone();
    broken["headers"]["x-slack-signature"] = json!(format!("v0={}", "0".repeat(64)));
    run(1_000, prop_oneof![any_json(), damaged(broken)], |event| {
        let (answer, quiet) = answer(&keyvend, event);
        let status = status_of(&answer)?;
        // Nothing else may come without a signature, but Slack's own check of the certificate.
        prop_assert!((400..500).contains(&status), "{}", answer);
        prop_assert!(quiet);
        Ok(())
    });
    assert_eq!(queued(&keyvend), 0);
}

/// Signed by Slack at `now`, whatever it is.
fn signed(keyvend: &Deployed, path: &str, content_type: &str, body: &[u8]) -> Value {
    // `sign` takes text: the bytes are signed as they are where they are text, and refused where they are not.
    let text = String::from_utf8_lossy(body);
    let [timestamp, signature] = gateway::sign(SIGNING_SECRET, keyvend.world.clock.now(), &text);
    let headers = [("Content-Type".to_owned(), content_type.to_owned()), timestamp, signature];
    event("POST", path, &headers, text.as_bytes())
}

#[test]
fn signed_garbage_is_refused_and_not_queued() {
    let keyvend = executor().block_on(Deployed::new());
    let types =
        prop::sample::select(vec!["application/x-www-form-urlencoded", "application/json", "text/plain"]);
    run(1_500, (any_path(PATHS), types, any_body()), |(path, content_type, body)| {
        if body.len() > keyvend::http::api_gateway::BODY_LIMIT / 3 {
            return Ok(());
        }
        let (answer, quiet) = answer(&keyvend, signed(&keyvend, &path, content_type, &body));
        let status = status_of(&answer)?;
        prop_assert!([200, 400, 403, 404, 415].contains(&status), "{}", answer);
        prop_assert!(quiet, "{}", answer);
        Ok(())
    });
    assert_eq!(queued(&keyvend), 0);
}

/// A field of the slash command: right, missing, or anything.
fn field(name: &'static str, right: &'static str) -> impl Strategy<Value = Option<(String, String)>> {
    prop_oneof![
        8 => Just(Some((name.to_owned(), right.to_owned()))),
        1 => Just(None),
        2 => any_text().prop_map(move |text| Some((name.to_owned(), text))),
    ]
}

/// Command lines: right ones, nearly right ones and others.
fn line() -> impl Strategy<Value = String> {
    let reason = any_text().prop_map(|reason| format!("create ci-deployer use:cli ttl:30d {reason}"));
    let part = prop::sample::select(vec![
        "create",
        "status",
        "cancel",
        "whoami",
        "help",
        "ci-deployer",
        "ci-deployer@home",
        "use:cli",
        "ttl:30d",
        "ttl:99999999999d",
        "use:",
        "@",
        "0123456789ABCDEF",
        "reason",
    ]);
    let parts = prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(" "));
    prop_oneof![3 => reason, 3 => parts, 1 => any_text()]
}

#[test]
fn any_signed_command_is_answered_with_a_sentence() {
    let keyvend = executor().block_on(Deployed::new());
    let fields = (
        [field("api_app_id", APP), field("team_id", TEAM), field("user_id", ALICE_OWNER)],
        [field("channel_id", GENERAL), field("command", "/access-key"), field("trigger_id", "1.2.x")],
        [field("response_url", "https://hooks.slack.com/x"), field("is_enterprise_install", "false")],
        line(),
        prop::option::weighted(0.05, Just("user_id")),
    );
    run(1_500, fields, |(first, second, third, line, twice)| {
        let mut all: Vec<(String, String)> = first.into_iter().chain(second).chain(third).flatten().collect();
        all.push(("text".to_owned(), line));
        all.extend(twice.map(|name| (name.to_owned(), ALICE_OWNER.to_owned())));
        let body = form::encode(all.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let before = queued(&keyvend);
        let (answer, quiet) = answer(
            &keyvend,
            signed(&keyvend, "/slack/commands", "application/x-www-form-urlencoded", body.as_bytes()),
        );
        let status = status_of(&answer)?;
        let right = |name: &str, value: &str| {
            let mut values = all.iter().filter(|(own, _)| own == name);
            values.next().is_some_and(|(_, own)| own == value) && values.next().is_none()
        };
        if quiet {
            prop_assert_eq!(queued(&keyvend), before);
        } else {
            prop_assert!(right("api_app_id", APP) && right("team_id", TEAM) && status == 200, "{}", answer);
        }
        // Where a form opens there is nothing to say yet.
        if status == 200 && (quiet || answer["body"] != "") {
            let told: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            prop_assert_eq!(&told["response_type"], "ephemeral");
            prop_assert!(told["text"].as_str().is_some_and(|text| text.len() > 10 && text.len() < 3_000));
        }
        Ok(())
    });
}

#[test]
fn any_signed_payload_is_answered() {
    let keyvend = executor().block_on(Deployed::new());
    let press = json!({
        "type": "block_actions", "api_app_id": APP, "team": {"id": TEAM}, "user": {"id": ALICE_OWNER, "team_id": TEAM},
        "container": {"type": "message", "message_ts": "1764000000.000100", "channel_id": GENERAL, "is_ephemeral": false},
        "trigger_id": "1.2.x", "is_enterprise_install": false, "channel": {"id": GENERAL},
        "response_url": "https://hooks.slack.com/actions/x",
        "actions": [{"type": "button", "action_id": "approve", "value": "0123456789ABCDEF.0123456789ABCDEF"}],
    });
    let submission = json!({
        "type": "view_submission", "api_app_id": APP, "team": {"id": TEAM}, "user": {"id": ALICE_OWNER},
        "view": {"callback_id": "ask", "private_metadata": "x", "state": {"values": {
            "reason": {"input": {"type": "plain_text_input", "value": "why"}},
        }}},
    });
    let change = json!({
        "type": "event_callback", "api_app_id": APP, "team_id": TEAM,
        "event": {"type": "user_change", "user": {"id": ALICE_OWNER, "deleted": true}},
    });
    let texts = |base: Value| {
        (damaged(base), any_text(), any::<prop::sample::Index>()).prop_map(|(mut value, text, at)| {
            // One text anywhere becomes another one, so that a payload stays right but for what a person can fill in.
            let mut places = Vec::new();
            strings(&value, String::new(), &mut places);
            if let Some(place) = (!places.is_empty()).then(|| at.get(&places).clone()) {
                *value.pointer_mut(&place).unwrap() = json!(text);
            }
            value
        })
    };
    let payload = prop_oneof![
        3 => texts(press).prop_map(|value| (true, value)),
        2 => texts(submission).prop_map(|value| (true, value)),
        1 => texts(change).prop_map(|value| (false, value)),
    ];
    run(1_500, payload, |(interactive, payload)| {
        let event = if interactive {
            let body = form::encode([("payload", payload.to_string().as_str())]);
            signed(&keyvend, "/slack/interactive", "application/x-www-form-urlencoded", body.as_bytes())
        } else {
            signed(&keyvend, "/slack/events", "application/json", payload.to_string().as_bytes())
        };
        let (answer, quiet) = answer(&keyvend, event);
        let status = status_of(&answer)?;
        prop_assert!([200, 400, 403].contains(&status), "{}", answer);
        let team = payload.pointer("/team/id").or_else(|| payload.pointer("/user/team_id"));
        // Of an event any workspace will do: the worker asks Slack and the table.
        let event = payload["type"] == "event_callback";
        let ours = payload["api_app_id"] == APP && (event || team == Some(&json!(TEAM)));
        prop_assert!(quiet || ours, "queued for another app or team: {}", payload);
        Ok(())
    });
}

fn strings(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::String(_) => all.push(at),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| strings(v, format!("{at}/{n}"), all)),
        Value::Object(map) => map.iter().for_each(|(name, v)| {
            strings(v, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), all);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The control: what is signed and right is queued, so that a world in which nothing is ever queued would be noticed.
#[test]
fn a_right_command_is_queued() {
    let keyvend = executor().block_on(Deployed::new());
    let right = keyvend.world.slash_command(ALICE_OWNER, "whoami");
    let (answer, quiet) = answer(&keyvend, right);
    assert_eq!(answer["statusCode"], 200);
    assert!(!quiet);
    assert_eq!(queued(&keyvend), 1);
}
