//! A Slack that limits what it takes as it documents, and does so for as long as it lasts: nothing is lost, nobody is missed, what
//! one person is told keeps its order, and no key in use is deactivated that nobody was told of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::key_commands::{item, status};
use testkit::aws::{self, REQUESTS};
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, Message, direct};
use testkit::sqs::{CLAIMS, DUE, SLACK, SWEEP};
use testkit::steps::text;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
/// A policy that every IAM user here may have.
const NARROW: &str = "arn:aws:iam::123456789012:policy/upload-artifacts";

/// A key by its id, and the request that it came of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Issued {
    key: String,
    request: String,
}

/// So many keys in use that end then: each a copy of one that was issued all the way, of a request and an IAM user of its own.
async fn keys(keyvend: &Deployed, count: usize, reminders: usize, end: u64) -> Vec<Issued> {
    let first = keyvend.confirmed().await.1.id;
    let request = text(&keyvend.request().await["id"]);
    let items = aws::items(&keyvend.world.net, REQUESTS).await;
    let end = keyvend.world.clock.now().0 + i64::try_from(end).unwrap();
    let admin = aws::iam(&keyvend.world.net, HOME);
    let mut issued = Vec::new();
    for number in 0..count {
        let user = format!("bot-{}", number / 2);
        if number % 2 == 0 {
            aws::user(&keyvend.world.net, HOME, &user, Some(ALICE_OWNER), NARROW).await;
        }
        let made = admin.create_access_key().user_name(&user).send().await.unwrap().access_key.unwrap();
        let copy = Issued { key: made.access_key_id, request: format!("{number:0>16}") };
        keyvend.world.net.iam().use_key(&copy.key, "s3", "eu-west-1");
        for pk in [format!("request#{request}"), format!("key#{first}")] {
            let text = items[&pk].to_string().replace(&request, &copy.request);
            let text = text.replace(&first, &copy.key).replace("ci-deployer", &user);
            put(keyvend, ending(serde_json::from_str(&text).unwrap(), reminders, end)).await;
        }
        issued.push(copy);
    }
    issued
}

/// The item of a key with another end, of which so many reminders were sent and none was delivered; of a request as it is.
fn ending(mut item: Value, reminders: usize, end: i64) -> Value {
    let mut document: Value = serde_json::from_str(item["document"]["S"].as_str().unwrap()).unwrap();
    if !document["expires_at"].is_number() || !document["reminders"].is_object() {
        return item;
    }
    document["expires_at"] = json!(end);
    document["reminders"]["sent"] = json!(reminders);
    item["document"]["S"] = json!(document.to_string());
    let (due_at, lane) = if reminders == 2 { (end, "") } else { (end - 7 * 86_400, "routine.") };
    item["due_at"] = json!({"N": due_at.to_string()});
    item["due_shard"] = json!({"S": format!("{lane}{}", document["key"].as_str().unwrap().len() % 4)});
    item
}

async fn put(keyvend: &Deployed, item: Value) {
    let answer =
        keyvend.world.net.dynamo().answer("PutItem", &json!({"TableName": REQUESTS, "Item": item})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The per-minute rule fires once after so many seconds, and all that comes of it is worked off. Working it off takes time, too.
async fn sweep(keyvend: &Deployed, seconds: u64) {
    keyvend.world.clock.advance(Duration::from_secs(seconds));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
}

fn nothing_is_dead(keyvend: &Deployed) {
    for queue in [SLACK, CLAIMS, DUE, SWEEP] {
        let dead = keyvend.world.net.sqs().dead(queue);
        assert!(dead.is_empty(), "{queue}: {:?}", dead.iter().map(|letter| &letter.body).collect::<Vec<_>>());
    }
}

/// What was said in a channel that reads so.
fn said(keyvend: &Deployed, channel: &str, part: &str) -> Vec<Message> {
    let said = keyvend.world.net.slack().messages(channel).into_iter();
    said.filter(|message| message.reading().contains(part)).collect()
}

/// Which of the keys these messages are about, in their order: each about one.
fn about(messages: &[Message], issued: &[Issued]) -> Vec<String> {
    let of = |message: &Message| {
        let reading = message.reading();
        issued.iter().find(|issued| reading.contains(&issued.key)).map(|issued| issued.key.clone()).unwrap()
    };
    messages.iter().map(of).collect()
}

/// Every key has one of these messages.
fn each_once(messages: &[Message], issued: &[Issued]) {
    let about = about(messages, issued);
    assert_eq!(about.len(), issued.len());
    assert_eq!(about.into_iter().collect::<BTreeSet<_>>().len(), issued.len());
}

/// The messages to a person came in the order in which they were queued.
fn in_order(keyvend: &Deployed, messages: &[Message], issued: &[Issued]) {
    let keys: BTreeMap<&str, &str> =
        issued.iter().map(|issued| (issued.request.as_str(), issued.key.as_str())).collect();
    let sent = keyvend.world.net.calls_to("sqs", "SendMessage").into_iter();
    let queued =
        sent.filter(|call| call.parameters["MessageGroupId"] == format!("notify.T0001.{ALICE_OWNER}.post"));
    let queued: Vec<String> = queued
        .filter_map(|call| {
            let body: Value = serde_json::from_str(call.parameters["MessageBody"].as_str().unwrap()).unwrap();
            keys.get(body["notify"]["request"].as_str().unwrap()).map(|key| (*key).to_owned())
        })
        .collect();
    assert_eq!(about(messages, issued), queued);
}

/// How many minutes after `begun` the last of these messages came.
fn minutes(messages: &[Message], begun: i64) -> i64 {
    (messages.iter().map(|message| message.at.0).max().unwrap() - begun + 59) / 60
}

// T8.7
#[tokio::test]
async fn five_hundred_keys_expire_at_once() {
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 500, 2, DAY).await;
    keyvend.world.net.slack().limit_rates();
    keyvend.world.clock.advance(Duration::from_secs(DAY));
    let begun = keyvend.world.clock.now().0;
    for _ in 0..20 {
        sweep(&keyvend, MINUTE).await;
    }
    let notices = said(&keyvend, APPROVALS, "is not deactivated yet");
    each_once(&notices, &issued);
    nothing_is_dead(&keyvend);
    println!("500 notices: {} minutes", minutes(&notices, begun));
}
