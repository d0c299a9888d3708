//! Messages about events in a key's life after it was delivered.

use crate::domain::key::{DELETION_GRACE, DeactivationReason, IssuedKey, KeyState};
use crate::domain::request::KeyRequest;
use crate::id::{AccessKeyId, PersonId};
use crate::render::text::{comments, days, iam_user, person, slack_date};
use crate::time::DAY;

/// A key was deactivated, and why.
#[must_use]
pub fn key_off(issued: &IssuedKey, why: DeactivationReason) -> String {
    let (key, user) = (&issued.key, iam_user(&issued.user, &issued.account));
    let grace = days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0));
    match why {
        DeactivationReason::Unconfirmed => format!(
            "The key `{key}` for {user} was not confirmed as received, so it was deactivated. It will be deleted in 24 hours. *I saved it* requests reactivation, which needs an approval; *Get a new key* deletes it and creates another with the same approvals."
        ),
        DeactivationReason::Expired if issued.can_undo_expiry() => format!(
            "The key `{key}` for {user} has expired ({}) and was deactivated. It will be deleted in {grace}. If something broke, *Request reactivation* asks the approvers to activate it for at most 24 hours, once; for longer, request a new key with `/access-key create`.",
            slack_date(issued.expires_at)
        ),
        DeactivationReason::Expired => format!(
            "The key `{key}` for {user} has expired ({}) and was deactivated. It will be deleted in {grace}. Request a new key with `/access-key create` if you still need one.",
            slack_date(issued.expires_at)
        ),
        DeactivationReason::Reported => {
            format!("The key `{key}` for {user} was reported and deactivated. It will be deleted in {grace}.")
        }
        DeactivationReason::UserRequested => format!(
            "The key `{key}` for {user} was deactivated. It will be deleted in {grace}; until then `/access-key activate {key}` requests its reactivation."
        ),
        DeactivationReason::Rotated => format!(
            "The key `{key}` for {user} has been replaced and deactivated. It will be deleted in {grace}."
        ),
        DeactivationReason::DeletedInAws => key_gone(issued),
        DeactivationReason::OwnerDeactivated => format!(
            "The key `{key}` for {user} was deactivated because its requester has left. It will be deleted in {grace}."
        ),
    }
}

/// A key was deleted, and why.
#[must_use]
pub fn key_deleted(issued: &IssuedKey, why: DeactivationReason) -> String {
    let because = match why {
        DeactivationReason::Unconfirmed => "not confirmed as received",
        DeactivationReason::Expired => "it had expired",
        DeactivationReason::Reported => "it had been reported",
        DeactivationReason::UserRequested => "it had been deactivated",
        DeactivationReason::Rotated => "replaced by another key",
        DeactivationReason::OwnerDeactivated => "its requester has left",
        DeactivationReason::DeletedInAws => "it was deleted in AWS, or its IAM user was",
    };
    format!("The key `{}` for {} is deleted: {because}.", issued.key, iam_user(&issued.user, &issued.account))
}

/// A key that is not in AWS any more.
#[must_use]
pub fn key_gone(issued: &IssuedKey) -> String {
    format!(
        "The key `{}` for {} no longer exists in AWS: it was deleted there, or its IAM user was. There is nothing left to do.",
        issued.key,
        iam_user(&issued.user, &issued.account)
    )
}

/// IAM has not shown for a long time that a key is off or deleted. `cause` is what it says.
#[must_use]
pub fn key_unproven(key: &AccessKeyId, cause: &str) -> String {
    format!(
        "*The key `{key}` may still work.* IAM does not show that it is inactive or deleted: {cause}. Check it now in the AWS console, and deactivate it there: IAM, the key's user, Security credentials. If the IAM user lost its tag `keyvend:owners` or was moved out of the managed path, keyvend may not change its keys."
    )
}

