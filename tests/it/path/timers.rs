//! What happens when nobody does anything: one reminder, and the end of a request's time.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use keyvend::domain::audit::AuditEntry;
use serde_json::Value;

use testkit::aws::REQUESTS;
use testkit::deployed::Deployed;
use testkit::iam_rights::Function;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER};
use testkit::sqs::{DUE, SWEEP};
use testkit::steps::{ASK, text};

const HOUR: Duration = Duration::from_secs(3_600);

/// The per-minute rule fires once, after `time`.
async fn after(keyvend: &Deployed, time: Duration) {
    keyvend.world.clock.advance(time);
    keyvend.world.net.sqs().sweep();
    keyvend.deliver().await;
}

#[tokio::test]
async fn approvers_are_reminded_once_before_request_expires() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    let slack = keyvend.world.net.slack();
    let said = || {
        let all = slack.messages(APPROVALS).into_iter();
        // Beside what is said once a day.
        let daily = ["Discrepancies", "udit checkpoint"];
        all.filter(|message| !daily.iter().any(|part| message.reading().contains(part))).collect::<Vec<_>>()
    };
    after(&keyvend, 5 * HOUR).await;
    assert_eq!(said().len(), 1, "only the card");
    after(&keyvend, 2 * HOUR).await;
    let reminder = said().pop().unwrap();
    assert!(reminder.reading().contains("needs 1 approval"), "{}", reminder.reading());
    assert_eq!(reminder.thread_ts, Some(said()[0].ts.clone()), "in the card's thread");
    after(&keyvend, 10 * HOUR).await;
    assert_eq!(said().len(), 2, "one reminder");
    after(&keyvend, 7 * HOUR).await;
    let card = &said()[0];
    assert!(card.reading().contains("expired"), "{}", card.reading());
    assert!(card.buttons().iter().all(|button| button.text == "Details"), "nothing to decide any more");
    assert!(keyvend.told(ALICE_OWNER).contains("expired"), "{}", keyvend.told(ALICE_OWNER));
    let told = slack.told(ALICE_OWNER).len();
    after(&keyvend, HOUR).await;
    assert_eq!(slack.told(ALICE_OWNER).len(), told, "told once");
}

#[tokio::test]
async fn approved_request_expires_after_72_hours() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let card = || keyvend.world.net.slack().messages(APPROVALS)[0].reading();
    after(&keyvend, 71 * HOUR).await;
    assert!(!card().contains("expired"));
    after(&keyvend, 2 * HOUR).await;
    assert!(card().contains("expired"), "{}", card());
}

#[tokio::test]
async fn sweep_cost_is_independent_of_stored_items() {
    // Five minutes give five sweeps.
    let keyvend = Deployed::new().await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        keyvend.world.net.forget();
        after(&keyvend, Duration::from_secs(60)).await;
        let queries = keyvend.world.net.calls_to("dynamodb", "Query");
        calls.push(queries.len());
        assert!(queries.iter().all(|call| call.access_key == Function::Worker.access_key()));
        assert_eq!(keyvend.world.net.calls_to("dynamodb", "Scan").len(), 0);
        keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    }
    assert_eq!(calls, [16; 5], "one query a shard, lane and table");
}

/// An item that no code can read.
async fn spoil(keyvend: &Deployed, pk: &str) {
    let dynamo = aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(HOME));
    let update = dynamo.update_item().table_name(REQUESTS).key("pk", AttributeValue::S(pk.to_owned()));
    let update = update.update_expression("SET document = :spoilt");
    update.expression_attribute_values(":spoilt", AttributeValue::S("{".to_owned())).send().await.unwrap();
}

