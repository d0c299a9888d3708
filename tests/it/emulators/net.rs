//! Recording, faults and crashes.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::types::Tag;
use serde_json::json;

use super::dynamo::{client, n, s};
use testkit::World;
use testkit::aws::{self, REQUESTS};
use testkit::net::{HOME, Interfere, Net};
use testkit::sqs;

async fn touch(client: &Client, pk: &str) -> bool {
    let update =
        client.update_item().table_name(REQUESTS).key("pk", s(pk)).update_expression("ADD hits :one");
    update.expression_attribute_values(":one", n(1)).send().await.is_ok()
}

async fn hits(world: &World, pk: &str) -> u64 {
    let item = world.net.dynamo().item(REQUESTS, json!({"pk": {"S": pk}})).await;
    item["hits"]["N"].as_str().map_or(0, |text| text.parse().unwrap())
}

#[tokio::test]
async fn every_call_is_recorded() {
    let world = World::new().await;
    assert!(world.net.calls().is_empty(), "setting up is not recorded");
    touch(&client(&world), "r1").await;
    aws::iam(&world.net, HOME).get_user().user_name("full").send().await.unwrap();
    let calls = world.net.calls();
    let named: Vec<_> = calls.iter().map(|call| (call.service.as_str(), call.operation.as_str())).collect();
    assert_eq!(named, [("dynamodb", "UpdateItem"), ("iam", "GetUser")]);
    assert_eq!(calls[0].parameters["Key"]["pk"]["S"], "r1");
    assert_eq!(calls[1].parameters["UserName"], "full");
    assert_eq!((calls[1].status, calls[1].access_key.as_str()), (Some(200), "AKIAADMIN123456789012"));
}

#[tokio::test]
async fn steps_in_sequence_are_counted() {
    let world = World::new().await;
    let client = client(&world);
    touch(&client, "a").await;
    tokio::join!(touch(&client, "b"), touch(&client, "c"), touch(&client, "d"));
    touch(&client, "e").await;
    assert_eq!((world.net.calls().len(), Net::steps(&world.net.calls())), (5, 3));
}

#[tokio::test]
async fn call_can_fail_before_or_after_effect() {
    let world = World::new().await;
    let iam =
        aws_sdk_iam::config::Builder::from(&world.net.admin(HOME)).retry_config(RetryConfig::disabled());
    let iam = aws_sdk_iam::Client::from_conf(iam.build());
    let create = || iam.create_access_key().user_name("ci-deployer").send();
    let count = || aws::keys(&world.net, HOME, "ci-deployer").len();
    world.net.once("iam", "CreateAccessKey", Interfere::FailBefore);
    assert!(matches!(create().await, Err(SdkError::DispatchFailure(_))));
    assert_eq!(count(), 0);
    world.net.once("iam", "CreateAccessKey", Interfere::LoseReply);
    assert!(matches!(create().await, Err(SdkError::DispatchFailure(_))));
    assert_eq!(count(), 1);
    world.net.once("iam", "CreateAccessKey", Interfere::refused_xml(503, "ServiceUnavailable"));
    assert!(matches!(create().await, Err(SdkError::ServiceError(_))));
    assert_eq!(count(), 1);
    let seen: Vec<_> = world.net.calls().iter().map(|call| (call.status, call.done)).collect();
    assert_eq!(seen, [(None, None), (None, Some(200)), (Some(503), None)]);
    create().await.unwrap();
    assert_eq!(world.net.done("iam", "CreateAccessKey").len(), 2);
}

#[tokio::test]
async fn the_sdk_retries_without_waiting() {
    let world = World::new().await;
    let client = client(&world);
    let code = "ProvisionedThroughputExceededException";
    for _ in 0..2 {
        world.net.once("dynamodb", "UpdateItem", Interfere::refused_json(code));
    }
    assert!(touch(&client, "r1").await);
    assert_eq!((world.net.calls().len(), hits(&world, "r1").await), (3, 1));
}

#[tokio::test]
async fn a_function_can_be_killed_at_any_call() {
    for (nth, expected) in [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 1, 0])] {
        for (crash, done) in [(Interfere::CrashBefore, 0), (Interfere::CrashAfter, 1)] {
            let world = World::new().await;
            let client = client(&world);
            world.net.nth(nth, crash);
            let handler = async {
                for pk in ["a", "b", "c"] {
                    touch(&client, pk).await;
                }
            };
            assert_eq!(world.net.survive(handler).await, None);
            let mut after = expected;
            after[nth] += done;
            assert_eq!([hits(&world, "a").await, hits(&world, "b").await, hits(&world, "c").await], after);
            assert_eq!(
                world.net.survive(touch(&client, "d")).await,
                Some(true),
                "the next run is not disturbed"
            );
        }
    }
}

#[tokio::test]
async fn a_text_is_found_wherever_it_is() {
    let world = World::new().await;
    let secret = "wJalrXUtnFEMI";
    assert_eq!(world.places_holding(secret).await, Vec::<String>::new());
    let bytes = AttributeValue::B(Blob::new(format!("..{secret}..")));
    let put = client(&world).put_item().table_name(REQUESTS).item("pk", s("r1")).item("blob", bytes);
    put.send().await.unwrap();
    assert_eq!(world.places_holding(secret).await, ["table keyvend-requests", "call dynamodb PutItem"]);
    world.net.forget();
    assert_eq!(world.places_holding(secret).await, ["table keyvend-requests"]);
    let iam = aws::iam(&world.net, HOME);
    let tag = Tag::builder().key("AKIA").value(secret).build().unwrap();
    iam.tag_user().user_name("full").tags(tag).send().await.unwrap();
    let sent = aws_sdk_sqs::Client::new(&world.net.admin(HOME)).send_message().queue_url(sqs::url(sqs::DUE));
    let sent = sent.message_deduplication_id("1");
    sent.message_group_id("a").message_body(format!("{{\"x\":\"{secret}\"}}")).send().await.unwrap();
    world.net.forget();
    assert_eq!(world.places_holding(secret).await, ["table keyvend-requests", "queue due", "tags of full"]);
}

#[tokio::test]
async fn a_hook_sees_every_call_first() {
    let world = World::new().await;
    let client = client(&world);
    let clock = world.clock.clone();
    world.net.before(move |call| {
        clock.advance(std::time::Duration::from_secs(1));
        if call.parameters["Key"]["pk"]["S"] == "bad" {
            Interfere::Status(400, "{}".to_owned())
        } else {
            Interfere::Pass
        }
    });
    let start = world.clock.now();
    assert_eq!((touch(&client, "good").await, touch(&client, "bad").await), (true, false));
    assert_eq!(world.clock.now().since(start), 2);
    world.net.undisturbed();
    assert!(touch(&client, "bad").await);
}
