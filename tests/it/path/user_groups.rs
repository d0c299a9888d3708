//! User groups that nothing but a policy names: looked up for everybody who is judged, and for nobody else.

use std::time::Duration;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, MALLORY_OUTSIDER, TEAM_GROUP,
};
use testkit::steps::{ASK, policies, said_in_public};

const GROUP: &str = "S0NAMED";

/// The shipped policies and one more.
fn with_policy(name: &str, policy: &str) -> String {
    policies(name, |text| text.replace("@id(\"no-bots\")", &format!("{policy}\n\n@id(\"no-bots\")")))
}

async fn deployed(name: &str, policy: &str) -> Deployed {
    let dir = with_policy(name, policy);
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &dir)]).await;
    keyvend.world.net.slack().group(GROUP, &[]);
    keyvend
}

fn look_ups(keyvend: &Deployed) -> usize {
    keyvend.world.net.calls_to("slack", "usergroups.users.list").len()
}

const CONTRACTORS: &str = r#"@id("no-contractors")
@advice("Contractors get no keys: ask your contact here.")
forbid (principal in SlackGroup::"S0NAMED", action in [Action::"request", Action::"issue"], resource);"#;

const SENIORS: &str = r#"@id("seniors-approve")
@advice("Only seniors approve.")
forbid (principal, action == Action::"approve", resource)
unless { principal in SlackGroup::"S0NAMED" };"#;

// T2.3
#[tokio::test]
async fn group_named_only_by_policy_is_loaded() {
    let keyvend = deployed("contractors", CONTRACTORS).await;
    let slack = keyvend.world.net.slack();
    slack.group(GROUP, &[ALICE_OWNER]);
    keyvend.types(ALICE_OWNER, ASK).await;
    assert!(keyvend.told(ALICE_OWNER).contains("Contractors get no keys"), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert_eq!(said_in_public(&keyvend), Vec::<String>::new());

    slack.group(GROUP, &[BOB_APPROVER]);
    keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    let tab = keyvend.linked().await;
    slack.group(GROUP, &[ALICE_OWNER]);
    keyvend.claims(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "POLICY_DENIED", "she became a contractor since");
    assert!(keyvend.direct(ALICE_OWNER).reading().contains("Contractors get no keys"));
    keyvend.nothing_was_created().await;
}

// T2.3
#[tokio::test]
async fn approval_requires_current_policy_group_membership() {
    let keyvend = deployed("seniors", SENIORS).await;
    let slack = keyvend.world.net.slack();
    slack.group(GROUP, &[CAROL_APPROVER, MALLORY_OUTSIDER]);
    let card = keyvend.asked().await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert!(keyvend.told(BOB_APPROVER).contains("Only seniors approve"), "{}", keyvend.told(BOB_APPROVER));
    keyvend.presses(MALLORY_OUTSIDER, &card, "Approve").await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("Only approvers"), "a senior is no approver by that");
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");

    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    slack.group(GROUP, &[DAVE_APPROVER]);
    keyvend.claims(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "PENDING", "carol is no senior any more");
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    keyvend.nothing_was_created().await;
    keyvend.presses(DAVE_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.stands().await, "ISSUED");
}

#[tokio::test]
async fn details_and_freeze_load_policy_groups() {
    let keyvend = deployed("seniors-in-details", SENIORS).await;
    keyvend.world.net.slack().group(GROUP, &[DAVE_APPROVER]);
    let card = keyvend.asked().await;
    keyvend.presses(BOB_APPROVER, &card, "Details").await;
    let shown = keyvend.view(BOB_APPROVER).reading();
    assert!(shown.contains("*Who may approve*\n<@U0DAVE>\n"), "{shown}");

    let policy = SENIORS.replace("approve", "freeze");
    let keyvend = deployed("seniors-freeze", &policy).await;
    keyvend.world.net.slack().group(GROUP, &[DAVE_APPROVER]);
    keyvend.types(BOB_APPROVER, "freeze").await;
    assert!(keyvend.told(BOB_APPROVER).contains("Only seniors freeze"), "{}", keyvend.told(BOB_APPROVER));
    assert!(keyvend.item("freeze").await.is_null());
    keyvend.types(DAVE_APPROVER, "freeze").await;
    assert_eq!(keyvend.item("freeze").await["frozen_by"]["S"], "T0001.U0DAVE");
}

