//! Plays every kind of request through, with the likeliest requesters and approvers there could be: people without any
//! flaw, in the groups, with the addresses and under the ids that the policies themselves name.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::iam::{Account, IamUser};
use crate::domain::person::{APPROVERS, Person};
use crate::domain::use_case::UseCase;
use crate::id::{Digest256, InvalidId, PersonId};
use crate::policy::action::{Approve, Request, RequestContext};
use crate::policy::approvals::RequiredApprovals;
use crate::policy::decision::PolicyDecision;
use crate::policy::engine::{Policies, Rule};
use crate::policy::lint::warning::Warning;

/// The lifetimes that are tried.
const DAYS: [u32; 3] = [1, 30, 90];

/// A kind of dead end: for a privileged IAM user or not, how many approvals it waits for (none: no number would do), and
/// what forbids it.
type DeadEnd = (bool, Option<u32>, Vec<String>);

/// The kinds of request that can be made but come to nothing, whoever approves.
pub(crate) fn without_a_way(policies: &Policies) -> Vec<Warning> {
    let Ok(cast) = Cast::of(policies) else { return Vec::new() };
    let mut found: BTreeMap<DeadEnd, Vec<UseCase>> = BTreeMap::new();
    for privileged in [false, true] {
        for use_case in UseCase::ALL {
            for days in DAYS {
                if let Some((needed, by)) = cast.play(policies, privileged, use_case, days) {
                    let use_cases = found.entry((privileged, needed, by)).or_default();
                    if !use_cases.contains(&use_case) {
                        use_cases.push(use_case);
                    }
                }
            }
        }
    }
    let warnings = found.into_iter().map(|((privileged, needed, by), use_cases)| match needed {
        Some(needed) => Warning::NobodyCouldApprove { privileged, use_cases, needed, by },
        None => Warning::NeverIssued { privileged, use_cases, by },
    });
    warnings.collect()
}

struct Cast {
    requesters: Vec<Person>,
    /// Each stands for any number of people.
    approvers: Vec<Person>,
    /// People whom a policy names.
    named: Vec<Person>,
    account: Account,
    groups: BTreeSet<String>,
}

impl Cast {
    fn of(policies: &Policies) -> Result<Self, InvalidId> {
        let texts: Vec<String> =
            policies.rules.iter().filter_map(|Rule { id, .. }| policies.set.policy(id)?.to_cedar()).collect();
        let literals = |prefix: &str| -> BTreeSet<String> {
            texts.iter().flat_map(|text| literals(text, prefix)).map(str::to_owned).collect()
        };
        let groups = literals("SlackGroup::\"");
        let addresses = literals("\"").into_iter().filter(|text| is_address(text));
        let addresses: Vec<String> = ["somebody@example.com".to_owned()]
            .into_iter()
            .chain(addresses.map(|pattern| pattern.replace('*', "a")))
            .collect();
        let mut memberships = vec![BTreeSet::from([APPROVERS.to_owned()]), groups.clone(), BTreeSet::new()];
        memberships.extend(groups.iter().map(|group| BTreeSet::from([group.clone()])));
        let anybody = |id: &str| -> Result<Vec<Person>, InvalidId> {
            let id = PersonId::try_from(id.to_owned())?;
            let all = memberships.iter().flat_map(|groups| {
                addresses.iter().map(|email| flawless(&id, groups.clone(), email.clone()))
            });
            Ok(all.collect())
        };
        let named: Vec<Person> =
            literals("Person::\"").iter().filter_map(|id| anybody(id).ok()).flatten().collect();
        let mut requesters = anybody("T0HOME.U0REQUESTER")?;
        requesters.extend(named.clone());
        Ok(Self {
            requesters,
            approvers: anybody("T0HOME.U0APPROVER")?,
            named,
            account: Account { alias: "home".parse()?, id: "111122223333".parse()? },
            groups,
        })
    }

    /// Where a request of this kind ends, if it can be made and nobody of the cast has a way.
    fn play(
        &self,
        policies: &Policies,
        privileged: bool,
        use_case: UseCase,
        days: u32,
    ) -> Option<(Option<u32>, Vec<String>)> {
        let mut dead_end = None;
        for requester in &self.requesters {
            let iam_user = self.iam_user(requester, privileged)?;
            let asked = RequestContext {
                requester: requester.id.clone(),
                use_case,
                days,
                approvals: 0,
                issued_today: 0,
                key: None,
            };
            let asks = policies.decide(requester, &Request(asked.clone()), &iam_user);
            if !matches!(asks, PolicyDecision::Allow { .. }) {
                continue;
            }
            let end = match policies.needed_approvals(requester, &iam_user, &asked) {
                RequiredApprovals::Never(denial) => (None, denial.by),
                RequiredApprovals::Approvals(needed) => {
                    (Some(needed), self.lacking(policies, &iam_user, &asked, needed)?)
                }
            };
            dead_end = dead_end.or(Some(end));
        }
        dead_end
    }

    /// What keeps so many people from approving; none where they could.
    fn lacking(
        &self,
        policies: &Policies,
        iam_user: &IamUser,
        asked: &RequestContext,
        needed: u32,
    ) -> Option<Vec<String>> {
        let verdict = |person: &Person| policies.decide(person, &Approve(asked.clone()), iam_user);
        let verdicts: Vec<PolicyDecision> = self.approvers.iter().map(verdict).collect();
        let anybody = verdicts.iter().any(|verdict| matches!(verdict, PolicyDecision::Allow { .. }));
        let eligible = self.named.iter().map(|person| person.id.user.clone()).collect();
        if needed == 0 || anybody || policies.approvals(&self.named, &eligible, iam_user, asked) >= needed {
            return None;
        }
        let first = verdicts.into_iter().find_map(|verdict| match verdict {
            PolicyDecision::Deny(denial) => Some(denial.by),
            PolicyDecision::Allow { .. } => None,
        });
        Some(first.unwrap_or_default())
    }

    fn iam_user(&self, owner: &Person, privileged: bool) -> Option<IamUser> {
        Some(IamUser {
            account: self.account.clone(),
            name: "ci-deployer".parse().ok()?,
            path: "/".to_owned(),
            tags: BTreeMap::new(),
            owners: BTreeSet::from([owner.id.user.clone()]),
            owner_groups: self.groups.iter().filter_map(|group| group.parse().ok()).collect(),
            groups: BTreeSet::new(),
            policies: BTreeSet::new(),
            policy_digest: Digest256::of(b""),
            boundary: None,
            privileged,
            quarantined: false,
            keys: Vec::new(),
        })
    }
}

fn flawless(id: &PersonId, groups: BTreeSet<String>, email: String) -> Person {
    Person {
        id: id.clone(),
        guest: false,
        external: false,
        deleted: false,
        bot: false,
        email: Some(email),
        email_confirmed: true,
        utc_offset: 0,
        groups,
    }
}

/// Whether a text is an address or a pattern of one.
fn is_address(text: &str) -> bool {
    text.contains('@') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"@.*+_-".contains(&b))
}

/// The texts that follow `prefix` up to the next double quote.
fn literals<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    text.split(prefix).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}
