//! What is spread by ids: items over shards, for one partition would be written to by everybody; and moments, for at one
//! moment all would come at once.

use crate::id::Digest256;

/// The shards of the index that finds what changed. A sweep and a checkpoint ask each of them, whether there is anything or not.
pub const SHARDS: [&str; 4] = ["0", "1", "2", "3"];

/// The shard of an item, by its id.
#[must_use]
pub fn shard(id: &str) -> &'static str {
    shard_of(&SHARDS, id)
}

/// A number from 0 to below `over` that an id alone decides: of many ids each number is as likely.
#[must_use]
pub fn spread(id: &str, over: i64) -> i64 {
    let digest = Digest256::of(id.as_bytes());
    let first = digest.as_str().get(..8).and_then(|first| i64::from_str_radix(first, 16).ok());
    first.unwrap_or(0).rem_euclid(over.max(1))
}

pub(crate) fn shard_of(shards: &'static [&'static str], id: &str) -> &'static str {
    let sum: usize = id.bytes().map(usize::from).sum();
    shards.get(sum % shards.len().max(1)).copied().unwrap_or("0")
}
