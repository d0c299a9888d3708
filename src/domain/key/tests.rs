//! What time and state call for, by tables and over any time at all.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::iam::{AccessKeyLastUsed, Account};
use crate::domain::key::expiry::is_office_hours;
use crate::domain::key::state::TRANSITIONS;
use crate::domain::risk::RiskFlag;
use crate::domain::shard::spread;
use crate::domain::ticket::claim::FETCH_WINDOW;
use crate::domain::use_case::UseCase;
use crate::id::{PersonId, RequestId};
use crate::time::{DAY, Timestamp};

/// A Monday, 16:00 UTC.
pub(crate) const START: i64 = 1_764_000_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A key that was issued then for so many days, and confirmed.
pub(crate) fn key(days: i64) -> IssuedKey {
    let person: PersonId = "T0001.U0ALICE".to_owned().try_into().unwrap();
    IssuedKey {
        key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        request: RequestId::of_signature(&[1; 32]),
        account: Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() },
        user: "ci".parse().unwrap(),
        path: "/".to_owned(),
        requester: person.clone(),
        // So that it is 14:00 of a Monday.
        utc_offset: -2 * HOUR,
        owners: vec![person.user],
        owner_groups: BTreeSet::new(),
        approved_by: Vec::new(),
        approved: crate::id::Digest256::of(b""),
        use_case: UseCase::Cli,
        reason: "to deploy".to_owned(),
        issued_at: Timestamp(START),
        expires_at: Timestamp(START + days * DAY),
        days: u32::try_from(days).unwrap(),
        state: KeyState::Confirmed,
        reminders: Reminders::none(Timestamp(START)),
        postponement: None,
        undone_expiry: None,
        replaces: None,
        successor: None,
        replacement: None,
        reassert_at: None,
        quarantined_at: None,
        reported_by: None,
        left_notified_at: None,
        unproven: None,
    }
}

/// The same as read.
fn at(seconds: i64) -> AccessKeyLastUsed {
    AccessKeyLastUsed::At { at: Timestamp(seconds), service: "s3".to_owned(), region: "eu-west-1".to_owned() }
}

fn successor(look_at: Option<i64>) -> Successor {
    Successor {
        key: "AKIAIOSFODNN7EXAMPL2".parse().unwrap(),
        requester: key(30).requester,
        confirmed_at: Timestamp(START),
        check_at: look_at.map(Timestamp),
    }
}

/// Whatever the end: nobody is reminded at night or before a weekend, and nobody with less notice.
#[test]
fn reminders_come_in_office_hours() {
    for hour in 0..14 * 24 {
        let end = Timestamp(START + 30 * DAY + hour * HOUR);
        let mut issued = IssuedKey { expires_at: end, ..key(30) };
        for (sent, notice) in [(0, 7 * DAY), (1, DAY + HOUR)] {
            issued.reminders.sent = sent;
            let at = issued.remind_at().unwrap();
            assert!(is_office_hours(at, issued.utc_offset), "{hour}: {at:?}");
            let early = end.since(at) - notice;
            assert!((0..4 * DAY).contains(&early), "{hour}: {early} s early");
        }
        issued = issued.with_reminder_sent(issued.remind_at().unwrap());
        assert_eq!(issued.remind_at(), None, "{hour}: both were sent");
    }
    // An hour into a weekend, of a life that began in it.
    let end = Timestamp(START + 6 * DAY);
    let reminders = Reminders::none(Timestamp(end.0 - 2 * DAY));
    let short = IssuedKey { expires_at: end, reminders, ..key(6) };
    assert_eq!(short.remind_at(), Some(Timestamp(end.0 - DAY - HOUR)), "with notice all the same");
    let times = |id: &str| IssuedKey { expires_at: end, key: id.parse().unwrap(), ..key(6) }.remind_at();
    assert_ne!(times("AKIAIOSFODNN7EXAMPL2"), times("AKIAIOSFODNN7EXAMPL3"), "not all at once");
}

