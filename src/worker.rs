//! The worker: everything that decides and acts.

pub mod authorize;
pub mod backlog;
pub mod claims;
pub mod commands;
pub mod context;
pub mod decision_facts;
pub mod dispatch;
pub mod events;
pub mod interactions;
pub mod jobs;
pub mod limits;
pub mod notify;
pub mod ops;
pub mod outbox;
pub mod rate_limit;
pub mod reply;
pub mod timers;

pub use self::context::{Context, Invocation, warm_up};
pub use self::dispatch::handle;
