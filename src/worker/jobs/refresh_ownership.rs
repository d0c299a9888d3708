//! The directory of who owns which IAM users: read when a form is opened, corrected by every look-up, and read afresh
//! from IAM page by page, at most daily, by messages of their own, so that nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::iam::Account;
use crate::domain::ownership::OwnedUserRef;
use crate::facts::OwnedUser;
use crate::id::{SlackUserId, UserGroupId};
use crate::queue::OwnershipPage;
use crate::slack::api::SlackError;
use crate::store::ownership::{
    REFRESH_STATE_PK, complete_refresh, group_members, group_members_key, store_group_members,
};
use crate::time::Timestamp;
use crate::worker::context::{CLOCK_SKEW, Context, HandleError, MAX_RECEIVES, slack_client};
use crate::worker::events::user_deactivated::look_for_leavers;
use crate::worker::jobs::reconcile_keys::{compare, report_findings};
use crate::worker::ops::ownership::{correct, queue_page};

/// No account is read further than this many pages of a hundred users: twice what IAM holds by default
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MOST_PAGES: u32 = 100;

/// How many people are noted at a time.
const AT_ONCE: usize = 16;

/// Reads one page of one account, and sends for the next. An account that cannot be read, as often as its message comes,
/// holds up no other, but then nothing is taken for gone.
pub(crate) async fn refresh_ownership_page(
    ctx: &Context,
    page: OwnershipPage,
    now: Timestamp,
    received: u32,
) -> Result<(), HandleError> {
    if page.begun.since(now) > CLOCK_SKEW {
        // Taken at its word, it would keep the next reading from beginning until then.
        tracing::error!("ownership page dated in the future");
        return Ok(());
    }
    let current = page.account.clone();
    let mut accounts = ctx.config.accounts.iter().skip_while(|account| account.id != current);
    let Some(account) = accounts.next() else { return Ok(()) };
    let last = received >= MAX_RECEIVES;
    let (next, read) = match read_page(ctx, account, &page, now, last).await {
        Ok(read) => read,
        Err(error) if !last => return Err(error.into()),
        Err(error) => {
            let account = account.alias.as_str();
            tracing::error!(account, error = format!("{error:#}"), "listing IAM users failed");
            (None, false)
        }
    };
    let more = next.as_ref().filter(|_| page.page + 1 < MOST_PAGES);
    let complete = page.complete && read && more.is_some() == next.is_some();
    let following = match (more, accounts.next()) {
        (Some(marker), _) => {
            OwnershipPage { page: page.page + 1, marker: Some(marker.clone()), complete, ..page }
        }
        (None, Some(account)) => {
            OwnershipPage { account: account.id.clone(), page: 0, marker: None, complete, ..page }
        }
        (None, None) => {
            if let Err(error) = report_findings(ctx, page.begun, complete, now).await {
                if !last {
                    return Err(error.into());
                }
                tracing::error!(error = format!("{error:#}"), "reporting discrepancies failed");
            }
            if !complete {
                return Ok(());
            }
            let done = complete_refresh(page.begun);
            return match ctx.tables.update(Table::Requests, REFRESH_STATE_PK, &done).await {
                Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
                Err(WriteError::Other(error)) => Err(error.into()),
            };
        }
    };
    let once = format!("ownership.{}.{}.{}", following.begun.0, following.account, following.page);
    Ok(queue_page(ctx, following, &once).await?)
}