#[test]
fn reminders_are_due_seven_and_one_day_ahead() {
    let end = |days: i64| START + days * DAY;
    for (days, sent, expected) in [
        (30, 0, Some(end(30) - 7 * DAY)),
        (30, 1, Some(end(30) - DAY - HOUR)),
        (30, 2, None),
        (8, 0, Some(end(8) - 7 * DAY)),
        (3, 0, Some(end(3) - DAY - HOUR)),
        (1, 0, Some(START)),
    ] {
        let mut issued = key(days);
        issued.reminders.sent = sent;
        assert_eq!(issued.remind_at(), expected.map(Timestamp), "{days} days, {sent} sent");
    }
    // Both at once where nobody looked for a week.
    let late = key(30).with_reminder_sent(Timestamp(end(30) - DAY));
    assert_eq!((late.reminders.sent, late.remind_at()), (2, None));
    let first = key(30).with_reminder_sent(Timestamp(end(30) - 7 * DAY));
    assert_eq!(first.reminders.sent, 1);
    let short = key(3).with_reminder_sent(Timestamp(end(3) - DAY - HOUR));
    assert_eq!((short.reminders.sent, short.remind_at()), (2, None), "the last is the only one");
    let undone = IssuedKey { undone_expiry: Some(Timestamp(end(1))), ..key(1) };
    assert_eq!(undone.remind_at(), None, "whoever took the expiry back knows");
}

// T8.6
#[test]
fn only_possibly_used_key_is_postponed() {
    let now = Timestamp(START + 30 * DAY);
    let undone = IssuedKey { undone_expiry: Some(now), ..key(30) };
    let noted = |times, notified_at: Option<i64>| {
        let notified_at = notified_at.map(|before| Timestamp(now.0 - before));
        IssuedKey { postponement: Some(Postponement { new_deadline: now, times, notified_at }), ..key(30) }
    };
    let often = |times| noted(times, Some(6 * DAY));
    let reminded = |before| IssuedKey {
        reminders: Reminders { delivered_at: Some(Timestamp(now.0 - before)), ..key(30).reminders },
        ..noted(7, None)
    };
    for (issued, last_used, expected) in [
        (key(30), AccessKeyLastUsed::Never, false),
        (key(30), AccessKeyLastUsed::Unknown, true),
        (key(30), at(now.0 - 7 * DAY), false),
        (key(30), at(now.0 - 7 * DAY + 1), true),
        (undone.clone(), at(now.0 - 1), false),
        (undone, AccessKeyLastUsed::Unknown, false),
        (often(6), AccessKeyLastUsed::Unknown, true),
        (often(7), AccessKeyLastUsed::Unknown, false),
        (often(7), at(now.0), false),
        // Nobody was told that it ends, or not a day ago.
        (noted(7, None), at(now.0), true),
        (noted(70, None), AccessKeyLastUsed::Unknown, true),
        (noted(7, None), AccessKeyLastUsed::Never, false),
        (noted(7, Some(DAY - 1)), at(now.0), true),
        (noted(8, Some(DAY)), at(now.0), false),
        (reminded(DAY - 1), at(now.0), true),
        (reminded(DAY), at(now.0), false),
    ] {
        let postponement = issued.postponement;
        assert_eq!(issued.can_postpone(&last_used, now), expected, "{last_used:?} {postponement:?}");
    }
}

