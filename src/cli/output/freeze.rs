//! The output of `freeze` and `unfreeze`.

use crate::cli::answer::{Answer, ExitStatus};
use crate::cli::freeze::FreezeResult;
use crate::cli::output::text::plain;

impl Answer for FreezeResult {
    fn text(&self) -> String {
        stopped(self)
    }

    fn ending(&self) -> ExitStatus {
        match (&self.recorded_in, self.raced) {
            (None, _) => ExitStatus::Failed,
            (Some(_), true) => ExitStatus::No,
            (Some(_), false) => ExitStatus::Done,
        }
    }
}

fn stopped(done: &FreezeResult) -> String {
    let by = match (&done.frozen_by, done.frozen_at) {
        (Some(by), Some(at)) => format!("{} since {}", plain(by), at.rfc3339()),
        (Some(by), None) => plain(by),
        (None, _) => "nobody".to_owned(),
    };
    let head = match (done.frozen, done.changed) {
        (true, true) => "Key issuing is frozen.".to_owned(),
        (true, false) if done.raced => format!(
            "NOT resumed: key issuing was frozen by {by}, which was not before this command. It stays frozen.\n\
             Run `keyvend unfreeze` again to resume it anyway."
        ),
        (true, false) => format!("Key issuing was already frozen, by {by}. It stays frozen."),
        (false, true) => format!("Key issuing is resumed. It was frozen by {by}."),
        (false, false) => "Key issuing was not frozen: keys can be issued.".to_owned(),
    };
    let next = if done.frozen {
        "\nExisting keys keep working and can be deactivated. Notify the approvers. To resume, run `keyvend unfreeze`,\n\
         or an approver types `/access-key unfreeze`.\n"
    } else {
        ""
    };
    let recorded = match (&done.recorded_in, &done.not_recorded) {
        (Some(chain), _) => format!("Recorded in the audit trail as {chain}."),
        (None, why) => format!(
            "NOT recorded in the audit trail ({}). Run the same command again to record it.",
            plain(why.as_deref().unwrap_or_default())
        ),
    };
    format!("{head}\n{recorded}\n{}", done.command.name_in(next))
}
