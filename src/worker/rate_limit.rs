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

/// How long a message waits that Slack told to: up to a quarter longer, and the more so the more often that happened to it. A
/// crowd that is too large for one of Slack's minutes is then spread over several.
pub(crate) fn with_jitter(delay: Duration, id: &str, received: u32) -> Duration {
    let limit = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX).saturating_mul(i64::from(received)) / 4;
    delay.saturating_add(seconds(spread(&format!("{id}.{received}"), limit.max(1).saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn limited_messages_come_back_apart() {
        for (delay, received, longest) in [(1, 1, 2), (1, 6, 2), (60, 1, 75), (60, 4, 120), (3_600, 1, 4_500)]
        {
            let waits: BTreeSet<u64> = (0..500)
                .map(|id| with_jitter(Duration::from_secs(delay), &id.to_string(), received).as_secs())
                .collect();
            let (first, last) = (*waits.first().unwrap(), *waits.last().unwrap());
            assert!(first >= delay && last <= longest, "{delay} s: {first} to {last}");
            assert!(
                waits.len() * 2 > usize::try_from(longest - delay).unwrap().min(500),
                "{delay} s: {waits:?}"
            );
        }
        let again = |received| with_jitter(Duration::from_secs(60), "one", received);
        assert_eq!(again(1), again(1));
        assert_ne!(with_jitter(Duration::MAX, "one", 6), Duration::ZERO);
    }
}
