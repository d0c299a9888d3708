//! Items, conditions, transactions and PartiQL, through the SDK.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use serde_json::json;

use testkit::World;
use testkit::aws::{self, AUDIT, REQUESTS, TICKETS};
use testkit::net::{HOME, Interfere};

pub fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub fn client(world: &World) -> Client {
    Client::new(&world.net.admin(HOME))
}

async fn put(client: &Client, item: impl IntoIterator<Item = (&'static str, AttributeValue)>) {
    let item: HashMap<_, _> = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    client.put_item().table_name(REQUESTS).set_item(Some(item)).send().await.unwrap();
}

/// Whether a condition holds for the item `r1`.
async fn holds(client: &Client, condition: &str, values: &[(&str, AttributeValue)]) -> bool {
    let mut update = client.update_item().table_name(REQUESTS).key("pk", s("r1"));
    update = update.update_expression("SET seen = :seen").expression_attribute_values(":seen", n(1));
    for (name, value) in values {
        update = update.expression_attribute_values(*name, value.clone());
    }
    match update.condition_expression(condition).send().await {
        Ok(_) => true,
        Err(error) => {
            let error = error.into_service_error();
            assert!(error.is_conditional_check_failed_exception(), "{condition}: {error:?}");
            false
        }
    }
}

#[tokio::test]
async fn conditions_mean_what_the_documentation_says() {
    let world = World::new().await;
    let client = client(&world);
    put(
        &client,
        [("pk", s("r1")), ("tries", n(4)), ("proof", b(&[1, 2, 3, 4])), ("run", s("A")), ("until", n(100))],
    )
    .await;
    type Values = [(&'static str, AttributeValue)];
    let cases: &[(&str, &Values, bool)] = &[
        ("attribute_not_exists(pk)", &[], false),
        ("attribute_not_exists(holder) OR holder = :me", &[(":me", s("x"))], true),
        ("attribute_exists(run) AND run = :run", &[(":run", s("A"))], true),
        ("run = :run", &[(":run", s("B"))], false),
        ("tries < :most", &[(":most", n(5))], true),
        ("tries < :most", &[(":most", n(4))], false),
        ("tries < :most", &[(":most", n(10))], true),
        ("size(proof) = :size", &[(":size", n(4))], true),
        ("size(run) > :size", &[(":size", n(1))], false),
        // winterbaume cannot compare binaries, and takes `<>` on a missing attribute for false.
        ("proof = :proof", &[(":proof", b(&[1, 2, 3, 4]))], true),
        ("proof = :proof", &[(":proof", b(&[1, 2, 3, 5]))], false),
        ("proof <> :proof", &[(":proof", b(&[1, 2, 3, 5]))], true),
        ("absent <> :me", &[(":me", s("x"))], true),
        ("absent = :me", &[(":me", s("x"))], false),
        ("NOT absent < :n", &[(":n", n(3))], true),
        ("run = :number", &[(":number", n(1))], false),
        ("run IN (:a, :c)", &[(":a", s("A")), (":c", s("C"))], true),
        ("tries BETWEEN :low AND :high", &[(":low", n(4)), (":high", n(9))], true),
        ("begins_with(run, :prefix)", &[(":prefix", s("A"))], true),
    ];
    for (condition, values, expected) in cases {
        assert_eq!(holds(&client, condition, values).await, *expected, "{condition} {values:?}");
    }
}

#[tokio::test]
async fn what_aws_refuses_by_the_text_is_refused() {
    let world = World::new().await;
    let client = client(&world);
    let update = || client.update_item().table_name(REQUESTS).key("pk", s("r1"));
    let value = |name: &str| (name.to_owned(), n(1));
    let cases = [
        ("a reserved word", update().update_expression("SET until = :u"), vec![value(":u")]),
        ("an unused value", update().update_expression("SET a = :u"), vec![value(":u"), value(":v")]),
        ("an undefined value", update().update_expression("SET a = :u, b = :v"), vec![value(":u")]),
        ("an undefined name", update().update_expression("SET #a = :u"), vec![value(":u")]),
        ("overlapping paths", update().update_expression("SET a = :u REMOVE a"), vec![value(":u")]),
        ("overlapping paths", update().update_expression("SET a.b = :u, a = :u"), vec![value(":u")]),
        ("the key", update().update_expression("SET pk = :u"), vec![value(":u")]),
        (
            "an index key of another type",
            update().update_expression("SET asked_at = :u"),
            vec![(":u".to_owned(), s("x"))],
        ),
        ("an empty index key", update().update_expression("SET person = :u"), vec![(":u".to_owned(), s(""))]),
        ("no clause", update().update_expression("a = :u"), vec![value(":u")]),
        (
            "an unused name",
            update().update_expression("SET a = :u").expression_attribute_names("#state", "state"),
            vec![value(":u")],
        ),
        ("a key too many", update().key("sk", n(1)).update_expression("SET a = :u"), vec![value(":u")]),
        ("an empty key", client.update_item().table_name(REQUESTS).key("pk", s("")), vec![]),
    ];
    for (what, update, values) in cases {
        let values = if values.is_empty() { None } else { Some(values.into_iter().collect()) };
        let error = update.set_expression_attribute_values(values).send().await.expect_err(what);
        assert_eq!(error.code(), Some("ValidationException"), "{what}: {error:?}");
    }
    assert_eq!(
        world.net.dynamo().items(REQUESTS).await,
        Vec::<serde_json::Value>::new(),
        "nothing was written"
    );
}

#[tokio::test]
async fn an_update_returns_what_it_set() {
    let world = World::new().await;
    let client = client(&world);
    put(
        &client,
        [("pk", s("r1")), ("tries", n(1)), ("former", s("x")), ("outbox", AttributeValue::L(vec![s("a")]))],
    )
    .await;
    let update = |wanted: Option<ReturnValue>| {
        client
            .update_item()
            .table_name(REQUESTS)
            .key("pk", s("r1"))
            .update_expression(
                "SET #state = :state, outbox = list_append(outbox, :entry) REMOVE former ADD tries :one",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", s("CLAIMED"))
            .expression_attribute_values(":entry", AttributeValue::L(vec![s("b")]))
            .expression_attribute_values(":one", n(1))
            .set_return_values(wanted)
            .send()
    };
    let new = update(Some(ReturnValue::UpdatedNew)).await.unwrap().attributes.unwrap();
    let expected =
        [("state", s("CLAIMED")), ("outbox", AttributeValue::L(vec![s("a"), s("b")])), ("tries", n(2))];
    assert_eq!(new, expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    assert_eq!(update(None).await.unwrap().attributes, None);
    let all = update(Some(ReturnValue::AllNew)).await.unwrap().attributes.unwrap();
    assert_eq!((all.len(), &all["tries"], all.get("former")), (4, &n(4), None));
}

#[tokio::test]
async fn failed_condition_returns_item_on_request() {
    let world = World::new().await;
    let client = client(&world);
    put(&client, [("pk", s("r1")), ("run", s("A"))]).await;
    let failing = |asked: bool| {
        let asked = asked.then_some(ReturnValuesOnConditionCheckFailure::AllOld);
        client
            .update_item()
            .table_name(REQUESTS)
            .key("pk", s("r1"))
            .update_expression("SET run = :new")
            .condition_expression("run = :old")
            .expression_attribute_values(":old", s("B"))
            .expression_attribute_values(":new", s("C"))
            .set_return_values_on_condition_check_failure(asked)
            .send()
    };
    let item = |error: aws_sdk_dynamodb::error::SdkError<UpdateItemError>| match error.into_service_error() {
        UpdateItemError::ConditionalCheckFailedException(failed) => failed.item,
        other => panic!("{other:?}"),
    };
    assert_eq!(item(failing(true).await.unwrap_err()).unwrap()["run"], s("A"));
    assert_eq!(item(failing(false).await.unwrap_err()), None);
    world.net.dynamo().without_item_on_failure();
    assert_eq!(item(failing(true).await.unwrap_err()), None);
    assert_eq!(world.net.dynamo().item(REQUESTS, json!({"pk": {"S": "r1"}})).await["run"], json!({"S": "A"}));
}

#[tokio::test]
async fn an_item_is_read_as_far_as_projected() {
    let world = World::new().await;
    let client = client(&world);
    put(&client, [("pk", s("r1")), ("state", s("PENDING")), ("psk", b(&[9; 32])), ("n", n(-7))]).await;
    let get = || client.get_item().table_name(REQUESTS).key("pk", s("r1")).consistent_read(true);
    let part =
        get().projection_expression("#state, n").expression_attribute_names("#state", "state").send().await;
    let expected = HashMap::from([("state".to_owned(), s("PENDING")), ("n".to_owned(), n(-7))]);
    assert_eq!(part.unwrap().item, Some(expected));
    assert_eq!(get().send().await.unwrap().item.unwrap()["psk"], b(&[9; 32]));
    let none = client.get_item().table_name(REQUESTS).key("pk", s("r2")).send().await.unwrap();
    assert_eq!(none.item, None);
}

/// A transaction over two tables: one put, one update, one delete, one check.
fn transaction(lease: &str) -> Vec<TransactWriteItem> {
    let put = Put::builder()
        .table_name(REQUESTS)
        .item("pk", s("lease"))
        .item("holder", s("r1"))
        .condition_expression("attribute_not_exists(holder) OR holder = :me")
        .expression_attribute_values(":me", s("r1"))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let update = Update::builder()
        .table_name(TICKETS)
        .key("tid", s("t1"))
        .update_expression("SET #state = :sealed")
        .condition_expression("#state = :claimed")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":sealed", s("SEALED"))
        .expression_attribute_values(":claimed", s("CLAIMED"));
    let delete = Delete::builder().table_name(REQUESTS).key("pk", s(lease));
    let check = ConditionCheck::builder()
        .table_name(REQUESTS)
        .key("pk", s("freeze"))
        .condition_expression("attribute_not_exists(pk)");
    let item = TransactWriteItem::builder;
    vec![
        item().put(put.build().unwrap()).build(),
        item().update(update.build().unwrap()).build(),
        item().delete(delete.build().unwrap()).build(),
        item().condition_check(check.build().unwrap()).build(),
    ]
}

async fn with_ticket(world: &World, client: &Client, state: &str) {
    let ticket = client.put_item().table_name(TICKETS).item("tid", s("t1")).item("state", s(state));
    ticket.send().await.unwrap();
    put(client, [("pk", s("old-lease"))]).await;
    world.net.forget();
}

#[tokio::test]
async fn transaction_is_atomic_and_names_failed_part() {
    let world = World::new().await;
    let client = client(&world);
    with_ticket(&world, &client, "PENDING").await;
    put(&client, [("pk", s("freeze"))]).await;
    put(&client, [("pk", s("lease")), ("holder", s("r2"))]).await;
    let before = (world.net.dynamo().items(REQUESTS).await.len(), aws::items(&world.net, TICKETS).await);
    let sent = client.transact_write_items().set_transact_items(Some(transaction("old-lease"))).send().await;
    let error = sent.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { panic!("{error:?}") };
    let codes: Vec<_> =
        cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["ConditionalCheckFailed", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"]);
    assert_eq!(cancelled.cancellation_reasons()[0].item().unwrap()["holder"], s("r2"));
    assert_eq!(cancelled.cancellation_reasons()[1].item(), None, "not asked for");
    assert!(
        cancelled
            .message
            .unwrap()
            .ends_with("[ConditionalCheckFailed, ConditionalCheckFailed, None, ConditionalCheckFailed]")
    );
    assert_eq!(
        before,
        (world.net.dynamo().items(REQUESTS).await.len(), aws::items(&world.net, TICKETS).await)
    );

    let world = World::new().await;
    let client = self::client(&world);
    with_ticket(&world, &client, "CLAIMED").await;
    client.transact_write_items().set_transact_items(Some(transaction("old-lease"))).send().await.unwrap();
    assert_eq!(aws::items(&world.net, TICKETS).await["t1"]["state"], json!({"S": "SEALED"}));
    assert_eq!(aws::items(&world.net, REQUESTS).await.keys().collect::<Vec<_>>(), ["lease"]);
}

#[tokio::test]
async fn transaction_token_makes_repeat_idempotent() {
    let world = World::new().await;
    let client = client(&world);
    with_ticket(&world, &client, "CLAIMED").await;
    // The SDK's own retry after a lost reply.
    world.net.once("dynamodb", "TransactWriteItems", Interfere::LoseReply);
    client.transact_write_items().set_transact_items(Some(transaction("old-lease"))).send().await.unwrap();
    assert_eq!(world.net.calls_to("dynamodb", "TransactWriteItems").len(), 2);

    let count = |token: &str| {
        let add = Update::builder()
            .table_name(REQUESTS)
            .key("pk", s("counter"))
            .update_expression("ADD hits :one")
            .expression_attribute_values(":one", n(1));
        let item = TransactWriteItem::builder().update(add.build().unwrap()).build();
        client.transact_write_items().transact_items(item).client_request_token(token).send()
    };
    count("token-1").await.unwrap();
    count("token-1").await.unwrap();
    assert_eq!(aws::items(&world.net, REQUESTS).await["counter"]["hits"], json!({"N": "1"}));
    let other = client
        .transact_write_items()
        .set_transact_items(Some(transaction("x")))
        .client_request_token("token-1");
    let error = other.send().await.unwrap_err().into_service_error();
    assert!(error.is_idempotent_parameter_mismatch_exception(), "{error:?}");
    world.clock.advance(std::time::Duration::from_secs(600));
    count("token-1").await.unwrap();
    assert_eq!(aws::items(&world.net, REQUESTS).await["counter"]["hits"], json!({"N": "2"}));
}

#[tokio::test]
async fn a_transaction_names_no_item_twice() {
    let world = World::new().await;
    let client = client(&world);
    let check = ConditionCheck::builder()
        .table_name(REQUESTS)
        .key("pk", s("old-lease"))
        .condition_expression("attribute_exists(pk)");
    let mut items = transaction("old-lease");
    items.push(TransactWriteItem::builder().condition_check(check.build().unwrap()).build());
    let error = client.transact_write_items().set_transact_items(Some(items)).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
}

#[tokio::test]
async fn racing_conditional_writes_have_one_winner() {
    let world = World::new().await;
    let client = client(&world);
    let take = |holder: &str| {
        client
            .update_item()
            .table_name(REQUESTS)
            .key("pk", s("lease"))
            .update_expression("SET holder = :me")
            .condition_expression("attribute_not_exists(holder)")
            .expression_attribute_values(":me", s(holder))
            .send()
    };
    let (one, two, three) = tokio::join!(take("a"), take("b"), take("c"));
    assert_eq!([one.is_ok(), two.is_ok(), three.is_ok()].iter().filter(|won| **won).count(), 1);
}

// T5.1
#[tokio::test]
async fn partiql_inserts_once() {
    let world = World::new().await;
    let client = client(&world);
    let detail = AttributeValue::M(HashMap::from([("who".to_owned(), s("it's \"quoted\""))]));
    let insert = |event: &str| {
        client
            .execute_statement()
            .statement(
                "INSERT INTO \"keyvend-audit\" VALUE {'pk': ?, 'sk': ?, 'event': ?, 'detail': ?, 'raw': ?}",
            )
            .set_parameters(Some(vec![s("r1"), n(1), s(event), detail.clone(), b(&[7, 8])]))
            .send()
    };
    insert("asked").await.unwrap();
    let error = insert("refused").await.unwrap_err().into_service_error();
    assert!(error.is_duplicate_item_exception(), "{error:?}");
    let items = aws::items(&world.net, AUDIT).await;
    let expected = json!({
        "pk": {"S": "r1"}, "sk": {"N": "1"}, "event": {"S": "asked"},
        "detail": {"M": {"who": {"S": "it's \"quoted\""}}}, "raw": {"B": "Bwg="},
    });
    assert_eq!(items.into_values().collect::<Vec<_>>(), [expected]);

    let bare = client.execute_statement().statement("INSERT INTO keyvend-audit VALUE {'pk': ?, 'sk': ?}");
    let bare = bare.set_parameters(Some(vec![s("r2"), n(1)])).send().await.unwrap_err();
    assert_eq!(bare.code(), Some("ValidationException"));
    let short =
        client.execute_statement().statement("INSERT INTO \"keyvend-audit\" VALUE {'pk': ?, 'sk': ?}");
    let short = short.set_parameters(Some(vec![s("r2")])).send().await.unwrap_err();
    assert_eq!(short.code(), Some("ValidationException"));
}
