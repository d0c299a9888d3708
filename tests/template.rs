//! The templates say of the deployed functions what the code needs and the test world grants: no variable, attribute
//! or right too few, and none too many.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken test must stop")]

use std::collections::{BTreeMap, BTreeSet};

use keyvend::claim::{self, Ack, Claim, Claimed, Step, StoredTicket, TicketState};
use keyvend::config::{RevealConfig, SlackConfig, WorkerConfig};
use keyvend::item::Update;
use keyvend::time::Timestamp;
use serde_json::Value;

const TEMPLATE: &str = include_str!("../template.yaml");
const ISSUER_ROLE: &str = include_str!("../issuer-role.yaml");
const MANIFEST: &str = include_str!("../slack-manifest.yaml");
const CONFIG: &str = include_str!("../src/config.rs");
const SLACK_API: &str = include_str!("../src/slack_api.rs");
const WORLD_IAM: &str = include_str!("world/iam.rs");

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
fn every_variable_is_in_the_template_but_those_for_other_places() {
    let all: Names = ["Slack", "Reveal", "Worker"].into_iter().flat_map(variables).collect();
    let elsewhere =
        names(["KEYVEND_BOT_TOKEN", "KEYVEND_POLICY_DIR", "KEYVEND_SLACK_API_URL", "KEYVEND_TIMERS"]);
    let read = quoted(CONFIG.split("#[cfg(test)]\nmod tests").next().unwrap(), "KEYVEND_");
    assert_eq!(&all | &elsewhere, read);
    assert_eq!(&all & &elsewhere, Names::new());
}

#[test]
fn reveal_may_read_and_write_the_attributes_that_the_claim_protocol_names() {
    let granted = |sid: &str| {
        let text = part(TEMPLATE, &[&format!("- Sid: {sid}"), "ForAllValues:StringEquals:"]);
        items(&text)
    };
    let read: Names = claim::READ.split(", ").map(|name| name.trim_start_matches('#').to_owned()).collect();
    assert_eq!(granted("ReadsATicket"), read);
    let written: Names = updates().iter().flat_map(attributes).collect();
    assert_eq!(granted("UpdatesATicket"), &written | &names(["tid"]));
}

/// Every update that a claim, a confirmation or a misuse can lead to.
fn updates() -> Vec<Update> {
    let now = Timestamp(1_764_000_000);
    let point: Vec<u8> = p256_base_point();
    let cid: keyvend::id::ClaimId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let claim = Claim {
        proof_hash: [1; 32],
        code_hash: Some([2; 32]),
        cid: cid.clone(),
        key: point.try_into().unwrap(),
        browser: "Firefox on Linux".to_owned(),
    };
    let pending = StoredTicket {
        tid: "BSTC2Bo9x_uu2YktyiEMaA".parse().unwrap(),
        proof_hash: [1; 32],
        expires_at: Timestamp(now.0 + 900),
        code_hash: Some([2; 32]),
        tries: 0,
        state: TicketState::Pending,
        due_at: None,
        outbox: Vec::new(),
    };
    let claimed = Claimed {
        cid: cid.clone(),
        key: claim.key.clone(),
        attempt: 1,
        at: now,
        browser: claim.browser.clone(),
    };
    let sealed = StoredTicket {
        state: TicketState::Sealed {
            claimed,
            sealed_at: now,
            enc: vec![1],
            ct: vec![2],
            aad: vec![3],
            receipt_hash: [3; 32],
        },
        ..pending.clone()
    };
    let without_code = StoredTicket { code_hash: None, ..pending.clone() };
    let wrong = Claim { code_hash: Some([9; 32]), ..claim.clone() };
    let ack = Ack { proof_hash: [1; 32], cid, receipt_hash: [3; 32] };
    let steps = [
        claim::claim(&without_code, &claim, now),
        claim::claim(&pending, &claim, now),
        claim::after_try(&pending, &claim, 1, now),
        claim::after_try(&pending, &wrong, claim::TRIES, now),
        claim::acknowledge(&sealed, &ack, now),
    ];
    let update = |step| match step {
        Step::TakeTry(update) | Step::Write(update, _) => update,
        Step::Answer(answer) => panic!("{answer:?} where something is written"),
    };
    steps.into_iter().map(update).chain([claim::misuse(&[1; 32], now)]).collect()
}

