//! `cargo run --example local`, walked through over HTTP as its pages do.

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
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use running::Running;
use testkit::deployed::{ShownKey, Tab};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER};
use tour::{SCENES, Step};

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

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

#[tokio::test]
async fn from_asking_to_the_key() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let (status, _, page) = browser.gets("/").await;
        assert_eq!((status, page.as_str()), (200, chat::PAGE));
        let [ask, approve, get, again] = scene("From request to key");
        assert_eq!(ask.command, Some(tour::FIRST));
        assert!(browser.takes(ask).await.contains("It needs 1 approval"));
        browser.presses(approve.person, "Approve").await;
        assert!(browser.statuses("ci-deployer").await.is_empty(), "no key exists yet");
        let tab = browser.link(get.person).await;
        let (status, head, _) = browser.gets("/reveal").await;
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
        let key = browser.key(&tab, None).await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Active"]);
        let button = browser.presses(again.person, "Open the one-time link").await;
        let second = Tab::open(button["url"].as_str().unwrap());
        assert_eq!(browser.does("/reveal/claim", &second.claim(None)).await.0, 409);
        assert!(browser.told(again.person).await.contains("again in another browser tab"));
        assert!(browser.card().await.to_string().contains(&key.id), "the card says which key");
        for person in [ALICE_OWNER, BOB_APPROVER] {
            assert!(!browser.state(person).await.to_string().contains(&key.secret), "nobody can read it");
        }
    })
    .await;
}

#[tokio::test]
async fn the_form() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, _, deny, late] = scene("The form");
        browser.takes(ask).await;
        assert!(browser.views(BOB_APPROVER).await.is_empty(), "a form is shown to whom it is opened for");
        let close = json!({"as": ALICE_OWNER, "view": browser.form(ALICE_OWNER).await["id"]});
        assert_eq!(browser.does("/chat/close", &close).await.0, 200);
        browser.takes(ask).await;
        let form = browser.form(ALICE_OWNER).await;
        let own = &form["view"]["blocks"][0]["element"]["options"];
        assert!(own.to_string().contains("report-bot@home"), "the second form knows: {own}");

        let mut values = json!({"use-case": "cli", "lifetime": "30d", "reason": "tooling"});
        values["other"] = json!("arn:aws:iam::1:user/ci");
        let mut stolen = browser.filled(ALICE_OWNER, &values).await;
        stolen["as"] = json!(BOB_APPROVER);
        assert_eq!(browser.does("/chat/submit", &stolen).await.0, 404);
        let (_, wrong) = browser.does("/chat/submit", &browser.filled(ALICE_OWNER, &values).await).await;
        assert!(wrong["errors"]["other"].to_string().contains("not an IAM user name"), "{wrong}");
        let mut odd = values.clone();
        odd["lifetime"] = json!("9000d");
        assert_eq!(browser.does("/chat/submit", &browser.filled(ALICE_OWNER, &odd).await).await.0, 404);
        let chosen =
            json!({"as": ALICE_OWNER, "view": form["id"], "block_id": "use-case", "value": "outside-aws"});
        assert_eq!(browser.does("/chat/choose", &chosen).await, (200, json!({"status": 200})));
        assert!(browser.form(ALICE_OWNER).await.to_string().contains("Roles Anywhere"));
        values["other"] = Value::Null;
        values["own"] = json!("report-bot@home");
        let (_, right) = browser.posts("/chat/submit", &browser.filled(ALICE_OWNER, &values).await).await;
        assert_eq!(right, json!({"status": 200, "errors": null}));
        assert!(
            browser.form(ALICE_OWNER).await.to_string().contains("Checking..."),
            "until it is worked off"
        );
        browser.running.tick().await;
        assert!(browser.form(ALICE_OWNER).await.to_string().contains("Request sent: a key for `report-bot`"));
        assert_eq!(browser.does("/chat/close", &close).await.0, 404, "that one was closed before");

        browser.presses(deny.person, "Deny").await;
        let why = browser.filled(deny.person, &json!({"reason": "use OIDC instead"})).await;
        assert_eq!(browser.does("/chat/submit", &why).await.1["status"], 200);
        assert!(browser.told(ALICE_OWNER).await.contains("use OIDC instead"));

        let before = browser.views(ALICE_OWNER).await.len();
        assert!(browser.takes(late).await.contains("could not be opened in time"));
        assert_eq!(browser.views(ALICE_OWNER).await.len(), before);
        browser.presses(ALICE_OWNER, "Open the form").await;
        assert!(browser.form(ALICE_OWNER).await.to_string().contains("Request an access key"));
    })
    .await;
}

