//! Whoever stole the role of `slack` knows what Slack signs with, and can write to queue `slack`: they can speak as
//! anybody, and have every answer sent to themselves. That yields neither an approval nor a link.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use keyvend::domain::request::{KeyRequest, RevisionSalt};
use keyvend::render::approval_card;
use serde_json::{Value, json};

use testkit::aws::{self, SIGNING_SECRET, SIGNING_SECRET_ID};
use testkit::deployed::Deployed;
use testkit::form;
use testkit::iam_rights::Function;
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APP, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER, Message, TEAM,
    direct,
};
use testkit::sqs;
use testkit::steps::{ASK, policies, text};

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
        sending.message_group_id("thief").message_deduplication_id(once).send().await.unwrap();
        self.keyvend.deliver().await;
        assert!(
            self.keyvend.world.net.sqs().messages(sqs::SLACK).is_empty(),
            "it was a message like any other"
        );
    }

    /// One that fails is tried until it dies.
    async fn queues_and_waits(&self, person: &str, what: Value) {
        self.keyvend.world.clock.advance(Duration::from_secs(1));
        self.sent.set(self.sent.get() + 1);
        let own = format!("{:0>16}", self.sent.get());
        let body = json!({
            "id": own, "dedup": format!("{:0>64}", self.sent.get()), "signed_at": self.now(),
            "person": format!("{TEAM}.{person}"), "channel": GENERAL, "response_url": self.response_url(),
            "trigger_id": "1.2.thief", "what": what,
        });
        let queue = aws_sdk_sqs::Client::new(&self.keyvend.world.net.config(Function::Slack));
        let sending = queue.send_message().queue_url(sqs::url(sqs::SLACK)).message_body(body.to_string());
        let once = format!("thief-{own}");
        sending.message_group_id(own).message_deduplication_id(once).send().await.unwrap();
        self.keyvend.deliver_everything().await;
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

// T7.3
#[tokio::test]
async fn guessed_revision_has_no_effect_and_is_audited() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let thief = Thief::of(&keyvend).await;
    let card = keyvend.card();
    let mut tries = 0;
    // Also when a real press would now redraw the card and drop bob's approval.
    for policy in [None, Some("ReadOnlyAccess")] {
        if let Some(policy) = policy {
            let iam = aws::iam(&keyvend.world.net, HOME);
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            iam.attach_user_policy().user_name("admin-bot").policy_arn(arn).send().await.unwrap();
        }
        for value in guesses(&keyvend).await {
            for person in [CAROL_APPROVER, BOB_APPROVER] {
                thief.tries_to_decide(person, &value, &card).await;
                tries += 8;
            }
        }
        assert_eq!(keyvend.stands().await, "PENDING");
        assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
        assert_eq!(keyvend.card().edits.len(), card.edits.len(), "nor is the card drawn anew");
    }
    let events = keyvend.events().await;
    assert_eq!(outsiders(&events), ["request.created", "review.approved"]);
    assert_eq!(events.len(), 2 + tries);
    let last = keyvend.trail().await.pop().unwrap();
    assert_eq!((last.event.as_str(), last.actor.as_str()), ("interaction.unknown_revision", "T0001.U0BOB"));
    assert!(thief.told().iter().all(|told| told.reading().contains("This button is no longer valid")));

    // The card itself is not spent by it: this press redraws, the next two count, and an old card is told as such.
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    assert!(keyvend.card().reading().contains("`ReadOnlyAccess`"));
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert!(
        keyvend.told(BOB_APPROVER).contains("Your click was not counted"),
        "{}",
        keyvend.told(BOB_APPROVER)
    );
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
}

