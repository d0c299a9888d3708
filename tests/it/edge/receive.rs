//! What is queued of a request, and what is answered at once.

use keyvend::http::api_gateway::HttpResponse;
use keyvend::slack::command::Command;
use keyvend::slack::receive::{SlackEnvelope, SlackEvent};
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
