//! What becomes of a ticket and of its key when the one that should say so never comes: a lost message, a killed
//! function, a tab that was closed.

use std::time::Duration;

use serde_json::json;

use testkit::aws;
use testkit::deployed::{Deployed, ShownKey, Tab};
use testkit::net::{Call, HOME, Interfere};
use testkit::slack::ALICE_OWNER;
use testkit::steps::text;

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// The per-minute rule fires once, after some seconds, and what it finds is worked off.
async fn after(keyvend: &Deployed, seconds: u64) {
    keyvend.world.clock.advance(Duration::from_secs(seconds));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
}

/// `reveal` writes and then its message to the worker does not go out.
async fn message_lost(keyvend: &Deployed, path: &str, body: &serde_json::Value) {
    let lost = |call: &Call| call.operation == "SendMessage";
    for _ in 0..3 {
        keyvend.world.net.fault(lost, Interfere::refused_json("AccessDenied"));
    }
    assert_eq!(keyvend.posts(path, body).await.0, 503);
    keyvend.world.net.undisturbed();
    assert_eq!(keyvend.deliver().await, 0, "no message");
}

async fn key_stands(keyvend: &Deployed, key: &str) -> String {
    text(&keyvend.item(&format!("key#{key}")).await["state"]["S"])
}

fn status(keyvend: &Deployed) -> String {
    aws::keys(&keyvend.world.net, HOME, "ci-deployer").pop().unwrap().status
}

async fn shown(keyvend: &Deployed) -> (Tab, ShownKey) {
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    (tab, key)
}

#[tokio::test]
async fn lost_claim_message_is_recovered_after_a_minute() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    message_lost(&keyvend, "/reveal/claim", &tab.claim(None)).await;
    after(&keyvend, MINUTE).await;
    assert_eq!(keyvend.ticket(&tab).await["attempt"]["N"], "2");
    let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    tab.unseal(&body);
    assert_eq!(keyvend.creates(), 1);
}

#[tokio::test]
async fn unservable_claim_is_given_up_after_three_attempts() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "GetUser" => Interfere::refused_xml(500, "ServiceFailure"),
        _ => Interfere::Pass,
    });
    let attempt = async || text(&keyvend.ticket(&tab).await["attempt"]["N"]);
    let mut attempts = vec![attempt().await];
    for _ in 0..5 {
        keyvend.world.clock.advance(Duration::from_secs(MINUTE));
        keyvend.world.net.sqs().sweep();
        keyvend.deliver().await;
        attempts.push(attempt().await);
    }
    assert_eq!(attempts, ["1", "2", "3", "3", "3", "3"]);
    keyvend.world.net.undisturbed();
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.ticket_stands(&tab).await, "FAILED");
    assert_eq!(keyvend.stands().await, "APPROVED");
    keyvend.nothing_was_created().await;
    keyvend.direct(ALICE_OWNER).button("Get my key");
}

#[tokio::test]
async fn message_of_earlier_attempt_starts_nothing() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let event = keyvend.receives("claims");
    after(&keyvend, MINUTE).await;
    assert_eq!(keyvend.creates(), 1, "the second attempt");
    keyvend.work(event).await;
    assert_eq!(keyvend.creates(), 1);
}

#[tokio::test]
async fn unopened_link_notifies_once_and_can_be_reissued() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    after(&keyvend, 14 * MINUTE).await;
    assert!(keyvend.has_psk(&tab).await);
    after(&keyvend, 2 * MINUTE).await;
    assert!(!keyvend.has_psk(&tab).await);
    assert_eq!(keyvend.turned_away(&tab).await, (410, "expired".to_owned()));
    assert_eq!(keyvend.events().await.last().unwrap(), "link.expired");
    after(&keyvend, 2 * MINUTE).await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "expired unused"), 1);
    assert!(keyvend.ticket(&tab).await["due_at"].is_null(), "nothing is due any more");
    keyvend.nothing_was_created().await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
}

#[tokio::test]
async fn unrecorded_lock_is_recorded_and_notified() {
    let mail = [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];
    let keyvend = Deployed::with(&mail).await;
    let tab = keyvend.linked().await;
    let wrong = |number: u8| keyvend::encoding::base64url(&[number; 32]);
    for number in 1..5 {
        keyvend.posts("/reveal/claim", &tab.claim(Some(&wrong(number)))).await;
    }
    let locks = |call: &Call| {
        call.operation == "UpdateItem" && call.parameters.to_string().contains("#state = :locked")
    };
    keyvend.world.net.fault(locks, Interfere::CrashBefore);
    let fifth = tab.claim(Some(&wrong(5)));
    assert!(keyvend.world.net.survive(keyvend.posts("/reveal/claim", &fifth)).await.is_none());
    assert_eq!(keyvend.ticket_stands(&tab).await, "PENDING");
    after(&keyvend, 16 * MINUTE).await;
    assert_eq!(keyvend.ticket_stands(&tab).await, "LOCKED");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Five wrong codes"), 1);
    assert_eq!(keyvend.events().await.last().unwrap(), "link.locked");
}

