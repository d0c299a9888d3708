//! Whose approval counts, and what it brings about.

use crate::domain::denial::DenialReason;
use crate::domain::request::tests::transitions::{events, verify};
use crate::domain::request::tests::{
    ASKED, TTL, asked, in_state, key, person, press, request, salt, shown, states, tid,
};
use crate::domain::request::*;
use crate::time::Timestamp;

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
