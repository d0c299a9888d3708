//! What the policies say: yes by which of them, or no and why.

/// What the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDecision {
    Allow {
        /// The ids of the policies that permit.
        by: Vec<String>,
    },
    Deny(Denial),
}

/// A no, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The ids of the policies that forbid. Empty, with nothing failed: no policy allows this.
    pub by: Vec<String>,
    /// What they say to the person, each sentence once.
    pub advice: Vec<String>,
    /// What went wrong while deciding: ids of policies that could not be evaluated, or which facts the schema
    /// did not take. For the log: such a no is a fault of ours, not of the person.
    pub failed: Vec<String>,
}
