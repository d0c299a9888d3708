//! Asking: who gets a request on its way, and who is told why not and what to do next.

use std::time::Duration;

use serde_json::json;

use super::slack_errors::CHANNEL_SPOILT;
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, BOTTY, DORA_DELETED, GUS_GUEST, MALLORY_OUTSIDER, TEAM, TEAM_GROUP,
    XENA_EXTERNAL,
};
use testkit::steps::{ASK, failed, policies, said_in_public, stable};

/// Asks and is refused: in the words given, on the record, and seen by nobody else.
async fn is_refused(keyvend: &Deployed, person: &str, command: &str, says: &[&str]) {
    let before = keyvend.world.net.iam().all_keys().len();
    keyvend.types(person, command).await;
    let told = keyvend.told(person);
    for part in says {
        assert!(told.contains(part), "{person} {command}: {told}");
    }
    assert_eq!(keyvend.world.net.slack().told(person).len(), 1, "{command}");
    assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{command}");
    assert_eq!(keyvend.events().await, ["request.created", "request.policy_denied"], "{command}");
    assert_eq!(said_in_public(keyvend), Vec::<String>::new(), "{command}");
    assert_eq!(keyvend.world.net.iam().all_keys().len(), before, "{command}");
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn refusal_says_what_to_do_next() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "create nobody use:cli ttl:30d testing",
            &["no IAM user `nobody` in `home`", "Check the name", "Ask in <#C0GENERAL>"],
        ),
        (
            "create untagged use:cli ttl:30d testing",
            &["Nobody is recorded as the owner", "`keyvend:owners` = `U0ALICE`", "Ask in <#C0GENERAL>"],
        ),
        (
            "create full use:cli ttl:30d testing",
            &[
                "`AKIAWORLD00000000000` active",
                "`AKIAWORLD00000000001` active",
                "AWS allows only two",
                "submit a new request",
            ],
        ),
        (
            "create ci-deployer use:cli ttl:120d testing",
            &["longest lifetime is 90 days", "`ttl:90d` or less"],
        ),
        ("create ci-deployer use:aws-compute ttl:30d testing", &["an IAM role, not a key", "attach a role"]),
        ("create quarantined-bot use:cli ttl:30d testing", &["quarantined", "delete that key"]),
        (
            "create quarantined-bot use:aws-compute ttl:30d testing",
            &["quarantined this IAM user", "an IAM role, not a key"],
        ),
        ("create ci-deployer@sandbox use:cli ttl:91d testing", &["longest lifetime is 90 days"]),
    ];
    for (command, says) in cases {
        is_refused(&Deployed::new().await, ALICE_OWNER, command, says).await;
    }
}

// T2.9
#[tokio::test]
async fn only_owning_full_members_can_request() {
    let cases: [(&str, &[&str]); 5] = [
        (MALLORY_OUTSIDER, &["not an owner of this IAM user", "ask a person named in its tag"]),
        (BOB_APPROVER, &["not an owner of this IAM user"]),
        (GUS_GUEST, &["Guests of this workspace", "ask a full member"]),
        (DORA_DELETED, &["deactivated", "another owner of the IAM user has to submit the request"]),
        (
            BOTTY,
            &["Bots and apps cannot use this", "a person who owns the IAM user has to submit the request"],
        ),
    ];
    for (person, says) in cases {
        is_refused(&Deployed::new().await, person, ASK, says).await;
    }
}

