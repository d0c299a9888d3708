//! What the pages of the example accept, and who sees what on them.

use std::rc::Rc;

use serde_json::json;
use tokio::task::spawn_local;

use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, GENERAL, MALLORY_OUTSIDER};

use crate::local::{Browser, at_the_pages, scene, server};

#[tokio::test]
async fn local_messages_are_processed_automatically() {
    at_the_pages(async {
        let browser = Browser::new().await;
        spawn_local(server::work(Rc::clone(&browser.running)));
        let typed = json!({"as": MALLORY_OUTSIDER, "channel": GENERAL, "text": "/access-key whoami"});
        let (_, answer) = browser.posts("/chat/command", &typed).await;
        assert_eq!(answer["status"], 200);
        let mut state = browser.state(MALLORY_OUTSIDER).await;
        while state["messages"] == json!([]) {
            let path = format!("/chat/wait?as={MALLORY_OUTSIDER}&seq={}", state["seq"]);
            state = serde_json::from_str(&browser.gets(&path).await.2).unwrap();
        }
        assert!(browser.told(MALLORY_OUTSIDER).await.contains("You are"));
    })
    .await;
}

#[tokio::test]
async fn only_the_servers_own_page_may_press_buttons() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let port = browser.port;
        let ours = format!("Host: 127.0.0.1:{port}\r\n");
        let origin = format!("Origin: http://127.0.0.1:{port}\r\n");
        let json = "Content-Type: application/json\r\n";
        let cases = [
            (format!("{ours}{origin}{json}"), 200),
            (format!("{ours}{origin}Content-Type: text/plain\r\n"), 415),
            (format!("{ours}{json}"), 403),
            (format!("{ours}Origin: https://evil.example\r\n{json}"), 403),
            (format!("{ours}Origin: null\r\n{json}"), 403),
            (format!("{ours}{origin}{origin}{json}"), 403),
            (format!("Host: evil.example:{port}\r\n{origin}{json}"), 421),
            (format!("{origin}{json}"), 421),
        ];
        let body = r#"{"as":"U0ALICE","channel":"C0GENERAL","text":"a < b & c"}"#;
        for (headers, expected) in cases {
            let (status, _, answer) =
                browser.sends(&format!("POST /chat/say HTTP/1.1\r\n{headers}"), body).await;
            assert_eq!(status, expected, "{headers}{answer}");
        }
        let heard = browser.state(BOB_APPROVER).await["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(heard["text"], "a &lt; b &amp; c");
        let (status, _, answer) = browser
            .sends(
                &format!("POST /reveal/claim HTTP/1.1\r\n{ours}Origin: https://evil.example\r\n{json}"),
                "{}",
            )
            .await;
        assert_eq!(status, 403, "{answer}");
    })
    .await;
}

#[tokio::test]
async fn panicking_local_handler_is_answered_and_isolated() {
    at_the_pages(async {
        let browser = Browser::new().await;
        browser.running.world.net.before(|call| panic!("no {} today", call.service));
        let typed = json!({"as": ALICE_OWNER, "channel": GENERAL, "text": "/access-key whoami"});
        let (status, answer) = browser.posts("/chat/command", &typed).await;
        assert_eq!((status, answer), (500, json!("no secretsmanager today")));
        assert_eq!(browser.state(ALICE_OWNER).await["messages"], json!([]));
        assert_eq!(browser.gets("/reveal").await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn local_channels_are_visible_to_members_only() {
    // Nobody sees or writes messages of a channel without being its member.
    at_the_pages(async {
        let browser = Browser::new().await;
        let [first, ..] = scene::<4>("From request to key");
        browser.takes(first).await;
        for (person, cards) in [(ALICE_OWNER, 0), (MALLORY_OUTSIDER, 0), (BOB_APPROVER, 1)] {
            let state = browser.state(person).await;
            let said = state["messages"].as_array().unwrap().iter().filter(|m| m["channel"] == APPROVALS);
            let cards_seen = said.clone().filter(|m| m.to_string().contains("requests a key")).count();
            assert_eq!(cards_seen, cards, "{person}");
            assert_eq!(said.count() > 0, cards > 0, "{person}");
        }
        let say = |person: &str, channel: &str| json!({"as": person, "channel": channel, "text": "hello"});
        let cases = [
            (BOB_APPROVER, APPROVALS, 200),
            (MALLORY_OUTSIDER, APPROVALS, 404),
            (BOB_APPROVER, "D:U0ALICE", 404),
            ("U0NOBODY", GENERAL, 404),
        ];
        for (person, channel, expected) in cases {
            assert_eq!(
                browser.posts("/chat/say", &say(person, channel)).await.0,
                expected,
                "{person} {channel}"
            );
        }
        assert_eq!(browser.state("U0NOBODY").await["messages"], json!([]));
    })
    .await;
}
