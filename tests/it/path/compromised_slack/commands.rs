//! Forged commands and events reveal no button, delete no key, and are verified with Slack.

use std::time::Duration;

use serde_json::json;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER, direct};
use testkit::steps::ASK;

use crate::path::compromised_slack::{EVERYBODY, Thief};

// T7.3
#[tokio::test]
async fn repeated_line_reveals_no_button() {
    let keyvend = Deployed::new().await;
    for step in ["pending", "approved"] {
        if step == "pending" {
            keyvend.asked().await;
        } else {
            keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
        }
        let thief = Thief::of(&keyvend).await;
        thief.types(ALICE_OWNER, ASK).await;
        let told = thief.told().pop().unwrap().reading();
        assert!(told.contains("no second request was created"), "{told}");
        assert!(thief.learnt().is_empty(), "{step}: {:?}", thief.learnt());
        assert!(!keyvend.direct(ALICE_OWNER).buttons().is_empty(), "{step}: its requester has them");
    }
}

/// Whoever types lines in anybody's name turns keys off, and gets none on again: the button is in the direct messages of
/// whom they named, with a value that stands nowhere else.
// T7.15
#[tokio::test]
async fn forged_deactivation_reveals_no_undo() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed {
            keyvend.confirmed().await.1.id
        } else {
            let iam = aws::iam(&keyvend.world.net, HOME);
            let made = iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
            made.access_key.unwrap().access_key_id
        };
        keyvend.deliver_everything().await;
        let thief = Thief::of(&keyvend).await;
        // In alice's name, and once more when she has done it herself.
        for _ in 0..2 {
            thief.types(ALICE_OWNER, &format!("deactivate {key}")).await;
        }
        let is_active = || aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status == "Active";
        assert!(!is_active());
        assert!(thief.learnt().is_empty(), "{:?}", thief.learnt());
        let offer = keyvend.offer("Undo").unwrap();
        assert_eq!(offer.channel, direct(ALICE_OWNER));
        let value = offer.button("Undo").value;
        let nonce = value.split_once('.').unwrap().1;
        // Nor does it help to read the table.
        let items = aws::items(&keyvend.world.net, aws::REQUESTS).await;
        let stored = items[&format!("undo#{key}")].to_string();
        assert!(items.values().all(|item| !item.to_string().contains(nonce)), "{stored}");
        let digest =
            stored.split("nonces").nth(1).unwrap().split('"').find(|part| part.len() == 64 + 1).unwrap();
        let zeros = "0".repeat(nonce.len());
        let guesses = [
            key.clone(),
            format!("{key}."),
            format!("{key}.{zeros}"),
            format!("{key}.{}", digest.trim_matches('\\')),
            format!("AKIANOSUCHKEY0000000.{nonce}"),
        ];
        for guess in &guesses {
            for person in EVERYBODY {
                thief.presses(person, "undo-deactivation", guess, &offer).await;
            }
        }
        assert!(!is_active());
        assert!(thief.told().iter().any(|told| told.reading().contains("This button is no longer valid")));
        // With the value, in the name of others: it is alice's.
        for person in [BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER] {
            thief.presses(person, "undo-deactivation", &value, &offer).await;
        }
        assert!(!is_active());
        let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
        let said = |event: &str| audit.values().filter(|item| item["event"]["S"] == event).count();
        assert_eq!((said("key.activating"), said("interaction.unknown_revision") > 8), (0, true));
        keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
        assert!(is_active(), "it is still hers");
    }
}

// T7.15
#[tokio::test]
async fn forged_line_deletes_no_key() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    for _ in 0..2 {
        thief.types(ALICE_OWNER, &format!("delete {}", key.id)).await;
    }
    assert!(thief.learnt().is_empty(), "{:?}", thief.learnt());
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer").len(), 1);
    assert!(keyvend.offer("Delete").unwrap().reading().contains("Delete the inactive key"));
}

// T7.3
#[tokio::test]
async fn discrepancies_go_to_approvers_alone() {
    let keyvend = Deployed::new().await;
    let made =
        aws::iam(&keyvend.world.net, HOME).create_access_key().user_name("admin-bot").send().await.unwrap();
    let key = made.access_key.unwrap().access_key_id;
    keyvend.world.clock.advance(Duration::from_secs(86_400));
    for _ in 0..2 {
        keyvend.world.net.sqs().sweep();
        keyvend.deliver_everything().await;
    }
    let reported = |part: &str| {
        let all = keyvend.world.net.slack().messages(APPROVALS);
        all.into_iter().find(|message| message.reading().contains(part))
    };
    let report = reported("Discrepancies between IAM").unwrap();
    let thief = Thief::of(&keyvend).await;
    thief.presses(BOB_APPROVER, "show-discrepancies", "all", &report).await;
    assert!(thief.told().iter().all(|message| !message.reading().contains(&key)), "{:?}", thief.told());
    assert!(keyvend.direct(BOB_APPROVER).reading().contains(&key), "it surprises bob");
    let all = report.button("Mark all as known for 90 days").value;
    thief.presses(BOB_APPROVER, "mark-known", &all, &report).await;
    assert!(
        reported("<@U0BOB> marked all keys that were reported as known until").is_some(),
        "all can see it"
    );
}

// T7.3
#[tokio::test]
async fn departure_is_verified_with_slack() {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    let thief = Thief::of(&keyvend).await;
    thief.queues(ALICE_OWNER, None, thief.now(), json!("user_deactivated")).await;
    keyvend.deliver_everything().await;
    let said = keyvend.world.net.slack().messages(APPROVALS);
    assert!(said.iter().all(|message| !message.reading().contains("has left")));
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    thief.queues(ALICE_OWNER, None, thief.now(), json!("user_deactivated")).await;
    keyvend.deliver_everything().await;
    let said = keyvend.world.net.slack().messages(APPROVALS);
    assert!(said.iter().any(|message| message.reading().contains("has left")), "what is so is asked");
}

// T5.7, T7.3
#[tokio::test]
async fn a_message_from_the_future_begins_nothing() {
    let keyvend = Deployed::new().await;
    let thief = Thief::of(&keyvend).await;
    let create = json!({
        "user": "ci-deployer", "account": null, "use_case": "cli", "days": 30, "reason": "never to expire",
    });
    thief.queues(ALICE_OWNER, None, thief.now() + 86_400 * 365, json!({"command": {"create": create}})).await;
    assert_eq!(keyvend.requests().await.len(), 0);
    assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty());
}
