//! What speaks against bringing a key back.

use serde::{Deserialize, Serialize};

/// Why a key that is off should not come back just because its owner says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskFlag {
    /// Somebody said "this wasn't me", or that it leaked.
    Reported,
    /// AWS quarantined its IAM user since it was issued.
    Quarantined,
    OwnerLeft,
}

impl RiskFlag {
    pub const ALL: [Self; 3] = [Self::Reported, Self::Quarantined, Self::OwnerLeft];

    /// The name in `RiskFlag::"..."`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Quarantined => "quarantined",
            Self::OwnerLeft => "owner-left",
        }
    }
}
