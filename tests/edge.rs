//! The internet-facing edge as a whole: gateway events in, an answer and perhaps a queue message out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

#[path = "any_json.rs"]
mod any_json;
#[path = "edge/properties.rs"]
mod properties;
#[path = "edge/receiving.rs"]
mod receiving;
#[path = "edge/sent.rs"]
mod sent;
#[path = "edge/vectors.rs"]
mod vectors;