#[test]
fn used_key_expires_in_office_hours_after_notice() {
    // The day of the epoch's week, Monday being 0, and the hour in UTC.
    let monday = START - 16 * HOUR;
    let when =
        |day: i64, hour: i64, minute: i64| Timestamp(monday + day * DAY + hour * HOUR + minute * MINUTE);
    let noon = |day: i64, offset: i64| when(day, 9, 30).0 + spread(key(30).key.as_str(), 5 * HOUR) - offset;
    let amsterdam = HOUR;
    let delhi = 5 * HOUR + 30 * MINUTE;
    let honolulu = -10 * HOUR;
    let notice = Some(-DAY);
    for (now, offset, delivered, expected) in [
        (when(0, 9, 0), 0, notice, None),
        (when(0, 14, 59), 0, notice, None),
        (when(3, 12, 0), 0, notice, None),
        (when(0, 15, 0), 0, notice, Some((noon(1, 0), PostponeReason::OutOfHours))),
        (when(0, 8, 59), 0, notice, Some((noon(1, 0), PostponeReason::OutOfHours))),
        (when(3, 15, 0), 0, notice, Some((noon(4, 0), PostponeReason::OutOfHours))),
        (when(4, 12, 0), 0, notice, Some((noon(5, 0), PostponeReason::OutOfHours))),
        (when(5, 12, 0), 0, notice, Some((noon(6, 0), PostponeReason::OutOfHours))),
        (when(6, 12, 0), 0, notice, Some((noon(7, 0), PostponeReason::OutOfHours))),
        (when(7, 12, 0), 0, notice, None),
        // Where its requester is.
        (when(0, 8, 0), amsterdam, notice, None),
        (when(0, 14, 0), amsterdam, notice, Some((noon(1, amsterdam), PostponeReason::OutOfHours))),
        (when(0, 4, 0), delhi, notice, None),
        (when(0, 20, 0), honolulu, notice, None),
        (when(0, 23, 0), delhi, notice, Some((noon(2, delhi), PostponeReason::OutOfHours))),
        (when(0, 5, 0), honolulu, notice, Some((noon(0, honolulu), PostponeReason::OutOfHours))),
        (when(4, 0, 30), honolulu, notice, None),
        (when(4, 1, 0), honolulu, notice, Some((noon(4, honolulu), PostponeReason::OutOfHours))),
        // Notice first.
        (when(0, 12, 0), 0, Some(1 - DAY), Some((noon(1, 0), PostponeReason::Unreminded))),
        (when(0, 12, 0), 0, None, Some((noon(1, 0), PostponeReason::Unreminded))),
        (when(5, 12, 0), 0, None, Some((noon(6, 0), PostponeReason::Unreminded))),
    ] {
        let mut issued = key(30);
        issued.reminders.delivered_at = delivered.map(|before| Timestamp(now.0 + before));
        let expected = expected.map_or(ExpiryDecision::Deactivate, |(until, unready)| {
            let new_deadline = Timestamp(until);
            ExpiryDecision::Postpone(Postponement { new_deadline, times: 1, notified_at: None }, unready)
        });
        assert_eq!(issued.expiry_decision(offset, now), expected, "{} with {offset}", now.rfc3339());
    }
}

#[test]
fn postponed_deadlines_are_spread_over_office_hours() {
    // Those of 500 keys that are postponed at one moment.
    let mut minutes = std::collections::BTreeMap::new();
    for number in 0..500 {
        let issued = IssuedKey { key: format!("AKIA{number:0>16}").parse().unwrap(), ..key(30) };
        let ExpiryDecision::Postpone(postponement, _) = issued.expiry_decision(HOUR, Timestamp(START)) else {
            panic!("{number} is not postponed")
        };
        assert!(is_office_hours(postponement.new_deadline, HOUR), "{postponement:?}");
        *minutes.entry(postponement.new_deadline.0 / MINUTE).or_insert(0) += 1;
    }
    let (most, hours) = (minutes.values().max().unwrap(), minutes.len() / 60);
    assert!(*most <= 10 && hours >= 3, "{most} keys in one minute, {} minutes with any", minutes.len());
}

#[test]
fn old_key_is_idle_after_unused_day() {
    // It must not have been used since the new key existed, nor for a day.
    let day = |days: i64| START + days * DAY;
    for (last_used, now, expected) in [
        (AccessKeyLastUsed::Never, day(1) - 1, false),
        (AccessKeyLastUsed::Never, day(1), true),
        (AccessKeyLastUsed::Unknown, day(30), false),
        (at(START), day(1), true),
        (at(START - 1), day(1) - 1, false),
        (at(day(-30)), day(1), true),
        (at(START + 1), day(2), false),
        (at(START + 1), day(7), false),
        (at(START + 1), day(7) + 1, true),
        (at(day(6)), day(7), false),
    ] {
        assert_eq!(successor(None).is_idle(&last_used, Timestamp(now)), expected, "{last_used:?} at {now}");
    }
}

