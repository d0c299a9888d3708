//! The events of events/, one a function and kind, given to the functions as they are: what the gateway and SQS send
//! is what keyvend reads. tests/events/write.py makes them.

use std::time::Duration;

use keyvend::aws::item::{Item, Table, Write};
use keyvend::aws::{TableNames, Tables};
use keyvend::domain::request::{KeyRequest, RequestEvent, RevisionSalt};
use keyvend::domain::ticket::claim::{StoredTicket, TicketState};
use keyvend::domain::ticket::{Ticket, hash};
use keyvend::store::requests::StoredRequest;
use keyvend::store::ticket_refs::TicketRef;
use keyvend::store::tickets::new_item;
use serde_json::{Value, json};

use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::{aws, sqs};

const COMMAND: &str = include_str!("../../events/slack-command.json");
const PRESS: &str = include_str!("../../events/slack-press.json");
const URL_VERIFICATION: &str = include_str!("../../events/slack-url-verification.json");
const PAGE: &str = include_str!("../../events/reveal-page.json");
const CLAIM: &str = include_str!("../../events/reveal-claim.json");
const ACK: &str = include_str!("../../events/reveal-ack.json");
const FROM_SLACK: &str = include_str!("../../events/worker-slack.json");
const FROM_CLAIMS: &str = include_str!("../../events/worker-claims.json");

/// `T` of ticket_3 in tests/vectors/ticket.json, which the events name.
const T: &str = "WAEWRu76U-DZfiYAHUjnlQ20gCUmglPmpXSEh4m6R6s";

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text_of(answer: &Value) -> &str {
    answer["body"].as_str().unwrap()
}

fn body_of(answer: &Value) -> Value {
    event(text_of(answer))
}

/// What the event of a queue carries.
fn carried(event: &Value) -> Value {
    body_of(&event["Records"][0])
}

/// The one message that is in a queue.
fn queued(keyvend: &Deployed, queue: &str) -> Value {
    let messages = keyvend.world.net.sqs().messages(queue);
    assert_eq!(messages.len(), 1, "in queue {queue}");
    event(&messages[0].body)
}

async fn reveals(keyvend: &Deployed, text: &str) -> Value {
    keyvend.arrive_at_reveal(event(text)).await
}

fn tables(keyvend: &Deployed) -> Tables {
    let names = TableNames {
        requests: aws::REQUESTS.to_owned(),
        tickets: aws::TICKETS.to_owned(),
        audit: aws::AUDIT.to_owned(),
    };
    Tables::new(&keyvend.world.net.admin(HOME), names)
}

fn ticket() -> Ticket {
    use base64::Engine as _;
    let t = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(T).unwrap();
    Ticket::of(t.try_into().unwrap())
}

fn pending(keyvend: &Deployed, ticket: &Ticket) -> StoredTicket {
    StoredTicket {
        tid: ticket.tid(),
        proof_hash: ticket.proof_hash(),
        expires_at: keyvend.world.clock.now() + Duration::from_secs(900),
        code_hash: None,
        tries: 0,
        state: TicketState::Pending,
        due_at: None,
        outbox: Vec::new(),
    }
}

fn put_ticket(item: Item) -> Write {
    let condition = "attribute_not_exists(tid)";
    Write::Put { table: Table::Tickets, item, condition, values: Item::new() }
}

