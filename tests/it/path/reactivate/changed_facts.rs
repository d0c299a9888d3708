//! What was approved of one policy document or by one approver is asked again where either changed.

use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER};

use crate::path::facts_changed::Document;
use crate::path::key_commands::{DAY, after, had, item, said, stands, status, typed, waiting};
use crate::path::reactivate::{approved_only, unconfirmed};

/// Approved with one document behind a policy's name, and to be carried out with another: it is asked again.
// T2.15
#[tokio::test]
async fn changed_policy_document_blocks_reactivation_and_extension() {
    for (asked, document) in [
        ("activate", Document::Inline),
        ("activate", Document::Managed),
        ("extend", Document::InlineOfGroup),
        ("extend", Document::Boundary),
    ] {
        let keyvend = Deployed::new().await;
        document.put(&keyvend).await;
        let key = had(&keyvend).await;
        after(&keyvend, 10 * DAY).await;
        let before = if asked == "activate" {
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
            typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
            "Inactive"
        } else {
            let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
            keyvend.presses(ALICE_OWNER, &listed, "Extend").await;
            "Active"
        };
        let end = item(&keyvend, &key.id).await["expires_at"].clone();
        let is_as_before = async |about: &str| {
            assert_eq!(status(&keyvend, &key.id), before, "{asked} {document:?} {about}");
            assert_eq!(item(&keyvend, &key.id).await["expires_at"], end, "{asked} {document:?} {about}");
        };
        let card = waiting(&keyvend);
        approved_only(&keyvend).await;
        keyvend.world.clock.advance(std::time::Duration::from_secs(5));
        document.change(&keyvend).await;
        keyvend.deliver_everything().await;
        assert_eq!((keyvend.stands().await, keyvend.approvals().await), ("PENDING".into(), Vec::new()));
        is_as_before("when it was to be carried out").await;
        assert_eq!(keyvend.events().await.last().unwrap(), "review.reopened");
        let told = keyvend.direct(ALICE_OWNER).reading();
        assert!(told.contains("changed while your request was pending"), "{told}");
        assert!(said(&keyvend, "needs 1 approval again").thread_ts.is_some());
        // The card that bob saw decides nothing more, the one that is there now does.
        keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
        is_as_before("after a press on the old card").await;
        keyvend.presses(CAROL_APPROVER, &waiting(&keyvend), "Approve").await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "COMPLETED", "{asked} {document:?}");
        assert_eq!(status(&keyvend, &key.id), "Active", "{asked} {document:?}");
    }
}

/// An activation that was cut off at AWS is judged again before it goes on, however much later that is.
// T2.15
#[tokio::test]
async fn changed_document_stops_interrupted_reactivation() {
    for how in [Interfere::CrashBefore, Interfere::CrashAfter] {
        let keyvend = Deployed::new().await;
        Document::Inline.put(&keyvend).await;
        let key = had(&keyvend).await;
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
        after(&keyvend, DAY).await;
        typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
        approved_only(&keyvend).await;
        keyvend.world.net.fault(|call| call.operation == "UpdateAccessKey", how);
        keyvend.world.net.survive(keyvend.deliver_everything()).await;
        assert_eq!(stands(&keyvend, &key.id).await, "ACTIVATING");
        Document::Inline.change(&keyvend).await;
        keyvend.world.net.forget();
        after(&keyvend, 600).await;
        let updates =
            keyvend.world.net.calls().into_iter().filter(|call| call.operation == "UpdateAccessKey");
        assert!(updates.clone().all(|call| call.parameters["Status"] == "Inactive") && updates.count() > 0);
        assert_eq!(status(&keyvend, &key.id), "Inactive");
        assert_eq!(stands(&keyvend, &key.id).await, "INACTIVE");
        assert_eq!((keyvend.stands().await, keyvend.approvals().await), ("PENDING".into(), Vec::new()));
        assert!(keyvend.lease().await.is_null());
        keyvend.presses(CAROL_APPROVER, &waiting(&keyvend), "Approve").await;
        keyvend.deliver_everything().await;
        assert_eq!(
            (status(&keyvend, &key.id), keyvend.stands().await),
            ("Active".into(), "COMPLETED".into())
        );
    }
}

// T2.15
#[tokio::test]
async fn approval_of_changed_document_is_not_inherited() {
    for document in Document::ALL {
        let keyvend = Deployed::new().await;
        document.put(&keyvend).await;
        let (_, told) = unconfirmed(&keyvend).await;
        document.change(&keyvend).await;
        keyvend.presses(ALICE_OWNER, &told, "Get a new key").await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING", "{document:?}");
        assert_eq!(keyvend.approvals().await, Vec::<String>::new(), "{document:?}");
        keyvend.presses(CAROL_APPROVER, &waiting(&keyvend), "Approve").await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{document:?}");
    }
}

// T2.5
#[tokio::test]
async fn invalid_approval_is_not_inherited() {
    let keyvend = Deployed::new().await;
    let (_, told) = unconfirmed(&keyvend).await;
    let slack = keyvend.world.net.slack();
    slack.channel(APPROVALS, |channel| {
        channel.members.remove(BOB_APPROVER);
    });
    keyvend.presses(ALICE_OWNER, &told, "Get a new key").await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    keyvend.presses(CAROL_APPROVER, &waiting(&keyvend), "Approve").await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}
