//! Why a command has no answer, and what to do next.

use std::path::Path;

use crate::aws::NoAccess;
use crate::cli::failure::Failure;
use crate::cli::output::hint::find_hint;
use crate::cli::output::text::{account, count, listed, plain};
use crate::domain::iam::Account;
use crate::domain::key::IssuedKey;
use crate::id::{AccessKeyId, AccountAlias, AccountId, IamUserName, SlackUserId};
use crate::policy::Action;

/// What went wrong, and what to do next.
#[must_use]
pub fn describe(failure: &Failure) -> (String, String) {
    match failure {
        Failure::Config(error) => (
            plain(&error.to_string()),
            match error.variable {
                "KEYVEND_AUDIT_TABLE" => tables("--audit-table"),
                "KEYVEND_REQUESTS_TABLE" => tables("--requests-table"),
                "KEYVEND_BOT_TOKEN" => {
                    "Set it to the bot token, xoxb-..., without writing it on a command line:\n  \
                export KEYVEND_BOT_TOKEN=\"$(aws secretsmanager get-secret-value --secret-id ... \
                --query SecretString --output text)\""
                        .to_owned()
                }
                _ => "Use the value that template.yaml sets for the worker.".to_owned(),
            },
        ),
        Failure::NoAccess(NoAccess::Region) => {
            (NoAccess::Region.to_string(), "Use --region, or set AWS_REGION.".to_owned())
        }
        Failure::NoAccess(NoAccess::Credentials) => (
            NoAccess::Credentials.to_string(),
            "Use --profile. For a profile that signs in (IAM Identity Center, `aws login`) export its \
             credentials first:\n  eval \"$(aws configure export-credentials --profile NAME --format env)\""
                .to_owned(),
        ),
        Failure::Unable { said, next } => (said.clone(), next.clone()),
        Failure::Other(error) => {
            (plain(&format!("{error:#}")), find_hint(error).unwrap_or_default().to_owned())
        }
        Failure::Closed => (String::new(), String::new()),
    }
}

fn tables(flag: &str) -> String {
    format!(
        "Use {flag}, or set the variable. To list the tables of the stack:\n  \
         aws cloudformation list-stack-resources --stack-name keyvend \
         --query \"StackResourceSummaries[?ResourceType=='AWS::DynamoDB::Table'].PhysicalResourceId\""
    )
}

/// The machine has no random bytes.
#[must_use]
pub fn no_random(why: &str) -> String {
    format!("error: this machine provides no random bytes: {}", plain(why))
}

fn unable(said: String, next: impl Into<String>) -> Failure {
    Failure::Unable { said, next: next.into() }
}

/// No such alias.
#[must_use]
pub fn unknown_account(alias: &AccountAlias, known: &[Account]) -> Failure {
    let known = listed(known.iter().map(|account| &account.alias), "none");
    unable(
        format!("there is no account `{alias}` in KEYVEND_ACCOUNTS"),
        format!("Configured accounts: {known}. Use one of these, or the 12-digit account ID."),
    )
}

/// These credentials are of another account.
#[must_use]
pub fn other_account(own: &AccountId, wanted: &Account) -> Failure {
    unable(
        format!("your credentials belong to account {own}, but the IAM user is in {}", account(wanted)),
        "Use --role with a role in that account that they may assume, or --profile with credentials of that account.",
    )
}

/// The policies that were to be asked are not valid.
#[must_use]
pub fn invalid(dir: &Path, problems: usize) -> Failure {
    unable(
        format!("{}: {} in the policies", dir.display(), count(problems, "problem", "problems")),
        format!(
            "Show them with `keyvend policy check {}`, or use another folder with --policies.",
            dir.display()
        ),
    )
}

/// Nothing to ask about was said.
#[must_use]
pub fn not_enough_to_ask() -> Failure {
    unable("nothing to explain".to_owned(), "Use a FILE, or --person, --user and --action.")
}

/// An action on a key, and no key.
#[must_use]
pub fn which_key(action: Action) -> Failure {
    unable(format!("`{}` needs a key", action.as_str()), "Use --key AKIA...")
}

/// A person without a workspace.
#[must_use]
pub fn which_workspace(user: &SlackUserId) -> Failure {
    unable(
        format!("the workspace of {user} is not known"),
        format!("Use T....{user}, or set KEYVEND_SLACK_TEAM_IDS to the workspace."),
    )
}

/// There is no such IAM user.
#[must_use]
pub fn no_such_user(user: &IamUserName, at: &Account) -> Failure {
    unable(
        format!("there is no IAM user {user} in {}", account(at)),
        "Check its name; add `@` and the account for another account.",
    )
}

/// A line of a file is no record.
#[must_use]
pub fn no_record(path: &Path, line: usize) -> Failure {
    unable(
        format!("{}:{line}: not a record of the audit trail", path.display()),
        "Use a file written by `keyvend audit export --format jsonl`.",
    )
}

/// keyvend wrote down another IAM user or account when it issued the key.
#[must_use]
pub fn another_user(issued: &IssuedKey) -> Failure {
    unable(
        format!("keyvend issued {} for {} in {}", issued.key, issued.user, account(&issued.account)),
        "Nothing was changed. Omit --user and --account, or correct them.",
    )
}

/// Nobody knows whose key it is.
#[must_use]
pub fn whose_is_it(key: &AccessKeyId, unread: bool) -> Failure {
    let why = if unread { "table Requests could not be read" } else { "keyvend did not issue it" };
    unable(
        format!("the IAM user of key {key} is not known: {why}"),
        format!(
            "Use --user. To find the IAM user:\n  aws iam get-access-key-last-used --access-key-id {key} --query UserName"
        ),
    )
}

/// IAM has no such key.
#[must_use]
pub fn no_such_key(key: &AccessKeyId, user: &IamUserName, at: Option<&Account>) -> Failure {
    let at = at.map(|at| format!(" in {}", account(at))).unwrap_or_default();
    unable(
        format!("the IAM user {user}{at} has no key {key}"),
        format!(
            "Nothing was changed. Check the name and the account:\n  \
             aws sts get-access-key-info --access-key-id {key}\n  \
             aws iam get-access-key-last-used --access-key-id {key} --query UserName"
        ),
    )
}
