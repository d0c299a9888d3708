//! One file for each Slack event.

pub mod approver_joined;
pub mod home_opened;
pub mod user_deactivated;
