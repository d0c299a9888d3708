//! An unanswered `CreateAccessKey`: never repeated, looked for four times, and what may have come of it asked about.

use std::time::Duration;

use testkit::aws;
use testkit::deployed::{Deployed, Tab};
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, MALLORY_OUTSIDER, Message};
use testkit::steps::text;

const DAY: u64 = 86_400;

/// The per-minute rule fires once, after some seconds, and what it finds is worked off.
async fn after(keyvend: &Deployed, seconds: u64) {
    keyvend.world.clock.advance(Duration::from_secs(seconds));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
}

/// A claim is served and `CreateAccessKey` gives no answer; so many lists do not show what came of it.
pub async fn unanswered(how: Interfere, hidden: u32) -> (Deployed, Tab) {
    let keyvend = Deployed::new().await;
    // What is read once a day has been read.
    after(&keyvend, 1).await;
    let tab = keyvend.linked().await;
    keyvend.world.net.iam().hide_new_keys(hidden);
    keyvend.claims(&tab).await;
    keyvend.world.net.once("iam", "CreateAccessKey", how);
    keyvend.deliver().await;
    assert_eq!(keyvend.stands().await, "AMBIGUOUS");
    (keyvend, tab)
}

fn key(keyvend: &Deployed) -> (String, String) {
    let key = aws::keys(&keyvend.world.net, HOME, "ci-deployer").pop().unwrap();
    (key.id, key.status)
}

/// What the approvers were last asked.
pub fn question(keyvend: &Deployed) -> Message {
    let said = keyvend.world.net.slack().messages(APPROVALS).into_iter().rev();
    let mut asked = said.filter(|message| message.reading().contains("Unknown access key"));
    asked.next().unwrap()
}

async fn key_stands(keyvend: &Deployed, key: &str) -> String {
    text(&keyvend.item(&format!("key#{key}")).await["state"]["S"])
}

#[tokio::test]
async fn ambiguous_create_without_key_allows_retry() {
    // If no key appears, the requester may try again after twenty minutes.
    let (keyvend, _) = unanswered(Interfere::FailBefore, 0).await;
    for (seconds, stands) in
        [(20, "AMBIGUOUS"), (60, "AMBIGUOUS"), (300, "AMBIGUOUS"), (700, "AMBIGUOUS"), (200, "APPROVED")]
    {
        after(&keyvend, seconds).await;
        assert_eq!(keyvend.stands().await, stands);
        assert_eq!(keyvend.lease().await.is_null(), stands == "APPROVED", "the lease stays until then");
    }
    let looks = keyvend.events().await.into_iter().filter(|event| event == "issue.rechecked").count();
    assert_eq!(looks, 4);
    assert_eq!(keyvend.counted().await, "0", "no key came of it");
    let told = keyvend.direct(ALICE_OWNER);
    assert!(told.reading().contains("shows no key"), "{}", told.reading());
    assert_eq!(keyvend.creates(), 1, "it is never repeated by itself");
    let tab = keyvend.collects(&told).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.creates(), 2);
}

// T8.4
#[tokio::test]
async fn late_suspect_key_is_deactivated_and_kept() {
    // A key that a list shows late is deactivated, and deleted only when a person says so.
    let (keyvend, _) = unanswered(Interfere::LoseReply, 2).await;
    after(&keyvend, 20).await;
    after(&keyvend, 60).await;
    assert_eq!(key(&keyvend).1, "Active", "not seen yet");
    after(&keyvend, 300).await;
    let (id, status) = key(&keyvend);
    assert_eq!(status, "Inactive");
    assert_eq!(key_stands(&keyvend, &id).await, "SUSPECT");
    let asked = question(&keyvend);
    assert!(asked.reading().contains(&format!("the key `{id}`")), "{}", asked.reading());
    after(&keyvend, 1_200).await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    let told = keyvend.direct(ALICE_OWNER);
    assert!(told.reading().contains(&id), "which place is taken: {}", told.reading());
    assert_eq!(keyvend.counted().await, "1", "a key may have come of it");

    for label in ["Delete (created by keyvend)", "Keep (created by someone else)"] {
        keyvend.presses(MALLORY_OUTSIDER, &asked, label).await;
        assert_eq!(keyvend.key_ids().len(), 1, "a stranger says nothing about it");
        assert_eq!(key_stands(&keyvend, &id).await, "SUSPECT");
        let last = keyvend.trail().await.pop().unwrap();
        assert_eq!(
            (last.event.as_str(), last.actor.as_str()),
            ("key.suspect_answer_denied", "T0001.U0MALLORY")
        );
    }
    let tab = keyvend.collects(&told).await;
    let second = keyvend.reveals(&tab).await;
    assert_eq!(keyvend.key_ids().len(), 2, "the other place is free");
    keyvend.presses(BOB_APPROVER, &asked, "Delete (created by keyvend)").await;
    assert_eq!(keyvend.key_ids(), [second.id]);
    assert_eq!(key_stands(&keyvend, &id).await, "DELETED");
    assert!(keyvend.lease().await.is_null());
    keyvend.presses(BOB_APPROVER, &asked, "Keep (created by someone else)").await;
    assert_eq!(key_stands(&keyvend, &id).await, "DELETED");
    assert!(keyvend.told(BOB_APPROVER).contains("is deleted"), "{}", keyvend.told(BOB_APPROVER));
}