#[tokio::test]
async fn unreadable_due_item_is_rescheduled() {
    // It delays no other item.
    let keyvend = Deployed::new().await;
    for _ in 0..2 {
        keyvend.asked().await;
    }
    let requests = keyvend.requests().await;
    let (spoilt, other) = (text(&requests[0]["id"]), text(&requests[1]["id"]));
    let spoilt = format!("request#{spoilt}");
    spoil(&keyvend, &spoilt).await;
    let due_at = async || text(&keyvend.item(&spoilt).await["due_at"]["N"]).parse::<i64>().unwrap();
    after(&keyvend, 25 * HOUR).await;
    let document = text(&keyvend.item(&format!("request#{other}")).await["document"]["S"]);
    assert!(document.contains(r#""state":"Expired""#), "{document}");
    assert!(keyvend.told(ALICE_OWNER).contains("expired"), "{}", keyvend.told(ALICE_OWNER));
    assert!(due_at().await > keyvend.world.clock.now().0, "out of the way at the first failure");
    keyvend.deliver_everything().await;
    let mut waits = Vec::new();
    for _ in 0..7 {
        let wait = due_at().await - keyvend.world.clock.now().0;
        waits.push(wait);
        keyvend.world.net.forget();
        after(&keyvend, Duration::from_secs(u64::try_from(wait).unwrap() - 1)).await;
        let reads = keyvend.world.net.calls_to("dynamodb", "GetItem");
        assert!(!reads.iter().any(|call| call.parameters.to_string().contains(&spoilt)), "{waits:?}");
        after(&keyvend, Duration::from_secs(1)).await;
        keyvend.deliver_everything().await;
    }
    let minutes: Vec<i64> = waits.iter().map(|wait| (wait + 59) / 60).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30], "longer each time, up to half an hour: {waits:?}");
    assert!(keyvend.world.net.sqs().dead(DUE).is_empty(), "the item itself says what is to be done");
}

/// The per-minute rule fires twice after `time`, and every message that there is on `sweep` and on `due` is worked off by
/// two invocations at once: but not what is to be told, which Slack takes as often as it is sent.
async fn twice_after(keyvend: &Deployed, time: Duration) {
    let sqs = keyvend.world.net.sqs();
    keyvend.world.clock.advance(time);
    sqs.sweep();
    sqs.sweep();
    let next = || {
        let now = keyvend.world.clock.now();
        let received = |queue| sqs.receive(queue, now).map(|event| (queue, event));
        received(SWEEP).or_else(|| received(DUE))
    };
    while let Some((queue, event)) = next() {
        let receipt = text(&event["Records"][0]["receiptHandle"]);
        let told = text(&event["Records"][0]["body"]).contains(r#""notify""#);
        let (one, other) = tokio::join!(
            Box::pin(keyvend.work(event.clone())),
            Box::pin(async { if told { Value::Null } else { keyvend.work(event).await } })
        );
        let done = |answer: &Value| answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty);
        sqs.finish(queue, &receipt, done(&one) && done(&other));
    }
    keyvend.deliver_everything().await;
}

#[tokio::test]
async fn simultaneous_sweeps_act_once() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    // A second request that nobody answers, beside a key that nobody confirms.
    keyvend.types(ALICE_OWNER, ASK).await;
    let waiting = text(&keyvend.request().await["id"]);
    for hours in [1, 7, 20, 48] {
        twice_after(&keyvend, hours * HOUR).await;
    }
    let count = |trail: &[AuditEntry], event: &str| trail.iter().filter(|entry| entry.event == event).count();
    let trail = keyvend.trail_of(&waiting).await;
    assert_eq!(count(&trail, "request.expired"), 1, "{trail:?}");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "expired"), 1);
    let reminders = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    assert_eq!(reminders.filter(|message| message.reading().contains("Reminder: the request of")).count(), 1);
    let first = text(&keyvend.requests().await[0]["id"]);
    let trail = keyvend.trail_of(&first).await;
    for event in ["key.unconfirmed", "key.deactivated", "key.deleted"] {
        assert_eq!(count(&trail, event), 1, "{event}: {trail:?}");
    }
    assert_eq!(keyvend.times_told(ALICE_OWNER, "I saved it"), 1);
    assert!(!keyvend.key_ids().contains(&key.id));
    assert!(keyvend.lease().await.is_null());
}
