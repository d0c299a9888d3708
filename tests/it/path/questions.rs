//! **Ask** and **Answer**: an approver asks about a request that waits, and its requester answers.

use std::time::Duration;

use super::key_commands::{DAY, after};
use testkit::deployed::Deployed;
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER, Message, direct,
};

/// An approver asks this on the card.
async fn asks(keyvend: &Deployed, person: &str, card: &Message, question: &str) {
    keyvend.presses(person, card, "Ask").await;
    keyvend.submits(&keyvend.view(person), &[("reason", question)]).await;
}

/// What is in the threads of the approvals channel.
fn threads(keyvend: &Deployed) -> Vec<String> {
    let all = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    all.filter(|message| message.thread_ts.is_some()).map(|message| message.reading()).collect()
}

#[tokio::test]
async fn approver_asks_and_requester_answers() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    asks(&keyvend, BOB_APPROVER, &card, "for <!channel> & which `pipeline`?").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("Your question was sent to the requester"), "{shown}");
    let quoted = "> for &lt;!channel&gt; &amp; which 'pipeline'?";
    let question = keyvend.direct(ALICE_OWNER);
    let told = question.reading();
    assert!(
        told.contains("<@U0BOB> has a question about your request for `ci-deployer` in `home`"),
        "{told}"
    );
    assert!(told.contains(quoted) && told.contains("> laptop tooling"), "{told}");
    assert_eq!(threads(&keyvend), [format!("<@U0BOB> asked <@U0ALICE>:\n{quoted}")]);

    keyvend.presses(ALICE_OWNER, &question, "Answer").await;
    let form = keyvend.view(ALICE_OWNER);
    assert!(form.reading().contains(quoted), "{}", form.reading());
    keyvend.submits(&form, &[("reason", "the <b>nightly</b> one")]).await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Your answer was sent to the approvers."));
    let answered = "> the &lt;b&gt;nightly&lt;/b&gt; one";
    assert_eq!(
        threads(&keyvend).last().unwrap(),
        &format!("<@U0BOB> asked <@U0ALICE>:\n{quoted}\n<@U0ALICE> answered:\n{answered}")
    );
    let trail = keyvend.trail().await;
    let events: Vec<(&str, &str)> =
        trail.iter().map(|entry| (entry.event.as_str(), entry.actor.as_str())).collect();
    assert_eq!(
        events,
        [
            ("request.created", "T0001.U0ALICE"),
            ("question.asked", "T0001.U0BOB"),
            ("question.answered", "T0001.U0ALICE"),
        ]
    );
    assert_eq!(trail[1].detail["question"], "for <!channel> & which `pipeline`?");
    assert_eq!(trail[2].detail["answer"], "the <b>nightly</b> one");

    // It needs no second answer, and its message says so.
    let closed = keyvend.world.net.slack().messages(&direct(ALICE_OWNER));
    assert!(closed.iter().any(
        |message| message.reading().contains("has a question") && message.reading().contains("*Closed.*")
    ));
    keyvend.presses(ALICE_OWNER, &question, "Answer").await;
    assert!(keyvend.told(ALICE_OWNER).contains("needs no answer any more"), "{}", keyvend.told(ALICE_OWNER));
    // Nothing of it decided anything.
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}

// T2.10
#[tokio::test]
async fn only_whose_approval_counts_may_ask() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    // The requester, and somebody who became an approver since.
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.insert(MALLORY_OUTSIDER.to_owned());
    });
    for person in [ALICE_OWNER, MALLORY_OUTSIDER] {
        asks(&keyvend, person, &card, "why?").await;
        let shown = keyvend.view(person).reading();
        assert!(shown.contains("Only people who were approvers"), "{person}: {shown}");
    }
    // Somebody who was one then and is none any more.
    keyvend
        .world
        .net
        .slack()
        .channel(APPROVALS, |channel| channel.members.retain(|user| user != CAROL_APPROVER));
    asks(&keyvend, CAROL_APPROVER, &card, "why?").await;
    assert_eq!(threads(&keyvend), Vec::<String>::new());
    assert_eq!(keyvend.times_told(ALICE_OWNER, "has a question"), 0);
    let events = keyvend.events().await;
    assert_eq!(events, ["request.created", "review.rejected", "review.rejected", "review.rejected"]);
}

// T2.10
#[tokio::test]
async fn only_the_requester_answers() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    asks(&keyvend, BOB_APPROVER, &card, "for which pipeline?").await;
    let question = keyvend.direct(ALICE_OWNER);
    keyvend.presses(MALLORY_OUTSIDER, &question, "Answer").await;
    assert!(
        keyvend.told(MALLORY_OUTSIDER).contains("You have no request"),
        "{}",
        keyvend.told(MALLORY_OUTSIDER)
    );
    assert_eq!(keyvend.events().await, ["request.created", "question.asked"]);
}

#[tokio::test]
async fn decided_request_takes_neither_question_nor_answer() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    asks(&keyvend, BOB_APPROVER, &card, "for which pipeline?").await;
    let question = keyvend.direct(ALICE_OWNER);
    keyvend.presses(ALICE_OWNER, &question, "Answer").await;
    let form = keyvend.view(ALICE_OWNER);
    keyvend.presses(CAROL_APPROVER, &card, "Ask").await;
    let late = keyvend.view(CAROL_APPROVER);
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    keyvend.submits(&form, &[("reason", "the nightly one")]).await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("needs no answer any more"), "{shown}");
    keyvend.submits(&late, &[("reason", "too late?")]).await;
    let shown = keyvend.view(CAROL_APPROVER).reading();
    assert!(shown.contains("No change."), "{shown}");
    assert_eq!(keyvend.events().await, ["request.created", "question.asked", "review.approved"]);
}

#[tokio::test]
async fn request_has_ten_questions_at_most() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    for n in 0..11 {
        keyvend.world.clock.advance(Duration::from_secs(60));
        asks(&keyvend, BOB_APPROVER, &card, &format!("question {n}")).await;
    }
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("as many questions as it can have"), "{shown}");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "has a question"), 10);
}

#[tokio::test]
async fn deleted_question_is_posted_again() {
    // Messages are looked for once a day, and a request for a day expires with its question.
    let keyvend = Deployed::with(&[("KEYVEND_REQUEST_TTL", "604800")]).await;
    let card = keyvend.asked().await;
    asks(&keyvend, BOB_APPROVER, &card, "which pipeline?").await;
    let first = keyvend.direct(ALICE_OWNER);
    asks(&keyvend, CAROL_APPROVER, &card, "until when?").await;
    keyvend.deliver_everything().await;
    // Another question about the same request is not this one.
    keyvend.world.net.slack().delete(&first);
    after(&keyvend, DAY + 60).await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "> until when?"), 1);
    let again = keyvend.direct(ALICE_OWNER);
    assert_eq!(again.reading(), first.reading());
    keyvend.presses(ALICE_OWNER, &again, "Answer").await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("> which pipeline?"));
}
