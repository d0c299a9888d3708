//! What the operator's tool says: short, aligned, and after a no what to do next. Texts that came out of a table, a
//! file or AWS are printed so that a terminal shows them and does nothing else with them.

use std::path::Path;

use crate::aws::{NoAccess, Unreadable};
use crate::cli::{By, Checked, Deactivated, Explained, Failure, Outcome, Problem, Stopped, Verified, What};
use crate::facts::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account};
use crate::id::{AccessKeyId, AccountAlias, AccountId, IamUserName, SlackUserId};
use crate::key::IssuedKey;
use crate::policy::check::Warning;
use crate::policy::{Action, Asked, KeyFacts, Question};
use crate::time::Timestamp;
use crate::use_case::UseCase;

use super::{iam_user, mrkdwn, person};

/// The end of the help.
pub const EXIT_STATUS: &str = "Exit status:\n  0  done; yes; in order\n  1  no; not in order\n  \
    2  the command line cannot be read\n  3  it could not be done, or not all of it";

/// Not a moment.
pub const NOT_A_MOMENT: &str = "write a day, 2026-01-31, or a moment with its zone, 2026-01-31T09:00:00Z";
/// Not a hash.
pub const NOT_A_HASH: &str = "a checkpoint's hash has 64 hexadecimal digits";
/// Not a person.
pub const NOT_A_PERSON: &str = "write a Slack user id, U024BE7LH, or with its workspace, T012AB3CD.U024BE7LH";
/// Not an account.
pub const NOT_AN_ACCOUNT: &str = "write an alias of KEYVEND_ACCOUNTS or the account's 12 digits";
/// Not an IAM user.
pub const NOT_AN_IAM_USER: &str = "write the IAM user's name, and after an `@` its account if you like";
/// Not a name for the trail.
pub const NOT_A_NAME: &str = "write a name of up to 64 letters, digits, blanks and .,@_+- that is not a Slack id and \
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
        Failure::Config(error) => (plain(&error.to_string()), match error.variable {
            "KEYVEND_AUDIT_TABLE" => tables("--audit-table"),
            "KEYVEND_REQUESTS_TABLE" => tables("--requests-table"),
            "KEYVEND_BOT_TOKEN" => "Set it to the bot token, xoxb-..., without writing it on a command line:\n  \
                export KEYVEND_BOT_TOKEN=\"$(aws secretsmanager get-secret-value --secret-id ... \
                --query SecretString --output text)\"".to_owned(),
            _ => "Set it as template.yaml sets it for the worker.".to_owned(),
        }),
        Failure::NoAccess(NoAccess::Region) => {
            (NoAccess::Region.to_string(), "Name one with --region, or set AWS_REGION.".to_owned())
        }
        Failure::NoAccess(NoAccess::Credentials) => (
            NoAccess::Credentials.to_string(),
            "Name a profile with --profile. For one that signs in (IAM Identity Center, `aws login`) take its \
             credentials over first:\n  eval \"$(aws configure export-credentials --profile NAME --format env)\"".to_owned(),
        ),
        Failure::Unable { said, next } => (said.clone(), next.clone()),
        Failure::Fault(fault) => {
            let said = plain(&format!("{fault:#}"));
            let next = after(&said).to_owned();
            (said, next)
        }
        Failure::Closed => (String::new(), String::new()),
    }
}

/// The machine has no random bytes.
#[must_use]
pub fn no_random(why: &str) -> String {
    format!("error: this machine gave no random bytes: {}", plain(why))
}

fn tables(flag: &str) -> String {
    format!(
        "Give {flag}, or set the variable. The stack names its tables:\n  \
         aws cloudformation list-stack-resources --stack-name keyvend \
         --query \"StackResourceSummaries[?ResourceType=='AWS::DynamoDB::Table'].PhysicalResourceId\""
    )
}

