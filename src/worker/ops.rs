//! What commands, interactions and timers share: each changes one thing in IAM or in the tables.

pub mod activate_key;
pub mod ambiguous_create;
pub mod button;
pub mod card;
pub mod complete_request;
pub mod confirm_key;
pub mod deactivate_key;
pub mod delete_key;
pub mod deny_request;
pub mod enough_approvers;
pub mod expire_request;
pub mod extend_key;
pub mod find_key;
pub mod findings;
pub mod issue_key;
pub mod key_change;
pub mod key_confirmation;
pub mod key_description;
pub mod key_expiry;
pub mod key_in_iam;
pub mod key_list;
pub mod key_record;
pub mod ownership;
pub mod ticket_outbox;
pub mod unmanaged_key;
pub mod void_ticket;
