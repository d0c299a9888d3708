//! What happens when nobody does anything: the sweep, the timers of requests, keys, tickets and notifications, and what
//! becomes of a timer that fails.

pub mod backoff;
pub mod key;
pub mod notification;
pub mod request;
pub mod sweep;
pub mod ticket;
