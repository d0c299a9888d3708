//! `worker`: whatever is in a queue, it says which messages are not done, and writes nothing for garbage.

use std::cell::RefCell;
use std::collections::BTreeSet;

use keyvend::queue::ClaimMessage;
use keyvend::slack::receive::SlackEnvelope;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::any_json::{any_json, damaged};
use crate::hostile::corpus::{any_text, executor, run};
use testkit::deployed::Deployed;
use testkit::slack::ALICE_OWNER;
use testkit::sqs::{self, CLAIMS, DUE, SLACK, SWEEP};

/// The message ids that the answer calls not done: Lambda's partial batch response, and nothing else.
fn failures(answer: &Value) -> Result<Vec<String>, TestCaseError> {
    let failures = answer["batchItemFailures"].as_array();
    let failures =
        failures.ok_or_else(|| TestCaseError::fail(format!("no partial batch response: {answer}")))?;
    prop_assert_eq!(answer.as_object().unwrap().len(), 1);
    failures
        .iter()
        .map(|failure| match failure["itemIdentifier"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Err(TestCaseError::fail(format!("{failure}"))),
        })
        .collect()
}

/// Works on an event, and names the calls that were more than looking, or putting a message back.
fn work(keyvend: &Deployed, event: Value) -> (Value, BTreeSet<String>) {
    keyvend.world.net.forget();
    let answer = executor().block_on(keyvend.work(event));
    let looks = |operation: &str| {
        matches!(operation, "GetItem" | "Query" | "GetSecretValue" | "ChangeMessageVisibility")
    };
    let calls = keyvend.world.net.calls().into_iter().map(|call| call.operation);
    (answer, calls.filter(|operation| !looks(operation)).collect())
}

fn record(id: &str, arn: &str, body: &str) -> Value {
    json!({
        "messageId": id, "receiptHandle": "receipt-0", "body": body, "eventSource": "aws:sqs", "eventSourceARN": arn,
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "awsRegion": "eu-west-1",
    })
}

// T1.9
#[test]
fn any_json_instead_of_event_is_answered() {
    let keyvend = executor().block_on(Deployed::new());
    let bodies = ["{}", "", "null", "{\"tid\":1}"];
    let records: Vec<Value> = bodies.iter().map(|body| record("m1", &sqs::arn(CLAIMS), body)).collect();
    run(1_000, prop_oneof![any_json(), damaged(json!({ "Records": records }))], |event| {
        let (answer, did) = work(&keyvend, event);
        failures(&answer)?;
        prop_assert!(did.is_empty(), "{:?}", did);
        Ok(())
    });
}

// T1.9
#[test]
fn garbage_in_any_queue_has_no_effect() {
    // It writes nothing and notifies nobody.
    let keyvend = executor().block_on(Deployed::new());
    let arn = prop_oneof![
        6 => prop::sample::select(vec![sqs::arn(SLACK), sqs::arn(CLAIMS), sqs::arn(DUE)]),
        1 => any_text(),
        1 => Just("arn:aws:sqs:eu-west-1:999999999999:keyvend-claims.fifo".to_owned()),
    ];
    let body = prop_oneof![any_text(), any_json().prop_map(|json| json.to_string())];
    run(1_500, (arn, body), |(arn, body)| {
        let known = [SLACK, CLAIMS, DUE].iter().any(|queue| arn == sqs::arn(queue));
        let (answer, did) = work(&keyvend, json!({ "Records": [record("m1", &arn, &body)] }));
        let failed = failures(&answer)?;
        prop_assert!(failed.is_empty() || failed == ["m1"]);
        // What cannot be read will not be readable later; a queue that is not known is a mistake of the deployment.
        prop_assert!(!known || failed.is_empty(), "garbage comes back for ever");
        prop_assert!(did.is_empty(), "{:?}", did);
        Ok(())
    });
}

