//! `freeze` and `unfreeze` from an operator's machine: the worker issues nothing from then on, and it is known who did it.

use std::time::Duration;

use keyvend::cli::ExitStatus;
use serde_json::json;

use super::operator::{approved, keyvend, stable};
use testkit::aws::{self, AUDIT, REQUESTS};
use testkit::deployed::{Deployed, Tab};
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};

async fn frozen_by(deployed: &Deployed) -> serde_json::Value {
    let item = deployed.world.net.dynamo().item(REQUESTS, json!({"pk": {"S": "freeze"}})).await;
    item["frozen_by"]["S"].clone()
}

/// The audit entries of this event.
async fn recorded(deployed: &Deployed, event: &str) -> Vec<serde_json::Value> {
    let items = aws::items(&deployed.world.net, AUDIT).await;
    items.into_values().filter(|item| item["event"]["S"] == event).collect()
}

// T6.8
#[tokio::test]
async fn operator_freeze_stops_worker_until_unfreeze() {
    let deployed = Deployed::new().await;
    approved(&deployed).await;
    let ready = deployed.world.net.slack().last_told(ALICE_OWNER);
    deployed.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = deployed.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    let stopped = keyvend(&deployed.world, &["freeze"]).await.done();
    insta::assert_snapshot!(stable(&stopped), @r"
    Key issuing is frozen.
    Recorded in the audit trail as <request>.

    Existing keys keep working and can be deactivated. Notify the approvers. To resume, run `keyvend unfreeze`,
    or an approver types `/access-key unfreeze`.
    ");
    deployed.posts("/reveal/claim", &tab.claim(None)).await;
    deployed.deliver().await;
    assert!(deployed.world.net.calls_to("iam", "CreateAccessKey").is_empty());
    assert!(aws::keys(&deployed.world.net, HOME, "ci-deployer").is_empty());

    deployed.world.clock.advance(Duration::from_secs(1));
    let again = keyvend(&deployed.world, &["unfreeze"]).await.done();
    insta::assert_snapshot!(stable(&again), @r"
    Key issuing is resumed. It was frozen by arn:aws:iam::123456789012:user/admin since 2025-11-24T16:00:02Z.
    Recorded in the audit trail as <request>.
    ");
    let ready = deployed.world.net.slack().last_told(ALICE_OWNER);
    assert!(ready.reading().contains("Get my key"), "{}", ready.reading());
    deployed.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = deployed.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    deployed.posts("/reveal/claim", &tab.claim(None)).await;
    deployed.deliver().await;
    assert_eq!(aws::keys(&deployed.world.net, HOME, "ci-deployer").len(), 1);
}

#[tokio::test]
async fn second_operator_is_told_who_froze() {
    // Freezing what is frozen, or unfreezing what is not, reports who did it first.
    let deployed = Deployed::new().await;
    deployed.types(BOB_APPROVER, "freeze").await;
    let second = keyvend(&deployed.world, &["freeze"]).await.done();
    assert!(
        second.starts_with("Key issuing was already frozen, by T0001.U0BOB since 2025-11-24T16:00:00Z."),
        "{second}"
    );
    // Whoever wants to lift it asks the one who wanted it last.
    let arn = format!("arn:aws:iam::{HOME}:user/admin");
    assert_eq!(frozen_by(&deployed).await, arn);
    deployed.world.clock.advance(Duration::from_secs(1));
    let json = keyvend(&deployed.world, &["unfreeze", "--json"]).await.json();
    assert_eq!(
        (&json["changed"], &json["frozen"], &json["frozen_by"]),
        (&json!(true), &json!(false), &json!(arn))
    );
    let nothing = keyvend(&deployed.world, &["unfreeze"]).await.done();
    assert!(nothing.starts_with("Key issuing was not frozen: keys can be issued."), "{nothing}");
    assert!(frozen_by(&deployed).await.is_null());
}

#[tokio::test]
async fn operator_command_is_audited_under_arn_or_name() {
    let deployed = Deployed::new().await;
    let arn = format!("arn:aws:iam::{HOME}:user/admin");
    keyvend(&deployed.world, &["freeze"]).await.done();
    keyvend(&deployed.world, &["freeze", "--as", "Jane on call"]).await.done();
    deployed.world.clock.advance(Duration::from_secs(1));
    keyvend(&deployed.world, &["unfreeze", "--as", "Jane on call"]).await.done();
    assert_eq!(frozen_by(&deployed).await, serde_json::Value::Null);
    let frozen = recorded(&deployed, "issuing.frozen").await;
    let mut actors: Vec<&str> = frozen.iter().map(|item| item["actor"]["S"].as_str().unwrap()).collect();
    actors.sort_unstable();
    assert_eq!(actors, ["Jane on call", &arn]);
    for item in frozen.iter().chain(&recorded(&deployed, "issuing.resumed").await) {
        assert_eq!(item["detail"]["M"]["arn"]["S"], arn, "{item}");
    }
    let verified = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    assert_eq!((&verified["verified"], &verified["records"]), (&json!(true), &json!(3)));
}

#[tokio::test]
async fn operator_name_replaces_unknown_identity() {
    // A given name is recorded where AWS does not say whose the credentials are.
    let deployed = Deployed::new().await;
    let down = || Interfere::Status(503, String::new());
    for _ in 0..10 {
        deployed.world.net.once("sts", "GetCallerIdentity", down());
    }
    let nameless = keyvend(&deployed.world, &["freeze"]).await;
    assert_eq!(nameless.ending, ExitStatus::Failed);
    assert!(frozen_by(&deployed).await.is_null());
    keyvend(&deployed.world, &["freeze", "--as", "Jane"]).await.done();
    assert_eq!(frozen_by(&deployed).await, "Jane");
}

#[tokio::test]
async fn unrecorded_audit_entry_is_written_by_next_run() {
    // An audit entry that could not be written is reported, and the next run writes it.
    let deployed = Deployed::new().await;
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned();
    deployed.world.net.once("dynamodb", "ExecuteStatement", Interfere::Status(400, denied));
    let ran = keyvend(&deployed.world, &["freeze"]).await;
    assert_eq!(ran.ending, ExitStatus::Failed);
    assert!(ran.out.contains("Key issuing is frozen.\nNOT recorded"), "{}", ran.out);
    assert!(!frozen_by(&deployed).await.is_null());
    keyvend(&deployed.world, &["freeze"]).await.done();
    assert_eq!(recorded(&deployed, "issuing.frozen").await.len(), 1);
}

// T6.3
#[tokio::test]
async fn unfreeze_not_later_than_freeze_is_refused() {
    // An operator's unfreeze with the time of the freeze, or an earlier one, is refused, and the freeze stays.
    let deployed = Deployed::new().await;
    deployed.types(BOB_APPROVER, "freeze").await;
    let ran = keyvend(&deployed.world, &["unfreeze"]).await;
    assert_eq!(ran.ending, ExitStatus::No);
    assert!(ran.out.starts_with("NOT resumed: key issuing was frozen by T0001.U0BOB"), "{}", ran.out);
    assert_eq!(frozen_by(&deployed).await, "T0001.U0BOB");
    assert_eq!(recorded(&deployed, "issuing.resume_denied").await.len(), 1);
    deployed.world.clock.advance(Duration::from_secs(1));
    keyvend(&deployed.world, &["unfreeze"]).await.done();
    assert!(frozen_by(&deployed).await.is_null());
}

/// The worker and the tool make the same writes, so neither lifts what the other stopped meanwhile.
// T6.3
#[tokio::test]
async fn older_slack_unfreeze_is_refused_after_operator_freeze() {
    let deployed = Deployed::new().await;
    deployed.arrive(deployed.world.slash_command(BOB_APPROVER, "unfreeze")).await;
    deployed.world.clock.advance(Duration::from_secs(30));
    keyvend(&deployed.world, &["freeze", "--as", "Jane on call"]).await.done();
    deployed.deliver().await;
    assert_eq!(frozen_by(&deployed).await, "Jane on call");
    assert!(deployed.told(BOB_APPROVER).contains("Jane on call froze it"), "{}", deployed.told(BOB_APPROVER));
}