// T7.3
#[tokio::test]
async fn forged_request_reveals_no_approval_and_no_link() {
    // What a thief learns from a forged request approves nothing, and its link is shown to the person it names.
    let keyvend = Deployed::new().await;
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, ASK).await;
    let card = keyvend.card();
    let learnt = thief.learnt();
    assert_eq!(learnt.len(), 1, "the requester's own: {learnt:?}");
    for value in &learnt {
        for person in EVERYBODY {
            thief.tries_to_decide(person, value, &card).await;
            thief.presses(person, "get-key", value, &card).await;
            thief.presses(person, "not-me", value, &card).await;
        }
    }
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    assert_eq!(outsiders(&keyvend.events().await), ["request.created"]);

    // Somebody approves what alice never asked for.
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    for value in &learnt {
        for person in EVERYBODY {
            thief.presses(person, "get-key", value, &card).await;
        }
    }
    thief.has_no_link();
    let told = thief.told();
    assert!(told.iter().any(|told| told.reading().contains("is in your direct messages with keyvend")));
    assert_eq!(thief.learnt(), learnt, "and nothing new");
    let shown = keyvend.world.net.slack().told(ALICE_OWNER);
    let links = shown.iter().flat_map(Message::buttons).filter(|button| button.url.is_some()).count();
    assert_eq!(links, 2, "to alice, who never pressed: once for each way in");
    keyvend.nothing_was_created().await;
}

// T7.3
#[tokio::test]
async fn forged_request_without_approval_links_named_requester() {
    // Its link is shown to the person it names, not to the thief.
    let none = policies("no-approval-for-thieves", |text| {
        text.replace("context.approvals >= 1", "context.approvals >= 0")
            .replace("context.approvals >= 2", "context.approvals >= 0")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &none)]).await;
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, ASK).await;
    let ready = thief.told().pop().unwrap();
    for place in [GENERAL.to_owned(), direct(ALICE_OWNER), direct(MALLORY_OUTSIDER)] {
        let place = Message { channel: place, ..ready.clone() };
        thief.presses(ALICE_OWNER, "get-key", &ready.button("Get my key").value, &place).await;
    }
    // Nor where the link cannot be shown, or the mail could not be sent.
    for method in ["conversations.open", "chat.postEphemeral"] {
        keyvend.world.net.slack().fail_next(method, "internal_error");
        thief.presses(ALICE_OWNER, "get-key", &ready.button("Get my key").value, &ready).await;
    }
    assert!(
        thief.told().iter().any(|told| told.reading().contains("Your one-time link could not be delivered"))
    );
    thief.has_no_link();
    keyvend.nothing_was_created().await;
}

// T7.3
#[tokio::test]
async fn request_id_alone_grants_nothing() {
    // It is not enough for the link, the end or the keys of the request.
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let card = keyvend.card();
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, "status").await;
    let id = text(&keyvend.request().await["id"]);
    assert!(thief.told().pop().unwrap().reading().contains(&id), "alice's ids are no secret to them");
    let mut values = guesses(&keyvend).await;
    values.push(card.button("Details").value);
    for value in &values {
        for action in ["get-key", "cancel"] {
            thief.presses(ALICE_OWNER, action, value, &ready).await;
        }
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(outsiders(&keyvend.events().await), ["request.created", "review.approved"]);
    assert_eq!(keyvend.events().await.len(), 2 + values.len() * 4);
    thief.has_no_link();

    let tab = keyvend.collects(&ready).await;
    let key = keyvend.reveals(&tab).await;
    for value in guesses(&keyvend).await {
        for person in EVERYBODY {
            thief.presses(person, "not-me", &value, &card).await;
        }
    }
    let is_active = || aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status == "Active";
    assert!(is_active(), "{} runs on", key.id);
    assert!(thief.learnt().is_empty(), "{:?}", thief.learnt());
    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "This wasn't me").await;
    assert!(!is_active());
}

// T7.3
#[tokio::test]
async fn repeated_line_reveals_no_button() {
    let keyvend = Deployed::new().await;
    for step in ["pending", "approved"] {
        if step == "pending" {
            keyvend.asked().await;
        } else {
            keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
        }
        let thief = Thief::of(&keyvend).await;
        thief.types(ALICE_OWNER, ASK).await;
        let told = thief.told().pop().unwrap().reading();
        assert!(told.contains("no second request was created"), "{told}");
        assert!(thief.learnt().is_empty(), "{step}: {:?}", thief.learnt());
        assert!(!keyvend.direct(ALICE_OWNER).buttons().is_empty(), "{step}: its requester has them");
    }
}

