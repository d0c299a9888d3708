//! An access key that keyvend issued, as its own item tells: for whom, until when, where it stands, and what is due next.
//! Pure: what time and state call for is decided here; src/worker/timers/key.rs does it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::aws::item::{Attribute, Item, Table, Update, Write, number, shard, text, values};
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, Account, IamUser};
use crate::domain::request::{KeyRequest, RequestKind};
use crate::domain::risk::RiskFlag;
use crate::domain::ticket::claim::FETCH_WINDOW;
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, Digest256, IamUserName, PersonId, RequestId, SlackUserId, UserGroupId};
use crate::store::{NEW, release_lease};
use crate::time::{DAY, Timestamp};

/// How long a key that is off can still be asked back before it is deleted, in seconds.
pub const DELETION_GRACE: i64 = 7 * DAY;
/// How long the requester of a key that nobody confirmed has to say so, in seconds.
pub const UNCONFIRMED_DELETION_GRACE: i64 = DAY;
/// How long after it was deactivated IAM is told once more, in seconds.
pub const REASSERT_DELAY: i64 = 30;
/// How long after an interrupted step the timer does it again, in seconds.
pub const RETRY_DELAY: i64 = 60;
/// What taking an expiry back gives at most, in seconds.
pub const UNDO_EXTENSION: i64 = DAY;
/// A key that was used within so many seconds counts as in use.
pub const RECENT_USE_WINDOW: i64 = 7 * DAY;
/// How often the end of a key that is in use is postponed before it is deactivated all the same.
pub const MAX_POSTPONEMENTS: u32 = 7;
/// How long before its end a reminder must have been delivered, in seconds.
const NOTICE: i64 = DAY;
/// How long before the end its requester is reminded, in seconds. The second is an hour early, so that it is still
/// delivered in time to count as notice.
const REMINDERS: [i64; 2] = [7 * DAY, NOTICE + HOUR];
const HOUR: i64 = 3_600;

/// A key that was issued: what was written down then, and how it went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedKey {
    /// Its id.
    pub key: AccessKeyId,
    /// The request that it came of; its audit chain is the key's too.
    pub request: RequestId,
    /// Where it is.
    pub account: Account,
    /// Whose it is, for AWS.
    pub user: IamUserName,
    /// That user's path.
    pub path: String,
    /// Who asked for it.
    pub requester: PersonId,
    /// Who owned the IAM user then.
    pub owners: Vec<SlackUserId>,
    /// Which Slack user groups did.
    pub owner_groups: BTreeSet<UserGroupId>,
    /// Who approved it.
    pub approved_by: Vec<PersonId>,
    /// A digest of what they were shown.
    pub approved: Digest256,
    /// What it is for.
    pub use_case: UseCase,
    /// Why, in its requester's words.
    pub reason: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The approved end.
    pub expires_at: Timestamp,
    /// The lifetime that was approved first, in days: what it can be given again.
    pub days: u32,
    /// Where it stands.
    pub state: KeyState,
    /// Who was reminded of its end, and when.
    pub reminders: Reminders,
    /// How its end was postponed because it was in use.
    #[serde(deserialize_with = "Option::deserialize")]
    pub postponement: Option<Postponement>,
    /// The end that taking its expiry back gave it, which happens once.
    #[serde(deserialize_with = "Option::deserialize")]
    pub undone_expiry: Option<Timestamp>,
    /// The key that it takes the place of.
    #[serde(deserialize_with = "Option::deserialize")]
    pub replaces: Option<AccessKeyId>,
    /// The key that took its place.
    #[serde(deserialize_with = "Option::deserialize")]
    pub successor: Option<Successor>,
    /// The request for a key in its place with the approvals that it had: nobody received it, and there is one such.
    #[serde(deserialize_with = "Option::deserialize")]
    pub replacement: Option<RequestId>,
    /// When IAM is told once more that it is off: somebody may have been activating it at that moment.
    #[serde(deserialize_with = "Option::deserialize")]
    pub reassert_at: Option<Timestamp>,
    /// When its IAM user was first seen quarantined by AWS, which does so when a key of it leaked.
    #[serde(deserialize_with = "Option::deserialize")]
    pub quarantined_at: Option<Timestamp>,
    /// The press of **This wasn't me** that was last carried out: delivered again, it does nothing more.
    #[serde(deserialize_with = "Option::deserialize")]
    pub reported_by: Option<RequestId>,
    /// When the approvers were notified that whoever requested it has left: once.
    #[serde(deserialize_with = "Option::deserialize")]
    pub left_notified_at: Option<Timestamp>,
}

