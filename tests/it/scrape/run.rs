//! Everything that can happen to requests, one after the other in one world, with what must stay secret noted on the
//! way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::scrape::log::Log;
use testkit::aws::{self, AUDIT, REQUESTS, SANDBOX, TICKETS};
use testkit::deployed::{Deployed, ShownKey, Tab};
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::sqs::QUEUES;
use testkit::transcript::Message;

const HOME_USER: &str = "ci-deployer@home";
const SANDBOX_USER: &str = "ci-deployer@sandbox";

/// A code that no mail held.
fn wrong() -> String {
    URL_SAFE_NO_PAD.encode([1; 32])
}

/// A link that was made.
pub struct Link {
    /// What became of it.
    pub how: &'static str,
    /// `T`, base64url.
    pub t: String,
    /// `C`, if its mail was accepted.
    pub code: Option<String>,
    /// HKDF(T, "proof", 32), base64url.
    pub proof: String,
    /// HKDF(T, "seal", 32), base64url.
    pub psk: String,
    /// Whether anybody saw it.
    pub shown: bool,
    /// Whether its sealing key may still lie in the table: it was neither sealed nor withdrawn.
    pub keeps_psk: bool,
}

/// A run, and what it must have kept to itself.
pub struct Run {
    pub keyvend: Deployed,
    pub log: Log,
    pub tickets: Vec<Link>,
    pub signatures: BTreeSet<String>,
    secrets: Arc<Mutex<BTreeSet<String>>>,
    iam_is_down: Arc<AtomicBool>,
}

impl Run {
    /// A world in which nothing happened yet.
    pub async fn quiet() -> Self {
        let log = Log::keep();
        let keyvend = Deployed::with(&[
            ("KEYVEND_MAIL_FROM", "keys@example.com"),
            ("KEYVEND_MAIL_DOMAINS", "example.com"),
        ])
        .await;
        let secrets: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let iam_is_down: Arc<AtomicBool> = Arc::default();
        let (net, noted, down) = (keyvend.world.net.clone(), Arc::clone(&secrets), Arc::clone(&iam_is_down));
        keyvend.world.net.before(move |call| {
            noted.lock().unwrap().extend(net.iam().all_keys().into_iter().map(|key| key.secret));
            if call.operation == "GetUser" && down.load(Ordering::SeqCst) {
                return Interfere::refused_xml(400, "AccessDenied");
            }
            Interfere::Pass
        });
        Self { keyvend, log, tickets: Vec::new(), signatures: BTreeSet::new(), secrets, iam_is_down }
    }

    /// All of it.
    pub async fn everything() -> Self {
        // Boxed, for all of these together would be more than a test's stack.
        let mut run = Box::pin(Self::quiet()).await;
        Box::pin(run.issued()).await;
        Box::pin(run.denied_and_refused()).await;
        Box::pin(run.cancelled()).await;
        Box::pin(run.expired()).await;
        Box::pin(run.locked()).await;
        Box::pin(run.not_handed_over()).await;
        Box::pin(run.forged()).await;
        Box::pin(run.given_up()).await;
        Box::pin(run.refused_by_aws()).await;
        Box::pin(run.not_sealed()).await;
        Box::pin(run.unanswered()).await;
        run
    }

    /// Every secret access key that there ever was.
    pub fn secrets(&self) -> BTreeSet<String> {
        let now = self.keyvend.world.net.iam().all_keys().into_iter().map(|key| key.secret);
        self.secrets.lock().unwrap().iter().cloned().chain(now).collect()
    }

    /// Everything that was kept, sent, said or logged, by the place's name.
    pub async fn haystacks(&self) -> Vec<(String, String)> {
        let world = &self.keyvend.world;
        let mut all: Vec<(String, String)> =
            self.log.lines().into_iter().map(|line| ("log".to_owned(), line)).collect();
        for table in [REQUESTS, TICKETS, AUDIT] {
            let items = world.net.dynamo().items(table).await;
            all.extend(items.iter().map(|item| (format!("table {table}"), item.to_string())));
        }
        for queue in QUEUES {
            let messages = world.net.sqs().messages(queue).into_iter().chain(world.net.sqs().dead(queue));
            all.extend(messages.map(|message| (format!("queue {queue}"), format!("{message:?}"))));
        }
        let calls = world.net.calls().into_iter();
        all.extend(calls.map(|call| {
            (format!("call {} {}", call.service, call.operation), format!("{} {}", call.url, call.parameters))
        }));
        all.extend(
            world.net.slack().ever().into_iter().map(|message| ("chat".to_owned(), format!("{message:?}"))),
        );
        all.extend(aws::mails(&world.net).into_iter().map(|mail| ("mail".to_owned(), format!("{mail:?}"))));
        all
    }

    /// Slack's event arrives and is worked off.
    async fn arrives(&mut self, event: Value) {
        self.signatures.insert(event["headers"]["x-slack-signature"].as_str().unwrap().to_owned());
        let answer = Box::pin(self.keyvend.arrive(event)).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        Box::pin(self.keyvend.deliver()).await;
        self.later(1);
    }

