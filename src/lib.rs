//! keyvend: self-service AWS access keys from Slack.
//!
//! docs/architecture.md has the map.

pub mod aws;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod domain;
pub mod encoding;
pub mod facts;
pub mod functions;
pub mod http;
pub mod id;
pub mod policy;
pub mod queue;
pub mod random;
pub mod render;
pub mod slack;
pub mod store;
pub mod text;
pub mod time;
pub mod worker;
