//! A message whose buttons have lost their meaning: it keeps its words and says the outcome. Buttons that still do something
//! stay where they are.

use serde_json::Value;

use crate::domain::iam::AccessKeyStatus;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::domain::posted_message::PostedMessage;
use crate::domain::request::{KeyRequest, RequestState};
use crate::id::{AccessKeyId, RequestId};
use crate::render::approval_card::question_of;
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::block_kit::section;
use crate::slack::message::SlackMessage;
use crate::time::Timestamp;

/// A button: what it does, and to what.
pub type Pressed<'a> = (Action, &'a str);

/// Whether a message has buttons.
#[must_use]
pub fn has_buttons(message: &SlackMessage) -> bool {
    buttons(message).next().is_some()
}

/// The keys that its buttons are about, each once.
#[must_use]
pub fn keys_of(message: &SlackMessage) -> Vec<AccessKeyId> {
    let mut keys: Vec<AccessKeyId> = Vec::new();
    for key in buttons(message).filter_map(|(_, value)| value.parse().ok()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// The requests that its buttons are about.
#[must_use]
pub fn requests_of(message: &SlackMessage) -> Vec<RequestId> {
    let about = |(action, value): Pressed<'_>| match action {
        Action::GetKey
        | Action::Cancel
        | Action::EditRequest
        | Action::OpenAnswerForm
        | Action::ReportKey => value.split('.').next()?.parse().ok(),
        _ => None,
    };
    buttons(message).filter_map(about).collect()
}

/// Whether its buttons are about the keys that do not match the records.
#[must_use]
pub fn is_about_discrepancies(message: &SlackMessage) -> bool {
    buttons(message).any(|(action, _)| matches!(action, Action::ShowDiscrepancies | Action::MarkKnown))
}

/// Whether somebody has to answer it: nothing else would ask them again.
#[must_use]
pub fn waits_for_answer(message: &SlackMessage) -> bool {
    let is_answer = |action: Action| match action {
        Action::GetKey
        | Action::OpenAnswerForm
        | Action::Deactivate
        | Action::DeactivateRotated
        | Action::DeactivateOrphaned
        | Action::UndoExpiry
        | Action::ConfirmReceipt
        | Action::Replace => true,
        // A question about a suspect and a reminder come again by themselves; what else has buttons was asked for.
        _ => false,
    };
    buttons(message).any(|(action, _)| is_answer(action))
        && buttons(message).all(|(action, _)| is_answer(action) || action == Action::Cancel)
}

/// Whether the same can be answered in another message.
#[must_use]
pub fn is_asked_in(message: &SlackMessage, other: &SlackMessage) -> bool {
    buttons(message).all(|button| {
        button.0 == Action::Cancel
            || buttons(other).any(|other| other.0 == button.0 && about(other) == about(button))
    })
}

/// What a button is about: its request, whatever its revision, or all that was reported, whenever; else just what it carries.
fn about((action, value): Pressed<'_>) -> &str {
    match (action, value.split_once('.')) {
        (Action::GetKey | Action::EditRequest | Action::ReportKey, Some((request, _))) => request,
        (Action::MarkKnown, Some(("reported", _))) => "reported",
        (_, _) => value,
    }
}

/// What the buttons of a message are about, as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub request: Option<&'a KeyRequest>,
    pub keys: &'a [IssuedKey],
    /// A key that keyvend did not issue, as something was just done to it; none where it was deleted.
    pub unmanaged: Option<(&'a AccessKeyId, Option<AccessKeyStatus>)>,
    pub now: Timestamp,
}

impl Standing<'_> {
    fn is_open(&self, (action, value): Pressed<'_>) -> bool {
        if let Some(key) = self.keys.iter().find(|key| key.key.as_str() == value) {
            return is_open_about_key(action, key);
        }
        match (self.unmanaged, self.request) {
            (Some((key, status)), _) if key.as_str() == value => is_open_about_unmanaged(action, status),
            (_, Some(request)) => is_open((action, value), request, self.keys),
            (_, None) => true,
        }
    }

    /// What came of what these buttons were about.
    fn outcome(&self, closed: &[Pressed<'_>]) -> String {
        let mut lines = Vec::new();
        for (_, value) in closed {
            let line = match (self.keys.iter().find(|key| key.key.as_str() == *value), self.unmanaged) {
                (Some(key), _) => text::key_outcome(key, self.now),
                (None, Some((key, status))) if key.as_str() == *value => {
                    text::unmanaged_outcome(key, status, self.now)
                }
                (None, _) => self.request.map(text::standing).unwrap_or_default(),
            };
            if !line.is_empty() && !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines.join("\n")
    }

    /// The same where its time ran out before anybody pressed it.
    fn outcome_of_time(&self, (action, value): Pressed<'_>) -> String {
        let Ok(key) = value.parse::<AccessKeyId>() else { return String::new() };
        match action {
            Action::UndoDeactivation => {
                text::too_late_to_undo(&key, self.keys.iter().any(|issued| issued.key == key))
            }
            Action::Delete => text::deletion_not_confirmed(&key),
            _ => String::new(),
        }
    }
}

/// A posted message as it reads now; none where all its buttons are as they were.
#[must_use]
pub fn ended(post: &PostedMessage, message: &SlackMessage, standing: Standing<'_>) -> Option<SlackMessage> {
    let is_open = |button: Pressed<'_>| standing.is_open(button);
    match close(message, &is_open, &|closed| standing.outcome(closed)) {
        None if post.is_over(standing.now) => close(message, &|_| false, &|closed| {
            closed.iter().map(|button| standing.outcome_of_time(*button)).collect::<Vec<_>>().join("\n")
        }),
        closed => closed,
    }
}

/// A message that makes room for newer ones about the same.
#[must_use]
pub fn superseded(message: &SlackMessage) -> Option<SlackMessage> {
    close(message, &|_| false, &|_| text::SUPERSEDED.to_owned())
}

/// The message without the buttons that are not open, each replaced by its outcome; none where all are open.
#[must_use]
pub fn close(
    message: &SlackMessage,
    is_open: &dyn Fn(Pressed<'_>) -> bool,
    outcome: &dyn Fn(&[Pressed<'_>]) -> String,
) -> Option<SlackMessage> {
    let all = message.blocks.as_array()?;
    let has_open = all.iter().any(|block| buttons_of(block).any(is_open));
    let (mut blocks, mut closed_ones) = (Vec::new(), Vec::new());
    for block in all {
        let stays = |button| is_open(button) || (is_change(button) && buttons_of(block).any(is_open));
        let closed: Vec<Pressed<'_>> = buttons_of(block).filter(|button| !stays(*button)).collect();
        if closed.is_empty() {
            blocks.push(block.clone());
            continue;
        }
        let rest = without(block, &closed);
        let is_answered = has_open && rest.as_ref().is_none_or(|rest| buttons_of(rest).next().is_none());
        match rest.map(|rest| answered_beside(rest, is_answered.then(|| outcome(&closed)))) {
            Some(rest) => blocks.push(rest),
            None if is_answered => blocks.push(section(&format!("*Closed.* {}", outcome(&closed)))),
            None => {}
        }
        closed_ones.extend(closed);
    }
    if closed_ones.is_empty() {
        return None;
    }
    if has_open {
        return Some(SlackMessage { text: message.text.clone(), blocks: Value::Array(blocks) });
    }
    let outcome = outcome(&closed_ones);
    blocks.push(section(&format!("*Closed.* {outcome}")));
    Some(SlackMessage { text: outcome, blocks: Value::Array(blocks) })
}

/// Whether nobody was reminded says something of a reminder only: beside another button it stays as long as that.
fn is_change((action, _): Pressed<'_>) -> bool {
    matches!(action, Action::Rotate | Action::Renew | Action::Extend)
}

/// A block without some of its buttons; none where it is nothing else.
fn without(block: &Value, closed: &[Pressed<'_>]) -> Option<Value> {
    let mut block = block.clone();
    let fields = block.as_object_mut()?;
    let is_left = |element: &Value| button(element).is_none_or(|button| !closed.contains(&button));
    if fields.get("accessory").is_some_and(|accessory| !is_left(accessory)) {
        fields.remove("accessory");
    }
    if let Some(elements) = fields.get_mut("elements").and_then(Value::as_array_mut) {
        elements.retain(is_left);
        if elements.is_empty() {
            return None;
        }
    }
    Some(block)
}

/// A section that had a button at its side, with what came of that: a block of its own for each would be too many.
fn answered_beside(block: Value, outcome: Option<String>) -> Value {
    let mut block = block;
    if let (Some(outcome), Some(text)) = (outcome, block.pointer_mut("/text/text"))
        && let Some(before) = text.as_str()
    {
        *text = format!("{before} *Closed.* {outcome}").into();
    }
    block
}

fn button(element: &Value) -> Option<Pressed<'_>> {
    let action = Action::parse(element.get("action_id")?.as_str()?)?;
    Some((action, element.get("value").and_then(Value::as_str).unwrap_or_default()))
}

fn buttons_of(block: &Value) -> impl Iterator<Item = Pressed<'_>> {
    let elements = block.get("elements").and_then(Value::as_array).into_iter().flatten();
    elements.chain(block.get("accessory")).filter_map(button)
}

fn buttons(message: &SlackMessage) -> impl Iterator<Item = Pressed<'_>> {
    message.blocks.as_array().into_iter().flatten().flat_map(buttons_of)
}

/// Whether a button of the request still does something.
fn is_open((action, value): Pressed<'_>, request: &KeyRequest, keys: &[IssuedKey]) -> bool {
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
    let inactive = if let KeyState::Inactive { why, .. } = key.state { Some(why) } else { None };
    match action {
        Action::Deactivate | Action::DeactivateRotated | Action::DeactivateOrphaned => key.state.is_active(),
        Action::SuspectOurs | Action::SuspectNotOurs => matches!(key.state, KeyState::Suspect { .. }),
        Action::UndoExpiry => key.can_undo_expiry(),
        Action::UndoDeactivation => inactive.is_some_and(DeactivationReason::can_be_undone),
        Action::ConfirmReceipt | Action::Replace => inactive == Some(DeactivationReason::Unconfirmed),
        Action::Activate | Action::Delete => inactive.is_some(),
        // Of an end that was moved since nobody was reminded yet.
        Action::Rotate | Action::Renew | Action::Extend => {
            key.state.is_active() && key.successor.is_none() && key.reminders.sent > 0
        }
        _ => true,
    }
}

/// The same of a key that keyvend did not issue.
fn is_open_about_unmanaged(action: Action, status: Option<AccessKeyStatus>) -> bool {
    match action {
        Action::Deactivate => status == Some(AccessKeyStatus::Active),
        Action::UndoDeactivation | Action::Delete => status == Some(AccessKeyStatus::Inactive),
        _ => true,
    }
}
