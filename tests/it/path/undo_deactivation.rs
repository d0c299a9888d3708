//! A deactivation is undone by the person who asked for it, within fifteen minutes and once; a typed deletion is confirmed first.

use std::time::Duration;

use super::key_commands::{DAY, after, buttons, foreign, had, item, said, stands, status, typed};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER, Message, direct,
};
use testkit::steps::{policies, stable, text};

/// What a person was offered last, which is in their direct messages alone.
fn offer(keyvend: &Deployed, person: &str) -> Message {
    let offers = keyvend.world.net.slack().ever().into_iter().rev();
    let mut offers = offers.filter(|message| buttons(message).contains(&"Undo".to_owned()));
    let offer = offers.next().unwrap();
    assert_eq!((offer.channel.as_str(), offer.ephemeral_to.is_none()), (direct(person).as_str(), true));
    offer
}

/// A person deactivates the key by a line; what they are then offered.
async fn deactivated(keyvend: &Deployed, person: &str, key: &str) -> Message {
    typed(keyvend, person, &format!("deactivate {key}")).await;
    assert_eq!(status(keyvend, key), "Inactive");
    offer(keyvend, person)
}

async fn quarantine(keyvend: &Deployed) {
    let arn = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.attach_user_policy().user_name("ci-deployer").policy_arn(arn).send().await.unwrap();
}

// T8.11
#[tokio::test]
async fn deactivation_is_undone_by_its_person() {
    // Its requester, and an approver who pressed in a list.
    for by in [ALICE_OWNER, BOB_APPROVER] {
        let keyvend = Deployed::new().await;
        let key = had(&keyvend).await;
        let before = item(&keyvend, &key.id).await;
        let listed = typed(&keyvend, by, "list ci-deployer").await;
        keyvend.presses(by, &listed, "Deactivate").await;
        assert_eq!(status(&keyvend, &key.id), "Inactive");
        let offer = offer(&keyvend, by);
        insta::allow_duplicates! {
            insta::assert_snapshot!(stable(&offer.reading()), @r"
            You deactivated the key `AKIAWORLD00000000002` for `ci-deployer` in `home`. *Undo* activates it again without an approval, until <time>.
            Undo
            ");
        }
        let answer = keyvend.times_told(by, "press *Undo* in your direct messages with keyvend until");
        assert_eq!(answer, 1, "{}", keyvend.told(by));
        keyvend.world.clock.advance(Duration::from_secs(800));
        keyvend.presses(by, &offer, "Undo").await;
        assert_eq!(
            (status(&keyvend, &key.id), stands(&keyvend, &key.id).await),
            ("Active".into(), "CONFIRMED".into())
        );
        // The answer; the offer says what became of the key.
        assert_eq!(keyvend.times_told(by, "is undone. The key is active again."), 1, "{}", keyvend.told(by));
        let ended = keyvend.world.net.slack().told(by).into_iter().find(|told| told.ts == offer.ts).unwrap();
        assert!(ended.reading().contains("*Closed.*"), "{}", ended.reading());
        assert!(
            keyvend.world.net.slack().told(by).iter().all(|told| !buttons(told).contains(&"Undo".to_owned()))
        );
        let told = keyvend.times_told(ALICE_OWNER, &format!("<@{by}> undid the deactivation of the key"));
        assert_eq!(told, 1);
        let events = keyvend.trail().await;
        let [.., activating, undone] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(
            (activating.event.as_str(), undone.event.as_str()),
            ("key.activating", "key.deactivation_undone")
        );
        assert_eq!(
            (undone.actor.as_str(), undone.detail["key"].as_str()),
            (format!("T0001.{by}").as_str(), key.id.as_str())
        );
        assert!(keyvend.lease().await.is_null());
        // Its end and its reminders are those that it had.
        let now = item(&keyvend, &key.id).await;
        for name in ["expires_at", "reminders", "state"] {
            assert_eq!(now[name], before[name], "{name}");
        }
        // Nothing turns it off again, and it needed no approval.
        after(&keyvend, 3_600).await;
        assert_eq!(status(&keyvend, &key.id), "Active");
        assert_eq!(keyvend.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn unmanaged_deactivation_is_undone_by_its_person() {
    for by in [ALICE_OWNER, BOB_APPROVER] {
        let keyvend = Deployed::new().await;
        let key = foreign(&keyvend, "ci-deployer").await;
        let offer = deactivated(&keyvend, by, &key).await;
        keyvend.presses(by, &offer, "Undo").await;
        assert_eq!(status(&keyvend, &key), "Active");
        assert_eq!(
            keyvend.told(by),
            format!("The deactivation of the key `{key}` is undone. The key is active again.")
        );
        let items = aws::items(&keyvend.world.net, aws::AUDIT).await;
        let mut events: Vec<String> = items.values().map(|item| text(&item["event"]["S"])).collect();
        events.sort();
        let expected = ["key.activating", "key.deactivated", "key.deactivating", "key.deactivation_undone"];
        assert_eq!(events, expected);
    }
}

// T8.11
#[tokio::test]
async fn undo_ends_after_fifteen_minutes() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed { had(&keyvend).await.id } else { foreign(&keyvend, "ci-deployer").await };
        let offer = deactivated(&keyvend, ALICE_OWNER, &key).await;
        keyvend.world.clock.advance(Duration::from_secs(900));
        keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
        let told = keyvend.told(ALICE_OWNER);
        let instead =
            if managed { format!("`/access-key activate {key}`") } else { "AWS console".to_owned() };
        assert!(told.contains("It is too late to undo") && told.contains(&instead), "{told}");
        assert_eq!(status(&keyvend, &key), "Inactive");
    }
}

// T8.11
#[tokio::test]
async fn deactivation_is_undone_once() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed { had(&keyvend).await.id } else { foreign(&keyvend, "ci-deployer").await };
        let first = deactivated(&keyvend, ALICE_OWNER, &key).await;
        keyvend.presses(ALICE_OWNER, &first, "Undo").await;
        // Off again, for good or until a new button is pressed; not by the old one.
        let second = deactivated(&keyvend, ALICE_OWNER, &key).await;
        keyvend.presses(ALICE_OWNER, &first, "Undo").await;
        assert_eq!(status(&keyvend, &key), "Inactive");
        assert!(keyvend.told(ALICE_OWNER).contains("no longer valid"), "{}", keyvend.told(ALICE_OWNER));
        keyvend.presses(ALICE_OWNER, &second, "Undo").await;
        assert_eq!(status(&keyvend, &key), "Active");
        keyvend.presses(ALICE_OWNER, &second, "Undo").await;
        assert!(keyvend.told(ALICE_OWNER).contains("was already undone"), "{}", keyvend.told(ALICE_OWNER));
    }
}

