//! What a request does when time passes: expiry, reminders, retries and its timer.

use crate::domain::request::tests::transitions::check;
use crate::domain::request::tests::{ASKED, doubt, in_state, intent, key, name, run, states, tid, withdraw};
use crate::domain::request::*;
use crate::time::Timestamp;

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
