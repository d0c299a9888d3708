//! Who owns which IAM users, as far as is known: the choices that a form offers. Nothing is decided by it; every
//! decision reads the owner tags afresh.

use std::collections::BTreeMap;

use crate::domain::iam::{Account, IamUserRef};
use crate::id::{AccountId, IamUserName};
use crate::time::{DAY, Timestamp};

/// An IAM user by account number and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedUserRef {
    pub account: AccountId,
    pub name: IamUserName,
}

/// One person's IAM users, each with when its tags last named them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedUsers {
    users: BTreeMap<OwnedUserRef, Timestamp>,
}

/// How far the reading of all accounts has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshState {
    /// When the last one began.
    pub begun: Option<Timestamp>,
    /// When the last one that reached its end began: what it did not see is owned no more.
    pub completed: Option<Timestamp>,
}

impl OwnedUsers {
    /// The most IAM users that are kept of a person: as many as the request form offers, and a quarter of what an item may
    /// hold.
    pub const MOST: usize = 1_000;

    /// Notes that the tags named the person at `at`; whether this is worth writing. What is known to be newer than
    /// `stale` stays as it is.
    pub fn insert(&mut self, entry: &OwnedUserRef, at: Timestamp, stale: Timestamp) -> bool {
        match self.users.get_mut(entry) {
            Some(seen) if *seen >= stale || *seen >= at => return false,
            Some(seen) => *seen = at,
            None => drop(self.users.insert(entry.clone(), at)),
        }
        if self.users.len() <= Self::MOST {
            return true;
        }
        // The one that was seen longest ago, and of several the last by name.
        let oldest = self.users.iter().rev().min_by_key(|(_, seen)| **seen).map(|(entry, _)| entry.clone());
        oldest.as_ref().map(|oldest| self.users.remove(oldest));
        oldest.as_ref() != Some(entry)
    }

    /// Forgets an IAM user; whether it was known.
    pub fn remove(&mut self, entry: &OwnedUserRef) -> bool {
        self.users.remove(entry).is_some()
    }

    /// The IAM users to offer: in accounts of ours, and seen since the last complete reading began.
    #[must_use]
    pub fn choices(&self, completed: Option<Timestamp>, accounts: &[Account]) -> Vec<IamUserRef> {
        let current = |seen: Timestamp| completed.is_none_or(|completed| seen >= completed);
        accounts
            .iter()
            .flat_map(|account| {
                let own =
                    self.users.iter().filter(|(entry, seen)| entry.account == account.id && current(**seen));
                own.map(|(entry, _)| IamUserRef { account: account.clone(), name: entry.name.clone() })
            })
            .collect()
    }

    /// Each IAM user, with when its tags last named the person.
    pub fn iter(&self) -> impl Iterator<Item = (&OwnedUserRef, Timestamp)> {
        self.users.iter().map(|(user, seen)| (user, *seen))
    }
}

impl FromIterator<(OwnedUserRef, Timestamp)> for OwnedUsers {
    fn from_iter<I: IntoIterator<Item = (OwnedUserRef, Timestamp)>>(users: I) -> Self {
        Self { users: users.into_iter().collect() }
    }
}

impl RefreshState {
    /// Whether all accounts should be read again.
    #[must_use]
    pub fn is_old(self, now: Timestamp) -> bool {
        self.begun.is_none_or(|begun| now.since(begun) >= DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> OwnedUserRef {
        OwnedUserRef { account: "123456789012".parse().unwrap(), name: name.parse().unwrap() }
    }

    fn home() -> Vec<Account> {
        vec![Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() }]
    }

    fn names(directory: &OwnedUsers, completed: Option<i64>) -> Vec<String> {
        let offered = directory.choices(completed.map(Timestamp), &home());
        offered.into_iter().map(|user| user.name.to_string()).collect()
    }

    #[test]
    fn complete_refresh_removes_unseen_users() {
        let mut directory = OwnedUsers::default();
        assert!(directory.insert(&entry("old"), Timestamp(10), Timestamp(0)));
        assert!(directory.insert(&entry("new"), Timestamp(20), Timestamp(0)));
        assert!(!directory.insert(&entry("new"), Timestamp(21), Timestamp(15)), "seen lately");
        assert_eq!(names(&directory, None), ["new", "old"]);
        assert_eq!(names(&directory, Some(20)), ["new"]);
        assert!(directory.remove(&entry("new")));
        assert!(!directory.remove(&entry("new")));
        assert!(directory.choices(None, &[]).is_empty(), "an account that is none of ours any more");
    }

    #[test]
    fn owned_users_are_bounded_to_recent_ones() {
        let mut directory = OwnedUsers::default();
        for n in 0..1_150 {
            directory.insert(&entry(&format!("user-{n:04}")), Timestamp(n), Timestamp(0));
        }
        let kept = names(&directory, None);
        assert_eq!((kept.len(), kept[0].as_str()), (OwnedUsers::MOST, "user-0150"));
        assert!(!directory.insert(&entry("zzz"), Timestamp(0), Timestamp(0)), "older than all of them");
    }
}
