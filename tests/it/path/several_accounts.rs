//! The form where the same is requested in several accounts: a request for each, and one answer.

use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, View};
use testkit::steps::{ASK, text};

/// What the form says: in the first account, and in the other one too.
const BOTH: [(&str, &str); 5] = [
    ("other", "ci-deployer"),
    ("accounts", "sandbox"),
    ("use-case", "cli"),
    ("lifetime", "30d"),
    ("reason", "releases"),
];

async fn opens(keyvend: &Deployed) -> View {
    keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "").await;
    keyvend.view(ALICE_OWNER)
}

/// Where the requests stand, by account.
async fn standings(keyvend: &Deployed) -> Vec<(String, String)> {
    let requests = keyvend.requests().await;
    let of = |request: &serde_json::Value| {
        (text(&request["details"]["account"]["alias"]), text(&request["stands"]))
    };
    let mut all: Vec<_> = requests.iter().map(of).collect();
    all.sort();
    all
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(account, state)| ((*account).to_owned(), (*state).to_owned())).collect()
}

#[tokio::test]
async fn form_requests_the_same_in_several_accounts() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend).await;
    assert_eq!(form.choices("accounts"), ["home", "sandbox"]);
    keyvend.submits(&form, &BOTH).await;
    assert_eq!(standings(&keyvend).await, pairs(&[("home", "PENDING"), ("sandbox", "PENDING")]));
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("You submitted 2 requests."), "{shown}");
    for account in ["home", "sandbox"] {
        let line = format!("The request for `ci-deployer` in `{account}` is pending approval");
        assert!(shown.contains(&line), "{shown}");
        let sent = format!("Request sent: a key for `ci-deployer` in `{account}`.");
        assert_eq!(keyvend.times_told(ALICE_OWNER, &sent), 1);
    }
    // Each has a card of its own, and what is decided on one is decided of that one.
    assert_eq!(keyvend.cards().len(), 2);
    keyvend.presses(BOB_APPROVER, &keyvend.cards()[0], "Approve").await;
    let mut states: Vec<String> = standings(&keyvend).await.into_iter().map(|(_, state)| state).collect();
    states.sort();
    assert_eq!(states, ["APPROVED", "PENDING"]);
}

#[tokio::test]
async fn each_account_is_decided_on_its_own() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend).await;
    keyvend.submits(&form, &[&[("other", "admin-bot")], &BOTH[1..]].concat()).await;
    assert_eq!(standings(&keyvend).await, pairs(&[("home", "PENDING"), ("sandbox", "POLICY_DENIED")]));
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("The request for `admin-bot` in `sandbox` was refused:"), "{shown}");
}

#[tokio::test]
async fn account_that_is_chosen_twice_is_one_request() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend).await;
    let twice = [&[("other", "ci-deployer@home"), ("accounts", "home")], &BOTH[2..]].concat();
    keyvend.submits(&form, &twice).await;
    assert_eq!(standings(&keyvend).await, pairs(&[("home", "PENDING")]));
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Request sent: a key for `ci-deployer`"));
}

/// The same form again finds the first requests, as the same line does.
#[tokio::test]
async fn same_form_again_makes_no_second_requests() {
    let keyvend = Deployed::new().await;
    for _ in 0..2 {
        let form = opens(&keyvend).await;
        keyvend.submits(&form, &BOTH).await;
    }
    assert_eq!(standings(&keyvend).await, pairs(&[("home", "PENDING"), ("sandbox", "PENDING")]));
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("`ci-deployer` in `sandbox`: see your direct messages with keyvend."), "{shown}");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "You requested this before"), 2);
}

/// Of ten that may be open, nine are: the second of two is refused.
#[tokio::test]
async fn limit_of_open_requests_holds_in_every_account() {
    let keyvend = Deployed::new().await;
    for n in 0..9 {
        keyvend.world.clock.advance(std::time::Duration::from_secs(60));
        keyvend.types(ALICE_OWNER, &format!("{ASK} {n}")).await;
    }
    keyvend.world.clock.advance(std::time::Duration::from_secs(60));
    let form = opens(&keyvend).await;
    keyvend.submits(&form, &BOTH).await;
    let standings = standings(&keyvend).await;
    assert_eq!(standings.last(), pairs(&[("sandbox", "POLICY_DENIED")]).last());
    assert_eq!(standings.iter().filter(|(_, state)| state == "PENDING").count(), 10);
}

/// Every one of them counts as a message; what is over the limit of the minute is said not to be submitted.
#[tokio::test]
async fn every_request_counts_in_the_minute() {
    let keyvend = Deployed::new().await;
    // A minute of the clock begins.
    let into = u64::try_from(keyvend.world.clock.now().0 % 60).unwrap();
    keyvend.world.clock.advance(std::time::Duration::from_secs(60 - into));
    let form = opens(&keyvend).await;
    for _ in 0..18 {
        keyvend.world.clock.advance(std::time::Duration::from_secs(1));
        keyvend.types(ALICE_OWNER, "whoami").await;
    }
    keyvend.submits(&form, &BOTH).await;
    assert_eq!(standings(&keyvend).await, pairs(&[("home", "PENDING")]));
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("`ci-deployer` in `sandbox`: not submitted"), "{shown}");
}
