//! An issued key as its item tells: for whom, until when, where it stands; and how each change leaves it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::iam::{AccessKey, Account, IamUser};
use crate::domain::key::state::{DeactivationReason, KeyState};
use crate::domain::person::Person;
use crate::domain::request::{KeyRequest, RequestKind};
use crate::domain::risk::RiskFlag;
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, Digest256, IamUserName, PersonId, RequestId, SlackUserId, UserGroupId};
use crate::time::{DAY, Timestamp};

/// How long after it was deactivated IAM is told once more, in seconds.
pub const REASSERT_DELAY: i64 = 30;
/// How long IAM may take to show what was asked of it before people are notified, in seconds.
pub const UNPROVEN_LIMIT: i64 = 900;

/// A key that was issued: what was written down then, and how it went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedKey {
    pub key: AccessKeyId,
    /// The request that it came of; its audit chain is the key's too.
    pub request: RequestId,
    pub account: Account,
    /// Whose it is, for AWS.
    pub user: IamUserName,
    pub path: String,
    /// Who asked for it.
    pub requester: PersonId,
    /// How far their clock was ahead of UTC then, in seconds.
    #[serde(default)]
    pub utc_offset: i64,
    /// Who owned the IAM user then.
    pub owners: Vec<SlackUserId>,
    /// Which Slack user groups did.
    pub owner_groups: BTreeSet<UserGroupId>,
    pub approved_by: Vec<PersonId>,
    /// A digest of what they were shown.
    pub approved: Digest256,
    /// What it is for.
    pub use_case: UseCase,
    /// Why, in its requester's words.
    pub reason: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// The lifetime that was approved first, in days: what it can be given again.
    pub days: u32,
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
    /// When the approvers were notified that its requester has left: once.
    #[serde(deserialize_with = "Option::deserialize")]
    pub left_notified_at: Option<Timestamp>,
    /// What was asked of IAM and IAM does not show.
    #[serde(default)]
    pub unproven: Option<Unproven>,
}

/// A change of a key that IAM does not show yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unproven {
    pub since: Timestamp,
    /// When people were notified that keyvend cannot do it: once.
    pub notified_at: Option<Timestamp>,
    /// When it is tried next.
    pub retry_at: Timestamp,
}

impl Unproven {
    /// After another try that IAM does not show, by `before`. For a quarter of an hour it is tried every minute; then people
    /// are notified, and it is tried every hour.
    #[must_use]
    pub fn after(before: Option<Self>, now: Timestamp) -> Self {
        let since = before.map_or(now, |before| before.since);
        let notified_at = before.and_then(|before| before.notified_at);
        let notified_at = notified_at.or((now.since(since) >= UNPROVEN_LIMIT).then_some(now));
        let delay = if notified_at.is_some() { 3_600 } else { 60 };
        Self { since, notified_at, retry_at: Timestamp(now.0 + delay) }
    }
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

/// The end of a key that is in use, postponed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postponement {
    pub new_deadline: Timestamp,
    /// The how manyth time this is.
    pub times: u32,
    /// When Slack took the notice of this or an earlier one.
    #[serde(default)]
    pub notified_at: Option<Timestamp>,
}

/// A key that took another's place, and what is seen of the other's last use since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    pub key: AccessKeyId,
    /// Who asked for it.
    pub requester: PersonId,
    /// When somebody had it for certain.
    pub confirmed_at: Timestamp,
    /// When the old key's last use is looked at next; no more, once its requester was asked.
    #[serde(deserialize_with = "Option::deserialize")]
    pub check_at: Option<Timestamp>,
}

impl Reminders {
    /// None yet of an end that is fixed at `from`.
    #[must_use]
    pub fn none(from: Timestamp) -> Self {
        Self { from, sent: 0, delivered_at: None }
    }
}

impl IssuedKey {
    /// The key of a request at its issuing to `requester`.
    #[must_use]
    pub fn from_request(
        request: &KeyRequest,
        requester: &Person,
        user: &IamUser,
        key: &AccessKeyId,
        now: Timestamp,
    ) -> Self {
        let asked = &request.details;
        Self {
            key: key.clone(),
            request: request.id.clone(),
            account: asked.account.clone(),
            user: asked.user.clone(),
            path: user.path.clone(),
            requester: asked.requester.clone(),
            utc_offset: requester.utc_offset,
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
            unproven: None,
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
            utc_offset: 0,
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
            unproven: None,
        }
    }

    #[must_use]
    pub fn key_deactivated(&self, why: DeactivationReason, now: Timestamp) -> Self {
        let state = KeyState::Inactive { why, since: now };
        Self { state, reassert_at: Some(Timestamp(now.0 + REASSERT_DELAY)), unproven: None, ..self.clone() }
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
            | DeactivationReason::Rotated
            | DeactivationReason::DeletedInAws => None,
        }
    }

    /// Whether this person may switch it off by what was stored alone: its requester, an owner, an approver of it.
    #[must_use]
    pub fn can_deactivate(&self, person: &PersonId) -> bool {
        let owner = self.requester.team == person.team && self.owners.contains(&person.user);
        owner || self.requester == *person || self.approved_by.contains(person)
    }
}
