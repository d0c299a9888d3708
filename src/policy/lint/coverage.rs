//! What can be seen of policies by their scopes alone, without any facts: actions that nothing permits, and policies
//! that an unconditional one makes superfluous.

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint as Who, ResourceConstraint as SlackEvent,
};

use crate::policy::action::Action;
use crate::policy::engine::{Policies, Rule};
use crate::policy::lint::warning::Warning;

/// The actions that no policy permits.
pub(crate) fn nobody_may(policies: &Policies) -> Vec<Warning> {
    let permitted: Vec<Action> = all(policies)
        .iter()
        .filter(|scope| scope.policy.effect() == Effect::Permit)
        .flat_map(|scope| scope.actions.clone())
        .collect();
    let missing = Action::ALL.into_iter().filter(|action| !permitted.contains(action));
    missing.map(|action| Warning::NobodyMay { action }).collect()
}

/// The policies whose scope is within that of an unconditional one: of two that permit, of two that forbid, or one that
/// permits what is forbidden anyway. Of two that are alike the first is kept.
pub(crate) fn shadowed(policies: &Policies) -> Vec<Warning> {
    let all = all(policies);
    let mut warnings = Vec::new();
    for (at, scope) in all.iter().enumerate() {
        let shadow = all.iter().enumerate().find(|(other_at, other)| {
            *other_at != at && other.covers(scope) && (*other_at < at || !scope.covers(other))
        });
        if let Some((_, other)) = shadow {
            let (policy, by) = (scope.policy.id().to_string(), other.policy.id().to_string());
            warnings.push(Warning::Shadowed { policy, by });
        }
    }
    warnings
}

/// A policy with the actions that it is about.
struct Scope<'p> {
    policy: &'p Policy,
    actions: Vec<Action>,
}

impl Scope<'_> {
    /// Whether everything that the other could say is said by this one, whatever the facts are.
    fn covers(&self, other: &Self) -> bool {
        let (first, second) = (self.policy, other.policy);
        !first.has_non_scope_constraint()
            && (first.effect() == second.effect() || first.effect() == Effect::Forbid)
            && who(&first.principal_constraint(), &second.principal_constraint())
            && what(&first.resource_constraint(), &second.resource_constraint())
            && other.actions.iter().all(|action| self.actions.contains(action))
    }
}

fn all(policies: &Policies) -> Vec<Scope<'_>> {
    let found = policies.rules.iter().filter_map(|Rule { id, .. }| policies.set.policy(id));
    found.map(|policy| Scope { policy, actions: actions(policies, policy) }).collect()
}

fn actions(policies: &Policies, policy: &Policy) -> Vec<Action> {
    let named: Vec<EntityUid> = match policy.action_constraint() {
        ActionConstraint::Any => return Action::ALL.into(),
        ActionConstraint::Eq(one) => vec![one],
        ActionConstraint::In(several) => several,
    };
    let groups = policies.schema.action_entities().ok();
    let about = |action: &Action| {
        let uid = policies.types.action(*action);
        let within = |name: &EntityUid| {
            *name == uid || groups.as_ref().is_some_and(|groups| groups.is_ancestor_of(name, &uid))
        };
        named.iter().any(within)
    };
    Action::ALL.into_iter().filter(about).collect()
}

/// Whether the first takes in everybody that the second does, as far as that can be seen without facts.
fn who(first: &Who, second: &Who) -> bool {
    match (first, second) {
        (Who::Any, _) => true,
        (Who::Is(of), Who::Is(is) | Who::IsIn(is, _)) => of == is,
        (Who::Is(of), Who::Eq(one)) => of == one.type_name(),
        (Who::In(group), Who::In(same) | Who::IsIn(_, same) | Who::Eq(same)) => group == same,
        (Who::Is(_) | Who::In(_) | Who::Eq(_) | Who::IsIn(..), _) => first == second,
    }
}

/// The same of resources.
fn what(first: &SlackEvent, second: &SlackEvent) -> bool {
    match (first, second) {
        (SlackEvent::Any, _) => true,
        (SlackEvent::Is(of), SlackEvent::Is(is) | SlackEvent::IsIn(is, _)) => of == is,
        (SlackEvent::Is(of), SlackEvent::Eq(one)) => of == one.type_name(),
        (SlackEvent::In(group), SlackEvent::In(same) | SlackEvent::IsIn(_, same) | SlackEvent::Eq(same)) => {
            group == same
        }
        (SlackEvent::Is(_) | SlackEvent::In(_) | SlackEvent::Eq(_) | SlackEvent::IsIn(..), _) => {
            first == second
        }
    }
}
