//! Slack as it is: errors, waits, silence. None of them re-runs or blocks what was done. And how few steps an answer
//! waits for.

use std::time::Duration;

use serde_json::Value;

use super::freeze::issued;
use testkit::aws::{self, BOT_TOKEN_ID};
use testkit::deployed::{Deployed, Tab};
use testkit::net::{Call, HOME, Interfere, Net};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, BOT, Channel};
use testkit::sqs::SLACK;

const CREATE: &str = "create ci-deployer use:local-code ttl:30d laptop tooling";

/// How many AWS calls the answer to an event waits for, one after the other, with their names.
pub async fn steps(keyvend: &Deployed, event: Value) -> (usize, Vec<String>) {
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.arrive(event).await;
    let (sqs, now) = (keyvend.world.net.sqs(), keyvend.world.clock.now());
    let event = sqs.receive(SLACK, now).unwrap();
    let receipt = event["Records"][0]["receiptHandle"].as_str().unwrap().to_owned();
    keyvend.world.net.forget();
    // Many more than the turns by which calls made side by side begin apart.
    keyvend.world.net.takes(100);
    keyvend.work(event).await;
    sqs.finish(SLACK, &receipt, true);
    let calls = keyvend.world.net.calls();
    let answers = |call: &Call| ["response_url", "chat.postEphemeral"].contains(&call.operation.as_str());
    let answered = calls.iter().position(answers).unwrap();
    let waited: Vec<_> = calls[..answered].iter().filter(|call| call.service != "slack").cloned().collect();
    let names = waited.iter().map(|call| format!("{}:{}", call.service, call.operation)).collect();
    keyvend.world.net.takes(1);
    keyvend.deliver().await;
    (Net::steps(&waited), names)
}

#[tokio::test]
async fn command_replies_need_four_sequential_aws_calls() {
    // At most four AWS calls are made one after another.
    let keyvend = Deployed::new().await;
    let world = &keyvend.world;
    let four_at_most = |what: &str, (steps, names): (usize, Vec<String>)| {
        assert!(steps <= 4, "{what}: {steps} steps: {names:?}");
    };
    four_at_most("create, cold", steps(&keyvend, world.slash_command(ALICE_OWNER, CREATE)).await);
    let card = keyvend.card();
    four_at_most("approve", steps(&keyvend, world.press(BOB_APPROVER, &card, "Approve")).await);
    let ready = world.net.slack().last_told(ALICE_OWNER);
    four_at_most("get my key", steps(&keyvend, world.press(ALICE_OWNER, &ready, "Get my key")).await);
    for text in [CREATE, "status", "whoami", "create group-owned use:cli ttl:1d x", "cancel", "freeze"] {
        four_at_most(text, steps(&keyvend, world.slash_command(ALICE_OWNER, text)).await);
    }
    let home = aws::iam(&world.net, HOME);
    home.create_group().group_name("ops").send().await.unwrap();
    home.add_user_to_group().group_name("ops").user_name("ci-deployer").send().await.unwrap();
    home.put_group_policy().group_name("ops").policy_name("p").policy_document("{}").send().await.unwrap();
    world.clock.advance(Duration::from_secs(1_000));
    // What the groups of an IAM user hold can be asked once they are known; the session is kept for some minutes.
    let another = |reason: &str| world.slash_command(ALICE_OWNER, &format!("{CREATE} {reason}"));
    let (cold, names) = steps(&keyvend, another("again")).await;
    assert_eq!(cold, 5, "{names:?}");
    // So can the rate limit, and a session that is kept leaves nothing to do beside it.
    let (warm, names) = steps(&keyvend, another("and again")).await;
    assert_eq!(warm, 5, "{names:?}");
}

// T4.6
#[tokio::test]
async fn slack_outage_neither_repeats_nor_blocks_issue() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, CREATE).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    keyvend.world.net.before(|call| {
        let tells = call.operation == "chat.postMessage" || call.operation == "chat.update";
        if tells { Interfere::FailBefore } else { Interfere::Pass }
    });
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200, "the key is there");
    assert_eq!(keyvend.world.net.calls_to("iam", "CreateAccessKey").len(), 1);
    keyvend.world.net.undisturbed();
    keyvend.deliver_everything().await;
    assert!(keyvend.told(ALICE_OWNER).contains("was created and delivered"), "told once Slack answers again");
    assert!(keyvend.card().reading().contains("was created"), "{}", keyvend.card().reading());
    assert_eq!(keyvend.world.net.calls_to("iam", "CreateAccessKey").len(), 1);
    assert_eq!(keyvend.world.net.sqs().dead(testkit::sqs::DUE).len(), 0);
}

#[tokio::test]
async fn slacks_retry_after_is_respected() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().rate_limit_next("chat.postMessage", 33);
    keyvend.types(ALICE_OWNER, CREATE).await;
    assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty());
    let asked_at = keyvend.world.clock.now();
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.world.net.slack().messages(APPROVALS).len(), 1);
    let waited = keyvend.world.clock.now().since(asked_at);
    assert!((33..=41).contains(&waited), "{waited} s");
}

type Spoil = fn(&mut Channel);

