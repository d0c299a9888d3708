//! Keys that exist: listed with what their reader may do, deactivated, deleted; also those that keyvend did not issue.

use std::time::Duration;

use serde_json::Value;

use super::slack_errors::steps;
use testkit::aws;
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GUS_GUEST, MALLORY_OUTSIDER, Message,
};
use testkit::steps::{policies, stable, text};

pub const DAY: u64 = 86_400;

/// After some seconds, in the last minute of which the per-minute rule fires twice: what one finds, the next goes on with.
pub async fn after(keyvend: &Deployed, seconds: u64) {
    for part in [seconds - 60, 60] {
        keyvend.world.clock.advance(Duration::from_secs(part));
        keyvend.world.net.sqs().sweep();
        keyvend.deliver_everything().await;
    }
}

/// A key that alice has, until the clock is 30 days on.
pub async fn had(keyvend: &Deployed) -> ShownKey {
    let (_, key) = keyvend.confirmed().await;
    after(keyvend, 60).await;
    key
}

/// The item of a key, its document read.
pub async fn item(keyvend: &Deployed, key: &str) -> Value {
    let item = keyvend.item(&format!("key#{key}")).await;
    serde_json::from_str(item["document"]["S"].as_str().unwrap()).unwrap()
}

pub async fn stands(keyvend: &Deployed, key: &str) -> String {
    text(&keyvend.item(&format!("key#{key}")).await["state"]["S"])
}

/// What IAM says of a key: `Active`, `Inactive`, or nothing where it is gone.
pub fn status(keyvend: &Deployed, key: &str) -> String {
    let keys = keyvend.world.net.iam().all_keys();
    keys.into_iter().find(|found| found.id == key).map(|found| found.status).unwrap_or_default()
}

/// `/access-key <text>`, a second later than what was before; what its sender is then told.
pub async fn typed(keyvend: &Deployed, person: &str, line: &str) -> Message {
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(person, line).await;
    keyvend.world.net.slack().last_told(person)
}

/// What was last said to the approvers that reads so.
pub fn said(keyvend: &Deployed, part: &str) -> Message {
    let said = keyvend.world.net.slack().messages(APPROVALS).into_iter().rev();
    said.into_iter().find(|message| message.reading().contains(part)).unwrap()
}

/// The card that waits for approvals.
pub fn waiting(keyvend: &Deployed) -> Message {
    said(keyvend, "Approve\n")
}

pub fn buttons(message: &Message) -> Vec<String> {
    message.buttons().into_iter().map(|button| button.text).collect()
}

/// A key that somebody made in the AWS console.
pub async fn foreign(keyvend: &Deployed, user: &str) -> String {
    let made = aws::iam(&keyvend.world.net, HOME).create_access_key().user_name(user).send().await.unwrap();
    made.access_key.unwrap().access_key_id
}

/// What table `Audit` holds under a message's own id, in a word each.
async fn alone(keyvend: &Deployed) -> Vec<(String, String, String)> {
    let requests: Vec<String> = keyvend.requests().await.iter().map(|request| text(&request["id"])).collect();
    let items = aws::items(&keyvend.world.net, aws::AUDIT).await;
    let by_people = |item: &&Value| text(&item["actor"]["S"]).starts_with("T0001.");
    let own = items.values().filter(by_people).filter(|item| !requests.contains(&text(&item["pk"]["S"])));
    own.map(|item| {
        (text(&item["event"]["S"]), text(&item["actor"]["S"]), text(&item["detail"]["M"]["key"]["S"]))
    })
    .collect()
}

