//! What is sent to the queues: each message in a group that keeps an order and delays nothing else, each once.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use testkit::aws::{self, TICKETS};
use testkit::deployed::{Deployed, Tab};
use testkit::net::{HOME, Interfere};
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DORA_DELETED, MALLORY_OUTSIDER, Message,
};
use testkit::sqs;
use testkit::steps::{ASK, failed, text};

/// What was sent to a queue since the calls were last forgotten: body, group, deduplication id.
fn sent(keyvend: &Deployed, queue: &str) -> Vec<(Value, String, String)> {
    let calls = keyvend.world.net.calls().into_iter().filter(|call| call.service == "sqs");
    let own = calls.filter(|call| call.parameters["QueueUrl"] == sqs::url(queue));
    let messages = own.flat_map(|call| match call.operation.as_str() {
        "SendMessage" => vec![call.parameters],
        "SendMessageBatch" => call.parameters["Entries"].as_array().unwrap().clone(),
        _ => Vec::new(),
    });
    messages
        .map(|message| {
            let said = |name: &str| text(&message[name]);
            let body = serde_json::from_str(&said("MessageBody")).unwrap();
            (body, said("MessageGroupId"), said("MessageDeduplicationId"))
        })
        .collect()
}

/// The one message that an event of Slack's comes to, which is then worked off.
async fn queued(keyvend: &Deployed, event: Value) -> (Value, String) {
    let signature = text(&event["headers"]["x-slack-signature"]);
    keyvend.world.net.forget();
    assert_eq!(keyvend.arrive(event).await["statusCode"], 200);
    let mut all = sent(keyvend, sqs::SLACK);
    assert_eq!(all.len(), 1);
    let (body, group, once) = all.remove(0);
    let hash: String = Sha256::digest(&signature).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(once, hash, "a request that Slack repeats is the same message");
    keyvend.deliver().await;
    keyvend.world.clock.advance(Duration::from_secs(1));
    (body, group)
}

/// The last message to somebody with this button.
fn offered(keyvend: &Deployed, person: &str, label: &str) -> Message {
    let told = keyvend.world.net.slack().told(person).into_iter().rev();
    let mut with = told.filter(|message| message.buttons().iter().any(|button| button.text == label));
    with.next().unwrap()
}

// T6.2
#[tokio::test]
async fn queue_groups_isolate_people_forms_and_deactivation() {
    // Nobody delays anybody else, and nothing delays a form, a deactivation or a freeze.
    let keyvend = Deployed::new().await;
    let world = &keyvend.world;
    let person = |id: &str| format!("T0001.{id}");
    for (who, typed) in [(ALICE_OWNER, ASK), (ALICE_OWNER, "status"), (MALLORY_OUTSIDER, "whoami")] {
        assert_eq!(queued(&keyvend, world.slash_command(who, typed)).await.1, person(who), "{typed}");
    }
    let request = text(&keyvend.request().await["id"]);
    for typed in ["", "create"] {
        let (body, group) = queued(&keyvend, world.slash_command(ALICE_OWNER, typed)).await;
        assert_eq!(group, format!("form.{}.{}", person(ALICE_OWNER), text(&body["id"])), "{typed:?}");
    }
    let form = keyvend.view(ALICE_OWNER);
    let chosen = queued(&keyvend, world.choose(&form, "use-case", "cli")).await.1;
    assert_eq!(chosen, format!("view.{}.{}", person(ALICE_OWNER), form.id));
    for label in ["Details", "Deny"] {
        let (body, group) = queued(&keyvend, world.press(BOB_APPROVER, &keyvend.card(), label)).await;
        assert_eq!(group, format!("form.{}.{}", person(BOB_APPROVER), text(&body["id"])), "{label}");
    }
    let form = keyvend.view(BOB_APPROVER);
    // One person's decisions about a request are in order, however they decide.
    let about = |id: &str| format!("{}.{request}", person(id));
    let approved = queued(&keyvend, world.press(CAROL_APPROVER, &keyvend.card(), "Approve")).await.1;
    assert_eq!(approved, about(CAROL_APPROVER));
    let ready = offered(&keyvend, ALICE_OWNER, "Get my key");
    let collected = queued(&keyvend, world.press(ALICE_OWNER, &ready, "Get my key")).await.1;
    assert_eq!(collected, about(ALICE_OWNER));
    let tab = keyvend.opens();
    keyvend.reveals(&tab).await;
    let issued = offered(&keyvend, ALICE_OWNER, "This wasn't me");
    for (who, message, label) in
        [(ALICE_OWNER, &issued, "This wasn't me"), (BOB_APPROVER, &keyvend.card(), "Report and deactivate")]
    {
        let (_, group) = queued(&keyvend, world.press(who, message, label)).await;
        assert_eq!(group, format!("deactivate.{}", about(who)));
    }
    let denial = world.submit(&form, &form.values(&[("reason", "not wanted")]));
    assert_eq!(queued(&keyvend, denial).await.1, about(BOB_APPROVER));
    for typed in ["freeze", "unfreeze"] {
        let group = queued(&keyvend, world.slash_command(BOB_APPROVER, typed)).await.1;
        assert_eq!(group, format!("freeze.{}", person(BOB_APPROVER)), "{typed}");
    }
    assert_eq!(
        queued(&keyvend, world.user_change(DORA_DELETED)).await.1,
        format!("deactivated.{}", person(DORA_DELETED))
    );
}