/// What to do after a fault of which nothing but its text is known.
fn after(fault: &str) -> &'static str {
    let has = |part: &str| fault.contains(part);
    if has("AccessDenied") || has("UnauthorizedOperation") {
        "Your credentials may not do that: docs/cli.md lists what each command needs."
    } else if has("ExpiredToken") || has("InvalidClientTokenId") || has("UnrecognizedClient") {
        "Your AWS credentials have expired or are not valid: sign in again."
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

// ---- The audit trail

/// Progress.
#[must_use]
pub fn records_so_far(records: usize) -> String {
    format!("{} read", count(records, "record", "records"))
}

/// An item that is no record was left out.
#[must_use]
pub fn left_out(found: &Unreadable) -> String {
    let seq = found.seq.map_or("?".to_owned(), |seq| seq.to_string());
    format!("left out: record {seq} of {} has no proper `{}`", plain(&found.request), found.lacks)
}

/// The end of an export.
#[must_use]
pub fn exported(written: usize, unreadable: usize, to: Option<&Path>) -> String {
    let to = to.map(|path| format!(" to {}", path.display())).unwrap_or_default();
    let out = if unreadable == 0 { String::new() } else { format!(", {unreadable} left out") };
    format!("{} written{to}{out}", count(written, "record", "records"))
}

/// A line of a file is no record.
#[must_use]
pub fn no_record(path: &Path, line: usize) -> Failure {
    unable(
        format!("{}:{line}: not a record of the audit trail", path.display()),
        "Give a file that `keyvend audit export --format jsonl` wrote.",
    )
}

/// What verifying found.
#[must_use]
pub fn verified(found: &Verified) -> String {
    let read = format!(
        "{} in {}, {}",
        count(found.records, "record", "records"),
        count(found.chains, "chain", "chains"),
        count(found.checkpoints, "checkpoint", "checkpoints")
    );
    let mut facts = vec![("read", read)];
    if let Some(anchor) = &found.anchor {
        let is = match &found.anchored {
            Some(at) => format!("checkpoint {} of {}", at.seq, at.at.rfc3339()),
            None => format!("no checkpoint has the hash {anchor}"),
        };
        facts.push(("anchor", is));
    }
    let compared = if found.compared_with_requests {
        "held against table Requests"
    } else {
        "not held against table Requests"
    };
    facts.push(("ends", compared.to_owned()));
    let missing = if found.anchor.is_some() && found.anchored.is_none() {
        "\nThe checkpoint that the anchor is of was removed or changed, or the hash is of another trail.\n"
    } else {
        ""
    };
    let Some((first, others)) = found.problems.split_first() else {
        let head = if found.verified { "The audit trail is whole." } else { "The audit trail is not whole." };
        let next = if found.anchor.is_none() {
            "\nThat the newest records were not cut off shows only an anchor: the hash of a checkpoint, posted to the\n\
             approvals channel once a day. Give it with --anchor.\n"
        } else {
            missing
        };
        return format!("{head}\n\n{}{next}", rows(&facts));
    };
    let misfit =
        [("chain", plain(&first.request)), ("record", first.seq.to_string()), ("problem", what(first))];
    let more = match others.len() {
        0 => String::new(),
        more => format!(
            "\nSo does {}: {}.\n",
            count(more, "other chain not fit", "other chains not fit"),
            listed(
                others.iter().take(5).map(|problem| format!("{} at record {}", problem.request, problem.seq)),
                ""
            )
        ),
    };
    let part = if found.from_file && found.problems.iter().any(|problem| cut_out(&problem.what)) {
        "\nWas it exported with --since, --until or --request? Then it is only a part of a trail.\n"
    } else {
        ""
    };
    format!(
        "The audit trail is not whole. The first record that does not fit:\n\n{}{more}\n{}{missing}{part}\n\
         Next: keep what is there. Export it, and compare it with a copy of the table restored from before\n\
         (point-in-time recovery).\n",
        rows(&misfit),
        rows(&facts)
    )
}

fn cut_out(what: &What) -> bool {
    match what {
        What::Missing { .. } => true,
        What::Twice
        | What::Unreadable { .. }
        | What::Changed
        | What::Moved { .. }
        | What::DoesNotFollow
        | What::Replaced { .. }
        | What::EndUnknown
        | What::BadHead { .. } => false,
    }
}

fn what(problem: &Problem) -> String {
    let by = |by: &By| match by {
        By::Checkpoint(seq) => format!("checkpoint {seq}"),
        By::Requests => "table Requests".to_owned(),
    };
    match &problem.what {
        What::Missing { named_by: None } => "missing, though later ones are there".to_owned(),
        What::Missing { named_by: Some(named) } => {
            format!("missing, though {} says that the chain goes on to it or further", by(named))
        }
        What::Twice => "there twice, or in a place that a chain does not have".to_owned(),
        What::Unreadable { lacks } => format!("cannot be read: it has no proper `{}`", plain(lacks)),
        What::Changed => "changed: its contents do not have its hash".to_owned(),
        What::Moved { from_request, from_seq } => {
            format!("moved: its contents are those of record {from_seq} of {}", plain(from_request))
        }
        What::DoesNotFollow => {
            "does not follow from the record before it: one of the two was replaced".to_owned()
        }
        What::Replaced { named_by } => format!("replaced: {} names another hash for it", by(named_by)),
        What::EndUnknown => {
            "perhaps not the last: the request's item in table Requests cannot be read".to_owned()
        }
        What::BadHead { name } => {
            format!("a checkpoint that names the end of {} in a way that cannot be read", plain(name))
        }
    }
}

// ---- Policies

/// What checking found.
#[must_use]
pub fn checked(found: &Checked) -> String {
    let mut text = String::new();
    for wrong in &found.problems {
        let line = wrong.line.map(|line| format!(":{line}")).unwrap_or_default();
        let id = wrong.policy.as_ref().filter(|id| !wrong.reason.contains(id.as_str()));
        let id = id.map(|id| format!(" {}:", plain(id))).unwrap_or_default();
        text += &format!("{}{line}:{id} {}\n", plain(&wrong.file), plain(&wrong.reason));
    }
    for found in &found.warnings {
        text += &format!("warning: {}\n", warning(found));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let dir = found.dir.display();
    if !found.valid {
        let problems = count(found.problems.len(), "problem", "problems");
        return text
            + &format!(
                "{dir}: {problems}. With these policies the worker would refuse everything: do not deploy them.\n"
            );
    }
    let policies = count(found.policies, "policy is", "policies are");
    let cases = match found.cases {
        None => "There are no cases in ALLOW and DENY.".to_owned(),
        Some(1) => "1 case holds.".to_owned(),
        Some(cases) => format!("{cases} cases hold."),
    };
    text + &format!("{dir}: {policies} valid. {cases}\n")
}

fn warning(warning: &Warning) -> String {
    let which = |privileged: &bool| {
        if *privileged { "a privileged IAM user" } else { "an IAM user that is not privileged" }
    };
    let uses = |use_cases: &[UseCase]| format!("use: {}", listed(use_cases, "none"));
    let because = |by: &[String]| listed(by, "no policy permits it");
    match warning {
        Warning::NobodyMay { action } => {
            format!("no policy permits `{}`: nobody can ever do it", action.as_str())
        }
        Warning::Shadowed { policy, by } => {
            format!(
                "{policy} makes no difference: {by} has no condition and decides everything that it could"
            )
        }
        Warning::NotInAnyCase { policy } => {
            format!("{policy} decides none of the cases: add one to ALLOW or DENY that shows what it is for")
        }
        Warning::NobodyCouldApprove { privileged, use_cases, needed, by } => format!(
            "a request for {} would wait for {} that nobody could give ({}; {})",
            which(privileged),
            count(usize::try_from(*needed).unwrap_or(usize::MAX), "approval", "approvals"),
            because(by),
            uses(use_cases)
        ),
        Warning::NeverIssued { privileged, use_cases, by } => format!(
            "a key for {} could be asked for, but not even 5 approvals would be enough ({}; {})",
            which(privileged),
            because(by),
            uses(use_cases)
        ),
    }
}

/// The policies that were to be asked are not valid.
#[must_use]
pub fn invalid(dir: &Path, problems: usize) -> Failure {
    unable(
        format!("{}: {} in the policies", dir.display(), count(problems, "problem", "problems")),
        format!(
            "See them with `keyvend policy check {}`; another folder is named with --policies.",
            dir.display()
        ),
    )
}

/// An answer of the policies.
#[must_use]
pub fn explained(found: &Explained) -> String {
    let Question { principal, action, iam_user, .. } = &found.question;
    let on = match action {
        Action::Freeze => format!("in {}", account(&iam_user.account)),
        Action::Request
        | Action::Issue
        | Action::Approve
        | Action::List
        | Action::Rotate
        | Action::Deactivate
        | Action::Activate
        | Action::Delete => format!("on {} in {}", iam_user.name, account(&iam_user.account)),
    };
    let answer = if found.allowed { "yes" } else { "no" };
    let mut text = format!("{answer}: {} by {} {on}\n\n", action.as_str(), principal.id);
    let decisive: Vec<(&str, String)> = found
        .policies
        .iter()
        .map(|policy| (policy.id.as_str(), policy.advice.clone().unwrap_or_else(|| "permits it".to_owned())))
        .collect();
    text += &rows(&decisive);
    for failed in &found.failed {
        text += &format!("  could not be evaluated, which is a no: {}\n", plain(failed));
    }
    if decisive.is_empty() && found.failed.is_empty() {
        text += "  no policy permits it\n";
    }
    if let Action::Request | Action::Issue = action {
        let needed = match found.needed_approvals {
            Some(needed) => count(usize::try_from(needed).unwrap_or(usize::MAX), "approval", "approvals"),
            None => "more approvals than any request waits for, or what no approval cures".to_owned(),
        };
        text += &format!("\nA key like this needs {needed}.\n");
    }
    text + "\nDecided with\n\n" + &rows(&facts(found))
}

fn facts(found: &Explained) -> Vec<(&'static str, String)> {
    let Question { principal, action, iam_user: user, asked, key } = &found.question;
    let flags = [
        ("guest", principal.guest),
        ("external", principal.external),
        ("deactivated", principal.deleted),
        ("bot", principal.bot),
    ];
    let flags = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
    let mail = match (crate::cli::domain(principal), principal.email_confirmed) {
        (None, _) => "none".to_owned(),
        (Some(domain), true) => format!("...@{}, confirmed", plain(domain)),
        (Some(domain), false) => format!("...@{}, not confirmed", plain(domain)),
    };
    let mut facts = vec![
        ("person", format!("{}, {}", principal.id, listed(flags, "a full member"))),
        ("in groups", listed(&principal.groups, "none")),
        ("address", mail),
    ];
    if *action == Action::Freeze {
        facts.push(("account", account(&user.account)));
        return facts;
    }
    facts.extend([
        ("IAM user", format!("{} in {}, path {}", user.name, account(&user.account), plain(&user.path))),
        (
            "owners",
            listed(
                user.owners
                    .iter()
                    .map(ToString::to_string)
                    .chain(user.owner_groups.iter().map(ToString::to_string)),
                "none",
            ),
        ),
        ("privileged", yes(user.privileged)),
        ("quarantined", yes(user.quarantined)),
        ("IAM groups", listed(&user.groups, "none")),
    ]);
    if !user.policies.is_empty() {
        facts.push(("policies", listed(&user.policies, "none")));
    }
    facts.extend(user.boundary.iter().map(|boundary| ("boundary", plain(boundary))));
    let tags = user.tags.iter().map(|(name, value)| format!("{name} = {value}"));
    facts.push(("tags", listed(tags, "none")));
    facts.push(("keys", listed(user.keys.iter().map(existing), "none")));
    match action {
        Action::Request | Action::Issue | Action::Approve => facts.extend(asked_for(asked, found.counted)),
        Action::Rotate | Action::Deactivate | Action::Activate | Action::Delete => {
            facts.push(("key", key_facts(key)));
        }
        Action::List | Action::Freeze => {}
    }
    facts
}

fn asked_for(asked: &Asked, counted: bool) -> Vec<(&'static str, String)> {
    let today = if counted { "" } else { " (not looked up: no --requests-table)" };
    let mut facts = vec![
        ("requester", asked.requester.to_string()),
        ("use", asked.use_case.to_string()),
        ("days", asked.days.to_string()),
        ("approvals", asked.approvals.to_string()),
        ("issued today", format!("{}{today}", asked.issued_today)),
    ];
    facts.extend(asked.key.as_ref().map(|key| ("key", key_facts(key))));
    facts
}

fn key_facts(key: &KeyFacts) -> String {
    let requester = match &key.requester {
        Some(requester) => format!("asked for by {requester}"),
        None => "not issued by keyvend".to_owned(),
    };
    format!("{requester}; concerns: {}", listed(key.concerns.iter().map(|concern| concern.as_str()), "none"))
}

fn existing(key: &AccessKey) -> String {
    let status = match key.status {
        AccessKeyStatus::Active => "active",
        AccessKeyStatus::Inactive => "inactive",
    };
    let used = match &key.last_used {
        AccessKeyLastUsed::Never => "never used".to_owned(),
        AccessKeyLastUsed::Unknown => "last use unknown".to_owned(),
        AccessKeyLastUsed::At { at, service, region } => {
            format!("last used {} with {service} in {region}", at.rfc3339())
        }
    };
    format!("{} {status}, {used}", key.id)
}

fn account(account: &Account) -> String {
    if account.alias.as_str() == account.id.as_str() {
        account.id.to_string()
    } else {
        format!("{} ({})", account.id, account.alias)
    }
}

/// Nothing to ask about was said.
#[must_use]
pub fn not_enough_to_ask() -> Failure {
    unable("what to ask about is not said".to_owned(), "Give a FILE, or --person, --user and --action.")
}

/// An action on a key, and no key.
#[must_use]
pub fn which_key(action: Action) -> Failure {
    unable(format!("`{}` is about a key", action.as_str()), "Say which with --key AKIA...")
}

/// A person without a workspace.
#[must_use]
pub fn which_workspace(user: &SlackUserId) -> Failure {
    unable(
        format!("which workspace {user} is of is not clear"),
        format!("Write T....{user}, or set KEYVEND_SLACK_TEAM_IDS to the one workspace."),
    )
}

/// There is no such IAM user.
#[must_use]
pub fn no_such_user(user: &IamUserName, at: &Account) -> Failure {
    unable(
        format!("there is no IAM user {user} in {}", account(at)),
        "Check its name; another account is named after an `@`.",
    )
}

// ---- Accounts

/// No such alias.
#[must_use]
pub fn unknown_account(alias: &AccountAlias, known: &[Account]) -> Failure {
    let known = listed(known.iter().map(|account| &account.alias), "none");
    unable(
        format!("there is no account `{alias}` in KEYVEND_ACCOUNTS"),
        format!("It names: {known}. Give one of these, or the account's 12 digits."),
    )
}

/// These credentials are of another account.
#[must_use]
pub fn other_account(own: &AccountId, wanted: &Account) -> Failure {
    unable(
        format!("your credentials are of account {own}, and the IAM user is in {}", account(wanted)),
        "Name a role there that they may assume with --role, or use credentials of that account with --profile.",
    )
}

// ---- Stopping

/// What came of `freeze` or `unfreeze`.
#[must_use]
pub fn stopped(done: &Stopped) -> String {
    let by = match (&done.frozen_by, done.frozen_at) {
        (Some(by), Some(at)) => format!("{} since {}", plain(by), at.rfc3339()),
        (Some(by), None) => plain(by),
        (None, _) => "nobody".to_owned(),
    };
    let head = match (done.frozen, done.changed) {
        (true, true) => "All issuing of keys is stopped.".to_owned(),
        (true, false) => format!("All issuing of keys had been stopped already, by {by}. It stays so."),
        (false, true) => format!("Keys can be issued again. It had been stopped by {by}."),
        (false, false) => "Nothing was stopped: keys can be issued.".to_owned(),
    };
    let next = if done.frozen {
        "\nKeys that exist go on working, and can be switched off. Tell the approvers; `keyvend unfreeze`, or\n\
         `/access-key unfreeze` by an approver, lets issuing go on.\n"
    } else {
        ""
    };
    let recorded = match (&done.recorded_in, &done.not_recorded) {
        (Some(chain), _) => format!("Recorded in the audit trail as {chain}."),
        (None, why) => format!(
            "NOT recorded in the audit trail ({}). Run the same command again to record it.",
            plain(why.as_deref().unwrap_or_default())
        ),
    };
    format!("{head}\n{recorded}\n{next}")
}

/// What came of `key deactivate`.
#[must_use]
pub fn deactivated(done: &Deactivated) -> String {
    let Deactivated { key, user, .. } = done;
    let at = done.account.as_ref().map(|at| format!(" in {}", account(at))).unwrap_or_default();
    let off = match &done.inactive {
        Outcome::Done | Outcome::Already => format!("{key} of {user}{at} is off."),
        Outcome::Nothing => format!("{key} of {user}{at} is gone: IAM has no such key any more."),
        Outcome::Failed(_) | Outcome::NotTried => format!("{key} of {user}{at} is NOT off."),
    };
    let issued = match (&done.request, &done.requester) {
        (Some(request), Some(requester)) => format!(", issued to {requester} by request {request}"),
        _ => String::new(),
    };
    let marked = match &done.marked {
        Outcome::Done => format!("marked, so that nothing switches it on again{issued}"),
        Outcome::Already => format!("was marked before{issued}"),
        Outcome::Nothing => "not issued by keyvend: nothing to mark".to_owned(),
        other => failed(other),
    };
    let inactive = match &done.inactive {
        Outcome::Done | Outcome::Already => "inactive".to_owned(),
        Outcome::Nothing => "not there".to_owned(),
        other => failed(other),
    };
    let recorded = match &done.recorded {
        Outcome::Done | Outcome::Already | Outcome::Nothing => format!("recorded in {}", done.recorded_in),
        other => failed(other),
    };
    let told = if done.request.is_some() && done.recorded == Outcome::Done {
        vec![("people", "its requester and the approvers are told within a minute or two".to_owned())]
    } else {
        Vec::new()
    };
    let steps = [("keyvend", marked), ("IAM", inactive), ("audit trail", recorded)];
    let steps: Vec<(&str, String)> = steps.into_iter().chain(told).collect();
    let failed = [&done.marked, &done.inactive, &done.recorded]
        .into_iter()
        .any(|step| matches!(step, Outcome::Failed(_) | Outcome::NotTried));
    let again = if failed {
        "\nNot everything was done. Put right what failed and run the same command again; what is done stays done.\n"
    } else {
        ""
    };
    format!("{off}\n\n{}{again}\n{}", rows(&steps), next_after(key, user, done.at))
}

fn failed(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => format!("FAILED: {}", plain(why)),
        Outcome::NotTried => "not done, because the key is not off".to_owned(),
        Outcome::Done | Outcome::Already | Outcome::Nothing => "done".to_owned(),
    }
}

fn next_after(key: &AccessKeyId, user: &IamUserName, at: Timestamp) -> String {
    let document = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\
         \"Condition\":{{\"DateLessThan\":{{\"aws:TokenIssueTime\":\"{}\"}}}}}}]}}",
        at.rfc3339()
    );
    format!(
        "Next\n\n  \
         1. Sessions that were made with the key go on for up to 36 hours. End them:\n     \
         aws iam put-user-policy --user-name {user} --policy-name keyvend-sessions-ended \\\n       \
         --policy-document '{document}'\n  \
         2. See what was done with it, in every region that you use:\n     \
         aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key}\n     \
         Of every role that it assumed there, revoke the sessions as well (IAM, the role, Revoke sessions).\n  \
         3. When nothing needs it any more, delete it:\n     \
         aws iam delete-access-key --user-name {user} --access-key-id {key}\n"
    )
}

