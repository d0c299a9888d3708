//! How much one person may ask for, and what somebody who may ask for nothing learns: nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GUS_GUEST, MALLORY_OUTSIDER, TEAM_GROUP,
};
use testkit::sqs::SLACK;
use testkit::steps::{ASK, failed, policies, said_in_public};

const OVER: &str = "more than 20 commands";
/// A policy that every IAM user here may have.
const NARROW: &str = "arn:aws:iam::123456789012:policy/upload-artifacts";

/// Types a command so many times in one minute.
async fn types_often(keyvend: &Deployed, person: &str, text: &str, times: usize) {
    for _ in 0..times {
        keyvend.types(person, text).await;
        keyvend.world.clock.advance(Duration::from_secs(1));
    }
}

/// The next minute of Slack's clock begins.
fn next_minute(keyvend: &Deployed) {
    let now = keyvend.world.clock.now().0;
    keyvend.world.clock.advance(Duration::from_secs(u64::try_from(60 - now.rem_euclid(60)).unwrap()));
}

async fn audited(keyvend: &Deployed, event: &str) -> usize {
    let audit = aws::items(&keyvend.world.net, aws::AUDIT).await;
    audit.values().filter(|entry| entry["event"]["S"] == event).count()
}

// T6.1
#[tokio::test]
async fn rate_limited_command_is_refused_without_lookup() {
    let keyvend = Deployed::new().await;
    next_minute(&keyvend);
    types_often(&keyvend, MALLORY_OUTSIDER, "whoami", 20).await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("You are"), "the twentieth is looked at");
    let before = keyvend.requests().await.len();
    for text in
        [ASK, "list", "list ci-deployer", "rotate AKIAIOSFODNN7EXAMPLE", "delete AKIAIOSFODNN7EXAMPLE", ""]
    {
        keyvend.world.net.forget();
        keyvend.types(MALLORY_OUTSIDER, text).await;
        assert!(keyvend.world.net.sqs().messages(SLACK).is_empty(), "{text}: it is done with");
        let told = keyvend.told(MALLORY_OUTSIDER);
        assert!(told.contains(OVER) && told.contains("Wait a minute"), "{text}: {told}");
        let calls = keyvend.world.net.calls();
        let asked: Vec<&str> = calls
            .iter()
            .filter(|call| ["iam", "slack"].contains(&&*call.service))
            .map(|call| call.operation.as_str())
            .collect();
        assert_eq!(asked, ["response_url"], "{text}");
    }
    assert_eq!(keyvend.requests().await.len(), before);
    assert_eq!(audited(&keyvend, "message.rate_limited").await, 1, "once a minute");
    assert!(keyvend.world.net.sqs().dead(SLACK).is_empty());
    // Nobody else is affected, and in the next minute neither is she.
    keyvend.types(ALICE_OWNER, "whoami").await;
    assert!(keyvend.told(ALICE_OWNER).contains("You are"));
    next_minute(&keyvend);
    keyvend.types(MALLORY_OUTSIDER, "whoami").await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("You are"));
}

