//! Two things at once, each begun a few calls after the other, every distance tried: one of them is first, and both are
//! told the truth.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};

use testkit::aws;
use testkit::deployed::{Deployed, Tab};
use testkit::net::{HOME, yield_now};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, Message};
use testkit::sqs::{CLAIMS, DUE, SLACK, SWEEP};
use testkit::steps::{failed, record, text};

/// How many turns one may begin after the other: more than a handler takes.
const DISTANCES: [usize; 14] = [0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 40, 55, 75, 100];

async fn later<T>(turns: usize, what: impl Future<Output = T>) -> T {
    for _ in 0..turns {
        yield_now().await;
    }
    what.await
}

/// Both at once; the second begins so many turns later, and once the other way round.
async fn both(
    keyvend: &Deployed,
    first: Value,
    second: Value,
    turns: usize,
    swapped: bool,
) -> (Value, Value) {
    let (a, b) = if swapped { (turns, 0) } else { (0, turns) };
    Box::pin(futures_util::future::join(
        later(a, Box::pin(keyvend.work(first))),
        later(b, Box::pin(keyvend.work(second))),
    ))
    .await
}

/// Every distance, both ways round.
fn ways() -> impl Iterator<Item = (usize, bool)> {
    DISTANCES.into_iter().flat_map(|turns| [(turns, false), (turns, true)])
}

/// What did not get done is delivered again, and a minute passes.
async fn settled(keyvend: &Deployed) {
    Box::pin(keyvend.outlives()).await;
    Box::pin(keyvend.minute(61)).await;
    Box::pin(keyvend.minute(61)).await;
}

async fn events(keyvend: &Deployed) -> Vec<String> {
    keyvend.events().await
}

fn count(events: &[String], event: &str) -> usize {
    events.iter().filter(|found| *found == event).count()
}

#[tokio::test]
async fn simultaneous_approvals_are_each_counted_once() {
    // Two simultaneous approvals both count; where one is enough the request is approved once.
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        let bob = received(keyvend.world.press(BOB_APPROVER, &card, "Approve"), &keyvend).await;
        let carol = received(keyvend.world.press(CAROL_APPROVER, &card, "Approve"), &keyvend).await;
        both(&keyvend, bob, carol, turns, swapped).await;
        settled(&keyvend).await;
        let about = format!("{turns} {swapped}");
        assert_eq!(keyvend.stands().await, "APPROVED", "{about}");
        assert_eq!(count(&events(&keyvend).await, "review.approved"), 1, "{about}");
        assert_eq!(keyvend.times_told(ALICE_OWNER, "is ready to create"), 1, "{about}");
        let told = [keyvend.told(BOB_APPROVER), keyvend.told(CAROL_APPROVER)];
        let counted = told.iter().filter(|told| told.contains("approval is recorded")).count();
        assert_eq!(counted, 1, "{about}: {told:?}");
    }
}

#[tokio::test]
async fn approval_racing_denial_matches_audit_trail() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        keyvend.presses(CAROL_APPROVER, &card, "Deny").await;
        let view = keyvend.view(CAROL_APPROVER);
        let yes = received(keyvend.world.press(BOB_APPROVER, &card, "Approve"), &keyvend).await;
        let submitted = keyvend.world.submit(&view, &view.values(&[("reason", "not this one")]));
        let no = received(submitted, &keyvend).await;
        both(&keyvend, yes, no, turns, swapped).await;
        settled(&keyvend).await;
        let about = format!("{turns} {swapped}");
        assert_eq!(keyvend.stands().await, "DENIED", "{about}: a no ends what waits, approved or not");
        let events = events(&keyvend).await;
        assert_eq!(count(&events, "review.denied"), 1, "{about}");
        let ready = keyvend.times_told(ALICE_OWNER, "is ready to create");
        assert_eq!(ready, count(&events, "review.approved"), "{about}: told of an approval that was none");
        assert_eq!(keyvend.creates(), 0);
    }
}

