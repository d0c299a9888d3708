//! The operator's tool: looks at the audit trail and at policies, and stops what must be stopped. It is not deployed; it
//! has no rights but those of whoever runs it, and it never prints a secret.

pub mod args;
pub mod audit_verifier;
pub mod check;
pub mod context;
pub mod csv;
pub mod deactivate;
pub mod explain;
pub mod export;
pub mod freeze;
pub mod output;
pub mod value_parsers;
pub mod verify;

use std::io::{self, Write};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::FutureExt as _;
use serde::Serialize;
use serde_json::json;

use crate::aws::NoAccess;
use crate::cli::args::{Audit, Command, Key, Policy};
use crate::cli::output as words;
use crate::config::{ConfigError, Environment};
use crate::time::Timestamp;

pub use crate::cli::args::Cli;
pub use crate::cli::audit_verifier::{Anchored, By, Problem, RecordProblem};
pub use crate::cli::check::{Checked, Wrong};
pub use crate::cli::deactivate::{Deactivated, Outcome};
pub(crate) use crate::cli::explain::domain;
pub use crate::cli::explain::{Decisive, Explained};
pub use crate::cli::freeze::FreezeResult;
pub use crate::cli::verify::Verified;

/// What a command works with and where it writes.
pub struct CommandContext<'p> {
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
pub enum ExitStatus {
    /// Done, yes, or in order.
    Done,
    /// No, or not in order.
    No,
    /// It could not be done, or not all of it.
    Failed,
}

impl ExitStatus {
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
    Other(anyhow::Error),
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
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Other(error.into()) }
    }
}

/// What a command found or did: in JSON as it is, for people as text.
trait Answer: Serialize {
    /// For people, ending in a line end.
    fn text(&self) -> String;
    /// How it ends.
    fn ending(&self) -> ExitStatus;
}

/// Does what was typed.
pub async fn run(cli: Cli, mut place: CommandContext<'_>) -> ExitStatus {
    let (json, place) = (cli.json, &mut place);
    // Boxed, each: a future has room for the largest of them.
    let done = match &cli.command {
        Command::Audit(Audit::Export(export)) => export::export(export, json, place).boxed_local().await,
        Command::Audit(Audit::Verify(verify)) => {
            let verified = verify::verify(verify, place).boxed_local().await;
            verified.and_then(|answer| say(&answer, json, place))
        }
        Command::Policy(Policy::Check(check)) => {
            check::check(check, place).and_then(|answer| say(&answer, json, place))
        }
        Command::Policy(Policy::Explain(explain)) => {
            let explained = explain::explain(explain, place).boxed_local().await;
            explained.and_then(|answer| say(&answer, json, place))
        }
        Command::Freeze(stop) => {
            let stopped = freeze::set_freeze(stop, true, place).boxed_local().await;
            stopped.and_then(|answer| say(&answer, json, place))
        }
        Command::Unfreeze(stop) => {
            let stopped = freeze::set_freeze(stop, false, place).boxed_local().await;
            stopped.and_then(|answer| say(&answer, json, place))
        }
        Command::Key(Key::Deactivate(deactivate)) => {
            let done = deactivate::deactivate(deactivate, place).boxed_local().await;
            done.and_then(|answer| say(&answer, json, place))
        }
    };
    match done {
        Ok(ending) => ending,
        Err(Failure::Closed) => ExitStatus::Done,
        Err(failure) => {
            let (said, next) = words::failure(&failure);
            let told = if json {
                json!({"error": said, "next": next}).to_string()
            } else {
                format!("error: {said}\n{next}")
            };
            // Where not even this can be written, the exit status is all there is.
            let _ = writeln!(place.err, "{}", told.trim_end());
            ExitStatus::Failed
        }
    }
}

fn say<A: Answer>(answer: &A, json: bool, place: &mut CommandContext<'_>) -> Result<ExitStatus, Failure> {
    if json {
        let line = serde_json::to_string(answer).map_err(anyhow::Error::from)?;
        writeln!(place.out, "{line}")?;
    } else {
        place.out.write_all(answer.text().as_bytes())?;
    }
    place.out.flush()?;
    Ok(answer.ending())
}