/// Which reminders of its end a key's requester was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminders {
    /// Since when its end is the one that it has.
    pub from: Timestamp,
    /// How many were sent of it.
    pub sent: usize,
    /// When Slack took the first of them.
    #[serde(deserialize_with = "Option::deserialize")]
    pub delivered_at: Option<Timestamp>,
}

impl Reminders {
    /// None yet of an end that is fixed at `from`.
    #[must_use]
    pub fn none(from: Timestamp) -> Self {
        Self { from, sent: 0, delivered_at: None }
    }
}

/// The end of a key that is in use, postponed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postponement {
    /// Until when.
    pub new_deadline: Timestamp,
    /// The how manyth time this is.
    pub times: u32,
}

/// A key that took another's place, and what is seen of the other's last use since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// Which.
    pub key: AccessKeyId,
    /// Who asked for it.
    pub requester: PersonId,
    /// When somebody had it for certain.
    pub confirmed_at: Timestamp,
    /// When the old key's last use is looked at next; no more, once its requester was asked.
    #[serde(deserialize_with = "Option::deserialize")]
    pub check_at: Option<Timestamp>,
}

impl Successor {
    /// The old key was used neither since the new one was confirmed nor within a day. One that was used since is quiet
    /// after a week without a use. A last use that cannot be read is no quiet.
    #[must_use]
    pub fn is_idle(&self, last_used: &AccessKeyLastUsed, now: Timestamp) -> bool {
        if now.since(self.confirmed_at) < DAY {
            return false;
        }
        match last_used {
            AccessKeyLastUsed::Never => true,
            AccessKeyLastUsed::At { at, .. } => {
                now.since(*at) >= if *at <= self.confirmed_at { DAY } else { RECENT_USE_WINDOW }
            }
            AccessKeyLastUsed::Unknown => false,
        }
    }
}

/// What becomes of a key whose time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryDecision {
    /// It is deactivated.
    Deactivate,
    /// It is in use, and goes on for now.
    Postpone(Postponement, PostponeReason),
}

/// Why a key that is in use is not yet deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostponeReason {
    /// No reminder was delivered a day before.
    Unreminded,
    /// It is not between 09:00 and 15:00 of Monday to Thursday where its requester is.
    OutOfHours,
}

/// Where a key stands. Coming back from INACTIVE takes an `issue` decision; DELETED is the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Sealed to a tab that has not confirmed.
    Delivered,
    /// The tab confirmed, or a use showed that it was received.
    Confirmed,
    /// The tab did not confirm in time: it is to be deactivated unless it was used.
    Unconfirmed {
        /// Since when.
        since: Timestamp,
    },
    /// Deactivated.
    Inactive {
        /// Why.
        why: DeactivationReason,
        /// Since when.
        since: Timestamp,
    },
    /// About to be reactivated by an `issue` decision: the lease is held, and the timer finishes what was begun.
    Activating {
        /// By which request.
        by: RequestId,
        /// Until when it then lives.
        end: Timestamp,
        /// Why it was off.
        why: DeactivationReason,
        /// Since when.
        since: Timestamp,
    },
    /// Reactivated by an `issue` decision.
    Active,
    /// About to be deleted: the lease is held, and the timer finishes what was begun.
    Deleting {
        /// Why.
        why: DeactivationReason,
        /// Who, or `keyvend.expiry`.
        by: String,
    },
    /// Gone.
    Deleted {
        /// Why.
        why: DeactivationReason,
        /// When.
        at: Timestamp,
    },
    /// It may have come of a `CreateAccessKey` that nobody heard the answer of: deactivated, and asked about daily.
    Suspect {
        /// When it was last asked about.
        asked_at: Timestamp,
    },
    /// A suspect of which somebody said that keyvend did not make it: nothing to do with it any more.
    NotOurs {
        /// Who said so.
        by: PersonId,
    },
}

