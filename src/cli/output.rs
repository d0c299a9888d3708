//! The output of the command-line tool: short, aligned, and after a failure what to do next. Texts from a table, a file
//! or AWS are escaped so that a terminal cannot interpret them.

pub mod check;
pub mod deactivate;
pub mod explain;
pub mod export;
pub mod failure;
pub mod freeze;
pub mod hint;
pub mod notification;
pub mod text;
pub mod usage;
pub mod verify;
