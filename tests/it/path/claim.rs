//! Claiming: one link is one key in one browser tab, however often anybody asks.

use std::time::Duration;

use serde_json::{Value, json};

use testkit::aws;
use testkit::deployed::{Deployed, Tab};
use testkit::net::HOME;
use testkit::slack::ALICE_OWNER;
use testkit::steps::text;

// T3.3
#[tokio::test]
async fn second_claim_is_refused_and_alerts_once() {
    // The requester is alerted once, however often it is tried.
    let keyvend = Deployed::new().await;
    keyvend.linked().await;
    let (own, foreign) = (keyvend.opens(), keyvend.opens());
    let key = keyvend.reveals(&own).await;
    for _ in 0..3 {
        assert_eq!(keyvend.turned_away(&foreign).await, (409, "used".to_owned()));
        keyvend.deliver().await;
        keyvend.world.clock.advance(Duration::from_secs(400));
    }
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 1);
    assert!(keyvend.told(ALICE_OWNER).contains("your link has leaked"));
    assert_eq!(keyvend.events().await.iter().filter(|event| *event == "link.reused").count(), 1);
    assert_eq!(keyvend.creates(), 1);
    assert_eq!(keyvend.key_ids(), [key.id]);
}

#[tokio::test]
async fn second_claim_during_issue_is_refused() {
    let keyvend = Deployed::new().await;
    keyvend.linked().await;
    let (own, foreign) = (keyvend.opens(), keyvend.opens());
    keyvend.claims(&own).await;
    assert_eq!(keyvend.turned_away(&foreign).await, (409, "used".to_owned()));
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &own.claim(None)).await.0, 200);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 1);
    assert_eq!(keyvend.creates(), 1);
}

// T3.3
#[tokio::test]
async fn simultaneous_claims_have_one_winner() {
    let keyvend = Deployed::new().await;
    keyvend.linked().await;
    let tabs = [keyvend.opens(), keyvend.opens()];
    let bodies = tabs.each_ref().map(|tab| tab.claim(None));
    let claims = bodies.iter().map(|body| keyvend.posts("/reveal/claim", body));
    let statuses: Vec<u64> =
        futures_util::future::join_all(claims).await.into_iter().map(|(status, _)| status).collect();
    let mut sorted = statuses.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [202, 409]);
    keyvend.deliver().await;
    let winner = &tabs[statuses.iter().position(|status| *status == 202).unwrap()];
    assert_eq!(keyvend.posts("/reveal/claim", &winner.claim(None)).await.0, 200);
    assert_eq!(keyvend.creates(), 1);
}

// T4.3
#[tokio::test]
async fn repeated_claim_of_same_tab_gets_same_answer() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    for _ in 0..3 {
        keyvend.claims(&tab).await;
    }
    keyvend.deliver().await;
    let (status, first) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200);
    keyvend.world.clock.advance(Duration::from_secs(599));
    let (status, again) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!((status, &again), (200, &first));
    assert_eq!(tab.unseal(&again), tab.unseal(&first));
    assert_eq!(keyvend.creates(), 1);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 0);
}

#[tokio::test]
async fn the_sealed_key_is_served_for_ten_minutes() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    keyvend.world.clock.advance(Duration::from_secs(600));
    assert_eq!(keyvend.turned_away(&tab).await, (410, "unconfirmed".to_owned()));
    // State decides, not the clock: until the timer has closed it, a late confirmation is still good.
    assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
}

// T3.6
#[tokio::test]
async fn unknown_ticket_and_wrong_proof_look_alike() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let unknown = Tab::open(&format!("https://keys.example.com/reveal#1.{}", "A".repeat(43)));
    let mut wrong_proof = tab.claim(None);
    wrong_proof["proof"] = unknown.claim(None)["proof"].clone();
    let mut with_code = wrong_proof.clone();
    with_code["code"] = json!("A".repeat(43));
    let cases = [unknown.claim(None), wrong_proof, with_code];
    let mut answers = Vec::new();
    for body in &cases {
        for state in ["PENDING", "SEALED"] {
            if state == "SEALED" && keyvend.ticket_stands(&tab).await == "PENDING" {
                keyvend.reveals(&tab).await;
            }
            keyvend.world.net.forget();
            let event = keyvend.world.browser("POST", "/reveal/claim", Some(body));
            let answer = keyvend.arrive_at_reveal(event).await;
            let calls: Vec<String> =
                keyvend.world.net.calls().iter().map(|call| call.operation.clone()).collect();
            assert_eq!(calls, ["GetItem"], "{body}");
            answers.push(answer);
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0]["statusCode"], 404);
    assert_eq!(keyvend.deliver().await, 0);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 0);
}

// T3.3
#[tokio::test]
async fn claim_with_another_public_key_is_refused() {
    // It names the same tab, but its public key is another.
    let keyvend = Deployed::new().await;
    keyvend.linked().await;
    let (own, thief) = (keyvend.opens(), keyvend.opens());
    keyvend.claims(&own).await;
    let mut stolen = thief.claim(None);
    stolen["cid"] = own.claim(None)["cid"].clone();
    assert_eq!(keyvend.posts("/reveal/claim", &stolen).await, (409, json!({"error": "used"})));
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/claim", &stolen).await.0, 409);
    let (status, body) = keyvend.posts("/reveal/claim", &own.claim(None)).await;
    assert_eq!(status, 200);
    own.unseal(&body);
}

