//! RecordProblem can be typed: the doc comments are the help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::output as words;
use crate::cli::value_parsers::{self, AccountArg, Anchor, Moment, OperatorName, PersonArg, UserAt};
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, IamUserName, RequestId};
use crate::policy::{Action, RiskFlag};

/// The operator's tool of keyvend: look at the audit trail, try policies, stop what must be stopped
///
/// It works with your own AWS credentials and is no part of the deployed functions. Which tables
/// it uses is told by flags, or by the variables that the functions have: KEYVEND_AUDIT_TABLE,
/// KEYVEND_REQUESTS_TABLE.
#[derive(Debug, Parser)]
#[command(name = "keyvend", version, after_help = words::EXIT_STATUS, verbatim_doc_comment)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// RecordProblem to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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
pub(crate) enum Audit {
    /// Write the audit trail as CSV or JSON lines
    ///
    /// Records come chain after chain, each from its first to its last. RecordProblem is read back by
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
pub(crate) enum Policy {
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
pub(crate) enum Key {
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
pub(crate) struct Aws {
    /// The AWS region; else AWS_REGION, else the profile's
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The AWS profile; else AWS_PROFILE
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// Which tables.
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

/// In what form records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For spreadsheets; no cell is taken for a formula
    Csv,
    /// A JSON object a line, complete: what `audit verify --from` reads
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// In what form; with --json always jsonl
    #[arg(long, value_enum, default_value = "csv")]
    pub(crate) format: Format,
    /// Only what happened at this moment or later: 2026-01-31 or 2026-01-31T09:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Moment>,
    /// Only what happened before this moment; a day means its beginning, UTC
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
    /// The hash of a checkpoint, as the approvals channel has it: it must be there
    #[arg(long, value_name = "HASH")]
    pub(crate) anchor: Option<Anchor>,
    /// Check a file that `audit export --format jsonl` wrote, and no table
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
    /// A case: a JSON file as in ALLOW and DENY
    #[arg(required_unless_present = "person", conflicts_with = "person")]
    pub(crate) file: Option<PathBuf>,
    /// The policies; else KEYVEND_POLICY_DIR, else `policies`
    #[arg(long, value_name = "DIR")]
    pub(crate) policies: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) live: Live,
    #[command(flatten)]
    pub(crate) aws: Aws,
    /// Table Requests, for what was issued today and whose a key is; else KEYVEND_REQUESTS_TABLE
    #[arg(long, value_name = "TABLE", help_heading = "Tables")]
    pub(crate) requests_table: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Looking the facts up")]
pub(crate) struct Live {
    /// Who acts: U..., or T....U... where there are several workspaces
    #[arg(long, value_name = "PERSON", requires = "user", requires = "action")]
    pub(crate) person: Option<PersonArg>,
    /// On which IAM user; the account by alias or number
    #[arg(long, value_name = "NAME[@ACCOUNT]", requires = "person")]
    pub(crate) user: Option<UserAt>,
    /// RecordProblem they do
    #[arg(long, requires = "person", value_parser = value_parsers::action())]
    pub(crate) action: Option<Action>,
    /// RecordProblem the key is for
    #[arg(long, requires = "person", value_parser = value_parsers::use_case(), default_value = "other")]
    pub(crate) use_case: UseCase,
    /// How many days it is to live
    #[arg(long, requires = "person", default_value_t = 30)]
    pub(crate) days: u32,
    /// How many people have approved
    #[arg(long, requires = "person", default_value_t = 0)]
    pub(crate) approvals: u32,
    /// Who asked, where that is somebody else; with `approve` it must be said
    #[arg(long, value_name = "PERSON", requires = "person", required_if_eq("action", "approve"))]
    pub(crate) requester: Option<PersonArg>,
    /// Which key an action on keys is about, or comes back with `request` or `issue`
    #[arg(long, value_name = "KEY", requires = "person")]
    pub(crate) key: Option<AccessKeyId>,
    /// RecordProblem speaks against switching that key on
    #[arg(long, requires = "key", value_parser = value_parsers::concern())]
    pub(crate) concern: Vec<RiskFlag>,
    /// Look the IAM user up through this role in its account, not with your credentials
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
    /// Act in that account through this role, not with your own credentials
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
