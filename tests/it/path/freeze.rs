//! Stopping: a key is off within seconds whatever else goes on, and so is all issuing.

use std::time::Duration;

use serde_json::json;

use testkit::aws;
use testkit::deployed::{Deployed, ShownKey, Tab};
use testkit::net::{HOME, Interfere, yield_now};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER, TEAM_GROUP};
use testkit::sqs::SLACK;
use testkit::steps::failed;
use testkit::transcript::Message;

/// Alice's key for `ci-deployer`, approved by Bob and shown in her tab.
pub async fn issued(keyvend: &Deployed) -> ShownKey {
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    keyvend.deliver().await;
    let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    tab.unseal(&body)
}

fn is_active(keyvend: &Deployed, key: &ShownKey) -> bool {
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    keys.iter().find(|found| found.id == key.id).unwrap().status == "Active"
}

fn told_of_issuing(keyvend: &Deployed) -> Message {
    let told = keyvend.world.net.slack().told(ALICE_OWNER);
    told.into_iter().rev().find(|message| message.reading().contains("was created and delivered")).unwrap()
}

// T6.4
#[tokio::test]
async fn report_deactivates_key_while_other_messages_are_blocked() {
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    let (sqs, clock) = (keyvend.world.net.sqs(), &keyvend.world.clock);
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "whoami")).await;
    let stuck = sqs.receive(SLACK, clock.now()).unwrap();
    let pressed_at = clock.now();
    keyvend.presses(ALICE_OWNER, &told_of_issuing(&keyvend), "This wasn't me").await;
    assert!(!is_active(&keyvend, &key));
    assert!(clock.now().since(pressed_at) < 5);
    assert!(keyvend.told(ALICE_OWNER).contains("is deactivated"), "{}", keyvend.told(ALICE_OWNER));
    let channel = keyvend.world.net.slack().messages(APPROVALS);
    assert!(
        channel.iter().any(|message| message.reading().contains("<@U0ALICE> reported the key")),
        "the approvers are notified"
    );
    drop(stuck);
}

// T6.6
#[tokio::test]
async fn approvers_may_report_key_outsiders_may_not() {
    for (person, off) in [(BOB_APPROVER, true), (CAROL_APPROVER, true), (MALLORY_OUTSIDER, false)] {
        let keyvend = Deployed::new().await;
        let key = issued(&keyvend).await;
        keyvend.presses(person, &keyvend.card(), "Report and deactivate").await;
        assert_eq!(!is_active(&keyvend, &key), off, "{person}");
        assert_eq!(keyvend.told(person).contains("is deactivated"), off, "{}", keyvend.told(person));
    }
}

async fn owned_by(keyvend: &Deployed, owners: &str) {
    let tag = aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value(owners).build().unwrap();
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap();
}

// T6.6
#[tokio::test]
async fn report_permission_comes_from_record_or_approvers() {
    // Those stored with the key and the current approvers may deactivate it.
    let leaves = |keyvend: &Deployed, who: &'static str| {
        keyvend.world.net.slack().channel(APPROVALS, |channel| _ = channel.members.remove(who));
    };
    for (case, owners, owners_since, actor, off) in [
        ("an owner at issuing who is none any more", "U0ALICE U0MALLORY", "U0ALICE", MALLORY_OUTSIDER, true),
        ("an owner since", "U0ALICE", "U0ALICE U0MALLORY", MALLORY_OUTSIDER, false),
        ("whoever approved it and is no approver any more", "U0ALICE", "U0ALICE", BOB_APPROVER, true),
        ("another who is no approver any more", "U0ALICE", "U0ALICE", CAROL_APPROVER, false),
        ("a member of the group that owned it", "U0ALICE S0TEAM", "U0ALICE", MALLORY_OUTSIDER, true),
        ("a member of a group that owns it since", "U0ALICE", "U0ALICE S0TEAM", MALLORY_OUTSIDER, false),
    ] {
        let keyvend = Deployed::new().await;
        keyvend.world.net.slack().group(TEAM_GROUP, &[MALLORY_OUTSIDER]);
        owned_by(&keyvend, owners).await;
        let key = issued(&keyvend).await;
        owned_by(&keyvend, owners_since).await;
        leaves(&keyvend, BOB_APPROVER);
        leaves(&keyvend, CAROL_APPROVER);
        keyvend.presses(actor, &keyvend.card(), "Report and deactivate").await;
        assert_eq!(!is_active(&keyvend, &key), off, "{case}");
        let last = keyvend.trail().await.pop().unwrap();
        assert_eq!(last.event, if off { "key.deactivated" } else { "key.report_rejected" }, "{case}");
        assert_eq!(last.actor, format!("T0001.{actor}"), "{case}");
    }
}

