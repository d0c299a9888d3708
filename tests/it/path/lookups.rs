//! Looking up: what cannot be read is a no, everybody who counts is found, and the card says what
//! was found.

use std::collections::BTreeSet;

use keyvend::domain::iam::Account;
use keyvend::store::leases;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER, Message,
};
use testkit::steps::{ASK, policies, said_in_public, text};

const ADMIN: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const NARROW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const BOUNDARY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

fn arn(policy: &str) -> String {
    format!("arn:aws:iam::aws:policy/{policy}")
}

/// Where a policy is that counts for `ci-deployer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Attached,
    Inline,
    OfGroup,
    InlineOfGroup,
}

/// Gives `ci-deployer` a policy: AWS's of that name, or one with this document.
async fn holds(keyvend: &Deployed, place: Place, policy: &str, document: &str) {
    let iam = aws::iam(&keyvend.world.net, HOME);
    if matches!(place, Place::OfGroup | Place::InlineOfGroup) {
        iam.create_group().group_name("builders").send().await.unwrap();
        iam.add_user_to_group().group_name("builders").user_name("ci-deployer").send().await.unwrap();
    }
    match place {
        Place::Attached => {
            let attach = iam.attach_user_policy().user_name("ci-deployer").policy_arn(arn(policy));
            attach.send().await.map(drop).unwrap();
        }
        Place::Inline => {
            let put = iam.put_user_policy().user_name("ci-deployer").policy_name(policy);
            put.policy_document(document).send().await.map(drop).unwrap();
        }
        Place::OfGroup => {
            let attach = iam.attach_group_policy().group_name("builders").policy_arn(arn(policy));
            attach.send().await.map(drop).unwrap();
        }
        Place::InlineOfGroup => {
            let put = iam.put_group_policy().group_name("builders").policy_name(policy);
            put.policy_document(document).send().await.map(drop).unwrap();
        }
    }
}

async fn bounded(keyvend: &Deployed) {
    let iam = aws::iam(&keyvend.world.net, HOME);
    let put = iam.put_user_permissions_boundary().user_name("ci-deployer").permissions_boundary(BOUNDARY);
    put.send().await.unwrap();
}

// T2.2
#[tokio::test]
async fn unreadable_iam_fact_is_error_not_empty() {
    let calls = [
        "AssumeRole",
        "GetUser",
        "ListAccessKeys",
        "ListGroupsForUser",
        "ListAttachedUserPolicies",
        "ListUserPolicies",
        "GetUserPolicy",
        "ListAttachedGroupPolicies",
        "ListGroupPolicies",
        "GetGroupPolicy",
        "ListPolicies",
        "GetPolicy",
        "GetPolicyVersion",
    ];
    let with_everything = async || {
        let keyvend = Deployed::new().await;
        let iam = aws::iam(&keyvend.world.net, HOME);
        // One that nobody holds: IAM lists no version of it.
        let bound = iam.put_user_permissions_boundary().user_name("ci-deployer");
        bound.permissions_boundary(arn("AmazonS3ReadOnlyAccess")).send().await.unwrap();
        holds(&keyvend, Place::Inline, "own", NARROW).await;
        holds(&keyvend, Place::InlineOfGroup, "builders-own", NARROW).await;
        let iam = aws::iam(&keyvend.world.net, HOME);
        iam.attach_group_policy().group_name("builders").policy_arn(BOUNDARY).send().await.unwrap();
        iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
        keyvend.world.net.forget();
        keyvend
    };
    let keyvend = with_everything().await;
    let reading = keyvend.asked().await.reading();
    for policy in ["`own (inline)`", "`builders: builders-own (inline)`", "`builders: ReadOnlyAccess`"] {
        assert!(reading.contains(policy), "{reading}");
    }
    let asked = keyvend.world.net.calls().into_iter().filter(|call| ["iam", "sts"].contains(&&*call.service));
    let asked: BTreeSet<String> = asked.map(|call| call.operation).collect();
    // A last use that cannot be read is another matter: see below.
    let refusable = calls.iter().map(|call| (*call).to_owned()).chain(["GetAccessKeyLastUsed".to_owned()]);
    assert_eq!(asked, refusable.collect(), "each of them is tried below");

    for refused in calls {
        let keyvend = with_everything().await;
        keyvend.world.net.before(move |call| match call.operation == refused {
            true => Interfere::refused_xml(403, "AccessDenied"),
            false => Interfere::Pass,
        });
        keyvend.types(ALICE_OWNER, ASK).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.requests().await.len(), 0, "{refused}");
        let told = keyvend.told(ALICE_OWNER);
        assert!(told.contains("Nothing was changed; please try again"), "{refused}: {told}");
        assert_eq!(said_in_public(&keyvend), Vec::<String>::new(), "{refused}");
    }
}

