//! Issuing: one `CreateAccessKey` for one intent, whatever AWS answers and whoever is killed when.

use std::future::Future as _;
use std::task::Poll;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use testkit::aws::REQUESTS;
use testkit::deployed::{Deployed, Tab};
use testkit::net::{Call, HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS};
use testkit::sqs;
use testkit::steps::{failed, record, text};

/// Puts an item in table `Requests` as another would have.
async fn put(keyvend: &Deployed, pk: &str, name: &str, value: &str) {
    aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(HOME))
        .put_item()
        .table_name(REQUESTS)
        .item("pk", AttributeValue::S(pk.to_owned()))
        .item(name, AttributeValue::S(value.to_owned()))
        .send()
        .await
        .unwrap();
}

async fn take_away(keyvend: &Deployed, pk: &str) {
    aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(HOME))
        .delete_item()
        .table_name(REQUESTS)
        .key("pk", AttributeValue::S(pk.to_owned()))
        .send()
        .await
        .unwrap();
}

/// No key, for certain: all is as before the press, and the requester was told so.
async fn came_to_nothing(keyvend: &Deployed, tab: &Tab, why: &str, say: &str) {
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.ticket_stands(tab).await, "FAILED");
    assert_eq!(keyvend.turned_away(tab).await, (410, "failed".to_owned()));
    assert_eq!(keyvend.last_detail("why").await, why);
    assert!(!keyvend.has_psk(tab).await);
    assert!(keyvend.lease().await.is_null());
    assert!([serde_json::Value::Null, "0".into()].contains(&keyvend.counted().await));
    assert_eq!(keyvend.key_ids().len(), 0);
    let told = keyvend.direct(ALICE_OWNER);
    assert!(told.reading().contains(say), "{}", told.reading());
    told.button("Get my key");
}

/// Whether there is a key is not known: nothing is tried again, and everybody knows.
async fn is_ambiguous(keyvend: &Deployed, tab: &Tab) {
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "AMBIGUOUS");
    assert_eq!(keyvend.ticket_stands(tab).await, "FAILED");
    assert_eq!(keyvend.turned_away(tab).await, (410, "failed".to_owned()));
    assert!(!keyvend.has_psk(tab).await);
    assert_eq!(text(&keyvend.lease().await), text(&keyvend.request().await["id"]), "the lease stays");
    assert_eq!(keyvend.events().await.last().unwrap(), "issue.create_timed_out");
    let direct = keyvend.direct(ALICE_OWNER);
    let public = keyvend.world.net.slack().last_message(APPROVALS);
    for told in [direct, public] {
        assert!(told.reading().contains("AWS did not respond"), "{}", told.reading());
        assert_eq!(told.buttons(), []);
    }
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.creates(), 1, "it is never repeated");
}

/// A transaction that writes this event to the trail.
fn writes(event: &'static str) -> impl Fn(&Call) -> bool {
    move |call| {
        call.operation == "TransactWriteItems"
            && call.parameters.to_string().contains(&format!(r#"\"event\":\"{event}\""#))
    }
}

/// The worker dies at a call of its own while it issues.
async fn dies(keyvend: &Deployed, tab: &Tab, at: impl Fn(&Call) -> bool + Send + 'static, how: Interfere) {
    keyvend.claims(tab).await;
    keyvend.world.net.fault(at, how);
    let event = keyvend.receives(sqs::CLAIMS);
    assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none(), "nobody died");
}

fn creates(call: &Call) -> bool {
    call.operation == "CreateAccessKey"
}

#[tokio::test]
async fn claim_older_than_three_minutes_is_refused() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.clock.advance(Duration::from_secs(181));
    keyvend.deliver().await;
    came_to_nothing(&keyvend, &tab, "too-late", "could not be created in time").await;
    keyvend.nothing_was_created().await;

    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.clock.advance(Duration::from_secs(180));
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200);
}

// T2.23
#[tokio::test]
async fn frozen_issuing_creates_no_key_and_keeps_approval() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    put(&keyvend, "freeze", "frozen_by", "T0001.U0BOB").await;
    keyvend.claims(&tab).await;
    keyvend.deliver().await;
    came_to_nothing(&keyvend, &tab, "frozen", "Key issuing is frozen").await;
    keyvend.nothing_was_created().await;
    take_away(&keyvend, "freeze").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
}

// T4.5
#[tokio::test]
async fn a_lease_that_another_holds_is_waited_for() {
    let lease = format!("lease#{HOME}/ci-deployer");
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    put(&keyvend, &lease, "holder", "ANOTHERREQUEST00").await;
    keyvend.claims(&tab).await;
    let event = keyvend.receives(sqs::CLAIMS);
    assert!(failed(&keyvend.work(event).await));
    let waits = keyvend.world.net.sqs().next_visible(sqs::CLAIMS).unwrap();
    assert_eq!(waits.since(keyvend.world.clock.now()), 10);
    assert_eq!(keyvend.stands().await, "LINK_ISSUED");
    assert_eq!(keyvend.lease().await, "ANOTHERREQUEST00");
    assert_eq!(keyvend.creates(), 0);
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 202, "the tab waits");
    take_away(&keyvend, &lease).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200);
    assert_eq!(keyvend.creates(), 1);
}

