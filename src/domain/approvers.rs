//! Whose approval counts, as the configuration names them.

use crate::id::{ChannelId, UserGroupId};

/// Who approves: the members of a channel or of a user group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approvers {
    /// Works on every Slack plan.
    Channel(ChannelId),
    /// Needs a paid plan.
    UserGroup(UserGroupId),
}
