//! A key's timer ran out: it is deactivated, asked about or deleted as its state and the time call for, and nothing
//! else. Every change is one transaction of the key's item and the request that it came of, whose audit chain it is in.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::aws::item::{Table, Write};
use crate::aws::session_policy::{self, IamStep};
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::AccessKeyLastUsed;
use crate::domain::key::{DeactivationReason, DueAction, IssuedKey, KeyState, StoredKey};
use crate::domain::request::{Notification, RequestEvent};
use crate::domain::ticket::claim::{self, TicketState};
use crate::id::AccessKeyId;
use crate::render::approval_card;
use crate::render::text;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::cancel::{MAX_CONFLICT_RETRIES, read_ticket};
use crate::worker::context::{Context, HandleError};
use crate::worker::interactions::report_key::take_off;
use crate::worker::ops::ambiguous_create::remind_about_suspect;
use crate::worker::ops::complete_request::resume_activation;
use crate::worker::ops::key_description::{Described, remove_descriptions};
use crate::worker::ops::key_expiry::{check_old_key_idle, expire_or_postpone, record_successor, remind};
use crate::worker::ops::ticket_outbox::{confirm, import_ticket_events};
use crate::worker::outbox::{commit, drain_outbox};

/// Who is behind what time alone brings about, in CloudTrail and in the trail.
pub(crate) const EXPIRY: &str = "keyvend.expiry";

/// How long to wait for whoever else works on the same IAM user.
const LEASE_RETRY_DELAY: Duration = Duration::from_secs(10);

/// The key's item as it is now, if keyvend issued it.
pub(crate) async fn read_key(ctx: &Context, key: &AccessKeyId) -> anyhow::Result<Option<StoredKey>> {
    let item = ctx.tables.get(Table::Requests, &StoredKey::item_key(key), None).await?;
    item.as_ref().map(StoredKey::try_from).transpose()
}

/// Does with a key what time and state call for.
pub(crate) async fn run_key_timer(
    ctx: &Context,
    key: &AccessKeyId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = read_key(ctx, key).await? else { return Ok(()) };
    // Boxed, each: else the one future has room for all of them at once.
    match stored.due_action(now) {
        DueAction::Nothing => Ok(()),
        DueAction::CheckConfirmation => see_whether_confirmed(ctx, &stored, now).boxed().await,
        DueAction::CheckLastUse => see_whether_used(ctx, &stored, now).boxed().await,
        DueAction::Remind => remind(ctx, &stored, now).boxed().await,
        DueAction::Expire => expire_or_postpone(ctx, &stored, now).boxed().await,
        DueAction::CheckOldKeyIdle => check_old_key_idle(ctx, &stored, now).boxed().await,
        DueAction::Deactivate(why) => deactivate_key(ctx, &stored, why, now).boxed().await,
        DueAction::Delete(why) => delete_in_time(ctx, &stored, why, now).boxed().await,
        DueAction::ReassertInactive => {
            reassert_inactive(ctx, &stored).await?;
            // Its own time may have come meanwhile, too.
            Box::pin(run_key_timer(ctx, key, now)).await
        }
        DueAction::Activate => resume_activation(ctx, &stored, now).await,
        DueAction::RemindAboutSuspect => remind_about_suspect(ctx, &stored, now).boxed().await,
    }
}

