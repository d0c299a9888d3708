//! Messages about existing keys: in lists, before expiry, and when a change is requested.

use crate::domain::iam::{AccessKey, AccessKeyLastUsed};
use crate::domain::key::{
    DELETION_GRACE, DeactivationReason, IssuedKey, KeyState, MAX_POSTPONEMENTS, PostponeReason, Postponement,
    Successor, UNCONFIRMED_DELETION_GRACE,
};
use crate::domain::request::{KeyRequest, RequestKind};
use crate::id::{AccessKeyId, IamUserName};
use crate::policy::IamUserRef;
use crate::render::text::{
    alternative, days, escape_mrkdwn, iam_user, key_line, person, reason, slack_date, suspect_settled,
};
use crate::time::{DAY, Timestamp};

pub const KEYS_LISTED: &str = "*Access keys*, as AWS reports them now. Deactivate and Delete take effect immediately; other actions need an approval.";

/// No IAM user is on record for the person.
pub const NOTHING_TO_LIST: &str = "keyvend does not know any IAM users that you own; new tags can take a day to show up. To list the keys of an IAM user: `/access-key list &lt;iam-user&gt;`.";

/// The person no longer owns any of the IAM users on record.
pub const NOTHING_LISTED: &str = "You no longer own any of the IAM users that keyvend had on record for you. `/access-key whoami` shows how ownership is defined.";

/// The heading of one IAM user's keys.
#[must_use]
pub fn keys_of(user: &IamUserRef, number: usize) -> String {
    let what = iam_user(&user.name, &user.account);
    if number == 0 { format!("*{what}* has no access keys.") } else { format!("*{what}*") }
}

/// An IAM user that could not be read.
#[must_use]
pub fn unreadable(user: &IamUserRef) -> String {
    format!("*{}* cannot be read at the moment.", iam_user(&user.name, &user.account))
}

/// IAM users that do not fit in the list.
#[must_use]
pub fn more_users(rest: &[IamUserRef]) -> String {
    const MOST: usize = 10;
    let mut names: Vec<String> =
        rest.iter().take(MOST).map(|user| iam_user(&user.name, &user.account)).collect();
    if rest.len() > MOST {
        names.push(format!("and {} more", rest.len() - MOST));
    }
    format!(
        "Not shown: {}. To list the keys of an IAM user: `/access-key list &lt;iam-user&gt;[@account]`.",
        names.join(", ")
    )
}

/// One key in a list: its state in IAM, and keyvend's record.
#[must_use]
pub fn key_row(key: &AccessKey, issued: Option<&IssuedKey>, now: Timestamp) -> String {
    let line = key_line(key, now);
    let Some(issued) = issued else {
        return format!("{line}\nNot issued by keyvend: its requester and expiry are unknown.");
    };
    let asked = format!("Requested by {}", person(&issued.requester));
    let end = match &issued.state {
        KeyState::Suspect { .. } => {
            return format!(
                "{line}\nIt may have been created for a request by {}: the approvers are asked to decide.",
                person(&issued.requester)
            );
        }
        KeyState::NotOurs { .. } => {
            return format!("{line}\nNot issued by keyvend: its requester and expiry are unknown.");
        }
        KeyState::Delivered => "not confirmed as received yet".to_owned(),
        KeyState::Unconfirmed { .. } => "not confirmed as received".to_owned(),
        KeyState::Confirmed | KeyState::Active => expires(issued),
        KeyState::Inactive { why, since } => {
            let grace = if *why == DeactivationReason::Unconfirmed {
                UNCONFIRMED_DELETION_GRACE
            } else {
                DELETION_GRACE
            };
            let gone = slack_date(Timestamp(since.0 + grace));
            format!("deactivated {}: {}; it is deleted {gone}", slack_date(*since), because(*why))
        }
        KeyState::Activating { .. } => "being activated".to_owned(),
        KeyState::Deleting { .. } => "being deleted".to_owned(),
        KeyState::Deleted { at, .. } => format!("deleted {}", slack_date(*at)),
    };
    let successor = issued.successor.as_ref();
    let successor = successor.map_or(String::new(), |new| format!(" `{}` has replaced it.", new.key));
    format!("{line}\n{asked}, {end}.{successor}\n{}", reason(&issued.reason))
}

