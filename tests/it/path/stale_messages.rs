//! What comes late, and what is given up: begun no more, told, and in the audit trail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, Message};
use testkit::sqs;
use testkit::steps::{ASK, failed, record, text};

const DAY: Duration = Duration::from_secs(86_400);

/// A message of ten minutes and a second ago.
async fn comes_late(keyvend: &Deployed, event: Value) {
    assert_eq!(keyvend.arrive(event).await["statusCode"], 200);
    keyvend.world.clock.advance(Duration::from_secs(601));
    keyvend.deliver().await;
}

// T1.6
#[tokio::test]
async fn user_action_older_than_ten_minutes_is_refused() {
    type Does = fn(&Deployed, &Message, &Message) -> Value;
    let cases: [(&str, &str, Does); 8] = [
        ("asks", ALICE_OWNER, |k, _, _| k.world.slash_command(ALICE_OWNER, ASK)),
        ("cancels", ALICE_OWNER, |k, _, _| k.world.slash_command(ALICE_OWNER, "cancel")),
        ("cancels by a button", ALICE_OWNER, |k, ready, _| k.world.press(ALICE_OWNER, ready, "Cancel")),
        ("collects", ALICE_OWNER, |k, ready, _| k.world.press(ALICE_OWNER, ready, "Get my key")),
        ("freezes", BOB_APPROVER, |k, _, _| k.world.slash_command(BOB_APPROVER, "freeze")),
        ("looks", BOB_APPROVER, |k, _, card| k.world.press(BOB_APPROVER, card, "Details")),
        ("wants a form", ALICE_OWNER, |k, _, _| k.world.slash_command(ALICE_OWNER, "")),
        ("denies", CAROL_APPROVER, |k, _, _| {
            let form = k.view(CAROL_APPROVER);
            k.world.submit(&form, &form.values(&[("reason", "not wanted")]))
        }),
    ];
    for (what, who, does) in cases {
        let keyvend = Deployed::new().await;
        let ready = keyvend.approved().await;
        keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Deny anyway").await;
        keyvend.world.clock.advance(Duration::from_secs(1));
        let (views, before) = (keyvend.world.net.slack().views().len(), keyvend.requests().await);
        let event = does(&keyvend, &ready, &keyvend.card());
        comes_late(&keyvend, event).await;
        let told = match what {
            "denies" => keyvend.view(who).reading(),
            _ => keyvend.told(who),
        };
        assert!(told.contains("reached keyvend too late"), "{who} {what}: {told}");
        assert_eq!(keyvend.requests().await, before, "{what}");
        assert_eq!(keyvend.world.net.slack().views().len(), views, "{what}");
        assert!(keyvend.item("freeze").await.is_null(), "{what}");
        keyvend.nothing_was_created().await;
    }
}

/// The last receive of a message, with all that came before it.
pub async fn fails_to_the_end(keyvend: &Deployed, queue: &str) {
    for receives in 1..=6 {
        let event = keyvend.receives(queue);
        assert_eq!(event["Records"][0]["attributes"]["ApproximateReceiveCount"], receives.to_string());
        let receipt = text(&event["Records"][0]["receiptHandle"]);
        assert!(failed(&keyvend.work(event).await), "receive {receives}");
        keyvend.world.net.sqs().finish(queue, &receipt, false);
        keyvend.world.clock.advance(Duration::from_secs(16));
    }
}

#[tokio::test]
async fn last_receive_notifies_and_audits_failure() {
    for button in ["Approve", "Deny"] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        if button == "Deny" {
            keyvend.presses(BOB_APPROVER, &card, "Deny").await;
        }
        keyvend.world.net.before(|call| match call.operation.as_str() {
            "users.info" => Interfere::FailBefore,
            _ => Interfere::Pass,
        });
        keyvend.world.clock.advance(Duration::from_secs(1));
        let event = match button {
            "Deny" => {
                let form = keyvend.view(BOB_APPROVER);
                keyvend.world.submit(&form, &form.values(&[("reason", "not wanted")]))
            }
            _ => keyvend.world.press(BOB_APPROVER, &card, button),
        };
        keyvend.arrive(event).await;
        let message = text(&keyvend.world.net.sqs().messages(sqs::SLACK)[0].json()["id"]);
        fails_to_the_end(&keyvend, sqs::SLACK).await;
        // All of it before SQS gives the message up.
        assert_eq!(keyvend.world.net.sqs().dead(sqs::SLACK).len(), 0);
        let told = match button {
            "Deny" => keyvend.view(BOB_APPROVER).reading(),
            _ => keyvend.told(BOB_APPROVER),
        };
        assert!(told.contains("Nothing was changed; please try again") && told.contains(&message), "{told}");
        let trail = keyvend.trail().await;
        let last = trail.last().unwrap();
        assert_eq!((last.event.as_str(), last.actor.as_str()), ("message.failed", "T0001.U0BOB"));
        assert_eq!(last.detail["message"], message);
        assert_eq!(keyvend.stands().await, "PENDING");
    }

    // A claim is given up with its ticket, and whoever waits may press again.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "users.info" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    fails_to_the_end(&keyvend, sqs::CLAIMS).await;
    assert_eq!(keyvend.world.net.sqs().dead(sqs::CLAIMS).len(), 0);
    assert_eq!(keyvend.turned_away(&tab).await, (410, "failed".to_owned()));
    assert_eq!(keyvend.events().await.last().unwrap(), "issue.aborted");
    assert_eq!(keyvend.last_detail("why").await, "gave-up");
    keyvend.deliver().await;
    keyvend.direct(ALICE_OWNER).button("Get my key");
    keyvend.nothing_was_created().await;
}

