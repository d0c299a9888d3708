//! Facts about people, from Slack: what they are, which groups they are in, and who approves.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use futures_util::future::{try_join, try_join_all};

use crate::domain::approvers::Approvers;
use crate::domain::person::Person;
use crate::facts::lookup::Lookup;
use crate::facts::memberships::{ApproverSet, Memberships};
use crate::id::{ChannelId, PersonId, SlackTeamId, SlackUserId, UserGroupId};
use crate::slack::api::{SlackApi, SlackError, User};

/// The approvers' channel cannot be used as it is. The log says what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalsChannelError {
    /// It is not there, or keyvend is not in it.
    #[error(
        "Slack says {code} of the channel {channel}: invite keyvend there (/invite), or correct KEYVEND_APPROVALS_CHANNEL \
         and KEYVEND_APPROVERS"
    )]
    Unreachable {
        channel: ChannelId,
        /// Slack's word for it.
        code: String,
    },
    /// There is no such user group.
    #[error("there is no user group {group} ({error}): correct KEYVEND_APPROVERS")]
    GroupGone { group: UserGroupId, error: SlackError },
    /// Others than its members, or people from elsewhere, could see or decide what is asked there.
    #[error("the channel {0} must be private and not shared: make it so, or name another that is")]
    Open(ChannelId),
}

impl ApprovalsChannelError {
    /// Slack's answer about a channel, told apart where it says that the channel cannot be used.
    #[must_use]
    pub fn of(channel: &ChannelId, error: SlackError) -> anyhow::Error {
        match error {
            SlackError::Said(code)
                if ["channel_not_found", "not_in_channel", "is_archived"].contains(&code.as_str()) =>
            {
                Self::Unreachable { channel: channel.clone(), code }.into()
            }
            SlackError::Said(_) | SlackError::Wait(_) | SlackError::NoAnswer(_) => error.into(),
        }
    }

    /// Whether this is what a fault comes of.
    #[must_use]
    pub fn is_cause_of(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.is::<Self>())
    }
}

impl Lookup {
    /// The members of `KEYVEND_APPROVERS`. That channel and the one where cards are posted must be private and not shared.
    ///
    /// # Errors
    /// A fault where Slack does not say, or the channel is not as it must be.
    pub async fn approvers(
        &self,
        slack: &SlackApi,
        (cards, approvers): (&ChannelId, &Approvers),
    ) -> anyhow::Result<ApproverSet> {
        let members = match approvers {
            Approvers::UserGroup(group) => {
                try_join(ensure_private(slack, cards), approving_members(slack, group)).await?.1
            }
            Approvers::Channel(channel) if channel == cards => {
                try_join(ensure_private(slack, cards), members_in(slack, channel)).await?.1
            }
            Approvers::Channel(channel) => {
                let both = try_join(ensure_private(slack, cards), ensure_private(slack, channel));
                try_join(both, members_in(slack, channel)).await?.1
            }
        };
        Ok(ApproverSet(members.into_iter().collect()))
    }

    /// The approvers, and who is in the user groups that policies name.
    ///
    /// # Errors
    /// As of [`Lookup::approvers`]; also where Slack does not say of one of the groups, or has none of that id.
    pub async fn memberships<'a>(
        &self,
        slack: &SlackApi,
        (cards, approvers): (&ChannelId, &Approvers),
        named: impl Iterator<Item = &'a UserGroupId>,
    ) -> anyhow::Result<Memberships> {
        let approving = match approvers {
            Approvers::UserGroup(group) => Some(group),
            Approvers::Channel(_) => None,
        };
        let others = named.filter(|group| Some(*group) != approving);
        let (approvers, mut groups) =
            try_join(self.approvers(slack, (cards, approvers)), members_of_all(slack, others)).await?;
        groups.extend(approving.map(|group| (group.clone(), approvers.0.clone())));
        Ok(Memberships { approvers, groups })
    }

    /// Adds who is in these user groups that own something, as far as that was not looked up yet. One that Slack does not
    /// have any more has nobody in it, and keeps no other owner out.
    pub async fn load_groups(
        &self,
        slack: &SlackApi,
        memberships: &mut Memberships,
        groups: &BTreeSet<UserGroupId>,
    ) -> anyhow::Result<()> {
        let unknown = groups.iter().filter(|group| !memberships.groups.contains_key(*group));
        memberships.groups.extend(members_of_owning(slack, unknown).await?);
        Ok(())
    }

    /// A person, with the groups they are in among those that were looked up. Somebody whom Slack does not know is in none and
    /// counts as deactivated: asking again would change nothing.
    pub async fn person(
        &self,
        slack: &SlackApi,
        id: &PersonId,
        memberships: &Memberships,
    ) -> anyhow::Result<Person> {
        let person = match slack.user_info(&id.user).await {
            Ok(user) => read_person(id, &user, memberships),
            Err(error) if error.is_about_unknown_person() => Person::unknown(id.clone()),
            Err(error) => return Err(error).context("users.info"),
        };
        self.note_member(&id.user, person.is_full_member());
        Ok(person)
    }

    /// Whether messages may name them as a person of the workspace: no bot, no guest, nobody who left. It may have changed since
    /// they were last looked up, so nothing is decided by it.
    pub async fn is_named(
        &self,
        slack: &SlackApi,
        id: &PersonId,
        memberships: &Memberships,
    ) -> anyhow::Result<bool> {
        match self.known_member(&id.user) {
            Some(known) => Ok(known),
            None => Ok(self.person(slack, id, memberships).await?.is_full_member()),
        }
    }

    /// Which of these user groups the person is in.
    pub async fn groups_of(
        &self,
        slack: &SlackApi,
        person: &SlackUserId,
        groups: &BTreeSet<UserGroupId>,
    ) -> anyhow::Result<BTreeSet<String>> {
        let found = members_of_owning(slack, groups.iter()).await?;
        let own = found.into_iter().filter(|(_, members)| members.contains(person));
        Ok(own.map(|(group, _)| group.to_string()).collect())
    }
}