#[tokio::test]
async fn review_racing_expiry_has_one_outcome() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        keyvend.world.clock.advance(Duration::from_secs(86_400 - 2));
        Box::pin(keyvend.outlives()).await;
        let click = keyvend.pressed(keyvend.world.press(BOB_APPROVER, &card, "Approve")).await;
        let id = text(&keyvend.request().await["id"]);
        let at = keyvend.request().await["expires_at"].as_i64().unwrap();
        let timer = json!({"item_timer": {"item": format!("request#{id}"), "due_at": at}}).to_string();
        let timer = testkit::steps::record("due", &timer, 1);
        let late = keyvend.world.clock.clone();
        let (a, b) = if swapped { (turns, 0) } else { (0, turns) };
        Box::pin(futures_util::future::join(
            later(a, Box::pin(keyvend.work(click))),
            later(
                b,
                Box::pin(async {
                    late.advance(Duration::from_secs(3));
                    keyvend.work(timer).await
                }),
            ),
        ))
        .await;
        settled(&keyvend).await;
        let (stands, events) = (keyvend.stands().await, events(&keyvend).await);
        let (approved, expired) = (count(&events, "review.approved"), count(&events, "request.expired"));
        let expected = if approved == 1 { "APPROVED" } else { "EXPIRED" };
        assert_eq!((stands.as_str(), approved + expired), (expected, 1), "{turns} {swapped}: {events:?}");
    }
}

// T4.5
#[tokio::test]
async fn simultaneous_requests_never_create_third_key() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let admin = aws::iam(&keyvend.world.net, HOME);
        admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
        let mut tabs: Vec<Tab> = Vec::new();
        for _ in 0..2 {
            keyvend.world.clock.advance(Duration::from_secs(1));
            tabs.push(keyvend.linked().await);
        }
        let mut claims = Vec::new();
        for tab in &tabs {
            keyvend.claims(tab).await;
            claims.push(keyvend.receives(CLAIMS));
        }
        let second = claims.pop().unwrap();
        let first = claims.pop().unwrap();
        both(&keyvend, first, second, turns, swapped).await;
        settled(&keyvend).await;
        let mut shown = 0;
        for tab in &tabs {
            let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
            if status == 200 {
                tab.unseal(&body);
                shown += 1;
            } else {
                assert_eq!((status, text(&body["error"]).as_str()), (410, "failed"), "{turns} {swapped}");
            }
        }
        assert_eq!(shown, 1, "{turns} {swapped}");
        assert_eq!(keyvend.key_ids().len(), 2, "{turns} {swapped}");
        assert!(keyvend.lease().await.is_null());
        keyvend.is_sound_beside_others("two requests").await;
    }
}

// T1.5
#[tokio::test]
async fn duplicate_slack_delivery_is_one_request() {
    // A duplicate counts once, whether it comes at the same time or ten minutes later.
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let event = keyvend.world.slash_command(ALICE_OWNER, testkit::steps::ASK);
        let event = keyvend.pressed(event).await;
        both(&keyvend, event.clone(), event, turns, swapped).await;
        settled(&keyvend).await;
        assert_eq!(keyvend.requests().await.len(), 1, "{turns} {swapped}");
        assert_eq!(cards(&keyvend), 1, "{turns} {swapped}: one card");
        assert_eq!(count(&events(&keyvend).await, "request.created"), 1);
    }
    let keyvend = Deployed::new().await;
    let event = keyvend.world.slash_command(ALICE_OWNER, testkit::steps::ASK);
    let event = keyvend.pressed(event).await;
    keyvend.work(event.clone()).await;
    keyvend.world.clock.advance(Duration::from_secs(600));
    assert!(!failed(&keyvend.work(event).await));
    settled(&keyvend).await;
    assert_eq!(keyvend.requests().await.len(), 1);
    assert_eq!(cards(&keyvend), 1, "one card");
}

