//! A reported key: who brings it back, and that a report is told once and never lost.

use serde_json::json;

use testkit::deployed::{Deployed, ShownKey};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER};

use crate::path::key_commands::{DAY, after, buttons, had, item, said, stands, status, typed, waiting};
use crate::path::reactivate::{expired, unconfirmed};

// T8.2
#[tokio::test]
async fn reported_key_needs_approver_to_reactivate() {
    // The approver must not be the one who requested the reactivation.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    assert_eq!(buttons(&listed), ["Rotate", "Deactivate"]);
    let issued = keyvend.direct(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &issued, "This wasn't me").await;
    for _ in 0..2 {
        let told = typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
        assert!(told.reading().contains("This key was reported or quarantined"), "{}", told.reading());
        assert_eq!(status(&keyvend, &key.id), "Inactive");
        // Nor does being an approver help its requester.
        let slack = keyvend.world.net.slack();
        slack.channel(APPROVALS, |channel| {
            channel.members.insert(ALICE_OWNER.to_owned());
        });
    }
    typed(&keyvend, CAROL_APPROVER, &format!("activate {}", key.id)).await;
    assert_eq!(keyvend.times_told(CAROL_APPROVER, "The change is in progress"), 1);
    assert_eq!(keyvend.times_told(CAROL_APPROVER, "is reactivated"), 1);
    assert_eq!(status(&keyvend, &key.id), "Active", "an approver's own activation counts as one approval");
}

// T8.2
#[tokio::test]
async fn reported_privileged_key_needs_second_approver() {
    // The second approver must not be the one who requested the reactivation.
    let keyvend = Deployed::new().await;
    let slack = keyvend.world.net.slack();
    typed(&keyvend, ALICE_OWNER, "create admin-bot use:cli ttl:30d x").await;
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &waiting(&keyvend), "Approve").await;
    }
    let tab = keyvend.collects(&slack.last_told(ALICE_OWNER)).await;
    let key = keyvend.reveals(&tab).await;
    keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
    keyvend.deliver().await;
    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "This wasn't me").await;
    slack.channel(APPROVALS, |channel| {
        channel.members.insert(ALICE_OWNER.to_owned());
    });
    typed(&keyvend, CAROL_APPROVER, &format!("activate {}", key.id)).await;
    let card = &said(&keyvend, "requests reactivation of the inactive key");
    assert!(card.reading().contains("0 of 1"), "{}", card.reading());
    let why = said(&keyvend, ": reported.");
    assert_eq!(why.thread_ts.as_ref(), Some(&card.ts), "what they are asked to overrule");
    for (person, no) in [
        (CAROL_APPROVER, "You cannot approve your own request"),
        (ALICE_OWNER, "ask an approver who did not request it"),
    ] {
        keyvend.presses(person, card, "Approve").await;
        assert!(keyvend.told(person).contains(no), "{}", keyvend.told(person));
        assert_eq!(status(&keyvend, &key.id), "Inactive");
    }
    keyvend.presses(BOB_APPROVER, card, "Approve").await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Active");
}

// T8.2
#[tokio::test]
async fn expired_key_can_be_reported() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let issued = keyvend.direct(ALICE_OWNER);
    for _ in 0..30 {
        after(&keyvend, DAY).await;
    }
    let undo = keyvend.direct(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &issued, "This wasn't me").await;
    assert_eq!(item(&keyvend, &key.id).await["state"]["Inactive"]["why"], json!("reported"));
    keyvend.presses(ALICE_OWNER, &undo, "Request reactivation").await;
    assert_eq!(
        keyvend
            .world
            .net
            .slack()
            .messages(APPROVALS)
            .iter()
            .filter(|m| m.reading().contains(" requests "))
            .count(),
        0
    );
    assert_eq!(status(&keyvend, &key.id), "Inactive");
}

/// How often the approvers were told of a report.
fn reports(keyvend: &Deployed) -> usize {
    let said = keyvend.world.net.slack().messages(APPROVALS);
    said.iter().filter(|message| message.reading().contains("Next: check CloudTrail")).count()
}

async fn why_off(keyvend: &Deployed, key: &ShownKey) -> String {
    let state = item(keyvend, &key.id).await["state"].clone();
    let why =
        ["Inactive", "Deleting", "Deleted"].iter().find_map(|state_name| state[state_name]["why"].as_str());
    why.unwrap_or_default().to_owned()
}

// T6.5
#[tokio::test]
async fn reactivated_key_can_be_reported_once_more() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let issued = keyvend.direct(ALICE_OWNER);
    for times in 1..=3 {
        // From the requester's own message, then from the card.
        let (person, message, label) = if times == 2 {
            (CAROL_APPROVER, keyvend.cards().remove(0), "Report and deactivate")
        } else {
            (ALICE_OWNER, issued.clone(), "This wasn't me")
        };
        keyvend.world.clock.advance(std::time::Duration::from_secs(1));
        keyvend.presses(person, &message, label).await;
        keyvend.deliver_everything().await;
        assert_eq!(status(&keyvend, &key.id), "Inactive", "{times}");
        assert_eq!(why_off(&keyvend, &key).await, "reported", "{times}");
        assert_eq!(reports(&keyvend), times, "the approvers hear of each");
        assert_eq!(keyvend.times_told(ALICE_OWNER, ". It is deactivated. Next: check CloudTrail"), times);
        let request = item(&keyvend, &key.id).await["request"].clone();
        let trail = keyvend.trail_of(request.as_str().unwrap()).await.into_iter();
        let deactivated = trail.filter(|entry| entry.event == "key.deactivated").count();
        assert_eq!(deactivated, times, "and the trail has each");
        // Somebody else's press on a key that is off and reported changes nothing more.
        keyvend.presses(BOB_APPROVER, &keyvend.cards().remove(0), "Report and deactivate").await;
        assert_eq!(reports(&keyvend), times);
        assert!(keyvend.told(BOB_APPROVER).contains("is deactivated"), "{}", keyvend.told(BOB_APPROVER));
        typed(&keyvend, CAROL_APPROVER, &format!("activate {}", key.id)).await;
        keyvend.deliver_everything().await;
        assert_eq!(status(&keyvend, &key.id), "Active", "{times}");
    }
}

