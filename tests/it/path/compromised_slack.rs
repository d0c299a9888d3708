//! Whoever stole the role of `slack` knows what Slack signs with, and can write to queue `slack`: they can speak as
//! anybody, and have every answer sent to themselves. That yields neither an approval nor a link.

mod approvals;
mod commands;
mod ids;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use keyvend::domain::request::{KeyRequest, RevisionSalt};
use keyvend::render::approval_card;
use serde_json::{Value, json};

use testkit::aws::{SIGNING_SECRET, SIGNING_SECRET_ID};
use testkit::deployed::Deployed;
use testkit::form;
use testkit::iam_rights::Function;
use testkit::slack::{
    ALICE_OWNER, APP, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER, Message, TEAM, direct,
};
use testkit::sqs;

const EVERYBODY: [&str; 4] = [ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER];

/// What they are told goes to mallory_outsider's own response URLs.
struct Thief<'a> {
    keyvend: &'a Deployed,
    sent: Cell<u8>,
}

impl<'a> Thief<'a> {
    /// With the role's credentials and nothing else.
    async fn of(keyvend: &'a Deployed) -> Self {
        let secrets = aws_sdk_secretsmanager::Client::new(&keyvend.world.net.config(Function::Slack));
        let secret = secrets.get_secret_value().secret_id(SIGNING_SECRET_ID).send().await.unwrap();
        assert_eq!(secret.secret_string.as_deref(), Some(SIGNING_SECRET), "which `posted` signs with");
        Self { keyvend, sent: Cell::new(0) }
    }

    fn response_url(&self) -> String {
        self.keyvend.world.net.slack().response_url(MALLORY_OUTSIDER, GENERAL, None)
    }

    /// Signed as Slack signs.
    async fn posts(&self, path: &str, body: &str) {
        self.keyvend.world.clock.advance(Duration::from_secs(1));
        let event = self.keyvend.world.posted(path, "application/x-www-form-urlencoded", body);
        assert_eq!(self.keyvend.arrive(event).await["statusCode"], 200);
        self.keyvend.deliver().await;
    }

    async fn types(&self, person: &str, text: &str) {
        let url = self.response_url();
        let fields = [
            ("team_id", TEAM),
            ("channel_id", GENERAL),
            ("user_id", person),
            ("command", "/access-key"),
            ("text", text),
            ("api_app_id", APP),
            ("response_url", url.as_str()),
        ];
        self.posts("/slack/commands", &form::encode(fields)).await;
    }

    /// Straight into the queue, where everything can be chosen, the id too.
    async fn queues(&self, person: &str, id: Option<&str>, signed_at: i64, what: Value) {
        self.sends("thief", person, id, signed_at, what).await;
        self.keyvend.deliver().await;
        assert!(
            self.keyvend.world.net.sqs().messages(sqs::SLACK).is_empty(),
            "it was a message like any other"
        );
    }

    /// One that fails is tried until it dies.
    async fn queues_and_waits(&self, person: &str, what: Value) {
        let group = format!("thief-{}", self.sent.get());
        self.sends(&group, person, None, self.now() + 1, what).await;
        self.keyvend.deliver_everything().await;
    }

    async fn sends(&self, group: &str, person: &str, id: Option<&str>, signed_at: i64, what: Value) {
        self.keyvend.world.clock.advance(Duration::from_secs(1));
        self.sent.set(self.sent.get() + 1);
        let own = format!("{:0>16}", self.sent.get());
        let body = json!({
            "id": id.unwrap_or(&own), "dedup": format!("{:0>64}", self.sent.get()), "signed_at": signed_at,
            "person": format!("{TEAM}.{person}"), "channel": GENERAL, "response_url": self.response_url(),
            "trigger_id": "1.2.thief", "what": what,
        });
        let queue = aws_sdk_sqs::Client::new(&self.keyvend.world.net.config(Function::Slack));
        let sending = queue.send_message().queue_url(sqs::url(sqs::SLACK)).message_body(body.to_string());
        let once = format!("thief-{own}");
        sending.message_group_id(group).message_deduplication_id(once).send().await.unwrap();
    }

