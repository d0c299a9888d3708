//! Who approves, and who is in which Slack user groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::person::APPROVERS;
use crate::id::{SlackUserId, UserGroupId};

/// Who approves, as of now.
#[derive(Clone, Debug)]
pub struct ApproverSet(pub(in crate::facts) BTreeSet<SlackUserId>);

impl ApproverSet {
    /// Whether this person is one of them.
    #[must_use]
    pub fn contains(&self, user: &SlackUserId) -> bool {
        self.0.contains(user)
    }

    pub fn iter(&self) -> impl Iterator<Item = &SlackUserId> {
        self.0.iter()
    }
}

/// Who is in which Slack groups, as of now: the approvers, and such user groups as were looked up.
#[derive(Clone, Debug)]
pub struct Memberships {
    pub(in crate::facts) approvers: ApproverSet,
    pub(in crate::facts) groups: BTreeMap<UserGroupId, BTreeSet<SlackUserId>>,
}

impl From<ApproverSet> for Memberships {
    fn from(approvers: ApproverSet) -> Self {
        Self { approvers, groups: BTreeMap::new() }
    }
}

impl Memberships {
    #[must_use]
    pub fn none() -> Self {
        ApproverSet(BTreeSet::new()).into()
    }

    #[must_use]
    pub fn approvers(&self) -> &ApproverSet {
        &self.approvers
    }

    /// The groups that somebody is in, as policies name them.
    #[must_use]
    pub fn of(&self, user: &SlackUserId) -> BTreeSet<String> {
        let groups = self.groups.iter().filter(|(_, members)| members.contains(user));
        let approver = self.approvers.contains(user).then(|| APPROVERS.to_owned());
        groups.map(|(group, _)| group.to_string()).chain(approver).collect()
    }
}
