//! The output of `freeze`, `unfreeze` and `key deactivate`.

use crate::cli::output::{account, plain, rows, unable};
use crate::cli::{Deactivated, Failure, FreezeResult, Outcome};
use crate::domain::iam::Account;
use crate::domain::key::IssuedKey;
use crate::id::{AccessKeyId, IamUserName};
use crate::render::text::{escape_mrkdwn, iam_user, person};
use crate::time::Timestamp;

/// What came of `freeze` or `unfreeze`.
#[must_use]
pub fn stopped(done: &FreezeResult) -> String {
    let by = match (&done.frozen_by, done.frozen_at) {
        (Some(by), Some(at)) => format!("{} since {}", plain(by), at.rfc3339()),
        (Some(by), None) => plain(by),
        (None, _) => "nobody".to_owned(),
    };
    let head = match (done.frozen, done.changed) {
        (true, true) => "Key issuing is frozen.".to_owned(),
        (true, false) if done.raced => format!(
            "NOT resumed: key issuing was frozen by {by}, which was not before this command. It stays frozen.\n\
             Run `keyvend unfreeze` again to resume it anyway."
        ),
        (true, false) => format!("Key issuing was already frozen, by {by}. It stays frozen."),
        (false, true) => format!("Key issuing is resumed. It was frozen by {by}."),
        (false, false) => "Key issuing was not frozen: keys can be issued.".to_owned(),
    };
    let next = if done.frozen {
        "\nExisting keys keep working and can be deactivated. Notify the approvers. To resume, run `keyvend unfreeze`,\n\
         or an approver types `/access-key unfreeze`.\n"
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
        Outcome::Done | Outcome::Already => format!("{key} of {user}{at} is inactive."),
        Outcome::Nothing => format!("{key} of {user}{at} does not exist in IAM any more."),
        Outcome::Failed(_) | Outcome::NotTried => format!("{key} of {user}{at} is NOT inactive."),
    };
    let issued = match (&done.request, &done.requester) {
        (Some(request), Some(requester)) => format!(", issued to {requester} by request {request}"),
        _ => String::new(),
    };
    let marked = match &done.marked {
        Outcome::Done => format!("marked, so that nothing activates it again{issued}"),
        Outcome::Already => format!("was already marked{issued}"),
        Outcome::Nothing => "not issued by keyvend: nothing to mark".to_owned(),
        other => failed(other),
    };
    let inactive = match &done.inactive {
        Outcome::Done | Outcome::Already => "inactive".to_owned(),
        Outcome::Nothing => "does not exist".to_owned(),
        other => failed(other),
    };
    let recorded = match &done.recorded {
        Outcome::Done | Outcome::Already | Outcome::Nothing => format!("recorded in {}", done.recorded_in),
        other => failed(other),
    };
    let told = if done.request.is_some() && done.recorded == Outcome::Done {
        vec![("people", "the requester and the approvers are notified within two minutes".to_owned())]
    } else {
        Vec::new()
    };
    let steps = [("keyvend", marked), ("IAM", inactive), ("audit trail", recorded)];
    let steps: Vec<(&str, String)> = steps.into_iter().chain(told).collect();
    let failed = [&done.marked, &done.inactive, &done.recorded]
        .into_iter()
        .any(|step| matches!(step, Outcome::Failed(_) | Outcome::NotTried));
    let again = if failed {
        "\nSome steps failed. Correct the cause and run the same command again; completed steps are not repeated.\n"
    } else {
        ""
    };
    format!("{off}\n\n{}{again}\n{}", rows(&steps), next_after(key, user, done.at))
}

fn failed(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => format!("FAILED: {}", plain(why)),
        Outcome::NotTried => "skipped, because the key is not inactive".to_owned(),
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
         1. Sessions created with the key remain valid for up to 36 hours. Revoke them:\n     \
         aws iam put-user-policy --user-name {user} --policy-name keyvend-sessions-ended \\\n       \
         --policy-document '{document}'\n  \
         2. Check what it was used for, in every region that you use:\n     \
         aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key}\n     \
         For every role that it assumed, revoke the sessions as well (IAM, the role, Revoke sessions).\n  \
         3. When nothing needs the key any more, delete it:\n     \
         aws iam delete-access-key --user-name {user} --access-key-id {key}\n"
    )
}

/// What the approvers and the requester are told, as mrkdwn.
#[must_use]
pub fn told_of_deactivation(issued: &IssuedKey, by: &str) -> String {
    format!(
        "The key `{}` for {}, requested by {}, was deactivated by {} with the command-line tool. It no longer works anywhere; ask {} for the reason before you request another.",
        issued.key,
        iam_user(&issued.user, &issued.account),
        person(&issued.requester),
        escape_mrkdwn(by),
        "the approvers"
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