// T6.1
#[tokio::test]
async fn deactivation_never_counts_against_limit() {
    // Presses and forms count.
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    next_minute(&keyvend);
    types_often(&keyvend, ALICE_OWNER, "status", 20).await;
    keyvend.types(ALICE_OWNER, &format!("rotate {}", key.id)).await;
    assert!(keyvend.told(ALICE_OWNER).contains(OVER), "{}", keyvend.told(ALICE_OWNER));
    keyvend.types(ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    assert!(keyvend.told(ALICE_OWNER).contains("is deactivated"), "{}", keyvend.told(ALICE_OWNER));

    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    next_minute(&keyvend);
    types_often(&keyvend, BOB_APPROVER, "whoami", 20).await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert!(keyvend.told(BOB_APPROVER).contains(OVER), "{}", keyvend.told(BOB_APPROVER));
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.types(BOB_APPROVER, "freeze").await;
    assert!(!keyvend.item("freeze").await["frozen_by"].is_null());
    keyvend.types(BOB_APPROVER, "unfreeze").await;
    assert!(keyvend.told(BOB_APPROVER).contains(OVER), "{}", keyvend.told(BOB_APPROVER));
    keyvend.denies(BOB_APPROVER, &card, "not wanted").await;
    assert_eq!(keyvend.stands().await, "DENIED");
}

// T6.1
#[tokio::test]
async fn report_and_cancel_are_never_limited() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    let told = keyvend.world.net.slack().told(ALICE_OWNER);
    let issued = told
        .into_iter()
        .rev()
        .find(|message| message.reading().contains("was created and delivered"))
        .unwrap();
    next_minute(&keyvend);
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    types_often(&keyvend, ALICE_OWNER, "status", 19).await;
    keyvend.types(ALICE_OWNER, "status").await;
    assert!(keyvend.told(ALICE_OWNER).contains(OVER), "{}", keyvend.told(ALICE_OWNER));
    keyvend.presses(ALICE_OWNER, &issued, "This wasn't me").await;
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.iter().find(|found| found.id == key.id).unwrap().status, "Inactive");
    keyvend.types(ALICE_OWNER, "cancel").await;
    assert_eq!(keyvend.stands().await, "CANCELLED");
}

/// A minute is one of Slack's clock, so a redelivery meets the same count, whenever it comes.
// T6.1
#[tokio::test]
async fn redelivered_message_counts_once_against_limit() {
    let keyvend = Deployed::new().await;
    next_minute(&keyvend);
    types_often(&keyvend, ALICE_OWNER, "whoami", 19).await;
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "whoami")).await;
    let last = keyvend.receives(SLACK);
    keyvend.world.clock.advance(Duration::from_secs(90));
    for _ in 0..3 {
        assert!(!failed(&keyvend.work(last.clone()).await));
        assert!(!keyvend.told(ALICE_OWNER).contains(OVER));
    }
    let item = keyvend.world.net.dynamo().items(aws::REQUESTS).await;
    let counted: Vec<&Value> = item.iter().filter(|item| !item["counted"].is_null()).collect();
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0]["counted"]["L"].as_array().unwrap().len(), 20);
    assert!(!counted[0]["keep_until"].is_null());
}

// T2.12
#[tokio::test]
async fn policy_documents_are_not_read_for_strangers() {
    let documents = [
        "GetUserPolicy",
        "GetPolicyVersion",
        "GetGroupPolicy",
        "ListAttachedGroupPolicies",
        "ListGroupPolicies",
    ];
    let read = |keyvend: &Deployed| {
        let calls = keyvend.world.net.calls();
        calls.iter().filter(|call| documents.contains(&&*call.operation)).count()
    };
    let keyvend = Deployed::new().await;
    let home = aws::iam(&keyvend.world.net, HOME);
    home.create_group().group_name("ops").send().await.unwrap();
    home.add_user_to_group().group_name("ops").user_name("ci-deployer").send().await.unwrap();
    home.put_group_policy().group_name("ops").policy_name("p").policy_document("{}").send().await.unwrap();
    keyvend.world.net.forget();
    keyvend.types(MALLORY_OUTSIDER, ASK).await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("not an owner"), "{}", keyvend.told(MALLORY_OUTSIDER));
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    keyvend.types(MALLORY_OUTSIDER, "list ci-deployer").await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("Only an owner"), "{}", keyvend.told(MALLORY_OUTSIDER));
    assert_eq!(read(&keyvend), 0, "a stranger's look-up reads no document");
    keyvend.world.clock.advance(Duration::from_secs(1));
    let card = keyvend.asked().await;
    assert!(read(&keyvend) > 0, "an owner's does");
    keyvend.world.net.forget();
    let slack = keyvend.world.net.slack();
    slack.channel(APPROVALS, |channel| _ = channel.members.remove(CAROL_APPROVER));
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    assert!(keyvend.told(CAROL_APPROVER).contains("Only approvers"), "{}", keyvend.told(CAROL_APPROVER));
    assert_eq!(read(&keyvend), 0, "nor does the press of somebody who may not approve");
    // Whether an owner by a user group may is known before, too.
    slack.group(TEAM_GROUP, &[ALICE_OWNER]);
    keyvend.types(MALLORY_OUTSIDER, "create group-owned use:cli ttl:30d testing").await;
    assert_eq!(read(&keyvend), 0);
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:30d testing").await;
    assert!(read(&keyvend) > 0);
}

