//! The notifications that wait because Slack limits where they go, in order: an item of table `Requests` for each group of queue
//! `due`. It names them, and never holds what they say.

use serde::{Deserialize, Serialize};

use crate::aws::item::{Attribute, Item, Table, Update, number, text, values};
use crate::aws::{Tables, WriteError};
use crate::domain::timer::Lane;
use crate::id::RequestId;
use crate::store::partition::CONDITION_ABSENT;
use crate::time::{DAY, Timestamp};

/// How long an item is kept after it changed last, in seconds: as long as the notifications that it names.
const BACKLOG_KEPT: i64 = 30 * DAY;

/// A notification by its request and its number there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRef(pub RequestId, pub u32);

/// The backlog of a group as it was read, with the version that the next write must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBacklog {
    key: String,
    pub waiting: Vec<NotificationRef>,
    /// Its timer, while anything waits.
    pub due_at: Option<Timestamp>,
    /// 0 where there is no item yet.
    version: i64,
}

/// The key of a group's item.
#[must_use]
pub fn backlog_key(group: &str) -> String {
    format!("backlog#{group}")
}

/// Whether an item's key is that of a backlog.
#[must_use]
pub fn is_backlog(key: &str) -> bool {
    key.starts_with("backlog#")
}

impl StoredBacklog {
    /// Reads the item of this key; where there is none, nothing waits.
    ///
    /// # Errors
    /// A fault, also where the item is half-written.
    pub async fn read(tables: &Tables, key: &str) -> anyhow::Result<Self> {
        let Some(item) = tables.get(Table::Requests, key, None).await? else {
            return Ok(Self { key: key.to_owned(), waiting: Vec::new(), due_at: None, version: 0 });
        };
        Ok(Self {
            key: key.to_owned(),
            waiting: serde_json::from_str(text(&item, "document")?)?,
            due_at: number(&item, "due_at").ok().map(Timestamp),
            version: number(&item, "version")?,
        })
    }

    /// The key of its item.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Writes what waits from now on, and when it is delivered if anything does.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] where it changed since it was read.
    pub async fn save(
        self,
        tables: &Tables,
        waiting: Vec<NotificationRef>,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, WriteError> {
        // How often it failed is about the first of them.
        let is_first_kept = waiting.first() == self.waiting.first();
        let next = Self {
            due_at: (!waiting.is_empty()).then_some(due_at),
            waiting,
            version: self.version + 1,
            key: self.key,
        };
        tables.update(Table::Requests, &next.key, &next.update(is_first_kept, now)?).await?;
        Ok(next)
    }

    fn update(&self, is_first_kept: bool, now: Timestamp) -> anyhow::Result<Update> {
        let is_new = self.version == 1;
        let mut values = values([
            (":next", self.version.into()),
            (":document", Attribute::Text(serde_json::to_string(&self.waiting)?)),
            (":keep", (now.0 + BACKLOG_KEPT).into()),
        ]);
        values.extend((!is_new).then(|| (":version".to_owned(), (self.version - 1).into())));
        values.extend(self.timer());
        Ok(Update {
            update: match self.due_at {
                Some(_) if is_first_kept => {
                    "SET version = :next, document = :document, keep_until = :keep, due_at = :due, due_shard = :shard"
                }
                Some(_) => {
                    "SET version = :next, document = :document, keep_until = :keep, due_at = :due, due_shard = :shard \
                     REMOVE due_failures"
                }
                None => {
                    "SET version = :next, document = :document, keep_until = :keep REMOVE due_at, due_failures"
                }
            },
            condition: if is_new { CONDITION_ABSENT } else { "version = :version" },
            values,
        })
    }

    fn timer(&self) -> Item {
        let Some(due_at) = self.due_at else { return Item::new() };
        values([(":due", due_at.0.into()), (":shard", Lane::Outbox.shard(&self.key).into())])
    }
}
