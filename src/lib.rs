//! keyvend: self-service AWS access keys from Slack.
//!
//! docs/architecture.md has the map.

pub mod audit;
pub mod aws;
pub mod browser;
pub mod card;
pub mod checkpoint;
pub mod claim;
#[cfg(feature = "cli")]
pub mod cli;
pub mod command;
pub mod comparison;
pub mod config;
pub mod directory;
pub mod facts;
pub mod form;
pub mod function;
pub mod gateway;
pub mod id;
pub mod inbound;
pub mod item;
pub mod key;
pub mod lookup;
pub mod mail;
pub mod modal;
pub mod policy;
pub mod privilege;
pub mod request;
pub mod reveal;
pub mod seal;
pub mod session;
pub mod signature;
pub mod slack;
pub mod slack_api;
pub mod store;
pub mod ticket;
pub mod time;
pub mod use_case;
pub mod words;
pub mod worker;
