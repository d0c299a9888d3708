//! Block Kit's blocks and elements (<https://docs.slack.dev/reference/block-kit>), each within Slack's bounds.

use serde_json::{Value, json};

use crate::slack::action_id::Action;

/// The only kind of mrkdwn that is sent: what somebody typed in it names no channel and nobody, and links nowhere. What is
/// written out, such as `<@U0ALICE>`, still does
/// (<https://docs.slack.dev/reference/block-kit/composition-objects/text-object>).
#[must_use]
pub fn verbatim(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

pub fn header(text: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": text}})
}

/// Slack takes up to 3,000 characters here.
pub fn section(text: &str) -> Value {
    json!({"type": "section", "text": verbatim(&cut(text, 2900))})
}

pub fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [verbatim(&cut(text, 1900))]})
}

pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(['\u{2026}']).collect()
}

pub fn button(text: &str, action: Action, value: &str, style: Option<&str>, confirm: Option<Value>) -> Value {
    let mut button = json!({
        "type": "button", "action_id": action.as_str(), "value": value,
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

pub fn confirm(title: &str, text: &str, yes: &str) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    json!({
        "title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain("Go back"),
        "style": "danger",
    })
}
