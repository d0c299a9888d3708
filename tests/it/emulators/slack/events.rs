//! What Slack sends: signed requests, as the gateway passes them on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvend::time::Timestamp;
use serde_json::{Value, json};

use testkit::gateway::sign;
use testkit::slack::{APPROVALS, BOB_APPROVER, Button, DORA_DELETED, MALLORY_OUTSIDER};
use testkit::{World, form};

use crate::emulators::slack::{api, card, said};

fn body_of(event: &Value) -> String {
    let body = event["body"].as_str().unwrap();
    match event["isBase64Encoded"].as_bool().unwrap() {
        true => String::from_utf8(STANDARD.decode(body).unwrap()).unwrap(),
        false => body.to_owned(),
    }
}

pub(crate) fn payload_of(event: &Value) -> Value {
    let fields = form::parse(&body_of(event));
    assert_eq!((fields.len(), fields[0].0.as_str()), (1, "payload"));
    serde_json::from_str(&fields[0].1).unwrap()
}

#[test]
fn a_signature_is_as_slack_makes_it() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../../vectors/slack-signature.json")).unwrap();
    let mut signed = Vec::new();
    for vector in vectors.iter().filter(|v| v["expect"] == "accept" && v["also_secrets"].is_null()) {
        let (Some(secret), Some(body)) = (vector["signing_secret"].as_str(), vector["body"].as_str()) else {
            continue;
        };
        let timestamp = Timestamp(vector["timestamp"].as_str().unwrap().parse().unwrap());
        let [_, (_, signature)] = sign(secret, timestamp, body);
        assert_eq!(vector["signature"], signature, "{}", vector["name"]);
        signed.push(vector["name"].as_str().unwrap());
    }
    assert!(signed.contains(&"docs_official_example"), "{signed:?}");
}

#[tokio::test]
async fn events_are_as_the_gateway_makes_them() {
    let world = World::new().await;
    let event = world.slash_command(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:7d a & b");
    let fields = form::parse(&body_of(&event));
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!(
        (field("user_id"), field("text")),
        (MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:7d a & b")
    );
    assert_eq!((&event["isBase64Encoded"], &event["rawPath"]), (&json!(true), &json!("/slack/commands")));
    assert_eq!(event["headers"]["x-slack-request-timestamp"], "1764000000");
    let again = world.slash_command(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:7d a & b");
    assert_ne!(
        event["headers"]["x-slack-signature"], again["headers"]["x-slack-signature"],
        "each has its own trigger"
    );
    let read: aws_lambda_events::event::apigw::ApiGatewayV2httpRequest =
        serde_json::from_value(event.clone()).unwrap();
    assert!(read.is_base64_encoded);

    let mut message = said(APPROVALS, "alice asks");
    message["blocks"] = card();
    api(&world, "chat.postMessage", &message).await;
    let card = world.net.slack().last_message(APPROVALS);
    let pressed = payload_of(&world.press(BOB_APPROVER, &card, "Approve"));
    assert_eq!(
        (&pressed["actions"][0]["value"], &pressed["user"]["id"]),
        (&json!("R1.REV"), &json!(BOB_APPROVER))
    );
    assert_eq!(
        (&pressed["container"]["message_ts"], &pressed["message"]["text"]),
        (&json!(card.ts), &json!("alice asks"))
    );
    let forged = Button { value: "R2.REV".to_owned(), ..card.button("Approve") };
    assert_eq!(
        payload_of(&world.press_button(BOB_APPROVER, &card, &forged))["actions"][0]["value"],
        "R2.REV"
    );

    let change: Value = serde_json::from_str(&body_of(&world.user_change(DORA_DELETED))).unwrap();
    assert_eq!(
        (&change["event"]["type"], &change["event"]["user"]["deleted"]),
        (&json!("user_change"), &json!(true))
    );
    let claim = world.browser("POST", "/reveal/claim", Some(&json!({"tid": "x"})));
    assert_eq!(
        (body_of(&claim).as_str(), &claim["headers"]["origin"]),
        ("{\"tid\":\"x\"}", &json!("https://keys.example.com"))
    );
}
