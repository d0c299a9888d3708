//! A key in place of another: asked for, approved and handed over like any other, until the same end; and what becomes of
//! the old one.

use serde_json::json;

use super::key_commands::{DAY, after, buttons, foreign, had, item, stands, status, typed, waiting};
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER};
use testkit::steps::{stable, text};

/// Alice rotates a key, bob approves, and she gets the new one.
pub async fn rotated(keyvend: &Deployed, key: &ShownKey) -> ShownKey {
    typed(keyvend, ALICE_OWNER, &format!("rotate {}", key.id)).await;
    keyvend.presses(BOB_APPROVER, &waiting(keyvend), "Approve").await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let new = keyvend.reveals(&tab).await;
    assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&new)).await.0, 200);
    keyvend.deliver().await;
    new
}

/// The reminder of a key's end offers another for a whole lifetime: with the approvals of a new one, and the old one keeps its end.
// T8.1
#[tokio::test]
async fn renewed_key_begins_a_lifetime() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    after(&keyvend, 23 * DAY).await;
    let reminder = keyvend.direct(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &reminder, "Rotate and renew").await;
    let asked = waiting(&keyvend).reading();
    assert!(asked.contains("to replace `AKIAWORLD00000000002` and outlive it"), "{asked}");
    assert!(asked.contains("30 days") && asked.contains("0 of 1"), "{asked}");
    keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let new = keyvend.reveals(&tab).await;
    keyvend.posts("/reveal/ack", &tab.ack(&new)).await;
    keyvend.deliver().await;
    let (old, fresh) = (item(&keyvend, &key.id).await, item(&keyvend, &new.id).await);
    let ends = [&old, &fresh].map(|item| item["expires_at"].as_i64().unwrap());
    assert_eq!((ends[1] - ends[0]) / i64::try_from(DAY).unwrap(), 23);
    assert_eq!(old["successor"]["key"], json!(new.id));
    assert_eq!(keyvend.trail().await[0].detail["kind"], "renew");
    // Pressed again, it makes no third key.
    keyvend.presses(ALICE_OWNER, &reminder, "Rotate and renew").await;
    assert!(keyvend.told(ALICE_OWNER).contains("already been replaced"), "{}", keyvend.told(ALICE_OWNER));
}

#[tokio::test]
async fn rotated_key_keeps_expiry_of_old_key() {
    // The old key stays active beside it.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    after(&keyvend, 5 * DAY).await;
    let told = typed(&keyvend, ALICE_OWNER, &format!("rotate {}", key.id)).await;
    insta::assert_snapshot!(stable(&told.reading()), @r"
    Request sent: a key for `ci-deployer` in `home` to replace `AKIAWORLD00000000002`, until <time>. It needs 1 approval by <time>. Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>. You will be notified when it is decided.
    Cancel
    Cancel this request?
    The approvers will see that you cancelled it.
    Cancel the request
    Go back
    AWS recommends <https://docs.aws.amazon.com/sdkref/latest/guide/access-sso.html|IAM Identity Center> for code on your machine: the SDKs and IDEs sign in with it.
    Request `<request>`
    ");
    insta::assert_snapshot!(stable(&waiting(&keyvend).reading()), @r"
    Access key replacement for ci-deployer
    <!channel> *<@U0ALICE>* requests a new key for `ci-deployer` in `home` to replace `AKIAWORLD00000000002`, until <time>, when that one expires:
    > laptop tooling
    *Use case*
    local development
    *Lifetime*
    25 days
    *Permissions*
    not privileged
    *Approvals*
    0 of 1, by <time>
    Existing key: `AKIAWORLD00000000002` active, 5 days old, never used
    Policies: `upload-artifacts`
    Request `<request>`
    Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>
    Approve
    Approve with comment
    Deny
    Ask
    Details
    ");
    keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let new = keyvend.reveals(&tab).await;
    assert!(item(&keyvend, &key.id).await["successor"].is_null(), "nobody has it for certain yet");
    keyvend.posts("/reveal/ack", &tab.ack(&new)).await;
    keyvend.deliver().await;
    let (old, fresh) = (item(&keyvend, &key.id).await, item(&keyvend, &new.id).await);
    assert_eq!(old["expires_at"], fresh["expires_at"]);
    // What the page says of their end.
    assert_eq!((&old["expires_at"], &fresh["expires_at"]), (&json!(key.expires_at), &json!(new.expires_at)));
    assert_eq!(fresh["days"], json!(30), "what it can be given anew");
    assert_eq!(old["successor"]["key"], json!(new.id));
    assert_eq!((status(&keyvend, &key.id), status(&keyvend, &new.id)), ("Active".into(), "Active".into()));
    let asked = &keyvend.trail().await[0];
    assert_eq!((asked.detail["kind"].as_str(), &asked.detail["key"]), ("rotate", &key.id));
}

#[tokio::test]
async fn idle_old_key_is_asked_about_once() {
    // It is deactivated only when somebody says so.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
    let new = rotated(&keyvend, &key).await;
    after(&keyvend, DAY - 600).await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Deactivate it now?"), 0, "not for a day yet");
    after(&keyvend, 700).await;
    insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @r"
    `AKIAWORLD00000000003` replaced the key `AKIAWORLD00000000002` for `ci-deployer` in `home` <time>, and the old one was last used <time> with s3 in eu-west-1. Deactivate it now? It is deleted 7 days later and can be reactivated until then. If you do nothing, it stays active until <time>.
    Deactivate the old key
    Deactivate this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere.
    Deactivate
    Go back
    ");
    after(&keyvend, 3 * DAY).await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Deactivate it now?"), 1);
    assert_eq!(status(&keyvend, &key.id), "Active");
    let question = keyvend.direct(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &question, "Deactivate the old key").await;
    assert_eq!((status(&keyvend, &key.id), status(&keyvend, &new.id)), ("Inactive".into(), "Active".into()));
    assert_eq!(item(&keyvend, &key.id).await["state"]["Inactive"]["why"], json!("rotated"));
    after(&keyvend, 7 * DAY).await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    assert_eq!(stands(&keyvend, &new.id).await, "CONFIRMED");
}

// T8.6
#[tokio::test]
async fn recently_used_old_key_is_not_asked_about() {
    // Unknown is never quiet.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    rotated(&keyvend, &key).await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "GetAccessKeyLastUsed" => Interfere::refused_xml(403, "AccessDenied"),
        _ => Interfere::Pass,
    });
    for _ in 0..4 {
        after(&keyvend, DAY).await;
    }
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Deactivate it now?"), 0);
    keyvend.world.net.undisturbed();
    after(&keyvend, DAY).await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Deactivate it now?"), 1, "never used");
    // One that was used since is quiet after a week.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    rotated(&keyvend, &key).await;
    keyvend.world.clock.advance(std::time::Duration::from_secs(3_600));
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
    for _ in 0..7 {
        after(&keyvend, DAY).await;
    }
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Deactivate it now?"), 0);
    after(&keyvend, DAY).await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Deactivate it now?"), 1);
}

