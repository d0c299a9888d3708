//! What was looked up afresh about a person, before policy is asked.
//! A look-up that failed never becomes an empty set here: there is then no value of these types at all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{PersonId, SlackUserId};

/// The group that a member of `KEYVEND_APPROVERS` is in, whatever Slack group or channel that is.
pub const APPROVERS: &str = "approvers";

/// A person as Slack's `users.info` tells (<https://docs.slack.dev/reference/methods/users.info>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    /// A single- or multi-channel guest (`is_restricted`, `is_ultra_restricted`).
    pub guest: bool,
    /// Of another workspace, seen through a shared channel (`is_stranger`, or another team).
    pub external: bool,
    pub deleted: bool,
    /// A bot or an app.
    pub bot: bool,
    /// The profile's address, where there is one.
    pub email: Option<String>,
    /// Whether Slack saw that address confirmed.
    pub email_confirmed: bool,
    /// How far their clock is ahead of UTC, in seconds; 0 where Slack does not say.
    pub utc_offset: i64,
    /// Slack groups this person is in: [`APPROVERS`], and user-group ids that somebody asked about.
    pub groups: BTreeSet<String>,
}

/// A request is not made while there are more approvers than this: it keeps their ids in its item.
pub const MAX_ELIGIBLE_APPROVERS: usize = 1_000;

/// Whose approval of a request can count: who was an approver when it was created. Kept with the request, and never renewed:
/// else one approver could invite the second one to a request that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EligibleApprovers(BTreeSet<SlackUserId>);

impl EligibleApprovers {
    /// Whether this person's approval can count. Met in two workspaces of an organization it is one person.
    #[must_use]
    pub fn contains(&self, user: &SlackUserId) -> bool {
        self.0.contains(user)
    }

    pub fn iter(&self) -> impl Iterator<Item = &SlackUserId> {
        self.0.iter()
    }

    /// The same without somebody: the holder of the key that a request is about.
    #[must_use]
    pub fn without(mut self, user: &SlackUserId) -> Self {
        self.0.remove(user);
        self
    }

    /// Whether they are too many to keep.
    #[must_use]
    pub fn are_too_many(&self) -> bool {
        self.0.len() > MAX_ELIGIBLE_APPROVERS
    }
}

impl FromIterator<SlackUserId> for EligibleApprovers {
    fn from_iter<I: IntoIterator<Item = SlackUserId>>(users: I) -> Self {
        Self(users.into_iter().collect())
    }
}

impl Person {
    /// Somebody whom Slack does not know: gone, for all that is known, and in no group.
    #[must_use]
    pub fn unknown(id: PersonId) -> Self {
        Self {
            id,
            guest: false,
            external: false,
            deleted: true,
            bot: false,
            email: None,
            email_confirmed: false,
            utc_offset: 0,
            groups: BTreeSet::new(),
        }
    }

    /// Whether this is a person of the workspace itself, and still there.
    #[must_use]
    pub fn is_full_member(&self) -> bool {
        !(self.guest || self.external || self.deleted || self.bot)
    }
}
