//! The test world: AWS and Slack in process, on a clock of their own.
//!
//! The product's clients are plugged into [`net::Net`]; nothing here opens a socket, sleeps or reads the
//! machine's time, so a run repeats itself exactly.

pub mod aws;
pub mod block_kit;
pub mod clock;
pub mod delivery;
pub mod deployed;
pub mod dynamo;
mod dynamo_rules;
mod expressions;
pub mod form;
pub mod gateway;
pub mod iam;
mod iam_account;
pub mod iam_rights;
mod iam_xml;
mod invariants;
pub mod net;
mod people;
mod requester;
pub mod secret_search;
pub mod secrets;
pub mod slack;
mod slack_limits;
pub mod sqs;
pub mod steps;
pub mod sts;
pub mod transcript;

use std::collections::BTreeMap;

use clock::Clock;
use keyvend::time::Timestamp;
use net::Net;
use tokio::sync::OnceCell;

/// A run of a whole path allocates some millions of times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One world: its clock and everything that answers in it, set up as deployed.
#[derive(Clone, Debug)]
pub struct World {
    /// What time it is.
    pub clock: Clock,
    /// Who answers.
    pub net: Net,
}

impl World {
    /// Every world begins the same, so the first one is set up, and the others are its forks.
    pub async fn new() -> Self {
        static FIRST: OnceCell<World> = OnceCell::const_new();
        FIRST.get_or_init(|| Self::beginning(clock::START)).await.fork().await
    }

    /// One that begins at another time than the others.
    pub async fn beginning(at: Timestamp) -> Self {
        let clock = Clock::default();
        clock.set(at);
        let net = Net::new(&clock);
        aws::set_up(&net).await;
        Self { clock, net }
    }

    /// Another world in which everything has come to pass that did here; from now on each goes its own way.
    pub async fn fork(&self) -> Self {
        let clock = self.clock.fork();
        let net = self.net.fork(&clock).await;
        Self { clock, net }
    }
}

/// The functions' environment in this world; one channel, as long as `KEYVEND_MAIL_FROM` is not added.
pub fn environment() -> BTreeMap<String, String> {
    let accounts = format!(r#"{{"home":"{}","sandbox":"{}"}}"#, net::HOME, aws::SANDBOX);
    let reveal = format!("https://{}/reveal", gateway::HOST);
    [
        ("KEYVEND_SLACK_QUEUE_URL", sqs::url(sqs::SLACK)),
        ("KEYVEND_CLAIMS_QUEUE_URL", sqs::url(sqs::CLAIMS)),
        ("KEYVEND_DUE_QUEUE_URL", sqs::url(sqs::DUE)),
        ("KEYVEND_SWEEP_QUEUE_URL", sqs::url(sqs::SWEEP)),
        ("KEYVEND_REQUESTS_TABLE", aws::REQUESTS.to_owned()),
        ("KEYVEND_TICKETS_TABLE", aws::TICKETS.to_owned()),
        ("KEYVEND_AUDIT_TABLE", aws::AUDIT.to_owned()),
        ("KEYVEND_SIGNING_SECRET_ID", aws::SIGNING_SECRET_ID.to_owned()),
        ("KEYVEND_BOT_TOKEN_ID", aws::BOT_TOKEN_ID.to_owned()),
        ("KEYVEND_SLACK_APP_ID", slack::APP.to_owned()),
        ("KEYVEND_SLACK_TEAM_IDS", slack::TEAM.to_owned()),
        ("KEYVEND_APPROVALS_CHANNEL", slack::APPROVALS.to_owned()),
        ("KEYVEND_HELP_CHANNEL", slack::GENERAL.to_owned()),
        ("KEYVEND_REVEAL_URL", reveal),
        ("KEYVEND_ISSUER_ROLE_NAME", aws::ISSUER_ROLE.to_owned()),
        ("KEYVEND_ACCOUNTS", accounts),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
