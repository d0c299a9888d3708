//! Ids that are known or chosen say nothing of a request, an interaction or a key.

use std::time::Duration;

use serde_json::json;

use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, MALLORY_OUTSIDER};
use testkit::steps::text;

use crate::path::compromised_slack::{EVERYBODY, Thief, guesses};

// T7.3
#[tokio::test]
async fn reused_request_id_reveals_nothing_of_request() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    let thief = Thief::of(&keyvend).await;
    let (id, before) = (text(&keyvend.request().await["id"]), keyvend.request().await);
    let create = |reason: &str| {
        json!({"command": {"create": {
            "user": "ci-deployer", "account": null, "use_case": "local-code", "days": 30, "reason": reason,
        }}})
    };
    let asked_at = before["details"]["at"].as_i64().unwrap();
    for (person, at, reason) in [
        (MALLORY_OUTSIDER, asked_at, "laptop tooling"),
        (BOB_APPROVER, asked_at, "laptop tooling"),
        (ALICE_OWNER, asked_at, "another reason"),
        (ALICE_OWNER, asked_at + 1, "laptop tooling"),
    ] {
        thief.queues(person, Some(&id), at, create(reason)).await;
    }
    assert!(thief.told().is_empty(), "{:?}", thief.told());
    assert_eq!(keyvend.request().await, before);

    // Whoever knows all of it gets what alice was answered, and can approve nothing with it.
    thief.queues(ALICE_OWNER, Some(&id), asked_at, create("laptop tooling")).await;
    let learnt = thief.learnt();
    assert_eq!(learnt.len(), 1);
    for value in &learnt {
        for person in EVERYBODY {
            thief.tries_to_decide(person, value, &card).await;
        }
    }
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
}

/// Alice asks for more of her key; a message with that request's id about anything else, or of anybody else, learns
/// nothing and makes nothing.
// T7.3
#[tokio::test]
async fn key_request_id_answers_its_requester_only() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, &format!("rotate {}", key.id)).await;
    let before = keyvend.requests().await;
    let own = before.iter().find(|request| !request["details"]["kind"]["Rotate"].is_null()).unwrap();
    let (id, asked_at) = (text(&own["id"]), own["details"]["at"].as_i64().unwrap());
    let thief = Thief::of(&keyvend).await;
    let typed = |verb: &str, key: &str| json!({"command": {verb: key}});
    let pressed = |action: &str| {
        json!({"interaction": {"block_actions": {
            "action_id": action, "value": key.id, "message": null, "view": null, "ephemeral": false,
        }}})
    };
    for (case, person, at, what) in [
        ("another person", MALLORY_OUTSIDER, asked_at, typed("rotate", &key.id)),
        ("an approver", BOB_APPROVER, asked_at, typed("rotate", &key.id)),
        ("another time", ALICE_OWNER, asked_at + 1, typed("rotate", &key.id)),
        ("another key", ALICE_OWNER, asked_at, typed("rotate", "AKIANOSUCHKEY0000000")),
        ("another command", ALICE_OWNER, asked_at, typed("activate", &key.id)),
        ("a button", MALLORY_OUTSIDER, asked_at, pressed("rotate-key")),
        ("another button", ALICE_OWNER, asked_at, pressed("extend-key")),
    ] {
        thief.queues(person, Some(&id), at, what).await;
        assert!(thief.told().is_empty(), "{case}: {:?}", thief.told());
        assert_eq!(keyvend.requests().await, before, "{case}");
    }
    // Nor does the id of a request for a new key serve about a key that exists.
    let first = before.iter().find(|request| request["details"]["kind"] == "Create").unwrap();
    let at = thief.now();
    thief.queues(MALLORY_OUTSIDER, Some(&text(&first["id"])), at, typed("rotate", &key.id)).await;
    thief.queues(ALICE_OWNER, Some(&text(&first["id"])), at, typed("rotate", &key.id)).await;
    assert!(thief.told().is_empty(), "{:?}", thief.told());
    assert_eq!(keyvend.requests().await, before);

    // Whoever knows all of it gets what alice was answered, as for a new key.
    thief.queues(ALICE_OWNER, Some(&id), asked_at, typed("rotate", &key.id)).await;
    assert_eq!(thief.learnt().len(), 1);
    assert_eq!(keyvend.requests().await, before);
}

/// A press that was counted is known by its id; but whose it was counts, too.
// T7.3
#[tokio::test]
async fn interaction_id_belongs_to_one_person() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    let card = keyvend.card();
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    let press = text(&keyvend.request().await["approvals"][0]["interaction_id"]);
    let thief = Thief::of(&keyvend).await;
    let pressed = json!({"interaction": {"block_actions": {
        "action_id": "approve", "value": card.button("Approve").value, "view": null, "ephemeral": false,
        "message": {"channel": card.channel, "ts": card.ts},
    }}});
    thief.queues(MALLORY_OUTSIDER, Some(&press), thief.now(), pressed).await;
    assert!(thief.told().iter().all(|told| !told.reading().contains("is recorded")), "{:?}", thief.told());
    assert_eq!(keyvend.events().await.pop().unwrap(), "review.rejected", "judged as mallory's own");
    assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
}

/// A press of **This wasn't me** that dies is told which key is still being deactivated; not to somebody who knows the request's
/// id alone.
// T7.3
#[tokio::test]
async fn request_id_does_not_reveal_key_id() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    let (card, id) = (keyvend.card(), text(&keyvend.request().await["id"]));
    // Everything fails as often as it is tried, while the key's mark is not carried out.
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "UpdateAccessKey" | "TransactWriteItems" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.presses(BOB_APPROVER, &card, "Report and deactivate").await;
    keyvend.deliver_everything().await;
    let thief = Thief::of(&keyvend).await;
    for value in guesses(&keyvend).await {
        let forged = json!({"interaction": {"block_actions": {
            "action_id": "not-me", "value": value, "message": null, "view": null, "ephemeral": false,
        }}});
        thief.queues_and_waits(MALLORY_OUTSIDER, forged).await;
    }
    assert!(!thief.told().is_empty());
    for told in thief.told() {
        assert!(!told.reading().contains(&key.id), "{id}: {}", told.reading());
    }
}
