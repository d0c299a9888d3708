//! Who there is, and what there is in AWS.

#![expect(clippy::unwrap_used, reason = "a broken scene must stop the example")]

use keyvend::time::{DAY, Timestamp};

use testkit::World;
use testkit::aws;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, MALLORY_OUTSIDER};

/// Whom one can be: their id, name and role.
pub const PEOPLE: [(&str, &str, &str); 4] = [
    (ALICE_OWNER, "Alice", "owner"),
    (BOB_APPROVER, "Bob", "approver"),
    (CAROL_APPROVER, "Carol", "approver"),
    (MALLORY_OUTSIDER, "Mallory", "outsider"),
];

/// A world with some past, in which it is now `now`.
pub async fn world(now: Timestamp) -> World {
    let ago = |days: i64| Timestamp(now.0 - days * DAY);
    let world = World::beginning(ago(400)).await;
    for (id, name, _) in PEOPLE {
        world.net.slack().person(id, |person| name.clone_into(&mut person.name));
    }
    // Whom one cannot be approves nothing.
    world.net.slack().channel(APPROVALS, |approvals| {
        approvals.members.remove(DAVE_APPROVER);
    });
    let iam = aws::iam(&world.net, HOME);
    world.clock.set(ago(143));
    let narrow = format!("arn:aws:iam::{HOME}:policy/upload-artifacts");
    for (user, owner) in [("release-bot", BOB_APPROVER), ("report-bot", ALICE_OWNER)] {
        aws::user(&world.net, HOME, user, Some(owner), &narrow).await;
    }
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
