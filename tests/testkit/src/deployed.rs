//! keyvend as deployed in this world: the three functions, their queues delivered, and a browser tab.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, PskBundle, Serializable as _};
use keyvend::config::{RevealConfig, SlackConfig, WorkerConfig};
use keyvend::functions::reveal::Reveal;
use keyvend::functions::slack::Slack;
use keyvend::worker::{self, Context, Invocation};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::iam_rights::Function;
use crate::people::GENERAL;
use crate::transcript::{Message, View};
use crate::{World, delivery, environment};

/// What a worker invocation may take, as in the template.
const WORKER_TIMEOUT: Duration = Duration::from_secs(30);

/// A function at work. A crate compiles every future that it awaits by its type, the whole of keyvend in each crate of tests;
/// behind a pointer it is compiled here, once, and as the profile optimises this crate.
pub type Invoked<'a> = Pin<Box<dyn Future<Output = Value> + Send + 'a>>;

/// The functions in their world.
pub struct Deployed {
    pub world: World,
    pub slack: Slack,
    pub reveal: Reveal,
    pub worker: Context,
    environment: BTreeMap<String, String>,
    recorded: bool,
}

impl Deployed {
    /// As the template deploys it.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same, with some variables set otherwise.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let mut environment = environment();
        environment.insert("KEYVEND_POLICY_DIR".to_owned(), "policies".to_owned());
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::of(World::new().await, &environment)
    }

    /// In this world, with this environment.
    pub fn of(world: World, environment: &BTreeMap<String, String>) -> Self {
        let net = &world.net;
        let slack = Slack::new(SlackConfig::read(environment).unwrap(), &net.config(Function::Slack));
        let reveal = Reveal::new(RevealConfig::read(environment).unwrap(), &net.config(Function::Reveal));
        let config = WorkerConfig::read(environment).unwrap();
        let worker = Context::new(config, &net.config(Function::Worker), net.connector());
        Self { slack, reveal, worker, world, environment: environment.clone(), recorded: true }
    }

    /// The same functions in a fork of this world, as cold as where Lambda starts them in other sandboxes.
    pub async fn fork(&self) -> Self {
        let mut forked = Self::of(self.world.fork().await, &self.environment);
        forked.recorded = self.recorded;
        forked
    }

    /// The same, its messages not kept for the check by Slack's models.
    pub fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }

    /// One invocation of the worker now.
    pub fn work(&self, event: Value) -> Invoked<'_> {
        let now = self.world.clock.now();
        let invocation = Invocation { now, deadline: now + WORKER_TIMEOUT };
        Box::pin(async move {
            serde_json::to_value(worker::handle(&self.worker, event, invocation).await).unwrap()
        })
    }

    /// Slack's event arrives; nothing is delivered yet.
    pub fn arrive(&self, event: Value) -> Invoked<'_> {
        Box::pin(self.slack.handle(event, self.world.clock.now()))
    }

    /// A browser's event arrives at `reveal`.
    pub fn arrive_at_reveal(&self, event: Value) -> Invoked<'_> {
        Box::pin(self.reveal.handle(event, self.world.clock.now()))
    }

    /// Delivers what is visible in the queues.
    pub async fn deliver(&self) -> usize {
        delivery::deliver_all(self.world.net.sqs(), &self.world.clock, async |event| self.work(event).await)
            .await
    }

    /// Delivers until the queues are empty, letting time pass.
    pub async fn deliver_everything(&self) -> usize {
        let sqs = self.world.net.sqs();
        delivery::deliver_everything(sqs, &self.world.clock, async |event| self.work(event).await).await
    }

    /// `/access-key <text>`, typed and worked off; the answer Slack shows at once.
    pub async fn types(&self, person: &str, text: &str) -> String {
        let installed = self.environment.get("KEYVEND_SLASH_COMMAND").map_or("/access-key", String::as_str);
        let typed = self.world.slash_command_named(installed, person, crate::slack::GENERAL, text);
        let answer = self.arrive(typed).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        self.deliver().await;
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_default();
        body["text"].as_str().unwrap_or_default().to_owned()
    }

    /// The same as a message, with its buttons.
    pub async fn typed(&self, person: &str, text: &str) -> Message {
        let answer = self.arrive(self.world.slash_command(person, text)).await;
        self.deliver().await;
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        self.world.net.slack().shows(person, GENERAL, &body)
    }

    /// A press on a button, worked off. Each press is a second later than what was before it.
    pub async fn presses(&self, person: &str, message: &Message, label: &str) {
        self.world.clock.advance(Duration::from_secs(1));
        let answer = self.arrive(self.world.press(person, message, label)).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        self.deliver().await;
    }

    /// A form filled in and submitted, a second later than what was before it, and worked off. What Slack was
    /// answered at once.
    pub async fn submits(&self, view: &View, filled: &[(&str, &str)]) -> Value {
        self.world.clock.advance(Duration::from_secs(1));
        let answer = self.arrive(self.world.submit(view, &view.values(filled))).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_default();
        self.world.net.slack().submitted(&view.id, &body);
        self.deliver().await;
        body
    }

    /// A press on **Deny** and the reason that is then asked for, worked off.
    pub async fn denies(&self, person: &str, message: &Message, reason: &str) {
        self.presses(person, message, "Deny").await;
        self.submits(&self.view(person), &[("reason", reason)]).await;
    }

    pub async fn approves_with(&self, person: &str, message: &Message, comment: &str) {
        self.presses(person, message, "Approve with comment").await;
        self.submits(&self.view(person), &[("reason", comment)]).await;
    }

    /// The modal that a person has before them.
    pub fn view(&self, person: &str) -> View {
        self.world.net.slack().last_view(person)
    }

    /// What a person was last told.
    pub fn told(&self, person: &str) -> String {
        self.world.net.slack().last_told(person).reading()
    }

    /// The last card as it stands.
    pub fn card(&self) -> Message {
        self.cards().pop().expect("a card")
    }

    /// The cards, beside whatever else was said in the approvals channel.
    pub fn cards(&self) -> Vec<Message> {
        let said = self.world.net.slack().messages(crate::slack::APPROVALS);
        said.into_iter().filter(|message| message.blocks[0]["type"] == "header").collect()
    }

    /// A browser's request, as JSON with its status.
    pub async fn posts(&self, path: &str, body: &Value) -> (u64, Value) {
        let event = self.world.browser("POST", path, Some(body));
        let answer = self.arrive_at_reveal(event).await;
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    }
}

