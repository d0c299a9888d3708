//! People who want a key and do not give up: they look at what is there and do the next thing, whatever went wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::{self, REQUESTS, TICKETS};
use crate::delivery;
use crate::deployed::{Deployed, ShownKey, Tab};
use crate::net::HOME;
use crate::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, Message, View};
use crate::sqs::QUEUES;
use crate::steps::{ASK, text};

/// The button under the question whether a key that nobody recorded is keyvend's.
const OURS: &str = "Delete (created by keyvend)";

impl Deployed {
    /// Delivers until the queues are empty, as Lambda does where the worker may be killed: its message comes back.
    pub async fn outlives(&self) {
        let (sqs, net) = (self.world.net.sqs(), &self.world.net);
        delivery::deliver_everything(sqs, &self.world.clock, async |event| {
            let id = event["Records"][0]["messageId"].clone();
            let killed = json!({"batchItemFailures": [{"itemIdentifier": id}]});
            net.survive(Box::pin(self.work(event))).await.unwrap_or(killed)
        })
        .await;
    }

    /// The per-minute rule fires after some seconds, and what it finds is worked off.
    pub async fn minute(&self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
        self.world.net.sqs().sweep();
        Box::pin(self.outlives()).await;
    }

    /// An event arrives at `slack`, which may be killed or fail; then its person tries again.
    pub async fn gets_through(&self, event: impl Fn() -> Value) {
        for _ in 0..4 {
            self.world.clock.advance(Duration::from_secs(1));
            let answer = self.world.net.survive(Box::pin(self.arrive(event()))).await;
            if answer.is_some_and(|answer| answer["statusCode"] == 200) {
                break;
            }
        }
        Box::pin(self.outlives()).await;
    }

    pub async fn press(&self, person: &str, message: &Message, label: &str) {
        self.gets_through(|| self.world.press(person, message, label)).await;
    }

    /// The modal that somebody has before them, with something to submit.
    pub fn modal_of(&self, person: &str) -> Option<View> {
        let mut views = self.world.net.slack().views().into_iter().rev();
        views.find(|view| view.user == person && !view.closed && !view.view["submit"].is_null())
    }

    /// Bob presses **Deny** and says why, if he is asked.
    pub async fn gets_denied(&self) {
        let Some(card) = self.card_with("Deny") else { return };
        self.press(BOB_APPROVER, &card, "Deny").await;
        if let Some(view) = self.modal_of(BOB_APPROVER) {
            let said = view.values(&[("reason", "not this week")]);
            self.gets_through(|| self.world.submit(&view, &said)).await;
        }
    }

    /// A browser's request, which may be lost with its function.
    pub async fn post(&self, path: &str, body: &Value) -> (u64, Value) {
        self.world.net.survive(Box::pin(self.posts(path, body))).await.unwrap_or((502, Value::Null))
    }

    /// The last message to alice with this button.
    pub fn offer(&self, label: &str) -> Option<Message> {
        let told = self.world.net.slack().told(ALICE_OWNER).into_iter().rev();
        let mut with = told.filter(|message| message.buttons().iter().any(|button| button.text == label));
        with.next()
    }

    pub fn card_with(&self, label: &str) -> Option<Message> {
        let messages = self.world.net.slack().messages(APPROVALS).into_iter().rev();
        let mut with = messages.filter(|card| card.buttons().iter().any(|button| button.text == label));
        with.next()
    }

