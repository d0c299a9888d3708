//! `key deactivate`: for an incident, whoever issued the key, and whatever else does not work just then.

use std::time::Duration;

use keyvend::cli::ExitStatus;
use serde_json::{Value, json};

use super::operator::{Operator, issued, keyvend, stable};
use testkit::aws::{self, AUDIT, ISSUER_ROLE, REQUESTS, SANDBOX};
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS};

async fn item(deployed: &Deployed, key: &str) -> Value {
    deployed.world.net.dynamo().item(REQUESTS, json!({"pk": {"S": format!("key#{key}")}})).await
}

fn status(deployed: &Deployed, account: &str, user: &str, key: &str) -> String {
    let keys = aws::keys(&deployed.world.net, account, user);
    keys.into_iter().find(|found| found.id == key).unwrap().status
}

async fn foreign(deployed: &Deployed, account: &str) -> String {
    let iam = aws::iam(&deployed.world.net, account);
    let created = iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    created.access_key.unwrap().access_key_id
}

// T2.16
#[tokio::test]
async fn operator_user_name_ignores_case() {
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key.id, "--user", "CI-Deployer"]).await;
    let done = ran.done();
    assert!(done.contains("of ci-deployer in"), "{done}");
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Inactive");
}

fn denied() -> Interfere {
    Interfere::Status(400, r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned())
}

#[tokio::test]
async fn operator_deactivation_is_marked_audited_and_notified() {
    // An issued key gets its deactivation mark, is deactivated, audited, and its requester notified.
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    deployed.world.net.forget();
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key.id]).await;
    insta::assert_snapshot!(stable(&ran.done()), @r#"
    AKIAWORLD00000000002 of ci-deployer in 123456789012 (home) is inactive.

      keyvend      marked, so that nothing activates it again, issued to T0001.U0ALICE by request <request>
      IAM          inactive
      audit trail  recorded in <request>
      people       the requester and the approvers are notified within two minutes

    Next

      1. Sessions created with the key remain valid for up to 36 hours. Revoke them:
         aws iam put-user-policy --user-name ci-deployer --policy-name keyvend-sessions-ended \
           --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2025-11-24T16:00:02Z"}}}]}'
      2. Check what it was used for, in every region that you use:
         aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue=AKIAWORLD00000000002
         For every role that it assumed, revoke the sessions as well (IAM, the role, Revoke sessions).
      3. When nothing needs the key any more, delete it:
         aws iam delete-access-key --user-name ci-deployer --access-key-id AKIAWORLD00000000002
    "#);
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Inactive");
    let stored = item(&deployed, &key.id).await;
    assert_eq!(
        (&stored["state"]["S"], &stored["deactivation_reason"]["S"]),
        (&json!("INACTIVE"), &json!("reported"))
    );
    let arn = format!("arn:aws:iam::{HOME}:user/admin");
    assert_eq!(stored["deactivation_by"]["S"], arn);
    let calls = deployed.world.net.calls();
    let at = |service: &str, operation: &str| {
        calls.iter().position(|call| call.service == service && call.operation == operation).unwrap()
    };
    assert!(at("dynamodb", "UpdateItem") < at("iam", "UpdateAccessKey"), "marked before it is deactivated");
    assert!(at("iam", "UpdateAccessKey") < at("dynamodb", "ExecuteStatement"), "recorded when it is done");

    deployed.world.net.sqs().sweep();
    deployed.deliver_everything().await;
    let told = deployed.told(ALICE_OWNER);
    assert!(told.contains("was deactivated by") && told.contains(&key.id), "{told}");
    let channel = deployed.world.net.slack().messages(APPROVALS);
    assert!(channel.iter().any(|message| message.reading().contains("was deactivated by")));
    let verified = keyvend(&deployed.world, &["audit", "verify"]).await;
    assert_eq!(verified.ending, ExitStatus::Done, "{verified:?}");
    let trail = aws::items(&deployed.world.net, AUDIT).await;
    let off: Vec<&Value> = trail.values().filter(|item| item["event"]["S"] == "key.deactivated").collect();
    assert_eq!(off.len(), 1);
    assert_eq!((&off[0]["actor"]["S"], &off[0]["detail"]["M"]["key"]["S"]), (&json!(arn), &json!(key.id)));
    assert_eq!(
        off[0]["pk"]["S"],
        trail.values().find(|item| item["event"]["S"] == "issue.completed").unwrap()["pk"]["S"]
    );
}

