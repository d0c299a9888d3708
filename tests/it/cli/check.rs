//! `policy check`: invalid policies and cases that do not hold are refused with where they stand, and what is valid but
//! makes no sense is warned of.

use std::fs;
use std::path::{Path, PathBuf};

use keyvend::cli::ExitStatus;
use serde_json::{Value, json};

use super::operator::{Operator, Ran, keyvend, scratch};
use testkit::World;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

type Change<'c> = &'c dyn Fn(&str) -> String;

/// The shipped policies without their cases, some files changed or added.
fn folder(name: &str, files: &[(&str, Change<'_>)]) -> PathBuf {
    let dir = scratch(name);
    for file in fs::read_dir(SHIPPED).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), dir.join(file.file_name())).unwrap();
        }
    }
    for (file, change) in files {
        let path = dir.join(file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let changed = change(&text);
        assert_ne!(changed, text, "{file} is as it was");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, changed).unwrap();
    }
    dir
}

fn more(text: &'static str) -> impl Fn(&str) -> String {
    move |file| format!("{file}\n{text}")
}

async fn check(dir: &Path) -> Ran {
    let world = World::new().await;
    keyvend(&world, &["policy", "check", dir.to_str().unwrap(), "--json"]).await
}

async fn warnings(dir: &Path) -> Value {
    let ran = check(dir).await;
    assert_eq!(ran.ending, ExitStatus::Done, "{ran:?}");
    ran.json()["warnings"].clone()
}

const ALL_USES: [&str; 6] = ["cli", "local-code", "aws-compute", "third-party", "outside-aws", "other"];
/// What the shipped policies let anybody ask for.
const USES: [&str; 5] = ["cli", "local-code", "third-party", "outside-aws", "other"];

#[tokio::test]
async fn shipped_policies_pass_check_without_warnings() {
    let world = World::new().await;
    let ran = keyvend(&world, &["policy", "check", "policies"]).await;
    let cases: usize = ["ALLOW", "DENY"]
        .map(|name| fs::read_dir(Path::new(SHIPPED).join(name)).unwrap().count())
        .iter()
        .sum();
    let policies: usize = fs::read_dir(SHIPPED)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "cedar"))
        .map(|file| fs::read_to_string(file).unwrap().matches("@id(").count())
        .sum();
    assert_eq!(ran.done(), format!("policies: {policies} policies are valid. {cases} test cases pass.\n"));
    let configured =
        Operator::of(&world).with("KEYVEND_POLICY_DIR", SHIPPED).runs(&["policy", "check"]).await;
    assert!(configured.done().starts_with(SHIPPED));
}

#[tokio::test]
async fn invalid_policy_is_named_with_its_line() {
    // An error names the file, the line and the policy.
    let wrong = "@id(\"typo\")\n@advice(\"Ask.\")\nforbid (principal, action, resource)\nwhen { principal.gest };\n\
                 @id(\"no-advice\")\nforbid (principal, action, resource);\n";
    let dir = folder("invalid", &[("zz.cedar", &more(wrong))]);
    let ran = check(&dir).await;
    assert_eq!(ran.ending, ExitStatus::No);
    // What is found while reading comes first, and what only the schema shows after it is put right.
    let problems = ran.json()["problems"].clone();
    assert_eq!(
        problems,
        json!([{
            "file": "zz.cedar", "line": 6, "policy": "no-advice",
            "reason": "a policy that forbids without @advice(\"...\")",
        }])
    );
    let typo = wrong.split("@id(\"no-advice\")").next().unwrap().to_owned();
    let dir = folder("typo", &[("zz.cedar", &move |_: &str| typo.clone())]);
    let ran = check(&dir).await;
    let problem = ran.json()["problems"][0].clone();
    assert_eq!(
        (&problem["file"], &problem["line"], &problem["policy"]),
        (&json!("zz.cedar"), &json!(4), &json!("typo"))
    );
    let world = World::new().await;
    let ran = keyvend(&world, &["policy", "check", dir.to_str().unwrap()]).await;
    assert!(ran.out.starts_with("zz.cedar:4: "), "{}", ran.out);
    assert!(ran.out.contains("`typo`") && ran.out.contains("gest"), "{}", ran.out);
    assert!(ran.out.ends_with("do not deploy them.\n"), "{}", ran.out);
}

