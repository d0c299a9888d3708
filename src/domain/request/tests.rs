use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::audit::{AuditEntry, AuditEvent, NewAuditEntry};
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

/// Every event, by a name, with what it leads to from each state it fits: `from > to`.
fn events() -> Vec<(&'static str, RequestEvent, &'static str)> {
    let approve = |who: &str, enough| RequestEvent::Approve {
        by: person(who),
        press: press(7),
        comment: None,
        enough,
        approved_ttl: Duration::from_secs(9 * 3_600),
    };
    let begin = |ticket| {
        let intent = IssueIntent { tid: tid(ticket), invocation: run(2), ..intent(None) };
        RequestEvent::StartIssuing { intent, browser: "Firefox".to_owned() }
    };
    let posted = Card { channel: "C0APPROVE".parse().unwrap(), ts: "1764000000.000001".parse().unwrap() };
    let waits_for_decision = |to: &'static str| match to {
        "DENIED" => "PENDING > DENIED, APPROVED > DENIED, LINK_ISSUED > DENIED",
        "CANCELLED" => "PENDING > CANCELLED, APPROVED > CANCELLED, LINK_ISSUED > CANCELLED",
        _ => "PENDING > POLICY_DENIED, APPROVED > POLICY_DENIED, LINK_ISSUED > POLICY_DENIED",
    };
    vec![
        ("approve, enough", approve("U0BOB", true), "PENDING > APPROVED"),
        ("approve, not enough", approve("U0BOB", false), "PENDING > PENDING"),
        ("approve again", approve("U0CAROL", true), ""),
        (
            "an approval falls",
            RequestEvent::RevokeApprovals { by: vec![person("U0CAROL")] },
            "PENDING > PENDING",
        ),
        (
            "deny",
            RequestEvent::Deny { by: person("U0BOB"), press: press(7), reason: reason() },
            waits_for_decision("DENIED"),
        ),
        (
            "ask",
            RequestEvent::Ask { by: person("U0BOB"), press: press(6), question: reason() },
            "PENDING > PENDING",
        ),
        ("ask oneself", RequestEvent::Ask { by: person("U0ALICE"), press: press(6), question: reason() }, ""),
        (
            "answer",
            RequestEvent::Answer { number: 0, press: press(6), answer: reason() },
            "PENDING > PENDING",
        ),
        (
            "answer what nobody asked",
            RequestEvent::Answer { number: 1, press: press(6), answer: reason() },
            "",
        ),
        ("cancel", RequestEvent::Cancel, waits_for_decision("CANCELLED")),
        ("replace", RequestEvent::Replace { by: press(9) }, "PENDING > CANCELLED"),
        (
            "refuse",
            RequestEvent::Refuse { reason: DenialReason::UserDeleted },
            waits_for_decision("POLICY_DENIED"),
        ),
        ("expire", RequestEvent::Expire, ""),
        ("redraw", RequestEvent::FactsChanged(shown(3)), "PENDING > PENDING"),
        ("reopen a request for a new key", RequestEvent::Reopen { shown: shown(2), ttl: TTL }, ""),
        ("remind too early", RequestEvent::Remind, ""),
        (
            "ticket",
            RequestEvent::IssueLink { tid: tid(2) },
            "APPROVED > LINK_ISSUED, LINK_ISSUED > LINK_ISSUED",
        ),
        ("ticket gone", RequestEvent::TicketVoided { tid: tid(1), why: "test" }, "LINK_ISSUED > APPROVED"),
        ("another ticket gone", RequestEvent::TicketVoided { tid: tid(2), why: "test" }, ""),
        ("begin", begin(1), "LINK_ISSUED > ISSUING"),
        ("begin for another ticket", begin(2), ""),
        (
            "take over too early",
            RequestEvent::ResumeIssuing { run: run(2), until: Timestamp(ASKED.0 + 99) },
            "",
        ),
        ("created", RequestEvent::Created { run: run(1), key: key(3) }, "ISSUING > ISSUING with key"),
        ("created by another", RequestEvent::Created { run: run(2), key: key(3) }, ""),
        ("no answer", RequestEvent::CreateTimedOut { run: run(1) }, "ISSUING > AMBIGUOUS"),
        ("no answer to another", RequestEvent::CreateTimedOut { run: run(2) }, ""),
        ("look too early", RequestEvent::Rechecked { suspects: Vec::new() }, ""),
        ("fulfil a request for a new key", RequestEvent::Complete, ""),
        ("withdraw", withdraw(None, "APPROVED", None), "LINK_ISSUED > APPROVED"),
        ("withdraw to pending", withdraw(None, "PENDING", None), "LINK_ISSUED > PENDING"),
        ("withdraw to refused", withdraw(None, "POLICY_DENIED", None), "LINK_ISSUED > POLICY_DENIED"),
        ("withdraw, deleting what was not made", withdraw(None, "APPROVED", Some(key(2))), ""),
        ("give up", withdraw(Some(run(1)), "APPROVED", None), "ISSUING > APPROVED"),
        ("give up, refused", withdraw(Some(run(1)), "POLICY_DENIED", None), "ISSUING > POLICY_DENIED"),
        ("give up, pending", withdraw(Some(run(1)), "PENDING", None), ""),
        (
            "give up a deleted key",
            withdraw(Some(run(1)), "APPROVED", Some(key(2))),
            "ISSUING > APPROVED, ISSUING with key > APPROVED",
        ),
        ("give up, deleting another", withdraw(Some(run(1)), "APPROVED", Some(key(3))), "ISSUING > APPROVED"),
        ("another gives up", withdraw(Some(run(2)), "APPROVED", None), ""),
        ("seal", RequestEvent::Seal { run: run(1) }, "ISSUING with key > ISSUED"),
        ("seal by another", RequestEvent::Seal { run: run(2) }, ""),
        ("posted", RequestEvent::CardPosted(posted), "everywhere"),
        (
            "seen",
            RequestEvent::RecordTicketEvent {
                happened: NewAuditEntry::new(AuditEvent::LinkReused, "reveal", []),
                at: ASKED,
                alert: true,
            },
            "everywhere",
        ),
    ]
}

