//! Time as the product keeps it: whole seconds since the epoch, always handed in, never read here.

use std::ops::Add;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::{Deserialize, Serialize};

/// Unix time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// One day in seconds.
pub const DAY: i64 = 86_400;

impl Timestamp {
    /// Seconds since `earlier`; negative where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `2026-11-24T04:17:16Z`, as the audit trail writes it.
    #[must_use]
    pub fn rfc3339(self) -> String {
        DateTime::from_secs(self.0).fmt(Format::DateTime).unwrap_or_else(|_| self.0.to_string())
    }

    /// Noon of a day as [`Timestamp::day`] writes it.
    #[must_use]
    pub fn of_day(day: &str) -> Option<Self> {
        DateTime::from_str(&format!("{day}T12:00:00Z"), Format::DateTime).ok().map(|noon| Self(noon.secs()))
    }

    /// `2026-11-24`, UTC: the day that the daily limit counts in.
    #[must_use]
    pub fn day(self) -> String {
        self.rfc3339().chars().take_while(|c| *c != 'T').collect()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_in_utc() {
        assert_eq!(Timestamp(1_700_000_000).rfc3339(), "2023-11-14T22:13:20Z");
        assert_eq!(Timestamp(1_700_000_000).day(), "2023-11-14");
        assert_eq!(Timestamp::of_day("2023-11-14"), Some(Timestamp(1_699_963_200)));
        assert_eq!(Timestamp::of_day("no day"), None);
        assert_eq!(Timestamp(10) + Duration::from_secs(5), Timestamp(15));
        assert_eq!(Timestamp(10).since(Timestamp(15)), -5);
    }
}
