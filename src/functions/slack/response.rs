//! What is answered at once: the acknowledgement of what is queued, and whatever needs nothing that is asked of the
//! worker.

use serde_json::{Map, Value, json};

use crate::http::api_gateway::HttpResponse;
use crate::id::AccessKeyId;
use crate::render::{approval_card, modal, text};
use crate::slack::action_id::Action;
use crate::slack::block_kit;
use crate::slack::command::{Command, Field, Problem, SyntaxError};
use crate::slack::envelope::{Interaction, SlackEvent};
use crate::slack::message::SlackMessage;
use crate::slack::receive::{ReceiveOutcome, RejectReason};

/// The answer to a request that was received as this.
#[must_use]
pub fn response(outcome: &ReceiveOutcome) -> HttpResponse {
    match outcome {
        ReceiveOutcome::Acknowledged => HttpResponse::empty(200),
        // JSON, never text: a challenge echoed as HTML would run in a browser.
        ReceiveOutcome::Challenge(challenge) => HttpResponse::json(&json!({ "challenge": challenge })),
        ReceiveOutcome::Help(slash) => ephemeral(&text::help(slash)),
        ReceiveOutcome::SyntaxError(slash, error) => syntax_error(slash, error),
        ReceiveOutcome::SecretTyped(key) => secret_typed(key.as_ref()),
        ReceiveOutcome::FormErrors(wrong) => form_errors(wrong),
        ReceiveOutcome::Queue(message) => acknowledgement(&message.what),
        ReceiveOutcome::Rejected(reason) => rejection(*reason),
    }
}

fn acknowledgement(what: &SlackEvent) -> HttpResponse {
    match what {
        // The form itself is the answer.
        SlackEvent::Command(Command::Form(_)) => HttpResponse::empty(200),
        SlackEvent::Command(_) => ephemeral(text::CHECKING),
        SlackEvent::Interaction(Interaction::ViewSubmission { callback_id: Some(_), .. }) => {
            let checking = modal::notice(text::CHECKING_FORM);
            HttpResponse::json(&json!({ "response_action": "update", "view": checking }))
        }
        // Slack shows any other body of an acknowledgement as an error.
        SlackEvent::Interaction(Interaction::BlockActions { .. } | Interaction::ViewSubmission { .. })
        | SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => HttpResponse::empty(200),
    }
}

/// The answer to what may or may not be queued: nobody confirmed it in time. A person reads what to do; Slack sends an event
/// again, and shows a press as failed, where no answer can be shown.
#[must_use]
pub fn unconfirmed(what: &SlackEvent) -> HttpResponse {
    match what {
        SlackEvent::Command(Command::Deactivate(key)) => ephemeral(&text::deactivation_unconfirmed(key)),
        SlackEvent::Command(_) => ephemeral(text::NOT_CONFIRMED),
        SlackEvent::Interaction(Interaction::ViewSubmission { callback_id: Some(_), .. }) => {
            let notice = modal::notice(text::NOT_CONFIRMED);
            HttpResponse::json(&json!({ "response_action": "update", "view": notice }))
        }
        SlackEvent::Interaction(Interaction::BlockActions { .. } | Interaction::ViewSubmission { .. })
        | SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => HttpResponse::text(503, text::NOT_QUEUED),
    }
}

/// <https://docs.slack.dev/surfaces/modals#displaying_errors>
fn form_errors(wrong: &[(Field, Problem)]) -> HttpResponse {
    let errors: Map<String, Value> = wrong
        .iter()
        .map(|(field, problem)| (field.block_id().to_owned(), text::in_field(problem).into()))
        .collect();
    HttpResponse::json(&json!({ "response_action": "errors", "errors": errors }))
}

fn rejection(reason: RejectReason) -> HttpResponse {
    match reason {
        RejectReason::NoSuchPath => HttpResponse::text(404, text::NOT_FOUND),
        RejectReason::Method => HttpResponse::text(405, text::POST_ONLY).with_header("Allow", "POST"),
        RejectReason::Signature(_) => HttpResponse::empty(401),
        RejectReason::MediaType => HttpResponse::text(415, text::WRONG_MEDIA_TYPE),
        RejectReason::Unreadable => HttpResponse::text(400, text::UNREADABLE),
        RejectReason::NotOurs => HttpResponse::text(403, text::NOT_FOR_US),
        RejectReason::Lacks(field) => HttpResponse::text(400, &text::lacks(field)),
    }
}

/// What is wrong with a typed line, with the form where it can go on from what was right.
fn syntax_error(slash: &str, error: &SyntaxError) -> HttpResponse {
    let text = text::syntax(error, slash);
    let Some(prefill) = &error.prefill else { return ephemeral(&text) };
    let SlackMessage { text, blocks } = approval_card::offer_form(text, prefill);
    HttpResponse::json(&json!({ "response_type": "ephemeral", "text": text, "blocks": blocks }))
}

/// Advice to deactivate a key whose secret was typed, with the button for it where the key is known.
fn secret_typed(key: Option<&AccessKeyId>) -> HttpResponse {
    let advice = text::secret_typed(key);
    let Some(key) = key else { return ephemeral(&advice) };
    let button =
        block_kit::button("Deactivate this key", Action::Deactivate, key.as_str(), Some("danger"), None);
    let blocks = json!([block_kit::section(&advice), {"type": "actions", "elements": [button]}]);
    HttpResponse::json(&json!({ "response_type": "ephemeral", "text": advice, "blocks": blocks }))
}

fn ephemeral(text: &str) -> HttpResponse {
    HttpResponse::json(&json!({ "response_type": "ephemeral", "text": text }))
}
