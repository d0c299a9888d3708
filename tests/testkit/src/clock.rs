//! The world's time: it stands still until somebody moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;
use keyvend::time::Timestamp;

/// When every world begins: 2025-11-24T16:00:00Z, a Monday.
pub const START: Timestamp = Timestamp(1_764_000_000);

/// A clock that all parts of one world share.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(START.0)))
    }
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// A clock of its own that shows the same time.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Arc::new(AtomicI64::new(self.now().0)))
    }

    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }
}

/// The SDK signs, and judges credentials expired, by the world's clock too.
impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}