// T2.13
#[tokio::test]
async fn owner_who_is_not_full_member_is_refused() {
    // A guest, an external user, a bot and a deactivated account are refused, though they own the IAM user.
    let keyvend = Deployed::new().await;
    let slack = keyvend.world.net.slack();
    let spoil: [(&str, &dyn Fn()); 5] = [
        ("Guests", &|| slack.person(ALICE_OWNER, |alice| alice.restricted = true)),
        ("Guests", &|| slack.person(ALICE_OWNER, |alice| alice.ultra_restricted = true)),
        ("another workspace", &|| slack.person(ALICE_OWNER, |alice| alice.stranger = true)),
        ("Bots", &|| slack.person(ALICE_OWNER, |alice| alice.bot = true)),
        ("deactivated", &|| slack.person(ALICE_OWNER, |alice| alice.deleted = true)),
    ];
    let alice = slack.who(ALICE_OWNER);
    for (part, spoil) in spoil {
        slack.person(ALICE_OWNER, |now| *now = alice.clone());
        spoil();
        keyvend.types(ALICE_OWNER, ASK).await;
        let told = keyvend.told(ALICE_OWNER);
        assert!(told.contains(part) && !told.contains("not an owner"), "{told}");
        keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    }
    let stands: Vec<_> = keyvend.requests().await.iter().map(|r| r["stands"].clone()).collect();
    assert_eq!(
        stands,
        [
            json!("POLICY_DENIED"),
            json!("POLICY_DENIED"),
            json!("POLICY_DENIED"),
            json!("POLICY_DENIED"),
            json!("POLICY_DENIED")
        ]
    );
    keyvend.nothing_was_created().await;
}

// T1.4
#[tokio::test]
async fn another_workspace_is_turned_away_at_the_door() {
    let keyvend = Deployed::new().await;
    let answer = keyvend.arrive(keyvend.world.slash_command(XENA_EXTERNAL, ASK)).await;
    assert_eq!(answer["statusCode"], 403);
    assert_eq!(keyvend.deliver().await, 0);
    // Through a channel that is shared with us Slack may name our own workspace; the person stays a stranger.
    keyvend.world.net.slack().person(XENA_EXTERNAL, |xena| xena.team = TEAM.to_owned());
    is_refused(&keyvend, XENA_EXTERNAL, ASK, &["another workspace"]).await;
}

// T5.1
#[tokio::test]
async fn unknown_account_is_refused_and_audited() {
    // The refusal names the configured accounts.
    let keyvend = Deployed::new().await;
    let ask = "create ci-deployer@nowhere use:cli ttl:30d testing";
    let event = keyvend.pressed(keyvend.world.slash_command(ALICE_OWNER, ask)).await;
    for _ in 0..2 {
        assert!(!failed(&keyvend.work(event.clone()).await));
        let told = keyvend.told(ALICE_OWNER);
        assert!(told.contains("`@nowhere`") && told.contains("`@home`, `@sandbox`"), "{told}");
    }
    assert_eq!(keyvend.requests().await.len(), 0);
    let trail = keyvend.trail_without_request().await;
    let lines: Vec<String> = trail
        .iter()
        .map(|entry| {
            let said: Vec<String> =
                entry.detail.iter().map(|(name, what)| format!("{name}={what}")).collect();
            format!("{} by {}: {}", entry.event, entry.actor, said.join(", "))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    request.created by T0001.U0ALICE: alias=nowhere, days=30, reason=testing, use_case=cli, user=ci-deployer
    request.policy_denied by keyvend: by=KEYVEND_ACCOUNTS
    ");
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn unknown_account_is_audited_before_reply() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "ExecuteStatement" => Interfere::refused_json("AccessDeniedException"),
        _ => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, "create ci-deployer@nowhere use:cli ttl:30d testing").await;
    keyvend.deliver_everything().await;
    assert!(keyvend.told(ALICE_OWNER).contains("Nothing was changed"), "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.times_told(ALICE_OWNER, "`@nowhere`"), 0);
}

// T2.4
#[tokio::test]
async fn refusal_names_exceeded_configuration_limit() {
    for (variable, value, says) in [
        ("KEYVEND_MAX_KEY_DAYS", "29", "longest lifetime is 29 days"),
        ("KEYVEND_IAM_PATH", "/keyvend/", "is not under `/keyvend/`"),
    ] {
        let keyvend = Deployed::with(&[(variable, value)]).await;
        is_refused(&keyvend, ALICE_OWNER, ASK, &[says]).await;
        assert_eq!(keyvend.last_detail("by").await, variable);
    }
}

// T2.20
#[tokio::test]
async fn unusable_approvals_channel_refuses_request_at_once() {
    for (name, spoil) in CHANNEL_SPOILT {
        let keyvend = Deployed::new().await;
        keyvend.world.net.slack().channel(APPROVALS, spoil);
        keyvend.types(ALICE_OWNER, ASK).await;
        let told = keyvend.told(ALICE_OWNER);
        let parts = ["Approvals are unavailable", "Nothing was changed", "Ask in <#C0GENERAL>"];
        assert!(parts.iter().all(|part| told.contains(part)), "{name}: {told}");
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{name}");
        assert_eq!(keyvend.events().await, ["request.created", "request.policy_denied"], "{name}");
        assert_eq!(keyvend.last_detail("by").await, "KEYVEND_APPROVALS_CHANNEL", "{name}");
        assert_eq!(keyvend.deliver_everything().await, 0, "{name}: nothing is tried again");
    }
}

// T2.2
#[tokio::test]
async fn failed_lookup_never_permits_request() {
    // A lookup that fails is an error and never a permission.
    let lookups = [
        ("users.info", "fatal_error"),
        ("conversations.members", "fatal_error"),
        ("conversations.info", "missing_scope"),
    ];
    for (method, error) in lookups {
        let keyvend = Deployed::new().await;
        for _ in 0..6 {
            keyvend.world.net.slack().fail_next(method, error);
        }
        keyvend.types(ALICE_OWNER, ASK).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.requests().await.len(), 0, "{method}");
        assert!(keyvend.told(ALICE_OWNER).contains("Nothing was changed"), "{method}");
        assert_eq!(said_in_public(&keyvend), Vec::<String>::new(), "{method}");
    }
}

// T2.20
#[tokio::test]
async fn public_or_shared_approvals_channel_approves_nothing() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    keyvend.world.net.slack().channel(&card.channel, |channel| channel.ext_shared = true);
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    keyvend.deliver_everything().await;
    assert!(keyvend.told(BOB_APPROVER).contains("Nothing was changed"), "{}", keyvend.told(BOB_APPROVER));
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.nothing_was_created().await;
}

