//! The cases in policies/ALLOW and policies/DENY: what their names say, and how they are read.

use std::collections::BTreeSet;
use std::fs;

use keyvend::policy::test_cases;

use crate::policies::{default_policies, folder, shipped};

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