#[tokio::test]
async fn permanently_held_lease_notifies_requester() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    put(&keyvend, &format!("lease#{HOME}/ci-deployer"), "holder", "ANOTHERREQUEST00").await;
    keyvend.claims(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.lease().await, "ANOTHERREQUEST00", "never stolen");
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.turned_away(&tab).await, (410, "failed".to_owned()));
    let told = keyvend.direct(ALICE_OWNER);
    assert!(told.reading().contains("Another key operation on this IAM user"), "{}", told.reading());
    told.button("Get my key");
    assert_eq!(keyvend.creates(), 0);
}

// T4.5
#[tokio::test]
async fn two_requests_for_one_user_take_turns() {
    let keyvend = Deployed::new().await;
    let first = keyvend.linked().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    let second = keyvend.linked().await;
    for tab in [&first, &second] {
        keyvend.claims(tab).await;
    }
    let (one, two) = (keyvend.receives(sqs::CLAIMS), keyvend.receives(sqs::CLAIMS));
    let answers = futures_util::future::join(keyvend.work(one), keyvend.work(two)).await;
    assert!(failed(&answers.0) ^ failed(&answers.1), "one holds the lease, the other waits: {answers:?}");
    assert_eq!(keyvend.creates(), 1);
    keyvend.deliver_everything().await;
    for tab in [&first, &second] {
        let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
        // The one that came second was put back under a receipt of the test's, so it may still be on its way.
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(keyvend.key_ids().len(), 2);
    assert_eq!(keyvend.counted().await, "2");
    assert!(keyvend.lease().await.is_null());
}

// T4.1
#[tokio::test]
async fn duplicate_claim_delivery_creates_one_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let event = keyvend.receives(sqs::CLAIMS);
    futures_util::future::join(keyvend.work(event.clone()), keyvend.work(event)).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.creates(), 1);
    assert_eq!(keyvend.key_ids().len(), 1);
    assert_eq!(keyvend.stands().await, "ISSUED");
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200);
}

// T4.4
#[tokio::test]
async fn held_intent_is_untouched_until_deadline() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    dies(&keyvend, &tab, creates, Interfere::CrashBefore).await;
    let before = keyvend.request().await;
    assert_eq!(before["stands"], "ISSUING");
    let claim =
        record(sqs::CLAIMS, &format!(r#"{{"tid":"{}","event":"claimed","attempt":1}}"#, tab.tid()), 1);
    for _ in 0..3 {
        keyvend.world.clock.advance(Duration::from_secs(10));
        assert!(failed(&keyvend.work(claim.clone()).await));
        assert_eq!(keyvend.request().await, before);
    }
    let put_back = keyvend.world.net.calls_to("sqs", "ChangeMessageVisibility");
    let waits: Vec<_> = put_back.iter().map(|call| call.parameters["VisibilityTimeout"].clone()).collect();
    assert_eq!(waits, [21, 11, 1], "until the holder's deadline is over");
    keyvend.world.clock.advance(Duration::from_secs(1));
    assert!(!failed(&keyvend.work(claim).await));
    is_ambiguous(&keyvend, &tab).await;
}

// T4.2
#[tokio::test]
async fn crash_before_recording_key_is_ambiguous_create() {
    for how in [Interfere::CrashBefore, Interfere::CrashAfter] {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        dies(&keyvend, &tab, creates, how).await;
        keyvend.deliver_everything().await;
        is_ambiguous(&keyvend, &tab).await;
    }
}

// T4.2
#[tokio::test]
async fn crash_after_recording_key_deletes_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    dies(&keyvend, &tab, writes("issue.key_created"), Interfere::CrashAfter).await;
    assert_eq!(keyvend.key_ids().len(), 1);
    keyvend.deliver_everything().await;
    came_to_nothing(&keyvend, &tab, "interrupted", "No key was created").await;
    assert_eq!(keyvend.last_detail("deleted").await, "AKIAWORLD00000000002");
    assert_eq!(keyvend.creates(), 1);
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    let key = keyvend.reveals(&tab).await;
    assert_eq!(keyvend.key_ids(), [key.id]);
    assert_eq!(keyvend.counted().await, "1");
}

#[tokio::test]
async fn crash_cleanup_renews_expired_sessions() {
    // The recorded key is deleted even if the cached sessions have expired.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    dies(&keyvend, &tab, writes("issue.key_created"), Interfere::CrashAfter).await;
    keyvend.world.clock.advance(Duration::from_secs(901));
    keyvend.deliver_everything().await;
    came_to_nothing(&keyvend, &tab, "interrupted", "No key was created").await;
}

