//! The end of a key: reminders, the guard for keys in use, and what is deleted when.

use std::time::Duration;

use serde_json::json;

use super::key_commands::{DAY, after, buttons, had, item, said, stands, status, waiting};
use testkit::deployed::{Deployed, ShownKey};
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER};
use testkit::steps::{said_in_public, stable};

const HOUR: u64 = 3_600;

/// A key that was issued on a Monday at 16:00 UTC, 17:00 where alice is, and ends 30 days later on a Wednesday; a day
/// before, the clock stands still.
async fn a_day_before_its_end(keyvend: &Deployed) -> ShownKey {
    let key = had(keyvend).await;
    for _ in 0..29 {
        after(keyvend, DAY).await;
    }
    key
}

/// Somebody uses the key now.
fn used(keyvend: &Deployed, key: &ShownKey) {
    keyvend.world.net.iam().use_key(&key.id, "s3", "eu-west-1");
}

/// The moment to which its end was put off, as hour and weekday in alice's time zone, Monday being 0.
async fn put_off(keyvend: &Deployed, key: &ShownKey) -> (i64, i64, i64) {
    let put_off = item(keyvend, &key.id).await["postponement"].clone();
    let local = put_off["new_deadline"].as_i64().unwrap() + 3_600;
    (put_off["times"].as_i64().unwrap(), (local / 86_400 + 3) % 7, local % 86_400 / 3_600)
}

#[tokio::test]
async fn expiry_reminders_come_seven_and_one_day_ahead() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    used(&keyvend, &key);
    let reminded = || keyvend.times_told(ALICE_OWNER, "and is then deactivated");
    let mut at = 0;
    for (hour, reminders) in
        [(22 * 24, 0), (23 * 24, 1), (27 * 24, 1), (28 * 24 + 16, 1), (28 * 24 + 22, 2), (29 * 24 + 22, 2)]
    {
        after(&keyvend, (hour - at) * HOUR).await;
        at = hour;
        assert_eq!(reminded(), reminders, "in hour {hour}");
    }
    insta::assert_snapshot!(stable(&keyvend.direct(ALICE_OWNER).reading()), @r"
    The key `AKIAWORLD00000000002` for `ci-deployer` in `home` expires <time> and is then deactivated. It was last used <time> with s3 in eu-west-1.
    *Extend* requests a later expiry for this key. *Rotate and renew* requests a new key in its place for 30 days. If nobody needs the key, do nothing.
    Extend
    Rotate and renew
    ");
    assert!(item(&keyvend, &key.id).await["reminders"]["delivered_at"].is_number());
    assert_eq!(keyvend.events().await.iter().filter(|event| *event == "key.expiry_reminder_sent").count(), 2);
}

