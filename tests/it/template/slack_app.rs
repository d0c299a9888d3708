//! The manifest of the Slack app: its scopes, events and addresses are those that the code and the template have.

use crate::template::{MANIFEST, Names, SLACK_API, TEMPLATE, items, names, part, throttled};

// T7.11
#[test]
fn bot_scopes_match_called_methods() {
    let scopes = |method: &str| match method {
        "users.info" => ["users:read", "users:read.email"].as_slice(),
        "conversations.info" | "conversations.members" => &["groups:read"],
        "usergroups.users.list" => &["usergroups:read"],
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" => &["chat:write"],
        "conversations.open" => &["im:write"],
        "views.open" | "views.update" | "views.publish" => &[],
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

// T2.6
#[test]
fn the_app_gets_the_events_that_are_handled() {
    const HANDLED: &str = include_str!("../../../src/slack/receive/event.rs");
    let handled = HANDLED.lines().filter_map(|line| line.trim().strip_prefix("Some(\"")?.split_once('"'));
    let handled = names(handled.map(|(event, _)| event));
    assert_eq!(items(&part(MANIFEST, &["event_subscriptions:", "bot_events:"])), handled);
    // Joins of private channels come by groups:read, changes of user groups by usergroups:read.
    let scopes = items(&part(MANIFEST, &["oauth_config:", "bot:"]));
    assert!(scopes.is_superset(&names(["groups:read", "usergroups:read"])));
}

#[test]
fn manifest_routes_match_template() {
    let routes = names(TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")));
    for path in ["/slack/commands", "/slack/interactive", "/slack/events"] {
        assert!(MANIFEST.contains(&format!("https://YOUR-API-HOST{path}\n")), "{path}");
        assert!(routes.contains(&format!("POST {path}")), "{path}");
    }
    let throttled: Names =
        ["Stage", "PageStage"].into_iter().flat_map(throttled).map(|(key, _)| key).collect();
    assert_eq!(routes, throttled, "every route has its own limit");
}
