//! Reviews that arrive twice, are interrupted, or race each other.

use std::time::Duration;

use futures_util::future::join;

use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, Message};
use testkit::sqs;
use testkit::steps::{failed, text};

use crate::path::review::{ADMIN, answered, deciding, says};

// T1.5
#[tokio::test]
async fn redelivered_review_counts_once_and_notifies_all() {
    for (button, stands) in [("Approve", "APPROVED"), ("Deny", "DENIED")] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        let event = deciding(&keyvend, BOB_APPROVER, &card, button).await;
        let said = if button == "Deny" { "You denied this request" } else { "Your approval is recorded" };
        for _ in 0..2 {
            assert!(!failed(&keyvend.work(event.clone()).await));
            answered(&keyvend, BOB_APPROVER, button, said);
        }
        assert_eq!(keyvend.stands().await, stands);
        assert_eq!(keyvend.events().await.len(), 2);
    }
}

#[tokio::test]
async fn crash_before_notification_loses_no_notification() {
    for (button, part) in [("Approve", "Press *Get my key*"), ("Deny", "denied your request")] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        let event = deciding(&keyvend, BOB_APPROVER, &card, button).await;
        keyvend.world.net.once("sqs", "SendMessage", testkit::net::Interfere::CrashBefore);
        assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none());
        assert_eq!(keyvend.times_told(ALICE_OWNER, part), 0);
        keyvend.deliver_everything().await;
        keyvend.world.net.sqs().sweep();
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.times_told(ALICE_OWNER, part), 1, "{button}");
        assert_ne!(keyvend.card().reading(), card.reading());
        assert_eq!(keyvend.events().await.len(), 2);
    }
}

/// Two invocations at once, with a message each that is not of one group, as far as SQS can tell.
async fn at_once(keyvend: &Deployed, card: &Message, presses: [(&str, &str); 2]) {
    let mut events = Vec::new();
    for (person, button) in presses {
        keyvend.world.clock.advance(Duration::from_secs(1));
        let event = deciding(keyvend, person, card, button).await;
        let receipt = text(&event["Records"][0]["receiptHandle"]);
        keyvend.world.net.sqs().finish(sqs::SLACK, &receipt, true);
        events.push(event);
    }
    let (first, second) = join(keyvend.work(events.remove(0)), keyvend.work(events.remove(0))).await;
    assert!(!failed(&first) && !failed(&second));
    keyvend.deliver_everything().await;
}

// T4.5
#[tokio::test]
async fn an_approval_that_races_a_denial_never_wins() {
    for presses in [
        [(BOB_APPROVER, "Approve"), (CAROL_APPROVER, "Deny")],
        [(CAROL_APPROVER, "Deny"), (BOB_APPROVER, "Approve")],
    ] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        at_once(&keyvend, &card, presses).await;
        assert_eq!(keyvend.stands().await, "DENIED");
        assert!(keyvend.card().reading().contains("denied by <@U0CAROL>"), "{}", keyvend.card().reading());
        says(&keyvend, ALICE_OWNER, "denied");
        assert_eq!(keyvend.events().await.iter().filter(|event| *event == "review.denied").count(), 1);
        keyvend.nothing_was_created().await;
    }
}

// T4.5
#[tokio::test]
async fn two_approvals_at_once_both_count() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    let card = keyvend.card();
    at_once(&keyvend, &card, [(BOB_APPROVER, "Approve"), (CAROL_APPROVER, "Approve")]).await;
    let mut approvals = keyvend.approvals().await;
    approvals.sort();
    assert_eq!(approvals, ["T0001.U0BOB", "T0001.U0CAROL"]);
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.events().await, ["request.created", "review.approved", "review.approved"]);
}
