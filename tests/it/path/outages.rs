//! A service that fails for a day, and then does not. What depends on another one is done in time meanwhile; what was due is
//! done once afterwards, and nothing is lost among the dead letters.

use std::time::Duration;

use keyvend::domain::audit::AuditEntry;
use serde_json::Value;

use testkit::aws::{self, REQUESTS};
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::{Call, HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, MALLORY_OUTSIDER};
use testkit::sqs::{CLAIMS, DUE, SLACK};
use testkit::steps::{ASK, text};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// The per-minute rule fires once after so many seconds, and all that comes of it is worked off.
async fn sweep(keyvend: &Deployed, seconds: u64) {
    keyvend.world.clock.advance(Duration::from_secs(seconds));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
}

/// A day passes. A sweep every half an hour is as good as one every minute here, where nothing is left alone for longer.
async fn day(keyvend: &Deployed) {
    for _ in 0..49 {
        sweep(keyvend, 30 * MINUTE).await;
    }
}

/// Time enough for whatever was left alone.
async fn recovers(keyvend: &Deployed) {
    keyvend.world.net.undisturbed();
    for _ in 0..35 {
        sweep(keyvend, MINUTE).await;
    }
}

fn fails(keyvend: &Deployed, which: impl Fn(&Call) -> bool + Send + 'static, how: Interfere) {
    keyvend.world.net.before(move |call| if which(call) { how.clone() } else { Interfere::Pass });
}

/// A key that its tab shows and nobody confirms.
async fn unconfirmed(keyvend: &Deployed) -> ShownKey {
    let tab = keyvend.linked().await;
    keyvend.reveals(&tab).await
}

fn is_active(keyvend: &Deployed) -> Option<bool> {
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    keys.first().map(|key| key.status == "Active")
}

fn nothing_is_dead(keyvend: &Deployed) {
    for queue in [SLACK, CLAIMS, DUE] {
        let dead = keyvend.world.net.sqs().dead(queue);
        assert!(dead.is_empty(), "{queue}: {:?}", dead.iter().map(|letter| &letter.body).collect::<Vec<_>>());
    }
}

/// Every request's chain is complete in the audit table, and nothing is due any more but what time brings.
async fn nothing_is_left(keyvend: &Deployed) {
    for request in keyvend.requests().await {
        let id = text(&request["id"]);
        assert_eq!(request["chain"]["outbox"], serde_json::json!([]), "{id}");
        assert_eq!(request["notifications"]["outbox"], serde_json::json!([]), "{id}");
        let trail = keyvend.trail_of(&id).await;
        assert_eq!(request["chain"]["head"], serde_json::json!(trail.last().unwrap().hash), "{id}");
    }
    let now = keyvend.world.clock.now().0;
    let items = aws::items(&keyvend.world.net, REQUESTS).await;
    let late =
        |item: &Value| item["due_at"]["N"].as_str().is_some_and(|at| at.parse::<i64>().unwrap() <= now);
    let late: Vec<&String> = items.iter().filter(|(_, item)| late(item)).map(|(pk, _)| pk).collect();
    assert!(late.is_empty(), "{late:?}");
}

fn count(trail: &[AuditEntry], event: &str) -> usize {
    trail.iter().filter(|entry| entry.event == event).count()
}

/// The unconfirmed key of a request was deactivated and deleted, and its requester told, each once.
async fn key_ended_once(keyvend: &Deployed, request: &str) {
    let trail = keyvend.trail_of(request).await;
    for event in ["key.unconfirmed", "key.deactivated", "key.deleted"] {
        assert_eq!(count(&trail, event), 1, "{event}: {trail:?}");
    }
    assert_eq!(keyvend.times_told(ALICE_OWNER, "I saved it"), 1);
}

