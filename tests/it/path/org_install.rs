//! An app that is installed for a whole organisation: what Slack sends names no workspace, its people may be of several,
//! and its token is of none.

use testkit::deployed::Deployed;
use testkit::slack::{
    ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, SECOND_TEAM, TEAM, TEAM_GROUP,
};
use testkit::steps::ASK;

/// Installed so; everybody is in our workspace, and some in another too.
async fn installed(variables: &[(&str, &str)]) -> Deployed {
    let keyvend = Deployed::with(variables).await;
    let slack = keyvend.world.net.slack();
    slack.install_org_wide();
    for person in [ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER] {
        slack.person(person, |who| who.teams = Some(vec![TEAM.to_owned(), SECOND_TEAM.to_owned()]));
    }
    keyvend
}

#[tokio::test]
async fn enterprise_request_without_workspace_completes() {
    let keyvend = installed(&[]).await;
    keyvend.types(ALICE_OWNER, "").await;
    let form = keyvend.view(ALICE_OWNER);
    let filled =
        [("other", "ci-deployer"), ("use-case", "cli"), ("lifetime", "30d"), ("reason", "laptop tooling")];
    keyvend.submits(&form, &filled).await;
    assert_eq!(keyvend.request().await["details"]["requester"], "T0001.U0ALICE");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Details").await;
    assert!(keyvend.view(BOB_APPROVER).reading().contains("<@U0BOB>, <@U0CAROL>, <@U0DAVE>"));
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.stands().await, "ISSUED");
    keyvend.presses(ALICE_OWNER, &keyvend.direct(ALICE_OWNER), "This wasn't me").await;
    assert!(keyvend.told(ALICE_OWNER).contains("is deactivated"), "{}", keyvend.told(ALICE_OWNER));

    let keyvend = installed(&[]).await;
    let card = keyvend.asked().await;
    keyvend.denies(CAROL_APPROVER, &card, "not wanted").await;
    assert_eq!(keyvend.stands().await, "DENIED");
}

#[tokio::test]
async fn user_groups_are_read_from_first_workspace() {
    let keyvend =
        installed(&[("KEYVEND_APPROVERS", "S0SENIOR"), ("KEYVEND_SLACK_TEAM_IDS", "T0001,T0002")]).await;
    keyvend.world.net.slack().group("S0SENIOR", &[DAVE_APPROVER]);
    keyvend.world.net.slack().group(TEAM_GROUP, &[ALICE_OWNER]);
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:30d testing").await;
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(DAVE_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    let asked = keyvend.world.net.calls_to("slack", "usergroups.users.list");
    assert!(!asked.is_empty() && asked.iter().all(|call| call.parameters["team_id"] == TEAM));
}

// T2.13
#[tokio::test]
async fn organization_user_outside_workspace_is_external() {
    let keyvend = installed(&[]).await;
    keyvend.world.net.slack().person(ALICE_OWNER, |alice| {
        alice.team = SECOND_TEAM.to_owned();
        alice.teams = Some(vec![SECOND_TEAM.to_owned()]);
    });
    // A channel that both workspaces share.
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert!(keyvend.told(ALICE_OWNER).contains("another workspace"), "{}", keyvend.told(ALICE_OWNER));
}

#[tokio::test]
async fn approver_of_two_workspaces_counts_once() {
    let keyvend = installed(&[("KEYVEND_SLACK_TEAM_IDS", "T0001,T0002")]).await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.world.net.slack().person(BOB_APPROVER, |bob| bob.team = SECOND_TEAM.to_owned());
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    assert!(keyvend.told(BOB_APPROVER).contains("another person has to"), "{}", keyvend.told(BOB_APPROVER));
    assert_eq!(keyvend.stands().await, "PENDING", "one person is one approval");
    assert!(keyvend.card().reading().contains("1 of 2"), "{}", keyvend.card().reading());
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}

// T1.4
#[tokio::test]
async fn press_from_foreign_workspace_is_rejected() {
    let keyvend = installed(&[]).await;
    let card = keyvend.asked().await;
    keyvend.world.net.slack().person(BOB_APPROVER, |bob| bob.team = SECOND_TEAM.to_owned());
    let answer = keyvend.arrive(keyvend.world.press(BOB_APPROVER, &card, "Approve")).await;
    assert_eq!(answer["statusCode"], 403);
    assert_eq!(keyvend.stands().await, "PENDING");
}

// T2.19
#[tokio::test]
async fn daily_count_spans_workspaces() {
    let keyvend = installed(&[("KEYVEND_SLACK_TEAM_IDS", "T0001,T0002")]).await;
    keyvend.confirmed().await;
    assert_eq!(keyvend.counted().await, "1");
    let items = testkit::aws::items(&keyvend.world.net, testkit::aws::REQUESTS).await;
    let counted: Vec<&String> = items.keys().filter(|pk| pk.starts_with("issued#")).collect();
    assert_eq!(counted, [&format!("issued#{ALICE_OWNER}#{}", keyvend.world.clock.now().day())]);
}
