//! Loading a folder of policies: what is refused, with the file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keyvend::id::UserGroupId;
use keyvend::policy::{InvalidPolicies, Policies};

use crate::policies::{default_policies, folder, load, shipped};

fn refused(dir: &Path) -> InvalidPolicies {
    match Policies::load(dir) {
        Ok(_) => panic!("{} is valid", dir.display()),
        Err(invalid) => invalid,
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