#[tokio::test]
async fn lost_confirmation_message_is_recovered() {
    let keyvend = Deployed::new().await;
    let (tab, key) = shown(&keyvend).await;
    message_lost(&keyvend, "/reveal/ack", &tab.ack(&key)).await;
    assert_eq!(key_stands(&keyvend, &key.id).await, "DELIVERED");
    after(&keyvend, MINUTE).await;
    assert_eq!(key_stands(&keyvend, &key.id).await, "CONFIRMED");
    assert_eq!(keyvend.events().await.last().unwrap(), "link.confirmed");
    assert!(keyvend.ticket(&tab).await["due_at"].is_null(), "nothing is due any more");
    after(&keyvend, 20 * MINUTE).await;
    assert_eq!(status(&keyvend), "Active");
}

#[tokio::test]
async fn unconfirmed_key_is_deactivated_then_deleted() {
    // It is deactivated after ten minutes and deleted a day later.
    let keyvend = Deployed::new().await;
    let (tab, key) = shown(&keyvend).await;
    after(&keyvend, 9 * MINUTE).await;
    assert_eq!(status(&keyvend), "Active");
    after(&keyvend, MINUTE).await;
    assert_eq!(status(&keyvend), "Inactive");
    let ticket = keyvend.ticket(&tab).await;
    assert_eq!((ticket["state"]["S"].as_str(), &ticket["ct"]), (Some("UNCONFIRMED"), &json!(null)));
    assert_eq!(keyvend.turned_away(&tab).await, (410, "unconfirmed".to_owned()));
    let (late, body) = keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
    assert_eq!((late, &body["error"]), (410, &json!("unconfirmed")), "state decides, not the clock");
    assert_eq!(key_stands(&keyvend, &key.id).await, "INACTIVE");
    assert!(
        keyvend.told(ALICE_OWNER).contains("was not confirmed as received"),
        "{}",
        keyvend.told(ALICE_OWNER)
    );
    assert!(keyvend.events().await.ends_with(&["key.unconfirmed".to_owned(), "key.deactivated".to_owned()]));
    after(&keyvend, DAY - 20 * MINUTE).await;
    assert_eq!(keyvend.key_ids().len(), 1);
    after(&keyvend, 20 * MINUTE).await;
    assert_eq!(keyvend.key_ids().len(), 0);
    assert_eq!(key_stands(&keyvend, &key.id).await, "DELETED");
    assert!(keyvend.lease().await.is_null());
    assert_eq!(keyvend.events().await.last().unwrap(), "key.deleted");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is deleted:"), 1);
    assert!(keyvend.item(&format!("key#{}", key.id)).await["due_at"].is_null(), "nothing is due any more");
}

#[tokio::test]
async fn used_key_counts_as_received() {
    let keyvend = Deployed::new().await;
    let (_, key) = shown(&keyvend).await;
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
    after(&keyvend, 10 * MINUTE).await;
    assert_eq!(key_stands(&keyvend, &key.id).await, "CONFIRMED");
    assert_eq!(status(&keyvend), "Active");
    after(&keyvend, 2 * DAY).await;
    assert_eq!(keyvend.key_ids().len(), 1);
}

#[tokio::test]
async fn interrupted_work_is_finished_by_timer() {
    for (operation, how) in [
        ("UpdateAccessKey", Interfere::CrashBefore),
        ("UpdateAccessKey", Interfere::CrashAfter),
        ("AssumeRole", Interfere::CrashBefore),
    ] {
        let keyvend = Deployed::new().await;
        let (_, key) = keyvend.confirmed().await;
        let issued = keyvend.direct(ALICE_OWNER);
        let press = keyvend.world.press(ALICE_OWNER, &issued, "This wasn't me");
        let event = keyvend.pressed(press).await;
        keyvend.world.net.fault(move |call| call.operation == operation, how);
        assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none(), "nobody died");
        // The message is as good as lost, too.
        keyvend.world.clock.advance(Duration::from_secs(5));
        after(&keyvend, 2 * MINUTE).await;
        assert_eq!(status(&keyvend), "Inactive");
        assert_eq!(key_stands(&keyvend, &key.id).await, "INACTIVE");
        assert!(keyvend.events().await.contains(&"key.deactivated".to_owned()));
    }
    let keyvend = Deployed::new().await;
    let (_, key) = shown(&keyvend).await;
    after(&keyvend, 10 * MINUTE).await;
    keyvend.world.clock.advance(Duration::from_secs(DAY));
    keyvend.world.net.sqs().sweep();
    let event = keyvend.receives("sweep");
    keyvend.work(event).await;
    keyvend.world.net.once("iam", "DeleteAccessKey", Interfere::CrashAfter);
    let event = keyvend.receives("due");
    assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none(), "nobody died");
    assert_eq!(key_stands(&keyvend, &key.id).await, "DELETING");
    assert!(!keyvend.lease().await.is_null());
    after(&keyvend, 2 * MINUTE).await;
    assert_eq!(key_stands(&keyvend, &key.id).await, "DELETED");
    assert!(keyvend.lease().await.is_null());
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is deleted:"), 1);
}
