//! Proof of a yes: whose, for what, to what. Made by a decision and by nothing else.

use crate::id::PersonId;
use crate::policy::action::{Act, Resource};

/// What somebody was allowed to do. No constructor, no `Clone`, no way to change it: one decision, one use.
///
/// ```
/// use keyvend::policy::{Authorized, Issue};
/// fn create_access_key(_: &Authorized<Issue>) {}
/// fn issuing(authorized: Authorized<Issue>) {
///     create_access_key(&authorized);
/// }
/// ```
/// An approval issues nothing:
/// ```compile_fail,E0308
/// use keyvend::policy::{Approve, Authorized, Issue};
/// fn create_access_key(_: &Authorized<Issue>) {}
/// fn issuing(authorized: Authorized<Approve>) {
///     create_access_key(&authorized);
/// }
/// ```
/// and nobody makes one up:
/// ```compile_fail,E0624
/// use keyvend::{id::PersonId, policy::{Authorized, IamUserRef, Issue}};
/// fn forged(somebody: PersonId, issue: Issue, at: IamUserRef) -> Authorized<Issue> {
///     Authorized::new(somebody, issue, at, Vec::new())
/// }
/// ```
#[derive(Debug)]
pub struct Authorized<A: Act> {
    principal: PersonId,
    act: A,
    at: <A::On as Resource>::At,
    by: Vec<String>,
}

impl<A: Act> Authorized<A> {
    pub(crate) fn new(principal: PersonId, act: A, at: <A::On as Resource>::At, by: Vec<String>) -> Self {
        Self { principal, act, at, by }
    }

    #[must_use]
    pub fn principal(&self) -> &PersonId {
        &self.principal
    }

    /// What was allowed, with exactly what it was asked with.
    #[must_use]
    pub fn act(&self) -> &A {
        &self.act
    }

    /// The IAM user or, for `freeze`, the account.
    #[must_use]
    pub fn at(&self) -> &<A::On as Resource>::At {
        &self.at
    }

    /// The ids of the policies that permitted it, for the audit trail.
    #[must_use]
    pub fn by(&self) -> &[String] {
        &self.by
    }
}
