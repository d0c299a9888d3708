//! The claim protocol: every step it can take, the conditions of its writes, and what holds however the requests of
//! tabs, the worker's transactions, lost replies and the clock come between each other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken test must stop, and so must a model that is asked for what it does not know"
)]

mod world;

#[path = "claim_model/calls.rs"]
mod calls;
#[path = "claim_model/cast.rs"]
mod cast;
#[path = "claim_model/conditions.rs"]
mod conditions;
#[path = "claim_model/emulated.rs"]
mod emulated;
#[path = "claim_model/endings.rs"]
mod endings;
#[path = "claim_model/expressions.rs"]
mod expressions;
#[path = "claim_model/issue.rs"]
mod issue;
#[path = "claim_model/jobs.rs"]
mod jobs;
#[path = "claim_model/press.rs"]
mod press;
#[path = "claim_model/rules.rs"]
mod rules;
#[path = "claim_model/schedules.rs"]
mod schedules;
#[path = "claim_model/stage.rs"]
mod stage;
#[path = "claim_model/steps.rs"]
mod steps;
#[path = "claim_model/stories.rs"]
mod stories;
#[path = "claim_model/tables.rs"]
mod tables;
#[path = "claim_model/telling.rs"]
mod telling;
#[path = "claim_model/visits.rs"]
mod visits;
