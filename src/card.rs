//! Messages as Block Kit: the card that approvers decide on, and what the requester gets. A message is a view of what
//! the table holds; nothing is ever read back out of one.

use serde_json::{Value, json};

use crate::config::Approvers;
use crate::facts::AccessKey;
use crate::id::AccessKeyId;
use crate::inbound::LINK_ACTION_ID;
use crate::request::{KeyRequest, State};
use crate::slack_api::Message;
use crate::store::state_name;
use crate::time::Timestamp;
use crate::words;

/// The buttons' names, which say what a press asks for.
pub mod action {
    /// Approve the request.
    pub const APPROVE: &str = "approve";
    /// Deny it.
    pub const DENY: &str = "deny";
    /// Give the requester a one-time link.
    pub const GET_KEY: &str = "get-key";
    /// Take the request back.
    pub const CANCEL: &str = "cancel";
    /// Switch the key off: it wasn't me.
    pub const NOT_ME: &str = "not-me";
}

/// What a button carries: the request, and the revision that its message shows.
#[must_use]
pub fn value(request: &KeyRequest) -> String {
    format!("{}.{}", request.id, request.revision())
}

/// A message of nothing but text.
#[must_use]
pub fn text(sentence: &str) -> Message {
    Message { text: sentence.to_owned(), blocks: json!([section(sentence)]) }
}

/// The card in the approvals channel, while a request waits and afterwards. `mention` says whom the first posting calls.
#[must_use]
pub fn approval(request: &KeyRequest, mention: Option<&Approvers>, now: Timestamp) -> Message {
    let asked = &request.asked;
    let call = mention.map(|approvers| format!("{} ", words::call(approvers))).unwrap_or_default();
    let summary = format!(
        "{call}{} asks for an access key for {}",
        words::person(&asked.requester),
        words::iam_user(&asked.user, &asked.account)
    );
    let mut blocks = vec![header(heading(&request.state)), section(&summary), fields(request)];
    blocks.push(section(&words::reason(&asked.reason)));
    blocks.push(context(&existing(&request.shown.keys, now)));
    blocks.push(context(&holds(request)));
    if request.state == State::Pending {
        blocks.push(json!({"type": "actions", "block_id": "decide", "elements": [
            button("Approve", action::APPROVE, request, Some("primary"), None),
            button("Deny", action::DENY, request, Some("danger"), Some(confirm(
                "Deny this request?", "The requester is told that you denied it.", "Deny"))),
        ]}));
    } else {
        blocks.push(section(&words::standing(request)));
    }
    if matches!(request.state, State::Issued { .. }) && request.reported.is_none() {
        blocks.push(not_me(request));
    }
    let text = if request.state == State::Pending {
        format!("{summary}: {}", words::mrkdwn(&asked.reason))
    } else {
        words::standing(request)
    };
    Message { text, blocks: Value::Array(blocks) }
}

fn heading(state: &State) -> &'static str {
    match state {
        State::Pending => "Access key requested",
        State::Approved | State::Ticketed { .. } => "Access key approved",
        State::Issuing(_) => "Access key is being created",
        State::Ambiguous(_) => "Access key: outcome unknown",
        State::Issued { .. } => "Access key issued",
        State::Denied { .. } => "Access key denied",
        State::Cancelled => "Access key request cancelled",
        State::Lapsed => "Access key request lapsed",
        State::Refused { .. } => "Access key refused",
    }
}

fn fields(request: &KeyRequest) -> Value {
    let asked = &request.asked;
    let given: Vec<String> = request.approvals.iter().map(|approval| words::person(&approval.by)).collect();
    let approvals = match (request.shown.needed, given.is_empty()) {
        (0, _) => "none needed".to_owned(),
        (needed, true) => format!("0 of {needed}"),
        (needed, false) => format!("{} of {needed}: {}", given.len(), given.join(", ")),
    };
    let privileged = if request.shown.privileged { ":warning: *yes*" } else { "no" };
    let field = |name: &str, what: &str| json!({"type": "mrkdwn", "text": format!("*{name}*\n{what}")});
    json!({"type": "section", "fields": [
        field("Use", words::use_case(asked.use_case)),
        field("Lifetime", &format!("{} days", asked.days)),
        field("Privileged", privileged),
        field("Approvals", &approvals),
    ]})
}

fn existing(keys: &[AccessKey], now: Timestamp) -> String {
    if keys.is_empty() {
        return "It has no access keys yet.".to_owned();
    }
    let lines: Vec<String> = keys.iter().map(|key| words::key_line(key, now)).collect();
    format!("It has {}:\n{}", if keys.len() == 1 { "one key" } else { "two keys" }, lines.join("\n"))
}

