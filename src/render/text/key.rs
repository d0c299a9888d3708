//! What is said of the life of a key: in a list, before its end, and when more is asked for it.

use crate::domain::iam::{AccessKey, AccessKeyLastUsed, Account};
use crate::domain::key::{
    DELETION_GRACE, DeactivationReason, IssuedKey, KeyState, MAX_POSTPONEMENTS, PostponeReason, Postponement,
    Successor, UNCONFIRMED_DELETION_GRACE,
};
use crate::domain::request::{KeyRequest, RequestKind};
use crate::id::{AccessKeyId, IamUserName};
use crate::policy::IamUserRef;
use crate::render::text::{alternative, days, escape_mrkdwn, iam_user, key_line, person, reason, slack_date};
use crate::time::{DAY, Timestamp};

/// Above a list.
pub const KEYS_LISTED: &str = "*Access keys*, as AWS has them now. Switching off and deleting happen at once; everything else is asked of the approvers.";

/// The directory knows no IAM user of theirs.
pub const NOTHING_TO_LIST: &str = "I know no IAM user of yours yet; one that was tagged today may be missing here. Name one to see its keys: `/access-key list &lt;iam-user&gt;`.";

/// None of those that the directory knows is theirs any more.
pub const NOTHING_LISTED: &str = "None of the IAM users that I knew as yours is yours any more. `/access-key whoami` says what makes one yours.";

/// The heading of one IAM user's keys.
#[must_use]
pub fn keys_of(user: &IamUserRef, number: usize) -> String {
    let what = iam_user(&user.name, &user.account);
    if number == 0 { format!("*{what}* has no access keys.") } else { format!("*{what}*") }
}

/// An IAM user that could not be looked up.
#[must_use]
pub fn unreadable(user: &IamUserRef) -> String {
    format!("*{}* cannot be looked up just now.", iam_user(&user.name, &user.account))
}

/// There are more than a list holds.
#[must_use]
pub fn more_users(rest: &[IamUserRef]) -> String {
    const MOST: usize = 10;
    let mut names: Vec<String> =
        rest.iter().take(MOST).map(|user| iam_user(&user.name, &user.account)).collect();
    if rest.len() > MOST {
        names.push(format!("{} more", rest.len() - MOST));
    }
    format!(
        "Not shown: {}. Name one to see its keys: `/access-key list &lt;iam-user&gt;[@account]`.",
        names.join(", ")
    )
}

/// One key in a list: as IAM has it, and what keyvend knows of it.
#[must_use]
pub fn key_row(key: &AccessKey, issued: Option<&IssuedKey>, now: Timestamp) -> String {
    let line = key_line(key, now);
    let Some(issued) = issued else {
        return format!("{line}\nNot issued by keyvend: who asked for it and until when is not known.");
    };
    let asked = format!("Asked for by {}", person(&issued.requester));
    let end = match &issued.state {
        KeyState::Suspect { .. } => {
            return format!(
                "{line}\nIt may have come of a request by {}: the approvers are asked what it is.",
                person(&issued.requester)
            );
        }
        KeyState::NotOurs { .. } => {
            return format!("{line}\nNot issued by keyvend: who asked for it and until when is not known.");
        }
        KeyState::Delivered => "nobody has confirmed yet that they received it".to_owned(),
        KeyState::Unconfirmed { .. } => "nobody confirmed having received it".to_owned(),
        KeyState::Confirmed | KeyState::Active => expires(issued),
        KeyState::Inactive { why, since } => {
            let grace = if *why == DeactivationReason::Unconfirmed {
                UNCONFIRMED_DELETION_GRACE
            } else {
                DELETION_GRACE
            };
            let gone = slack_date(Timestamp(since.0 + grace));
            format!("switched off {} because {}; it is deleted {gone}", slack_date(*since), because(*why))
        }
        KeyState::Activating { .. } => "being switched on".to_owned(),
        KeyState::Deleting { .. } => "being deleted".to_owned(),
        KeyState::Deleted { at, .. } => format!("deleted {}", slack_date(*at)),
    };
    let successor = issued.successor.as_ref();
    let successor = successor.map_or(String::new(), |new| format!(" `{}` has taken its place.", new.key));
    format!("{line}\n{asked}, {end}.{successor}\n{}", reason(&issued.reason))
}

fn expires(issued: &IssuedKey) -> String {
    match &issued.postponement {
        None => format!("expires {}", slack_date(issued.expires_at)),
        Some(put_off) => format!(
            "expired {}, and is switched off {} because it was still in use",
            slack_date(issued.expires_at),
            slack_date(put_off.new_deadline)
        ),
    }
}

fn because(why: DeactivationReason) -> &'static str {
    match why {
        DeactivationReason::Reported => "somebody said that it wasn't them",
        DeactivationReason::Unconfirmed => "nobody confirmed having received it",
        DeactivationReason::Expired => "its time ran out",
        DeactivationReason::UserRequested => "somebody asked for it",
        DeactivationReason::Rotated => "another key took its place",
        DeactivationReason::OwnerDeactivated => "whoever it was for has left",
    }
}