// T2.19
#[tokio::test]
async fn sixth_key_of_a_day_is_refused() {
    // The count starts again on the next day.
    let keyvend = Deployed::new().await;
    let narrow = format!("arn:aws:iam::{HOME}:policy/upload-artifacts");
    for number in 1..=6 {
        let robot = format!("robot-{number}");
        aws::user(&keyvend.world.net, HOME, &robot, Some(ALICE_OWNER), &narrow).await;
    }
    for number in 1..=5 {
        keyvend.types(ALICE_OWNER, &format!("create robot-{number} use:cli ttl:30d testing")).await;
        keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
        let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
        let tab = keyvend.collects(&ready).await;
        keyvend.reveals(&tab).await;
    }
    assert_eq!(keyvend.counted().await, "5");
    let sixth = "create robot-6 use:cli ttl:30d testing";
    keyvend.types(ALICE_OWNER, sixth).await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("received 5 keys today") && told.contains("try again tomorrow"), "{told}");
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert_eq!(keyvend.events().await, ["request.created", "request.policy_denied"]);
    assert_eq!(keyvend.creates(), 5);
    keyvend.world.clock.advance(std::time::Duration::from_secs(86_400));
    keyvend.types(ALICE_OWNER, sixth).await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

#[tokio::test]
async fn a_user_group_may_own_an_iam_user() {
    let ask = "create group-owned use:cli ttl:30d testing";
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ask).await;
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.stands().await, "ISSUED");

    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().group(TEAM_GROUP, &[BOB_APPROVER]);
    is_refused(&keyvend, ALICE_OWNER, ask, &["not an owner of this IAM user"]).await;
}