#[tokio::test]
async fn ticket_messages_are_ordered_and_deduplicated() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let rival = keyvend.opens();
    keyvend.world.net.forget();
    let claims = |event: &str, attempt: i64, once: String| {
        (json!({"tid": tab.tid(), "event": event, "attempt": attempt}), tab.tid(), once)
    };
    keyvend.claims(&tab).await;
    keyvend.claims(&tab).await;
    let claimed = claims("claimed", 1, format!("{}.claimed.1", tab.tid()));
    assert_eq!(sent(&keyvend, sqs::CLAIMS), [claimed.clone(), claimed], "every repeated claim says so again");
    keyvend.deliver().await;
    let (_, sealed) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    keyvend.world.net.forget();
    assert_eq!(keyvend.turned_away(&rival).await.0, 409);
    keyvend.posts("/reveal/ack", &tab.ack(&tab.unseal(&sealed))).await;
    assert_eq!(
        sent(&keyvend, sqs::CLAIMS),
        [
            claims("misused", 0, format!("{}.misused", tab.tid())),
            claims("confirmed", 0, format!("{}.confirmed", tab.tid())),
        ]
    );
}

#[tokio::test]
async fn notifications_are_ordered_and_timers_independent() {
    // Notifications keep the order of where they go, one group for each of Slack's limits; each timer has a group of its own.
    let keyvend = Deployed::new().await;
    keyvend.asked().await;
    let request = text(&keyvend.request().await["id"]);
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let told: Vec<_> = sent(&keyvend, sqs::DUE).into_iter().map(|(_, group, once)| (group, once)).collect();
    let entry = |group: &str, number: u32| (format!("notify.{group}"), format!("{request}.notify.{number}"));
    let alices = format!("T0001.{ALICE_OWNER}.post");
    let mut expected = vec![entry("approvals.post", 1), entry("approvals.update", 2), entry(&alices, 3)];
    expected.sort();
    let mut told = told;
    told.sort();
    assert_eq!(told, expected);

    let item = format!("request#{request}");
    let due_at = text(&keyvend.item(&item).await["due_at"]["N"]).parse().unwrap();
    keyvend.world.clock.set(keyvend::time::Timestamp(due_at));
    keyvend.world.net.sqs().sweep();
    keyvend.world.net.forget();
    keyvend.deliver().await;
    let (body, group, once) = sent(&keyvend, sqs::DUE).remove(0);
    assert_eq!(body, json!({"item_timer": {"item": item, "due_at": due_at}}));
    assert_eq!((group, once), (format!("timer.{item}"), format!("{item}.{due_at}")));
    assert_eq!(keyvend.stands().await, "EXPIRED");
}