/// A link expired unused.
#[must_use]
pub fn link_expired(request: &KeyRequest) -> String {
    format!(
        "Your one-time link for {} expired unused. No key was created; press *Get my key* for a new link.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// To the approvers: a suspect key.
#[must_use]
pub fn suspect(issued: &IssuedKey) -> String {
    format!(
        "*Unknown access key.* AWS did not respond when a key for {} was created for {}, and the key `{}`, created {}, did not exist before. Nobody has its secret, so it was deactivated. CloudTrail shows who created it: find `CreateAccessKey` at that time; keyvend's call has the session name `{}`. If keyvend created it, delete it. If somebody else did, keep it: it stays inactive, and they can activate it.",
        iam_user(&issued.user, &issued.account),
        person(&issued.requester),
        issued.key,
        slack_date(issued.issued_at),
        issued.request
    )
}

/// The outcome of a suspect key.
#[must_use]
pub fn suspect_settled(issued: &IssuedKey) -> String {
    let key = &issued.key;
    match &issued.state {
        KeyState::Suspect { .. } => format!("It is not decided yet whether keyvend created the key `{key}`."),
        KeyState::Deleting { .. } => format!("The key `{key}` is being deleted."),
        KeyState::Deleted { .. } => format!("The key `{key}` is deleted."),
        KeyState::NotOurs { by } => format!(
            "{} decided that keyvend did not create the key `{key}`. keyvend will not manage it.",
            person(by)
        ),
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Inactive { .. }
        | KeyState::Activating { .. }
        | KeyState::Active => format!("The key `{key}` was issued by keyvend."),
    }
}

/// After the last check of an ambiguous create.
#[must_use]
pub fn doubt_settled(request: &KeyRequest, suspects: &[&AccessKeyId]) -> String {
    let what = iam_user(&request.details.user, &request.details.account);
    match suspects {
        [] => format!(
            "AWS shows no key for {what} from the attempt without a response. Press *Get my key* to try again."
        ),
        found => {
            let found = found.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            format!(
                "AWS did not respond when your key for {what} was created, and {found} may be the result. Nobody has its secret, so it was deactivated, and the approvers are asked to decide. Until then it is one of the two keys that AWS allows. Press *Get my key* to try again."
            )
        }
    }
}

/// An approved change is being applied.
#[must_use]
pub fn being_done(request: &KeyRequest) -> String {
    let by: Vec<String> = request.approvals.iter().map(|approval| person(&approval.by)).collect();
    format!(
        "Approved by {}: the change of your request for {} is being applied; you will be notified here.{}",
        by.join(" and "),
        iam_user(&request.details.user, &request.details.account),
        comments(request)
    )
}

/// The day's anchor of the audit trail.
#[must_use]
pub fn anchor(day: &str, end: &str) -> String {
    format!(
        "Audit checkpoint of {day}: `{end}`. Keep this message to detect later changes of older records: `keyvend audit verify --anchor` takes the hash after the colon."
    )
}

/// AWS quarantined the IAM user of a managed key.
#[must_use]
pub fn quarantined(issued: &IssuedKey) -> String {
    let stands = if issued.state.is_active() {
        "is active: unless you know that another key leaked, deactivate it and request a new one"
    } else {
        "is inactive, and only an approver who is not its requester can reactivate it"
    };
    format!(
        "AWS has quarantined {} because a key leaked. The key `{}`, issued to {}, {stands}. AWS opens a support case that names the key; no key is issued for this IAM user until its quarantine policy is detached.",
        iam_user(&issued.user, &issued.account),
        issued.key,
        person(&issued.requester)
    )
}

/// To the approvers: a requester with active keys has left.
#[must_use]
pub fn owner_left(who: &PersonId, keys: usize) -> String {
    let those = if keys == 1 {
        "a key that they requested is still active"
    } else {
        "keys that they requested are still active"
    };
    format!(
        "{} has left, and {those}. Still needed? Everybody who needs one should request a key of their own.",
        person(who)
    )
}

/// One of that person's keys.
#[must_use]
pub fn left_key(issued: &IssuedKey) -> String {
    format!(
        "`{}` for {}, until {}",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.expires_at)
    )
}

/// `slack` could not tell in time whether a `deactivate` was queued.
#[must_use]
pub fn deactivation_unconfirmed(key: &AccessKeyId) -> String {
    format!(
        "keyvend did not confirm in time that it will deactivate `{key}`. If no answer appears here within a minute, type the command again. If the key must be inactive now, deactivate it in the AWS console, too: `aws iam update-access-key --status Inactive --access-key-id {key}`."
    )
}

/// IAM has not confirmed a deactivation.
#[must_use]
pub fn deactivation_failed(key: &AccessKeyId) -> String {
    format!(
        "IAM has not confirmed that the key `{key}` is inactive. It is marked as deactivated, and keyvend retries every minute. If it must be inactive now, deactivate it in the AWS console, too."
    )
}
