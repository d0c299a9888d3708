//! The output of `audit verify`.

use crate::cli::answer::{Answer, ExitStatus};
use crate::cli::audit_verifier::{By, Problem, RecordProblem};
use crate::cli::output::text::{count, listed, plain, rows};
use crate::cli::verify::Verified;

impl Answer for Verified {
    fn text(&self) -> String {
        verified(self)
    }

    fn ending(&self) -> ExitStatus {
        if self.verified { ExitStatus::Done } else { ExitStatus::No }
    }
}

fn verified(found: &Verified) -> String {
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
        "compared with table Requests"
    } else {
        "not compared with table Requests"
    };
    facts.push(("heads", compared.to_owned()));
    let missing = if found.anchor.is_some() && found.anchored.is_none() {
        "\nThe checkpoint of this anchor was removed or changed, or the hash belongs to another trail.\n"
    } else {
        ""
    };
    let Some((first, others)) = found.problems.split_first() else {
        let head =
            if found.verified { "The audit trail is intact." } else { "The audit trail is not intact." };
        let next = if found.anchor.is_none() {
            "\nOnly an anchor proves that the newest records were not removed: the hash of a checkpoint, posted in the\n\
             approvals channel once a day. Use it with --anchor.\n"
        } else {
            missing
        };
        return format!("{head}\n\n{}{next}", rows(&facts));
    };
    let invalid =
        [("chain", plain(&first.request)), ("record", first.seq.to_string()), ("problem", what(first))];
    let more = match others.len() {
        0 => String::new(),
        more => format!(
            "\nAlso invalid: {}: {}.\n",
            count(more, "other chain", "other chains"),
            listed(
                others.iter().take(5).map(|problem| format!("{} at record {}", problem.request, problem.seq)),
                ""
            )
        ),
    };
    let part = if found.from_file && found.problems.iter().any(|problem| cut_out(&problem.what)) {
        "\nIf it was exported with --since, --until or --request, it is only a part of the trail.\n"
    } else {
        ""
    };
    format!(
        "The audit trail is not intact. The first invalid record:\n\n{}{more}\n{}{missing}{part}\n\
         Next: preserve the evidence. Export the trail, and compare it with a copy of the table restored to an earlier\n\
         time (point-in-time recovery).\n",
        rows(&invalid),
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
        RecordProblem::Missing { named_by: None } => "missing, although later records exist".to_owned(),
        RecordProblem::Missing { named_by: Some(named) } => {
            format!("missing, although {} says that the chain continues", by(named))
        }
        RecordProblem::Twice => "duplicate, or has an invalid number".to_owned(),
        RecordProblem::Unreadable { lacks } => format!("unreadable: it has no valid `{}`", plain(lacks)),
        RecordProblem::Changed => "changed: its hash does not match its contents".to_owned(),
        RecordProblem::Moved { from_request, from_seq } => {
            format!("moved: it has the contents of record {from_seq} of {}", plain(from_request))
        }
        RecordProblem::DoesNotFollow => {
            "does not match the record before it: one of the two was replaced".to_owned()
        }
        RecordProblem::Replaced { named_by } => {
            format!("replaced: {} has another hash for it", by(named_by))
        }
        RecordProblem::EndUnknown => {
            "possibly not the last: the chain's item in table Requests cannot be read".to_owned()
        }
        RecordProblem::AfterEnd => "added: this chain ended before it and never grows".to_owned(),
        RecordProblem::UnknownChain => "added: its chain is not in table Requests".to_owned(),
        RecordProblem::BadHead { name } => {
            format!("a checkpoint with a malformed head of {}", plain(name))
        }
    }
}
