//! Slack as it is: errors, waits, silence. None of them re-runs or blocks what was done. And how few steps an answer
//! waits for.

use std::time::Duration;

use serde_json::Value;

use super::stop::issued;
use super::world::aws;
use super::world::deployed::{Deployed, Tab};
use super::world::net::{HOME, Interfere, Net};
use super::world::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER};
use super::world::sqs::SLACK;

const CREATE: &str = "create ci-deployer use:local-code ttl:30d laptop tooling";

/// How many AWS calls the answer to an event waits for, one after the other, with their names.
pub async fn steps(keyvend: &Deployed, event: Value) -> (usize, Vec<String>) {
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.arrive(event).await;
    let (sqs, now) = (keyvend.world.net.sqs(), keyvend.world.clock.now());
    let event = sqs.receive(SLACK, now).unwrap();
    let receipt = event["Records"][0]["receiptHandle"].as_str().unwrap().to_owned();
    keyvend.world.net.forget();
    keyvend.work(event).await;
    sqs.finish(SLACK, &receipt, true);
    let calls = keyvend.world.net.calls();
    let answered = calls.iter().position(|call| call.operation == "response_url").unwrap();
    let waited: Vec<_> = calls[..answered].iter().filter(|call| call.service != "slack").cloned().collect();
    let names = waited.iter().map(|call| format!("{}:{}", call.service, call.operation)).collect();
    keyvend.deliver().await;
    (Net::steps(&waited), names)
}

#[tokio::test]
async fn an_answer_waits_for_four_aws_steps_in_sequence_at_most() {
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
}

#[tokio::test]
async fn a_slack_that_is_down_while_a_key_is_issued_neither_repeats_nor_blocks_it() {
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
    assert!(keyvend.told(ALICE_OWNER).contains("was created and handed"), "told once Slack answers again");
    assert!(keyvend.card().reading().contains("was created"), "{}", keyvend.card().reading());
    assert_eq!(keyvend.world.net.calls_to("iam", "CreateAccessKey").len(), 1);
    assert_eq!(keyvend.world.net.sqs().dead(super::world::sqs::DUE).len(), 0);
}

#[tokio::test]
async fn slack_s_retry_after_is_waited_for() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().rate_limit_next("chat.postMessage", 33);
    keyvend.types(ALICE_OWNER, CREATE).await;
    assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty());
    let asked_at = keyvend.world.clock.now();
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.world.net.slack().messages(APPROVALS).len(), 1);
    assert_eq!(keyvend.world.clock.now().since(asked_at), 33);
}

#[tokio::test]
async fn an_approvals_channel_that_is_gone_is_tried_six_times_and_then_lies_among_the_dead_letters() {
    for error in ["channel_not_found", "not_in_channel"] {
        let keyvend = Deployed::new().await;
        for _ in 0..6 {
            keyvend.world.net.slack().fail_next("chat.postMessage", error);
        }
        keyvend.types(ALICE_OWNER, CREATE).await;
        keyvend.deliver_everything().await;
        assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty(), "{error}");
        assert_eq!(keyvend.world.net.sqs().dead(super::world::sqs::DUE).len(), 1, "{error}");
        // Somebody mended the channel and redrove the letter.
        keyvend.world.net.sqs().redrive(super::world::sqs::DUE);
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.world.net.slack().messages(APPROVALS).len(), 1, "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_the_response_url_does_not_take_goes_by_direct_message() {
    for error in ["used_url", "expired_url"] {
        let keyvend = Deployed::new().await;
        keyvend.world.net.slack().fail_next("response_url", error);
        keyvend.types(ALICE_OWNER, "whoami").await;
        let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
        assert!(told.reading().contains("You are <@U0ALICE>"), "{error}: {}", told.reading());
        assert_eq!(told.ephemeral_to, None, "{error}");
    }
}

#[tokio::test]
async fn a_link_that_cannot_be_shown_is_withdrawn_and_never_sent_as_a_message_that_stays() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, CREATE).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.world.net.slack().fail_next("response_url", "expired_url");
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(told.reading().contains("withdrew it"), "{}", told.reading());
    assert!(keyvend.world.net.slack().ever().iter().all(|message| !message.reading().contains("#1.")));
    keyvend.presses(ALICE_OWNER, &told, "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(link.button("Open the one-time link").url.is_some());
}

#[tokio::test]
async fn somebody_who_left_is_not_told_and_holds_up_nobody() {
    let keyvend = Deployed::new().await;
    let key = issued(&keyvend).await;
    keyvend.world.net.slack().fail_next("chat.postMessage", "user_disabled");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "This wasn't me").await;
    keyvend.deliver_everything().await;
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.iter().find(|found| found.id == key.id).unwrap().status, "Inactive");
}