// T6.6
#[tokio::test]
async fn slack_failure_does_not_block_permitted_report() {
    for (actor, silent, off) in [
        (CAROL_APPROVER, "usergroups.users.list", true),
        (MALLORY_OUTSIDER, "conversations.members", true),
        (MALLORY_OUTSIDER, "usergroups.users.list", false),
        (CAROL_APPROVER, "conversations.members", false),
    ] {
        let keyvend = Deployed::new().await;
        keyvend.world.net.slack().group(TEAM_GROUP, &[MALLORY_OUTSIDER]);
        owned_by(&keyvend, "U0ALICE S0TEAM").await;
        let key = issued(&keyvend).await;
        keyvend.world.net.before(move |call| match call.operation == silent {
            true => Interfere::Status(200, r#"{"ok":false,"error":"internal_error"}"#.to_owned()),
            false => Interfere::Pass,
        });
        keyvend.presses(actor, &keyvend.card(), "Report and deactivate").await;
        keyvend.deliver_everything().await;
        assert_eq!(!is_active(&keyvend, &key), off, "{actor} without {silent}");
        let told = keyvend.told(actor);
        assert_eq!(told.contains("Nothing was changed; please try again"), !off, "{actor}: {told}");
    }
}

// T6.4
#[tokio::test]
async fn held_lease_does_not_delay_deactivation() {
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    let dynamo = aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(HOME));
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let lease =
        dynamo.put_item().table_name(aws::REQUESTS).item("pk", text(&format!("lease#{HOME}/ci-deployer")));
    lease.item("holder", text("ANOTHERREQUEST00")).send().await.unwrap();
    let pressed_at = keyvend.world.clock.now();
    keyvend.presses(ALICE_OWNER, &told_of_issuing(&keyvend), "This wasn't me").await;
    assert!(!is_active(&keyvend, &key));
    assert!(keyvend.world.clock.now().since(pressed_at) < 5);
}

/// The issuer role does nothing to an IAM user without the owner tag; then at least nobody is told that the key is off.
#[tokio::test]
async fn unreachable_key_is_marked_and_reported_active() {
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.untag_user().user_name("ci-deployer").tag_keys("keyvend:owners").send().await.unwrap();
    keyvend.presses(ALICE_OWNER, &told_of_issuing(&keyvend), "This wasn't me").await;
    keyvend.deliver_everything().await;
    assert!(is_active(&keyvend, &key));
    assert!(!keyvend.item(&format!("key#{}", key.id)).await["deactivation_at"].is_null());
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("has not confirmed") && told.contains("marked as deactivated"), "{told}");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is deactivated"), 0);
    assert_eq!(keyvend.events().await.last().unwrap(), "message.failed");
    // The key's timer goes on with it.
    assert_eq!(keyvend.world.net.sqs().dead(SLACK).len(), 0);
}

