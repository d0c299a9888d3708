//! Every single fault at every call of the path and of other things that people do, pairs of them where a key is created, and
//! races: afterwards, always, nothing is lost and nothing is left behind.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a broken test must stop")]

mod world;

#[path = "faults/after.rs"]
mod after;
#[path = "faults/deeds.rs"]
mod deeds;
#[path = "faults/fault.rs"]
mod fault;
#[path = "faults/matrix.rs"]
mod matrix;
#[path = "faults/races.rs"]
mod races;
#[path = "path/steps.rs"]
#[expect(dead_code, reason = "the path's steps; what is not needed here is needed there")]
mod steps;
#[path = "faults/walk.rs"]
mod walk;
