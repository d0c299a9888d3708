//! What an approver can open from a card: the form for a no, and the details.

use std::time::Duration;

use testkit::aws::{self, AUDIT};
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, MALLORY_OUTSIDER};

const NOT_WANTED: &str = "ask again with a role";

async fn asked(keyvend: &Deployed) {
    keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
}

/// Whether the card can still be decided on.
fn waits(keyvend: &Deployed) -> bool {
    keyvend.card().buttons().iter().any(|button| button.text == "Approve")
}

#[tokio::test]
async fn a_no_tells_its_reason_to_the_requester_on_the_card_and_in_the_audit_trail() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    assert!(keyvend.card().button("Deny").value.len() > 20);
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Deny").await;
    assert!(waits(&keyvend), "nothing is decided yet");
    let form = keyvend.view(BOB_APPROVER);
    assert_eq!(form.view["private_metadata"], keyvend.card().button("Deny").value);
    let answer = keyvend.submits(&form, &[("reason", NOT_WANTED)]).await;
    assert_eq!(answer["response_action"], "update");
    assert!(keyvend.view(BOB_APPROVER).reading().contains("You denied this request"));
    for place in [keyvend.told(ALICE_OWNER), keyvend.card().reading()] {
        assert!(place.contains("denied") && place.contains(NOT_WANTED), "{place}");
    }
    let audit = aws::items(&keyvend.world.net, AUDIT).await;
    let entry = audit.values().find(|entry| entry["event"]["S"] == "review.denied").unwrap();
    assert_eq!(entry["detail"]["M"]["reason"]["S"], NOT_WANTED);
    assert_eq!(entry["actor"]["S"], "T0001.U0BOB");
}

#[tokio::test]
async fn a_hostile_reason_calls_nobody_and_a_long_one_is_marked() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Deny").await;
    let form = keyvend.view(BOB_APPROVER);
    for wrong in ["x".repeat(10_000), " \u{202e}\n".to_owned(), "\u{1f511}".repeat(201)] {
        let answer = keyvend.submits(&form, &[("reason", &wrong)]).await;
        assert_eq!(answer["response_action"], "errors");
        assert!(answer["errors"]["reason"].is_string(), "{answer}");
    }
    keyvend.submits(&form, &[("reason", "<!channel> <@U0EVE> `x` &lt;b&gt; <https://evil.test|ok>")]).await;
    let channel = keyvend.world.net.slack().messages(APPROVALS);
    let card = channel.last().unwrap();
    for place in [keyvend.told(ALICE_OWNER), card.reading()] {
        assert!(place.contains("&lt;!channel&gt; &lt;@U0EVE&gt; 'x' &amp;lt;b&amp;gt;"), "{place}");
        assert!(!place.contains("<!channel>") && !place.contains("<https://evil.test"), "{place}");
    }
}

#[tokio::test]
async fn the_form_for_a_no_is_judged_when_it_is_submitted() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Deny").await;
    keyvend.presses(DAVE_APPROVER, &keyvend.card(), "Deny").await;
    let (carols, daves) = (keyvend.view(CAROL_APPROVER), keyvend.view(DAVE_APPROVER));
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.remove(CAROL_APPROVER);
    });
    keyvend.submits(&carols, &[("reason", NOT_WANTED)]).await;
    assert!(waits(&keyvend), "she is no approver any more");
    assert!(!keyvend.view(CAROL_APPROVER).reading().contains("You denied"));
    keyvend.types(ALICE_OWNER, "cancel").await;
    keyvend.submits(&daves, &[("reason", NOT_WANTED)]).await;
    let told = keyvend.view(DAVE_APPROVER).reading();
    assert!(told.contains("No change.") && told.contains("was cancelled"), "{told}");
    assert!(!keyvend.card().reading().contains(NOT_WANTED));
}

#[tokio::test]
async fn a_no_after_the_yes_asks_for_its_reason_too() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Deny anyway").await;
    keyvend.submits(&keyvend.view(CAROL_APPROVER), &[("reason", NOT_WANTED)]).await;
    assert!(keyvend.told(ALICE_OWNER).contains(NOT_WANTED), "{}", keyvend.told(ALICE_OWNER));
    assert!(keyvend.card().reading().contains("Denied: access key for ci-deployer"));
}

#[tokio::test]
async fn the_requesters_own_no_does_not_count() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.insert(ALICE_OWNER.to_owned());
    });
    asked(&keyvend).await;
    keyvend.presses(ALICE_OWNER, &keyvend.card(), "Deny").await;
    keyvend.submits(&keyvend.view(ALICE_OWNER), &[("reason", NOT_WANTED)]).await;
    assert!(waits(&keyvend));
}