#[tokio::test]
async fn deactivation_mark_precedes_iam_call() {
    // The IAM session has the name of the person who pressed.
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    let item = format!("key#{}", key.id);
    // IAM answers nothing for a while.
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "UpdateAccessKey" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
    let pressed_at = keyvend.world.clock.now();
    let press = keyvend.world.net.sqs().messages(SLACK)[0].json()["id"].as_str().unwrap().to_owned();
    assert!(is_active(&keyvend, &key));
    assert_eq!(keyvend.world.net.calls_to("iam", "UpdateAccessKey").len(), 3, "tried again at once");
    let marked = keyvend.item(&item).await;
    assert_eq!(marked["deactivation_at"]["N"], pressed_at.0.to_string(), "and to be off from now on");
    assert_eq!(
        (&marked["state"]["S"], &marked["deactivation_by"]["S"]),
        (&"DELIVERED".into(), &"T0001.U0BOB".into())
    );
    assert!(!keyvend.events().await.contains(&"key.deactivated".to_owned()), "nobody says that it is off");
    assert_eq!(keyvend.times_told(BOB_APPROVER, "is deactivated"), 0);
    keyvend.world.net.undisturbed();
    keyvend.deliver_everything().await;
    assert!(!is_active(&keyvend, &key));
    assert!(keyvend.world.clock.now().since(pressed_at) < 5);
    let item = keyvend.item(&item).await;
    assert_eq!(
        (&item["state"]["S"], &item["deactivation_at"]),
        (&"INACTIVE".into(), &marked["deactivation_at"])
    );
    let last = keyvend.trail().await.pop().unwrap();
    assert_eq!((last.event.as_str(), last.actor.as_str()), ("key.deactivated", "T0001.U0BOB"));
    assert_eq!((&last.detail["key"], last.detail["why"].as_str()), (&key.id, "reported"));
    assert_eq!(keyvend.times_told(BOB_APPROVER, "is deactivated"), 1);
    assert_eq!(keyvend.times_told(ALICE_OWNER, ". It is deactivated. Next: check CloudTrail"), 1);

    let session = aws::sessions(&keyvend.world.net).pop().unwrap();
    let user = format!("arn:aws:iam::{HOME}:user/ci-deployer");
    assert_eq!(session.allowed(), [(vec!["iam:UpdateAccessKey".to_owned()], vec![user])]);
    assert_eq!(session.source_identity.as_deref(), Some("T0001.U0BOB"));
    assert_eq!(session.duration_seconds, 900);
    assert_eq!(session.name, press, "the press is the operation");
}

// T6.4
#[tokio::test]
async fn report_needs_no_policy_slack_or_iam_lookup() {
    let keyvend = Deployed::with(&[]).await;
    let key = issued(&keyvend).await;
    keyvend.world.net.forget();
    keyvend.presses(ALICE_OWNER, &told_of_issuing(&keyvend), "This wasn't me").await;
    assert!(!is_active(&keyvend, &key));
    let before: Vec<String> = keyvend
        .world
        .net
        .calls()
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .take_while(|call| call != "iam:UpdateAccessKey")
        .filter(|call| !call.starts_with("sqs"))
        .collect();
    assert_eq!(
        before,
        ["dynamodb:GetItem", "dynamodb:GetItem", "dynamodb:UpdateItem", "sts:AssumeRole"],
        "reads what is stored, marks the key, and goes"
    );
}

// T6.4
#[tokio::test]
async fn late_report_still_deactivates() {
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    let message = told_of_issuing(&keyvend);
    keyvend.arrive(keyvend.world.press(ALICE_OWNER, &message, "This wasn't me")).await;
    keyvend.world.clock.advance(Duration::from_secs(3 * 86_400));
    keyvend.deliver().await;
    assert!(!is_active(&keyvend, &key));
}

// T2.23
#[tokio::test]
async fn freeze_stops_issuing_and_only_approvers_may() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.types(ALICE_OWNER, "freeze").await;
    assert!(!keyvend.told(ALICE_OWNER).contains("is stopped"), "{}", keyvend.told(ALICE_OWNER));
    keyvend.types(BOB_APPROVER, "freeze").await;
    assert!(keyvend.told(BOB_APPROVER).contains("Key issuing is frozen"));
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 410);
    assert!(keyvend.told(ALICE_OWNER).contains("Key issuing is frozen"), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.world.net.calls_to("iam", "CreateAccessKey").len(), 0);
    // Within one second the freeze wins.
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(BOB_APPROVER, "unfreeze").await;
    keyvend.presses(ALICE_OWNER, &keyvend.offer("Get my key").unwrap(), "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200);
    // A command that is about no request has a chain of its own.
    let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
    let mut alone: Vec<(&str, &str)> = audit
        .values()
        .map(|entry| (entry["event"]["S"].as_str().unwrap(), entry["actor"]["S"].as_str().unwrap()))
        .filter(|(event, _)| event.starts_with("issuing."))
        .collect();
    alone.sort_unstable();
    let (alice, bob) = ("T0001.U0ALICE", "T0001.U0BOB");
    assert_eq!(alone, [("issuing.freeze_denied", alice), ("issuing.frozen", bob), ("issuing.resumed", bob)]);
}

/// What DynamoDB answers where another transaction is at one of the items
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
fn crossed() -> Interfere {
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons [TransactionConflict, None]",
        "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
    });
    Interfere::Status(400, body.to_string())
}

