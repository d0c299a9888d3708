//! The integration tests, by area.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken test must stop, and so must a model that is asked for what it does not know"
)]

mod any_json;
mod claims;
mod cli;
mod documents;
mod edge;
mod emulators;
mod events;
mod faults;
mod hostile;
mod https;
mod layers;
mod linked;
mod local;
mod parameter_patterns;
mod path;
mod policies;
mod scrape;
mod start;
mod template;
mod threats;
