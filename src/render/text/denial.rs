//! Why a request was denied, in words: what is so, and what to do next.

use crate::domain::denial::DenialReason;
use crate::domain::iam::Account;
use crate::id::{AccessKeyId, ChannelId, IamUserName, RequestId, SlackUserId};
use crate::render::text::escape_mrkdwn;
use crate::render::text::phrase::{ask_help, days, iam_user, slack_date};
use crate::time::Timestamp;

/// The sentence; `help` is the channel in which people can ask.
#[must_use]
pub fn denial(reason: &DenialReason, help: Option<&ChannelId>) -> String {
    match reason {
        DenialReason::Policy { advice } => refused(advice, help),
        DenialReason::PoliciesInvalid => POLICIES_INVALID.to_owned(),
        DenialReason::ApproversUnreachable => approvers_unreachable(help),
        DenialReason::LifetimeTooLong { max_days } => too_many_days(*max_days),
        DenialReason::UnsupportedPath { user } => unsupported_path(&user.name, &user.account, help),
        DenialReason::OutsidePath { user, path } => outside_path(&user.name, &user.account, path, help),
        DenialReason::NoOwner { user, requester } => no_owner(&user.name, &user.account, requester, help),
        DenialReason::NoSuchUser { user, near: None } => no_such_user(&user.name, &user.account, help),
        DenialReason::NoSuchUser { user, near: Some(near) } => {
            let no = format!("There is no IAM user {}.", iam_user(&user.name, &user.account));
            format!("{no} Did you mean {}?", iam_user(&near.name, &near.account))
        }
        DenialReason::UserDeleted => USER_GONE.to_owned(),
        DenialReason::TwoKeys { user } => two_keys(&user.name, &user.account),
        DenialReason::TooManyApprovers { max } => too_many_approvers(*max),
        DenialReason::TooFewApprovers { needed, found } => too_few_approvers(*needed, *found, help),
        DenialReason::TooManyOpenRequests { open } => too_many_open(open),
        DenialReason::KeyDeleted => KEY_GONE.to_owned(),
        DenialReason::ReplacementTooLate => END_PASSED.to_owned(),
        DenialReason::LifetimeEnded { key, end } => past_end(key, *end),
        DenialReason::ExpiryUndoneBefore { key } => undone_before(key),
        DenialReason::KeyNotInactive { key } => not_off(key),
        DenialReason::KeyNotActive { key } => not_on(key),
        DenialReason::Frozen => FROZEN_TOO.to_owned(),
    }
}

#[must_use]
pub fn refused(advice: &[String], help: Option<&ChannelId>) -> String {
    if advice.is_empty() { format!("No policy allows this. {}", ask_help(help)) } else { advice.join("\n") }
}

/// A longer lifetime than configured.
#[must_use]
pub fn too_many_days(most: u32) -> String {
    format!("The longest lifetime is {}. Submit a new request with `ttl:{most}d` or less.", days(most))
}

/// There is no such IAM user.
#[must_use]
pub fn no_such_user(user: &IamUserName, account: &Account, help: Option<&ChannelId>) -> String {
    format!(
        "There is no IAM user {}. Check the name in the AWS console. {}",
        iam_user(user, account),
        ask_help(help)
    )
}

/// The IAM user is outside the managed path.
#[must_use]
pub fn outside_path(user: &IamUserName, account: &Account, path: &str, help: Option<&ChannelId>) -> String {
    format!(
        "{} is not under `{}`, and keyvend manages no other IAM users. {}",
        iam_user(user, account),
        escape_mrkdwn(path),
        ask_help(help)
    )
}

/// The IAM user's path would be read as a pattern by the policies that keyvend works with.
#[must_use]
pub fn unsupported_path(user: &IamUserName, account: &Account, help: Option<&ChannelId>) -> String {
    format!(
        "The path of {} contains `*`, `?` or `$`, and keyvend does not support such IAM users. Have the user moved to another path. A key of it can be deactivated in the IAM console or with `keyvend key deactivate`. {}",
        iam_user(user, account),
        ask_help(help)
    )
}

