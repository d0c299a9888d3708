//! What the daily comparison of IAM with the table found in one account. A key that does not match is reported once, and
//! again when that changes, when it is gone, or when the date has come until which somebody marked it as known. Stored page
//! by page, and reported from the table when the last page is read. No message carries it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::iam::AccessKeyLastUsed;
use crate::id::{AccessKeyId, IamUserName};
use crate::time::{DAY, Timestamp};

/// How many keys of an account are kept: an item of DynamoDB's holds 400 KB. The rest is counted.
const MAX_KEPT: usize = 900;

/// How long a key is marked as known.
pub const KNOWN_FOR: i64 = 90 * DAY;

/// In what an active key does not match the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discrepancy {
    /// keyvend did not issue it.
    Unmanaged,
    /// It should have been deactivated then.
    Expired { at: Timestamp },
    /// keyvend deactivated or deleted it.
    Deactivated,
}

/// A key as one page showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundKey {
    pub key: AccessKeyId,
    pub user: IamUserName,
    pub create_date: Timestamp,
    pub last_used: AccessKeyLastUsed,
    pub discrepancy: Discrepancy,
}

/// A key with what was said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    found: FoundKey,
    /// The comparison that saw it last.
    seen: Timestamp,
    /// What was reported of it, and by which comparison.
    reported: Option<(Discrepancy, Timestamp)>,
    known_until: Option<Timestamp>,
}

/// The findings of the comparisons of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// When the reading of IAM began whose pages are in it.
    begun: Option<Timestamp>,
    pages: BTreeSet<u32>,
    keys: BTreeMap<AccessKeyId, Entry>,
    /// How many more keys that reading found than are kept, and how many were reported.
    more: usize,
    more_reported: usize,
}

/// What a report says, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub new: Vec<FoundKey>,
    pub changed: Vec<FoundKey>,
    /// Marked as known until a date that has passed.
    pub known_before: Vec<FoundKey>,
    /// No longer active, or as recorded.
    pub gone: Vec<FoundKey>,
    /// Keys that are only counted.
    pub more: usize,
}

impl Changes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { new, changed, known_before, gone, more } = self;
        [new, changed, known_before, gone].iter().all(|keys| keys.is_empty()) && *more == 0
    }
}

impl Findings {
    /// The findings with those of one page; `None` where they are in it already, or a later comparison has begun.
    #[must_use]
    pub fn with_page(&self, begun: Timestamp, page: u32, found: Vec<FoundKey>) -> Option<Self> {
        if self.begun > Some(begun) {
            return None;
        }
        let mut next = self.clone();
        if next.begun != Some(begun) {
            next = Self { begun: Some(begun), pages: BTreeSet::new(), more: 0, ..next };
        }
        if !next.pages.insert(page) {
            return None;
        }
        for found in found {
            if let Some(entry) = next.keys.get_mut(&found.key) {
                entry.seen = begun;
                entry.found = found;
            } else if next.keys.len() < MAX_KEPT {
                let key = found.key.clone();
                next.keys.insert(key, Entry { found, seen: begun, reported: None, known_until: None });
            } else {
                next.more += 1;
            }
        }
        Some(next)
    }

    /// What a comparison has to report, and the findings once that is said. Only a comparison that read everything knows
    /// what is gone.
    #[must_use]
    pub fn report(&self, begun: Timestamp, is_complete: bool, now: Timestamp) -> (Changes, Self) {
        let mut changes = Changes::default();
        let mut next = self.clone();
        if is_complete {
            let (kept, gone): (BTreeMap<_, _>, _) =
                std::mem::take(&mut next.keys).into_iter().partition(|(_, entry)| entry.seen >= begun);
            next.keys = kept;
            let said = |entry: &Entry| entry.reported.is_some();
            changes.gone = gone.into_values().filter(said).map(|entry| entry.found).collect();
        }
        for entry in next.keys.values_mut().filter(|entry| entry.seen == begun) {
            let is_over = entry.known_until.is_some_and(|until| until <= now);
            let group = match &entry.reported {
                None => &mut changes.new,
                Some((reported, _)) if *reported != entry.found.discrepancy => &mut changes.changed,
                Some(_) if is_over => &mut changes.known_before,
                Some(_) => continue,
            };
            group.push(entry.found.clone());
            entry.reported = Some((entry.found.discrepancy.clone(), begun));
            entry.known_until = entry.known_until.filter(|_| !is_over);
        }
        if self.begun == Some(begun) && self.more != self.more_reported {
            changes.more = self.more;
            next.more_reported = self.more;
        }
        (changes, next)
    }

