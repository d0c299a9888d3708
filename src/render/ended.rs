//! A message whose buttons have lost their meaning: it keeps its words and says the outcome.

use serde_json::Value;

use crate::domain::key::{IssuedKey, KeyState};
use crate::domain::request::{KeyRequest, RequestState};
use crate::id::AccessKeyId;
use crate::render::approval_card::question_of;
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::block_kit::section;
use crate::slack::message::SlackMessage;
use crate::time::Timestamp;

/// Whether a message has buttons.
#[must_use]
pub fn has_buttons(message: &SlackMessage) -> bool {
    message.blocks.as_array().is_some_and(|blocks| blocks.iter().any(is_actions))
}

/// The keys that its buttons are about.
#[must_use]
pub fn keys_of(message: &SlackMessage) -> Vec<AccessKeyId> {
    buttons(message).filter_map(|(_, value)| value.parse().ok()).collect()
}

/// The message without its buttons, once none of them has a meaning. `keys` are those that it is about, as they are now.
#[must_use]
pub fn ended(
    message: &SlackMessage,
    request: &KeyRequest,
    keys: &[IssuedKey],
    now: Timestamp,
) -> Option<SlackMessage> {
    let has_meaning =
        |(action, value): (Action, &str)| match keys.iter().find(|key| key.key.as_str() == value) {
            Some(key) => is_open_about_key(action, key),
            None => is_open((action, value), request, keys),
        };
    if buttons(message).any(has_meaning) {
        return None;
    }
    let mut about: Vec<&IssuedKey> = keys.iter().filter(|key| keys_of(message).contains(&key.key)).collect();
    about.dedup();
    let outcome = match about.as_slice() {
        [] => text::standing(request),
        keys => keys.iter().map(|key| text::key_outcome(key, now)).collect::<Vec<_>>().join("\n"),
    };
    let mut blocks: Vec<Value> = message.blocks.as_array().cloned().unwrap_or_default();
    blocks.retain(|block| !is_actions(block));
    blocks.push(section(&format!("*Closed.* {outcome}")));
    Some(SlackMessage { text: outcome, blocks: Value::Array(blocks) })
}

fn is_actions(block: &Value) -> bool {
    block.get("type").and_then(Value::as_str) == Some("actions")
}

fn buttons(message: &SlackMessage) -> impl Iterator<Item = (Action, &str)> {
    let blocks = message.blocks.as_array().into_iter().flatten().filter(|block| is_actions(block));
    let elements = blocks.filter_map(|block| block.get("elements")?.as_array()).flatten();
    elements.filter_map(|element| {
        let action = Action::parse(element.get("action_id")?.as_str()?)?;
        Some((action, element.get("value").and_then(Value::as_str).unwrap_or_default()))
    })
}

/// Whether a button of the request still does something.
fn is_open((action, value): (Action, &str), request: &KeyRequest, keys: &[IssuedKey]) -> bool {
    match action {
        Action::GetKey | Action::Cancel => match &request.state {
            // An attempt that fails leads back to where a link can be had.
            RequestState::Pending
            | RequestState::Approved
            | RequestState::LinkIssued { .. }
            | RequestState::Issuing(_)
            | RequestState::Ambiguous(_) => true,
            RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => false,
        },
        Action::EditRequest => request.state == RequestState::Pending,
        Action::OpenAnswerForm => {
            let asked = question_of(value).and_then(|(_, number)| request.questions.get(number));
            let is_unanswered = asked.is_some_and(|question| question.answer.is_none());
            request.state == RequestState::Pending && is_unanswered
        }
        Action::ReportKey => {
            let own = request.issued().and_then(|(id, _)| keys.iter().find(|key| key.key == *id));
            own.is_none_or(|key| !key.state.is_gone())
        }
        _ => true,
    }
}

/// Whether a button of a key still does something.
fn is_open_about_key(action: Action, key: &IssuedKey) -> bool {
    match action {
        Action::Deactivate | Action::DeactivateRotated | Action::DeactivateOrphaned => key.state.is_active(),
        Action::SuspectOurs | Action::SuspectNotOurs => matches!(key.state, KeyState::Suspect { .. }),
        Action::UndoExpiry
        | Action::UndoDeactivation
        | Action::ConfirmReceipt
        | Action::Replace
        | Action::Activate
        | Action::Delete => matches!(key.state, KeyState::Inactive { .. }),
        // Of an end that was moved since nobody was reminded yet.
        Action::Rotate | Action::Renew | Action::Extend => {
            key.state.is_active() && key.successor.is_none() && key.reminders.sent > 0
        }
        _ => true,
    }
}
