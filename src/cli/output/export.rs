//! The output of `audit export`, and of whatever reads the audit trail.

use std::path::Path;

use crate::aws::UnreadableRecord;
use crate::cli::output::text::{count, plain};

/// Progress.
#[must_use]
pub fn records_so_far(records: usize) -> String {
    format!("{} read", count(records, "record", "records"))
}

/// An item that is no record was left out.
#[must_use]
pub fn left_out(found: &UnreadableRecord) -> String {
    let seq = found.seq.map_or("?".to_owned(), |seq| seq.to_string());
    format!("skipped: record {seq} of {} has no valid `{}`", plain(&found.request), found.lacks)
}

/// The end of an export.
#[must_use]
pub fn exported(written: usize, unreadable: usize, to: Option<&Path>) -> String {
    let to = to.map(|path| format!(" to {}", path.display())).unwrap_or_default();
    let out = if unreadable == 0 { String::new() } else { format!(", {unreadable} skipped") };
    format!("{} written{to}{out}", count(written, "record", "records"))
}
