//! How long a key lives, as a person asks for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A lifetime in days, 1 to 3650. Policy limits it further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Days(u16);

/// A number that is no lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number of days from 1 to 3650")]
pub struct InvalidLifetime;

impl Days {
    /// What is given to whoever asks for no lifetime.
    pub const DEFAULT: Self = Self(30);

    /// The number of days.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Days {
    type Error = InvalidLifetime;
    fn try_from(days: u16) -> Result<Self, InvalidLifetime> {
        if (1..=3650).contains(&days) { Ok(Self(days)) } else { Err(InvalidLifetime) }
    }
}

impl From<Days> for u16 {
    fn from(days: Days) -> u16 {
        days.0
    }
}

/// `30d`, as it is typed.
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}
