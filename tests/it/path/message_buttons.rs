//! When something is over, every button that is left in a message does something. Each is pressed, in a fork of the world, by
//! everybody who reads it.
//!
//! Where a message cannot be updated, its buttons say so when they are pressed. These are all:
//!
//! | message | why |
//! |---|---|
//! | answer to a command, a button or a form (`response_url`, `chat.postEphemeral`) | Slack lets nobody update it after 30 minutes, and it is gone when the reader's client reloads |
//! | answer of function `slack` to a secret that was typed, or to a line that is wrong | the same; that function knows no token |
//! | Home tab | it is drawn again whenever it is opened, and has the form alone |
//!
//! And these buttons never end, for what they do does not: **Details** and **Show all** show how it stands now, **Freeze key
//! issuing** stops all issuing, **Report and deactivate** deactivates a key again that is off, **Open the form** opens it.

use std::time::Duration;

use super::ambiguous_create::{question, unanswered};
use super::daily_jobs::{leaves, two_keys};
use super::key_commands::{DAY, after, foreign, had, status, typed, waiting};
use super::quiet_days::{next_day, reports};
use super::rotate_key::rotated;
use testkit::aws::{self, REQUESTS};
use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, Message};
use testkit::steps::ASK;
use testkit::transcript::Button;

/// How everything stands that a press may change, or show.
async fn everything(keyvend: &Deployed) -> Vec<String> {
    let mut stands = Vec::new();
    for (pk, item) in aws::items(&keyvend.world.net, REQUESTS).await {
        let document: serde_json::Value =
            serde_json::from_str(item["document"]["S"].as_str().unwrap_or("null")).unwrap();
        match pk.split('#').next().unwrap() {
            "request" => stands.push(format!("{pk} {} {}", document["state"], document["approvals"])),
            "key" => stands.push(format!("{pk} {} {}", document["state"], document["expires_at"])),
            "freeze" | "reconciliation" => stands.push(format!("{pk} {item}")),
            _ => {}
        }
    }
    let keys = keyvend.world.net.iam().all_keys().into_iter();
    stands.extend(keys.map(|key| format!("{} {}", key.id, key.status)));
    let said = keyvend.world.net.slack().ever().into_iter().filter(|message| message.ephemeral_to.is_none());
    stands.push(format!("{} messages", said.count()));
    stands.push(format!("{} forms", keyvend.world.net.slack().views().len()));
    stands.push(format!("{} deactivations", keyvend.world.net.calls_to("iam", "UpdateAccessKey").len()));
    stands
}

async fn changes_something(keyvend: &Deployed, person: &str, message: &Message, button: &Button) -> bool {
    let fork = keyvend.fork().await;
    fork.world.clock.advance(Duration::from_secs(60));
    let before = everything(&fork).await;
    fork.arrive(fork.world.press_button(person, message, button)).await;
    fork.deliver().await;
    before != everything(&fork).await
}

/// The buttons that do nothing, each with its message.
async fn dead_buttons(keyvend: &Deployed) -> Vec<String> {
    let mut dead = Vec::new();
    for message in keyvend.world.net.slack().all() {
        if message.ephemeral_to.is_some() {
            continue;
        }
        let readers = match message.channel.strip_prefix('D') {
            Some(person) => vec![format!("U{person}")],
            None => [BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER].map(str::to_owned).to_vec(),
        };
        for button in message.buttons() {
            let mut works = false;
            for reader in &readers {
                works = works || Box::pin(changes_something(keyvend, reader, &message, &button)).await;
            }
            if !works {
                dead.push(format!("{} in {}", button.text, message.reading()));
            }
        }
    }
    dead
}