#[tokio::test]
async fn freeze_during_issue_is_recorded() {
    for crossings in [1, 4, 7] {
        let keyvend = Deployed::new().await;
        for _ in 0..crossings {
            keyvend.world.net.once("dynamodb", "TransactWriteItems", crossed());
        }
        keyvend.types(BOB_APPROVER, "freeze").await;
        keyvend.deliver_everything().await;
        assert!(!keyvend.item("freeze").await["frozen_by"].is_null(), "{crossings}");
        let told = keyvend.told(BOB_APPROVER);
        assert!(told.contains("Key issuing is frozen"), "{crossings}: {told}");
        let said = keyvend.world.net.slack().messages(APPROVALS);
        let heard = said.iter().filter(|message| message.reading().contains("froze key issuing")).count();
        assert_eq!(heard, 1, "{crossings}");
    }
}

#[tokio::test]
async fn crossed_issue_is_written_again_at_once() {
    // Others who check the freeze at the same moment cost nobody ten seconds.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    for _ in 0..2 {
        keyvend.world.net.once("dynamodb", "TransactWriteItems", crossed());
    }
    let before = keyvend.world.clock.now();
    keyvend.deliver().await;
    assert_eq!(keyvend.world.clock.now(), before);
    assert_eq!(keyvend.key_ids().len(), 1);
}

#[tokio::test]
async fn repeated_freeze_notifies_nobody_and_is_audited() {
    // The audit entry says that it changed nothing.
    let keyvend = Deployed::new().await;
    for person in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.types(person, "freeze").await;
        assert!(keyvend.told(person).contains("Key issuing is frozen"));
    }
    let said = keyvend.world.net.slack().messages(APPROVALS);
    assert_eq!(said.iter().filter(|message| message.reading().contains("froze key issuing")).count(), 1);
    let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
    let by = |who: &str| audit.values().find(|entry| entry["actor"]["S"] == who).unwrap();
    assert!(by("T0001.U0BOB")["detail"]["M"]["changed"].is_null());
    assert_eq!(by("T0001.U0CAROL")["detail"]["M"]["changed"]["S"], "nothing");
}

#[tokio::test]
async fn denied_freeze_can_be_repeated_and_succeed() {
    let keyvend = Deployed::new().await;
    let slack = keyvend.world.net.slack();
    slack.channel(APPROVALS, |channel| channel.archived = true);
    keyvend.arrive(keyvend.world.slash_command(BOB_APPROVER, "freeze")).await;
    let event = keyvend.receives(SLACK);
    // It is refused, and nobody hears of that.
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "response_url" | "chat.postMessage" | "chat.postEphemeral" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    assert!(failed(&keyvend.work(event.clone()).await));
    assert!(keyvend.item("freeze").await["frozen_by"].is_null());
    let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
    assert!(audit.values().any(|entry| entry["event"]["S"] == "issuing.freeze_denied"));
    keyvend.world.net.undisturbed();
    slack.channel(APPROVALS, |channel| channel.archived = false);
    keyvend.work(event).await;
    assert!(!keyvend.item("freeze").await["frozen_by"].is_null());
    assert!(keyvend.told(BOB_APPROVER).contains("Key issuing is frozen"));
}

/// Bob freezes while Carol unfreezes, one begun so many turns after the other.
async fn crossed_by(keyvend: &Deployed, unfreezing_first: bool, turns: usize) {
    let (now, unfreezing) =
        (keyvend.world.clock.now(), keyvend.world.slash_command(CAROL_APPROVER, "unfreeze"));
    assert_eq!(keyvend.arrive(keyvend.world.slash_command(BOB_APPROVER, "freeze")).await["statusCode"], 200);
    assert_eq!(keyvend.arrive(unfreezing).await["statusCode"], 200);
    // Nobody waits for the other: they are in groups of their own.
    let (freeze, unfreeze) = (keyvend.receives(SLACK), keyvend.receives(SLACK));
    assert_eq!(keyvend.world.clock.now(), now);
    let (bob, carol) = if unfreezing_first { (turns, 0) } else { (0, turns) };
    let later = async |turns: usize, event| {
        for _ in 0..turns {
            yield_now().await;
        }
        Box::pin(keyvend.work(event)).await
    };
    futures_util::future::join(later(bob, freeze), later(carol, unfreeze)).await;
}

