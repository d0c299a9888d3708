//! keyvend: self-service AWS access keys from Slack.
//!
//! docs/architecture.md has the map.

pub mod audit;
pub mod aws;
pub mod claim;
pub mod config;
pub mod facts;
pub mod id;
pub mod item;
pub mod lookup;
pub mod privilege;
pub mod request;
pub mod seal;
pub mod session;
pub mod ticket;
pub mod policy;
pub mod time;
pub mod use_case;
