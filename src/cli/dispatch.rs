//! From a command line to its exit status: runs the command and prints its answer, or why there is none.

use futures_util::FutureExt as _;
use serde_json::json;

use crate::cli::answer::{Answer, ExitStatus};
use crate::cli::args::{Audit, Cli, Command, Key, Policy};
use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::output::failure;
use crate::cli::{check, deactivate, explain, export, freeze, verify};

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
            let (said, next) = failure::describe(&failure);
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
