//! Issued keys in table `Requests`: each an item of its own, with its timer and the mark that it is to be off.

use crate::aws::Tables;
use crate::aws::item::{Attribute, Item, Table, Update, Write, number, text, values};
use crate::domain::key::{DeactivationMark, DeactivationReason, DueAction, IssuedKey, KeyState, RETRY_DELAY};
use crate::domain::timer::Lane;
use crate::id::{AccessKeyId, RequestId, SlackUserId};
use crate::store::leases::release_lease;
use crate::store::partition::CONDITION_ABSENT;
use crate::time::Timestamp;

/// A key's item as read, with the version that the next write must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub issued: IssuedKey,
    /// That it is to be off, whatever `state` says yet: written before IAM is called, by a write that waits for nothing.
    pub deactivation_mark: Option<DeactivationMark>,
    version: i64,
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

impl StoredKey {
    /// The key's item as it is now, if keyvend issued it.
    ///
    /// # Errors
    /// A fault, also where the item is half-written.
    pub async fn read(tables: &Tables, key: &AccessKeyId) -> anyhow::Result<Option<Self>> {
        let item = tables.get(Table::Requests, &item_key(key), None).await?;
        item.as_ref().map(Self::try_from).transpose()
    }

    /// The table's key of its item.
    #[must_use]
    pub fn item_key(key: &AccessKeyId) -> String {
        item_key(key)
    }

    /// The key that an item's key names, if it is one.
    #[must_use]
    pub fn of_item(key: &str) -> Option<AccessKeyId> {
        key.strip_prefix("key#")?.parse().ok()
    }

    /// The write that begins its item.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn create(issued: &IssuedKey) -> anyhow::Result<Write> {
        let mut item = values([
            ("pk", item_key(&issued.key).as_str().into()),
            ("state", issued.state.as_str().into()),
            ("version", 1.into()),
            ("document", Attribute::Text(serde_json::to_string(issued)?)),
            ("due_shard", issued.lane(None).shard(issued.key.as_str()).into()),
            ("person", holder(&issued.requester.user).as_str().into()),
            ("asked_at", issued.issued_at.0.into()),
        ]);
        item.extend(issued.due_at().map(|at| ("due_at".to_owned(), at.0.into())));
        Ok(Write::Put { table: Table::Requests, item, condition: CONDITION_ABSENT, values: Item::new() })
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

    /// Whether the mark that it is to be off is not carried out yet.
    #[must_use]
    pub fn is_deactivation_pending(&self) -> bool {
        self.issued.is_deactivation_pending(self.deactivation_mark.as_ref())
    }

    /// The write that releases the lease of an activation under way: that ends with the key being off.
    #[must_use]
    pub fn release_if_activating(&self) -> Option<Write> {
        let issued = &self.issued;
        let activating = matches!(issued.state, KeyState::Activating { .. });
        activating.then(|| release_lease(&issued.account, &issued.user, &item_key(&issued.key)))
    }

    /// What time and state call for.
    #[must_use]
    pub fn due_action(&self, now: Timestamp) -> DueAction {
        self.issued.due_action(self.deactivation_mark.as_ref(), now)
    }

    /// The write that puts `next` in this one's place, as it was read.
    ///
    /// # Errors
    /// A fault where it cannot be encoded, or is no next state of this one.
    pub fn update(&self, next: &IssuedKey) -> anyhow::Result<Write> {
        let (from, to) = (self.issued.state.as_str(), next.state.as_str());
        anyhow::ensure!(self.issued.state.can_become(&next.state), "a key does not become {to} from {from}");
        let mut values = values([
            (":state", next.state.as_str().into()),
            (":document", Attribute::Text(serde_json::to_string(next)?)),
            (":version", self.version.into()),
            (":next", (self.version + 1).into()),
        ]);
        let due_at = next.due_at_with(self.deactivation_mark.as_ref());
        if let Some(at) = due_at {
            let lane = next.lane(self.deactivation_mark.as_ref());
            values.insert(":due".to_owned(), at.0.into());
            values.insert(":shard".to_owned(), lane.shard(next.key.as_str()).into());
        }
        // What is gone is nobody's any more, and leaves index `by_person`.
        let update = match (due_at.is_some(), next.state.is_gone()) {
            (true, false) => {
                "SET #state = :state, document = :document, version = :next, due_at = :due, due_shard = :shard \
                 REMOVE due_failures"
            }
            (false, false) => {
                "SET #state = :state, document = :document, version = :next REMOVE due_at, due_failures"
            }
            (true, true) => {
                "SET #state = :state, document = :document, version = :next, due_at = :due, due_shard = :shard \
                 REMOVE due_failures, person, asked_at"
            }
            (false, true) => {
                "SET #state = :state, document = :document, version = :next \
                 REMOVE due_at, due_failures, person, asked_at"
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
            update.update = "SET #state = :state, document = :document, version = :next, due_at = :due, due_shard = :shard \
                             REMOVE due_failures, deactivation_at, deactivation_by, deactivation_reason, deactivation_interaction";
        }
        Ok(write)
    }

    /// The key is to be off from now on: the first write of deactivating, which waits for nothing and which nothing that
    /// activates a key may miss. Should what follows be cut off, the timer does it.
    #[must_use]
    pub fn mark_off(key: &AccessKeyId, by: &str, why: DeactivationReason, now: Timestamp) -> Update {
        Update {
            update: "SET deactivation_at = :now, deactivation_by = :by, deactivation_reason = :why, due_at = :due, due_shard = :shard, \
                     version = version + :one REMOVE due_failures",
            condition: "attribute_exists(pk) AND attribute_not_exists(deactivation_at)",
            values: values([
                (":now", now.0.into()),
                (":by", by.into()),
                (":why", why.as_str().into()),
                (":due", (now.0 + RETRY_DELAY).into()),
                (":shard", Lane::Security.shard(key.as_str()).into()),
                (":one", 1.into()),
            ]),
        }
    }

    /// The same, because somebody pressed **This wasn't me**: whatever it is or is to be off for, it is now reported, and
    /// every decision about it that did not know so loses.
    #[must_use]
    pub fn mark_reported(key: &AccessKeyId, by: &str, press: &RequestId, now: Timestamp) -> Update {
        let Update { mut values, .. } = Self::mark_off(key, by, DeactivationReason::Reported, now);
        values.insert(":press".to_owned(), press.as_str().into());
        Update {
            update: "SET deactivation_at = :now, deactivation_by = :by, deactivation_reason = :why, deactivation_interaction = :press, due_at = :due, \
                     due_shard = :shard, version = version + :one REMOVE due_failures",
            condition: "attribute_exists(pk) AND (attribute_not_exists(deactivation_reason) OR deactivation_reason <> :why)",
            values,
        }
    }
}

#[cfg(test)]
impl StoredKey {
    /// A key as its first write leaves it.
    pub(crate) fn first(issued: IssuedKey) -> Self {
        Self { issued, deactivation_mark: None, version: 1 }
    }
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