#[tokio::test]
async fn a_submission_that_is_delivered_twice_denies_once() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Deny").await;
    let form = keyvend.view(BOB_APPROVER);
    let event = keyvend.world.submit(&form, &form.values(&[("reason", NOT_WANTED)]));
    keyvend.arrive(event.clone()).await;
    keyvend.deliver().await;
    keyvend.world.clock.advance(Duration::from_secs(200));
    keyvend.arrive(event).await;
    keyvend.deliver().await;
    assert!(keyvend.view(BOB_APPROVER).reading().contains("You denied this request"));
    let audit = aws::items(&keyvend.world.net, AUDIT).await;
    assert_eq!(audit.values().filter(|entry| entry["event"]["S"] == "review.denied").count(), 1);
}

#[tokio::test]
async fn a_late_press_asks_to_press_again_and_decides_nothing() {
    for label in ["Deny", "Details"] {
        let keyvend = Deployed::new().await;
        asked(&keyvend).await;
        keyvend.arrive(keyvend.world.press(BOB_APPROVER, &keyvend.card(), label)).await;
        keyvend.world.clock.advance(Duration::from_secs(4));
        keyvend.deliver().await;
        assert!(keyvend.told(BOB_APPROVER).contains("please press the button again"), "{label}");
        assert!(keyvend.world.net.slack().views().is_empty());
        assert!(waits(&keyvend));
        keyvend.presses(BOB_APPROVER, &keyvend.card(), label).await;
        assert_eq!(keyvend.world.net.slack().views().len(), 1, "{label}");
    }
}

#[tokio::test]
async fn a_card_that_is_not_the_requests_own_opens_nothing() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    let mut copy = keyvend.card();
    copy.channel = "C0GENERAL".to_owned();
    for label in ["Deny", "Details"] {
        keyvend.presses(BOB_APPROVER, &copy, label).await;
        assert!(keyvend.told(BOB_APPROVER).contains("This button is no longer valid"), "{label}");
    }
    assert!(keyvend.world.net.slack().views().is_empty());
}

#[tokio::test]
async fn details_show_an_approver_everything_the_card_leaves_out() {
    let keyvend = Deployed::new().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
    for n in 0..15 {
        let put = iam.put_user_policy().user_name("ci-deployer").policy_name(format!("inline-{n:02}"));
        put.policy_document(document).send().await.unwrap();
    }
    iam.create_group().group_name("builders").send().await.unwrap();
    iam.add_user_to_group().group_name("builders").user_name("ci-deployer").send().await.unwrap();
    let tag = aws_sdk_iam::types::Tag::builder().key("team").value("a <!channel> `b`").build().unwrap();
    iam.tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap();
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    asked(&keyvend).await;
    assert!(!keyvend.card().reading().contains("inline-14"), "the card fits one screen");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Details").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    for part in [
        "`inline-14 (inline)`",
        "`builders`",
        "`team` = `a &lt;!channel&gt; 'b'`",
        "`keyvend:owners` = `U0ALICE`",
        "active, 0 days old, never used",
        "*Who may approve*\n<@U0BOB>, <@U0CAROL>, <@U0DAVE>\n",
        "<@U0ALICE> asked",
        "*Boundary*\nnone",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Details").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("<@U0CAROL> approved"), "{shown}");
}

#[tokio::test]
async fn details_name_those_whose_approval_would_count() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    keyvend.world.net.slack().person(CAROL_APPROVER, |carol| carol.restricted = true);
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.insert(ALICE_OWNER.to_owned());
    });
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Details").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("*Who may approve*\n<@U0BOB>, <@U0DAVE>\n"), "{shown}");
}

#[tokio::test]
async fn a_request_whose_time_ran_out_is_not_denied_any_more() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    let card = keyvend.card();
    keyvend.world.clock.advance(Duration::from_secs(25 * 3_600));
    keyvend.presses(BOB_APPROVER, &card, "Deny").await;
    assert!(keyvend.world.net.slack().views().is_empty());
    assert!(keyvend.told(BOB_APPROVER).contains("No change."));
    assert!(keyvend.card().reading().contains("Expired: access key for ci-deployer"));
}

#[tokio::test]
async fn details_are_for_approvers() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    keyvend.world.net.forget();
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Details").await;
    let shown = keyvend.view(MALLORY_OUTSIDER).reading();
    assert!(shown.contains("Only approvers can see the details"), "{shown}");
    assert!(!shown.contains("laptop tooling") && !shown.contains("ci-deployer"));
    assert_eq!(keyvend.world.net.calls_to("iam", "GetUser").len(), 0);
}

#[tokio::test]
async fn details_that_cannot_be_looked_up_say_so() {
    let keyvend = Deployed::new().await;
    asked(&keyvend).await;
    for _ in 0..3 {
        keyvend.world.net.slack().fail_next("conversations.members", "internal_error");
    }
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Details").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("because of a problem in keyvend"), "{shown}");
}