// T8.6
#[tokio::test]
async fn rotation_never_deactivates_old_key_early() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    rotated(&keyvend, &key).await;
    for _ in 0..28 {
        after(&keyvend, DAY).await;
    }
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert!(buttons(&keyvend.direct(ALICE_OWNER)).len() <= 2);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "has replaced it: deactivate this one"), 1, "a reminder");
    after(&keyvend, 2 * DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive", "its own end");
}

// T8.1
#[tokio::test]
async fn rotation_cannot_pass_approved_expiry() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    after(&keyvend, 31 * DAY).await;
    let told = typed(&keyvend, ALICE_OWNER, &format!("rotate {}", key.id)).await;
    assert!(
        told.reading().contains("cannot be extended by reactivating or replacing it"),
        "{}",
        told.reading()
    );
    assert_eq!(keyvend.requests().await.len(), 1, "there is no such request");
    assert_eq!(keyvend.events().await.pop().unwrap(), "key.rotate_denied");
    // One that was asked for in time is not issued late.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    after(&keyvend, 29 * DAY).await;
    typed(&keyvend, ALICE_OWNER, &format!("rotate {}", key.id)).await;
    keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    after(&keyvend, DAY).await;
    let tab = keyvend.collects(&ready).await;
    keyvend.claims(&tab).await;
    keyvend.deliver().await;
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert_eq!(keyvend.creates(), 1);
    assert!(
        keyvend.told(ALICE_OWNER).contains("has ended. No key was created"),
        "{}",
        keyvend.told(ALICE_OWNER)
    );
}

#[tokio::test]
async fn rotation_requires_permission_to_create() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    for (person, why) in [
        (MALLORY_OUTSIDER, "Only an owner of this IAM user or an approver"),
        (CAROL_APPROVER, "You are not an owner of this IAM user"),
    ] {
        let told = typed(&keyvend, person, &format!("rotate {}", key.id)).await;
        assert!(told.reading().contains(why), "{}", told.reading());
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{person}");
        assert!(keyvend.last_detail("by").await.len() > 3, "by a policy");
    }
}

#[tokio::test]
async fn redelivered_rotate_press_is_one_request() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    let press = keyvend.world.press(ALICE_OWNER, &listed, "Rotate");
    let event = keyvend.pressed(press).await;
    keyvend.work(event.clone()).await;
    keyvend.work(event).await;
    keyvend.deliver().await;
    assert_eq!(keyvend.requests().await.len(), 2);
    let cards = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    let cards = cards.filter(|message| message.reading().contains("to replace"));
    assert_eq!(cards.count(), 1, "one card");
    assert_eq!(text(&keyvend.request().await["details"]["kind"]["Rotate"]["key"]), key.id);
}

#[tokio::test]
async fn rotation_with_two_keys_shows_chooser_first() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let other = foreign(&keyvend, "ci-deployer").await;
    let chooser = typed(&keyvend, ALICE_OWNER, &format!("rotate {}", key.id)).await;
    assert!(chooser.reading().contains("has two access keys"), "{}", chooser.reading());
    assert!(chooser.reading().contains(&key.id) && chooser.reading().contains(&other));
    assert_eq!(buttons(&chooser), ["Deactivate", "Deactivate"]);
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
}