#[tokio::test]
async fn unsatisfiable_policy_is_invalid() {
    let never = "@id(\"never\") @advice(\"Ask.\")\nforbid (principal, action, resource)\nwhen { principal.guest && principal == resource };";
    let ran = check(&folder("impossible", &[("zz.cedar", &more(never))])).await;
    assert_eq!(ran.ending, ExitStatus::No);
    assert_eq!(ran.json()["problems"][0]["policy"], "never");
}

#[tokio::test]
async fn failing_or_missing_cases_are_reported() {
    // A test case with another outcome is reported, and so is a set with only ALLOW or only DENY cases.
    let allow = r#"{"principal": {"id": "UEVE"}, "action": "list"}"#;
    let deny = r#"{"principal": {"id": "UEVE"}, "action": "list", "by": ["owners-and-approvers"]}"#;
    let dir = folder(
        "cases",
        &[("ALLOW/a stranger lists.json", &more(allow)), ("DENY/a stranger lists.json", &more(deny))],
    );
    let ran = check(&dir).await;
    assert_eq!(ran.ending, ExitStatus::No);
    let problems = ran.json()["problems"].clone();
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    assert_eq!(problems[0]["file"], "ALLOW/a stranger lists.json");
    assert!(problems[0]["reason"].as_str().unwrap().contains("owners-and-approvers"), "{problems}");
    let half = check(&folder("half", &[("DENY/a stranger lists.json", &more(deny))])).await;
    assert_eq!(half.ending, ExitStatus::No);
    assert!(half.json()["problems"][0]["reason"].as_str().unwrap().contains("ALLOW"), "{half:?}");
}

#[tokio::test]
async fn policy_without_case_is_warned_about() {
    let allow = r#"{"principal": {"id": "UEVE"}, "action": "list", "iam_user": {"owners": ["UEVE"]}}"#;
    let deny = r#"{"principal": {"id": "UEVE"}, "action": "list", "by": ["owners-and-approvers"]}"#;
    let dir = folder("idle", &[("ALLOW/a.json", &more(allow)), ("DENY/a.json", &more(deny))]);
    let warned = warnings(&dir).await;
    let of = |id: &str| json!({"warning": "not-in-any-case", "policy": id});
    let warned = warned.as_array().unwrap();
    assert!(warned.contains(&of("no-guests")) && warned.contains(&of("may-issue")), "{warned:?}");
    assert!(!warned.contains(&of("may-list")) && !warned.contains(&of("owners-and-approvers")), "{warned:?}");
    // Without any cases there is nothing to hold the policies against.
    assert_eq!(warnings(&folder("no-cases", &[])).await, json!([]));
}

