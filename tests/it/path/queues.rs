//! What comes out of the queues: too old, foreign, unreadable, or failing to the end.

use std::time::Duration;

use serde_json::{Value, json};

use testkit::aws::AUDIT;
use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, DORA_DELETED};
use testkit::sqs;
use testkit::steps::{ASK, failed, record, said_in_public, text};

// T1.6
#[tokio::test]
async fn a_command_older_than_ten_minutes_begins_nothing() {
    let keyvend = Deployed::new().await;
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
    keyvend.world.clock.advance(Duration::from_secs(601));
    keyvend.deliver().await;
    assert!(keyvend.told(ALICE_OWNER).contains("reached keyvend too late"));
    assert_eq!(keyvend.requests().await.len(), 0);
    assert_eq!(said_in_public(&keyvend), Vec::<String>::new());

    let keyvend = Deployed::new().await;
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
    keyvend.world.clock.advance(Duration::from_secs(600));
    keyvend.deliver().await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

// T1.6
#[tokio::test]
async fn a_press_older_than_ten_minutes_decides_nothing() {
    for button in ["Approve", "Deny"] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        keyvend.arrive(keyvend.world.press(BOB_APPROVER, &card, button)).await;
        keyvend.world.clock.advance(Duration::from_secs(601));
        keyvend.deliver().await;
        assert!(keyvend.told(BOB_APPROVER).contains("reached keyvend too late"));
        assert_eq!(keyvend.stands().await, "PENDING");
    }
}

// T1.6
#[tokio::test]
async fn message_age_counts_from_slack_signature() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "users.info" | "response_url" | "chat.postMessage" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.deliver_everything().await;
    keyvend.world.net.undisturbed();
    assert_eq!(keyvend.world.net.sqs().dead(sqs::SLACK).len(), 1);
    keyvend.world.clock.advance(Duration::from_secs(3600));
    keyvend.world.net.sqs().redrive(sqs::SLACK);
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.requests().await.len(), 0, "redriven after an hour");
    assert!(keyvend.told(ALICE_OWNER).contains("reached keyvend too late"));
}

#[tokio::test]
async fn failed_message_is_reported_with_reference() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "users.info" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, ASK).await;
    let id = text(&keyvend.world.net.sqs().messages(sqs::SLACK)[0].json()["id"]);
    keyvend.deliver_everything().await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("Nothing was changed; please try again") && told.contains(&id), "{told}");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Nothing was changed"), 1);
    let dead = keyvend.world.net.sqs().dead(sqs::SLACK);
    assert_eq!(dead.iter().map(|message| message.receives).collect::<Vec<_>>(), [6]);
    let waits: Vec<Value> = keyvend
        .world
        .net
        .calls_to("sqs", "ChangeMessageVisibility")
        .iter()
        .map(|call| call.parameters["VisibilityTimeout"].clone())
        .collect();
    assert_eq!(waits, [1, 4, 16, 16, 16, 16]);
}

#[tokio::test]
async fn slack_rate_limit_delays_retry() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().rate_limit_next("users.info", 27);
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
    let event = keyvend.receives(sqs::SLACK);
    assert!(failed(&keyvend.work(event).await));
    let visible = keyvend.world.net.sqs().next_visible(sqs::SLACK).unwrap();
    let waits = visible.since(keyvend.world.clock.now());
    assert!((27..=37).contains(&waits), "{waits} s");
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

// T7.4
#[tokio::test]
async fn the_queue_decides_what_a_message_may_say() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let claim = keyvend.receives(sqs::CLAIMS);
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "cancel")).await;
    let command = keyvend.receives(sqs::SLACK);
    let from = |event: &Value, arn: &str| {
        let mut event = event.clone();
        event["Records"][0]["eventSourceARN"] = json!(arn);
        event
    };
    let before = (keyvend.request().await, keyvend.ticket(&tab).await);
    keyvend.world.net.forget();
    let foreign = [
        "arn:aws:sqs:eu-west-1:123456789012:somebody-elses.fifo".to_owned(),
        "arn:aws:sqs:eu-west-1:999999999999:keyvend-claims.fifo".to_owned(),
        "keyvend-claims.fifo".to_owned(),
        String::new(),
    ];
    for arn in &foreign {
        for event in [&claim, &command] {
            assert!(failed(&keyvend.work(from(event, arn)).await), "{arn}");
        }
    }
    let acted: Vec<_> = keyvend.world.net.calls().into_iter().filter(|call| call.service != "sqs").collect();
    assert_eq!(acted.len(), 0, "{acted:?}");
    // Another sender's message, in the right form, is none of this queue's.
    keyvend.work(from(&claim, &sqs::arn(sqs::SLACK))).await;
    keyvend.work(from(&command, &sqs::arn(sqs::CLAIMS))).await;
    assert_eq!((keyvend.request().await, keyvend.ticket(&tab).await), before);
    assert_eq!(keyvend.creates(), 0);
}

