//! Timers: which of them a sweep takes on together, and how long one that failed is left alone. What fails for hours must
//! neither use up a sweep nor keep anything else waiting.

use std::time::Duration;

use crate::domain::shard::{SHARDS, shard_of};

/// Timers that are found together. Each lane has shards of index `due` of its own, so that one is never behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A key may be on that should be off, or nobody knows whether there is one.
    Security,
    /// A person is reminded, a request expires, a key that is off is deleted.
    Routine,
    /// Audit entries and notifications that could not be handed on: all requests have them while a service fails.
    Outbox,
}

impl Lane {
    /// Its shards of index `due`.
    #[must_use]
    pub fn shards(self) -> &'static [&'static str] {
        match self {
            Self::Security => &SHARDS,
            Self::Routine => &["routine.0", "routine.1", "routine.2", "routine.3"],
            Self::Outbox => &["outbox.0", "outbox.1", "outbox.2", "outbox.3"],
        }
    }

    /// The shard of an item, by its id.
    #[must_use]
    pub fn shard(self, id: &str) -> &'static str {
        shard_of(self.shards(), id)
    }

    /// How many items of a shard one sweep takes on; the next is a minute later. A service that answers nothing holds each
    /// of them for seconds, so of what depends on one service alone there are few.
    #[must_use]
    pub fn batch(self) -> i32 {
        match self {
            Self::Security => 50,
            Self::Routine => 25,
            Self::Outbox => 10,
        }
    }
}

/// The longest that a timer which fails is left alone: so long after a service is back all is done.
pub const MAX_BACKOFF: Duration = Duration::from_secs(1_800);

/// How long a timer that failed so many times before is left alone now: a minute, then twice as long each time.
#[must_use]
pub fn backoff(failures: i64) -> Duration {
    let doublings = u32::try_from(failures.clamp(0, 5)).unwrap_or(5);
    Duration::from_secs(60 << doublings).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn backoff_doubles_up_to_half_an_hour() {
        let seconds: Vec<u64> = (-1..8).map(|failures| backoff(failures).as_secs()).collect();
        assert_eq!(seconds, [60, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800]);
        assert_eq!(backoff(i64::MAX), MAX_BACKOFF);
    }

    #[test]
    fn lanes_share_no_shard() {
        let lanes = [Lane::Security, Lane::Routine, Lane::Outbox];
        let all: Vec<&str> = lanes.iter().flat_map(|lane| lane.shards()).copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for lane in lanes {
            for id in ["", "AKIA0000", "request#0123456789ABCDEF"] {
                assert!(lane.shards().contains(&lane.shard(id)), "{lane:?} {id}");
            }
        }
    }
}
