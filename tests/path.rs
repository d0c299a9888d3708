//! The whole path, from a signed command to a key in a browser tab, and every way it can end before.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken test must stop")]

mod world;

#[path = "path/approving.rs"]
mod approving;
#[path = "path/asking.rs"]
mod asking;
#[path = "path/changed.rs"]
mod changed;
#[path = "path/claiming.rs"]
mod claiming;
#[path = "path/codes.rs"]
mod codes;
#[path = "path/collecting.rs"]
mod collecting;
#[path = "path/configured.rs"]
mod configured;
#[path = "path/details.rs"]
mod details;
#[path = "path/faults.rs"]
mod faults;
#[path = "path/form.rs"]
mod form;
#[path = "path/happy.rs"]
mod happy;
#[path = "path/issuing.rs"]
mod issuing;
#[path = "path/late.rs"]
mod late;
#[path = "path/looking_up.rs"]
mod looking_up;
#[path = "path/queues.rs"]
mod queues;
#[path = "path/rotation.rs"]
mod rotation;
#[path = "path/sending.rs"]
mod sending;
#[path = "path/signing.rs"]
mod signing;
#[path = "path/slack_as_it_is.rs"]
mod slack_as_it_is;
#[path = "path/steps.rs"]
mod steps;
#[path = "path/stop.rs"]
mod stop;
#[path = "path/timers.rs"]
mod timers;
#[path = "path/written.rs"]
mod written;
