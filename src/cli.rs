//! The operator's tool: looks at the audit trail and at policies, and stops what must be stopped. It is not deployed; it
//! has no rights but those of whoever runs it, and it never prints a secret.

mod args;
mod csv;
mod deactivate;
mod explain;
mod export;
mod operator;
mod policies;
mod stop;
mod trail;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use clap::{Args, Parser, Subcommand, ValueEnum};
use futures_util::FutureExt as _;
use serde::Serialize;
use serde_json::json;

use self::args::{Anchor, Moment, OperatorName, Someone, UserAt};
use crate::aws::NoAccess;
use crate::config::{ConfigError, Environment};
use crate::id::{AccessKeyId, RequestId};
use crate::policy::{Action, Concern};
use crate::time::Timestamp;
use crate::use_case::UseCase;
use crate::words::operator as words;

pub use self::deactivate::{Deactivated, Outcome};
pub(crate) use self::explain::domain;
pub use self::explain::{Decisive, Explained};
pub use self::policies::{Checked, Wrong};
pub use self::stop::Stopped;
pub use self::trail::{Anchored, By, Problem, What};
pub use self::verify::Verified;

/// The operator's tool of keyvend: look at the audit trail, try policies, stop what must be stopped
///
/// It works with your own AWS credentials and is no part of the deployed functions. Which tables
/// it uses is told by flags, or by the variables that the functions have: KEYVEND_AUDIT_TABLE,
/// KEYVEND_REQUESTS_TABLE.
#[derive(Debug, Parser)]
#[command(name = "keyvend", version, after_help = words::EXIT_STATUS, verbatim_doc_comment)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The audit trail: take it out, check it
    #[command(subcommand)]
    Audit(Audit),
    /// The policies: check them, ask them
    #[command(subcommand)]
    Policy(Policy),
    /// Stop all issuing of keys, at once
    ///
    /// Keys that exist go on working. Done twice, it says who was first. It is recorded in the audit
    /// trail.
    #[command(verbatim_doc_comment)]
    Freeze(Stop),
    /// Let issuing go on
    Unfreeze(Stop),
    /// Access keys: switch one off
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Write the audit trail as CSV or JSON lines
    ///
    /// Records come chain after chain, each from its first to its last. What is read back by
    /// `audit verify --from` is a whole trail as JSON lines, without --since, --until or --request.
    #[command(verbatim_doc_comment)]
    Export(Export),
    /// Check that nothing in the audit trail was changed, removed, added or moved
    ///
    /// Every record must have the hash of its contents and name the record before it; every chain
    /// must reach as far as checkpoints, and table Requests where it is named, say it does. The first
    /// record of each chain that does not fit is named. Only an anchor that was kept elsewhere shows
    /// that the newest records were not cut off.
    #[command(verbatim_doc_comment)]
    Verify(Verify),
}

#[derive(Debug, Subcommand)]
enum Policy {
    /// Check a folder of policies as the worker would, and run its cases
    ///
    /// Invalid are: what the schema does not take, a policy without @id, one that forbids without
    /// @advice, one that can never be satisfied, and a case in ALLOW or DENY that is decided
    /// otherwise. Warned of are: actions that nothing permits, requests that nobody could approve,
    /// and policies that make no difference.
    #[command(verbatim_doc_comment)]
    Check(Check),
    /// Say yes or no, by which policies, with the facts that were used
    ///
    /// The facts come from a FILE in the form of the cases in ALLOW and DENY; or, with --person, they
    /// are looked up now: the IAM user with your AWS credentials, the person in Slack with the bot
    /// token in KEYVEND_BOT_TOKEN. Nothing is asked for or changed by it.
    #[command(verbatim_doc_comment)]
    Explain(Box<Explain>),
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Switch an access key off, whoever issued it
    ///
    /// For an incident. The key is first marked in keyvend's table, so that nothing switches it on
    /// again, then made inactive in IAM, then recorded in the audit trail; what fails on the way does
    /// not keep the key on. It says what was done, and what to do next.
    #[command(verbatim_doc_comment)]
    Deactivate(Deactivate),
}

