//! What keyvend decides about: people, IAM users, requests, keys, tickets, and what happened to them. Knows no AWS, no Slack and
//! no rendered text.

pub mod audit;
pub mod browser;
pub mod checkpoint;
pub mod email_address;
pub mod iam;
pub mod key;
pub mod notification;
pub mod ownership;
pub mod privilege;
pub mod reconciliation;
pub mod request;
pub mod ticket;
pub mod use_case;
