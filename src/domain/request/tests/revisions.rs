//! The revision on a button: what changes it, and what does not.

use crate::domain::iam::AccessKeyLastUsed;
use crate::domain::request::tests::transitions::check;
use crate::domain::request::tests::{
    ASKED, Change, TTL, asked, in_state, key, listed, person, request, salt, shown, states, tid, withdraw,
};
use crate::domain::request::*;
use crate::domain::use_case::UseCase;
use crate::id::Digest256;
use crate::time::{DAY, Timestamp};

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