/// Something from its beginning to its end.
async fn happens(scenario: &str) -> Deployed {
    let keyvend = Deployed::new().await;
    match scenario {
        "request is denied" => {
            let card = keyvend.asked().await;
            keyvend.denies(BOB_APPROVER, &card, "not needed").await;
        }
        "request is cancelled" => {
            let ready = keyvend.approved().await;
            keyvend.presses(ALICE_OWNER, &ready, "Cancel").await;
        }
        "request expires" => {
            keyvend.asked().await;
            typed(&keyvend, ALICE_OWNER, ASK).await;
            after(&keyvend, 8 * DAY).await;
        }
        "request is approved and expires" => {
            keyvend.approved().await;
            typed(&keyvend, ALICE_OWNER, "status").await;
            after(&keyvend, 4 * DAY).await;
        }
        "key is issued" => drop(had(&keyvend).await),
        "key is reported" => {
            had(&keyvend).await;
            keyvend.presses(ALICE_OWNER, &keyvend.offer("This wasn't me").unwrap(), "This wasn't me").await;
        }
        "reported key is deleted" => {
            had(&keyvend).await;
            keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
            after(&keyvend, 8 * DAY).await;
        }
        "deactivation is undone" => {
            let key = had(&keyvend).await;
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
            keyvend.presses(ALICE_OWNER, &keyvend.offer("Undo").unwrap(), "Undo").await;
        }
        "deactivation is not undone" => {
            let key = had(&keyvend).await;
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
            after(&keyvend, 1_000).await;
        }
        "deactivated key is reported" => {
            let key = had(&keyvend).await;
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
            keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
        }
        "deactivated key is deleted" => {
            let key = had(&keyvend).await;
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
            keyvend.deletes(ALICE_OWNER, &key.id).await;
        }
        "key is reactivated" => {
            let key = had(&keyvend).await;
            typed(&keyvend, BOB_APPROVER, &format!("deactivate {}", key.id)).await;
            typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
            keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
        }
        "key expires" => {
            had(&keyvend).await;
            for _ in 0..31 {
                after(&keyvend, DAY).await;
            }
            let expired = keyvend.offer("Request reactivation").unwrap();
            keyvend.presses(ALICE_OWNER, &expired, "Request reactivation").await;
            keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
            after(&keyvend, 2 * DAY).await;
        }
        "key is extended" => {
            had(&keyvend).await;
            after(&keyvend, 24 * DAY).await;
            keyvend.presses(ALICE_OWNER, &keyvend.offer("Extend").unwrap(), "Extend").await;
            keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
        }
        "key is rotated" => {
            let key = had(&keyvend).await;
            after(&keyvend, 24 * DAY).await;
            rotated(&keyvend, &key).await;
            for _ in 0..3 {
                after(&keyvend, DAY).await;
            }
            let old = "Deactivate the old key";
            keyvend.presses(ALICE_OWNER, &keyvend.offer(old).unwrap(), old).await;
            after(&keyvend, 1_000).await;
        }
        "key is not confirmed" => {
            let tab = keyvend.linked().await;
            keyvend.reveals(&tab).await;
            after(&keyvend, 700).await;
            after(&keyvend, 2 * DAY).await;
        }
        "unconfirmed key is replaced" => {
            let tab = keyvend.linked().await;
            keyvend.reveals(&tab).await;
            after(&keyvend, 700).await;
            keyvend.presses(ALICE_OWNER, &keyvend.offer("Get a new key").unwrap(), "Get a new key").await;
        }
        "unmanaged key is deactivated" => {
            let key = foreign(&keyvend, "ci-deployer").await;
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
            typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
            after(&keyvend, DAY + 60).await;
        }
        "unmanaged key is deleted" => {
            let key = foreign(&keyvend, "ci-deployer").await;
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
            keyvend.deletes(ALICE_OWNER, &key).await;
        }
        "somebody leaves" => {
            let keys = two_keys(&keyvend).await;
            leaves(&keyvend, ALICE_OWNER).await;
            typed(&keyvend, BOB_APPROVER, &format!("deactivate {}", keys[1])).await;
            after(&keyvend, 1_000).await;
            assert_eq!(status(&keyvend, &keys[0]), "Active");
        }
        "suspect is kept" | "suspect is deleted" => {
            let (keyvend, _) = unanswered(Interfere::LoseReply, 0).await;
            for _ in 0..3 {
                after(&keyvend, DAY).await;
            }
            let label = if scenario.ends_with("kept") {
                "Keep (created by someone else)"
            } else {
                "Delete (created by keyvend)"
            };
            keyvend.presses(BOB_APPROVER, &question(&keyvend), label).await;
            after(&keyvend, DAY).await;
            return keyvend;
        }
        "discrepancies are known" => {
            foreign(&keyvend, "ci-deployer").await;
            next_day(&keyvend).await;
            let report = reports(&keyvend).pop().unwrap();
            keyvend.presses(BOB_APPROVER, &report, "Show all").await;
            keyvend.presses(BOB_APPROVER, &report, "Mark all as known for 90 days").await;
        }
        other => panic!("no scenario: {other}"),
    }
    keyvend.deliver_everything().await;
    keyvend
}

#[tokio::test]
async fn every_button_left_does_something() {
    let mut pressed = 0;
    for scenario in [
        "request is denied",
        "request is cancelled",
        "request expires",
        "request is approved and expires",
        "key is issued",
        "key is reported",
        "reported key is deleted",
        "deactivation is undone",
        "deactivation is not undone",
        "deactivated key is reported",
        "deactivated key is deleted",
        "key is reactivated",
        "key expires",
        "key is extended",
        "key is rotated",
        "key is not confirmed",
        "unconfirmed key is replaced",
        "unmanaged key is deactivated",
        "unmanaged key is deleted",
        "somebody leaves",
        "suspect is kept",
        "suspect is deleted",
        "discrepancies are known",
    ] {
        let keyvend = Box::pin(happens(scenario)).await;
        let dead = dead_buttons(&keyvend).await;
        assert_eq!(dead, Vec::<String>::new(), "{scenario}");
        let said = keyvend.world.net.slack().messages(APPROVALS);
        pressed += said.iter().map(|message| message.buttons().len()).sum::<usize>();
    }
    assert!(pressed > 20, "{pressed}");
}

/// The control: a button whose time is over is found where nobody has ended it yet.
#[tokio::test]
async fn button_that_does_nothing_is_found() {
    let keyvend = Deployed::new().await;
    let key = foreign(&keyvend, "ci-deployer").await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
    assert_eq!(dead_buttons(&keyvend).await, Vec::<String>::new());
    keyvend.world.clock.advance(Duration::from_secs(1_000));
    let dead = dead_buttons(&keyvend).await;
    assert!(dead.len() == 1 && dead[0].starts_with("Undo in"), "{dead:?}");
}
