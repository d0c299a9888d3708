//! The path as it should go.

use super::world::aws;
use super::world::deployed::{Deployed, Tab};
use super::world::net::HOME;
use super::world::slack::{ALICE_OWNER, BOB_APPROVER};

#[tokio::test]
async fn an_owner_asks_an_approver_approves_and_one_tab_shows_the_key() {
    let keyvend = Deployed::new().await;
    let said = keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    assert_eq!(said, "Checking... the answer comes here in a moment.");
    println!("{}", keyvend.told(ALICE_OWNER));
    let card = keyvend.card();
    println!("{}", card.reading());
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    println!("BOB {}", keyvend.told(BOB_APPROVER));
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    println!("{}", ready.reading());
    assert_eq!(
        aws::keys(&keyvend.world.net, HOME, "ci-deployer").len(),
        0,
        "nothing is created by approving"
    );
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    println!("{}", link.reading());
    let url = link.button("Open the one-time link").url.unwrap();
    let tab = Tab::open(&url);
    let (status, _) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 202);
    keyvend.deliver().await;
    let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    let key = tab.unseal(&body);
    println!("{}", keyvend.told(ALICE_OWNER));
    let (status, _) = keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
    assert_eq!(status, 200);
    keyvend.deliver().await;
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].id, key.id);
    println!("{}", keyvend.card().reading());
}