#[tokio::test]
async fn sample_events_lead_to_sealed_key() {
    // The files in events/ lead from the command to a sealed key.
    let keyvend = Deployed::new().await;
    let done = json!({"batchItemFailures": []});

    let answer = keyvend.arrive(event(COMMAND)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(text_of(&answer).contains("Checking"), "{answer}");
    assert_eq!(queued(&keyvend, sqs::SLACK), carried(&event(FROM_SLACK)));

    assert_eq!(keyvend.work(event(FROM_SLACK)).await, done);
    keyvend.deliver().await;
    let card = keyvend.card();
    let asked = aws::items(&keyvend.world.net, aws::REQUESTS).await;
    let requests = asked.keys().filter(|key| key.starts_with("request#"));
    assert_eq!(requests.count(), 1, "the same message twice is one request");

    let tables = tables(&keyvend);
    let id = carried(&event(FROM_SLACK))["id"].as_str().unwrap().parse().unwrap();
    // No event can know what was drawn, so it is as if the event's own had been.
    let waiting = StoredRequest::read(&tables, &id).await.unwrap().unwrap();
    let salted = KeyRequest { salt: RevisionSalt::new([7; 16]), ..waiting.request.clone() };
    let value = keyvend::render::approval_card::value(&salted);
    waiting.save(&tables, salted, Vec::new()).await.unwrap();

    keyvend.world.clock.advance(Duration::from_secs(30));
    let answer = keyvend.arrive(event(PRESS)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let pressed = queued(&keyvend, sqs::SLACK);
    let pressed = &pressed["what"]["interaction"]["block_actions"];
    assert_eq!(pressed["value"], json!(value));
    assert_eq!(pressed["message"], json!({"channel": card.channel, "ts": card.ts}));
    keyvend.deliver().await;

    let approved = StoredRequest::read(&tables, &id).await.unwrap().unwrap();
    let ticket = ticket();
    let stored = pending(&keyvend, &ticket);
    let now = keyvend.world.clock.now();
    let given = approved.request.apply(RequestEvent::IssueLink { tid: ticket.tid() }, "T0001.U0ALICE", now);
    let given = given.expect("the press approved it");
    let writes = vec![
        put_ticket(new_item(&stored, stored.expires_at)),
        TicketRef::create(&ticket.tid(), &id, &ticket.psk(), stored.expires_at),
    ];
    approved.save(&tables, given, writes).await.unwrap();

    assert_eq!(reveals(&keyvend, CLAIM).await["statusCode"], 202);
    assert_eq!(queued(&keyvend, sqs::CLAIMS), carried(&event(FROM_CLAIMS)));

    assert_eq!(keyvend.work(event(FROM_CLAIMS)).await, done);
    let answer = reveals(&keyvend, CLAIM).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let sealed = body_of(&answer);
    assert!(["enc", "ct", "aad"].iter().all(|field| sealed[field].is_string()), "{sealed}");
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer").len(), 1);
}

#[tokio::test]
async fn slack_verifies_the_events_url() {
    let keyvend = Deployed::new().await;
    let answer = keyvend.arrive(event(URL_VERIFICATION)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(body_of(&answer)["challenge"], body_of(&event(URL_VERIFICATION))["challenge"]);
}

#[tokio::test]
async fn a_browser_gets_the_page() {
    let keyvend = Deployed::new().await;
    let answer = reveals(&keyvend, PAGE).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(text_of(&answer), keyvend::functions::reveal::PAGE);
}

/// The page loads nothing, runs nothing but its own two scripts, and is kept, framed, indexed and told of by nobody.
// T3.10
#[tokio::test]
async fn page_is_served_with_protective_headers() {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    let keyvend = Deployed::new().await;
    let (page, browsers) = (include_str!("../../src/page/reveal.html"), include_str!("../page/page.mjs"));
    let hashes = |element: &str| -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let inside = page.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap());
        let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
        inside.map(|text| format!("'sha256-{}'", hash(text))).collect()
    };
    let policy = [
        "default-src 'none'".to_owned(),
        format!("script-src {}", hashes("script").join(" ")),
        format!("style-src {}", hashes("style").join(" ")),
        "connect-src 'self'".to_owned(),
        "img-src data:".to_owned(),
        "base-uri 'none'".to_owned(),
        "form-action 'none'".to_owned(),
        "frame-ancestors 'none'".to_owned(),
        "require-trusted-types-for 'script'".to_owned(),
        "trusted-types 'none'".to_owned(),
    ];
    assert_eq!((hashes("script").len(), hashes("style").len()), (2, 1));
    let fixed = policy.iter().filter(|directive| !directive.contains("sha256"));
    for directive in fixed {
        assert!(browsers.contains(&format!("\"{directive}\"")), "the page is not tested under {directive}");
    }
    let expected = json!({
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy.join("; "),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    });
    for (method, body) in [("GET", page), ("HEAD", "")] {
        let event = keyvend.world.browser(method, "/reveal", None);
        let answer = keyvend.arrive_at_reveal(event).await;
        assert_eq!((&answer["statusCode"], text_of(&answer)), (&json!(200), body), "{method}");
        // These and no others: no cookie above all.
        assert_eq!(answer["headers"], expected, "{method}");
        assert!(answer["cookies"].is_null(), "{method}");
    }
    // What a tab is answered is kept by nobody either.
    let event = keyvend.world.browser("POST", "/reveal/claim", Some(&body_of(&event(CLAIM))));
    let answer = keyvend.arrive_at_reveal(event).await;
    assert_eq!(answer["headers"]["Cache-Control"], "no-store");
}

#[tokio::test]
async fn a_tab_with_the_key_confirms_it() {
    let keyvend = Deployed::new().await;
    let (claim, ack) = (body_of(&event(CLAIM)), body_of(&event(ACK)));
    let bytes = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
    };
    let stored = pending(&keyvend, &ticket());
    let now = keyvend.world.clock.now();
    let mut item = new_item(&stored, stored.expires_at);
    let sealed = keyvend::aws::item::values([
        ("state", "SEALED".into()),
        ("cid", claim["cid"].as_str().unwrap().into()),
        ("pub", bytes(&claim["pub"]).as_slice().into()),
        ("attempt", 1.into()),
        ("claimed_at", now.0.into()),
        ("browser", "Firefox on Linux".into()),
        ("sealed_at", now.0.into()),
        ("enc", [1].as_slice().into()),
        ("ct", [2].as_slice().into()),
        ("aad", [3].as_slice().into()),
        ("receipt_sha256", hash(&bytes(&ack["receipt"])).as_slice().into()),
    ]);
    item.extend(sealed);
    tables(&keyvend).write(vec![put_ticket(item)]).await.unwrap();

    let answer = reveals(&keyvend, ACK).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let confirmed = json!({"tid": ack["tid"], "event": "confirmed", "attempt": 0});
    assert_eq!(queued(&keyvend, sqs::CLAIMS), confirmed);
}