/// Why a key is off or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeactivationReason {
    /// Somebody pressed **This wasn't me**.
    Reported,
    /// Nobody confirmed having received it.
    Unconfirmed,
    /// Its time ran out.
    Expired,
    /// Somebody who may asked for it.
    UserRequested,
    /// Another key took its place.
    Rotated,
    /// Whoever owned it left.
    OwnerDeactivated,
}

impl DeactivationReason {
    /// As the trail and the table say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Unconfirmed => "unconfirmed",
            Self::Expired => "expired",
            Self::UserRequested => "user-requested",
            Self::Rotated => "rotated",
            Self::OwnerDeactivated => "owner-deactivated",
        }
    }

    fn from_stored(text: &str) -> Option<Self> {
        [
            Self::Reported,
            Self::Unconfirmed,
            Self::Expired,
            Self::UserRequested,
            Self::Rotated,
            Self::OwnerDeactivated,
        ]
        .into_iter()
        .find(|why| why.as_str() == text)
    }
}

impl KeyState {
    /// As people and the table read it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Confirmed => "CONFIRMED",
            Self::Unconfirmed { .. } => "UNCONFIRMED",
            Self::Inactive { .. } => "INACTIVE",
            Self::Activating { .. } => "ACTIVATING",
            Self::Active => "ACTIVE",
            Self::Deleting { .. } => "DELETING",
            Self::Deleted { .. } => "DELETED",
            Self::Suspect { .. } => "SUSPECT",
            Self::NotOurs { .. } => "NOT_OURS",
        }
    }

    /// Whether IAM has it on, as far as its item says.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self {
            // It may be on already while it is being activated.
            Self::Delivered
            | Self::Confirmed
            | Self::Unconfirmed { .. }
            | Self::Activating { .. }
            | Self::Active => true,
            Self::Inactive { .. }
            | Self::Deleting { .. }
            | Self::Deleted { .. }
            | Self::Suspect { .. }
            | Self::NotOurs { .. } => false,
        }
    }

    /// Whether there is no such key any more, or none that keyvend has to do with.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Deleted { .. } | Self::NotOurs { .. } => true,
            Self::Delivered
            | Self::Confirmed
            | Self::Unconfirmed { .. }
            | Self::Inactive { .. }
            | Self::Activating { .. }
            | Self::Active
            | Self::Deleting { .. }
            | Self::Suspect { .. } => false,
        }
    }
}

/// What each state may become, as docs/architecture.md draws it. Anything else is refused before it is written.
const TRANSITIONS: [(&str, &str); 15] = [
    ("DELIVERED", "CONFIRMED"),
    ("DELIVERED", "UNCONFIRMED"),
    ("UNCONFIRMED", "CONFIRMED"),
    ("DELIVERED", "INACTIVE"),
    ("CONFIRMED", "INACTIVE"),
    ("UNCONFIRMED", "INACTIVE"),
    ("ACTIVATING", "INACTIVE"),
    ("ACTIVE", "INACTIVE"),
    ("INACTIVE", "ACTIVATING"),
    ("ACTIVATING", "ACTIVE"),
    ("INACTIVE", "DELETING"),
    ("SUSPECT", "DELETING"),
    ("SUSPECT", "NOT_OURS"),
    ("DELETING", "DELETED"),
    ("ACTIVATING", "DELETED"),
];

/// A key's item as read, with the version that the next write must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub issued: IssuedKey,
    /// That it is to be off, whatever `state` says yet: written before IAM is called, by a write that waits for nothing.
    pub deactivation_mark: Option<DeactivationMark>,
    version: i64,
}

/// The mark of a key that is to be off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeactivationMark {
    /// Since when.
    pub since: Timestamp,
    /// Who, or `keyvend.expiry`.
    pub by: String,
    /// Why.
    pub why: DeactivationReason,
    /// By which press of **This wasn't me**, where it is one.
    pub press: Option<RequestId>,
}

