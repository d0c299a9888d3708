//! Messages as Block Kit: the card that approvers decide on, and what the requester gets. A message is a view of what
//! the table holds; nothing is ever read back out of one.

use serde_json::{Value, json};

use crate::domain::approvers::Approvers;
use crate::domain::browser::Browser;
use crate::domain::iam::AccessKey;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::domain::request::{KeyRequest, Question, RequestKind, RequestState};
use crate::id::{AccessKeyId, IamUserName};
use crate::render::key_list::sure_to_delete;
pub use crate::render::key_list::{
    KeyAction, Listed, MOST_LEFT, MOST_LISTED, Row, about_key, chooser, confirm_deletion, listed, off,
    owner_left, undo_offer,
};
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::block_kit::{button, confirm, context, header, section, verbatim};
use crate::slack::command::Prefill;
use crate::slack::message::SlackMessage;
use crate::time::Timestamp;

/// What a button of the card carries: the request, and the revision that the card shows.
#[must_use]
pub fn value(request: &KeyRequest) -> String {
    format!("{}.{}", request.id, request.revision())
}

/// What a button in a message to the requester carries: the request, and a revision that decides nothing on the card.
/// Such messages may go to a response URL, and so to whoever named it.
#[must_use]
pub fn requesters_value(request: &KeyRequest) -> String {
    format!("{}.{}", request.id, request.requester_revision())
}

/// A message of nothing but text.
#[must_use]
pub fn text(sentence: &str) -> SlackMessage {
    SlackMessage { text: sentence.to_owned(), blocks: json!([section(sentence)]) }
}

/// The card in the approvals channel. While a request waits for approvals it shows what they judge; afterwards it is the
/// outcome, and follows its key. `mention` says whom the first posting calls.
#[must_use]
pub fn approval(
    request: &KeyRequest,
    key: Option<&IssuedKey>,
    mention: Option<&Approvers>,
    now: Timestamp,
) -> SlackMessage {
    if request.state == RequestState::Pending {
        to_decide(request, mention, now)
    } else {
        outcome(request, key)
    }
}

fn to_decide(request: &KeyRequest, mention: Option<&Approvers>, now: Timestamp) -> SlackMessage {
    let asked = &request.details;
    let call = text::calling(mention);
    let reason = text::reason(&asked.reason);
    let value = value(request);
    // An update notifies nobody.
    let may_name = mention.is_some() || request.card.is_some();
    let approvers = if may_name { text::approvers_called(request) } else { String::new() };
    let blocks = json!([
        header(&heading(request, None)),
        section(&format!("{call}{}\n{reason}{}", text::asks(request), text::comments(request))),
        fields(request),
        context(&format!("{}\n{}{approvers}", existing(&request.snapshot.keys, now), holds(request))),
        {"type": "actions", "block_id": "decide", "elements": [
            button("Approve", Action::Approve, &value, Some("primary"), None),
            button("Approve with comment", Action::OpenApproveForm, &value, None, None),
            button("Deny", Action::OpenDenyForm, &value, Some("danger"), None),
            button("Ask", Action::OpenAskForm, &value, None, None),
            button("Details", Action::Details, &value, None, None),
        ]},
    ]);
    let text = format!("{call}{} {}", text::asks(request), text::escape_mrkdwn(&asked.reason));
    SlackMessage { text, blocks }
}

fn outcome(request: &KeyRequest, key: Option<&IssuedKey>) -> SlackMessage {
    let standing = text::standing_now(request, key);
    let mut blocks = vec![
        header(&heading(request, key)),
        section(&format!("{standing}{}", text::comments(request))),
        context(&format!("{}\n{}", text::reason(&request.details.reason), text::asked_for(request))),
    ];
    if let RequestState::Denied { reason, .. } = &request.state {
        blocks.push(section(&text::because(reason)));
    }
    let mut buttons = Vec::new();
    let value = value(request);
    if request.is_actionable() {
        buttons.push(button("Deny anyway", Action::OpenDenyForm, &value, None, None));
    }
    buttons.push(button("Details", Action::Details, &value, None, None));
    blocks.push(json!({"type": "actions", "block_id": "decide", "elements": buttons}));
    if let (RequestState::Issued { key: id, .. }, Some(label)) = (&request.state, report_label(key)) {
        blocks.push(report(label, (id, &request.details.user), &value));
    }
    SlackMessage { text: standing, blocks: Value::Array(blocks) }
}

/// What reporting the key does, also one that was reported before: it may be on again. None where there is nothing left to do.
fn report_label(key: Option<&IssuedKey>) -> Option<&'static str> {
    match key {
        Some(key) if key.state.is_gone() => (!key.is_reported()).then_some("Report"),
        Some(_) | None => Some("Report and deactivate"),
    }
}

