//! keyvend: self-service AWS access keys from Slack.
//!
//! docs/architecture.md has the map.

pub mod facts;
pub mod gateway;
pub mod id;
pub mod signature;
pub mod time;
pub mod use_case;
pub mod words;
