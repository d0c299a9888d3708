//! The matrix of other things that people do: each deed, with every fault at every call that does something, until
//! whoever wants it has it; then time passes, and the dead letters are sent back.

use std::time::Duration;

use serde_json::Value;

use super::fault::{Fault, Kind, happen};
use super::matrix::acts;
use super::steps::text;
use super::world::aws::{self, REQUESTS};
use super::world::deployed::Deployed;
use super::world::net::HOME;
use super::world::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER};

const DAY: u64 = 86_400;
/// How often somebody tries before giving up.
const PATIENCE: usize = 12;
/// As src/key.rs has it of a key that is on.
const ON: [&str; 5] = ["DELIVERED", "CONFIRMED", "UNCONFIRMED", "ACTIVATING", "ACTIVE"];

/// Something that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// In the form.
    Ask,
    List,
    /// Its requester is deactivated in Slack.
    Leave,
    Deny,
    Cancel,
    Report,
    Deactivate,
    Delete,
    Activate,
    Rotate,
    Extend,
    Undo,
    Received,
    Replace,
    DeactivateForeign,
    DeleteForeign,
    Freeze,
}

fn status(keyvend: &Deployed, key: &str) -> String {
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer").into_iter();
    keys.filter(|found| found.id == key).map(|found| found.status).collect()
}

async fn stands(keyvend: &Deployed, key: &str) -> String {
    text(&keyvend.item(&format!("key#{key}")).await["state"]["S"])
}

/// A key that somebody made in the AWS console; it is on.
async fn foreign(keyvend: &Deployed) -> String {
    let made = aws::iam(&keyvend.world.net, HOME).create_access_key().user_name("ci-deployer").send().await;
    made.unwrap().access_key.unwrap().access_key_id
}

impl Deed {
    /// All that comes before, undisturbed; the key that it is about, if it is about one.
    async fn begin(self, keyvend: &Deployed) -> String {
        let mut key = String::new();
        match self {
            Self::Freeze | Self::Ask => {}
            Self::Deny => drop(keyvend.asked().await),
            Self::Cancel => drop(keyvend.linked().await),
            Self::DeactivateForeign | Self::DeleteForeign => key = foreign(keyvend).await,
            Self::Received | Self::Replace => {
                let tab = keyvend.linked().await;
                key = keyvend.reveals(&tab).await.id;
            }
            _ => key = keyvend.confirmed().await.1.id,
        }
        Box::pin(keyvend.minute(61)).await;
        match self {
            Self::Received | Self::Replace => Box::pin(keyvend.minute(600)).await,
            Self::Delete | Self::Activate | Self::DeleteForeign => {
                keyvend.types(ALICE_OWNER, &format!("deactivate {key}")).await;
            }
            Self::Leave => keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true),
            Self::Extend => keyvend.world.clock.advance(Duration::from_secs(5 * DAY)),
            Self::Undo => {
                keyvend.world.clock.advance(Duration::from_secs(30 * DAY));
                for _ in 0..3 {
                    Box::pin(keyvend.minute(60)).await;
                }
            }
            _ => {}
        }
        key
    }

    /// Whoever wants it does the next thing.
    async fn attempt(self, keyvend: &Deployed, key: &str) {
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
        match self {
            Self::Ask => {
                typed(String::new()).await;
                let filled =
                    [("other", "ci-deployer"), ("use-case", "cli"), ("lifetime", "30d"), ("reason", "tests")];
                if let Some(form) = keyvend.modal_of(ALICE_OWNER) {
                    keyvend.gets_through(|| keyvend.world.submit(&form, &form.values(&filled))).await;
                }
            }
            Self::List => typed("list ci-deployer".to_owned()).await,
            Self::Leave => keyvend.gets_through(|| keyvend.world.user_change(ALICE_OWNER)).await,
            Self::Deny => keyvend.gets_denied().await,
            Self::Cancel => pressed("Cancel").await,
            Self::Report => pressed("This wasn't me").await,
            Self::Deactivate | Self::DeactivateForeign => typed(format!("deactivate {key}")).await,
            Self::Delete | Self::DeleteForeign => typed(format!("delete {key}")).await,
            Self::Activate if first => typed(format!("activate {key}")).await,
            Self::Rotate => typed(format!("rotate {key}")).await,
            Self::Extend if first => {
                typed("list ci-deployer".to_owned()).await;
                pressed("Extend").await;
            }
            Self::Undo if first => pressed("Undo").await,
            Self::Received if first => pressed("I have it").await,
            Self::Replace => pressed("Replace it").await,
            Self::Freeze => {
                keyvend.gets_through(|| keyvend.world.slash_command(BOB_APPROVER, "freeze")).await
            }
            _ => Box::pin(keyvend.minute(60)).await,
        }
    }

    /// Whether a request for it waits for an approval first.
    fn is_approved(self) -> bool {
        matches!(self, Self::Activate | Self::Extend | Self::Undo | Self::Received)
    }

    async fn is_done(self, keyvend: &Deployed, key: &str) -> bool {
        match self {
            Self::Ask => !keyvend.requests().await.is_empty(),
            Self::List => keyvend.offer("Rotate").is_some(),
            Self::Leave => {
                let said = keyvend.world.net.slack().messages(APPROVALS);
                said.iter().any(|message| message.reading().contains("has left"))
            }
            Self::Deny => keyvend.stands().await == "DENIED",
            Self::Cancel => keyvend.stands().await == "CANCELLED",
            Self::Report | Self::Deactivate => {
                (status(keyvend, key), stands(keyvend, key).await) == ("Inactive".into(), "INACTIVE".into())
            }
            Self::Delete => {
                (status(keyvend, key), stands(keyvend, key).await) == (String::new(), "DELETED".into())
            }
            Self::Activate | Self::Undo | Self::Received => {
                (status(keyvend, key), stands(keyvend, key).await) == ("Active".into(), "ACTIVE".into())
            }
            // Who hears nothing asks twice, and has asked twice then.
            Self::Extend => keyvend.requests().await.iter().any(|request| request["stands"] == "FULFILLED"),
            Self::Rotate => keyvend.requests().await.len() >= 2,
            Self::Replace => keyvend.requests().await.len() >= 2 && status(keyvend, key).is_empty(),
            Self::DeactivateForeign => status(keyvend, key) == "Inactive",
            Self::DeleteForeign => status(keyvend, key).is_empty(),
            Self::Freeze => !keyvend.item("freeze").await.is_null(),
        }
    }

    /// With these faults; the calls that counted, and how many faults happened.
    async fn run(self, faults: &[Fault]) -> (usize, usize) {
        let keyvend = Deployed::new().await;
        let key = self.begin(&keyvend).await;
        assert!(!self.is_done(&keyvend, &key).await, "{self:?} is done already");
        let seen = happen(&keyvend, faults, acts);
        let about = || format!("{self:?} with {faults:?}, {:?}", seen.lock().unwrap().calls);
        for _ in 0..PATIENCE {
            self.attempt(&keyvend, &key).await;
            if self.is_done(&keyvend, &key).await {
                break;
            }
            Box::pin(keyvend.minute(30)).await;
        }
        assert!(self.is_done(&keyvend, &key).await, "{}: it was never done", about());
        // What was cut off behind it is finished by its timer.
        for _ in 0..2 {
            Box::pin(keyvend.minute(400)).await;
        }
        is_whole(&keyvend, &about()).await;
        assert!(self.is_done(&keyvend, &key).await, "{}: it was done and is not any more", about());
        let (requests, keys) = (keyvend.requests().await.len(), keyvend.key_ids());
        Box::pin(keyvend.dead_letters_return()).await;
        is_whole(&keyvend, &about()).await;
        assert_eq!((keyvend.requests().await.len(), keyvend.key_ids()), (requests, keys), "{}", about());
        keyvend.world.net.undisturbed();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.untrue, Vec::<String>::new(), "{self:?} with {faults:?}");
        (seen.calls.len(), seen.happened)
    }
}