#[test]
fn each_key_state_has_one_due_action() {
    let time = |seconds: i64| Timestamp(START + seconds);
    let inactive = |why| KeyState::Inactive { why, since: Timestamp(START) };
    let is = |state| IssuedKey { state, ..key(30) };
    let reminded = |issued: IssuedKey| IssuedKey {
        reminders: Reminders { sent: 2, ..Reminders::none(Timestamp(START)) },
        ..issued
    };
    let replaced = |look_at| IssuedKey { successor: Some(successor(look_at)), ..reminded(key(30)) };
    let postponement = IssuedKey {
        postponement: Some(Postponement { new_deadline: time(31 * DAY), times: 1, notified_at: None }),
        ..reminded(key(30))
    };
    for (what, issued, due, step) in [
        ("delivered", is(KeyState::Delivered), Some(FETCH_WINDOW), DueAction::CheckConfirmation),
        ("confirmed", key(30), Some(23 * DAY), DueAction::SendReminder),
        ("active", reminded(is(KeyState::Active)), Some(30 * DAY), DueAction::Expire),
        ("postponed", postponement, Some(31 * DAY), DueAction::Expire),
        ("replaced", replaced(Some(START + DAY)), Some(DAY), DueAction::CheckOldKeyIdle),
        ("replaced and asked", replaced(None), Some(30 * DAY), DueAction::Expire),
        ("unconfirmed", is(KeyState::Unconfirmed { since: time(5) }), Some(5), DueAction::CheckLastUse),
        (
            "expired",
            is(inactive(DeactivationReason::Expired)),
            Some(DELETION_GRACE),
            DueAction::Delete(DeactivationReason::Expired),
        ),
        (
            "off unconfirmed",
            is(inactive(DeactivationReason::Unconfirmed)),
            Some(DAY),
            DueAction::Delete(DeactivationReason::Unconfirmed),
        ),
        (
            "gone",
            is(KeyState::Deleted { why: DeactivationReason::UserRequested, at: time(0) }),
            None,
            DueAction::Nothing,
        ),
    ] {
        assert_eq!(issued.due_at(), due.map(time), "{what}");
        if let Some(due) = due {
            assert_eq!(issued.due_action(None, time(due - 1)), DueAction::Nothing, "{what}, before");
            assert_eq!(issued.due_action(None, time(due)), step, "{what}");
        } else {
            assert_eq!(issued.due_action(None, time(1_000 * DAY)), DueAction::Nothing, "{what}");
        }
    }
}

#[test]
fn deactivation_mark_overrides_other_due_actions() {
    let mark = DeactivationMark {
        since: Timestamp(START),
        by: "T0001.U0ALICE".to_owned(),
        why: DeactivationReason::UserRequested,
        press: None,
    };
    let now = Timestamp(START);
    let requested = DeactivationReason::UserRequested;
    assert_eq!(key(30).due_action(Some(&mark), now), DueAction::Deactivate(requested));
    let reminded = key(30).with_reminder_sent(now);
    assert_eq!(reminded.due_at_with(Some(&mark)), Some(Timestamp(START + RETRY_DELAY)));
    let deactivated = key(30).key_deactivated(requested, now);
    assert_eq!(deactivated.due_at_with(Some(&mark)), Some(Timestamp(START + REASSERT_DELAY)));
}

#[test]
fn changed_expiry_resets_reminders_and_postponements() {
    let mut issued = key(30).with_reminder_sent(Timestamp(START + 29 * DAY));
    issued.reminders.delivered_at = Some(Timestamp(START + 29 * DAY));
    issued.postponement =
        Some(Postponement { new_deadline: Timestamp(START + 31 * DAY), times: 1, notified_at: None });
    let now = Timestamp(START + 30 * DAY);
    let longer = issued.with_expiry(Timestamp(now.0 + 30 * DAY), now);
    assert_eq!((longer.reminders, longer.postponement), (Reminders::none(now), None));
    assert_eq!(longer.deadline(), longer.expires_at);
}

#[test]
fn remaining_days_are_rounded_up() {
    for (left, days) in [(0, 0), (-5, 0), (1, 1), (DAY, 1), (DAY + 1, 2), (30 * DAY - 1, 30), (30 * DAY, 30)]
    {
        assert_eq!(days_until(Timestamp(START + left), Timestamp(START)), days, "{left} s");
    }
}

proptest! {
    /// However long it is postponed, a key ends: each time later than the last, by two days at most, and seven times at most.
    // T8.5
    #[test]
    fn used_key_expires_within_seven_postponements(
        days in 1_i64..400,
        offset in -12 * HOUR..14 * HOUR,
        late in 0_i64..3_600,
        delivered in prop::option::of(0_i64..400 * DAY),
    ) {
        let mut issued = key(days);
        issued.reminders.delivered_at = delivered.map(|at| Timestamp(START + at));
        let mut times = 0;
        loop {
            let now = Timestamp(issued.deadline().0 + late);
            if !issued.can_postpone(&AccessKeyLastUsed::Unknown, now) {
                break;
            }
            let ExpiryDecision::Postpone(postponement, unready) = issued.expiry_decision(offset, now) else {
                prop_assert!(is_office_hours(now, offset));
                break;
            };
            times += 1;
            prop_assert_eq!(postponement.times, times);
            prop_assert!(postponement.new_deadline > now && postponement.new_deadline.since(now) <= 2 * DAY, "{:?}", postponement);
            let time = postponement.new_deadline.0.saturating_add(offset).rem_euclid(DAY);
            prop_assert!((19 * HOUR / 2..29 * HOUR / 2).contains(&time), "{} s", time);
            prop_assert!(unready == PostponeReason::Unreminded || !is_office_hours(now, offset));
            // Slack takes the notice at once.
            issued.postponement = Some(Postponement { notified_at: postponement.notified_at.or(Some(now)), ..postponement });
        }
        prop_assert!(times <= MAX_POSTPONEMENTS);
    }

    /// Whatever its state, a key that works has a time at which it is looked at, no later than its deadline.
    #[test]
    fn a_key_that_works_always_has_its_timer(sent in 0_usize..4, look in prop::option::of(0_i64..60 * DAY)) {
        let mut issued = key(30);
        issued.reminders.sent = sent;
        issued.successor = look.map(|look| successor(Some(START + look)));
        for state in [KeyState::Delivered, KeyState::Confirmed, KeyState::Active] {
            issued.state = state;
            prop_assert!(issued.due_at().is_some_and(|due_at| due_at <= issued.deadline()));
        }
    }
}

