//! A request to judge: one of each state, with short names for who and what.

mod approvals;
mod deadlines;
mod revisions;
mod stored;
mod transitions;

use std::time::Duration;

use super::*;
use crate::domain::denial::DenialReason;
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account};
use crate::domain::reason::Reason;
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, Digest256, PersonId, RequestId, RunId, TicketId};
use crate::time::{DAY, Timestamp};

type Change = fn(&mut KeyRequest);

const ASKED: Timestamp = Timestamp(1_764_000_000);
const TTL: Duration = Duration::from_secs(3_600);

fn person(user: &str) -> PersonId {
    format!("T0001.{user}").try_into().unwrap()
}

fn key(n: usize) -> AccessKeyId {
    format!("AKIA0000000000{n:06}").parse().unwrap()
}

fn run(n: u8) -> RunId {
    RunId::of([n; 10])
}

fn tid(n: u8) -> TicketId {
    TicketId::of(&[n; 16])
}

fn reason() -> Reason {
    "not needed".to_owned().try_into().unwrap()
}

fn press(n: u8) -> RequestId {
    RequestId::of_signature(&[n; 32])
}

fn listed(n: usize) -> AccessKey {
    AccessKey {
        id: key(n),
        status: AccessKeyStatus::Active,
        create_date: Timestamp(ASKED.0 - 9 * DAY),
        last_used: AccessKeyLastUsed::Never,
    }
}

fn shown(needed: u32) -> ReviewSnapshot {
    ReviewSnapshot {
        required_approvals: needed,
        privileged: false,
        groups: vec!["builders".to_owned()],
        policies: vec!["upload-artifacts".to_owned()],
        policy_digest: Digest256::of(b"{}"),
        boundary: None,
        keys: vec![listed(1)],
    }
}

fn doubt() -> AmbiguousCreate {
    AmbiguousCreate { intent: intent(None), since: ASKED, checks_done: 0, suspect_keys: Vec::new() }
}

fn asked() -> RequestDetails {
    RequestDetails {
        kind: RequestKind::Create,
        requester: person("U0ALICE"),
        account: Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() },
        user: "ci-deployer".parse().unwrap(),
        use_case: UseCase::Cli,
        days: 30,
        reason: "laptop tooling".to_owned(),
        email_hash: Some("ab".repeat(32)),
        at: ASKED,
        replaces: None,
    }
}

fn salt(n: u8) -> RevisionSalt {
    RevisionSalt::new([n; 16])
}

fn request(needed: u32) -> KeyRequest {
    let approvers = ["U0ALICE", "U0BOB", "U0CAROL", "U0DAVE"].map(|user| person(user).user);
    KeyRequest::new(press(0), asked(), shown(needed), salt(0), approvers.into_iter().collect(), (TTL, TTL))
}

fn intent(created: Option<AccessKeyId>) -> IssueIntent {
    IssueIntent {
        tid: tid(1),
        invocation: run(1),
        started_at: ASKED,
        deadline: Timestamp(ASKED.0 + 30),
        path: "/".to_owned(),
        existing_keys: vec![key(1)],
        created,
    }
}

/// One of each state; where more than the name matters, two.
fn states() -> Vec<RequestState> {
    vec![
        RequestState::Pending,
        RequestState::Approved,
        RequestState::LinkIssued { tid: tid(1) },
        RequestState::Issuing(intent(None)),
        RequestState::Issuing(intent(Some(key(2)))),
        RequestState::Ambiguous(doubt()),
        RequestState::Issued { key: key(2), tid: tid(1), at: ASKED },
        RequestState::Completed { key: key(1), at: ASKED },
        RequestState::Denied { by: person("U0BOB"), press: press(9), reason: reason() },
        RequestState::Cancelled,
        RequestState::Expired,
        RequestState::PolicyDenied { reason: DenialReason::UserDeleted },
    ]
}

fn in_state(state: RequestState) -> KeyRequest {
    let approvals =
        vec![Approval { by: person("U0CAROL"), interaction_id: press(8), at: ASKED, comment: None }];
    let questions = vec![Question {
        by: person("U0CAROL"),
        interaction_id: press(9),
        at: ASKED,
        text: reason(),
        answer: None,
    }];
    KeyRequest { state, approvals, questions, ..request(2) }
}

fn withdraw(run: Option<RunId>, to: &str, deleted: Option<AccessKeyId>) -> RequestEvent {
    let to = match to {
        "APPROVED" => AbortOutcome::Approved,
        "PENDING" => AbortOutcome::Pending { shown: shown(2), approvals: Vec::new(), ttl: TTL },
        _ => AbortOutcome::Refused { reason: DenialReason::UserDeleted },
    };
    RequestEvent::AbortIssuing { run, to, why: "test", deleted }
}

fn name(state: &RequestState) -> String {
    match state {
        RequestState::Issuing(IssueIntent { created: Some(_), .. }) => "ISSUING with key".to_owned(),
        other => other.as_str().to_owned(),
    }
}
