//! One file for each slash command.

pub mod cancel;
pub mod change_key;
pub mod create;
pub mod freeze;
pub mod keys;
pub mod status;
