//! What several items of table `Requests` share: the condition of a new one, and the partitions of index `changed`.

use crate::domain::shard::shard;
use crate::time::Timestamp;

/// The condition that no such item exists.
pub const CONDITION_ABSENT: &str = "attribute_not_exists(pk)";

/// The partition of index `changed` that an item is in: the day on which its audit chain last grew, and a shard.
#[must_use]
pub fn changed_on(last_appended_at: Timestamp, id: &str) -> String {
    format!("{}#{}", last_appended_at.day(), shard(id))
}