#[tokio::test]
async fn list_shows_owner_key_facts_and_actions() {
    // The list shows the requester, the last use, the expiry and the available actions of each key.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
    insta::assert_snapshot!(stable(&typed(&keyvend, ALICE_OWNER, "list ci-deployer").await.reading()), @r"
    *Access keys*, as AWS reports them now. Deactivate and Delete take effect immediately; other actions need an approval.
    *`ci-deployer` in `home`*
    `AKIAWORLD00000000002` active, 0 days old, last used <time> with s3 in eu-west-1
    Requested by <@U0ALICE>, expires <time>.
    > laptop tooling
    Rotate
    Deactivate
    Deactivate this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere.
    Deactivate
    Go back
    ");
}

#[tokio::test]
async fn denied_list_is_audited() {
    let keyvend = Deployed::new().await;
    let no = typed(&keyvend, MALLORY_OUTSIDER, "list ci-deployer").await.reading();
    assert!(!no.contains("AKIA"), "{no}");
    let trail = keyvend.trail_without_request().await;
    let entry = trail.iter().find(|entry| entry.event == "key.list_denied").unwrap();
    assert_eq!((entry.actor.as_str(), entry.detail["user"].as_str()), ("T0001.U0MALLORY", "ci-deployer"));
}

#[tokio::test]
async fn list_without_user_shows_currently_owned_users() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    for user in ["full", "ci-deployer@sandbox"] {
        typed(&keyvend, ALICE_OWNER, &format!("create {user} use:cli ttl:1d x")).await;
    }
    let listed = typed(&keyvend, ALICE_OWNER, "list").await.reading();
    for part in [
        "`ci-deployer` in `home`",
        "`full` in `home`",
        "`ci-deployer` in `sandbox`* has no access keys",
        &key.id,
    ] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(!listed.contains("untagged"), "nobody's: {listed}");
    // What the directory has is a hint: the tags are read afresh.
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.untag_user().user_name("full").tag_keys("keyvend:owners").send().await.unwrap();
    let listed = typed(&keyvend, ALICE_OWNER, "list").await.reading();
    assert!(!listed.contains("full"), "{listed}");
    assert!(
        typed(&keyvend, MALLORY_OUTSIDER, "list")
            .await
            .reading()
            .contains("does not know any IAM users that you own")
    );
}

#[tokio::test]
async fn failed_user_lookup_is_not_empty_list() {
    let keyvend = Deployed::new().await;
    had(&keyvend).await;
    keyvend.world.net.once("iam", "ListAccessKeys", Interfere::refused_xml(400, "ServiceFailure"));
    let listed = typed(&keyvend, ALICE_OWNER, "list").await.reading();
    assert!(listed.contains("cannot be read at the moment"), "{listed}");
}

// T8.8
#[tokio::test]
async fn list_offers_only_authorized_actions() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let shown = |message: &Message| buttons(message).join(", ");
    let line = "list ci-deployer";
    assert_eq!(shown(&typed(&keyvend, ALICE_OWNER, line).await), "Rotate, Deactivate", "an owner");
    assert_eq!(shown(&typed(&keyvend, CAROL_APPROVER, line).await), "Deactivate", "an approver");
    for stranger in [MALLORY_OUTSIDER, GUS_GUEST] {
        let told = typed(&keyvend, stranger, line).await;
        assert_eq!(shown(&told), "", "{stranger}: {}", told.reading());
        assert!(!told.reading().contains(&key.id));
    }
    // Near its end it can be extended as well.
    after(&keyvend, 5 * DAY).await;
    assert_eq!(shown(&typed(&keyvend, ALICE_OWNER, line).await), "Rotate, Extend, Deactivate");
    // With two keys, there is no room for a third.
    let other = foreign(&keyvend, "ci-deployer").await;
    assert_eq!(shown(&typed(&keyvend, ALICE_OWNER, line).await), "Extend, Deactivate, Deactivate");
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    assert_eq!(shown(&typed(&keyvend, ALICE_OWNER, line).await), "Request reactivation, Delete, Deactivate");
    assert_eq!(shown(&typed(&keyvend, BOB_APPROVER, line).await), "Delete, Deactivate", "no owner");
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {other}")).await;
    assert_eq!(shown(&typed(&keyvend, ALICE_OWNER, line).await), "Request reactivation, Delete, Delete");
    // What everybody is shown works when pressed, until it is done.
    for (person, label) in [(BOB_APPROVER, "Delete"), (ALICE_OWNER, "Delete")] {
        let listed = typed(&keyvend, person, line).await;
        keyvend.presses(person, &listed, label).await;
        assert!(keyvend.told(person).contains("is deleted"), "{}", keyvend.told(person));
    }
    assert_eq!(keyvend.key_ids(), Vec::<String>::new());
}

