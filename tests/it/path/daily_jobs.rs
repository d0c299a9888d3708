//! What is done once a day: the audit's checkpoint, the comparison of IAM with what is on record; and what is done when
//! somebody leaves.

use std::time::Duration;

use keyvend::domain::audit::AuditEntry;
use keyvend::domain::checkpoint;

use testkit::aws;
use testkit::deployed::{Deployed, Tab};
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER};

const HOUR: u64 = 3_600;

async fn after(keyvend: &Deployed, seconds: u64) {
    keyvend.world.clock.advance(Duration::from_secs(seconds));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
}

/// Somebody outside attaches this policy to ci-deployer, or takes it away.
async fn quarantine(keyvend: &Deployed, on: bool) {
    let iam = aws::iam(&keyvend.world.net, HOME);
    let policy = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    if on {
        iam.attach_user_policy().user_name("ci-deployer").policy_arn(policy).send().await.unwrap();
    } else {
        iam.detach_user_policy().user_name("ci-deployer").policy_arn(policy).send().await.unwrap();
    }
}

#[tokio::test]
async fn quarantined_user_is_reported_once_and_needs_approver() {
    // Approvers are notified once of the quarantine, and the owner alone cannot reactivate the key.
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    after(&keyvend, 25 * HOUR).await;
    assert!(said(&keyvend, "quarantined").is_empty());
    quarantine(&keyvend, true).await;
    for _ in 0..2 {
        after(&keyvend, 25 * HOUR).await;
        let told = said(&keyvend, "AWS has quarantined");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&key.id), "{told:?}");
        assert_eq!(keyvend.events().await.iter().filter(|event| *event == "key.user_quarantined").count(), 1);
    }
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status, "Active", "a person decides");
    let mut asked = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    let asked = asked.find(|message| message.reading().contains("AWS has quarantined")).unwrap();
    keyvend.presses(BOB_APPROVER, &asked, "Deactivate").await;
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status, "Inactive");
    // Also when the quarantine is over: an approver who did not ask for the key is needed.
    quarantine(&keyvend, false).await;
    keyvend.types(ALICE_OWNER, &format!("activate {}", key.id)).await;
    keyvend.deliver_everything().await;
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status, "Inactive");
    keyvend.types(BOB_APPROVER, &format!("activate {}", key.id)).await;
    keyvend.deliver_everything().await;
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status, "Active");
}

/// What was said in the approvals channel that reads so.
fn said(keyvend: &Deployed, part: &str) -> Vec<String> {
    let said = keyvend.world.net.slack().messages(APPROVALS).into_iter().map(|message| message.reading());
    said.filter(|reading| reading.contains(part)).collect()
}

async fn checkpoints(keyvend: &Deployed) -> Vec<AuditEntry> {
    keyvend.trail_of(checkpoint::chain_id().as_str()).await
}

#[tokio::test]
async fn checkpoint_records_chain_heads_and_posts_hash() {
    // The checkpoint holds the head of every chain that grew.
    let keyvend = Deployed::new().await;
    after(&keyvend, 60).await;
    keyvend.confirmed().await;
    keyvend.types(BOB_APPROVER, "freeze").await;
    let admin = aws::iam(&keyvend.world.net, HOME);
    let made = admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let foreign = made.access_key.unwrap().access_key_id;
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, &format!("deactivate {foreign}")).await;
    after(&keyvend, 7 * HOUR).await;
    assert!(checkpoints(&keyvend).await.is_empty(), "the day is not over");
    after(&keyvend, 2 * HOUR).await;
    let trail = keyvend.trail().await;
    let chain = checkpoints(&keyvend).await;
    let id = keyvend.request().await["id"].as_str().unwrap().to_owned();
    let end = trail.last().map(|entry| format!("{}:{}", entry.seq, entry.hash)).unwrap();
    let named: Vec<&String> = chain.iter().filter_map(|entry| entry.detail.get(&id)).collect();
    assert_eq!(named, [&end], "once, as it stands");
    let ends: usize = chain.iter().map(|entry| entry.detail.len() - 1).sum();
    assert_eq!(ends, 3, "the request's, that of `freeze`, and that of a key that is not ours");
    let last = chain.last().unwrap();
    assert_eq!(last.event, "audit.checkpoint_closed");
    let posted = said(&keyvend, "Audit checkpoint of 2025-11-24");
    assert_eq!(posted.len(), 1);
    assert!(posted[0].contains(&format!("{}:{}", last.seq, last.hash)), "{posted:?}");

    after(&keyvend, 60).await;
    assert_eq!(checkpoints(&keyvend).await.len(), chain.len(), "once a day");
    after(&keyvend, 24 * HOUR).await;
    let next = checkpoints(&keyvend).await;
    assert_eq!(next[chain.len()].prev, last.hash, "bound to the one before");
    after(&keyvend, 5 * 24 * HOUR).await;
    let quiet = checkpoints(&keyvend).await.len();
    after(&keyvend, 24 * HOUR).await;
    assert_eq!(checkpoints(&keyvend).await.len(), quiet, "of a day on which nothing happened there is none");
}