// T8.11
#[tokio::test]
async fn key_that_was_off_before_is_not_offered() {
    let keyvend = Deployed::new().await;
    let key = foreign(&keyvend, "ci-deployer").await;
    let off = aws::iam(&keyvend.world.net, HOME).update_access_key().user_name("ci-deployer");
    off.access_key_id(&key).status("Inactive".into()).send().await.unwrap();
    let told = typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await.reading();
    assert!(!told.contains("Undo"), "{told}");
    assert!(keyvend.world.net.slack().messages(&direct(ALICE_OWNER)).is_empty());
}

// T8.11
#[tokio::test]
async fn changed_key_is_not_undone() {
    for (case, says) in [
        ("reported", "was reported, so its deactivation cannot be undone"),
        ("deleted", "no longer exists"),
        ("frozen", "Key issuing is frozen"),
        ("quarantined", "has quarantined this IAM user"),
        ("not its owner any more", "You are not an owner"),
        ("expired", "ended"),
    ] {
        let keyvend = Deployed::new().await;
        let key = had(&keyvend).await.id;
        if case == "expired" {
            after(&keyvend, 30 * DAY - 300).await;
        }
        let card = keyvend.card();
        let offer = deactivated(&keyvend, ALICE_OWNER, &key).await;
        match case {
            "reported" => keyvend.presses(BOB_APPROVER, &card, "Report and deactivate").await,
            "deleted" => keyvend.deletes(ALICE_OWNER, &key).await,
            "frozen" => drop(typed(&keyvend, BOB_APPROVER, "freeze").await),
            "quarantined" => quarantine(&keyvend).await,
            "expired" => keyvend.world.clock.advance(Duration::from_secs(400)),
            _ => {
                let iam = aws::iam(&keyvend.world.net, HOME);
                iam.untag_user().user_name("ci-deployer").tag_keys("keyvend:owners").send().await.unwrap();
            }
        }
        keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
        keyvend.deliver_everything().await;
        assert!(keyvend.times_told(ALICE_OWNER, says) > 0, "{case}: {}", keyvend.told(ALICE_OWNER));
        assert_ne!(status(&keyvend, &key), "Active", "{case}");
        assert_eq!(keyvend.events().await.pop().unwrap(), "key.undo_denied", "{case}");
    }
}

