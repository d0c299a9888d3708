//! Where secrets are not: a run of everything that can happen to requests, and then a search through logs, tables,
//! queues, calls, chat and mail for what must not be there.

pub mod log;
mod needle;
mod run;

use std::collections::BTreeSet;

use needle::{Needle, found};
use run::Run;
use testkit::aws::{self, BOT_TOKEN, SIGNING_SECRET};
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, GENERAL};

/// Everything that holds it, by the place's name: the world's own search, and one in every form.
async fn places(run: &Run, haystacks: &[(String, String)], needle: &Needle) -> BTreeSet<String> {
    let mut all = found(needle, haystacks);
    all.extend(run.keyvend.world.places_holding(&needle.text()).await);
    all
}

fn set(places: &[&str]) -> BTreeSet<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

// T3.1, T3.11
#[tokio::test]
async fn secrets_are_nowhere_but_where_they_must_be() {
    let run = Run::everything().await;
    let lines = run.log.lines();
    assert!(
        lines.iter().any(|line| line.contains("message handling failed, giving up")),
        "nothing was logged: {lines:?}"
    );

    let all = run.haystacks().await;
    let secrets = run.secrets();
    assert!(secrets.len() >= 4, "{} keys were ever created", secrets.len());
    for secret in &secrets {
        let places = places(&run, &all, &Needle::text_of("a secret access key", secret)).await;
        assert_eq!(places, set(&[]), "a secret access key");
    }

    assert!(run.tickets.len() >= 9, "{} links were ever made", run.tickets.len());
    for ticket in &run.tickets {
        let needle = Needle::base64url("T", &ticket.t);
        let shown = if ticket.shown {
            &["call slack chat.postEphemeral", "chat", "message in D0ALICE"][..]
        } else {
            &["call slack chat.postEphemeral"]
        };
        assert_eq!(places(&run, &all, &needle).await, set(shown), "{}", ticket.how);
        let messages = run.keyvend.world.net.slack().ever();
        let holding: Vec<_> = messages
            .iter()
            .filter(|message| found(&needle, &[("chat".to_owned(), format!("{message:?}"))]).len() == 1)
            .collect();
        assert_eq!(holding.len(), usize::from(ticket.shown), "{}", ticket.how);
        assert!(
            holding.iter().all(|message| message.ephemeral_to.as_deref() == Some(ALICE_OWNER)),
            "{}",
            ticket.how
        );
        let calls = run.keyvend.world.net.calls_to("slack", "chat.postEphemeral");
        let carrying = calls.iter().filter(|call| call.parameters.to_string().contains(&ticket.t)).count();
        assert_eq!(carrying, 1, "{}", ticket.how);
        if let Some(code) = &ticket.code {
            let places = places(&run, &all, &Needle::text_of("C", code)).await;
            assert_eq!(places, set(&["call ses SendEmail", "mail"]), "{}", ticket.how);
        }
        let proof = Needle::base64url("a proof", &ticket.proof);
        assert_eq!(places(&run, &all, &proof).await, set(&[]), "{}", ticket.how);
        let psk = Needle::base64url("a psk", &ticket.psk);
        let stored =
            places(&run, &all, &psk).await.into_iter().filter(|place| place.starts_with("table")).count();
        assert_eq!(stored, usize::from(ticket.keeps_psk), "{}", ticket.how);
    }

    for (name, text) in [("the bot token", BOT_TOKEN), ("the signing secret", SIGNING_SECRET)] {
        assert_eq!(places(&run, &all, &Needle::text_of(name, text)).await, set(&[]), "{name}");
    }
    assert!(run.signatures.len() > 30);
    for signature in &run.signatures {
        assert_eq!(found(&Needle::text_of("a signature", signature), &all), set(&[]));
    }
    let address = Needle::text_of("an address", "alice@example.com");
    assert_eq!(places(&run, &all, &address).await, set(&["call ses SendEmail", "mail"]));

    for (name, text) in [
        ("a response URL", "hooks.slack.com"),
        ("a trigger id", ".trigger"),
        ("the sender's address", "keys@example.com"),
        ("a reason", "laptop tooling"),
    ] {
        assert!(!found(&Needle::text_of(name, text), &all).contains("log"), "{name} is logged");
    }

    let mails = aws::mails(&run.keyvend.world.net);
    let codes: Vec<&String> = run.tickets.iter().filter_map(|ticket| ticket.code.as_ref()).collect();
    assert_eq!(mails.len(), codes.len());
    for (mail, code) in mails.iter().zip(codes) {
        let text = format!("{} {}", mail.subject, mail.text);
        assert_eq!(text.matches(code.as_str()).count(), 1, "a mail holds its code");
        assert!(!mail.subject.contains(code.as_str()));
        assert!(!text.contains("http") && !text.contains("#1."), "a mail holds nothing of a link: {text}");
    }
}

/// The search itself: what is planted, in every place and form, is found.
// T3.11
#[tokio::test]
async fn what_is_planted_anywhere_is_found() {
    let run = Run::quiet().await;
    let planted = "planted+secret/Zk81".to_owned();
    let needle = Needle::text_of("planted", &planted);
    assert_eq!(places(&run, &run.haystacks().await, &needle).await, set(&[]));

    let world = &run.keyvend.world;
    for form in needle.forms() {
        assert!(found(&needle, &[("x".to_owned(), format!("a {form} b"))]).contains("x"), "{form}");
    }
    tracing::info!(target: "keyvend::worker", what = planted, "logged");
    tracing::debug!(target: "keyvend::functions::slack", "debugged {}", hex(b"planted+secret/Zk81"));
    assert_eq!(
        run.log
            .lines()
            .iter()
            .filter(|line| !found(&needle, &[("x".to_owned(), (*line).clone())]).is_empty())
            .count(),
        2
    );
    aws_sdk_dynamodb::Client::new(&world.net.admin(HOME))
        .put_item()
        .table_name(aws::REQUESTS)
        .item("pk", aws_sdk_dynamodb::types::AttributeValue::S("planted".to_owned()))
        .item("b", aws_sdk_dynamodb::types::AttributeValue::B(format!("xy{planted}z").into_bytes().into()))
        .send()
        .await
        .unwrap();
    aws_sdk_sqs::Client::new(&world.net.admin(HOME))
        .send_message()
        .queue_url(testkit::sqs::url(testkit::sqs::CLAIMS))
        .message_body(format!("{{\"a\":\"{planted}\"}}"))
        .message_group_id("g")
        .message_deduplication_id("d")
        .send()
        .await
        .unwrap();
    world.net.slack().say(ALICE_OWNER, GENERAL, &format!("it is {planted}"));
    let expected = [
        "call dynamodb PutItem",
        "call sqs SendMessage",
        "chat",
        "log",
        "message in C0GENERAL",
        "queue claims",
        "table keyvend-requests",
    ];
    assert_eq!(places(&run, &run.haystacks().await, &needle).await, set(&expected));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