// T6.3
#[tokio::test]
async fn freeze_wins_against_unfreeze_in_every_interleaving() {
    for (frozen_before, unfreezing_first) in [(false, false), (false, true), (true, false), (true, true)] {
        for turns in 0..=45 {
            let keyvend = Deployed::new().await;
            if frozen_before {
                keyvend.types(CAROL_APPROVER, "freeze").await;
                keyvend.world.clock.advance(Duration::from_secs(60));
            }
            crossed_by(&keyvend, unfreezing_first, turns).await;
            let about = format!("{frozen_before} {unfreezing_first} {turns}");
            assert_eq!(keyvend.item("freeze").await["frozen_by"]["S"], "T0001.U0BOB", "{about}");
            // Both are delivered again, as nobody said that they were done.
            keyvend.deliver_everything().await;
            assert_eq!(keyvend.item("freeze").await["frozen_by"]["S"], "T0001.U0BOB", "{about}");
            let told = keyvend.told(CAROL_APPROVER);
            let knows = ["<@U0BOB> froze it", "somebody has frozen it again", "Key issuing is resumed"];
            assert!(knows.iter().any(|part| told.contains(part)), "{about}: {told}");
        }
    }
}

// T6.3
#[tokio::test]
async fn unfreeze_typed_before_freeze_is_refused() {
    // The reply says who froze.
    let keyvend = Deployed::new().await;
    keyvend.types(BOB_APPROVER, "freeze").await;
    // Typed in the same second.
    keyvend.types(CAROL_APPROVER, "unfreeze").await;
    let told = keyvend.told(CAROL_APPROVER);
    assert!(told.contains("still frozen: <@U0BOB> froze it"), "{told}");
    assert!(told.contains("type `/access-key unfreeze` again"), "{told}");
    assert!(!keyvend.item("freeze").await["frozen_by"].is_null());
    let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
    let refused = audit.values().find(|entry| entry["event"]["S"] == "issuing.resume_denied").unwrap();
    assert_eq!(refused["detail"]["M"]["frozen_by"]["S"], "T0001.U0BOB");
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(CAROL_APPROVER, "unfreeze").await;
    assert!(keyvend.told(CAROL_APPROVER).contains("Key issuing is resumed"));
    assert!(keyvend.item("freeze").await["frozen_by"].is_null());
}

// T6.3
#[tokio::test]
async fn redelivered_freeze_after_unfreeze_has_no_effect() {
    for (frozen_before, refused_before) in [(false, false), (false, true), (true, false), (true, true)] {
        let about = format!("{frozen_before} {refused_before}");
        let keyvend = Deployed::new().await;
        let slack = keyvend.world.net.slack();
        if frozen_before {
            keyvend.types(CAROL_APPROVER, "freeze").await;
            keyvend.world.clock.advance(Duration::from_secs(1));
        }
        keyvend.arrive(keyvend.world.slash_command(BOB_APPROVER, "freeze")).await;
        let freeze = keyvend.receives(SLACK);
        if refused_before {
            slack.channel(APPROVALS, |channel| channel.archived = true);
            keyvend.work(freeze.clone()).await;
            slack.channel(APPROVALS, |channel| channel.archived = false);
        }
        keyvend.work(freeze.clone()).await;
        assert!(keyvend.told(BOB_APPROVER).contains("Key issuing is frozen"), "{about}");
        keyvend.world.clock.advance(Duration::from_secs(5));
        keyvend.types(CAROL_APPROVER, "unfreeze").await;
        assert!(keyvend.item("freeze").await["frozen_by"].is_null(), "{about}");
        keyvend.work(freeze.clone()).await;
        assert!(keyvend.item("freeze").await["frozen_by"].is_null(), "{about}");
        let told = keyvend.told(BOB_APPROVER);
        assert!(told.contains("somebody has resumed it since"), "{about}: {told}");
        let message: serde_json::Value =
            serde_json::from_str(freeze["Records"][0]["body"].as_str().unwrap()).unwrap();
        let trail = keyvend.trail_of(message["id"].as_str().unwrap()).await;
        let events: Vec<&str> = trail.iter().map(|entry| entry.event.as_str()).collect();
        let expected: &[&str] =
            if refused_before { &["issuing.freeze_denied", "issuing.frozen"] } else { &["issuing.frozen"] };
        assert_eq!(events, expected, "{about}");
        let kept = keyvend.item(&format!("chain#{}", message["id"].as_str().unwrap())).await;
        let last = trail.last().unwrap();
        assert_eq!(kept["end"]["S"], format!("{}:{}", last.seq, last.hash), "{about}");
    }
}
