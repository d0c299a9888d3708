//! What makes a request's button values unguessable: drawn when it is asked for, stored with it, and told to nobody.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::id::NotAnId;

/// 16 random bytes, mixed into whatever a request's buttons carry. Kept in the request's item, which the functions that
/// face the internet cannot read: so a press that carries such a value came out of a message that the worker sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 16]);

impl Salt {
    /// A salt of random bytes.
    #[must_use]
    pub fn of(random: [u8; 16]) -> Self {
        Self(random)
    }

    pub(super) fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl TryFrom<String> for Salt {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(NotAnId("a salt"))
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> String {
        salt.encoded()
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}
