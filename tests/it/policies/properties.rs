//! What holds of the shipped policies for all facts.

use keyvend::domain::iam::IamUser;
use keyvend::domain::person::Person;
use keyvend::domain::use_case::UseCase;
use keyvend::id::{PersonId, SlackUserId, UserGroupId};
use keyvend::policy::{
    Activate, Approve, Issue, KeyFacts, PolicyDecision, Request, RequestContext, RiskFlag,
};
use proptest::prelude::*;

use crate::policies::{alices_iam_user, default_policies, key};

// Few ids and groups, so that they meet.
fn some_user() -> impl Strategy<Value = SlackUserId> {
    prop::sample::select(vec!["UALICEOWNER", "UBOBAPPROVER", "UEVE"]).prop_map(|id| id.parse().unwrap())
}

fn some_id() -> impl Strategy<Value = PersonId> {
    (prop::sample::select(vec!["T0HOME", "T0OTHER"]), some_user())
        .prop_map(|(team, user)| PersonId { team: team.parse().unwrap(), user })
}

/// Mostly no: facts that are refused anyway show little.
fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.1)
}

fn some_person() -> impl Strategy<Value = Person> {
    let group = prop_oneof![
        3 => prop::sample::select(vec!["approvers".to_owned(), "SDATATEAM".to_owned()]),
        1 => any::<String>(),
    ];
    let flags = (rarely(), rarely(), rarely(), rarely());
    let address = (prop::option::of(any::<String>()), any::<bool>());
    (some_id(), flags, address, prop::collection::btree_set(group, 0..3)).prop_map(
        |(id, (guest, external, deleted, bot), (email, email_confirmed), groups)| Person {
            id,
            guest,
            external,
            deleted,
            bot,
            email,
            email_confirmed,
            utc_offset: 0,
            groups,
        },
    )
}

fn some_iam_user() -> impl Strategy<Value = IamUser> {
    let owner_group = Just("SDATATEAM".parse::<UserGroupId>().unwrap());
    (
        prop::collection::btree_set(some_user(), 0..3),
        prop::collection::btree_set(owner_group, 0..2),
        prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
        prop::collection::btree_set(any::<String>(), 0..2),
        any::<String>(),
        any::<bool>(),
        rarely(),
    )
        .prop_map(|(owners, owner_groups, tags, groups, path, privileged, quarantined)| IamUser {
            owners,
            owner_groups,
            tags,
            groups,
            path,
            privileged,
            quarantined,
            ..alices_iam_user()
        })
}

fn some_key() -> impl Strategy<Value = KeyFacts> {
    let concern = prop::sample::select(RiskFlag::ALL.to_vec());
    (prop::option::of(some_id()), prop::collection::btree_set(concern, 0..2))
        .prop_map(|(requester, concerns)| KeyFacts { requester, concerns, ..key(1) })
}

fn some_asked() -> impl Strategy<Value = RequestContext> {
    let days = prop_oneof![4 => 1..=90u32, 1 => any::<u32>()];
    let issued_today = prop_oneof![4 => 0..5u32, 1 => any::<u32>()];
    let use_case = prop::sample::select(UseCase::ALL.to_vec());
    (some_id(), use_case, days, 0..=6u32, issued_today, prop::option::of(some_key())).prop_map(
        |(requester, use_case, days, approvals, issued_today, key)| RequestContext {
            requester,
            use_case,
            days,
            approvals,
            issued_today,
            key,
        },
    )
}

/// Half of all requests are asked by who acts.
fn some_question() -> impl Strategy<Value = (Person, RequestContext, IamUser)> {
    (some_person(), some_asked(), some_iam_user(), any::<bool>()).prop_map(
        |(person, asked, iam_user, own)| {
            let requester = if own { person.id.clone() } else { asked.requester.clone() };
            (person, RequestContext { requester, ..asked }, iam_user)
        },
    )
}

fn allowed(verdict: &PolicyDecision) -> bool {
    match verdict {
        PolicyDecision::Allow { .. } => true,
        PolicyDecision::Deny(denial) => {
            assert!(denial.failed.is_empty(), "{denial:?}");
            false
        }
    }
}

#[test]
fn issuing_implies_creating_and_approvals_are_monotonic() {
    // For all facts, what may be issued could be requested, and another approval never turns a yes into a no.
    let policies = default_policies();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let issued = std::cell::Cell::new(0u32);
    runner
        .run(&(some_question(), 0..=5u32), |((person, asked, iam_user), more)| {
            let issue = allowed(&policies.decide(&person, &Issue(asked.clone()), &iam_user));
            if issue {
                issued.set(issued.get() + 1);
                let request = policies.decide(&person, &Request(asked.clone()), &iam_user);
                prop_assert!(allowed(&request), "issued but not asked for: {request:?}");
                let more = RequestContext { approvals: asked.approvals + more, ..asked };
                let again = policies.decide(&person, &Issue(more), &iam_user);
                prop_assert!(allowed(&again), "refused with more approvals: {again:?}");
            }
            Ok(())
        })
        .unwrap();
    assert!(issued.get() > 50, "only {} of the questions were answered yes", issued.get());
}

// T2.9
#[test]
fn nobody_approves_or_reactivates_own_request() {
    // For all facts.
    let policies = default_policies();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1000));
    runner
        .run(&(some_question(), some_key()), |((person, asked, iam_user), key)| {
            if allowed(&policies.decide(&person, &Approve(asked.clone()), &iam_user)) {
                prop_assert_ne!(&person.id.user, &asked.requester.user);
                prop_assert!(person.groups.contains("approvers"));
                prop_assert!(!(person.guest || person.external || person.deleted || person.bot));
            }
            let activate = policies.decide(&person, &Activate(key.clone()), &iam_user);
            if allowed(&activate) && !key.concerns.is_empty() {
                prop_assert!(key.requester.is_none_or(|requester| requester.user != person.id.user));
                prop_assert!(person.groups.contains("approvers"));
            }
            Ok(())
        })
        .unwrap();
}
