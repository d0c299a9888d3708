//! Slash commands (<https://docs.slack.dev/interactivity/implementing-slash-commands>). What is no command, and a request
//! for help, is answered at once.

use crate::http::form_urlencoded::Form;
use crate::id::PersonId;
use crate::slack::command::Command;
use crate::slack::command::secret::{holds_secret, named_key};
use crate::slack::command_name::CommandName;
use crate::slack::envelope::{SlackEnvelope, SlackEvent};
use crate::slack::receive::outcome::{AppIdentity, ReceiveOutcome, RejectReason};
use crate::slack::signature::Verified;

pub(crate) fn receive(signed: &Verified<Form>, pins: &AppIdentity) -> Result<ReceiveOutcome, RejectReason> {
    let form = signed.get();
    pins.app(form.get("api_app_id"))?;
    let team = pins.team(form.get("team_id"))?;
    let user = form.get("user_id").and_then(|id| id.parse().ok()).ok_or(RejectReason::Lacks("user_id"))?;
    let response_url = pins.response_url(form.get("response_url"))?;
    let slash: CommandName = form.get("command").and_then(|name| name.parse().ok()).unwrap_or_default();
    let text = form.get("text").unwrap_or_default();
    if holds_secret(text) {
        return Ok(ReceiveOutcome::SecretTyped(named_key(text)));
    }
    let command = match text.parse() {
        Err(error) => return Ok(ReceiveOutcome::SyntaxError(slash.as_str().to_owned(), error)),
        Ok(Command::Help) => return Ok(ReceiveOutcome::Help(slash.as_str().to_owned())),
        Ok(
            command @ (Command::Form(_)
            | Command::Create(_)
            | Command::List(_)
            | Command::Rotate(_)
            | Command::Extend(_)
            | Command::Deactivate(_)
            | Command::Activate(_)
            | Command::Delete(_)
            | Command::Status(_)
            | Command::Cancel(_)
            | Command::Freeze
            | Command::Unfreeze
            | Command::Whoami),
        ) => command,
    };
    let mut message = SlackEnvelope::of(signed, PersonId { team, user }, SlackEvent::Command(command));
    message.command = Some(slash);
    message.response_url = response_url;
    message.channel = form.get("channel_id").and_then(|id| id.parse().ok());
    message.trigger_id = form.get("trigger_id").and_then(|id| id.to_owned().try_into().ok());
    Ok(ReceiveOutcome::Queue(Box::new(message)))
}