    /// The findings with keys marked as known until then, and how many those are: one of them, or all that were reported by
    /// a comparison or before it.
    #[must_use]
    pub fn mark_known(&self, which: &MarkedKeys, until: Timestamp) -> (usize, Self) {
        let mut next = self.clone();
        let mut marked = 0;
        for (key, entry) in &mut next.keys {
            if which.contains(key, entry) && entry.known_until.is_none_or(|known| known < until) {
                entry.known_until = Some(until);
                marked += 1;
            }
        }
        (marked, next)
    }

    /// Of the keys that somebody could mark: whether one is left that is not known, and until when the others are.
    #[must_use]
    pub fn left_to_mark(&self, which: &MarkedKeys) -> (bool, Option<Timestamp>) {
        let meant = self.keys.iter().filter(|(key, entry)| which.contains(key, entry));
        let known: Vec<Option<Timestamp>> = meant.map(|(_, entry)| entry.known_until).collect();
        (known.contains(&None), known.into_iter().flatten().min())
    }

    /// Whether every key matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.more == 0
    }

    /// All keys that do not match, as last seen, each with the date until which it is known; and how many more there are.
    #[must_use]
    pub fn all(&self) -> (Vec<(&FoundKey, Option<Timestamp>)>, usize) {
        (self.keys.values().map(|entry| (&entry.found, entry.known_until)).collect(), self.more)
    }
}

/// Which keys somebody marks as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkedKeys {
    One(AccessKeyId),
    /// Those that were reported by the comparison that began then, or by an earlier one.
    ReportedUpTo(Timestamp),
}

