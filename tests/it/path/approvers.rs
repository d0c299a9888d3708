//! Whose approval counts: of those who were approvers when the request was created and still are, without the holder of
//! the key that the request is about.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};

use super::key_commands::{DAY, after, had, item, said, status, typed, waiting};
use testkit::aws::{self, AUDIT};
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, BOT, BOTTY, CAROL_APPROVER, DAVE_APPROVER, DORA_DELETED, GENERAL,
    GUS_GUEST, MALLORY_OUTSIDER, TEAM_GROUP, XENA_EXTERNAL,
};
use testkit::sqs;
use testkit::steps::{ASK, policies};

const ADMIN: &str = "create admin-bot use:cli ttl:7d migrating";
const SINCE: &str = "you became an approver after this request was submitted";

fn invite(keyvend: &Deployed, person: &str) {
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.insert(person.to_owned());
    });
}

fn remove(keyvend: &Deployed, person: &str) {
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.remove(person);
    });
}

/// The tag that says who owns an IAM user.
async fn owned_by(keyvend: &Deployed, user: &str, owners: &str) {
    let tag = Tag::builder().key("keyvend:owners").value(owners).build().unwrap();
    aws::iam(&keyvend.world.net, HOME).tag_user().user_name(user).tags(tag).send().await.unwrap();
}

async fn attach(keyvend: &Deployed, user: &str, policy: &str) {
    let arn = format!("arn:aws:iam::aws:policy/{policy}");
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.attach_user_policy().user_name(user).policy_arn(arn).send().await.unwrap();
}

// T2.5
#[tokio::test]
async fn approver_cannot_invite_second_approver() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    invite(&keyvend, MALLORY_OUTSIDER);
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Approve").await;
    let told = keyvend.told(MALLORY_OUTSIDER);
    assert!(told.contains(SINCE) && told.contains("<@U0CAROL>, <@U0DAVE>. "), "{told}");
    assert!(!told.contains("<@U0BOB>"), "bob has approved it already: {told}");
    assert!(told.contains("<@U0ALICE> can also cancel it and submit it again"), "{told}");
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
    assert_eq!(keyvend.events().await, ["request.created", "review.approved", "review.rejected"]);
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Details").await;
    let details = keyvend.view(MALLORY_OUTSIDER).reading();
    assert!(details.contains("*Who may approve*\n<@U0BOB>, <@U0CAROL>, <@U0DAVE>\n"), "{details}");
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");

    // A new request takes the approvers of its own time.
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}

#[tokio::test]
async fn a_newer_approver_can_still_deny() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    invite(&keyvend, MALLORY_OUTSIDER);
    keyvend.denies(MALLORY_OUTSIDER, &card, "not wanted").await;
    assert_eq!(keyvend.stands().await, "DENIED");
}

// T2.5
#[tokio::test]
async fn approver_snapshot_survives_redraw_and_return_to_pending() {
    // Neither a redrawn card nor a return to PENDING renews the list of those who can approve.
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    invite(&keyvend, MALLORY_OUTSIDER);
    attach(&keyvend, "ci-deployer", "ReadOnlyAccess").await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert_eq!(keyvend.events().await, ["request.created", "review.facts_changed"]);
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Approve").await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains(SINCE), "{}", keyvend.told(MALLORY_OUTSIDER));
    assert_eq!(keyvend.stands().await, "PENDING");

    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    remove(&keyvend, BOB_APPROVER);
    keyvend.claims(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "PENDING", "bob is no approver any more");
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Approve").await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains(SINCE), "{}", keyvend.told(MALLORY_OUTSIDER));
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.nothing_was_created().await;
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}

// T2.5
#[tokio::test]
async fn too_few_original_approvers_requires_new_request() {
    // If too few of the approvers at creation are left, the requester is told to submit the request again.
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ADMIN).await;
    for person in [CAROL_APPROVER, DAVE_APPROVER] {
        remove(&keyvend, person);
    }
    invite(&keyvend, MALLORY_OUTSIDER);
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("It still needs 1 approval. Too few people who were approvers"), "{told}");
    assert!(told.contains("cancel this request and submit it again"), "{told}");
    keyvend.presses(MALLORY_OUTSIDER, &keyvend.card(), "Approve").await;
    let told = keyvend.told(MALLORY_OUTSIDER);
    assert!(told.contains(SINCE) && !told.contains("Ask somebody who was"), "nobody is left: {told}");
}