#[tokio::test]
async fn a_code_by_mail() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, approve, guess, get, off] = scene("A code by email");
        browser.takes(ask).await;
        browser.presses(approve.person, "Approve").await;
        let tab = browser.link(guess.person).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 401);
        let wrong = tab.code("00000000");
        for left in [4, 3, 2, 1] {
            let (status, body) = browser.does("/reveal/claim", &tab.claim(Some(&wrong))).await;
            assert_eq!((status, &body["tries_left"]), (401, &json!(left)), "{body}");
        }
        assert_eq!(browser.does("/reveal/claim", &tab.claim(Some(&wrong))).await.0, 423);
        let right = tab.code(&browser.code(ALICE_OWNER).await);
        assert_eq!(browser.does("/reveal/claim", &tab.claim(Some(&right))).await.0, 423, "too late");
        assert!(browser.told(ALICE_OWNER).await.contains("Five wrong codes"));

        let tab = browser.link(get.person).await;
        let state = browser.state(ALICE_OWNER).await;
        assert_eq!((state["mail"].as_array().unwrap().len(), &state["wants_code"]), (2, &json!(true)));
        assert_eq!(browser.state(BOB_APPROVER).await["mail"], json!([]), "it is Alice's alone");
        let code = tab.code(&browser.code(ALICE_OWNER).await);
        browser.key(&tab, Some(&code)).await;

        assert_eq!(off.mail, Some(false));
        browser.does("/chat/mail", &json!({"on": false})).await;
        let [first, ..] = scene::<4>("From request to key");
        browser.gets_a_key(first).await;
    })
    .await;
}

#[tokio::test]
async fn two_approvals() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, first, second] = scene("Two approvals");
        assert!(browser.takes(ask).await.contains("It needs 2 approvals"));
        browser.presses(first.person, "Approve").await;
        let card = browser.card().await.to_string();
        assert!(card.contains("1 of 2") && card.contains("privileged"), "{card}");
        assert!(!browser.told(ALICE_OWNER).await.contains("Get my key"));
        browser.presses(first.person, "Details").await;
        assert!(browser.form(first.person).await.to_string().contains("AdministratorAccess"));
        browser.presses(first.person, "Approve").await;
        assert!(browser.card().await.to_string().contains("1 of 2"), "one person is one approval");
        browser.presses(second.person, "Approve").await;
        assert!(browser.told(ALICE_OWNER).await.contains("Get my key"));
    })
    .await;
}

#[tokio::test]
async fn what_is_refused() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [others, own, wrong, third] = scene("Denied requests");
        assert!(browser.takes(others).await.contains("not an owner"));
        assert!(browser.takes(own).await.contains("It needs 1 approval"));
        browser.presses(own.person, "Approve").await;
        assert!(browser.state(own.person).await.to_string().contains("cannot approve your own"));
        assert!(browser.takes(wrong).await.contains("IAM role"));
        assert!(browser.takes(third).await.contains("two access keys"));
    })
    .await;
}

#[tokio::test]
async fn this_wasnt_me() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [requester, approver, back] = scene("This wasn't me");
        let [first, ..] = scene::<4>("From request to key");
        browser.gets_a_key(first).await;
        browser.presses(requester.person, "This wasn't me").await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Inactive"]);
        assert!(
            buttons(&browser.card().await).contains(&"Report and deactivate"),
            "the key may be activated again, and must then be reported again"
        );
        browser.gets_a_key(first).await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Inactive", "Active"]);
        browser.presses(approver.person, "Report and deactivate").await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Inactive", "Inactive"]);
        assert!(browser.told(ALICE_OWNER).await.contains("It is deactivated"));
        let listed = browser.takes(back).await;
        assert!(listed.contains("Request reactivation"), "{listed}");
        browser.presses(back.person, "Request reactivation").await;
        assert!(browser.told(back.person).await.contains("is reactivated until"));
        assert_eq!(browser.statuses("ci-deployer").await, ["Active", "Inactive"]);
    })
    .await;
}

#[tokio::test]
async fn manage_your_keys() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, list, rotate, idle, undo] = scene("Manage your keys");
        browser.gets_a_key(ask).await;
        assert!(browser.takes(list).await.contains("never used"));
        browser.presses(rotate.person, "Rotate").await;
        browser.presses(BOB_APPROVER, "Approve").await;
        browser.key(&browser.link(rotate.person).await, None).await;
        assert_eq!(browser.statuses("report-bot").await, ["Active", "Active"]);
        browser.passes(DAY + HOUR).await;
        browser.presses(idle.person, "Deactivate the old key").await;
        assert_eq!(browser.statuses("report-bot").await, ["Inactive", "Active"]);
        browser.presses(undo.person, "Undo").await;
        assert_eq!(browser.statuses("report-bot").await, ["Active", "Active"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_expires() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, extend, expire, undo] = scene("A key expires");
        browser.takes(ask).await;
        browser.presses(CAROL_APPROVER, "Approve").await;
        browser.key(&browser.link(ask.person).await, None).await;
        browser.passes(6 * DAY).await;
        browser.presses(extend.person, "Extend").await;
        browser.presses(CAROL_APPROVER, "Approve").await;
        assert!(
            browser.told(extend.person).await.contains("extended"),
            "{}",
            browser.told(extend.person).await
        );
        browser.passes(6 * DAY).await;
        assert_eq!(browser.statuses("release-bot").await, ["Active"]);
        browser.passes(DAY + HOUR).await;
        assert_eq!(browser.statuses("release-bot").await, ["Inactive"]);
        assert!(browser.told(expire.person).await.contains("has expired"));
        browser.presses(undo.person, "Request reactivation").await;
        browser.presses(CAROL_APPROVER, "Approve").await;
        assert_eq!(browser.statuses("release-bot").await, ["Active"]);
        browser.passes(DAY + HOUR).await;
        assert_eq!(browser.statuses("release-bot").await, ["Inactive"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_nobody_received() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, wait, again] = scene("A key nobody received");
        browser.takes(ask).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        let tab = browser.link(ask.person).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 202);
        browser.passes(HOUR / 4).await;
        let told = browser.told(wait.person).await;
        assert!(told.contains("was deactivated") && told.contains("Get a new key"), "{told}");
        browser.presses(again.person, "Get a new key").await;
        browser.key(&browser.link(again.person).await, None).await;
    })
    .await;
}

