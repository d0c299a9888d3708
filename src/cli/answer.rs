//! What a command answers, and the exit status that goes with it.

use serde::Serialize;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done, yes, or in order.
    Done,
    /// No, or not in order.
    No,
    /// It could not be done, or not all of it.
    Failed,
}

impl ExitStatus {
    /// The exit status. 2 is what the command line itself is answered with where it cannot be read.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Failed => 3,
        }
    }
}

/// What a command found or did: in JSON as it is, for people as text.
pub(crate) trait Answer: Serialize {
    /// For people, ending in a line end.
    fn text(&self) -> String;
    /// How it ends.
    fn ending(&self) -> ExitStatus;
}
