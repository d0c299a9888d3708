//! The items of the tables, one kind a file: how each is read and written, and every DynamoDB expression.

pub mod backlog;
pub mod chains;
pub mod counters;
pub mod document;
pub mod freeze;
pub mod keys;
pub mod leases;
pub mod notifications;
pub mod open_requests;
pub mod ownership;
pub mod partition;
pub mod requests;
pub mod ticket_refs;
pub mod tickets;
pub mod timers;