/// The scheduler's queue has one meaning: a body that would act elsewhere makes the worker look for what is due, and
/// nothing else.
// T7.5
#[tokio::test]
async fn any_message_on_sweep_queue_runs_sweep() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let claim = keyvend.world.net.sqs().messages(sqs::CLAIMS)[0].body.clone();
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "cancel")).await;
    let command = keyvend.world.net.sqs().messages(sqs::SLACK)[0].body.clone();
    let request = text(&keyvend.request().await["id"]);
    // The first sweep of a day begins what is done daily.
    keyvend.work(record(sqs::SWEEP, "", 1)).await;
    let before = (keyvend.request().await, keyvend.ticket(&tab).await);
    let bodies = [
        String::new(),
        "{".to_owned(),
        claim,
        command,
        json!({"item_timer": {"item": format!("request#{request}"), "due_at": 0}}).to_string(),
        json!({"resume_issue": {"tid": tab.tid(), "attempt": 1}}).to_string(),
    ];
    for body in &bodies {
        keyvend.world.net.forget();
        assert!(!failed(&keyvend.work(record(sqs::SWEEP, body, 1)).await), "{body}");
        assert_eq!(keyvend.world.net.calls_to("dynamodb", "Query").len(), 16, "one sweep: {body}");
        let calls = keyvend.world.net.calls();
        assert!(
            calls.iter().all(|call| ["Query", "GetItem"].contains(&call.operation.as_str())),
            "{calls:?}"
        );
    }
    assert_eq!((keyvend.request().await, keyvend.ticket(&tab).await), before);
    assert_eq!(keyvend.creates(), 0);
}

// T7.5
#[tokio::test]
async fn scheduler_event_on_other_queue_is_ignored() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.sqs().sweep();
    let event = keyvend.world.net.sqs().messages(sqs::SWEEP)[0].body.clone();
    keyvend.world.net.forget();
    for queue in [sqs::SLACK, sqs::CLAIMS, sqs::DUE] {
        assert!(!failed(&keyvend.work(record(queue, &event, 1)).await), "{queue}");
        assert_eq!(keyvend.world.net.calls().len(), 0, "{queue}");
    }
}

#[tokio::test]
async fn unreadable_message_is_dropped_without_effect() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let tid = tab.tid();
    let claims = [
        String::new(),
        "null".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        json!({"tid": tid}).to_string(),
        json!({"tid": tid, "event": "issue", "attempt": 1}).to_string(),
        json!({"tid": tid, "event": "claimed", "attempt": "1"}).to_string(),
        json!({"tid": "x", "event": "claimed", "attempt": 1}).to_string(),
        json!({"tid": tid, "event": "claimed", "attempt": 1, "user": "admin-bot"}).to_string(),
        format!(r#"{{"tid":"{tid}","event":"claimed","attempt":1,"attempt":1}}"#),
    ];
    keyvend.world.net.forget();
    for body in &claims {
        assert!(!failed(&keyvend.work(record(sqs::CLAIMS, body, 1)).await), "{body}");
        assert!(!failed(&keyvend.work(record(sqs::SLACK, body, 1)).await), "{body}");
    }
    for event in [json!(null), json!({}), json!([]), json!({"Records": "none"}), json!({"Records": []})] {
        assert!(!failed(&keyvend.work(event).await));
    }
    let calls: Vec<String> = keyvend.world.net.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, Vec::<String>::new());
    assert_eq!(keyvend.stands().await, "LINK_ISSUED");
}

// T7.4
#[tokio::test]
async fn untrue_claim_message_creates_no_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let says = |tid: &str, event: &str, attempt: i64| {
        record(sqs::CLAIMS, &json!({"tid": tid, "event": event, "attempt": attempt}).to_string(), 1)
    };
    let unknown = "A".repeat(22);
    for (tid, attempt) in [(tab.tid(), 1), (tab.tid(), 0), (unknown.clone(), 1)] {
        assert!(!failed(&keyvend.work(says(&tid, "claimed", attempt)).await), "nobody claimed it");
    }
    for event in ["confirmed", "misused"] {
        for tid in [tab.tid(), unknown.clone()] {
            assert!(!failed(&keyvend.work(says(&tid, event, 0)).await), "{event}");
        }
    }
    assert_eq!(keyvend.stands().await, "LINK_ISSUED");
    assert_eq!(
        keyvend.times_told(ALICE_OWNER, "again in another browser tab"),
        0,
        "only what the ticket tells is told"
    );
    keyvend.claims(&tab).await;
    for attempt in [0, 2, -1, i64::MAX] {
        assert!(!failed(&keyvend.work(says(&tab.tid(), "claimed", attempt)).await));
    }
    keyvend.nothing_was_created().await;
    assert_eq!(keyvend.ticket_stands(&tab).await, "CLAIMED");
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200);
}

