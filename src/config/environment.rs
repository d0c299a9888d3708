//! The variables: where they come from, and what is said of one that is missing or wrong. The only file that reads the
//! environment of the process.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// An environment variable that is missing or wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable} {problem}")]
pub struct ConfigError {
    pub variable: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Where values come from: the process environment, or a test's map.
pub trait Environment {
    /// The variable's value; an empty one is `None`.
    fn get(&self, variable: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, variable: &str) -> Option<String> {
        std::env::var(variable).ok().filter(|value| !value.is_empty())
    }
}

impl<K: Borrow<str> + Ord> Environment for BTreeMap<K, String> {
    fn get(&self, variable: &str) -> Option<String> {
        BTreeMap::get(self, variable).filter(|value| !value.is_empty()).cloned()
    }
}

/// Reads variables one by one, each by what is to be in it.
#[derive(Clone, Copy)]
pub(crate) struct Env<'e>(&'e dyn Environment);

impl<'e> Env<'e> {
    pub(crate) fn new(environment: &'e dyn Environment) -> Self {
        Self(environment)
    }

    pub(crate) fn optional<T>(
        self,
        variable: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.0.get(variable) else { return Ok(None) };
        read(&value).map(Some).map_err(|problem| ConfigError { variable, problem })
    }

    pub(crate) fn required<T>(
        self,
        variable: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        self.optional(variable, read)?
            .ok_or_else(|| ConfigError { variable, problem: "is not set".to_owned() })
    }
}
