//! A request for a key: what was asked, who approved, and where it stands. Pure: an event in, the next state out,
//! with the audit entry that tells of it. Nothing here looks anything up or knows Slack's messages.

mod event;
mod salt;
mod telling;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::event::{Event, Unfit, Withdrawn};
pub use self::salt::Salt;
pub use self::telling::{Numbered, Telling, Tellings};
use crate::audit::{Chain, Happened};
use crate::command::Reason;
use crate::facts::{AccessKey, Account, EligibleApprovers, IamUser};
use crate::id::{
    AccessKeyId, ChannelId, Digest256, IamUserName, MessageTs, PersonId, RequestId, Revision, RunId, TicketId,
};
use crate::time::Timestamp;
use crate::use_case::UseCase;

/// What a request is for. Everything but a new key is about one that exists, and is judged with what remains of its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wants {
    /// A new key.
    New,
    /// A new key in place of one, until that one's approved end.
    InPlaceOf {
        /// Which.
        key: AccessKeyId,
        /// Its approved end.
        end: Timestamp,
        /// The lifetime that was approved for it first, in days.
        days: u32,
    },
    /// A key that is off back, until `end`.
    Back {
        /// Which.
        key: AccessKeyId,
        /// Until when.
        end: Timestamp,
        /// Whether this takes an expiry back, which happens once.
        undo: bool,
    },
    /// A key for longer, until `end`.
    Longer {
        /// Which.
        key: AccessKeyId,
        /// Until when.
        end: Timestamp,
    },
}

impl Wants {
    /// The key that exists and comes back or lives longer: no link is needed for it.
    #[must_use]
    pub fn existing(&self) -> Option<&AccessKeyId> {
        match self {
            Self::New | Self::InPlaceOf { .. } => None,
            Self::Back { key, .. } | Self::Longer { key, .. } => Some(key),
        }
    }

    /// The key that the request is about, where it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&AccessKeyId> {
        match self {
            Self::New => None,
            Self::InPlaceOf { key, .. } | Self::Back { key, .. } | Self::Longer { key, .. } => Some(key),
        }
    }

    /// The end that the key then has, where it is fixed beforehand.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match self {
            Self::New => None,
            Self::InPlaceOf { end, .. } | Self::Back { end, .. } | Self::Longer { end, .. } => Some(*end),
        }
    }

    /// What the trail says of it, where it is about a key that exists.
    fn detail(&self) -> Vec<(String, String)> {
        let (wants, key, end) = match self {
            Self::New => return Vec::new(),
            Self::InPlaceOf { key, end, .. } => ("rotate", key, end),
            Self::Back { key, end, undo: true } => ("undo", key, end),
            Self::Back { key, end, undo: false } => ("activate", key, end),
            Self::Longer { key, end } => ("extend", key, end),
        };
        let detail = [("wants", wants.to_owned()), ("key", key.to_string()), ("end", end.rfc3339())];
        detail.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// What somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What for.
    pub wants: Wants,
    /// Who.
    pub requester: PersonId,
    /// In which account.
    pub account: Account,
    /// For which IAM user.
    pub user: IamUserName,
    /// What the key is for.
    pub use_case: UseCase,
    /// How many days it should live.
    pub days: u32,
    /// Why, in the requester's words.
    pub reason: String,
    /// SHA-256 of the mail address in the requester's profile at that time: enough to see later that it changed.
    #[serde(deserialize_with = "Option::deserialize")]
    pub email_hash: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What the card shows and its approvers judged: another value at the click redraws the card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Approvals that policy wants.
    pub needed: u32,
    /// Whether the IAM user is privileged.
    pub privileged: bool,
    /// Its IAM groups.
    pub groups: Vec<String>,
    /// Its policies, attached, inline and of its groups.
    pub policies: Vec<String>,
    /// A digest over their documents: part of the revision, but not of what people read.
    pub policy_digest: Digest256,
    /// Its permissions boundary.
    #[serde(deserialize_with = "Option::deserialize")]
    pub boundary: Option<String>,
    /// Its keys. Shown, but no part of the revision: a last use moves all the time.
    pub keys: Vec<AccessKey>,
}

/// Somebody's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose.
    pub by: PersonId,
    /// By which press: one that is delivered again meets its own approval.
    pub press: RequestId,
    /// When.
    pub at: Timestamp,
}

