//! The state of the daily checkpoint in table `Requests`: one item.

use crate::aws::item::{Attribute, Item, Table, Write, number, text, values};
use crate::domain::checkpoint::Checkpoint;
use crate::store::partition::CONDITION_ABSENT;

/// The key of its item in table `Requests`.
pub const CHECKPOINT_PK: &str = "checkpoint";

/// A checkpoint's item as read, or what stands for it before there is one.
#[derive(Clone, Debug, Default)]
pub struct StoredCheckpoint {
    pub checkpoint: Checkpoint,
    version: i64,
}

impl StoredCheckpoint {
    /// Whether there never was a checkpoint.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.version == 0
    }

    /// The write that puts `next` in its place.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn replace(&self, next: &Checkpoint) -> anyhow::Result<Write> {
        let item = values([
            ("pk", CHECKPOINT_PK.into()),
            ("version", (self.version + 1).into()),
            ("document", Attribute::Text(serde_json::to_string(next)?)),
        ]);
        let (condition, values) = if self.version == 0 {
            (CONDITION_ABSENT, Item::new())
        } else {
            ("version = :version", values([(":version", self.version.into())]))
        };
        Ok(Write::Put { table: Table::Requests, item, condition, values })
    }
}

impl TryFrom<&Item> for StoredCheckpoint {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let checkpoint = serde_json::from_str(text(item, "document")?)?;
        Ok(Self { checkpoint, version: number(item, "version")? })
    }
}