/// What is to be done with a key when its timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueAction {
    /// Nothing.
    Nothing,
    /// IAM is to switch it off, and its item is to say so.
    Deactivate(DeactivationReason),
    /// Its time ran out: its last use decides whether it is deactivated now.
    Expire,
    /// Its requester is reminded of its end.
    SendReminder,
    /// Another took its place: its last use decides whether to ask about switching it off.
    CheckOldKeyIdle,
    /// Its ticket decides whether it was received.
    CheckConfirmation,
    /// Its last use does.
    CheckLastUse,
    /// It is to be deleted.
    Delete(DeactivationReason),
    /// IAM is told once more that it is off.
    ReassertInactive,
    /// It is to be activated: the decision was written down.
    Activate,
    /// The approvers are asked once more whether it is keyvend's.
    RemindAboutSuspect,
}

/// How many days there are until `end`, begun ones whole.
#[must_use]
pub fn days_until(end: Timestamp, now: Timestamp) -> u32 {
    u32::try_from(end.since(now).max(0).saturating_add(DAY - 1) / DAY).unwrap_or(u32::MAX)
}

/// Whether it is between 09:00 and 15:00 of Monday to Thursday where clocks are `offset` seconds ahead of UTC.
fn is_office_hours(now: Timestamp, offset: i64) -> bool {
    let local = now.0.saturating_add(offset);
    // The epoch was a Thursday.
    let weekday = (local.div_euclid(DAY) + 3).rem_euclid(7);
    weekday < 4 && (9 * HOUR..15 * HOUR).contains(&local.rem_euclid(DAY))
}

/// Noon of the next day there. Moved by 24 hours alone, an end at night would stay one.
fn next_local_noon(now: Timestamp, offset: i64) -> Timestamp {
    let local = now.0.saturating_add(offset);
    Timestamp((local.div_euclid(DAY) + 1) * DAY + 12 * HOUR - offset)
}

fn item_key(key: &AccessKeyId) -> String {
    format!("key#{key}")
}

/// The partition of index `by_person` with the keys that a Slack user requested and that are not deleted: whatever
/// workspace that was in.
#[must_use]
pub fn holder(user: &SlackUserId) -> String {
    format!("holder#{user}")
}

impl IssuedKey {
    /// The key of a request at its issuing.
    #[must_use]
    pub fn from_request(request: &KeyRequest, user: &IamUser, key: &AccessKeyId, now: Timestamp) -> Self {
        let asked = &request.details;
        Self {
            key: key.clone(),
            request: request.id.clone(),
            account: asked.account.clone(),
            user: asked.user.clone(),
            path: user.path.clone(),
            requester: asked.requester.clone(),
            owners: user.owners.iter().cloned().collect(),
            owner_groups: user.owner_groups.clone(),
            approved_by: request.approvals.iter().map(|approval| approval.by.clone()).collect(),
            approved: request.snapshot.digest(),
            use_case: asked.use_case,
            reason: asked.reason.clone(),
            issued_at: now,
            expires_at: match &asked.kind {
                // The end that was approved is not moved by replacing a key.
                RequestKind::Rotate { end, .. } => *end,
                RequestKind::Create | RequestKind::Reactivate { .. } | RequestKind::Extend { .. } => {
                    Timestamp(now.0 + i64::from(asked.days) * DAY)
                }
            },
            days: match &asked.kind {
                RequestKind::Rotate { days, .. } => *days,
                RequestKind::Create | RequestKind::Reactivate { .. } | RequestKind::Extend { .. } => {
                    asked.days
                }
            },
            replaces: match &asked.kind {
                RequestKind::Rotate { key, .. } => Some(key.clone()),
                RequestKind::Create | RequestKind::Reactivate { .. } | RequestKind::Extend { .. } => None,
            },
            state: KeyState::Delivered,
            reminders: Reminders::none(now),
            postponement: None,
            undone_expiry: None,
            successor: None,
            replacement: None,
            reassert_at: None,
            quarantined_at: None,
            reported_by: None,
            left_notified_at: None,
        }
    }

    /// A key that may have come of a request's unanswered `CreateAccessKey`.
    #[must_use]
    pub fn suspect_from_request(request: &KeyRequest, path: &str, key: &AccessKey, now: Timestamp) -> Self {
        let asked = &request.details;
        Self {
            key: key.id.clone(),
            request: request.id.clone(),
            account: asked.account.clone(),
            user: asked.user.clone(),
            path: path.to_owned(),
            requester: asked.requester.clone(),
            owners: Vec::new(),
            owner_groups: BTreeSet::new(),
            approved_by: Vec::new(),
            approved: request.snapshot.digest(),
            use_case: asked.use_case,
            reason: asked.reason.clone(),
            issued_at: key.create_date,
            expires_at: now,
            days: 0,
            replaces: None,
            state: KeyState::Suspect { asked_at: now },
            reminders: Reminders::none(now),
            postponement: None,
            undone_expiry: None,
            successor: None,
            replacement: None,
            reassert_at: Some(Timestamp(now.0 + REASSERT_DELAY)),
            quarantined_at: None,
            reported_by: None,
            left_notified_at: None,
        }
    }