// T2.2
#[tokio::test]
async fn unreadable_non_iam_fact_is_error() {
    // Who is in the user group that owns the IAM user, and how many keys were issued today.
    let keyvend = Deployed::new().await;
    for _ in 0..6 {
        keyvend.world.net.slack().fail_next("usergroups.users.list", "fatal_error");
    }
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:30d testing").await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.requests().await.len(), 0);

    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.parameters.to_string().contains("\"issued#") {
        true => Interfere::refused_json("AccessDeniedException"),
        false => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.requests().await.len(), 0);
    assert!(keyvend.told(ALICE_OWNER).contains("Nothing was changed"));
}

// T8.6
#[tokio::test]
async fn unreadable_last_use_is_unknown() {
    let keyvend = Deployed::new().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "GetAccessKeyLastUsed" => Interfere::refused_xml(403, "AccessDenied"),
        _ => Interfere::Pass,
    });
    let reading = keyvend.asked().await.reading();
    assert!(reading.contains("active, 0 days old, last use unknown"), "{reading}");
}

#[tokio::test]
async fn expired_key_is_shown_and_not_active() {
    // `Expired` is a documented status, if a rare one; a list of it is read like any other.
    let keyvend = Deployed::new().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    keyvend.world.net.iam().set_status(&keyvend.key_ids()[0], "Expired");
    let reading = keyvend.asked().await.reading();
    assert!(reading.contains("expired, 0 days old, never used"), "{reading}");
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    keyvend.types(ALICE_OWNER, "list ci-deployer").await;
    let listed = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(listed.reading().contains("expired, 0 days old"), "{}", listed.reading());
}

#[tokio::test]
async fn lists_of_one_entry_a_page_are_whole() {
    let keyvend = Deployed::new().await;
    for place in [Place::Inline, Place::InlineOfGroup] {
        holds(&keyvend, place, "own", NARROW).await;
    }
    holds(&keyvend, Place::Attached, "AmazonS3ReadOnlyAccess", "").await;
    holds(&keyvend, Place::Attached, "ReadOnlyAccess", "").await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    for _ in 0..2 {
        iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    }
    keyvend.world.net.iam().page(1);
    keyvend.world.net.slack().page(1);
    keyvend.types(ALICE_OWNER, "list ci-deployer").await;
    let listed = keyvend.told(ALICE_OWNER);
    for key in keyvend.key_ids() {
        assert!(listed.contains(&key), "{listed}");
    }
    iam.delete_access_key()
        .user_name("ci-deployer")
        .access_key_id(&keyvend.key_ids()[0])
        .send()
        .await
        .unwrap();
    keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    let reading = keyvend.asked().await.reading();
    for policy in
        ["`own (inline)`", "`builders: own (inline)`", "`AmazonS3ReadOnlyAccess`", "`ReadOnlyAccess`"]
    {
        assert!(reading.contains(policy), "{policy}: {reading}");
    }
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
}

#[tokio::test]
async fn throttled_lookup_is_no_refusal() {
    for call in ["GetUser", "ListAccessKeys", "ListGroupsForUser", "ListPolicies", "ListAttachedUserPolicies"]
    {
        let keyvend = Deployed::new().await;
        keyvend.world.net.once("iam", call, Interfere::refused_xml(400, "Throttling"));
        keyvend.asked().await;
        assert_eq!(keyvend.stands().await, "PENDING", "{call}");
    }
}