/// Whoever types lines in anybody's name turns keys off, and gets none on again: the button is in the direct messages of
/// whom they named, with a value that stands nowhere else.
// T7.15
#[tokio::test]
async fn forged_deactivation_reveals_no_undo() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed {
            keyvend.confirmed().await.1.id
        } else {
            let iam = aws::iam(&keyvend.world.net, HOME);
            let made = iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
            made.access_key.unwrap().access_key_id
        };
        keyvend.deliver_everything().await;
        let thief = Thief::of(&keyvend).await;
        // In alice's name, and once more when she has done it herself.
        for _ in 0..2 {
            thief.types(ALICE_OWNER, &format!("deactivate {key}")).await;
        }
        let is_active = || aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status == "Active";
        assert!(!is_active());
        assert!(thief.learnt().is_empty(), "{:?}", thief.learnt());
        let offer = keyvend.offer("Undo").unwrap();
        assert_eq!(offer.channel, direct(ALICE_OWNER));
        let value = offer.button("Undo").value;
        let nonce = value.split_once('.').unwrap().1;
        // Nor does it help to read the table.
        let items = aws::items(&keyvend.world.net, aws::REQUESTS).await;
        let stored = items[&format!("undo#{key}")].to_string();
        assert!(items.values().all(|item| !item.to_string().contains(nonce)), "{stored}");
        let digest =
            stored.split("nonces").nth(1).unwrap().split('"').find(|part| part.len() == 64 + 1).unwrap();
        let zeros = "0".repeat(nonce.len());
        let guesses = [
            key.clone(),
            format!("{key}."),
            format!("{key}.{zeros}"),
            format!("{key}.{}", digest.trim_matches('\\')),
            format!("AKIANOSUCHKEY0000000.{nonce}"),
        ];
        for guess in &guesses {
            for person in EVERYBODY {
                thief.presses(person, "undo-deactivation", guess, &offer).await;
            }
        }
        assert!(!is_active());
        assert!(thief.told().iter().any(|told| told.reading().contains("This button is no longer valid")));
        // With the value, in the name of others: it is alice's.
        for person in [BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER] {
            thief.presses(person, "undo-deactivation", &value, &offer).await;
        }
        assert!(!is_active());
        let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
        let said = |event: &str| audit.values().filter(|item| item["event"]["S"] == event).count();
        assert_eq!((said("key.activating"), said("interaction.unknown_revision") > 8), (0, true));
        keyvend.presses(ALICE_OWNER, &offer, "Undo").await;
        assert!(is_active(), "it is still hers");
    }
}

// T7.15
#[tokio::test]
async fn forged_line_deletes_no_key() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    for _ in 0..2 {
        thief.types(ALICE_OWNER, &format!("delete {}", key.id)).await;
    }
    assert!(thief.learnt().is_empty(), "{:?}", thief.learnt());
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer").len(), 1);
    assert!(keyvend.offer("Delete").unwrap().reading().contains("Delete the inactive key"));
}

// T7.3
#[tokio::test]
async fn discrepancies_go_to_approvers_alone() {
    let keyvend = Deployed::new().await;
    let made =
        aws::iam(&keyvend.world.net, HOME).create_access_key().user_name("admin-bot").send().await.unwrap();
    let key = made.access_key.unwrap().access_key_id;
    keyvend.world.clock.advance(Duration::from_secs(86_400));
    for _ in 0..2 {
        keyvend.world.net.sqs().sweep();
        keyvend.deliver_everything().await;
    }
    let reported = |part: &str| {
        let all = keyvend.world.net.slack().messages(APPROVALS);
        all.into_iter().find(|message| message.reading().contains(part))
    };
    let report = reported("Discrepancies between IAM").unwrap();
    let thief = Thief::of(&keyvend).await;
    thief.presses(BOB_APPROVER, "show-discrepancies", "all", &report).await;
    assert!(thief.told().iter().all(|message| !message.reading().contains(&key)), "{:?}", thief.told());
    assert!(keyvend.direct(BOB_APPROVER).reading().contains(&key), "it surprises bob");
    let all = report.button("Mark all as known for 90 days").value;
    thief.presses(BOB_APPROVER, "mark-known", &all, &report).await;
    assert!(
        reported("<@U0BOB> marked all keys that were reported as known until").is_some(),
        "all can see it"
    );
}