#[tokio::test]
async fn new_link_racing_old_claim_leaves_one() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let ready = keyvend.approved().await;
        let old = keyvend.collects(&ready).await;
        keyvend.world.clock.advance(Duration::from_secs(1));
        let press = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &ready, "Get my key")).await;
        let (a, b) = if swapped { (turns, 0) } else { (0, turns) };
        let claim = old.claim(None);
        let (_, claimed) = Box::pin(futures_util::future::join(
            later(a, Box::pin(keyvend.work(press))),
            later(b, Box::pin(keyvend.posts("/reveal/claim", &claim))),
        ))
        .await;
        settled(&keyvend).await;
        let about = format!("{turns} {swapped}");
        let (status, body) = keyvend.posts("/reveal/claim", &claim).await;
        match claimed.0 {
            202 => {
                assert_eq!(status, 200, "{about}: {body}");
                old.unseal(&body);
            }
            410 => {
                assert_eq!(status, 410, "{about}");
                assert_eq!(keyvend.creates(), 0, "{about}");
                let new = keyvend.opens();
                assert_ne!(new.tid(), old.tid(), "{about}");
                keyvend.reveals(&new).await;
            }
            other => panic!("{about}: {other}"),
        }
        assert_eq!(keyvend.creates(), 1, "{about}");
    }
}

// T2.23
#[tokio::test]
async fn freeze_racing_issue_leaves_key_or_none() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.claims(&tab).await;
        let claim = keyvend.receives(CLAIMS);
        let freeze = keyvend.pressed(keyvend.world.slash_command(BOB_APPROVER, "freeze")).await;
        both(&keyvend, claim, freeze, turns, swapped).await;
        settled(&keyvend).await;
        let events = events(&keyvend).await;
        let about = format!("{turns} {swapped}: {events:?}");
        match keyvend.stands().await.as_str() {
            "ISSUED" => assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 200, "{about}"),
            "APPROVED" => assert_eq!(keyvend.key_ids().len(), 0, "{about}"),
            other => panic!("{other} {about}"),
        }
        assert!(keyvend.lease().await.is_null());
        keyvend.is_sound(&about).await;
    }
}

#[tokio::test]
async fn deactivation_racing_confirmation_leaves_key_inactive() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        let key = keyvend.reveals(&tab).await;
        let told = keyvend.direct(ALICE_OWNER);
        assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
        let ack = keyvend.receives(CLAIMS);
        let off = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &told, "This wasn't me")).await;
        both(&keyvend, ack, off, turns, swapped).await;
        settled(&keyvend).await;
        let about = format!("{turns} {swapped}");
        assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status, "Inactive", "{about}");
        let state = text(&keyvend.item(&format!("key#{}", key.id)).await["state"]["S"]);
        assert_eq!(state, "INACTIVE", "{about}");
        assert_eq!(count(&events(&keyvend).await, "key.deactivated"), 1, "{about}");
    }
}

/// A key that alice deactivated, half a minute ago; her card and what she was offered.
async fn deactivated(keyvend: &Deployed) -> (String, Message, Message) {
    let (_, key) = keyvend.confirmed().await;
    Box::pin(keyvend.minute(61)).await;
    let card = keyvend.card();
    keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.world.clock.advance(Duration::from_secs(31));
    (key.id, card, keyvend.offer("Undo").unwrap())
}

/// What IAM and the record say of ci-deployer's key.
async fn stands(keyvend: &Deployed, key: &str) -> (String, String) {
    let item = keyvend.item(&format!("key#{key}")).await;
    (aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status.clone(), text(&item["state"]["S"]))
}

#[tokio::test]
async fn undo_racing_repeated_deactivation_leaves_key_active() {
    // Half a minute after a deactivation IAM is told once more.
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let (key, _, offer) = deactivated(&keyvend).await;
        keyvend.world.net.sqs().sweep();
        let sweep = keyvend.receives(SWEEP);
        keyvend.work(sweep).await;
        let again = keyvend.receives(DUE);
        let undo = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &offer, "Undo")).await;
        both(&keyvend, again, undo, turns, swapped).await;
        settled(&keyvend).await;
        assert_eq!(stands(&keyvend, &key).await, ("Active".into(), "CONFIRMED".into()), "{turns} {swapped}");
    }
}

#[tokio::test]
async fn undo_racing_report_leaves_key_inactive() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let (key, card, offer) = deactivated(&keyvend).await;
        let report = keyvend.pressed(keyvend.world.press(BOB_APPROVER, &card, "Report and deactivate")).await;
        let undo = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &offer, "Undo")).await;
        both(&keyvend, report, undo, turns, swapped).await;
        settled(&keyvend).await;
        assert_eq!(stands(&keyvend, &key).await, ("Inactive".into(), "INACTIVE".into()), "{turns} {swapped}");
        assert!(keyvend.lease().await.is_null(), "{turns} {swapped}");
    }
}

