//! The output of the command-line tool: short, aligned, and after a failure what to do next. Texts from a table, a file
//! or AWS are escaped so that a terminal cannot interpret them.

pub mod audit;
pub mod check;
pub mod explain;
pub mod freeze;

pub use audit::*;
pub use check::*;
pub use explain::*;
pub use freeze::*;

use crate::aws::NoAccess;
use crate::cli::Failure;
use crate::domain::iam::Account;
use crate::id::{AccountAlias, AccountId};

/// The end of the help.
pub const EXIT_STATUS: &str = "Exit status:\n  0  success; yes; valid\n  1  no; invalid\n  \
    2  the command line is invalid\n  3  failed or partially failed";

/// Not a moment.
pub const NOT_A_MOMENT: &str = "use a day, 2026-01-31, or a time with its zone, 2026-01-31T09:00:00Z";
/// Not a hash.
pub const NOT_A_HASH: &str = "a checkpoint's hash has 64 hexadecimal digits";
/// Not a person.
pub const NOT_A_PERSON: &str = "use a Slack user ID, U024BE7LH, or with its workspace, T012AB3CD.U024BE7LH";
/// Not an account.
pub const NOT_AN_ACCOUNT: &str = "use an alias from KEYVEND_ACCOUNTS or the 12-digit account ID";
/// Not an IAM user.
pub const NOT_AN_IAM_USER: &str = "use the IAM user's name, optionally with `@` and its account";
/// Not a name for the trail.
pub const NOT_A_NAME: &str = "use a name of up to 64 letters, digits, spaces and .,@_+- that is not a Slack ID and \
    does not begin with keyvend";
/// Not one of the values that are listed.
pub const NOT_ONE_OF_THESE: &str = "not one of these";
/// In the trail, where AWS did not say whose credentials they were.
pub const ARN_UNKNOWN: &str = "unknown";

/// A text as a terminal shows it: control characters, and those that turn the direction of writing, by their number.
#[must_use]
pub fn plain(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            plain.extend(c.escape_unicode());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Lines of two columns.
fn rows<N: AsRef<str>>(rows: &[(N, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(N, String)| format!("  {:width$}  {value}\n", name.as_ref());
    rows.iter().map(line).collect()
}

fn count(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>, none: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| plain(&item.to_string())).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// What went wrong, and what to do next.
#[must_use]
pub fn failure(failure: &Failure) -> (String, String) {
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
            let said = plain(&format!("{error:#}"));
            let next = after(&said).to_owned();
            (said, next)
        }
        Failure::Closed => (String::new(), String::new()),
    }
}

/// The machine has no random bytes.
#[must_use]
pub fn no_random(why: &str) -> String {
    format!("error: this machine provides no random bytes: {}", plain(why))
}

fn tables(flag: &str) -> String {
    format!(
        "Use {flag}, or set the variable. To list the tables of the stack:\n  \
         aws cloudformation list-stack-resources --stack-name keyvend \
         --query \"StackResourceSummaries[?ResourceType=='AWS::DynamoDB::Table'].PhysicalResourceId\""
    )
}

/// What to do after a fault of which nothing but its text is known.
fn after(error: &str) -> &'static str {
    let has = |part: &str| error.contains(part);
    if has("AccessDenied") || has("UnauthorizedOperation") {
        "Your credentials lack a permission: docs/cli.md lists what each command needs."
    } else if has("ExpiredToken") || has("InvalidClientTokenId") || has("UnrecognizedClient") {
        "Your AWS credentials have expired or are invalid: sign in again."
    } else if has("ResourceNotFound") {
        "Check the table's name, the region and the account of your credentials."
    } else if has("could not be reached") || has("no answer in time") {
        "Check the network, the region and AWS_ENDPOINT_URL, then run the command again."
    } else if has("Slack said invalid_auth") || has("Slack said token") || has("Slack said not_authed") {
        "Check KEYVEND_BOT_TOKEN: the bot token of the app, xoxb-..."
    } else {
        ""
    }
}

fn unable(said: String, next: impl Into<String>) -> Failure {
    Failure::Unable { said, next: next.into() }
}

fn account(account: &Account) -> String {
    if account.alias.as_str() == account.id.as_str() {
        account.id.to_string()
    } else {
        format!("{} ({})", account.id, account.alias)
    }
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
