//! The Home tab and the global shortcut: other ways to the request form.

use std::time::Duration;

use serde_json::Value;

use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, GUS_GUEST, MALLORY_OUTSIDER};

fn home(keyvend: &Deployed, person: &str) -> String {
    keyvend.world.net.slack().home(person).map(|view: Value| view.to_string()).unwrap_or_default()
}

async fn opens(keyvend: &Deployed, person: &str, tab: &str) {
    keyvend.world.clock.advance(Duration::from_secs(1));
    let answer = keyvend.arrive(keyvend.world.opens_tab(person, tab)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    keyvend.deliver().await;
}

#[tokio::test]
async fn home_shows_own_requests_and_users() {
    let keyvend = Deployed::new().await;
    opens(&keyvend, ALICE_OWNER, "messages").await;
    assert_eq!(home(&keyvend, ALICE_OWNER), "", "another tab is Slack's own");
    opens(&keyvend, ALICE_OWNER, "home").await;
    let first = home(&keyvend, ALICE_OWNER);
    assert!(first.contains("You have no requests") && first.contains("Request an access key"), "{first}");
    keyvend.deliver_everything().await;
    keyvend.asked().await;
    opens(&keyvend, ALICE_OWNER, "home").await;
    let later = home(&keyvend, ALICE_OWNER);
    assert!(later.contains("is pending approval: 0 of 1"), "{later}");
    assert!(later.contains("`ci-deployer` in `sandbox`"), "{later}");
    opens(&keyvend, MALLORY_OUTSIDER, "home").await;
    let foreign = home(&keyvend, MALLORY_OUTSIDER);
    assert!(!foreign.contains("ci-deployer") && !foreign.contains("report-bot"), "{foreign}");
    opens(&keyvend, GUS_GUEST, "home").await;
    let guest = home(&keyvend, GUS_GUEST);
    assert!(!guest.contains("Request an access key") && guest.contains("uests"), "{guest}");
}

#[tokio::test]
async fn home_and_shortcut_open_the_form() {
    let keyvend = Deployed::new().await;
    opens(&keyvend, ALICE_OWNER, "home").await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    assert_eq!(keyvend.arrive(keyvend.world.press_in_home(ALICE_OWNER)).await["statusCode"], 200);
    keyvend.deliver().await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Request an access key"));
    for (callback, opened) in [("request-key", 2), ("another", 2)] {
        keyvend.world.clock.advance(Duration::from_secs(1));
        let answer = keyvend.arrive(keyvend.world.shortcut(ALICE_OWNER, callback)).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        keyvend.deliver().await;
        assert_eq!(keyvend.world.net.slack().views().len(), opened, "{callback}");
    }
    // Too late for a form: there is no channel to answer in, so it is offered in a direct message.
    keyvend.arrive(keyvend.world.shortcut(ALICE_OWNER, "request-key")).await;
    keyvend.world.clock.advance(Duration::from_secs(10));
    keyvend.deliver().await;
    let offer = keyvend.world.net.slack().last_told(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &offer, "Open the form").await;
    assert_eq!(keyvend.world.net.slack().views().len(), 3);
}