#[tokio::test]
async fn list_reads_attached_policies_once_an_account() {
    let keyvend = Deployed::new().await;
    keyvend.world.clock.advance(std::time::Duration::from_secs(60));
    keyvend.types(ALICE_OWNER, "list").await;
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(std::time::Duration::from_secs(60));
    keyvend.world.net.forget();
    keyvend.types(ALICE_OWNER, "list").await;
    assert!(keyvend.world.net.calls_to("iam", "ListAccessKeys").len() > 2, "{}", keyvend.told(ALICE_OWNER));
    assert_eq!(keyvend.world.net.calls_to("iam", "ListPolicies").len(), 2, "she owns users in two accounts");
}

// T2.17
#[tokio::test]
async fn any_attached_policy_can_make_user_privileged() {
    // It may be inline, managed, on the user or on one of its groups.
    for (place, policy) in [
        (Place::Attached, "AdministratorAccess"),
        (Place::Inline, "anything"),
        (Place::OfGroup, "AdministratorAccess"),
        (Place::InlineOfGroup, "anything"),
    ] {
        for boundary in [false, true] {
            let keyvend = Deployed::new().await;
            holds(&keyvend, place, policy, ADMIN).await;
            if boundary {
                bounded(&keyvend).await;
            }
            let reading = keyvend.asked().await.reading();
            assert!(reading.contains("*privileged*") && reading.contains("0 of 2"), "{place:?}: {reading}");
            assert_eq!(reading.contains("Boundary: `ReadOnlyAccess`"), boundary, "{reading}");
        }
    }
    // And a boundary is no policy: it gives nothing and takes nothing away here.
    let keyvend = Deployed::new().await;
    bounded(&keyvend).await;
    let reading = keyvend.asked().await.reading();
    assert!(
        reading.contains("not privileged") && reading.contains("Boundary: `ReadOnlyAccess`"),
        "{reading}"
    );
}

/// IAM does not distinguish names by case; what it calls the user is the name from then on.
// T2.16
#[tokio::test]
async fn user_name_takes_spelling_of_iam() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, &ASK.replace("ci-deployer", "CI-Deployer")).await;
    let card = keyvend.card();
    assert!(card.reading().contains("`ci-deployer` in `home`"), "{}", card.reading());
    assert!(!card.reading().contains("CI-Deployer"), "{}", card.reading());
    assert_eq!(text(&keyvend.request().await["details"]["user"]), "ci-deployer");
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.world.net.forget();
    keyvend.reveals(&tab).await;
    let calls = keyvend.world.net.calls();
    let created: Vec<_> = calls.iter().filter(|call| call.operation == "CreateAccessKey").collect();
    let tagged: Vec<_> = calls.iter().filter(|call| call.operation == "TagUser").collect();
    for acting in [created, tagged] {
        assert_eq!(acting.len(), 1);
        assert_eq!(acting[0].parameters["UserName"], "ci-deployer");
    }
    let policies = calls.iter().filter(|call| call.operation == "AssumeRole");
    let policies: String = policies.map(|call| text(&call.parameters["Policy"])).collect();
    assert!(policies.contains(":user/ci-deployer\"") && !policies.contains("CI-Deployer"), "{policies}");
    let tags = keyvend.world.net.iam().tags(HOME, "ci-deployer").await;
    assert!(tags.keys().any(|tag| tag.starts_with("AKIA")), "{tags:?}");

    // An answer about somebody else is no answer.
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "GetUser" => Interfere::Status(
            200,
            "<GetUserResponse><GetUserResult><User><Path>/</Path><UserName>another</UserName><UserId>AIDA</UserId>\
             <Arn>arn:aws:iam::111122223333:user/another</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate></User>\
             </GetUserResult></GetUserResponse>"
                .to_owned(),
        ),
        _ => Interfere::Pass,
    });
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.requests().await.len(), 0);
}

