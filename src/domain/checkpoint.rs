//! The daily checkpoint: a chain of its own over the ends of all chains that grew. Its last hash, posted in Slack,
//! is an anchor outside of the table: to change an old record unnoticed, that message must be changed, too.

use serde::{Deserialize, Serialize};

use crate::domain::audit::AuditChain;
use crate::domain::shard::SHARDS;
use crate::id::{ChannelId, MessageTs, RequestId};
use crate::time::{DAY, Timestamp};

/// A day is closed so many seconds after its end: what is written then has reached the index.
const AFTER: i64 = 600;
/// A chain that grew on a day may be written down late: so many days are gone through.
const DAYS: i64 = 3;

/// The name of its chain in table `Audit`: one that no signature's hash gives.
#[must_use]
pub fn chain_id() -> RequestId {
    RequestId::none()
}

/// One page of what a checkpoint goes through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointPage {
    /// The day that is closed, `2025-11-24`.
    pub day: String,
    /// How many days before that, from 0.
    pub back: i64,
    pub shard: usize,
    pub after: Option<String>,
}

/// How far the checkpoints have come, and their chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last day that was begun.
    pub begun: String,
    /// The last page whose ends are in the chain.
    pub done: Option<CheckpointPage>,
    /// The page that follows it, if there is one.
    pub following: Option<CheckpointPage>,
    /// Whether anything went into the chain since that day was begun.
    pub grew: bool,
    /// Whether pages of that day are still to be gone through.
    #[serde(default)]
    pub open: bool,
    pub chain: AuditChain,
    /// The message in whose thread anchors are posted, where they have no channel of their own.
    #[serde(default)]
    pub thread: Option<(ChannelId, MessageTs)>,
}

impl Checkpoint {
    /// Where to go on with a day that is not closed yet: with the last page that was done, which sends for the one that
    /// follows, or with the first.
    #[must_use]
    pub fn resume_page(&self) -> Option<CheckpointPage> {
        let done = self.done.clone().filter(|done| done.day == self.begun);
        self.open.then(|| done.unwrap_or_else(|| CheckpointPage::first(self.begun.clone())))
    }

    /// Whether it is a page's turn: the last one that was done, whose message comes again, or the one that follows. Any
    /// other would leave ends out, or is of a message that came late.
    #[must_use]
    pub fn expects(&self, page: &CheckpointPage) -> bool {
        match self.done.as_ref().filter(|done| done.day == self.begun) {
            Some(done) => done == page || self.following.as_ref() == Some(page),
            None => CheckpointPage::first(self.begun.clone()) == *page,
        }
    }
}

/// The day that ought to be closed by now, and when it began.
#[must_use]
pub fn day_due_for_close(now: Timestamp) -> String {
    Timestamp(now.0 - AFTER - DAY).day()
}

impl CheckpointPage {
    /// The first one of a day.
    #[must_use]
    pub fn first(day: String) -> Self {
        Self { day, back: 0, shard: 0, after: None }
    }

    /// The partition of the index that it is in; `noon` is some time of the closed day.
    #[must_use]
    pub fn partition(&self, noon: Timestamp) -> String {
        let shard = SHARDS.get(self.shard).copied().unwrap_or("0");
        format!("{}#{shard}", Timestamp(noon.0 - self.back * DAY).day())
    }

    /// The one that follows when this one ended with `last`, if there is one: the same shard goes on after it.
    #[must_use]
    pub fn following(&self, last: Option<String>) -> Option<Self> {
        let day = self.day.clone();
        match last {
            Some(last) => Some(Self { after: Some(last), ..self.clone() }),
            None if self.shard + 1 < SHARDS.len() => {
                Some(Self { day, back: self.back, shard: self.shard + 1, after: None })
            }
            None if self.back + 1 < DAYS => Some(Self { day, back: self.back + 1, shard: 0, after: None }),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T5.6
    #[test]
    fn checkpoint_visits_each_shard_once() {
        // Of three days.
        let noon = Timestamp(1_764_000_000);
        let mut page = Some(CheckpointPage::first(noon.day()));
        let mut partitions = Vec::new();
        while let Some(at) = page {
            if at.shard == 2 && at.back == 1 && at.after.is_none() {
                let on = at.following(Some("request#x".to_owned())).unwrap();
                assert_eq!(
                    (on.partition(noon), on.after.as_deref()),
                    (at.partition(noon), Some("request#x"))
                );
            }
            partitions.push(at.partition(noon));
            page = at.following(None);
        }
        assert_eq!(partitions.len(), 12);
        assert_eq!((partitions[0].as_str(), partitions[11].as_str()), ("2025-11-24#0", "2025-11-22#3"));
    }

    #[test]
    fn checkpoint_closes_day_after_ten_minutes() {
        let midnight = Timestamp(1_764_028_800);
        assert_eq!(midnight.rfc3339(), "2025-11-25T00:00:00Z");
        assert_eq!(day_due_for_close(Timestamp(midnight.0 + 599)), "2025-11-23");
        assert_eq!(day_due_for_close(Timestamp(midnight.0 + 600)), "2025-11-24");
    }
}