/// IAM and the records agree, no lease is held by nobody, and all that happened is in the trail and told.
async fn is_whole(keyvend: &Deployed, about: &str) {
    assert!(keyvend.lease().await.is_null(), "{about}: a lease held by nobody");
    let items = aws::items(&keyvend.world.net, REQUESTS).await;
    for (pk, item) in items.iter().filter(|(pk, _)| pk.starts_with("key#")) {
        let (state, iam) = (text(&item["state"]["S"]), status(keyvend, pk.trim_start_matches("key#")));
        let fits = match iam.as_str() {
            "Active" => ON.contains(&state.as_str()),
            "Inactive" => state == "INACTIVE",
            _ => state == "DELETED",
        };
        assert!(fits, "{about}: {pk} is {state}, and {iam:?} in IAM");
    }
    for request in keyvend.requests().await {
        let empty = Value::Array(Vec::new());
        assert_eq!(request["chain"]["outbox"], empty, "{about}: not all is in the trail");
        assert_eq!(request["tellings"]["outbox"], empty, "{about}: not all was told");
    }
}

async fn every_fault(deed: Deed) {
    let (calls, _) = Box::pin(deed.run(&[])).await;
    assert!(calls >= 2, "{deed:?} has {calls} calls");
    for kind in [Kind::Fails, Kind::RepliesLost, Kind::KilledAfter, Kind::Slow] {
        for nth in 0..calls {
            let happened = Box::pin(deed.run(&[Fault { nth, kind }])).await.1;
            assert_eq!(happened, 1, "{deed:?}: {kind:?} at {nth} happened");
        }
    }
}

macro_rules! deeds {
    ($($name:ident: $deed:ident;)+) => { $(
        #[tokio::test]
        async fn $name() {
            every_fault(Deed::$deed).await;
        }
    )+ };
}

deeds! {
    asking_in_the_form: Ask;
    listing_keys: List;
    somebody_leaving: Leave;
    a_denial: Deny;
    taking_a_request_back: Cancel;
    reporting_a_key: Report;
    switching_a_key_off: Deactivate;
    deleting_a_key: Delete;
    switching_a_key_on: Activate;
    rotating_a_key: Rotate;
    extending_a_key: Extend;
    taking_an_expiry_back: Undo;
    having_received_a_key: Received;
    having_a_key_replaced: Replace;
    switching_another_s_key_off: DeactivateForeign;
    deleting_another_s_key: DeleteForeign;
    freezing: Freeze;
}