impl MarkedKeys {
    fn contains(&self, key: &AccessKeyId, entry: &Entry) -> bool {
        match self {
            Self::One(meant) => key == meant,
            Self::ReportedUpTo(at) => entry.reported.as_ref().is_some_and(|(_, by)| by <= at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: usize, discrepancy: Discrepancy) -> FoundKey {
        FoundKey {
            key: format!("AKIA{number:016}").parse().unwrap(),
            user: "ci".parse().unwrap(),
            create_date: Timestamp(0),
            last_used: AccessKeyLastUsed::Never,
            discrepancy,
        }
    }

    fn unmanaged(numbers: std::ops::Range<usize>) -> Vec<FoundKey> {
        numbers.map(|number| found(number, Discrepancy::Unmanaged)).collect()
    }

    // T7.6
    #[test]
    fn reconciliation_page_is_stored_once() {
        // Findings of an older run are never stored.
        let first = Findings::default().with_page(Timestamp(10), 0, unmanaged(0..15)).unwrap();
        assert_eq!(first.with_page(Timestamp(10), 0, unmanaged(0..15)), None, "its message came again");
        assert_eq!(first.with_page(Timestamp(9), 1, unmanaged(0..1)), None, "its reading is over");
        let second = first.with_page(Timestamp(10), 1, unmanaged(15..25)).unwrap();
        assert_eq!(second.report(Timestamp(10), true, Timestamp(10)).0.new, unmanaged(0..25));
    }

    #[test]
    fn discrepancy_is_reported_once_until_it_changes() {
        let day = |n: i64| Timestamp(n * DAY);
        let (changes, findings) =
            Findings::default().with_page(day(1), 0, unmanaged(0..3)).unwrap().report(day(1), true, day(1));
        assert_eq!(changes, Changes { new: unmanaged(0..3), ..Changes::default() });
        let (quiet, findings) =
            findings.with_page(day(2), 0, unmanaged(0..3)).unwrap().report(day(2), true, day(2));
        assert!(quiet.is_empty(), "{quiet:?}");
        // An incomplete reading says nothing of what it did not see.
        let (quiet, findings) =
            findings.with_page(day(3), 0, unmanaged(1..3)).unwrap().report(day(3), false, day(3));
        assert!(quiet.is_empty(), "{quiet:?}");
        let expired = found(1, Discrepancy::Expired { at: day(1) });
        let seen = vec![expired.clone(), found(2, Discrepancy::Unmanaged), found(3, Discrepancy::Unmanaged)];
        let (changes, _) = findings.with_page(day(4), 0, seen).unwrap().report(day(4), true, day(4));
        let expected = Changes {
            new: unmanaged(3..4),
            changed: vec![expired],
            gone: unmanaged(0..1),
            ..Changes::default()
        };
        assert_eq!(changes, expected);
        // All of them, where there is nothing any more.
        let (changes, findings) = findings.report(day(5), true, day(5));
        assert_eq!(changes.gone, unmanaged(0..3));
        assert_eq!(findings.all().0, []);
    }

    #[test]
    fn known_key_is_reported_again_after_its_date() {
        let day = |n: i64| Timestamp(n * DAY);
        let (_, findings) =
            Findings::default().with_page(day(1), 0, unmanaged(0..2)).unwrap().report(day(1), true, day(1));
        let (marked, findings) = findings.mark_known(&MarkedKeys::One(unmanaged(0..1).remove(0).key), day(3));
        assert_eq!(marked, 1);
        let first = MarkedKeys::One(unmanaged(0..1).remove(0).key);
        assert_eq!(findings.left_to_mark(&first), (false, Some(day(3))));
        assert_eq!(findings.left_to_mark(&MarkedKeys::ReportedUpTo(day(1))), (true, Some(day(3))));
        assert_eq!(findings.left_to_mark(&MarkedKeys::ReportedUpTo(day(0))), (false, None));
        let (quiet, findings) =
            findings.with_page(day(2), 0, unmanaged(0..2)).unwrap().report(day(2), true, day(2));
        assert!(quiet.is_empty(), "{quiet:?}");
        let (changes, findings) =
            findings.with_page(day(3), 0, unmanaged(0..2)).unwrap().report(day(3), true, day(3));
        assert_eq!(changes, Changes { known_before: unmanaged(0..1), ..Changes::default() });
        let (quiet, findings) =
            findings.with_page(day(4), 0, unmanaged(0..2)).unwrap().report(day(4), true, day(4));
        assert!(quiet.is_empty(), "{quiet:?}");
        // Marking all is about what was reported when the button was made.
        let (_, findings) =
            findings.with_page(day(5), 0, unmanaged(0..4)).unwrap().report(day(5), true, day(5));
        assert_eq!(findings.mark_known(&MarkedKeys::ReportedUpTo(day(4)), day(90)).0, 2);
        assert_eq!(findings.mark_known(&MarkedKeys::ReportedUpTo(day(5)), day(90)).0, 4);
    }

    #[test]
    fn findings_of_largest_account_fit_an_item() {
        let all: Vec<FoundKey> = (0..MAX_KEPT + 7)
            .map(|number| FoundKey {
                user: format!("{number:x>64}").parse().unwrap(),
                ..found(number, Discrepancy::Expired { at: Timestamp(1_764_000_000) })
            })
            .collect();
        let (changes, findings) = Findings::default().with_page(Timestamp(10), 0, all).unwrap().report(
            Timestamp(10),
            true,
            Timestamp(10),
        );
        assert_eq!((changes.new.len(), changes.more), (MAX_KEPT, 7));
        let length = serde_json::to_string(&findings).unwrap().len();
        assert!(length < 390_000, "{length}");
    }
}