#[tokio::test]
async fn unmanaged_key_deactivation_has_own_audit_chain() {
    // A key that keyvend did not issue is deactivated and audited in a chain of its own.
    let deployed = Deployed::new().await;
    let key = foreign(&deployed, HOME).await;
    let unsaid = keyvend(&deployed.world, &["key", "deactivate", &key]).await;
    assert_eq!(unsaid.ending, ExitStatus::Failed);
    assert!(
        unsaid.err.contains("Use --user") && unsaid.err.contains("get-access-key-last-used"),
        "{}",
        unsaid.err
    );
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key), "Active");
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key, "--user", "ci-deployer", "--json"]).await;
    let answer = ran.json();
    assert_eq!(ran.ending, ExitStatus::Done, "{answer}");
    assert_eq!(
        (&answer["marked"], &answer["inactive"], &answer["recorded"]),
        (&json!("nothing"), &json!("done"), &json!("done"))
    );
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key), "Inactive");
    let trail = aws::items(&deployed.world.net, AUDIT).await;
    assert_eq!(trail.values().next().unwrap()["pk"]["S"], answer["recorded_in"]);
}

#[tokio::test]
async fn a_wrong_name_does_nothing() {
    let deployed = Deployed::new().await;
    let (key, other) = (issued(&deployed).await, foreign(&deployed, HOME).await);
    let before = aws::items(&deployed.world.net, AUDIT).await;
    let cases: &[(&[&str], &str)] = &[
        (&[&key.id, "--user", "admin-bot"], "keyvend issued "),
        (&[&key.id, "--account", "sandbox"], "keyvend issued "),
        (&[&other, "--user", "admin-bot"], "has no key "),
        (&[&other, "--user", "ci-deployer", "--account", SANDBOX], "your credentials belong to account"),
        (&[&other, "--user", "ci-deployer", "--account", "elsewhere"], "there is no account `elsewhere`"),
    ];
    for (words, told) in cases {
        let ran = keyvend(&deployed.world, &[&["key", "deactivate"], *words].concat()).await;
        assert_eq!(ran.ending, ExitStatus::Failed, "{words:?}");
        assert!(ran.err.contains(told), "{words:?}: {}", ran.err);
    }
    assert!(item(&deployed, &key.id).await["deactivation_at"].is_null());
    for id in [&key.id, &other] {
        assert_eq!(status(&deployed, HOME, "ci-deployer", id), "Active");
    }
    assert_eq!(aws::items(&deployed.world.net, AUDIT).await, before);
}

// T6.8
#[tokio::test]
async fn table_failure_does_not_prevent_operator_deactivation() {
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    let words = ["key", "deactivate", &key.id, "--user", "ci-deployer", "--json"];
    deployed.world.net.before(|call| if call.service == "dynamodb" { denied() } else { Interfere::Pass });
    let ran = keyvend(&deployed.world, &words).await;
    assert_eq!(ran.ending, ExitStatus::Failed);
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Inactive");
    let answer = ran.json();
    assert_eq!(answer["inactive"], "done");
    assert!(answer["marked"]["failed"].as_str().unwrap().contains("AccessDenied"), "{answer}");
    assert!(answer["recorded"]["failed"].as_str().unwrap().contains("AccessDenied"), "{answer}");
    deployed.world.net.undisturbed();
    let again = keyvend(&deployed.world, &words).await;
    assert_eq!(again.ending, ExitStatus::Done, "{again:?}");
    assert_eq!(item(&deployed, &key.id).await["state"]["S"], "INACTIVE");
}

