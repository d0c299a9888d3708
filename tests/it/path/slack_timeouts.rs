//! Slack that says nothing, asks to wait, or gives its answer in pages: while somebody asks, at a click and at issuing.

use std::time::Duration;

use testkit::deployed::{Deployed, Tab};
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, Message};
use testkit::steps::{ASK, policies, said_in_public};

/// What a decision looks up in Slack. One policy names a user group here.
const LOOK_UPS: [&str; 4] =
    ["users.info", "conversations.info", "conversations.members", "usergroups.users.list"];

async fn deployed(name: &str) -> Deployed {
    let dir = policies(name, |text| {
        let policy = r#"@id("no-contractors")
@advice("Contractors get no keys.")
forbid (principal in SlackGroup::"S0NAMED", action in [Action::"request", Action::"issue"], resource);

@id("no-bots")"#;
        text.replace("@id(\"no-bots\")", policy)
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &dir)]).await;
    keyvend.world.net.slack().group("S0NAMED", &[]);
    keyvend
}

/// The three moments, each just before it.
enum At {
    Asking,
    ReviewAction(Box<Message>),
    Issuing(Tab),
}

impl At {
    async fn all(name: &str) -> [(&'static str, Deployed, Self); 3] {
        let asking = deployed(name).await;
        let click = deployed(name).await;
        let card = click.asked().await;
        let issuing = deployed(name).await;
        let tab = issuing.linked().await;
        [
            ("asking", asking, Self::Asking),
            ("click", click, Self::ReviewAction(Box::new(card))),
            ("issuing", issuing, Self::Issuing(tab)),
        ]
    }

    /// It comes, and is worked off as often as it takes.
    async fn comes(&self, keyvend: &Deployed) {
        match self {
            Self::Asking => _ = keyvend.types(ALICE_OWNER, ASK).await,
            Self::ReviewAction(card) => keyvend.presses(BOB_APPROVER, card, "Approve").await,
            Self::Issuing(tab) => keyvend.claims(tab).await,
        }
        keyvend.deliver_everything().await;
    }

    async fn went_well(&self, keyvend: &Deployed, what: &str) {
        let stands = match self {
            Self::Asking => "PENDING",
            Self::ReviewAction(_) => "APPROVED",
            Self::Issuing(_) => "ISSUED",
        };
        assert_eq!(keyvend.stands().await, stands, "{what}");
    }

    async fn came_to_nothing(&self, keyvend: &Deployed, what: &str) {
        match self {
            Self::Asking => {
                assert_eq!(keyvend.requests().await.len(), 0, "{what}");
                assert!(keyvend.told(ALICE_OWNER).contains("Nothing was changed"), "{what}");
                assert_eq!(said_in_public(keyvend), Vec::<String>::new(), "{what}");
            }
            Self::ReviewAction(_) => {
                assert_eq!(keyvend.stands().await, "PENDING", "{what}");
                assert_eq!(keyvend.approvals().await, Vec::<String>::new(), "{what}");
                assert!(keyvend.told(BOB_APPROVER).contains("Nothing was changed"), "{what}");
                assert_eq!(keyvend.events().await, ["request.created", "message.failed"], "{what}");
            }
            Self::Issuing(tab) => {
                assert_eq!(keyvend.stands().await, "APPROVED", "{what}");
                assert_eq!(keyvend.ticket_stands(tab).await, "FAILED", "{what}");
                let told = keyvend.direct(ALICE_OWNER);
                assert!(told.reading().contains("No key was created"), "{what}: {}", told.reading());
                assert_eq!(told.button("Get my key").text, "Get my key", "{what}");
            }
        }
        keyvend.nothing_was_created().await;
    }
}

#[tokio::test]
async fn timed_out_lookup_is_retried() {
    for method in LOOK_UPS {
        for (moment, keyvend, at) in At::all(&format!("silent-{method}")).await {
            keyvend.world.net.once("slack", method, Interfere::Silence);
            let before = keyvend.world.clock.now();
            at.comes(&keyvend).await;
            at.went_well(&keyvend, &format!("{method}, {moment}")).await;
            assert!(keyvend.world.clock.now().since(before) <= 2, "{method}, {moment}");
        }
    }
}

// T2.2
#[tokio::test]
async fn permanently_timed_out_lookup_fails_and_notifies() {
    for method in LOOK_UPS {
        for (moment, keyvend, at) in At::all(&format!("mute-{method}")).await {
            let what = format!("{method}, {moment}");
            keyvend.world.net.before(move |call| {
                if call.operation == method { Interfere::Silence } else { Interfere::Pass }
            });
            at.comes(&keyvend).await;
            keyvend.world.net.undisturbed();
            at.came_to_nothing(&keyvend, &what).await;
        }
    }
}

#[tokio::test]
async fn no_attempt_before_slacks_retry_after() {
    for method in LOOK_UPS {
        for (moment, keyvend, at) in At::all(&format!("limited-{method}")).await {
            let what = format!("{method}, {moment}");
            keyvend.world.net.slack().rate_limit_next(method, 33);
            let begun = keyvend.world.clock.now();
            at.comes(&keyvend).await;
            at.went_well(&keyvend, &what).await;
            let waited = keyvend.world.clock.now().since(begun);
            assert!((33..=44).contains(&waited), "{what}: {waited} s");
        }
    }
}

#[tokio::test]
async fn action_delayed_too_long_by_slack_is_dropped() {
    for (moment, keyvend, at) in At::all("limited-for-long").await {
        keyvend.world.net.slack().rate_limit_next("users.info", 700);
        at.comes(&keyvend).await;
        match &at {
            At::Asking => {
                assert!(keyvend.told(ALICE_OWNER).contains("reached keyvend too late"), "{moment}");
                assert_eq!(keyvend.requests().await.len(), 0, "{moment}");
            }
            At::ReviewAction(_) => {
                assert!(keyvend.told(BOB_APPROVER).contains("reached keyvend too late"), "{moment}");
                assert_eq!(keyvend.stands().await, "PENDING", "{moment}");
            }
            At::Issuing(tab) => {
                assert_eq!(keyvend.stands().await, "APPROVED", "{moment}");
                assert_eq!(keyvend.last_detail("why").await, "too-late", "{moment}");
                assert_eq!(keyvend.ticket_stands(tab).await, "FAILED", "{moment}");
            }
        }
        keyvend.nothing_was_created().await;
    }
}

#[tokio::test]
async fn timed_out_reply_is_sent_directly() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.once("slack", "response_url", Interfere::Silence);
    keyvend.types(ALICE_OWNER, "whoami").await;
    assert!(keyvend.direct(ALICE_OWNER).reading().contains("You are <@U0ALICE>"));
}

