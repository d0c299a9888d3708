//! `policy check`: whether a folder of policies can be deployed, and what in it is probably not meant so.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::args::Check;
use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::flags::Flags;
use crate::config::accounts;
use crate::policy::lint::{self, Warning};

/// What checking found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Whether the folder can be deployed.
    pub valid: bool,
    /// The folder.
    pub dir: PathBuf,
    /// How many policies it holds; 0 where they are not valid.
    pub policies: usize,
    /// How many cases were run, where it holds any.
    pub cases: Option<usize>,
    /// What is wrong.
    pub problems: Vec<Wrong>,
    /// What is probably not meant so.
    pub warnings: Vec<Warning>,
}

/// Something wrong, and where.
#[derive(Debug, Serialize)]
pub struct Wrong {
    /// The file, or the folder.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// The policy's `@id`.
    pub policy: Option<String>,
    /// The problem.
    pub reason: String,
}

pub(crate) fn check(args: &Check, place: &CommandContext<'_>) -> Result<Checked, Failure> {
    let dir = folder(args.dir.as_ref(), place)?;
    let report = lint::check(&dir);
    let problems = report.problems.into_iter().map(|problem| Wrong {
        file: problem.file,
        line: problem.line,
        policy: problem.policy,
        reason: problem.reason,
    });
    // It is deployed with the policies, and the worker does not start with a wrong one.
    let accounts = accounts::problem_in_file(&dir).map(|reason| Wrong {
        file: accounts::FILE.to_owned(),
        line: None,
        policy: None,
        reason,
    });
    let problems: Vec<Wrong> = problems.chain(accounts).collect();
    let (policies, cases, warnings) = (report.policies, report.cases, report.warnings);
    Ok(Checked { valid: problems.is_empty(), dir, policies, cases, problems, warnings })
}

/// The folder that was given, else the configured one, else the one of a checkout.
pub(crate) fn folder(given: Option<&PathBuf>, place: &CommandContext<'_>) -> Result<PathBuf, Failure> {
    if let Some(dir) = given {
        return Ok(dir.clone());
    }
    let configured = Flags::over(place.environment, []).config().policy_dir()?;
    Ok(configured.unwrap_or_else(|| PathBuf::from("policies")))
}
