//! What Lambda's event source mappings do: hand what is visible in the queues to the worker, one message at a
//! time, and delete what it did not report as failed.

use serde_json::Value;

use crate::clock::Clock;
use crate::sqs::{QUEUES, Sqs};

/// A loop that hands messages on for longer than this will go on for ever.
const MOST: usize = 10_000;

/// Delivers until nothing is visible in any queue; returns how many messages were delivered.
pub async fn deliver_all(sqs: &Sqs, clock: &Clock, mut worker: impl AsyncFnMut(Value) -> Value) -> usize {
    let mut delivered = 0;
    loop {
        let before = delivered;
        for queue in QUEUES {
            while let Some(event) = sqs.receive(queue, clock.now()) {
                let record = &event["Records"][0];
                let (id, receipt) = (text(&record["messageId"]), text(&record["receiptHandle"]));
                let answer = worker(event).await;
                sqs.finish(queue, &receipt, !failed(&answer, &id));
                delivered += 1;
                assert!(delivered < MOST, "messages go round in circles");
            }
        }
        if delivered == before {
            return delivered;
        }
    }
}

/// The same, but time moves on to whenever the next message becomes visible, until the queues are empty. Messages
/// that the worker fails for ever end among the dead letters.
pub async fn deliver_everything(
    sqs: &Sqs,
    clock: &Clock,
    mut worker: impl AsyncFnMut(Value) -> Value,
) -> usize {
    let mut delivered = 0;
    loop {
        delivered += deliver_all(sqs, clock, &mut worker).await;
        let next = QUEUES.iter().filter_map(|queue| sqs.next_visible(queue)).min();
        match next {
            Some(next) => clock.set(next.max(clock.now())),
            None => return delivered,
        }
    }
}

/// Whether a partial batch response (`batchItemFailures`) names the message. Lambda takes a function that
/// answered nothing of the kind, null or `{}`, for a success, and an empty or unknown id for a failure of all.
fn failed(answer: &Value, id: &str) -> bool {
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap_or_default()).any(|named| {
        assert_eq!(named, id, "a failure that names no message of the batch");
        true
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