#[tokio::test]
async fn approvers_on_every_member_page_count() {
    let keyvend = Deployed::new().await;
    let slack = keyvend.world.net.slack();
    slack.page(1);
    let members = slack.channels().into_iter().find(|channel| channel.id == APPROVALS).unwrap().members;
    let last = members.iter().rev().find(|member| *member != testkit::slack::BOT).unwrap().clone();
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.world.net.forget();
    keyvend.presses(&last, &keyvend.card(), "Approve").await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    let asked = keyvend.world.net.calls_to("slack", "conversations.members");
    assert_eq!(asked.len(), members.len(), "a page for each");
    assert_eq!(asked.iter().filter(|call| call.parameters["cursor"].is_null()).count(), 1);
}

// T2.2
#[tokio::test]
async fn missing_member_page_is_not_end() {
    let more_cases: [fn() -> Interfere; 3] = [
        || Interfere::Silence,
        || Interfere::Status(200, r#"{"ok":false,"error":"invalid_cursor"}"#.to_owned()),
        || Interfere::Status(200, r#"{"ok":true}"#.to_owned()),
    ];
    for broken in more_cases {
        let keyvend = Deployed::new().await;
        keyvend.types(ALICE_OWNER, ASK).await;
        let card = keyvend.card();
        keyvend.world.net.slack().page(1);
        keyvend.world.net.before(move |call| {
            let later = call.operation == "conversations.members" && !call.parameters["cursor"].is_null();
            if later { broken() } else { Interfere::Pass }
        });
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING");
        assert!(keyvend.told(BOB_APPROVER).contains("Nothing was changed"), "{}", keyvend.told(BOB_APPROVER));
    }
}

// T2.2
#[tokio::test]
async fn unreadably_large_channel_has_no_approvers() {
    let keyvend = Deployed::new().await;
    keyvend.world.net.slack().channel(APPROVALS, |channel| {
        channel.members.extend((0..20).map(|number| format!("U1MEMBER{number}")));
    });
    keyvend.world.net.slack().page(1);
    keyvend.types(ALICE_OWNER, ASK).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.requests().await.len(), 0);
    assert!(keyvend.told(ALICE_OWNER).contains("Nothing was changed"));
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.world.net.slack().page(2);
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

/// Slack waits three seconds. What SQS took and never confirmed may be worked off or not, so that is what is said.
#[tokio::test]
async fn silent_queue_is_answered_with_what_to_do() {
    let silent = async || {
        let keyvend = Deployed::new().await;
        keyvend.approved().await;
        keyvend.world.net.before(|call| match call.operation.as_str() {
            "SendMessage" => Interfere::Silence,
            _ => Interfere::Pass,
        });
        keyvend
    };
    let keyvend = silent().await;
    let said = |answer: serde_json::Value| {
        assert_eq!(answer["statusCode"], 200, "{answer}");
        answer["body"].as_str().unwrap().to_owned()
    };
    let answer = said(keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await);
    assert!(answer.contains("did not confirm in time") && answer.contains("try again"), "{answer}");
    let key = "AKIAIOSFODNN7EXAMPLE";
    let deactivate = keyvend.world.slash_command(ALICE_OWNER, &format!("deactivate {key}"));
    let answer = said(keyvend.arrive(deactivate).await);
    assert!(answer.contains("aws iam update-access-key --status Inactive --access-key-id AKIA"), "{answer}");
    let card = keyvend.card();
    let answer = keyvend.arrive(keyvend.world.press(BOB_APPROVER, &card, "Details")).await;
    assert_eq!(answer["statusCode"], 503, "shown by Slack as failed: {answer}");
    let answer = keyvend.arrive(keyvend.world.user_change(ALICE_OWNER)).await;
    assert_eq!(answer["statusCode"], 200, "nobody was deactivated: {answer}");
    keyvend.world.net.slack().person(ALICE_OWNER, |alice| alice.deleted = true);
    let answer = keyvend.arrive(keyvend.world.user_change(ALICE_OWNER)).await;
    assert_eq!(answer["statusCode"], 503, "Slack sends it again: {answer}");

    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "").await;
    let form = keyvend.view(ALICE_OWNER);
    keyvend.world.net.before(|call| match call.operation.as_str() {
        "SendMessage" => Interfere::Silence,
        _ => Interfere::Pass,
    });
    let filled =
        [("other", "ci-deployer"), ("use-case", "cli"), ("lifetime", "30d"), ("reason", "laptop tooling")];
    let answer = said(keyvend.arrive(keyvend.world.submit(&form, &form.values(&filled))).await);
    assert!(answer.contains("did not confirm in time") && answer.contains("update"), "{answer}");

    // Nor is a secret waited for.
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.service.as_str() {
        "secretsmanager" => Interfere::Silence,
        _ => Interfere::Pass,
    });
    let answer = keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
    assert_eq!(answer["statusCode"], 503, "{answer}");
}