fn heading(request: &KeyRequest, key: Option<&IssuedKey>) -> String {
    let what = match &request.details.kind {
        RequestKind::Create => "access key",
        RequestKind::Rotate { .. } => "access key replacement",
        RequestKind::Reactivate { .. } => "access key reactivation",
        RequestKind::Extend { .. } => "access key extension",
    };
    let user = &request.details.user;
    let happened = match &request.state {
        RequestState::Pending if request.snapshot.privileged => {
            return format!("Privileged {what} for {user}");
        }
        RequestState::Pending => {
            let (first, rest) = what.split_at(1);
            return format!("{}{rest} for {user}", first.to_ascii_uppercase());
        }
        RequestState::Approved | RequestState::LinkIssued { .. } => "Approved",
        RequestState::Issuing(_) => "Being created",
        RequestState::Ambiguous(_) => "Outcome unknown",
        RequestState::Issued { .. } => key.map_or("Issued", |key| stage(&key.state)),
        RequestState::Completed { .. } => "Completed",
        RequestState::Denied { .. } => "Denied",
        RequestState::Cancelled if request.replaced_by.is_some() => "Replaced",
        RequestState::Cancelled => "Cancelled",
        RequestState::Expired => "Expired",
        RequestState::PolicyDenied { .. } => "Denied by policy",
    };
    format!("{happened}: {what} for {user}")
}

/// Where a key stands in its life.
fn stage(state: &KeyState) -> &'static str {
    match state {
        KeyState::Delivered | KeyState::Confirmed | KeyState::Unconfirmed { .. } => "Issued",
        KeyState::Active => "Active again",
        KeyState::Inactive { why: DeactivationReason::Expired, .. } => "Key expired",
        KeyState::Inactive { why: DeactivationReason::Reported, .. } => "Key reported",
        KeyState::Inactive { .. } => "Key deactivated",
        KeyState::Activating { .. } => "Being activated",
        KeyState::Deleting { .. } | KeyState::Deleted { .. } => "Key deleted",
        KeyState::Suspect { .. } | KeyState::NotOurs { .. } => "Outcome unknown",
    }
}

fn fields(request: &KeyRequest) -> Value {
    let asked = &request.details;
    let rights = if request.snapshot.privileged { ":warning: *privileged*" } else { "not privileged" };
    let field = |name: &str, what: &str| verbatim(&format!("*{name}*\n{what}"));
    json!({"type": "section", "fields": [
        field("Use case", text::use_case(asked.use_case)),
        field("Lifetime", &text::days(asked.days)),
        field("Permissions", rights),
        field("Approvals", &text::approvals_so_far(request)),
    ]})
}

fn existing(keys: &[AccessKey], now: Timestamp) -> String {
    let lines: Vec<String> = keys.iter().map(|key| text::key_line(key, now)).collect();
    match lines.as_slice() {
        [] => "Existing keys: none".to_owned(),
        [only] => format!("Existing key: {only}"),
        several => format!("Existing keys:\n{}", several.join("\n")),
    }
}

