//! Queries on the index: order, pages, what it holds.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::AttributeValue;

use super::dynamo::{client, n, s};
use testkit::World;
use testkit::aws::REQUESTS;

async fn ask(client: &Client, pk: &str, person: &str, asked_at: Option<i64>) {
    let item = client
        .put_item()
        .table_name(REQUESTS)
        .item("pk", s(pk))
        .item("person", s(person))
        .item("reason", s("x"));
    let item = match asked_at {
        Some(at) => item.item("asked_at", n(at)),
        None => item,
    };
    item.send().await.unwrap();
}

fn newest(client: &Client) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
    client
        .query()
        .table_name(REQUESTS)
        .index_name("by_person")
        .key_condition_expression("person = :person")
        .expression_attribute_values(":person", s("T0001.U0ALICE"))
        .scan_index_forward(false)
}

fn pks(items: Option<Vec<std::collections::HashMap<String, AttributeValue>>>) -> Vec<String> {
    items.unwrap().into_iter().map(|item| item["pk"].as_s().unwrap().clone()).collect()
}

async fn with_requests(world: &World) -> Client {
    let client = client(world);
    for (pk, at) in [("a", 9), ("b", 10), ("c", 100), ("d", 100), ("e", 8)] {
        ask(&client, pk, "T0001.U0ALICE", Some(at)).await;
    }
    ask(&client, "other", "T0001.U0BOB", Some(50)).await;
    ask(&client, "unindexed", "T0001.U0ALICE", None).await;
    client
}

#[tokio::test]
async fn index_sorts_numbers_and_holds_projection() {
    let world = World::new().await;
    let client = with_requests(&world).await;
    let answer = newest(&client).send().await.unwrap();
    assert_eq!((answer.count, answer.last_evaluated_key), (5, None));
    let items = answer.items.unwrap();
    let mut names: Vec<&String> = items[0].keys().collect();
    names.sort();
    assert_eq!(names, ["asked_at", "person", "pk"], "keys only");
    assert_eq!(pks(Some(items)), ["d", "c", "b", "a", "e"]);
    let since = newest(&client)
        .key_condition_expression("person = :person AND asked_at >= :since")
        .expression_attribute_values(":since", n(10));
    assert_eq!(pks(since.send().await.unwrap().items), ["d", "c", "b"]);
}

#[tokio::test]
async fn pages_lose_nothing_and_may_end_empty() {
    let world = World::new().await;
    let client = with_requests(&world).await;
    let (mut all, mut start, mut pages) = (Vec::new(), None, 0);
    loop {
        let answer = newest(&client).limit(1).set_exclusive_start_key(start).send().await.unwrap();
        all.extend(pks(answer.items));
        pages += 1;
        start = answer.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    assert_eq!(
        (all.join(""), pages),
        ("dcbae".to_owned(), 6),
        "AWS stops at the limit without looking further"
    );
    world.net.dynamo().page(2);
    let answer = newest(&client).send().await.unwrap();
    assert_eq!((answer.count, answer.last_evaluated_key.is_some()), (2, true));
}

#[tokio::test]
async fn an_index_is_not_read_consistently() {
    let world = World::new().await;
    let client = with_requests(&world).await;
    let error = newest(&client).consistent_read(true).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    let filtered =
        newest(&client).filter_expression("asked_at = :since").expression_attribute_values(":since", n(1));
    assert_eq!(filtered.send().await.unwrap_err().code(), Some("ValidationException"), "a key in a filter");
}