/// The intent to create a key, held by one invocation until its own deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The ticket that the key goes to.
    pub tid: TicketId,
    /// The invocation.
    pub run: RunId,
    /// When the intent was first written down: the day whose count it is in.
    pub begun: Timestamp,
    /// Its holder's deadline.
    pub until: Timestamp,
    /// The IAM user's path.
    pub path: String,
    /// The user's keys before.
    pub keys_before: Vec<AccessKeyId>,
    /// The key, once `CreateAccessKey` answered.
    #[serde(deserialize_with = "Option::deserialize")]
    pub created: Option<AccessKeyId>,
}

/// `CreateAccessKey` was asked and nobody heard the answer: IAM is looked at until it is settled what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What was intended, and the keys there were before.
    pub intent: Intent,
    /// Since when it is not known.
    pub since: Timestamp,
    /// How often IAM was looked at since.
    pub looks: usize,
    /// Keys that may have come of it, found so far.
    pub suspects: Vec<AccessKeyId>,
}

/// When IAM is looked at after an unanswered `CreateAccessKey`, in seconds: its lists lag behind.
pub const LOOKS: [i64; 4] = [15, 60, 300, 1_200];

impl Doubt {
    /// When IAM is looked at next.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.since.0 + LOOKS.get(self.looks)?))
    }
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Waits for approvals.
    Pending,
    /// Waits for its requester to press Get my key.
    Approved,
    /// A link was given out.
    Ticketed {
        /// The link's ticket.
        tid: TicketId,
    },
    /// A key is being created.
    Issuing(Intent),
    /// `CreateAccessKey` gave no answer: whether there is a key is not known, and it is never repeated.
    Ambiguous(Doubt),
    /// The key exists.
    Issued {
        /// Which.
        key: AccessKeyId,
        /// The ticket it was sealed to.
        tid: TicketId,
        /// When.
        at: Timestamp,
    },
    /// A key that exists was switched on again, or lives longer.
    Fulfilled {
        /// Which.
        key: AccessKeyId,
        /// When.
        at: Timestamp,
    },
    /// An approver said no.
    Denied {
        /// Who.
        by: PersonId,
        /// By which press.
        press: RequestId,
        /// Why, in the approver's words.
        reason: Reason,
    },
    /// The requester took it back.
    Cancelled,
    /// Nobody answered in time.
    Lapsed,
    /// Policy said no after all.
    Refused {
        /// What the requester was told.
        why: String,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRequest {
    /// Its id.
    pub id: RequestId,
    /// What was asked.
    pub asked: Asked,
    /// What the card shows.
    pub shown: Shown,
    /// What its revisions are salted with.
    pub salt: Salt,
    /// The revisions that its card showed before the present one: a press that names one was once right.
    pub earlier: Vec<Revision>,
    /// Who was an approver when it was created, without the holder of the key that it is about.
    pub eligible_approvers: EligibleApprovers,
    /// Approvals given to what the card shows.
    pub approvals: Vec<Approval>,
    /// Since when its card has waited for approvals.
    pub waits_since: Timestamp,
    /// When it lapses in its present state.
    pub expires_at: Timestamp,
    /// The card, once posted.
    #[serde(deserialize_with = "Option::deserialize")]
    pub card: Option<Card>,
    /// Where it stands.
    pub state: State,
    /// Whether it was told that the present link was misused.
    pub alerted: bool,
    /// Whether the approvers were reminded.
    pub reminded: bool,
    /// Its audit chain.
    pub chain: Chain,
    /// What people are still to be told.
    pub tellings: Tellings,
}

/// The message in the approvals channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Where.
    pub channel: ChannelId,
    /// Which message.
    pub ts: MessageTs,
}

impl Shown {
    /// What an IAM user and the needed approvals show.
    #[must_use]
    pub fn of(user: &IamUser, needed: u32) -> Self {
        Self {
            needed,
            privileged: user.privileged,
            groups: user.groups.iter().cloned().collect(),
            policies: user.policies.iter().cloned().collect(),
            policy_digest: user.policy_digest.clone(),
            boundary: user.boundary.clone(),
            keys: user.keys.clone(),
        }
    }
}

impl Shown {
    /// A digest over what approvers judge, whatever request shows it: approvals hold for what has the same one.
    #[must_use]
    pub fn digest(&self) -> Digest256 {
        Digest256::of(self.canonical().to_string().as_bytes())
    }

    /// All but the keys.
    fn canonical(&self) -> Value {
        let Self { needed, privileged, groups, policies, policy_digest, boundary, keys: _ } = self;
        json!([privileged, groups, policies, policy_digest, boundary, needed])
    }
}

