//! What people do about keys that there are.

use super::{DAY, Scenario, both, foreign, passes, said, scenarios, status};
use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};

const OURS: &str = "Delete (created by keyvend)";
const NOT_OURS: &str = "Keep (created by someone else)";
const RETIRE: &str = "Deactivate the old key";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AboutKey {
    List,
    /// Its requester is deactivated in Slack.
    Leave,
    /// And then an approver switches it off.
    OffWhenLeft,
    Report,
    Deactivate,
    Delete,
    Activate,
    Rotate,
    /// Switching off a key that another took the place of.
    Retire,
    Extend,
    Undo,
    Received,
    Replace,
    DeactivateForeign,
    DeleteForeign,
    /// Taking back what was deactivated a moment ago.
    UndoDeactivation,
    UndoForeign,
    /// Of a key that may have come of a creation without an answer.
    Ours,
    NotOurs,
}

impl AboutKey {
    /// Whether a request for it waits for an approval first.
    fn is_approved(self) -> bool {
        matches!(self, Self::Activate | Self::Extend | Self::Undo | Self::Received)
    }
}

impl Scenario for AboutKey {
    type About = String;

    async fn begin(self, keyvend: &Deployed) -> String {
        let key = match self {
            Self::DeactivateForeign | Self::DeleteForeign | Self::UndoForeign => foreign(keyvend).await,
            Self::Received | Self::Replace => {
                let tab = keyvend.linked().await;
                keyvend.reveals(&tab).await.id
            }
            Self::Ours | Self::NotOurs => {
                let tab = keyvend.linked().await;
                keyvend.world.net.once("iam", "CreateAccessKey", Interfere::LoseReply);
                keyvend.claims(&tab).await;
                keyvend.deliver().await;
                keyvend.key_ids().remove(0)
            }
            _ => keyvend.confirmed().await.1.id,
        };
        Box::pin(keyvend.minute(61)).await;
        match self {
            Self::Received | Self::Replace => Box::pin(keyvend.minute(600)).await,
            Self::Ours | Self::NotOurs => {
                for _ in 0..5 {
                    Box::pin(keyvend.minute(400)).await;
                }
                assert_eq!(keyvend.stands().await, "APPROVED");
            }
            Self::Delete
            | Self::Activate
            | Self::DeleteForeign
            | Self::UndoDeactivation
            | Self::UndoForeign => {
                keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
            }
            Self::Leave | Self::OffWhenLeft => {
                keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
                if self == Self::OffWhenLeft {
                    keyvend.arrive(keyvend.world.user_change(ALICE_OWNER)).await;
                    keyvend.deliver().await;
                }
            }
            Self::Retire => {
                keyvend.types(ALICE_OWNER, &format!("rotate {key}")).await;
                keyvend.press(BOB_APPROVER, &keyvend.card_with("Approve").unwrap(), "Approve").await;
                assert!(Box::pin(keyvend.persists()).await.is_some());
                for _ in 0..2 {
                    Box::pin(keyvend.minute(DAY)).await;
                }
            }
            Self::Extend => passes(keyvend, 5 * DAY).await,
            Self::Undo => {
                passes(keyvend, 30 * DAY).await;
                for _ in 0..3 {
                    Box::pin(keyvend.minute(60)).await;
                }
            }
            _ => {}
        }
        key
    }