#[test]
fn documented_key_diagram_matches_code() {
    let page = include_str!("../../../docs/state-machines.md");
    let table = page.split("<!-- begin key -->").nth(1).unwrap().split("<!-- end key -->").next().unwrap();
    let mut drawn = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        drawn.insert((cells[0], cells[2]));
    }
    assert_eq!(drawn, TRANSITIONS.into_iter().collect());
    let named: BTreeSet<&str> = drawn.iter().flat_map(|(from, to)| [*from, *to]).collect();
    assert_eq!(named.len(), 10, "every state of a key is drawn: {named:?}");
}

/// All states, live or not, for all reasons.
fn all_states() -> Vec<KeyState> {
    let (at, by) = (Timestamp(START), "T0001.U0BOB".to_owned());
    let person: PersonId = by.clone().try_into().unwrap();
    let whys = [
        DeactivationReason::Reported,
        DeactivationReason::Unconfirmed,
        DeactivationReason::Expired,
        DeactivationReason::UserRequested,
        DeactivationReason::Rotated,
        DeactivationReason::OwnerDeactivated,
        DeactivationReason::DeletedInAws,
    ];
    let off = whys.into_iter().flat_map(|why| {
        let request = RequestId::of_signature(&[3; 32]);
        [
            KeyState::Inactive { why, since: at },
            KeyState::Activating { by: request, end: at, why, since: at },
            KeyState::Deleting { why, by: by.clone() },
            KeyState::Deleted { why, at },
        ]
    });
    let others = [
        KeyState::Delivered,
        KeyState::Confirmed,
        KeyState::Unconfirmed { since: at },
        KeyState::Active,
        KeyState::Suspect { asked_at: at },
        KeyState::NotOurs { by: person },
    ];
    others.into_iter().chain(off).collect()
}

// T6.5
#[test]
fn report_is_final_in_any_key_state() {
    let (now, press) = (Timestamp(START + DAY), RequestId::of_signature(&[4; 32]));
    let mark = DeactivationMark {
        since: now,
        by: "T0001.U0ALICE".to_owned(),
        why: DeactivationReason::Reported,
        press: Some(press.clone()),
    };
    for state in all_states() {
        let before = IssuedKey { state: state.clone(), ..key(30) };
        let next = before.reported(Some(&press), now);
        assert!(state.can_become(&next.state), "{state:?} becomes {:?}", next.state);
        assert!(next.is_reported(), "{state:?}");
        assert!(!next.state.is_active(), "{state:?}");
        assert_eq!(next.reported_by, Some(press.clone()), "{state:?}");
        if !matches!(state, KeyState::NotOurs { .. }) {
            assert!(next.concerns().contains(&RiskFlag::Reported), "{state:?}");
        }
        // What is cut off before its state says so is done by the timer, and once.
        let pending = !before.is_reported();
        assert_eq!(before.is_deactivation_pending(Some(&mark)), pending, "{state:?}");
        assert_eq!(
            before.due_action(Some(&mark), now) == DueAction::Deactivate(DeactivationReason::Reported),
            pending,
            "{state:?}"
        );
        assert_ne!(
            next.due_action(Some(&mark), now),
            DueAction::Deactivate(DeactivationReason::Reported),
            "{state:?}"
        );
        assert!(!next.is_deactivation_pending(Some(&mark)), "{state:?}");
    }
}
