//! What is said of a key is what IAM shows: it may not find a new one yet, and its user may be renamed, moved or deleted.

use super::key_commands::{DAY, after, had, item, stands, status};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS};
use testkit::{sqs, steps};

/// More changes than are ever tried.
const FOR_EVER: u32 = 100_000;

/// A key of ci-deployer that keyvend did not issue, of which IAM does not know for so many changes.
async fn unmanaged(keyvend: &Deployed, lag: u32) -> String {
    keyvend.world.net.iam().lag_new_keys(lag);
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    keyvend.key_ids().pop().unwrap()
}

fn dead(keyvend: &Deployed) -> usize {
    [sqs::SLACK, sqs::DUE, sqs::CLAIMS, sqs::SWEEP]
        .iter()
        .map(|queue| keyvend.world.net.sqs().dead(queue).len())
        .sum()
}

/// How often the approvers were told so.
fn said(keyvend: &Deployed, part: &str) -> usize {
    let said = keyvend.world.net.slack().messages(APPROVALS);
    said.iter().filter(|message| message.reading().contains(part)).count()
}

async fn events(keyvend: &Deployed, event: &str) -> usize {
    keyvend.events().await.iter().filter(|happened| *happened == event).count()
}

/// The key's user and the key are deleted outside keyvend.
async fn user_is_deleted(keyvend: &Deployed, key: &str) {
    keyvend.world.net.iam().delete_key(key);
    aws::delete_user(&keyvend.world.net, HOME, "ci-deployer").await;
}

#[tokio::test]
async fn unmanaged_key_is_off_when_iam_shows_it() {
    for lag in [1, 3, 5] {
        let keyvend = Deployed::new().await;
        let key = unmanaged(&keyvend, lag).await;
        keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
        assert_eq!(keyvend.times_told(ALICE_OWNER, "is deactivated"), 0, "{lag}");
        keyvend.deliver_everything().await;
        assert_eq!(status(&keyvend, &key), "Inactive", "{lag}");
        assert_eq!(keyvend.times_told(ALICE_OWNER, "is deactivated"), 1, "{lag}");
        assert_eq!(dead(&keyvend), 0, "{lag}");
    }
}

#[tokio::test]
async fn people_are_told_of_key_that_stays_on() {
    let keyvend = Deployed::new().await;
    let key = unmanaged(&keyvend, FOR_EVER).await;
    keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key), "Active");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is deactivated"), 0);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "may still work"), 1);
    assert_eq!(said(&keyvend, "may still work"), 1);
    assert_eq!(dead(&keyvend), 0);
}

#[tokio::test]
async fn unmanaged_key_is_deleted_when_iam_shows_it() {
    let keyvend = Deployed::new().await;
    let key = unmanaged(&keyvend, 0).await;
    keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
    for _ in 0..2 {
        keyvend.world.net.once("iam", "DeleteAccessKey", Interfere::refused_xml(404, "NoSuchEntity"));
    }
    keyvend.deletes(ALICE_OWNER, &key).await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key), "");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is deleted"), 1, "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(dead(&keyvend), 0);
}

#[tokio::test]
async fn issued_key_is_off_when_iam_shows_it() {
    // Its holder deactivates it at once; IAM finds it half an hour later.
    let keyvend = Deployed::new().await;
    keyvend.world.net.iam().lag_new_keys(FOR_EVER);
    let key = had(&keyvend).await;
    keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.deliver_everything().await;
    for _ in 0..20 {
        after(&keyvend, 120).await;
    }
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert_ne!(stands(&keyvend, &key.id).await, "INACTIVE");
    assert_eq!(said(&keyvend, "may still work"), 1);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "may still work"), 1);
    assert_eq!(events(&keyvend, "key.unproven").await, 1);
    assert_eq!(events(&keyvend, "key.deactivated").await, 0);
    keyvend.world.net.iam().catch_up();
    after(&keyvend, 2 * 3_600).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    assert_eq!(stands(&keyvend, &key.id).await, "INACTIVE");
    assert_eq!(events(&keyvend, "key.deactivated").await, 1);
    assert_eq!(dead(&keyvend), 0);
}

