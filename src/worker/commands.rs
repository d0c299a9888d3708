//! One file for each slash command.

pub mod cancel;
pub mod change_key;
pub mod create;
pub mod deactivate;
pub mod delete;
pub mod freeze;
pub mod list;
pub mod status;