// T2.5
#[tokio::test]
async fn too_many_approvers_are_refused() {
    // More approvers than a request can record are an error.
    let keyvend = Deployed::new().await;
    let slack = keyvend.world.net.slack();
    let many = |count: usize| {
        slack.channel(APPROVALS, |channel| {
            channel.members.extend((channel.members.len()..count).map(|n| format!("U1{n:09}")));
        });
    };
    many(1_000);
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.stands().await, "PENDING");
    assert_eq!(keyvend.request().await["eligible_approvers"].as_array().unwrap().len(), 1_000);
    many(1_001);
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, ASK).await;
    assert!(keyvend.told(ALICE_OWNER).contains("more than 1000 approvers"), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
}

// T2.7
#[tokio::test]
async fn key_holder_cannot_approve_change_of_key() {
    // The holder of a key approves no extension, reactivation or replacement of it, whoever requests that.
    for change in ["extend", "activate", "rotate"] {
        let keyvend = Deployed::new().await;
        let key = had(&keyvend).await;
        owned_by(&keyvend, "ci-deployer", &format!("{ALICE_OWNER} {MALLORY_OUTSIDER}")).await;
        invite(&keyvend, ALICE_OWNER);
        after(&keyvend, 10 * DAY).await;
        if change == "activate" {
            typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
        }
        typed(&keyvend, MALLORY_OUTSIDER, &format!("{change} {}", key.id)).await;
        let card = waiting(&keyvend);
        let eligible = keyvend.request().await["eligible_approvers"].clone();
        assert!(!eligible.as_array().unwrap().iter().any(|user| user == ALICE_OWNER), "{change}: {eligible}");
        keyvend.presses(ALICE_OWNER, &card, "Approve").await;
        let told = keyvend.told(ALICE_OWNER);
        assert!(told.contains("You hold this key, so you cannot approve a change to it"), "{change}: {told}");
        assert_eq!(keyvend.stands().await, "PENDING", "{change}");
        assert_eq!(keyvend.approvals().await, Vec::<String>::new(), "{change}");
        keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
        keyvend.deliver_everything().await;
        let stands = keyvend.stands().await;
        assert_eq!(stands, if change == "rotate" { "APPROVED" } else { "COMPLETED" }, "{change}");
    }
}

// T2.5
#[tokio::test]
async fn non_approver_reactivation_counts_as_no_approval() {
    // With a policy that leaves only the keys of people who left to approvers.
    let dir = policies("concerns-of-leavers", |text| {
        let left = "context.key.concerns.contains(Concern::\"owner-left\") }\nunless";
        text.replace("!context.key.concerns.isEmpty() }\nunless", left)
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &dir)]).await;
    let key = had(&keyvend).await;
    owned_by(&keyvend, "ci-deployer", &format!("{ALICE_OWNER} {MALLORY_OUTSIDER}")).await;
    let issued = said(&keyvend, "Report and deactivate");
    keyvend.presses(BOB_APPROVER, &issued, "Report and deactivate").await;
    assert_eq!(item(&keyvend, &key.id).await["state"]["Inactive"]["why"], "reported");
    typed(&keyvend, MALLORY_OUTSIDER, &format!("activate {}", key.id)).await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Inactive");
    assert_eq!(keyvend.stands().await, "PENDING");
    assert!(waiting(&keyvend).reading().contains("0 of 1"), "{}", waiting(&keyvend).reading());
    // Nor by becoming an approver afterwards.
    invite(&keyvend, MALLORY_OUTSIDER);
    keyvend.presses(ALICE_OWNER, &waiting(&keyvend), "Approve").await;
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(CAROL_APPROVER, &waiting(&keyvend), "Approve").await;
    keyvend.deliver_everything().await;
    assert_eq!(status(&keyvend, &key.id), "Active");
}

/// The announcements that the approvers have read.
fn announced(keyvend: &Deployed) -> Vec<String> {
    let said = keyvend.world.net.slack().messages(APPROVALS).into_iter().map(|message| message.reading());
    said.filter(|reading| {
        reading.contains("requests submitted from now on") || reading.contains("cannot approve")
    })
    .collect()
}

async fn happens(keyvend: &Deployed, event: Value) {
    assert_eq!(keyvend.arrive(event).await["statusCode"], 200);
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
}