/// Ten minutes after the seal: the tab confirmed, or it never did.
async fn see_whether_confirmed(ctx: &Context, stored: &StoredKey, now: Timestamp) -> Result<(), HandleError> {
    let Some(request) = StoredRequest::read(&ctx.tables, &stored.issued.request).await? else {
        return Ok(());
    };
    let ticket = match request.request.issued() {
        Some((_, tid)) => {
            import_ticket_events(ctx, tid, now).await?;
            read_ticket(ctx, tid).await?
        }
        None => None,
    };
    let ticket_writes = match &ticket {
        Some(ticket) => match &ticket.state {
            TicketState::Confirmed { .. } => return confirm(ctx, &stored.issued.key, now).await,
            TicketState::Sealed { .. } => vec![claim::unconfirmed(&ticket.tid, now)],
            TicketState::Pending
            | TicketState::Claimed(_)
            | TicketState::Locked
            | TicketState::Void
            | TicketState::Failed
            | TicketState::Unconfirmed(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    let next = IssuedKey { state: KeyState::Unconfirmed { since: now }, ..stored.issued.clone() };
    let happened = key_event(AuditEvent::KeyUnconfirmed, stored, []);
    update_key(ctx, stored, &next, happened, ticket_writes, Vec::new(), now).await?;
    recheck_last_use(ctx, &next.key, now).await
}

/// Whatever follows at once, without waiting for the next sweep.
async fn recheck_last_use(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> Result<(), HandleError> {
    match read_key(ctx, key).await? {
        Some(stored) if matches!(stored.issued.state, KeyState::Unconfirmed { .. }) => {
            see_whether_used(ctx, &stored, now).await
        }
        _ => Ok(()),
    }
}

/// A use shows that somebody received it. One that cannot be read shows nothing.
async fn see_whether_used(ctx: &Context, stored: &StoredKey, now: Timestamp) -> Result<(), HandleError> {
    let issued = &stored.issued;
    match ctx.lookup.last_used(&issued.account, &issued.key, now).await? {
        AccessKeyLastUsed::At { .. } => {
            let next = IssuedKey { state: KeyState::Confirmed, ..issued.clone() };
            let happened = key_event(AuditEvent::KeyConfirmed, stored, [("by", "its use".to_owned())]);
            let others = record_successor(ctx, &next, now).await?.into_iter().collect();
            update_key(ctx, stored, &next, happened, others, Vec::new(), now).await
        }
        AccessKeyLastUsed::Never | AccessKeyLastUsed::Unknown => {
            deactivate_key(ctx, stored, DeactivationReason::Unconfirmed, now).await
        }
    }
}

/// Has IAM switch it off, then says so in its item, the trail and to its requester.
pub(crate) async fn deactivate_key(
    ctx: &Context,
    stored: &StoredKey,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    // What somebody began is finished in their name.
    let by = stored.deactivation_mark.as_ref().map_or(EXPIRY, |off| off.by.as_str());
    take_off(ctx, issued, (issued.request.as_str(), by), why, now).await?;
    finish_deactivation(ctx, &issued.key, why, now).await
}

/// IAM switched it off: its item and the trail say so, and its requester is told; of a report the approvers, too.
pub(crate) async fn finish_deactivation(
    ctx: &Context,
    key: &AccessKeyId,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        // The mark that was just made is a change of its own.
        let Some(stored) = read_key(ctx, key).await? else { return Ok(()) };
        match settle_deactivation(ctx, &stored, why, now).boxed().await {
            // It changed meanwhile.
            Err(HandleError::RetryAfter(_)) => {}
            done => return done,
        }
    }
    Err(HandleError::RetryAfter(Duration::from_secs(1)))
}

async fn settle_deactivation(
    ctx: &Context,
    stored: &StoredKey,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    let why = stored.deactivation_mark.as_ref().map_or(why, |off| off.why);
    let press = stored.deactivation_mark.as_ref().and_then(|off| off.press.as_ref());
    let next = match why {
        DeactivationReason::Reported if issued.is_reported() => return Ok(()),
        DeactivationReason::Reported => issued.reported(press, now),
        DeactivationReason::Unconfirmed
        | DeactivationReason::Expired
        | DeactivationReason::UserRequested
        | DeactivationReason::Rotated
        | DeactivationReason::OwnerDeactivated => {
            if !issued.state.is_active() {
                return Ok(());
            }
            issued.key_deactivated(why, now)
        }
    };
    let happened = key_event(AuditEvent::KeyDeactivated, stored, [("why", why.as_str().to_owned())]);
    let to = next.requester.clone();
    let told = match (press, &stored.deactivation_mark) {
        (Some(_), Some(off)) => {
            let message = approval_card::text(&text::reported(&next, &off.by));
            let approvers = Notification::Approvers { message: message.clone() };
            vec![approvers, Notification::Direct { to, message }, Notification::Card]
        }
        (_, _) => {
            vec![Notification::Card, Notification::Direct { to, message: approval_card::off(&next, why) }]
        }
    };
    let others = stored.release_if_activating().into_iter().collect();
    update_key(ctx, stored, &next, happened, others, told, now).await
}

/// Somebody may have been switching the key on while it was deactivated: IAM is told once more.
async fn reassert_inactive(ctx: &Context, stored: &StoredKey) -> Result<(), HandleError> {
    let issued = &stored.issued;
    if !issued.state.is_active() {
        let policy =
            session_policy::write_policy(IamStep::Deactivate, &issued.account, &issued.path, &issued.user)?;
        let iam = ctx.sts.session(&issued.account, issued.request.as_str(), EXPIRY, policy).await?;
        iam.deactivate_access_key(&issued.user, &issued.key).await?;
    }
    let sure = IssuedKey { reassert_at: None, ..issued.clone() };
    match ctx.tables.write(vec![stored.update(&sure)?]).await {
        // It changed: what is due then is found again.
        Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// It was activated although it is to be off: IAM hears last that it is off.
pub(crate) async fn redo_deactivation(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let why = match (&stored.deactivation_mark, &stored.issued.state) {
        (Some(off), _) => off.why,
        (None, KeyState::Inactive { why, .. } | KeyState::Activating { why, .. }) => *why,
        (None, _) => DeactivationReason::UserRequested,
    };
    if stored.issued.state.is_active() {
        return deactivate_key(ctx, stored, why, now).await;
    }
    let issued = &stored.issued;
    Ok(take_off(ctx, issued, (issued.request.as_str(), EXPIRY), why, now).await?)
}

/// Its time is over: it is deleted, in the name of whoever began that, if somebody did.
async fn delete_in_time(
    ctx: &Context,
    stored: &StoredKey,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let by = match &stored.issued.state {
        KeyState::Deleting { by, .. } => by.clone(),
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Inactive { .. }
        | KeyState::Activating { .. }
        | KeyState::Active
        | KeyState::Deleted { .. }
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => EXPIRY.to_owned(),
    };
    delete_key(ctx, stored, (why, &by), now).await?;
    remove_description_of(ctx, &stored.issued, &by, now).await;
    Ok(())
}

/// Deletes a key that is off, under the IAM user's lease. Both the intent and the end are written down; what is cut
/// off between them, the timer does again.
pub(crate) async fn delete_key(
    ctx: &Context,
    stored: &StoredKey,
    (why, by): (DeactivationReason, &str),
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    // A key that was reported stays so.
    let reported =
        stored.deactivation_mark.as_ref().is_some_and(|off| off.why == DeactivationReason::Reported);
    let why = if reported { DeactivationReason::Reported } else { why };
    let holder = StoredKey::item_key(&issued.key);
    let deleting = IssuedKey { state: KeyState::Deleting { why, by: by.to_owned() }, ..issued.clone() };
    let lease = store::take_lease(&issued.account, &issued.user, &holder);
    match ctx.tables.write(vec![stored.update(&deleting)?, lease]).await {
        Ok(()) => {}
        // The lease is held, or the key changed: look again.
        Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => return Err(error.into()),
    }
    let policy = session_policy::write_policy(IamStep::Delete, &issued.account, &issued.path, &issued.user)?;
    let iam = ctx.sts.session(&issued.account, issued.request.as_str(), by, policy).await?;
    iam.delete_access_key(&issued.user, &issued.key).await?;
    let Some(stored) = read_key(ctx, &issued.key).await? else { return Ok(()) };
    // It may have been reported meanwhile.
    let KeyState::Deleting { why, .. } = stored.issued.state else { return Ok(()) };
    let next = IssuedKey { state: KeyState::Deleted { why, at: now }, ..stored.issued.clone() };
    let detail = [("key", next.key.to_string()), ("why", why.as_str().to_owned())];
    let happened = NewAuditEntry::new(AuditEvent::KeyDeleted, by, detail);
    let message = approval_card::text(&text::key_deleted(&next, why));
    let told = vec![Notification::Direct { to: next.requester.clone(), message }];
    let release = store::release_lease(&next.account, &next.user, &holder);
    update_key(ctx, &stored, &next, happened, vec![release], told, now).await
}

/// The description of a deleted key goes with it, after everybody has been answered.
pub(crate) async fn remove_description_of(ctx: &Context, issued: &IssuedKey, by: &str, now: Timestamp) {
    let described = Described {
        account: &issued.account,
        user: &issued.user,
        path: &issued.path,
        operation: issued.request.as_str(),
        by,
    };
    remove_descriptions(ctx, described, Some(&issued.key), now).boxed().await;
}

/// Writes a key's next state with its audit entry and what is told of it, if the key is still as it was read.
/// Whatever else happens to its request meanwhile is no reason to give up.
pub(crate) async fn update_key(
    ctx: &Context,
    stored: &StoredKey,
    next: &IssuedKey,
    happened: NewAuditEntry,
    others: Vec<Write>,
    notifications: Vec<Notification>,
    now: Timestamp,
) -> Result<(), HandleError> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(request) = StoredRequest::read(&ctx.tables, &next.request).await? else {
            return Err(anyhow::anyhow!("a key without the request that it came of").into());
        };
        let seen = RequestEvent::RecordTicketEvent { happened: happened.clone(), at: now, alert: false };
        let changed = request.request.apply(seen, "keyvend", now)?;
        let mut writes = vec![stored.update(next)?];
        writes.extend(others.iter().cloned());
        match commit(ctx, &request, changed, writes, notifications.clone()).await {
            Ok(saved) => {
                drain_outbox(ctx, saved).await;
                return Ok(());
            }
            Err(WriteError::Conflict(_)) => {
                if read_key(ctx, &next.key).await?.is_none_or(|found| !found.is_same(stored)) {
                    return Err(HandleError::RetryAfter(Duration::from_secs(1)));
                }
            }
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("a request changed too often for its key's end to be noted").into())
}

/// What the trail says of a key: by whoever began to switch it off, else by time alone.
pub(crate) fn key_event<const N: usize>(
    event: AuditEvent,
    stored: &StoredKey,
    detail: [(&str, String); N],
) -> NewAuditEntry {
    let by = stored.deactivation_mark.as_ref().map_or(EXPIRY, |off| off.by.as_str());
    let mut happened = NewAuditEntry::new(event, by, detail);
    happened.detail.insert("key".to_owned(), stored.issued.key.to_string());
    happened
}
