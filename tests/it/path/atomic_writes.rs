//! What is written: each change one conditional write, changes that belong together one transaction, and in the tables
//! no more than must be there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use testkit::deployed::{Deployed, Tab};
use testkit::net::{Call, Interfere};
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER};
use testkit::steps::text;

const MAIL: [(&str, &str); 2] =
    [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];

fn typed(user: &str) -> String {
    format!("create {user} use:local-code ttl:30d laptop tooling")
}

/// Everything that changes something: two requests to their ends, and all that can be done to them on the way.
async fn everything() -> Deployed {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    keyvend.collects(&ready).await;
    let tab = keyvend.collects(&ready).await;
    let rival = keyvend.opens();
    let key = keyvend.reveals(&tab).await;
    keyvend.turned_away(&rival).await;
    keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
    keyvend.deliver().await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Report and deactivate").await;
    for typed in ["freeze", "unfreeze"] {
        keyvend.types(BOB_APPROVER, typed).await;
    }
    for user in ["group-owned", "ci-deployer"] {
        keyvend.types(ALICE_OWNER, "").await;
        keyvend.types(ALICE_OWNER, &typed(user)).await;
        keyvend.denies(CAROL_APPROVER, &keyvend.card(), "not wanted").await;
    }
    keyvend.types(ALICE_OWNER, &typed("group-owned")).await;
    keyvend.types(ALICE_OWNER, "cancel").await;
    keyvend.world.net.sqs().sweep();
    keyvend.deliver().await;
    keyvend
}

