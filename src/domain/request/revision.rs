//! What makes a request's button values unguessable: drawn when it is asked for, stored with it, and told to nobody.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::{base64url, from_base64url};
use crate::id::InvalidId;

/// 16 random bytes, mixed into whatever a request's buttons carry. Kept in the request's item, which the functions that
/// face the internet cannot read: so a press that carries such a value came out of a message that the worker sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RevisionSalt([u8; 16]);

impl RevisionSalt {
    /// A salt of random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    pub(crate) fn encoded(&self) -> String {
        base64url(&self.0)
    }
}

impl TryFrom<String> for RevisionSalt {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        let bytes = from_base64url(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(InvalidId("a salt"))
    }
}

impl From<RevisionSalt> for String {
    fn from(salt: RevisionSalt) -> String {
        salt.encoded()
    }
}

impl fmt::Debug for RevisionSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}
