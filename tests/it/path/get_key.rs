//! **Get my key**: a link to its requester alone, the last one only, and nothing created by it.

use std::time::Duration;

use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{
    ALICE_OWNER, BOB_APPROVER, BOT, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER, Message, direct,
};
use testkit::steps::{ASK, policies, text};

// T3.5
#[tokio::test]
async fn only_the_requester_gets_a_link() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    for other in [BOB_APPROVER, MALLORY_OUTSIDER] {
        keyvend.presses(other, &ready, "Get my key").await;
        let told = keyvend.told(other);
        assert!(told.contains("Only the requester can do this"), "{told}");
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.events().await, ["request.created", "review.approved"]);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn a_button_that_leads_nowhere_gives_no_link() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    for value in ["", "garbage", "0000000000000000.0000000000000000"] {
        let mut button = ready.button("Get my key");
        value.clone_into(&mut button.value);
        keyvend.world.clock.advance(Duration::from_secs(1));
        keyvend.arrive(keyvend.world.press_button(ALICE_OWNER, &ready, &button)).await;
        keyvend.deliver().await;
        assert!(keyvend.told(ALICE_OWNER).contains("This button is no longer valid"), "{value}");
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
}

#[tokio::test]
async fn a_second_press_replaces_the_link() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let first = keyvend.collects(&ready).await;
    let second = keyvend.collects(&ready).await;
    assert_eq!(keyvend.turned_away(&first).await, (410, "void".to_owned()));
    assert!(!keyvend.has_psk(&first).await);
    keyvend.nothing_was_created().await;
    keyvend.reveals(&second).await;
    assert_eq!(keyvend.creates(), 1);
    assert_eq!(keyvend.turned_away(&first).await, (410, "void".to_owned()));
}

#[tokio::test]
async fn no_new_link_while_a_tab_is_collecting() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let tab = keyvend.collects(&ready).await;
    keyvend.claims(&tab).await;
    // The press is worked off before the claim.
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "A browser tab is collecting this key right now"), 1);
    let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(keyvend.creates(), 1);
    assert_eq!(keyvend.events().await.iter().filter(|event| *event == "link.issued").count(), 1);
}

// T4.5
#[tokio::test]
async fn get_key_racing_claim_keeps_claimed_link() {
    // The claim comes in at each call that the press makes.
    for at in 0..12 {
        let keyvend = Deployed::new().await;
        let ready = keyvend.approved().await;
        let tab = keyvend.collects(&ready).await;
        keyvend.world.clock.advance(Duration::from_secs(1));
        let press = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &ready, "Get my key")).await;
        let claim = async {
            for _ in 0..at {
                testkit::net::yield_now().await;
            }
            keyvend.posts("/reveal/claim", &tab.claim(None)).await
        };
        let (_, (status, body)) = futures_util::future::join(keyvend.work(press), claim).await;
        if status == 202 {
            keyvend.deliver_everything().await;
            assert_eq!(
                keyvend.posts("/reveal/claim", &tab.claim(None)).await.0,
                200,
                "claimed after {at} turns"
            );
        } else {
            assert_eq!((status, text(&body["error"])), (410, "void".to_owned()), "after {at} turns");
            let tab = keyvend.opens();
            keyvend.reveals(&tab).await;
        }
        assert_eq!(keyvend.creates(), 1);
    }
}

#[tokio::test]
async fn unopened_link_expires_and_can_be_reissued() {
    // No key is created.
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let tab = keyvend.collects(&ready).await;
    keyvend.world.clock.advance(Duration::from_secs(899));
    let last = keyvend.collects(&ready).await;
    keyvend.world.clock.advance(Duration::from_secs(900));
    assert_eq!(keyvend.turned_away(&last).await, (410, "expired".to_owned()));
    assert_eq!(keyvend.turned_away(&tab).await, (410, "void".to_owned()));
    assert_eq!(keyvend.deliver().await, 0);
    keyvend.nothing_was_created().await;
    let again = keyvend.collects(&ready).await;
    keyvend.reveals(&again).await;
}

#[tokio::test]
async fn cancelling_or_denying_voids_issued_link() {
    for claimed in [false, true] {
        for ends in ["cancel", "deny"] {
            let keyvend = Deployed::new().await;
            let card = keyvend.asked().await;
            keyvend.presses(BOB_APPROVER, &card, "Approve").await;
            let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
            // The form for the reason is open before the claim comes.
            keyvend.presses(CAROL_APPROVER, &card, "Deny").await;
            let tab = keyvend.collects(&ready).await;
            if claimed {
                keyvend.claims(&tab).await;
            }
            // Both are worked off before the claim is.
            let stands = if ends == "cancel" {
                keyvend.types(ALICE_OWNER, "cancel").await;
                assert!(keyvend.told(ALICE_OWNER).contains("Its one-time link, if any, no longer works"));
                "CANCELLED"
            } else {
                keyvend.submits(&keyvend.view(CAROL_APPROVER), &[("reason", "not wanted")]).await;
                assert!(keyvend.told(ALICE_OWNER).contains("<@U0CAROL> denied your request"));
                "DENIED"
            };
            assert_eq!(keyvend.stands().await, stands);
            assert_eq!(keyvend.ticket_stands(&tab).await, "VOID", "{ends} claimed: {claimed}");
            assert_eq!(keyvend.turned_away(&tab).await, (410, "void".to_owned()));
            assert!(!keyvend.has_psk(&tab).await);
            keyvend.deliver_everything().await;
            keyvend.nothing_was_created().await;
        }
    }
}

