//! Texts about a pending request that its requester edits: a changed one takes its place.

use crate::domain::request::KeyRequest;
use crate::id::RequestId;
use crate::render::text::standing;

/// The title of the form.
pub const EDIT_TITLE: &str = "Edit your request";

/// Above the form.
pub const EDIT_MEANS: &str =
    "The changed request replaces the pending one. Approvals given so far do not count for it.";

/// The form was submitted as it began.
pub const NOTHING_EDITED: &str = "Nothing was changed, so your request stays as it is, with its approvals.";

/// Only a request that waits for approvals can be edited.
#[must_use]
pub fn not_editable(request: &KeyRequest) -> String {
    format!(
        "Only a request that is pending approval can be edited, so nothing was changed. {}",
        standing(request)
    )
}

/// Added where a request takes the place of another one; otherwise empty.
#[must_use]
pub fn replaces(request: &KeyRequest) -> String {
    let replaced = request.details.replaces.as_ref();
    replaced.map_or(String::new(), |old| format!(" It replaces request `{old}`."))
}

/// The same after a request's id on its card.
#[must_use]
pub fn replaces_on_card(request: &KeyRequest) -> String {
    let replaced = request.details.replaces.as_ref();
    replaced.map_or(String::new(), |old| format!(", an edited version of request `{old}`"))
}

/// What became of a request that was edited.
#[must_use]
pub fn replaced(what: &str, by: &RequestId) -> String {
    format!("The request for {what} was edited by its requester. Replaced by request `{by}`.")
}
