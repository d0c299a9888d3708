//! A Slack that limits what it takes as it documents, and does so for as long as it lasts: nothing is lost, nobody is missed, what
//! one person is told keeps its order, and no key in use is deactivated that nobody was told of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyvend::domain::timer::Lane;
use serde_json::{Value, json};

use super::key_commands::{item, status};
use testkit::aws::{self, REQUESTS};
use testkit::delivery::deliver_all;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, Message, direct};
use testkit::sqs::{CLAIMS, DUE, QUEUES, SLACK, SWEEP};
use testkit::steps::{ASK, text};

use crate::scrape::log::Log;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");
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

/// The item of a key with another end, of which so many reminders were sent; of a request as it is.
fn ending(mut item: Value, reminders: usize, end: i64) -> Value {
    let mut document: Value = serde_json::from_str(item["document"]["S"].as_str().unwrap()).unwrap();
    if !document["expires_at"].is_number() || !document["reminders"].is_object() {
        return item;
    }
    document["expires_at"] = json!(end);
    document["reminders"]["sent"] = json!(reminders);
    if reminders == 2 {
        document["reminders"]["delivered_at"] = json!(end - 90_000);
    }
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

/// Delivers what is visible. A worker that was killed leaves its message for later.
async fn deliver(keyvend: &Deployed) {
    let net = &keyvend.world.net;
    deliver_all(net.sqs(), &keyvend.world.clock, async |event| {
        let killed = json!({"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]});
        net.survive(keyvend.work(event)).await.unwrap_or(killed)
    })
    .await;
}

/// Time passes. The per-minute rule fires at the end of each so many seconds, and messages are delivered when they are visible.
async fn passes(keyvend: &Deployed, times: u64, seconds: u64) {
    let (sqs, clock) = (keyvend.world.net.sqs(), &keyvend.world.clock);
    for _ in 0..times {
        let end = clock.now() + Duration::from_secs(seconds);
        loop {
            deliver(keyvend).await;
            match QUEUES.iter().filter_map(|queue| sqs.next_visible(queue)).min() {
                Some(next) if next < end => clock.set(next),
                Some(_) | None => break,
            }
        }
        clock.set(end);
        sqs.sweep();
    }
    deliver(keyvend).await;
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
    let sent = keyvend.world.net.done("sqs", "SendMessage").into_iter();
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

/// How many minutes after `begun` the last of these messages came, as docs/operations.md says of this.
fn takes_as_documented(messages: &[Message], begun: i64, what: &str) {
    let took = (messages.iter().map(|message| message.at.0).max().unwrap() - begun + 59) / 60;
    let table = OPERATIONS
        .split("<!-- begin limits -->")
        .nth(1)
        .unwrap()
        .split("<!-- end limits -->")
        .next()
        .unwrap();
    let row = table.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no row for {what}"));
    assert!(row.ends_with(&format!("| {took} minutes |")), "{what}: {took} minutes, documented as {row}");
}

#[tokio::test]
async fn five_hundred_keys_expire_at_once() {
    // All are postponed, then deactivated on the next day; the approvers and their requester hear of each.
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 500, 2, DAY).await;
    keyvend.world.net.slack().limit_rates();
    keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
    let begun = keyvend.world.clock.now().0 + 60;
    passes(&keyvend, 30, MINUTE).await;
    let notices = said(&keyvend, APPROVALS, "is not deactivated yet");
    each_once(&notices, &issued);
    takes_as_documented(&notices, begun, "500 keys in use expire");
    keyvend.world.net.forget();
    passes(&keyvend, 24 * 4, 15 * MINUTE).await;
    let ends = said(&keyvend, &direct(ALICE_OWNER), "has expired");
    each_once(&ends, &issued);
    in_order(&keyvend, &ends, &issued);
    for issued in &issued {
        assert_eq!(status(&keyvend, &issued.key), "Inactive");
    }
    nothing_is_dead(&keyvend);
}

#[tokio::test]
async fn two_hundred_reminders_reach_one_person_in_order() {
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 200, 0, 8 * DAY).await;
    keyvend.world.net.slack().limit_rates();
    keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
    keyvend.world.net.forget();
    let begun = keyvend.world.clock.now().0 + 60;
    passes(&keyvend, 15, MINUTE).await;
    let reminders = said(&keyvend, &direct(ALICE_OWNER), "and is then deactivated");
    each_once(&reminders, &issued);
    in_order(&keyvend, &reminders, &issued);
    nothing_is_dead(&keyvend);
    takes_as_documented(&reminders, begun, "200 reminders");
}

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
    passes(&keyvend, 12, MINUTE).await;
    nothing_is_dead(&keyvend);
    let requests = keyvend.requests().await;
    assert_eq!(requests.iter().filter(|request| request["stands"] == "PENDING").count(), 100);
    let cards = keyvend.cards();
    assert_eq!(cards.len(), 100);
    for person in &people {
        assert_eq!(cards.iter().filter(|card| card.reading().contains(&format!("<@{person}>"))).count(), 1);
        let told = keyvend.told(person);
        assert!(told.contains("approv") && !told.contains("try again"), "{person}: {told}");
    }
    takes_as_documented(&cards, begun, "100 people");
}

/// A command that Slack limits for as long as it may be handled is answered, and is no dead letter.
#[tokio::test]
async fn command_limited_to_the_end_is_answered() {
    let keyvend = Deployed::new().await;
    let until = keyvend.world.clock.now() + Duration::from_secs(DAY);
    keyvend.world.net.slack().limit_until("users.info", None, until, 1);
    keyvend.types(ALICE_OWNER, ASK).await;
    let asked_at = keyvend.world.clock.now();
    keyvend.deliver_everything().await;
    let waited = keyvend.world.clock.now().since(asked_at);
    assert!((60..600).contains(&waited), "{waited} s");
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("Slack currently limits") && told.contains("try again"), "{told}");
    assert!(keyvend.requests().await.is_empty());
    nothing_is_dead(&keyvend);
}

