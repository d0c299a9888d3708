//! How far reading a table has come, shown while somebody waits.

use std::io::Write;

use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::output::export::records_so_far;

/// A line of progress where nobody looks on.
const PROGRESS: usize = 10_000;

/// Counts what goes by and shows it on standard error.
pub(crate) struct Progress {
    watched: bool,
    shown: usize,
}

impl Progress {
    pub(crate) fn new(place: &CommandContext<'_>) -> Self {
        Self { watched: place.watched, shown: 0 }
    }

    /// So many records so far.
    pub(crate) fn show(&mut self, err: &mut dyn Write, records: usize) -> Result<(), Failure> {
        if self.watched {
            write!(err, "\r{}", records_so_far(records))?;
            err.flush()?;
            self.shown = records;
        } else if records >= self.shown + PROGRESS {
            writeln!(err, "{}", records_so_far(records))?;
            self.shown = records;
        }
        Ok(())
    }

    /// Clears the line for what comes next.
    pub(crate) fn end(&self, err: &mut dyn Write) -> Result<(), Failure> {
        if self.watched && self.shown > 0 {
            write!(err, "\r{:60}\r", "")?;
        }
        Ok(())
    }
}
