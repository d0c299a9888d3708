//! IAM, through one session of the issuer role.

pub mod client;
pub mod error;
pub mod keys;
pub mod policies;
pub mod users;