/// How AWS is reached.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "AWS")]
struct Aws {
    /// The AWS region; else AWS_REGION, else the profile's
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The AWS profile; else AWS_PROFILE
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// Which tables.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tables")]
struct Tables {
    /// Table Audit; else KEYVEND_AUDIT_TABLE
    #[arg(long, value_name = "TABLE")]
    audit_table: Option<String>,
    /// Table Requests; else KEYVEND_REQUESTS_TABLE
    #[arg(long, value_name = "TABLE")]
    requests_table: Option<String>,
}

/// In what form records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For spreadsheets; no cell is taken for a formula
    Csv,
    /// A JSON object a line, complete: what `audit verify --from` reads
    Jsonl,
}

#[derive(Debug, Args)]
struct Export {
    /// In what form; with --json always jsonl
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Only what happened at this moment or later: 2026-01-31 or 2026-01-31T09:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Only what happened before this moment; a day means its beginning, UTC
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// Only the records of this request
    #[arg(long, value_name = "ID")]
    request: Option<RequestId>,
    /// Write to this file instead of standard output; it appears once it is complete
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    aws: Aws,
    /// Table Audit; else KEYVEND_AUDIT_TABLE
    #[arg(long, value_name = "TABLE", help_heading = "Tables")]
    audit_table: Option<String>,
}

#[derive(Debug, Args)]
struct Verify {
    /// The hash of a checkpoint, as the approvals channel has it: it must be there
    #[arg(long, value_name = "HASH")]
    anchor: Option<Anchor>,
    /// Check a file that `audit export --format jsonl` wrote, and no table
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audit_table", "requests_table", "region", "profile"])]
    from: Option<PathBuf>,
    #[command(flatten)]
    aws: Aws,
    #[command(flatten)]
    tables: Tables,
}

