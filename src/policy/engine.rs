//! Asks Cedar: the policies in force, one question, its answer. An error while deciding is a no.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Decision, PolicyId, PolicySet, Request as CedarRequest, Response, Schema};

use crate::domain::iam::{Account, IamUser};
use crate::domain::person::Person;
use crate::domain::use_case::UseCase;
use crate::id::{Digest256, UserGroupId};
use crate::policy::action::{Act, Action, Context, On, Request, RequestContext, Resource as _};
use crate::policy::authorized::Authorized;
use crate::policy::decision::{Denial, PolicyDecision};
use crate::policy::entities::Types;

/// The policies in force, valid against their schema.
pub struct Policies {
    pub(in crate::policy) schema: Schema,
    pub(in crate::policy) set: PolicySet,
    /// In the order of their files and within them: the order in which a person reads their advice.
    pub(in crate::policy) rules: Vec<Rule>,
    pub(in crate::policy) slack_groups: BTreeSet<UserGroupId>,
    pub(in crate::policy) types: Types,
    pub(in crate::policy) authorizer: Authorizer,
}

/// What is kept of a policy beside Cedar's own form.
pub(in crate::policy) struct Rule {
    pub(in crate::policy) id: PolicyId,
    pub(in crate::policy) advice: Option<String>,
}

impl Policies {
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