// T2.6
#[tokio::test]
async fn new_channel_member_is_announced_with_inviter() {
    // Who joins the approvers' channel is announced once, with the person who invited them.
    let keyvend = Deployed::new().await;
    let joined = keyvend.world.joins(MALLORY_OUTSIDER, APPROVALS, Some(BOB_APPROVER));
    happens(&keyvend, joined).await;
    let [told] = announced(&keyvend).try_into().unwrap();
    assert!(
        told.starts_with("<@U0MALLORY> was added to this channel by <@U0BOB>. This makes them an approver."),
        "{told}"
    );
    let trail = keyvend.trail_without_request().await;
    let [entry] = trail.as_slice() else { panic!("{trail:?}") };
    assert_eq!((entry.event.as_str(), entry.actor.as_str()), ("approver.joined", "T0001.U0MALLORY"));
    assert_eq!(
        (&entry.detail["channel"], &entry.detail["inviter"]),
        (&APPROVALS.to_owned(), &BOB_APPROVER.to_owned())
    );
    assert_eq!(keyvend.world.net.slack().told(MALLORY_OUTSIDER).len(), 0, "nobody is written to");

    // Slack sends it again with another signature.
    let body = json!({"type": "member_joined_channel", "user": DAVE_APPROVER, "channel": APPROVALS});
    for _ in 0..3 {
        happens(&keyvend, keyvend.world.event_callback("Ev0DAVE", &body)).await;
    }
    assert_eq!(announced(&keyvend).len(), 2);
    assert!(
        announced(&keyvend)[1].starts_with("<@U0DAVE> joined this channel."),
        "{:?}",
        announced(&keyvend)
    );
    assert_eq!(aws::items(&keyvend.world.net, AUDIT).await.len(), 2);
    // Its own bot, and other channels.
    happens(&keyvend, keyvend.world.joins(BOT, APPROVALS, Some(BOB_APPROVER))).await;
    happens(&keyvend, keyvend.world.joins(ALICE_OWNER, GENERAL, Some(BOB_APPROVER))).await;
    happens(&keyvend, keyvend.world.changes_group(TEAM_GROUP, &[ALICE_OWNER], &[])).await;
    assert_eq!(announced(&keyvend).len(), 2);
    assert_eq!(keyvend.world.net.sqs().dead(sqs::SLACK).len(), 0);
}

// T2.6
#[tokio::test]
async fn failed_announcement_is_retried_and_audited_once() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().fail_next("chat.postMessage", "internal_error");
    happens(&keyvend, keyvend.world.joins(MALLORY_OUTSIDER, APPROVALS, None)).await;
    assert_eq!(announced(&keyvend).len(), 1);
    assert_eq!(keyvend.trail_without_request().await.len(), 1);
    for _ in 0..6 {
        keyvend.world.net.slack().fail_next("chat.postMessage", "internal_error");
    }
    happens(&keyvend, keyvend.world.joins(GUS_GUEST, APPROVALS, None)).await;
    assert_eq!(keyvend.world.net.slack().told(GUS_GUEST).len(), 0, "it is not theirs to hear");
    assert_eq!(keyvend.world.net.sqs().dead(sqs::SLACK).len(), 1);
}

// T2.6
#[tokio::test]
async fn new_approver_is_announced_in_approvals_channel() {
    let approving = "C0OTHER";
    let keyvend = Deployed::with(&[("KEYVEND_APPROVERS", approving)]).await;
    keyvend.world.net.slack().new_channel(approving, true, &[BOB_APPROVER]);
    happens(&keyvend, keyvend.world.joins(MALLORY_OUTSIDER, approving, Some(BOB_APPROVER))).await;
    happens(&keyvend, keyvend.world.joins(ALICE_OWNER, APPROVALS, Some(BOB_APPROVER))).await;
    let [approver, reader] = announced(&keyvend).try_into().unwrap();
    assert!(
        approver.starts_with("<@U0MALLORY> was added to <#C0OTHER> by <@U0BOB>. This makes them"),
        "{approver}"
    );
    assert!(reader.contains("They can read requests here but cannot approve them"), "{reader}");
    let items = aws::items(&keyvend.world.net, AUDIT).await;
    let events: Vec<&str> = items.values().map(|item| item["event"]["S"].as_str().unwrap()).collect();
    assert!(
        events.contains(&"approver.joined") && events.contains(&"approvals_channel.joined"),
        "{events:?}"
    );

    let keyvend = Deployed::with(&[("KEYVEND_APPROVERS", TEAM_GROUP)]).await;
    let event = keyvend.world.changes_group(TEAM_GROUP, &[MALLORY_OUTSIDER, DAVE_APPROVER], &[BOB_APPROVER]);
    happens(&keyvend, event).await;
    happens(&keyvend, keyvend.world.changes_group(TEAM_GROUP, &[], &[BOB_APPROVER])).await;
    happens(&keyvend, keyvend.world.changes_group("S0ELSE", &[MALLORY_OUTSIDER], &[])).await;
    let [told] = announced(&keyvend).try_into().unwrap();
    assert!(
        told.starts_with("Added to the user group `S0TEAM`: <@U0MALLORY>, <@U0DAVE>. This makes them"),
        "{told}"
    );
}

