//! `policy explain`: yes or no, by which policies, with the facts; out of a file, or looked up as the worker would.

use keyvend::cli::ExitStatus;
use serde_json::json;

use super::operator::{Operator, issued, keyvend, scratch};
use testkit::World;
use testkit::aws::{ISSUER_ROLE, SANDBOX};
use testkit::deployed::Deployed;

fn live<'w>(person: &'w str, user: &'w str, action: &'w str) -> Vec<&'w str> {
    vec!["policy", "explain", "--person", person, "--user", user, "--action", action]
}

#[tokio::test]
async fn a_case_is_explained() {
    let world = World::new().await;
    let no = "policies/DENY/without an approval a privileged IAM user lacks both.json";
    let ran = keyvend(&world, &["policy", "explain", no]).await;
    assert_eq!(ran.ending, ExitStatus::No);
    insta::assert_snapshot!(ran.out, @r"
    no: issue by T0HOME.UALICEOWNER on ci-deployer in 111122223333 (home)

      one-approval                             This needs an approval: ask an approver.
      two-approvals-for-a-privileged-iam-user  This IAM user has administrator-level permissions, so this needs two approvals: ask two approvers.

    A key like this needs 2 approvals.

    Decided with

      person        T0HOME.UALICEOWNER, a full member
      in groups     none
      address       none
      IAM user      ci-deployer in 111122223333 (home), path /
      owners        UALICEOWNER
      privileged    yes
      quarantined   no
      IAM groups    none
      tags          none
      keys          none
      requester     T0HOME.UALICEOWNER
      use           outside-aws
      days          30
      approvals     0
      issued today  0
    ");
    let yes = "policies/ALLOW/an owner requests a key of their own IAM user.json";
    let ran = keyvend(&world, &["policy", "explain", yes]).await;
    insta::assert_snapshot!(ran.done(), @r"
    yes: request by T0HOME.UALICEOWNER on ci-deployer in 111122223333 (home)

      may-request  permits it

    A key like this needs 1 approval.

    Decided with

      person        T0HOME.UALICEOWNER, a full member
      in groups     none
      address       none
      IAM user      ci-deployer in 111122223333 (home), path /
      owners        UALICEOWNER
      privileged    no
      quarantined   no
      IAM groups    none
      tags          none
      keys          none
      requester     T0HOME.UALICEOWNER
      use           outside-aws
      days          30
      approvals     0
      issued today  0
    ");
    let key = "policies/DENY/a requester activates a reported key.json";
    let ran = keyvend(&world, &["policy", "explain", key]).await;
    assert!(ran.out.contains("requested by T0HOME.UALICEOWNER; risk flags: reported"), "{}", ran.out);
    let freeze = "policies/DENY/an owner who is no approver freezes.json";
    let ran = keyvend(&world, &["policy", "explain", freeze]).await;
    assert!(ran.out.starts_with("no: freeze by T0HOME.UALICEOWNER in 111122223333 (home)\n"), "{}", ran.out);
}

#[tokio::test]
async fn no_policy_is_an_answer_too() {
    let world = World::new().await;
    let dir = scratch("explain-nothing");
    std::fs::copy("policies/schema.cedarschema", dir.join("schema.cedarschema")).unwrap();
    std::fs::write(
        dir.join("a.cedar"),
        "@id(\"l\")\npermit (principal, action == Action::\"list\", resource);",
    )
    .unwrap();
    let words =
        ["policy", "explain", "policies/ALLOW/an approver freezes.json", "--policies", dir.to_str().unwrap()];
    let ran = keyvend(&world, &words).await;
    assert_eq!(ran.ending, ExitStatus::No);
    assert!(ran.out.contains("no policy permits it"), "{}", ran.out);
    std::fs::write(dir.join("a.cedar"), "permit (principal, action, resource);").unwrap();
    let invalid = keyvend(&world, &words).await;
    assert_eq!(invalid.ending, ExitStatus::Failed);
    assert!(
        invalid.err.contains("1 problem in the policies") && invalid.err.contains("keyvend policy check "),
        "{}",
        invalid.err
    );
}

#[tokio::test]
async fn explain_loads_and_prints_facts() {
    let deployed = Deployed::new().await;
    let ran = keyvend(&deployed.world, &live("U0ALICE", "ci-deployer", "request")).await;
    insta::assert_snapshot!(ran.done(), @r"
    yes: request by T0001.U0ALICE on ci-deployer in 123456789012 (home)

      may-request  permits it

    A key like this needs 1 approval.

    Decided with

      person        T0001.U0ALICE, a full member
      in groups     none
      address       ...@example.com, confirmed
      IAM user      ci-deployer in 123456789012 (home), path /
      owners        U0ALICE
      privileged    no
      quarantined   no
      IAM groups    none
      policies      upload-artifacts
      tags          keyvend:owners = U0ALICE
      keys          none
      requester     T0001.U0ALICE
      use           other
      days          30
      approvals     0
      issued today  0
    ");
    let ran = keyvend(
        &deployed.world,
        &[live("U0MALLORY", "ci-deployer@home", "request"), vec!["--json"]].concat(),
    )
    .await;
    assert_eq!(ran.ending, ExitStatus::No);
    let answer = ran.json();
    assert_eq!(answer["policies"][0]["id"], "owners-only");
    assert!(answer["policies"][0]["advice"].as_str().unwrap().contains("not an owner"));
    assert_eq!(answer["facts"]["person"]["email_domain"], "example.com");
    assert_eq!(answer["facts"]["iam_user"]["owners"], json!(["U0ALICE"]));
    assert!(!ran.out.contains("mallory@"), "{}", ran.out);
}

#[tokio::test]
async fn explain_agrees_with_worker() {
    // The decision and its facts are those of the worker.
    let deployed = Deployed::new().await;
    let world = &deployed.world;
    let table: &[(&str, &str, &[&str], bool, &str)] = &[
        ("U0ALICE", "ci-deployer", &["--action", "issue"], false, "one-approval"),
        ("U0ALICE", "ci-deployer", &["--action", "issue", "--approvals", "1"], true, "may-issue"),
        (
            "U0ALICE",
            "admin-bot",
            &["--action", "issue", "--approvals", "1"],
            false,
            "two-approvals-for-a-privileged-iam-user",
        ),
        ("U0ALICE", "admin-bot", &["--action", "issue", "--approvals", "2"], true, "may-issue"),
        ("U0ALICE", "quarantined-bot", &["--action", "request"], false, "no-keys-while-quarantined"),
        (
            "U0ALICE",
            "ci-deployer",
            &["--action", "request", "--use-case", "aws-compute"],
            false,
            "no-keys-for-aws-compute",
        ),
        ("U0ALICE", "ci-deployer", &["--action", "request", "--days", "91"], false, "one-to-ninety-days"),
        ("U0ALICE", "group-owned", &["--action", "request"], true, "may-request"),
        ("U0BOB", "ci-deployer", &["--action", "approve", "--requester", "U0ALICE"], true, "may-approve"),
        (
            "U0BOB",
            "ci-deployer",
            &["--action", "approve", "--requester", "U0BOB"],
            false,
            "not-your-own-request",
        ),
        (
            "U0ALICE",
            "ci-deployer",
            &["--action", "approve", "--requester", "T0001.U0BOB"],
            false,
            "approvers-approve",
        ),
        ("T0001.U0GUS", "ci-deployer", &["--action", "list"], false, "no-guests"),
        ("U0BOB", "ci-deployer", &["--action", "freeze"], true, "may-freeze"),
        (
            "U0ALICE",
            "ci-deployer",
            &["--action", "delete", "--key", "AKIAIOSFODNN7EXAMPLE"],
            true,
            "may-delete",
        ),
        (
            "U0ALICE",
            "ci-deployer",
            &["--action", "activate", "--key", "AKIAIOSFODNN7EXAMPLE", "--concern", "reported"],
            false,
            "concerns-need-another-approver",
        ),
    ];
    for (person, user, more, allowed, by) in table {
        let words = [&["policy", "explain", "--json", "--person", person, "--user", user], *more].concat();
        let answer = keyvend(world, &words).await.json();
        let policies = answer["policies"].as_array().unwrap();
        assert_eq!(answer["allowed"], *allowed, "{words:?}: {answer}");
        assert!(policies.iter().any(|policy| policy["id"] == *by), "{words:?}: {answer}");
    }
    let waits =
        keyvend(world, &[live("U0ALICE", "admin-bot", "request"), vec!["--json"]].concat()).await.json();
    assert_eq!(waits["needed_approvals"], 2);
}

#[tokio::test]
async fn explain_reads_table_for_recorded_facts() {
    // The number of keys issued today and the requester of a key are read from the table.
    let deployed = Deployed::new().await;
    let key = issued(&deployed).await;
    let words = [live("U0ALICE", "ci-deployer", "request"), vec!["--json"]].concat();
    let counted = keyvend(&deployed.world, &words).await.json();
    assert_eq!(counted["facts"]["asked"]["issued_today"], 1);
    let uncounted = Operator::of(&deployed.world).with("KEYVEND_REQUESTS_TABLE", "").runs(&words[..8]).await;
    assert!(uncounted.done().contains("0 (unknown without --requests-table)"));
    let words = [live("U0BOB", "ci-deployer", "deactivate"), vec!["--key", &key.id, "--json"]].concat();
    let answer = keyvend(&deployed.world, &words).await.json();
    assert_eq!(answer["facts"]["key"]["requester"], "T0001.U0ALICE");
    assert!(!answer.to_string().contains(&key.secret));
}

#[tokio::test]
async fn explain_reaches_other_accounts() {
    // Another account is read with its own credentials or through a role.
    let deployed = Deployed::new().await;
    let world = &deployed.world;
    let words = live("U0ALICE", "ci-deployer@sandbox", "request");
    let refused = keyvend(world, &words).await;
    assert_eq!(refused.ending, ExitStatus::Failed);
    insta::assert_snapshot!(refused.err, @r"
    error: your credentials belong to account 123456789012, but the IAM user is in 210987654321 (sandbox)
    Use --role with a role in that account that they may assume, or --profile with credentials of that account.
    ");
    let own = Operator::of(world).in_account(SANDBOX).runs(&words).await.done();
    assert!(own.contains(&format!("ci-deployer in {SANDBOX} (sandbox)")), "{own}");
    let through = keyvend(world, &[words, vec!["--role", ISSUER_ROLE]].concat()).await.done();
    assert_eq!(through, own);
    let session = world.net.sts().sessions().pop().unwrap();
    assert_eq!(
        (session.account.as_str(), session.name.as_str(), session.source_identity.as_deref()),
        (SANDBOX, "keyvend-admin", None)
    );
    let (actions, _) = session.allowed().remove(0);
    let reads = |action: &String| action.starts_with("iam:Get") || action.starts_with("iam:List");
    assert!(actions.iter().all(reads), "{actions:?}");
}

#[tokio::test]
async fn explain_names_missing_settings() {
    let world = World::new().await;
    let words = live("U0ALICE", "ci-deployer", "request");
    let told = async |operator: Operator<'_>, words: &[&str]| {
        let ran = operator.runs(words).await;
        assert_eq!(ran.ending, ExitStatus::Failed, "{ran:?}");
        ran.err
    };
    let no_token = told(Operator::of(&world).with("KEYVEND_BOT_TOKEN", ""), &words).await;
    assert!(
        no_token.contains("KEYVEND_BOT_TOKEN is not set") && no_token.contains("secretsmanager"),
        "{no_token}"
    );
    let no_channel = told(Operator::of(&world).with("KEYVEND_APPROVALS_CHANNEL", ""), &words).await;
    assert!(no_channel.contains("KEYVEND_APPROVALS_CHANNEL is not set"), "{no_channel}");
    let no_team = told(Operator::of(&world).with("KEYVEND_SLACK_TEAM_IDS", ""), &words).await;
    assert!(no_team.contains("Use T....U0ALICE"), "{no_team}");
    let wrong_token = told(Operator::of(&world).with("KEYVEND_BOT_TOKEN", "xoxb-wrong"), &words).await;
    assert!(
        wrong_token.contains("invalid_auth") && wrong_token.contains("Check KEYVEND_BOT_TOKEN"),
        "{wrong_token}"
    );
    let nobody = told(Operator::of(&world), &live("U0ALICE", "nobody", "request")).await;
    assert!(nobody.contains("there is no IAM user nobody in "), "{nobody}");
    let no_alias = told(Operator::of(&world), &live("U0ALICE", "ci@elsewhere", "request")).await;
    assert!(no_alias.contains("`elsewhere`") && no_alias.contains("home, sandbox"), "{no_alias}");
    let no_key = told(Operator::of(&world), &live("U0ALICE", "ci-deployer", "rotate")).await;
    assert!(no_key.contains("--key"), "{no_key}");
}