#[tokio::test]
async fn key_of_deleted_user_ends_once_and_quietly() {
    // Whether AWS denies access, for want of the owner tag, or finds no such user; and whatever comes next of the key.
    for days in [22, 30] {
        let begun = Deployed::new().await;
        let key = had(&begun).await;
        begun.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
        for _ in 0..days {
            after(&begun, DAY).await;
        }
        for answer in [None, Some((404, "NoSuchEntity")), Some((403, "AccessDenied"))] {
            let case = format!("{answer:?}, day {days}");
            let keyvend = begun.fork().await;
            let told = keyvend.world.net.slack().told(ALICE_OWNER).len();
            let asked = said(&keyvend, &key.id);
            user_is_deleted(&keyvend, &key.id).await;
            if let Some((status, code)) = answer {
                keyvend.world.net.before(move |call| match call.operation.as_str() {
                    "UpdateAccessKey" | "DeleteAccessKey" | "GetAccessKeyLastUsed" => {
                        Interfere::refused_xml(status, code)
                    }
                    _ => Interfere::Pass,
                });
            }
            for _ in 0..12 {
                after(&keyvend, DAY).await;
            }
            assert_eq!(stands(&keyvend, &key.id).await, "DELETED", "{case}");
            assert_eq!(
                events(&keyvend, "key.gone").await + events(&keyvend, "key.deleted").await,
                1,
                "{case}"
            );
            assert!(keyvend.world.net.slack().told(ALICE_OWNER).len() <= told + 1, "{case}");
            assert_eq!(said(&keyvend, &key.id), asked, "{case}");
            assert_eq!(dead(&keyvend), 0, "{case}");
        }
    }
}

#[tokio::test]
async fn key_of_renamed_or_moved_user_is_followed() {
    for (name, path) in [("ci-runner", "/"), ("ci-deployer", "/moved/"), ("ci-runner", "/moved/")] {
        let case = format!("{path}{name}");
        let keyvend = Deployed::new().await;
        let key = had(&keyvend).await;
        keyvend.world.net.iam().rename(HOME, "ci-deployer", name, path).await;
        keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
        keyvend.deliver_everything().await;
        assert_eq!(status(&keyvend, &key.id), "Inactive", "{case}");
        assert_eq!(stands(&keyvend, &key.id).await, "INACTIVE", "{case}");
        for _ in 0..8 {
            after(&keyvend, DAY).await;
        }
        assert_eq!(stands(&keyvend, &key.id).await, "DELETED", "{case}");
        assert_eq!(status(&keyvend, &key.id), "", "{case}");
        assert_eq!(dead(&keyvend), 0, "{case}");
    }
}

#[tokio::test]
async fn inactive_key_of_renamed_user_can_be_deleted() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.world.net.iam().rename(HOME, "ci-deployer", "ci-runner", "/moved/").await;
    keyvend.types(ALICE_OWNER, &format!("delete {}", key.id)).await;
    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "Delete").await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED", "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(status(&keyvend, &key.id), "");
}

#[tokio::test]
async fn expiring_key_takes_name_of_renamed_user() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.world.net.iam().rename(HOME, "ci-deployer", "ci-runner", "/moved/").await;
    for _ in 0..31 {
        after(&keyvend, DAY).await;
    }
    let stored = item(&keyvend, &key.id).await;
    assert_eq!(
        (steps::text(&stored["user"]), steps::text(&stored["path"])),
        ("ci-runner".to_owned(), "/moved/".to_owned())
    );
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    assert!(keyvend.times_told(ALICE_OWNER, "`ci-runner`") > 0);
    assert_eq!(dead(&keyvend), 0);
}

#[tokio::test]
async fn key_deleted_in_aws_is_said_to_be_gone() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.world.net.iam().delete_key(&key.id);
    keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.deliver_everything().await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "is deactivated"), 0);
    assert!(keyvend.times_told(ALICE_OWNER, "no longer exists") > 0);
    assert_eq!(events(&keyvend, "key.gone").await, 1);
}

#[tokio::test]
async fn key_that_keyvend_may_not_change_is_reported_once() {
    // The user lost its owner tag: the issuer role may not touch it, and the key works on.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.untag_user().user_name("ci-deployer").tag_keys("keyvend:owners").send().await.unwrap();
    keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    for _ in 0..10 {
        after(&keyvend, 3_600).await;
    }
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert_eq!(said(&keyvend, "may still work"), 1);
    assert_eq!(dead(&keyvend), 0);
}
