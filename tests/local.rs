//! `cargo run --example local`, walked through over HTTP as its pages do.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a broken test must stop")]

#[path = "../examples/local/chat.rs"]
mod chat;
#[path = "../examples/local/running.rs"]
mod running;
#[path = "../examples/local/scene.rs"]
mod scene;
#[path = "../examples/local/server.rs"]
mod server;
mod world;

use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use running::Running;
use world::deployed::Tab;
use world::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER};

/// A browser at the example's pages.
struct Browser {
    port: u16,
    running: Rc<Running>,
}

impl Browser {
    /// Starts the example for it.
    async fn new(mail: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = Rc::new(Running::new(port, mail).await);
        spawn_local(server::serve(listener, Rc::clone(&running)));
        Self { port, running }
    }

    /// The status, the head and the body.
    async fn sends(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
    }

    async fn posts(&self, path: &str, body: &Value) -> (u16, Value) {
        let port = self.port;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n"
        );
        let (status, _, body) = self.sends(&head, &body.to_string()).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    async fn gets(&self, path: &str) -> (u16, String, String) {
        self.sends(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n", self.port), "").await
    }

    async fn state(&self, person: &str) -> Value {
        let (status, _, body) = self.gets(&format!("/chat/state?as={person}")).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn types(&self, person: &str, text: &str) -> Value {
        let typed = json!({"as": person, "channel": GENERAL, "text": format!("/access-key {text}")});
        let (status, answer) = self.posts("/chat/command", &typed).await;
        assert_eq!((status, &answer["status"]), (200, &json!(200)), "{answer}");
        self.last(person).await
    }

    /// The newest message to a person alone: an answer or a direct message.
    async fn last(&self, person: &str) -> Value {
        let (state, direct) = (self.state(person).await, format!("D:{person}"));
        let to_them =
            |message: &&Value| message["ephemeral_to"] == person || message["channel"] == direct.as_str();
        state["messages"].as_array().unwrap().iter().rev().find(to_them).unwrap().clone()
    }

    /// Presses the button of this label in the newest message that has it.
    async fn presses(&self, person: &str, label: &str) -> Value {
        let state = self.state(person).await;
        let messages = state["messages"].as_array().unwrap().iter().rev();
        let (message, block, button) = messages
            .flat_map(|message| {
                message["blocks"].as_array().into_iter().flatten().map(move |block| (message, block))
            })
            .flat_map(|(message, block)| {
                let elements = block["elements"].as_array().into_iter().flatten();
                elements.map(move |element| (message, block, element))
            })
            .find(|(.., element)| element["text"]["text"] == label)
            .unwrap_or_else(|| panic!("{person} sees no {label}"));
        let pressed = json!({
            "as": person, "channel": message["channel"], "ts": message["ts"], "block_id": block["block_id"],
            "action_id": button["action_id"], "value": button["value"],
        });
        let (status, answer) = self.posts("/chat/press", &pressed).await;
        assert_eq!((status, &answer["status"]), (200, &json!(200)), "{answer}");
        button.clone()
    }
}

fn said(message: &Value) -> String {
    message["text"].as_str().unwrap().to_owned()
}

async fn at_the_pages<T>(walk: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(walk).await
}

#[tokio::test]
async fn a_newcomer_walks_from_the_command_to_the_key_and_is_shown_what_is_refused() {
    at_the_pages(async {
        let browser = Browser::new(false).await;
        let (status, _, page) = browser.gets("/").await;
        assert_eq!(status, 200);
        assert_eq!(page, chat::PAGE);
        let hints = browser.state(ALICE_OWNER).await["hints"].clone();
        assert_eq!(hints[0]["command"], scene::FIRST);

        let first = scene::FIRST.strip_prefix("/access-key ").unwrap();
        assert!(said(&browser.types(ALICE_OWNER, first).await).contains("It needs 1 approval"));
        browser.presses(BOB_APPROVER, "Approve").await;
        browser.presses(ALICE_OWNER, "Get my key").await;
        browser.presses(ALICE_OWNER, "Open the one-time link").await;
        let url = browser.last(ALICE_OWNER).await["blocks"][1]["elements"][0]["url"].clone();
        let (page, _) = url.as_str().unwrap().split_once('#').unwrap();
        assert_eq!(page, format!("http://127.0.0.1:{}/reveal", browser.port));
        let (status, head, _) = browser.gets("/reveal").await;
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");

        let tab = Tab::open(url.as_str().unwrap());
        let (status, body) = browser.posts("/reveal/claim", &tab.claim(None)).await;
        assert_eq!(status, 202, "{body}");
        let (status, body) = browser.posts("/reveal/claim", &tab.claim(None)).await;
        assert_eq!(status, 200, "{body}");
        let key = tab.unseal(&body);
        assert_eq!(browser.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
        let second = Tab::open(url.as_str().unwrap());
        assert_eq!(browser.posts("/reveal/claim", &second.claim(None)).await.0, 409);
        assert!(said(&browser.last(ALICE_OWNER).await).contains("a second time"));
        assert!(browser.state(BOB_APPROVER).await.to_string().contains(&key.id), "the card says which key");

        let refused = browser.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:30d me too").await;
        assert!(said(&refused).contains("not an owner"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn each_step_that_is_offered_ends_as_it_says() {
    at_the_pages(async {
        let browser = Browser::new(false).await;
        let mut said_to = Vec::new();
        for hint in scene::hints().as_array().unwrap() {
            if let Some(command) = hint["command"].as_str() {
                let text = command.strip_prefix("/access-key ").unwrap();
                said_to.push(said(&browser.types(hint["as"].as_str().unwrap(), text).await));
            }
        }
        let expected = [
            "It needs 1 approval",
            "not an owner",
            "It needs 2 approvals",
            "It needs 1 approval",
            "IAM role",
            "two access keys",
            "admin-bot",
            "more than one open request",
            "You are",
        ];
        assert_eq!(said_to.len(), expected.len());
        for (said, expected) in said_to.iter().zip(expected) {
            assert!(said.contains(expected), "{said:?} does not say {expected:?}");
        }
        browser.presses(BOB_APPROVER, "Approve").await;
        assert!(said(&browser.last(BOB_APPROVER).await).contains("cannot approve your own"));
        browser.presses(CAROL_APPROVER, "Approve").await;
        assert!(said(&browser.last(BOB_APPROVER).await).contains("can be made"));
        browser.presses(BOB_APPROVER, "Get my key").await;
        let link = browser.last(BOB_APPROVER).await["blocks"][1]["elements"][0]["url"].clone();
        browser.presses(CAROL_APPROVER, "Deny after all").await;
        assert!(said(&browser.last(BOB_APPROVER).await).contains("denied your request"));
        let tab = Tab::open(link.as_str().unwrap());
        assert_eq!(browser.posts("/reveal/claim", &tab.claim(None)).await.0, 410, "the link died with it");
    })
    .await;
}

#[tokio::test]
async fn with_mail_the_code_is_in_the_mailbox_of_its_reader_alone() {
    at_the_pages(async {
        let browser = Browser::new(true).await;
        browser.types(ALICE_OWNER, "create ci-deployer use:cli ttl:30d laptop").await;
        browser.presses(BOB_APPROVER, "Approve").await;
        browser.presses(ALICE_OWNER, "Get my key").await;
        let mail = browser.state(ALICE_OWNER).await["mail"].clone();
        let code = mail[0]["text"].as_str().unwrap().split_once("Your code is ").unwrap().1;
        let code = code.split_whitespace().next().unwrap().replace('-', "");
        assert_eq!(browser.state(BOB_APPROVER).await["mail"], json!([]));
        let link = browser.last(ALICE_OWNER).await["blocks"][1]["elements"][0]["url"].clone();
        let tab = Tab::open(link.as_str().unwrap());
        assert_eq!(browser.posts("/reveal/claim", &tab.claim(None)).await.0, 401);
        let claim = tab.claim(Some(&tab.code(&code)));
        assert_eq!(browser.posts("/reveal/claim", &claim).await.0, 202);
        assert_eq!(browser.posts("/reveal/claim", &claim).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn only_the_servers_own_page_may_press_buttons() {
    at_the_pages(async {
        let browser = Browser::new(false).await;
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
        assert_eq!(said(&browser.last(BOB_APPROVER).await), "a &lt; b &amp; c");
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
async fn what_panics_is_answered_and_stops_nothing_else() {
    at_the_pages(async {
        let browser = Browser::new(false).await;
        browser.running.keyvend.world.net.before(|call| panic!("no {} today", call.service));
        let typed = json!({"as": ALICE_OWNER, "channel": GENERAL, "text": "/access-key whoami"});
        let (status, answer) = browser.posts("/chat/command", &typed).await;
        assert_eq!((status, answer), (500, json!("no secretsmanager today")));
        assert_eq!(browser.state(ALICE_OWNER).await["messages"], json!([]));
        assert_eq!(browser.gets("/reveal").await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn nobody_sees_or_speaks_where_they_are_not_a_member() {
    at_the_pages(async {
        let browser = Browser::new(false).await;
        browser.types(ALICE_OWNER, "create ci-deployer use:cli ttl:30d laptop").await;
        for (person, cards) in [(ALICE_OWNER, 0), (MALLORY_OUTSIDER, 0), (BOB_APPROVER, 1)] {
            let state = browser.state(person).await;
            let seen =
                state["messages"].as_array().unwrap().iter().filter(|m| m["channel"] == APPROVALS).count();
            assert_eq!(seen, cards, "{person}");
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
