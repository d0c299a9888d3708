//! Decisions and required approvals: what they say and whom they count.

use std::collections::{BTreeMap, BTreeSet};

use keyvend::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, IamUser};
use keyvend::domain::person::Person;
use keyvend::domain::use_case::UseCase;
use keyvend::id::PersonId;
use keyvend::policy::{
    Activate, Deactivate, Freeze, Issue, List, Policies, PolicyDecision, Request, RequestContext,
    RequiredApprovals, distinct_approvals,
};
use keyvend::time::Timestamp;

use crate::policies::{
    alice_owner, alices_iam_user, asked_by, bob_approver, default_policies, folder, key, load,
    mallory_outsider, person,
};

fn carol_approver() -> Person {
    person("T0HOME.UCAROLAPPROVER", &["approvers"])
}

// T2.18
#[test]
fn a_policy_that_cannot_be_evaluated_means_no() {
    let overflow = "context.days * 9223372036854775807 > 0";
    let permit = "@id(\"may\")\npermit (principal, action, resource);\n";
    let request = |policies: &Policies| {
        policies.decide(&alice_owner(), &Request(asked_by(&alice_owner())), &alices_iam_user())
    };
    let table = [
        (
            "a permit beside another",
            format!(
                "{permit}@id(\"broken\")\npermit (principal, action == Action::\"request\", resource)\nwhen {{ {overflow} }};"
            ),
        ),
        (
            "a forbid that is skipped",
            format!(
                "{permit}@id(\"broken\") @advice(\"Ask.\")\nforbid (principal, action == Action::\"request\", resource)\nwhen {{ {overflow} }};"
            ),
        ),
    ];
    for (name, text) in table {
        let policies = load(&name.replace(' ', "-"), &text);
        match request(&policies) {
            PolicyDecision::Deny(denial) => {
                assert_eq!(denial.failed, ["broken"], "{name}");
                assert!(denial.by.is_empty() && denial.advice.is_empty(), "{name}: {denial:?}");
            }
            PolicyDecision::Allow { by } => panic!("{name}: allowed by {by:?}"),
        }
        let list = policies.decide(&alice_owner(), &List, &alices_iam_user());
        assert_eq!(list, PolicyDecision::Allow { by: vec!["may".to_owned()] }, "{name}");
    }
}

#[test]
fn what_no_policy_allows_is_denied_by_none() {
    let policies =
        load("nothing-allowed", "@id(\"may\")\npermit (principal, action == Action::\"list\", resource);");
    match policies.decide(&bob_approver(), &Freeze, &alices_iam_user().account) {
        PolicyDecision::Deny(denial) => {
            assert!(denial.by.is_empty() && denial.advice.is_empty() && denial.failed.is_empty())
        }
        PolicyDecision::Allow { by } => panic!("allowed by {by:?}"),
    }
}

#[test]
fn denial_advice_is_ordered_and_deduplicated() {
    // Advice comes in the order of the files.
    let forbid = |id: &str, advice: &str| {
        format!("@id({id:?}) @advice({advice:?})\nforbid (principal, action, resource);\n")
    };
    let first = [forbid("z", "Wait."), forbid("y", "Ask.")].concat();
    let second = [forbid("b", "Wait."), forbid("a", "Pay.")].concat();
    let dir = folder("order", &[("1.cedar", &first), ("2.cedar", &second)]);
    let policies = Policies::load(&dir).unwrap();
    for _ in 0..10 {
        match policies.decide(&alice_owner(), &List, &alices_iam_user()) {
            PolicyDecision::Deny(denial) => {
                assert_eq!(denial.by, ["z", "y", "b", "a"]);
                assert_eq!(denial.advice, ["Wait.", "Ask.", "Pay."]);
            }
            PolicyDecision::Allow { by } => panic!("allowed by {by:?}"),
        }
    }
}

