//! The form in which a key is asked for, and the directory that it offers choices from.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use testkit::aws::{self, REQUESTS, SANDBOX};
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, GUS_GUEST, MALLORY_OUTSIDER, View};
use testkit::sqs::SLACK;

const DAY: Duration = Duration::from_secs(86_400);

const NARROW: &str = "arn:aws:iam::123456789012:policy/upload-artifacts";

/// A form as somebody fills it in.
const FILLED: [(&str, &str); 3] = [("use-case", "cli"), ("lifetime", "30d"), ("reason", "laptop tooling")];

async fn opens(keyvend: &Deployed, person: &str) -> View {
    keyvend.world.clock.advance(Duration::from_secs(1));
    assert_eq!(keyvend.types(person, "").await, "", "the form is the answer");
    keyvend.view(person)
}

fn with_user(user: &'static str) -> Vec<(&'static str, &'static str)> {
    [&[("other", user)], &FILLED[..]].concat()
}

fn offered(view: &View) -> Vec<String> {
    let has = view.view["blocks"].as_array().unwrap().iter().any(|block| block["block_id"] == "own");
    if has { view.choices("own") } else { Vec::new() }
}

#[tokio::test]
async fn form_request_equals_typed_request() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    assert_eq!(form.choices("lifetime"), ["1d", "7d", "30d", "90d"]);
    let answer = keyvend.submits(&form, &with_user("ci-deployer")).await;
    assert_eq!(answer["response_action"], "update");
    assert_eq!(answer["view"]["blocks"][0]["text"]["text"], "Checking...");
    let shown = keyvend.view(ALICE_OWNER);
    assert!(shown.reading().contains("Request sent: a key for `ci-deployer`"), "{}", shown.reading());
    assert!(shown.view["submit"].is_null(), "there is nothing left to submit");
    assert!(keyvend.told(ALICE_OWNER).contains("It needs 1 approval"), "{}", keyvend.told(ALICE_OWNER));
    assert!(keyvend.card().reading().contains("laptop tooling"));
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert_eq!(ready.button("Get my key").text, "Get my key");
}

#[tokio::test]
async fn create_alone_opens_the_form_too() {
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.types(ALICE_OWNER, "create").await, "");
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Request an access key"));
}

#[tokio::test]
async fn wrong_line_opens_form_with_what_was_right() {
    let keyvend = Deployed::new().await;
    let answer = keyvend.typed(ALICE_OWNER, "create ci-deployer use:ec2 ttl:12d to deploy").await;
    assert!(answer.text.contains("`ec2` is not a use case. Did you mean `aws-compute`?"), "{}", answer.text);
    keyvend.presses(ALICE_OWNER, &answer, "Open the form").await;
    let form = keyvend.view(ALICE_OWNER);
    assert_eq!(form.begins("other").as_deref(), Some("ci-deployer"));
    assert_eq!(form.begins("use-case"), None, "a use case is not guessed");
    assert_eq!(form.begins("lifetime").as_deref(), Some("12d"));
    assert_eq!(form.begins("reason").as_deref(), Some("to deploy"));
    keyvend.deliver_everything().await;
    keyvend.presses(ALICE_OWNER, &answer, "Open the form").await;
    let form = keyvend.view(ALICE_OWNER);
    assert_eq!(form.begins("own").as_deref(), Some("ci-deployer@home"), "known as hers by now");
    assert_eq!(form.begins("other"), None);
    // The longest reason, of what JSON escapes.
    let reason = "\"\\".repeat(100);
    let answer = keyvend.typed(ALICE_OWNER, &format!("create ci-deployer use:ec2 {reason}")).await;
    keyvend.presses(ALICE_OWNER, &answer, "Open the form").await;
    assert_eq!(keyvend.view(ALICE_OWNER).begins("reason"), Some(reason));
}

#[tokio::test]
async fn own_user_instead_of_command_opens_form() {
    let keyvend = Deployed::new().await;
    opens(&keyvend, ALICE_OWNER).await;
    keyvend.deliver_everything().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    assert_eq!(keyvend.types(ALICE_OWNER, "ci-deployer").await, "", "the form is the answer");
    assert_eq!(keyvend.view(ALICE_OWNER).begins("own").as_deref(), Some("ci-deployer@home"));
    keyvend.types(ALICE_OWNER, "frobnicate").await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("`frobnicate` is neither a command nor an IAM user"), "{told}");
    assert!(told.contains("`/access-key whoami`"), "{told}");
}