#[tokio::test]
async fn command_and_button_deactivate_and_notify_requester() {
    for by_button in [false, true] {
        let keyvend = Deployed::new().await;
        let key = had(&keyvend).await;
        if by_button {
            let listed = typed(&keyvend, CAROL_APPROVER, "list ci-deployer").await;
            keyvend.presses(CAROL_APPROVER, &listed, "Deactivate").await;
        } else {
            typed(&keyvend, CAROL_APPROVER, &format!("deactivate {}", key.id)).await;
        }
        assert_eq!(
            (status(&keyvend, &key.id), stands(&keyvend, &key.id).await),
            ("Inactive".into(), "INACTIVE".into())
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(stable(&keyvend.told(CAROL_APPROVER)), @"The key `AKIAWORLD00000000002` is deactivated. It no longer works anywhere, and is deleted in 7 days. If something breaks, press *Undo* in your direct messages with keyvend until <time>; later `/access-key activate AKIAWORLD00000000002` requests its reactivation.");
            insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @"The key `AKIAWORLD00000000002` for `ci-deployer` in `home` was deactivated. It will be deleted in 7 days; until then `/access-key activate AKIAWORLD00000000002` requests its reactivation.");
        }
        let last = keyvend.trail().await.pop().unwrap();
        assert_eq!((last.event.as_str(), last.actor.as_str()), ("key.deactivated", "T0001.U0CAROL"));
        assert_eq!(last.detail["why"], "user-requested");
        let session = aws::sessions(&keyvend.world.net).pop().unwrap();
        assert_eq!(session.source_identity.as_deref(), Some("T0001.U0CAROL"));
        after(&keyvend, 7 * DAY).await;
        assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    }
}

#[tokio::test]
async fn unauthorized_deactivation_is_denied_and_audited() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    for verb in ["deactivate", "delete"] {
        let told = typed(&keyvend, MALLORY_OUTSIDER, &format!("{verb} {}", key.id)).await;
        assert!(
            told.reading().contains("Only an owner of this IAM user or an approver"),
            "{}",
            told.reading()
        );
        assert_eq!(status(&keyvend, &key.id), "Active");
        assert_eq!(keyvend.events().await.pop().unwrap(), format!("key.{verb}_denied"));
    }
    let told = typed(&keyvend, ALICE_OWNER, "deactivate AKIANOSUCHKEY0000000").await;
    assert!(told.reading().contains("There is no key `AKIANOSUCHKEY0000000`"), "{}", told.reading());
}

#[tokio::test]
async fn deactivation_is_never_blocked_or_late() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let event = keyvend.world.slash_command(ALICE_OWNER, &format!("deactivate {}", key.id));
    keyvend.arrive(event).await;
    keyvend.world.clock.advance(Duration::from_secs(2 * DAY));
    keyvend.deliver().await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    // A message of its sender's that cannot be done holds up no other of theirs that switches off.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "GetUser" => Interfere::refused_xml(500, "ServiceFailure"),
        _ => Interfere::Pass,
    });
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "list ci-deployer")).await;
    keyvend.deliver().await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
}

// T8.7
#[tokio::test]
async fn active_key_is_never_deleted() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let told = typed(&keyvend, ALICE_OWNER, &format!("delete {}", key.id)).await;
    assert!(told.reading().contains("an active key is never deleted"), "{}", told.reading());
    assert_eq!(status(&keyvend, &key.id), "Active");
    keyvend.presses(ALICE_OWNER, &told, "Deactivate").await;
    keyvend.deletes(ALICE_OWNER, &key.id).await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    assert_eq!(status(&keyvend, &key.id), "");
    assert!(keyvend.lease().await.is_null());
    assert_eq!(keyvend.events().await.pop().unwrap(), "key.deleted");
    let again = typed(&keyvend, ALICE_OWNER, &format!("delete {}", key.id)).await;
    assert!(again.reading().contains("is deleted"), "{}", again.reading());
}

