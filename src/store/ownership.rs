//! Who owns which IAM users, in table `Requests`: an item for each person, and one for how far the refresh has come.

use crate::aws::item::{Attribute, Item, ItemError, Update, number, text, values};
use crate::domain::ownership::{OwnedUserRef, OwnedUsers, RefreshState};
use crate::id::{SlackUserId, UserGroupId};
use crate::time::{DAY, Timestamp};

/// The key of the item that tells how far the refresh has come.
pub const REFRESH_STATE_PK: &str = "ownership-refresh";

/// One person's IAM users as read, or what stands for them before there is an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredOwnedUsers {
    pub users: OwnedUsers,
    version: i64,
}

/// The key of a person's item.
#[must_use]
pub fn owned_users_key(person: &SlackUserId) -> String {
    format!("owned#{person}")
}

impl StoredOwnedUsers {
    /// The update that replaces the item as it was read.
    #[must_use]
    pub fn replace(&self) -> Update {
        let users = self.users.iter();
        let users =
            users.map(|(user, seen)| (format!("{}/{}", user.account, user.name), seen.0.into())).collect();
        let mut values = values([(":owned", Attribute::Map(users)), (":next", (self.version + 1).into())]);
        if self.version > 0 {
            values.insert(":version".to_owned(), self.version.into());
        }
        Update {
            update: "SET owned = :owned, version = :next",
            condition: if self.version == 0 { "attribute_not_exists(version)" } else { "version = :version" },
            values,
        }
    }
}

impl TryFrom<&Item> for StoredOwnedUsers {
    type Error = ItemError;

    fn try_from(item: &Item) -> Result<Self, ItemError> {
        let Some(Attribute::Map(users)) = item.get("owned") else { return Err(ItemError("owned")) };
        let users = users.iter().map(|(name, seen)| {
            let (account, name) = name.split_once('/').ok_or(ItemError("owned"))?;
            let user = OwnedUserRef {
                account: account.parse().map_err(|_| ItemError("owned"))?,
                name: name.parse().map_err(|_| ItemError("owned"))?,
            };
            match seen {
                Attribute::Number(seen) => Ok((user, Timestamp(*seen))),
                _ => Err(ItemError("owned")),
            }
        });
        Ok(Self { users: users.collect::<Result<_, _>>()?, version: number(item, "version")? })
    }
}

/// The key of the item with a user group's members, as the last refresh read them.
#[must_use]
pub fn group_members_key(group: &UserGroupId) -> String {
    format!("group#{group}")
}

/// The members of a user group, if the refresh that began then has read them.
#[must_use]
pub fn group_members(item: &Item, begun: Timestamp) -> Option<Vec<SlackUserId>> {
    if number(item, "begun").ok()? != begun.0 {
        return None;
    }
    text(item, "members").ok()?.split_whitespace().map(|member| member.parse().ok()).collect()
}

/// The update that stores the members of a user group, unless a later refresh did.
#[must_use]
pub fn store_group_members(members: &[SlackUserId], begun: Timestamp) -> Update {
    let members: Vec<&str> = members.iter().map(SlackUserId::as_str).collect();
    Update {
        update: "SET members = :members, begun = :begun, keep_until = :until",
        condition: "attribute_not_exists(begun) OR begun <= :begun",
        values: values([
            (":members", members.join(" ").as_str().into()),
            (":begun", begun.0.into()),
            (":until", (begun.0 + 2 * DAY).into()),
        ]),
    }
}

/// The update that begins a refresh now, which one of several succeeds in.
#[must_use]
pub fn begin_refresh(now: Timestamp) -> Update {
    Update {
        update: "SET begun = :now",
        condition: "attribute_not_exists(begun) OR begun <= :yesterday",
        values: values([(":now", now.0.into()), (":yesterday", (now.0 - DAY).into())]),
    }
}

/// The update that notes that the refresh which began then reached its end.
#[must_use]
pub fn complete_refresh(begun: Timestamp) -> Update {
    Update {
        update: "SET completed = :begun",
        condition: "attribute_not_exists(completed) OR completed < :begun",
        values: values([(":begun", begun.0.into())]),
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

    #[test]
    fn an_item_reads_back() {
        let user = OwnedUserRef {
            account: "123456789012".parse().unwrap(),
            name: "bob@example.com".parse().unwrap(),
        };
        let stored = StoredOwnedUsers { users: [(user, Timestamp(10))].into_iter().collect(), version: 0 };
        let mut item = stored.replace().values;
        item.insert("owned".to_owned(), item[":owned"].clone());
        item.insert("version".to_owned(), item[":next"].clone());
        let read = StoredOwnedUsers::try_from(&item).unwrap();
        assert_eq!(read, StoredOwnedUsers { version: 1, ..stored });
        assert_eq!(StoredOwnedUsers::try_from(&Item::new()), Err(ItemError("owned")));
    }
}
