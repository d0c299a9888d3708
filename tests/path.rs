//! The whole path, from a signed command to a key in a browser tab, and every way it can end before.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken test must stop")]

mod world;

#[path = "path/happy.rs"]
mod happy;
#[path = "path/signing.rs"]
mod signing;
#[path = "path/slack_as_it_is.rs"]
mod slack_as_it_is;
#[path = "path/stop.rs"]
mod stop;
#[path = "path/timers.rs"]
mod timers;
