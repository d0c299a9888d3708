//! The description of a key is a tag of its IAM user, of which IAM allows 50: it goes with its key, and delays nothing.

use std::collections::BTreeSet;

use aws_sdk_iam::types::Tag;

use super::key_commands::{DAY, after, had, stands, status, typed};
use testkit::aws;
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};

/// A key that was deleted before keyvend removed descriptions.
const GONE: &str = "AKIAGONELONGAGO00001";

async fn tag(keyvend: &Deployed, name: &str) {
    let tag = Tag::builder().key(name).value("somebody's words").build().unwrap();
    aws::iam(&keyvend.world.net, HOME).tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap();
}

async fn tags(keyvend: &Deployed) -> BTreeSet<String> {
    keyvend.world.net.iam().tags(HOME, "ci-deployer").await.into_keys().collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A key of alice's; beside its description those of a key that is gone and of one that somebody made in the console, and
/// tags that describe no key.
async fn described(keyvend: &Deployed) -> (ShownKey, String) {
    let key = had(keyvend).await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    let made = iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let other = made.access_key.unwrap().access_key_id;
    for name in [GONE, &other, "AKIA", "team"] {
        tag(keyvend, name).await;
    }
    let all = names(&["keyvend:owners", "team", "AKIA", GONE, &other, &key.id]);
    assert_eq!(tags(keyvend).await, all);
    (key, other)
}

// T8.9
#[tokio::test]
async fn deleted_key_removes_its_and_stale_descriptions() {
    for by_time in [false, true] {
        let keyvend = Deployed::new().await;
        let (key, other) = described(&keyvend).await;
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
        if by_time {
            after(&keyvend, 100 * DAY).await;
        } else {
            keyvend.deletes(ALICE_OWNER, &key.id).await;
        }
        assert_eq!(stands(&keyvend, &key.id).await, "DELETED", "{by_time}");
        assert_eq!(tags(&keyvend).await, names(&["keyvend:owners", "team", "AKIA", &other]), "{by_time}");
    }
}

// T8.9
#[tokio::test]
async fn deleted_unmanaged_key_removes_its_description() {
    let keyvend = Deployed::new().await;
    let (key, other) = described(&keyvend).await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {other}")).await;
    keyvend.deletes(ALICE_OWNER, &other).await;
    assert_eq!(status(&keyvend, &other), "");
    assert_eq!(tags(&keyvend).await, names(&["keyvend:owners", "team", "AKIA", &key.id]));
}

/// Of every key that IAM deleted, no tag is left, whichever way it went.
// T8.9
#[tokio::test]
async fn a_replaced_key_takes_its_description_along() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    assert!(tags(&keyvend).await.contains(&key.id));
    after(&keyvend, 700).await;
    let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &told, "Get a new key").await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    assert_eq!(tags(&keyvend).await, names(&["keyvend:owners"]));
}

// T8.9
#[tokio::test]
async fn unremovable_description_goes_with_next_key() {
    // It delays nothing.
    for operation in ["GetUser", "UntagUser"] {
        let keyvend = Deployed::new().await;
        let (key, other) = described(&keyvend).await;
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
        keyvend.world.net.before({
            let mut deleted = false;
            move |call| {
                deleted |= call.operation == "DeleteAccessKey";
                let fails = deleted && call.operation == operation;
                if fails { Interfere::refused_xml(403, "AccessDenied") } else { Interfere::Pass }
            }
        });
        keyvend.deletes(ALICE_OWNER, &key.id).await;
        assert!(
            keyvend.times_told(ALICE_OWNER, "is deleted") > 0,
            "{operation}: {}",
            keyvend.told(ALICE_OWNER)
        );
        assert_eq!(stands(&keyvend, &key.id).await, "DELETED", "{operation}");
        assert!(keyvend.lease().await.is_null(), "{operation}");
        assert!(tags(&keyvend).await.contains(&key.id), "{operation}");
        assert_eq!(keyvend.deliver_everything().await, 0, "{operation}: nothing is tried again");
        keyvend.world.net.undisturbed();
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {other}")).await;
        keyvend.deletes(ALICE_OWNER, &other).await;
        assert_eq!(tags(&keyvend).await, names(&["keyvend:owners", "team", "AKIA"]), "{operation}");
    }
}

// T8.9
#[tokio::test]
async fn user_at_tag_limit_gets_room_for_description() {
    let keyvend = Deployed::new().await;
    tag(&keyvend, GONE).await;
    let refused = Interfere::refused_xml(409, "LimitExceeded");
    keyvend.world.net.once("iam", "TagUser", refused);
    let (_, key) = keyvend.confirmed().await;
    assert_eq!(tags(&keyvend).await, names(&["keyvend:owners", &key.id]));
}

#[tokio::test]
async fn whoever_deletes_waits_for_no_description() {
    let keyvend = Deployed::new().await;
    let (key, _) = described(&keyvend).await;
    typed(&keyvend, BOB_APPROVER, &format!("deactivate {}", key.id)).await;
    typed(&keyvend, ALICE_OWNER, &format!("delete {}", key.id)).await;
    keyvend.world.net.forget();
    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "Delete").await;
    let calls = keyvend.world.net.calls();
    let place = |operation: &str| calls.iter().rposition(|call| call.operation == operation).unwrap();
    assert!(place("DeleteAccessKey") < place("response_url"), "answered when it is deleted");
    assert!(place("response_url") < place("UntagUser"), "and before the description is removed");
}
