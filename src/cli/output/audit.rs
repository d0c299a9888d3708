//! RecordProblem is said of the audit trail.

use std::path::Path;

use crate::aws::UnreadableRecord;
use crate::cli::output::{count, listed, plain, rows, unable};
use crate::cli::{By, Failure, Problem, RecordProblem, Verified};

/// Progress.
#[must_use]
pub fn records_so_far(records: usize) -> String {
    format!("{} read", count(records, "record", "records"))
}

/// An item that is no record was left out.
#[must_use]
pub fn left_out(found: &UnreadableRecord) -> String {
    let seq = found.seq.map_or("?".to_owned(), |seq| seq.to_string());
    format!("left out: record {seq} of {} has no proper `{}`", plain(&found.request), found.lacks)
}

/// The end of an export.
#[must_use]
pub fn exported(written: usize, unreadable: usize, to: Option<&Path>) -> String {
    let to = to.map(|path| format!(" to {}", path.display())).unwrap_or_default();
    let out = if unreadable == 0 { String::new() } else { format!(", {unreadable} left out") };
    format!("{} written{to}{out}", count(written, "record", "records"))
}

/// A line of a file is no record.
#[must_use]
pub fn no_record(path: &Path, line: usize) -> Failure {
    unable(
        format!("{}:{line}: not a record of the audit trail", path.display()),
        "Give a file that `keyvend audit export --format jsonl` wrote.",
    )
}

/// RecordProblem verifying found.
#[must_use]
pub fn verified(found: &Verified) -> String {
    let read = format!(
        "{} in {}, {}",
        count(found.records, "record", "records"),
        count(found.chains, "chain", "chains"),
        count(found.checkpoints, "checkpoint", "checkpoints")
    );
    let mut facts = vec![("read", read)];
    if let Some(anchor) = &found.anchor {
        let is = match &found.anchored {
            Some(at) => format!("checkpoint {} of {}", at.seq, at.at.rfc3339()),
            None => format!("no checkpoint has the hash {anchor}"),
        };
        facts.push(("anchor", is));
    }
    let compared = if found.compared_with_requests {
        "held against table Requests"
    } else {
        "not held against table Requests"
    };
    facts.push(("ends", compared.to_owned()));
    let missing = if found.anchor.is_some() && found.anchored.is_none() {
        "\nThe checkpoint that the anchor is of was removed or changed, or the hash is of another trail.\n"
    } else {
        ""
    };
    let Some((first, others)) = found.problems.split_first() else {
        let head = if found.verified { "The audit trail is whole." } else { "The audit trail is not whole." };
        let next = if found.anchor.is_none() {
            "\nThat the newest records were not cut off shows only an anchor: the hash of a checkpoint, posted to the\n\
             approvals channel once a day. Give it with --anchor.\n"
        } else {
            missing
        };
        return format!("{head}\n\n{}{next}", rows(&facts));
    };
    let misfit =
        [("chain", plain(&first.request)), ("record", first.seq.to_string()), ("problem", what(first))];
    let more = match others.len() {
        0 => String::new(),
        more => format!(
            "\nSo does {}: {}.\n",
            count(more, "other chain not fit", "other chains not fit"),
            listed(
                others.iter().take(5).map(|problem| format!("{} at record {}", problem.request, problem.seq)),
                ""
            )
        ),
    };
    let part = if found.from_file && found.problems.iter().any(|problem| cut_out(&problem.what)) {
        "\nWas it exported with --since, --until or --request? Then it is only a part of a trail.\n"
    } else {
        ""
    };
    format!(
        "The audit trail is not whole. The first record that does not fit:\n\n{}{more}\n{}{missing}{part}\n\
         Next: keep what is there. Export it, and compare it with a copy of the table restored from before\n\
         (point-in-time recovery).\n",
        rows(&misfit),
        rows(&facts)
    )
}

fn cut_out(what: &RecordProblem) -> bool {
    match what {
        RecordProblem::Missing { .. } => true,
        RecordProblem::Twice
        | RecordProblem::Unreadable { .. }
        | RecordProblem::Changed
        | RecordProblem::Moved { .. }
        | RecordProblem::DoesNotFollow
        | RecordProblem::Replaced { .. }
        | RecordProblem::EndUnknown
        | RecordProblem::AfterEnd
        | RecordProblem::UnknownChain
        | RecordProblem::BadHead { .. } => false,
    }
}

fn what(problem: &Problem) -> String {
    let by = |by: &By| match by {
        By::Checkpoint(seq) => format!("checkpoint {seq}"),
        By::Requests => "table Requests".to_owned(),
    };
    match &problem.what {
        RecordProblem::Missing { named_by: None } => "missing, though later ones are there".to_owned(),
        RecordProblem::Missing { named_by: Some(named) } => {
            format!("missing, though {} says that the chain goes on to it or further", by(named))
        }
        RecordProblem::Twice => "there twice, or in a place that a chain does not have".to_owned(),
        RecordProblem::Unreadable { lacks } => format!("cannot be read: it has no proper `{}`", plain(lacks)),
        RecordProblem::Changed => "changed: its contents do not have its hash".to_owned(),
        RecordProblem::Moved { from_request, from_seq } => {
            format!("moved: its contents are those of record {from_seq} of {}", plain(from_request))
        }
        RecordProblem::DoesNotFollow => {
            "does not follow from the record before it: one of the two was replaced".to_owned()
        }
        RecordProblem::Replaced { named_by } => {
            format!("replaced: {} names another hash for it", by(named_by))
        }
        RecordProblem::EndUnknown => {
            "perhaps not the last: the chain's item in table Requests cannot be read".to_owned()
        }
        RecordProblem::AfterEnd => {
            "added: the chain ended before it, and nothing is ever added to this chain".to_owned()
        }
        RecordProblem::UnknownChain => "added: table Requests does not know its chain".to_owned(),
        RecordProblem::BadHead { name } => {
            format!("a checkpoint that names the end of {} in a way that cannot be read", plain(name))
        }
    }
}
