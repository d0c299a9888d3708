//! Documents in table `Requests` that are one item each: replaced only as they were read. Which there are stands here.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::Tables;
use crate::aws::item::{Attribute, Item, Table, Write, number, text, values};
use crate::domain::checkpoint::Checkpoint;
use crate::domain::key::DeactivationUndo;
use crate::domain::posted_message::{PostSubject, PostedMessage, due_at};
use crate::domain::reconciliation::Findings;
use crate::domain::timer::Lane;
use crate::id::{AccessKeyId, AccountId};
use crate::store::partition::CONDITION_ABSENT;
use crate::time::Timestamp;

/// The key of the state of the daily checkpoint.
pub const CHECKPOINT_PK: &str = "checkpoint";

/// The state of the daily checkpoint.
pub type StoredCheckpoint = StoredDocument<Checkpoint>;

/// What the daily reconciliation found in one account.
pub type StoredFindings = StoredDocument<Findings>;

/// The messages with buttons about one thing.
pub type StoredPosts = StoredDocument<Vec<PostedMessage>>;

const POSTS_PREFIX: &str = "posted#";

/// The key of the messages with buttons about this.
#[must_use]
pub fn posts_pk(subject: &PostSubject) -> String {
    format!("{POSTS_PREFIX}{subject}")
}

/// What the messages are about whose item has this key.
#[must_use]
pub fn subject_of(pk: &str) -> Option<PostSubject> {
    PostSubject::of_name(pk.strip_prefix(POSTS_PREFIX)?)
}

impl StoredPosts {
    /// The write that puts `next` in its place, with the timer of the first that is due.
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub fn replace_posts(&self, next: &Vec<PostedMessage>) -> anyhow::Result<Write> {
        self.replace_with_timer(next, due_at(next))
    }
}

/// How the last deactivation of a key can be taken back.
pub type StoredUndo = StoredDocument<Option<DeactivationUndo>>;

/// The key of how the last deactivation of this key can be taken back.
#[must_use]
pub fn undo_pk(key: &AccessKeyId) -> String {
    format!("undo#{key}")
}

/// The key of what the daily reconciliation found in this account.
#[must_use]
pub fn findings_pk(account: &AccountId) -> String {
    format!("reconciliation#{account}")
}

/// A document as read, or what stands for it before there is one.
#[derive(Clone, Debug)]
pub struct StoredDocument<T> {
    pk: String,
    pub document: T,
    version: i64,
}

impl<T: Default + Serialize + DeserializeOwned> StoredDocument<T> {
    /// The document of this key.
    ///
    /// # Errors
    /// Where the table does not answer, or the item is half-written.
    pub async fn read(tables: &Tables, pk: &str) -> anyhow::Result<Self> {
        let (document, version) = match tables.get(Table::Requests, pk, None).await? {
            Some(item) => (serde_json::from_str(text(&item, "document")?)?, number(&item, "version")?),
            None => (T::default(), 0),
        };
        Ok(Self { pk: pk.to_owned(), document, version })
    }

    /// Whether it was never written.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.version == 0
    }

    /// The write that puts `next` in its place.
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub fn replace(&self, next: &T) -> anyhow::Result<Write> {
        self.replace_with_timer(next, None)
    }

    fn replace_with_timer(&self, next: &T, due_at: Option<Timestamp>) -> anyhow::Result<Write> {
        let mut item = values([
            ("pk", self.pk.as_str().into()),
            ("version", (self.version + 1).into()),
            ("document", Attribute::Text(serde_json::to_string(next)?)),
        ]);
        if let Some(due_at) = due_at {
            let shard = Lane::Routine.shard(&self.pk).into();
            item.extend(values([("due_at", due_at.0.into()), ("due_shard", shard)]));
        }
        let (condition, values) = if self.is_new() {
            (CONDITION_ABSENT, Item::new())
        } else {
            ("version = :version", values([(":version", self.version.into())]))
        };
        Ok(Write::Put { table: Table::Requests, item, condition, values })
    }
}
