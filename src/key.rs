//! An access key that keyvend issued, as its own item tells: for whom, until when, and who may switch it off without
//! asking anybody.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::{Account, IamUser};
use crate::id::{AccessKeyId, IamUserName, PersonId, RequestId, SlackUserId, UserGroupId};
use crate::item::{Attribute, BadItem, Item, Table, Update, Write, number, text, values};
use crate::request::KeyRequest;
use crate::store::NEW;
use crate::time::{DAY, Timestamp};

/// What was written down when the key was issued. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedKey {
    /// Its id.
    pub key: AccessKeyId,
    /// The request that it came of.
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
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The approved end.
    pub expires_at: Timestamp,
}

/// A key's item as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What was written down.
    pub issued: IssuedKey,
    /// Where it stands.
    pub state: KeyState,
    /// Since when it is to be off.
    pub off_since: Option<Timestamp>,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Sealed to a tab that has not confirmed.
    Delivered,
    /// The tab confirmed.
    Confirmed,
    /// Switched off.
    Inactive,
}

impl KeyState {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Confirmed => "CONFIRMED",
            Self::Inactive => "INACTIVE",
        }
    }
}

fn item_key(key: &AccessKeyId) -> String {
    format!("key#{key}")
}

impl IssuedKey {
    /// The key of a request at its issuing.
    #[must_use]
    pub fn of(request: &KeyRequest, user: &IamUser, key: &AccessKeyId, now: Timestamp) -> Self {
        let asked = &request.asked;
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
            issued_at: now,
            expires_at: Timestamp(now.0 + i64::from(asked.days) * DAY),
        }
    }

    /// The write that begins its item.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn create(&self) -> anyhow::Result<Write> {
        let item = values([
            ("pk", item_key(&self.key).as_str().into()),
            ("state", KeyState::Delivered.as_str().into()),
            ("document", Attribute::Text(serde_json::to_string(self)?)),
        ]);
        Ok(Write::Put { table: Table::Requests, item, condition: NEW, values: Item::new() })
    }

    /// Whether this person may switch it off by what was stored alone: its requester, an owner, an approver of it.
    #[must_use]
    pub fn may_switch_off(&self, person: &PersonId) -> bool {
        let owner = self.requester.team == person.team && self.owners.contains(&person.user);
        owner || self.requester == *person || self.approved_by.contains(person)
    }
}

impl StoredKey {
    /// The table's key of its item.
    #[must_use]
    pub fn item_key(key: &AccessKeyId) -> String {
        item_key(key)
    }

    /// The tab confirmed that it has the key.
    #[must_use]
    pub fn confirm(now: Timestamp) -> Update {
        Update {
            update: "SET #state = :confirmed, confirmed_at = :now",
            condition: "#state = :delivered",
            values: values([
                (":confirmed", KeyState::Confirmed.as_str().into()),
                (":delivered", KeyState::Delivered.as_str().into()),
                (":now", now.0.into()),
            ]),
        }
    }

    /// The key is to be off from now on: the first write of switching off, which nothing that switches on may miss.
    #[must_use]
    pub fn mark_off(by: impl fmt::Display, why: &str, now: Timestamp) -> Update {
        Update {
            update: "SET off_since = :now, off_by = :by, off_why = :why",
            condition: "attribute_exists(pk) AND attribute_not_exists(off_since)",
            values: values([
                (":now", now.0.into()),
                (":by", by.to_string().as_str().into()),
                (":why", why.into()),
            ]),
        }
    }

    /// IAM has it off.
    #[must_use]
    pub fn record_off() -> Update {
        Update {
            update: "SET #state = :inactive",
            condition: "attribute_exists(off_since)",
            values: values([(":inactive", KeyState::Inactive.as_str().into())]),
        }
    }
}

impl TryFrom<&Item> for StoredKey {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let state = text(item, "state")?;
        let states = [KeyState::Delivered, KeyState::Confirmed, KeyState::Inactive];
        Ok(Self {
            issued: serde_json::from_str(text(item, "document")?)?,
            state: states.into_iter().find(|known| known.as_str() == state).ok_or(BadItem("state"))?,
            off_since: number(item, "off_since").ok().map(Timestamp),
        })
    }
}
