//! keyvend: self-service AWS access keys from Slack.
//!
//! docs/architecture.md has the map.

pub mod facts;
pub mod id;
pub mod policy;
pub mod time;
pub mod use_case;
