//! Slack: its Web API, its signature, and what it sends.

pub mod action_id;
pub mod api;
pub mod api_url;
pub mod block_kit;
pub mod command;
pub mod command_name;
pub mod envelope;
pub mod error;
pub mod message;
pub mod mrkdwn;
pub mod receive;
pub mod response_url;
pub mod signature;
pub mod token;
pub mod trigger;