/// What can have been done to the approvals channel, by a name.
pub const CHANNEL_SPOILT: [(&str, Spoil); 6] = [
    ("keyvend is not in it", |channel| _ = channel.members.remove(BOT)),
    ("it is archived", |channel| channel.archived = true),
    ("it is open to everybody", |channel| channel.private = false),
    ("it is shared", |channel| channel.shared = true),
    ("it is shared with others", |channel| channel.ext_shared = true),
    ("it is shared within the organisation", |channel| channel.org_shared = true),
];

// T2.20
#[tokio::test]
async fn unusable_channel_makes_review_fail_visibly() {
    // The review changes nothing and says why.
    for (name, spoil) in CHANNEL_SPOILT {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        let before = keyvend.world.net.slack().channels();
        let before = before.into_iter().find(|channel| channel.id == APPROVALS).unwrap();
        keyvend.world.net.slack().channel(APPROVALS, spoil);
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert!(keyvend.told(BOB_APPROVER).contains("Approvals are unavailable"), "{name}");
        assert_eq!(keyvend.stands().await, "PENDING", "{name}");
        assert_eq!(keyvend.events().await, ["request.created", "review.rejected"], "{name}");
        keyvend.world.net.slack().channel(APPROVALS, |channel| *channel = before.clone());
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;

        keyvend.world.net.slack().channel(APPROVALS, spoil);
        keyvend.claims(&tab).await;
        keyvend.deliver().await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{name}: at once");
        assert_eq!(keyvend.ticket_stands(&tab).await, "FAILED", "{name}");
        assert_eq!(keyvend.last_detail("why").await, "approvers-unreachable", "{name}");
        let again = keyvend.direct(ALICE_OWNER);
        assert!(again.reading().contains("Approvals are unavailable"), "{name}: {}", again.reading());
        keyvend.nothing_was_created().await;

        keyvend.world.net.slack().channel(APPROVALS, |channel| *channel = before);
        keyvend.deliver_everything().await;
        let tab = keyvend.collects(&again).await;
        keyvend.reveals(&tab).await;
    }
}

#[tokio::test]
async fn unreachable_approvers_are_reported() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.world.net.slack().channel(APPROVALS, |channel| channel.ext_shared = true);
    keyvend.presses(BOB_APPROVER, &card, "Details").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("Approvals are unavailable"), "{shown}");
    keyvend.types(BOB_APPROVER, "freeze").await;
    assert!(keyvend.told(BOB_APPROVER).contains("Approvals are unavailable"), "at once");
    assert_eq!(keyvend.deliver_everything().await, 0);
    assert!(keyvend.item("freeze").await.is_null());
    keyvend.types(BOB_APPROVER, "whoami").await;
    keyvend.deliver_everything().await;
    assert!(keyvend.told(BOB_APPROVER).contains("Approvals are unavailable"), "when it was tried for long");
    assert_eq!(keyvend.times_told(BOB_APPROVER, "Approvals are unavailable"), 2);
}

#[tokio::test]
async fn unposted_card_is_retried_and_requester_notified() {
    for (name, spoil) in CHANNEL_SPOILT.into_iter().take(2) {
        let keyvend = Deployed::new().await;
        keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, CREATE)).await;
        let spoilt = keyvend.world.net.clone();
        keyvend.world.net.before(move |call| {
            // Between the look-up and the card.
            if call.operation == "response_url" {
                spoilt.slack().channel(APPROVALS, spoil);
            }
            Interfere::Pass
        });
        keyvend.deliver_everything().await;
        assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty(), "{name}");
        assert_eq!(keyvend.world.net.sqs().dead(testkit::sqs::DUE).len(), 0, "{name}");
        let told = keyvend.direct(ALICE_OWNER).reading();
        let parts =
            ["Approvals are unavailable", "could not be posted in the approvers' channel", "stays open"];
        assert!(parts.iter().all(|part| told.contains(part)), "{name}: {told}");
        assert_eq!(keyvend.times_told(ALICE_OWNER, "Approvals are unavailable"), 1, "{name}");
        assert_eq!(keyvend.stands().await, "PENDING", "{name}");

        // Somebody mends the channel: then the card is posted, once.
        keyvend.world.net.undisturbed();
        keyvend.world.net.slack().channel(APPROVALS, |channel| {
            channel.archived = false;
            channel.members.insert(BOT.to_owned());
        });
        for _ in 0..2 {
            keyvend.world.clock.advance(Duration::from_secs(6 * 3_600));
            keyvend.world.net.sqs().sweep();
            keyvend.deliver().await;
        }
        assert_eq!(keyvend.cards().len(), 1, "{name}");
        // The reminder, which was due too, found it posted and drew it again.
        let posted = keyvend.card().edits.remove(0);
        assert!(format!("{posted:?}").contains("<!channel> *<@U0ALICE>* requests"), "{name}: {posted:?}");
        keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{name}");
    }
}