#[tokio::test]
async fn interrupted_checkpoint_resumes_without_duplicates() {
    for (operation, how) in [
        ("ExecuteStatement", Interfere::CrashBefore),
        ("ExecuteStatement", Interfere::CrashAfter),
        ("chat.postMessage", Interfere::CrashBefore),
        ("TransactWriteItems", Interfere::CrashAfter),
    ] {
        let keyvend = Deployed::new().await;
        after(&keyvend, 60).await;
        keyvend.confirmed().await;
        keyvend.deliver_everything().await;
        keyvend.world.clock.advance(Duration::from_secs(9 * HOUR));
        keyvend.world.net.sqs().sweep();
        keyvend.work(keyvend.receives("sweep")).await;
        let mut died = false;
        let mut armed = false;
        while let Some(event) = keyvend.world.net.sqs().receive("due", keyvend.world.clock.now()) {
            let record = event["Records"][0].clone();
            let text = |name: &str| record[name].as_str().unwrap().to_owned();
            if !armed && text("body").contains("\"checkpoint\"") {
                keyvend.world.net.fault(move |call| call.operation == operation, how.clone());
                armed = true;
            }
            let lived = keyvend.world.net.survive(keyvend.work(event)).await.is_some();
            died |= !lived;
            keyvend.world.net.sqs().finish("due", &text("receiptHandle"), lived);
        }
        assert!(died, "{operation}");
        keyvend.world.net.undisturbed();
        keyvend.deliver_everything().await;
        let chain = checkpoints(&keyvend).await;
        let id = keyvend.request().await["id"].as_str().unwrap().to_owned();
        let named = chain.iter().filter(|entry| entry.detail.contains_key(&id)).count();
        assert_eq!(named, 1, "{operation} {how:?}");
        assert_eq!(chain.last().unwrap().event, "audit.checkpoint_closed");
        assert!(!said(&keyvend, "Audit checkpoint of").is_empty(), "{operation} {how:?}");
    }
}

#[tokio::test]
async fn reconciliation_reports_but_changes_no_key() {
    // Keys that differ from the records are reported and not changed.
    let keyvend = Deployed::new().await;
    let (_, ours) = keyvend.confirmed().await;
    let admin = aws::iam(&keyvend.world.net, HOME);
    let made = admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let foreign = made.access_key.unwrap().access_key_id;
    after(&keyvend, 26 * HOUR).await;
    let report = said(&keyvend, "Discrepancies between IAM");
    assert_eq!(report.len(), 1, "{report:?}");
    assert!(report[0].contains(&foreign) && report[0].contains("was not issued by keyvend"), "{report:?}");
    assert!(!report[0].contains(&ours.id), "{report:?}");
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert!(keys.iter().all(|key| key.status == "Active"), "nothing was done to them");

    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "This wasn't me").await;
    after(&keyvend, 60).await;
    admin
        .update_access_key()
        .user_name("ci-deployer")
        .access_key_id(&ours.id)
        .status(aws_sdk_iam::types::StatusType::Active)
        .send()
        .await
        .unwrap();
    after(&keyvend, 60).await;
    after(&keyvend, 25 * HOUR).await;
    let report = said(&keyvend, "Discrepancies between IAM").pop().unwrap();
    assert!(report.contains(&ours.id) && report.contains("keyvend deactivated it"), "{report}");
}