#[tokio::test]
async fn refused_part_of_batch_is_sent_again() {
    // A sweep sends timers ten at a time; what the queue did not take is sent again, and what it took runs once.
    let keyvend = Deployed::new().await;
    for _ in 0..3 {
        keyvend.asked().await;
        keyvend.world.clock.advance(Duration::from_secs(60));
    }
    keyvend.world.clock.advance(Duration::from_secs(25 * 3_600));
    keyvend.world.net.sqs().sweep();
    keyvend.world.net.forget();
    keyvend.world.net.sqs().refuse_of_batch(2);
    keyvend.deliver_everything().await;
    let batches = keyvend.world.net.calls_to("sqs", "SendMessageBatch");
    let sizes: Vec<usize> =
        batches.iter().map(|call| call.parameters["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [3, 2], "the one that was taken was worked off meanwhile");
    for request in keyvend.requests().await {
        assert_eq!(request["stands"], "EXPIRED");
        let trail = keyvend.trail_of(&text(&request["id"])).await;
        assert_eq!(trail.iter().filter(|entry| entry.event == "request.expired").count(), 1);
    }
    assert!(keyvend.world.net.sqs().dead(sqs::SWEEP).is_empty());
}

#[tokio::test]
async fn unqueued_claim_is_queued_on_repeat() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.world.net.once("sqs", "SendMessage", Interfere::refused_json("InternalError"));
    let (status, _) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 503, "the tab is told to ask again");
    assert_eq!((keyvend.deliver().await, keyvend.ticket_stands(&tab).await), (0, "CLAIMED".to_owned()));
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.creates(), 1);
}

#[tokio::test]
async fn batch_response_names_only_failed_messages() {
    let keyvend = Deployed::new().await;
    for person in [ALICE_OWNER, BOB_APPROVER] {
        keyvend.arrive(keyvend.world.slash_command(person, "whoami")).await;
    }
    let (one, two) = (keyvend.receives(sqs::SLACK), keyvend.receives(sqs::SLACK));
    let (alices, bobs) = (one["Records"][0].clone(), two["Records"][0].clone());
    keyvend.world.net.fault(
        |call| call.operation == "users.info" && call.parameters["user"] == ALICE_OWNER,
        Interfere::FailBefore,
    );
    let answer = keyvend.work(json!({"Records": [alices, bobs]})).await;
    assert!(failed(&answer));
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": alices["messageId"]}]}));
    assert!(keyvend.told(BOB_APPROVER).contains("You are <@U0BOB>"));
}

#[tokio::test]
async fn unconnected_app_explains_setup_and_reads_nothing() {
    let keyvend = Deployed::with(&[("KEYVEND_SLACK_APP_ID", ""), ("KEYVEND_SLACK_TEAM_IDS", "")]).await;
    for event in [keyvend.world.slash_command(ALICE_OWNER, ASK), keyvend.world.user_change(DORA_DELETED)] {
        let answer = keyvend.arrive(event).await;
        assert_eq!(answer["statusCode"], 503);
        let said = text(&answer["body"]);
        for part in ["not yet connected", "KEYVEND_SLACK_APP_ID", "KEYVEND_SLACK_TEAM_IDS", "signing secret"]
        {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!(keyvend.world.net.calls().len(), 0);
}

/// What a queue says is no proof of where it came from.
// T1.8
#[tokio::test]
async fn reply_is_sent_to_slack_only() {
    for url in ["https://evil.test/x", "https://hooks.slack.com.evil.test/x", "https://slack.com/x"] {
        let keyvend = Deployed::new().await;
        keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "whoami")).await;
        let mut event = keyvend.receives(sqs::SLACK);
        let mut message: Value = serde_json::from_str(&text(&event["Records"][0]["body"])).unwrap();
        message["response_url"] = json!(url);
        event["Records"][0]["body"] = json!(message.to_string());
        assert!(!failed(&keyvend.work(event).await), "{url}");
        assert!(keyvend.world.net.calls().iter().all(|call| call.url != url), "{url}");
        assert!(keyvend.direct(ALICE_OWNER).reading().contains("You are <@U0ALICE>"), "{url}");
    }
}

