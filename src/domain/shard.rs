//! The shards that items are spread over, by their ids: one partition would be written to by everybody.

/// The shards of the index that finds what changed.
pub const SHARDS: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];

/// The shard of an item, by its id.
#[must_use]
pub fn shard(id: &str) -> &'static str {
    shard_of(&SHARDS, id)
}

pub(crate) fn shard_of(shards: &'static [&'static str], id: &str) -> &'static str {
    let sum: usize = id.bytes().map(usize::from).sum();
    shards.get(sum % shards.len().max(1)).copied().unwrap_or("0")
}
