//! One file for each button and form.

pub mod details;
pub mod discrepancies;
pub mod edit_request;
pub mod get_key;
pub mod question;
pub mod report_key;
pub mod request_form;
pub mod review;
pub mod review_form;
pub mod review_suspect;
pub mod several_accounts;
pub mod undo_deactivation;
