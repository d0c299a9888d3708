//! What commands, interactions and timers share: each changes one thing in IAM or in the tables.

pub mod ambiguous_create;
pub mod complete_request;
pub mod issue_key;
pub mod key_description;
pub mod key_expiry;
pub mod ticket_outbox;
pub mod unmanaged_key;
