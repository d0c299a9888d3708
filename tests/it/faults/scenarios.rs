//! The matrix of other things that people and time do: each scenario, with every fault at every call, until its person has
//! it; then time passes, and the dead letters are sent back.

mod daily;
mod keys;
mod links;
mod requests;

use std::fmt::Debug;
use std::time::Duration;

use serde_json::Value;

use super::fault::{Fault, Kind, happen};
use super::matrix::{acts, any, does};
use testkit::aws::{self, REQUESTS};
use testkit::deployed::Deployed;
use testkit::net::{Call, HOME};
use testkit::slack::{ALICE_OWNER, APPROVALS};
use testkit::steps::text;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// How often somebody tries before giving up.
const PATIENCE: usize = 12;
/// As `KeyState::is_active` has it.
const ON: [&str; 5] = ["DELIVERED", "CONFIRMED", "UNCONFIRMED", "ACTIVATING", "ACTIVE"];
/// And of one that is off for good, or until somebody asks.
const OFF: [&str; 3] = ["INACTIVE", "SUSPECT", "NOT_OURS"];

/// Something that somebody does, or that is done when its time has come.
trait Scenario: Copy + Debug {
    /// What it is about.
    type About;

    /// All that comes before, undisturbed.
    async fn begin(self, keyvend: &Deployed) -> Self::About;

    /// Whoever wants it does the next thing.
    async fn attempt(self, keyvend: &Deployed, about: &Self::About);

    async fn is_done(self, keyvend: &Deployed, about: &Self::About) -> bool;

