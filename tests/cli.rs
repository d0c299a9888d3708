//! The operator's tool: in the test world, as an administrator runs it beside what is deployed there, and the real
//! binary for what needs no AWS.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a broken test must stop")]

mod world;

#[path = "cli/binary.rs"]
mod binary;
#[path = "cli/checking.rs"]
mod checking;
#[path = "cli/documented.rs"]
mod documented;
#[path = "cli/explaining.rs"]
mod explaining;
#[path = "cli/exporting.rs"]
mod exporting;
#[path = "cli/machine.rs"]
mod machine;
#[path = "cli/stopping.rs"]
mod stopping;
#[path = "cli/switching_off.rs"]
mod switching_off;
#[path = "cli/tampering.rs"]
mod tampering;
#[path = "cli/verifying.rs"]
mod verifying;