/// The IAM user has no owner.
#[must_use]
pub fn no_owner(
    user: &IamUserName,
    account: &Account,
    asker: &SlackUserId,
    help: Option<&ChannelId>,
) -> String {
    format!(
        "Nobody is recorded as the owner of {}, so nobody can request its keys. If you own it, have it tagged `keyvend:owners` = `{}`. {}",
        iam_user(user, account),
        asker,
        ask_help(help)
    )
}

/// The policy set is invalid.
pub const POLICIES_INVALID: &str = "keyvend's policies are invalid, so nothing can be requested or approved. The keyvend administrators have been alerted; try again later.";

/// More approvers than a request can keep.
#[must_use]
pub fn too_many_approvers(most: usize) -> String {
    format!(
        "There are more than {most} approvers, and a request cannot record that many. Ask a keyvend administrator to set `KEYVEND_APPROVERS` to a smaller channel or user group, then submit the request again."
    )
}

/// Fewer people can approve a request than it needs.
#[must_use]
pub fn too_few_approvers(needed: u32, found: u32, help: Option<&ChannelId>) -> String {
    let can = match found {
        0 => "nobody in the approvers' channel or group can give one".to_owned(),
        1 => "only 1 person can give one".to_owned(),
        found => format!("only {found} people can give one"),
    };
    let approvals = if needed == 1 { "1 approval".to_owned() } else { format!("{needed} approvals") };
    format!(
        "This request needs {approvals}, and {can}. An approver must be added before you submit it again. {}",
        ask_help(help)
    )
}

/// The limit of open requests.
#[must_use]
pub fn too_many_open(open: &[RequestId]) -> String {
    let lines: Vec<String> = open.iter().map(|id| format!("\u{2022} `/access-key cancel {id}`")).collect();
    format!(
        "You have {} open requests, which is the limit. Get the keys that were approved or cancel what you no longer need, then submit a new request:\n{}",
        open.len(),
        lines.join("\n")
    )
}

/// The approvers' channel cannot be used, so nothing can be authorized.
#[must_use]
pub fn approvers_unreachable(help: Option<&ChannelId>) -> String {
    format!(
        "Approvals are unavailable: keyvend cannot use the approvers' channel in Slack. Nothing was changed. {} A keyvend administrator must fix this; then try again.",
        ask_help(help)
    )
}

/// AWS's limit of two keys, above a choice of them.
#[must_use]
pub fn two_keys(user: &IamUserName, account: &Account) -> String {
    format!(
        "{} has two access keys, and AWS allows only two. Deactivate the one that nobody needs, wait a few days to see that nothing breaks, delete it, and submit a new request. An active key is never deleted.",
        iam_user(user, account)
    )
}

/// The approved expiry has passed.
#[must_use]
pub fn past_end(key: &AccessKeyId, end: Timestamp) -> String {
    format!(
        "The approved lifetime of the key `{}` ended {}, and cannot be extended by reactivating or replacing it. Request a new key with `/access-key create`.",
        key,
        slack_date(end)
    )
}

/// The same when a replacement was to be created.
pub const END_PASSED: &str = "The approved lifetime of the key to be replaced has ended. No key was created; request a new key with `/access-key create`.";

/// Issuing is frozen, which includes this change.
pub const FROZEN_TOO: &str =
    "Key issuing is frozen, including reactivating and extending. Submit a new request once it is resumed.";

/// Its expiry was undone before.
#[must_use]
pub fn undone_before(key: &AccessKeyId) -> String {
    format!(
        "The key `{}` was already reactivated once after it expired. Request a new key with `/access-key create`.",
        key
    )
}

/// The key to be changed no longer exists.
pub const KEY_GONE: &str = "This key no longer exists. Request a new one with `/access-key`.";

/// The key to be reactivated is not inactive.
#[must_use]
pub fn not_off(key: &AccessKeyId) -> String {
    format!("The key `{key}` is not inactive, so it does not need to be reactivated.")
}

/// The key to be extended is not active.
#[must_use]
pub fn not_on(key: &AccessKeyId) -> String {
    format!("The key `{key}` is not active, so it cannot be extended. Request a new one with `/access-key`.")
}

/// The IAM user was deleted.
pub const USER_GONE: &str = "The IAM user no longer exists. No key was created.";