fn p256_base_point() -> Vec<u8> {
    let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    let y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let hex = format!("04{x}{y}");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

/// The attributes that an update's two expressions name.
fn attributes(update: &Update) -> Names {
    let functions = ["list_append", "attribute_not_exists", "attribute_exists", "size"];
    let text = format!("{} {}", update.update, update.condition);
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:#".contains(c)));
    words
        .filter(|word| !word.is_empty() && !word.starts_with(':') && !functions.contains(word))
        .filter(|word| !word.bytes().all(|b| b.is_ascii_uppercase()))
        .map(|word| word.trim_start_matches('#').to_owned())
        .collect()
}

#[test]
fn the_issuer_role_is_the_same_in_every_account() {
    let here = part(TEMPLATE, &["IssuerRole:", "Policies:"]);
    let there = part(ISSUER_ROLE, &["IssuerRole:", "Policies:"]);
    assert_eq!(here.trim_end(), there.trim_end());
    let trust = |template: &str| {
        part(template, &["IssuerRole:", "AssumeRolePolicyDocument:"])
            .lines()
            .filter(|line| !line.contains("Principal:"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trust(TEMPLATE), trust(ISSUER_ROLE));
}

#[test]
fn the_issuer_role_may_read_what_sessions_ask_for_and_the_test_world_grants() {
    let granted = items(&part(TEMPLATE, &["IssuerRole:", "- Sid: LooksUp", "Action:"]));
    let session: Value = serde_json::from_str(&keyvend::session::reading()).unwrap();
    let asked = session.pointer("/Statement/0/Action").and_then(Value::as_array).unwrap();
    let asked = names(asked.iter().map(|action| action.as_str().unwrap()));
    assert!(asked.is_subset(&granted), "{:?}", &asked - &granted);
    let (_, list) = WORLD_IAM.split_once("const READS").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let world: Names = quoted(list, "").into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(granted, world.iter().map(|name| format!("iam:{name}")).collect());
}

#[test]
fn the_bot_has_the_scopes_of_the_methods_that_are_called() {
    let scopes = |method: &str| match method {
        "users.info" => ["users:read", "users:read.email"].as_slice(),
        "conversations.info" | "conversations.members" => &["groups:read"],
        "usergroups.users.list" => &["usergroups:read"],
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" => &["chat:write"],
        "conversations.open" => &["im:write"],
        "views.open" | "views.update" => &[],
        other => panic!("which scopes does {other} take?"),
    };
    let called = SLACK_API.split('"').filter(|name| {
        let method = name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
        method && name.contains('.') && name.starts_with(|c: char| c.is_ascii_lowercase())
    });
    let needed: Names = called.flat_map(scopes).map(|scope| (*scope).to_owned()).collect();
    let asked = items(&part(MANIFEST, &["oauth_config:", "bot:"]));
    assert_eq!(asked, &needed | &names(["commands"]));
}

#[test]
fn the_manifest_names_the_routes_that_the_template_has() {
    let routes = names(TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")));
    for path in ["/slack/commands", "/slack/interactive", "/slack/events"] {
        assert!(MANIFEST.contains(&format!("https://YOUR-API-HOST{path}\n")), "{path}");
        assert!(routes.contains(&format!("POST {path}")), "{path}");
    }
    let throttled = part(TEMPLATE, &["RouteSettings:"]);
    let throttled =
        names(throttled.lines().filter_map(|line| line.trim().split_once(": {")).map(|(key, _)| key));
    assert_eq!(routes, throttled, "every route has its own limit");
}