/// AWS's limit, at a chooser: what to do, in which order.
#[must_use]
pub fn two_keys(user: &IamUserName, account: &Account) -> String {
    format!(
        "{} has two access keys, and AWS allows no third. To free a slot, switch off the one that nobody needs, wait a few days to see that nothing breaks, delete it, and ask again. A key that is switched on is never deleted.",
        iam_user(user, account)
    )
}

/// A key id that leads nowhere.
#[must_use]
pub fn no_such_key(key: &AccessKeyId) -> String {
    format!(
        "I find no key `{key}` in the accounts that I look after, or not any more. `/access-key list` shows yours."
    )
}

/// What is asked can only be had for keys that were issued here.
#[must_use]
pub fn not_issued_here(key: &AccessKeyId) -> String {
    format!(
        "keyvend did not issue the key `{key}`, so it is never switched on, rotated or extended here; it can only be switched off and deleted. Ask for a key of your own with `/access-key create`."
    )
}

/// It is not known whether keyvend issued it.
#[must_use]
pub fn being_asked_about(key: &AccessKeyId) -> String {
    format!(
        "Whether the key `{key}` came of a request here is not known. It is switched off, and the approvers are asked about it in the approvals channel."
    )
}

/// The approved end is past.
#[must_use]
pub fn past_end(issued: &IssuedKey) -> String {
    format!(
        "The time that was approved for the key `{}` ended {}, and neither bringing it back nor replacing it moves that. Ask for a new key with `/access-key create`.",
        issued.key,
        slack_date(issued.expires_at)
    )
}

/// The same where a key was to be created.
pub const END_PASSED: &str = "The time that was approved for the key that this one was to replace is over. Nothing was created; ask for a new key with `/access-key create`.";

/// All issuing is stopped, which goes for this too.
pub const FROZEN_TOO: &str = "All issuing of keys is stopped for now, and bringing keys back or extending them with it. Ask again once it goes on.";

/// Its expiry was taken back before.
#[must_use]
pub fn undone_before(issued: &IssuedKey) -> String {
    format!(
        "The expiry of the key `{}` was taken back once, and that happens once. Ask for a new key with `/access-key create`.",
        issued.key
    )
}

/// It is on, and nobody confirmed that they have it.
#[must_use]
pub fn not_confirmed(issued: &IssuedKey) -> String {
    format!(
        "Nobody has confirmed yet that they received the key `{}`. Save it in the browser tab first; that is settled within ten minutes.",
        issued.key
    )
}

/// Another key took its place before.
#[must_use]
pub fn replaced_already(issued: &IssuedKey, successor: &Successor) -> String {
    format!("The key `{}` has already been replaced, by `{}`.", issued.key, successor.key)
}

/// It lives as long already.
#[must_use]
pub fn long_enough(issued: &IssuedKey) -> String {
    format!(
        "The key `{}` lives until {} already. Extend it nearer to its end.",
        issued.key,
        slack_date(issued.expires_at)
    )
}

/// It was received.
#[must_use]
pub fn not_unconfirmed(issued: &IssuedKey) -> String {
    format!(
        "That the key `{}` was received is no question any more. `/access-key list` shows how it stands.",
        issued.key
    )
}

/// It is being replaced already.
#[must_use]
pub fn replacement_asked(issued: &IssuedKey) -> String {
    format!(
        "A key in place of `{}` was asked for already. `/access-key status` shows how that stands.",
        issued.key
    )
}

/// A key that is on is not deleted.
#[must_use]
pub fn active_is_not_deleted(key: &AccessKeyId) -> String {
    format!(
        "The key `{key}` is switched on, and such a key is never deleted. Switch it off, wait a few days to see that nothing breaks, then delete it."
    )
}

/// It is off.
#[must_use]
pub fn off_already(key: &AccessKeyId) -> String {
    format!("The key `{key}` is switched off already.")
}

/// It is off at somebody's wish, and what they can do next.
#[must_use]
pub fn deactivated(issued: &IssuedKey) -> String {
    let grace = days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0));
    format!(
        "The key `{0}` is switched off. It no longer works anywhere, and is deleted in {grace}; until then `/access-key activate {0}` asks for it back.",
        issued.key
    )
}

/// The same of a key that keyvend did not issue.
#[must_use]
pub fn foreign_deactivated(key: &AccessKeyId) -> String {
    format!(
        "The key `{key}` is switched off. keyvend did not issue it and does nothing more with it: switch it on again in the AWS console if something breaks; if nothing does for a few days, delete it with `/access-key delete {key}`."
    )
}

/// A key that keyvend did not issue is gone.
#[must_use]
pub fn foreign_deleted(key: &AccessKeyId) -> String {
    format!("The key `{key}` is deleted. It cannot be brought back.")
}

/// It was being deleted, and was switched on meanwhile.
#[must_use]
pub fn foreign_not_deleted(key: &AccessKeyId) -> String {
    format!("The key `{key}` was switched on again before it could be deleted, so it stays.")
}

