//! What keyvend decides about: people, IAM users, requests, keys, tickets, and what happened to them. Knows no AWS, no Slack and
//! no rendered text.

pub mod approvers;
pub mod audit;
pub mod browser;
pub mod checkpoint;
pub mod denial;
pub mod email_address;
pub mod email_hash;
pub mod iam;
pub mod key;
pub mod lifetime;
pub mod new_access_key;
pub mod notification;
pub mod ownership;
pub mod person;
pub mod posted_message;
pub mod privilege;
pub mod reason;
pub mod reconciliation;
pub mod request;
pub mod risk;
pub mod shard;
pub mod ticket;
pub mod timer;
pub mod use_case;
