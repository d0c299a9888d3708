//! The patterns of the template's parameters, against values that are right and values as a shell or a tool leaves them.

use regex_lite::Regex;

const TEMPLATE: &str = include_str!("../../template.yaml");

/// Whether a parameter takes a value; CloudFormation matches the whole of it.
fn takes(parameter: &str, value: &str) -> bool {
    let (_, text) = TEMPLATE.split_once(&format!("\n  {parameter}:\n")).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("AllowedPattern: ")).unwrap();
    let pattern = line.strip_prefix(['\'', '"']).and_then(|line| line.strip_suffix(['\'', '"'])).unwrap();
    Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(value)
}

#[test]
fn accounts_that_lost_their_quotes_are_rejected() {
    let hundred: Vec<String> = (0..100).map(|n| format!("team-{n}-production:{n:012}")).collect();
    for value in [
        "",
        "prod:123456789012",
        "prod:123456789012,dev:210987654321",
        &hundred.join(","),
        "accounts.json",
        r#"{"prod":"123456789012"}"#,
        r#"{"prod": "123456789012", "dev": "210987654321"}"#,
    ] {
        assert!(takes("Accounts", value), "{value}");
    }
    for value in [
        // What a shell or --parameter-overrides leaves of JSON.
        "{prod:123456789012}",
        r#"{"prod":"#,
        r#"{\"prod\":\"123456789012\"}"#,
        "'prod:123456789012'",
        "{}",
        r#"{"prod":123456789012}"#,
        r#"{"prod":"12345678901"}"#,
        r#"{"Prod":"123456789012"}"#,
        "123456789012",
        "prod=123456789012",
        "prod:123456789012,",
        "prod:123456789012 dev:210987654321",
        "prod:1234567890123",
        "prod prod:123456789012",
        "other.json",
        "accounts_json",
    ] {
        assert!(!takes("Accounts", value), "{value}");
    }
}

#[test]
fn slash_command_begins_with_its_slash() {
    for value in ["/access-key", "/k", "/aws_keys-2"] {
        assert!(takes("SlashCommand", value), "{value}");
    }
    for value in ["", "/", "access-key", "/Access", "/a b", "/a`b", &format!("/{}", "x".repeat(33))] {
        assert!(!takes("SlashCommand", value), "{value}");
    }
}