/// Slack shows at most 100 options in a menu without groups; more IAM users are still all there to choose from.
#[tokio::test]
async fn every_one_of_many_own_users_can_be_chosen() {
    let keyvend = Deployed::new().await;
    for n in 0..130 {
        aws::user(&keyvend.world.net, HOME, &format!("bot-{n:03}"), Some(ALICE_OWNER), NARROW).await;
    }
    opens(&keyvend, ALICE_OWNER).await;
    keyvend.deliver_everything().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    let offered = offered(&form);
    assert!(offered.len() > 130 && offered.contains(&"bot-129@home".to_owned()), "{offered:?}");
    let chosen = [&[("own", "bot-129@home")], &FILLED[..]].concat();
    keyvend.submits(&form, &chosen).await;
    assert!(keyvend.card().reading().contains("bot-129"), "{}", keyvend.card().reading());
}

/// A refusal must not cost what was filled in.
#[tokio::test]
async fn refused_form_can_be_changed_and_submitted_again() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    keyvend.deliver_everything().await;
    let on_aws = [
        ("other", "ci-deployer"),
        ("use-case", "aws-compute"),
        ("lifetime", "7d"),
        ("reason", "to run jobs"),
    ];
    keyvend.submits(&form, &on_aws).await;
    let again = keyvend.view(ALICE_OWNER);
    assert!(again.reading().contains("Your request was refused."), "{}", again.reading());
    let begins =
        ["own", "use-case", "lifetime", "reason"].map(|block| again.begins(block).unwrap_or_default());
    assert_eq!(begins, ["ci-deployer@home", "aws-compute", "7d", "to run jobs"]);
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
    let changed =
        [("own", "ci-deployer@home"), ("use-case", "cli"), ("lifetime", "7d"), ("reason", "to run jobs")];
    keyvend.submits(&again, &changed).await;
    assert!(
        keyvend.view(ALICE_OWNER).reading().contains("Request sent"),
        "{}",
        keyvend.view(ALICE_OWNER).reading()
    );
    assert_eq!(keyvend.stands().await, "PENDING");
}

/// Somebody who became a guest while the form was open is not shown it again with their IAM users.
// T2.11
#[tokio::test]
async fn refused_form_shows_a_guest_no_iam_users() {
    let keyvend = Deployed::new().await;
    aws::user(&keyvend.world.net, HOME, "guests-own", Some(GUS_GUEST), NARROW).await;
    let slack = keyvend.world.net.slack();
    slack.person(GUS_GUEST, |gus| gus.restricted = false);
    opens(&keyvend, GUS_GUEST).await;
    keyvend.deliver_everything().await;
    let form = opens(&keyvend, GUS_GUEST).await;
    assert_eq!(offered(&form), ["guests-own@home"]);
    slack.person(GUS_GUEST, |gus| gus.restricted = true);
    keyvend.submits(&form, &with_user("nobody")).await;
    let shown = keyvend.view(GUS_GUEST).view.to_string();
    assert!(shown.contains("Guests of this workspace") && !shown.contains("guests-own"), "{shown}");
}

#[tokio::test]
async fn invalid_form_fields_are_marked_and_not_queued() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    let long = "<!channel>".repeat(1_000);
    let filled =
        [("other", "arn:aws:iam::1:user/ci"), ("use-case", "cli"), ("lifetime", "30d"), ("reason", &long)];
    keyvend.world.net.forget();
    let answer = keyvend.submits(&form, &filled).await;
    let expected = json!({
        "response_action": "errors",
        "errors": {
            "other": "This is not an IAM user name. Enter it as shown in the AWS console.",
            "reason": "Use at most 200 characters.",
        },
    });
    assert_eq!(answer, expected);
    let empty = keyvend.submits(&form, &[]).await;
    let marked: BTreeSet<&str> = empty["errors"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(marked, BTreeSet::from(["lifetime", "other", "reason", "use-case"]));
    assert_eq!(keyvend.world.net.calls_to("sqs", "SendMessage").len(), 0);
    let again = keyvend.submits(&form, &with_user("ci-deployer")).await;
    assert_eq!(again["response_action"], "update", "the same form is good once it is right");
}