#[tokio::test]
async fn departed_owner_prompts_approvers_about_keys() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    let event = keyvend.world.user_change(ALICE_OWNER);
    assert_eq!(keyvend.arrive(event).await["statusCode"], 200);
    keyvend.deliver().await;
    let asked = said(&keyvend, "has left, and");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains(&key.id) && asked[0].contains("ci-deployer"), "{asked:?}");
    let message = keyvend.world.net.slack().last_message(APPROVALS);
    keyvend.presses(testkit::slack::BOB_APPROVER, &message, "Deactivate").await;
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status, "Inactive");
    let item = keyvend.item(&format!("key#{}", key.id)).await;
    let document = item["document"]["S"].as_str().unwrap();
    assert!(document.contains(r#""why":"owner-deactivated""#), "{document}");
    let event = keyvend.world.user_change(testkit::slack::BOB_APPROVER);
    keyvend.arrive(event).await;
    keyvend.deliver().await;
    assert_eq!(said(&keyvend, "has left, and").len(), 1, "who has no keys is not asked about");
}

/// A page out of its turn would close the day with chains left out of its checkpoint.
// T5.6
#[tokio::test]
async fn out_of_order_page_omits_no_chain() {
    let keyvend = Deployed::new().await;
    after(&keyvend, 60).await;
    keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(Duration::from_secs(9 * HOUR));
    keyvend.world.net.sqs().sweep();
    keyvend.work(keyvend.receives("sweep")).await;
    let sqs = keyvend.world.net.sqs();
    let mut forged = 0;
    while let Some(event) = sqs.receive("due", keyvend.world.clock.now()) {
        let record = &event["Records"][0];
        let receipt = record["receiptHandle"].as_str().unwrap().to_owned();
        let body: serde_json::Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        let all_ahead = [(0, 3, None), (2, 3, None), (0, 0, Some("request#zzz"))];
        for ahead in all_ahead.into_iter().filter(|_| body["checkpoint"]["day"].is_string()) {
            forged += 1;
            let mut page = body.clone();
            page["checkpoint"]["back"] = ahead.0.into();
            page["checkpoint"]["shard"] = ahead.1.into();
            page["checkpoint"]["after"] = ahead.2.into();
            let mut out_of_turn = event.clone();
            out_of_turn["Records"][0]["body"] = page.to_string().into();
            keyvend.work(out_of_turn).await;
        }
        keyvend.work(event).await;
        sqs.finish("due", &receipt, true);
    }
    assert!(forged >= 6, "before each page, and there is more than one: {forged}");
    let id = keyvend.request().await["id"].as_str().unwrap().to_owned();
    let chain = checkpoints(&keyvend).await;
    assert_eq!(chain.iter().filter(|entry| entry.detail.contains_key(&id)).count(), 1);
    assert_eq!(chain.last().unwrap().event, "audit.checkpoint_closed");
    assert_eq!(said(&keyvend, "Audit checkpoint of").len(), 1);
}

/// Whoever was asked about, a key each, in the order of the questions.
fn questions(keyvend: &Deployed) -> Vec<String> {
    said(keyvend, "has left, and")
}

pub async fn leaves(keyvend: &Deployed, person: &str) {
    keyvend.world.net.slack().person(person, |person| person.deleted = true);
    keyvend.arrive(keyvend.world.user_change(person)).await;
    keyvend.deliver_everything().await;
}

// T8.3
#[tokio::test]
async fn departed_owner_hides_no_key_behind_requests() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    let id = keyvend.request().await["id"].as_str().unwrap().to_owned();
    for _ in 0..101 {
        // No more than a person may send in a minute.
        keyvend.world.clock.advance(Duration::from_secs(4));
        keyvend.types(ALICE_OWNER, "create no-such-user use:cli ttl:1d x").await;
    }
    assert!(keyvend.requests().await.len() > 101);
    leaves(&keyvend, ALICE_OWNER).await;
    let asked = questions(&keyvend);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains(&key.id), "{asked:?}");
    let last = keyvend
        .trail_of(&id)
        .await
        .into_iter()
        .find(|entry| entry.event == "key.requester_deactivated")
        .unwrap();
    assert_eq!((last.detail["person"].as_str(), &last.detail["keys"]), ("T0001.U0ALICE", &key.id));
}

