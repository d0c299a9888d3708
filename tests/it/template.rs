//! The templates say of the deployed functions what the code needs and the test world grants: no variable, attribute
//! or right too few, and none too many.

mod api;
mod partitions;
mod queues;
mod rights;
mod slack_app;
mod stores;
mod variables;

use std::collections::BTreeSet;

const TEMPLATE: &str = include_str!("../../template.yaml");
const ISSUER_ROLE: &str = include_str!("../../deploy/issuer-role.yaml");
const MANIFEST: &str = include_str!("../../deploy/slack-manifest.yaml");
const CONFIG: &str = concat!(
    include_str!("../../src/config/accounts.rs"),
    include_str!("../../src/config/aws.rs"),
    include_str!("../../src/config/cli.rs"),
    include_str!("../../src/config/reveal.rs"),
    include_str!("../../src/config/slack.rs"),
    include_str!("../../src/config/worker.rs"),
);
const SLACK_API: &str = include_str!("../../src/slack/api.rs");
const OWNER_TAGS_SCP: &str = include_str!("../../deploy/scp/protect-owner-tags.json");
const WORLD_IAM: &str = include_str!("../testkit/src/iam.rs");

type Names = BTreeSet<String>;

fn names<'a>(list: impl IntoIterator<Item = &'a str>) -> Names {
    list.into_iter().map(str::to_owned).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines below the first one that reads `head`, as far as they are indented deeper.
fn below<'t>(text: &'t str, head: &str) -> Vec<&'t str> {
    let mut lines = text.lines().skip_while(|line| line.trim() != head);
    let depth = indent(lines.next().unwrap_or_else(|| panic!("no line `{head}`")));
    lines.take_while(|line| line.trim().is_empty() || indent(line) > depth).collect()
}

fn part(text: &str, heads: &[&str]) -> String {
    heads.iter().fold(text.to_owned(), |text, head| below(&text, head).join("\n"))
}

fn items(text: &str) -> Names {
    names(text.lines().filter_map(|line| line.trim().strip_prefix("- ")))
}

fn variables(function: &str) -> Names {
    let text = part(TEMPLATE, &[&format!("{function}:"), "Variables:"]);
    names(text.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name))
        .into_iter()
        .filter(|name| name.starts_with("KEYVEND_"))
        .collect()
}

/// The names in double quotes that begin so.
fn quoted(text: &str, prefix: &str) -> Names {
    names(text.split('"').filter(|name| {
        name.starts_with(prefix) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
    }))
}

/// The routes of a stage that have a limit of their own, with its rate.
fn throttled(stage: &str) -> Vec<(String, u32)> {
    let settings = part(TEMPLATE, &[&format!("{stage}:"), "RouteSettings:"]);
    let lines = settings.lines().filter_map(|line| line.trim().split_once(": { ThrottlingRateLimit: "));
    let rate = |rest: &str| rest.split(',').next().unwrap().parse().unwrap();
    lines.map(|(route, rest)| (route.to_owned(), rate(rest))).collect()
}

/// The resources of one type, in the order of the template.
fn of_type(kind: &str) -> Vec<&'static str> {
    let pairs = TEMPLATE.lines().zip(TEMPLATE.lines().skip(1));
    let named = pairs.filter(|(_, second)| second.trim() == format!("Type: {kind}"));
    named.map(|(first, _)| first.trim().trim_end_matches(':')).collect()
}

/// A part of a template as one line, without its comments.
fn flat(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join(" ")
}

/// What a resource is made of, as one line.
fn properties(resource: &str) -> String {
    flat(&part(TEMPLATE, &[&format!("{resource}:")]))
}

/// Whether a resource is made of this, to the end of its last word: `BatchSize: 10` does not say `BatchSize: 1`.
fn says(resource: &str, what: &str) -> bool {
    format!("{} ", properties(resource)).contains(&format!(" {what} "))
}

/// The statements of a policy, a line each. The names in lists of attributes are skipped: another test holds those
/// against the code.
fn statements(text: &str) -> String {
    let attribute = |line: &&str| {
        let name = line.trim().strip_prefix("- ").unwrap_or("a: b");
        !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let text = flat(&text.lines().filter(attribute).collect::<Vec<_>>().join("\n"));
    let text = text.replace("- !If - ", "\nif ").replace("- !Ref AWS::NoValue", "");
    let text = text.replace(" - Effect:", "\n- Effect:").replace(" - Sid:", "\n- Sid:");
    let text = text.replace(" - PolicyName:", "\n- PolicyName:");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn functions_share_package_and_worker_gets_policy_layer() {
    assert_eq!(of_type("AWS::Serverless::Function"), ["Slack", "Reveal", "Worker"]);
    for (function, binary) in [("Slack", "slack"), ("Reveal", "reveal"), ("Worker", "worker")] {
        let own = properties(function);
        let build = format!("BuildMethod: rust-cargolambda BuildProperties: Binary: {binary} ");
        assert!(own.contains(&build) && own.contains("CodeUri: . "), "{function}: {own}");
        assert_eq!(own.contains("Layers: [!Ref PolicyFiles]"), function == "Worker", "{function}");
    }
    assert!(properties("PolicyFiles").contains("ContentUri: policies/"));
    // The layer is unpacked where the worker looks when it is told nothing.
    assert!(!variables("Worker").contains("KEYVEND_POLICY_DIR"));
}