// T8.7
#[tokio::test]
async fn unmanaged_key_changes_only_by_explicit_id() {
    // A key that keyvend did not issue is deactivated and deleted only for who names exactly that key.
    let keyvend = Deployed::new().await;
    let key = foreign(&keyvend, "ci-deployer").await;
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    assert!(listed.reading().contains("Not issued by keyvend"), "{}", listed.reading());
    assert_eq!(buttons(&listed), ["Deactivate"]);
    let no = typed(&keyvend, MALLORY_OUTSIDER, &format!("deactivate {key}")).await;
    assert!(no.reading().contains("Only an owner"), "{}", no.reading());
    for verb in ["activate", "rotate"] {
        let no = typed(&keyvend, ALICE_OWNER, &format!("{verb} {key}")).await;
        assert!(no.reading().contains("keyvend did not issue the key"), "{}", no.reading());
    }
    let no = typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
    assert!(no.reading().contains("never deleted"), "{}", no.reading());
    keyvend.presses(ALICE_OWNER, &listed, "Deactivate").await;
    insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @"The key `AKIAWORLD00000000002` is deactivated. If something breaks, press *Undo* in your direct messages with keyvend until <time>. keyvend did not issue this key and does not manage it: later it can only be activated in the AWS console. If nothing breaks for a few days, delete it with `/access-key delete AKIAWORLD00000000002`.");
    assert_eq!(status(&keyvend, &key), "Inactive");
    after(&keyvend, 30 * DAY).await;
    assert_eq!(status(&keyvend, &key), "Inactive", "nobody asked for more");
    keyvend.deletes(ALICE_OWNER, &key).await;
    assert_eq!(keyvend.told(ALICE_OWNER), format!("The key `{key}` is deleted. It cannot be restored."));
    assert_eq!(status(&keyvend, &key), "");
    let mut trail = alone(&keyvend).await;
    trail.sort();
    let by = |event: &str, actor: &str, key: &str| (event.to_owned(), actor.to_owned(), key.to_owned());
    let expected = [
        by("key.deactivate_denied", "T0001.U0MALLORY", ""),
        by("key.deactivated", "T0001.U0ALICE", &key),
        by("key.deactivating", "T0001.U0ALICE", &key),
        by("key.deleted", "T0001.U0ALICE", &key),
        by("key.deleting", "T0001.U0ALICE", &key),
    ];
    assert_eq!(trail, expected);
    let lease = keyvend.item(&format!("lease#{HOME}/ci-deployer")).await;
    for attribute in ["holder", "deletion", "due_at", "due_shard"] {
        assert!(lease[attribute].is_null(), "{lease}");
    }
}

#[tokio::test]
async fn key_of_unmanaged_iam_user_is_untouched() {
    let keyvend = Deployed::new().await;
    let key = foreign(&keyvend, "untagged").await;
    let told = typed(&keyvend, BOB_APPROVER, &format!("deactivate {key}")).await;
    assert!(told.reading().contains("Nobody is recorded as the owner"), "{}", told.reading());
    assert_eq!(status(&keyvend, &key), "Active");
}

#[tokio::test]
async fn interrupted_deletion_releases_lease_and_reports_truth() {
    for (operation, how, dead) in [
        ("DeleteAccessKey", Interfere::CrashBefore, true),
        ("DeleteAccessKey", Interfere::CrashAfter, true),
        ("ExecuteStatement", Interfere::CrashAfter, true),
        ("DeleteAccessKey", Interfere::CrashAfter, false),
    ] {
        let keyvend = Deployed::new().await;
        let key = foreign(&keyvend, "ci-deployer").await;
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
        typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
        keyvend.world.clock.advance(Duration::from_secs(1));
        let event = keyvend.world.press(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "Delete");
        let event = keyvend.pressed(event).await;
        keyvend.world.net.fault(move |call| call.operation == operation, how);
        assert!(keyvend.world.net.survive(keyvend.work(event.clone())).await.is_none(), "nobody died");
        assert!(keyvend.lease().await.as_str().unwrap().starts_with("delete#"));
        if dead {
            let receipt = text(&event["Records"][0]["receiptHandle"]);
            keyvend.world.net.sqs().finish("slack", &receipt, true);
        }
        after(&keyvend, 400).await;
        assert_eq!(status(&keyvend, &key), "", "{operation}");
        assert!(keyvend.lease().await.is_null(), "{operation}");
        let ends: Vec<String> = alone(&keyvend).await.into_iter().map(|(event, ..)| event).collect();
        assert_eq!(ends.iter().filter(|event| *event == "key.deleted").count(), 1, "{ends:?}");
        assert!(keyvend.told(ALICE_OWNER).contains("is deleted"), "{}", keyvend.told(ALICE_OWNER));
    }
}