#[tokio::test]
async fn refusal_is_shown_in_form_or_message() {
    // A refusal is shown in the form, and by message if the form was closed.
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, MALLORY_OUTSIDER).await;
    keyvend.submits(&form, &with_user("ci-deployer")).await;
    let shown = keyvend.view(MALLORY_OUTSIDER);
    assert!(!shown.reading().contains("Checking"), "{}", shown.reading());
    assert!(keyvend.world.net.slack().told(MALLORY_OUTSIDER).is_empty());
    keyvend.world.clock.advance(Duration::from_secs(1));
    let form = opens(&keyvend, MALLORY_OUTSIDER).await;
    let answer = keyvend.arrive(keyvend.world.submit(&form, &form.values(&with_user("nobody")))).await;
    assert_eq!(answer["statusCode"], 200);
    keyvend.world.net.slack().close_view(&form.id);
    keyvend.deliver().await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("There is no IAM user `nobody`"));
    let form = opens(&keyvend, ALICE_OWNER).await;
    keyvend.submits(&form, &with_user("ci@nowhere")).await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("There is no account `@nowhere`"), "{shown}");
}

#[tokio::test]
async fn chosen_use_case_shows_aws_recommendation() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    assert!(!form.reading().contains("Roles Anywhere"));
    assert_eq!(form.input("use-case")["dispatch_action"], true);
    keyvend.arrive(keyvend.world.choose(&form, "use-case", "outside-aws")).await;
    let queued = keyvend.world.net.sqs().messages(SLACK).pop().unwrap();
    assert!(!queued.body.contains("blocks") && !queued.body.contains("state"), "{}", queued.body);
    keyvend.deliver().await;
    let updated = keyvend.view(ALICE_OWNER);
    assert!(updated.reading().contains("Roles Anywhere"), "{}", updated.reading());
    let inputs = |view: &View| -> BTreeSet<(String, String)> {
        let blocks = view.view["blocks"].as_array().unwrap().iter().filter(|block| block["type"] == "input");
        blocks
            .map(|block| (block["block_id"].to_string(), block["element"]["action_id"].to_string()))
            .collect()
    };
    assert!(inputs(&form).is_subset(&inputs(&updated)), "the same names, so Slack keeps what was filled in");
    // Chosen in the form as it was before: by now that is another one.
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.arrive(keyvend.world.choose(&form, "use-case", "cli")).await;
    keyvend.deliver().await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Roles Anywhere"));
}

#[tokio::test]
async fn late_trigger_falls_back_to_button() {
    let keyvend = Deployed::new().await;
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "")).await;
    keyvend.world.clock.advance(Duration::from_secs(4));
    keyvend.deliver().await;
    assert!(keyvend.world.net.slack().views().is_empty());
    assert_eq!(keyvend.world.net.calls_to("slack", "views.open").len(), 0, "it would be in vain");
    let late = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(late.reading().contains("/access-key create &lt;iam-user&gt;"), "{}", late.reading());
    assert_eq!(late.ephemeral_to.as_deref(), Some(ALICE_OWNER));
    keyvend.presses(ALICE_OWNER, &late, "Open the form").await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Request an access key"));
}

#[tokio::test]
async fn expired_trigger_falls_back_used_one_does_not() {
    for (error, told) in
        [("expired_trigger_id", true), ("invalid_trigger_id", true), ("exchanged_trigger_id", false)]
    {
        let keyvend = Deployed::new().await;
        keyvend.world.net.slack().fail_next("views.open", error);
        keyvend.types(ALICE_OWNER, "").await;
        assert_eq!(!keyvend.world.net.slack().told(ALICE_OWNER).is_empty(), told, "{error}");
    }
}

#[tokio::test]
async fn form_opens_while_other_messages_are_blocked() {
    let keyvend = Deployed::new().await;
    keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "whoami")).await;
    let stuck = keyvend.world.net.sqs().receive(SLACK, keyvend.world.clock.now()).unwrap();
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "").await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Request an access key"));
    drop(stuck);
}