// T8.5, T8.6
#[tokio::test]
async fn key_in_use_is_not_deactivated_unnoticed() {
    // Slack takes no message for twenty days, in which 60 keys expire and are postponed every day.
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 60, 0, 8 * DAY).await;
    let uses =
        || issued.iter().for_each(|issued| keyvend.world.net.iam().use_key(&issued.key, "s3", "eu-west-1"));
    let until = keyvend.world.clock.now() + Duration::from_secs(20 * DAY);
    keyvend.world.net.slack().limit_until("chat.postMessage", None, until, 30);
    let log = Log::keep();
    for _ in 0..19 {
        passes(&keyvend, 4, 6 * HOUR).await;
        uses();
    }
    assert!(said(&keyvend, APPROVALS, "is not deactivated yet").is_empty());
    for issued in &issued {
        assert_eq!(status(&keyvend, &issued.key), "Active");
        assert!(item(&keyvend, &issued.key).await["postponement"]["times"].as_i64() > Some(7));
    }
    let logged =
        log.lines().into_iter().filter(|line| line.contains("key in use cannot expire without notice"));
    assert!(logged.count() >= 60);

    keyvend.world.net.slack().limit_rates();
    passes(&keyvend, 5 * 24, HOUR).await;
    let notices = [
        said(&keyvend, &direct(ALICE_OWNER), "and is then deactivated"),
        said(&keyvend, APPROVALS, "is not deactivated yet"),
    ];
    for issued in &issued {
        let state = item(&keyvend, &issued.key).await["state"].clone();
        let since = state["Inactive"]["since"].as_i64().unwrap_or_else(|| panic!("{state}"));
        let mut noticed = notices.iter().flatten().filter(|message| message.reading().contains(&issued.key));
        assert!(
            noticed.any(|message| since - message.at.0 >= 86_400),
            "{} was deactivated unnoticed",
            issued.key
        );
    }
    nothing_is_dead(&keyvend);
}

/// What waits for hours waits in the table and in order, and holds up nothing but what goes there, too.
#[tokio::test]
async fn notifications_wait_in_order_for_hours() {
    for retry_after in [30, 86_400] {
        let keyvend = Deployed::new().await.unrecorded();
        let issued = keys(&keyvend, 30, 0, 8 * DAY).await;
        keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
        let until = keyvend.world.clock.now() + Duration::from_secs(5 * HOUR);
        let alice = direct(ALICE_OWNER);
        keyvend.world.net.slack().limit_until("chat.postMessage", Some(&alice), until, retry_after);
        keyvend.world.net.forget();
        passes(&keyvend, 30, MINUTE).await;
        assert!(keyvend.world.net.sqs().messages(DUE).is_empty(), "nothing waits in the queue");
        let backlog = keyvend.item(&format!("backlog#notify.T0001.{ALICE_OWNER}.post")).await;
        let waiting: Value = serde_json::from_str(backlog["document"]["S"].as_str().unwrap()).unwrap();
        assert_eq!(waiting.as_array().unwrap().len(), 30);
        assert_eq!(waiting[0].as_array().unwrap().len(), 2, "request and number, and no text: {waiting}");
        keyvend.types(ALICE_OWNER, ASK).await;
        assert!(
            keyvend.cards().iter().any(|card| card.reading().contains("laptop tooling")),
            "a card is posted"
        );

        passes(&keyvend, 4 * 60 + 31, MINUTE).await;
        // What could be delivered now does not come before what waits.
        keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
        passes(&keyvend, 2 * 60, MINUTE).await;
        let reminders = said(&keyvend, &alice, "and is then deactivated");
        each_once(&reminders, &issued);
        in_order(&keyvend, &reminders, &issued);
        assert!(
            keyvend.direct(ALICE_OWNER).reading().contains("Approved by"),
            "{}",
            keyvend.direct(ALICE_OWNER).reading()
        );
        assert!(reminders.iter().all(|message| message.at >= until));
        let backlog = keyvend.item(&format!("backlog#notify.T0001.{ALICE_OWNER}.post")).await;
        assert_eq!((&backlog["document"]["S"], &backlog["due_at"]), (&json!("[]"), &json!(null)));
        nothing_is_dead(&keyvend);
    }
}

