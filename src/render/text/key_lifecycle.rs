//! What is said of a key after it was handed over.

use crate::domain::iam::{AccessKey, Account};
use crate::domain::key::{DELETION_GRACE, DeactivationReason, IssuedKey, KeyState};
use crate::domain::request::KeyRequest;
use crate::id::{AccessKeyId, IamUserName, PersonId};
use crate::render::text::{days, iam_user, person, slack_date};
use crate::time::{DAY, Timestamp};

/// A key is off, and why.
#[must_use]
pub fn key_off(issued: &IssuedKey, why: DeactivationReason) -> String {
    let (key, user) = (&issued.key, iam_user(&issued.user, &issued.account));
    let grace = days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0));
    match why {
        DeactivationReason::Unconfirmed => format!(
            "Nobody confirmed having received the key `{key}` for {user}, so it is switched off. In a day it is deleted. If you have it, press *I have it*; if the browser tab is gone, *Replace it* deletes it and gets you another."
        ),
        DeactivationReason::Expired if issued.can_undo_expiry() => format!(
            "The key `{key}` for {user} has expired ({}) and is switched off. In {grace} it is deleted. If something broke, *Undo* asks for it back for at most 24 hours, once; for longer, ask for a new one with `/access-key create`.",
            slack_date(issued.expires_at)
        ),
        DeactivationReason::Expired => format!(
            "The key `{key}` for {user} has expired ({}) and is switched off. In {grace} it is deleted. Ask for a new one with `/access-key create` if you still need it.",
            slack_date(issued.expires_at)
        ),
        DeactivationReason::Reported => {
            format!("The key `{key}` for {user} was reported and is switched off. In {grace} it is deleted.")
        }
        DeactivationReason::UserRequested => format!(
            "The key `{key}` for {user} is switched off. In {grace} it is deleted; until then `/access-key activate {key}` asks for it back."
        ),
        DeactivationReason::Rotated => format!(
            "The key `{key}` for {user} has been replaced and is switched off. In {grace} it is deleted."
        ),
        DeactivationReason::OwnerDeactivated => format!(
            "The key `{key}` for {user} is switched off, because whoever it was for has left. In {grace} it is deleted."
        ),
    }
}

/// A key is gone, and why.
#[must_use]
pub fn key_deleted(issued: &IssuedKey, why: DeactivationReason) -> String {
    let because = match why {
        DeactivationReason::Unconfirmed => "nobody confirmed having received it",
        DeactivationReason::Expired => "it had expired",
        DeactivationReason::Reported => "it had been reported",
        DeactivationReason::UserRequested => "it had been switched off",
        DeactivationReason::Rotated => "another key took its place",
        DeactivationReason::OwnerDeactivated => "whoever it was for has left",
    };
    format!("The key `{}` for {} is deleted: {because}.", issued.key, iam_user(&issued.user, &issued.account))
}

