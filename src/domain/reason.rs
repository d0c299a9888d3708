//! Why somebody wants a key, or does not grant it, in their own words.

use serde::{Deserialize, Serialize};

use crate::text::is_blank;

/// Why somebody wants a key: 1 to [`Reason::MOST`] characters on one line, single blanks between the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

/// A text that is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    /// Nothing, or only blanks.
    #[error("no reason")]
    Empty,
    /// More than [`Reason::MOST`] characters.
    #[error("a reason of more than {} characters", Reason::MOST)]
    TooLong,
}

impl Reason {
    pub const MOST: usize = 200;

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words, joined by single blanks.
    ///
    /// # Errors
    /// [`InvalidReason`] where there are none or too many.
    pub(crate) fn from_words<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, InvalidReason> {
        let text = words.collect::<Vec<_>>().join(" ");
        match text.chars().count() {
            0 => Err(InvalidReason::Empty),
            1..=Self::MOST => Ok(Self(text)),
            _ => Err(InvalidReason::TooLong),
        }
    }
}

/// Line ends, controls and the like become blanks.
impl TryFrom<String> for Reason {
    type Error = InvalidReason;
    fn try_from(text: String) -> Result<Self, InvalidReason> {
        Self::from_words(text.split(is_blank).filter(|word| !word.is_empty()))
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> String {
        reason.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_folded_and_bounded_in_characters() {
        let key = "\u{1f511}";
        let reason = |text: &str| Reason::try_from(text.to_owned());
        assert_eq!(reason(" a\r\n\tb\u{2028}c "), Ok(Reason("a b c".to_owned())));
        assert_eq!(reason(&key.repeat(200)), Ok(Reason(key.repeat(200))));
        assert_eq!(reason(&key.repeat(201)), Err(InvalidReason::TooLong));
        assert_eq!(reason("\0\u{feff}"), Err(InvalidReason::Empty));
    }
}