fn name(state: &RequestState) -> String {
    match state {
        RequestState::Issuing(IssueIntent { created: Some(_), .. }) => "ISSUING with key".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// Whether the chain's outbox, which nothing was taken from, is a chain from its first entry.
fn verify(request: &KeyRequest) -> Result<(), TestCaseError> {
    let mut prev = "0".repeat(64);
    for (at, AuditEntry { seq, prev: before, hash, .. }) in request.chain.outbox.iter().enumerate() {
        prop_assert_eq!(usize::try_from(*seq).unwrap(), at + 1);
        prop_assert_eq!(before, &prev);
        let entry = &request.chain.outbox[at];
        prop_assert_eq!(hash, &entry.computed_hash(&request.id));
        prev.clone_from(hash);
    }
    Ok(())
}

/// What must hold of any event at any time: what was asked stays, and the trail says what happened.
fn check(before: &KeyRequest, event: &RequestEvent, after: &KeyRequest) -> Result<(), TestCaseError> {
    prop_assert_eq!((&before.id, &before.details), (&after.id, &after.details));
    let grown = if matches!(event, RequestEvent::CardPosted(_)) { 0 } else { 1 };
    prop_assert_eq!(after.chain.outbox.len(), before.chain.outbox.len() + grown, "{:?}", event);
    prop_assert_eq!(&after.chain.outbox[..before.chain.outbox.len()], before.chain.outbox.as_slice());
    verify(after)
}

// T4.4
#[test]
fn request_transitions_match_documented_diagram() {
    let now = Timestamp(ASKED.0 + 10);
    for state in states() {
        let from = in_state(state);
        let untouched = from.clone();
        for (what, event, arrows) in events() {
            let arrow = arrows.split(", ").find_map(|arrow| {
                let (state, to) = arrow.split_once(" > ")?;
                (state == name(&from.state)).then(|| to.to_owned())
            });
            let expected = if arrows == "everywhere" { Some(name(&from.state)) } else { arrow };
            let next = from.apply(event.clone(), "T0001.U0BOB", now);
            assert_eq!(
                next.as_ref().ok().map(|next| name(&next.state)),
                expected,
                "{what} in {}",
                name(&from.state)
            );
            assert_eq!(from, untouched, "{what}");
            if let Ok(next) = next {
                check(&from, &event, &next).unwrap();
            }
        }
    }
}

#[test]
fn rejected_event_states_reason() {
    let now = Timestamp(ASKED.0 + 10);
    let late = Timestamp(ASKED.0 + 3_600);
    let event = |name: &str| events().into_iter().find(|(what, ..)| *what == name).unwrap().1;
    for (state, what, now, expected) in [
        (RequestState::Pending, "approve again", now, TransitionError::AlreadyApproved),
        (RequestState::Approved, "approve, enough", now, TransitionError::InvalidState),
        (RequestState::Cancelled, "approve, enough", now, TransitionError::InvalidState),
        (RequestState::Pending, "approve, enough", late, TransitionError::Expired),
        (RequestState::Pending, "cancel", late, TransitionError::Expired),
        (RequestState::Approved, "ticket", late, TransitionError::Expired),
        (RequestState::LinkIssued { tid: tid(1) }, "begin", late, TransitionError::Expired),
        (RequestState::Cancelled, "cancel", late, TransitionError::InvalidState),
        (RequestState::Pending, "expire", now, TransitionError::InvalidState),
        (RequestState::Cancelled, "expire", late, TransitionError::InvalidState),
        (RequestState::Issuing(intent(None)), "expire", late, TransitionError::InvalidState),
        (
            RequestState::Issuing(intent(None)),
            "take over too early",
            Timestamp(ASKED.0 + 30),
            TransitionError::IntentLost,
        ),
        (RequestState::Issuing(intent(None)), "created by another", now, TransitionError::IntentLost),
        (RequestState::Issuing(intent(Some(key(2)))), "created", now, TransitionError::InvalidState),
        (RequestState::Issuing(intent(Some(key(2)))), "no answer", now, TransitionError::InvalidState),
        (RequestState::Issuing(intent(Some(key(2)))), "give up", now, TransitionError::InvalidState),
        (RequestState::Issuing(intent(None)), "seal", now, TransitionError::InvalidState),
        (RequestState::Approved, "seal", now, TransitionError::IntentLost),
    ] {
        let from = in_state(state);
        assert_eq!(from.apply(event(what), "a", now), Err(expected), "{what} in {}", name(&from.state));
    }
}

#[test]
fn only_requests_waiting_for_people_expire() {
    let at = |offset: i64| Timestamp(ASKED.0 + 3_600 + offset);
    for state in states() {
        let request = in_state(state);
        let waits = matches!(
            request.state,
            RequestState::Pending | RequestState::Approved | RequestState::LinkIssued { .. }
        );
        assert_eq!(request.is_actionable(), waits);
        assert!(!request.is_expired(at(-1)));
        assert_eq!(request.is_expired(at(0)), waits);
        assert!(request.apply(RequestEvent::Expire, "keyvend", at(-1)).is_err());
        let unconfirmed = request.apply(RequestEvent::Expire, "keyvend", at(0)).map(|next| next.state);
        assert_eq!(unconfirmed.ok(), waits.then_some(RequestState::Expired));
    }
}

#[test]
fn review_reminder_is_due_once_after_quarter() {
    let at = |offset: i64| Timestamp(ASKED.0 + 900 + offset);
    let pending = in_state(RequestState::Pending);
    assert_eq!(pending.apply(RequestEvent::Remind, "keyvend", at(-1)), Err(TransitionError::InvalidState));
    let reminded = pending.apply(RequestEvent::Remind, "keyvend", at(0)).unwrap();
    assert_eq!(reminded.state, RequestState::Pending);
    check(&pending, &RequestEvent::Remind, &reminded).unwrap();
    assert_eq!(reminded.apply(RequestEvent::Remind, "keyvend", at(1)), Err(TransitionError::InvalidState));
    for state in states().into_iter().filter(|state| *state != RequestState::Pending) {
        assert_eq!(
            in_state(state).apply(RequestEvent::Remind, "keyvend", at(0)),
            Err(TransitionError::InvalidState)
        );
    }
}

#[test]
fn ambiguous_create_is_retryable_after_fourth_check() {
    let mut request = in_state(RequestState::Ambiguous(doubt()));
    for (check, after) in RECHECK_DELAYS.into_iter().enumerate() {
        assert_eq!(request.due_at(), Some(ASKED), "leftovers first");
        request.chain.outbox.clear();
        let at = Timestamp(ASKED.0 + after);
        assert_eq!(request.due_at(), Some(at));
        let looked = RequestEvent::Rechecked { suspects: (check == 1).then(|| key(3)).into_iter().collect() };
        assert_eq!(
            request.apply(looked.clone(), "a", Timestamp(at.0 - 1)),
            Err(TransitionError::InvalidState)
        );
        request = request.apply(looked, "a", at).unwrap();
        match &request.state {
            RequestState::Ambiguous(doubt) => {
                assert_eq!((check < 3, doubt.checks_done), (true, check + 1));
                assert_eq!(doubt.suspect_keys, if check == 0 { Vec::new() } else { vec![key(3)] });
            }
            state => assert_eq!((check, state), (3, &RequestState::Approved)),
        }
    }
}

#[test]
fn key_change_completes_on_approval_without_link() {
    let end = Timestamp(ASKED.0 + 86_400);
    for wants in
        [RequestKind::Reactivate { key: key(1), end, undo: true }, RequestKind::Extend { key: key(1), end }]
    {
        for state in states() {
            let mut from = in_state(state.clone());
            from.details.kind = wants.clone();
            from.chain.outbox.clear();
            let approved = state == RequestState::Approved;
            let fulfilled = from.apply(RequestEvent::Complete, "a", ASKED).map(|next| next.state);
            let expected = RequestState::Completed { key: key(1), at: ASKED };
            assert_eq!(fulfilled.ok(), approved.then_some(expected), "{state:?}");
            assert!(from.apply(RequestEvent::IssueLink { tid: tid(2) }, "a", ASKED).is_err() || !approved);
            assert_eq!(from.due_at() == Some(ASKED), approved, "{state:?}");
        }
    }
    assert!(
        in_state(RequestState::Approved).apply(RequestEvent::Complete, "a", ASKED).is_err(),
        "a new key takes a link"
    );
}

#[test]
fn reopened_review_restarts_reminder() {
    let pending = in_state(RequestState::Pending);
    let reminded = pending.apply(RequestEvent::Remind, "keyvend", Timestamp(ASKED.0 + 900)).unwrap();
    let ticketed = KeyRequest { state: RequestState::LinkIssued { tid: tid(1) }, ..reminded };
    let back = Timestamp(ASKED.0 + 3_000);
    let again = ticketed.apply(withdraw(None, "PENDING", None), "keyvend", back).unwrap();
    let due = Timestamp(back.0 + 900);
    assert_eq!(again.remind_at(), due, "after a quarter of the new time");
    assert_eq!(
        again.apply(RequestEvent::Remind, "keyvend", Timestamp(due.0 - 1)),
        Err(TransitionError::InvalidState)
    );
    assert!(again.apply(RequestEvent::Remind, "keyvend", due).is_ok());
    let approved = ticketed.apply(withdraw(None, "APPROVED", None), "keyvend", back).unwrap();
    assert!(approved.reminder_sent, "nobody is asked again");
}

// T2.5
#[test]
fn only_approvers_at_creation_can_approve() {
    let pending = request(2);
    let approve = |who: &str| RequestEvent::Approve {
        by: person(who),
        press: press(7),
        comment: None,
        enough: false,
        approved_ttl: TTL,
    };
    let apply = |event| pending.apply(event, "a", ASKED);
    assert!(apply(approve("U0BOB")).is_ok());
    // Who became one since; and the requester, who is one.
    for who in ["U0MALLORY", "U0ALICE"] {
        assert_eq!(apply(approve(who)).unwrap_err(), TransitionError::NotEligible, "{who}");
    }
    let of = |who: &str| Approval { by: person(who), interaction_id: press(7), at: ASKED, comment: None };
    let given = vec![of("U0BOB"), of("U0MALLORY"), of("U0ALICE")];
    let inherited = pending.clone().inheriting(given.clone(), &press(8), false, TTL);
    assert_eq!(inherited.approvals, [of("U0BOB")]);
    // Neither a redrawn card nor a return to its approvers renews who they are.
    let redrawn = apply(RequestEvent::FactsChanged(shown(1))).unwrap();
    let ticketed = KeyRequest { state: RequestState::LinkIssued { tid: tid(1) }, ..pending.clone() };
    let to = AbortOutcome::Pending { shown: shown(2), approvals: given, ttl: TTL };
    let back = RequestEvent::AbortIssuing { run: None, to, why: "approvals-lacking", deleted: None };
    let back = ticketed.apply(back, "keyvend", ASKED).unwrap();
    assert_eq!(back.approvals, [of("U0BOB")]);
    for later in [redrawn, back] {
        assert_eq!(later.eligible_approvers, pending.eligible_approvers);
        assert_eq!(later.apply(approve("U0MALLORY"), "a", ASKED).unwrap_err(), TransitionError::NotEligible);
    }
}

#[test]
fn revoked_approval_can_be_repeated() {
    let now = Timestamp(ASKED.0 + 10);
    let pending = in_state(RequestState::Pending);
    let fallen =
        pending.apply(RequestEvent::RevokeApprovals { by: vec![person("U0CAROL")] }, "keyvend", now).unwrap();
    assert_eq!(fallen.approvals, []);
    assert_eq!(fallen.chain.outbox.last().unwrap().detail["by"], "T0001.U0CAROL");
    let other =
        pending.apply(RequestEvent::RevokeApprovals { by: vec![person("U0BOB")] }, "keyvend", now).unwrap();
    assert_eq!(other.approvals, pending.approvals);
    let again = RequestEvent::Approve {
        by: person("U0CAROL"),
        press: press(7),
        comment: None,
        enough: false,
        approved_ttl: TTL,
    };
    assert_eq!(fallen.apply(again, "T0001.U0CAROL", now).unwrap().approvals.len(), 1);
}

/// When each state is next looked at: what waits for somebody, or is under way, must never be forgotten.
#[test]
fn every_unfinished_request_has_timer() {
    for state in states() {
        let mut request = in_state(state);
        // But whoever holds an intent is left alone until its deadline.
        let held = match &request.state {
            RequestState::Issuing(intent) => Some(intent.deadline),
            _ => None,
        };
        assert_eq!(request.due_at(), held.or(Some(ASKED)), "an outbox that is not empty is due at once");
        request.chain.remove_inserted(u32::MAX);
        let expected = match &request.state {
            RequestState::Pending => Some(Timestamp(ASKED.0 + 900)),
            RequestState::Approved | RequestState::LinkIssued { .. } => Some(Timestamp(ASKED.0 + 3_600)),
            RequestState::Issuing(intent) => Some(intent.deadline),
            RequestState::Ambiguous(doubt) => doubt.look_at(),
            _ => None,
        };
        assert_eq!(request.due_at(), expected, "{}", name(&request.state));
        request.reminder_sent = true;
        let expected =
            if request.state == RequestState::Pending { Some(request.expires_at) } else { expected };
        assert_eq!(request.due_at(), expected, "{}", name(&request.state));
        request.notifications.extend([Notification::UpdateCard]);
        assert_eq!(request.due_at(), held.or(Some(ASKED)));
        request.notifications.remove_delivered(1);
        assert_eq!(request.due_at(), expected);
    }
}

// T4.4
#[test]
fn intent_is_resumed_only_after_deadline() {
    // It is resumed with all that it recorded.
    let from = in_state(RequestState::Issuing(intent(Some(key(2)))));
    let until = Timestamp(ASKED.0 + 99);
    let next = from
        .apply(RequestEvent::ResumeIssuing { run: run(2), until }, "keyvend", Timestamp(ASKED.0 + 31))
        .unwrap();
    assert_eq!(
        next.state,
        RequestState::Issuing(IssueIntent { invocation: run(2), deadline: until, ..intent(Some(key(2))) })
    );
    assert_eq!(
        next.apply(RequestEvent::Seal { run: run(1) }, "keyvend", until),
        Err(TransitionError::IntentLost)
    );
}

#[test]
fn approval_starts_deadline_and_redraw_revokes_approvals() {
    // The last required approval starts the time in which the requester can collect the key.
    let event = |name: &str| events().into_iter().find(|(what, ..)| *what == name).unwrap().1;
    let now = Timestamp(ASKED.0 + 10);
    let from = in_state(RequestState::Pending);
    let approved = from.apply(event("approve, enough"), "a", now).unwrap();
    assert_eq!(approved.expires_at, Timestamp(now.0 + 9 * 3_600));
    assert_eq!(approved.approvals.len(), 2);
    let one_more = from.apply(event("approve, not enough"), "a", now).unwrap();
    assert_eq!(one_more.expires_at, from.expires_at);
    let redrawn = from.apply(event("redraw"), "a", now).unwrap();
    assert_eq!((redrawn.approvals.len(), redrawn.expires_at), (0, from.expires_at));
    assert_ne!(redrawn.revision(), from.revision());
}

// T2.14
#[test]
fn revision_covers_reviewed_facts_only() {
    // Values that change by themselves, such as a last use, are left out.
    let changed = |change: Change| {
        let mut next = request(1);
        change(&mut next);
        next.revision() != request(1).revision()
    };
    let covered: [(&str, Change); 13] = [
        ("salt", |r| r.salt = salt(1)),
        ("requester", |r| r.details.requester = person("U0BOB")),
        ("account", |r| r.details.account.id = "210987654321".parse().unwrap()),
        ("user", |r| r.details.user = "cj-deployer".parse().unwrap()),
        ("use case", |r| r.details.use_case = UseCase::Other),
        ("days", |r| r.details.days += 1),
        ("reason", |r| r.details.reason.push('!')),
        ("when", |r| r.details.at.0 += 1),
        ("needed", |r| r.snapshot.required_approvals += 1),
        ("privileged", |r| r.snapshot.privileged = true),
        ("groups", |r| r.snapshot.groups.push("admins".to_owned())),
        ("policies", |r| r.snapshot.policies.push("inline:all".to_owned())),
        ("boundary", |r| r.snapshot.boundary = Some("narrow".to_owned())),
    ];
    for (what, change) in covered {
        assert!(changed(change), "the revision does not cover the {what}");
    }
    let moving: [(&str, Change); 6] = [
        ("last use", |r| r.snapshot.keys[0].last_used = AccessKeyLastUsed::Unknown),
        ("age", |r| r.snapshot.keys[0].create_date.0 -= DAY),
        ("a key more", |r| r.snapshot.keys.push(listed(2))),
        ("approvals", |r| r.approvals = in_state(RequestState::Pending).approvals),
        ("state", |r| r.state = RequestState::Approved),
        ("deadline", |r| r.expires_at.0 += 1),
    ];
    for (what, change) in moving {
        assert!(!changed(change), "the revision moves with the {what}");
    }
    // What stands in one field cannot be made to read like what stands in two.
    let mut joined = request(1);
    joined.snapshot.groups = vec!["builders\",\"admins".to_owned()];
    let mut apart = request(1);
    apart.snapshot.groups = vec!["builders".to_owned(), "admins".to_owned()];
    assert_ne!(joined.revision(), apart.revision());
}

/// Names are what people read; the documents behind them are what they approve.
// T2.15
#[test]
fn changed_document_changes_revision() {
    let first = request(1);
    let other = ReviewSnapshot { policy_digest: Digest256::of(b"{\"Statement\": []}"), ..shown(1) };
    assert_ne!(first.revision_of(&other), first.revision());
    assert_ne!(other.digest(), shown(1).digest());
    assert!(first.is_outdated_by(&other) && !first.is_outdated_by(&shown(1)));
    let keys = ReviewSnapshot { keys: Vec::new(), ..shown(1) };
    assert!(!first.is_outdated_by(&keys), "a last use moves all the time");
    assert!(
        !first.is_outdated_by(&ReviewSnapshot { required_approvals: 0, ..other }),
        "nobody needs to approve it"
    );
}

// T2.15
#[test]
fn changed_key_facts_need_new_approval() {
    let now = Timestamp(ASKED.0 + 10);
    let reopen = || RequestEvent::Reopen { shown: shown(2), ttl: TTL };
    let wants = RequestKind::Extend { key: key(1), end: Timestamp(ASKED.0 + DAY) };
    for state in states() {
        let before =
            KeyRequest { details: RequestDetails { kind: wants.clone(), ..asked() }, ..in_state(state) };
        let reopened = before.apply(reopen(), "keyvend", now);
        assert_eq!(reopened.is_ok(), before.state == RequestState::Approved, "{:?}", before.state);
        let Ok(after) = reopened else { continue };
        assert_eq!((&after.state, after.approvals.len()), (&RequestState::Pending, 0));
        assert_eq!((after.pending_since, after.expires_at), (now, now + TTL));
        check(&before, &reopen(), &after).unwrap();
    }
}

// T7.3
#[test]
fn old_revision_differs_from_unknown_revision() {
    let now = Timestamp(ASKED.0 + 10);
    let first = request(1);
    let redraw = |from: &KeyRequest, shown| from.apply(RequestEvent::FactsChanged(shown), "a", now).unwrap();
    let second = redraw(&first, shown(2));
    let more = ReviewSnapshot { privileged: true, ..shown(2) };
    let third = redraw(&second, more.clone());
    for known in [&first, &second, &third] {
        assert!(third.is_known_revision(&known.revision()));
    }
    assert!(!first.is_known_revision(&second.revision()), "nobody was shown it yet");
    assert!(!third.is_known_revision(&third.requester_revision()));
    assert!(!third.is_known_revision(&KeyRequest { salt: salt(1), ..third.clone() }.revision()));
    // Back and forth, or the same again, adds nothing.
    let back = redraw(&redraw(&third, shown(1)), more);
    assert_eq!((back.revision(), back.previous_revisions.len()), (third.revision(), 3));
    assert_eq!(redraw(&back, back.snapshot.clone()).previous_revisions.len(), 3);
    let lacking = KeyRequest { state: RequestState::LinkIssued { tid: tid(1) }, ..first.clone() };
    let pending = lacking.apply(withdraw(None, "PENDING", None), "a", now).unwrap();
    assert!(pending.is_known_revision(&first.revision()) && pending.revision() != first.revision());
}

// T7.3
#[test]
fn requester_revision_differs_from_card_and_is_stable() {
    let now = Timestamp(ASKED.0 + 10);
    let first = request(1);
    let redrawn = first.apply(RequestEvent::FactsChanged(shown(2)), "a", now).unwrap();
    assert_eq!(first.requester_revision(), redrawn.requester_revision());
    assert_ne!(first.requester_revision(), first.revision());
    let other = KeyRequest { salt: salt(1), ..first.clone() };
    assert_ne!(first.requester_revision(), other.requester_revision());
}

// T3.11
#[test]
fn a_salt_reads_back_and_does_not_print() {
    let written = serde_json::to_string(&salt(7)).unwrap();
    assert_eq!(serde_json::from_str::<RevisionSalt>(&written).unwrap(), salt(7));
    for wrong in ["\"\"", "\"BwcH\"", "\"BwcHBwcHBwcHBwcHBwcHBw==\"", "7"] {
        assert!(serde_json::from_str::<RevisionSalt>(wrong).is_err(), "{wrong}");
    }
    assert!(!format!("{:?}", request(1)).contains(written.trim_matches('"')));
}

#[test]
fn request_equality_ignores_response_address() {
    let moved = RequestDetails { email_hash: None, ..asked() };
    assert!(asked().is_same(&moved) && moved.is_same(&asked()));
    assert!(!asked().is_same(&RequestDetails { reason: "another".to_owned(), ..asked() }));
    assert!(!asked().is_same(&RequestDetails { requester: person("U0BOB"), ..asked() }));
}

#[test]
fn new_request_is_pending_or_approved_by_policy() {
    assert_eq!(request(1).state, RequestState::Pending);
    assert_eq!(request(0).state, RequestState::Approved);
    let refused =
        KeyRequest::refused(press(0), asked(), salt(0), DenialReason::UserDeleted, &["owners".to_owned()]);
    assert_eq!(refused.state, RequestState::PolicyDenied { reason: DenialReason::UserDeleted });
    for request in [request(1), request(0), refused] {
        verify(&request).unwrap();
        assert_eq!(request.chain.outbox[0].event, "request.created");
    }
}

#[test]
fn request_states_read_back_or_fail() {
    // A half-written item is an error.
    for state in states() {
        let posted = Card { channel: "C0APPROVE".parse().unwrap(), ts: "1764000000.000001".parse().unwrap() };
        // Where there are no questions the field is left out, so every field of this one is required.
        let mut whole = KeyRequest { card: Some(posted), questions: Vec::new(), ..in_state(state) };
        whole.notifications.extend([Notification::DirectMessage {
            to: person("U0ALICE"),
            message: crate::render::approval_card::text("told").into(),
        }]);
        assert_eq!(whole.notifications.take_new().len(), 1, "stored beside the request, not in it");
        let document = serde_json::to_value(&whole).unwrap();
        assert_eq!(serde_json::from_value::<KeyRequest>(document.clone()).unwrap(), whole);
        let mut places = Vec::new();
        fields(&document, String::new(), &mut places);
        assert!(places.len() > 30);
        for (parent, field) in places {
            let mut half = document.clone();
            half.pointer_mut(&parent).unwrap().as_object_mut().unwrap().remove(&field);
            let read = serde_json::from_value::<KeyRequest>(half.clone());
            assert!(read.is_err(), "{} reads without {parent}/{field}", name(&whole.state));
            if field == "blocks" {
                continue;
            }
            half.pointer_mut(&parent).unwrap()[&field] = serde_json::json!([{}]);
            let read = serde_json::from_value::<KeyRequest>(half);
            assert!(read.is_err(), "{} reads with another {parent}/{field}", name(&whole.state));
        }
    }
}

/// Every field of every object within, but for an audit entry's details and a message's blocks, which are any.
fn fields(value: &Value, at: String, all: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !at.ends_with("/detail") && !at.contains("/blocks/") => {
            for (field, inner) in map {
                all.push((at.clone(), field.clone()));
                fields(inner, format!("{at}/{field}"), all);
            }
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, inner)| fields(inner, format!("{at}/{n}"), all));
        }
        _ => {}
    }
}

