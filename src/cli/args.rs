//! The command line: the doc comments are the help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::output::usage::EXIT_STATUS;
use crate::cli::value_parsers::{self, AccountArg, Anchor, Moment, OperatorName, PersonArg, UserAt};
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, IamUserName, RequestId};
use crate::policy::{Action, RiskFlag};

/// The command-line tool of keyvend: check the audit trail and policies, freeze issuing, deactivate keys
///
/// It uses your own AWS credentials and is not part of the deployed functions. Tables are given by
/// flags, or by the variables that the functions use: KEYVEND_AUDIT_TABLE, KEYVEND_REQUESTS_TABLE.
#[derive(Debug, Parser)]
#[command(name = "keyvend", version, after_help = EXIT_STATUS, verbatim_doc_comment)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Export or verify the audit trail
    #[command(subcommand)]
    Audit(Audit),
    /// Check policies or explain a decision
    #[command(subcommand)]
    Policy(Policy),
    /// Freeze key issuing immediately
    ///
    /// Existing keys keep working. If issuing is already frozen, it says who froze it first. It is
    /// recorded in the audit trail.
    #[command(verbatim_doc_comment)]
    Freeze(Stop),
    /// Resume key issuing
    Unfreeze(Stop),
    /// Deactivate an access key
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Write the audit trail as CSV or JSON lines
    ///
    /// Records are ordered by chain, and within a chain from first to last. `audit verify --from` reads
    /// a complete trail as JSON lines, exported without --since, --until or --request.
    #[command(verbatim_doc_comment)]
    Export(Export),
    /// Check that no record of the audit trail was changed, removed, added or moved
    ///
    /// Every record must contain the hash of its contents and of the record before it; every chain must
    /// end where checkpoints, and table Requests if it is given, say it does. The first invalid record
    /// of each chain is reported. Only an anchor that was kept elsewhere proves that the newest records
    /// were not removed.
    #[command(verbatim_doc_comment)]
    Verify(Verify),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Check a folder of policies as the worker does, and run its test cases
    ///
    /// Errors: what the schema does not allow, a policy without @id, one that forbids without @advice,
    /// one that can never be satisfied, and a test case in ALLOW or DENY with another decision.
    /// Warnings: actions that nothing permits, requests that nobody could approve, and policies that
    /// have no effect.
    #[command(verbatim_doc_comment)]
    Check(Check),
    /// Explain a decision: yes or no, the deciding policies and the facts
    ///
    /// The facts come from a FILE in the format of the test cases in ALLOW and DENY; or, with --person,
    /// they are loaded now: the IAM user with your AWS credentials, the person from Slack with the bot
    /// token in KEYVEND_BOT_TOKEN. Nothing is requested or changed.
    #[command(verbatim_doc_comment)]
    Explain(Box<Explain>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Deactivate an access key, whoever issued it
    ///
    /// For incidents. The key is first marked in keyvend's table, so that nothing activates it again,
    /// then deactivated in IAM, then recorded in the audit trail; a failed step does not keep the key
    /// active. It reports each step, and what to do next.
    #[command(verbatim_doc_comment)]
    Deactivate(Deactivate),
}

/// How to reach AWS.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct Aws {
    /// The AWS region; else AWS_REGION, else the profile's
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The AWS profile; else AWS_PROFILE
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// The tables.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tables")]
pub(crate) struct TableArgs {
    /// Table Audit; else KEYVEND_AUDIT_TABLE
    #[arg(long, value_name = "TABLE")]
    pub(crate) audit_table: Option<String>,
    /// Table Requests; else KEYVEND_REQUESTS_TABLE
    #[arg(long, value_name = "TABLE")]
    pub(crate) requests_table: Option<String>,
}

