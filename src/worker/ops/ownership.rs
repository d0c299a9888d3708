//! Who owns which IAM users: only offered in lists and forms, read afresh for every decision. Refreshed at most daily,
//! and corrected by every look-up.

use std::collections::BTreeSet;

use futures_util::future::{join_all, try_join};
use strsim::osa_distance;

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::ownership::{OwnedUserRef, OwnedUsers, RefreshState};
use crate::domain::request::KeyRequest;
use crate::id::SlackUserId;
use crate::policy::IamUserRef;
use crate::queue::{DueMessage, OwnershipPage};
use crate::store::ownership::{REFRESH_STATE_PK, StoredOwnedUsers, begin_refresh, owned_users_key};
use crate::time::{DAY, Timestamp};
use crate::worker::context::{Context, MAX_CONFLICT_RETRIES};
use crate::worker::decision_facts::DecisionFacts;

/// A name of so many edits is taken for a mistyped one.
const MAX_EDITS: usize = 3;

/// What is known of somebody's IAM users.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub own: Vec<IamUserRef>,
    refreshed: Option<RefreshState>,
}

/// Somebody's IAM users as the directory has them. It only offers: where it cannot be read, nothing is offered.
pub(crate) async fn known_users(ctx: &Context, person: &SlackUserId) -> Known {
    let read = try_join(directory(ctx, person), async {
        anyhow::Ok(ctx.tables.get(Table::Requests, REFRESH_STATE_PK, None).await?)
    });
    match read.await {
        Ok((directory, refreshed)) => {
            let refreshed = refreshed.as_ref().map(RefreshState::from).unwrap_or_default();
            let own = directory.users.choices(refreshed.completed, &ctx.config.accounts);
            Known { own, refreshed: Some(refreshed) }
        }
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "reading owned users failed");
            Known::default()
        }
    }
}

/// The one of somebody's IAM users that a mistyped one is nearest to, where one is nearer than all others.
pub(crate) async fn nearest_own_user(
    ctx: &Context,
    person: &SlackUserId,
    typed: &IamUserRef,
) -> Option<IamUserRef> {
    let lower = |user: &IamUserRef| user.name.as_str().to_ascii_lowercase();
    let own = known_users(ctx, person).await.own;
    let near = own.into_iter().map(|user| (osa_distance(&lower(typed), &lower(&user)), user));
    let mut near: Vec<(usize, IamUserRef)> = near.filter(|(edits, _)| *edits <= MAX_EDITS).collect();
    let rank = |(edits, user): &(usize, IamUserRef)| (*edits, user.account.id != typed.account.id);
    near.sort_by_key(rank);
    let best = near.first().filter(|best| near.get(1).is_none_or(|next| rank(best) < rank(next)))?;
    Some(best.1.clone())
}

async fn directory(ctx: &Context, person: &SlackUserId) -> anyhow::Result<StoredOwnedUsers> {
    let item = ctx.tables.get(Table::Requests, &owned_users_key(person), None).await?;
    Ok(item.as_ref().map(StoredOwnedUsers::try_from).transpose()?.unwrap_or_default())
}

/// Has the directory read afresh where that was a day ago. Of several who see this, one does it; failing is only
/// logged.
pub(crate) async fn refresh_directory(ctx: &Context, known: &Known, now: Timestamp) {
    let Some(refreshed) = known.refreshed else { return };
    if let Err(error) = refresh_if_old(ctx, refreshed, now).await {
        tracing::warn!(error = format!("{error:#}"), "ownership refresh not started");
    }
}

/// The same, without anybody having asked: once a day.
pub(crate) async fn refresh_daily(ctx: &Context, now: Timestamp) -> anyhow::Result<()> {
    let read = ctx.tables.get(Table::Requests, REFRESH_STATE_PK, None).await?;
    refresh_if_old(ctx, read.as_ref().map(RefreshState::from).unwrap_or_default(), now).await
}

async fn refresh_if_old(ctx: &Context, refreshed: RefreshState, now: Timestamp) -> anyhow::Result<()> {
    let Some(account) = ctx.config.accounts.first() else { return Ok(()) };
    if !refreshed.is_old(now) {
        return Ok(());
    }
    // The first page is queued before the reading counts as begun. All who see that the last one is old send the same.
    let once = format!("ownership.after.{}", refreshed.begun.map_or(0, |begun| begun.0));
    let account = account.id.clone();
    let first = OwnershipPage { begun: now, account, page: 0, marker: None, complete: true };
    queue_page(ctx, first, &once).await?;
    match ctx.tables.update(Table::Requests, REFRESH_STATE_PK, &begin_refresh(now)).await {
        Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

pub(crate) async fn queue_page(ctx: &Context, page: OwnershipPage, once: &str) -> anyhow::Result<()> {
    let body = serde_json::to_string(&DueMessage::RefreshOwnership(page))?;
    ctx.sqs.send(&ctx.config.due_queue, body, "ownership", once).await
}

/// Corrects the directory by what was just looked up for a request: its owners have the IAM user, and a requester
/// who is none of them has it not. Failing is only logged.
pub(crate) async fn note_owners(
    ctx: &Context,
    request: &KeyRequest,
    found: Option<&DecisionFacts>,
    now: Timestamp,
) {
    let asked = &request.details;
    let entry = OwnedUserRef { account: asked.account.id.clone(), name: asked.user.clone() };
    let requester = &asked.requester.user;
    let mut owners: BTreeSet<&SlackUserId> = BTreeSet::new();
    if let Some(facts) = found {
        owners.extend(&facts.iam_user.owners);
        let groups = &facts.iam_user.owner_groups;
        if groups.iter().any(|group| facts.requester.groups.contains(group.as_str())) {
            owners.insert(requester);
        }
    }
    let forget = (!owners.contains(requester)).then_some(requester);
    let noted = owners.into_iter().map(|owner| (owner, true)).chain(forget.map(|person| (person, false)));
    let noted = join_all(noted.map(|(person, owns)| {
        let entry = &entry;
        correct(ctx, person, move |directory| {
            if owns { directory.insert(entry, now, Timestamp(now.0 - DAY)) } else { directory.remove(entry) }
        })
    }));
    for error in noted.await.into_iter().filter_map(Result::err) {
        tracing::warn!(error = format!("{error:#}"), "updating owned users failed");
    }
}

/// Changes what is kept of one person, if `change` says that it is worth writing.
pub(crate) async fn correct(
    ctx: &Context,
    person: &SlackUserId,
    change: impl Fn(&mut OwnedUsers) -> bool,
) -> anyhow::Result<()> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let mut directory = directory(ctx, person).await?;
        if !change(&mut directory.users) {
            return Ok(());
        }
        match ctx.tables.update(Table::Requests, &owned_users_key(person), &directory.replace()).await {
            Ok(_) => return Ok(()),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("a person's directory changed too often")
}
