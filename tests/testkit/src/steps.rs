//! The path's steps, so that a test begins where it matters, and what is looked at afterwards.

use std::collections::{BTreeMap, BTreeSet};

use keyvend::domain::audit::AuditEntry;
use keyvend::id::RequestId;
use keyvend::time::Timestamp;
use serde_json::{Value, json};

use crate::aws::{self, AUDIT, REQUESTS, TICKETS};
use crate::deployed::{Deployed, ShownKey, Tab};
use crate::environment;
use crate::net::HOME;
use crate::slack::{self, ALICE_OWNER, APPROVALS, BOB_APPROVER, GENERAL, Message};
use crate::sqs;

/// What alice_owner asks for, where nothing else is said.
pub const ASK: &str = "create ci-deployer use:local-code ttl:30d laptop tooling";

impl Deployed {
    /// Alice asked; the card. The same again would be no second request, so any further one has another reason.
    pub async fn asked(&self) -> Message {
        let line = match self.cards().len() {
            0 => ASK.to_owned(),
            others => format!("{ASK} {others}"),
        };
        self.types(ALICE_OWNER, &line).await;
        self.card()
    }

    /// And bob approved; alice's message with **Get my key**.
    pub async fn approved(&self) -> Message {
        let card = self.asked().await;
        self.presses(BOB_APPROVER, &card, "Approve").await;
        self.world.net.slack().last_told(ALICE_OWNER)
    }

    /// And she pressed it: a tab with the link open.
    pub async fn linked(&self) -> Tab {
        let ready = self.approved().await;
        self.collects(&ready).await
    }

    /// Alice presses **Get my key** and opens the link.
    pub async fn collects(&self, ready: &Message) -> Tab {
        self.presses(ALICE_OWNER, ready, "Get my key").await;
        self.opens()
    }

    /// Opens the link that alice was given last.
    pub fn opens(&self) -> Tab {
        let told = self.world.net.slack().told(ALICE_OWNER);
        let links = told.iter().rev().flat_map(Message::buttons).filter_map(|button| button.url);
        Tab::open(&links.into_iter().next().unwrap())
    }

    /// The tab claims; nothing is delivered yet.
    pub async fn claims(&self, tab: &Tab) {
        assert_eq!(self.posts("/reveal/claim", &tab.claim(None)).await.0, 202);
    }

    /// The tab asks for its key and what it gets is worked off.
    pub async fn reveals(&self, tab: &Tab) -> ShownKey {
        self.claims(tab).await;
        self.deliver().await;
        let (status, body) = self.posts("/reveal/claim", &tab.claim(None)).await;
        assert_eq!(status, 200, "{body}");
        tab.unseal(&body)
    }

    /// The tab's status and the word for why.
    pub async fn turned_away(&self, tab: &Tab) -> (u64, String) {
        let (status, body) = self.posts("/reveal/claim", &tab.claim(None)).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    }