/// A policy that forbids by what only the documents tell is asked again when they are read.
// T2.12
#[tokio::test]
async fn policy_documents_are_read_where_they_decide() {
    let strict = policies("only-ordinary", |text| {
        let policy = r#"@id("only-privileged")
@advice("Only for privileged users.")
forbid (principal, action == Action::"request", resource)
unless { resource.privileged };

@id("no-bots")"#;
        text.replace("@id(\"no-bots\")", policy)
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &strict)]).await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, ASK).await;
    assert!(keyvend.told(ALICE_OWNER).contains("Only for privileged users"), "{}", keyvend.told(ALICE_OWNER));
}

/// What the guest types, in each state that an IAM user or a key can be in.
fn guests_commands(key: &str) -> Vec<String> {
    let mut lines: Vec<String> = [
        "ci-deployer",
        "nobody",
        "untagged",
        "full",
        "quarantined-bot",
        "admin-bot",
        "guests-own",
        "ci-deployer@sandbox",
        "ci-deployer@nowhere",
    ]
    .iter()
    .flat_map(|user| [format!("create {user} use:cli ttl:30d testing"), format!("list {user}")])
    .collect();
    for word in ["rotate", "activate", "deactivate", "delete"] {
        lines.extend([format!("{word} {key}"), format!("{word} AKIANOSUCHKEY0000000")]);
    }
    lines.extend(["", "list", "status"].map(str::to_owned));
    lines
}

// T2.11
#[tokio::test]
async fn non_member_learns_nothing_of_iam_users() {
    // No IAM user is looked up for them.
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    aws::user(&keyvend.world.net, HOME, "guests-own", Some(GUS_GUEST), NARROW).await;
    // The directory knows that one is his.
    keyvend.world.net.slack().person(GUS_GUEST, |gus| gus.restricted = false);
    keyvend.types(GUS_GUEST, "create guests-own use:cli ttl:30d testing").await;
    keyvend.types(GUS_GUEST, "whoami").await;
    assert!(keyvend.told(GUS_GUEST).contains("guests-own"), "{}", keyvend.told(GUS_GUEST));
    keyvend.world.net.slack().person(GUS_GUEST, |gus| gus.restricted = true);
    next_minute(&keyvend);
    let public = said_in_public(&keyvend);

    let mut answers = BTreeSet::new();
    for line in guests_commands(&key.id) {
        keyvend.world.net.forget();
        keyvend.types(GUS_GUEST, &line).await;
        answers.insert(keyvend.told(GUS_GUEST));
        let iam: Vec<String> = keyvend
            .world
            .net
            .calls()
            .into_iter()
            .filter(|call| call.service == "iam")
            .map(|call| call.operation)
            .collect();
        assert_eq!(iam, Vec::<String>::new(), "{line}");
        next_minute(&keyvend);
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(answers.first().unwrap().contains("Guests of this workspace"), "{answers:?}");
    keyvend.types(GUS_GUEST, "whoami").await;
    let told = keyvend.told(GUS_GUEST);
    assert!(told.contains("Guests of this workspace") && !told.contains("guests-own"), "{told}");
    let views = keyvend.world.net.slack().views();
    assert!(views.iter().all(|view| view.user != GUS_GUEST), "no form offers him what is his");
    assert_eq!(said_in_public(&keyvend), public);
    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.iter().find(|found| found.id == key.id).unwrap().status, "Active");
}

