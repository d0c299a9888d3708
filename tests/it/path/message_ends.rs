//! Messages have an end: what loses its meaning says so, and asks for nothing any more.

use super::key_commands::{DAY, after, buttons, had, stands, status, typed, waiting};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, Message};
use testkit::steps::stable;

/// The reason of the request whose card this was.
fn cards_reading(keyvend: &Deployed, part: &str) -> Vec<Message> {
    let said = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    said.filter(|message| message.reading().contains(part)).collect()
}

// T8.8
#[tokio::test]
async fn request_about_deleted_key_ends_with_it() {
    // Asked to be active again, then replaced: nobody is to approve what cannot be.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    after(&keyvend, 700).await;
    let told = keyvend.direct(ALICE_OWNER);
    assert_eq!(buttons(&told), ["I saved it", "Get a new key"]);
    keyvend.presses(ALICE_OWNER, &told, "I saved it").await;
    let card = waiting(&keyvend);
    keyvend.presses(ALICE_OWNER, &told, "Get a new key").await;
    keyvend.deliver_everything().await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    let card =
        cards_reading(&keyvend, "Denied by policy").into_iter().find(|found| found.ts == card.ts).unwrap();
    assert_eq!(buttons(&card), ["Details"]);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "This key no longer exists"), 1);
    after(&keyvend, 12 * 3_600).await;
    assert_eq!(cards_reading(&keyvend, "is still waiting").len(), 0);
}

#[tokio::test]
async fn request_to_reactivate_ends_with_undo() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    let offer = keyvend.offer("Undo").unwrap();
    typed(&keyvend, ALICE_OWNER, &format!("activate {}", key.id)).await;
    let card = waiting(&keyvend);
    keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert!(
        !buttons(&cards_reading(&keyvend, "").into_iter().find(|found| found.ts == card.ts).unwrap())
            .contains(&"Approve".into())
    );
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is not inactive, so it does not need to be reactivated"), 1);
}

#[tokio::test]
async fn undo_and_confirmation_end_with_the_key() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    let undo = keyvend.offer("Undo").unwrap();
    let nonce = undo.button("Undo").value.split_once('.').unwrap().1.to_owned();
    let stored = aws::items(&keyvend.world.net, aws::REQUESTS).await;
    assert!(!stored.values().any(|item| item.to_string().contains(&nonce)), "what opens it is in no table");
    typed(&keyvend, ALICE_OWNER, &format!("delete {}", key.id)).await;
    let question = keyvend.offer("Delete").unwrap();
    keyvend.presses(ALICE_OWNER, &question, "Delete").await;
    keyvend.deliver_everything().await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    let told = keyvend.world.net.slack().told(ALICE_OWNER);
    for ended in [&undo, &question] {
        let now = told.iter().find(|message| message.ts == ended.ts).unwrap();
        assert_eq!(buttons(now), Vec::<String>::new(), "{}", now.reading());
        assert!(now.reading().contains("Closed.") && now.reading().contains("deleted"), "{}", now.reading());
    }
}

#[tokio::test]
async fn buttons_say_what_they_do_and_to_what() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let card = keyvend.card();
    assert_eq!(buttons(&card).last().unwrap(), "Report and deactivate");
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    for message in [&card, &listed, &keyvend.direct(ALICE_OWNER)] {
        let reading = message.reading();
        assert!(reading.contains(&format!("The key {} of ci-deployer stops working", key.id)), "{reading}");
    }
    keyvend.presses(ALICE_OWNER, &listed, "Deactivate").await;
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    assert_eq!(buttons(&listed), ["Request reactivation", "Delete"]);
    keyvend.presses(ALICE_OWNER, &listed, "Request reactivation").await;
    assert_eq!(status(&keyvend, &key.id), "Inactive", "that is what it says");
    keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Active");
}

/// A message as it reads now.
pub fn now(keyvend: &Deployed, message: &Message) -> Message {
    let all = keyvend.world.net.slack().ever().into_iter();
    all.into_iter().find(|found| found.channel == message.channel && found.ts == message.ts).unwrap()
}

