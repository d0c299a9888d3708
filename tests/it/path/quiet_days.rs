//! What the approvals channel receives without having asked: of keys that do not match the records each change once, and
//! checkpoints in a thread or a channel of their own.

use std::time::Duration;

use testkit::aws::{self, AUDIT};
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, GENERAL, MALLORY_OUTSIDER, Message};

const HOUR: u64 = 3_600;

pub async fn next_day(keyvend: &Deployed) {
    keyvend.world.clock.advance(Duration::from_secs(24 * HOUR + 60));
    // The first sweep starts the daily jobs, the second finds what they left due.
    for _ in 0..2 {
        keyvend.world.net.sqs().sweep();
        keyvend.deliver_everything().await;
    }
}

/// Somebody creates a key in the AWS console.
async fn unmanaged_key(keyvend: &Deployed, user: &str) -> String {
    let made = aws::iam(&keyvend.world.net, HOME).create_access_key().user_name(user).send().await.unwrap();
    made.access_key.unwrap().access_key_id
}

/// How often this was recorded, in whichever chain.
async fn recorded(keyvend: &Deployed, event: &str) -> usize {
    let items = aws::items(&keyvend.world.net, AUDIT).await;
    items.into_values().filter(|item| item["event"]["S"] == event).count()
}

async fn set_status(keyvend: &Deployed, user: &str, key: &str, status: &str) {
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.update_access_key().user_name(user).access_key_id(key).status(status.into()).send().await.unwrap();
}

/// The messages in the approvals channel itself, not in its threads.
fn top_level(keyvend: &Deployed) -> Vec<Message> {
    let all = keyvend.world.net.slack().messages(APPROVALS);
    all.into_iter().filter(|message| message.thread_ts.is_none()).collect()
}

pub fn reports(keyvend: &Deployed) -> Vec<Message> {
    let all = top_level(keyvend).into_iter();
    all.filter(|message| message.reading().contains("Discrepancies between IAM")).collect()
}

#[tokio::test]
async fn quiet_months_bring_few_messages() {
    let keyvend = Deployed::new().await;
    let keys = [
        unmanaged_key(&keyvend, "ci-deployer").await,
        unmanaged_key(&keyvend, "ci-deployer").await,
        unmanaged_key(&keyvend, "admin-bot").await,
    ];
    for _ in 0..95 {
        // Something that is audited and concerns no approver.
        keyvend.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d x").await;
        next_day(&keyvend).await;
    }
    let said = top_level(&keyvend);
    let read: Vec<String> = said.iter().map(Message::reading).collect();
    assert!(said.len() <= 5, "{read:#?}");
    let report = reports(&keyvend);
    assert_eq!(report.len(), 1, "{read:#?}");
    for key in &keys {
        assert!(report[0].reading().contains(key), "{}", report[0].reading());
    }
    // The control: there was a checkpoint every day, all of them in one thread.
    let all = keyvend.world.net.slack().messages(APPROVALS);
    let anchors: Vec<&Message> =
        all.iter().filter(|message| message.reading().contains("Audit checkpoint of")).collect();
    assert!(anchors.len() > 90, "{}", anchors.len());
    assert!(
        anchors.iter().all(|anchor| anchor.thread_ts == anchors[0].thread_ts && anchor.thread_ts.is_some())
    );
}

#[tokio::test]
async fn checkpoints_go_to_their_own_channel() {
    let keyvend = Deployed::with(&[("KEYVEND_CHECKPOINTS_CHANNEL", GENERAL)]).await;
    keyvend.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d x").await;
    next_day(&keyvend).await;
    keyvend.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d x").await;
    next_day(&keyvend).await;
    let anchors = |channel: &str| {
        let said = keyvend.world.net.slack().messages(channel);
        said.iter().filter(|message| message.reading().contains("Audit checkpoint of")).count()
    };
    assert_eq!((anchors(GENERAL), anchors(APPROVALS)), (1, 0));
}

#[tokio::test]
async fn lost_thread_of_checkpoints_is_begun_again() {
    let keyvend = Deployed::new().await;
    for _ in 0..3 {
        keyvend.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d x").await;
        next_day(&keyvend).await;
    }
    let threads = |keyvend: &Deployed| {
        let all = top_level(keyvend).into_iter();
        all.filter(|message| message.reading().contains("Daily audit checkpoints")).count()
    };
    assert_eq!(threads(&keyvend), 1);
    keyvend.world.net.slack().fail_next("chat.postMessage", "thread_not_found");
    keyvend.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d x").await;
    next_day(&keyvend).await;
    assert_eq!(threads(&keyvend), 2);
}

