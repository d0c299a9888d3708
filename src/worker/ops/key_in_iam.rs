//! Changes a key in IAM, whatever its user is called by now. That IAM finds no such key proves nothing by itself: right after a
//! create it may not find it yet, and of a user who was renamed, moved or deleted it says the same or denies access. So what is
//! true is read, and what IAM does not show is an error.

use std::time::Duration;

use crate::aws::session_policy::{self, IamStep};
use crate::aws::{KeyError, KeyUse, WriteError};
use crate::domain::audit::AuditEvent;
use crate::domain::iam::{AccessKeyLastUsed, AccessKeyStatus, Account, CONSISTENT_AFTER};
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState, Unproven};
use crate::domain::request::Notification;
use crate::facts::KeyLocation;
use crate::id::{AccessKeyId, IamUserName};
use crate::render::{approval_card, text};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES};
use crate::worker::ops::card::{alarm, to_approvers};
use crate::worker::ops::end_requests::end_requests_of_gone_key;
use crate::worker::ops::key_record::{key_event, update_key};

/// A key in IAM, as it was last seen.
#[derive(Clone, Copy)]
pub(crate) struct KeyAt<'a> {
    pub account: &'a Account,
    pub user: &'a IamUserName,
    pub path: &'a str,
    pub key: &'a AccessKeyId,
    /// When it was created, where that may have been a moment ago.
    pub created_at: Option<Timestamp>,
}

impl<'a> From<&'a IssuedKey> for KeyAt<'a> {
    fn from(issued: &'a IssuedKey) -> Self {
        Self {
            account: &issued.account,
            user: &issued.user,
            path: &issued.path,
            key: &issued.key,
            created_at: Some(issued.issued_at),
        }
    }
}

/// What came of a step, as IAM shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyOutcome {
    Done,
    /// There is no such key any more.
    Gone,
}

/// IAM neither did what was asked nor shows that it is so.
#[derive(Debug, thiserror::Error)]
#[error("IAM does not show the change of the key {key}: {cause}")]
pub(crate) struct NotShown {
    pub key: AccessKeyId,
    pub cause: KeyError,
}

/// One step on a key in IAM. `operation` and `actor` name the session.
///
/// # Errors
/// [`NotShown`], or a fault.
pub(crate) async fn step_on_key(
    ctx: &Context,
    step: IamStep,
    at: KeyAt<'_>,
    (operation, actor): (&str, &str),
    now: Timestamp,
) -> anyhow::Result<KeyOutcome> {
    let cause = match try_step(ctx, step, at, (operation, actor)).await {
        Ok(()) => return Ok(KeyOutcome::Done),
        Err(KeyError::Other(error)) => return Err(error),
        Err(cause @ (KeyError::NotFound | KeyError::AccessDenied)) => cause,
    };
    let is_old = at.created_at.is_none_or(|created_at| now.since(created_at) >= CONSISTENT_AFTER);
    let (user, path, status) = match ctx.lookup.locate_key(at.account, at.key, at.user, now).await? {
        KeyLocation::Gone if is_old => return Ok(KeyOutcome::Gone),
        KeyLocation::Gone => return Err(NotShown { key: at.key.clone(), cause }.into()),
        KeyLocation::Found { user, path, status } => (user, path, status),
    };
    if step == IamStep::Deactivate && status.is_some_and(|status| status != AccessKeyStatus::Active) {
        return Ok(KeyOutcome::Done);
    }
    // What was decided about one user is decided about nobody else.
    let may_follow = step != IamStep::Activate || user.is_same_user(at.user);
    if (user != *at.user || path != at.path) && may_follow {
        let there = KeyAt { user: &user, path: &path, ..at };
        return match try_step(ctx, step, there, (operation, actor)).await {
            Ok(()) => Ok(KeyOutcome::Done),
            Err(KeyError::Other(error)) => Err(error),
            Err(cause) => Err(NotShown { key: at.key.clone(), cause }.into()),
        };
    }
    Err(NotShown { key: at.key.clone(), cause }.into())
}

async fn try_step(
    ctx: &Context,
    step: IamStep,
    at: KeyAt<'_>,
    (operation, actor): (&str, &str),
) -> Result<(), KeyError> {
    let policy = session_policy::write_policy(step, at.account, at.path, at.user)
        .map_err(|error| KeyError::Other(error.into()))?;
    let iam = ctx.sts.session(at.account, operation, actor, policy).await?;
    match step {
        IamStep::Delete => iam.delete_access_key(at.user, at.key).await,
        IamStep::Activate => iam.set_access_key_status(at.user, at.key, true).await,
        IamStep::Deactivate => iam.set_access_key_status(at.user, at.key, false).await,
        IamStep::Create | IamStep::Describe | IamStep::RemoveDescriptions => {
            Err(KeyError::Other(anyhow::anyhow!("no step on a key that exists")))
        }
    }
}

