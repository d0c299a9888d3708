//! The second channel: a code by mail, five tries, and no link where it cannot be mailed.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use testkit::aws::{self, Mail};
use testkit::deployed::{Deployed, Tab};
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, Person};
use testkit::steps::text;

const MAIL: [(&str, &str); 2] =
    [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];

fn mailed(keyvend: &Deployed) -> Mail {
    aws::mails(&keyvend.world.net).pop().unwrap()
}

/// The code as its reader copies it.
fn code(mail: &Mail) -> String {
    let after = mail.text.split("Your code is ").nth(1).unwrap();
    after.split_whitespace().next().unwrap().to_owned()
}

async fn claim(keyvend: &Deployed, tab: &Tab, code: Option<&str>) -> (u64, Value) {
    keyvend.posts("/reveal/claim", &tab.claim(code)).await
}

/// A code as a tab would derive it from some wrong one, without the work.
fn wrong(number: u8) -> String {
    keyvend::encoding::base64url(&[number; 32])
}

// T3.8
#[tokio::test]
async fn neither_link_nor_code_alone_opens_key() {
    let keyvend = Deployed::with(&MAIL).await;
    let tab = keyvend.linked().await;
    let mail = mailed(&keyvend);
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("keys@example.com", "alice@example.com"));
    assert!(!mail.text.contains("http") && !mail.text.contains("/reveal"), "{}", mail.text);
    let code = code(&mail);
    assert_eq!(code.len(), 8);
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    assert!(!link.reading().contains(&code) && !link.blocks.to_string().contains(&code));
    let label = mail.subject.split_whitespace().last().unwrap();
    assert_eq!(label.len(), 2);
    assert!(link.reading().contains(&format!("*{label}*")), "{} - {}", mail.subject, link.reading());

    let code_wanted = (401, json!({"error": "code-wanted", "tries_left": 5}));
    for _ in 0..6 {
        assert_eq!(claim(&keyvend, &tab, None).await, code_wanted, "asking costs no try");
    }
    assert_eq!(keyvend.deliver().await, 0);
    keyvend.nothing_was_created().await;
    let derived = tab.code(&code);
    assert_eq!(claim(&keyvend, &tab, Some(&derived)).await.0, 202);
    keyvend.deliver().await;
    let (status, body) = claim(&keyvend, &tab, None).await;
    assert_eq!(status, 200, "whoever claimed needs no code to ask again");
    tab.unseal(&body);
    for secret in [code, derived] {
        let places = keyvend.world.places_holding(&secret).await;
        let outside: Vec<_> = places.iter().filter(|place| *place != "call ses SendEmail").collect();
        assert_eq!(outside, Vec::<&String>::new());
    }
}

#[tokio::test]
async fn code_is_mailed_between_ticket_and_link() {
    // The mail is sent after the ticket exists and before the link is shown.
    let keyvend = Deployed::with(&MAIL).await;
    let ready = keyvend.approved().await;
    keyvend.world.net.forget();
    keyvend.collects(&ready).await;
    let order: Vec<String> = keyvend
        .world
        .net
        .calls()
        .into_iter()
        .filter(|call| {
            ["TransactWriteItems", "SendEmail", "chat.postEphemeral"].contains(&call.operation.as_str())
        })
        .map(|call| call.operation)
        .collect();
    let at = |operation: &str| order.iter().position(|other| other == operation).unwrap();
    assert!(
        at("TransactWriteItems") < at("SendEmail") && at("SendEmail") < at("chat.postEphemeral"),
        "{order:?}"
    );
}

#[tokio::test]
async fn the_fifth_try_may_still_be_right() {
    let keyvend = Deployed::with(&MAIL).await;
    let tab = keyvend.linked().await;
    for left in [4, 3, 2, 1] {
        let answer = claim(&keyvend, &tab, Some(&wrong(left))).await;
        assert_eq!(answer, (401, json!({"error": "code-wrong", "tries_left": left})));
    }
    let right = tab.code(&code(&mailed(&keyvend)));
    assert_eq!(claim(&keyvend, &tab, Some(&right)).await.0, 202);
    keyvend.deliver().await;
    assert_eq!(claim(&keyvend, &tab, None).await.0, 200);
    assert_eq!(keyvend.creates(), 1);
}