#[tokio::test]
async fn two_keys() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [third, delete, ask] = scene("Two keys");
        assert!(
            browser.takes(third).await.contains("two access keys"),
            "{}",
            browser.told(third.person).await
        );
        browser.presses(third.person, "Deactivate").await;
        assert_eq!(browser.statuses("full").await.iter().filter(|status| *status == "Inactive").count(), 1);
        browser.takes(delete).await;
        browser.presses(delete.person, "Delete").await;
        assert_eq!(browser.statuses("full").await, ["Active"]);
        browser.passes(60).await;
        browser.gets_a_key(ask).await;
        assert_eq!(browser.statuses("full").await, ["Active", "Active"]);
    })
    .await;
}

#[tokio::test]
async fn freeze() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, stop, get, go_on, only_approvers] = scene("Freeze");
        browser.takes(ask).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        assert!(browser.takes(stop).await.contains("Key issuing is frozen"));
        browser.presses(get.person, "Get my key").await;
        assert!(browser.told(get.person).await.contains("Your approval remains valid"));
        assert!(browser.statuses("report-bot").await.is_empty());
        // Only what was stopped before is lifted, and the example goes by the wall clock.
        browser.passes(1).await;
        assert!(browser.takes(go_on).await.contains("Key issuing is resumed"));
        browser.key(&browser.link(get.person).await, None).await;
        assert_eq!(browser.statuses("report-bot").await, ["Active"]);
        assert!(browser.takes(only_approvers).await.contains("approver"));
        browser.gets_a_key(ask).await;
    })
    .await;
}

#[tokio::test]
async fn let_time_pass() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, remind, expire_request, expire_key] = scene("Let time pass");
        browser.takes(ask).await;
        let before = browser.state(remind.person).await;
        browser.passes(5 * HOUR).await;
        let thread = async || {
            let state = browser.state(remind.person).await;
            state["messages"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|m| !m["thread_ts"].is_null())
                .filter(|m| !m["text"].to_string().contains("Audit checkpoint"))
                .count()
        };
        assert_eq!(thread().await, 0, "not yet");
        browser.passes(HOUR).await;
        assert_eq!(thread().await, 1, "a quarter of a day");
        let now = browser.state(remind.person).await["now"].as_i64().unwrap();
        assert!((0..60).contains(&(now - before["now"].as_i64().unwrap() - i64::from(6 * HOUR))), "{now}");
        browser.passes(DAY).await;
        assert_eq!(thread().await, 1, "once");
        assert_eq!(buttons(&browser.card().await), ["Details"]);
        assert!(browser.told(expire_request.person).await.contains("expired"));

        browser.takes(expire_key).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        let tab = browser.link(expire_key.person).await;
        browser.passes(HOUR / 4).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 410);
        assert!(browser.statuses("report-bot").await.is_empty());
        browser.key(&browser.link(expire_key.person).await, None).await;

        let (status, answer) = browser.posts("/chat/pass", &json!({"seconds": 32 * DAY})).await;
        assert_eq!(status, 404, "{answer}");
    })
    .await;
}

#[tokio::test]
async fn looking_around() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [status, cancel, whoami, help] = scene("Status and help");
        let [first, ..] = scene::<4>("From request to key");
        browser.takes(first).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        let tab = browser.link(ALICE_OWNER).await;
        assert!(browser.takes(status).await.contains("ci-deployer"));
        browser.takes(cancel).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 410, "the link died with it");
        assert!(browser.takes(whoami).await.contains("You are"));
        let typed = json!({"as": help.person, "channel": GENERAL, "text": help.command});
        let (_, answer) = browser.does("/chat/command", &typed).await;
        assert!(answer["ephemeral"].to_string().contains("*Commands*"), "{answer}");
    })
    .await;
}

#[test]
fn every_scene_is_walked() {
    let walked = [
        "From request to key",
        "The form",
        "A code by email",
        "Two approvals",
        "Denied requests",
        "This wasn't me",
        "Manage your keys",
        "A key expires",
        "A key nobody received",
        "Two keys",
        "Freeze",
        "Let time pass",
        "Status and help",
    ];
    assert_eq!(SCENES.map(|scene| scene.title), walked);
}

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
