//! Whatever arrives at the functions is answered, and what nobody proved changes nothing.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a broken test must stop")]

mod world;

#[path = "any_json.rs"]
mod any_json;
#[path = "hostile/browsers.rs"]
mod browsers;
#[path = "hostile/corpus.rs"]
mod corpus;
#[path = "hostile/messages.rs"]
mod messages;
#[path = "hostile/strangers.rs"]
mod strangers;
