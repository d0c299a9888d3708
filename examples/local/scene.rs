//! Who there is, what there is in AWS, and what to try.

#![expect(clippy::unwrap_used, reason = "a broken scene must stop the example")]

use keyvend::time::{DAY, Timestamp};
use serde_json::{Value, json};

use super::world::World;
use super::world::aws;
use super::world::net::HOME;
use super::world::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER};

/// Whom one can be: their id, name and role.
pub const PEOPLE: [(&str, &str, &str); 4] = [
    (ALICE_OWNER, "Alice", "owner"),
    (BOB_APPROVER, "Bob", "approver"),
    (CAROL_APPROVER, "Carol", "approver"),
    (MALLORY_OUTSIDER, "Mallory", "outsider"),
];

/// The first thing to type.
pub const FIRST: &str = "/access-key create ci-deployer use:local-code ttl:30d tooling on my laptop";

/// A walk that shows what keyvend does, and what it does not.
const HINTS: [(&str, &str, Option<&str>); 12] = [
    (ALICE_OWNER, "*Ask for a key.* `ci-deployer` is Alice's, so she may.", Some(FIRST)),
    (BOB_APPROVER, "*Approve it.* Bob finds the card in *approvals*. No key exists yet.", None),
    (
        ALICE_OWNER,
        "*Get the key.* Press *Get my key*, open the link, press *Show my key*. Only now is it made, and only that browser tab can read it.",
        None,
    ),
    (
        ALICE_OWNER,
        "*Open the same link again.* It worked once: the second tab gets nothing, and Alice is warned.",
        None,
    ),
    (
        MALLORY_OUTSIDER,
        "*Ask for somebody else's.* Mallory owns nothing here.",
        Some("/access-key create ci-deployer use:cli ttl:30d I would like one too"),
    ),
    (
        ALICE_OWNER,
        "*Ask for an administrator's key.* It takes two approvals: Bob's and Carol's.",
        Some("/access-key create admin-bot use:cli ttl:7d moving the billing account"),
    ),
    (
        BOB_APPROVER,
        "*Approve your own.* `release-bot` is Bob's; ask, then press *Approve* on its card.",
        Some("/access-key create release-bot use:outside-aws ttl:30d our build server"),
    ),
    (
        ALICE_OWNER,
        "*Ask for the wrong thing.* Code on AWS needs no key, and is told what to use.",
        Some("/access-key create ci-deployer use:aws-compute ttl:30d nightly job on EC2"),
    ),
    (
        ALICE_OWNER,
        "*Ask for a third key.* AWS allows two an IAM user, and `full` has both.",
        Some("/access-key create full use:cli ttl:30d one more"),
    ),
    (ALICE_OWNER, "*See how your requests stand.*", Some("/access-key status")),
    (ALICE_OWNER, "*Take a request back.* Its link dies with it.", Some("/access-key cancel")),
    (MALLORY_OUTSIDER, "*See who you are to keyvend.*", Some("/access-key whoami")),
];

/// The hints as the page takes them.
pub fn hints() -> Value {
    let hint = |(person, text, command): (&str, &str, Option<&str>)| {
        let mut hint = json!({"as": person, "text": text});
        if let Some(command) = command {
            hint["command"] = json!(command);
        }
        hint
    };
    HINTS.map(hint).into()
}

/// A world with some past, in which it is now `now`.
pub async fn world(now: Timestamp) -> World {
    let ago = |days: i64| Timestamp(now.0 - days * DAY);
    let world = World::beginning(ago(400)).await;
    for (id, name, _) in PEOPLE {
        world.net.slack().person(id, |person| name.clone_into(&mut person.name));
    }
    let iam = aws::iam(&world.net, HOME);
    world.clock.set(ago(143));
    let narrow = format!("arn:aws:iam::{HOME}:policy/upload-artifacts");
    aws::user(&world.net, HOME, "release-bot", Some(BOB_APPROVER), &narrow).await;
    iam.create_access_key().user_name("admin-bot").send().await.unwrap();
    world.clock.set(ago(3));
    let used = |user: &str, service: &str| {
        let key = aws::keys(&world.net, HOME, user).swap_remove(0);
        world.net.iam().use_key(&key.id, service, "eu-west-1");
    };
    used("admin-bot", "organizations");
    used("full", "s3");
    world.clock.set(now);
    world.net.forget();
    world
}