/// Notes the owners on one page; the marker of the next, and whether all owners of this one were read.
async fn read_page(
    ctx: &Context,
    account: &Account,
    page: &OwnershipPage,
    now: Timestamp,
    last: bool,
) -> anyhow::Result<(Option<String>, bool)> {
    let (users, next) = ctx.lookup.owned_users(account, page.marker.as_deref(), now).await?;
    let managed = |user: &&OwnedUser| {
        ctx.config.iam_path.as_ref().is_none_or(|path| user.path.starts_with(path.as_str()))
    };
    let users: Vec<&OwnedUser> = users.iter().filter(managed).collect();
    let opted_in: Vec<&OwnedUser> = users
        .iter()
        .copied()
        .filter(|user| !user.owners.is_empty() || !user.owner_groups.is_empty())
        .collect();
    // First, for it costs least: where Slack asks to wait, nothing else is done twice.
    let groups: BTreeSet<&UserGroupId> = users.iter().flat_map(|user| &user.owner_groups).collect();
    let (members, groups_read) = match members(ctx, &groups, page.begun).await {
        (members, None) => (members, true),
        (_, Some(error)) if !last && error.is_transient() => return Err(error.into()),
        (members, Some(error)) => {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::new(error)),
                "user groups not read, ownership refresh incomplete"
            );
            (members, false)
        }
    };
    let requesters = compare(ctx, account, &opted_in, page, now, last).await?;
    let mut owned: BTreeMap<&SlackUserId, BTreeSet<OwnedUserRef>> = BTreeMap::new();
    for user in users {
        let entry = OwnedUserRef { account: account.id.clone(), name: user.name.clone() };
        let through_groups = user.owner_groups.iter().filter_map(|group| members.get(group)).flatten();
        for owner in user.owners.iter().chain(through_groups) {
            owned.entry(owner).or_default().insert(entry.clone());
        }
    }
    let owned: Vec<_> = owned.into_iter().collect();
    for some in owned.chunks(AT_ONCE) {
        let noted = some.iter().map(|(owner, entries)| {
            correct(ctx, owner, |directory| {
                // Every one of them, so no `any`.
                let changed = entries.iter().map(|entry| directory.insert(entry, page.begun, page.begun));
                changed.filter(|changed| *changed).count() > 0
            })
        });
        join_all(noted).await.into_iter().collect::<anyhow::Result<()>>()?;
    }
    look_for_leavers(ctx, requesters, now).boxed().await;
    Ok((next, groups_read))
}

/// The members of user groups, each read from Slack once in a reading, and what kept the rest from being read. They are read
/// one after the other: Slack answers about twenty a minute
/// (<https://docs.slack.dev/reference/methods/usergroups.users.list>), and those that were read stay read.
async fn members<'a>(
    ctx: &Context,
    groups: &BTreeSet<&'a UserGroupId>,
    begun: Timestamp,
) -> (BTreeMap<&'a UserGroupId, Vec<SlackUserId>>, Option<GroupError>) {
    let mut found = BTreeMap::new();
    let mut kept_from = None;
    for group in groups {
        match members_of(ctx, group, begun).await {
            Ok(members) => drop(found.insert(*group, members)),
            Err(error) if error.is_transient() => return (found, Some(error)),
            Err(error) => kept_from = Some(error),
        }
    }
    (found, kept_from)
}

async fn members_of(
    ctx: &Context,
    group: &UserGroupId,
    begun: Timestamp,
) -> Result<Vec<SlackUserId>, GroupError> {
    let key = group_members_key(group);
    let stored = ctx.tables.get(Table::Requests, &key, None).await?;
    if let Some(known) = stored.as_ref().and_then(|item| group_members(item, begun)) {
        return Ok(known);
    }
    let members = match slack_client(ctx).await?.group_members(group).await {
        Ok(members) => members,
        // It was deleted: nobody owns anything through it.
        Err(error) if error.is_about_unknown_group() => Vec::new(),
        Err(error) => return Err(GroupError::Slack(group.clone(), error)),
    };
    match ctx.tables.update(Table::Requests, &key, &store_group_members(&members, begun)).await {
        Ok(_) | Err(WriteError::Conflict(_)) => Ok(members),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Why the members of a user group are not known.
#[derive(Debug, thiserror::Error)]
enum GroupError {
    #[error("usergroups.users.list of {0}")]
    Slack(UserGroupId, #[source] SlackError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl GroupError {
    /// Whether it may be otherwise in a while.
    fn is_transient(&self) -> bool {
        match self {
            Self::Slack(_, SlackError::Said(_)) => false,
            Self::Slack(_, SlackError::Wait(_) | SlackError::NoAnswer(_)) | Self::Other(_) => true,
        }
    }
}
