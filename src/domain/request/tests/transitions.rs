//! Which event leads from which state to which, as docs/state-machines.md draws it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::domain::audit::{AuditEntry, AuditEvent, NewAuditEntry};
use crate::domain::denial::DenialReason;
use crate::domain::request::tests::{
    ASKED, TTL, doubt, in_state, intent, key, name, person, press, reason, request, run, shown, states, tid,
    withdraw,
};
use crate::domain::request::*;
use crate::id::AccessKeyId;
use crate::time::Timestamp;

/// Every event, by a name, with what it leads to from each state it fits: `from > to`.
pub(crate) fn events() -> Vec<(&'static str, RequestEvent, &'static str)> {
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

/// Whether the chain's outbox, which nothing was taken from, is a chain from its first entry.
pub(crate) fn verify(request: &KeyRequest) -> Result<(), TestCaseError> {
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
pub(crate) fn check(
    before: &KeyRequest,
    event: &RequestEvent,
    after: &KeyRequest,
) -> Result<(), TestCaseError> {
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
    let page = include_str!("../../../../docs/state-machines.md");
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
    let page = include_str!("../../../../docs/state-machines.md");
    for state in states() {
        assert!(page.contains(&format!("`{}`", state.as_str())), "{}", state.as_str());
    }
}
