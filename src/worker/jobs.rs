//! The daily jobs.

pub mod audit_checkpoint;
pub mod reconcile_keys;
pub mod refresh_ownership;
