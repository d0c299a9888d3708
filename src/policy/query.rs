//! One question with all the facts that decide it, whichever of the nine actions it is about.

use crate::domain::iam::IamUser;
use crate::domain::person::Person;
use crate::policy::action::{
    Action, Activate, Approve, Deactivate, Delete, Freeze, Issue, KeyFacts, List, Request, RequestContext,
    Rotate,
};
use crate::policy::decision::PolicyDecision;
use crate::policy::engine::Policies;

/// Who wants to do what to which IAM user. An action takes what it is asked with and leaves the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub principal: Person,
    pub action: Action,
    /// To which IAM user; `freeze` takes its account alone.
    pub iam_user: IamUser,
    /// What `request`, `issue` and `approve` are asked with.
    pub asked: RequestContext,
    /// What `rotate`, `deactivate`, `activate` and `delete` are asked with.
    pub key: KeyFacts,
}

impl Question {
    /// What the policies say.
    #[must_use]
    pub fn verdict(&self, policies: &Policies) -> PolicyDecision {
        let Self { principal, iam_user, .. } = self;
        let (asked, key) = (|| self.asked.clone(), || self.key.clone());
        match self.action {
            Action::Request => policies.decide(principal, &Request(asked()), iam_user),
            Action::Issue => policies.decide(principal, &Issue(asked()), iam_user),
            Action::Approve => policies.decide(principal, &Approve(asked()), iam_user),
            Action::List => policies.decide(principal, &List, iam_user),
            Action::Rotate => policies.decide(principal, &Rotate(key()), iam_user),
            Action::Deactivate => policies.decide(principal, &Deactivate(key()), iam_user),
            Action::Activate => policies.decide(principal, &Activate(key()), iam_user),
            Action::Delete => policies.decide(principal, &Delete(key()), iam_user),
            Action::Freeze => policies.decide(principal, &Freeze, &iam_user.account),
        }
    }
}