#[tokio::test]
async fn card_is_posted_when_channel_is_back() {
    for error in ["channel_not_found", "not_in_channel", "fatal_error"] {
        let keyvend = Deployed::new().await;
        for _ in 0..6 {
            keyvend.world.net.slack().fail_next("chat.postMessage", error);
        }
        keyvend.types(ALICE_OWNER, CREATE).await;
        keyvend.deliver_everything().await;
        assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty(), "{error}");
        assert_eq!(keyvend.world.net.sqs().dead(testkit::sqs::DUE).len(), 0, "{error}");
        assert_eq!(
            keyvend.times_told(ALICE_OWNER, "could not be posted in the approvers' channel"),
            1,
            "{error}"
        );
        // Somebody mended the channel.
        for _ in 0..10 {
            keyvend.world.clock.advance(Duration::from_secs(60));
            keyvend.world.net.sqs().sweep();
            keyvend.deliver_everything().await;
        }
        assert_eq!(keyvend.cards().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn refused_response_url_falls_back_to_direct_message() {
    for error in ["used_url", "expired_url"] {
        let keyvend = Deployed::new().await;
        keyvend.world.net.slack().fail_next("response_url", error);
        keyvend.types(ALICE_OWNER, "whoami").await;
        let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
        assert!(told.reading().contains("You are <@U0ALICE>"), "{error}: {}", told.reading());
        assert_eq!(told.ephemeral_to, None, "{error}");
    }
}

/// The bot's token is rotated, and from the next answer on Slack takes the new one alone. The response URL is dead too.
async fn rotates_at_the_next_answer(keyvend: &Deployed, code: &'static str) {
    aws::rotate_secret(&keyvend.world.net, BOT_TOKEN_ID, "xoxb-rotated").await;
    let net = keyvend.world.net.clone();
    let mut refused = false;
    keyvend.world.net.before(move |call| {
        let answers = call.operation == "response_url";
        if answers {
            net.slack().token("xoxb-rotated");
            return Interfere::Status(404, "used_url".to_owned());
        }
        // Slack has more than one word for a token that is no longer good.
        if code != "invalid_auth" && call.operation == "chat.postMessage" && !refused {
            refused = true;
            return Interfere::Status(200, format!(r#"{{"ok":false,"error":"{code}"}}"#));
        }
        Interfere::Pass
    });
}

#[tokio::test]
async fn fallback_reply_survives_bot_token_rotation() {
    for code in ["invalid_auth", "token_revoked", "token_expired", "account_inactive"] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        let before = keyvend.world.net.calls_to("secretsmanager", "GetSecretValue").len();
        rotates_at_the_next_answer(&keyvend, code).await;
        // The approval is recorded by then, so this answer is not tried again by the queue.
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert_eq!(keyvend.direct(BOB_APPROVER).reading(), "Your approval is recorded.", "{code}");
        assert_eq!(keyvend.times_told(BOB_APPROVER, "recorded"), 1, "{code}");
        let after = keyvend.world.net.calls_to("secretsmanager", "GetSecretValue").len();
        assert_eq!(after, before + 1, "{code}: read once more");
        assert_eq!(keyvend.stands().await, "APPROVED", "{code}");
    }
}

#[tokio::test]
async fn notifications_wait_for_valid_token() {
    for code in ["invalid_auth", "account_inactive"] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        // Both tries of the first delivery, before somebody stores the new token.
        for _ in 0..2 {
            keyvend.world.net.slack().fail_next("chat.postMessage", code);
        }
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert_eq!(keyvend.times_told(ALICE_OWNER, "Press *Get my key*"), 0, "{code}");
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.times_told(ALICE_OWNER, "Press *Get my key*"), 1, "{code}");
    }
}

#[tokio::test]
async fn invalid_token_is_reloaded_once_per_reply() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "response_url" => Interfere::Status(404, "used_url".to_owned()),
        "chat.postMessage" => Interfere::Status(200, r#"{"ok":false,"error":"invalid_auth"}"#.to_owned()),
        _ => Interfere::Pass,
    });
    keyvend.world.net.forget();
    let event = keyvend.pressed(keyvend.world.press(BOB_APPROVER, &card, "Approve")).await;
    keyvend.work(event).await;
    assert_eq!(keyvend.world.net.calls_to("secretsmanager", "GetSecretValue").len(), 1);
    assert_eq!(
        keyvend.world.net.calls_to("slack", "chat.postMessage").len(),
        1,
        "no other token, no other try"
    );
    assert_eq!(keyvend.stands().await, "APPROVED", "what was decided stands");
}

// T3.5
#[tokio::test]
async fn undeliverable_link_is_never_sent_as_permanent_message() {
    // It is voided instead.
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, CREATE).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.world.net.slack().rate_limit_next("chat.postEphemeral", 33);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(told.reading().contains("was revoked"), "{}", told.reading());
    assert!(keyvend.world.net.slack().ever().iter().all(|message| !message.reading().contains("#1.")));
    keyvend.presses(ALICE_OWNER, &told, "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(link.button("Open the one-time link").url.is_some());
}

#[tokio::test]
async fn notification_to_departed_user_is_dropped() {
    // It delays no other notification.
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    keyvend.world.net.slack().fail_next("chat.postMessage", "user_disabled");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
    keyvend.deliver_everything().await;
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.iter().find(|found| found.id == key.id).unwrap().status, "Inactive");
}
