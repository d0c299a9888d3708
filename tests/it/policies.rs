//! The default policies: every sentence in policies/ALLOW and policies/DENY, and what holds for all facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use keyvend::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account, IamUser};
use keyvend::domain::person::Person;
use keyvend::domain::use_case::UseCase;
use keyvend::id::{Digest256, PersonId, SlackUserId, UserGroupId};
use keyvend::policy::{
    Activate, Approve, Deactivate, Freeze, InvalidPolicies, Issue, KeyFacts, List, Policies, PolicyDecision,
    Request, RequestContext, RequiredApprovals, RiskFlag, distinct_approvals, test_cases,
};
use keyvend::time::Timestamp;
use proptest::prelude::*;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn default_policies() -> Policies {
    Policies::load(&shipped()).unwrap_or_else(|invalid| panic!("{invalid}"))
}

/// A folder with the shipped schema and these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies").join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    fs::copy(shipped().join("schema.cedarschema"), dir.join("schema.cedarschema")).unwrap();
    for (file, text) in files {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn load(name: &str, policies: &str) -> Policies {
    Policies::load(&folder(name, &[("one.cedar", policies)])).unwrap_or_else(|invalid| panic!("{invalid}"))
}

fn refused(dir: &Path) -> InvalidPolicies {
    match Policies::load(dir) {
        Ok(_) => panic!("{} is valid", dir.display()),
        Err(invalid) => invalid,
    }
}

fn person(id: &str, groups: &[&str]) -> Person {
    Person {
        id: PersonId::try_from(id.to_owned()).unwrap(),
        guest: false,
        external: false,
        deleted: false,
        bot: false,
        email: None,
        email_confirmed: false,
        utc_offset: 0,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn alice_owner() -> Person {
    person("T0HOME.UALICEOWNER", &[])
}

fn bob_approver() -> Person {
    person("T0HOME.UBOBAPPROVER", &["approvers"])
}

fn carol_approver() -> Person {
    person("T0HOME.UCAROLAPPROVER", &["approvers"])
}

fn mallory_outsider() -> Person {
    person("T0HOME.UMALLORYOUTSIDER", &[])
}

fn alices_iam_user() -> IamUser {
    IamUser {
        account: Account { alias: "home".parse().unwrap(), id: "111122223333".parse().unwrap() },
        name: "ci-deployer".parse().unwrap(),
        path: "/".to_owned(),
        tags: BTreeMap::new(),
        owners: BTreeSet::from([alice_owner().id.user]),
        owner_groups: BTreeSet::new(),
        groups: BTreeSet::new(),
        policies: BTreeSet::new(),
        policy_digest: Digest256::of(b""),
        boundary: None,
        privileged: false,
        quarantined: false,
        keys: Vec::new(),
    }
}

fn asked_by(requester: &Person) -> RequestContext {
    RequestContext {
        requester: requester.id.clone(),
        use_case: UseCase::OutsideAws,
        days: 30,
        approvals: 0,
        issued_today: 0,
        key: None,
    }
}

fn key(number: u32) -> KeyFacts {
    KeyFacts {
        id: format!("AKIA{number:012}").parse().unwrap(),
        requester: Some(alice_owner().id),
        concerns: BTreeSet::new(),
    }
}

// T2.3
#[test]
fn user_groups_are_found_anywhere_in_policies() {
    let policies = load(
        "groups",
        r#"
        // SlackGroup::"S0COMMENT" is named by nobody.
        @id("in-scope")
        @advice("Not you, SlackGroup::\"S0ADVICE\".")
        forbid (principal in SlackGroup::"S0SCOPE", action, resource);

        @id("in-conditions")
        permit (principal, action == Action::"request", resource)
        when {
            principal in [SlackGroup::"S0LIST", SlackGroup::"approvers"] ||
            (if resource.privileged then principal in SlackGroup::"S0DEEP" else resource.name == "SlackGroup::S0TEXT")
        }
        unless { resource.owner_groups.contains(SlackGroup::"S0OWNING") };

        @id("again")
        permit (principal, action == Action::"list", resource) when { principal in SlackGroup::"S0LIST" };
        "#,
    );
    let named: Vec<&str> = policies.slack_groups().map(UserGroupId::as_str).collect();
    assert_eq!(named, ["S0DEEP", "S0LIST", "S0OWNING", "S0SCOPE"]);
    assert_eq!(default_policies().slack_groups().count(), 0, "the shipped policies cost no look-up");
}

// T2.3
#[test]
fn invalid_user_group_is_refused_with_line() {
    let forbids = |group: &str| {
        format!(
            "@id(\"a\")\npermit (principal, action, resource);\n\n@id(\"b\")\n@advice(\"No.\")\nforbid (principal, action, resource)\nwhen {{ principal in SlackGroup::\"{group}\" }};\n"
        )
    };
    for (number, group) in ["contractors", "Approvers", "s0614TZR7", "@admins", ""].into_iter().enumerate() {
        let dir = folder(&format!("no-group-{number}"), &[("one.cedar", &forbids(group))]);
        let invalid = refused(&dir);
        assert_eq!(invalid.0.len(), 1, "{group}: {invalid}");
        assert_eq!(invalid.0[0].line, Some(4), "{group}: {invalid}");
        assert!(invalid.to_string().contains("the id of a Slack user group"), "{group}: {invalid}");
    }
    Policies::load(&folder("a-group", &[("one.cedar", &forbids("S0614TZR7"))])).unwrap();
}

// T2.7, T2.9, T2.17
#[test]
fn every_case_is_decided_as_its_name_says() {
    let policies = default_policies();
    let wrong: Vec<String> = test_cases::read(&shipped())
        .unwrap()
        .iter()
        .filter_map(|case| case.run(&policies).err().map(|error| format!("{error:#}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_policy_decides_a_case() {
    let policies = default_policies();
    let cases = test_cases::read(&shipped()).unwrap();
    let exercised: BTreeSet<String> = cases.iter().flat_map(|case| case.run(&policies).unwrap()).collect();
    let idle: Vec<&str> = policies.ids().filter(|id| !exercised.contains(*id)).collect();
    assert!(idle.is_empty(), "no case is decided by {idle:?}");
}

#[test]
fn failing_case_is_reported() {
    let policies = default_policies();
    let allowed =
        r#"{"principal": {"id": "UALICEOWNER"}, "action": "list", "iam_user": {"owners": ["UALICEOWNER"]}}"#;
    let denied = |by: &str| format!(r#"{{"principal": {{"id": "UEVE"}}, "action": "list", "by": [{by:?}]}}"#);
    let (right, other) = (denied("owners-and-approvers"), denied("no-guests"));
    let by = allowed.replace("}}", r#"}, "by": ["may-list"]}"#);
    let wrong_by = allowed.replace("}}", r#"}, "by": ["may-issue"]}"#);
    let table = [
        ("ALLOW/an owner lists.json", allowed, true),
        ("ALLOW/an owner lists for the right reason.json", &by, true),
        ("ALLOW/an owner lists for another reason.json", &wrong_by, false),
        ("ALLOW/a stranger lists.json", &right, false),
        ("DENY/a stranger lists.json", &right, true),
        ("DENY/a stranger lists for another reason.json", &other, false),
        ("DENY/an owner lists.json", &by, false),
    ];
    let files: Vec<(&str, &str)> = table.iter().map(|(file, text, _)| (*file, *text)).collect();
    let dir = folder("wrong-case", &files);
    for case in test_cases::read(&dir).unwrap() {
        let (_, _, holds) = table.iter().find(|(file, ..)| case.file.ends_with(file)).unwrap();
        assert_eq!(case.run(&policies).is_ok(), *holds, "{}", case.file.display());
    }
}

#[test]
fn unreadable_cases_and_empty_folders_are_refused() {
    let good = r#"{"principal": {"id": "UEVE"}, "action": "list", "by": ["owners-and-approvers"]}"#;
    let table: &[(&str, &[(&str, &str)])] = &[
        ("no-folders", &[]),
        ("no-deny-folder", &[("ALLOW/a.json", good)]),
        ("not-json", &[("ALLOW/a.json", good), ("DENY/a.json", "{")]),
        ("not-a-case", &[("ALLOW/a.json", good), ("DENY/a.txt", good)]),
        ("misspelt", &[("ALLOW/a.json", good), ("DENY/a.json", &good.replace("action", "acton"))]),
        (
            "misspelt-flag",
            &[("ALLOW/a.json", good), ("DENY/a.json", &good.replace(r#""UEVE""#, r#""UEVE", "gest": true"#))],
        ),
        ("unknown-action", &[("ALLOW/a.json", good), ("DENY/a.json", &good.replace("list", "lst"))]),
        (
            "denied-by-nothing",
            &[("ALLOW/a.json", good), ("DENY/a.json", &good.replace("\"owners-and-approvers\"", ""))],
        ),
    ];
    for (name, files) in table {
        assert!(test_cases::read(&folder(name, files)).is_err(), "{name}");
    }
    let empty = folder("empty-folder", &[("ALLOW/a.json", good)]);
    fs::create_dir(empty.join("DENY")).unwrap();
    assert!(format!("{:#}", test_cases::read(&empty).unwrap_err()).contains("no cases"));
    assert!(test_cases::read(&folder("good", &[("ALLOW/a.json", good), ("DENY/a.json", good)])).is_ok());
}

#[test]
fn invalid_policy_set_is_refused_with_line() {
    // The error names the file as well.
    let permit = "@id(\"may\")\npermit (principal, action, resource);\n";
    let table: &[(&str, String, &str, usize)] = &[
        (
            "unknown attribute",
            "@id(\"may\")\npermit (principal, action, resource)\nwhen {\n  principal.admin\n};".to_owned(),
            "admin",
            4,
        ),
        (
            "optional attribute unguarded",
            format!(
                "{permit}@id(\"b\") @advice(\"Ask.\")\nforbid (principal, action, resource)\nwhen {{ principal.email like \"*\" }};"
            ),
            "email",
            5,
        ),
        (
            "context of another action",
            format!(
                "{permit}\n@id(\"b\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"list\", resource)\nwhen {{ context.days > 1 }};"
            ),
            "days",
            6,
        ),
        (
            "misspelt use case",
            format!(
                "{permit}\n@id(\"b\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"issue\", resource)\nwhen {{ context.use_case == UseCase::\"aws-comput\" }};"
            ),
            "aws-comput",
            6,
        ),
        (
            "misspelt action",
            "@id(\"may\")\npermit (\n  principal,\n  action == Action::\"isue\",\n  resource\n);".to_owned(),
            "isue",
            4,
        ),
        (
            "impossible policy",
            format!(
                "{permit}\n\n@id(\"never\") @advice(\"Ask.\")\nforbid (principal, action, resource)\nwhen {{ principal.guest && !principal.guest && principal == resource }};"
            ),
            "never",
            5,
        ),
        ("no @id", format!("{permit}// why not\npermit (principal, action, resource);"), "without @id", 4),
        ("repeated @id", format!("{permit}\n{permit}"), "\"may\"", 4),
        ("no @advice", format!("{permit}@id(\"b\")\nforbid (principal, action, resource);"), "@advice", 3),
        ("empty @id", "@id(\"\")\npermit (principal, action, resource);".to_owned(), "@id", 1),
        ("@id with markup", "@id(\"<!here>\")\npermit (principal, action, resource);".to_owned(), "@id", 1),
        (
            "syntax error",
            format!("{permit}\n@id(\"b\")\npermit (principal, action resource);"),
            "resource",
            5,
        ),
        (
            "template",
            "@id(\"may\")\npermit (principal == ?principal, action, resource);".to_owned(),
            "template",
            1,
        ),
        (
            "letters that look like others",
            format!(
                "{permit}@id(\"b\") @advice(\"Ask.\")\nforbid (principal, action, resource)\nwhen {{ principal in SlackGroup::\"\u{0430}pprovers\" }};"
            ),
            "mixed scripts",
            5,
        ),
    ];
    for (name, text, reason, line) in table {
        let dir = folder(&name.replace(' ', "-"), &[("a.cedar", "// nothing yet\n"), ("b.cedar", text)]);
        let invalid = refused(&dir);
        let told = invalid.0.iter().any(|problem| {
            problem.file == "b.cedar" && problem.line == Some(*line) && problem.reason.contains(reason)
        });
        assert!(told, "{name}: {invalid}");
    }
}

#[test]
fn duplicate_policy_id_names_both_files() {
    let policy = "@id(\"may\")\npermit (principal, action, resource);";
    let text = refused(&folder("two-files", &[("a.cedar", policy), ("b.cedar", policy)])).to_string();
    assert!(text.starts_with("b.cedar:1: ") && text.contains("a.cedar:1"), "{text}");
}

#[test]
fn all_policy_errors_are_reported_together() {
    let invalid = refused(&folder(
        "several",
        &[
            ("a.cedar", "permit (principal, action, resource);"),
            ("b.cedar", "allow"),
            ("c.cedar", "@id(\"\")"),
        ],
    ));
    let files: BTreeSet<&str> = invalid.0.iter().map(|problem| problem.file.as_str()).collect();
    assert_eq!(files, BTreeSet::from(["a.cedar", "b.cedar", "c.cedar"]), "{invalid}");
}

#[test]
fn a_folder_without_schema_or_policies_is_refused() {
    let missing = refused(Path::new("/nowhere/at/all")).to_string();
    assert!(missing.starts_with("/nowhere/at/all: "), "{missing}");
    let none = refused(&folder("no-policies", &[])).to_string();
    assert!(none.contains("no policies"), "{none}");
    let dir = folder("no-schema", &[("a.cedar", "")]);
    fs::remove_file(dir.join("schema.cedarschema")).unwrap();
    let no_schema = refused(&dir).to_string();
    assert!(no_schema.starts_with("schema.cedarschema: "), "{no_schema}");
    let dir = folder("not-text", &[("a.cedar", "")]);
    fs::write(dir.join("a.cedar"), [0xff, 0xfe]).unwrap();
    let not_text = refused(&dir).to_string();
    assert!(not_text.starts_with("a.cedar: "), "{not_text}");
}

#[test]
fn schema_unfit_for_requests_is_refused() {
    let shipped = fs::read_to_string(shipped().join("schema.cedarschema")).unwrap();
    let permit = "@id(\"may\")\npermit (principal, action, resource);";
    let table = [
        ("syntax", "entity Account", "entty Account", "schema.cedarschema:5: "),
        ("missing attribute", "    quarantined: Bool,\n", "", "does not take"),
        ("more wanted", "    guest: Bool,\n", "    guest: Bool,\n    admin: Bool,\n", "does not take"),
        ("missing action", "action \"freeze\"", "action \"thaw\"", "`freeze`"),
        ("missing use case", ", \"outside-aws\"", "", "`request`"),
        ("missing concern", ", \"owner-left\"", "", "owner-left"),
        ("missing context", "    issued_today: Long,\n", "", "does not take"),
        ("missing tags", " tags String;", ";", "does not take"),
    ];
    for (name, from, to, reason) in table {
        assert!(shipped.contains(from), "{name}");
        let schema = shipped.replacen(from, to, 1);
        let files = [("schema.cedarschema", schema.as_str()), ("a.cedar", permit)];
        let text = refused(&folder(&format!("schema {name}"), &files)).to_string();
        assert!(text.starts_with("schema.cedarschema") && text.contains(reason), "{name}: {text}");
    }
}

// T2.18
#[test]
fn a_policy_that_cannot_be_evaluated_means_no() {
    let overflow = "context.days * 9223372036854775807 > 0";
    let permit = "@id(\"may\")\npermit (principal, action, resource);\n";
    let request = |policies: &Policies| {
        policies.decide(&alice_owner(), &Request(asked_by(&alice_owner())), &alices_iam_user())
    };
    let table = [
        (
            "a permit beside another",
            format!(
                "{permit}@id(\"broken\")\npermit (principal, action == Action::\"request\", resource)\nwhen {{ {overflow} }};"
            ),
        ),
        (
            "a forbid that is skipped",
            format!(
                "{permit}@id(\"broken\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"request\", resource)\nwhen {{ {overflow} }};"
            ),
        ),
    ];
    for (name, text) in table {
        let policies = load(&name.replace(' ', "-"), &text);
        match request(&policies) {
            PolicyDecision::Deny(denial) => {
                assert_eq!(denial.failed, ["broken"], "{name}");
                assert!(denial.by.is_empty() && denial.advice.is_empty(), "{name}: {denial:?}");
            }
            PolicyDecision::Allow { by } => panic!("{name}: allowed by {by:?}"),
        }
        let list = policies.decide(&alice_owner(), &List, &alices_iam_user());
        assert_eq!(list, PolicyDecision::Allow { by: vec!["may".to_owned()] }, "{name}");
    }
}

#[test]
fn what_no_policy_allows_is_denied_by_none() {
    let policies =
        load("nothing-allowed", "@id(\"may\")\npermit (principal, action == Action::\"list\", resource);");
    match policies.decide(&bob_approver(), &Freeze, &alices_iam_user().account) {
        PolicyDecision::Deny(denial) => {
            assert!(denial.by.is_empty() && denial.advice.is_empty() && denial.failed.is_empty())
        }
        PolicyDecision::Allow { by } => panic!("allowed by {by:?}"),
    }
}

#[test]
fn denial_advice_is_ordered_and_deduplicated() {
    // Advice comes in the order of the files.
    let forbid = |id: &str, advice: &str| {
        format!("@id({id:?}) @advice({advice:?})\nforbid (principal, action, resource);\n")
    };
    let first = [forbid("z", "Wait."), forbid("y", "Ask.")].concat();
    let second = [forbid("b", "Wait."), forbid("a", "Pay.")].concat();
    let dir = folder("order", &[("1.cedar", &first), ("2.cedar", &second)]);
    let policies = Policies::load(&dir).unwrap();
    for _ in 0..10 {
        match policies.decide(&alice_owner(), &List, &alices_iam_user()) {
            PolicyDecision::Deny(denial) => {
                assert_eq!(denial.by, ["z", "y", "b", "a"]);
                assert_eq!(denial.advice, ["Wait.", "Ask.", "Pay."]);
            }
            PolicyDecision::Allow { by } => panic!("allowed by {by:?}"),
        }
    }
}

#[test]
fn policies_can_use_every_documented_fact() {
    // Tags, groups, accounts, paths and email addresses.
    let rule = "@id(\"may\")
        permit (principal, action == Action::\"list\", resource in IamGroup::\"111122223333/bots\")
        when {
            resource.hasTag(\"team\") && resource.getTag(\"team\") == \"data\" && resource in Account::\"111122223333\" &&
            resource.path == \"/\" && resource.name like \"ci-*\" && resource.active_keys == 1 &&
            resource.inactive_keys == 0 && principal has email && principal.email like \"*@example.com\" &&
            principal.email_confirmed && principal in SlackGroup::\"SDATATEAM\"
        };";
    let policies = load("every-fact", rule);
    let alice = Person {
        email: Some("alice@example.com".to_owned()),
        email_confirmed: true,
        ..person("T0HOME.UALICEOWNER", &["SDATATEAM"])
    };
    let one_key = AccessKey {
        id: key(1).id,
        status: AccessKeyStatus::Active,
        create_date: Timestamp(0),
        last_used: AccessKeyLastUsed::Never,
    };
    let iam_user = IamUser {
        tags: BTreeMap::from([("team".to_owned(), "data".to_owned())]),
        groups: BTreeSet::from(["bots".to_owned()]),
        keys: vec![one_key],
        ..alices_iam_user()
    };
    let listed = |alice: &Person, iam_user: &IamUser| {
        matches!(policies.decide(alice, &List, iam_user), PolicyDecision::Allow { .. })
    };
    assert!(listed(&alice, &iam_user));
    assert!(!listed(&alice, &IamUser { groups: BTreeSet::new(), ..iam_user.clone() }));
    assert!(!listed(&alice, &IamUser { tags: BTreeMap::new(), ..iam_user.clone() }));
    assert!(!listed(&Person { email: None, ..alice.clone() }, &iam_user));
    assert!(!listed(&Person { groups: BTreeSet::new(), ..alice }, &iam_user));
}

#[test]
fn needed_approvals_are_the_fewest_that_are_allowed() {
    let policies = default_policies();
    let asked = RequestContext { approvals: 4, ..asked_by(&alice_owner()) };
    let needed = |iam_user: &IamUser, asked: &RequestContext| {
        policies.needed_approvals(&alice_owner(), iam_user, asked)
    };
    assert_eq!(needed(&alices_iam_user(), &asked), RequiredApprovals::Approvals(1));
    let privileged = IamUser { privileged: true, ..alices_iam_user() };
    assert_eq!(needed(&privileged, &asked), RequiredApprovals::Approvals(2));
    match needed(&privileged, &RequestContext { use_case: UseCase::AwsCompute, days: 100, ..asked }) {
        RequiredApprovals::Never(denial) => {
            assert_eq!(denial.by, ["no-keys-for-aws-compute", "one-to-ninety-days"])
        }
        needed @ RequiredApprovals::Approvals(_) => panic!("{needed:?}"),
    }
}

#[test]
fn needed_approvals_end_at_five() {
    let wanting = |count: u32| {
        let text = format!(
            "@id(\"may\")\npermit (principal, action == Action::\"issue\", resource)\nwhen {{ context.approvals >= {count} }};"
        );
        let policies = load(&format!("wanting-{count}"), &text);
        policies.needed_approvals(&alice_owner(), &alices_iam_user(), &asked_by(&alice_owner()))
    };
    assert_eq!(wanting(0), RequiredApprovals::Approvals(0));
    assert_eq!(wanting(5), RequiredApprovals::Approvals(5));
    assert!(
        matches!(wanting(6), RequiredApprovals::Never(denial) if denial.by.is_empty() && denial.failed.is_empty())
    );
}

// T2.5
#[test]
fn approvals_count_different_people_who_still_may() {
    let policies = default_policies();
    let asked = asked_by(&alice_owner());
    let eligible = [bob_approver(), carol_approver(), mallory_outsider(), alice_owner()];
    let eligible = eligible.into_iter().map(|person| person.id.user).collect();
    let count = |people: &[Person]| policies.approvals(people, &eligible, &alices_iam_user(), &asked);
    let dave_approver_since = person("T0HOME.UDAVE", &["approvers"]);
    let bob_elsewhere = person("T0OTHER.UBOBAPPROVER", &["approvers"]);
    let bob_left = Person { deleted: true, ..bob_approver() };
    let alice_approver = person("T0HOME.UALICEOWNER", &["approvers"]);
    assert_eq!(count(&[]), 0);
    assert_eq!(count(&[bob_approver(), carol_approver()]), 2);
    assert_eq!(count(&[bob_approver(), bob_approver(), bob_elsewhere]), 1);
    assert_eq!(count(&[bob_approver(), dave_approver_since]), 1, "no approver when the request was created");
    assert_eq!(count(&[bob_left, carol_approver(), mallory_outsider(), alice_approver]), 1);
}

// T2.7
#[test]
fn requester_and_key_holder_never_count_as_approvers() {
    // Whatever the policies say.
    let (alice, bob) = (alice_owner().id, bob_approver().id);
    let alice_elsewhere = PersonId { team: "T0OTHER".parse().unwrap(), ..alice.clone() };
    assert_eq!(distinct_approvals(&alice, None, []), 0);
    assert_eq!(distinct_approvals(&alice, None, [&alice, &alice_elsewhere]), 0);
    assert_eq!(distinct_approvals(&alice, None, [&alice, &bob, &bob]), 1);
    assert_eq!(distinct_approvals(&bob, Some(&alice), [&alice, &alice_elsewhere]), 0);
}

#[test]
fn an_authorisation_carries_exactly_what_was_decided() {
    let policies = default_policies();
    let iam_user = alices_iam_user();
    let issue = Issue(RequestContext { approvals: 1, ..asked_by(&alice_owner()) });
    let authorized = policies.authorize(&alice_owner(), issue.clone(), &iam_user).unwrap();
    assert_eq!(authorized.principal(), &alice_owner().id);
    assert_eq!(authorized.act(), &issue);
    assert_eq!(authorized.at().to_string(), "ci-deployer@home");
    assert_eq!(authorized.by(), ["may-issue"]);

    let deactivate = policies.authorize(&alice_owner(), Deactivate(key(7)), &iam_user).unwrap();
    assert_eq!(deactivate.act().0.id, key(7).id);
    let freeze = policies.authorize(&bob_approver(), Freeze, &iam_user.account).unwrap();
    assert_eq!(freeze.at(), &iam_user.account);

    let denial = policies.authorize(&mallory_outsider(), Activate(key(7)), &iam_user).unwrap_err();
    assert_eq!(denial.by, ["owners-only"]);
    assert_eq!(denial.advice.len(), 1);
}

#[test]
fn every_advice_is_one_plain_line() {
    for entry in fs::read_dir(shipped()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "cedar") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for advice in text.lines().filter_map(|line| line.strip_prefix("@advice(\"")) {
            let advice = advice.strip_suffix("\")").unwrap();
            assert!(advice.len() <= 160 && advice.ends_with('.'), "{}: {advice}", path.display());
            assert!(!advice.contains(['<', '>', '*', '_', '~', '&', '\\']), "{}: {advice}", path.display());
            assert_eq!(advice.matches('`').count() % 2, 0, "{}: {advice}", path.display());
        }
    }
}

// Few ids and groups, so that they meet.
fn some_user() -> impl Strategy<Value = SlackUserId> {
    prop::sample::select(vec!["UALICEOWNER", "UBOBAPPROVER", "UEVE"]).prop_map(|id| id.parse().unwrap())
}

fn some_id() -> impl Strategy<Value = PersonId> {
    (prop::sample::select(vec!["T0HOME", "T0OTHER"]), some_user())
        .prop_map(|(team, user)| PersonId { team: team.parse().unwrap(), user })
}

/// Mostly no: facts that are refused anyway show little.
fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.1)
}

fn some_person() -> impl Strategy<Value = Person> {
    let group = prop_oneof![
        3 => prop::sample::select(vec!["approvers".to_owned(), "SDATATEAM".to_owned()]),
        1 => any::<String>(),
    ];
    let flags = (rarely(), rarely(), rarely(), rarely());
    let address = (prop::option::of(any::<String>()), any::<bool>());
    (some_id(), flags, address, prop::collection::btree_set(group, 0..3)).prop_map(
        |(id, (guest, external, deleted, bot), (email, email_confirmed), groups)| Person {
            id,
            guest,
            external,
            deleted,
            bot,
            email,
            email_confirmed,
            utc_offset: 0,
            groups,
        },
    )
}

fn some_iam_user() -> impl Strategy<Value = IamUser> {
    let owner_group = Just("SDATATEAM".parse::<UserGroupId>().unwrap());
    (
        prop::collection::btree_set(some_user(), 0..3),
        prop::collection::btree_set(owner_group, 0..2),
        prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
        prop::collection::btree_set(any::<String>(), 0..2),
        any::<String>(),
        any::<bool>(),
        rarely(),
    )
        .prop_map(|(owners, owner_groups, tags, groups, path, privileged, quarantined)| IamUser {
            owners,
            owner_groups,
            tags,
            groups,
            path,
            privileged,
            quarantined,
            ..alices_iam_user()
        })
}

fn some_key() -> impl Strategy<Value = KeyFacts> {
    let concern = prop::sample::select(RiskFlag::ALL.to_vec());
    (prop::option::of(some_id()), prop::collection::btree_set(concern, 0..2))
        .prop_map(|(requester, concerns)| KeyFacts { requester, concerns, ..key(1) })
}

fn some_asked() -> impl Strategy<Value = RequestContext> {
    let days = prop_oneof![4 => 1..=90u32, 1 => any::<u32>()];
    let issued_today = prop_oneof![4 => 0..5u32, 1 => any::<u32>()];
    let use_case = prop::sample::select(UseCase::ALL.to_vec());
    (some_id(), use_case, days, 0..=6u32, issued_today, prop::option::of(some_key())).prop_map(
        |(requester, use_case, days, approvals, issued_today, key)| RequestContext {
            requester,
            use_case,
            days,
            approvals,
            issued_today,
            key,
        },
    )
}

/// Half of all requests are asked by who acts.
fn some_question() -> impl Strategy<Value = (Person, RequestContext, IamUser)> {
    (some_person(), some_asked(), some_iam_user(), any::<bool>()).prop_map(
        |(person, asked, iam_user, own)| {
            let requester = if own { person.id.clone() } else { asked.requester.clone() };
            (person, RequestContext { requester, ..asked }, iam_user)
        },
    )
}

fn allowed(verdict: &PolicyDecision) -> bool {
    match verdict {
        PolicyDecision::Allow { .. } => true,
        PolicyDecision::Deny(denial) => {
            assert!(denial.failed.is_empty(), "{denial:?}");
            false
        }
    }
}

#[test]
fn issuing_implies_creating_and_approvals_are_monotonic() {
    // For all facts, what may be issued could be requested, and another approval never turns a yes into a no.
    let policies = default_policies();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let issued = std::cell::Cell::new(0u32);
    runner
        .run(&(some_question(), 0..=5u32), |((person, asked, iam_user), more)| {
            let issue = allowed(&policies.decide(&person, &Issue(asked.clone()), &iam_user));
            if issue {
                issued.set(issued.get() + 1);
                let request = policies.decide(&person, &Request(asked.clone()), &iam_user);
                prop_assert!(allowed(&request), "issued but not asked for: {request:?}");
                let more = RequestContext { approvals: asked.approvals + more, ..asked };
                let again = policies.decide(&person, &Issue(more), &iam_user);
                prop_assert!(allowed(&again), "refused with more approvals: {again:?}");
            }
            Ok(())
        })
        .unwrap();
    assert!(issued.get() > 50, "only {} of the questions were answered yes", issued.get());
}

// T2.9
#[test]
fn nobody_approves_or_reactivates_own_request() {
    // For all facts.
    let policies = default_policies();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1000));
    runner
        .run(&(some_question(), some_key()), |((person, asked, iam_user), key)| {
            if allowed(&policies.decide(&person, &Approve(asked.clone()), &iam_user)) {
                prop_assert_ne!(&person.id.user, &asked.requester.user);
                prop_assert!(person.groups.contains("approvers"));
                prop_assert!(!(person.guest || person.external || person.deleted || person.bot));
            }
            let activate = policies.decide(&person, &Activate(key.clone()), &iam_user);
            if allowed(&activate) && !key.concerns.is_empty() {
                prop_assert!(key.requester.is_none_or(|requester| requester.user != person.id.user));
                prop_assert!(person.groups.contains("approvers"));
            }
            Ok(())
        })
        .unwrap();
}
