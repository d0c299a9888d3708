//! The operator's tool: in the test world, as an administrator runs it beside what is deployed there, and the real
//! binary for what needs no AWS.

mod binary;
mod checking;
mod deactivating;
mod documented;
mod explaining;
mod exporting;
mod machine;
mod stopping;
mod tampering;
mod verifying;