#[tokio::test]
async fn simultaneous_presses_of_undo_count_once() {
    for (turns, swapped) in ways() {
        let keyvend = Deployed::new().await;
        let (key, _, offer) = deactivated(&keyvend).await;
        let first = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &offer, "Undo")).await;
        keyvend.world.clock.advance(Duration::from_secs(1));
        let second = keyvend.world.press(ALICE_OWNER, &offer, "Undo");
        assert_eq!(keyvend.arrive(second).await["statusCode"], 200);
        let second = keyvend.world.net.sqs().messages(SLACK).pop().unwrap().body;
        both(&keyvend, first, record(SLACK, &second, 1), turns, swapped).await;
        settled(&keyvend).await;
        let about = format!("{turns} {swapped}");
        assert_eq!(stands(&keyvend, &key).await, ("Active".into(), "CONFIRMED".into()), "{about}");
        assert_eq!(count(&events(&keyvend).await, "key.deactivation_undone"), 1, "{about}");
    }
}

#[tokio::test]
async fn ticket_messages_may_arrive_in_any_order() {
    let message = |tab: &Tab, event: &str| {
        testkit::steps::record(
            CLAIMS,
            &json!({"tid": tab.tid(), "event": event, "attempt": 1}).to_string(),
            1,
        )
    };
    for order in [["confirmed", "misused", "claimed"], ["misused", "claimed", "confirmed"]] {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.claims(&tab).await;
        for event in order {
            keyvend.work(message(&tab, event)).await;
        }
        let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
        assert_eq!(status, 200, "{order:?}: {body}");
        let key = tab.unseal(&body);
        keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
        for event in order {
            keyvend.work(message(&tab, event)).await;
        }
        settled(&keyvend).await;
        keyvend.has_the_key(&key, &format!("{order:?}")).await;
        assert_eq!(keyvend.creates(), 1, "{order:?}");
    }
}

// T1.6
#[tokio::test]
async fn redriven_dead_letter_starts_nothing_three_days_later() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let card = keyvend.card();
    keyvend.world.net.before(|call| match call.service.as_str() {
        "dynamodb" => testkit::net::Interfere::refused_json("InternalServerError"),
        _ => testkit::net::Interfere::Pass,
    });
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, testkit::steps::ASK)).await;
    keyvend.arrive(keyvend.world.press(BOB_APPROVER, &card, "Details")).await;
    Box::pin(keyvend.outlives()).await;
    keyvend.world.net.undisturbed();
    keyvend.claims(&tab).await;
    keyvend.world.net.before(|call| match call.service.as_str() {
        "sts" | "iam" => testkit::net::Interfere::refused_xml(500, "ServiceFailure"),
        _ => testkit::net::Interfere::Pass,
    });
    Box::pin(keyvend.outlives()).await;
    keyvend.world.net.undisturbed();
    let dead: usize = [SLACK, CLAIMS].iter().map(|queue| keyvend.world.net.sqs().dead(queue).len()).sum();
    assert!(dead >= 2, "{dead} dead letters");
    let requests = keyvend.requests().await.len();
    Box::pin(keyvend.dead_letters_return()).await;
    assert_eq!(keyvend.requests().await.len(), requests, "a command three days old asks for nothing");
    assert_eq!(keyvend.creates(), 0);
    Box::pin(keyvend.time_passes()).await;
    keyvend.has_ended("after the dead letters").await;
}

/// An event that arrived at `slack`, as the worker receives it: although another of its group is under way, as where that
/// one's visibility has ended.
async fn received(event: Value, keyvend: &Deployed) -> Value {
    keyvend.world.clock.advance(Duration::from_secs(1));
    assert_eq!(keyvend.arrive(event).await["statusCode"], 200);
    let message = keyvend.world.net.sqs().messages(SLACK).pop().unwrap();
    testkit::steps::record(SLACK, &message.body, 1)
}

/// Cards that were posted, beside whatever else was said there.
fn cards(keyvend: &Deployed) -> usize {
    let said = keyvend.world.net.slack().messages(APPROVALS);
    said.iter().filter(|message| message.reading().contains(" requests ")).count()
}
