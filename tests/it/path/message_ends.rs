//! Messages have an end: what loses its meaning says so, and asks for nothing any more.

use super::key_commands::{after, buttons, had, stands, status, typed, waiting};
use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, Message};

/// The reason of the request whose card this was.
fn cards_reading(keyvend: &Deployed, part: &str) -> Vec<Message> {
    let said = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    said.filter(|message| message.reading().contains(part)).collect()
}

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
