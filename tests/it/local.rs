//! `cargo run --example local`, walked through over HTTP as its pages do.

mod pages;
mod tour_scenes;

use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use running::Running;
use testkit::deployed::{ShownKey, Tab};
use testkit::slack::{APPROVALS, BOB_APPROVER, GENERAL, MALLORY_OUTSIDER};
use tour::{SCENES, Step};

#[path = "../../examples/local/chat.rs"]
mod chat;
#[path = "../../examples/local/console.rs"]
mod console;
#[path = "../../examples/local/running.rs"]
mod running;
#[path = "../../examples/local/scene.rs"]
mod scene;
#[path = "../../examples/local/server.rs"]
mod server;
#[path = "../../examples/local/tour.rs"]
mod tour;

/// A browser at the example's pages.
struct Browser {
    port: u16,
    running: Rc<Running>,
}

impl Browser {
    /// Starts the example for it; its queues are delivered when the test says so.
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = Rc::new(Running::new(port, false).await);
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

    /// What the page posts, and how that is answered before anything is worked off.
    async fn posts(&self, path: &str, body: &Value) -> (u16, Value) {
        let port = self.port;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n"
        );
        let (status, _, body) = self.sends(&head, &body.to_string()).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// The same, worked off.
    async fn does(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.posts(path, body).await;
        self.running.tick().await;
        answer
    }

    async fn gets(&self, path: &str) -> (u16, String, String) {
        self.sends(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n", self.port), "").await
    }

    async fn state(&self, person: &str) -> Value {
        let (status, _, body) = self.gets(&format!("/chat/state?as={person}")).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Takes a step of the tour that has something to type; what that person is then told.
    async fn takes(&self, step: &Step) -> String {
        if let Some(on) = step.mail {
            assert_eq!(self.does("/chat/mail", &json!({"on": on})).await.0, 200);
        }
        let command = step.command.unwrap();
        let typed = json!({"as": step.person, "channel": GENERAL, "text": command, "late": step.late});
        let (status, answer) = self.does("/chat/command", &typed).await;
        assert_eq!((status, &answer["status"]), (200, &json!(200)), "{answer}");
        self.told(step.person).await
    }

    /// What this person alone was told last.
    async fn told(&self, person: &str) -> String {
        let state = self.state(person).await;
        let own = |message: &&Value| {
            message["ephemeral_to"] == person || message["channel"] == format!("D:{person}")
        };
        let last = state["messages"].as_array().unwrap().iter().rfind(own).cloned();
        last.map(|message| message.to_string()).unwrap_or_default()
    }

    /// The newest card.
    async fn card(&self) -> Value {
        let state = self.state(BOB_APPROVER).await;
        let card = |m: &&Value| m["channel"] == APPROVALS && m["blocks"][0]["type"] == "header";
        state["messages"].as_array().unwrap().iter().rfind(card).unwrap().clone()
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
        let (status, answer) = self.does("/chat/press", &pressed).await;
        assert_eq!((status, &answer["status"]), (200, &json!(200)), "{answer}");
        button.clone()
    }

    /// The forms that this person has open.
    async fn views(&self, person: &str) -> Vec<Value> {
        self.state(person).await["views"].as_array().unwrap().clone()
    }

    /// A form as this person sees it.
    async fn form(&self, person: &str) -> Value {
        self.views(person).await.pop().unwrap()
    }

    /// A submission of the form that this person sees.
    async fn filled(&self, person: &str, values: &Value) -> Value {
        json!({"as": person, "view": self.form(person).await["id"], "values": values})
    }

    /// **Get my key**, and its link opened in a new tab.
    async fn link(&self, person: &str) -> Tab {
        self.presses(person, "Get my key").await;
        let button = self.presses(person, "Open the one-time link").await;
        Tab::open(button["url"].as_str().unwrap())
    }

    /// The key, claimed and confirmed in this tab.
    async fn key(&self, tab: &Tab, code: Option<&str>) -> ShownKey {
        assert_eq!(self.does("/reveal/claim", &tab.claim(code)).await.0, 202);
        let (status, body) = self.does("/reveal/claim", &tab.claim(code)).await;
        assert_eq!(status, 200, "{body}");
        let key = tab.unseal(&body);
        assert_eq!(self.does("/reveal/ack", &tab.ack(&key)).await.0, 200);
        key
    }

    /// Asked for, approved by Bob, and collected.
    async fn gets_a_key(&self, step: &Step) -> ShownKey {
        self.takes(step).await;
        self.presses(BOB_APPROVER, "Approve").await;
        self.key(&self.link(step.person).await, None).await
    }

    /// What the page shows of an IAM user: its key's states.
    async fn statuses(&self, user: &str) -> Vec<String> {
        let state = self.state(MALLORY_OUTSIDER).await;
        let found = state["iam"].as_array().unwrap().iter().find(|one| one["name"] == user).unwrap().clone();
        found["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["status"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn passes(&self, seconds: u32) {
        assert_eq!(self.posts("/chat/pass", &json!({"seconds": seconds})).await.0, 200);
    }

    /// The code in the newest mail.
    async fn code(&self, person: &str) -> String {
        let mail = self.state(person).await["mail"].as_array().unwrap().last().unwrap().clone();
        let (_, code) = mail["text"].as_str().unwrap().split_once("Your code is ").unwrap();
        code.split_whitespace().next().unwrap().replace('-', "")
    }
}

/// The steps of a scene of the tour.
fn scene<const N: usize>(title: &str) -> &'static [Step; N] {
    let scene = SCENES.iter().find(|scene| scene.title == title).unwrap();
    scene.steps.try_into().unwrap()
}

/// The labels of a message's buttons.
fn buttons(message: &Value) -> Vec<&str> {
    let blocks = message["blocks"].as_array().into_iter().flatten();
    let elements = blocks.flat_map(|block| block["elements"].as_array().into_iter().flatten());
    elements.filter_map(|element| element["text"]["text"].as_str()).collect()
}

async fn at_the_pages<T>(walk: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(walk).await
}
