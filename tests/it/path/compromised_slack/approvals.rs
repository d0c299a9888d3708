//! Neither an approval nor a link comes of forged requests, guessed revisions or known ids.

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER, Message, direct};
use testkit::steps::{ASK, policies, text};

use crate::path::compromised_slack::{EVERYBODY, Thief, guesses, outsiders};

// T7.3
#[tokio::test]
async fn guessed_revision_has_no_effect_and_is_audited() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let thief = Thief::of(&keyvend).await;
    let card = keyvend.card();
    let mut tries = 0;
    // Also when a real press would now redraw the card and drop bob's approval.
    for policy in [None, Some("ReadOnlyAccess")] {
        if let Some(policy) = policy {
            let iam = aws::iam(&keyvend.world.net, HOME);
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            iam.attach_user_policy().user_name("admin-bot").policy_arn(arn).send().await.unwrap();
        }
        for value in guesses(&keyvend).await {
            for person in [CAROL_APPROVER, BOB_APPROVER] {
                thief.tries_to_decide(person, &value, &card).await;
                tries += 8;
            }
        }
        assert_eq!(keyvend.stands().await, "PENDING");
        assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
        assert_eq!(keyvend.card().edits.len(), card.edits.len(), "nor is the card updated");
    }
    let events = keyvend.events().await;
    assert_eq!(outsiders(&events), ["request.created", "review.approved"]);
    assert_eq!(events.len(), 2 + tries);
    let last = keyvend.trail().await.pop().unwrap();
    assert_eq!((last.event.as_str(), last.actor.as_str()), ("interaction.unknown_revision", "T0001.U0BOB"));
    assert!(thief.told().iter().all(|told| told.reading().contains("This button is no longer valid")));

    // The card itself is not spent by it: this press redraws, the next two count, and an old card is told as such.
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    assert!(keyvend.card().reading().contains("`ReadOnlyAccess`"));
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert!(
        keyvend.told(BOB_APPROVER).contains("Your click was not counted"),
        "{}",
        keyvend.told(BOB_APPROVER)
    );
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
}

// T7.3
#[tokio::test]
async fn forged_request_reveals_no_approval_and_no_link() {
    // What a thief learns from a forged request approves nothing, and its link is shown to the person it names.
    let keyvend = Deployed::new().await;
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, ASK).await;
    let card = keyvend.card();
    let learnt = thief.learnt();
    assert_eq!(learnt.len(), 1, "the requester's own: {learnt:?}");
    for value in &learnt {
        for person in EVERYBODY {
            thief.tries_to_decide(person, value, &card).await;
            thief.presses(person, "get-key", value, &card).await;
            thief.presses(person, "not-me", value, &card).await;
        }
    }
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    assert_eq!(outsiders(&keyvend.events().await), ["request.created"]);

    // Somebody approves what alice never asked for.
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    for value in &learnt {
        for person in EVERYBODY {
            thief.presses(person, "get-key", value, &card).await;
        }
    }
    thief.has_no_link();
    let told = thief.told();
    assert!(told.iter().any(|told| told.reading().contains("is in your direct messages with keyvend")));
    assert_eq!(thief.learnt(), learnt, "and nothing new");
    let shown = keyvend.world.net.slack().told(ALICE_OWNER);
    let links = shown.iter().flat_map(Message::buttons).filter(|button| button.url.is_some()).count();
    assert_eq!(links, 2, "to alice, who never pressed: once for each way in");
    keyvend.nothing_was_created().await;
}

// T7.3
#[tokio::test]
async fn forged_request_without_approval_links_named_requester() {
    // Its link is shown to the person it names, not to the thief.
    let none = policies("no-approval-for-thieves", |text| {
        text.replace("context.approvals >= 1", "context.approvals >= 0")
            .replace("context.approvals >= 2", "context.approvals >= 0")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &none)]).await;
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, ASK).await;
    let ready = thief.told().pop().unwrap();
    for place in [GENERAL.to_owned(), direct(ALICE_OWNER), direct(MALLORY_OUTSIDER)] {
        let place = Message { channel: place, ..ready.clone() };
        thief.presses(ALICE_OWNER, "get-key", &ready.button("Get my key").value, &place).await;
    }
    // Nor where the link cannot be shown, or the mail could not be sent.
    for method in ["conversations.open", "chat.postEphemeral"] {
        keyvend.world.net.slack().fail_next(method, "internal_error");
        thief.presses(ALICE_OWNER, "get-key", &ready.button("Get my key").value, &ready).await;
    }
    assert!(
        thief.told().iter().any(|told| told.reading().contains("Your one-time link could not be delivered"))
    );
    thief.has_no_link();
    keyvend.nothing_was_created().await;
}

// T7.3
#[tokio::test]
async fn request_id_alone_grants_nothing() {
    // It is not enough for the link, the end or the keys of the request.
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let card = keyvend.card();
    let thief = Thief::of(&keyvend).await;
    thief.types(ALICE_OWNER, "status").await;
    let id = text(&keyvend.request().await["id"]);
    assert!(thief.told().pop().unwrap().reading().contains(&id), "alice's ids are no secret to them");
    let mut values = guesses(&keyvend).await;
    values.push(card.button("Details").value);
    for value in &values {
        for action in ["get-key", "cancel"] {
            thief.presses(ALICE_OWNER, action, value, &ready).await;
        }
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(outsiders(&keyvend.events().await), ["request.created", "review.approved"]);
    assert_eq!(keyvend.events().await.len(), 2 + values.len() * 4);
    thief.has_no_link();

    let tab = keyvend.collects(&ready).await;
    let key = keyvend.reveals(&tab).await;
    for value in guesses(&keyvend).await {
        for person in EVERYBODY {
            thief.presses(person, "not-me", &value, &card).await;
        }
    }
    let is_active = || aws::keys(&keyvend.world.net, HOME, "ci-deployer")[0].status == "Active";
    assert!(is_active(), "{} runs on", key.id);
    assert!(thief.learnt().is_empty(), "{:?}", thief.learnt());
    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "This wasn't me").await;
    assert!(!is_active());
}
