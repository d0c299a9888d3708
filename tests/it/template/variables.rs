//! The environment variables and parameters: each function gets those it reads, within their limits.

use std::collections::BTreeMap;

use keyvend::config::{RevealConfig, SlackConfig, WorkerConfig};

use crate::template::{CONFIG, ISSUER_ROLE, Names, TEMPLATE, names, part, quoted, variables};

#[test]
fn each_function_is_given_the_variables_it_reads() {
    let given = |function: &str| -> BTreeMap<String, String> {
        let value = |name: &str| match name {
            "KEYVEND_ACCOUNTS" => r#"{"home":"123456789012"}"#.to_owned(),
            "KEYVEND_REVEAL_URL" => "https://keys.example.com/reveal".to_owned(),
            "KEYVEND_APPROVALS_CHANNEL" => "C0APPROVE".to_owned(),
            name if name.ends_with("_QUEUE_URL") => {
                "https://sqs.eu-west-1.amazonaws.com/123456789012/q.fifo".to_owned()
            }
            name if name.ends_with("_TABLE") || name.ends_with("_ID") || name.ends_with("_NAME") => {
                if name == "KEYVEND_SLACK_APP_ID" { String::new() } else { "x".to_owned() }
            }
            _ => String::new(),
        };
        variables(function).into_iter().map(|name| (name.clone(), value(&name))).collect()
    };
    SlackConfig::read(&given("Slack")).unwrap();
    RevealConfig::read(&given("Reveal")).unwrap();
    WorkerConfig::read(&given("Worker")).unwrap();
}

#[test]
fn template_sets_every_variable_it_should() {
    // Variables for other places are left out.
    let all: Names = ["Slack", "Reveal", "Worker"].into_iter().flat_map(variables).collect();
    let elsewhere = names(["KEYVEND_BOT_TOKEN", "KEYVEND_POLICY_DIR"]);
    let read = quoted(CONFIG, "KEYVEND_");
    assert_eq!(&all | &elsewhere, read);
    assert_eq!(&all & &elsewhere, Names::new());
}

// T2.8
#[test]
fn an_iam_path_is_no_pattern() {
    for template in [TEMPLATE, ISSUER_ROLE] {
        let parameter = part(template, &["Parameters:", "IamPath:"]);
        // All that IAM allows in a path, but `$`, `*` and `?`.
        assert!(parameter.contains(r#"AllowedPattern: "/([!-#%-)+->@-~]+/)?""#), "{parameter}");
    }
    let allowed = |c: char| {
        [('!', '#'), ('%', ')'), ('+', '>'), ('@', '~')].iter().any(|(from, to)| (*from..=*to).contains(&c))
    };
    let refused: String = ('!'..='~').filter(|c| !allowed(*c)).collect();
    assert_eq!(refused, "$*?");
}

// T3.9
#[test]
fn link_lifetime_is_limited_to_an_hour() {
    let parameter = part(TEMPLATE, &["Parameters:", "TicketTtl:"]);
    assert!(parameter.contains("MaxValue: 3600"), "{parameter}");
}