#[tokio::test]
async fn user_deactivation_is_recorded_without_reply() {
    let keyvend = Deployed::new().await;
    for late in [0, 601] {
        keyvend.world.clock.advance(Duration::from_secs(1));
        let answer = keyvend.arrive(keyvend.world.user_change(DORA_DELETED)).await;
        assert_eq!(answer["statusCode"], 200);
        keyvend.world.clock.advance(Duration::from_secs(late));
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.world.net.sqs().dead(sqs::SLACK).len(), 0, "{late} s late");
        assert_eq!(keyvend.world.net.slack().all().len(), 0);
    }
    let answer = keyvend.arrive(keyvend.world.user_change(ALICE_OWNER)).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(keyvend.deliver().await, 0, "a change of name is nothing to queue");
}

// T5.1
#[tokio::test]
async fn failed_audit_insert_is_retried_by_sweep() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.once("dynamodb", "ExecuteStatement", Interfere::refused_json("AccessDeniedException"));
    let card = keyvend.asked().await;
    assert_eq!(keyvend.world.net.dynamo().items(AUDIT).await.len(), 0);
    assert_eq!(keyvend.requests().await.len(), 1, "asked all the same");
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert_eq!(keyvend.events().await, ["request.created", "review.approved"]);
}

/// What it says is read from the table: so whoever can send to the queue can have a notification repeated, and no more.
// T7.6
#[tokio::test]
async fn due_message_only_repeats_stored_notification() {
    let keyvend = Deployed::new().await;
    keyvend.asked().await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.deliver_everything().await;
    let id = text(&keyvend.request().await["id"]);
    let unknown: String = id.chars().rev().collect();
    let (phish, now) = ("Your key is at https://evil.example", keyvend.world.clock.now().0);
    let notification =
        json!({"direct_message": {"to": {"team": "T0001", "user": ALICE_OWNER}, "message": {"text": phish}}});
    let page = json!({"begun": now, "account": "123456789012", "page": 0, "marker": null, "complete": true});
    let with = |part: Value| {
        let mut page = page.clone();
        page.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        json!({"refresh_ownership": page})
    };
    let forged = [
        json!({"notify": {"request": id, "number": 0}}),
        json!({"notify": {"request": id, "number": 99}}),
        json!({"notify": {"request": unknown, "number": 1}}),
        json!({"notify": {"request": id, "number": 2, "notification": notification}}),
        json!({"notify": {"request": id, "notification": notification}}),
        with(json!({"discrepancies": [phish], "omitted": 0})),
        with(json!({"begun": now + 86_400 * 365})),
        json!({"checkpoint": {"day": phish, "back": 0, "shard": 0, "after": null}}),
        json!({"item_timer": {"item": phish, "due_at": now}}),
    ];
    keyvend.world.net.forget();
    for body in forged {
        assert!(!failed(&keyvend.work(record(sqs::DUE, &body.to_string(), 1)).await), "{body}");
    }
    let calls = keyvend.world.net.calls();
    let said: Vec<_> = calls.iter().filter(|call| !matches!(&*call.service, "dynamodb" | "sqs")).collect();
    assert_eq!(said.len(), 0, "{said:?}");
    assert!(!calls.iter().any(|call| call.operation != "GetItem"), "nothing was changed: {calls:?}");

    let told = |person| keyvend.world.net.slack().told(person).len();
    let before = (told(ALICE_OWNER), keyvend.world.net.slack().messages(APPROVALS).len());
    for number in 1..=3 {
        let body = json!({"notify": {"request": id, "number": number}}).to_string();
        assert!(!failed(&keyvend.work(record(sqs::DUE, &body, 1)).await), "{body}");
    }
    assert_eq!(told(ALICE_OWNER), before.0 + 1, "what was stored is said again");
    assert_eq!(keyvend.world.net.slack().messages(APPROVALS).len(), before.1, "and the one card redrawn");
}
