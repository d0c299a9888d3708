//! Approving and denying: whose click counts, for which card, and what a click comes to.

mod races;

use std::time::Duration;

use serde_json::Value;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, GENERAL, GUS_GUEST,
    MALLORY_OUTSIDER, Message,
};
use testkit::steps::text;

const ADMIN: &str = "create admin-bot use:cli ttl:7d migrating";

async fn attach(keyvend: &Deployed, user: &str, policy: &str) {
    let arn = format!("arn:aws:iam::aws:policy/{policy}");
    aws::iam(&keyvend.world.net, HOME)
        .attach_user_policy()
        .user_name(user)
        .policy_arn(arn)
        .send()
        .await
        .unwrap();
}

fn says(keyvend: &Deployed, person: &str, part: &str) {
    let told = keyvend.told(person);
    assert!(told.contains(part), "{person}: {told}");
}

fn labels(message: &Message) -> Vec<String> {
    message.buttons().into_iter().map(|button| button.text).collect()
}

/// What somebody who decides is answered: in the form that asked for a reason, or by a message.
fn answered(keyvend: &Deployed, person: &str, button: &str, part: &str) {
    let read = if button == "Deny" { keyvend.view(person).reading() } else { keyvend.told(person) };
    assert!(read.contains(part), "{person}: {read}");
}

async fn decides(keyvend: &Deployed, person: &str, card: &Message, button: &str) {
    match button {
        "Deny" => keyvend.denies(person, card, "not wanted").await,
        other => keyvend.presses(person, card, other).await,
    }
}

/// The event with which somebody decides: a press, or the form that **Deny** opened.
async fn deciding(keyvend: &Deployed, person: &str, card: &Message, button: &str) -> Value {
    if button != "Deny" {
        return keyvend.pressed(keyvend.world.press(person, card, button)).await;
    }
    keyvend.presses(person, card, button).await;
    let form = keyvend.view(person);
    keyvend.pressed(keyvend.world.submit(&form, &form.values(&[("reason", "not wanted")]))).await
}

#[tokio::test]
async fn denial_ends_request_and_notifies_both_sides() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.denies(BOB_APPROVER, &card, "not wanted").await;
    answered(&keyvend, BOB_APPROVER, "Deny", "You denied this request");
    says(&keyvend, ALICE_OWNER, "<@U0BOB> denied your request");
    assert!(keyvend.card().reading().contains("denied by <@U0BOB>"), "{}", keyvend.card().reading());
    assert_eq!(labels(&keyvend.card()), ["Details"]);
    assert_eq!(keyvend.stands().await, "DENIED");
    assert_eq!(keyvend.events().await, ["request.created", "review.denied"]);
    assert_eq!(keyvend.trail().await[1].actor, "T0001.U0BOB");
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn approval_with_comment_counts_and_is_read_by_all() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    let card = keyvend.card();
    keyvend.approves_with(BOB_APPROVER, &card, "only until <!channel> moves to a role").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("Your approval is recorded"), "{shown}");
    let quoted = "<@U0BOB>:\n> only until &lt;!channel&gt; moves to a role";
    says(&keyvend, ALICE_OWNER, quoted);
    let card = keyvend.card();
    assert!(card.reading().contains("1 of 2") && card.reading().contains(quoted), "{}", card.reading());
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    says(&keyvend, ALICE_OWNER, quoted);
    assert!(keyvend.card().reading().contains(quoted), "{}", keyvend.card().reading());
    assert_eq!(keyvend.stands().await, "APPROVED");
    let approved = &keyvend.trail().await[1];
    assert_eq!(approved.event, "review.approved");
    assert_eq!(approved.detail["comment"], "only until <!channel> moves to a role");
}

// T2.4
#[tokio::test]
async fn approval_with_comment_is_of_what_the_card_showed() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.presses(BOB_APPROVER, &card, "Approve with comment").await;
    let form = keyvend.view(BOB_APPROVER);
    attach(&keyvend, "ci-deployer", "ReadOnlyAccess").await;
    keyvend.submits(&form, &[("reason", "fine")]).await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("changed") && shown.contains("not counted"), "{shown}");
    assert_eq!(keyvend.stands().await, "PENDING");
    // Nor does anybody else's form count than an approver's, nor one for a request that is decided.
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Approve with comment").await;
    keyvend.submits(&keyvend.view(MALLORY_OUTSIDER), &[("reason", "fine")]).await;
    assert_eq!(keyvend.stands().await, "PENDING");
    let card = keyvend.card();
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    keyvend.presses(BOB_APPROVER, &card, "Approve with comment").await;
    says(&keyvend, BOB_APPROVER, "is approved");
    keyvend.submits(&form, &[("reason", "fine")]).await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("is approved"), "{shown}");
    assert_eq!(keyvend.trail().await.iter().filter(|entry| entry.event == "review.approved").count(), 1);
}

