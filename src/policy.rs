//! Who may: asks Cedar's policies, with facts looked up afresh, whether a person may act on an IAM user.
//! An error while deciding is a no. Nothing that acts can be called without an [`Authorized`], and only a yes
//! makes one.

pub mod action;
pub mod authorized;
pub mod entities;
#[cfg(feature = "cli")]
pub mod lint;
pub mod load;
pub mod query;
pub mod schema_check;
pub mod test_cases;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cedar_policy::{Authorizer, Decision, PolicyId, PolicySet, Request as CedarRequest, Response, Schema};

use crate::domain::iam::{Account, IamUser};
use crate::domain::person::{EligibleApprovers, Person};
use crate::domain::use_case::UseCase;
use crate::id::{Digest256, PersonId, SlackUserId, UserGroupId};

pub use crate::domain::iam::IamUserRef;
pub use crate::domain::risk::RiskFlag;
pub use action::{
    Act, Action, Activate, Approve, Context, Deactivate, Delete, Freeze, Issue, KeyFacts, List, On, Request,
    RequestContext, Resource, Rotate,
};
pub use authorized::Authorized;
pub use load::{InvalidPolicies, Problem};
pub use query::Question;

/// More approvals than this are never waited for: a request that would need them is refused at once.
pub const MAX_APPROVALS: u32 = 5;

/// The policies in force, valid against their schema.
pub struct Policies {
    schema: Schema,
    set: PolicySet,
    /// In the order of their files and within them: the order in which a person reads their advice.
    rules: Vec<Rule>,
    slack_groups: BTreeSet<UserGroupId>,
    types: entities::Types,
    authorizer: Authorizer,
}

/// What is kept of a policy beside Cedar's own form.
struct Rule {
    id: PolicyId,
    advice: Option<String>,
}

/// What the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDecision {
    /// Yes.
    Allow {
        /// The ids of the policies that permit.
        by: Vec<String>,
    },
    /// No.
    Deny(Denial),
}

/// A no, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The ids of the policies that forbid. Empty, with nothing failed: no policy allows this.
    pub by: Vec<String>,
    /// What they say to the person, each sentence once.
    pub advice: Vec<String>,
    /// What went wrong while deciding: ids of policies that could not be evaluated, or which facts the schema
    /// did not take. For the log: such a no is a fault of ours, not of the person.
    pub failed: Vec<String>,
}

/// How many approvals a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequiredApprovals {
    /// This many.
    Approvals(u32),
    /// Not even [`MAX_APPROVALS`] would do: why not.
    Never(Denial),
}

impl Policies {
    /// The `*.cedar` files of a folder, in the order of their names, with its `schema.cedarschema`.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its file and, where there is one, its line.
    pub fn load(dir: &Path) -> Result<Self, InvalidPolicies> {
        load::load(dir)
    }

