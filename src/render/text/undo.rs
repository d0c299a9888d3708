//! Messages about taking back a deactivation, and about confirming a deletion.

use crate::domain::iam::{AccessKeyLastUsed, AccessKeyStatus, Account};
use crate::domain::key::{DELETION_GRACE, DeactivationReason, IssuedKey, KeyState};
use crate::id::{AccessKeyId, IamUserName, PersonId};
use crate::render::text::{KEY_GONE, days, iam_user, last_use, not_off, person, slack_date};
use crate::time::{DAY, Timestamp};

/// The button belongs to somebody else.
pub const NOT_YOURS_TO_UNDO: &str = "Only the person who deactivated the key can undo this.";

/// The IAM user of the key is quarantined.
pub const QUARANTINED: &str = "AWS has quarantined this IAM user because one of its keys leaked, so the key stays deactivated. Delete the leaked key and have the quarantine policy removed first.";

/// Issuing is frozen.
pub const FROZEN_FOR_NOW: &str = "Key issuing is frozen, so the key stays deactivated. Ask an approver.";

/// An issued key was deactivated by a person, who can undo it until then.
#[must_use]
pub fn deactivated_undoable(key: &AccessKeyId, until: Timestamp) -> String {
    let grace = days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0));
    format!(
        "The key `{key}` is deactivated. It no longer works anywhere, and is deleted in {grace}. If something breaks, press *Undo* in your direct messages with keyvend until {}; later `/access-key activate {key}` requests its reactivation.",
        slack_date(until)
    )
}

/// The same of a key that keyvend did not issue.
#[must_use]
pub fn unmanaged_deactivated_undoable(key: &AccessKeyId, until: Timestamp) -> String {
    format!(
        "The key `{key}` is deactivated. If something breaks, press *Undo* in your direct messages with keyvend until {}. keyvend did not issue this key and does not manage it: later it can only be activated in the AWS console. If nothing breaks for a few days, delete it with `/access-key delete {key}`.",
        slack_date(until)
    )
}

/// To whoever deactivated a key, beside the button.
#[must_use]
pub fn undo_offer(key: &AccessKeyId, user: &IamUserName, account: &Account, until: Timestamp) -> String {
    format!(
        "You deactivated the key `{key}` for {}. *Undo* activates it again without an approval, until {}.",
        iam_user(user, account),
        slack_date(until)
    )
}

/// The key is active again.
#[must_use]
pub fn undone(key: &AccessKeyId) -> String {
    format!("The deactivation of the key `{key}` is undone. The key is active again.")
}

/// The same, to its requester.
#[must_use]
pub fn undone_by(issued: &IssuedKey, by: &PersonId) -> String {
    format!(
        "{} undid the deactivation of the key `{}` for {}. The key is active again, and expires {}.",
        person(by),
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.expires_at)
    )
}

/// It was undone before.
#[must_use]
pub fn undone_already(key: &AccessKeyId) -> String {
    format!("The deactivation of the key `{key}` was already undone.")
}

/// The button was pressed too late.
#[must_use]
pub fn too_late_to_undo(key: &AccessKeyId, is_managed: bool) -> String {
    format!(
        "It is too late to undo the deactivation of the key `{key}`. {}",
        instead_of_undo(key, is_managed)
    )
}

/// Something happened to the key after it was deactivated.
#[must_use]
pub fn changed_since(issued: &IssuedKey) -> String {
    let key = &issued.key;
    match &issued.state {
        KeyState::Deleting { .. } | KeyState::Deleted { .. } => KEY_GONE.to_owned(),
        KeyState::Inactive { why: DeactivationReason::Reported, .. } => format!(
            "The key `{key}` was reported, so its deactivation cannot be undone. An approver who is not its requester can reactivate it with `/access-key activate {key}`."
        ),
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Activating { .. }
        | KeyState::Active => not_off(key),
        KeyState::Inactive { .. } | KeyState::Suspect { .. } | KeyState::NotOurs { .. } => format!(
            "The key `{key}` was changed after you deactivated it, so this cannot be undone. {}",
            instead_of_undo(key, true)
        ),
    }
}

/// The same of a key that keyvend did not issue.
#[must_use]
pub fn unmanaged_changed_since(key: &AccessKeyId) -> String {
    format!(
        "The key `{key}` was changed after you deactivated it, so this cannot be undone. {}",
        instead_of_undo(key, false)
    )
}

/// Policy does not allow the requester of the key to have it any more.
#[must_use]
pub fn requester_may_not(requester: &PersonId, why: &str) -> String {
    format!("The key stays deactivated, because {} may not have it any more: {why}", person(requester))
}

fn instead_of_undo(key: &AccessKeyId, is_managed: bool) -> String {
    if is_managed {
        format!("`/access-key activate {key}` requests its reactivation.")
    } else {
        "If something broke, activate it in the AWS console.".to_owned()
    }
}

/// Whether a key is to be deleted, beside the button.
#[must_use]
pub fn confirm_deletion(
    key: &AccessKeyId,
    user: &IamUserName,
    account: &Account,
    last_used: &AccessKeyLastUsed,
) -> String {
    format!(
        "Delete the inactive key `{key}` for {}? It {}. A deleted key cannot be restored.",
        iam_user(user, account),
        last_use(last_used)
    )
}

/// Where a deletion is confirmed.
#[must_use]
pub fn deletion_to_confirm(key: &AccessKeyId) -> String {
    format!(
        "The key `{key}` is not deleted yet. To confirm, press *Delete* in your direct messages with keyvend."
    )
}

/// Beside a question that nobody answered.
#[must_use]
pub fn deletion_not_confirmed(key: &AccessKeyId) -> String {
    format!(
        "The deletion of the key `{key}` was not confirmed in time. `/access-key delete {key}` asks again."
    )
}

/// What was done to a key that keyvend did not issue; deleted where it has no status.
#[must_use]
pub fn unmanaged_outcome(key: &AccessKeyId, status: Option<AccessKeyStatus>, now: Timestamp) -> String {
    let done = match status {
        Some(AccessKeyStatus::Active) => "activated",
        Some(AccessKeyStatus::Inactive | AccessKeyStatus::Expired) => "deactivated",
        None => "deleted",
    };
    format!("The key `{key}` was {done} {}.", slack_date(now))
}

/// A message whose buttons stand in newer ones.
pub const SUPERSEDED: &str = "Newer messages about this have the buttons.";