#[derive(Debug, Args)]
struct Check {
    /// The folder with schema.cedarschema and *.cedar; else KEYVEND_POLICY_DIR, else `policies`
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Explain {
    /// A case: a JSON file as in ALLOW and DENY
    #[arg(required_unless_present = "person", conflicts_with = "person")]
    file: Option<PathBuf>,
    /// The policies; else KEYVEND_POLICY_DIR, else `policies`
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    aws: Aws,
    /// Table Requests, for what was issued today and whose a key is; else KEYVEND_REQUESTS_TABLE
    #[arg(long, value_name = "TABLE", help_heading = "Tables")]
    requests_table: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Looking the facts up")]
struct Live {
    /// Who acts: U..., or T....U... where there are several workspaces
    #[arg(long, value_name = "PERSON", requires = "user", requires = "action")]
    person: Option<Someone>,
    /// On which IAM user; the account by alias or number
    #[arg(long, value_name = "NAME[@ACCOUNT]", requires = "person")]
    user: Option<UserAt>,
    /// What they do
    #[arg(long, requires = "person", value_parser = args::action())]
    action: Option<Action>,
    /// What the key is for
    #[arg(long, requires = "person", value_parser = args::use_case(), default_value = "other")]
    use_case: UseCase,
    /// How many days it is to live
    #[arg(long, requires = "person", default_value_t = 30)]
    days: u32,
    /// How many people have approved
    #[arg(long, requires = "person", default_value_t = 0)]
    approvals: u32,
    /// Who asked, where that is somebody else; with `approve` it must be said
    #[arg(long, value_name = "PERSON", requires = "person", required_if_eq("action", "approve"))]
    requester: Option<Someone>,
    /// Which key an action on keys is about, or comes back with `request` or `issue`
    #[arg(long, value_name = "KEY", requires = "person")]
    key: Option<AccessKeyId>,
    /// What speaks against switching that key on
    #[arg(long, requires = "key", value_parser = args::concern())]
    concern: Vec<Concern>,
    /// Look the IAM user up through this role in its account, not with your credentials
    #[arg(long, value_name = "NAME", requires = "person")]
    role: Option<String>,
}

#[derive(Debug, Args)]
struct Stop {
    /// The name to record; else your credentials' ARN, which is recorded in any case
    #[arg(long = "as", value_name = "NAME")]
    as_name: Option<OperatorName>,
    #[command(flatten)]
    aws: Aws,
    #[command(flatten)]
    tables: Tables,
}

#[derive(Debug, Args)]
struct Deactivate {
    /// The access key's id, AKIA...
    key: AccessKeyId,
    /// The IAM user that it belongs to; not needed for a key that keyvend issued
    #[arg(long, value_name = "NAME")]
    user: Option<crate::id::IamUserName>,
    /// The user's account, by alias or number; else where it was issued, else your own
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<args::AccountGiven>,
    /// Act in that account through this role, not with your own credentials
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The name to record; else your credentials' ARN, which is recorded in any case
    #[arg(long = "as", value_name = "NAME")]
    as_name: Option<OperatorName>,
    #[command(flatten)]
    aws: Aws,
    #[command(flatten)]
    tables: Tables,
}

/// What a command works with and where it writes.
pub struct Place<'p> {
    /// The variables.
    pub environment: &'p dyn Environment,
    /// AWS, where it is not to be reached as the machine is set up.
    pub sdk: Option<aws_config::SdkConfig>,
    /// The way to Slack, and to AWS as the machine is set up.
    pub connector: SharedHttpConnector,
    /// The time.
    pub now: Timestamp,
    /// Drawn at random: names the chain of what this run records that belongs to no request.
    pub random: [u8; 32],
    /// For the answer.
    pub out: &'p mut dyn Write,
    /// For progress and failures.
    pub err: &'p mut dyn Write,
    /// Whether somebody looks on: progress is then shown all the time.
    pub watched: bool,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Done, yes, or in order.
    Done,
    /// No, or not in order.
    No,
    /// It could not be done, or not all of it.
    Failed,
}

impl Ending {
    /// The exit status. 2 is what the command line itself is answered with where it cannot be read.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Failed => 3,
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// A variable or its flag.
    Config(ConfigError),
    /// AWS cannot be asked.
    NoAccess(NoAccess),
    /// What was asked for does not go together with what is so: a sentence, and what to do.
    Unable {
        /// What is so.
        said: String,
        /// What to do.
        next: String,
    },
    /// Something failed.
    Fault(anyhow::Error),
    /// Whoever read the answer has gone.
    Closed,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NoAccess> for Failure {
    fn from(error: NoAccess) -> Self {
        Self::NoAccess(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(fault: anyhow::Error) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Fault(error.into()) }
    }
}

/// What a command found or did: in JSON as it is, for people as text.
trait Answer: Serialize {
    /// For people, ending in a line end.
    fn text(&self) -> String;
    /// How it ends.
    fn ending(&self) -> Ending;
}

/// Does what was typed.
pub async fn run(cli: Cli, mut place: Place<'_>) -> Ending {
    let (json, place) = (cli.json, &mut place);
    // Boxed, each: a future has room for the largest of them.
    let done = match &cli.command {
        Command::Audit(Audit::Export(export)) => export::export(export, json, place).boxed_local().await,
        Command::Audit(Audit::Verify(verify)) => {
            let verified = verify::verify(verify, place).boxed_local().await;
            verified.and_then(|answer| say(&answer, json, place))
        }
        Command::Policy(Policy::Check(check)) => {
            policies::check(check, place).and_then(|answer| say(&answer, json, place))
        }
        Command::Policy(Policy::Explain(explain)) => {
            let explained = explain::explain(explain, place).boxed_local().await;
            explained.and_then(|answer| say(&answer, json, place))
        }
        Command::Freeze(stop) => {
            let stopped = stop::stop(stop, true, place).boxed_local().await;
            stopped.and_then(|answer| say(&answer, json, place))
        }
        Command::Unfreeze(stop) => {
            let stopped = stop::stop(stop, false, place).boxed_local().await;
            stopped.and_then(|answer| say(&answer, json, place))
        }
        Command::Key(Key::Deactivate(deactivate)) => {
            let done = deactivate::deactivate(deactivate, place).boxed_local().await;
            done.and_then(|answer| say(&answer, json, place))
        }
    };
    match done {
        Ok(ending) => ending,
        Err(Failure::Closed) => Ending::Done,
        Err(failure) => {
            let (said, next) = words::failure(&failure);
            let told = if json {
                json!({"error": said, "next": next}).to_string()
            } else {
                format!("error: {said}\n{next}")
            };
            // Where not even this can be written, the exit status is all there is.
            let _ = writeln!(place.err, "{}", told.trim_end());
            Ending::Failed
        }
    }
}

fn say<A: Answer>(answer: &A, json: bool, place: &mut Place<'_>) -> Result<Ending, Failure> {
    if json {
        let line = serde_json::to_string(answer).map_err(anyhow::Error::from)?;
        writeln!(place.out, "{line}")?;
    } else {
        place.out.write_all(answer.text().as_bytes())?;
    }
    place.out.flush()?;
    Ok(answer.ending())
}
