//! What happens when nobody does anything: the sweep, and the timers of requests, keys and tickets.

pub mod key;
pub mod request;
pub mod sweep;
pub mod ticket;