#[tokio::test]
async fn group_owner_who_approves_is_shown_as_owner() {
    let keyvend = deployed(
        "four-eyes",
        r#"@id("owners-do-not-approve")
@advice("You own this IAM user: somebody else has to approve.")
forbid (principal, action == Action::"approve", resource)
when { principal in resource.owner_groups };"#,
    )
    .await;
    keyvend.world.net.slack().group(TEAM_GROUP, &[ALICE_OWNER, BOB_APPROVER]);
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:30d testing").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    assert!(keyvend.told(BOB_APPROVER).contains("You own this IAM user"), "{}", keyvend.told(BOB_APPROVER));
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.world.net.slack().group(TEAM_GROUP, &[ALICE_OWNER, CAROL_APPROVER]);
    keyvend.claims(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "PENDING", "carol owns it by now");
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn only_named_groups_are_loaded_once_per_decision() {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    keyvend.types(BOB_APPROVER, "freeze").await;
    assert_eq!(look_ups(&keyvend), 0, "no policy and no owner tag names a group");

    let keyvend = deployed("counted", CONTRACTORS).await;
    let card = keyvend.asked().await;
    assert_eq!(look_ups(&keyvend), 1, "asking");
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert_eq!(look_ups(&keyvend), 2, "a click, by whomever");
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    assert_eq!(look_ups(&keyvend), 2, "nothing is judged for a link");
    keyvend.reveals(&tab).await;
    assert_eq!(look_ups(&keyvend), 3, "issuing");

    // One that approves, one that owns and one that a policy names may be the same group.
    let dir = with_policy("the-same", &CONTRACTORS.replace(GROUP, TEAM_GROUP));
    let variables = [("KEYVEND_POLICY_DIR", dir.as_str()), ("KEYVEND_APPROVERS", TEAM_GROUP)];
    let keyvend = Deployed::with(&variables).await;
    keyvend.world.net.slack().group(TEAM_GROUP, &[BOB_APPROVER]);
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:30d testing").await;
    assert_eq!(look_ups(&keyvend), 1);
    assert!(keyvend.told(ALICE_OWNER).contains("not an owner"), "{}", keyvend.told(ALICE_OWNER));
}

// T2.3
#[tokio::test]
async fn unreadable_group_is_not_empty() {
    // Of each of these an empty group would make a yes.
    for error in ["fatal_error", "no_such_subteam", "plan_upgrade_required"] {
        let fails = |keyvend: &Deployed| {
            (0..6).for_each(|_| keyvend.world.net.slack().fail_next("usergroups.users.list", error));
        };
        let keyvend = deployed(&format!("failing-{error}"), CONTRACTORS).await;
        fails(&keyvend);
        keyvend.types(ALICE_OWNER, ASK).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.requests().await.len(), 0, "{error}");
        assert!(keyvend.told(ALICE_OWNER).contains("Nothing was changed"), "{error}");

        keyvend.world.clock.advance(std::time::Duration::from_secs(1));
        let card = keyvend.asked().await;
        fails(&keyvend);
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING", "{error}");
        assert!(keyvend.told(BOB_APPROVER).contains("Nothing was changed"), "{error}");

        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
        fails(&keyvend);
        keyvend.claims(&tab).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{error}");
        assert_eq!(keyvend.ticket_stands(&tab).await, "FAILED", "{error}");
        keyvend.nothing_was_created().await;
    }
}

/// IAM users, each of a user group of its own, and each of those with mallory in it.
async fn owned_by_groups(keyvend: &Deployed, count: usize) {
    for number in 0..count {
        let group = format!("S0G{number:03}");
        keyvend.world.net.slack().group(&group, &[MALLORY_OUTSIDER]);
        let iam = aws::iam(&keyvend.world.net, HOME);
        let tag = |value: String| {
            aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value(value).build().unwrap()
        };
        let name = format!("team-{number:03}");
        let owners = if number % 2 == 0 { group } else { format!("S0G000 {group}") };
        iam.create_user().user_name(&name).tags(tag(owners)).send().await.unwrap();
    }
}

async fn daily(keyvend: &Deployed) {
    keyvend.world.clock.advance(Duration::from_secs(25 * 3_600));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
}

async fn owned(keyvend: &Deployed) -> usize {
    let item = keyvend.item(&format!("owned#{MALLORY_OUTSIDER}")).await;
    item["owned"]["M"].as_object().map_or(0, serde_json::Map::len)
}

#[tokio::test]
async fn daily_reading_reads_every_group_once() {
    // More groups than Slack answers about in a minute, on several pages of IAM users.
    let keyvend = Deployed::new().await;
    owned_by_groups(&keyvend, 60).await;
    keyvend.world.net.forget();
    daily(&keyvend).await;
    assert_eq!(owned(&keyvend).await, 60);
    let mut asked: Vec<String> = keyvend
        .world
        .net
        .calls_to("slack", "usergroups.users.list")
        .iter()
        .map(|call| call.parameters["usergroup"].as_str().unwrap().to_owned())
        .collect();
    let calls = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!((calls, asked.len()), (61, 61), "those and the one of group-owned, each once");
    let state = keyvend.item("ownership-refresh").await;
    assert_eq!(state["completed"], state["begun"]);
}

#[tokio::test]
async fn rate_limited_group_leaves_reading_incomplete() {
    let keyvend = Deployed::new().await;
    owned_by_groups(&keyvend, 30).await;
    daily(&keyvend).await;
    let complete = keyvend.item("ownership-refresh").await["completed"].clone();
    assert_eq!(owned(&keyvend).await, 30);
    // A limit that lasts for the whole of the next reading.
    let mut answered = 0;
    keyvend.world.net.before(move |call| {
        if call.operation != "usergroups.users.list" {
            return Interfere::Pass;
        }
        answered += 1;
        if answered > 12 { Interfere::Status(429, String::new()) } else { Interfere::Pass }
    });
    daily(&keyvend).await;
    let state = keyvend.item("ownership-refresh").await;
    assert_eq!(state["completed"], complete, "it was not complete");
    assert_ne!(state["begun"], complete);
    keyvend.types(MALLORY_OUTSIDER, "").await;
    let offered = keyvend.view(MALLORY_OUTSIDER).view.to_string();
    assert!(
        (0..30).all(|number| offered.contains(&format!("team-{number:03}"))),
        "all are offered: {offered}"
    );
    // A limit of a moment only takes time.
    keyvend.world.net.undisturbed();
    for _ in 0..3 {
        keyvend.world.net.slack().rate_limit_next("usergroups.users.list", 30);
    }
    daily(&keyvend).await;
    let state = keyvend.item("ownership-refresh").await;
    assert_eq!(state["completed"], state["begun"]);
    assert_eq!(owned(&keyvend).await, 30);
}

#[tokio::test]
async fn deleted_group_does_not_keep_reading_incomplete() {
    let keyvend = Deployed::new().await;
    aws::user(
        &keyvend.world.net,
        HOME,
        "of-nobody",
        Some("S0GONE"),
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
    )
    .await;
    daily(&keyvend).await;
    let state = keyvend.item("ownership-refresh").await;
    assert_eq!(state["completed"], state["begun"]);
}