/// What came of a key, where something was asked about it. That it is active is so for the time being.
#[must_use]
pub fn key_outcome(issued: &IssuedKey, now: Timestamp) -> String {
    let (key, user) = (&issued.key, iam_user(&issued.user, &issued.account));
    let as_of = if issued.state.is_active() { format!("{}: ", slack_date(now)) } else { String::new() };
    format!("{as_of}The key `{key}` for {user}. {}", key_now(issued))
}

/// How a key stands now, as a sentence.
#[must_use]
pub fn key_now(issued: &IssuedKey) -> String {
    match &issued.state {
        KeyState::Delivered | KeyState::Confirmed | KeyState::Unconfirmed { .. } | KeyState::Active => {
            format!("It is active, and {}.", expires(issued))
        }
        KeyState::Inactive { why, since } => {
            format!("It was deactivated {}: {}.", slack_date(*since), because(*why))
        }
        KeyState::Activating { .. } => "It is being activated.".to_owned(),
        KeyState::Deleting { .. } => "It is being deleted.".to_owned(),
        KeyState::Deleted { why, at } => format!("It was deleted {}: {}.", slack_date(*at), because(*why)),
        KeyState::Suspect { .. } | KeyState::NotOurs { .. } => suspect_settled(issued),
    }
}

fn expires(issued: &IssuedKey) -> String {
    match &issued.postponement {
        None => format!("expires {}", slack_date(issued.expires_at)),
        Some(postponement) => format!(
            "expired {}, and is deactivated {} because it was still in use",
            slack_date(issued.expires_at),
            slack_date(postponement.new_deadline)
        ),
    }
}

fn because(why: DeactivationReason) -> &'static str {
    match why {
        DeactivationReason::Reported => "reported",
        DeactivationReason::Unconfirmed => "not confirmed as received",
        DeactivationReason::Expired => "expired",
        DeactivationReason::UserRequested => "at a person's request",
        DeactivationReason::Rotated => "replaced by another key",
        DeactivationReason::OwnerDeactivated => "its requester has left",
        DeactivationReason::DeletedInAws => "deleted in AWS",
    }
}

/// Before a key is deactivated by a button, as plain text.
#[must_use]
pub fn sure_to_deactivate(key: &AccessKeyId, user: &IamUserName) -> String {
    format!("The key {key} of {user} stops working immediately, everywhere.")
}

/// The same where it is reported as well.
#[must_use]
pub fn sure_to_report(key: &AccessKeyId, user: &IamUserName) -> String {
    format!(
        "The key {key} of {user} stops working immediately, everywhere, and the approvers are notified. Only an approver who is not its requester can reactivate it."
    )
}

/// Before a key is deleted.
#[must_use]
pub fn sure_to_delete(key: &AccessKeyId, user: &IamUserName) -> String {
    format!("The key {key} of {user} will be deleted. It cannot be restored.")
}

/// Before a key that nobody received is replaced.
#[must_use]
pub fn sure_to_replace(key: &AccessKeyId, user: &IamUserName) -> String {
    format!("The key {key} of {user} is deleted now, and you receive a link for a new one.")
}

/// An unknown key id.
#[must_use]
pub fn no_such_key(key: &AccessKeyId) -> String {
    format!(
        "There is no key `{key}` in the configured accounts. It may have been deleted. `/access-key list` shows your keys."
    )
}

/// The action is available only for keys that keyvend issued.
#[must_use]
pub fn not_issued_here(key: &AccessKeyId) -> String {
    format!(
        "keyvend did not issue the key `{key}`, so it cannot be reactivated, rotated or extended here; it can only be deactivated and deleted. Request a key of your own with `/access-key create`."
    )
}

#[must_use]
pub fn being_asked_about(key: &AccessKeyId) -> String {
    format!(
        "It is unknown whether keyvend created the key `{key}`. It is deactivated, and the approvers are asked to decide in the approvals channel."
    )
}

/// An active key that is not confirmed yet.
#[must_use]
pub fn not_confirmed(issued: &IssuedKey) -> String {
    format!(
        "The key `{}` is not confirmed as received yet. Save it in the browser tab first; an unconfirmed key is deactivated within ten minutes.",
        issued.key
    )
}