/// Events as they could come in any order, with few enough names that they often fit.
fn any_event() -> impl Strategy<Value = RequestEvent> {
    let who = prop::sample::select(vec!["U0BOB", "U0CAROL", "U0DAVE"]);
    let few = 1u8..3;
    let to = prop::sample::select(vec!["APPROVED", "PENDING", "POLICY_DENIED"]);
    let deleted = prop::option::of((2usize..5).prop_map(key));
    prop_oneof![
        3 => (who, few.clone(), any::<bool>()).prop_map(|(who, n, enough)| RequestEvent::Approve {
            by: person(who), press: press(n), comment: None, enough, approved_ttl: TTL
        }),
        1 => few.clone().prop_map(|n| RequestEvent::Deny { by: person("U0BOB"), press: press(n), reason: reason() }),
        1 => Just(RequestEvent::Cancel),
        1 => Just(RequestEvent::Expire),
        1 => Just(RequestEvent::Remind),
        1 => Just(RequestEvent::Refuse { reason: DenialReason::UserDeleted }),
        1 => (0u32..4).prop_map(|needed| RequestEvent::FactsChanged(shown(needed))),
        4 => few.clone().prop_map(|n| RequestEvent::IssueLink { tid: tid(n) }),
        1 => few.clone().prop_map(|n| RequestEvent::TicketVoided { tid: tid(n), why: "test" }),
        4 => (few.clone(), few.clone()).prop_map(|(t, r)| RequestEvent::StartIssuing {
            intent: IssueIntent { tid: tid(t), invocation: run(r), ..intent(None) }, browser: "Firefox".to_owned()
        }),
        2 => (few.clone(), 0i64..9_000).prop_map(|(r, until)| RequestEvent::ResumeIssuing {
            run: run(r), until: Timestamp(ASKED.0 + until)
        }),
        4 => (few.clone(), 2usize..5).prop_map(|(r, k)| RequestEvent::Created { run: run(r), key: key(k) }),
        1 => few.clone().prop_map(|r| RequestEvent::CreateTimedOut { run: run(r) }),
        3 => (prop::option::of(few.clone().prop_map(run)), to, deleted)
            .prop_map(|(run, to, deleted)| withdraw(run, to, deleted)),
        4 => few.prop_map(|r| RequestEvent::Seal { run: run(r) }),
        1 => any::<bool>().prop_map(|alert| RequestEvent::RecordTicketEvent {
            happened: NewAuditEntry::new(AuditEvent::LinkReused, "reveal", []), at: ASKED, alert
        }),
    ]
}

