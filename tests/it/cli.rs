//! The operator's tool: in the test world, as an administrator runs it beside what is deployed there, and the real
//! binary for what needs no AWS.

mod binary;
mod check;
mod deactivate;
mod documentation;
mod explain;
mod export;
mod freeze;
mod operator;
mod tampered_audit;
mod verify;