// T8.7
#[tokio::test]
async fn key_reactivated_during_interrupted_deletion_is_kept() {
    let keyvend = Deployed::new().await;
    let key = foreign(&keyvend, "ci-deployer").await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
    typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    let event = keyvend.world.press(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "Delete");
    let event = keyvend.pressed(event).await;
    keyvend.world.net.once("iam", "DeleteAccessKey", Interfere::CrashBefore);
    assert!(keyvend.world.net.survive(keyvend.work(event.clone())).await.is_none(), "nobody died");
    keyvend.world.net.sqs().finish("slack", &text(&event["Records"][0]["receiptHandle"]), true);
    let on = aws::iam(&keyvend.world.net, HOME).update_access_key().user_name("ci-deployer");
    on.access_key_id(&key).status("Active".into()).send().await.unwrap();
    after(&keyvend, 400).await;
    assert_eq!(status(&keyvend, &key), "Active");
    assert!(keyvend.lease().await.is_null());
    assert!(keyvend.told(ALICE_OWNER).contains("so it was not deleted"), "{}", keyvend.told(ALICE_OWNER));
    assert!(alone(&keyvend).await.iter().any(|(event, ..)| event == "key.deletion_skipped"));
}

// T8.10
#[tokio::test]
async fn invalid_policies_still_allow_retiring_keys() {
    // Keys can be deactivated and deleted; nothing else is done.
    let broken = policies("retire-only", |text| format!("{text}\nnonsense"));
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    let keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &broken)]);
    let refused = "policies are invalid";
    for line in ["list", "list ci-deployer", &format!("rotate {}", key.id), &format!("activate {}", key.id)] {
        let told = typed(&keyvend, ALICE_OWNER, line).await.reading();
        assert!(told.contains(refused), "{line}: {told}");
    }
    let told = typed(&keyvend, MALLORY_OUTSIDER, &format!("deactivate {}", key.id)).await.reading();
    assert!(told.contains("Only the requester, an owner of the IAM user"), "{told}");
    assert_eq!(status(&keyvend, &key.id), "Active");
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    let told = typed(&keyvend, MALLORY_OUTSIDER, &format!("delete {}", key.id)).await.reading();
    assert!(told.contains(refused), "{told}");
    keyvend.deletes(CAROL_APPROVER, &key.id).await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    // Of a key that nothing is stored of, an approver alone can be known.
    let other = foreign(&keyvend, "ci-deployer").await;
    assert!(typed(&keyvend, ALICE_OWNER, &format!("deactivate {other}")).await.reading().contains(refused));
    typed(&keyvend, BOB_APPROVER, &format!("deactivate {other}")).await;
    assert_eq!(status(&keyvend, &other), "Inactive");
    assert!(typed(&keyvend, BOB_APPROVER, &format!("delete {other}")).await.reading().contains(refused));
    assert_eq!(status(&keyvend, &other), "Inactive");
}

// T8.10
#[tokio::test]
async fn invalid_policies_do_not_stop_expiry() {
    let broken = policies("still-end", |text| format!("{text}\nnonsense"));
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    let keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &broken)]);
    after(&keyvend, 31 * DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    after(&keyvend, 7 * DAY).await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
}

#[tokio::test]
async fn key_replies_need_four_sequential_aws_calls() {
    // At most four AWS calls are made one after another.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    after(&keyvend, 5 * DAY).await;
    for line in ["list", "list ci-deployer", &format!("rotate {}", key.id), &format!("rotate {}", key.id)] {
        // The read-only session has run out each time.
        keyvend.world.clock.advance(Duration::from_secs(1_000));
        let (steps, names) = steps(&keyvend, keyvend.world.slash_command(ALICE_OWNER, line)).await;
        assert!(steps <= 4, "{line}: {steps} steps: {names:#?}");
    }
    let listed = typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    let press = keyvend.world.press(ALICE_OWNER, &listed, "Extend");
    let (steps, names) = steps(&keyvend, press).await;
    assert!(steps <= 4, "extend: {steps} steps: {names:?}");
}
