//! `CreateAccessKey` was asked and nobody heard the answer. It is never repeated; IAM, whose lists lag, is looked at four
//! times. A key that may have come of it is deactivated and asked about, and deleted only when a person says so.

use futures_util::FutureExt as _;
use futures_util::future::try_join_all;

use crate::aws::WriteError;
use crate::aws::session_policy::IamStep;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::AccessKey;
use crate::domain::key::{IssuedKey, KeyState};
use crate::domain::request::{AmbiguousCreate, Notification, RequestEvent, RequestState};
use crate::id::AccessKeyId;
use crate::render::{approval_card, text};
use crate::store::counters;
use crate::store::keys::StoredKey;
use crate::store::leases;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::key_in_iam::{KeyAt, step_on_key};
use crate::worker::ops::key_record::{ACTOR_EXPIRY, update_key};
use crate::worker::outbox::{commit, drain_outbox};

/// How far IAM's clock and ours may be apart, in seconds.
const APART: i64 = 60;

/// One of the four looks, if it is time for it.
pub(crate) async fn recheck_ambiguous_create(
    ctx: &Context,
    stored: StoredRequest,
    doubt: &AmbiguousCreate,
    now: Timestamp,
) -> Result<(), HandleError> {
    if doubt.look_at().is_none_or(|look_at| now < look_at) {
        return Ok(());
    }
    let asked = stored.request.details.clone();
    let found = suspects(ctx, &stored, doubt, now).await?;
    for key in &found {
        let at = KeyAt {
            account: &asked.account,
            user: &asked.user,
            path: &doubt.intent.path,
            key: &key.id,
            created_at: Some(key.create_date),
        };
        let session = (stored.request.id.as_str(), ACTOR_EXPIRY);
        step_on_key(ctx, IamStep::Deactivate, at, session, now).boxed().await?;
    }
    let suspects: Vec<AccessKeyId> = found.iter().map(|key| key.id.clone()).collect();
    let next = stored.request.apply(RequestEvent::Rechecked { suspects }, ACTOR_EXPIRY, now)?;
    let mut others = Vec::new();
    let mut notifications = Vec::new();
    for key in &found {
        let suspect = IssuedKey::suspect_from_request(&next, &doubt.intent.path, key, now);
        others.push(StoredKey::create(&suspect)?);
        notifications
            .push(Notification::ApprovalsChannel { message: approval_card::suspect(&suspect).into() });
    }
    if next.state == RequestState::Approved {
        let all: Vec<&AccessKeyId> =
            doubt.suspect_keys.iter().chain(found.iter().map(|key| &key.id)).collect();
        others.push(leases::release_lease(&asked.account, &asked.user, next.id.as_str()));
        if all.is_empty() {
            // Certainly no key was created.
            others.push(counters::decrement_daily_count(&asked.requester, doubt.intent.started_at));
        }
        let message = approval_card::again(&text::doubt_settled(&next, &all), &next);
        notifications
            .push(Notification::DirectMessage { to: asked.requester.clone(), message: message.into() });
        notifications.push(Notification::UpdateCard);
    }
    match commit(ctx, &stored, next, others, notifications).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        // It changed: what is due then is found again.
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Keys that were not there before, that nobody recorded, and that were made while the answer was awaited.
async fn suspects(
    ctx: &Context,
    stored: &StoredRequest,
    doubt: &AmbiguousCreate,
    now: Timestamp,
) -> anyhow::Result<Vec<AccessKey>> {
    let asked = &stored.request.details;
    let window = doubt.intent.started_at.0 - APART..=doubt.since.0 + APART;
    let keys = ctx.lookup.keys(&asked.account, &asked.user, now).await?;
    let new = keys.into_iter().filter(|key| {
        window.contains(&key.create_date.0)
            && !doubt.intent.existing_keys.contains(&key.id)
            && !doubt.suspect_keys.contains(&key.id)
    });
    let unrecorded = try_join_all(new.map(|key| async move {
        let recorded = StoredKey::read(&ctx.tables, &key.id).await?.is_some();
        anyhow::Ok((!recorded).then_some(key))
    }));
    Ok(unrecorded.await?.into_iter().flatten().collect())
}

/// Once a day, until somebody answers.
pub(crate) async fn remind_about_suspect(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let next = IssuedKey { state: KeyState::Suspect { asked_at: now }, ..stored.issued.clone() };
    let happened =
        NewAuditEntry::new(AuditEvent::KeySuspectReminderSent, ACTOR_EXPIRY, [("key", next.key.to_string())]);
    let told = vec![Notification::ApprovalsChannel { message: approval_card::suspect(&next).into() }];
    update_key(ctx, stored, &next, happened, Vec::new(), told, now).await
}