#[test]
fn message_on_wrong_queue_is_dropped() {
    let keyvend = executor().block_on(Deployed::new());
    let command = executor().block_on(async {
        keyvend
            .arrive(keyvend.world.slash_command(ALICE_OWNER, "create ci-deployer use:cli ttl:30d why"))
            .await;
        keyvend.world.net.sqs().messages(SLACK)[0].body.clone()
    });
    assert!(serde_json::from_str::<SlackEnvelope>(&command).is_ok());
    let claim = json!({"tid": "A".repeat(22), "event": "claimed", "attempt": 1}).to_string();
    assert!(serde_json::from_str::<ClaimMessage>(&claim).is_ok());
    keyvend.world.net.sqs().sweep();
    let sweep = keyvend.world.net.sqs().messages(SWEEP)[0].body.clone();
    for (queue, body) in [(CLAIMS, &command), (SLACK, &claim), (DUE, &command), (DUE, &claim), (DUE, &sweep)]
    {
        let (_, did) = work(&keyvend, json!({ "Records": [record("m1", &sqs::arn(queue), body)] }));
        assert!(did.is_empty(), "{queue} took {body}: {did:?}");
    }
    // The control: on its own queue, the command is acted on.
    let (_, did) = work(&keyvend, json!({ "Records": [record("m1", &sqs::arn(SLACK), &command)] }));
    assert!(did.contains("TransactWriteItems") && did.contains("response_url"), "{did:?}");
}

#[test]
fn a_claim_of_no_ticket_writes_nothing() {
    let keyvend = executor().block_on(Deployed::new());
    let claim = json!({"tid": "A".repeat(22), "event": "claimed", "attempt": 1});
    let events = prop::sample::select(vec!["claimed", "confirmed", "misused"]);
    run(300, (events, any::<i64>(), prop::array::uniform16(any::<u8>())), |(event, attempt, tid)| {
        let mut body = claim.clone();
        body["event"] = json!(event);
        body["attempt"] = json!(attempt);
        body["tid"] = json!(keyvend::encoding::base64url(&tid));
        prop_assert!(serde_json::from_value::<ClaimMessage>(body.clone()).is_ok());
        let (answer, did) =
            work(&keyvend, json!({ "Records": [record("m1", &sqs::arn(CLAIMS), &body.to_string())] }));
        prop_assert!(failures(&answer)?.is_empty());
        prop_assert!(did.is_empty(), "{:?}", did);
        Ok(())
    });
}

/// Messages that `slack` could have queued, with anything changed in them: none may stop the worker.
#[test]
fn damaged_message_is_handled_or_dropped() {
    let keyvend = executor().block_on(Deployed::new());
    let bodies = executor().block_on(async {
        for text in ["create ci-deployer use:cli ttl:30d why", "status", "cancel", "whoami"] {
            keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, text)).await;
        }
        let messages = keyvend.world.net.sqs().messages(SLACK);
        messages.into_iter().map(|message| message.json()).collect::<Vec<_>>()
    });
    let press = json!({"interaction": {"block_actions": {
        "action_id": "get-key", "value": "0123456789ABCDEF.01234567", "message": null, "ephemeral": false,
    }}});
    let presses = ["approve", "deny", "get-key", "cancel", "nothing"].into_iter().map(|action| {
        let mut body = bodies[0].clone();
        body["what"] = press.clone();
        body["what"]["interaction"]["block_actions"]["action_id"] = json!(action);
        body
    });
    let bodies: Vec<Value> = bodies.iter().cloned().chain(presses).collect();
    assert!(bodies.iter().all(|body| serde_json::from_value::<SlackEnvelope>(body.clone()).is_ok()));
    let read = RefCell::new(0);
    let strategy = prop::sample::select(bodies).prop_flat_map(damaged);
    run(400, strategy, |body| {
        let readable = serde_json::from_value::<SlackEnvelope>(body.clone()).is_ok();
        *read.borrow_mut() += usize::from(readable);
        let (answer, did) =
            work(&keyvend, json!({ "Records": [record("m1", &sqs::arn(SLACK), &body.to_string())] }));
        failures(&answer)?;
        prop_assert!(readable || did.is_empty(), "{:?}", did);
        prop_assert!(!did.contains("CreateAccessKey"), "{:?}", did);
        Ok(())
    });
    assert!(read.into_inner() > 50, "hardly any message could be read");
}