    /// What is deployed otherwise.
    fn variables(self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// A key's status in IAM; empty where there is none.
fn status(keyvend: &Deployed, key: &str) -> String {
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer").into_iter();
    keys.filter(|found| found.id == key).map(|found| found.status).collect()
}

/// Where a key stands on record.
async fn stands(keyvend: &Deployed, key: &str) -> String {
    text(&keyvend.item(&format!("key#{key}")).await["state"]["S"])
}

/// Both.
async fn both(keyvend: &Deployed, key: &str) -> (String, String) {
    (status(keyvend, key), stands(keyvend, key).await)
}

/// A key that somebody made in the AWS console; it is on.
async fn foreign(keyvend: &Deployed) -> String {
    let made = aws::iam(&keyvend.world.net, HOME).create_access_key().user_name("ci-deployer").send().await;
    made.unwrap().access_key.unwrap().access_key_id
}

/// Time passes, and shortly before it has, what comes once a day comes: it is no part of the scenario.
async fn passes(keyvend: &Deployed, seconds: u64) {
    keyvend.world.clock.advance(Duration::from_secs(seconds - HOUR));
    Box::pin(keyvend.minute(0)).await;
    keyvend.world.clock.advance(Duration::from_secs(HOUR));
}

/// Whether the approvers were told this.
fn said(keyvend: &Deployed, part: &str) -> bool {
    keyvend.world.net.slack().messages(APPROVALS).iter().any(|message| message.reading().contains(part))
}

/// Whether alice was told this.
fn told(keyvend: &Deployed, part: &str) -> bool {
    keyvend.times_told(ALICE_OWNER, part) > 0
}

/// What a run came to.
struct Ran {
    /// Of every call that counted, whether it did something or was made before the scenario was done: what comes behind it only
    /// looks whether anything is due, and does so behind every scenario alike.
    matters: Vec<bool>,
    happened: usize,
}

/// A scenario that has begun: every run of it is a fork of this.
struct Begun<D: Scenario> {
    scenario: D,
    keyvend: Deployed,
    about: D::About,
}

impl<D: Scenario> Begun<D> {
    async fn new(scenario: D) -> Self {
        let keyvend = Deployed::with(scenario.variables()).await;
        let about = Box::pin(scenario.begin(&keyvend)).await;
        assert!(!scenario.is_done(&keyvend, &about).await, "{scenario:?} is done already");
        Self { scenario, keyvend, about }
    }
}

/// One run with these faults at the calls that count. Its functions are cold, so that what they read at their start counts, too.
async fn run<D: Scenario>(begun: &Begun<D>, faults: &[Fault], counts: fn(&Call) -> bool) -> Ran {
    let Begun { scenario, about, .. } = begun;
    let keyvend = begun.keyvend.fork().await;
    let seen = happen(&keyvend, faults, counts);
    let what = || format!("{scenario:?} with {faults:?}, {:?}", seen.lock().unwrap().calls);
    for _ in 0..PATIENCE {
        Box::pin(scenario.attempt(&keyvend, about)).await;
        if scenario.is_done(&keyvend, about).await {
            break;
        }
        Box::pin(keyvend.minute(30)).await;
    }
    assert!(scenario.is_done(&keyvend, about).await, "{}: it was never done", what());
    let until_done = seen.lock().unwrap().calls.len();
    // What was cut off behind it is finished by its timer.
    for _ in 0..2 {
        Box::pin(keyvend.minute(400)).await;
    }
    is_whole(&keyvend, &what()).await;
    assert!(scenario.is_done(&keyvend, about).await, "{}: it was done and is not any more", what());
    let (requests, keys) = (keyvend.requests().await.len(), keyvend.key_ids());
    Box::pin(keyvend.dead_letters_return()).await;
    is_whole(&keyvend, &what()).await;
    assert_eq!((keyvend.requests().await.len(), keyvend.key_ids()), (requests, keys), "{}", what());
    keyvend.world.net.undisturbed();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.untrue, Vec::<String>::new(), "{scenario:?} with {faults:?}");
    let matters = seen.calls.iter().enumerate().map(|(nth, call)| nth < until_done || does(call)).collect();
    Ran { matters, happened: seen.happened }
}

/// IAM and the records agree, no lease is held by nobody, and all that happened is in the trail and told.
async fn is_whole(keyvend: &Deployed, about: &str) {
    assert!(keyvend.lease().await.is_null(), "{about}: a lease held by nobody");
    let items = aws::items(&keyvend.world.net, REQUESTS).await;
    for (pk, item) in items.iter().filter(|(pk, _)| pk.starts_with("key#")) {
        let (state, iam) = (text(&item["state"]["S"]), status(keyvend, pk.trim_start_matches("key#")));
        let fits = match iam.as_str() {
            "Active" => ON.contains(&state.as_str()),
            "Inactive" => OFF.contains(&state.as_str()),
            _ => state == "DELETED",
        };
        assert!(fits, "{about}: {pk} is {state}, and {iam:?} in IAM");
    }
    for request in keyvend.requests().await {
        let empty = Value::Array(Vec::new());
        assert_eq!(request["chain"]["outbox"], empty, "{about}: not all is in the trail");
        assert_eq!(request["notifications"]["outbox"], empty, "{about}: not all was told");
    }
}

async fn every_fault<D: Scenario>(scenario: D) {
    let begun = Box::pin(Begun::new(scenario)).await;
    for (kind, counts) in [
        (Kind::Fails, any as fn(&Call) -> bool),
        (Kind::Slow, any),
        (Kind::RepliesLost, acts),
        (Kind::KilledBefore, acts),
        (Kind::KilledAfter, acts),
    ] {
        let calls = Box::pin(run(&begun, &[], counts)).await.matters;
        assert!(calls.len() >= 2, "{scenario:?} has {} calls", calls.len());
        for nth in (0..calls.len()).filter(|nth| calls[*nth]) {
            let happened = Box::pin(run(&begun, &[Fault { nth, kind }], counts)).await.happened;
            assert_eq!(happened, 1, "{scenario:?}: {kind:?} at {nth} happened");
        }
    }
}

macro_rules! scenarios {
    ($($name:ident: $scenario:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            super::every_fault($scenario).await;
        }
    )+ };
}
use scenarios;