#[tokio::test]
async fn crash_after_sealing_loses_nothing() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    dies(&keyvend, &tab, writes("issue.completed"), Interfere::CrashAfter).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200);
    assert_eq!(keyvend.key_ids().len(), 1);
    assert_eq!(keyvend.events().await.last().unwrap(), "issue.completed");
    assert!(keyvend.lease().await.is_null());
}

// T4.2
#[tokio::test]
async fn replaced_invocation_deletes_its_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let event = keyvend.receives(sqs::CLAIMS);
    // It stands still on its way into CreateAccessKey until another has taken over.
    let mut slow = Box::pin(keyvend.work(event.clone()));
    futures_util::future::poll_fn(|cx| {
        assert!(slow.as_mut().poll(cx).is_pending());
        if keyvend.creates() == 1 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    keyvend.world.clock.advance(Duration::from_secs(31));
    assert!(!failed(&keyvend.work(event).await));
    keyvend.deliver().await;
    is_told_of_no_answer(&keyvend).await;
    slow.await;
    assert_eq!(keyvend.world.net.done("iam", "CreateAccessKey").len(), 1);
    assert_eq!(keyvend.key_ids().len(), 0, "nobody has its secret");
    keyvend.deliver_everything().await;
    is_ambiguous(&keyvend, &tab).await;
}

async fn is_told_of_no_answer(keyvend: &Deployed) {
    assert_eq!(keyvend.stands().await, "AMBIGUOUS");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "AWS did not respond"), 1);
}

// T4.1
#[tokio::test]
async fn definite_create_error_is_reported() {
    let cases = [
        (409, "LimitExceeded", "two-keys", "AWS allows only two"),
        (403, "AccessDenied", "aws-refused", "AWS refused to create the key"),
        (400, "Throttling", "aws-refused", "AWS refused to create the key"),
        (403, "ExpiredToken", "aws-refused", "AWS refused to create the key"),
    ];
    for (status, code, why, say) in cases {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.claims(&tab).await;
        keyvend.world.net.once("iam", "CreateAccessKey", Interfere::refused_xml(status, code));
        keyvend.deliver_everything().await;
        came_to_nothing(&keyvend, &tab, why, say).await;
        assert_eq!(keyvend.creates(), 1, "{code}");
    }
}

// T4.1
#[tokio::test]
async fn create_timeout_is_ambiguous_and_never_retried() {
    let ways = [
        Interfere::LoseReply,
        Interfere::FailBefore,
        Interfere::refused_xml(500, "ServiceFailure"),
        Interfere::refused_xml(503, "ServiceUnavailable"),
        Interfere::Status(200, "<html>".to_owned()),
    ];
    for way in ways {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.claims(&tab).await;
        keyvend.world.net.once("iam", "CreateAccessKey", way);
        keyvend.deliver_everything().await;
        is_ambiguous(&keyvend, &tab).await;
        let ready = keyvend.world.net.slack().told(ALICE_OWNER).into_iter();
        let ready =
            ready.rev().find(|message| message.buttons().iter().any(|b| b.text == "Get my key")).unwrap();
        keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
        assert!(keyvend.told(ALICE_OWNER).contains("no other key is created for this request"));
        assert_eq!(keyvend.creates(), 1);
    }
}

#[tokio::test]
async fn without_a_session_nothing_is_begun() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.net.before(|call| {
        let acting = call.operation == "AssumeRole" && call.parameters["SourceIdentity"] == "T0001.U0ALICE";
        if acting { Interfere::refused_xml(403, "AccessDenied") } else { Interfere::Pass }
    });
    keyvend.deliver_everything().await;
    came_to_nothing(&keyvend, &tab, "no-session", "AWS refused to create the key").await;
    assert!(!keyvend.events().await.contains(&"issue.started".to_owned()));
    keyvend.nothing_was_created().await;
}

// T4.2
#[tokio::test]
async fn unrecordable_key_is_deleted_at_once() {
    for event in ["issue.key_created", "issue.completed"] {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.claims(&tab).await;
        let matches = writes(event);
        keyvend.world.net.before(move |call| {
            if matches(call) { Interfere::refused_json("InternalServerError") } else { Interfere::Pass }
        });
        let claim = keyvend.receives(sqs::CLAIMS);
        keyvend.work(claim).await;
        keyvend.world.net.undisturbed();
        assert_eq!(keyvend.key_ids().len(), 0, "{event}");
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.creates(), 1, "{event}");
        came_to_nothing(&keyvend, &tab, "not-recorded", "No key was created").await;
        assert_eq!(keyvend.last_detail("deleted").await, "AKIAWORLD00000000002");
    }
}

#[tokio::test]
async fn failed_key_description_changes_nothing() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.world.net.once("iam", "TagUser", Interfere::refused_xml(409, "LimitExceeded"));
    let key = keyvend.reveals(&tab).await;
    assert_eq!(keyvend.key_ids(), [key.id]);
    assert!(keyvend.direct(ALICE_OWNER).reading().contains("was created"));
}