fn holds(request: &KeyRequest) -> String {
    const MOST: usize = 12;
    let shown = &request.shown;
    let mut names: Vec<String> = shown.policies.iter().take(MOST).map(|name| words::named(name)).collect();
    if shown.policies.len() > MOST {
        names.push(format!("and {} more", shown.policies.len() - MOST));
    }
    let mut text = if names.is_empty() {
        "It holds no policy.".to_owned()
    } else {
        format!("Policies: {}", names.join(", "))
    };
    if let Some(boundary) = &shown.boundary {
        text.push_str(&format!("\nBoundary: {}", words::named(boundary)));
    }
    let until = if request.state == State::Pending {
        format!("\nWaits until {}. ", words::moment(request.expires_at))
    } else {
        "\n".to_owned()
    };
    format!("{text}{until}Request `{}`, {}", request.id, state_name(&request.state).to_lowercase())
}

/// To the requester: your key can be made.
#[must_use]
pub fn ready(request: &KeyRequest) -> Message {
    let sentence = words::ready(request);
    let blocks = json!([
        section(&sentence),
        {"type": "actions", "block_id": "collect", "elements": [
            button("Get my key", action::GET_KEY, request, Some("primary"), None),
            button("Cancel", action::CANCEL, request, None, Some(confirm(
                "Cancel this request?", "You would have to ask again.", "Cancel the request"))),
        ]},
        context(words::alternative(request.asked.use_case)),
    ]);
    Message { text: sentence, blocks }
}

/// To the requester: your request waits.
#[must_use]
pub fn asked(request: &KeyRequest) -> Message {
    let sentence = words::asked(request);
    let blocks = json!([
        section(&sentence),
        {"type": "actions", "block_id": "collect", "elements": [
            button("Cancel", action::CANCEL, request, None, Some(confirm(
                "Cancel this request?", "The approvers will see that you took it back.", "Cancel the request"))),
        ]},
    ]);
    Message { text: sentence, blocks }
}

/// To the requester: the key was made, and how to switch it off if that wasn't them.
#[must_use]
pub fn issued(request: &KeyRequest, key: &AccessKeyId, browser: &str) -> Message {
    let sentence = words::issued(request, key, browser);
    Message { blocks: json!([section(&sentence), not_me(request)]), text: sentence }
}

fn not_me(request: &KeyRequest) -> Value {
    let sure =
        confirm("Switch this key off?", "It stops working at once, wherever it is used.", "Switch it off");
    json!({"type": "actions", "block_id": "report", "elements": [
        button("This wasn't me", action::NOT_ME, request, Some("danger"), Some(sure)),
    ]})
}

/// To the requester alone: the one-time link. The link is in its button and nowhere else.
#[must_use]
pub fn link(sentence: &str, url: &str) -> Message {
    let blocks = json!([
        section(sentence),
        {"type": "actions", "block_id": "link", "elements": [{
            "type": "button", "action_id": LINK_ACTION_ID, "style": "primary", "url": url,
            "text": {"type": "plain_text", "text": "Open the one-time link"},
        }]},
    ]);
    Message { text: sentence.to_owned(), blocks }
}

/// To the requester, after something went wrong with a link that can be had again.
#[must_use]
pub fn again(sentence: &str, request: &KeyRequest) -> Message {
    let blocks = json!([
        section(sentence),
        {"type": "actions", "block_id": "collect", "elements": [
            button("Get my key", action::GET_KEY, request, Some("primary"), None),
        ]},
    ]);
    Message { text: sentence.to_owned(), blocks }
}

fn header(text: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": text}})
}

/// Slack takes up to 3,000 characters here.
fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, 2900)}})
}

fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, 1900)}]})
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(['\u{2026}']).collect()
}

fn button(
    text: &str,
    action: &str,
    request: &KeyRequest,
    style: Option<&str>,
    confirm: Option<Value>,
) -> Value {
    let mut button = json!({
        "type": "button", "action_id": action, "value": value(request),
        "text": {"type": "plain_text", "text": text},
    });
    if let (Some(style), Some(object)) = (style, button.as_object_mut()) {
        object.insert("style".to_owned(), style.into());
    }
    if let (Some(confirm), Some(object)) = (confirm, button.as_object_mut()) {
        object.insert("confirm".to_owned(), confirm);
    }
    button
}

fn confirm(title: &str, text: &str, yes: &str) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    json!({"title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain("Go back")})
}