// T2.17
#[tokio::test]
async fn a_privileged_iam_user_takes_two_different_approvers() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    says(&keyvend, BOB_APPROVER, "Your approval is recorded");
    says(&keyvend, ALICE_OWNER, "still needs 1 approval");
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    says(&keyvend, BOB_APPROVER, "another person has to");
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    says(&keyvend, ALICE_OWNER, "Approved by <@U0BOB> and <@U0CAROL>");
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.events().await, ["request.created", "review.approved", "review.approved"]);
    keyvend.nothing_was_created().await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.stands().await, "ISSUED");
}

// T2.9
#[tokio::test]
async fn requester_cannot_approve_own_request() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend
        .world
        .net
        .slack()
        .channel(APPROVALS, |channel| _ = channel.members.insert(ALICE_OWNER.to_owned()));
    for button in ["Approve", "Deny"] {
        decides(&keyvend, ALICE_OWNER, &card, button).await;
        answered(&keyvend, ALICE_OWNER, button, "cannot approve your own request");
        assert_eq!(keyvend.stands().await, "PENDING");
    }
    assert_eq!(keyvend.events().await, ["request.created", "review.rejected", "review.rejected"]);
    keyvend.nothing_was_created().await;
}

// T2.9
#[tokio::test]
async fn only_approvers_decide() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    for button in ["Approve", "Deny"] {
        decides(&keyvend, MALLORY_OUTSIDER, &card, button).await;
        answered(&keyvend, MALLORY_OUTSIDER, button, "Only approvers can approve");
    }
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.world.net.slack().person(BOB_APPROVER, |bob| bob.restricted = true);
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    says(&keyvend, BOB_APPROVER, "Guests");
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(
        keyvend.events().await,
        ["request.created", "review.rejected", "review.rejected", "review.rejected"]
    );
    keyvend.nothing_was_created().await;
}

// T2.14
#[tokio::test]
async fn changed_facts_redraw_card_and_revoke_approvals() {
    // A review of a card whose facts changed redraws it and revokes the approvals.
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let old = keyvend.card();
    attach(&keyvend, "admin-bot", "ReadOnlyAccess").await;
    keyvend.presses(CAROL_APPROVER, &old, "Approve").await;
    says(&keyvend, CAROL_APPROVER, "Your click was not counted and earlier approvals were revoked");
    says(&keyvend, ALICE_OWNER, "changed while your request was pending");
    assert!(keyvend.card().reading().contains("`ReadOnlyAccess`"), "{}", keyvend.card().reading());
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    assert_eq!(keyvend.events().await, ["request.created", "review.approved", "review.facts_changed"]);
    // Somebody who still has the old card before them.
    keyvend.presses(DAVE_APPROVER, &old, "Approve").await;
    says(&keyvend, DAVE_APPROVER, "Your click was not counted");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(
        keyvend.events().await,
        ["request.created", "review.approved", "review.facts_changed", "review.approved", "review.approved"]
    );
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn newly_privileged_user_needs_more_approvals() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    attach(&keyvend, "ci-deployer", "AdministratorAccess").await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    says(&keyvend, BOB_APPROVER, "Your click was not counted");
    says(&keyvend, ALICE_OWNER, "it needs 2 approvals");
    let reading = keyvend.card().reading();
    assert!(reading.contains("0 of 2") && reading.contains("`AdministratorAccess`"), "{reading}");
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.nothing_was_created().await;
}

// T2.2
#[tokio::test]
async fn review_denies_request_forbidden_by_changed_policy() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    attach(&keyvend, "ci-deployer", "AWSCompromisedKeyQuarantineV3").await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    says(&keyvend, BOB_APPROVER, "quarantined");
    says(&keyvend, ALICE_OWNER, "quarantined");
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert_eq!(keyvend.events().await, ["request.created", "request.policy_denied"]);
    keyvend.nothing_was_created().await;
}

