//! Where an IAM user has two keys already: which of them could go, and in which order.

use super::key_commands::{DAY, after, buttons, foreign, had, status, typed};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, MALLORY_OUTSIDER};
use testkit::steps::{ASK, stable};

#[tokio::test]
async fn chooser_shows_both_keys_and_frees_one() {
    // After a choice, one of the two places for keys is free.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
    let other = foreign(&keyvend, "ci-deployer").await;
    let chooser = typed(&keyvend, ALICE_OWNER, ASK).await;
    insta::assert_snapshot!(stable(&chooser.reading()), @r"
    `ci-deployer` in `home` has two access keys, and AWS allows only two. Deactivate the one that nobody needs, wait a few days to see that nothing breaks, delete it, and submit a new request. An active key is never deleted.
    `AKIAWORLD00000000002` active, 0 days old, last used <time> with s3 in eu-west-1
    Requested by <@U0ALICE>, expires <time>.
    > laptop tooling
    Deactivate
    Deactivate this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere.
    Deactivate
    Go back
    `AKIAWORLD00000000003` active, 0 days old, never used
    Not issued by keyvend: its requester and expiry are unknown.
    Deactivate
    Deactivate this key?
    The key AKIAWORLD00000000003 of ci-deployer stops working immediately, everywhere.
    Deactivate
    Go back
    ");
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    // Nothing that is on is deleted: off, wait, delete.
    let off = chooser.buttons().into_iter().next_back().unwrap();
    assert_eq!((off.text.as_str(), &off.value), ("Deactivate", &other));
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {other}")).await;
    after(&keyvend, 3 * DAY).await;
    let chooser = typed(&keyvend, ALICE_OWNER, ASK).await;
    assert_eq!(buttons(&chooser), ["Extend", "Deactivate", "Delete"]);
    keyvend.presses(ALICE_OWNER, &chooser, "Delete").await;
    assert_eq!((status(&keyvend, &key.id).as_str(), status(&keyvend, &other).as_str()), ("Active", ""));
    typed(&keyvend, ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.stands().await, "PENDING");
    let chosen = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(chosen.len(), 1);
}

#[tokio::test]
async fn form_with_two_keys_sends_chooser_directly() {
    let keyvend = Deployed::new().await;
    typed_form(&keyvend).await;
    assert!(
        keyvend.view(ALICE_OWNER).reading().contains("AWS allows only two"),
        "{}",
        keyvend.view(ALICE_OWNER).reading()
    );
    assert_eq!(buttons(&keyvend.direct(ALICE_OWNER)), ["Deactivate", "Deactivate"]);
}

async fn typed_form(keyvend: &Deployed) {
    keyvend.types(ALICE_OWNER, "create").await;
    let filled = [("other", "full"), ("use-case", "cli"), ("lifetime", "30d"), ("reason", "x")];
    keyvend.submits(&keyvend.view(ALICE_OWNER), &filled).await;
}

#[tokio::test]
async fn unauthorized_requester_sees_no_keys() {
    let keyvend = Deployed::new().await;
    let told = typed(&keyvend, MALLORY_OUTSIDER, "create full use:cli ttl:1d x").await;
    assert!(!told.reading().contains("AKIA"), "{}", told.reading());
}