// T4.5
#[tokio::test]
async fn writes_are_conditional_and_reads_consistent() {
    let keyvend = everything().await;
    let has = |write: &Value| write["ConditionExpression"].as_str().is_some_and(|text| !text.is_empty());
    let mut seen = BTreeSet::new();
    for call in keyvend.world.net.calls().iter().filter(|call| call.service == "dynamodb") {
        seen.insert(call.operation.clone());
        let input = &call.parameters;
        match call.operation.as_str() {
            "GetItem" => assert_eq!(input["ConsistentRead"], true, "{input}"),
            // An index is asked, never a table, and what it says is a hint.
            "Query" => assert!(input["IndexName"].is_string(), "{input}"),
            "UpdateItem" => assert!(has(input), "{input}"),
            "TransactWriteItems" => {
                for write in input["TransactItems"].as_array().unwrap() {
                    assert!(write.as_object().unwrap().values().all(has), "{write}");
                }
            }
            "ExecuteStatement" => {
                let statement = text(&input["Statement"]);
                assert!(statement.starts_with(r#"INSERT INTO "keyvend-audit" VALUE"#), "{statement}");
            }
            other => panic!("nothing here calls {other}"),
        }
    }
    let all = ["ExecuteStatement", "GetItem", "Query", "TransactWriteItems", "UpdateItem"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

/// Nothing that is said is looked at by Slack's link previews, least of all a one-time link.
#[tokio::test]
async fn every_message_disables_previews() {
    let keyvend = everything().await;
    for method in ["chat.postMessage", "response_url"] {
        let said = keyvend.world.net.calls_to("slack", method);
        assert!(said.len() > 5, "{method}");
        for call in said {
            let off = ["unfurl_links", "unfurl_media"].map(|flag| &call.parameters[flag]);
            assert_eq!(off, [&json!(false), &json!(false)], "{method}: {}", call.parameters);
        }
    }
}

/// One write of a transaction: what is done to which kind of item, and on what condition.
fn told(write: &Value) -> String {
    let (kind, write) = write.as_object().unwrap().iter().next().unwrap();
    let pk = write.pointer("/Key/pk/S").or_else(|| write.pointer("/Item/pk/S"));
    let item = pk.map_or("Tickets".to_owned(), |pk| text(pk).split('#').next().unwrap().to_owned());
    let what = match kind.as_str() {
        "Put" => write.pointer("/Item/state/S").map(text).unwrap_or_default(),
        _ => text(&write["UpdateExpression"]),
    };
    let state = ["VOID", "FAILED", "SEALED"].into_iter().find(|state| {
        let values = write["ExpressionAttributeValues"].to_string();
        kind == "Update" && values.contains(&format!("\"{state}\""))
    });
    let what = state.map_or(what, str::to_owned);
    format!("{kind} {item} {what} if {}", text(&write["ConditionExpression"])).replace("  ", " ")
}

/// The transactions of several writes, a paragraph each.
fn transactions(calls: &[Call]) -> String {
    let of_several = calls.iter().filter(|call| call.operation == "TransactWriteItems");
    let several = of_several.filter_map(|call| {
        let writes = call.parameters["TransactItems"].as_array().unwrap();
        (writes.len() > 1).then(|| writes.iter().map(told).collect::<Vec<_>>().join("\n"))
    });
    several.collect::<Vec<_>>().join("\nand\n")
}

async fn written(keyvend: &Deployed, does: impl AsyncFnOnce(&Deployed)) -> String {
    keyvend.world.net.forget();
    does(keyvend).await;
    transactions(&keyvend.world.net.calls())
}

// T4.5, T7.6
#[tokio::test]
async fn related_items_change_in_one_transaction() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let link = written(&keyvend, async |keyvend| drop(keyvend.collects(&ready).await)).await;
    insta::assert_snapshot!(link, @r"
    Put request LINK_ISSUED if version = :version
    Put Tickets PENDING if attribute_not_exists(tid)
    Put ticket if attribute_not_exists(pk)
    Put notification if attribute_not_exists(pk)
    ");
    let another = written(&keyvend, async |keyvend| drop(keyvend.collects(&ready).await)).await;
    insta::assert_snapshot!(another, @r"
    Put request LINK_ISSUED if version = :version
    Put Tickets PENDING if attribute_not_exists(tid)
    Put ticket if attribute_not_exists(pk)
    Update Tickets VOID if #state = :pending OR #state = :locked
    Update ticket REMOVE psk if attribute_exists(pk)
    Put notification if attribute_not_exists(pk)
    ");
    let tab = keyvend.opens();
    let issued = written(&keyvend, async |keyvend| drop(keyvend.reveals(&tab).await)).await;
    insta::assert_snapshot!(issued, @r"
    Put request LINK_ISSUED if version = :version
    Update Tickets SET outbox = :none if size(outbox) = :taken
    and
    Put request ISSUING if version = :version
    Update lease SET holder = :me if attribute_not_exists(holder) OR holder = :me
    ConditionCheck Tickets if #state = :claimed AND attempt = :attempt
    ConditionCheck freeze if attribute_not_exists(frozen_by)
    Update issued SET issued = :next, keep_until = :keep if attribute_not_exists(pk) OR issued = :seen
    and
    Put request ISSUED if version = :version
    Update Tickets SEALED if #state = :claimed AND attempt = :attempt
    Put key DELIVERED if attribute_not_exists(pk)
    Update ticket REMOVE psk if attribute_exists(pk)
    Update lease REMOVE holder if holder = :me
    Put notification if attribute_not_exists(pk)
    Put notification if attribute_not_exists(pk)
    ");
}

#[tokio::test]
async fn link_ends_in_transaction_of_its_request() {
    for claimed in [false, true] {
        for (end, from) in [("cancel", "CANCELLED"), ("deny", "DENIED"), ("expire", "EXPIRED")] {
            let keyvend = Deployed::new().await;
            let ready = keyvend.approved().await;
            let card = keyvend.card();
            keyvend.presses(CAROL_APPROVER, &card, "Deny anyway").await;
            let tab = keyvend.collects(&ready).await;
            if claimed {
                // Its message is worked off after what ends the request.
                keyvend.claims(&tab).await;
            }
            let ended = written(&keyvend, async |keyvend| match end {
                "cancel" => drop(keyvend.types(ALICE_OWNER, "cancel").await),
                "deny" => {
                    keyvend.submits(&keyvend.view(CAROL_APPROVER), &[("reason", "no")]).await;
                }
                _ => {
                    keyvend.world.clock.advance(std::time::Duration::from_secs(3 * 86_400));
                    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
                }
            });
            let was = if claimed { "#state = :claimed" } else { "#state = :pending OR #state = :locked" };
            let notifications = if end == "cancel" { 1 } else { 2 };
            let expected = format!(
                "Put request {from} if version = :version\nUpdate Tickets VOID if {was}\nUpdate ticket REMOVE psk if \
                 attribute_exists(pk){}",
                "\nPut notification if attribute_not_exists(pk)".repeat(notifications)
            );
            let first = ended.await.split("\nand\n").next().unwrap().to_owned();
            assert_eq!(first, expected, "{end}, claimed: {claimed}");
            assert_eq!(keyvend.ticket_stands(&tab).await, "VOID");
            assert!(!keyvend.has_psk(&tab).await);
        }
    }
}

#[tokio::test]
async fn failed_create_releases_everything_in_one_transaction() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.net.once("iam", "CreateAccessKey", Interfere::refused_xml(403, "AccessDenied"));
    let failed = written(&keyvend, async |keyvend| _ = keyvend.deliver().await).await;
    insta::assert_snapshot!(failed.split("\nand\n").last().unwrap(), @r"
    Put request APPROVED if version = :version
    Update Tickets FAILED if #state = :claimed
    Update ticket REMOVE psk if attribute_exists(pk)
    Update lease REMOVE holder if holder = :me
    Update issued SET issued = issued - :one if issued >= :one
    Put notification if attribute_not_exists(pk)
    Put notification if attribute_not_exists(pk)
    ");
}

/// The names of an item's attributes.
fn names(item: &Value) -> Vec<String> {
    let mut names: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    names
}

/// Table `Tickets`, which the function that faces browsers may read, says nothing of whom or what a ticket is for and
/// holds nothing that opens it. Table `Requests`, which that function cannot read, holds the sealing key until it is used.
// T7.10
#[tokio::test]
async fn ticket_holds_no_requester_and_no_sealing_key() {
    let new = [
        "due_at",
        "due_shard",
        "expires_at",
        "keep_until",
        "outbox",
        "proof_sha256",
        "state",
        "tid",
        "tries",
    ];
    let claimed = ["attempt", "browser", "cid", "claimed_at", "pub"];
    let sealed = ["aad", "ct", "enc", "receipt_sha256", "sealed_at"];
    let has = |parts: &[&[&str]], without: &[&str]| -> Vec<String> {
        let all = parts.concat().into_iter().filter(|name| !without.contains(name));
        let mut all: Vec<String> = all.map(str::to_owned).collect();
        all.sort_unstable();
        all
    };
    for (mail, code) in [(&[][..], &[][..]), (&MAIL, &["code_sha256"])] {
        let keyvend = Deployed::with(mail).await;
        let tab = keyvend.linked().await;
        let pending = keyvend.ticket(&tab).await;
        assert_eq!(names(&pending), has(&[&new, code], &[]));
        let expires: i64 = text(&pending["expires_at"]["N"]).parse().unwrap();
        assert_eq!(expires - keyvend.world.clock.now().0, 900, "fifteen minutes");
        assert_eq!(names(&link(&keyvend, &tab).await), ["expires_at", "keep_until", "pk", "psk", "request"]);
        if !mail.is_empty() {
            continue;
        }
        keyvend.claims(&tab).await;
        let item = keyvend.ticket(&tab).await;
        assert_eq!(names(&item), has(&[&new, &claimed], &[]));
        let said = json!({"event": {"S": "claimed"}, "at": item["claimed_at"], "attempt": {"N": "1"}});
        assert_eq!(item["outbox"]["L"], json!([{"M": said}]), "what happened, when, at which attempt");
        keyvend.deliver().await;
        assert_eq!(names(&keyvend.ticket(&tab).await), has(&[&new, &claimed, &sealed], &["due_at"]));
        assert_eq!(names(&link(&keyvend, &tab).await), ["expires_at", "keep_until", "pk", "request"]);
        let (_, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
        keyvend.posts("/reveal/ack", &tab.ack(&tab.unseal(&body))).await;
        let acked = has(&[&new, &claimed, &sealed, &["confirmed_at"]], &["enc", "ct"]);
        assert_eq!(names(&keyvend.ticket(&tab).await), acked);
    }
}

async fn link(keyvend: &Deployed, tab: &Tab) -> Value {
    keyvend.item(&format!("ticket#{}", tab.tid())).await
}

/// A ticket that the table's TTL collected is gone, and a new link takes its place.
#[tokio::test]
async fn link_with_missing_ticket_is_replaced() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    let gone = keyvend.collects(&ready).await;
    let dynamo = aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(testkit::net::HOME));
    let tid = aws_sdk_dynamodb::types::AttributeValue::S(gone.tid());
    dynamo.delete_item().table_name(testkit::aws::TICKETS).key("tid", tid).send().await.unwrap();
    assert_eq!(keyvend.turned_away(&gone).await, (404, "not-found".to_owned()));
    let tab = keyvend.collects(&ready).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.creates(), 1);
}

/// No condition key of IAM's covers what DynamoDB returns of an item whose condition failed, so whoever has `reveal`'s role
/// and a ticket's id reads the whole ticket. There is nothing in it but what the role may name anyway, and times.
// T7.10
#[tokio::test]
async fn failed_condition_returns_no_secret_to_reveal() {
    use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure};

    use testkit::iam_rights::Function;
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.reveals(&tab).await;
    let reveal = aws_sdk_dynamodb::Client::new(&keyvend.world.net.config(Function::Reveal));
    let failed = reveal
        .update_item()
        .table_name(testkit::aws::TICKETS)
        .key("tid", AttributeValue::S(tab.tid()))
        .update_expression("SET tries = :none")
        .condition_expression("tries = :none")
        .expression_attribute_values(":none", AttributeValue::N("99".to_owned()))
        .return_values_on_condition_check_failure(OnFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed) =
        failed
    else {
        panic!("{failed:?}")
    };
    let returned: BTreeSet<&str> = failed.item.as_ref().unwrap().keys().map(String::as_str).collect();
    assert!(returned.contains("ct"), "the whole ticket: {returned:?}");
    let template = include_str!("../../../template.yaml");
    let role = template.split("  RevealRole:").nth(1).unwrap().split("  WorkerRole:").next().unwrap();
    let is_named = |name: &&&str| role.contains(&format!("- {name}\n"));
    let unnamed: Vec<&str> = returned.iter().filter(|name| !is_named(name)).copied().collect();
    assert_eq!(unnamed, ["due_shard", "keep_until"]);
}
