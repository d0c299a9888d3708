//! `reveal`: opening does nothing, what is malformed is turned away before any table is asked, and who does not know
//! the link changes nothing and learns nothing.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::any_json::{any_json, damaged};
use crate::hostile::corpus::{
    any_body, any_headers, any_method, any_path, any_text, event, executor, only_reads, run, status_of,
};
use testkit::aws::{TICKETS, items};
use testkit::deployed::{Deployed, Tab};
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::sqs::QUEUES;

const PATHS: &[&str] = &["/reveal", "/reveal/claim", "/reveal/ack"];
const HEADERS: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("Origin", "https://keys.example.com"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Origin", "https://evil.test"),
    ("Origin", "null"),
];

fn answer(keyvend: &Deployed, event: Value) -> Value {
    keyvend.world.net.forget();
    executor().block_on(keyvend.arrive_at_reveal(event))
}

fn calls(keyvend: &Deployed) -> usize {
    keyvend.world.net.calls().len()
}

fn queued(keyvend: &Deployed) -> usize {
    QUEUES.iter().map(|queue| keyvend.world.net.sqs().messages(queue).len()).sum()
}

/// A world with a link given out, and the tab that opened it.
fn with_link() -> (Deployed, Tab) {
    executor().block_on(async {
        let keyvend = Deployed::new().await;
        keyvend.types(ALICE_OWNER, "create ci-deployer use:cli ttl:30d laptop tooling").await;
        keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
        let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
        keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
        let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
        let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
        (keyvend, tab)
    })
}

// T1.9
#[test]
fn only_well_formed_page_request_reads_table() {
    // Any request gets a reply; only a well-formed one causes a table call.
    let keyvend = executor().block_on(Deployed::new());
    run(
        1_500,
        (any_method(), any_path(PATHS), any_headers(HEADERS), any_body()),
        |(method, path, headers, body)| {
            let answer = answer(&keyvend, event(&method, &path, &headers, &body));
            let status = status_of(&answer)?;
            if status == 200 {
                prop_assert!(
                    path == "/reveal" && (method == "GET" || method == "HEAD"),
                    "{} {}",
                    method,
                    path
                );
            } else {
                prop_assert!([400, 403, 404, 405, 413, 415].contains(&status), "{}", answer);
            }
            prop_assert_eq!(calls(&keyvend), 0);
            Ok(())
        },
    );
}

// T1.9
#[test]
fn any_json_instead_of_event_is_answered() {
    let keyvend = executor().block_on(Deployed::new());
    let claim = json!({"tid": "AAAA", "proof": "AAAA", "cid": "AAAA", "pub": "AAAA"});
    let real = keyvend.world.browser("POST", "/reveal/claim", Some(&claim));
    run(1_000, prop_oneof![any_json(), damaged(real)], |event| {
        let status = status_of(&answer(&keyvend, event))?;
        prop_assert!((400..500).contains(&status));
        prop_assert_eq!(calls(&keyvend), 0);
        Ok(())
    });
}