/// An organisation has one id for a person, and an event names one workspace.
// T8.3
#[tokio::test]
async fn departed_owners_keys_are_found_across_workspaces() {
    let keyvend = Deployed::with(&[("KEYVEND_SLACK_TEAM_IDS", "T0001,T0002")]).await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    let elsewhere = |team: &str| {
        let now = keyvend.world.clock.now().0;
        let body = serde_json::json!({
            "token": "x", "team_id": team, "api_app_id": testkit::slack::APP, "type": "event_callback",
            "event_id": format!("Ev{team}"), "event_time": now,
            "event": {"type": "user_change", "user": keyvend.world.net.slack().who(ALICE_OWNER).json()},
        });
        keyvend.world.posted("/slack/events", "application/json", &body.to_string())
    };
    // Also one that is not configured: what counts is whose keys they are, and that Slack says so.
    for team in ["T0009", "T0002", "E0001", "T0001"] {
        assert_eq!(keyvend.arrive(elsewhere(team)).await["statusCode"], 200);
        keyvend.deliver_everything().await;
        assert_eq!(questions(&keyvend).len(), 1, "{team}");
        keyvend.world.clock.advance(Duration::from_secs(26 * HOUR));
    }
    let asked = questions(&keyvend);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains(&key.id), "{asked:?}");
}

/// Slack repeats what was not acknowledged in time, with a new signature.
#[tokio::test]
async fn repeated_leaver_events_ask_once() {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    let at_once = keyvend.world.user_change(ALICE_OWNER);
    for _ in 0..3 {
        keyvend.arrive(at_once.clone()).await;
        keyvend.arrive(keyvend.world.user_change(ALICE_OWNER)).await;
        keyvend.world.clock.advance(Duration::from_secs(1));
    }
    keyvend.deliver_everything().await;
    for _ in 0..7 {
        keyvend.world.clock.advance(Duration::from_secs(24 * HOUR));
        keyvend.world.net.sqs().sweep();
        keyvend.arrive(keyvend.world.user_change(ALICE_OWNER)).await;
        keyvend.deliver_everything().await;
    }
    assert_eq!(questions(&keyvend).len(), 1);
    assert!(keyvend.world.net.sqs().dead("slack").is_empty());
}

/// Alice's keys for two IAM users.
pub async fn two_keys(keyvend: &Deployed) -> [String; 2] {
    let (_, first) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(Duration::from_secs(60));
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:30d x").await;
    for approver in [BOB_APPROVER, testkit::slack::CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let second = keyvend.reveals(&tab).await;
    keyvend.posts("/reveal/ack", &tab.ack(&second)).await;
    keyvend.deliver_everything().await;
    [first.id, second.id]
}

// T8.3
#[tokio::test]
async fn departed_owners_keys_are_read_from_all_pages() {
    // Deleted keys are left out.
    let keyvend = Deployed::new().await;
    let keys = two_keys(&keyvend).await;
    keyvend.world.net.dynamo().page(1);
    leaves(&keyvend, ALICE_OWNER).await;
    let asked = questions(&keyvend);
    assert_eq!(asked.len(), 1, "one question about all of them: {asked:?}");
    assert!(keys.iter().all(|key| asked[0].contains(key)), "{asked:?}");
    keyvend.world.net.dynamo().page(usize::MAX);

    let item = keyvend.item(&format!("key#{}", keys[0])).await;
    assert_eq!(item["person"]["S"], "holder#U0ALICE");
    keyvend.types(BOB_APPROVER, &format!("deactivate {}", keys[0])).await;
    keyvend.deletes(BOB_APPROVER, &keys[0]).await;
    after(&keyvend, 60).await;
    let item = keyvend.item(&format!("key#{}", keys[0])).await;
    assert_eq!(item["state"]["S"], "DELETED");
    assert!(item["person"].is_null() && item["asked_at"].is_null(), "{item}");
}

// T8.3
#[tokio::test]
async fn daily_job_finds_departed_owner_once() {
    // A departed owner whose Slack event was lost is found by the daily job, and approvers are asked once.
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    after(&keyvend, 25 * HOUR).await;
    assert!(questions(&keyvend).is_empty(), "nobody left");
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    after(&keyvend, 25 * HOUR).await;
    let asked = questions(&keyvend);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains(&key.id), "{asked:?}");
    // Neither another day nor the event that comes after all asks again.
    for _ in 0..2 {
        after(&keyvend, 25 * HOUR).await;
        leaves(&keyvend, ALICE_OWNER).await;
    }
    assert_eq!(questions(&keyvend).len(), 1);
    // Of a key that came since, there is a question: of that one alone.
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = false);
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:30d x").await;
    for approver in [BOB_APPROVER, testkit::slack::CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let second = keyvend.reveals(&tab).await;
    keyvend.posts("/reveal/ack", &tab.ack(&second)).await;
    keyvend.deliver_everything().await;
    leaves(&keyvend, ALICE_OWNER).await;
    let asked = questions(&keyvend);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[1].contains(&second.id) && !asked[1].contains(&key.id), "{asked:?}");
}