// T3.8
#[tokio::test]
async fn five_wrong_codes_lock_link_and_alert_once() {
    let keyvend = Deployed::with(&MAIL).await;
    let ready = keyvend.approved().await;
    let tab = keyvend.collects(&ready).await;
    let right = tab.code(&code(&mailed(&keyvend)));
    for number in 1..5 {
        assert_eq!(claim(&keyvend, &tab, Some(&wrong(number))).await.0, 401);
    }
    assert_eq!(keyvend.deliver().await, 0, "nobody is told before");
    assert_eq!(claim(&keyvend, &tab, Some(&wrong(5))).await, (423, json!({"error": "locked"})));
    for code in [Some(right.as_str()), None] {
        assert_eq!(claim(&keyvend, &tab, code).await, (423, json!({"error": "locked"})));
        keyvend.deliver().await;
        keyvend.world.clock.advance(Duration::from_secs(301));
    }
    assert_eq!(keyvend.ticket_stands(&tab).await, "LOCKED");
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Five wrong codes"), 1);
    assert_eq!(keyvend.events().await, ["request.created", "review.approved", "link.issued", "link.locked"]);
    keyvend.nothing_was_created().await;

    let again = keyvend.collects(&ready).await;
    assert_ne!(again.tid(), tab.tid());
    let right = again.code(&code(&mailed(&keyvend)));
    assert_eq!(claim(&keyvend, &again, Some(&right)).await.0, 202);
    assert_eq!(keyvend.turned_away(&tab).await, (410, "void".to_owned()));
}

// T3.8
#[tokio::test]
async fn a_hundred_guesses_at_once_are_five() {
    let keyvend = Deployed::with(&MAIL).await;
    let tab = keyvend.linked().await;
    let bodies: Vec<Value> = (0..100).map(|number| tab.claim(Some(&wrong(number)))).collect();
    let answers = join_all(bodies.iter().map(|body| keyvend.posts("/reveal/claim", body))).await;
    let judged = answers.iter().filter(|(_, body)| body["error"] == "code-wrong").count();
    let locked = answers.iter().filter(|(status, _)| *status == 423).count();
    assert_eq!((judged, locked), (4, 96), "{answers:?}");
    assert_eq!(keyvend.ticket(&tab).await["tries"]["N"], "5");
    assert_eq!(keyvend.ticket_stands(&tab).await, "LOCKED");
    let right = tab.code(&code(&mailed(&keyvend)));
    assert_eq!(claim(&keyvend, &tab, Some(&right)).await.0, 423);
    keyvend.deliver().await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Five wrong codes"), 1);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn right_code_racing_guesses_claims_at_most_once() {
    // The right code among simultaneous guesses wins or is too late, and never gives two keys.
    let keyvend = Deployed::with(&MAIL).await;
    let tab = keyvend.linked().await;
    let right = tab.code(&code(&mailed(&keyvend)));
    let rival = keyvend.opens();
    let bodies = [
        tab.claim(Some(&wrong(1))),
        tab.claim(Some(&right)),
        rival.claim(Some(&right)),
        rival.claim(Some(&wrong(2))),
    ];
    let answers = join_all(bodies.iter().map(|body| keyvend.posts("/reveal/claim", body))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 202).count(), 1, "{answers:?}");
    keyvend.deliver().await;
    assert_eq!(keyvend.creates(), 1);
}

