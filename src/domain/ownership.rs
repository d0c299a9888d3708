//! Who owns which IAM users, as far as is known: the choices that a form offers. Nothing is decided by it; every
//! decision reads the owner tags afresh.

use std::collections::BTreeMap;

use crate::aws::item::{Attribute, Item, ItemError, Update, number, values};
use crate::domain::iam::{Account, IamUserRef};
use crate::id::{AccountId, IamUserName, SlackUserId};
use crate::time::{DAY, Timestamp};

/// An IAM user by account number and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedUserRef {
    /// The account.
    pub account: AccountId,
    /// The name.
    pub name: IamUserName,
}

/// One person's IAM users, each with when its tags last named them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedUsers {
    users: BTreeMap<OwnedUserRef, Timestamp>,
    version: i64,
}

/// How far the reading of all accounts has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshState {
    /// When the last one began.
    pub begun: Option<Timestamp>,
    /// When the last one that reached its end began: what it did not see is owned no more.
    pub completed: Option<Timestamp>,
}

/// The key of the item that tells how far the reading has come.
pub const REFRESH_STATE_PK: &str = "ownership-refresh";

/// The key of a person's item.
#[must_use]
pub fn item_key(person: &SlackUserId) -> String {
    format!("owned#{person}")
}

impl OwnedUsers {
    /// The most IAM users that are kept of a person.
    pub const MOST: usize = 100;

    /// Notes that the tags named the person at `at`; whether this is worth writing. What is known to be newer than
    /// `stale` stays as it is.
    pub fn insert(&mut self, entry: &OwnedUserRef, at: Timestamp, stale: Timestamp) -> bool {
        let before = self.users.clone();
        match self.users.get_mut(entry) {
            Some(seen) if *seen >= stale => {}
            Some(seen) => *seen = at.max(*seen),
            None => drop(self.users.insert(entry.clone(), at)),
        }
        if self.users.len() > Self::MOST {
            // The one that was seen longest ago, and of several the last by name.
            let oldest =
                self.users.iter().rev().min_by_key(|(_, seen)| **seen).map(|(entry, _)| entry.clone());
            oldest.map(|entry| self.users.remove(&entry));
        }
        self.users != before
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

    /// The update that replaces the item as it was read.
    #[must_use]
    pub fn replace(&self) -> Update {
        let users = self
            .users
            .iter()
            .map(|(entry, seen)| (format!("{}/{}", entry.account, entry.name), seen.0.into()))
            .collect();
        Update {
            update: "SET owned = :owned, version = :next",
            condition: if self.version == 0 { "attribute_not_exists(version)" } else { "version = :version" },
            values: {
                let mut all =
                    values([(":owned", Attribute::Map(users)), (":next", (self.version + 1).into())]);
                if self.version > 0 {
                    all.insert(":version".to_owned(), self.version.into());
                }
                all
            },
        }
    }
}

impl TryFrom<&Item> for OwnedUsers {
    type Error = ItemError;
    fn try_from(item: &Item) -> Result<Self, ItemError> {
        let Some(Attribute::Map(users)) = item.get("owned") else { return Err(ItemError("owned")) };
        let users = users.iter().map(|(name, seen)| {
            let (account, name) = name.split_once('/').ok_or(ItemError("owned"))?;
            let entry = OwnedUserRef {
                account: account.parse().map_err(|_| ItemError("owned"))?,
                name: name.parse().map_err(|_| ItemError("owned"))?,
            };
            match seen {
                Attribute::Number(seen) => Ok((entry, Timestamp(*seen))),
                _ => Err(ItemError("owned")),
            }
        });
        Ok(Self { users: users.collect::<Result<_, _>>()?, version: number(item, "version")? })
    }
}

impl RefreshState {
    /// Whether all accounts should be read again.
    #[must_use]
    pub fn is_old(self, now: Timestamp) -> bool {
        self.begun.is_none_or(|begun| now.since(begun) >= DAY)
    }

    /// The update that begins a reading now, which one of several succeeds in.
    #[must_use]
    pub fn begin(now: Timestamp) -> Update {
        Update {
            update: "SET begun = :now",
            condition: "attribute_not_exists(begun) OR begun <= :yesterday",
            values: values([(":now", now.0.into()), (":yesterday", (now.0 - DAY).into())]),
        }
    }

    /// The update that notes that the reading which began then reached its end.
    #[must_use]
    pub fn complete(begun: Timestamp) -> Update {
        Update {
            update: "SET completed = :begun",
            condition: "attribute_not_exists(completed) OR completed < :begun",
            values: values([(":begun", begun.0.into())]),
        }
    }
}

impl From<&Item> for RefreshState {
    fn from(item: &Item) -> Self {
        let at = |name| number(item, name).ok().map(Timestamp);
        Self { begun: at("begun"), completed: at("completed") }
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
    fn what_a_complete_reading_did_not_see_is_offered_no_more() {
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
    fn no_more_than_a_hundred_are_kept_and_those_seen_last_stay() {
        let mut directory = OwnedUsers::default();
        for n in 0..250 {
            directory.insert(&entry(&format!("user-{n:03}")), Timestamp(n), Timestamp(0));
        }
        let kept = names(&directory, None);
        assert_eq!((kept.len(), kept[0].as_str()), (OwnedUsers::MOST, "user-150"));
        assert!(!directory.insert(&entry("zzz"), Timestamp(0), Timestamp(0)), "older than all of them");
    }

    #[test]
    fn an_item_reads_back() {
        let mut directory = OwnedUsers::default();
        directory.insert(&entry("bob@example.com"), Timestamp(10), Timestamp(0));
        let mut item = directory.replace().values;
        item.insert("owned".to_owned(), item[":owned"].clone());
        item.insert("version".to_owned(), item[":next"].clone());
        let read = OwnedUsers::try_from(&item).unwrap();
        assert_eq!(read, OwnedUsers { version: 1, ..directory });
        assert_eq!(OwnedUsers::try_from(&Item::new()), Err(ItemError("owned")));
    }
}