#[test]
fn policies_can_use_every_documented_fact() {
    // Tags, groups, accounts, paths and email addresses.
    let rule = "@id(\"may\")
        permit (principal, action == Action::\"list\", resource in IamGroup::\"111122223333/bots\")
        when {
            resource.hasTag(\"team\") && resource.getTag(\"team\") == \"data\" && resource in Account::\"111122223333\" &&
            resource.path == \"/\" && resource.name like \"ci-*\" && resource.active_keys == 1 &&
            resource.inactive_keys == 0 && principal has email && principal.email like \"*@example.com\" &&
            principal.email_confirmed && principal in SlackGroup::\"SDATATEAM\"
        };";
    let policies = load("every-fact", rule);
    let alice = Person {
        email: Some("alice@example.com".to_owned()),
        email_confirmed: true,
        ..person("T0HOME.UALICEOWNER", &["SDATATEAM"])
    };
    let one_key = AccessKey {
        id: key(1).id,
        status: AccessKeyStatus::Active,
        create_date: Timestamp(0),
        last_used: AccessKeyLastUsed::Never,
    };
    let iam_user = IamUser {
        tags: BTreeMap::from([("team".to_owned(), "data".to_owned())]),
        groups: BTreeSet::from(["bots".to_owned()]),
        keys: vec![one_key],
        ..alices_iam_user()
    };
    let listed = |alice: &Person, iam_user: &IamUser| {
        matches!(policies.decide(alice, &List, iam_user), PolicyDecision::Allow { .. })
    };
    assert!(listed(&alice, &iam_user));
    assert!(!listed(&alice, &IamUser { groups: BTreeSet::new(), ..iam_user.clone() }));
    assert!(!listed(&alice, &IamUser { tags: BTreeMap::new(), ..iam_user.clone() }));
    assert!(!listed(&Person { email: None, ..alice.clone() }, &iam_user));
    assert!(!listed(&Person { groups: BTreeSet::new(), ..alice }, &iam_user));
}

#[test]
fn needed_approvals_are_the_fewest_that_are_allowed() {
    let policies = default_policies();
    let asked = RequestContext { approvals: 4, ..asked_by(&alice_owner()) };
    let needed = |iam_user: &IamUser, asked: &RequestContext| {
        policies.needed_approvals(&alice_owner(), iam_user, asked)
    };
    assert_eq!(needed(&alices_iam_user(), &asked), RequiredApprovals::Approvals(1));
    let privileged = IamUser { privileged: true, ..alices_iam_user() };
    assert_eq!(needed(&privileged, &asked), RequiredApprovals::Approvals(2));
    match needed(&privileged, &RequestContext { use_case: UseCase::AwsCompute, days: 100, ..asked }) {
        RequiredApprovals::Never(denial) => {
            assert_eq!(denial.by, ["no-keys-for-aws-compute", "one-to-ninety-days"])
        }
        needed @ RequiredApprovals::Approvals(_) => panic!("{needed:?}"),
    }
}

#[test]
fn needed_approvals_end_at_five() {
    let wanting = |count: u32| {
        let text = format!(
            "@id(\"may\")\npermit (principal, action == Action::\"issue\", resource)\nwhen {{ context.approvals >= {count} }};"
        );
        let policies = load(&format!("wanting-{count}"), &text);
        policies.needed_approvals(&alice_owner(), &alices_iam_user(), &asked_by(&alice_owner()))
    };
    assert_eq!(wanting(0), RequiredApprovals::Approvals(0));
    assert_eq!(wanting(5), RequiredApprovals::Approvals(5));
    assert!(
        matches!(wanting(6), RequiredApprovals::Never(denial) if denial.by.is_empty() && denial.failed.is_empty())
    );
}

// T2.5
#[test]
fn approvals_count_different_people_who_still_may() {
    let policies = default_policies();
    let asked = asked_by(&alice_owner());
    let eligible = [bob_approver(), carol_approver(), mallory_outsider(), alice_owner()];
    let eligible = eligible.into_iter().map(|person| person.id.user).collect();
    let count = |people: &[Person]| policies.approvals(people, &eligible, &alices_iam_user(), &asked);
    let dave_approver_since = person("T0HOME.UDAVE", &["approvers"]);
    let bob_elsewhere = person("T0OTHER.UBOBAPPROVER", &["approvers"]);
    let bob_left = Person { deleted: true, ..bob_approver() };
    let alice_approver = person("T0HOME.UALICEOWNER", &["approvers"]);
    assert_eq!(count(&[]), 0);
    assert_eq!(count(&[bob_approver(), carol_approver()]), 2);
    assert_eq!(count(&[bob_approver(), bob_approver(), bob_elsewhere]), 1);
    assert_eq!(count(&[bob_approver(), dave_approver_since]), 1, "no approver when the request was created");
    assert_eq!(count(&[bob_left, carol_approver(), mallory_outsider(), alice_approver]), 1);
}

// T2.7
#[test]
fn requester_and_key_holder_never_count_as_approvers() {
    // Whatever the policies say.
    let (alice, bob) = (alice_owner().id, bob_approver().id);
    let alice_elsewhere = PersonId { team: "T0OTHER".parse().unwrap(), ..alice.clone() };
    assert_eq!(distinct_approvals(&alice, None, []), 0);
    assert_eq!(distinct_approvals(&alice, None, [&alice, &alice_elsewhere]), 0);
    assert_eq!(distinct_approvals(&alice, None, [&alice, &bob, &bob]), 1);
    assert_eq!(distinct_approvals(&bob, Some(&alice), [&alice, &alice_elsewhere]), 0);
}

#[test]
fn an_authorisation_carries_exactly_what_was_decided() {
    let policies = default_policies();
    let iam_user = alices_iam_user();
    let issue = Issue(RequestContext { approvals: 1, ..asked_by(&alice_owner()) });
    let authorized = policies.authorize(&alice_owner(), issue.clone(), &iam_user).unwrap();
    assert_eq!(authorized.principal(), &alice_owner().id);
    assert_eq!(authorized.act(), &issue);
    assert_eq!(authorized.at().to_string(), "ci-deployer@home");
    assert_eq!(authorized.by(), ["may-issue"]);

    let deactivate = policies.authorize(&alice_owner(), Deactivate(key(7)), &iam_user).unwrap();
    assert_eq!(deactivate.act().0.id, key(7).id);
    let freeze = policies.authorize(&bob_approver(), Freeze, &iam_user.account).unwrap();
    assert_eq!(freeze.at(), &iam_user.account);

    let denial = policies.authorize(&mallory_outsider(), Activate(key(7)), &iam_user).unwrap_err();
    assert_eq!(denial.by, ["owners-only"]);
    assert_eq!(denial.advice.len(), 1);
}