    fn later(&self, seconds: u64) {
        self.keyvend.world.clock.advance(Duration::from_secs(seconds));
    }

    fn told(&self) -> Message {
        self.keyvend.world.net.slack().last_told(ALICE_OWNER)
    }

    async fn types(&mut self, text: &str) {
        self.arrives(self.keyvend.world.slash_command(ALICE_OWNER, text)).await;
    }

    async fn presses(&mut self, person: &str, message: &Message, label: &str) {
        self.arrives(self.keyvend.world.press(person, message, label)).await;
    }

    async fn approved(&mut self, user: &str) {
        let nth = self.tickets.len();
        self.types(&format!("create {user} use:cli ttl:30d laptop tooling {nth}")).await;
        let card = self.keyvend.card();
        self.presses(BOB_APPROVER, &card, "Approve").await;
    }

    fn last_code(&self) -> String {
        let mail = aws::mails(&self.keyvend.world.net).pop().unwrap();
        let (_, rest) = mail.text.split_once("Your code is ").unwrap();
        rest[..8].to_owned()
    }

    fn note(&mut self, how: &'static str, tab: &Tab, url: &str, (shown, keeps_psk): (bool, bool)) {
        self.tickets.push(Link {
            how,
            t: url.split_once("#1.").unwrap().1.to_owned(),
            code: Some(self.last_code()),
            proof: URL_SAFE_NO_PAD.encode(tab.derive::<32>("proof")),
            psk: URL_SAFE_NO_PAD.encode(tab.derive::<32>("seal")),
            shown,
            keeps_psk,
        });
    }

    /// A link for an approved request, opened in a tab.
    async fn link(&mut self, how: &'static str, user: &str, keeps_psk: bool) -> Tab {
        self.approved(user).await;
        let ready = self.told();
        self.presses(ALICE_OWNER, &ready, "Get my key").await;
        let message = self.told();
        let url = message.button("Open the one-time link").url.unwrap();
        // Slack reports the press on the link too, with the link in it.
        self.presses(ALICE_OWNER, &message, "Open the one-time link").await;
        let tab = Tab::open(&url);
        self.note(how, &tab, &url, (true, keeps_psk));
        tab
    }

    async fn claims(&self, tab: &Tab, code: Option<&str>) -> (u64, Value) {
        let answer = Box::pin(self.keyvend.posts("/reveal/claim", &tab.claim(code))).await;
        Box::pin(self.keyvend.deliver()).await;
        self.later(1);
        answer
    }

    /// The path as it should go, with a wrong code, a second tab and a repeated confirmation on the way.
    async fn issued(&mut self) {
        let tab = self.link("issued", HOME_USER, false).await;
        let code = tab.code(&self.last_code());
        assert_eq!(self.claims(&tab, None).await.0, 401);
        assert_eq!(self.claims(&tab, Some(&wrong())).await.0, 401);
        assert_eq!(self.claims(&tab, Some(&code)).await.0, 202);
        let (status, body) = self.claims(&tab, Some(&code)).await;
        assert_eq!(status, 200, "{body}");
        let key: ShownKey = tab.unseal(&body);
        assert!(self.secrets().contains(&key.secret));
        let second = Tab::open(&format!("https://x/reveal#1.{}", self.tickets[0].t));
        assert_eq!(self.claims(&second, Some(&code)).await.0, 409);
        for _ in 0..2 {
            assert_eq!(self.keyvend.posts("/reveal/ack", &tab.ack(&key)).await.0, 200);
            Box::pin(self.keyvend.deliver()).await;
        }
    }

    async fn denied_and_refused(&mut self) {
        self.types(&format!("create {SANDBOX_USER} use:cli ttl:30d laptop tooling")).await;
        let card = self.keyvend.card();
        self.presses(BOB_APPROVER, &card, "Deny").await;
        let form = self.keyvend.view(BOB_APPROVER);
        let filled = form.values(&[("reason", "not the laptop tooling again")]);
        self.arrives(self.keyvend.world.submit(&form, &filled)).await;
        assert!(self.keyvend.card().reading().contains("Denied"), "{}", self.keyvend.card().reading());
        // Without anything more, the command opens a form, and its trigger goes about.
        self.types("").await;
        for text in
            ["create untagged use:cli ttl:30d why", "create nobody use:cli ttl:30d why", "whoami", "status"]
        {
            self.types(text).await;
        }
    }

    async fn cancelled(&mut self) {
        let tab = self.link("cancelled", SANDBOX_USER, false).await;
        self.types("cancel").await;
        assert_eq!(self.claims(&tab, Some(&wrong())).await.0, 410);
    }

    async fn expired(&mut self) {
        let tab = self.link("expired", SANDBOX_USER, true).await;
        self.later(1_000);
        assert_eq!(self.claims(&tab, Some(&wrong())).await.0, 410);
    }