#[tokio::test]
async fn request_without_required_approval_is_collectable_at_once() {
    let no_approvals = policies("no-approval", |text| {
        text.replace("context.approvals >= 1", "context.approvals >= 0")
            .replace("context.approvals >= 2", "context.approvals >= 0")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &no_approvals)]).await;
    keyvend.types(ALICE_OWNER, ASK).await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(ready.reading().contains("No approval needed"), "{}", ready.reading());
    assert_eq!(said_in_public(&keyvend), Vec::<String>::new());
    keyvend.nothing_was_created().await;
    let tab = keyvend.collects(&ready).await;
    keyvend.reveals(&tab).await;
    assert_eq!(
        keyvend.events().await,
        [
            "request.created",
            "link.issued",
            "link.claimed",
            "issue.started",
            "issue.key_created",
            "issue.completed"
        ]
    );
}

#[tokio::test]
async fn what_nobody_could_approve_is_refused_at_once() {
    let never = policies("never", |text| text.replace("context.approvals >= 1", "context.approvals >= 9"));
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &never)]).await;
    is_refused(&keyvend, ALICE_OWNER, ASK, &["This needs an approval"]).await;
}

// T2.18
#[tokio::test]
async fn invalid_policies_refuse_every_request() {
    // Every request gets the same one sentence.
    let broken = policies("broken", |text| text.replace("@id(\"may-issue\")", "@id(\"may-issue\") permitt"));
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    let keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &broken)]);
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    insta::assert_snapshot!(keyvend.told(BOB_APPROVER), @"keyvend's policies are invalid, so nothing can be requested or approved. The keyvend administrators have been alerted; try again later.");
    let sentence = keyvend.told(BOB_APPROVER);
    assert_eq!(keyvend.stands().await, "PENDING");

    let keyvend = keyvend.redeployed(&[]);
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &broken)]);
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    assert_eq!(keyvend.told(ALICE_OWNER), sentence);
    assert_eq!(keyvend.stands().await, "APPROVED");

    keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    is_refused_among_others(&keyvend, &sentence).await;
    keyvend.nothing_was_created().await;
}

async fn is_refused_among_others(keyvend: &Deployed, sentence: &str) {
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.told(ALICE_OWNER), sentence);
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert_eq!(keyvend.events().await, ["request.created", "request.policy_denied"]);
}

// T1.5
#[tokio::test]
async fn redelivered_command_is_one_request_and_card() {
    let keyvend = Deployed::new().await;
    let event = keyvend.pressed(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
    keyvend.work(event.clone()).await;
    keyvend.work(event).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.requests().await.len(), 1);
    assert_eq!(said_in_public(&keyvend).len(), 1);
    assert_eq!(keyvend.events().await, ["request.created"]);
}