// T2.11
#[tokio::test]
async fn guests_are_evaluated_where_policy_admits_them() {
    let open = policies("guests-may", |text| {
        text.replace("when { principal.guest };", "when { principal.guest && principal.bot };")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &open)]).await;
    aws::user(&keyvend.world.net, HOME, "guests-own", Some(GUS_GUEST), NARROW).await;
    keyvend.types(GUS_GUEST, "create guests-own use:cli ttl:30d testing").await;
    assert_eq!(keyvend.stands().await, "PENDING", "{}", keyvend.told(GUS_GUEST));
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(GUS_GUEST, ASK).await;
    assert!(keyvend.told(GUS_GUEST).contains("not an owner"), "{}", keyvend.told(GUS_GUEST));
    keyvend.types(GUS_GUEST, "").await;
    assert!(keyvend.view(GUS_GUEST).reading().contains("guests-own"));
}

// T6.1
#[tokio::test]
async fn eleventh_open_request_is_refused() {
    // The refusal lists the open ones.
    let keyvend = Deployed::new().await;
    for _ in 0..10 {
        keyvend.asked().await;
        // What is refused in between hides none that is open.
        keyvend.types(ALICE_OWNER, "create nobody use:cli ttl:30d testing").await;
        next_minute(&keyvend);
    }
    let all = keyvend.requests().await;
    let open: Vec<&str> = all
        .iter()
        .filter(|found| found["stands"] == "PENDING")
        .map(|found| found["id"].as_str().unwrap())
        .collect();
    assert_eq!(open.len(), 10);
    keyvend.asked().await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("You have 10 open requests"), "{told}");
    for id in &open {
        assert!(told.contains(&format!("`/access-key cancel {id}`")), "{id}: {told}");
    }
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    assert_eq!(keyvend.last_detail("by").await, "open-requests");
    assert_eq!(keyvend.cards().len(), 10);
    // One that ends makes room, and so does time.
    next_minute(&keyvend);
    keyvend.types(ALICE_OWNER, &format!("cancel {}", open[3])).await;
    keyvend.asked().await;
    assert_eq!(keyvend.stands().await, "PENDING");
    keyvend.world.clock.advance(Duration::from_secs(25 * 3_600));
    keyvend.asked().await;
    assert_eq!(keyvend.stands().await, "PENDING");
    // A form is no way around it, nor is another workspace: the list is the Slack user's.
    assert_eq!(
        keyvend.item(&format!("open#{ALICE_OWNER}")).await["open_requests"]["L"].as_array().unwrap().len(),
        1
    );
}

// T6.1
#[tokio::test]
async fn approvers_are_mentioned_five_times_an_hour() {
    // This is the limit for the requests of each person.
    let keyvend = Deployed::new().await;
    let mentions = || {
        let said = keyvend.world.net.slack().messages(APPROVALS);
        said.iter().filter(|message| message.text.contains("<!channel>")).count()
    };
    let now = keyvend.world.clock.now().0;
    keyvend.world.clock.advance(Duration::from_secs(u64::try_from(3_600 - now.rem_euclid(3_600)).unwrap()));
    for _ in 0..7 {
        keyvend.asked().await;
        next_minute(&keyvend);
    }
    assert_eq!((keyvend.cards().len(), mentions()), (7, 5), "the others are posted all the same");
    keyvend.world.clock.advance(Duration::from_secs(3_600));
    keyvend.asked().await;
    assert_eq!((keyvend.cards().len(), mentions()), (8, 6));
    // The reminders of all eight come in one hour.
    keyvend.world.clock.advance(Duration::from_secs(6 * 3_600));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
    let said = keyvend.world.net.slack().all();
    let reminders: Vec<_> =
        said.iter().filter(|message| message.text.contains("Reminder: the request of")).collect();
    assert_eq!(reminders.len(), 8);
    assert_eq!(reminders.iter().filter(|message| message.text.contains("<!channel>")).count(), 5);
}