// T6.5
#[tokio::test]
async fn redelivered_report_notifies_once_and_undoes_nothing() {
    // A report that is delivered again does not undo a decision made since.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let issued = keyvend.direct(ALICE_OWNER);
    let event = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &issued, "This wasn't me")).await;
    for _ in 0..3 {
        keyvend.work(event.clone()).await;
        keyvend.deliver_everything().await;
        assert_eq!(reports(&keyvend), 1);
    }
    typed(&keyvend, CAROL_APPROVER, &format!("activate {}", key.id)).await;
    keyvend.deliver_everything().await;
    keyvend.work(event).await;
    keyvend.deliver_everything().await;
    assert_eq!((status(&keyvend, &key.id).as_str(), reports(&keyvend)), ("Active", 1));
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("has been activated again since. Press again"), "{told}");
}

/// What led to each state does not matter: a report is a report.
// T6.5
#[tokio::test]
async fn key_can_be_reported_in_any_state() {
    for case in ["asked", "expired", "unconfirmed", "deleted", "activating"] {
        let keyvend = Deployed::new().await;
        let key = match case {
            "expired" => expired(&keyvend).await.0,
            "unconfirmed" => unconfirmed(&keyvend).await.0,
            _ => had(&keyvend).await,
        };
        if ["asked", "deleted", "activating"].contains(&case) {
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
        }
        match case {
            "deleted" => keyvend.deletes(ALICE_OWNER, &key.id).await,
            "activating" => {
                typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
                keyvend.world.net.before(|call| match call.parameters["Status"].as_str() {
                    Some("Active") => testkit::net::Interfere::refused_xml(500, "ServiceFailure"),
                    _ => testkit::net::Interfere::Pass,
                });
                keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
                keyvend.deliver_everything().await;
                assert_eq!(stands(&keyvend, &key.id).await, "ACTIVATING");
                keyvend.world.net.undisturbed();
            }
            _ => {}
        }
        let label = if case == "deleted" { "Report" } else { "Report and deactivate" };
        let card = keyvend.cards().into_iter().find(|card| buttons(card).contains(&label.into()));
        keyvend.presses(BOB_APPROVER, &card.unwrap(), label).await;
        keyvend.deliver_everything().await;
        assert_eq!(why_off(&keyvend, &key).await, "reported", "{case}");
        assert_ne!(status(&keyvend, &key.id), "Active", "{case}");
        assert_eq!(reports(&keyvend), 1, "{case}");
        assert!(keyvend.lease().await.is_null(), "{case}");
        let no = typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await.reading();
        assert!(!no.contains("It needs") && !no.contains("The change is in progress"), "{case}: {no}");
        after(&keyvend, 8 * DAY).await;
        assert_ne!(status(&keyvend, &key.id), "Active", "{case}");
    }
}

// T6.5
#[tokio::test]
async fn interrupted_report_is_finished_by_timer() {
    // It notifies once.
    use testkit::net::Interfere;
    for (operation, how) in [
        ("UpdateItem", Interfere::CrashAfter),
        ("UpdateAccessKey", Interfere::CrashBefore),
        ("UpdateAccessKey", Interfere::CrashAfter),
        ("TransactWriteItems", Interfere::CrashAfter),
    ] {
        for was_expired in [false, true] {
            let keyvend = Deployed::new().await;
            let (key, undo) = if was_expired {
                let (key, undo) = expired(&keyvend).await;
                keyvend.presses(ALICE_OWNER, &undo, "Request reactivation").await;
                (key, Some(waiting(&keyvend)))
            } else {
                (had(&keyvend).await, None)
            };
            let mut cards = keyvend.cards().into_iter();
            let card = cards.rfind(|card| buttons(card).contains(&"Report and deactivate".into())).unwrap();
            let event =
                keyvend.pressed(keyvend.world.press(CAROL_APPROVER, &card, "Report and deactivate")).await;
            keyvend.world.net.fault(move |call| call.operation == operation, how.clone());
            assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none(), "nobody died");
            keyvend.world.net.undisturbed();
            if let Some(undo) = undo {
                // An approval that crosses it brings nothing back.
                keyvend.presses(BOB_APPROVER, &undo, "Approve").await;
            }
            after(&keyvend, 120).await;
            after(&keyvend, 120).await;
            let case = format!("{operation} {how:?} {was_expired}");
            assert_eq!(status(&keyvend, &key.id), "Inactive", "{case}");
            assert_eq!(why_off(&keyvend, &key).await, "reported", "{case}");
            assert_eq!(reports(&keyvend), 1, "{case}");
            let last = keyvend.trail().await.into_iter().rfind(|entry| entry.event == "key.deactivated");
            if !was_expired {
                assert_eq!(last.unwrap().actor, "T0001.U0CAROL", "{case}");
            }
        }
    }
}
