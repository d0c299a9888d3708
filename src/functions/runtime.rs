//! What the three binaries share around their handlers: start and warm-up, the clock, the deadline, the log.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;

use crate::time::Timestamp;

/// How long the first event may be kept waiting by the warm-up, which then goes on beside it.
const WARM_UP: Duration = Duration::from_millis(500);

/// Serves events for ever. `warm_up` runs first, while Lambda gives the function a whole processor: what the first event would
/// wait for is then read and connected already. It is not necessary for anything.
///
/// # Errors
/// Where Lambda's Runtime API cannot be reached.
pub async fn run<R: Serialize, A: Future<Output = R>>(
    warm_up: impl Future<Output = ()>,
    handler: impl Fn(LambdaEvent<Value>) -> A,
) -> Result<(), Error> {
    // Boxed, since the compiler gives up on the layout of what nests so deep.
    let mut warm_up = warm_up.boxed_local().fuse();
    let _ = tokio::time::timeout(WARM_UP, &mut warm_up).await;
    let serve =
        pin!(lambda_runtime::run(service_fn(|event| handler(event).boxed_local().map(Ok::<_, Error>))));
    match select(serve, warm_up).await {
        Either::Left((served, _)) => served,
        Either::Right(((), serve)) => serve.await,
    }
}

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