#[tokio::test]
async fn suspect_key_is_asked_about_daily() {
    let (keyvend, _) = unanswered(Interfere::LoseReply, 0).await;
    let slack = keyvend.world.net.slack();
    let questions = || {
        let said = slack.messages(APPROVALS);
        said.iter().filter(|message| message.reading().contains("Unknown access key")).count()
    };
    after(&keyvend, 20).await;
    assert_eq!(questions(), 1);
    after(&keyvend, DAY / 2).await;
    assert_eq!(questions(), 1);
    after(&keyvend, DAY / 2 + 1).await;
    assert_eq!(questions(), 2);
    keyvend.presses(BOB_APPROVER, &question(&keyvend), "Keep (created by someone else)").await;
    after(&keyvend, 3 * DAY).await;
    assert_eq!(questions(), 2);
    let (id, status) = key(&keyvend);
    assert_eq!((key_stands(&keyvend, &id).await.as_str(), status.as_str()), ("NOT_OURS", "Inactive"));
}

/// Without its IAM user policy cannot be asked about a suspect; that makes nobody an approver.
// T8.4
#[tokio::test]
async fn only_approvers_review_suspect_of_deleted_user() {
    for (person, label, is_guest, stands) in [
        (MALLORY_OUTSIDER, "Keep (created by someone else)", false, "SUSPECT"),
        (MALLORY_OUTSIDER, "Delete (created by keyvend)", false, "SUSPECT"),
        (ALICE_OWNER, "Keep (created by someone else)", false, "SUSPECT"),
        (BOB_APPROVER, "Keep (created by someone else)", true, "SUSPECT"),
        (BOB_APPROVER, "Keep (created by someone else)", false, "NOT_OURS"),
        // The issuer role may act on tagged users alone, and there is none; but the key is gone, as IAM shows.
        (BOB_APPROVER, "Delete (created by keyvend)", false, "DELETED"),
    ] {
        let (keyvend, _) = unanswered(Interfere::LoseReply, 0).await;
        // Until the last of the four checks holds the lease no longer.
        for seconds in [20, 60, 300, 1_200] {
            after(&keyvend, seconds).await;
        }
        let (id, _) = key(&keyvend);
        let asked = question(&keyvend);
        keyvend.world.net.slack().person(person, |who| who.restricted = is_guest);
        let iam = aws::iam(&keyvend.world.net, HOME);
        iam.delete_access_key().user_name("ci-deployer").access_key_id(&id).send().await.unwrap();
        aws::delete_user(&keyvend.world.net, HOME, "ci-deployer").await;
        keyvend.presses(person, &asked, label).await;
        keyvend.deliver_everything().await;
        assert_eq!(key_stands(&keyvend, &id).await, stands, "{person} {label}");
        let refused = keyvend.events().await.iter().any(|event| event == "key.suspect_answer_denied");
        assert_eq!(refused, stands == "SUSPECT", "{person} {label}");
        if refused {
            let says = if is_guest { "Guests of this workspace" } else { "only an approver" };
            assert!(keyvend.told(person).contains(says), "{}", keyvend.told(person));
        }
    }
}

#[tokio::test]
async fn older_or_much_newer_key_is_not_suspect() {
    let keyvend = Deployed::new().await;
    let admin = aws::iam(&keyvend.world.net, HOME);
    admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.net.once("iam", "CreateAccessKey", Interfere::FailBefore);
    keyvend.deliver().await;
    after(&keyvend, 200).await;
    admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    after(&keyvend, 1_200).await;
    after(&keyvend, 60).await;
    after(&keyvend, 60).await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.iter().filter(|key| key.status == "Active").count(), 2);
}