// T2.10
#[tokio::test]
async fn deleted_user_ends_request_only_for_participants() {
    // If the IAM user was deleted, a review ends the request; a press of an outsider changes nothing.
    for (concerned, button) in [(BOB_APPROVER, "Approve"), (BOB_APPROVER, "Deny"), (ALICE_OWNER, "Approve")] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        aws::delete_user(&keyvend.world.net, HOME, "ci-deployer").await;
        let slack = keyvend.world.net.slack();
        slack.channel(APPROVALS, |channel| _ = channel.members.insert(GUS_GUEST.to_owned()));
        let outsiders = "Only an approver or the requester can do this";
        // A guest hears what every guest hears, whether the IAM user is there or not.
        for (outsider, theirs, says) in [
            (MALLORY_OUTSIDER, "Approve", outsiders),
            (MALLORY_OUTSIDER, "Deny", outsiders),
            (GUS_GUEST, "Deny", "Guests of this workspace cannot use this"),
        ] {
            decides(&keyvend, outsider, &card, theirs).await;
            answered(&keyvend, outsider, theirs, says);
            assert_eq!(keyvend.stands().await, "PENDING", "{outsider} {theirs}");
            assert_eq!(keyvend.card().reading(), card.reading(), "{outsider} {theirs}");
        }
        decides(&keyvend, concerned, &card, button).await;
        answered(&keyvend, concerned, button, "was refused: The IAM user no longer exists");
        says(&keyvend, ALICE_OWNER, "The IAM user no longer exists");
        assert_eq!(keyvend.stands().await, "POLICY_DENIED");
        let refused = ["review.rejected"; 3];
        assert_eq!(
            keyvend.events().await,
            [&["request.created"], &refused[..], &["request.policy_denied"]].concat()
        );
        let trail = keyvend.trail().await;
        assert_eq!(trail.last().unwrap().actor, format!("T0001.{concerned}"));
        keyvend.nothing_was_created().await;
    }
}

// T2.4
#[tokio::test]
async fn review_denies_request_beyond_changed_configuration() {
    for (variable, value, part) in [
        (
            "KEYVEND_MAX_KEY_DAYS",
            "10",
            "longest lifetime is 10 days. Submit a new request with `ttl:10d` or less",
        ),
        ("KEYVEND_IAM_PATH", "/keyvend/", "is not under `/keyvend/`"),
    ] {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        let keyvend = keyvend.redeployed(&[(variable, value)]);
        keyvend.presses(MALLORY_OUTSIDER, &card, "Approve").await;
        assert_eq!(keyvend.stands().await, "PENDING", "an outsider ends nothing");
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        for person in [BOB_APPROVER, ALICE_OWNER] {
            says(&keyvend, person, part);
        }
        assert_eq!(keyvend.stands().await, "POLICY_DENIED");
        keyvend.nothing_was_created().await;
    }
}

// T2.9
#[tokio::test]
async fn approval_of_departed_approver_is_revoked() {
    // An approval whose giver left is revoked when the next approval is given.
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.world.net.slack().person(BOB_APPROVER, |bob| bob.deleted = true);
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    says(&keyvend, ALICE_OWNER, "still needs 1 approval");
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, ["T0001.U0CAROL"]);
    let reading = keyvend.card().reading();
    assert!(reading.contains("1 of 2 (<@U0CAROL>)"), "{reading}");
    keyvend.presses(DAVE_APPROVER, &keyvend.card(), "Approve").await;
    says(&keyvend, ALICE_OWNER, "Approved by <@U0CAROL> and <@U0DAVE>");
    assert_eq!(
        keyvend.events().await,
        ["request.created", "review.approved", "review.revoked", "review.approved", "review.approved"]
    );
    assert_eq!(keyvend.trail().await[2].detail["by"], "T0001.U0BOB");
    keyvend.nothing_was_created().await;
}

