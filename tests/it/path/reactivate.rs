//! A key comes back or lives longer: like a new one, only by an `issue` decision.

mod changed_facts;
mod reports;

use serde_json::json;

use super::key_commands::{DAY, after, buttons, had, item, stands, status, typed, waiting};
use testkit::aws;
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, Message};
use testkit::steps::stable;

/// A key of alice's that has expired, and the message that told her.
async fn expired(keyvend: &Deployed) -> (ShownKey, Message) {
    let key = had(keyvend).await;
    for _ in 0..30 {
        after(keyvend, DAY).await;
    }
    assert_eq!(status(keyvend, &key.id), "Inactive");
    (key, keyvend.direct(ALICE_OWNER))
}

/// A key that alice was shown and nobody confirmed, and the message that told her.
async fn unconfirmed(keyvend: &Deployed) -> (ShownKey, Message) {
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    after(keyvend, 600).await;
    assert_eq!(status(keyvend, &key.id), "Inactive");
    (key, keyvend.direct(ALICE_OWNER))
}

async fn approve(keyvend: &Deployed) {
    keyvend.presses(BOB_APPROVER, &waiting(keyvend), "Approve").await;
    keyvend.deliver_everything().await;
}

/// Bob approves; what follows from it is not delivered yet.
async fn approved_only(keyvend: &Deployed) {
    let press = keyvend.pressed(keyvend.world.press(BOB_APPROVER, &waiting(keyvend), "Approve")).await;
    keyvend.work(press).await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}