const ARROWS: &str = "\
    PENDING > PENDING APPROVED DENIED CANCELLED EXPIRED POLICY_DENIED; \
    APPROVED > APPROVED LINK_ISSUED DENIED CANCELLED EXPIRED POLICY_DENIED; \
    LINK_ISSUED > LINK_ISSUED ISSUING DENIED CANCELLED EXPIRED POLICY_DENIED APPROVED PENDING; \
    ISSUING > ISSUING ISSUED APPROVED POLICY_DENIED AMBIGUOUS; \
    AMBIGUOUS > AMBIGUOUS; ISSUED > ISSUED; DENIED > DENIED; CANCELLED > CANCELLED; EXPIRED > EXPIRED; POLICY_DENIED > POLICY_DENIED";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_events_follow_diagram_and_lose_no_key(
        needed in 0u32..3,
        events in prop::collection::vec((any_event(), 0i64..200), 0..40),
    ) {
        let arrows: BTreeMap<&str, Vec<&str>> = ARROWS
            .split("; ")
            .map(|line| line.split_once(" > ").unwrap())
            .map(|(from, to)| (from, to.split(' ').collect()))
            .collect();
        let mut now = ASKED;
        let mut at = request(needed);
        let mut created: Vec<AccessKeyId> = Vec::new();
        for (event, later) in events {
            now.0 += later;
            let Ok(next) = at.apply(event.clone(), "T0001.U0BOB", now) else { continue };
            check(&at, &event, &next)?;
            let (from, to) = (at.state.as_str(), next.state.as_str());
            prop_assert!(arrows[from].contains(&to), "{} > {} by {:?}", from, to, event);
            prop_assert!(at.is_actionable() || matches!(at.state, RequestState::Issuing(_)) || at.state == next.state);
            if let RequestEvent::Created { key, .. } = &event {
                created.push(key.clone());
            }
            if let RequestEvent::AbortIssuing { deleted: Some(key), .. } = &event {
                created.retain(|other| other != key);
            }
            let known: Vec<&AccessKeyId> = match &next.state {
                RequestState::Issuing(intent) => intent.created.iter().collect(),
                RequestState::Issued { key, .. } => vec![key],
                _ => Vec::new(),
            };
            prop_assert_eq!(known, created.iter().collect::<Vec<_>>(), "a key that nothing knows of");
            at = next;
        }
    }
}