/// The body's text with one thing wrong, and whether it could still be read as a claim.
fn wrong_bodies(right: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let text = |value: &Value| value.to_string();
    for (field, value) in right.as_object().unwrap() {
        let own = value.as_str().unwrap();
        let mut put = |what: &str, new: Value| {
            let mut body = right.clone();
            body[field] = new;
            all.push((format!("{field} {what}"), text(&body)));
        };
        for (what, new) in [
            ("null", Value::Null),
            ("true", json!(true)),
            ("a number", json!(7)),
            ("a list", json!([own])),
            ("an object", json!({"value": own})),
            ("empty", json!("")),
            ("huge", json!("A".repeat(200_000))),
            ("longer", json!(format!("{own}A"))),
            ("much longer", json!(format!("{own}AAAA"))),
            ("shorter", json!(own[..own.len() - 4])),
            ("padded", json!(format!("{own}="))),
            ("with a blank", json!(format!(" {own}"))),
            ("with a line end", json!(format!("{own}\n"))),
            ("not base64url", json!(own.replacen(|c: char| c.is_ascii_alphanumeric(), "+", 1))),
            ("not ASCII", json!(own.replacen(|c: char| c.is_ascii_alphanumeric(), "\u{e4}", 1))),
            ("zero", json!("\0".repeat(own.len()))),
        ] {
            // A code that is null is a code that was not sent.
            if !(field == "code" && new.is_null()) {
                put(what, new);
            }
        }
        if field != "code" {
            let mut without = right.clone();
            without.as_object_mut().unwrap().remove(field);
            all.push((format!("without {field}"), text(&without)));
        }
        let mut other_case = right.clone();
        other_case.as_object_mut().unwrap().insert(field.to_uppercase(), value.clone());
        all.push((format!("{field} in capitals too"), text(&other_case)));
        let twice = text(right).replacen('{', &format!("{{\"{field}\":{value},"), 1);
        all.push((format!("{field} twice"), twice));
    }
    let more = [
        ("more than there is", text(right).replacen('{', "{\"admin\":true,", 1)),
        ("two bodies", format!("{right}{right}")),
        ("a list of it", format!("[{right}]")),
        ("cut short", text(right)[..20].to_owned()),
        ("with a comment", format!("{right}//")),
        ("with a byte order mark", format!("\u{feff}{right}")),
        ("deeply nested", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
    ];
    all.extend(more.map(|(what, body)| (what.to_owned(), body)));
    all
}

#[test]
fn malformed_claim_or_confirmation_reads_no_table() {
    let (keyvend, tab) = with_link();
    let mut claim = tab.claim(None);
    claim["code"] = claim["proof"].clone();
    let mut ack = claim.clone();
    ack.as_object_mut().unwrap().retain(|name, _| name != "pub" && name != "code");
    ack["receipt"] = ack["cid"].clone();
    let headers: Vec<(String, String)> =
        HEADERS[..3].iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let before = executor().block_on(items(&keyvend.world.net, TICKETS));
    for (path, right) in [("/reveal/claim", claim), ("/reveal/ack", ack)] {
        for (what, body) in wrong_bodies(&right) {
            let answer = answer(&keyvend, event("POST", path, &headers, body.as_bytes()));
            assert_eq!(answer["statusCode"], 400, "{path}, {what}: {answer}");
            assert_eq!(answer["body"], r#"{"error":"bad-request"}"#, "{path}, {what}");
            assert_eq!(calls(&keyvend), 0, "{path}, {what}");
        }
    }
    assert_eq!(executor().block_on(items(&keyvend.world.net, TICKETS)), before);
    // The control: the right body is read, and asks the table.
    let right = tab.claim(None);
    let answer = answer(&keyvend, event("POST", "/reveal/claim", &headers, right.to_string().as_bytes()));
    assert_eq!(answer["statusCode"], 202);
    assert!(calls(&keyvend) > 1);
}

#[test]
fn other_origins_are_refused_before_any_read() {
    let (keyvend, tab) = with_link();
    let body = tab.claim(None).to_string();
    let right = [
        ("Content-Type", "application/json"),
        ("Origin", "https://keys.example.com"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let with = |name: &str, value: Option<&str>| -> Vec<(String, String)> {
        let own = |(own, old): &(&str, &str)| {
            let value = if *own == name { value? } else { old };
            Some(((*own).to_owned(), value.to_owned()))
        };
        right.iter().filter_map(own).collect()
    };
    for (headers, expected) in [
        (with("Origin", None), 403),
        (with("Origin", Some("https://evil.test")), 403),
        (with("Origin", Some("null")), 403),
        (with("Origin", Some("http://keys.example.com")), 403),
        (with("Origin", Some("https://keys.example.com:8443")), 403),
        (with("Origin", Some("https://keys.example.com.evil.test")), 403),
        (with("Origin", Some("https://keys.example.com,https://keys.example.com")), 403),
        (with("Sec-Fetch-Site", Some("cross-site")), 403),
        (with("Sec-Fetch-Site", Some("same-site")), 403),
        (with("Sec-Fetch-Site", Some("none")), 403),
        (with("Content-Type", None), 415),
        (with("Content-Type", Some("text/plain")), 415),
        (with("Content-Type", Some("application/x-www-form-urlencoded")), 415),
    ] {
        let answer = answer(&keyvend, event("POST", "/reveal/claim", &headers, body.as_bytes()));
        assert_eq!(answer["statusCode"], expected, "{headers:?}");
        assert_eq!(calls(&keyvend), 0, "{headers:?}");
    }
    let without = with("Sec-Fetch-Site", None);
    let answer = answer(&keyvend, event("POST", "/reveal/claim", &without, body.as_bytes()));
    assert_eq!(answer["statusCode"], 202, "older browsers send no Sec-Fetch-Site");
}

/// Bytes of this length, as a field of the wire format.
fn bytes(length: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u8>(), length).prop_map(|bytes| keyvend::encoding::base64url(&bytes))
}

// T3.6
#[test]
fn requests_without_link_reveal_no_ticket() {
    // Without the link nothing changes, and an existing ticket looks like none.
    let (keyvend, tab) = with_link();
    let right = tab.claim(None);
    let before = executor().block_on(items(&keyvend.world.net, TICKETS));
    let waiting = queued(&keyvend);
    let strategy =
        (any::<bool>(), bytes(16), bytes(32), bytes(16), prop::option::of(bytes(32)), any::<bool>());
    run(400, strategy, |(known, tid, proof, cid, code, claims)| {
        let ask = |tid: &str| {
            let mut body = json!({"tid": tid, "proof": proof, "cid": cid});
            if claims {
                body["pub"] = right["pub"].clone();
                body["code"] = json!(code);
            } else {
                body["receipt"] = json!(cid);
            }
            let path = if claims { "/reveal/claim" } else { "/reveal/ack" };
            answer(&keyvend, keyvend.world.browser("POST", path, Some(&body)))
        };
        let unknown = ask(&tid);
        let asked: Vec<String> =
            keyvend.world.net.calls().iter().map(|call| call.operation.clone()).collect();
        prop_assert_eq!(&asked, &["GetItem"]);
        let own = right["tid"].as_str().unwrap();
        let wrong = ask(if known { own } else { &tid });
        prop_assert_eq!(&unknown, &wrong);
        prop_assert_eq!(&wrong["statusCode"], 404);
        prop_assert_eq!(calls(&keyvend), asked.len());
        prop_assert!(keyvend.world.net.calls().iter().all(only_reads));
        Ok(())
    });
    assert_eq!(executor().block_on(items(&keyvend.world.net, TICKETS)), before);
    assert_eq!(queued(&keyvend), waiting);
}

// T3.4
#[test]
fn opening_page_with_any_address_does_nothing() {
    let (keyvend, _) = with_link();
    let mut pages = std::collections::BTreeSet::new();
    run(200, (any_text(), any_headers(HEADERS)), |(query, headers)| {
        for method in ["GET", "HEAD"] {
            let mut event = event(method, "/reveal", &headers, b"");
            event["rawQueryString"] = json!(query);
            let answer = answer(&keyvend, event);
            prop_assert_eq!(&answer["statusCode"], 200);
            prop_assert_eq!(calls(&keyvend), 0);
        }
        Ok(())
    });
    for agent in ["Slackbot-LinkExpanding 1.0", "Mozilla/5.0 Firefox/140.0", "curl/8"] {
        let headers =
            [("User-Agent".to_owned(), agent.to_owned()), ("Purpose".to_owned(), "prefetch".to_owned())];
        pages.insert(answer(&keyvend, event("GET", "/reveal", &headers, b"")).to_string());
    }
    assert_eq!(pages.len(), 1, "the page is the same bytes for everybody");
}