#[tokio::test]
async fn lost_reply_never_grants_extra_attempt() {
    // A lost reply costs at most one attempt.
    let keyvend = Deployed::with(&MAIL).await;
    let tab = keyvend.linked().await;
    for number in 0..5 {
        keyvend.world.net.once("dynamodb", "UpdateItem", Interfere::LoseReply);
        let (status, _) = claim(&keyvend, &tab, Some(&wrong(number))).await;
        assert!([401, 423].contains(&status), "{status}");
    }
    assert_eq!(keyvend.ticket(&tab).await["tries"]["N"], "5");
    let right = tab.code(&code(&mailed(&keyvend)));
    assert_eq!(claim(&keyvend, &tab, Some(&right)).await.0, 423, "five tries taken count as locked");
    keyvend.deliver().await;
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn a_code_without_the_proof_is_worth_nothing() {
    let keyvend = Deployed::with(&MAIL).await;
    let tab = keyvend.linked().await;
    let mut body = tab.claim(Some(&tab.code(&code(&mailed(&keyvend)))));
    body["proof"] = json!(wrong(0));
    for _ in 0..6 {
        assert_eq!(keyvend.posts("/reveal/claim", &body).await, (404, json!({"error": "not-found"})));
    }
    assert_eq!(keyvend.ticket(&tab).await["tries"]["N"], "0");
}

// T3.8
#[tokio::test]
async fn unusable_email_gives_no_link() {
    // There is no fallback to a link without a code.
    type Change = fn(&mut Person);
    let cases: [(Change, &str); 5] = [
        (|alice| alice.email = None, "has no email address"),
        (|alice| alice.email_confirmed = false, "is not confirmed"),
        (
            |alice| alice.email = Some("alice@evil.test".to_owned()),
            "is in a domain that codes are not sent to",
        ),
        (|alice| alice.email = Some("alice@example.com.evil.test".to_owned()), "is in a domain"),
        (|alice| alice.email = Some("alice2@example.com".to_owned()), "changed since you requested"),
    ];
    for (change, says) in cases {
        let keyvend = Deployed::with(&MAIL).await;
        let ready = keyvend.approved().await;
        keyvend.world.net.slack().person(ALICE_OWNER, change);
        keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
        let told = keyvend.told(ALICE_OWNER);
        assert!(told.contains(says) && !told.contains("alice"), "{told}");
        assert_eq!(aws::mails(&keyvend.world.net), []);
        assert_eq!(keyvend.stands().await, "APPROVED");
        assert_eq!(keyvend.world.net.dynamo().items(aws::TICKETS).await.len(), 0);
        keyvend.nothing_was_created().await;
    }
}

#[tokio::test]
async fn email_added_after_request_gets_no_code() {
    let keyvend = Deployed::with(&MAIL).await;
    keyvend.world.net.slack().person(ALICE_OWNER, |alice| alice.email = None);
    let ready = keyvend.approved().await;
    keyvend.world.net.slack().person(ALICE_OWNER, |alice| alice.email = Some("alice@example.com".to_owned()));
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    assert!(keyvend.told(ALICE_OWNER).contains("submit a new request"));
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.asked().await;
    assert_eq!(keyvend.stands().await, "PENDING");
}

/// What SES answers about an address that it knows nothing of, as it names that address.
fn unverified() -> Interfere {
    let message = "Email address is not verified. The following identities failed the check in region EU-WEST-1: \
                   alice@example.com";
    Interfere::Status(400, testkit::net::Reply::xml_error(400, "MessageRejected", message).body)
}

#[tokio::test]
async fn unaccepted_mail_voids_link() {
    let refused = "the email service refused it";
    let failed = "The code could not be emailed";
    let code = |code: &str| Interfere::refused_xml(400, code);
    let ways: [(Interfere, usize, &str, Option<&str>); 8] = [
        (unverified(), 1, refused, Some("in the SES sandbox")),
        (code("MessageRejected"), 1, refused, Some("rejected the message")),
        (code("MailFromDomainNotVerifiedException"), 1, refused, Some("MAIL FROM domain")),
        (code("ConfigurationSetDoesNotExist"), 1, refused, Some("configuration set")),
        (code("AccountSendingPausedException"), 1, refused, Some("paused for the account")),
        (
            code("ConfigurationSetSendingPausedException"),
            1,
            refused,
            Some("paused for the configuration set"),
        ),
        (Interfere::refused_xml(403, "AccessDenied"), 1, failed, None),
        (Interfere::FailBefore, 3, failed, None),
    ];
    for (way, times, said, approvers) in ways {
        let keyvend = Deployed::with(&MAIL).await;
        let ready = keyvend.approved().await;
        for _ in 0..times {
            keyvend.world.net.once("ses", "SendEmail", way.clone());
        }
        keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
        let told = keyvend.world.net.slack().last_told(ALICE_OWNER);
        assert!(told.reading().contains(said), "{way:?}: {}", told.reading());
        assert_eq!(keyvend.stands().await, "APPROVED");
        assert_eq!(keyvend.events().await.last().unwrap(), "link.voided");
        assert_eq!(keyvend.last_detail("why").await, "mail-failed");
        let thread = keyvend.world.net.slack().messages(testkit::slack::APPROVALS).pop().unwrap().reading();
        match approvers {
            Some(reason) => {
                assert!(thread.contains(reason) && !thread.contains("alice@"), "{way:?}: {thread}")
            }
            None => assert!(!thread.contains("emailed"), "{way:?}: {thread}"),
        }
        let tickets = keyvend.world.net.dynamo().items(aws::TICKETS).await;
        assert_eq!(tickets.iter().map(|t| text(&t["state"]["S"])).collect::<Vec<_>>(), ["VOID"]);
        keyvend.nothing_was_created().await;
        keyvend.collects(&told).await;
        assert_eq!(keyvend.stands().await, "LINK_ISSUED", "and can be had again");
    }
}

#[tokio::test]
async fn each_link_wants_its_own_code() {
    let keyvend = Deployed::with(&MAIL).await;
    let ready = keyvend.approved().await;
    keyvend.collects(&ready).await;
    let first = code(&mailed(&keyvend));
    let tab = keyvend.collects(&ready).await;
    let second = code(&mailed(&keyvend));
    assert_ne!(first, second);
    assert_eq!(claim(&keyvend, &tab, Some(&tab.code(&first))).await.0, 401);
    assert_eq!(claim(&keyvend, &tab, Some(&tab.code(&second))).await.0, 202);
}