/// Another operation on the IAM user is going on.
#[must_use]
pub fn being_worked_on(key: &AccessKeyId) -> String {
    format!("The key `{key}` is being worked on right now. Look at `/access-key list` in a minute.")
}

/// A last use, as part of a sentence.
#[must_use]
pub fn last_use(last_used: &AccessKeyLastUsed) -> String {
    match last_used {
        AccessKeyLastUsed::Never => "was never used".to_owned(),
        AccessKeyLastUsed::Unknown => "was last used nobody knows when".to_owned(),
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

/// Before the end.
#[must_use]
pub fn expires_soon(issued: &IssuedKey, last_used: &AccessKeyLastUsed) -> String {
    let what = iam_user(&issued.user, &issued.account);
    let end = slack_date(issued.expires_at);
    let next = match &issued.successor {
        Some(successor) => format!("`{}` has taken its place: switch this one off once nothing uses it.", successor.key),
        None => "*Extend* asks for more time for it. *Rotate* asks for a new key in its place, which ends at the same time. If nobody needs it, do nothing.".to_owned(),
    };
    format!(
        "The key `{}` for {what} expires {end} and is then switched off. It {}.\n{next}",
        issued.key,
        last_use(last_used)
    )
}

/// Its end is put off.
#[must_use]
pub fn put_off(
    issued: &IssuedKey,
    last_used: &AccessKeyLastUsed,
    put_off: Postponement,
    unready: PostponeReason,
) -> String {
    let because = match unready {
        PostponeReason::Unreminded => {
            format!("no reminder reached {} at least a day before", person(&issued.requester))
        }
        PostponeReason::OutOfHours => format!(
            "where {} is, it is not between 09:00 and 15:00 of Monday to Thursday",
            person(&issued.requester)
        ),
    };
    format!(
        "The key `{}` for {} expired {}, but is not switched off yet: it {}, and {because}. It is switched off {} instead ({} of at most {MAX_POSTPONEMENTS} times that this is put off).",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.expires_at),
        last_use(last_used),
        slack_date(put_off.new_deadline),
        put_off.times,
    )
}

/// The key whose place another took is not used any more.
#[must_use]
pub fn quiet(issued: &IssuedKey, successor: &Successor, last_used: &AccessKeyLastUsed) -> String {
    format!(
        "`{}` took the place of the key `{}` for {} {}, and the old one {}. Can it be switched off? It is deleted {} later; until then it can be asked back. If you do nothing, it goes on until {}.",
        successor.key,
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(successor.confirmed_at),
        last_use(last_used),
        days(u32::try_from(DELETION_GRACE / DAY).unwrap_or(0)),
        slack_date(issued.deadline())
    )
}

/// What somebody asks for, on the card: `None` where it is a new key and nothing more.
#[must_use]
pub fn asks_again(request: &KeyRequest) -> Option<String> {
    let asked = &request.details;
    let (who, what) = (person(&asked.requester), iam_user(&asked.user, &asked.account));
    Some(match &asked.kind {
        RequestKind::New => return None,
        RequestKind::Rotate { key, end, .. } => format!(
            "*{who}* asks for a new key for {what} in place of `{key}`, until {}, when that one ends:",
            slack_date(*end)
        ),
        RequestKind::Back { key, end, undo: true } => format!(
            "*{who}* asks for the expired key `{key}` for {what} to be switched on again, until {}:",
            slack_date(*end)
        ),
        RequestKind::Back { key, end, undo: false } => format!(
            "*{who}* asks for the key `{key}` for {what}, which is off, to be switched on again, until {}:",
            slack_date(*end)
        ),
        RequestKind::Longer { key, end } => {
            format!("*{who}* asks for the key `{key}` for {what} to live longer, until {}:", slack_date(*end))
        }
    })
}

/// What was asked for, as part of a sentence to its requester.
#[must_use]
pub fn wanted(request: &KeyRequest) -> String {
    let what = iam_user(&request.details.user, &request.details.account);
    match &request.details.kind {
        RequestKind::New => format!("a key for {what}"),
        RequestKind::Rotate { key, end, .. } => {
            format!("a key for {what} in place of `{key}`, until {}", slack_date(*end))
        }
        RequestKind::Back { key, end, .. } => {
            format!("the key `{key}` for {what} to be switched on again, until {}", slack_date(*end))
        }
        RequestKind::Longer { key, end } => {
            format!("the key `{key}` for {what} to live longer, until {}", slack_date(*end))
        }
    }
}

/// In the thread of a card that asks for a key back: why it is off.
#[must_use]
pub fn why_off(why: DeactivationReason, since: Timestamp) -> String {
    format!("It is off since {} because {}.", slack_date(since), because(why))
}

/// What is asked about a key that exists needs no approval, or has it already: it is being done.
#[must_use]
pub fn under_way(request: &KeyRequest) -> String {
    format!("Asked for {}. It is being done, and you hear of it here in a moment.", wanted(request))
}

/// Below what the requester is told: what AWS recommends instead, where a key is to be made.
#[must_use]
pub fn instead(request: &KeyRequest) -> Option<&'static str> {
    request.details.kind.existing().is_none().then(|| alternative(request.details.use_case))
}
