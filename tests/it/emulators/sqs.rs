//! FIFO queues.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use keyvend::time::Timestamp;
use serde_json::{Value, json};

use testkit::World;
use testkit::delivery;
use testkit::iam_rights::Function;
use testkit::net::HOME;
use testkit::sqs::{CLAIMS, DUE, QUEUES, SLACK, SWEEP, Sqs, arn, url};

fn client(world: &World) -> Client {
    Client::new(&world.net.admin(HOME))
}

async fn send(world: &World, queue: &str, group: &str, id: &str, body: &str) -> String {
    let sent = client(world).send_message().queue_url(url(queue)).message_group_id(group).message_body(body);
    let sent = sent.message_deduplication_id(id).send().await.unwrap();
    assert!(sent.sequence_number().unwrap().parse::<u64>().is_ok());
    sent.message_id.unwrap()
}

fn receive(world: &World, queue: &str) -> Option<(String, String)> {
    let event = world.net.sqs().receive(queue, world.clock.now())?;
    let record = &event["Records"][0];
    Some((record["body"].as_str().unwrap().to_owned(), record["receiptHandle"].as_str().unwrap().to_owned()))
}

fn bodies(world: &World, queue: &str) -> Vec<String> {
    std::iter::from_fn(|| receive(world, queue)).map(|(body, _)| body).collect()
}

#[tokio::test]
async fn a_message_arrives_as_lambda_delivers_it() {
    let world = World::new().await;
    let sent = client(&world)
        .send_message()
        .queue_url(url(SLACK))
        .message_body("{\"a\":1}")
        .message_group_id("U0ALICE");
    let sent = sent.message_deduplication_id("one").send().await.unwrap();
    // The MD5 of `{"a":1}`, by another program.
    assert_eq!(sent.md5_of_message_body(), Some("bb6cb5c68df4652941caf652a366f2d8"));
    let event = world.net.sqs().receive(SLACK, world.clock.now()).unwrap();
    let expected = json!({"Records": [{
        "messageId": sent.message_id(), "receiptHandle": event["Records"][0]["receiptHandle"], "body": "{\"a\":1}",
        "attributes": {
            "ApproximateReceiveCount": "1", "SentTimestamp": "1764000000000", "SequenceNumber": sent.sequence_number(),
            "MessageGroupId": "U0ALICE", "SenderId": "AROAWORLD:keyvend", "MessageDeduplicationId": "one",
            "ApproximateFirstReceiveTimestamp": "1764000000000",
        },
        "messageAttributes": {}, "md5OfBody": "bb6cb5c68df4652941caf652a366f2d8", "eventSource": "aws:sqs",
        "eventSourceARN": arn(SLACK), "awsRegion": "eu-west-1",
    }]});
    assert_eq!(event, expected);
    let read: aws_lambda_events::event::sqs::SqsEvent = serde_json::from_value(event).unwrap();
    assert_eq!(read.records[0].body.as_deref(), Some("{\"a\":1}"));
}

#[tokio::test]
async fn group_is_ordered_and_waits_for_inflight() {
    // The group waits for its message in flight.
    let world = World::new().await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        send(&world, CLAIMS, group, body, body).await;
    }
    assert_eq!(bodies(&world, CLAIMS), ["a1", "b1"]);
    assert_eq!(world.net.sqs().next_visible(CLAIMS), Some(world.clock.now() + Duration::from_secs(60)));
    world.clock.advance(Duration::from_secs(60));
    let (body, receipt) = receive(&world, CLAIMS).unwrap();
    assert_eq!(body, "a1", "it was not finished, so it comes again before its followers");
    assert!(world.net.sqs().finish(CLAIMS, &receipt, true));
    assert_eq!(bodies(&world, CLAIMS), ["a2", "b1"]);
}

#[tokio::test]
async fn deduplication_id_holds_for_five_minutes() {
    let world = World::new().await;
    let first = send(&world, CLAIMS, "a", "id", "one").await;
    assert_eq!(send(&world, CLAIMS, "b", "id", "two").await, first);
    send(&world, SLACK, "a", "id", "another queue").await;
    assert_eq!(bodies(&world, CLAIMS), ["one"]);
    world.clock.advance(Duration::from_secs(299));
    send(&world, CLAIMS, "b", "id", "still the same").await;
    assert_eq!(world.net.sqs().messages(CLAIMS).len(), 1);
    world.clock.advance(Duration::from_secs(1));
    send(&world, CLAIMS, "b", "id", "another").await;
    assert_eq!(world.net.sqs().messages(CLAIMS).len(), 2);
    world.net.sqs().sweep();
    world.net.sqs().sweep();
    assert_eq!(world.net.sqs().messages(SWEEP).len(), 2, "the rule's events differ by their id");
    let sweep = world.net.sqs().messages(SWEEP)[0].json();
    assert_eq!(
        (&sweep["source"], &sweep["time"]),
        (&json!("aws.events"), &json!(world.clock.now().rfc3339()))
    );
}

