//! Keys that do not match keyvend's records: what the approvers are told of them, and what marking them comes to.

use crate::domain::iam::{AccessKey, AccessKeyStatus, Account};
use crate::domain::reconciliation::{Discrepancy, FoundKey, MarkedKeys};
use crate::id::PersonId;
use crate::render::text::{iam_user, key_line, person, slack_date};
use crate::time::Timestamp;

pub const DISCREPANCIES: &str = "*Discrepancies between IAM and keyvend's records.* No action was taken. Each is reported once, and again when it changes.";

pub const NO_DISCREPANCIES: &str =
    "All active keys match keyvend's records, as far as the last daily comparison saw.";

pub const ONLY_APPROVERS_MARK: &str =
    "Only approvers can see or mark the keys of all accounts: ask one of them.";

pub const NOTHING_TO_MARK: &str =
    "None of these keys was found by the last comparison, so nothing was marked.";

/// One discrepancy.
#[must_use]
pub fn discrepancy(account: &Account, found: &FoundKey, now: Timestamp) -> String {
    let why = match &found.discrepancy {
        Discrepancy::Unmanaged => "was not issued by keyvend".to_owned(),
        Discrepancy::Expired { at } => format!("should have expired {}", slack_date(*at)),
        Discrepancy::Deactivated => "is active, though keyvend deactivated it".to_owned(),
    };
    let key = AccessKey {
        id: found.key.clone(),
        status: AccessKeyStatus::Active,
        create_date: found.create_date,
        last_used: found.last_used.clone(),
    };
    format!("{}: {} {why}.", iam_user(&found.user, account), key_line(&key, now))
}

/// A key that was reported, and is no longer active or matches the records.
#[must_use]
pub fn discrepancy_gone(account: &Account, found: &FoundKey) -> String {
    format!("{}: `{}`", iam_user(&found.user, account), found.key)
}

/// The date until which a key is marked as known.
#[must_use]
pub fn known_until(until: Timestamp) -> String {
    format!("Known until {}.", slack_date(until))
}

/// A key of the list that does not differ any more.
pub const NO_DISCREPANCY: &str = "No longer active, or as recorded.";

/// A report of which nothing is left.
pub const DISCREPANCIES_OVER: &str = "All of these keys match the records now, or are no longer active.";

/// Keys were marked as known.
#[must_use]
pub fn marked_known(until: Timestamp) -> String {
    format!("Marked as known until {}. What still does not match then is reported again.", slack_date(until))
}

/// The same, to all approvers.
#[must_use]
pub fn marked_known_by(approver: &PersonId, which: &MarkedKeys, until: Timestamp) -> String {
    let keys = match which {
        MarkedKeys::One(key) => format!("the key `{key}`"),
        MarkedKeys::ReportedUpTo(_) => "all keys that were reported".to_owned(),
    };
    format!("{} marked {keys} as known until {}.", person(approver), slack_date(until))
}

/// The first message of the thread of checkpoints.
pub const CHECKPOINTS: &str =
    "*Daily audit checkpoints* are posted in this thread. Keep it to detect later changes of older records.";
