//! Freezing and resuming key issuing.

use crate::id::PersonId;
use crate::render::text::escape_mrkdwn;
use crate::render::text::phrase::{person, slack_date};
use crate::time::Timestamp;

pub const FROZEN: &str =
    "Key issuing is frozen. Your approval remains valid; press *Get my key* again later.";

/// What freezing does, in its dialog.
pub const FREEZE_MEANS: &str = "No key is issued until an approver resumes it. Existing keys keep working.";
/// The answer to `freeze`.
pub const FREEZE_DONE: &str =
    "Key issuing is frozen. Existing keys keep working; `/access-key unfreeze` resumes issuing.";
/// The answer to `unfreeze`.
pub const UNFREEZE_DONE: &str = "Key issuing is resumed.";
/// A freeze that was resumed before its answer was sent.
pub const FREEZE_REVERTED: &str = "Your command froze key issuing, but somebody has resumed it since: keys can be issued. Type `/access-key freeze` to freeze it again.";
/// A resume that was followed by a freeze before its answer was sent.
pub const UNFREEZE_REVERTED: &str = "Your command resumed key issuing, but somebody has frozen it again since. Type `/access-key unfreeze` if you want to resume it.";

/// An unfreeze that crossed a freeze: the freeze wins.
#[must_use]
pub fn unfreeze_raced(by: &str, at: Timestamp) -> String {
    let by = by.to_owned().try_into().map_or_else(|_| escape_mrkdwn(by), |by| person(&by));
    format!(
        "Key issuing is still frozen: {by} froze it {}, which was not before your command. To resume it anyway, type `/access-key unfreeze` again.",
        slack_date(at)
    )
}

/// To the approvers: frozen or resumed.
#[must_use]
pub fn frozen_by(freeze: bool, by: &PersonId) -> String {
    if freeze {
        format!(
            "{} froze key issuing. Existing keys keep working. `/access-key unfreeze` resumes it.",
            person(by)
        )
    } else {
        format!("{} resumed key issuing.", person(by))
    }
}
