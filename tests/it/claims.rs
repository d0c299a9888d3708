//! The claim protocol: every step it can take, the conditions of its writes, and what holds however the requests of
//! tabs, the worker's transactions, lost replies and the clock come between each other.

mod actors;
mod calls;
mod conditions;
mod emulated;
mod expressions;
mod final_invariants;
mod fixtures;
mod get_key;
mod invariants;
mod issue;
mod schedules;
mod state;
mod steps;
mod tab;
mod tables;
mod trace;
mod worker;
