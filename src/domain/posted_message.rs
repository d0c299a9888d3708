//! A message with buttons, as Slack took it: kept with what it is about, so that it can be ended, and posted again where it was
//! deleted while somebody still has to answer it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::notification::RenderedMessage;
use crate::id::{AccessKeyId, ChannelId, MessageTs, RequestId};
use crate::time::{DAY, Timestamp};

/// So many messages about one thing are kept: the newest.
pub const MAX_POSTED: usize = 20;

/// How often a message that waits for an answer is looked for, in seconds.
const CHECK_INTERVAL: i64 = DAY;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedMessage {
    pub channel: ChannelId,
    pub ts: MessageTs,
    /// As it reads now.
    pub message: RenderedMessage,
    #[serde(deserialize_with = "Option::deserialize")]
    pub timer: Option<PostTimer>,
}

/// What time does with a posted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostTimer {
    /// Its buttons lose their meaning then, whatever happens.
    Ends(Timestamp),
    /// Somebody has to answer it: then it is looked for, and posted again where it was deleted.
    Check(Timestamp),
}

impl PostTimer {
    #[must_use]
    pub fn at(self) -> Timestamp {
        match self {
            Self::Ends(at) | Self::Check(at) => at,
        }
    }

    /// Of a message that is there now, and waits for an answer.
    #[must_use]
    pub fn next_check(now: Timestamp) -> Self {
        Self::Check(Timestamp(now.0 + CHECK_INTERVAL))
    }
}

impl PostedMessage {
    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        matches!(self.timer, Some(PostTimer::Ends(at)) if at <= now)
    }

    /// Whether it is to be looked for.
    #[must_use]
    pub fn is_to_check(&self, now: Timestamp) -> bool {
        matches!(self.timer, Some(PostTimer::Check(at)) if at <= now)
    }

    /// Whether the other one is the same message, however it reads.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.channel == other.channel && self.ts == other.ts
    }
}

/// The first time at which one of these messages is due.
#[must_use]
pub fn due_at(posts: &[PostedMessage]) -> Option<Timestamp> {
    posts.iter().filter_map(|post| post.timer).map(PostTimer::at).min()
}

/// What posted messages are about, and end with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostSubject {
    /// A request, or the key that was created for it.
    Request(RequestId),
    /// A key that keyvend did not issue.
    UnmanagedKey(AccessKeyId),
    /// The keys that do not match the records.
    Discrepancies,
}

const KEY_PREFIX: &str = "key.";
const DISCREPANCIES: &str = "discrepancies";

impl PostSubject {
    /// The subject of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        if name == DISCREPANCIES {
            return Some(Self::Discrepancies);
        }
        match name.strip_prefix(KEY_PREFIX) {
            Some(key) => key.parse().ok().map(Self::UnmanagedKey),
            None => name.parse().ok().map(Self::Request),
        }
    }
}

impl fmt::Display for PostSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => write!(f, "{request}"),
            Self::UnmanagedKey(key) => write!(f, "{KEY_PREFIX}{key}"),
            Self::Discrepancies => f.write_str(DISCREPANCIES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_is_read_back_from_its_name() {
        let request = RequestId::of_signature(&[7; 32]);
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let subjects =
            [PostSubject::Request(request), PostSubject::UnmanagedKey(key), PostSubject::Discrepancies];
        for subject in subjects {
            assert_eq!(PostSubject::of_name(&subject.to_string()), Some(subject));
        }
        for name in ["", "key.", "key", "AKIAIOSFODNN7EXAMPLE", "discrepancies."] {
            assert_eq!(PostSubject::of_name(name), None, "{name}");
        }
    }
}
