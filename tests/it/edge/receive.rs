//! What comes of a request.

use keyvend::http::api_gateway::HttpResponse;
use keyvend::slack::command::Command;
use keyvend::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use keyvend::time::Timestamp;
use serde_json::{Value, json};

use crate::edge::requests::{
    NOW, Received, Sent, UNWANTED, body_json, content_type, ephemeral_text, member_joined, members_changed,
    parts, press, say, slash, submission, user_change, with,
};

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
      "command": "/aws-key",
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
    assert_eq!(serde_json::from_str::<SlackEnvelope>(&body).unwrap(), message);
    insta::assert_snapshot!(parts(&sent.receive()).1.body, @r#"{"response_type":"ephemeral","text":"Checking... the answer will appear here in a moment."}"#);
}

#[test]
fn message_id_depends_on_signed_bytes_and_time() {
    // The same signed request gives the same message id, another time gives another id.
    let first = say("status");
    let later = Sent { skew: 1, ..say("status") };
    assert_eq!(first.queued(), first.queued());
    assert_ne!(first.queued().id, later.queued().id);
    assert_ne!(first.queued().dedup, later.queued().dedup);
    assert_eq!(later.queued().signed_at, Timestamp(NOW), "never later than it was received");
}

#[test]
fn help_and_syntax_errors_use_actual_command_name() {
    // They are answered at once, under the name that the command has in this workspace.
    let text = |sent: Sent| match sent.receive() {
        Received::Answered(response) => ephemeral_text(&response).unwrap(),
        other => panic!("{other:?}"),
    };
    for line in ["help", "Help me"] {
        assert!(text(say(line)).contains("`/aws-key create &lt;iam-user&gt;"), "{line:?}");
    }
    insta::assert_snapshot!(text(say("create ci use:cli to deploy")), @r#"How long do you need the key? Add `ttl:`, such as `ttl:30d`. Type `/aws-key create ci use:cli ttl:30d to deploy`"#);
    insta::assert_snapshot!(text(say("create &lt;!channel&gt; use:cli ttl:1d x")), @r#"`&lt;!channel&gt;` is not an IAM user name. Write it as shown in the AWS console. Type `/aws-key create ci-deployer use:cli ttl:1d x`"#);
    for name in [None, Some("aws-key"), Some("/"), Some("/<!here>"), Some("/aws key"), Some("/`"), Some("")] {
        let reply = text(slash(&[("text", Some("no such")), ("command", name)]));
        assert!(reply.contains("`/access-key whoami`"), "{name:?}: {reply}");
    }
}

#[test]
fn press_is_queued_as_allow_list() {
    // A press is queued with its button and its message only.
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
          "view": null,
          "ephemeral": false
        }
      }
    }
    "#);
    assert_eq!(message.person.to_string(), "T0001.U0002");
    assert_eq!(message.group_id(), "T0001.U0002.0123456789ABCDEF");
    assert_eq!(parts(&sent.receive()).1.body, "");
}

