//! A key comes back or lives longer: like a new one, only by an `issue` decision.

use serde_json::json;

use super::facts_changed::Document;
use super::key_commands::{DAY, after, buttons, had, item, said, stands, status, typed, waiting};
use testkit::aws;
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, Message};
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