/// It was replaced before.
#[must_use]
pub fn replaced_already(issued: &IssuedKey, successor: &Successor) -> String {
    format!("The key `{}` has already been replaced, by `{}`.", issued.key, successor.key)
}

/// It cannot be extended further yet.
#[must_use]
pub fn long_enough(issued: &IssuedKey) -> String {
    format!(
        "The key `{}` is already valid until {}. Extend it closer to its expiry.",
        issued.key,
        slack_date(issued.expires_at)
    )
}

/// It is not unconfirmed.
#[must_use]
pub fn not_unconfirmed(issued: &IssuedKey) -> String {
    format!(
        "Receipt of the key `{}` has already been settled. `/access-key list` shows its state.",
        issued.key
    )
}

/// Its replacement was already requested.
#[must_use]
pub fn replacement_asked(issued: &IssuedKey) -> String {
    format!(
        "A replacement of `{}` has already been requested. `/access-key status` shows that request.",
        issued.key
    )
}

/// An active key cannot be deleted.
#[must_use]
pub fn active_is_not_deleted(key: &AccessKeyId) -> String {
    format!(
        "The key `{key}` is active, and an active key is never deleted. Deactivate it, wait a few days to see that nothing breaks, then delete it."
    )
}

/// It is already inactive.
#[must_use]
pub fn off_already(key: &AccessKeyId) -> String {
    format!("The key `{key}` is already deactivated.")
}

/// It was deactivated by a person.
#[must_use]
pub fn deactivated(issued: &IssuedKey) -> String {
    let grace = days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0));
    format!(
        "The key `{0}` is deactivated. It no longer works anywhere, and is deleted in {grace}; until then `/access-key activate {0}` requests its reactivation.",
        issued.key
    )
}

/// The same of a key that keyvend did not issue.
#[must_use]
pub fn unmanaged_deactivated(key: &AccessKeyId) -> String {
    format!(
        "The key `{key}` is deactivated. keyvend did not issue it and does not manage it: activate it again in the AWS console if something breaks; if nothing does for a few days, delete it with `/access-key delete {key}`."
    )
}

/// An unmanaged key was deleted.
#[must_use]
pub fn unmanaged_deleted(key: &AccessKeyId) -> String {
    format!("The key `{key}` is deleted. It cannot be restored.")
}

/// An unmanaged key was activated before it could be deleted.
#[must_use]
pub fn unmanaged_not_deleted(key: &AccessKeyId) -> String {
    format!("The key `{key}` was activated again before it could be deleted, so it was not deleted.")
}

/// Another operation on the IAM user is in progress.
#[must_use]
pub fn being_worked_on(key: &AccessKeyId) -> String {
    format!("Another operation on the key `{key}` is in progress. Check `/access-key list` in a minute.")
}

/// A last use, as part of a sentence.
#[must_use]
pub fn last_use(last_used: &AccessKeyLastUsed) -> String {
    match last_used {
        AccessKeyLastUsed::Never => "was never used".to_owned(),
        AccessKeyLastUsed::Unknown => "has an unknown last use".to_owned(),
        AccessKeyLastUsed::At { at, service, region } => {
            format!(
                "was last used {} with {} in {}",
                slack_date(*at),
                escape_mrkdwn(service),
                escape_mrkdwn(region)
            )
        }
    }
}

/// The reminder before expiry.
#[must_use]
pub fn expires_soon(issued: &IssuedKey, last_used: &AccessKeyLastUsed) -> String {
    let what = iam_user(&issued.user, &issued.account);
    let end = slack_date(issued.expires_at);
    let next = match &issued.successor {
        Some(successor) => {
            format!("`{}` has replaced it: deactivate this one once nothing uses it.", successor.key)
        }
        None => format!(
            "*Extend* requests a later expiry for this key. *Rotate and renew* requests a new key in its place for {}. If nobody needs the key, do nothing.",
            days(issued.days)
        ),
    };
    format!(
        "The key `{}` for {what} expires {end} and is then deactivated. It {}.\n{next}",
        issued.key,
        last_use(last_used)
    )
}

