//! `CreateAccessKey` was asked and nobody heard the answer. It is never repeated; IAM, whose lists lag, is looked at four
//! times. A key that may have come of it is deactivated and asked about, and deleted only when a person says so.

use futures_util::future::try_join_all;

use crate::aws::WriteError;
use crate::aws::session_policy::{self, IamStep};
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::AccessKey;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState, StoredKey};
use crate::domain::request::{AmbiguousCreate, Notification, RequestEvent, RequestState};
use crate::facts::NoSuchUser;
use crate::id::AccessKeyId;
use crate::policy::{Delete, KeyFacts};
use crate::render::approval_card;
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::keys::note_on_key;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::facts;
use crate::worker::interactions::review::approves_now;
use crate::worker::limits::{Barred, barred, refuse_barred};
use crate::worker::notify::answer;
use crate::worker::outbox::{commit, drain_outbox};
use crate::worker::timers::key::{EXPIRY, delete_key, read_key, remove_description_of, update_key};

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
        let policy = session_policy::write_policy(
            IamStep::Deactivate,
            &asked.account,
            &doubt.intent.path,
            &asked.user,
        )?;
        let iam = ctx.sts.session(&asked.account, stored.request.id.as_str(), EXPIRY, policy).await?;
        iam.deactivate_access_key(&asked.user, &key.id).await?;
    }
    let suspects: Vec<AccessKeyId> = found.iter().map(|key| key.id.clone()).collect();
    let next = stored.request.apply(RequestEvent::Rechecked { suspects }, EXPIRY, now)?;
    let mut others = Vec::new();
    let mut notifications = Vec::new();
    for key in &found {
        let suspect = IssuedKey::suspect_from_request(&next, &doubt.intent.path, key, now);
        others.push(suspect.create()?);
        notifications.push(Notification::Approvers { message: approval_card::suspect(&suspect) });
    }
    if next.state == RequestState::Approved {
        let all: Vec<&AccessKeyId> =
            doubt.suspect_keys.iter().chain(found.iter().map(|key| &key.id)).collect();
        others.push(store::release_lease(&asked.account, &asked.user, next.id.as_str()));
        if all.is_empty() {
            // For certain no key came of it.
            others.push(store::decrement_daily_count(&asked.requester, doubt.intent.started_at));
        }
        let message = approval_card::again(&text::doubt_settled(&next, &all), &next);
        notifications.push(Notification::Direct { to: asked.requester.clone(), message });
        notifications.push(Notification::Card);
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
        let recorded = read_key(ctx, &key.id).await?.is_some();
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
        NewAuditEntry::new(AuditEvent::KeySuspectReminderSent, EXPIRY, [("key", next.key.to_string())]);
    let told = vec![Notification::Approvers { message: approval_card::suspect(&next) }];
    update_key(ctx, stored, &next, happened, Vec::new(), told, now).await
}

/// Somebody says whether a suspect came of the request. Whoever may delete the IAM user's keys may say so. A no is in
/// the trail of the request.
pub(crate) async fn review_suspect(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    ours: bool,
    now: Timestamp,
) -> Result<(), HandleError> {
    let found = match value.parse() {
        Ok(key) => read_key(ctx, &key).await?,
        Err(_) => None,
    };
    let barred = barred(ctx, &message.person).await?;
    let stored = match (found, barred) {
        (Some(stored), Some(Barred { why, .. }))
            if matches!(stored.issued.state, KeyState::Suspect { .. }) =>
        {
            note_on_key(ctx, message, &stored, AuditEvent::KeySuspectAnswerDenied, now).await?;
            return Ok(answer(ctx, message, now, &why).await?);
        }
        (_, Some(barred)) => return refuse_barred(ctx, message, barred, now).await,
        (Some(stored), None) => stored,
        (None, None) => return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?),
    };
    let issued = &stored.issued;
    let KeyState::Suspect { .. } = issued.state else {
        return Ok(answer(ctx, message, now, &text::suspect_settled(issued)).await?);
    };
    let Ok(policies) = &ctx.policies else {
        return Ok(answer(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    let slack = slack_client(ctx).await?;
    let subject = (&issued.account, &issued.user);
    let no = match facts(ctx, &slack, &message.person, subject, (&[], None), now).await? {
        Ok(facts) => {
            let denied =
                policies.authorize(&facts.requester, Delete(KeyFacts::from(issued)), &facts.iam_user).err();
            denied.map(|denial| text::refused(&denial.advice, ctx.config.help_channel.as_ref()))
        }
        // There is no IAM user that policy could be asked about: then those may who approve now.
        Err(NoSuchUser) if approves_now(ctx, &slack, &message.person).await? => None,
        Err(NoSuchUser) => Some(text::ONLY_APPROVERS_ANSWER.to_owned()),
    };
    if let Some(no) = no {
        note_on_key(ctx, message, &stored, AuditEvent::KeySuspectAnswerDenied, now).await?;
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let done = if ours {
        delete_key(ctx, &stored, (DeactivationReason::UserRequested, &message.person.to_string()), now).await
    } else {
        let next = IssuedKey { state: KeyState::NotOurs { by: message.person.clone() }, ..issued.clone() };
        let happened =
            NewAuditEntry::new(AuditEvent::KeyNotOurs, &message.person, [("key", next.key.to_string())]);
        update_key(ctx, &stored, &next, happened, Vec::new(), Vec::new(), now).await
    };
    done?;
    let Some(StoredKey { issued, .. }) = read_key(ctx, &issued.key).await? else { return Ok(()) };
    let text = text::suspect_settled(&issued);
    answer(ctx, message, now, &text).await?;
    if ours {
        remove_description_of(ctx, &issued, &message.person.to_string(), now).await;
    }
    Ok(())
}