    /// All the way: the tab shows the key and confirms it.
    pub async fn confirmed(&self) -> (Tab, ShownKey) {
        let tab = self.linked().await;
        let key = self.reveals(&tab).await;
        assert_eq!(self.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
        self.deliver().await;
        (tab, key)
    }

    /// The same world, with functions of another deployment: their warm state is gone, the queues are as they were.
    pub fn redeployed(self, variables: &[(&str, &str)]) -> Self {
        let mut environment = environment();
        environment.insert("KEYVEND_POLICY_DIR".to_owned(), "policies".to_owned());
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::of(self.world.clone(), &environment)
    }

    /// The event with the next visible message of a queue, in flight from now on.
    pub fn receives(&self, queue: &str) -> Value {
        self.world.net.sqs().receive(queue, self.world.clock.now()).unwrap()
    }

    /// `delete`, typed and confirmed.
    pub async fn deletes(&self, person: &str, key: &str) {
        self.world.clock.advance(std::time::Duration::from_secs(1));
        self.types(person, &format!("delete {key}")).await;
        self.presses(person, &self.direct(person), "Delete").await;
    }

    /// A press arrives and is received, but not worked off.
    pub async fn pressed(&self, event: Value) -> Value {
        assert_eq!(self.arrive(event).await["statusCode"], 200);
        self.receives(sqs::SLACK)
    }

    /// The request that was made last, as stored.
    pub async fn request(&self) -> Value {
        self.requests().await.pop().unwrap()
    }

    /// All requests as stored, oldest first.
    pub async fn requests(&self) -> Vec<Value> {
        let items = aws::items(&self.world.net, REQUESTS).await;
        let requests = items.iter().filter(|(pk, _)| pk.starts_with("request#"));
        let mut all: Vec<Value> = requests
            .map(|(_, item)| {
                let mut request: Value =
                    serde_json::from_str(item["document"]["S"].as_str().unwrap()).unwrap();
                request["stands"] = item["state"]["S"].clone();
                request
            })
            .collect();
        all.sort_by_key(|request| request["details"]["at"].as_i64());
        all
    }

    /// Where the last request stands.
    pub async fn stands(&self) -> String {
        text(&self.request().await["stands"])
    }

    /// Who approved it, as far as it counts.
    pub async fn approvals(&self) -> Vec<String> {
        let request = self.request().await;
        request["approvals"].as_array().unwrap().iter().map(|approval| text(&approval["by"])).collect()
    }

    /// A ticket as stored.
    pub async fn ticket(&self, tab: &Tab) -> Value {
        self.world.net.dynamo().item(TICKETS, json!({"tid": {"S": tab.tid()}})).await
    }

    /// Where a ticket stands.
    pub async fn ticket_stands(&self, tab: &Tab) -> String {
        text(&self.ticket(tab).await["state"]["S"])
    }

    /// An item of table `Requests`, or null.
    pub async fn item(&self, pk: &str) -> Value {
        self.world.net.dynamo().item(REQUESTS, json!({"pk": {"S": pk}})).await
    }

    /// Whoever holds the lease of ci-deployer.
    pub async fn lease(&self) -> Value {
        self.item(&format!("lease#{HOME}/ci-deployer")).await["holder"]["S"].clone()
    }

    /// How many keys alice was counted today; null where none ever was.
    pub async fn counted(&self) -> Value {
        let day = self.world.clock.now().day();
        self.item(&format!("issued#{ALICE_OWNER}#{day}")).await["issued"]["N"].clone()
    }

    /// Whether the key that a ticket's sealing needs is still stored.
    pub async fn has_psk(&self, tab: &Tab) -> bool {
        !self.item(&format!("ticket#{}", tab.tid())).await["psk"].is_null()
    }

    /// The last request's audit trail, every link of its chain checked and nothing left in its outbox.
    pub async fn trail(&self) -> Vec<AuditEntry> {
        let request = self.request().await;
        assert_eq!(request["chain"]["outbox"], json!([]), "what happened is not in the audit table");
        let trail = self.trail_of(&text(&request["id"])).await;
        let head = trail.last().map_or("0".repeat(64), |entry| entry.hash.clone());
        assert_eq!(request["chain"]["head"], json!(head), "the chain's end is not in the audit table");
        trail
    }

    /// The one trail there is, of something that is no request's, every link of its chain checked.
    pub async fn trail_without_request(&self) -> Vec<AuditEntry> {
        let items = aws::items(&self.world.net, AUDIT).await;
        let chains: BTreeSet<String> = items.values().map(|item| text(&item["pk"]["S"])).collect();
        assert_eq!(chains.len(), 1, "{chains:?}");
        self.trail_of(chains.first().unwrap()).await
    }

    pub async fn trail_of(&self, request: &str) -> Vec<AuditEntry> {
        let id: RequestId = request.parse().unwrap();
        let mut prev = "0".repeat(64);
        let items = aws::items(&self.world.net, AUDIT).await;
        let own = items.values().filter(|item| item["pk"]["S"] == request);
        own.enumerate()
            .map(|(index, item)| {
                let entry = entry(item);
                assert_eq!(entry.seq as usize, index + 1, "{entry:?}");
                assert_eq!(entry.prev, prev, "{entry:?}");
                assert_eq!(entry.hash, entry.computed_hash(&id), "{entry:?}");
                prev.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    /// What happened to the last request, in a word each.
    pub async fn events(&self) -> Vec<String> {
        self.trail().await.into_iter().map(|entry| entry.event).collect()
    }

    /// What the last entry of the trail says under a name.
    pub async fn last_detail(&self, name: &str) -> String {
        self.trail().await.pop().unwrap().detail[name].clone()
    }

    /// How often `CreateAccessKey` went over the wire, answered or not.
    pub fn creates(&self) -> usize {
        self.world.net.calls_to("iam", "CreateAccessKey").len()
    }

    /// The ids of ci-deployer's keys.
    pub fn key_ids(&self) -> Vec<String> {
        aws::keys(&self.world.net, HOME, "ci-deployer").into_iter().map(|key| key.id).collect()
    }

    /// The last direct message to somebody.
    pub fn direct(&self, person: &str) -> Message {
        self.world.net.slack().messages(&slack::direct(person)).pop().unwrap()
    }

    /// What somebody was told that reads so, how often.
    pub fn times_told(&self, person: &str, part: &str) -> usize {
        let told = self.world.net.slack().told(person);
        told.iter().filter(|message| message.reading().contains(part)).count()
    }

    /// A link is shown to its requester, where it is gone when the window closes, and nowhere else.
    pub fn links_are_shown_to_nobody_else(&self) {
        for message in self.world.net.slack().ever() {
            let versions = message.edits.iter().map(|(text, blocks)| format!("{text} {blocks}"));
            let shown = versions.chain([format!("{} {}", message.text, message.blocks)]);
            if shown.into_iter().any(|text| text.contains("/reveal#")) {
                assert_eq!(message.ephemeral_to.as_deref(), Some(ALICE_OWNER), "{}", message.reading());
            }
        }
    }

    /// Nothing came of it: no call that creates, no key, no lease, no count.
    pub async fn nothing_was_created(&self) {
        assert_eq!(self.creates(), 0);
        assert!(self.lease().await.is_null());
        assert!([json!(null), json!("0")].contains(&self.counted().await));
        self.links_are_shown_to_nobody_else();
    }
}

/// What was put on a queue, by name and text, as if its sender had.
pub fn record(queue: &str, body: &str, receives: u32) -> Value {
    json!({"Records": [{
        "messageId": "11111111-0000-0000-0000-000000009999",
        "receiptHandle": "receipt-of-the-test",
        "body": body,
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": sqs::arn(queue),
        "awsRegion": "eu-west-1",
    }]})
}

/// Whether the worker reported the event's message as not done.
pub fn failed(answer: &Value) -> bool {
    answer["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty())
}

/// A folder with the shipped policies, each changed by `change`, for the whole run of the tests.
pub fn policies(name: &str, change: impl Fn(&str) -> String) -> String {
    let dir = std::env::temp_dir().join(format!("keyvend-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    for file in std::fs::read_dir("policies").unwrap() {
        let file = file.unwrap();
        let is_file = file.file_type().unwrap().is_file();
        if is_file {
            let text = std::fs::read_to_string(file.path()).unwrap();
            std::fs::write(dir.join(file.file_name()), change(&text)).unwrap();
        }
    }
    dir.to_str().unwrap().to_owned()
}

/// What a person reads, with request ids and moments as placeholders.
pub fn stable(reading: &str) -> String {
    let mut text = String::new();
    let mut rest = reading;
    while let Some((before, after)) = rest.split_once("<!date^") {
        text.push_str(before);
        text.push_str("<time>");
        rest = after.split_once('>').unwrap().1;
    }
    text.push_str(rest);
    let id =
        |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if id(bare) { word.replace(bare, "<request>") } else { word.to_owned() }
        })
        .collect()
}

fn entry(item: &Value) -> AuditEntry {
    let detail: BTreeMap<String, String> = item["detail"]["M"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), text(&value["S"])))
        .collect();
    AuditEntry {
        seq: text(&item["sk"]["N"]).parse().unwrap(),
        at: Timestamp(text(&item["at"]["N"]).parse().unwrap()),
        event: text(&item["event"]["S"]),
        actor: text(&item["actor"]["S"]),
        detail,
        prev: text(&item["prev"]["S"]),
        hash: text(&item["hash"]["S"]),
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What was said in the approvals channel and in #general that everybody there reads.
pub fn said_in_public(keyvend: &Deployed) -> Vec<String> {
    let slack = keyvend.world.net.slack();
    [APPROVALS, GENERAL].iter().flat_map(|channel| slack.messages(channel)).map(|m| m.reading()).collect()
}