/// What the approvers and the requester are told, as mrkdwn.
#[must_use]
pub fn told_of_deactivation(issued: &IssuedKey, by: &str) -> String {
    format!(
        "The key `{}` for {}, asked for by {}, was switched off by {} with the command-line tool. Whatever used it has stopped working; ask {} why before you ask for another.",
        issued.key,
        iam_user(&issued.user, &issued.account),
        person(&issued.requester),
        mrkdwn(by),
        "the approvers"
    )
}

/// keyvend wrote down another IAM user or account when it issued the key.
#[must_use]
pub fn another_user(issued: &IssuedKey) -> Failure {
    unable(
        format!("keyvend issued {} for {} in {}", issued.key, issued.user, account(&issued.account)),
        "Nothing was done. Leave --user and --account out, or correct them.",
    )
}

/// Nobody knows whose key it is.
#[must_use]
pub fn whose_is_it(key: &AccessKeyId, unread: bool) -> Failure {
    let why = if unread { "table Requests could not be read" } else { "keyvend did not issue it" };
    unable(
        format!("whose key {key} is has to be said: {why}"),
        format!(
            "Give --user. AWS tells it:\n  aws iam get-access-key-last-used --access-key-id {key} --query UserName"
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
            "Nothing was done. Check the name and the account:\n  \
             aws sts get-access-key-info --access-key-id {key}\n  \
             aws iam get-access-key-last-used --access-key-id {key} --query UserName"
        ),
    )
}
