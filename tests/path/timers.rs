//! What happens when nobody does anything: one reminder, and the end of a request's time.

use std::time::Duration;

use super::world::deployed::Deployed;
use super::world::rights::Function;
use super::world::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER};

const HOUR: Duration = Duration::from_secs(3_600);

/// The per-minute rule fires once, after `time`.
async fn after(keyvend: &Deployed, time: Duration) {
    keyvend.world.clock.advance(time);
    keyvend.world.net.sqs().sweep();
    keyvend.deliver().await;
}

#[tokio::test]
async fn the_approvers_are_reminded_once_after_a_quarter_of_the_time_and_the_request_lapses_at_its_end() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    let slack = keyvend.world.net.slack();
    let said = || {
        let all = slack.messages(APPROVALS).into_iter();
        // Beside what is said once a day.
        let daily = ["on record", "Audit checkpoint"];
        all.filter(|message| !daily.iter().any(|part| message.reading().contains(part))).collect::<Vec<_>>()
    };
    after(&keyvend, 5 * HOUR).await;
    assert_eq!(said().len(), 1, "only the card");
    after(&keyvend, 2 * HOUR).await;
    let reminder = said().pop().unwrap();
    assert!(reminder.reading().contains("still waits for 1 approval"), "{}", reminder.reading());
    assert_eq!(reminder.thread_ts, Some(said()[0].ts.clone()), "in the card's thread");
    after(&keyvend, 10 * HOUR).await;
    assert_eq!(said().len(), 2, "one reminder");
    after(&keyvend, 7 * HOUR).await;
    let card = &said()[0];
    assert!(card.reading().contains("lapsed"), "{}", card.reading());
    assert!(card.buttons().iter().all(|button| button.text == "Details"), "nothing to decide any more");
    assert!(keyvend.told(ALICE_OWNER).contains("lapsed"), "{}", keyvend.told(ALICE_OWNER));
    let told = slack.told(ALICE_OWNER).len();
    after(&keyvend, HOUR).await;
    assert_eq!(slack.told(ALICE_OWNER).len(), told, "told once");
}

#[tokio::test]
async fn an_approved_request_lapses_after_72_hours() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let card = || keyvend.world.net.slack().messages(APPROVALS)[0].reading();
    after(&keyvend, 71 * HOUR).await;
    assert!(!card().contains("lapsed"));
    after(&keyvend, 2 * HOUR).await;
    assert!(card().contains("lapsed"), "{}", card());
}

#[tokio::test]
async fn five_minutes_give_five_sweeps_and_a_sweep_costs_the_same_however_much_is_stored() {
    let keyvend = Deployed::new().await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        keyvend.world.net.forget();
        after(&keyvend, Duration::from_secs(60)).await;
        let queries = keyvend.world.net.calls_to("dynamodb", "Query");
        calls.push(queries.len());
        assert!(queries.iter().all(|call| call.access_key == Function::Worker.access_key()));
        assert_eq!(keyvend.world.net.calls_to("dynamodb", "Scan").len(), 0);
        keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    }
    assert_eq!(calls, [16; 5], "one query a shard and table");
}