fn holds(request: &KeyRequest) -> String {
    const MOST: usize = 9;
    let shown = &request.snapshot;
    let mut names: Vec<String> = shown.policies.iter().take(MOST).map(|name| text::named(name)).collect();
    if shown.policies.len() > MOST {
        names.push(format!("and {} more", shown.policies.len() - MOST));
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let boundary =
        shown.boundary.as_ref().map_or(String::new(), |name| format!("\nBoundary: {}", text::named(name)));
    format!("Policies: {names}{boundary}\nRequest `{}`{}", request.id, text::replaces_on_card(request))
}

/// To the requester: your key can be made.
#[must_use]
pub fn ready(request: &KeyRequest) -> SlackMessage {
    let sentence = text::ready(request);
    let value = requesters_value(request);
    let blocks = json!([
        section(&sentence),
        {"type": "actions", "block_id": "collect", "elements": [
            button("Get my key", Action::GetKey, &value, Some("primary"), None),
            button("Cancel", Action::Cancel, &value, None, Some(confirm(
                "Cancel this request?", "You would have to submit a new request.", "Cancel the request"))),
        ]},
        context(&format!("{}\nRequest `{}`", text::alternative(request.details.use_case), request.id)),
    ]);
    SlackMessage { text: sentence, blocks }
}

/// To the requester: your request waits.
#[must_use]
pub fn asked(request: &KeyRequest) -> SlackMessage {
    let sentence = text::asked(request);
    let value = requesters_value(request);
    let mut buttons = Vec::new();
    if request.details.kind == RequestKind::Create {
        buttons.push(button("Edit", Action::EditRequest, &value, None, None));
    }
    buttons.push(button(
        "Cancel",
        Action::Cancel,
        &value,
        None,
        Some(confirm(
            "Cancel this request?",
            "The approvers will see that you cancelled it.",
            "Cancel the request",
        )),
    ));
    let blocks = json!([
        section(&sentence),
        {"type": "actions", "block_id": "collect", "elements": buttons},
        context(&format!("{}Request `{}`", instead(request), request.id)),
    ]);
    SlackMessage { text: sentence, blocks }
}

/// To the requester: an approver's question. Its button carries which one it is.
#[must_use]
pub fn question(request: &KeyRequest, number: usize, question: &Question) -> SlackMessage {
    let sentence = text::asks_you(request, question);
    let value = format!("{}.{number}", requesters_value(request));
    let blocks = json!([
        section(&sentence),
        {"type": "actions", "block_id": "answer", "elements": [
            button("Answer", Action::OpenAnswerForm, &value, Some("primary"), None),
        ]},
    ]);
    SlackMessage { text: sentence, blocks }
}

/// The request and the question that such a button carries.
#[must_use]
pub fn question_of(value: &str) -> Option<(&str, usize)> {
    let (request, number) = value.rsplit_once('.')?;
    Some((request, number.parse().ok()?))
}

/// To the requester: what can be done with a request that is open already.
#[must_use]
pub fn open_request(request: &KeyRequest) -> Option<SlackMessage> {
    let has_link = request.details.kind.existing().is_none();
    match &request.state {
        RequestState::Pending => Some(asked(request)),
        RequestState::Approved | RequestState::LinkIssued { .. } => has_link.then(|| ready(request)),
        RequestState::Issuing(_)
        | RequestState::Ambiguous(_)
        | RequestState::Issued { .. }
        | RequestState::Completed { .. }
        | RequestState::Denied { .. }
        | RequestState::Cancelled
        | RequestState::Expired
        | RequestState::PolicyDenied { .. } => None,
    }
}

/// What AWS recommends instead, on a line of its own, where a key is to be made.
fn instead(request: &KeyRequest) -> String {
    text::instead(request).map_or(String::new(), |instead| format!("{instead}\n"))
}

/// To the requester: the key was made, and how to switch it off if that wasn't them.
#[must_use]
pub fn issued(request: &KeyRequest, issued: &IssuedKey, browser: Browser) -> SlackMessage {
    let sentence = text::issued(issued, browser);
    let press = report("This wasn't me", (&issued.key, &issued.user), &requesters_value(request));
    SlackMessage { blocks: json!([section(&sentence), press]), text: sentence }
}

/// The button that reports a key: to its requester it says what they mean, to approvers what it does.
fn report(label: &str, (key, user): (&AccessKeyId, &IamUserName), value: &str) -> Value {
    let sure = confirm("Report this key?", &text::sure_to_report(key, user), "Deactivate");
    json!({"type": "actions", "block_id": "report", "elements": [
        button(label, Action::ReportKey, value, Some("danger"), Some(sure)),
    ]})
}

/// To the approvers, whom it calls: an incident, with what stops all issuing.
#[must_use]
pub fn incident(approvers: &Approvers, sentence: &str) -> SlackMessage {
    let text = text::alarm(approvers, sentence);
    let sure = confirm("Freeze key issuing?", text::FREEZE_MEANS, "Freeze");
    let freeze = button("Freeze key issuing", Action::Freeze, "freeze", Some("danger"), Some(sure));
    let blocks = json!([section(&text), {"type": "actions", "block_id": "incident", "elements": [freeze]}]);
    SlackMessage { text, blocks }
}

/// To the approvers: is this key one of ours?
#[must_use]
pub fn suspect(issued: &IssuedKey) -> SlackMessage {
    let sentence = text::suspect(issued);
    let sure = sure_to_delete(&issued.key, &issued.user);
    let blocks = json!([
        section(&sentence),
        {"type": "actions", "block_id": "suspect", "elements": [
            key_button("Delete (created by keyvend)", Action::SuspectOurs, issued, Some("danger"), Some(sure)),
            key_button("Keep (created by someone else)", Action::SuspectNotOurs, issued, None, None),
        ]},
    ]);
    SlackMessage { text: sentence, blocks }
}

/// A text with a button that opens the request form, filled in as far as is known.
#[must_use]
pub fn offer_form(text: String, prefill: &Prefill) -> SlackMessage {
    let open = button("Open the form", Action::OpenRequestForm, &prefill.to_button(), Some("primary"), None);
    let blocks = json!([section(&text), {"type": "actions", "block_id": "form", "elements": [open]}]);
    SlackMessage { text, blocks }
}

/// To the requester alone: the one-time link. The link is in its button and nowhere else.
#[must_use]
pub fn link(sentence: &str, url: &str) -> SlackMessage {
    let blocks = json!([
        section(sentence),
        {"type": "actions", "block_id": "link", "elements": [{
            "type": "button", "action_id": Action::OpenLink.as_str(), "style": "primary", "url": url,
            "text": {"type": "plain_text", "text": "Open the one-time link"},
        }]},
    ]);
    SlackMessage { text: sentence.to_owned(), blocks }
}

/// To the requester, after something went wrong with a link that can be had again.
#[must_use]
pub fn again(sentence: &str, request: &KeyRequest) -> SlackMessage {
    let blocks = json!([
        section(sentence),
        {"type": "actions", "block_id": "collect", "elements": [
            button("Get my key", Action::GetKey, &requesters_value(request), Some("primary"), None),
        ]},
    ]);
    SlackMessage { text: sentence.to_owned(), blocks }
}

/// A button about one key. It carries the key's id; all else is read from the table.
fn key_button(
    text: &str,
    action: Action,
    issued: &IssuedKey,
    style: Option<&str>,
    confirm: Option<Value>,
) -> Value {
    button(text, action, issued.key.as_str(), style, confirm)
}