#[tokio::test]
async fn get_my_key_ends_when_key_exists() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    assert_eq!(buttons(&ready), ["Get my key", "Cancel"]);
    let tab = keyvend.collects(&ready).await;
    assert_eq!(buttons(&now(&keyvend, &ready)), ["Get my key", "Cancel"], "the link may expire");
    keyvend.reveals(&tab).await;
    keyvend.deliver_everything().await;
    let ended = now(&keyvend, &ready);
    assert_eq!(buttons(&ended), Vec::<String>::new());
    insta::assert_snapshot!(stable(&ended.reading()), @r"
    Approved by <@U0BOB>: your key for `ci-deployer` in `home` is ready to create. Press *Get my key* on the computer where you will use it, by <time>. The key is created only when you confirm on the page of its link.
    AWS recommends <https://docs.aws.amazon.com/sdkref/latest/guide/access-sso.html|IAM Identity Center> for code on your machine: the SDKs and IDEs sign in with it.
    Request `<request>`
    *Closed.* The key `AKIAWORLD00000000002` for `ci-deployer` in `home` was created <time>.
    ");
}

#[tokio::test]
async fn get_my_key_ends_with_its_request() {
    for how in ["cancelled", "denied", "expired"] {
        let keyvend = Deployed::new().await;
        let ready = keyvend.approved().await;
        match how {
            "cancelled" => keyvend.presses(ALICE_OWNER, &ready, "Cancel").await,
            "denied" => {
                keyvend.presses(BOB_APPROVER, &keyvend.card(), "Deny anyway").await;
                keyvend.submits(&keyvend.view(BOB_APPROVER), &[("reason", "not needed")]).await;
            }
            _ => after(&keyvend, 4 * DAY).await,
        }
        keyvend.deliver_everything().await;
        let ended = now(&keyvend, &ready);
        assert_eq!(buttons(&ended), Vec::<String>::new(), "{how}");
        assert!(ended.reading().contains(how), "{how}: {}", ended.reading());
    }
}

#[tokio::test]
async fn reminder_ends_when_key_is_extended_or_expires() {
    for extended in [true, false] {
        let keyvend = Deployed::new().await;
        let key = had(&keyvend).await;
        for _ in 0..24 {
            after(&keyvend, DAY).await;
        }
        let reminder = keyvend.offer("Extend").unwrap();
        if extended {
            keyvend.presses(ALICE_OWNER, &reminder, "Extend").await;
            keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
            keyvend.deliver_everything().await;
        } else {
            for _ in 0..7 {
                after(&keyvend, DAY).await;
            }
            assert_eq!(status(&keyvend, &key.id), "Inactive");
        }
        let ended = now(&keyvend, &reminder);
        assert_eq!(buttons(&ended), Vec::<String>::new(), "{extended}");
        let says = if extended { "It is active, and expires" } else { "It was deactivated" };
        assert!(ended.reading().contains(says), "{}", ended.reading());
    }
}

#[tokio::test]
async fn question_about_unconfirmed_key_ends() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    after(&keyvend, 700).await;
    let asked = keyvend.offer("I saved it").unwrap();
    after(&keyvend, 2 * DAY).await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    let ended = now(&keyvend, &asked);
    assert_eq!(buttons(&ended), Vec::<String>::new());
    assert!(ended.reading().contains("It was deleted"), "{}", ended.reading());
}

#[tokio::test]
async fn card_follows_life_of_key() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let reading = || stable(&keyvend.card().reading());
    assert!(reading().starts_with("Issued: access key for ci-deployer"), "{}", reading());
    assert!(reading().contains("It is active, and expires <time>."), "{}", reading());
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.deliver_everything().await;
    assert!(reading().starts_with("Key deactivated: access key"), "{}", reading());
    assert!(reading().contains("It was deactivated <time>: at a person's request."), "{}", reading());
    keyvend.presses(ALICE_OWNER, &keyvend.offer("Undo").unwrap(), "Undo").await;
    keyvend.deliver_everything().await;
    assert!(reading().starts_with("Issued: access key"), "{}", reading());
    for _ in 0..31 {
        after(&keyvend, DAY).await;
    }
    assert!(reading().starts_with("Key expired: access key"), "{}", reading());
    after(&keyvend, 8 * DAY).await;
    assert!(reading().starts_with("Key deleted: access key"), "{}", reading());
    assert_eq!(buttons(&keyvend.card()), ["Details", "Report"]);
}

#[tokio::test]
async fn status_tells_of_key_as_it_is() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let told = typed(&keyvend, ALICE_OWNER, "status").await.reading();
    assert!(told.contains("It is active, and expires"), "{told}");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
    let told = typed(&keyvend, ALICE_OWNER, "status").await.reading();
    assert!(told.contains("It was deactivated") && told.contains(": reported."), "{told}");
    assert_eq!(status(&keyvend, &key.id), "Inactive");
}

