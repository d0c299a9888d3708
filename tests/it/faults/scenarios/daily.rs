//! What is done because its time has come: once a day, and at a key's end.

use std::time::Duration;

use keyvend::domain::checkpoint;
use keyvend::store::document::CHECKPOINT_PK;
use serde_json::{Value, json};

use super::{DAY, HOUR, Scenario, foreign, passes, said, scenarios, status, told};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::steps::text;

const QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InTime {
    /// Who owns what is read afresh, and what does not fit is reported.
    Compare,
    /// AWS quarantined a key's IAM user.
    Quarantine,
    Checkpoint,
    /// Its requester hears of a key's end.
    Remind,
    /// The same, after Slack took no message for two hours.
    RemindLate,
    /// A key in use is not deactivated out of hours.
    Postponement,
    /// Its time is over, and it is deleted.
    Delete,
    /// Nobody took back that it was deactivated.
    UndoOver,
    /// The same of a key that keyvend did not issue.
    UnmanagedUndoOver,
}

impl Scenario for InTime {
    /// The key that it is about.
    type About = String;

    async fn begin(self, keyvend: &Deployed) -> String {
        let mut key = keyvend.confirmed().await.1.id;
        Box::pin(keyvend.minute(61)).await;
        let later = |seconds| keyvend.world.clock.advance(Duration::from_secs(seconds));
        match self {
            Self::Compare => {
                key = foreign(keyvend).await;
                later(25 * HOUR);
            }
            Self::Quarantine => {
                let attach = aws::iam(&keyvend.world.net, HOME).attach_user_policy().user_name("ci-deployer");
                attach.policy_arn(QUARANTINE).send().await.unwrap();
                later(25 * HOUR);
            }
            Self::Checkpoint => {
                keyvend.types(BOB_APPROVER, "freeze").await;
                later(9 * HOUR);
            }
            Self::Remind => {
                // The daily jobs have run, and the reminder is due in the office hours before its time.
                later(22 * DAY);
                Box::pin(keyvend.minute(60)).await;
                later(23 * HOUR);
            }
            Self::RemindLate => {
                later(23 * DAY);
                let until = keyvend.world.clock.now() + Duration::from_secs(2 * HOUR);
                keyvend.world.net.slack().limit_until("chat.postMessage", None, until, 7_200);
                Box::pin(keyvend.minute(60)).await;
                later(3 * HOUR);
            }
            Self::Postponement => {
                // Its requester has been reminded.
                later(29 * DAY);
                Box::pin(keyvend.minute(60)).await;
                keyvend.world.net.iam().use_key(&key, "s3", "eu-west-1");
                passes(keyvend, DAY).await;
            }
            Self::Delete => {
                keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
                passes(keyvend, 7 * DAY).await;
            }
            Self::UndoOver | Self::UnmanagedUndoOver => {
                if self == Self::UnmanagedUndoOver {
                    key = foreign(keyvend).await;
                }
                keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
                later(HOUR / 4);
            }
        }
        key
    }

    async fn attempt(self, keyvend: &Deployed, _: &String) {
        Box::pin(keyvend.minute(60)).await;
    }

    async fn is_done(self, keyvend: &Deployed, key: &String) -> bool {
        match self {
            Self::Compare => {
                let item = keyvend.item("ownership-refresh").await;
                let at = |name: &str| text(&item[name]["N"]).parse::<u64>().unwrap();
                at("begun").abs_diff(at("completed")) < HOUR && said(keyvend, key)
            }
            Self::Quarantine => said(keyvend, "AWS has quarantined"),
            Self::Checkpoint => {
                // The hash that everybody there can keep is that of the chain's end, and the trail has the whole chain.
                let chain = keyvend.trail_of(checkpoint::chain_id().as_str()).await;
                let Some(last) = chain.last().filter(|last| last.event == "audit.checkpoint_closed") else {
                    return false;
                };
                let named = |id: &str| chain.iter().filter(|entry| entry.detail.contains_key(id)).count();
                let request = text(&keyvend.request().await["id"]);
                assert_eq!(named(&request), 1, "named once");
                let item = keyvend.item(CHECKPOINT_PK).await;
                let stored: Value = serde_json::from_str(item["document"]["S"].as_str().unwrap()).unwrap();
                stored["chain"]["outbox"] == json!([])
                    && said(keyvend, &format!("{}:{}", last.seq, last.hash))
            }
            Self::Remind => told(keyvend, "and is then deactivated"),
            Self::RemindLate => {
                let backlog = keyvend.item(&format!("backlog#notify.T0001.{ALICE_OWNER}.post")).await;
                assert!(!backlog.is_null(), "it waited");
                told(keyvend, "and is then deactivated") && backlog["document"]["S"] == "[]"
            }
            Self::Postponement => said(keyvend, "is not deactivated yet") && status(keyvend, key) == "Active",
            Self::Delete => status(keyvend, key).is_empty() && told(keyvend, "is deleted"),
            Self::UndoOver | Self::UnmanagedUndoOver => {
                keyvend.offer("Undo").is_none() && told(keyvend, "*Closed.* It is too late to undo")
            }
        }
    }
}

scenarios! {
    daily_reconciliation: InTime::Compare;
    a_quarantine: InTime::Quarantine;
    the_daily_checkpoint: InTime::Checkpoint;
    key_expiry_reminder: InTime::Remind;
    reminder_held_up_by_slack: InTime::RemindLate;
    used_key_at_expiry: InTime::Postponement;
    unused_key_at_expiry: InTime::Delete;
    end_of_undo: InTime::UndoOver;
    end_of_undo_of_unmanaged_key: InTime::UnmanagedUndoOver;
}