/// One that fails again and again does not keep those behind it waiting for ever.
#[tokio::test]
async fn failing_notification_leaves_the_backlog() {
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 3, 0, 8 * DAY).await;
    keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
    let until = keyvend.world.clock.now() + Duration::from_secs(HOUR);
    keyvend.world.net.slack().limit_until("chat.postMessage", None, until, 86_400);
    keyvend.world.net.forget();
    passes(&keyvend, 50, MINUTE).await;
    let backlog = keyvend.item(&format!("backlog#notify.T0001.{ALICE_OWNER}.post")).await;
    let waiting: Value = serde_json::from_str(backlog["document"]["S"].as_str().unwrap()).unwrap();
    let first = issued.iter().find(|issued| waiting[0][0] == issued.request).unwrap().key.clone();
    let bad = first.clone();
    keyvend.world.net.before(move |call| {
        let is_bad = call.operation == "chat.postMessage" && call.parameters.to_string().contains(&bad);
        if is_bad { Interfere::FailBefore } else { Interfere::Pass }
    });
    passes(&keyvend, 25, MINUTE).await;
    for _ in 0..3 {
        // What is added meanwhile gives it no more time.
        passes(&keyvend, 10, MINUTE).await;
        let card = keyvend.asked().await;
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    }
    let told =
        |issued: &[Issued]| about(&said(&keyvend, &direct(ALICE_OWNER), "and is then deactivated"), issued);
    assert!(told(&issued).is_empty(), "for some time the order is kept");
    passes(&keyvend, 40, MINUTE).await;
    assert_eq!(told(&issued).len(), 2);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Approved by"), 4);
    keyvend.world.net.undisturbed();
    passes(&keyvend, 40, MINUTE).await;
    assert_eq!((told(&issued).len(), told(&issued).pop()), (3, Some(first)));
    nothing_is_dead(&keyvend);
}

/// At whatever call a delivery from the backlog is killed: each notification comes, in order, and at most one of them twice.
#[tokio::test]
async fn interrupted_backlog_loses_nothing() {
    let keyvend = Deployed::new().await.unrecorded();
    let issued = keys(&keyvend, 4, 0, 8 * DAY).await;
    keyvend.world.clock.advance(Duration::from_secs(DAY - MINUTE));
    let until = keyvend.world.clock.now() + Duration::from_secs(170);
    keyvend.world.net.slack().limit_until("chat.postMessage", None, until, 70);
    keyvend.world.net.forget();
    passes(&keyvend, 2, MINUTE).await;
    let alice = direct(ALICE_OWNER);
    assert!(said(&keyvend, &alice, "and is then deactivated").is_empty());
    let whole = keyvend.fork().await;
    let before = whole.world.net.calls().len();
    passes(&whole, 6, MINUTE).await;
    let calls = whole.world.net.calls().len() - before;
    let order = about(&said(&whole, &alice, "and is then deactivated"), &issued);
    assert_eq!(order.len(), 4);
    in_order(&keyvend, &said(&whole, &alice, "and is then deactivated"), &issued);
    for interfere in [Interfere::CrashBefore, Interfere::CrashAfter] {
        for nth in 1..=calls {
            let keyvend = keyvend.fork().await.unrecorded();
            keyvend.world.net.nth(nth, interfere.clone());
            passes(&keyvend, 6, MINUTE).await;
            let mut told = about(&said(&keyvend, &alice, "and is then deactivated"), &issued);
            let times = told.len();
            told.dedup();
            assert!(
                told == order && times <= 5,
                "call {nth} of {calls}, {interfere:?}: {told:?} for {order:?}"
            );
            nothing_is_dead(&keyvend);
        }
    }
}
