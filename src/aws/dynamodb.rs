//! The tables. Reads are consistent; every write carries its condition.

pub mod attributes;
pub mod audit_insert;
#[cfg(feature = "cli")]
pub mod audit_scan;
pub mod indexes;
pub mod tables;