#[tokio::test]
async fn approved_request_expires_with_its_link() {
    // They expire after three days.
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    keyvend.world.clock.advance(Duration::from_secs(72 * 3600 - 60));
    let tab = keyvend.collects(&ready).await;
    keyvend.world.clock.advance(Duration::from_secs(60));
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    assert!(keyvend.told(ALICE_OWNER).contains("expired"), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.stands().await, "EXPIRED");
    assert_eq!(keyvend.turned_away(&tab).await, (410, "void".to_owned()));
    assert_eq!(
        keyvend.events().await,
        ["request.created", "review.approved", "link.issued", "request.expired"]
    );
    keyvend.nothing_was_created().await;
}

// T3.5
#[tokio::test]
async fn undeliverable_link_is_voided() {
    // The link is sent no other way.
    for (method, error) in [
        ("conversations.open", "missing_scope"),
        ("chat.postEphemeral", "channel_not_found"),
        ("chat.postEphemeral", "user_not_in_channel"),
    ] {
        let keyvend = Deployed::new().await;
        let ready = keyvend.approved().await;
        keyvend.world.net.slack().fail_next(method, error);
        keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
        let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
        assert!(told.reading().contains("Your one-time link could not be delivered"), "{}", told.reading());
        let ever = keyvend.world.net.slack().ever();
        assert!(ever.iter().flat_map(Message::buttons).all(|button| button.url.is_none()), "{method}");
        assert_eq!(keyvend.stands().await, "APPROVED");
        assert_eq!(
            keyvend.events().await,
            ["request.created", "review.approved", "link.issued", "link.voided"]
        );
        assert_eq!(keyvend.last_detail("why").await, "not-shown");
        keyvend.nothing_was_created().await;
        let tab = keyvend.collects(&told).await;
        keyvend.reveals(&tab).await;
        keyvend.links_are_shown_to_nobody_else();
    }
}

// T3.5
#[tokio::test]
async fn link_is_shown_in_direct_messages_only() {
    // It is shown there wherever the request was made.
    let none = policies("no-approval-anywhere", |text| {
        text.replace("context.approvals >= 1", "context.approvals >= 0")
            .replace("context.approvals >= 2", "context.approvals >= 0")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &none)]).await;
    keyvend.types(ALICE_OWNER, ASK).await;
    let slack = keyvend.world.net.slack();
    let ready = slack.last_told(ALICE_OWNER);
    // Where the bot is no member, and no direct message was ever opened.
    slack.channel(GENERAL, |channel| _ = channel.members.remove(BOT));
    assert!(slack.messages(&direct(ALICE_OWNER)).is_empty());
    assert_eq!(ready.channel, GENERAL);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    let told = slack.told(ALICE_OWNER);
    let [.., link, pointer] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(
        (link.channel.clone(), link.ephemeral_to.as_deref()),
        (direct(ALICE_OWNER), Some(ALICE_OWNER))
    );
    assert!(!link.text.contains("/reveal") && link.text.contains("Your one-time link for"), "{}", link.text);
    assert_eq!((pointer.channel.as_str(), pointer.buttons()), (GENERAL, Vec::new()));
    insta::assert_snapshot!(pointer.reading(), @"Your one-time link is in your direct messages with keyvend, visible only to you, until you reload Slack. If it is not there, press *Get my key* again.");
    let tab = keyvend.opens();
    keyvend.reveals(&tab).await;
    keyvend.links_are_shown_to_nobody_else();
}

#[tokio::test]
async fn get_key_without_usable_response_url_shows_link() {
    // The link appears though the reply that points to it cannot be sent.
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let elsewhere = Message { channel: GENERAL.to_owned(), ..ready };
    keyvend.world.net.slack().fail_next("response_url", "expired_url");
    let tab = keyvend.collects(&elsewhere).await;
    assert!(keyvend.direct(ALICE_OWNER).reading().contains("is in your direct messages with keyvend"));
    keyvend.reveals(&tab).await;
}

#[tokio::test]
async fn link_with_unknown_delivery_is_invalid() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    keyvend.world.net.once("slack", "chat.postEphemeral", Interfere::LoseReply);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    assert!(keyvend.told(ALICE_OWNER).contains("so it was revoked"));
    let tab = keyvend.opens();
    assert_eq!(keyvend.turned_away(&tab).await, (410, "void".to_owned()));
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn redelivered_get_key_leaves_one_valid_link() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let press = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &ready, "Get my key")).await;
    keyvend.work(press.clone()).await;
    let first = keyvend.opens();
    keyvend.work(press).await;
    let second = keyvend.opens();
    assert_eq!(keyvend.turned_away(&first).await, (410, "void".to_owned()));
    keyvend.reveals(&second).await;
    assert_eq!(keyvend.creates(), 1);
}

#[tokio::test]
async fn pressing_the_link_itself_does_nothing_here() {
    let keyvend = Deployed::new().await;
    keyvend.linked().await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let answer = keyvend.arrive(keyvend.world.press(ALICE_OWNER, &link, "Open the one-time link")).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(keyvend.deliver().await, 0);
}

#[tokio::test]
async fn get_key_after_delivery_names_issued_key() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let tab = keyvend.collects(&ready).await;
    let key = keyvend.reveals(&tab).await;
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    assert!(keyvend.told(ALICE_OWNER).contains(&key.id), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.creates(), 1);
    assert_eq!(keyvend.world.net.slack().messages(&direct(ALICE_OWNER)).len(), 2, "ready, and issued");
    let id = text(&keyvend.request().await["id"]);
    keyvend.types(ALICE_OWNER, &format!("cancel {id}")).await;
    assert!(keyvend.told(ALICE_OWNER).contains(&key.id));
    assert_eq!(keyvend.stands().await, "ISSUED");
}