// T8.3
#[tokio::test]
async fn failed_lookup_hides_no_other_departed_owner() {
    for answer in [
        Interfere::Status(200, r#"{"ok":false,"error":"internal_error"}"#.to_owned()),
        Interfere::Status(500, String::new()),
    ] {
        let keyvend = Deployed::new().await;
        let tag =
            aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value("U0ALICE U0BOB").build().unwrap();
        let iam = aws::iam(&keyvend.world.net, HOME);
        iam.tag_user().user_name("admin-bot").tags(tag).send().await.unwrap();
        let (_, _) = keyvend.confirmed().await;
        keyvend.types(BOB_APPROVER, "create admin-bot use:cli ttl:30d x").await;
        for approver in [testkit::slack::CAROL_APPROVER, testkit::slack::DAVE_APPROVER] {
            keyvend.presses(approver, &keyvend.card(), "Approve").await;
        }
        keyvend.presses(BOB_APPROVER, &keyvend.world.net.slack().last_told(BOB_APPROVER), "Get my key").await;
        let link = keyvend.world.net.slack().last_told(BOB_APPROVER);
        let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
        let key = keyvend.reveals(&tab).await;
        keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
        keyvend.deliver_everything().await;
        for person in [ALICE_OWNER, BOB_APPROVER] {
            keyvend.world.net.slack().person(person, |person| person.deleted = true);
        }
        keyvend.world.net.before(move |call| {
            match call.operation == "users.info" && call.parameters["user"] == ALICE_OWNER {
                true => answer.clone(),
                false => Interfere::Pass,
            }
        });
        after(&keyvend, 25 * HOUR).await;
        let asked = questions(&keyvend);
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].contains(&key.id), "{asked:?}");
        let item = keyvend.item("ownership-refresh").await;
        assert!(!item["completed"].is_null(), "and the reading goes on");
        keyvend.world.net.undisturbed();
        after(&keyvend, 25 * HOUR).await;
        assert_eq!(questions(&keyvend).len(), 2, "the next day");
    }
}

/// Once Slack asks to wait, nobody else is looked up with that page.
// T8.3
#[tokio::test]
async fn daily_job_respects_slack_rate_limit() {
    let keyvend = Deployed::new().await;
    two_keys(&keyvend).await;
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "users.info" => Interfere::Status(429, String::new()),
        _ => Interfere::Pass,
    });
    keyvend.world.net.forget();
    after(&keyvend, 25 * HOUR).await;
    assert_eq!(keyvend.world.net.calls_to("slack", "users.info").len(), 1, "one person, on one page");
    assert!(questions(&keyvend).is_empty());
    keyvend.world.net.undisturbed();
    after(&keyvend, 25 * HOUR).await;
    assert_eq!(questions(&keyvend).len(), 1);
}