// T7.3
#[tokio::test]
async fn reused_request_id_reveals_nothing_of_request() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    let thief = Thief::of(&keyvend).await;
    let (id, before) = (text(&keyvend.request().await["id"]), keyvend.request().await);
    let wish = |reason: &str| {
        json!({"command": {"create": {
            "user": "ci-deployer", "account": null, "use_case": "local-code", "days": 30, "reason": reason,
        }}})
    };
    let asked_at = before["details"]["at"].as_i64().unwrap();
    for (person, at, reason) in [
        (MALLORY_OUTSIDER, asked_at, "laptop tooling"),
        (BOB_APPROVER, asked_at, "laptop tooling"),
        (ALICE_OWNER, asked_at, "another reason"),
        (ALICE_OWNER, asked_at + 1, "laptop tooling"),
    ] {
        thief.queues(person, Some(&id), at, wish(reason)).await;
    }
    assert!(thief.told().is_empty(), "{:?}", thief.told());
    assert_eq!(keyvend.request().await, before);

    // Whoever knows all of it gets what alice was answered, and can approve nothing with it.
    thief.queues(ALICE_OWNER, Some(&id), asked_at, wish("laptop tooling")).await;
    let learnt = thief.learnt();
    assert_eq!(learnt.len(), 1);
    for value in &learnt {
        for person in EVERYBODY {
            thief.tries_to_decide(person, value, &card).await;
        }
    }
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
}

/// Alice asks for more of her key; a message with that request's id about anything else, or of anybody else, learns
/// nothing and makes nothing.
// T7.3
#[tokio::test]
async fn key_request_id_answers_its_requester_only() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, &format!("rotate {}", key.id)).await;
    let before = keyvend.requests().await;
    let own = before.iter().find(|request| !request["details"]["kind"]["Rotate"].is_null()).unwrap();
    let (id, asked_at) = (text(&own["id"]), own["details"]["at"].as_i64().unwrap());
    let thief = Thief::of(&keyvend).await;
    let typed = |verb: &str, key: &str| json!({"command": {verb: key}});
    let pressed = |action: &str| {
        json!({"interaction": {"block_actions": {
            "action_id": action, "value": key.id, "message": null, "view": null, "ephemeral": false,
        }}})
    };
    for (case, person, at, what) in [
        ("another person", MALLORY_OUTSIDER, asked_at, typed("rotate", &key.id)),
        ("an approver", BOB_APPROVER, asked_at, typed("rotate", &key.id)),
        ("another time", ALICE_OWNER, asked_at + 1, typed("rotate", &key.id)),
        ("another key", ALICE_OWNER, asked_at, typed("rotate", "AKIANOSUCHKEY0000000")),
        ("another command", ALICE_OWNER, asked_at, typed("activate", &key.id)),
        ("a button", MALLORY_OUTSIDER, asked_at, pressed("rotate-key")),
        ("another button", ALICE_OWNER, asked_at, pressed("extend-key")),
    ] {
        thief.queues(person, Some(&id), at, what).await;
        assert!(thief.told().is_empty(), "{case}: {:?}", thief.told());
        assert_eq!(keyvend.requests().await, before, "{case}");
    }
    // Nor does the id of a request for a new key serve about a key that exists.
    let first = before.iter().find(|request| request["details"]["kind"] == "Create").unwrap();
    let at = thief.now();
    thief.queues(MALLORY_OUTSIDER, Some(&text(&first["id"])), at, typed("rotate", &key.id)).await;
    thief.queues(ALICE_OWNER, Some(&text(&first["id"])), at, typed("rotate", &key.id)).await;
    assert!(thief.told().is_empty(), "{:?}", thief.told());
    assert_eq!(keyvend.requests().await, before);

    // Whoever knows all of it gets what alice was answered, as for a new key.
    thief.queues(ALICE_OWNER, Some(&id), asked_at, typed("rotate", &key.id)).await;
    assert_eq!(thief.learnt().len(), 1);
    assert_eq!(keyvend.requests().await, before);
}