    /// The key deactivated.
    #[must_use]
    pub fn key_deactivated(&self, why: DeactivationReason, now: Timestamp) -> Self {
        let state = KeyState::Inactive { why, since: now };
        Self { state, reassert_at: Some(Timestamp(now.0 + REASSERT_DELAY)), ..self.clone() }
    }

    /// The key as reported, whatever state it is in: from now on it does not come back just because its owner says so.
    #[must_use]
    pub fn reported(&self, press: Option<&RequestId>, now: Timestamp) -> Self {
        let why = DeactivationReason::Reported;
        let next = match self.state.clone() {
            KeyState::Delivered
            | KeyState::Confirmed
            | KeyState::Unconfirmed { .. }
            | KeyState::Activating { .. }
            | KeyState::Active => self.key_deactivated(why, now),
            KeyState::Inactive { since, .. } => self.in_state(KeyState::Inactive { why, since }),
            KeyState::Deleting { by, .. } => self.in_state(KeyState::Deleting { why, by }),
            KeyState::Deleted { at, .. } => self.in_state(KeyState::Deleted { why, at }),
            // Nobody has its secret, or it is none of keyvend's.
            KeyState::Suspect { .. } | KeyState::NotOurs { .. } => self.clone(),
        };
        Self { reported_by: press.or(self.reported_by.as_ref()).cloned(), ..next }
    }