    async fn attempt(self, keyvend: &Deployed, key: &String) {
        let typed = async |line: String| {
            keyvend.gets_through(|| keyvend.world.slash_command(ALICE_OWNER, &line)).await
        };
        // What must be approved is asked for once; then bob approves it.
        let first = if let (true, Some(card)) = (self.is_approved(), keyvend.card_with("Approve")) {
            keyvend.press(BOB_APPROVER, &card, "Approve").await;
            return;
        } else {
            self.is_approved() && keyvend.requests().await.len() < 2
        };
        let pressed = async |label: &str| match keyvend.offer(label) {
            Some(offer) => keyvend.press(ALICE_OWNER, &offer, label).await,
            None => Box::pin(keyvend.minute(60)).await,
        };
        let bob_pressed = async |label: &str| match keyvend.card_with(label) {
            Some(card) => keyvend.press(BOB_APPROVER, &card, label).await,
            None => Box::pin(keyvend.minute(60)).await,
        };
        match self {
            Self::List => typed("list ci-deployer".to_owned()).await,
            Self::Leave => keyvend.gets_through(|| keyvend.world.user_change(ALICE_OWNER)).await,
            Self::OffWhenLeft => bob_pressed("Deactivate").await,
            Self::Report => pressed("This wasn't me").await,
            Self::Deactivate | Self::DeactivateForeign => typed(format!("deactivate {key}")).await,
            Self::Delete | Self::DeleteForeign if keyvend.offer("Delete").is_some() => {
                pressed("Delete").await
            }
            Self::Delete | Self::DeleteForeign => typed(format!("delete {key}")).await,
            Self::UndoDeactivation | Self::UndoForeign => pressed("Undo").await,
            Self::Activate if first => typed(format!("activate {key}")).await,
            Self::Rotate => typed(format!("rotate {key}")).await,
            Self::Retire => pressed(RETIRE).await,
            Self::Extend if first => {
                typed("list ci-deployer".to_owned()).await;
                pressed("Extend").await;
            }
            Self::Undo if first => pressed("Request reactivation").await,
            Self::Received if first => pressed("I saved it").await,
            Self::Replace => pressed("Get a new key").await,
            Self::Ours => bob_pressed(OURS).await,
            Self::NotOurs => bob_pressed(NOT_OURS).await,
            Self::Activate | Self::Extend | Self::Undo | Self::Received => {
                Box::pin(keyvend.minute(60)).await;
            }
        }
    }

    async fn is_done(self, keyvend: &Deployed, key: &String) -> bool {
        match self {
            Self::List => keyvend.offer("Rotate").is_some(),
            Self::Leave => said(keyvend, "has left"),
            Self::Report | Self::Deactivate | Self::OffWhenLeft | Self::Retire => {
                both(keyvend, key).await == ("Inactive".into(), "INACTIVE".into())
            }
            Self::Delete | Self::Ours => both(keyvend, key).await == (String::new(), "DELETED".into()),
            Self::NotOurs => both(keyvend, key).await == ("Inactive".into(), "NOT_OURS".into()),
            Self::Activate | Self::Undo | Self::Received => {
                both(keyvend, key).await == ("Active".into(), "ACTIVE".into())
            }
            // Who hears nothing asks twice, and has asked twice then.
            Self::Extend => keyvend.requests().await.iter().any(|request| request["stands"] == "COMPLETED"),
            Self::Rotate => keyvend.requests().await.len() >= 2,
            Self::Replace => keyvend.requests().await.len() >= 2 && status(keyvend, key).is_empty(),
            Self::UndoDeactivation => both(keyvend, key).await == ("Active".into(), "CONFIRMED".into()),
            Self::UndoForeign => status(keyvend, key) == "Active",
            Self::DeactivateForeign => status(keyvend, key) == "Inactive",
            Self::DeleteForeign => status(keyvend, key).is_empty(),
        }
    }
}

scenarios! {
    listing_keys: AboutKey::List;
    slack_user_deactivation: AboutKey::Leave;
    deactivating_key_of_departed_user: AboutKey::OffWhenLeft;
    reporting_a_key: AboutKey::Report;
    deactivating_a_key: AboutKey::Deactivate;
    deleting_a_key: AboutKey::Delete;
    reactivating_a_key: AboutKey::Activate;
    rotating_a_key: AboutKey::Rotate;
    retiring_the_old_key: AboutKey::Retire;
    extending_a_key: AboutKey::Extend;
    undoing_an_expiry: AboutKey::Undo;
    confirming_receipt_of_a_key: AboutKey::Received;
    replacing_an_unreceived_key: AboutKey::Replace;
    deactivating_an_unmanaged_key: AboutKey::DeactivateForeign;
    deleting_an_unmanaged_key: AboutKey::DeleteForeign;
    undoing_a_deactivation: AboutKey::UndoDeactivation;
    undoing_deactivation_of_unmanaged_key: AboutKey::UndoForeign;
    confirming_that_suspect_is_ours: AboutKey::Ours;
    declining_a_suspect_key: AboutKey::NotOurs;
}