/// Its expiry is postponed.
#[must_use]
pub fn postponement(
    issued: &IssuedKey,
    last_used: &AccessKeyLastUsed,
    postponement: Postponement,
    unready: PostponeReason,
) -> String {
    let because = match unready {
        PostponeReason::Unreminded => {
            format!("no reminder reached {} at least a day before expiry", person(&issued.requester))
        }
        PostponeReason::OutOfHours => format!(
            "it is outside office hours (Monday to Thursday, 09:00 to 15:00) for {}",
            person(&issued.requester)
        ),
    };
    let times = match postponement.times {
        times if times <= MAX_POSTPONEMENTS => format!("{times} of at most {MAX_POSTPONEMENTS} times"),
        times => format!("{times} times, because no message about its expiry was delivered"),
    };
    format!(
        "The key `{}` for {} expired {}, but is not deactivated yet: it {}, and {because}. It will be deactivated {} instead (postponed {times}).",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.expires_at),
        last_use(last_used),
        slack_date(postponement.new_deadline),
    )
}

/// A replaced key is idle.
#[must_use]
pub fn quiet(issued: &IssuedKey, successor: &Successor, last_used: &AccessKeyLastUsed) -> String {
    format!(
        "`{}` replaced the key `{}` for {} {}, and the old one {}. Deactivate it now? It is deleted {} later and can be reactivated until then. If you do nothing, it stays active until {}.",
        successor.key,
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(successor.confirmed_at),
        last_use(last_used),
        days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0)),
        slack_date(issued.deadline())
    )
}

/// What is requested about an existing key, on the card; `None` for a new key.
#[must_use]
pub fn asks_again(request: &KeyRequest) -> Option<String> {
    let asked = &request.details;
    let (who, what) = (person(&asked.requester), iam_user(&asked.user, &asked.account));
    Some(match &asked.kind {
        RequestKind::Create => return None,
        RequestKind::Rotate { key, end, renews: false, .. } => format!(
            "*{who}* requests a new key for {what} to replace `{key}`, until {}, when that one expires:",
            slack_date(*end)
        ),
        RequestKind::Rotate { key, end, renews: true, .. } => format!(
            "*{who}* requests a new key for {what} to replace `{key}` and outlive it, until {}:",
            slack_date(*end)
        ),
        RequestKind::Reactivate { key, end, undo: true } => format!(
            "*{who}* requests reactivation of the expired key `{key}` for {what}, until {}:",
            slack_date(*end)
        ),
        RequestKind::Reactivate { key, end, undo: false } => format!(
            "*{who}* requests reactivation of the inactive key `{key}` for {what}, until {}:",
            slack_date(*end)
        ),
        RequestKind::Extend { key, end } => {
            format!(
                "*{who}* requests an extension of the key `{key}` for {what}, until {}:",
                slack_date(*end)
            )
        }
    })
}

/// What was requested, as part of a sentence to its requester.
#[must_use]
pub fn wanted(request: &KeyRequest) -> String {
    let what = iam_user(&request.details.user, &request.details.account);
    match &request.details.kind {
        RequestKind::Create => format!("a key for {what}"),
        RequestKind::Rotate { key, end, .. } => {
            format!("a key for {what} to replace `{key}`, until {}", slack_date(*end))
        }
        RequestKind::Reactivate { key, end, .. } => {
            format!("reactivation of the key `{key}` for {what}, until {}", slack_date(*end))
        }
        RequestKind::Extend { key, end } => {
            format!("extension of the key `{key}` for {what}, until {}", slack_date(*end))
        }
    }
}

/// Why the key is inactive, in the thread of a reactivation card.
#[must_use]
pub fn why_off(why: DeactivationReason, since: Timestamp) -> String {
    format!("Inactive since {}: {}.", slack_date(since), because(why))
}

/// A change that needs no further approval is in progress.
#[must_use]
pub fn under_way(request: &KeyRequest) -> String {
    format!(
        "Request accepted: {}. The change is in progress; you will be notified here in a moment.",
        wanted(request)
    )
}

/// What AWS recommends instead, for requests of a new key.
#[must_use]
pub fn instead(request: &KeyRequest) -> Option<&'static str> {
    request.details.kind.existing().is_none().then(|| alternative(request.details.use_case))
}
