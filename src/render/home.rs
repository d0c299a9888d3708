//! The Home tab as Block Kit (<https://docs.slack.dev/surfaces/app-home>).

use serde_json::{Value, json};

use crate::domain::key::IssuedKey;
use crate::domain::request::KeyRequest;
use crate::id::ChannelId;
use crate::policy::IamUserRef;
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::block_kit::{button, context, header, section};
use crate::slack::command::Prefill;

/// What a person sees there: requests with the keys that came of them.
#[must_use]
pub fn home(
    own: &[IamUserRef],
    requests: &[(KeyRequest, Option<IssuedKey>)],
    help: Option<&ChannelId>,
) -> Value {
    let open = button(
        "Request an access key",
        Action::OpenRequestForm,
        &Prefill::default().to_button(),
        Some("primary"),
        None,
    );
    let mut blocks = vec![json!({"type": "actions", "block_id": "request", "elements": [open]})];
    blocks.push(context(text::HOME_ALTERNATIVES));
    blocks.extend([json!({"type": "divider"}), header("Your requests")]);
    if requests.is_empty() {
        blocks.push(section(text::NO_REQUESTS));
    }
    blocks.extend(
        requests.iter().map(|(request, key)| section(&text::status_line(request, key.as_ref(), help))),
    );
    blocks.extend([json!({"type": "divider"}), header("Your IAM users")]);
    blocks.push(section(&text::own_user_lines(own)));
    view(&blocks)
}

/// The tab of somebody who may not request keys.
#[must_use]
pub fn notice(sentence: &str) -> Value {
    view(&[section(sentence)])
}

fn view(blocks: &[Value]) -> Value {
    json!({"type": "home", "blocks": blocks})
}
