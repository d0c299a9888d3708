//! One statement: what its actions need of its resources to be ordinary, and whether these give that.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::domain::privilege::pattern::{begins_with, intersects, is_literal, without_variables};
use crate::domain::privilege::services::{
    HARMLESS, HARMLESS_PREFIXES, IDENTITY, OF_ROLES, OF_ROLES_PREFIX, SELF_SERVICE, SERVICES, Service,
};

/// No action's name is longer; a pattern that is counts as privileged, which bounds the work.
const LONGEST_ACTION: usize = 128;
/// An ARN has at most this many characters (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html>).
const LONGEST_ARN: usize = 2048;
/// So many patterns with a wildcard in the service's name are followed in one statement. AWS takes none but `*`.
const MOST_WITHOUT_SERVICE: usize = 8;

/// IAM takes a single value in place of a list of one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<IgnoredAny>,
    effect: String,
    action: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "is_there")]
    not_action: bool,
    resource: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "is_there")]
    not_resource: bool,
    #[serde(rename = "Condition")]
    _condition: Option<IgnoredAny>,
}

/// Whatever its value is, `null` too.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// What the resources of a statement must be for an action in it to be ordinary.
#[derive(Clone, Copy, Debug)]
enum Needs {
    Nothing,
    /// No role that is not named.
    NamedRoles,
    /// No user but itself.
    Oneself,
    /// Nothing of this service that is not named.
    Named(&'static Service),
    /// Nothing makes it ordinary.
    Impossible,
}

impl Statement {
    pub(crate) fn is_ordinary(&self, own_arn: &str) -> bool {
        if self.effect != "Allow" {
            return self.effect == "Deny";
        }
        let (Some(actions), Some(resources)) = (&self.action, &self.resource) else { return false };
        if self.not_action || self.not_resource {
            return false;
        }
        let (actions, resources) = (actions.as_slice(), resources.as_slice());
        if actions.is_empty() || resources.is_empty() {
            return false;
        }
        let mut without_service = 0;
        let mut needed = Needed::default();
        for action in actions {
            let Some(action) = read_action(action) else { return false };
            if service_of(&action).is_none() {
                without_service += 1;
            }
            if without_service > MOST_WITHOUT_SERVICE || !needed.add(needs(&action)) {
                return false;
            }
        }
        needed.is_met(resources, own_arn)
    }
}

/// What a statement's actions need together, each once: so many actions and resources are not compared pair by pair.
#[derive(Default)]
struct Needed {
    named_roles: bool,
    oneself: bool,
    named: Vec<&'static Service>,
}

impl Needed {
    /// `false` where nothing would do.
    fn add(&mut self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => {}
            Needs::NamedRoles => self.named_roles = true,
            Needs::Oneself => self.oneself = true,
            Needs::Named(service) => {
                if !self.named.iter().any(|known| std::ptr::eq(*known, service)) {
                    self.named.push(service);
                }
            }
            Needs::Impossible => return false,
        }
        true
    }

    fn is_met(&self, resources: &[String], own_arn: &str) -> bool {
        if !self.named_roles && !self.oneself && self.named.is_empty() {
            return true;
        }
        resources.iter().all(|resource| {
            if resource.len() > LONGEST_ARN {
                return false;
            }
            let plain = without_variables(resource);
            let named = is_literal(resource);
            (!self.named_roles || named || !reaches(&plain, "iam", "role/*"))
                && (!self.oneself || resource == own_arn || !reaches(&plain, "iam", "user/*"))
                && self.named.iter().all(|service| {
                    named
                        || is_one_secret(service, resource)
                        || !service.resources.iter().any(|owner| reaches(&plain, owner, "*"))
                })
        })
    }
}

/// Whether the pattern can match an ARN of this service and kind.
fn reaches(pattern: &[u8], service: &str, kind: &str) -> bool {
    // A wildcard further on may match colons, in a bucket's key for example, but none further ahead.
    let head: Vec<&[u8]> = pattern.splitn(4, |byte| *byte == b':').collect();
    if let [scheme, partition, of, _] = head.as_slice()
        && ![scheme, partition, of].iter().any(|part| part.iter().any(|byte| b"*?".contains(byte)))
        && *of != service.as_bytes()
    {
        return false;
    }
    intersects(pattern, ["arn:*:", service, ":*:", kind].concat().as_bytes())
}

/// The action in lower case, if it can be one: IAM compares without regard to case, and takes no variables in it.
fn read_action(action: &str) -> Option<Vec<u8>> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-:*?".contains(&byte);
    let fits = action.len() <= LONGEST_ACTION && action.bytes().all(known);
    fits.then(|| action.to_ascii_lowercase().into_bytes())
}

/// What stands before the colon, where it has no wildcard.
fn service_of(action: &[u8]) -> Option<&[u8]> {
    let service = action.split(|byte| *byte == b':').next().filter(|service| service.len() < action.len())?;
    (!service.iter().any(|byte| b"*?".contains(byte))).then_some(service)
}

fn needs(action: &[u8]) -> Needs {
    let meets = |pattern: &str| intersects(action, pattern.as_bytes());
    if IDENTITY.iter().any(|pattern| meets(pattern)) {
        return needs_of_identity(action);
    }
    let Some(service) = service_of(action) else {
        // Which of several services is meant is not known, so nothing is named.
        let confers = SERVICES.iter().any(|service| confers(service, action));
        return if confers { Needs::Impossible } else { Needs::Nothing };
    };
    match SERVICES.iter().find(|known| known.name.as_bytes() == service) {
        Some(known) if confers(known, action) => {
            if known.resources.is_empty() {
                Needs::Impossible
            } else {
                Needs::Named(known)
            }
        }
        Some(_) | None => Needs::Nothing,
    }
}

/// An action that can be one of a service that decides who may do what.
fn needs_of_identity(action: &[u8]) -> Needs {
    let is_one_of = |names: &[&str]| names.iter().any(|name| name.as_bytes() == action);
    if HARMLESS_PREFIXES.iter().any(|prefix| begins_with(action, prefix.as_bytes())) || is_one_of(HARMLESS) {
        Needs::Nothing
    } else if begins_with(action, OF_ROLES_PREFIX.as_bytes()) || is_one_of(OF_ROLES) {
        Needs::NamedRoles
    } else if is_one_of(SELF_SERVICE) {
        Needs::Oneself
    } else {
        Needs::Impossible
    }
}

fn confers(service: &Service, action: &[u8]) -> bool {
    service.confers.iter().any(|name| {
        let mut pattern = [service.name, ":"].concat().into_bytes();
        pattern.extend(name.bytes());
        intersects(action, &pattern)
    })
}

/// Secrets Manager appends a hyphen and six random characters to a secret's name, and AWS's own examples stand six `?`
/// for them: that names one secret
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html>).
fn is_one_secret(service: &Service, resource: &str) -> bool {
    service.name == "secretsmanager" && resource.strip_suffix("-??????").is_some_and(is_literal)
}