/// Slack takes one message a second in a channel: the hash right behind the thread's first message is one too many. It is
/// posted later, in the thread that there is.
#[tokio::test]
async fn limited_checkpoint_begins_no_second_thread() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().limit_rates();
    for _ in 0..3 {
        keyvend.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d x").await;
        next_day(&keyvend).await;
    }
    let all = top_level(&keyvend);
    let threads = all.iter().filter(|message| message.reading().contains("Daily audit checkpoints")).count();
    assert_eq!(threads, 1);
    let said = keyvend.world.net.slack().messages(APPROVALS);
    let anchors = said.iter().filter(|message| message.reading().contains("Audit checkpoint of")).count();
    assert_eq!(anchors, 2, "one a day that is over");
}

#[tokio::test]
async fn only_changes_are_reported() {
    let keyvend = Deployed::new().await;
    let first = unmanaged_key(&keyvend, "ci-deployer").await;
    next_day(&keyvend).await;
    next_day(&keyvend).await;
    assert_eq!(reports(&keyvend).len(), 1);
    let second = unmanaged_key(&keyvend, "ci-deployer").await;
    next_day(&keyvend).await;
    let report = reports(&keyvend).pop().unwrap().reading();
    assert_eq!(reports(&keyvend).len(), 2);
    assert!(report.contains("*New*: 1") && report.contains(&second) && !report.contains(&first), "{report}");
    set_status(&keyvend, "ci-deployer", &first, "Inactive").await;
    next_day(&keyvend).await;
    let report = reports(&keyvend).pop().unwrap().reading();
    assert!(report.contains("*No longer active, or as recorded*: 1") && report.contains(&first), "{report}");
    next_day(&keyvend).await;
    assert_eq!(reports(&keyvend).len(), 3);
    // It is a new one if it comes back.
    set_status(&keyvend, "ci-deployer", &first, "Active").await;
    next_day(&keyvend).await;
    assert!(reports(&keyvend).pop().unwrap().reading().contains("*New*: 1"));
}

#[tokio::test]
async fn known_key_is_reported_again_after_ninety_days() {
    let keyvend = Deployed::new().await;
    let first = unmanaged_key(&keyvend, "ci-deployer").await;
    let second = unmanaged_key(&keyvend, "admin-bot").await;
    next_day(&keyvend).await;
    let report = reports(&keyvend).pop().unwrap();
    keyvend.presses(BOB_APPROVER, &report, "Show all").await;
    let all = keyvend.world.net.slack().last_told(BOB_APPROVER);
    let read = all.reading();
    assert!(read.contains(&first) && read.contains(&second), "{read}");
    let button = all.buttons().into_iter().find(|button| button.value.ends_with(&first)).unwrap();
    assert_eq!(button.text, "Known for 90 days");
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.arrive(keyvend.world.press_button(BOB_APPROVER, &all, &button)).await;
    keyvend.deliver_everything().await;
    assert!(keyvend.told(BOB_APPROVER).contains("Marked as known until"), "{}", keyvend.told(BOB_APPROVER));
    assert_eq!(recorded(&keyvend, "key.marked_known").await, 1);
    for _ in 0..89 {
        next_day(&keyvend).await;
    }
    assert_eq!(reports(&keyvend).len(), 1);
    next_day(&keyvend).await;
    next_day(&keyvend).await;
    let again = reports(&keyvend).pop().unwrap().reading();
    assert_eq!(reports(&keyvend).len(), 2, "{again}");
    assert!(again.contains(&first) && !again.contains(&second), "{again}");
    assert!(again.contains("until a date that has passed*: 1"), "{again}");
}

#[tokio::test]
async fn only_approvers_see_and_mark_discrepancies() {
    let keyvend = Deployed::new().await;
    let key = unmanaged_key(&keyvend, "ci-deployer").await;
    next_day(&keyvend).await;
    let report = reports(&keyvend).pop().unwrap();
    for person in [MALLORY_OUTSIDER, ALICE_OWNER] {
        for label in ["Show all", "Mark all as known for 90 days"] {
            keyvend.presses(person, &report, label).await;
            let told = keyvend.told(person);
            assert!(told.contains("Only approvers can see or mark") && !told.contains(&key), "{told}");
        }
    }
    assert_eq!(recorded(&keyvend, "key.mark_known_denied").await, 2);
    assert_eq!(recorded(&keyvend, "key.marked_known").await, 0);
    keyvend.presses(BOB_APPROVER, &report, "Mark all as known for 90 days").await;
    assert_eq!(recorded(&keyvend, "key.marked_known").await, 1);
    let item = keyvend.item(&format!("reconciliation#{HOME}")).await;
    assert!(item["document"]["S"].as_str().unwrap().contains("\"known_until\":1"), "{item}");
}