/// The output format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For spreadsheets; no cell is interpreted as a formula
    Csv,
    /// One complete JSON object per line, as `audit verify --from` reads it
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The format; with --json always jsonl
    #[arg(long, value_enum, default_value = "csv")]
    pub(crate) format: Format,
    /// Only records from this time on: 2026-01-31 or 2026-01-31T09:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Moment>,
    /// Only records before this time; a day means its start, UTC
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<Moment>,
    /// Only the records of this request
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<RequestId>,
    /// Write to this file instead of standard output; it appears once it is complete
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) aws: Aws,
    /// Table Audit; else KEYVEND_AUDIT_TABLE
    #[arg(long, value_name = "TABLE", help_heading = "Tables")]
    pub(crate) audit_table: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The hash of a checkpoint, from the approvals channel; it must be in the trail
    #[arg(long, value_name = "HASH")]
    pub(crate) anchor: Option<Anchor>,
    /// Verify a file written by `audit export --format jsonl` instead of the tables
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audit_table", "requests_table", "region", "profile"])]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) aws: Aws,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder with schema.cedarschema and *.cedar; else KEYVEND_POLICY_DIR, else `policies`
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A test case: a JSON file as in ALLOW and DENY
    #[arg(required_unless_present = "person", conflicts_with = "person")]
    pub(crate) file: Option<PathBuf>,
    /// The policies; else KEYVEND_POLICY_DIR, else `policies`
    #[arg(long, value_name = "DIR")]
    pub(crate) policies: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) live: Live,
    #[command(flatten)]
    pub(crate) aws: Aws,
    /// Table Requests, to count today's keys and find a key's requester; else KEYVEND_REQUESTS_TABLE
    #[arg(long, value_name = "TABLE", help_heading = "Tables")]
    pub(crate) requests_table: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Loading facts")]
pub(crate) struct Live {
    /// The person who acts: U..., or T....U... if there are several workspaces
    #[arg(long, value_name = "PERSON", requires = "user", requires = "action")]
    pub(crate) person: Option<PersonArg>,
    /// The IAM user; its account by alias or number
    #[arg(long, value_name = "NAME[@ACCOUNT]", requires = "person")]
    pub(crate) user: Option<UserAt>,
    /// The action
    #[arg(long, requires = "person", value_parser = value_parsers::action())]
    pub(crate) action: Option<Action>,
    /// The use case of the key
    #[arg(long, requires = "person", value_parser = value_parsers::use_case(), default_value = "other")]
    pub(crate) use_case: UseCase,
    /// The lifetime in days
    #[arg(long, requires = "person", default_value_t = 30)]
    pub(crate) days: u32,
    /// The number of approvals
    #[arg(long, requires = "person", default_value_t = 0)]
    pub(crate) approvals: u32,
    /// The requester, if it is another person; required with `approve`
    #[arg(long, value_name = "PERSON", requires = "person", required_if_eq("action", "approve"))]
    pub(crate) requester: Option<PersonArg>,
    /// The key, for actions on keys and for reactivating with `request` or `issue`
    #[arg(long, value_name = "KEY", requires = "person")]
    pub(crate) key: Option<AccessKeyId>,
    /// A risk flag of that key
    #[arg(long, requires = "key", value_parser = value_parsers::concern())]
    pub(crate) concern: Vec<RiskFlag>,
    /// Load the IAM user with this role in its account instead of your credentials
    #[arg(long, value_name = "NAME", requires = "person")]
    pub(crate) role: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// The name to record; else your credentials' ARN, which is recorded in any case
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) as_name: Option<OperatorName>,
    #[command(flatten)]
    pub(crate) aws: Aws,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Deactivate {
    /// The access key's id, AKIA...
    pub(crate) key: AccessKeyId,
    /// The IAM user that it belongs to; not needed for a key that keyvend issued
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<IamUserName>,
    /// The user's account, by alias or number; else where it was issued, else your own
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<AccountArg>,
    /// Use this role in that account instead of your own credentials
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// The name to record; else your credentials' ARN, which is recorded in any case
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) as_name: Option<OperatorName>,
    #[command(flatten)]
    pub(crate) aws: Aws,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}
