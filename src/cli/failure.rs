//! Why a command has no answer.

use std::io;

use crate::aws::NoAccess;
use crate::config::ConfigError;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// A variable or its flag.
    Config(ConfigError),
    /// AWS cannot be asked.
    NoAccess(NoAccess),
    /// What was asked for does not go together with what is so: a sentence, and what to do.
    Unable {
        /// What is so.
        said: String,
        /// What to do.
        next: String,
    },
    /// Something failed.
    Other(anyhow::Error),
    /// The reader of the answer has gone.
    Closed,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<NoAccess> for Failure {
    fn from(error: NoAccess) -> Self {
        Self::NoAccess(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Other(error.into()) }
    }
}
