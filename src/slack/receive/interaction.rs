//! Interactions (<https://docs.slack.dev/reference/interaction-payloads>): pressed buttons and submitted forms. Of the
//! payload only what is named here is read, so that what Slack adds to it cannot break anything.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::form_urlencoded::Form;
use crate::id::{PersonId, SlackTeamId};
use crate::slack::action_id::{Action, Callback};
use crate::slack::command::form::CHOSEN_SEPARATOR;
use crate::slack::command::{self, Command, Create, Field, Problem};
use crate::slack::envelope::{Interaction, MessageRef, OpenView, SlackEnvelope, SlackEvent};
use crate::slack::receive::outcome::{AppIdentity, ReceiveOutcome, RejectReason, text_at};
use crate::slack::signature::Verified;
use crate::text::bounded;

/// Slack allows 255 characters in a `block_id`; ours stay well below.
const ID_MOST: usize = 64;
/// Slack's most characters of a button's value, which those that open a filled form come near.
const VALUE_MOST: usize = 2_000;
/// The callback id of the global shortcut in deploy/slack-manifest.yaml.
const REQUEST_SHORTCUT: &str = "request-key";
/// Above the longest reason.
const INPUT_MOST: usize = 300;
/// Above what a form of ours has.
const INPUTS_MOST: usize = 12;

/// The JSON in the form's `payload`.
pub(crate) fn payload(body: &[u8]) -> Result<Value, RejectReason> {
    let form = Form::parse(body).map_err(|_| RejectReason::Unreadable)?;
    crate::slack::receive::outcome::json(
        form.get("payload").ok_or(RejectReason::Lacks("payload"))?.as_bytes(),
    )
}

pub(crate) fn receive(signed: &Verified<Value>, pins: &AppIdentity) -> Result<ReceiveOutcome, RejectReason> {
    let payload = signed.get();
    pins.app(text_at(payload, "/api_app_id"))?;
    let team = team(payload, pins)?;
    let interaction = match text_at(payload, "/type").ok_or(RejectReason::Lacks("type"))? {
        "block_actions" => block_actions(payload)?,
        "view_submission" => Some(view_submission(payload)?),
        // Slack's global shortcut, which opens the form as the command alone does.
        "shortcut" if text_at(payload, "/callback_id") == Some(REQUEST_SHORTCUT) => {
            let opened = SlackEvent::Command(Command::Form(None));
            return queue(signed, payload, pins, team, opened);
        }
        _ => None,
    };
    let Some(interaction) = interaction else { return Ok(ReceiveOutcome::Acknowledged) };
    if let Interaction::ViewSubmission { callback_id, values, .. } = &interaction {
        let wrong = wrong_fields(*callback_id, values);
        if !wrong.is_empty() {
            return Ok(ReceiveOutcome::FormErrors(wrong));
        }
    }
    queue(signed, payload, pins, team, SlackEvent::Interaction(interaction))
}

fn queue(
    signed: &Verified<Value>,
    payload: &Value,
    pins: &AppIdentity,
    team: SlackTeamId,
    what: SlackEvent,
) -> Result<ReceiveOutcome, RejectReason> {
    let user =
        text_at(payload, "/user/id").and_then(|id| id.parse().ok()).ok_or(RejectReason::Lacks("user"))?;
    let mut message = SlackEnvelope::of(signed, PersonId { team, user }, what);
    message.response_url = pins.response_url(text_at(payload, "/response_url"))?;
    message.channel = text_at(payload, "/channel/id").and_then(|id| id.parse().ok());
    message.trigger_id = text_at(payload, "/trigger_id").and_then(|id| id.to_owned().try_into().ok());
    Ok(ReceiveOutcome::Queue(Box::new(message)))
}

