//! Where a text can be found: the search that shows that a secret is nowhere, or only where it may be.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::World;
use crate::aws::{AUDIT, REQUESTS, TICKETS};
use crate::net::HOME;
use crate::sqs::QUEUES;

impl World {
    /// Every place in the world that holds the text, in the open or in base64: tables, queues and dead letters,
    /// tags, and whatever any call carried out of the product (so Slack, mail and session policies too).
    pub async fn places_holding(&self, text: &str) -> Vec<String> {
        let mut places = Vec::new();
        for table in [REQUESTS, TICKETS, AUDIT] {
            let items = self.net.dynamo().items(table).await;
            places.extend(items.iter().filter(|item| holds(item, text)).map(|_| format!("table {table}")));
        }
        for queue in QUEUES {
            let sqs = self.net.sqs();
            let messages = sqs.messages(queue).into_iter().chain(sqs.dead(queue));
            let found = messages.filter(|message| holds(&Value::String(message.body.clone()), text));
            places.extend(found.map(|_| format!("queue {queue}")));
        }
        for user in self.net.iam().users(HOME).await {
            let tags = self.net.iam().tags(HOME, &user).await;
            if tags.iter().any(|(key, value)| key.contains(text) || value.contains(text)) {
                places.push(format!("tags of {user}"));
            }
        }
        for message in self.net.slack().ever() {
            let edits = message.edits.iter().map(|(text, blocks)| (text, blocks));
            let mut versions = edits.chain([(&message.text, &message.blocks)]);
            if versions.any(|(said, blocks)| said.contains(text) || holds(blocks, text)) {
                places.push(format!("message in {}", message.channel));
            }
        }
        let calls = self.net.calls();
        let carrying = calls.iter().filter(|call| call.url.contains(text) || holds(&call.parameters, text));
        places.extend(carrying.map(|call| format!("call {} {}", call.service, call.operation)));
        places
    }
}

/// Whether a text anywhere in the value holds this one, be it encoded in base64.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.contains(text) || decoded(own).is_some_and(|own| own.contains(text)),
        Value::Array(list) => list.iter().any(|element| holds(element, text)),
        Value::Object(map) => map.iter().any(|(name, value)| name.contains(text) || holds(value, text)),
        _ => false,
    }
}

fn decoded(text: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