// T8.11
#[tokio::test]
async fn unmanaged_key_is_not_undone_against_policy() {
    for (case, says) in [
        ("frozen", "Key issuing is frozen"),
        ("quarantined", "has quarantined this IAM user"),
        ("deleted", "There is no key"),
        ("invalid", "policies are invalid"),
    ] {
        let mut keyvend = Deployed::new().await;
        let key = foreign(&keyvend, "ci-deployer").await;
        let offer = deactivated(&keyvend, ALICE_OWNER, &key).await;
        match case {
            "frozen" => drop(typed(&keyvend, BOB_APPROVER, "freeze").await),
            "quarantined" => quarantine(&keyvend).await,
            "deleted" => keyvend.deletes(ALICE_OWNER, &key).await,
            _ => {
                let broken = policies("undo-nothing", |text| format!("{text}\nnonsense"));
                keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &broken)]);
            }
        }
        keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
        assert!(keyvend.told(ALICE_OWNER).contains(says), "{case}: {}", keyvend.told(ALICE_OWNER));
        assert_ne!(status(&keyvend, &key), "Active", "{case}");
    }
}

// T8.11
#[tokio::test]
async fn key_of_former_owner_is_not_undone_by_approver() {
    // An approver restores what was approved, not what its requester may have no more.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await.id;
    let offer = deactivated(&keyvend, BOB_APPROVER, &key).await;
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    keyvend.presses(BOB_APPROVER, &offer, "Undo").await;
    let told = keyvend.told(BOB_APPROVER);
    assert!(told.contains("<@U0ALICE> may not have it any more"), "{told}");
    assert_eq!(status(&keyvend, &key), "Inactive");
}

#[tokio::test]
async fn unconfirmed_key_is_watched_after_undo() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    let offer = deactivated(&keyvend, ALICE_OWNER, &key.id).await;
    keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
    assert_eq!(
        (status(&keyvend, &key.id), stands(&keyvend, &key.id).await),
        ("Active".into(), "DELIVERED".into())
    );
    after(&keyvend, 700).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive", "nobody confirmed it");
}

#[tokio::test]
async fn interrupted_undo_is_finished() {
    for (operation, how) in [
        ("UpdateAccessKey", Interfere::CrashBefore),
        ("UpdateAccessKey", Interfere::CrashAfter),
        ("TransactWriteItems", Interfere::CrashAfter),
    ] {
        for delivered_again in [true, false] {
            for managed in [true, false] {
                let keyvend = Deployed::new().await;
                let key =
                    if managed { had(&keyvend).await.id } else { foreign(&keyvend, "ci-deployer").await };
                let offer = deactivated(&keyvend, ALICE_OWNER, &key).await;
                keyvend.deliver_everything().await;
                keyvend.world.clock.advance(Duration::from_secs(1));
                let event = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &offer, "Undo")).await;
                keyvend.world.net.fault(move |call| call.operation == operation, how.clone());
                assert!(
                    keyvend.world.net.survive(keyvend.work(event.clone())).await.is_none(),
                    "nobody died"
                );
                if !delivered_again {
                    let receipt = text(&event["Records"][0]["receiptHandle"]);
                    keyvend.world.net.sqs().finish("slack", &receipt, true);
                }
                after(&keyvend, 400).await;
                // Of a key that is on no record only the press itself goes on.
                if managed || delivered_again {
                    assert_eq!(status(&keyvend, &key), "Active", "{operation} {delivered_again} {managed}");
                }
                assert!(keyvend.lease().await.is_null(), "{operation} {delivered_again} {managed}");
            }
        }
    }
}