// T5.2
#[tokio::test]
async fn button_counts_only_in_stored_message() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:7d testing").await;
    let other = keyvend.card();
    let with_value = |value: &str| {
        let mut button = card.button("Approve");
        value.clone_into(&mut button.value);
        button
    };
    let own = card.button("Approve").value;
    let elsewhere = Message { channel: GENERAL.to_owned(), ..card.clone() };
    let later = Message { ts: "1764000001.000099".to_owned(), ..card.clone() };
    let only_seen_by_bob = Message { ephemeral_to: Some(BOB_APPROVER.to_owned()), ..later.clone() };
    let cases = [
        ("the value of another request", &card, with_value(&other.button("Approve").value)),
        ("no value", &card, with_value("")),
        ("garbage", &card, with_value("../../etc/passwd")),
        ("an id alone", &card, with_value(own.split('.').next().unwrap())),
        ("a request that is not", &card, with_value("0000000000000000.0000000000000000")),
        ("lower case", &card, with_value(&own.to_lowercase())),
        ("more behind it", &card, with_value(&format!("{own}.1"))),
        ("a message of another channel", &elsewhere, with_value(&own)),
        ("another message of the channel", &later, with_value(&own)),
        ("an ephemeral message", &only_seen_by_bob, with_value(&own)),
    ];
    for (name, message, button) in cases {
        for action in ["approve", "deny"] {
            keyvend.world.clock.advance(Duration::from_secs(1));
            let mut button = button.clone();
            action.clone_into(&mut button.action_id);
            let event = keyvend.world.press_button(BOB_APPROVER, message, &button);
            keyvend.arrive(event).await;
            keyvend.deliver().await;
            says(&keyvend, BOB_APPROVER, "This button is no longer valid");
            let stands: Vec<String> = keyvend.requests().await.iter().map(|r| text(&r["stands"])).collect();
            assert_eq!(stands, ["PENDING", "PENDING"], "{name}");
        }
    }
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn pending_request_expires_after_a_day() {
    // A request expires after a day, and a later review changes nothing.
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.world.clock.advance(Duration::from_secs(86_399));
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    says(&keyvend, BOB_APPROVER, "No change.");
    says(&keyvend, BOB_APPROVER, "expired");
    says(&keyvend, ALICE_OWNER, "expired");
    assert!(keyvend.card().reading().contains("expired"));
    assert_eq!(labels(&keyvend.card()), ["Details"]);
    assert_eq!(keyvend.stands().await, "EXPIRED");
    assert_eq!(keyvend.events().await, ["request.created", "request.expired"]);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn review_of_closed_request_reports_its_outcome() {
    // A review after the end changes nothing and is told the outcome.
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.presses(CAROL_APPROVER, &card, "Deny").await;
    let form = keyvend.view(CAROL_APPROVER);
    keyvend.denies(BOB_APPROVER, &card, "not wanted").await;
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    keyvend.submits(&form, &[("reason", "nor by me")]).await;
    for button in ["Approve", "Deny"] {
        answered(&keyvend, CAROL_APPROVER, button, "No change. The request");
        answered(&keyvend, CAROL_APPROVER, button, "was denied by <@U0BOB>");
    }
    assert_eq!(keyvend.stands().await, "DENIED");
    assert_eq!(keyvend.events().await, ["request.created", "review.denied"]);

    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "cancel").await;
    says(&keyvend, ALICE_OWNER, "is cancelled");
    assert!(keyvend.card().reading().contains("was cancelled"));
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    says(&keyvend, BOB_APPROVER, "was cancelled");
    assert_eq!(keyvend.stands().await, "CANCELLED");
    assert_eq!(keyvend.events().await, ["request.created", "request.cancelled"]);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn somebody_elses_request_cannot_be_cancelled_or_seen() {
    let keyvend = Deployed::new().await;
    keyvend.asked().await;
    let id = text(&keyvend.request().await["id"]);
    for command in ["cancel", "status"] {
        keyvend.world.clock.advance(Duration::from_secs(1));
        keyvend.types(MALLORY_OUTSIDER, &format!("{command} {id}")).await;
        says(&keyvend, MALLORY_OUTSIDER, "You have no request");
    }
    let asked = keyvend.world.net.slack().told(ALICE_OWNER).remove(0);
    keyvend.presses(MALLORY_OUTSIDER, &asked, "Cancel").await;
    says(&keyvend, MALLORY_OUTSIDER, "You have no request");
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(ALICE_OWNER, &asked, "Cancel").await;
    assert_eq!(keyvend.stands().await, "CANCELLED");
}
