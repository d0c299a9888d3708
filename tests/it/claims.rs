//! The claim protocol: every step it can take, the conditions of its writes, and what holds however the requests of
//! tabs, the worker's transactions, lost replies and the clock come between each other.

mod calls;
mod cast;
mod conditions;
mod emulated;
mod endings;
mod expressions;
mod issue;
mod jobs;
mod press;
mod rules;
mod schedules;
mod stage;
mod steps;
mod stories;
mod tables;
mod telling;
mod visits;
