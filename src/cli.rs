//! The operator's tool: looks at the audit trail and at policies, and stops what must be stopped. It is not deployed; it
//! has no rights but those of whoever runs it, and it never prints a secret.

pub mod account;
pub mod answer;
pub mod args;
pub mod audit_verifier;
pub mod check;
pub mod context;
pub mod csv;
pub mod deactivate;
pub mod dispatch;
pub mod explain;
pub mod export;
pub mod failure;
pub mod flags;
pub mod freeze;
pub mod identity;
pub mod output;
pub mod progress;
pub mod standalone_audit;
pub mod value_parsers;
pub mod verify;

pub use crate::cli::answer::ExitStatus;
pub use crate::cli::args::Cli;
pub use crate::cli::context::CommandContext;
pub use crate::cli::dispatch::run;