    async fn locked(&mut self) {
        let tab = self.link("locked", SANDBOX_USER, true).await;
        for _ in 0..5 {
            self.claims(&tab, Some(&wrong())).await;
        }
        assert_eq!(self.claims(&tab, Some(&wrong())).await.0, 423);
    }

    /// A mail that is refused, and a link that Slack does not show.
    async fn not_handed_over(&mut self) {
        self.approved(SANDBOX_USER).await;
        let net = self.keyvend.world.net.clone();
        let ready = self.told();
        net.once("ses", "SendEmail", Interfere::refused_xml(400, "MessageRejected"));
        self.presses(ALICE_OWNER, &ready, "Get my key").await;
        assert_eq!(net.done("ses", "SendEmail").len(), self.tickets.len(), "that mail was not accepted");
        net.slack().fail_next("chat.postEphemeral", "channel_not_found");
        let before = net.calls_to("slack", "chat.postEphemeral").len();
        self.presses(ALICE_OWNER, &ready, "Get my key").await;
        let carried = net.calls_to("slack", "chat.postEphemeral")[before].parameters.to_string();
        let (_, rest) = carried.split_once("/reveal#1.").unwrap();
        let url = format!("https://keys.example.com/reveal#1.{}", &rest[..43]);
        self.note("not shown", &Tab::open(&url), &url, (false, false));
    }

    /// Wrong signatures, wrong proofs, and messages that nobody sent.
    async fn forged(&mut self) {
        let mut event = self.keyvend.world.slash_command(ALICE_OWNER, "whoami");
        event["headers"]["x-slack-signature"] =
            "v0=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into();
        assert_eq!(Box::pin(self.keyvend.arrive(event)).await["statusCode"], 401);
        let tab = self.link("forged", SANDBOX_USER, true).await;
        let mut body = tab.claim(Some(&wrong()));
        body["proof"] = body["code"].clone();
        assert_eq!(self.keyvend.posts("/reveal/claim", &body).await.0, 404);
        body["proof"] = "not base64url".into();
        assert_eq!(self.keyvend.posts("/reveal/claim", &body).await.0, 400);
        self.keyvend
            .work(serde_json::json!({"Records": [{"messageId": "m", "body": body.to_string(),
            "eventSourceARN": testkit::sqs::arn("claims"), "attributes": {}}]}))
            .await;
    }

    /// IAM is down until the message dies; and the tables are, for a tab.
    async fn given_up(&mut self) {
        self.iam_is_down.store(true, Ordering::SeqCst);
        self.types(&format!("create {SANDBOX_USER} use:cli ttl:30d laptop tooling")).await;
        Box::pin(self.keyvend.deliver_everything()).await;
        self.iam_is_down.store(false, Ordering::SeqCst);
        let dead: usize = QUEUES.iter().map(|queue| self.keyvend.world.net.sqs().dead(queue).len()).sum();
        assert!(dead > 0, "nothing died");
        let tab = self.link("tables down", SANDBOX_USER, true).await;
        let net = &self.keyvend.world.net;
        net.once("dynamodb", "UpdateItem", Interfere::refused_json("AccessDeniedException"));
        assert_eq!(self.claims(&tab, Some(&wrong())).await.0, 503);
    }

    async fn refused_by_aws(&mut self) {
        let tab = self.link("refused by AWS", SANDBOX_USER, false).await;
        let code = tab.code(&self.last_code());
        self.keyvend.world.net.once("iam", "CreateAccessKey", Interfere::refused_xml(409, "LimitExceeded"));
        assert_eq!(self.claims(&tab, Some(&code)).await.0, 202);
        assert_eq!(self.claims(&tab, Some(&code)).await.0, 410);
    }

    /// The key is created and cannot be written down: it is deleted again.
    async fn not_sealed(&mut self) {
        let tab = self.link("not sealed", HOME_USER, false).await;
        let code = tab.code(&self.last_code());
        let net = self.keyvend.world.net.clone();
        let iam = net.clone();
        let count = iam.iam().all_keys().len();
        net.fault(
            move |call| call.operation == "TransactWriteItems" && iam.iam().all_keys().len() > count,
            Interfere::refused_json("AccessDeniedException"),
        );
        assert_eq!(self.claims(&tab, Some(&code)).await.0, 202);
        Box::pin(self.keyvend.deliver_everything()).await;
        assert_eq!(net.iam().all_keys().len(), count, "the key was deleted");
    }

    /// The key is created and AWS's answer is lost.
    async fn unanswered(&mut self) {
        let tab = self.link("unanswered", SANDBOX_USER, false).await;
        let code = tab.code(&self.last_code());
        let before = aws::keys(&self.keyvend.world.net, SANDBOX, "ci-deployer").len();
        self.keyvend.world.net.once("iam", "CreateAccessKey", Interfere::LoseReply);
        assert_eq!(self.claims(&tab, Some(&code)).await.0, 202);
        Box::pin(self.keyvend.deliver_everything()).await;
        assert_eq!(aws::keys(&self.keyvend.world.net, SANDBOX, "ci-deployer").len(), before + 1);
    }
}