#[tokio::test]
async fn a_confirmation_counts_once_however_often_it_comes() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let key = keyvend.reveals(&tab).await;
    for _ in 0..3 {
        assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&key)).await, (200, json!({})));
        keyvend.deliver().await;
        keyvend.world.clock.advance(Duration::from_secs(400));
    }
    assert_eq!(keyvend.events().await.iter().filter(|event| *event == "link.confirmed").count(), 1);
    assert_eq!(keyvend.item(&format!("key#{}", key.id)).await["state"]["S"], "CONFIRMED");
    assert_eq!(keyvend.turned_away(&tab).await, (410, "confirmed".to_owned()));
    assert_eq!(keyvend.turned_away(&opens_again(&keyvend, &tab)).await, (409, "used".to_owned()));
}

/// The same link in another tab.
fn opens_again(keyvend: &Deployed, tab: &Tab) -> Tab {
    let links = keyvend.world.net.slack().ever().into_iter().flat_map(|message| message.buttons());
    let mut tabs = links.filter_map(|button| button.url).map(|url| Tab::open(&url));
    tabs.find(|other| other.tid() == tab.tid()).unwrap()
}

#[tokio::test]
async fn only_claiming_tab_can_confirm() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let before = json!({
        "tid": tab.tid(), "proof": tab.claim(None)["proof"], "cid": tab.claim(None)["cid"],
        "receipt": "A".repeat(22),
    });
    assert_eq!(keyvend.posts("/reveal/ack", &before).await.0, 404, "nothing to confirm yet");
    keyvend.claims(&tab).await;
    assert_eq!(keyvend.posts("/reveal/ack", &before).await.0, 409, "still being made");
    keyvend.deliver().await;
    assert_eq!(keyvend.posts("/reveal/ack", &before).await.0, 400, "not the receipt inside");
    let (_, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    let key = tab.unseal(&body);
    let other = opens_again(&keyvend, &tab);
    assert_eq!(keyvend.posts("/reveal/ack", &other.ack(&key)).await.0, 409, "another tab");
    let mut wrong_proof = tab.ack(&key);
    wrong_proof["proof"] = json!("A".repeat(43));
    assert_eq!(keyvend.posts("/reveal/ack", &wrong_proof).await, (404, json!({"error": "not-found"})));
    assert_eq!(keyvend.ticket_stands(&tab).await, "SEALED");
    assert_eq!(keyvend.item(&format!("key#{}", key.id)).await["state"]["S"], "DELIVERED");
    assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
}

#[tokio::test]
async fn malformed_claim_changes_nothing() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let good = tab.claim(None);
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let off_curve = {
        let mut bytes = [7u8; 65];
        bytes[0] = 4;
        keyvend::encoding::base64url(&bytes)
    };
    let cases = [
        without("tid"),
        without("proof"),
        without("cid"),
        without("pub"),
        with("tid", json!(format!("{}A", text(&good["tid"])))),
        with("proof", json!("short")),
        with("cid", json!("")),
        with("pub", json!(off_curve)),
        with("pub", json!("BA")),
        with("code", json!("ABCD1234")),
        with("more", json!(1)),
        json!([]),
        json!("claim"),
        Value::Null,
    ];
    for body in cases {
        assert_eq!(
            keyvend.posts("/reveal/claim", &body).await,
            (400, json!({"error": "bad-request"})),
            "{body}"
        );
    }
    let spoilt = [
        ("origin", Some("https://evil.test"), 403),
        ("origin", None, 403),
        ("sec-fetch-site", Some("cross-site"), 403),
        ("sec-fetch-site", Some("same-site"), 403),
        ("content-type", Some("text/plain"), 415),
        ("content-type", None, 415),
    ];
    for (header, value, status) in spoilt {
        let mut event = keyvend.world.browser("POST", "/reveal/claim", Some(&good));
        let headers = event["headers"].as_object_mut().unwrap();
        match value {
            Some(value) => drop(headers.insert(header.to_owned(), json!(value))),
            None => drop(headers.remove(header)),
        }
        let answer = keyvend.arrive_at_reveal(event).await;
        assert_eq!(answer["statusCode"], status, "{header} {value:?}");
    }
    for (method, path) in
        [("GET", "/reveal"), ("HEAD", "/reveal"), ("GET", "/reveal/claim"), ("PUT", "/reveal/ack")]
    {
        keyvend.arrive_at_reveal(keyvend.world.browser(method, path, None)).await;
    }
    assert_eq!(keyvend.ticket_stands(&tab).await, "PENDING");
    assert_eq!(keyvend.deliver().await, 0);
    assert_eq!(aws::keys(&keyvend.world.net, HOME, "ci-deployer").len(), 0);
}

#[tokio::test]
async fn misuse_of_second_link_alerts_again() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    // Nobody came in time; the tab had a rival already then.
    let rival = opens_again(&keyvend, &tab);
    assert_eq!(keyvend.turned_away(&rival).await.0, 409);
    keyvend.world.clock.advance(Duration::from_secs(181));
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 1);
    let told = keyvend.world.net.slack().told(ALICE_OWNER);
    let again = told.into_iter().rev().find(|message| !message.buttons().is_empty()).unwrap();
    let tab = keyvend.collects(&again).await;
    keyvend.reveals(&tab).await;
    let rival = opens_again(&keyvend, &tab);
    assert_eq!(keyvend.turned_away(&rival).await.0, 409);
    keyvend.deliver().await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 2);
}