/// Every mrkdwn object that is sent is verbatim: the stand-in for Slack takes no other.
// T5.3
#[tokio::test]
async fn reason_like_mention_or_link_is_shown_literally() {
    let keyvend = Deployed::new().await;
    let reason = "@channel see #general and https://evil.test/sign-in";
    keyvend.types(ALICE_OWNER, &format!("create ci-deployer use:cli ttl:30d {reason}")).await;
    let card = keyvend.card();
    assert!(card.reading().contains(reason), "{}", stable(&card.reading()));
    let blocks = card.blocks.to_string();
    assert_eq!(
        blocks.matches(r#""mrkdwn""#).count(),
        blocks.matches(r#""verbatim":true"#).count(),
        "{blocks}"
    );
    let posted = keyvend.world.net.calls_to("slack", "chat.postMessage");
    assert!(!posted.is_empty());
    for call in posted {
        assert_eq!(
            (&call.parameters["parse"], &call.parameters["link_names"]),
            (&json!("none"), &json!(false))
        );
    }
}

// T5.3
#[tokio::test]
async fn a_reason_calls_nobody_and_links_nowhere() {
    for (typed, shown) in [
        ("&lt;!channel&gt; now", "> &lt;!channel&gt; now\n"),
        ("<!channel> now", "> !channel now\n"),
        ("see <https://evil.test|the ticket>", "> see the ticket\n"),
    ] {
        let keyvend = Deployed::new().await;
        keyvend.types(ALICE_OWNER, &format!("create ci-deployer use:cli ttl:30d {typed}")).await;
        let reading = keyvend.card().reading();
        assert!(reading.contains(shown), "{typed}: {}", stable(&reading));
    }
}

#[tokio::test]
async fn same_line_twice_is_one_request() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.world.clock.advance(Duration::from_secs(90));
    for line in [ASK, "create CI-DEPLOYER@home  --use=local_code --ttl 30 laptop  tooling"] {
        keyvend.types(ALICE_OWNER, line).await;
        let again = keyvend.world.net.slack().last_told(ALICE_OWNER);
        assert!(again.text.contains("no second request was created"), "{}", again.text);
        assert!(again.text.contains("is pending approval: 0 of 1"), "{}", again.text);
        assert!(again.buttons().is_empty(), "they are in a direct message");
        let first = keyvend.world.net.slack().told(ALICE_OWNER).remove(0);
        assert_eq!(keyvend.direct(ALICE_OWNER).button("Cancel").value, first.button("Cancel").value);
    }
    assert_eq!((keyvend.requests().await.len(), keyvend.cards().len()), (1, 1));
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.types(ALICE_OWNER, ASK).await;
    let again = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(again.text.contains("is approved"), "{}", again.text);
    keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    // Something else is another request, and so is the same once the first one ended.
    keyvend.types(ALICE_OWNER, &format!("{ASK} in the office")).await;
    assert_eq!(keyvend.requests().await.len(), 2);
    keyvend.types(ALICE_OWNER, "cancel").await;
    keyvend.world.clock.advance(Duration::from_secs(4 * 86_400));
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.requests().await.len(), 3);
}

#[tokio::test]
async fn account_in_reason_is_asked_about() {
    let keyvend = Deployed::new().await;
    for line in [
        "create ci-deployer in sandbox use:cli ttl:7d why",
        "create ci-deployer sandbox: use:cli ttl:7d why",
        "create ci-deployer use:cli ttl:7d for account Sandbox, why",
    ] {
        let before = keyvend.world.net.slack().told(ALICE_OWNER).len();
        keyvend.types(ALICE_OWNER, line).await;
        let asked = keyvend.world.net.slack().last_told(ALICE_OWNER);
        assert_eq!(keyvend.world.net.slack().told(ALICE_OWNER).len(), before + 1, "{line}");
        assert!(asked.text.contains("`ci-deployer@sandbox` or `ci-deployer@home`"), "{}", asked.text);
        keyvend.presses(ALICE_OWNER, &asked, "Open the form").await;
    }
    assert_eq!(keyvend.requests().await.len(), 0);
    for line in [
        "create ci-deployer@home use:cli ttl:7d sandbox deployments need it",
        "create ci-deployer use:cli ttl:7d deploys in sandbox",
        "create ci-deployer in home use:cli ttl:7d why",
    ] {
        keyvend.types(ALICE_OWNER, line).await;
    }
    assert_eq!(keyvend.requests().await.len(), 3);
}

#[tokio::test]
async fn mistyped_own_user_is_suggested() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "").await;
    keyvend.deliver_everything().await;
    for (typed, near) in
        [("ci-deployr", Some("ci-deployer")), ("CI_Deployer", Some("ci-deployer")), ("unheard-of", None)]
    {
        keyvend.world.clock.advance(Duration::from_secs(1));
        keyvend.types(ALICE_OWNER, &format!("create {typed} use:cli ttl:7d why")).await;
        let told = keyvend.world.net.slack().last_told(ALICE_OWNER).text;
        assert!(told.contains(&format!("There is no IAM user `{typed}`")), "{told}");
        assert_eq!(told.contains("Did you mean `ci-deployer`"), near.is_some(), "{told}");
    }
    // Nobody learns of an IAM user that is not theirs.
    keyvend.types(MALLORY_OUTSIDER, "create ci-deployr use:cli ttl:7d why").await;
    let told = keyvend.told(MALLORY_OUTSIDER);
    assert!(!told.contains("Did you mean"), "{told}");
}