#[tokio::test]
async fn request_that_nobody_can_approve_is_refused() {
    // The requester, the app itself, other bots, guests and deactivated people cannot approve.
    let others = |keyvend: &Deployed, people: &[&str]| {
        let people: BTreeSet<String> = people.iter().chain(&[BOT]).map(|id| (*id).to_owned()).collect();
        keyvend.world.net.slack().channel(APPROVALS, |channel| channel.members = people);
    };
    let ordinary = ASK;
    let cases: [(&[&str], &str, Option<&str>); 8] = [
        (&[], ordinary, Some("needs 1 approval, and nobody in the approvers' channel or group can")),
        (&[ALICE_OWNER], ordinary, Some("nobody in the approvers'")),
        (
            &[ALICE_OWNER, BOTTY, GUS_GUEST, DORA_DELETED, XENA_EXTERNAL],
            ordinary,
            Some("nobody in the approvers'"),
        ),
        (&[ALICE_OWNER, BOB_APPROVER], ordinary, None),
        (&[BOB_APPROVER, BOTTY, GUS_GUEST], ordinary, None),
        (&[ALICE_OWNER, BOB_APPROVER], ADMIN, Some("needs 2 approvals, and only 1 person can give one")),
        (&[BOB_APPROVER, GUS_GUEST, DORA_DELETED], ADMIN, Some("only 1 person can give one")),
        (&[BOB_APPROVER, GUS_GUEST, CAROL_APPROVER], ADMIN, None),
    ];
    for (people, line, refused) in cases {
        let keyvend = Deployed::with(&[("KEYVEND_HELP_CHANNEL", GENERAL)]).await;
        others(&keyvend, people);
        keyvend.types(ALICE_OWNER, line).await;
        let told = keyvend.told(ALICE_OWNER);
        match refused {
            Some(why) => {
                assert!(told.contains(why) && told.contains("Ask in <#C0GENERAL>"), "{people:?}: {told}");
                assert_eq!((keyvend.stands().await.as_str(), keyvend.cards().len()), ("POLICY_DENIED", 0));
            }
            None => assert_eq!((keyvend.stands().await.as_str(), keyvend.cards().len()), ("PENDING", 1)),
        }
    }
}

#[tokio::test]
async fn failed_lookup_of_approver_refuses_nothing() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "users.info" if call.parameters["user"] != ALICE_OWNER => Interfere::FailBefore,
        _ => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

/// Who approves: by default the members of the approvals channel, else a user group or another channel.
#[tokio::test]
async fn approvers_are_members_of_configured_channel_or_group() {
    let board = "C0BOARD";
    for (variable, calls) in [("", "<!channel>"), (TEAM_GROUP, "<!subteam^S0TEAM>"), (board, "<!channel>")] {
        let keyvend = Deployed::with(&[("KEYVEND_APPROVERS", variable)]).await;
        let slack = keyvend.world.net.slack();
        // carol alone is in the group and on the board, and no member of the approvals channel.
        slack.group(TEAM_GROUP, &[CAROL_APPROVER]);
        slack.new_channel(board, true, &[CAROL_APPROVER]);
        slack.channel(APPROVALS, |channel| _ = channel.members.remove(CAROL_APPROVER));
        let card = keyvend.asked().await;
        assert!(card.text.starts_with(calls), "{variable}: {}", card.text);
        let (may, may_not) =
            if variable.is_empty() { (BOB_APPROVER, CAROL_APPROVER) } else { (CAROL_APPROVER, BOB_APPROVER) };
        keyvend.presses(may_not, &card, "Approve").await;
        assert!(keyvend.told(may_not).contains("Only approvers can approve"), "{variable}");
        assert_eq!(keyvend.stands().await, "PENDING", "{variable}");
        keyvend.presses(may, &card, "Approve").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{variable}");
    }
}

// T2.20
#[tokio::test]
async fn every_open_or_shared_channel_is_rejected() {
    let board = "C0BOARD";
    for (named, open) in [("", APPROVALS), (board, APPROVALS), (board, board), (TEAM_GROUP, APPROVALS)] {
        for spoilt in ["public", "shared", "shared outside", "shared in the organisation"] {
            let keyvend = Deployed::with(&[("KEYVEND_APPROVERS", named)]).await;
            let slack = keyvend.world.net.slack();
            slack.group(TEAM_GROUP, &[ALICE_OWNER, BOB_APPROVER]);
            slack.new_channel(board, true, &[BOB_APPROVER]);
            let card = keyvend.asked().await;
            slack.channel(open, |channel| match spoilt {
                "public" => channel.private = false,
                "shared" => channel.shared = true,
                "shared outside" => channel.ext_shared = true,
                _ => channel.org_shared = true,
            });
            keyvend.presses(BOB_APPROVER, &card, "Approve").await;
            keyvend.deliver_everything().await;
            let told = keyvend.told(BOB_APPROVER);
            assert!(told.contains("Nothing was changed"), "{named}, {open} {spoilt}: {told}");
            assert_eq!(keyvend.stands().await, "PENDING", "{named}, {open} {spoilt}");
        }
    }
}
