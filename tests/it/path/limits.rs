//! What is configured is kept to: accounts, the path, how long things last.

use std::time::Duration;

use testkit::aws::{self, SANDBOX};
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::steps::{ASK, text};

#[tokio::test]
async fn key_is_created_through_target_accounts_role() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create ci-deployer@sandbox use:cli ttl:30d testing").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let key = keyvend.reveals(&tab).await;
    assert_eq!(key.aad, format!("{SANDBOX}\nci-deployer\n{}", key.id));
    assert_eq!(aws::keys(&keyvend.world.net, SANDBOX, "ci-deployer")[0].id, key.id);
    assert_eq!(keyvend.key_ids(), Vec::<String>::new(), "and none at home");
    let sessions = aws::sessions(&keyvend.world.net);
    assert!(sessions.iter().all(|session| session.account == SANDBOX), "{sessions:?}");
    assert!(sessions.iter().all(|session| session.role == "keyvend-issuer"), "{sessions:?}");
    let lease = keyvend.item(&format!("lease#{SANDBOX}/ci-deployer")).await;
    assert!(!lease.is_null() && keyvend.item(&format!("lease#{HOME}/ci-deployer")).await.is_null());
}

#[tokio::test]
async fn iam_user_outside_path_is_ignored() {
    let keyvend = Deployed::with(&[("KEYVEND_IAM_PATH", "/bots/")]).await;
    keyvend.types(ALICE_OWNER, ASK).await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("is not under `/bots/`") && told.contains("Ask in <#C0GENERAL>"), "{told}");
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    let iam = aws::iam(&keyvend.world.net, HOME);
    let tag = aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value("U0ALICE").build().unwrap();
    iam.create_user().user_name("managed").path("/bots/").tags(tag).send().await.unwrap();
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "create managed use:cli ttl:30d testing").await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

#[tokio::test]
async fn configured_lifetimes_are_applied() {
    // Links and requests last as long as is configured, and keys no longer.
    let short =
        [("KEYVEND_TICKET_TTL", "60"), ("KEYVEND_REQUEST_TTL", "3600"), ("KEYVEND_MAX_KEY_DAYS", "14")];
    let keyvend = Deployed::with(&short).await;
    keyvend.types(ALICE_OWNER, ASK).await;
    assert!(
        keyvend.told(ALICE_OWNER).contains("longest lifetime is 14 days"),
        "{}",
        keyvend.told(ALICE_OWNER)
    );
    let ask = "create ci-deployer use:cli ttl:14d testing";
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, ask).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let tab = keyvend.collects(&ready).await;
    keyvend.world.clock.advance(Duration::from_secs(60));
    assert_eq!(keyvend.turned_away(&tab).await, (410, "expired".to_owned()));
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, &format!("{ask} again")).await;
    keyvend.world.clock.advance(Duration::from_secs(3_600));
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "EXPIRED");
}

#[tokio::test]
async fn status_lists_own_requests_newest_first() {
    // A person sees their own requests, and cancels the one that is named.
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "status").await;
    assert!(keyvend.told(ALICE_OWNER).contains("You have no requests yet"), "{}", keyvend.told(ALICE_OWNER));
    keyvend.types(ALICE_OWNER, "cancel").await;
    assert!(keyvend.told(ALICE_OWNER).contains("no request that can be cancelled"));
    for user in ["admin-bot", "ci-deployer", "group-owned"] {
        keyvend.world.clock.advance(Duration::from_secs(1));
        keyvend.types(ALICE_OWNER, &format!("create {user} use:cli ttl:7d testing")).await;
    }
    let ids: Vec<String> = keyvend.requests().await.iter().map(|request| text(&request["id"])).collect();
    keyvend.denies(BOB_APPROVER, &keyvend.card(), "not wanted").await;
    keyvend.types(ALICE_OWNER, "status").await;
    let told = keyvend.told(ALICE_OWNER);
    let at = |part: &str| told.find(part).unwrap_or_else(|| panic!("{part} is not in {told}"));
    assert!(at(&ids[2]) < at(&ids[1]) && at(&ids[1]) < at(&ids[0]), "{told}");
    assert!(told.lines().next().unwrap().contains("denied by <@U0BOB>"), "{told}");
    keyvend.types(ALICE_OWNER, &format!("status {}", ids[1])).await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains(&ids[1]) && !told.contains(&ids[0]), "{told}");
    // Two still wait, so none is taken back before it is named.
    keyvend.types(ALICE_OWNER, "cancel").await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains(&ids[0]) && told.contains(&ids[1]) && !told.contains(&ids[2]), "{told}");
    let stands = async || -> Vec<String> {
        keyvend.requests().await.iter().map(|request| text(&request["stands"])).collect()
    };
    assert_eq!(stands().await, ["PENDING", "PENDING", "DENIED"]);
    keyvend.types(ALICE_OWNER, &format!("cancel {}", ids[0])).await;
    assert_eq!(stands().await, ["CANCELLED", "PENDING", "DENIED"]);
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "cancel").await;
    assert_eq!(stands().await, ["CANCELLED", "CANCELLED", "DENIED"]);
}

/// The partition is configured, not assumed: nothing of ours exists in another, so there the role is asked for in vain.
#[tokio::test]
async fn issuer_role_is_assumed_in_configured_partition() {
    for (partition, wanted) in [("", "aws"), ("aws-us-gov", "aws-us-gov"), ("aws-cn", "aws-cn")] {
        let keyvend = Deployed::with(&[("KEYVEND_AWS_PARTITION", partition)]).await;
        keyvend.types(ALICE_OWNER, ASK).await;
        let assumed = keyvend.world.net.calls_to("sts", "AssumeRole");
        let role = assumed[0].parameters["RoleArn"].as_str().unwrap().to_owned();
        assert_eq!(role, format!("arn:{wanted}:iam::{HOME}:role/keyvend-issuer"));
    }
}
