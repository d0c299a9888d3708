//! The end of a key: reminders of it, and its postponement while the key is in use.

use std::ops::Range;

use crate::domain::iam::AccessKeyLastUsed;
use crate::domain::key::record::{IssuedKey, Postponement, Reminders, Successor};
use crate::domain::key::state::{DeactivationReason, KeyState};
use crate::domain::shard::spread;
use crate::id::AccessKeyId;
use crate::time::{DAY, Timestamp};

/// What taking an expiry back gives at most, in seconds.
pub const UNDO_EXTENSION: i64 = DAY;
/// A key that was used within so many seconds counts as in use.
pub const RECENT_USE_WINDOW: i64 = 7 * DAY;
/// How often the end of a key that is in use is postponed before it is deactivated all the same, if somebody was told of it.
pub const MAX_POSTPONEMENTS: u32 = 7;
/// How long before its end a reminder must have been delivered, in seconds.
const NOTICE: i64 = DAY;
/// How long before the end its requester is reminded, in seconds, or before that, in office hours. The second is an hour early,
/// so that it is still delivered in time to count as notice.
const REMINDERS: [i64; 2] = [7 * DAY, NOTICE + HOUR];
const HOUR: i64 = 3_600;
/// Between which times of day postponed deadlines are, in seconds: in office hours, with half an hour left for what is late.
const DEADLINES: Range<i64> = 9 * HOUR + HOUR / 2..14 * HOUR + HOUR / 2;

/// What becomes of a key whose time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryDecision {
    Deactivate,
    /// It is in use, and stays active until the new deadline.
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

/// How many days there are until `end`, begun ones whole.
#[must_use]
pub fn days_until(end: Timestamp, now: Timestamp) -> u32 {
    u32::try_from(end.since(now).max(0).saturating_add(DAY - 1) / DAY).unwrap_or(u32::MAX)
}

/// Whether it is between 09:00 and 15:00 of Monday to Thursday where clocks are `offset` seconds ahead of UTC.
pub(crate) fn is_office_hours(now: Timestamp, offset: i64) -> bool {
    let local = now.0.saturating_add(offset);
    // The epoch was a Thursday.
    let weekday = (local.div_euclid(DAY) + 3).rem_euclid(7);
    weekday < 4 && (9 * HOUR..15 * HOUR).contains(&local.rem_euclid(DAY))
}

/// A time in the office hours of the next day there, for each key another: at one time for all, Slack would not take all that is
/// to be told of them. Moved by 24 hours alone, an end at night would stay one.
fn next_deadline(key: &AccessKeyId, now: Timestamp, offset: i64) -> Timestamp {
    let local = now.0.saturating_add(offset);
    let time = DEADLINES.start + spread(key.as_str(), DEADLINES.end - DEADLINES.start);
    Timestamp((local.div_euclid(DAY) + 1) * DAY + time - offset)
}

/// The last time in office hours there that is not after `at`: for each key another, as above.
fn office_time_until(key: &AccessKeyId, at: Timestamp, offset: i64) -> Timestamp {
    if is_office_hours(at, offset) {
        return at;
    }
    let local = at.0.saturating_add(offset);
    let time = DEADLINES.start + spread(key.as_str(), DEADLINES.end - DEADLINES.start);
    let mut day = local.div_euclid(DAY) - i64::from(local.rem_euclid(DAY) < time);
    while !is_office_hours(Timestamp(day * DAY + time), 0) {
        day -= 1;
    }
    Timestamp(day * DAY + time - offset)
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

impl IssuedKey {
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
        let [first, last] = self.reminder_times();
        match self.reminders.sent {
            _ if self.expiry_was_undone() => None,
            0 if first > self.reminders.from => Some(first),
            0 | 1 => Some(last),
            _ => None,
        }
    }

    /// When its reminders come: in office hours where there are any since its end was fixed.
    fn reminder_times(&self) -> [Timestamp; 2] {
        let Reminders { from, .. } = self.reminders;
        REMINDERS.map(|before| {
            let latest = Timestamp(self.expires_at.0 - before);
            let earlier = office_time_until(&self.key, latest, self.utc_offset);
            if earlier > from { earlier } else { latest.max(from) }
        })
    }

    /// The key with the reminder that is due noted as sent.
    #[must_use]
    pub fn with_reminder_sent(&self, now: Timestamp) -> Self {
        let [_, last] = self.reminder_times();
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

    /// Whether its end may still be postponed, seeing its last use. One that cannot be read shows nothing. As long as nobody was
    /// told that it ends, a key in use does not.
    #[must_use]
    pub fn can_postpone(&self, last_used: &AccessKeyLastUsed, now: Timestamp) -> bool {
        let in_use = match last_used {
            AccessKeyLastUsed::Never => false,
            AccessKeyLastUsed::At { at, .. } => now.since(*at) < RECENT_USE_WINDOW,
            AccessKeyLastUsed::Unknown => true,
        };
        let may_be_postponed = self.postponements() < MAX_POSTPONEMENTS || !self.had_notice(now);
        in_use && !self.expiry_was_undone() && may_be_postponed
    }

    /// Whether Slack took a message that it ends at least a day ago: a reminder to its requester, or the notice of a
    /// postponement to the approvers.
    fn had_notice(&self, now: Timestamp) -> bool {
        let notified_at = self.postponement.and_then(|postponement| postponement.notified_at);
        let delivered = [self.reminders.delivered_at, notified_at];
        delivered.into_iter().flatten().any(|at| now.since(at) >= NOTICE)
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
        let postponement = Postponement {
            new_deadline: next_deadline(&self.key, now, offset),
            times: self.postponements().saturating_add(1),
            notified_at: self.postponement.and_then(|postponement| postponement.notified_at),
        };
        ExpiryDecision::Postpone(postponement, unready)
    }
}
