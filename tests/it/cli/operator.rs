//! The operator's machine: the tool run in process, with an administrator's credentials, and what it printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser as _;
use keyvend::cli::{self, Cli, CommandContext, ExitStatus};
use serde_json::Value;

use testkit::deployed::{Deployed, ShownKey, Tab};
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::{World, aws, environment};

/// How a run ended and what it printed.
#[derive(Debug)]
pub struct Ran {
    pub ending: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The answer of a run with `--json`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The answer of a run that ended well.
    pub fn done(self) -> String {
        assert_eq!(self.ending, ExitStatus::Done, "{self:?}");
        self.out
    }
}

/// How the tool is run.
pub struct Operator<'w> {
    world: &'w World,
    environment: BTreeMap<String, String>,
    account: &'static str,
    watched: bool,
}

impl<'w> Operator<'w> {
    pub fn of(world: &'w World) -> Self {
        let mut environment = environment();
        environment.insert("KEYVEND_BOT_TOKEN".to_owned(), aws::BOT_TOKEN.to_owned());
        Self { world, environment, account: HOME, watched: false }
    }

    /// With another value of a variable; an empty one is none.
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self
    }

    /// With the credentials of another account's administrator.
    pub fn in_account(mut self, account: &'static str) -> Self {
        self.account = account;
        self
    }

    /// With somebody looking on.
    pub fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    pub async fn runs(&self, words: &[&str]) -> Ran {
        let typed = ["keyvend"].iter().chain(words);
        let cli = Cli::try_parse_from(typed).unwrap_or_else(|error| panic!("{error}"));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        // What is recorded in each run has a chain of its own.
        let mut random = [0; 32];
        getrandom::fill(&mut random).unwrap();
        let place = CommandContext {
            environment: &self.environment,
            sdk: Some(self.world.net.admin(self.account)),
            connector: self.world.net.connector(),
            now: self.world.clock.now(),
            random,
            out: &mut out,
            err: &mut err,
            watched: self.watched,
        };
        let ending = cli::run(cli, place).await;
        let ran = Ran { ending, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() };
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains(aws::BOT_TOKEN), "the bot token is printed: {text}");
        }
        ran
    }
}

/// The tool, run by the home account's administrator.
pub async fn keyvend(world: &World, words: &[&str]) -> Ran {
    Operator::of(world).runs(words).await
}

/// What alice_owner asks for.
pub const ASK: &str = "create ci-deployer use:local-code ttl:30d laptop tooling";

/// Alice asked, and bob approved.
pub async fn approved(deployed: &Deployed) {
    let card = deployed.asked().await;
    deployed.presses(BOB_APPROVER, &card, "Approve").await;
}

/// And her tab shows the key.
pub async fn issued(deployed: &Deployed) -> ShownKey {
    approved(deployed).await;
    let ready = deployed.world.net.slack().last_told(ALICE_OWNER);
    deployed.presses(ALICE_OWNER, &ready, "Get my key").await;
    let link = deployed.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    deployed.posts("/reveal/claim", &tab.claim(None)).await;
    deployed.deliver().await;
    let (status, body) = deployed.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    tab.unseal(&body)
}

/// A folder for what a test writes, empty.
pub fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A text with each request's id, in the order of their first mention, as `<request>`; hashes as `<hash>`.
pub fn stable(text: &str) -> String {
    let id =
        |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let hash = |word: &str| {
        word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()) && word != "0".repeat(64)
    };
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let stand_in = |word: &str| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if id(bare) {
            word.replace(bare, "<request>")
        } else if hash(bare) {
            word.replace(bare, "<hash>")
        } else {
            word.to_owned()
        }
    };
    words.map(stand_in).collect()
}