#[tokio::test]
async fn undo_is_offered_again_after_interruption() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed { had(&keyvend).await.id } else { foreign(&keyvend, "ci-deployer").await };
        keyvend.world.clock.advance(Duration::from_secs(1));
        let event = keyvend.world.slash_command(ALICE_OWNER, &format!("deactivate {key}"));
        let event = keyvend.pressed(event).await;
        keyvend.world.net.fault(|call| call.operation == "chat.postMessage", Interfere::CrashBefore);
        assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none(), "nobody died");
        keyvend.deliver_everything().await;
        keyvend.presses(ALICE_OWNER, &offer(&keyvend, ALICE_OWNER), "Undo").await;
        assert_eq!(status(&keyvend, &key), "Active", "{managed}");
    }
}

#[tokio::test]
async fn deactivation_stands_though_undo_is_not_delivered() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await.id;
    keyvend.deliver_everything().await;
    keyvend.world.net.slack().fail_next("chat.postMessage", "internal_error");
    let told = typed(&keyvend, CAROL_APPROVER, &format!("deactivate {key}")).await.reading();
    assert!(told.contains("is deactivated") && !told.contains("Undo"), "{told}");
    assert_eq!(status(&keyvend, &key), "Inactive");
}

#[tokio::test]
async fn typed_deletion_is_confirmed_first() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed { had(&keyvend).await.id } else { foreign(&keyvend, "ci-deployer").await };
        keyvend.world.net.iam().use_key(&key, "s3", "eu-west-1");
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
        let told = typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
        assert_eq!(
            told.reading(),
            format!(
                "The key `{key}` is not deleted yet. To confirm, press *Delete* in your direct messages with keyvend."
            )
        );
        assert_eq!(told.channel, GENERAL);
        assert_eq!(status(&keyvend, &key), "Inactive");
        let asked = keyvend.direct(ALICE_OWNER);
        insta::allow_duplicates! {
            insta::assert_snapshot!(stable(&asked.reading()), @r"
            Delete the inactive key `AKIAWORLD00000000002` for `ci-deployer` in `home`? It was last used <time> with s3 in eu-west-1. A deleted key cannot be restored.
            Delete
            Delete this key?
            The key AKIAWORLD00000000002 of ci-deployer will be deleted. It cannot be restored.
            Delete it
            Go back
            ");
        }
        keyvend.presses(ALICE_OWNER, &asked, "Delete").await;
        assert_eq!(status(&keyvend, &key), "");
    }
}

// T8.11
#[tokio::test]
async fn undo_belongs_to_the_person_who_deactivated() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await.id;
    let offer = deactivated(&keyvend, BOB_APPROVER, &key).await;
    for person in [ALICE_OWNER, CAROL_APPROVER, MALLORY_OUTSIDER] {
        keyvend.presses(person, &offer, "Undo").await;
        assert!(keyvend.told(person).contains("Only the person who deactivated the key can undo this"));
        assert_eq!(status(&keyvend, &key), "Inactive", "{person}");
    }
    assert!(keyvend.world.net.slack().messages(APPROVALS).len() < 4, "{}", said(&keyvend, "").reading());
}

#[tokio::test]
async fn own_deactivation_is_told_once() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let before = keyvend.world.net.slack().told(ALICE_OWNER).len();
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.deliver_everything().await;
    let told: Vec<String> = keyvend.world.net.slack().told(ALICE_OWNER)[before..]
        .iter()
        .map(|message| stable(&message.reading()))
        .collect();
    insta::assert_snapshot!(told.join("\n---\n"), @r"
    You deactivated the key `AKIAWORLD00000000002` for `ci-deployer` in `home`. *Undo* activates it again without an approval, until <time>.
    Undo
    ---
    The key `AKIAWORLD00000000002` is deactivated. It no longer works anywhere, and is deleted in 7 days. If something breaks, press *Undo* in your direct messages with keyvend until <time>; later `/access-key activate AKIAWORLD00000000002` requests its reactivation.
    ");
    assert!(keyvend.card().reading().contains("Key deactivated"), "the approvers see it");
}

#[tokio::test]
async fn deactivation_by_another_person_is_told_to_requester() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    typed(&keyvend, BOB_APPROVER, &format!("deactivate {}", key.id)).await;
    keyvend.deliver_everything().await;
    assert!(
        keyvend.told(ALICE_OWNER).contains("was deactivated. It will be deleted in"),
        "{}",
        keyvend.told(ALICE_OWNER)
    );
}