async fn members_of(slack: &SlackApi, group: &UserGroupId) -> anyhow::Result<Vec<SlackUserId>> {
    slack.group_members(group).await.with_context(|| format!("usergroups.users.list of {group}"))
}

async fn approving_members(slack: &SlackApi, group: &UserGroupId) -> anyhow::Result<Vec<SlackUserId>> {
    match slack.group_members(group).await {
        Err(error) if error.is_about_unknown_group() => {
            Err(ApprovalsChannelError::GroupGone { group: group.clone(), error }.into())
        }
        members => members.with_context(|| format!("usergroups.users.list of {group}")),
    }
}

async fn members_of_all(
    slack: &SlackApi,
    groups: impl Iterator<Item = &UserGroupId>,
) -> anyhow::Result<BTreeMap<UserGroupId, BTreeSet<SlackUserId>>> {
    let found = groups.map(|group| async move {
        anyhow::Ok((group.clone(), members_of(slack, group).await?.into_iter().collect()))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// The same, where nothing but ownership depends on it: a group that is gone owns nothing.
async fn members_of_owning(
    slack: &SlackApi,
    groups: impl Iterator<Item = &UserGroupId>,
) -> anyhow::Result<BTreeMap<UserGroupId, BTreeSet<SlackUserId>>> {
    let found = groups.map(|group| async move {
        let members = match slack.group_members(group).await {
            Err(error) if error.is_about_unknown_group() => Vec::new(),
            members => members.with_context(|| format!("usergroups.users.list of {group}"))?,
        };
        anyhow::Ok((group.clone(), members.into_iter().collect()))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

async fn members_in(slack: &SlackApi, channel: &ChannelId) -> anyhow::Result<Vec<SlackUserId>> {
    let members = slack.channel_members(channel).await;
    members.map_err(|error| ApprovalsChannelError::of(channel, error)).context("conversations.members")
}

/// That a channel is private and not shared with anybody outside.
async fn ensure_private(slack: &SlackApi, channel: &ChannelId) -> anyhow::Result<()> {
    let info = slack.channel_info(channel).await;
    let info =
        info.map_err(|error| ApprovalsChannelError::of(channel, error)).context("conversations.info")?;
    if info.is_archived == Some(true) {
        return Err(ApprovalsChannelError::of(channel, SlackError::Said("is_archived".to_owned())));
    }
    let unshared =
        [info.is_shared, info.is_ext_shared, info.is_org_shared].iter().all(|shared| *shared == Some(false));
    if info.is_private == Some(true) && unshared {
        Ok(())
    } else {
        Err(ApprovalsChannelError::Open(channel.clone()).into())
    }
}

fn read_person(id: &PersonId, user: &User, memberships: &Memberships) -> Person {
    let here = |team: &SlackTeamId| *team == id.team;
    let member = user.team_id.as_ref().is_some_and(here)
        || user.enterprise_user.as_ref().is_some_and(|enterprise| enterprise.teams.iter().any(here));
    // Of somebody deactivated Slack leaves out what it says of everybody else.
    let is_not = |field: Option<bool>| field == Some(false) || user.is_deactivated();
    Person {
        id: id.clone(),
        guest: !(is_not(user.is_restricted) && is_not(user.is_ultra_restricted)),
        external: user.is_stranger == Some(true) || !member,
        deleted: user.is_deactivated(),
        bot: !is_not(user.is_bot),
        email: user.email(),
        email_confirmed: user.is_email_confirmed == Some(true),
        utc_offset: user.tz_offset.unwrap_or(0),
        groups: memberships.of(&id.user),
    }
}