// T2.16
#[test]
fn lease_ignores_case_of_user_name() {
    let account = Account { alias: "home".parse().unwrap(), id: HOME.parse().unwrap() };
    let [typed, named, another] =
        ["CI-Deployer", "ci-deployer", "ci-deployers"].map(|name| name.parse().unwrap());
    for lease in [leases::take_lease, leases::release_lease] {
        assert_eq!(lease(&account, &typed, "me"), lease(&account, &named, "me"));
        assert_ne!(lease(&account, &typed, "me"), lease(&account, &another, "me"));
    }
}

/// What comes page by page is read to its end: what stands on the last page counts.
#[tokio::test]
async fn last_page_of_facts_is_read() {
    let keyvend = Deployed::new().await;
    for policy in ["AdministratorAccess", "AmazonS3ReadOnlyAccess", "ReadOnlyAccess"] {
        holds(&keyvend, Place::Attached, policy, "").await;
        holds(&keyvend, Place::Inline, &format!("own-{policy}"), NARROW).await;
    }
    for name in ["builders", "testers"] {
        let iam = aws::iam(&keyvend.world.net, HOME);
        iam.create_group().group_name(name).send().await.unwrap();
        iam.add_user_to_group().group_name(name).user_name("ci-deployer").send().await.unwrap();
        iam.put_group_policy()
            .group_name(name)
            .policy_name(format!("of-{name}"))
            .policy_document(NARROW)
            .send()
            .await
            .unwrap();
    }
    keyvend.world.net.iam().page(1);
    keyvend.world.net.slack().page(1);
    let reading = keyvend.asked().await.reading();
    for found in [
        "*privileged*",
        "`AdministratorAccess`",
        "`ReadOnlyAccess`",
        "`own-AdministratorAccess (inline)`",
        "`own-ReadOnlyAccess (inline)`",
        "`builders: of-builders (inline)`",
        "`testers: of-testers (inline)`",
    ] {
        assert!(reading.contains(found), "{found}: {reading}");
    }
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
}