impl Asked {
    /// Whether it is the same wish, whatever the requester's address was when each was looked at, and however the IAM
    /// user's name was spelled.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let looked_up =
            Self { email_hash: self.email_hash.clone(), user: self.user.clone(), ..other.clone() };
        self.user.is_same_user(&other.user) && *self == looked_up
    }

    fn canonical(&self) -> Value {
        json!([
            self.requester.to_string(),
            self.account.id.as_str(),
            self.user.as_str(),
            self.use_case.as_str(),
            self.days,
            self.reason,
            self.at.0,
            self.wants,
        ])
    }
}

impl KeyRequest {
    /// A request as it begins: pending, or approved where policy wants no approval.
    #[must_use]
    pub fn new(
        id: RequestId,
        asked: Asked,
        shown: Shown,
        salt: Salt,
        eligible_approvers: EligibleApprovers,
        (request_ttl, approved_ttl): (Duration, Duration),
    ) -> Self {
        let (state, ttl) =
            if shown.needed == 0 { (State::Approved, approved_ttl) } else { (State::Pending, request_ttl) };
        let mut chain = Chain::default();
        let detail = [
            ("account", asked.account.id.to_string()),
            ("user", asked.user.to_string()),
            ("use_case", asked.use_case.to_string()),
            ("days", asked.days.to_string()),
            ("reason", asked.reason.clone()),
            ("needed", shown.needed.to_string()),
        ];
        let mut happened = Happened::new("asked", &asked.requester, detail);
        happened.detail.extend(asked.wants.detail());
        chain.append(&id, asked.at, happened);
        let expires_at = asked.at + ttl;
        Self {
            id,
            waits_since: asked.at,
            asked,
            shown,
            salt,
            earlier: Vec::new(),
            eligible_approvers,
            approvals: Vec::new(),
            expires_at,
            card: None,
            state,
            alerted: false,
            reminded: false,
            chain,
            tellings: Tellings::default(),
        }
    }

    /// A request that policy refused when it was asked: kept, so that a redelivery meets it, and audited.
    #[must_use]
    pub fn refused(id: RequestId, asked: Asked, salt: Salt, why: String, by: &[String]) -> Self {
        let shown = Shown {
            needed: 0,
            privileged: true,
            groups: Vec::new(),
            policies: Vec::new(),
            policy_digest: Digest256::of(b""),
            boundary: None,
            keys: Vec::new(),
        };
        let ttls = (Duration::ZERO, Duration::ZERO);
        let mut request = Self::new(id, asked, shown, salt, EligibleApprovers::default(), ttls);
        let detail = [("by", by.join(" "))];
        request.chain.append(&request.id, request.asked.at, Happened::new("refused", "keyvend", detail));
        request.state = State::Refused { why };
        request
    }

    /// The request with approvals that were given to another one and hold for this one too, as far as they can count here;
    /// `enough` says that policy allows issuing with them.
    #[must_use]
    pub fn inheriting(
        mut self,
        mut approvals: Vec<Approval>,
        of: &RequestId,
        enough: bool,
        approved_ttl: Duration,
    ) -> Self {
        approvals.retain(|approval| self.can_count(&approval.by));
        let by: Vec<String> = approvals.iter().map(|approval| approval.by.to_string()).collect();
        let detail = [("of", of.to_string()), ("by", by.join(" ")), ("enough", enough.to_string())];
        self.chain.append(&self.id, self.asked.at, Happened::new("inherited", "keyvend", detail));
        self.approvals = approvals;
        if enough {
            self.state = State::Approved;
            self.expires_at = self.asked.at + approved_ttl;
        }
        self
    }

    /// Whether this person's approval can count: they were an approver when it was created, and it is not their own.
    #[must_use]
    pub fn can_count(&self, by: &PersonId) -> bool {
        self.eligible_approvers.contains(&by.user) && by.user != self.asked.requester.user
    }

