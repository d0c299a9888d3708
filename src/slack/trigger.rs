//! With what a modal is opened.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;

/// A `trigger_id`, with which an app may open a form for a person: up to 256 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TriggerId(String);

impl TriggerId {
    /// Its text, for `views.open` alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TriggerId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(InvalidId("a trigger id")) }
    }
}

impl From<TriggerId> for String {
    fn from(id: TriggerId) -> String {
        id.0
    }
}

impl fmt::Debug for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TriggerId")
    }
}