    fn now(&self) -> i64 {
        self.keyvend.world.clock.now().0
    }

    /// A press as anybody, with the card as its place, both ways.
    async fn presses(&self, person: &str, action: &str, value: &str, place: &Message) {
        let (channel, ts) = (&place.channel, &place.ts);
        let payload = json!({
            "type": "block_actions", "api_app_id": APP, "team": {"id": TEAM}, "user": {"id": person},
            "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": false},
            "channel": {"id": channel}, "response_url": self.response_url(),
            "actions": [{"type": "button", "action_id": action, "value": value}],
        });
        self.posts("/slack/interactive", &form::encode([("payload", payload.to_string().as_str())])).await;
        let pressed = json!({"block_actions": {
            "action_id": action, "value": value, "message": {"channel": channel, "ts": ts}, "view": null,
            "ephemeral": false,
        }});
        self.queues(person, None, self.now(), json!({"interaction": pressed})).await;
    }

    /// The form that **Deny** opens, submitted as if it had been open, both ways.
    async fn denies(&self, person: &str, value: &str) {
        let values = json!({"reason": {"write": {"type": "plain_text_input", "value": "says the thief"}}});
        let payload = json!({
            "type": "view_submission", "api_app_id": APP, "team": {"id": TEAM}, "user": {"id": person},
            "view": {"id": "V0000THIEF", "callback_id": "deny", "private_metadata": value, "state": {"values": values}},
        });
        self.posts("/slack/interactive", &form::encode([("payload", payload.to_string().as_str())])).await;
        let submitted = json!({"view_submission": {
            "view": "V0000THIEF", "callback_id": "deny", "carried": value, "values": {"reason": "says the thief"},
        }});
        self.queues(person, None, self.now(), json!({"interaction": submitted})).await;
    }

    /// Everything that an approver could do on the card.
    async fn tries_to_decide(&self, person: &str, value: &str, card: &Message) {
        for action in ["approve", "deny", "details"] {
            self.presses(person, action, value, card).await;
        }
        self.denies(person, value).await;
    }

    /// What they were answered.
    fn told(&self) -> Vec<Message> {
        self.keyvend.world.net.slack().told(MALLORY_OUTSIDER)
    }

    /// What the buttons of those answers carry.
    fn learnt(&self) -> BTreeSet<String> {
        self.told().iter().flat_map(Message::buttons).map(|button| button.value).collect()
    }

    /// They have no link, and no link is anywhere but where its requester looks.
    fn has_no_link(&self) {
        assert!(self.told().iter().flat_map(Message::buttons).all(|button| button.url.is_none()));
        for message in self.keyvend.world.net.slack().ever() {
            if format!("{message:?}").contains("/reveal#") {
                assert_eq!(message.ephemeral_to.as_deref(), Some(ALICE_OWNER));
                assert_eq!(message.channel, direct(ALICE_OWNER));
            }
        }
    }
}

async fn stored(keyvend: &Deployed) -> KeyRequest {
    serde_json::from_value(keyvend.request().await).unwrap()
}

/// The best that can be made of a request without its salt: everything else is known, the card's place too.
async fn guesses(keyvend: &Deployed) -> Vec<String> {
    let request = stored(keyvend).await;
    let unsalted = KeyRequest { salt: RevisionSalt::new([0; 16]), ..request.clone() };
    let zeros = "0".repeat(16);
    vec![
        approval_card::value(&unsalted),
        approval_card::requesters_value(&unsalted),
        format!("{}.{zeros}", request.id),
        format!("{}.{}", request.id, request.id),
    ]
}

fn outsiders(events: &[String]) -> Vec<&str> {
    events.iter().map(String::as_str).filter(|event| *event != "interaction.unknown_revision").collect()
}