// T7.15
#[tokio::test]
async fn status_sends_get_my_key_to_requester() {
    let keyvend = Deployed::new().await;
    let first = keyvend.approved().await;
    keyvend.world.net.slack().delete(&first);
    let told = typed(&keyvend, ALICE_OWNER, "status").await;
    assert_eq!(buttons(&told), Vec::<String>::new(), "an answer may go to a thief");
    let again = keyvend.direct(ALICE_OWNER);
    assert_eq!(buttons(&again), ["Get my key", "Cancel"]);
    let tab = keyvend.collects(&again).await;
    keyvend.reveals(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(buttons(&now(&keyvend, &again)), Vec::<String>::new());
}

#[tokio::test]
async fn status_of_refused_request_names_help() {
    let keyvend = Deployed::with(&[("KEYVEND_HELP_CHANNEL", GENERAL)]).await;
    typed(&keyvend, ALICE_OWNER, "create untagged use:cli ttl:7d x").await;
    let told = typed(&keyvend, ALICE_OWNER, "status").await.reading();
    assert!(told.contains(&format!("<#{GENERAL}>")), "{told}");
}

#[tokio::test]
async fn deleted_card_is_posted_again_while_pending() {
    for how in ["reminder", "status"] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        keyvend.deliver_everything().await;
        keyvend.world.net.slack().delete(&card);
        assert_eq!(keyvend.cards().len(), 0);
        if how == "reminder" {
            after(&keyvend, 7 * 3_600).await;
        } else {
            typed(&keyvend, ALICE_OWNER, "status").await;
        }
        let again = keyvend.card();
        assert_ne!(again.ts, card.ts, "{how}");
        keyvend.presses(BOB_APPROVER, &again, "Approve").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{how}");
    }
}

#[tokio::test]
async fn deleted_card_is_not_posted_after_decision() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    keyvend.deliver_everything().await;
    keyvend.world.net.slack().delete(&card);
    keyvend.presses(ALICE_OWNER, &keyvend.offer("Get my key").unwrap(), "Cancel").await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.cards().len(), 0);
}

#[tokio::test]
async fn expiry_is_named_at_hand_over() {
    let keyvend = Deployed::new().await;
    had(&keyvend).await;
    let told = keyvend.offer("This wasn't me").unwrap();
    assert!(stable(&told.reading()).contains("It expires <time>"), "{}", told.reading());
    assert!(told.reading().contains("2025-12-24"), "{}", told.reading());
}

#[tokio::test]
async fn incidents_call_the_approvers() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let other = keyvend.opens();
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.turned_away(&other).await.0, 409);
    after(&keyvend, 60).await;
    let alarms = || cards_reading(&keyvend, "<!channel> :rotating_light:");
    assert_eq!(alarms().len(), 1);
    let told = alarms()[0].reading();
    assert!(told.contains("the one-time link of <@U0ALICE>") && told.contains("was blocked"), "{told}");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
    keyvend.deliver_everything().await;
    let told = alarms().pop().unwrap().reading();
    assert!(told.contains("<@U0BOB> reported the key"), "{told}");
    assert_eq!(alarms().len(), 2);
    // What is routine calls nobody.
    after(&keyvend, DAY).await;
    assert_eq!(alarms().len(), 2);
    // And an approver can stop all issuing there.
    let incident = alarms().pop().unwrap();
    keyvend.presses(ALICE_OWNER, &incident, "Freeze key issuing").await;
    assert!(keyvend.item("freeze").await["frozen_by"].is_null(), "{}", keyvend.told(ALICE_OWNER));
    keyvend.presses(CAROL_APPROVER, &incident, "Freeze key issuing").await;
    assert_eq!(keyvend.item("freeze").await["frozen_by"]["S"], "T0001.U0CAROL");
}

// T2.23
#[tokio::test]
async fn get_my_key_is_refused_while_frozen() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    typed(&keyvend, BOB_APPROVER, "freeze").await;
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("Key issuing is frozen. Your approval remains valid"), "{told}");
    assert_eq!(keyvend.stands().await, "APPROVED", "no link is made");
    typed(&keyvend, BOB_APPROVER, "unfreeze").await;
    let tab = keyvend.collects(&ready).await;
    keyvend.reveals(&tab).await;
}

#[tokio::test]
async fn card_of_deleted_and_reported_key_offers_no_report() {
    let keyvend = Deployed::new().await;
    had(&keyvend).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
    after(&keyvend, 8 * DAY).await;
    assert!(keyvend.card().reading().contains("Key deleted"), "{}", keyvend.card().reading());
    assert_eq!(buttons(&keyvend.card()), ["Details"]);
}
