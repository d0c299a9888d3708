//! Slack's rate limits: to be told to wait is no failure. What waits comes back after what Slack says and a while longer, for
//! each message another, so that what was limited together does not come back together.

use std::time::Duration;

use crate::domain::shard::spread;
use crate::slack::api::SlackError;
use crate::worker::context::{HandleError, seconds};

/// How long Slack said to wait, where that is all that is wrong.
pub(crate) fn retry_after(error: &anyhow::Error) -> Option<Duration> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(SlackError::Wait(delay)) => Some(*delay),
        Some(SlackError::Said(_) | SlackError::NoAnswer(_)) | None => None,
    })
}

/// The same of how handling a message ended.
pub(crate) fn limited_by(error: &HandleError) -> Option<Duration> {
    match error {
        HandleError::Failed(error) => retry_after(error),
        HandleError::RetryAfter(_) | HandleError::RateLimited => None,
    }
}

/// How long a message waits that is the only one of its group: a little longer than Slack says.
pub(crate) fn alone(delay: Duration, id: &str) -> Duration {
    with_jitter(delay, id, 1)
}

/// How long one of a crowd waits, the longer the more often that happened to it: Slack says when there is room for one, and not
/// for how many. A crowd that is too large for one of Slack's minutes is so spread over several.
pub(crate) fn in_crowd(delay: Duration, id: &str, received: u32) -> Duration {
    with_jitter(delay, &format!("{id}.{received}"), 5 << received.min(5))
}

/// Adds up to a quarter, or up to `least` seconds, by the id alone.
fn with_jitter(delay: Duration, id: &str, least: i64) -> Duration {
    let limit = i64::try_from(delay.as_secs() / 4).unwrap_or(i64::MAX).max(least);
    delay.saturating_add(seconds(spread(id, limit.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn limited_messages_come_back_apart() {
        let seconds = Duration::from_secs;
        for (delay, received, longest) in
            [(1, 1, 11), (1, 3, 41), (60, 1, 75), (60, 5, 220), (3_600, 1, 4_500)]
        {
            let wait = |id: i32| in_crowd(seconds(delay), &id.to_string(), received).as_secs();
            let waits: BTreeSet<u64> = (0..500).map(wait).collect();
            let (first, last) = (*waits.first().unwrap(), *waits.last().unwrap());
            assert!(first >= delay && last <= longest, "{delay} s: {first} to {last}");
            assert!(
                waits.len() * 2 > usize::try_from(longest - delay).unwrap().min(500),
                "{delay} s: {waits:?}"
            );
        }
        let waits: BTreeSet<u64> = (0..20).map(|id| alone(seconds(1), &id.to_string()).as_secs()).collect();
        assert_eq!(waits.into_iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(in_crowd(seconds(60), "one", 2), in_crowd(seconds(60), "one", 2), "known beforehand");
        assert!(in_crowd(Duration::MAX, "one", u32::MAX) >= seconds(60));
    }
}