#[tokio::test]
async fn ownership_is_loaded_in_background_and_offered() {
    let keyvend = Deployed::new().await;
    let first = opens(&keyvend, ALICE_OWNER).await;
    assert_eq!(offered(&first), Vec::<String>::new(), "nothing is known yet, and nobody waited for it");
    let second = opens(&keyvend, ALICE_OWNER).await;
    let own = ["admin-bot", "ci-deployer", "full", "group-owned", "quarantined-bot"];
    let mut expected: Vec<String> = own.iter().map(|name| format!("{name}@home")).collect();
    expected.push("ci-deployer@sandbox".to_owned());
    assert_eq!(offered(&second), expected);
    let calls = keyvend.world.net.calls_to("iam", "GetAccountAuthorizationDetails").len();
    assert_eq!(calls, 2, "once an account");
    let filled = [&[("own", "admin-bot@home")], &FILLED[..]].concat();
    keyvend.submits(&second, &filled).await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("`admin-bot` in `home`"));
    assert_eq!(offered(&opens(&keyvend, MALLORY_OUTSIDER).await), Vec::<String>::new());
    assert_eq!(keyvend.world.net.calls_to("iam", "GetAccountAuthorizationDetails").len(), calls);
}

#[tokio::test]
async fn ownership_is_refreshed_daily_and_drops_lost_users() {
    let keyvend = Deployed::new().await;
    let net = &keyvend.world.net;
    opens(&keyvend, ALICE_OWNER).await;
    aws::iam(net, HOME).untag_user().user_name("full").tag_keys("keyvend:owners").send().await.unwrap();
    keyvend.world.clock.advance(DAY - Duration::from_secs(60));
    assert!(offered(&opens(&keyvend, ALICE_OWNER).await).contains(&"full@home".to_owned()));
    keyvend.world.clock.advance(Duration::from_secs(120));
    let reads = net.calls_to("iam", "GetAccountAuthorizationDetails").len();
    opens(&keyvend, ALICE_OWNER).await;
    assert_eq!(net.calls_to("iam", "GetAccountAuthorizationDetails").len(), reads + 2);
    let now = offered(&opens(&keyvend, ALICE_OWNER).await);
    assert!(
        !now.contains(&"full@home".to_owned()) && now.contains(&"ci-deployer@home".to_owned()),
        "{now:?}"
    );
}

#[tokio::test]
async fn unreadable_account_keeps_its_ownership_records() {
    // It delays no other account, and none of its users are taken for deleted.
    let keyvend = Deployed::new().await;
    let net = &keyvend.world.net;
    opens(&keyvend, ALICE_OWNER).await;
    keyvend.world.clock.advance(DAY + DAY);
    aws::iam(net, SANDBOX)
        .untag_user()
        .user_name("ci-deployer")
        .tag_keys("keyvend:owners")
        .send()
        .await
        .unwrap();
    aws::iam(net, HOME).delete_role().role_name(aws::ISSUER_ROLE).send().await.unwrap();
    opens(&keyvend, ALICE_OWNER).await;
    keyvend.deliver_everything().await;
    let reads = net.calls_to("iam", "GetAccountAuthorizationDetails");
    assert!(reads.len() >= 3, "the sandbox was read again");
    let now = offered(&opens(&keyvend, ALICE_OWNER).await);
    assert!(now.contains(&"ci-deployer@home".to_owned()), "{now:?}");
}

#[tokio::test]
async fn lookup_corrects_ownership_record() {
    let keyvend = Deployed::new().await;
    let net = &keyvend.world.net;
    opens(&keyvend, ALICE_OWNER).await;
    aws::user(net, HOME, "brand-new", Some("U0ALICE U0BOB"), "arn:aws:iam::aws:policy/ReadOnlyAccess").await;
    aws::iam(net, HOME).untag_user().user_name("full").tag_keys("keyvend:owners").send().await.unwrap();
    for user in ["brand-new", "full", "group-owned"] {
        keyvend.world.clock.advance(Duration::from_secs(1));
        keyvend.types(ALICE_OWNER, &format!("create {user} use:cli ttl:1d to try")).await;
    }
    let own = offered(&opens(&keyvend, ALICE_OWNER).await);
    assert!(own.contains(&"brand-new@home".to_owned()), "{own:?}");
    assert!(own.contains(&"group-owned@home".to_owned()), "{own:?}");
    assert!(!own.contains(&"full@home".to_owned()), "{own:?}");
    assert_eq!(offered(&opens(&keyvend, BOB_APPROVER).await), ["brand-new@home"]);
}

