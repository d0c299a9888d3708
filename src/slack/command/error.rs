//! What can be wrong with a typed line or a submitted form.

use crate::domain::use_case::UseCase;
use crate::slack::command::prefill::Prefill;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The first word is no command. Holds it.
    UnknownCommand(String),
    /// Something stands after a command that takes nothing more. Holds the command.
    TooMuch(&'static str),
    /// Not a request id. Holds what was typed.
    NotARequestId(String),
    /// A command about a key without one. Holds the command.
    KeyMissing(&'static str),
    /// Not an access key id. What was typed is not held: it could be a secret.
    NotAKey,
    /// `create` without an IAM user.
    UserMissing,
    /// Not an IAM user name. Holds what was typed.
    NotAnIamUser(String),
    /// No `use:`.
    UseMissing,
    /// `use:` more than once.
    UseRepeated,
    /// More than one IAM user.
    UserRepeated,
    /// Two different accounts.
    AccountRepeated,
    /// Not an account alias or number. Holds what was typed.
    NotAnAccount(String),
    /// Not a use case. Holds what was typed, and the one that is perhaps meant.
    UnknownUseCase(String, Option<UseCase>),
    /// No `ttl:`.
    TtlMissing,
    /// `ttl:` more than once.
    TtlRepeated,
    /// Not a number of days. Holds what was typed.
    InvalidLifetime(String),
    ReasonMissing,
    /// What seems to be a secret access key. It is not held.
    SecretTyped,
    /// A reason of more than [`Reason::MOST`](crate::slack::command::Reason::MOST) characters.
    ReasonTooLong,
}

/// A line that is no command: what is wrong, and a line that would be right, made of what was right in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a command")]
pub struct SyntaxError {
    pub problem: Problem,
    /// A correct line, without the slash command's own name.
    pub correct: String,
    /// What was right in a `create`, for the form to begin with.
    pub prefill: Option<Box<Prefill>>,
}

impl SyntaxError {
    pub(crate) fn new(problem: Problem, correct: impl Into<String>) -> Self {
        Self { problem, correct: correct.into(), prefill: None }
    }
}
