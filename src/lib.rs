//! keyvend: self-service AWS access keys from Slack.
//!
//! docs/architecture.md has the map.

pub mod command;
pub mod facts;
pub mod form;
pub mod gateway;
pub mod id;
pub mod inbound;
pub mod signature;
pub mod time;
pub mod use_case;
pub mod words;