    /// Whether its state says that it was reported. Of a key that keyvend never handed over there is nothing to report.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        match &self.state {
            KeyState::Inactive { why, .. }
            | KeyState::Deleting { why, .. }
            | KeyState::Deleted { why, .. } => *why == DeactivationReason::Reported,
            KeyState::Suspect { .. } | KeyState::NotOurs { .. } => true,
            KeyState::Delivered
            | KeyState::Confirmed
            | KeyState::Unconfirmed { .. }
            | KeyState::Activating { .. }
            | KeyState::Active => false,
        }
    }

    fn in_state(&self, state: KeyState) -> Self {
        Self { state, ..self.clone() }
    }

    /// The key with another end, of which nobody was reminded yet.
    #[must_use]
    pub fn with_expiry(&self, end: Timestamp, now: Timestamp) -> Self {
        Self { expires_at: end, reminders: Reminders::none(now), postponement: None, ..self.clone() }
    }

    /// When it is deactivated if nobody does anything: its end, or what that was postponed to.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.postponement.map_or(self.expires_at, |postponement| postponement.new_deadline)
    }

    /// How many days remain to its approved end, begun ones whole.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> u32 {
        days_until(self.expires_at, now)
    }

    /// When its requester is reminded next of its end. A short life has the last reminder alone, and an expiry that was
    /// taken back none.
    #[must_use]
    pub fn remind_at(&self) -> Option<Timestamp> {
        let [first, last] = REMINDERS.map(|before| Timestamp(self.expires_at.0 - before));
        let last = last.max(self.reminders.from);
        match self.reminders.sent {
            _ if self.expiry_was_undone() => None,
            0 if first > self.reminders.from => Some(first),
            0 | 1 => Some(last),
            _ => None,
        }
    }

    /// The key with the reminder that is due noted as sent.
    #[must_use]
    pub fn with_reminder_sent(&self, now: Timestamp) -> Self {
        let last = Timestamp(self.expires_at.0 - REMINDERS[1]);
        let sent = if now >= last { REMINDERS.len() } else { self.reminders.sent + 1 };
        Self { reminders: Reminders { sent, ..self.reminders }, ..self.clone() }
    }

    /// Whether its present end is what taking an expiry back gave it.
    fn expiry_was_undone(&self) -> bool {
        self.undone_expiry == Some(self.expires_at)
    }

    /// Whether another end than its expiry can be had once by taking that back.
    #[must_use]
    pub fn can_undo_expiry(&self) -> bool {
        matches!(self.state, KeyState::Inactive { why: DeactivationReason::Expired, .. })
            && self.undone_expiry.is_none()
    }

    /// Whether its end may still be postponed, seeing its last use. One that cannot be read shows nothing.
    #[must_use]
    pub fn can_postpone(&self, last_used: &AccessKeyLastUsed, now: Timestamp) -> bool {
        let in_use = match last_used {
            AccessKeyLastUsed::Never => false,
            AccessKeyLastUsed::At { at, .. } => now.since(*at) < RECENT_USE_WINDOW,
            AccessKeyLastUsed::Unknown => true,
        };
        in_use && !self.expiry_was_undone() && self.postponements() < MAX_POSTPONEMENTS
    }

    fn postponements(&self) -> u32 {
        self.postponement.map_or(0, |postponement| postponement.times)
    }

    /// What becomes of a key that is in use now that its time ran out. `offset` is how far its requester's clock is ahead of
    /// UTC, in seconds.
    #[must_use]
    pub fn expiry_decision(&self, offset: i64, now: Timestamp) -> ExpiryDecision {
        let reminded = self.reminders.delivered_at.is_some_and(|at| now.since(at) >= NOTICE);
        let unready = match (reminded, is_office_hours(now, offset)) {
            (true, true) => return ExpiryDecision::Deactivate,
            (false, _) => PostponeReason::Unreminded,
            (true, false) => PostponeReason::OutOfHours,
        };
        ExpiryDecision::Postpone(
            Postponement { new_deadline: next_local_noon(now, offset), times: self.postponements() + 1 },
            unready,
        )
    }

    /// What speaks against activating it just because its owner says so.
    #[must_use]
    pub fn concerns(&self) -> BTreeSet<RiskFlag> {
        self.quarantined_at.map(|_| RiskFlag::Quarantined).into_iter().chain(self.why_off()).collect()
    }

    /// What speaks against it by why it is off.
    fn why_off(&self) -> Option<RiskFlag> {
        let why = match &self.state {
            KeyState::Inactive { why, .. }
            | KeyState::Activating { why, .. }
            | KeyState::Deleting { why, .. }
            | KeyState::Deleted { why, .. } => why,
            KeyState::Suspect { .. } => &DeactivationReason::Reported,
            KeyState::Delivered
            | KeyState::Confirmed
            | KeyState::Unconfirmed { .. }
            | KeyState::Active
            | KeyState::NotOurs { .. } => return None,
        };
        match why {
            DeactivationReason::Reported => Some(RiskFlag::Reported),
            DeactivationReason::OwnerDeactivated => Some(RiskFlag::OwnerLeft),
            DeactivationReason::Unconfirmed
            | DeactivationReason::Expired
            | DeactivationReason::UserRequested
            | DeactivationReason::Rotated => None,
        }
    }

    /// The write that begins its item.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn create(&self) -> anyhow::Result<Write> {
        let mut item = values([
            ("pk", item_key(&self.key).as_str().into()),
            ("state", self.state.as_str().into()),
            ("version", 1.into()),
            ("document", Attribute::Text(serde_json::to_string(self)?)),
            ("due_shard", shard(self.key.as_str()).into()),
            ("person", holder(&self.requester.user).as_str().into()),
            ("asked_at", self.issued_at.0.into()),
        ]);
        item.extend(self.due_at().map(|at| ("due_at".to_owned(), at.0.into())));
        Ok(Write::Put { table: Table::Requests, item, condition: NEW, values: Item::new() })
    }

    /// Whether this person may switch it off by what was stored alone: its requester, an owner, an approver of it.
    #[must_use]
    pub fn can_deactivate(&self, person: &PersonId) -> bool {
        let owner = self.requester.team == person.team && self.owners.contains(&person.user);
        owner || self.requester == *person || self.approved_by.contains(person)
    }

    /// When it must next be looked at, if nobody does anything.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let next = match &self.state {
            KeyState::Delivered => Some(Timestamp(self.issued_at.0 + FETCH_WINDOW)),
            KeyState::Confirmed | KeyState::Active => {
                let look_at = self.successor.as_ref().and_then(|successor| successor.check_at);
                [Some(self.deadline()), self.remind_at(), look_at].into_iter().flatten().min()
            }
            KeyState::Unconfirmed { since } => Some(*since),
            KeyState::Inactive { why: DeactivationReason::Unconfirmed, since } => {
                Some(Timestamp(since.0 + UNCONFIRMED_DELETION_GRACE))
            }
            KeyState::Inactive { since, .. } => Some(Timestamp(since.0 + DELETION_GRACE)),
            // Under way: whenever the next sweep finds it so.
            KeyState::Activating { .. } | KeyState::Deleting { .. } => Some(self.issued_at),
            KeyState::Suspect { asked_at } => Some(Timestamp(asked_at.0 + DAY)),
            KeyState::Deleted { .. } | KeyState::NotOurs { .. } => None,
        };
        [next, self.reassert_at].into_iter().flatten().min()
    }
}