/// A key under the name that its IAM user has now, with its last use; none where it is gone, which is then written down.
pub(crate) async fn with_last_use(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<Option<(StoredKey, AccessKeyLastUsed)>, HandleError> {
    let issued = &stored.issued;
    let (user, last_used) = match ctx.lookup.key_use(&issued.account, &issued.key, now).await? {
        KeyUse::Of(user, last_used) => (user, last_used),
        KeyUse::Unreadable(_) => (None, AccessKeyLastUsed::Unknown),
        KeyUse::NoSuchKey => {
            let found = ctx.lookup.locate_key(&issued.account, &issued.key, &issued.user, now).await?;
            if found == KeyLocation::Gone && now.since(issued.issued_at) >= CONSISTENT_AFTER {
                end_gone(ctx, &issued.key, now).await?;
                return Ok(None);
            }
            (None, AccessKeyLastUsed::Unknown)
        }
    };
    if user.is_none_or(|user| user == issued.user) {
        return Ok(Some((stored.clone(), last_used)));
    }
    Ok(follow_user(ctx, stored, now).await?.map(|stored| (stored, last_used)))
}

/// The key of an IAM user who was renamed or moved, written down under the name and path of now; none where it is gone, which
/// is written down as well.
pub(crate) async fn follow_user(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<Option<StoredKey>, HandleError> {
    let issued = &stored.issued;
    let (user, path) = match ctx.lookup.locate_key(&issued.account, &issued.key, &issued.user, now).await? {
        KeyLocation::Found { user, path, .. } => (user, path),
        KeyLocation::Gone => {
            if now.since(issued.issued_at) >= CONSISTENT_AFTER {
                end_gone(ctx, &issued.key, now).await?;
            }
            return Ok(None);
        }
    };
    // The lease of what is under way is of the name that it was taken for.
    let is_under_way = matches!(issued.state, KeyState::Activating { .. } | KeyState::Deleting { .. });
    if is_under_way || (user == issued.user && path == issued.path) {
        return Ok(Some(stored.clone()));
    }
    let next = IssuedKey { user, path, ..issued.clone() };
    match ctx.tables.write(vec![stored.update(&next)?]).await {
        Ok(()) => Ok(StoredKey::read(&ctx.tables, &next.key).await?),
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// A key that is not in AWS any more ends: once, with one entry in the trail and one message to its requester.
pub(crate) async fn end_gone(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> Result<(), HandleError> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(stored) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
        let issued = &stored.issued;
        let before = match &issued.state {
            KeyState::Deleted { .. } | KeyState::NotOurs { .. } => return Ok(()),
            KeyState::Inactive { why, .. }
            | KeyState::Activating { why, .. }
            | KeyState::Deleting { why, .. } => Some(*why),
            KeyState::Delivered
            | KeyState::Confirmed
            | KeyState::Unconfirmed { .. }
            | KeyState::Active
            | KeyState::Suspect { .. } => None,
        };
        let mark = stored.deactivation_mark.as_ref();
        let why = mark.map(|mark| mark.why).or(before).unwrap_or(DeactivationReason::DeletedInAws);
        let state = KeyState::Deleted { why, at: now };
        let next = IssuedKey { state, reassert_at: None, unproven: None, ..issued.clone() };
        let happened = key_event(AuditEvent::KeyGone, &stored, [("why", why.as_str().to_owned())]);
        let message = approval_card::text(&text::key_gone(issued)).into();
        let mut told = vec![Notification::DirectMessage { to: issued.requester.clone(), message }];
        if let Some(mark) = mark.filter(|mark| mark.press.is_some()) {
            told.push(alarm(ctx, &text::reported(&next, &mark.by)));
        }
        let others = stored.release_if_activating().into_iter().collect();
        match update_key(ctx, &stored, &next, happened, others, told, now).await {
            // It changed meanwhile.
            Err(HandleError::RetryAfter(_)) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                end_requests_of_gone_key(ctx, &next, now).await;
                return Ok(());
            }
        }
    }
    Err(HandleError::RetryAfter(Duration::from_secs(1)))
}

/// IAM does not show what the key's timer asked of it: it is asked again later, and after a while the approvers and the
/// requester are notified, once.
pub(crate) async fn await_iam(
    ctx: &Context,
    not_shown: &NotShown,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = StoredKey::read(&ctx.tables, &not_shown.key).await? else { return Ok(()) };
    let issued = &stored.issued;
    let unproven = Unproven::after(issued.unproven, now);
    let next = IssuedKey { unproven: Some(unproven), ..issued.clone() };
    if unproven.notified_at != Some(now) {
        return match ctx.tables.write(vec![stored.update(&next)?]).await {
            // It changed: what is due then is found again.
            Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
            Err(WriteError::Other(error)) => Err(error.into()),
        };
    }
    let cause = not_shown.cause.to_string();
    tracing::error!(key = %not_shown.key, cause, "IAM does not show the change of a key");
    let sentence = text::key_unproven(&not_shown.key, &cause);
    let message = approval_card::text(&sentence);
    let happened = key_event(AuditEvent::KeyUnproven, &stored, [("cause", cause)]);
    let told = vec![
        alarm(ctx, &sentence),
        Notification::DirectMessage { to: issued.requester.clone(), message: message.into() },
    ];
    update_key(ctx, &stored, &next, happened, Vec::new(), told, now).await
}

/// The approvers are told of a key that is on no record, or not yet.
pub(crate) async fn notify_of_unproven(ctx: &Context, not_shown: &NotShown) -> anyhow::Result<()> {
    let cause = not_shown.cause.to_string();
    tracing::error!(key = %not_shown.key, cause, "IAM does not show the change of a key");
    let sentence = text::key_unproven(&not_shown.key, &cause);
    to_approvers(ctx, &approval_card::incident(&ctx.config.approvers, &sentence)).await.map(drop)
}