#[tokio::test]
async fn visibility_can_be_changed_while_in_flight() {
    let world = World::new().await;
    send(&world, CLAIMS, "a", "1", "one").await;
    let (_, receipt) = receive(&world, CLAIMS).unwrap();
    let worker = Client::new(&world.net.config(Function::Worker));
    let change = |receipt: &str, seconds| {
        worker
            .change_message_visibility()
            .queue_url(url(CLAIMS))
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
    };
    change(&receipt, 4).await.unwrap();
    world.net.sqs().finish(CLAIMS, &receipt, false);
    assert_eq!(receive(&world, CLAIMS), None);
    world.clock.advance(Duration::from_secs(4));
    let late = change(&receipt, 4).await.unwrap_err().into_service_error();
    assert!(late.is_message_not_inflight(), "{late:?}");
    assert!(!world.net.sqs().finish(CLAIMS, &receipt, true), "an expired receipt deletes nothing");
    let event = world.net.sqs().receive(CLAIMS, world.clock.now()).unwrap();
    assert_eq!(event["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
    let wrong = change("nonsense", 4).await.unwrap_err().into_service_error();
    assert!(wrong.is_receipt_handle_is_invalid(), "{wrong:?}");
    assert!(change(&receipt, 43_201).await.is_err());
}

#[tokio::test]
async fn the_seventh_receive_is_a_dead_letter() {
    let world = World::new().await;
    send(&world, CLAIMS, "a", "1", "bad").await;
    send(&world, CLAIMS, "a", "2", "good").await;
    let mut seen = Vec::new();
    let mut worker = async |event: Value| {
        let record = &event["Records"][0];
        seen.push(record["body"].as_str().unwrap().to_owned());
        let failed = if record["body"] == "bad" {
            json!([{"itemIdentifier": record["messageId"]}])
        } else {
            json!([])
        };
        json!({"batchItemFailures": failed})
    };
    assert_eq!(delivery::deliver_all(world.net.sqs(), &world.clock, &mut worker).await, 1, "the group waits");
    assert_eq!(delivery::deliver_everything(world.net.sqs(), &world.clock, &mut worker).await, 6);
    assert_eq!(seen, ["bad", "bad", "bad", "bad", "bad", "bad", "good"]);
    let sqs = world.net.sqs();
    assert_eq!((sqs.dead(CLAIMS).len(), sqs.messages(CLAIMS).len()), (1, 0));
    assert_eq!(sqs.redrive(CLAIMS), 1);
    let event = sqs.receive(CLAIMS, world.clock.now()).unwrap();
    let attributes = &event["Records"][0]["attributes"];
    assert_eq!(attributes["ApproximateReceiveCount"], "1");
    assert_eq!(
        attributes["SentTimestamp"],
        format!("{}000", world.clock.now().0),
        "a redrive resets the age"
    );
}

#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let world = World::new().await;
    let good = || client(&world).send_message().queue_url(url(SLACK)).message_body("x").message_group_id("a");
    let cases = [
        (
            "no group",
            client(&world)
                .send_message()
                .queue_url(url(SLACK))
                .message_body("x")
                .message_deduplication_id("1"),
        ),
        ("no deduplication id", good()),
        ("a long group", good().message_group_id("a".repeat(129)).message_deduplication_id("1")),
        ("a space in the id", good().message_deduplication_id("a b")),
        ("a delay", good().message_deduplication_id("1").delay_seconds(3)),
        ("an empty body", good().message_deduplication_id("1").message_body("")),
        ("a control character", good().message_deduplication_id("1").message_body("\u{1}")),
    ];
    for (what, message) in cases {
        assert!(message.send().await.is_err(), "{what}");
    }
    let none = client(&world)
        .send_message()
        .queue_url("https://sqs.eu-west-1.amazonaws.com/123456789012/other.fifo");
    let none = none.message_body("x").send().await.unwrap_err().into_service_error();
    assert!(none.is_queue_does_not_exist(), "{none:?}");
    assert_eq!(world.net.sqs().next_visible(SLACK), None::<Timestamp>);
    // `sweep` deduplicates by content.
    client(&world)
        .send_message()
        .queue_url(url(SWEEP))
        .message_body("x")
        .message_group_id("a")
        .send()
        .await
        .unwrap();
}

// T7.4
#[tokio::test]
async fn each_function_sends_to_its_queue_only() {
    let world = World::new().await;
    for (function, own) in [(Function::Slack, SLACK), (Function::Reveal, CLAIMS), (Function::Worker, DUE)] {
        let client = Client::new(&world.net.config(function));
        for queue in QUEUES {
            let sent = client.send_message().queue_url(url(queue)).message_group_id("a").message_body("x");
            let sent = sent.message_deduplication_id("1").send().await;
            assert_eq!(sent.is_ok(), queue == own, "{function:?} to {queue}");
            if let Err(error) = sent {
                assert_eq!(error.code(), Some("AccessDeniedException"));
            }
        }
    }
}

/// A message that goes round without ever being finished must not pass for progress.
#[tokio::test]
#[should_panic(expected = "round in circles")]
async fn a_loop_is_noticed() {
    let world = World::new().await;
    send(&world, DUE, "a", "1", "again").await;
    let (net, clock) = (world.net.clone(), world.clock.clone());
    let again = async |_: Value| {
        clock.advance(Duration::from_secs(1));
        let sqs: &Sqs = net.sqs();
        sqs.sweep();
        json!({})
    };
    delivery::deliver_all(world.net.sqs(), &world.clock, again).await;
}
