//! What the three binaries share around their handlers: the clock, the deadline, the log.

use std::time::{SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;

use crate::time::Timestamp;

#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock, for the binaries")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// When Lambda ends this invocation, rounded down.
#[must_use]
pub fn deadline(context: &Context) -> Timestamp {
    Timestamp(i64::try_from(context.deadline / 1000).unwrap_or(i64::MAX))
}

/// Logs as JSON lines, from INFO up, each with the span that it is in.
pub fn log() {
    tracing_subscriber::fmt()
        .json()
        .with_span_list(false)
        .with_max_level(tracing::Level::INFO)
        .without_time()
        .init();
}