#[test]
fn submitted_form_is_queued_with_its_values() {
    let message = Sent::payload(&submission()).queued();
    let what = serde_json::to_string_pretty(&message.what).unwrap();
    insta::assert_snapshot!(what, @r#"
    {
      "interaction": {
        "view_submission": {
          "view": "V1",
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
    assert_eq!(message.group_id(), "T0001.U0002.0123456789ABCDEF");
    let free = with(submission(), "/view/private_metadata", json!(""));
    assert_eq!(Sent::payload(&free).queued().group_id(), "T0001.U0002");
}

#[test]
fn command_without_arguments_opens_form() {
    // The reply of the receiver is empty.
    for text in [None, Some(""), Some(" \u{a0}"), Some("create")] {
        let sent = slash(&[("text", text)]);
        let message = sent.queued();
        assert_eq!(message.what, SlackEvent::Command(Command::Form(None)), "{text:?}");
        assert_eq!(parts(&sent.receive()).1.body, "", "{text:?}");
        assert_eq!(message.group_id(), format!("form.{}.{}", message.person, message.id));
    }
}

#[test]
fn whatever_opens_a_form_waits_for_nothing_else() {
    for action in ["open-form", "deny", "details"] {
        let message = Sent::payload(&with(press(), "/actions/0/action_id", json!(action))).queued();
        assert_eq!(message.group_id(), format!("form.{}.{}", message.person, message.id), "{action}");
    }
}

/// Whoever fills a group delays what is in it: so each holds one person's messages alone, and fits SQS's limit
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
// T6.2
#[test]
fn no_two_people_share_a_group() {
    let key = "AKIAIOSFODNN7EXAMPLE".to_owned();
    let long = "A".repeat(128);
    let people = [("T0001", "U0001".to_owned()), ("T0001", format!("U{}", "1".repeat(31)))];
    let typed = |line: String| {
        people.clone().map(|(team, user)| {
            slash(&[("text", Some(&line)), ("team_id", Some(team)), ("user_id", Some(&user))]).queued()
        })
    };
    let pressed = |action: &str, value: &str| {
        let button =
            with(with(press(), "/actions/0/action_id", json!(action)), "/actions/0/value", json!(value));
        people.clone().map(|(_, user)| Sent::payload(&with(button.clone(), "/user/id", json!(user))).queued())
    };
    let submitted =
        people.clone().map(|(_, user)| Sent::payload(&with(submission(), "/user/id", json!(user))).queued());
    let left = people
        .clone()
        .map(|(_, user)| Sent::event(&with(user_change(), "/event/user/id", json!(user))).queued());
    let mut all = vec![submitted, left];
    for line in ["", "status", "list", "freeze", "unfreeze"] {
        all.push(typed(line.to_owned()));
    }
    all.extend([typed(format!("deactivate {key}")), typed(format!("delete {key}"))]);
    let request = "0123456789ABCDEF.0123456789ABCDEF";
    for action in ["approve", "deny", "details", "open-form", "get-key", "cancel", "not-me"] {
        all.push(pressed(action, request));
    }
    for action in ["deactivate-key", "retire-key", "owner-left", "rotate-key", "delete-key"] {
        all.extend([pressed(action, &key), pressed(action, &long)]);
    }
    for [one, other] in all {
        let (group, others) = (one.group_id(), other.group_id());
        assert_ne!(group, others, "{:?}", one.what);
        for (message, group) in [(one, group), (other, others)] {
            assert!(group.contains(&message.person.to_string()), "{group}");
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b.is_ascii_punctuation();
            assert!(group.len() <= 128 && group.bytes().all(allowed), "{group}");
        }
    }
}

#[test]
fn form_choice_is_queued_as_allow_list() {
    // A choice in a form is queued with the choice and the view only.
    let mut chosen = submission();
    chosen["type"] = json!("block_actions");
    chosen["container"] = json!({"type": "view", "view_id": "V1"});
    chosen["trigger_id"] = json!("1.2.x");
    chosen["view"]["hash"] = json!("156772938.1827394");
    chosen["actions"] = json!([{
        "type": "radio_buttons", "action_id": "choose-use-case", "block_id": UNWANTED,
        "selected_option": {"text": {"type": "plain_text", "text": UNWANTED}, "value": "cli"},
    }]);
    let message = Sent::payload(&chosen).queued();
    let body = serde_json::to_string_pretty(&message.what).unwrap();
    insta::assert_snapshot!(body, @r#"
    {
      "interaction": {
        "block_actions": {
          "action_id": "choose-use-case",
          "value": "cli",
          "message": null,
          "view": {
            "id": "V1",
            "hash": "156772938.1827394",
            "carried": "0123456789ABCDEF.01234567"
          },
          "ephemeral": false
        }
      }
    }
    "#);
    assert_eq!(message.group_id(), format!("view.{}.V1", message.person));
}

#[test]
fn a_forms_wrong_fields_are_answered_at_once() {
    let mut wrong = submission();
    wrong["view"]["state"]["values"] = json!({
        "reason": {"write": {"type": "plain_text_input", "value": "x".repeat(10_000)}},
    });
    let sent = Sent::payload(&wrong);
    match sent.receive() {
        Received::Answered(response) => {
            assert_eq!((response.status, content_type(&response)), (200, Some("application/json")));
            let expected = json!({
                "response_action": "errors", "errors": {"reason": "Use at most 200 characters."},
            });
            assert_eq!(body_json(&response), Some(expected));
        }
        other => panic!("{other:?}"),
    }
    let right = parts(&Sent::payload(&submission()).receive()).1.clone();
    assert_eq!(body_json(&right).unwrap()["response_action"], "update");
    let unsigned = Sent { signed_with: None, ..Sent::payload(&wrong) };
    assert!(
        matches!(unsigned.receive(), Received::Answered(response) if response == HttpResponse::empty(401))
    );
}

#[test]
fn a_person_who_was_deactivated_is_queued() {
    let message = Sent::event(&user_change()).queued();
    assert_eq!(message.what, SlackEvent::UserDeactivated);
    assert_eq!(message.person.to_string(), "T0001.U0009");
}

// T2.6
#[test]
fn membership_event_is_queued_with_inviter() {
    let message = Sent::event(&member_joined()).queued();
    let (channel, inviter) = ("C0APPROVE".parse().unwrap(), Some("U0008".parse().unwrap()));
    assert_eq!(message.what, SlackEvent::JoinedChannel { channel, inviter });
    assert_eq!(message.person.to_string(), "T0001.U0009");
    for none in [json!(null), json!(""), json!(7)] {
        let message = Sent::event(&with(member_joined(), "/event/inviter", none)).queued();
        assert!(matches!(message.what, SlackEvent::JoinedChannel { inviter: None, .. }));
    }
    let message = Sent::event(&members_changed()).queued();
    let (group, users) = ("S0001".parse().unwrap(), vec!["U0009".parse().unwrap(), "U0010".parse().unwrap()]);
    assert_eq!(message.what, SlackEvent::JoinedGroup { group, users, more: 0 });
    assert_eq!(message.person.to_string(), "T0001.U0009");
    let many: Vec<String> = (0..3_000).map(|n| format!("U{n:031}")).collect();
    let message = Sent::event(&with(members_changed(), "/event/added_users", json!(many))).queued();
    assert!(matches!(&message.what, SlackEvent::JoinedGroup { users, more: 2_950, .. } if users.len() == 50));
    assert!(serde_json::to_string(&message).unwrap().len() < 10_000);
}

// T2.6
#[test]
fn redelivered_event_has_same_deduplication_id() {
    for event in [member_joined(), members_changed()] {
        let first = Sent::event(&event).queued();
        let again = Sent { skew: 60, ..Sent::event(&event) }.queued();
        assert_eq!((&first.id, first.dedup), (&again.id, again.dedup));
        let other = Sent::event(&with(event.clone(), "/event_id", json!("Ev0003"))).queued();
        assert!(other.id != first.id && other.dedup != first.dedup);
        let unnamed = Sent::event(&with(event, "/event_id", json!(null))).queued();
        assert!(unnamed.id != first.id && unnamed.dedup != first.dedup);
    }
}

fn of_another_team(event: Value) -> Value {
    let event = with(event, "/team_id", json!("T9999"));
    with(event, "/authorizations", json!([{ "team_id": "T9999", "user_id": "U0KEYVEND", "is_bot": true }]))
}

/// Which workspace Slack names depends on how the app is installed and how it sees the person.
#[test]
fn workspace_of_an_event_decides_nothing_by_itself() {
    let org_wide = json!([{ "team_id": null, "enterprise_id": "E0001", "is_enterprise_install": true }]);
    let without = |mut event: Value, field: &str| {
        event.as_object_mut().unwrap().remove(field);
        event
    };
    let left = |change: &dyn Fn(Value) -> Value| Sent::event(&change(user_change())).queued();
    for (what, message) in [
        ("another team", left(&|event| with(event, "/team_id", json!("T9999")))),
        ("no team", left(&|event| with(event, "/team_id", json!(null)))),
        ("the field missing", left(&|event| without(event, "team_id"))),
        ("an organisation", left(&|event| with(event, "/team_id", json!("E0001")))),
    ] {
        assert_eq!(message.what, SlackEvent::UserDeactivated, "{what}");
        assert_eq!(message.person.to_string(), "T0001.U0009", "{what}");
    }
    for (what, team) in
        [("no team", json!(null)), ("an organisation", json!("E0001")), ("a team", json!("T9999"))]
    {
        let joined = with(with(member_joined(), "/team_id", team), "/authorizations", org_wide.clone());
        assert_eq!(Sent::event(&joined).queued().person.to_string(), "T0001.U0009", "{what}");
    }
    let by_authorization = with(member_joined(), "/team_id", json!("T9999"));
    assert_eq!(Sent::event(&by_authorization).queued().person.to_string(), "T0001.U0009");
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

#[test]
fn enterprise_install_uses_users_own_team() {
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