impl StoredKey {
    /// The table's key of its item.
    #[must_use]
    pub fn item_key(key: &AccessKeyId) -> String {
        item_key(key)
    }

    /// Whether keyvend issued it, for all that is known.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        !matches!(self.issued.state, KeyState::Suspect { .. } | KeyState::NotOurs { .. })
    }

    /// The key as if nothing had taken its place.
    #[must_use]
    pub fn clear_successor(mut self) -> Self {
        self.issued.successor = None;
        self
    }

    /// Whether another read found the item as this one did.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.version == other.version
    }

    /// The key that an item's key names, if it is one.
    #[must_use]
    pub fn of_item(key: &str) -> Option<AccessKeyId> {
        key.strip_prefix("key#")?.parse().ok()
    }

    /// Whether the mark that it is to be off is not carried out yet: it is on as far as its state says, or its state does
    /// not say that it was reported.
    #[must_use]
    pub fn is_deactivation_pending(&self) -> bool {
        is_pending(self.deactivation_mark.as_ref(), &self.issued)
    }

    /// The write that gives back the lease of whoever was activating it: that ends with the key being off.
    #[must_use]
    pub fn release_if_activating(&self) -> Option<Write> {
        let issued = &self.issued;
        let activating = matches!(issued.state, KeyState::Activating { .. });
        activating.then(|| release_lease(&issued.account, &issued.user, &item_key(&issued.key)))
    }

    /// What time and state call for.
    #[must_use]
    pub fn due_action(&self, now: Timestamp) -> DueAction {
        if let (Some(off), true) = (&self.deactivation_mark, self.is_deactivation_pending()) {
            return DueAction::Deactivate(off.why);
        }
        if self.issued.due_at().is_none_or(|due_at| now < due_at) {
            return DueAction::Nothing;
        }
        if self.issued.reassert_at.is_some_and(|at| at <= now) {
            return DueAction::ReassertInactive;
        }
        match &self.issued.state {
            KeyState::Delivered => DueAction::CheckConfirmation,
            KeyState::Confirmed | KeyState::Active => {
                if self.issued.deadline() <= now {
                    DueAction::Expire
                } else if self.issued.remind_at().is_some_and(|at| at <= now) {
                    DueAction::SendReminder
                } else {
                    DueAction::CheckOldKeyIdle
                }
            }
            KeyState::Unconfirmed { .. } => DueAction::CheckLastUse,
            KeyState::Inactive { why, .. } | KeyState::Deleting { why, .. } => DueAction::Delete(*why),
            KeyState::Activating { .. } => DueAction::Activate,
            KeyState::Suspect { .. } => DueAction::RemindAboutSuspect,
            KeyState::Deleted { .. } | KeyState::NotOurs { .. } => DueAction::Nothing,
        }
    }

    /// The write that puts `next` in this one's place, as it was read.
    ///
    /// # Errors
    /// A fault where it cannot be encoded, or is no next state of this one.
    pub fn update(&self, next: &IssuedKey) -> anyhow::Result<Write> {
        let (from, to) = (self.issued.state.as_str(), next.state.as_str());
        anyhow::ensure!(
            from == to || TRANSITIONS.contains(&(from, to)),
            "a key does not become {to} from {from}"
        );
        let mut values = values([
            (":state", next.state.as_str().into()),
            (":document", Attribute::Text(serde_json::to_string(next)?)),
            (":version", self.version.into()),
            (":next", (self.version + 1).into()),
        ]);
        let due_at = match &self.deactivation_mark {
            // It is still to be deactivated, whatever else is written of it.
            Some(off) if is_pending(Some(off), next) => Some(Timestamp(off.since.0 + RETRY_DELAY)),
            Some(_) | None => next.due_at(),
        };
        values.extend(due_at.map(|at| (":due".to_owned(), at.0.into())));
        // What is gone is nobody's any more, and leaves index `by_person`.
        let update = match (due_at.is_some(), next.state.is_gone()) {
            (true, false) => "SET #state = :state, document = :document, version = :next, due_at = :due",
            (false, false) => "SET #state = :state, document = :document, version = :next REMOVE due_at",
            (true, true) => {
                "SET #state = :state, document = :document, version = :next, due_at = :due REMOVE person, asked_at"
            }
            (false, true) => {
                "SET #state = :state, document = :document, version = :next REMOVE due_at, person, asked_at"
            }
        };
        let update = Update { update, condition: "version = :version", values };
        Ok(Write::Update { table: Table::Requests, key: item_key(&next.key), update })
    }

    /// The write that puts `next` in this one's place and takes back that the key is to be off: the decision was made
    /// with that mark in sight, and any later one stays.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn update_if_unmarked(&self, next: &IssuedKey) -> anyhow::Result<Write> {
        let mut write = self.update(next)?;
        if let Write::Update { update, .. } = &mut write {
            update.update = "SET #state = :state, document = :document, version = :next, due_at = :due \
                             REMOVE deactivation_at, deactivation_by, deactivation_reason, deactivation_interaction";
        }
        Ok(write)
    }

    /// The key is to be off from now on: the first write of deactivating, which waits for nothing and which nothing that
    /// switches on may miss. Should what follows be cut off, the timer does it.
    #[must_use]
    pub fn mark_off(by: &str, why: DeactivationReason, now: Timestamp) -> Update {
        Update {
            update: "SET deactivation_at = :now, deactivation_by = :by, deactivation_reason = :why, due_at = :due, version = version + :one",
            condition: "attribute_exists(pk) AND attribute_not_exists(deactivation_at)",
            values: values([
                (":now", now.0.into()),
                (":by", by.into()),
                (":why", why.as_str().into()),
                (":due", (now.0 + RETRY_DELAY).into()),
                (":one", 1.into()),
            ]),
        }
    }

    /// The same, because somebody pressed **This wasn't me**: whatever it is or is to be off for, it is now reported, and
    /// every decision about it that did not know so loses.
    #[must_use]
    pub fn mark_reported(by: &str, press: &RequestId, now: Timestamp) -> Update {
        let Update { mut values, .. } = Self::mark_off(by, DeactivationReason::Reported, now);
        values.insert(":press".to_owned(), press.as_str().into());
        Update {
            update: "SET deactivation_at = :now, deactivation_by = :by, deactivation_reason = :why, deactivation_interaction = :press, due_at = :due, \
                     version = version + :one",
            condition: "attribute_exists(pk) AND (attribute_not_exists(deactivation_reason) OR deactivation_reason <> :why)",
            values,
        }
    }
}

/// Whether a key of this state is still to become what its mark says.
fn is_pending(off: Option<&DeactivationMark>, issued: &IssuedKey) -> bool {
    off.is_some_and(|off| {
        issued.state.is_active() || (off.why == DeactivationReason::Reported && !issued.is_reported())
    })
}

impl TryFrom<&Item> for StoredKey {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let off = |since: i64| -> anyhow::Result<DeactivationMark> {
            let why = DeactivationReason::from_stored(text(item, "deactivation_reason")?);
            Ok(DeactivationMark {
                since: Timestamp(since),
                by: text(item, "deactivation_by")?.to_owned(),
                why: why.ok_or_else(|| anyhow::anyhow!("a key that is off for no known reason"))?,
                press: text(item, "deactivation_interaction").ok().map(str::parse).transpose()?,
            })
        };
        Ok(Self {
            issued: serde_json::from_str(text(item, "document")?)?,
            deactivation_mark: number(item, "deactivation_at").ok().map(off).transpose()?,
            version: number(item, "version")?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