#[tokio::test]
async fn unused_key_is_deactivated_at_expiry_then_deleted() {
    // It is deleted a week later.
    let keyvend = Deployed::new().await;
    let key = a_day_before_its_end(&keyvend).await;
    after(&keyvend, DAY - HOUR).await;
    assert_eq!(status(&keyvend, &key.id), "Active");
    after(&keyvend, HOUR).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    insta::assert_snapshot!(stable(&keyvend.direct(ALICE_OWNER).reading()), @r"
    The key `AKIAWORLD00000000002` for `ci-deployer` in `home` has expired (<time>) and was deactivated. It will be deleted in 7 days. If something broke, *Request reactivation* asks the approvers to activate it for at most 24 hours, once; for longer, request a new key with `/access-key create`.
    Request reactivation
    ");
    let last = keyvend.trail().await.pop().unwrap();
    assert_eq!((last.event.as_str(), last.actor.as_str()), ("key.deactivated", "keyvend.expiry"));
    assert_eq!(last.detail["why"], "expired");
    after(&keyvend, 6 * DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    after(&keyvend, DAY).await;
    assert_eq!(stands(&keyvend, &key.id).await, "DELETED");
    assert_eq!(status(&keyvend, &key.id), "");
    assert!(keyvend.lease().await.is_null());
}

#[tokio::test]
async fn expiry_of_used_key_waits_for_office_hours() {
    // The approvers are notified.
    let keyvend = Deployed::new().await;
    let key = a_day_before_its_end(&keyvend).await;
    used(&keyvend, &key);
    after(&keyvend, DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Active", "17:00 is too late in the day");
    let (times, weekday, hour) = put_off(&keyvend, &key).await;
    assert!((times, weekday) == (1, 3) && (9..15).contains(&hour), "Thursday, {hour} hours");
    let told = said(&keyvend, "is not deactivated yet");
    insta::assert_snapshot!(stable(&told.reading()), @r"
    The key `AKIAWORLD00000000002` for `ci-deployer` in `home` expired <time>, but is not deactivated yet: it was last used <time> with s3 in eu-west-1, and it is outside office hours (Monday to Thursday, 09:00 to 15:00) for <@U0ALICE>. It will be deactivated <time> instead (postponed 1 of at most 7 times).
    Deactivate
    Deactivate this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere.
    Deactivate
    Go back
    ");
    assert_eq!(buttons(&told), ["Deactivate"]);
    let last = keyvend.trail().await.pop().unwrap();
    assert_eq!((last.event.as_str(), last.detail["why"].as_str()), ("key.expiry_postponed", "out of hours"));
    after(&keyvend, 16 * HOUR).await;
    assert_eq!(status(&keyvend, &key.id), "Active", "09:00 the next day");
    after(&keyvend, 5 * HOUR + HOUR / 2).await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    keyvend.direct(ALICE_OWNER).button("Request reactivation");
}

#[tokio::test]
async fn approver_can_deactivate_postponed_key() {
    let keyvend = Deployed::new().await;
    let key = a_day_before_its_end(&keyvend).await;
    used(&keyvend, &key);
    after(&keyvend, DAY).await;
    let told = said(&keyvend, "is not deactivated yet");
    keyvend.presses(CAROL_APPROVER, &told, "Deactivate").await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
}

// T8.6
#[tokio::test]
async fn unreadable_last_use_postpones_expiry() {
    // A last use that cannot be read does not mean that the key is unused.
    let keyvend = Deployed::new().await;
    let key = a_day_before_its_end(&keyvend).await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "GetAccessKeyLastUsed" => Interfere::refused_xml(403, "AccessDenied"),
        _ => Interfere::Pass,
    });
    after(&keyvend, DAY).await;
    assert_eq!(status(&keyvend, &key.id), "Active");
    assert_eq!(put_off(&keyvend, &key).await.1, 3);
    assert!(said(&keyvend, "is not deactivated yet").reading().contains("has an unknown last use"));
}

// T8.5
#[tokio::test]
async fn undelivered_reminder_postpones_expiry_at_most_seven_times() {
    // A key in use whose reminder was not delivered a day ahead is postponed, seven times at most.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    // Slack takes no direct message to alice.
    keyvend.world.net.before(|call| {
        let to_alice = call.parameters["channel"] == json!(ALICE_OWNER);
        if call.operation == "chat.postMessage" && to_alice { Interfere::FailBefore } else { Interfere::Pass }
    });
    let mut seen = Vec::new();
    for _ in 0..50 {
        if status(&keyvend, &key.id) == "Active" {
            used(&keyvend, &key);
        }
        after(&keyvend, DAY).await;
        let times = item(&keyvend, &key.id).await["postponement"]["times"].as_i64();
        seen.extend(times.filter(|times| !seen.contains(times)));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    let told = said_in_public(&keyvend);
    assert_eq!(told.iter().filter(|text| text.contains("no reminder reached <@U0ALICE>")).count(), 7);
    assert_eq!(status(&keyvend, &key.id), "", "then it was deactivated, and deleted");
    assert_eq!(keyvend.events().await.iter().filter(|event| *event == "key.expiry_postponed").count(), 7);
}

#[tokio::test]
async fn moved_expiry_needs_new_reminder() {
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    for _ in 0..24 {
        after(&keyvend, DAY).await;
    }
    let reminder = keyvend.direct(ALICE_OWNER);
    assert_eq!(buttons(&reminder), ["Extend", "Rotate and renew"]);
    assert!(item(&keyvend, &key.id).await["reminders"]["delivered_at"].is_number());
    keyvend.presses(ALICE_OWNER, &reminder, "Extend").await;
    keyvend.presses(BOB_APPROVER, &waiting(&keyvend), "Approve").await;
    keyvend.deliver_everything().await;
    let reminders = item(&keyvend, &key.id).await["reminders"].clone();
    assert_eq!((&reminders["sent"], &reminders["delivered_at"]), (&json!(0), &json!(null)));
}

#[tokio::test]
async fn repeated_key_timer_acts_once() {
    let keyvend = Deployed::new().await;
    let key = a_day_before_its_end(&keyvend).await;
    keyvend.world.clock.advance(Duration::from_secs(DAY));
    keyvend.world.net.sqs().sweep();
    let event = keyvend.receives("sweep");
    keyvend.work(event).await;
    let timer = keyvend.receives("due");
    keyvend.work(timer.clone()).await;
    keyvend.work(timer).await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "has expired"), 1);
    assert_eq!(keyvend.events().await.iter().filter(|event| *event == "key.deactivated").count(), 1);
}