#[tokio::test]
async fn ownership_is_read_page_by_page() {
    let keyvend = Deployed::new().await;
    let net = &keyvend.world.net;
    for n in 0..130 {
        let tag =
            aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value("U0MALLORY").build().unwrap();
        let create = aws::iam(net, SANDBOX).create_user().user_name(format!("many-{n:03}")).tags(tag);
        create.send().await.unwrap();
    }
    net.iam().page(40);
    opens(&keyvend, MALLORY_OUTSIDER).await;
    assert!(net.calls_to("iam", "GetAccountAuthorizationDetails").len() >= 5);
    let form = opens(&keyvend, MALLORY_OUTSIDER).await;
    assert_eq!(offered(&form).len(), 130);
    let item = &aws::items(net, REQUESTS).await["owned#U0MALLORY"];
    assert_eq!(item["owned"]["M"].as_object().unwrap().len(), 130);
    keyvend.types(MALLORY_OUTSIDER, "whoami").await;
    assert!(keyvend.told(MALLORY_OUTSIDER).contains("`many-000` in `sandbox`"));
}

#[tokio::test]
async fn whoami_lists_the_persons_own_iam_users() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "whoami").await;
    assert!(keyvend.told(ALICE_OWNER).contains("does not know any IAM users that you own"));
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, "whoami").await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("\u{2022} `ci-deployer` in `sandbox`"), "{told}");
    assert!(!told.contains("untagged"), "{told}");
}

#[tokio::test]
async fn chosen_user_no_longer_owned_is_refused() {
    let keyvend = Deployed::new().await;
    opens(&keyvend, ALICE_OWNER).await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    let tag = aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value("U0BOB").build().unwrap();
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap();
    let filled = [&[("own", "ci-deployer@home")], &FILLED[..]].concat();
    keyvend.submits(&form, &filled).await;
    assert!(!keyvend.view(ALICE_OWNER).reading().contains("Request sent"), "the tag decides, not the menu");
    assert!(keyvend.cards().is_empty());
}

#[tokio::test]
async fn forged_form_choice_is_authorized_like_typed_one() {
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    let forged = [("other", "ci-deployer"), ("use-case", "cli"), ("lifetime", "3000d"), ("reason", "x")];
    keyvend.submits(&form, &forged).await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("The longest lifetime is 90 days"), "{shown}");
    let form = opens(&keyvend, ALICE_OWNER).await;
    let mut unknown = form.clone();
    unknown.view["callback_id"] = json!("other");
    let event = keyvend.world.submit(&unknown, &form.values(&with_user("ci-deployer")));
    keyvend.arrive(event).await;
    keyvend.deliver().await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("This button is no longer valid"));
}

#[tokio::test]
async fn form_offers_only_managed_iam_users() {
    let keyvend = Deployed::with(&[("KEYVEND_IAM_PATH", "/bots/")]).await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    let tag = aws_sdk_iam::types::Tag::builder().key("keyvend:owners").value("U0ALICE").build().unwrap();
    iam.create_user().user_name("managed").path("/bots/").tags(tag).send().await.unwrap();
    opens(&keyvend, ALICE_OWNER).await;
    assert_eq!(offered(&opens(&keyvend, ALICE_OWNER).await), ["managed@home"]);
}

#[tokio::test]
async fn failed_or_late_message_updates_form() {
    // The form does not remain at "checking" when its message fails for good or comes too late.
    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    for _ in 0..20 {
        keyvend.world.net.slack().fail_next("users.info", "internal_error");
    }
    keyvend.submits(&form, &with_user("ci-deployer")).await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Checking..."));
    keyvend.deliver_everything().await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("because of a problem in keyvend"), "{shown}");

    let keyvend = Deployed::new().await;
    let form = opens(&keyvend, ALICE_OWNER).await;
    keyvend.arrive(keyvend.world.submit(&form, &form.values(&with_user("ci-deployer")))).await;
    keyvend.world.clock.advance(Duration::from_secs(700));
    keyvend.deliver().await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("This reached keyvend too late"), "{shown}");
}