    /// The ids of all policies, in the order of their files and within them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.id.as_ref())
    }

    /// What a policy says to the person whom it forbids something.
    #[must_use]
    pub fn advice(&self, id: &str) -> Option<&str> {
        let rule = self.rules.iter().find(|rule| AsRef::<str>::as_ref(&rule.id) == id)?;
        rule.advice.as_deref()
    }

    /// The Slack user groups that any policy names: whether somebody is in one of them is to be looked up before they
    /// are judged.
    pub fn slack_groups(&self) -> impl Iterator<Item = &UserGroupId> {
        self.slack_groups.iter()
    }

    /// Whether this person may do this to that resource.
    #[must_use]
    pub fn decide<A: Act>(&self, principal: &Person, act: &A, resource: &A::On) -> PolicyDecision {
        self.ask(principal, A::ACTION, act.context(), resource.on())
    }

    /// The same, giving what those who act ask for.
    ///
    /// # Errors
    /// The denial.
    pub fn authorize<A: Act>(
        &self,
        principal: &Person,
        act: A,
        resource: &A::On,
    ) -> Result<Authorized<A>, Denial> {
        match self.decide(principal, &act, resource) {
            PolicyDecision::Allow { by } => Ok(Authorized::new(principal.id.clone(), act, resource.at(), by)),
            PolicyDecision::Deny(denial) => Err(denial),
        }
    }

    /// Why somebody can ask for nothing at all, if so: `request` is asked about an IAM user that is theirs, with nothing else
    /// against it. None exists by that name, so the answer tells nothing of those that do.
    #[must_use]
    pub fn bars(&self, person: &Person, account: &Account) -> Option<Denial> {
        let Ok(name) = "placeholder".parse() else { return Some(Denial::default()) };
        let own = IamUser {
            account: account.clone(),
            name,
            path: "/".to_owned(),
            tags: BTreeMap::new(),
            owners: BTreeSet::from([person.id.user.clone()]),
            owner_groups: BTreeSet::new(),
            groups: BTreeSet::new(),
            policies: BTreeSet::new(),
            policy_digest: Digest256::of(b""),
            boundary: None,
            privileged: false,
            quarantined: false,
            keys: Vec::new(),
        };
        let asked = RequestContext {
            requester: person.id.clone(),
            use_case: UseCase::Cli,
            days: 1,
            approvals: 0,
            issued_today: 0,
            key: None,
        };
        match self.decide(person, &Request(asked), &own) {
            PolicyDecision::Allow { .. } => None,
            PolicyDecision::Deny(denial) => Some(denial),
        }
    }

    /// How many approvals `issue` wants: asked with none, one, two and so on. `asked.approvals` does not matter.
    #[must_use]
    pub fn needed_approvals(
        &self,
        principal: &Person,
        iam_user: &IamUser,
        asked: &RequestContext,
    ) -> RequiredApprovals {
        let mut refused = Denial::default();
        for approvals in 0..=MAX_APPROVALS {
            match self.decide(principal, &Issue(RequestContext { approvals, ..asked.clone() }), iam_user) {
                PolicyDecision::Allow { .. } => return RequiredApprovals::Approvals(approvals),
                // The last refusal is the one to tell: what more approvals would have cured is gone from it.
                PolicyDecision::Deny(denial) => refused = denial,
            }
        }
        RequiredApprovals::Never(refused)
    }

    /// `context.approvals`: how many of those who approved count. Each must have been an approver when the request was
    /// created, and be allowed to approve it with facts as of now. Every place that counts approvals counts them here.
    #[must_use]
    pub fn approvals<'a>(
        &self,
        approvers: impl IntoIterator<Item = &'a Person>,
        eligible: &EligibleApprovers,
        iam_user: &IamUser,
        asked: &RequestContext,
    ) -> u32 {
        let still_allowed = approvers.into_iter().filter(|person| {
            eligible.contains(&person.id.user)
                && matches!(
                    self.decide(person, &Approve(asked.clone()), iam_user),
                    PolicyDecision::Allow { .. }
                )
        });
        let holder = asked.key.as_ref().and_then(|key| key.requester.as_ref());
        distinct_approvals(&asked.requester, holder, still_allowed.map(|person| &person.id))
    }

    fn ask(&self, principal: &Person, action: Action, context: Context<'_>, on: On<'_>) -> PolicyDecision {
        match self.response(principal, action, context, on) {
            Ok(response) => self.verdict(&response),
            Err(not_taken) => {
                PolicyDecision::Deny(Denial { failed: vec![not_taken.to_owned()], ..Denial::default() })
            }
        }
    }

    /// Cedar's answer. The errors name what the schema did not take, never a fact: Cedar's own words quote facts.
    fn response(
        &self,
        principal: &Person,
        action: Action,
        context: Context<'_>,
        on: On<'_>,
    ) -> Result<Response, &'static str> {
        let types = &self.types;
        let entities = types
            .entities(principal, on, &self.schema)
            .map_err(|_| "facts about the person or the resource")?;
        let context = types.context(&principal.id.team, context).map_err(|_| "facts about the request")?;
        let question = CedarRequest::new(
            types.person(&principal.id),
            types.action(action),
            types.resource(on),
            context,
            Some(&self.schema),
        )
        .map_err(|_| "the question")?;
        Ok(self.authorizer.is_authorized(&question, &self.set, &entities))
    }

    fn verdict(&self, response: &Response) -> PolicyDecision {
        let reasons: BTreeSet<&PolicyId> = response.diagnostics().reason().collect();
        let decisive = || self.rules.iter().filter(|rule| reasons.contains(&rule.id));
        let by: Vec<String> = decisive().map(|rule| rule.id.to_string()).collect();
        let mut failed: Vec<String> = response
            .diagnostics()
            .errors()
            .map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                    error.policy_id().to_string()
                }
            })
            .collect();
        failed.sort();
        match response.decision() {
            Decision::Allow if failed.is_empty() => PolicyDecision::Allow { by },
            // Those that permitted are no reason for a no.
            Decision::Allow => PolicyDecision::Deny(Denial { failed, ..Denial::default() }),
            Decision::Deny => {
                let mut advice: Vec<String> = Vec::new();
                for sentence in decisive().filter_map(|rule| rule.advice.as_ref()) {
                    if !advice.contains(sentence) {
                        advice.push(sentence.clone());
                    }
                }
                PolicyDecision::Deny(Denial { by, advice, failed })
            }
        }
    }
}

/// How many different people these are, without the requester and the holder of the key that the request is about. The same
/// Slack user met in two workspaces is one person.
#[must_use]
pub fn distinct_approvals<'a>(
    requester: &PersonId,
    holder: Option<&PersonId>,
    approvers: impl IntoIterator<Item = &'a PersonId>,
) -> u32 {
    let is_concerned =
        |user: &SlackUserId| *user == requester.user || holder.is_some_and(|holder| *user == holder.user);
    let people: BTreeSet<&SlackUserId> =
        approvers.into_iter().map(|person| &person.user).filter(|user| !is_concerned(user)).collect();
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}