/// Nobody opened a link in time.
#[must_use]
pub fn link_expired(request: &KeyRequest) -> String {
    format!(
        "Your one-time link for {} expired unopened. No key was created; press *Get my key* for a new link.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// A key may have come of a `CreateAccessKey` that nobody heard the answer of.
#[must_use]
pub fn suspect(issued: &IssuedKey) -> String {
    format!(
        "*Is this key ours?* AWS gave no answer when a key for {} was created for {}, and the key `{}`, created {}, was not there before. Nobody has its secret, so it is switched off. \
         CloudTrail shows who made it: look for `CreateAccessKey` at that time; ours carries the session name `{}`. If it is ours, delete it. If somebody else made it, say so: it stays as it is, switched off, and is theirs to switch on.",
        iam_user(&issued.user, &issued.account),
        person(&issued.requester),
        issued.key,
        slack_date(issued.issued_at),
        issued.request
    )
}

/// What became of it.
#[must_use]
pub fn suspect_settled(issued: &IssuedKey) -> String {
    let key = &issued.key;
    match &issued.state {
        KeyState::Suspect { .. } => format!("Whether the key `{key}` is ours is still open."),
        KeyState::Deleting { .. } => format!("The key `{key}` is being deleted."),
        KeyState::Deleted { .. } => format!("The key `{key}` is deleted."),
        KeyState::NotOurs { by } => format!(
            "{} said that the key `{key}` is not ours. It stays as it is, and nothing more is done with it here.",
            person(by)
        ),
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Inactive { .. }
        | KeyState::Activating { .. }
        | KeyState::Active => format!("The key `{key}` is one that was issued here."),
    }
}

/// After the last look: the request may be tried again.
#[must_use]
pub fn doubt_settled(request: &KeyRequest, suspects: &[&AccessKeyId]) -> String {
    let what = iam_user(&request.details.user, &request.details.account);
    match suspects {
        [] => format!(
            "AWS has shown no key for {what} from the attempt that it gave no answer to. Press *Get my key* to try again."
        ),
        found => {
            let found = found.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            format!(
                "AWS gave no answer when your key for {what} was created, and {found} may have come of it. Nobody has its secret, so it is switched off, and the approvers are asked what it is. Until then it takes one of the two places for keys. Press *Get my key* to try again."
            )
        }
    }
}

/// A key that is to come back or to live longer is not there any more.
pub const KEY_GONE: &str = "This key no longer exists. Ask for a new one with `/access-key`.";

/// A key that is to come back is not off.
#[must_use]
pub fn not_off(issued: &IssuedKey) -> String {
    format!("The key `{}` is not switched off, so there is nothing to bring back.", issued.key)
}

/// A key that is to live longer is not on.
#[must_use]
pub fn not_on(issued: &IssuedKey) -> String {
    format!(
        "The key `{}` is not on, so it cannot live longer. Ask for a new one with `/access-key`.",
        issued.key
    )
}

/// What was asked about a key that exists is approved, and is being done.
#[must_use]
pub fn being_done(request: &KeyRequest) -> String {
    let by: Vec<String> = request.approvals.iter().map(|approval| person(&approval.by)).collect();
    format!(
        "Approved by {}: your request for {} is being carried out, and you hear of it here.",
        by.join(" and "),
        iam_user(&request.details.user, &request.details.account)
    )
}

/// The day's anchor of the audit trail.
#[must_use]
pub fn anchor(day: &str, end: &str) -> String {
    format!(
        "Audit checkpoint of {day}: `{end}`. Whoever keeps this message can tell later whether an older record was changed: `keyvend audit verify --anchor` takes what stands after the colon."
    )
}

/// What the daily comparison of IAM with the table found.
#[must_use]
pub fn compared(lines: &[String], more: usize) -> String {
    let more = if more == 0 { String::new() } else { format!("\nand {more} more.") };
    format!(
        "*Keys in IAM that do not fit what is on record.* Nothing was done to them.\n{}{more}",
        lines.join("\n")
    )
}

/// One such key. What is on record of it, if anything.
#[must_use]
pub fn compared_line(
    user: &IamUserName,
    account: &Account,
    key: &AccessKey,
    record: Option<&IssuedKey>,
    now: Timestamp,
) -> String {
    let why = match record {
        None => "was not issued here".to_owned(),
        Some(issued) if issued.state.is_active() => {
            format!("should have ended {}", slack_date(issued.expires_at))
        }
        Some(_) => "is on, though it was switched off here".to_owned(),
    };
    format!("\u{2022} {}: {} {why}.", iam_user(user, account), crate::render::text::key_line(key, now))
}

/// AWS quarantined the IAM user of a key that was issued here.
#[must_use]
pub fn quarantined(issued: &IssuedKey) -> String {
    let stands = if issued.state.is_active() {
        "is on: unless you know that it was another key that leaked, switch it off and have a new one issued"
    } else {
        "is off, and only an approver who did not ask for it can switch it on again"
    };
    format!(
        "AWS has quarantined {}, which it does when a key leaked. The key `{}`, issued to {}, {stands}. A support case of AWS says which key it was; no key is issued for this IAM user until its quarantine policy is detached.",
        iam_user(&issued.user, &issued.account),
        issued.key,
        person(&issued.requester)
    )
}

/// Somebody left: the approvers are asked about the keys that person asked for.
#[must_use]
pub fn owner_left(who: &PersonId, keys: usize) -> String {
    let those = if keys == 1 {
        "a key that they asked for still works"
    } else {
        "keys that they asked for still work"
    };
    format!(
        "{} has left, and {those}. Is it still needed? Whoever needs one should ask for a key of their own.",
        person(who)
    )
}

/// One of them.
#[must_use]
pub fn left_key(issued: &IssuedKey) -> String {
    format!(
        "`{}` for {}, until {}",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.expires_at)
    )
}

/// Somebody wants a key off, and IAM does not answer.
#[must_use]
pub fn off_not_done(key: &AccessKeyId) -> String {
    format!(
        "IAM has not confirmed that the key `{key}` is off. It is marked to be off, and I go on trying every minute. If it must be off this minute, switch it off in the AWS console, too."
    )
}