/// SQS counts a redriven message's age and receives anew; the ticket does not.
// T1.6
#[tokio::test]
async fn claim_age_comes_from_ticket_not_queue() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    for _ in 0..6 {
        let event = keyvend.receives(sqs::CLAIMS);
        keyvend.world.net.nth(0, Interfere::CrashBefore);
        assert!(keyvend.world.net.survive(keyvend.work(event)).await.is_none());
        keyvend.world.clock.advance(Duration::from_secs(60));
    }
    keyvend.deliver().await;
    assert_eq!(keyvend.world.net.sqs().redrive(sqs::CLAIMS), 1);
    assert_eq!(keyvend.ticket_stands(&tab).await, "CLAIMED");
    keyvend.deliver().await;
    assert_eq!(keyvend.turned_away(&tab).await, (410, "failed".to_owned()));
    assert_eq!(keyvend.last_detail("why").await, "too-late");
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn late_records_and_notifications_are_still_processed() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let rival = keyvend.opens();
    let key = keyvend.reveals(&tab).await;
    assert_eq!(keyvend.turned_away(&rival).await.0, 409);
    assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
    keyvend.world.clock.advance(DAY);
    keyvend.deliver().await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 1);
    let events = keyvend.events().await;
    assert_eq!(events[events.len() - 2..], ["link.reused", "link.confirmed"]);
    assert_eq!(keyvend.item(&format!("key#{}", key.id)).await["state"]["S"], "CONFIRMED");

    // A card that could not be posted for a day, and then can.
    let keyvend = Deployed::with(&[("KEYVEND_REQUEST_TTL", "259200")]).await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "chat.postMessage" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.deliver_everything().await;
    keyvend.world.net.undisturbed();
    keyvend.world.clock.advance(DAY);
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.cards().len(), 1);
    assert_eq!(keyvend.stands().await, "PENDING");
}

/// What the index says is a hint; the item is read as it is, and what is not due stays as it is.
#[tokio::test]
async fn untrue_timer_message_changes_nothing() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let id = text(&keyvend.request().await["id"]);
    let before = keyvend.requests().await;
    for (item, due_at) in [
        (format!("request#{id}"), keyvend.world.clock.now().0 - 60),
        (format!("request#{id}"), 0),
        ("request#0000000000000000".to_owned(), 0),
        (format!("ticket#{}", tab.tid()), 0),
        (format!("lease#{}/ci-deployer", testkit::net::HOME), 0),
        (String::new(), 0),
    ] {
        let timer = json!({"item_timer": {"item": item, "due_at": due_at}}).to_string();
        assert!(!failed(&keyvend.work(record(sqs::DUE, &timer, 1)).await), "{item}");
        assert_eq!(keyvend.requests().await, before, "{item}");
        assert_eq!(keyvend.ticket_stands(&tab).await, "PENDING", "{item}");
    }
    assert_eq!(keyvend.deliver().await, 0, "and nobody is told anything");
    keyvend.reveals(&tab).await;
}

/// Whatever a worker that was killed left behind, it deletes what it made itself and nothing else.
// T4.2
#[tokio::test]
async fn cleanup_leaves_older_keys_untouched() {
    for how in [Interfere::CrashAfter, Interfere::refused_json("InternalServerError")] {
        for event in ["issue.key_created", "issue.completed"] {
            let keyvend = Deployed::new().await;
            let iam = testkit::aws::iam(&keyvend.world.net, testkit::net::HOME);
            iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
            let before = keyvend.key_ids();
            let tab = keyvend.linked().await;
            keyvend.claims(&tab).await;
            keyvend.world.net.forget();
            let (wanted, way) = (format!(r#"\"event\":\"{event}\""#), how.clone());
            let crashes = matches!(how, Interfere::CrashAfter);
            let struck = Arc::new(AtomicBool::new(false));
            let strikes = struck.clone();
            keyvend.world.net.before(move |call| {
                let writes = call.operation == "TransactWriteItems"
                    && call.parameters.to_string().contains(&wanted)
                    && !(crashes && strikes.load(Ordering::SeqCst));
                strikes.fetch_or(writes, Ordering::SeqCst);
                if writes { way.clone() } else { Interfere::Pass }
            });
            let claim = keyvend.receives(sqs::CLAIMS);
            keyvend.world.net.survive(keyvend.work(claim)).await;
            keyvend.world.net.undisturbed();
            assert!(struck.load(Ordering::SeqCst), "{event} is written");
            let begun = keyvend.request().await;
            if crashes && event == "issue.key_created" {
                let intent = &begun["state"]["Issuing"];
                assert_eq!(intent["existing_keys"], json!(before), "what was there is written down");
            }
            keyvend.deliver_everything().await;
            let deleted = keyvend.world.net.calls_to("iam", "DeleteAccessKey");
            assert!(deleted.iter().all(|call| call.parameters["AccessKeyId"] != before[0]), "{deleted:?}");
            assert_eq!(keyvend.key_ids()[0], before[0]);
            let switched = keyvend.world.net.calls_to("iam", "UpdateAccessKey");
            assert_eq!(switched.len(), 0, "{switched:?}");
        }
    }
}
