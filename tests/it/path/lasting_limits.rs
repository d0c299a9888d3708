//! A Slack that limits what it takes as it documents, and does so for as long as it lasts: nothing is lost, nobody is missed, what
//! one person is told keeps its order, and no key in use is deactivated that nobody was told of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyvend::domain::timer::Lane;
use serde_json::{Value, json};

use super::key_commands::{item, status};
use testkit::aws::{self, REQUESTS};
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, Message, direct};
use testkit::sqs::{CLAIMS, DUE, QUEUES, SLACK, SWEEP};
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
    let (due_at, lane) =
        if reminders == 2 { (end, Lane::Security) } else { (end - 7 * 86_400, Lane::Routine) };
    item["due_at"] = json!({"N": due_at.to_string()});
    item["due_shard"] = json!({"S": lane.shard(document["key"].as_str().unwrap())});
    item
}

async fn put(keyvend: &Deployed, item: Value) {
    let answer =
        keyvend.world.net.dynamo().answer("PutItem", &json!({"TableName": REQUESTS, "Item": item})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Time passes. The per-minute rule fires at the end of each so many seconds, and messages are delivered when they are visible.
async fn passes(keyvend: &Deployed, times: u64, seconds: u64) {
    let (sqs, clock) = (keyvend.world.net.sqs(), &keyvend.world.clock);
    for _ in 0..times {
        let end = clock.now() + Duration::from_secs(seconds);
        loop {
            keyvend.deliver().await;
            match QUEUES.iter().filter_map(|queue| sqs.next_visible(queue)).min() {
                Some(next) if next < end => clock.set(next),
                Some(_) | None => break,
            }
        }
        clock.set(end);
        sqs.sweep();
    }
    keyvend.deliver().await;
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
    // All are postponed, then deactivated on the next day, and each person and the approvers hear of each.
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 500, 2, DAY).await;
    keyvend.world.net.slack().limit_rates();
    keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
    let begun = keyvend.world.clock.now().0 + 60;
    passes(&keyvend, 20, MINUTE).await;
    let notices = said(&keyvend, APPROVALS, "is not deactivated yet");
    each_once(&notices, &issued);
    nothing_is_dead(&keyvend);
    println!("500 notices: {} minutes", minutes(&notices, begun));
}

// T8.7
#[tokio::test]
async fn two_hundred_reminders_reach_one_person_in_order() {
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 200, 0, 8 * DAY).await;
    keyvend.world.net.slack().limit_rates();
    keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
    keyvend.world.net.forget();
    let begun = keyvend.world.clock.now().0 + 60;
    passes(&keyvend, 10, MINUTE).await;
    let reminders = said(&keyvend, &direct(ALICE_OWNER), "and is then deactivated");
    each_once(&reminders, &issued);
    in_order(&keyvend, &reminders, &issued);
    nothing_is_dead(&keyvend);
    println!("200 reminders: {} minutes", minutes(&reminders, begun));
}

// T8.7
#[tokio::test]
async fn hundred_people_request_within_a_minute() {
    let keyvend = Deployed::new().await.unrecorded();
    let people: Vec<String> = (0..100).map(|number| format!("U0PERSON{number}")).collect();
    for (number, person) in people.iter().enumerate() {
        keyvend.world.net.slack().person(person, |_| ());
        aws::user(&keyvend.world.net, HOME, &format!("bot-{number}"), Some(person), NARROW).await;
    }
    keyvend.world.net.slack().limit_rates();
    let begun = keyvend.world.clock.now().0;
    for (number, person) in people.iter().enumerate() {
        if number % 5 == 0 {
            keyvend.world.clock.advance(Duration::from_secs(3));
        }
        let line = format!("create bot-{number} use:cli ttl:30d testing");
        keyvend.arrive(keyvend.world.slash_command(person, &line)).await;
        keyvend.deliver().await;
    }
    keyvend.world.net.forget();
    passes(&keyvend, 12, MINUTE).await;
    nothing_is_dead(&keyvend);
    let requests = keyvend.requests().await;
    assert_eq!(requests.iter().filter(|request| request["stands"] == "PENDING").count(), 100);
    let cards = keyvend.cards();
    assert_eq!(cards.len(), 100);
    for person in &people {
        assert_eq!(cards.iter().filter(|card| card.reading().contains(&format!("<@{person}>"))).count(), 1);
        let told = keyvend.told(person);
        assert!(told.contains("approv"), "{person}: {told}");
    }
    println!("100 requests: {} minutes", minutes(&cards, begun));
    let calls = keyvend.world.net.calls();
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.service == "slack") {
        *by.entry(call.operation.clone()).or_default() += 1;
    }
    println!("{by:?}");
}

// T8.7
#[tokio::test]
async fn key_in_use_is_not_deactivated_unnoticed() {
    // Slack takes nothing for ten days.
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 60, 0, 8 * DAY).await;
    let until = keyvend.world.clock.now() + Duration::from_secs(21 * DAY);
    keyvend.world.net.slack().limit_until("chat.postMessage", None, until, 30);
    for _ in 0..20 * 8 {
        passes(&keyvend, 1, 3 * HOUR).await;
        for issued in &issued {
            keyvend.world.net.iam().use_key(&issued.key, "s3", "eu-west-1");
        }
    }
    assert!(said(&keyvend, APPROVALS, "is not deactivated yet").is_empty());
    for issued in &issued {
        assert_eq!(status(&keyvend, &issued.key), "Active");
        assert!(item(&keyvend, &issued.key).await["postponement"]["times"].as_i64() > Some(7));
    }
    keyvend.world.net.slack().limit_rates();
    passes(&keyvend, 30, MINUTE).await;
    passes(&keyvend, 3 * 24, HOUR).await;
    let deactivated: Vec<&Issued> =
        issued.iter().filter(|issued| status(&keyvend, &issued.key) == "Inactive").collect();
    println!("{} deactivated", deactivated.len());
    for issued in &issued {
        let item = item(&keyvend, &issued.key).await;
        println!("{} {}", item["postponement"], item["reminders"]);
        break;
    }
    nothing_is_dead(&keyvend);
}
