//! Secrets Manager, SES, and each function's rights.

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_ses::types::{Body, Content, Destination, Message};

use super::dynamo::s;
use testkit::World;
use testkit::aws::{self, AUDIT, BOT_TOKEN_ID, Mail, REQUESTS, SIGNING_SECRET, SIGNING_SECRET_ID, TICKETS};
use testkit::iam_rights::Function;
use testkit::net::Interfere;

async fn secret(world: &World, stage: &str) -> Result<String, aws_sdk_secretsmanager::Error> {
    let secrets = aws_sdk_secretsmanager::Client::new(&world.net.config(Function::Slack));
    let answer = secrets.get_secret_value().secret_id(SIGNING_SECRET_ID).version_stage(stage).send().await;
    answer.map(|answer| answer.secret_string.unwrap()).map_err(Into::into)
}

#[tokio::test]
async fn rotated_secret_stays_readable_as_previous_version() {
    let world = World::new().await;
    assert_eq!(secret(&world, "AWSCURRENT").await.unwrap(), SIGNING_SECRET);
    let none = secret(&world, "AWSPREVIOUS").await.unwrap_err();
    assert!(matches!(none, aws_sdk_secretsmanager::Error::ResourceNotFoundException(_)), "{none:?}");
    aws::rotate_secret(&world.net, SIGNING_SECRET_ID, "second").await;
    assert_eq!(secret(&world, "AWSCURRENT").await.unwrap(), "second");
    assert_eq!(secret(&world, "AWSPREVIOUS").await.unwrap(), SIGNING_SECRET);
    aws::rotate_secret(&world.net, SIGNING_SECRET_ID, "third").await;
    assert_eq!(secret(&world, "AWSPREVIOUS").await.unwrap(), "second");
}

async fn mail(world: &World, text: &str) -> Result<(), aws_sdk_ses::Error> {
    let content = |data: &str| Content::builder().data(data).charset("UTF-8").build().unwrap();
    let message =
        Message::builder().subject(content("Your code")).body(Body::builder().text(content(text)).build());
    aws_sdk_ses::Client::new(&world.net.config(Function::Worker))
        .send_email()
        .source("keyvend@example.com")
        .destination(Destination::builder().to_addresses("alice@example.com").build())
        .message(message.build())
        .send()
        .await?;
    Ok(())
}

#[tokio::test]
async fn accepted_mail_is_recorded_refused_is_not() {
    let world = World::new().await;
    mail(&world, "the code: A7 & more").await.unwrap();
    let kept = |text: &str| Mail {
        from: "keyvend@example.com".to_owned(),
        to: "alice@example.com".to_owned(),
        subject: "Your code".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(aws::mails(&world.net), [kept("the code: A7 & more")]);
    world.net.once("ses", "SendEmail", Interfere::refused_xml(400, "MessageRejected"));
    let refused = mail(&world, "refused").await.unwrap_err();
    assert!(matches!(refused, aws_sdk_ses::Error::MessageRejected(_)), "{refused:?}");
    world.net.once("ses", "SendEmail", Interfere::LoseReply);
    mail(&world, "sent twice").await.unwrap();
    assert_eq!(aws::mails(&world.net).len(), 3, "the SDK tried again, and the lost one was sent too");
}

// T7.1
#[tokio::test]
async fn each_function_has_its_rights_and_no_more() {
    let world = World::new().await;
    let dynamo = |function| aws_sdk_dynamodb::Client::new(&world.net.config(function));
    let secrets = |function| aws_sdk_secretsmanager::Client::new(&world.net.config(function));
    let denied = Some("AccessDeniedException");
    for (function, id, allowed) in [
        (Function::Slack, SIGNING_SECRET_ID, true),
        (Function::Slack, BOT_TOKEN_ID, false),
        (Function::Reveal, SIGNING_SECRET_ID, false),
        (Function::Reveal, BOT_TOKEN_ID, false),
        (Function::Worker, SIGNING_SECRET_ID, false),
        (Function::Worker, BOT_TOKEN_ID, true),
    ] {
        let answer = secrets(function).get_secret_value().secret_id(id).send().await;
        assert_eq!(answer.is_ok(), allowed, "{function:?} {id}");
    }
    for (function, table, allowed) in [
        (Function::Slack, REQUESTS, false),
        (Function::Slack, TICKETS, false),
        (Function::Reveal, REQUESTS, false),
        (Function::Reveal, TICKETS, true),
        (Function::Reveal, AUDIT, false),
        (Function::Worker, REQUESTS, true),
        (Function::Worker, TICKETS, true),
        (Function::Worker, AUDIT, false),
    ] {
        let key = if table == TICKETS { "tid" } else { "pk" };
        let get = dynamo(function).get_item().table_name(table).key(key, s("x")).projection_expression(key);
        assert_eq!(get.send().await.is_ok(), allowed, "{function:?} {table}");
    }
    let whole = dynamo(Function::Reveal).get_item().table_name(TICKETS).key("tid", s("x")).send().await;
    assert_eq!(whole.unwrap_err().code(), denied, "reveal reads what it names only");
    let scan = dynamo(Function::Worker).scan().table_name(REQUESTS).send().await;
    assert_eq!(scan.unwrap_err().code(), denied, "nothing scans");
    let update = dynamo(Function::Worker)
        .execute_statement()
        .statement("UPDATE \"keyvend-audit\" SET event = 'x' WHERE pk = 'a' AND sk = 1");
    assert_eq!(update.send().await.unwrap_err().code(), denied, "the audit trail is appended to only");
}
