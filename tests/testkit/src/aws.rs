//! Setting AWS up as the template deploys it, through the SDK's own clients, and reading its state for tests.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_sdk_iam::types::Tag;
use serde_json::Value;

use crate::iam::Key;
use crate::net::{HOME, Net};
use crate::sts::Session;

/// The second account, to which the issuer role leads as well.
pub const SANDBOX: &str = "210987654321";

pub const REQUESTS: &str = "keyvend-requests";
pub const TICKETS: &str = "keyvend-tickets";
pub const AUDIT: &str = "keyvend-audit";
pub const ISSUER_ROLE: &str = "keyvend-issuer";

pub const SIGNING_SECRET_ID: &str = "keyvend/signing-secret";
pub const BOT_TOKEN_ID: &str = "keyvend/bot-token";
pub const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub const BOT_TOKEN: &str = "xoxb-test-world-bot";

/// What a narrow policy of a robot looks like.
const NARROW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::artifacts/*"}]}"#;

/// A mail that SES accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Tables, secrets, accounts and IAM users.
pub async fn set_up(net: &Net) {
    tables(net).await;
    secrets(net).await;
    for account in [HOME, SANDBOX] {
        net.iam().open_account(account).await;
        let iam = iam(net, account);
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{HOME}:root"}},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}}]}}"#
        );
        iam.create_role().role_name(ISSUER_ROLE).assume_role_policy_document(trust).send().await.unwrap();
        iam.create_policy().policy_name("upload-artifacts").policy_document(NARROW).send().await.unwrap();
    }
    let narrow = |account: &str| format!("arn:aws:iam::{account}:policy/upload-artifacts");
    let managed = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    user(net, HOME, "ci-deployer", Some("U0ALICE"), &narrow(HOME)).await;
    user(net, HOME, "admin-bot", Some("U0ALICE"), &managed("AdministratorAccess")).await;
    user(net, HOME, "untagged", None, &narrow(HOME)).await;
    user(net, HOME, "full", Some("U0ALICE"), &narrow(HOME)).await;
    user(net, HOME, "quarantined-bot", Some("U0ALICE"), &narrow(HOME)).await;
    user(net, HOME, "group-owned", Some("S0TEAM"), &narrow(HOME)).await;
    user(net, SANDBOX, "ci-deployer", Some("U0ALICE"), &narrow(SANDBOX)).await;
    let home = iam(net, HOME);
    let quarantine = managed("AWSCompromisedKeyQuarantineV3");
    home.attach_user_policy().user_name("quarantined-bot").policy_arn(quarantine).send().await.unwrap();
    for _ in 0..2 {
        home.create_access_key().user_name("full").send().await.unwrap();
    }
    net.forget();
}

/// IAM of an account, as its administrator.
pub fn iam(net: &Net, account: &str) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&net.admin(account))
}

/// Makes an IAM user with one attached policy.
pub async fn user(net: &Net, account: &str, name: &str, owners: Option<&str>, policy: &str) {
    let iam = iam(net, account);
    let tag = |owners: &str| Tag::builder().key("keyvend:owners").value(owners).build().unwrap();
    iam.create_user().user_name(name).set_tags(owners.map(|owners| vec![tag(owners)])).send().await.unwrap();
    iam.attach_user_policy().user_name(name).policy_arn(policy).send().await.unwrap();
}

/// The three tables.
pub async fn tables(net: &Net) {
    let dynamo = aws_sdk_dynamodb::Client::new(&net.admin(HOME));
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let (text, number) = (ScalarAttributeType::S, ScalarAttributeType::N);
    let by_person = GlobalSecondaryIndex::builder()
        .index_name("by_person")
        .key_schema(key("person", KeyType::Hash))
        .key_schema(key("asked_at", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap();
    let due = GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(key("due_shard", KeyType::Hash))
        .key_schema(key("due_at", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap();
    let changed = GlobalSecondaryIndex::builder()
        .index_name("changed")
        .key_schema(key("changed_on", KeyType::Hash))
        .key_schema(key("pk", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap();
    let table = |name: &str| dynamo.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    table(REQUESTS)
        .key_schema(key("pk", KeyType::Hash))
        .attribute_definitions(attribute("pk", text.clone()))
        .attribute_definitions(attribute("person", text.clone()))
        .attribute_definitions(attribute("asked_at", number.clone()))
        .attribute_definitions(attribute("changed_on", text.clone()))
        .attribute_definitions(attribute("due_shard", text.clone()))
        .attribute_definitions(attribute("due_at", number.clone()))
        .global_secondary_indexes(by_person)
        .global_secondary_indexes(changed)
        .global_secondary_indexes(due.clone())
        .send()
        .await
        .unwrap();
    table(TICKETS)
        .key_schema(key("tid", KeyType::Hash))
        .attribute_definitions(attribute("tid", text.clone()))
        .attribute_definitions(attribute("due_shard", text.clone()))
        .attribute_definitions(attribute("due_at", number.clone()))
        .global_secondary_indexes(due)
        .send()
        .await
        .unwrap();
    table(AUDIT)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(attribute("pk", text))
        .attribute_definitions(attribute("sk", number))
        .send()
        .await
        .unwrap();
}

async fn secrets(net: &Net) {
    let secrets = aws_sdk_secretsmanager::Client::new(&net.admin(HOME));
    for (id, value) in [(SIGNING_SECRET_ID, SIGNING_SECRET), (BOT_TOKEN_ID, BOT_TOKEN)] {
        secrets.create_secret().name(id).secret_string(value).send().await.unwrap();
    }
}

/// Deletes a user that [`user`] made with the policy of [`set_up`].
pub async fn delete_user(net: &Net, account: &str, name: &str) {
    let iam = iam(net, account);
    let attached = iam.list_attached_user_policies().user_name(name).send().await.unwrap();
    for policy in attached.attached_policies() {
        let arn = policy.policy_arn().unwrap();
        iam.detach_user_policy().user_name(name).policy_arn(arn).send().await.unwrap();
    }
    iam.delete_user().user_name(name).send().await.unwrap();
}

/// Puts a new version of a secret in place; the one before stays readable as AWSPREVIOUS.
pub async fn rotate_secret(net: &Net, id: &str, value: &str) {
    let secrets = aws_sdk_secretsmanager::Client::new(&net.admin(HOME));
    secrets.put_secret_value().secret_id(id).secret_string(value).send().await.unwrap();
}

/// The items of a table by their partition key (`pk`, `tid`), and sort key where there is one.
pub async fn items(net: &Net, table: &str) -> BTreeMap<String, Value> {
    let key = |item: &Value| match table {
        TICKETS => item["tid"]["S"].as_str().unwrap().to_owned(),
        AUDIT => format!("{}/{:>6}", item["pk"]["S"].as_str().unwrap(), item["sk"]["N"].as_str().unwrap()),
        _ => item["pk"]["S"].as_str().unwrap().to_owned(),
    };
    net.dynamo().items(table).await.into_iter().map(|item| (key(&item), item)).collect()
}

/// A user's keys with their status.
pub fn keys(net: &Net, account: &str, user: &str) -> Vec<Key> {
    net.iam().keys(account, user)
}

/// Every session of the issuer role.
pub fn sessions(net: &Net) -> Vec<Session> {
    net.sts().sessions()
}

/// Every mail that SES accepted, whether or not its caller saw that.
pub fn mails(net: &Net) -> Vec<Mail> {
    net.done("ses", "SendEmail")
        .into_iter()
        .map(|call| {
            let text = |name: &str| call.parameters[name].as_str().unwrap_or_default().to_owned();
            assert_eq!(text("Message.Body.Html.Data"), "", "a mail is text only");
            Mail {
                from: text("Source"),
                to: text("Destination.ToAddresses.member.1"),
                subject: text("Message.Subject.Data"),
                text: text("Message.Body.Text.Data"),
            }
        })
        .collect()
}