    /// Alice asks, bob approves, alice collects and confirms, each again until it is done. The key she then has.
    pub async fn persists(&self) -> Option<(Tab, ShownKey)> {
        let mut tab: Option<Tab> = None;
        for _ in 0..24 {
            let stands = match self.requests().await.pop() {
                Some(request) => text(&request["stands"]),
                None => String::new(),
            };
            match stands.as_str() {
                "" => self.gets_through(|| self.world.slash_command(ALICE_OWNER, ASK)).await,
                "PENDING" => match self.card_with("Approve") {
                    Some(card) => self.press(BOB_APPROVER, &card, "Approve").await,
                    None => Box::pin(self.minute(60)).await,
                },
                // Both slots are taken by keys that nobody has, so somebody answers what those are.
                "APPROVED" if self.full() && self.card_with(OURS).is_some() => {
                    self.answers_what_is_asked().await
                }
                "APPROVED" => match self.offer("Get my key") {
                    Some(ready) => {
                        self.press(ALICE_OWNER, &ready, "Get my key").await;
                        tab = self.newest_link();
                    }
                    None => Box::pin(self.minute(60)).await,
                },
                "LINK_ISSUED" | "ISSUING" | "ISSUED" => {
                    let Some(opened) = tab.as_ref() else {
                        // The link was never shown: another one.
                        let ready = self.offer("Get my key")?;
                        self.press(ALICE_OWNER, &ready, "Get my key").await;
                        tab = self.newest_link();
                        continue;
                    };
                    let mut answer = self.post("/reveal/claim", &opened.claim(None)).await;
                    if answer.0 == 401 {
                        let code = opened.code(&self.mailed_code());
                        answer = self.post("/reveal/claim", &opened.claim(Some(&code))).await;
                    }
                    match answer {
                        (200, body) => {
                            let key = opened.unseal(&body);
                            for _ in 0..4 {
                                if self.post("/reveal/ack", &opened.ack(&key)).await.0 == 200 {
                                    break;
                                }
                            }
                            Box::pin(self.outlives()).await;
                            Box::pin(self.minute(61)).await;
                            return tab.map(|tab| (tab, key));
                        }
                        (202 | 502 | 503, _) => {
                            Box::pin(self.outlives()).await;
                            Box::pin(self.minute(20)).await;
                        }
                        // Withdrawn, failed or expired: another one, if the request is still there.
                        (410, _) => {
                            tab = None;
                            Box::pin(self.minute(60)).await;
                        }
                        (status, body) => panic!("{status} {body}"),
                    }
                }
                "AMBIGUOUS" => {
                    tab = None;
                    Box::pin(self.minute(400)).await;
                }
                ended => panic!("the request is {ended}"),
            }
        }
        None
    }

    fn full(&self) -> bool {
        aws::keys(&self.world.net, HOME, "ci-deployer").len() == 2
    }

    /// Bob says of every key that may be ours that it is.
    pub async fn answers_what_is_asked(&self) {
        let asks = |card: &Message| card.buttons().iter().any(|button| button.text == OURS);
        for question in self.world.net.slack().messages(APPROVALS).into_iter().filter(asks) {
            self.press(BOB_APPROVER, &question, OURS).await;
        }
    }

    /// The code in the last mail, as its reader copies it.
    fn mailed_code(&self) -> String {
        let mail = aws::mails(&self.world.net).pop().unwrap();
        let code = mail.text.split("Your code is ").nth(1).unwrap();
        code.split_whitespace().next().unwrap().to_owned()
    }

    fn newest_link(&self) -> Option<Tab> {
        let link = self.offer("Open the one-time link")?;
        let tab = Tab::open(&link.button("Open the one-time link").url?);
        Some(tab)
    }

    /// Nobody does anything any more: time goes from one thing that is due to the next, until nothing is.
    pub async fn time_passes(&self) {
        // But a key that may be ours is asked about for ever, so somebody answers.
        self.answers_what_is_asked().await;
        self.all_comes_due(async |_| {}).await;
    }

    /// Time goes on like that; before each thing that is due, `look` is told in how many seconds it is.
    pub async fn all_comes_due(&self, mut look: impl AsyncFnMut(u64)) {
        for _ in 0..200 {
            let Some(next) = self.next_due().await else { return };
            let wait = u64::try_from(next - self.world.clock.now().0).unwrap_or(0);
            look(wait).await;
            Box::pin(self.minute(wait + 1)).await;
        }
        panic!("something is due for ever: {:?}", self.next_due().await);
    }

    async fn next_due(&self) -> Option<i64> {
        let mut due = Vec::new();
        for table in [REQUESTS, TICKETS] {
            let items = aws::items(&self.world.net, table).await;
            due.extend(items.values().filter_map(|item| item["due_at"]["N"].as_str()?.parse::<i64>().ok()));
        }
        due.into_iter().min()
    }

    /// The dead letters are sent back, days later.
    pub async fn dead_letters_return(&self) {
        self.world.clock.advance(Duration::from_secs(3 * 86_400));
        let sent: usize = QUEUES.iter().map(|queue| self.world.net.sqs().redrive(queue)).sum();
        if sent > 0 {
            Box::pin(self.outlives()).await;
            Box::pin(self.minute(60)).await;
        }
    }
}