// T8.1
#[tokio::test]
async fn expiry_can_be_undone_once_for_a_day() {
    let keyvend = Deployed::new().await;
    let (key, told) = expired(&keyvend).await;
    keyvend.presses(ALICE_OWNER, &told, "Request reactivation").await;
    insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @r"
    Request sent: reactivation of the key `AKIAWORLD00000000002` for `ci-deployer` in `home`, until <time>. It needs 1 approval by <time>. Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>. You will be notified when it is decided.
    Cancel
    Cancel this request?
    The approvers will see that you cancelled it.
    Cancel the request
    Go back
    Request `<request>`
    ");
    insta::assert_snapshot!(stable(&waiting(&keyvend).reading()), @r"
    Access key reactivation for ci-deployer
    <!channel> *<@U0ALICE>* requests reactivation of the expired key `AKIAWORLD00000000002` for `ci-deployer` in `home`, until <time>:
    > laptop tooling
    *Use case*
    local development
    *Lifetime*
    1 day
    *Permissions*
    not privileged
    *Approvals*
    0 of 1, by <time>
    Existing key: `AKIAWORLD00000000002` inactive, 30 days old, never used
    Policies: `upload-artifacts`
    Request `<request>`
    Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>
    Approve
    Approve with comment
    Deny
    Ask
    Details
    ");
    assert_eq!(status(&keyvend, &key.id), "Inactive", "nobody has approved it");
    approve(&keyvend).await;
    assert_eq!(
        (status(&keyvend, &key.id), stands(&keyvend, &key.id).await),
        ("Active".into(), "ACTIVE".into())
    );
    insta::assert_snapshot!(stable(&keyvend.direct(ALICE_OWNER).reading()), @"The key `AKIAWORLD00000000002` for `ci-deployer` in `home` is reactivated until <time>.");
    assert!(keyvend.lease().await.is_null());
    assert_eq!(keyvend.creates(), 1, "no new key");
    // In use or not: a day is a day.
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
    after(&keyvend, DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    let told_again = keyvend.direct(ALICE_OWNER);
    assert_eq!(buttons(&told_again), Vec::<String>::new());
    keyvend.presses(ALICE_OWNER, &told, "Request reactivation").await;
    let no = "was already reactivated once after it expired";
    assert!(keyvend.told(ALICE_OWNER).contains(no), "{}", keyvend.told(ALICE_OWNER));
    let typed = typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
    assert!(typed.reading().contains(no), "{}", typed.reading());
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    assert_eq!(keyvend.requests().await.len(), 2);
}

// T8.1
#[tokio::test]
async fn undo_approved_too_late_reactivates_nothing() {
    let keyvend = Deployed::with(&[("KEYVEND_REQUEST_TTL", "259200")]).await;
    let (key, told) = expired(&keyvend).await;
    keyvend.presses(ALICE_OWNER, &told, "Request reactivation").await;
    after(&keyvend, DAY + 60).await;
    approve(&keyvend).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
}

#[tokio::test]
async fn reactivated_key_keeps_its_expiry() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let end = item(&keyvend, &key.id).await["expires_at"].clone();
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    after(&keyvend, DAY).await;
    typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
    assert_eq!(keyvend.request().await["details"]["days"], json!(29), "begun days whole");
    approve(&keyvend).await;
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert_eq!(item(&keyvend, &key.id).await["expires_at"], end);
    assert_eq!(keyvend.events().await.pop().unwrap(), "key.activated");
    let session = aws::sessions(&keyvend.world.net).pop().unwrap();
    assert_eq!(session.source_identity.as_deref(), Some("T0001.U0ALICE"));
}

// T7.3
#[tokio::test]
async fn late_receipt_confirmation_reactivates_key() {
    // A key deactivated because nobody confirmed it is reactivated when its holder confirms the receipt.
    let keyvend = Deployed::new().await;
    let (key, told) = unconfirmed(&keyvend).await;
    let end = item(&keyvend, &key.id).await["expires_at"].clone();
    keyvend.presses(ALICE_OWNER, &told, "I saved it").await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Inactive", "who could forge that press might hold the key");
    assert_eq!((keyvend.stands().await, keyvend.approvals().await), ("PENDING".to_owned(), Vec::new()));
    keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert!(keyvend.told(ALICE_OWNER).contains("reactivat"), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(item(&keyvend, &key.id).await["expires_at"], end);
    keyvend.presses(ALICE_OWNER, &told, "I saved it").await;
    assert!(keyvend.told(ALICE_OWNER).contains("not inactive"), "{}", keyvend.told(ALICE_OWNER));
    after(&keyvend, 2 * DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Active");
}

#[tokio::test]
async fn unreceived_key_is_replaced_once() {
    let keyvend = Deployed::new().await;
    let (key, told) = unconfirmed(&keyvend).await;
    let end = item(&keyvend, &key.id).await["expires_at"].clone();
    keyvend.presses(ALICE_OWNER, &told, "Get a new key").await;
    assert_eq!(status(&keyvend, &key.id), "", "the old one goes first");
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    let told_alice = keyvend.world.net.slack().told(ALICE_OWNER);
    let may_collect = |message: &&Message| buttons(message).contains(&"Get my key".to_owned());
    let ready = told_alice.iter().rev().find(may_collect).unwrap();
    assert!(ready.reading().contains("Approved by <@U0BOB>"), "{}", ready.reading());
    let requests = keyvend.requests().await.len();
    keyvend.presses(ALICE_OWNER, &told, "Get a new key").await;
    assert!(
        keyvend.told(ALICE_OWNER).contains("has already been requested"),
        "{}",
        keyvend.told(ALICE_OWNER)
    );
    assert_eq!(keyvend.requests().await.len(), requests, "once");
    let tab = keyvend.collects(ready).await;
    let new = keyvend.reveals(&tab).await;
    keyvend.posts("/reveal/ack", &tab.ack(&new)).await;
    keyvend.deliver().await;
    assert_eq!(item(&keyvend, &new.id).await["expires_at"], end, "the end that was approved");
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer").len(), 1);
}

#[tokio::test]
async fn interrupted_replacement_resumes_without_second_key() {
    for operation in ["DeleteAccessKey", "PutItem", "TransactWriteItems"] {
        for how in [Interfere::CrashBefore, Interfere::CrashAfter] {
            let keyvend = Deployed::new().await;
            let (key, told) = unconfirmed(&keyvend).await;
            let event = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &told, "Get a new key")).await;
            keyvend.world.net.fault(move |call| call.operation == operation, how);
            let died = keyvend.world.net.survive(keyvend.work(event)).await.is_none();
            after(&keyvend, 120).await;
            keyvend.deliver_everything().await;
            assert_eq!(status(&keyvend, &key.id), "", "{operation} {died}");
            assert_eq!(keyvend.requests().await.len(), 2, "{operation}");
            assert_eq!(keyvend.stands().await, "APPROVED", "{operation}");
            assert!(keyvend.lease().await.is_null(), "{operation}");
        }
    }
}

#[tokio::test]
async fn extension_adds_original_lifetime_from_now() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let early = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    assert!(!buttons(&early).contains(&"Extend".to_owned()), "it lives as long already");
    after(&keyvend, 10 * DAY).await;
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    keyvend.presses(ALICE_OWNER, &listed, "Extend").await;
    let asked = keyvend.request().await["details"].clone();
    let end = asked["at"].as_i64().unwrap() + 30 * 86_400;
    assert_eq!(asked["kind"]["Extend"]["end"], json!(end));
    insta::assert_snapshot!(stable(&waiting(&keyvend).reading()), @r"
    Access key extension for ci-deployer
    <!channel> *<@U0ALICE>* requests an extension of the key `AKIAWORLD00000000002` for `ci-deployer` in `home`, until <time>:
    > laptop tooling
    *Use case*
    local development
    *Lifetime*
    30 days
    *Permissions*
    not privileged
    *Approvals*
    0 of 1, by <time>
    Existing key: `AKIAWORLD00000000002` active, 10 days old, never used
    Policies: `upload-artifacts`
    Request `<request>`
    Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>
    Approve
    Approve with comment
    Deny
    Ask
    Details
    ");
    approve(&keyvend).await;
    assert_eq!(item(&keyvend, &key.id).await["expires_at"], json!(end));
    assert_eq!(status(&keyvend, &key.id), "Active");
    let done = keyvend.direct(ALICE_OWNER).reading();
    assert!(done.contains("is extended until"), "{done}");
}

// T8.1
#[tokio::test]
async fn freeze_blocks_reactivation() {
    let keyvend = Deployed::new().await;
    let (key, told) = expired(&keyvend).await;
    keyvend.presses(ALICE_OWNER, &told, "Request reactivation").await;
    typed(&keyvend, CAROL_APPROVER, "freeze").await;
    approve(&keyvend).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
}