/// What the grammar finds wrong in a form's fields.
fn wrong_fields(callback_id: Option<Callback>, values: &BTreeMap<String, String>) -> Vec<(Field, Problem)> {
    match callback_id {
        Some(Callback::Request) => {
            let wrong = Create::filled(values).err().unwrap_or_default();
            wrong.into_iter().chain(command::other_accounts(values).err()).collect()
        }
        Some(Callback::Edit) => Create::filled(values).err().unwrap_or_default(),
        Some(Callback::Approve | Callback::Deny | Callback::Question | Callback::Answer) => {
            command::review_reason(values).err().into_iter().collect()
        }
        None => Vec::new(),
    }
}

/// The workspace it happened in. An app installed for a whole organisation gets none outside of a workspace; then it is
/// the person's own.
fn team(payload: &Value, pins: &AppIdentity) -> Result<SlackTeamId, RejectReason> {
    let org_wide = payload.get("is_enterprise_install") == Some(&Value::Bool(true));
    match payload.get("team") {
        None | Some(Value::Null) if org_wide => pins.team(text_at(payload, "/user/team_id")),
        _ => pins.team(text_at(payload, "/team/id")),
    }
}

fn block_actions(payload: &Value) -> Result<Option<Interaction>, RejectReason> {
    let Some([action]) = payload.get("actions").and_then(Value::as_array).map(Vec::as_slice) else {
        return Err(RejectReason::Lacks("action"));
    };
    let action_id = text_at(action, "/action_id").ok_or(RejectReason::Lacks("action_id"))?;
    let action_id = Action::parse(action_id);
    if action_id == Some(Action::OpenLink) {
        // Slack reports the press of a link, too; there is nothing to do.
        return Ok(None);
    }
    let message = || {
        Some(MessageRef {
            channel: text_at(payload, "/container/channel_id")?.parse().ok()?,
            ts: text_at(payload, "/container/message_ts")?.parse().ok()?,
        })
    };
    let view = || {
        Some(OpenView {
            id: text_at(payload, "/view/id")?.parse().ok()?,
            hash: text_at(payload, "/view/hash").and_then(|hash| hash.parse().ok()),
            carried: bounded(text_at(payload, "/view/private_metadata").unwrap_or_default(), VALUE_MOST),
        })
    };
    Ok(Some(Interaction::BlockActions {
        action_id,
        value: bounded(chosen(action).unwrap_or_default(), VALUE_MOST),
        message: message(),
        view: view(),
        ephemeral: payload.pointer("/container/is_ephemeral") == Some(&Value::Bool(true)),
    }))
}

fn view_submission(payload: &Value) -> Result<Interaction, RejectReason> {
    let callback_id = text_at(payload, "/view/callback_id").ok_or(RejectReason::Lacks("callback_id"))?;
    let blocks = payload.pointer("/view/state/values").and_then(Value::as_object);
    let mut values = BTreeMap::new();
    for (block_id, elements) in blocks.into_iter().flatten() {
        let elements = elements.as_object().into_iter().flat_map(|elements| elements.values());
        if let Some(value) = elements.filter_map(filled).next()
            && values.len() < INPUTS_MOST
        {
            values.insert(bounded(block_id, ID_MOST), bounded(&value, INPUT_MOST));
        }
    }
    Ok(Interaction::ViewSubmission {
        view: text_at(payload, "/view/id")
            .and_then(|id| id.parse().ok())
            .ok_or(RejectReason::Lacks("view"))?,
        callback_id: Callback::parse(callback_id),
        carried: bounded(text_at(payload, "/view/private_metadata").unwrap_or_default(), VALUE_MOST),
        values,
    })
}

/// The same, and what is chosen in a menu of which several can be.
fn filled(element: &Value) -> Option<String> {
    let several = || {
        let options = element.get("selected_options")?.as_array()?.iter();
        let values: Vec<&str> = options.filter_map(|option| text_at(option, "/value")).collect();
        Some(values.join(&CHOSEN_SEPARATOR.to_string()))
    };
    chosen(element).map(str::to_owned).or_else(several)
}

/// What a button carries, an input holds or a menu has selected.
fn chosen(element: &Value) -> Option<&str> {
    text_at(element, "/value").or_else(|| text_at(element, "/selected_option/value"))
}