#[tokio::test]
async fn failed_operator_deactivation_reports_key_active() {
    // If IAM does not deactivate the key, the command says that it is still active.
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    let denied =
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    deployed.world.net.once("iam", "UpdateAccessKey", Interfere::Status(403, denied.to_owned()));
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key.id]).await;
    assert_eq!(ran.ending, ExitStatus::Failed);
    assert!(ran.out.contains("is NOT inactive."), "{}", ran.out);
    assert!(ran.out.contains("iam:UpdateAccessKey: AWS answered AccessDenied"), "{}", ran.out);
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Active");
    assert!(!item(&deployed, &key.id).await["deactivation_at"].is_null(), "nothing may switch it on again");
    let again = keyvend(&deployed.world, &["key", "deactivate", &key.id, "--json"]).await;
    assert_eq!(again.json()["marked"], "already");
    assert_eq!(again.ending, ExitStatus::Done);
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Inactive");
}

#[tokio::test]
async fn deleted_key_counts_as_deactivated() {
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    let iam = aws::iam(&deployed.world.net, HOME);
    iam.delete_access_key().user_name("ci-deployer").access_key_id(&key.id).send().await.unwrap();
    let early = keyvend(&deployed.world, &["key", "deactivate", &key.id]).await;
    assert!(early.out.contains("is NOT inactive."), "a new key may not be shown yet: {}", early.out);
    deployed.world.clock.advance(Duration::from_secs(60));
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key.id]).await.done();
    assert!(ran.contains("does not exist in IAM any more."), "{ran}");
}

/// IAM finds no key under the name that the user had: that is not the same as the key being gone.
#[tokio::test]
async fn key_of_renamed_user_is_deactivated() {
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    deployed.world.net.iam().rename(HOME, "ci-deployer", "ci-release", "/").await;
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key.id]).await.done();
    assert!(ran.contains(&format!("{} of ci-release in 123456789012 (home) is inactive.", key.id)), "{ran}");
    assert_eq!(status(&deployed, HOME, "ci-release", &key.id), "Inactive");
}

/// Right after a create IAM may not find the key: the command says that the key is active, and running it again deactivates it.
#[tokio::test]
async fn key_that_iam_does_not_find_yet_is_not_reported_gone() {
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    let missing =
        "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>";
    deployed.world.net.once("iam", "UpdateAccessKey", Interfere::Status(404, missing.to_owned()));
    let ran = keyvend(&deployed.world, &["key", "deactivate", &key.id]).await;
    assert_eq!(ran.ending, ExitStatus::Failed);
    assert!(
        ran.out.contains("is NOT inactive.") && ran.out.contains("does not find the key yet"),
        "{}",
        ran.out
    );
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Active");
    keyvend(&deployed.world, &["key", "deactivate", &key.id]).await.done();
    assert_eq!(status(&deployed, HOME, "ci-deployer", &key.id), "Inactive");
}

#[tokio::test]
async fn operator_session_allows_only_deactivation() {
    // A key of another account is deactivated through a role whose session allows only that.
    let deployed = Deployed::new().await;
    let key = foreign(&deployed, SANDBOX).await;
    let words =
        ["key", "deactivate", &key, "--user", "ci-deployer", "--account", "sandbox", "--role", ISSUER_ROLE];
    keyvend(&deployed.world, &words).await.done();
    assert_eq!(status(&deployed, SANDBOX, "ci-deployer", &key), "Inactive");
    let session = deployed.world.net.sts().sessions().pop().unwrap();
    let (actions, resources) = session.allowed().remove(0);
    assert_eq!(actions, ["iam:UpdateAccessKey"]);
    let arn = |path: &str| format!("arn:aws:iam::{SANDBOX}:user{path}ci-deployer");
    assert_eq!(resources, [arn("/"), arn("/*/")]);
    let own = foreign(&deployed, SANDBOX).await;
    let words = ["key", "deactivate", &own, "--user", "ci-deployer"];
    Operator::of(&deployed.world).in_account(SANDBOX).runs(&words).await.done();
    assert_eq!(status(&deployed, SANDBOX, "ci-deployer", &own), "Inactive");
}