/// All that the tests see the product say, each thing once, is kept for a check by Slack's own models.
impl Drop for Deployed {
    fn drop(&mut self) {
        use std::collections::BTreeSet;
        use std::io::Write as _;
        use std::sync::Mutex;
        static KEPT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

        if !self.recorded {
            return;
        }
        let slack = self.world.net.slack();
        let messages = slack.ever().into_iter().filter(|message| message.user == crate::slack::BOT);
        let messages =
            messages.map(|said| json!({"kind": "message", "text": said.text, "blocks": said.blocks}));
        let views = slack.views().into_iter().map(|view| json!({"kind": "view", "view": view.view}));
        let Ok(mut kept) = KEPT.lock() else { return };
        let new: Vec<String> = messages
            .chain(views)
            .map(|said| said.to_string())
            .filter(|said| kept.insert(said.clone()))
            .collect();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/blockkit");
        std::fs::create_dir_all(folder).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(format!("{folder}/messages.jsonl")).unwrap();
        file.write_all(new.iter().map(|said| format!("{said}\n")).collect::<String>().as_bytes()).unwrap();
    }
}

/// A browser tab that opened a link. Its own derivations, so that they are not the product's.
pub struct Tab {
    t: Vec<u8>,
    private: <DhP256HkdfSha256 as hpke::Kem>::PrivateKey,
    public: Vec<u8>,
    cid: String,
}

/// A key as the tab shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownKey {
    pub id: String,
    pub secret: String,
    pub receipt: String,
    /// Seconds since the epoch.
    pub expires_at: i64,
    pub aad: String,
}

impl Tab {
    /// Opens a link's URL in a new tab.
    pub fn open(url: &str) -> Self {
        let (_, t) = url.split_once("#1.").expect("a link of version 1");
        let (private, public) = DhP256HkdfSha256::gen_keypair();
        let mut cid = [0; 16];
        getrandom::fill(&mut cid).unwrap();
        Self {
            t: URL_SAFE_NO_PAD.decode(t).unwrap(),
            private,
            public: public.to_bytes().to_vec(),
            cid: URL_SAFE_NO_PAD.encode(cid),
        }
    }

    /// HKDF over `T` with this label.
    pub fn derive<const N: usize>(&self, label: &str) -> [u8; N] {
        let mut okm = [0; N];
        Hkdf::<Sha256>::new(None, &self.t).expand(label.as_bytes(), &mut okm).unwrap();
        okm
    }

    /// The derived code for a typed one.
    pub fn code(&self, typed: &str) -> String {
        let salt = self.derive::<32>("code");
        let mut code = [0; 32];
        let rounds = NonZeroU32::new(600_000).unwrap();
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, typed.as_bytes(), &mut code);
        URL_SAFE_NO_PAD.encode(code)
    }

    /// The ticket's public name.
    pub fn tid(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive::<16>("tid"))
    }

    /// The body of this tab's claim.
    pub fn claim(&self, code: Option<&str>) -> Value {
        let mut body = json!({
            "tid": self.tid(),
            "proof": URL_SAFE_NO_PAD.encode(self.derive::<32>("proof")),
            "cid": self.cid,
            "pub": URL_SAFE_NO_PAD.encode(&self.public),
        });
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        body
    }

    /// The body of this tab's confirmation.
    pub fn ack(&self, key: &ShownKey) -> Value {
        json!({
            "tid": self.tid(),
            "proof": URL_SAFE_NO_PAD.encode(self.derive::<32>("proof")),
            "cid": self.cid,
            "receipt": key.receipt,
        })
    }

    /// Opens a 200's body.
    pub fn unseal(&self, body: &Value) -> ShownKey {
        let field = |name: &str| URL_SAFE_NO_PAD.decode(body[name].as_str().unwrap()).unwrap();
        let (tid, psk) = (self.derive::<16>("tid"), self.derive::<32>("seal"));
        let enc = <DhP256HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(&field("enc")).unwrap();
        let mode = OpModeR::Psk(PskBundle::new(&psk, &tid).unwrap());
        let info = [b"keyvend/1".as_slice(), &tid].concat();
        let (ct, aad) = (field("ct"), field("aad"));
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
            &mode,
            &self.private,
            &enc,
            &info,
            &ct,
            &aad,
        )
        .expect("sealed to this tab");
        let opened: Value = serde_json::from_slice(&opened).unwrap();
        let text = |name: &str| opened[name].as_str().unwrap().to_owned();
        ShownKey {
            id: text("access_key_id"),
            secret: text("secret_access_key"),
            receipt: text("receipt"),
            expires_at: opened["expires_at"].as_i64().unwrap(),
            aad: String::from_utf8(aad).unwrap(),
        }
    }
}