/// Somebody presses a button of the card before the worker has noted where it was posted.
#[tokio::test]
async fn click_just_after_posting_counts() {
    for label in ["Approve", "Deny", "Details"] {
        let keyvend = Deployed::new().await;
        keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
        keyvend.work(keyvend.receives("slack")).await;
        // The card is posted, and the worker dies before it is noted.
        let mut posted = false;
        keyvend.world.net.before(move |call| {
            posted |= call.operation == "chat.postMessage";
            let writes = ["UpdateItem", "TransactWriteItems", "PutItem"];
            if posted && writes.contains(&call.operation.as_str()) {
                Interfere::FailBefore
            } else {
                Interfere::Pass
            }
        });
        while let Some(event) = keyvend.world.net.sqs().receive("due", keyvend.world.clock.now()) {
            keyvend.work(event).await;
        }
        keyvend.world.net.undisturbed();
        let card = keyvend.card();
        assert!(keyvend.request().await["card"].is_null());
        let press = keyvend.pressed(keyvend.world.press(BOB_APPROVER, &card, label)).await;
        assert!(testkit::steps::failed(&keyvend.work(press.clone()).await), "{label}: looked at again");
        assert_eq!(keyvend.world.net.slack().told(BOB_APPROVER).len(), 0, "{label}");
        // Then it is noted.
        let request = keyvend.request().await["id"].as_str().unwrap().to_owned();
        note_card(&keyvend, &request, &card).await;
        keyvend.work(press).await;
        match label {
            "Approve" => assert_eq!(keyvend.stands().await, "APPROVED"),
            _ => assert!(!keyvend.view(BOB_APPROVER).reading().is_empty()),
        }
    }
}

/// The request as the worker leaves it once the card's place is noted.
async fn note_card(keyvend: &Deployed, request: &str, card: &Message) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let pk = format!("request#{request}");
    let item = keyvend.item(&pk).await;
    let mut document: serde_json::Value =
        serde_json::from_str(item["document"]["S"].as_str().unwrap()).unwrap();
    document["card"] = serde_json::json!({"channel": card.channel, "ts": card.ts});
    let dynamo = aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(testkit::net::HOME));
    dynamo
        .update_item()
        .table_name(testkit::aws::REQUESTS)
        .key("pk", AttributeValue::S(pk))
        .update_expression("SET document = :document")
        .expression_attribute_values(":document", AttributeValue::S(document.to_string()))
        .send()
        .await
        .unwrap();
}