#[tokio::test]
async fn every_quarantine_policy_version_counts_wherever_attached() {
    for policy in
        ["AWSCompromisedKeyQuarantine", "AWSCompromisedKeyQuarantineV2", "AWSCompromisedKeyQuarantineV3"]
    {
        for place in [Place::Attached, Place::OfGroup] {
            let keyvend = Deployed::new().await;
            holds(&keyvend, place, policy, "").await;
            keyvend.types(ALICE_OWNER, ASK).await;
            let told = keyvend.told(ALICE_OWNER);
            assert!(told.contains("AWS has quarantined this IAM user"), "{policy}, {place:?}: {told}");
            assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{policy}, {place:?}");
        }
    }
    // A policy of one's own by that name is none of AWS's.
    let keyvend = Deployed::new().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    let own = iam.create_policy().policy_name("AWSCompromisedKeyQuarantineV3").policy_document(NARROW);
    let own = own.send().await.unwrap().policy.unwrap().arn.unwrap();
    iam.attach_user_policy().user_name("ci-deployer").policy_arn(own).send().await.unwrap();
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

#[tokio::test]
async fn owners_are_read_from_four_tags_only() {
    for (tag, owns) in [
        ("keyvend:owners", true),
        ("keyvend:owners2", true),
        ("keyvend:owners3", true),
        ("keyvend:owners4", true),
        ("keyvend:owners5", false),
        ("keyvend:owner", false),
        ("Keyvend:Owners2", false),
    ] {
        let keyvend = Deployed::new().await;
        let iam = aws::iam(&keyvend.world.net, HOME);
        let tagged = |key: &str, value: &str| {
            let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build().unwrap();
            iam.tag_user().user_name("ci-deployer").tags(tag).send()
        };
        tagged("keyvend:owners", "U0BOB").await.unwrap();
        tagged(tag, "U0CAROL  U0ALICE").await.unwrap();
        keyvend.types(ALICE_OWNER, ASK).await;
        assert_eq!(keyvend.stands().await == "PENDING", owns, "{tag}");
    }
}

#[tokio::test]
async fn default_denial_says_whom_to_contact() {
    let nobody = policies("nobody", |text| {
        text.replace(
            r#"permit (principal, action == Action::"request", resource);"#,
            r#"permit (principal, action == Action::"request", resource) when { resource.name == "another" };"#,
        )
    });
    for (help, whom) in [(GENERAL, "Ask in <#C0GENERAL>."), ("", "Ask your AWS administrators.")] {
        let keyvend =
            Deployed::with(&[("KEYVEND_POLICY_DIR", &nobody), ("KEYVEND_HELP_CHANNEL", help)]).await;
        keyvend.types(ALICE_OWNER, ASK).await;
        assert_eq!(keyvend.told(ALICE_OWNER), format!("No policy allows this. {whom}"));
        assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    }
}

/// How many lines a message takes on a phone, of this many characters each.
fn lines(message: &Message, wide: usize) -> usize {
    let read = message.reading();
    let moments = read.split("<!date^").map(|part| part.split_once('>').map_or(part, |(_, rest)| rest));
    let plain = moments.collect::<Vec<_>>().join("24 Nov at 17:00");
    plain.lines().map(|line| line.chars().count().div_ceil(wide).max(1)).sum()
}

#[tokio::test]
async fn card_shows_reviewed_facts_and_mentions_once() {
    // The card shows everything that is reviewed, mentions the approvers once, and fits a phone.
    let keyvend = Deployed::new().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    let key = iam.create_access_key().user_name("ci-deployer").send().await.unwrap().access_key.unwrap();
    let day = std::time::Duration::from_secs(86_400);
    keyvend.world.clock.advance(40 * day);
    keyvend.world.net.iam().use_key(&key.access_key_id, "s3", "eu-west-1");
    keyvend.world.clock.advance(2 * day);
    holds(&keyvend, Place::Attached, "AdministratorAccess", "").await;
    for n in 0..30 {
        holds(&keyvend, Place::Inline, &format!("a-policy-of-its-own-{n:02}"), NARROW).await;
    }
    let reason = "why ".repeat(50);
    keyvend.types(ALICE_OWNER, &format!("create ci-deployer use:third-party ttl:30d {reason}")).await;
    let card = keyvend.card();
    let reading = card.reading();
    let last_used = format!("last used <!date^{}^", keyvend.world.clock.now().0 - 2 * 86_400);
    for part in [
        "<@U0ALICE>",
        "`ci-deployer` in `home`",
        "a third-party service",
        reason.trim(),
        "30 days",
        &format!("`{}` active, 42 days old, {last_used}", key.access_key_id),
        "with s3 in eu-west-1",
        "*privileged*",
        "0 of 2, by <!date^",
        "`AdministratorAccess`",
        "and 23 more",
        "Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>\n",
    ] {
        assert!(reading.contains(part), "{part}: {reading}");
    }
    let labels: Vec<String> = card.buttons().into_iter().map(|button| button.text).collect();
    assert_eq!(labels, ["Approve", "Approve with comment", "Deny", "Ask", "Details"]);
    assert!(lines(&card, 40) <= 36, "{} lines: {reading}", lines(&card, 40));
    // Once, in the text that notifies and in what is read; not again when it is updated.
    let calls = |message: &Message| {
        (message.text.matches("<!channel>").count(), message.reading().matches("<!channel>").count())
    };
    assert_eq!(calls(&card), (1, 1));
    for (approver, wanted) in [(BOB_APPROVER, "1 of 2"), (CAROL_APPROVER, "Approved")] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
        assert!(keyvend.card().reading().contains(wanted));
        assert_eq!(calls(&keyvend.card()), (0, 0));
    }
    assert_eq!(keyvend.world.net.slack().messages(APPROVALS).len(), 1);
    let outsider = keyvend.world.net.slack().seen_by(MALLORY_OUTSIDER);
    assert!(outsider.iter().all(|message| !message.reading().contains("ci-deployer")));
    assert_eq!(text(&keyvend.request().await["card"]["ts"]), card.ts);
}
