//! Everything that people read in Slack and in mail. Nothing below this layer imports it.

pub mod approval_card;
pub mod discrepancies;
pub mod ended;
pub mod home;
pub mod key_list;
pub mod modal;
pub mod text;
