//! The shards that items are spread over, by their ids: one partition would be written to by everybody.

/// The shards of the indexes that find what is due and what changed.
pub const SHARDS: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];

/// The shard of an item, by its id.
#[must_use]
pub fn shard(id: &str) -> &'static str {
    let sum: usize = id.bytes().map(usize::from).sum();
    SHARDS.get(sum % SHARDS.len()).copied().unwrap_or("0")
}