/// 240 requests whose entries stay in their outboxes are due before everything else, and more than a sweep takes on.
#[tokio::test]
async fn audit_outage_delays_no_key() {
    let keyvend = Deployed::new().await.unrecorded();
    unconfirmed(&keyvend).await;
    let first = text(&keyvend.request().await["id"]);
    fails(
        &keyvend,
        |call| call.operation == "ExecuteStatement",
        Interfere::refused_json("AccessDeniedException"),
    );
    let people = [ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, MALLORY_OUTSIDER];
    for _ in 0..48 {
        keyvend.world.clock.advance(Duration::from_secs(5));
        for person in people {
            keyvend.types(person, "create no-such-user use:cli ttl:1d x").await;
        }
    }
    assert_eq!(keyvend.requests().await.len(), 241);
    sweep(&keyvend, 10 * MINUTE).await;
    assert_eq!(is_active(&keyvend), Some(false), "the first sweep after ten minutes reached it");

    keyvend.world.net.forget();
    day(&keyvend).await;
    assert_eq!(is_active(&keyvend), None, "deleted a day later");
    let tries = keyvend.world.net.calls_to("dynamodb", "ExecuteStatement").len();
    assert!((100..=49 * 60).contains(&tries), "{tries} tries in a day");
    recovers(&keyvend).await;
    nothing_is_left(&keyvend).await;
    nothing_is_dead(&keyvend);
    key_ended_once(&keyvend, &first).await;
}

#[tokio::test]
async fn slack_outage_delays_no_key_and_loses_no_notification() {
    let keyvend = Deployed::new().await.unrecorded();
    unconfirmed(&keyvend).await;
    let first = text(&keyvend.request().await["id"]);
    keyvend.world.clock.advance(Duration::from_secs(5));
    keyvend.types(ALICE_OWNER, ASK).await;
    let waiting = text(&keyvend.request().await["id"]);
    fails(&keyvend, |call| call.service == "slack", Interfere::FailBefore);
    sweep(&keyvend, 10 * MINUTE).await;
    assert_eq!(is_active(&keyvend), Some(false));
    keyvend.world.net.forget();
    day(&keyvend).await;
    assert_eq!(is_active(&keyvend), None, "deleted a day later");
    let posts = keyvend.world.net.calls_to("slack", "chat.postMessage").len();
    assert!(posts < 1_000, "{posts} posts in a day");
    assert_eq!(count(&keyvend.trail_of(&waiting).await, "request.expired"), 1);
    recovers(&keyvend).await;
    nothing_is_left(&keyvend).await;
    nothing_is_dead(&keyvend);
    for part in ["I saved it", "expired"] {
        assert_eq!(keyvend.times_told(ALICE_OWNER, part), 1, "{part}");
    }
    let reminders = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    assert_eq!(reminders.filter(|message| message.reading().contains("Reminder: the request of")).count(), 1);
    assert!(keyvend.cards().iter().any(|card| card.reading().contains("expired")));
    assert_eq!(count(&keyvend.trail_of(&first).await, "key.deleted"), 1);
}

#[tokio::test]
async fn email_outage_stops_nothing_but_links() {
    let mail = [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];
    let keyvend = Deployed::with(&mail).await.unrecorded();
    let ready = keyvend.approved().await;
    fails(&keyvend, |call| call.service == "ses", Interfere::FailBefore);
    for hour in 0..24 {
        keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "hour {hour}");
        sweep(&keyvend, HOUR).await;
    }
    recovers(&keyvend).await;
    nothing_is_left(&keyvend).await;
    nothing_is_dead(&keyvend);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "could not be emailed"), 24, "each time");
    keyvend.collects(&ready).await;
    assert_eq!(keyvend.stands().await, "LINK_ISSUED");
    assert_eq!(aws::mails(&keyvend.world.net).len(), 1);
}