    /// The revision of what its card shows. Only the buttons of that card carry it.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision_of(&self.shown)
    }

    /// The revision of its card if it showed this: over the request, how privileged the user is, its groups, its policies
    /// and their documents, and the approvals needed.
    #[must_use]
    pub fn revision_of(&self, shown: &Shown) -> Revision {
        self.salted("card", &shown.canonical())
    }

    /// What its requester's own buttons carry. It stays as it is, as what was asked does, and is no revision of the card:
    /// whoever gets hold of an answer to the requester can decide nothing by it.
    #[must_use]
    pub fn requesters_revision(&self) -> Revision {
        self.salted("requester", &Value::Null)
    }

    /// Whether its card shows this revision, or did.
    #[must_use]
    pub fn has_shown(&self, revision: &Revision) -> bool {
        *revision == self.revision() || self.earlier.contains(revision)
    }

    fn salted(&self, to: &str, shown: &Value) -> Revision {
        let canonical = json!([self.salt.encoded(), to, self.asked.canonical(), shown]);
        Revision::of(canonical.to_string().as_bytes())
    }

    /// The card shows this from now on.
    fn show(&mut self, shown: Shown) {
        let before = self.revision();
        self.shown = shown;
        if before != self.revision() && !self.earlier.contains(&before) {
            self.earlier.push(before);
        }
    }

    /// Whether these facts are other than those that its approvals were given for. Where no approval is needed, none was
    /// given for anything.
    #[must_use]
    pub fn is_outdated_by(&self, shown: &Shown) -> bool {
        shown.needed > 0 && self.revision_of(shown) != self.revision()
    }

    /// It waits for approvals of what its card shows from now on.
    fn wait_for_approvals(&mut self, shown: Shown, approvals: Vec<Approval>, now: Timestamp, ttl: Duration) {
        let approvals = approvals.into_iter().filter(|approval| self.can_count(&approval.by)).collect();
        self.state = State::Pending;
        self.show(shown);
        self.approvals = approvals;
        self.waits_since = now;
        self.expires_at = now + ttl;
        self.reminded = false;
    }

    /// Whether its time has run out while it still waits for a person.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.waits() && self.expires_at <= now
    }

    /// Whether it may still come to a key.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let under_way = matches!(self.state, State::Issuing(_) | State::Ambiguous(_));
        under_way || (self.waits() && !self.is_expired(now))
    }

    /// When a quarter of the card's time is gone.
    #[must_use]
    pub fn remind_at(&self) -> Timestamp {
        Timestamp(self.waits_since.0 + self.expires_at.since(self.waits_since) / 4)
    }

    /// When it must next be looked at, if nobody does anything.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        // Whoever holds an intent is left alone until its deadline: any other write would take it from them.
        if let State::Issuing(intent) = &self.state {
            return Some(intent.until);
        }
        if !self.chain.outbox.is_empty() || !self.tellings.outbox.is_empty() {
            // Written, but not yet known to be audited and told: at the next sweep that finds it so.
            return Some(self.asked.at);
        }
        match &self.state {
            State::Ambiguous(doubt) => doubt.look_at(),
            // There is no link to wait for.
            State::Approved if self.asked.wants.existing().is_some() => Some(self.waits_since),
            State::Pending if !self.reminded => Some(self.remind_at()),
            State::Pending | State::Approved | State::Ticketed { .. } => Some(self.expires_at),
            State::Issuing(_)
            | State::Issued { .. }
            | State::Fulfilled { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed
            | State::Refused { .. } => None,
        }
    }

    /// Whether a person can still decide it.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self.state {
            State::Pending | State::Approved | State::Ticketed { .. } => true,
            State::Issuing(_)
            | State::Ambiguous(_)
            | State::Issued { .. }
            | State::Fulfilled { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed
            | State::Refused { .. } => false,
        }
    }

    /// The key that came of it and the ticket it was sealed to, if one did.
    #[must_use]
    pub fn issued(&self) -> Option<(&AccessKeyId, &TicketId)> {
        match &self.state {
            State::Issued { key, tid, .. } => Some((key, tid)),
            State::Pending
            | State::Approved
            | State::Ticketed { .. }
            | State::Issuing(_)
            | State::Ambiguous(_)
            | State::Fulfilled { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed
            | State::Refused { .. } => None,
        }
    }

    /// The link that was given out and not used up, if any.
    #[must_use]
    pub fn ticket(&self) -> Option<&TicketId> {
        match &self.state {
            State::Ticketed { tid } | State::Issued { tid, .. } => Some(tid),
            State::Issuing(intent) => Some(&intent.tid),
            State::Ambiguous(doubt) => Some(&doubt.intent.tid),
            State::Pending
            | State::Approved
            | State::Fulfilled { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed
            | State::Refused { .. } => None,
        }
    }

    /// The next state, or why the event does not fit this one.
    ///
    /// # Errors
    /// [`Unfit`]; nothing changed then.
    pub fn apply(&self, event: Event, actor: &str, now: Timestamp) -> Result<Self, Unfit> {
        let mut next = self.clone();
        let happened = match event {
            Event::Approve { by, press, enough, approved_ttl } => {
                self.must_wait(now)?;
                if !matches!(self.state, State::Pending) {
                    return Err(Unfit::MovedOn);
                }
                if !self.can_count(&by) {
                    return Err(Unfit::NotEligible);
                }
                // Met in two workspaces of an organisation it is still one person.
                if self.approvals.iter().any(|approval| approval.by.user == by.user) {
                    return Err(Unfit::AlreadyApproved);
                }
                next.approvals.push(Approval { by, press, at: now });
                if enough {
                    next.state = State::Approved;
                    next.expires_at = now + approved_ttl;
                }
                let detail = [("revision", self.revision().to_string()), ("enough", enough.to_string())];
                Happened::new("approved", actor, detail)
            }
            Event::Fall { by } => {
                self.must_wait(now)?;
                if !matches!(self.state, State::Pending) {
                    return Err(Unfit::MovedOn);
                }
                next.approvals.retain(|approval| !by.contains(&approval.by));
                let by: Vec<String> = by.iter().map(PersonId::to_string).collect();
                Happened::new("approval-fell", actor, [("by", by.join(" "))])
            }
            Event::Deny { by, press, reason } => {
                self.must_wait(now)?;
                let why = ("reason", reason.as_str().to_owned());
                next.state = State::Denied { by, press, reason };
                Happened::new("denied", actor, [("revision", self.revision().to_string()), why])
            }
            Event::Cancel => {
                self.must_wait(now)?;
                next.state = State::Cancelled;
                Happened::new("cancelled", actor, [])
            }
            Event::Lapse => {
                if !self.is_expired(now) {
                    return Err(Unfit::MovedOn);
                }
                next.state = State::Lapsed;
                Happened::new("expired", actor, [])
            }
            Event::Remind => {
                self.must_wait(now)?;
                if self.state != State::Pending || self.reminded || now < self.remind_at() {
                    return Err(Unfit::MovedOn);
                }
                next.reminded = true;
                Happened::new("reminded", actor, [])
            }
            Event::Refuse { why } => {
                self.must_wait(now)?;
                next.state = State::Refused { why };
                Happened::new("refused", actor, [])
            }
            Event::Redraw(shown) => {
                self.must_wait(now)?;
                if !matches!(self.state, State::Pending) {
                    return Err(Unfit::MovedOn);
                }
                next.show(shown);
                next.approvals.clear();
                let detail = [("from", self.revision().to_string()), ("to", next.revision().to_string())];
                Happened::new("redrawn", actor, detail)
            }
            Event::Reopen { shown, ttl } => {
                self.must_wait(now)?;
                if self.state != State::Approved || self.asked.wants.existing().is_none() {
                    return Err(Unfit::MovedOn);
                }
                next.wait_for_approvals(shown, Vec::new(), now, ttl);
                let detail = [("from", self.revision().to_string()), ("to", next.revision().to_string())];
                Happened::new("reopened", actor, detail)
            }
            Event::Ticket { tid } => {
                self.must_wait(now)?;
                if matches!(self.state, State::Pending) || self.asked.wants.existing().is_some() {
                    return Err(Unfit::MovedOn);
                }
                let detail = [("tid", tid.to_string())];
                next.state = State::Ticketed { tid };
                next.alerted = false;
                Happened::new("ticketed", actor, detail)
            }
            Event::TicketGone { tid, why } => {
                if self.state != (State::Ticketed { tid: tid.clone() }) {
                    return Err(Unfit::MovedOn);
                }
                next.state = State::Approved;
                Happened::new("withdrawn", actor, [("tid", tid.to_string()), ("why", why.to_owned())])
            }
            Event::Begin { intent, browser } => {
                self.must_wait(now)?;
                if self.state != (State::Ticketed { tid: intent.tid.clone() }) {
                    return Err(Unfit::MovedOn);
                }
                let detail =
                    [("tid", intent.tid.to_string()), ("run", intent.run.to_string()), ("browser", browser)];
                next.state = State::Issuing(intent);
                Happened::new("issuing", actor, detail)
            }
            Event::TakeOver { run, until } => {
                let State::Issuing(intent) = &self.state else { return Err(Unfit::MovedOn) };
                if now <= intent.until {
                    return Err(Unfit::Replaced);
                }
                let detail = [("from", intent.run.to_string()), ("run", run.to_string())];
                next.state = State::Issuing(Intent { run, until, ..intent.clone() });
                Happened::new("taken-over", actor, detail)
            }
            Event::Created { run, key } => {
                let intent = self.intent_of(&run)?;
                if intent.created.is_some() {
                    return Err(Unfit::MovedOn);
                }
                let detail = [("key", key.to_string()), ("run", run.to_string())];
                next.state = State::Issuing(Intent { created: Some(key), ..intent.clone() });
                Happened::new("created", actor, detail)
            }
            Event::NoAnswer { run } => {
                let intent = self.intent_of(&run)?;
                if intent.created.is_some() {
                    return Err(Unfit::MovedOn);
                }
                let doubt = Doubt { intent: intent.clone(), since: now, looks: 0, suspects: Vec::new() };
                next.state = State::Ambiguous(doubt);
                Happened::new("create-unanswered", actor, [("run", run.to_string())])
            }
            Event::Looked { suspects } => {
                let State::Ambiguous(doubt) = &self.state else { return Err(Unfit::MovedOn) };
                if doubt.look_at().is_none_or(|look_at| now < look_at) {
                    return Err(Unfit::MovedOn);
                }
                let found = suspects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                let mut doubt = Doubt { looks: doubt.looks + 1, ..doubt.clone() };
                doubt.suspects.extend(suspects);
                let detail = [("look", doubt.looks.to_string()), ("suspects", found)];
                // After the last look the request may be tried again: what there was to find is found.
                let settled = doubt.look_at().is_none();
                next.state = if settled { State::Approved } else { State::Ambiguous(doubt) };
                Happened::new("looked", actor, detail)
            }
            Event::Fulfil => {
                self.must_wait(now)?;
                let (event, key, end) = match (&self.state, &self.asked.wants) {
                    (State::Approved, Wants::Back { key, end, .. }) => ("activated", key, end),
                    (State::Approved, Wants::Longer { key, end }) => ("extended", key, end),
                    _ => return Err(Unfit::MovedOn),
                };
                next.state = State::Fulfilled { key: key.clone(), at: now };
                Happened::new(event, actor, [("key", key.to_string()), ("end", end.rfc3339())])
            }
            Event::Withdraw { run, to, why, deleted } => {
                let fits = match &run {
                    // A key that was recorded is given up only once it is deleted.
                    Some(run) => {
                        let created = &self.intent_of(run)?.created;
                        (created.is_none() || *created == deleted) && !matches!(to, Withdrawn::Pending { .. })
                    }
                    None => matches!(self.state, State::Ticketed { .. }) && deleted.is_none(),
                };
                if !fits {
                    return Err(Unfit::MovedOn);
                }
                match to {
                    Withdrawn::Approved => next.state = State::Approved,
                    Withdrawn::Pending { shown, approvals, ttl } => {
                        next.wait_for_approvals(shown, approvals, now, ttl);
                    }
                    Withdrawn::Refused { why } => next.state = State::Refused { why },
                }
                let mut happened = Happened::new("withdrawn", actor, [("why", why.to_owned())]);
                happened.detail.extend(deleted.map(|key| ("deleted".to_owned(), key.to_string())));
                happened
            }
            Event::Seal { run } => {
                let intent = self.intent_of(&run)?;
                let key = intent.created.clone().ok_or(Unfit::MovedOn)?;
                let detail = [("key", key.to_string()), ("run", run.to_string())];
                next.state = State::Issued { key, tid: intent.tid.clone(), at: now };
                Happened::new("issued", actor, detail)
            }
            Event::Seen { happened, at, alert } => {
                next.alerted |= alert;
                next.chain.append(&self.id, at, happened);
                return Ok(next);
            }
            Event::Posted(card) => {
                next.card = Some(card);
                return Ok(next);
            }
        };
        next.chain.append(&self.id, now, happened);
        Ok(next)
    }

    fn must_wait(&self, now: Timestamp) -> Result<(), Unfit> {
        if self.is_expired(now) {
            Err(Unfit::Expired)
        } else if self.waits() {
            Ok(())
        } else {
            Err(Unfit::MovedOn)
        }
    }

    fn intent_of(&self, run: &RunId) -> Result<&Intent, Unfit> {
        match &self.state {
            State::Issuing(intent) if intent.run == *run => Ok(intent),
            State::Issuing(_) => Err(Unfit::Replaced),
            State::Pending
            | State::Approved
            | State::Ticketed { .. }
            | State::Ambiguous(_)
            | State::Issued { .. }
            | State::Fulfilled { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed
            | State::Refused { .. } => Err(Unfit::Replaced),
        }
    }
}

#[cfg(test)]
mod tests;
