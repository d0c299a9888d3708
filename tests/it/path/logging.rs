//! What operators are woken for: work that was given up, with the ids to find it by, and nothing that is still retried.

use serde_json::Value;
use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::BOB_APPROVER;
use testkit::sqs;
use testkit::steps::text;

use super::stale_messages::fails_to_the_end;
use crate::scrape::log::Log;

/// The lines of this level, parsed.
fn lines(log: &Log, level: &str) -> Vec<Value> {
    let parsed = log.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    parsed.filter(|line| line["level"] == level && text(&line["target"]).starts_with("keyvend")).collect()
}

#[tokio::test]
async fn retried_failure_is_a_warning() {
    let keyvend = Deployed::new().await;
    keyvend.asked().await;
    let log = Log::keep();
    keyvend.world.net.slack().rate_limit_next("users.info", 27);
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let [warning] = lines(&log, "WARN").try_into().unwrap();
    assert_eq!(warning["fields"]["message"], "message handling failed, will retry");
    assert_eq!(warning["fields"]["receive_count"], 1);
    assert_eq!(warning["span"]["queue"], "slack");
    assert_eq!(warning["span"]["request_id"], keyvend.request().await["id"]);
    keyvend.deliver_everything().await;
    assert_eq!(lines(&log, "ERROR"), Vec::<Value>::new());
    assert_eq!(keyvend.stands().await, "APPROVED");
}

#[tokio::test]
async fn given_up_message_logs_one_error() {
    // The error has the ids of the message.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let log = Log::keep();
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "users.info" => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    fails_to_the_end(&keyvend, sqs::CLAIMS).await;
    let [error] = lines(&log, "ERROR").try_into().unwrap();
    assert_eq!(error["fields"]["message"], "message handling failed, giving up");
    assert_eq!(error["fields"]["receive_count"], 6);
    let span = &error["span"];
    assert_eq!((text(&span["queue"]).as_str(), text(&span["ticket_id"])), ("claims", tab.tid()));
    assert_eq!(span["request_id"], keyvend.request().await["id"]);
    assert!(!text(&span["message_id"]).is_empty(), "{span}");
}