/// State, event and new state of every row of the table of requests in docs/state-machines.md.
fn drawn() -> BTreeSet<(String, String, String)> {
    let page = include_str!("../../../docs/state-machines.md");
    let table =
        page.split("<!-- begin request -->").nth(1).unwrap().split("<!-- end request -->").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        (cells[0].to_owned(), cells[1].to_owned(), cells[2].to_owned())
    })
    .collect()
}

#[test]
fn documented_request_diagram_matches_code() {
    let end = Timestamp(ASKED.0 + 86_400);
    let mut events: Vec<RequestEvent> = events().into_iter().map(|(_, event, _)| event).collect();
    events.push(RequestEvent::Rechecked { suspects: Vec::new() });
    events.push(RequestEvent::ResumeIssuing { run: run(2), until: Timestamp(ASKED.0 + 9_999) });
    let mut found = BTreeSet::new();
    let last_look = AmbiguousCreate { checks_done: RECHECK_DELAYS.len() - 1, ..doubt() };
    for state in states().into_iter().chain([RequestState::Ambiguous(last_look)]) {
        for wants in [RequestKind::Create, RequestKind::Extend { key: key(1), end }] {
            for after in [10, 1_000, 3_700] {
                let mut from = in_state(state.clone());
                from.details.kind = wants.clone();
                for event in &events {
                    let Ok(next) = from.apply(event.clone(), "a", Timestamp(ASKED.0 + after)) else {
                        continue;
                    };
                    let name: String =
                        format!("{event:?}").chars().take_while(char::is_ascii_alphabetic).collect();
                    if ["RecordTicketEvent", "CardPosted"].contains(&name.as_str()) {
                        assert_eq!(next.state.as_str(), from.state.as_str());
                        continue;
                    }
                    found.insert((from.state.as_str().to_owned(), name, next.state.as_str().to_owned()));
                }
            }
        }
    }
    assert_eq!(drawn(), found);
    let page = include_str!("../../../docs/state-machines.md");
    for state in states() {
        assert!(page.contains(&format!("`{}`", state.as_str())), "{}", state.as_str());
    }
}