/// A press that was counted is known by its id; but whose it was counts, too.
// T7.3
#[tokio::test]
async fn interaction_id_belongs_to_one_person() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    let card = keyvend.card();
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    let press = text(&keyvend.request().await["approvals"][0]["interaction_id"]);
    let thief = Thief::of(&keyvend).await;
    let pressed = json!({"interaction": {"block_actions": {
        "action_id": "approve", "value": card.button("Approve").value, "view": null, "ephemeral": false,
        "message": {"channel": card.channel, "ts": card.ts},
    }}});
    thief.queues(MALLORY_OUTSIDER, Some(&press), thief.now(), pressed).await;
    assert!(thief.told().iter().all(|told| !told.reading().contains("is recorded")), "{:?}", thief.told());
    assert_eq!(keyvend.events().await.pop().unwrap(), "review.rejected", "judged as mallory's own");
    assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
}

/// A press of **This wasn't me** that dies is told which key goes on being switched off; not to whoever knows the request's
/// id alone.
// T7.3
#[tokio::test]
async fn request_id_does_not_reveal_key_id() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    let (card, id) = (keyvend.card(), text(&keyvend.request().await["id"]));
    // Everything fails as often as it is tried, while the key's mark is not carried out.
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "UpdateAccessKey" | "TransactWriteItems" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.presses(BOB_APPROVER, &card, "Report and deactivate").await;
    keyvend.deliver_everything().await;
    let thief = Thief::of(&keyvend).await;
    for value in guesses(&keyvend).await {
        let forged = json!({"interaction": {"block_actions": {
            "action_id": "not-me", "value": value, "message": null, "view": null, "ephemeral": false,
        }}});
        thief.queues_and_waits(MALLORY_OUTSIDER, forged).await;
    }
    assert!(!thief.told().is_empty());
    for told in thief.told() {
        assert!(!told.reading().contains(&key.id), "{id}: {}", told.reading());
    }
}

// T7.3
#[tokio::test]
async fn departure_is_verified_with_slack() {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    let thief = Thief::of(&keyvend).await;
    thief.queues(ALICE_OWNER, None, thief.now(), json!("user_deactivated")).await;
    keyvend.deliver_everything().await;
    let said = keyvend.world.net.slack().messages(APPROVALS);
    assert!(said.iter().all(|message| !message.reading().contains("has left")));
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    thief.queues(ALICE_OWNER, None, thief.now(), json!("user_deactivated")).await;
    keyvend.deliver_everything().await;
    let said = keyvend.world.net.slack().messages(APPROVALS);
    assert!(said.iter().any(|message| message.reading().contains("has left")), "what is so is asked");
}

// T5.7, T7.3
#[tokio::test]
async fn a_message_from_the_future_begins_nothing() {
    let keyvend = Deployed::new().await;
    let thief = Thief::of(&keyvend).await;
    let create = json!({
        "user": "ci-deployer", "account": null, "use_case": "cli", "days": 30, "reason": "never to expire",
    });
    thief.queues(ALICE_OWNER, None, thief.now() + 86_400 * 365, json!({"command": {"create": create}})).await;
    assert_eq!(keyvend.requests().await.len(), 0);
    assert!(keyvend.world.net.slack().messages(APPROVALS).is_empty());
}