#[tokio::test]
async fn action_permitted_by_no_policy_is_warned_about() {
    // The warning says which requests depend on the action.
    let without = |text: &str| {
        text.replace("@id(\"may-approve\")\npermit (principal, action == Action::\"approve\", resource);", "")
    };
    let warned = warnings(&folder("nobody-approves", &[("permits.cedar", &without)])).await;
    let waits = |privileged: bool, needed: u32| {
        json!({
            "warning": "nobody-could-approve", "privileged": privileged, "use_cases": USES, "needed": needed, "by": [],
        })
    };
    let nobody = json!({"warning": "nobody-may", "action": "approve"});
    assert_eq!(warned, json!([nobody, waits(false, 1), waits(true, 2)]));
    let world = World::new().await;
    let dir = folder("nobody-approves", &[("permits.cedar", &without)]);
    let told = keyvend(&world, &["policy", "check", dir.to_str().unwrap()]).await.done();
    insta::assert_snapshot!(told.replace(dir.to_str().unwrap(), "<dir>"), @r"
    warning: no policy permits `approve`: nobody can ever do this
    warning: a request for an IAM user that is not privileged would need 1 approval that nobody could give (no policy permits it; use: cli, local-code, third-party, outside-aws, other)
    warning: a request for a privileged IAM user would need 2 approvals that nobody could give (no policy permits it; use: cli, local-code, third-party, outside-aws, other)

    <dir>: 26 policies are valid. There are no test cases in ALLOW and DENY.
    ");
}

#[tokio::test]
async fn only_unapprovable_requests_are_warned_about() {
    let table: &[(&str, &str, Value)] = &[
        (
            "never",
            "@id(\"nine-eyes\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"issue\", resource)\nwhen { resource.privileged } unless { context.approvals >= 6 };",
            json!([{"warning": "never-issued", "privileged": true, "use_cases": USES, "by": ["nine-eyes"]}]),
        ),
        (
            "one-use-case",
            "@id(\"not-here\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"approve\", resource)\nwhen { context.use_case == UseCase::\"third-party\" && !resource.privileged };",
            json!([{
                "warning": "nobody-could-approve", "privileged": false, "use_cases": ["third-party"], "needed": 1,
                "by": ["not-here"],
            }]),
        ),
        (
            "a-group-of-their-own",
            "@id(\"seniors\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"approve\", resource)\nunless { principal in SlackGroup::\"S0SENIORS\" };",
            json!([]),
        ),
        (
            "an-address-of-their-own",
            "@id(\"ours\") @advice(\"Ask.\")\nforbid (principal, action, resource)\nunless { principal has email && principal.email like \"*@corp.example\" };",
            json!([]),
        ),
        (
            "one-person-for-one-approval",
            "@id(\"the-boss\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"approve\", resource)\nwhen { !resource.privileged } unless { principal == Person::\"T0HOME.U0BOSS\" };",
            json!([]),
        ),
        (
            "one-person-for-two-approvals",
            "@id(\"the-boss\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"approve\", resource)\nunless { principal == Person::\"T0HOME.U0BOSS\" };",
            json!([{
                "warning": "nobody-could-approve", "privileged": true, "use_cases": USES, "needed": 2,
                "by": ["the-boss"],
            }]),
        ),
    ];
    for (name, policy, expected) in table {
        let dir = folder(name, &[("zz.cedar", &|_: &str| (*policy).to_owned())]);
        assert_eq!(warnings(&dir).await, *expected, "{name}");
    }
    assert_eq!(ALL_USES.len(), USES.len() + 1);
}

#[tokio::test]
async fn redundant_policy_is_warned_about() {
    // A policy whose removal changes no decision is warned about.
    let table: &[(&str, &str, Value)] = &[
        (
            "a permit beside an unconditional one",
            "@id(\"team\")\npermit (principal in SlackGroup::\"S0TEAM\", action == Action::\"request\", resource)\nwhen { resource.path like \"/bots/*\" };",
            json!([{"warning": "shadowed", "policy": "team", "by": "may-request"}]),
        ),
        (
            "the same twice: the later one",
            "@id(\"z\")\npermit (principal, action == Action::\"list\", resource);",
            json!([{"warning": "shadowed", "policy": "z", "by": "may-list"}]),
        ),
        (
            "a permit for more than that",
            "@id(\"z\")\npermit (principal, action in [Action::\"list\", Action::\"delete\"], resource);",
            json!([
                {"warning": "shadowed", "policy": "may-list", "by": "z"},
                {"warning": "shadowed", "policy": "may-delete", "by": "z"},
            ]),
        ),
        (
            "what is permitted though it is forbidden to everybody",
            "@id(\"z\") @advice(\"Never.\")\nforbid (principal, action == Action::\"rotate\", resource);",
            json!([{"warning": "shadowed", "policy": "may-rotate", "by": "z"}]),
        ),
        (
            "what is forbidden to some is a difference",
            "@id(\"z\") @advice(\"Never.\")\nforbid (principal, action == Action::\"rotate\", resource in Account::\"111122223333\");",
            json!([]),
        ),
    ];
    for (name, policy, expected) in table {
        let dir = folder(&name.replace([' ', ':'], "-"), &[("zz.cedar", &|_: &str| (*policy).to_owned())]);
        assert_eq!(warnings(&dir).await, *expected, "{name}");
    }
}

#[tokio::test]
async fn wrong_accounts_file_is_a_problem() {
    let right =
        folder("accounts", &[("accounts.json", &|_: &str| "{\"prod\": \"123456789012\"}".to_owned())]);
    assert_eq!(check(&right).await.ending, ExitStatus::Done);
    let two = "{\n\"prod\": \"123456789012\",\n\"dev\": \"21098765432\"\n}";
    let wrong = folder("wrong-accounts", &[("accounts.json", &|_: &str| two.to_owned())]);
    let ran = check(&wrong).await;
    assert_eq!(ran.ending, ExitStatus::No, "{ran:?}");
    let problem = &ran.json()["problems"][0];
    assert_eq!(problem["file"], "accounts.json");
    assert!(
        problem["reason"].as_str().unwrap().starts_with("has as entry 2, \"dev\": \"21098765432\""),
        "{problem}"
    );
}