#[tokio::test]
async fn account_without_role_delays_no_other() {
    let keyvend = Deployed::new().await.unrecorded();
    unconfirmed(&keyvend).await;
    let first = text(&keyvend.request().await["id"]);
    keyvend.world.clock.advance(Duration::from_secs(5));
    keyvend.types(ALICE_OWNER, ASK).await;
    let waiting = text(&keyvend.request().await["id"]);
    let gone = |call: &Call| call.service == "sts" && call.parameters.to_string().contains(HOME);
    // A session that is kept ends with the role.
    let iam = |call: &Call| call.service == "iam";
    fails(&keyvend, move |call| gone(call) || iam(call), Interfere::refused_xml(403, "AccessDenied"));
    keyvend.world.net.forget();
    day(&keyvend).await;
    assert_eq!(is_active(&keyvend), Some(true), "nobody can deactivate it");
    assert_eq!(count(&keyvend.trail_of(&waiting).await, "request.expired"), 1, "but all else is done");
    let tries = keyvend.world.net.calls_to("sts", "AssumeRole").len();
    assert!(tries < 1_000, "{tries} tries in a day");
    keyvend.world.net.undisturbed();
    let mut minutes = 0;
    while is_active(&keyvend) == Some(true) {
        sweep(&keyvend, MINUTE).await;
        minutes += 1;
        assert!(minutes <= 31, "still on {minutes} minutes after the role is back");
    }
    recovers(&keyvend).await;
    nothing_is_left(&keyvend).await;
    nothing_is_dead(&keyvend);
    let trail = keyvend.trail_of(&first).await;
    for event in ["key.unconfirmed", "key.deactivated"] {
        assert_eq!(count(&trail, event), 1, "{event}: {trail:?}");
    }
    assert_eq!(keyvend.times_told(ALICE_OWNER, "I saved it"), 1);
}

/// Without its key the tables answer nothing, so nothing can be done; and what was in flight is not lost either.
#[tokio::test]
async fn encryption_outage_loses_nothing() {
    let keyvend = Deployed::new().await.unrecorded();
    unconfirmed(&keyvend).await;
    let first = text(&keyvend.request().await["id"]);
    fails(
        &keyvend,
        |call| ["dynamodb", "secretsmanager"].contains(&call.service.as_str()),
        Interfere::refused_json("KMSAccessDeniedException"),
    );
    day(&keyvend).await;
    assert_eq!(is_active(&keyvend), Some(true));
    recovers(&keyvend).await;
    assert_eq!(is_active(&keyvend), Some(false), "deactivated as soon as it can be");
    nothing_is_left(&keyvend).await;
    nothing_is_dead(&keyvend);
    day(&keyvend).await;
    assert_eq!(is_active(&keyvend), None);
    key_ended_once(&keyvend, &first).await;
}

/// Keys that cannot be deleted, as many as there may be, are no reason to be late with one that is to be deactivated.
#[tokio::test]
async fn failing_routine_timers_delay_no_urgent_one() {
    let keyvend = Deployed::new().await.unrecorded();
    unconfirmed(&keyvend).await;
    let items = aws::items(&keyvend.world.net, REQUESTS).await;
    let (_, sample) = items.iter().find(|(pk, _)| pk.starts_with("request#")).unwrap();
    // Unreadable requests, due for long, in the shards that requests have.
    let dynamo = aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(HOME));
    let shard = text(&sample["due_shard"]["S"]);
    let shards = ["0", "1", "2", "3"].map(str::to_owned);
    assert!(shard.is_empty() || !shards.contains(&shard), "a request has no shard of urgent timers: {shard}");
    for number in 0..400 {
        let value = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        dynamo
            .put_item()
            .table_name(REQUESTS)
            .item("pk", value(format!("request#{number:0>16}")))
            .item("document", value("{".to_owned()))
            .item("due_shard", value(format!("routine.{}", number % 4)))
            .item("due_at", aws_sdk_dynamodb::types::AttributeValue::N("1".to_owned()))
            .send()
            .await
            .unwrap();
    }
    sweep(&keyvend, 10 * MINUTE).await;
    assert_eq!(is_active(&keyvend), Some(false));
    for _ in 0..4 {
        sweep(&keyvend, MINUTE).await;
    }
    let items = aws::items(&keyvend.world.net, REQUESTS).await;
    let untouched = items.values().filter(|item| item["due_at"]["N"] == "1").count();
    assert_eq!(untouched, 0, "those that failed made way for the others");
    nothing_is_dead(&keyvend);
}