#[tokio::test]
async fn code_requirement_is_fixed_in_ticket() {
    // A later change of the configuration does not change it.
    let mail = [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];
    for (before, after, wants) in [(&mail[..], &[][..], true), (&[], &mail, false)] {
        let keyvend = Deployed::with(before).await;
        let tab = keyvend.linked().await;
        assert_eq!(!keyvend.ticket(&tab).await["code_sha256"].is_null(), wants);
        let keyvend = keyvend.redeployed(after);
        let status = keyvend.posts("/reveal/claim", &tab.claim(None)).await.0;
        assert_eq!(status, if wants { 401 } else { 202 });
        keyvend.deliver().await;
        let status = keyvend.posts("/reveal/claim", &tab.claim(None)).await.0;
        assert_eq!(status, if wants { 401 } else { 200 });
    }
}

/// A mail is what SES is told and no more: no HTML, and no configuration set, by which SES would track it.
#[tokio::test]
async fn code_mail_is_plain_and_untracked() {
    let mail = [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];
    let keyvend = Deployed::with(&mail).await;
    let tab = keyvend.linked().await;
    let sent = keyvend.world.net.calls_to("ses", "SendEmail").remove(0);
    let mut fields: Vec<&str> = sent.parameters.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "Action",
            "Destination.ToAddresses.member.1",
            "Message.Body.Text.Charset",
            "Message.Body.Text.Data",
            "Message.Subject.Charset",
            "Message.Subject.Data",
            "Source",
            "Version",
        ]
    );
    // What the table holds of the code is the hash of what the tab makes of it.
    let text_of = text(&sent.parameters["Message.Body.Text.Data"]);
    let code = text_of.split("Your code is ").nth(1).unwrap().split_whitespace().next().unwrap();
    let crockford = |b: u8| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b);
    assert!(code.len() == 8 && code.bytes().all(crockford), "{code}");
    let stretched = decoded(&tab.code(code));
    let stored = keyvend.world.net.dynamo().item(TICKETS, json!({"tid": {"S": tab.tid()}})).await;
    assert_eq!(bytes(&stored["code_sha256"]["B"]), Sha256::digest(&stretched).to_vec());
    assert_eq!(
        bytes(&stored["proof_sha256"]["B"]),
        Sha256::digest(tab_proof(&tab)).to_vec(),
        "and of the proof"
    );
}

fn tab_proof(tab: &Tab) -> [u8; 32] {
    tab.derive("proof")
}

fn decoded(base64url: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(base64url).unwrap()
}

fn bytes(base64: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(base64.as_str().unwrap()).unwrap()
}

/// The texts in a JSON value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Everything that is said stands in a table that only the worker can write: on queue `due` there are names and numbers.
// T7.6
#[tokio::test]
async fn due_messages_carry_no_text() {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    let now = keyvend.world.clock.now();
    let items = aws::items(&keyvend.world.net, aws::REQUESTS).await;
    let notifications: Vec<_> = items.iter().filter(|(key, _)| key.starts_with("notification#")).collect();
    assert!(notifications.len() > 4, "{notifications:?}");
    for (key, item) in notifications {
        let kept = text(&item["keep_until"]["N"]).parse::<i64>().unwrap() - now.0;
        assert!(((30 * 86_400 - 600)..=30 * 86_400).contains(&kept), "{key} is kept for {kept} s");
    }
    let admin = aws::iam(&keyvend.world.net, HOME);
    admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    keyvend.types(ALICE_OWNER, "create group-owned use:cli ttl:30d laptop tooling").await;
    for hours in [0, 7, 26] {
        keyvend.world.clock.advance(Duration::from_secs(hours * 3_600));
        keyvend.world.net.sqs().sweep();
        keyvend.deliver_everything().await;
    }
    let told = keyvend.world.net.slack().messages(APPROVALS);
    assert!(told.iter().any(|message| message.reading().contains("Discrepancies between IAM")));
    let mut kinds = BTreeSet::new();
    for (body, ..) in sent(&keyvend, sqs::DUE) {
        kinds.extend(body.as_object().into_iter().flat_map(|body| body.keys().cloned()));
        for text in texts(&body) {
            assert!(!text.contains(char::is_whitespace) && text.len() < 100, "{body}");
        }
    }
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["checkpoint", "item_timer", "notify", "refresh_ownership", "ticket_timer"]
    );
}
