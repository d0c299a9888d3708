//! The end of a key draws near, or another took its place: reminders, the guard for keys in use, and the question whether
//! an old key that is not used any more can go.

use crate::aws::WriteError;
use crate::aws::item::Write;
use crate::domain::audit::AuditEvent;
use crate::domain::iam::AccessKeyLastUsed;
use crate::domain::key::{
    DeactivationReason, ExpiryDecision, IssuedKey, MAX_POSTPONEMENTS, PostponeReason, Postponement,
    Reminders, Successor,
};
use crate::domain::request::Notification;
use crate::id::{AccessKeyId, PersonId};
use crate::render::approval_card::{self, KeyAction};
use crate::render::text;
use crate::store::keys::StoredKey;
use crate::time::{DAY, Timestamp};
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::ops::deactivate_key::deactivate_key;
use crate::worker::ops::key_in_iam::with_last_use;
use crate::worker::ops::key_record::{key_event, update_key};

/// Its requester is reminded. Whether that was delivered is noted when Slack took it.
pub(crate) async fn remind(ctx: &Context, stored: &StoredKey, now: Timestamp) -> Result<(), HandleError> {
    let Some((stored, last_used)) = with_last_use(ctx, stored, now).await? else { return Ok(()) };
    let stored = &drop_inactive_successor(ctx, stored).await?;
    let issued = &stored.issued;
    let next = issued.with_reminder_sent(now);
    let happened =
        key_event(AuditEvent::KeyExpiryReminderSent, stored, [("end", issued.expires_at.rfc3339())]);
    let offers: &[KeyAction] = if issued.successor.is_some() {
        &[KeyAction::Retire]
    } else {
        &[KeyAction::Extend, KeyAction::Renew]
    };
    let reminder = Notification::ExpiryReminder {
        to: issued.requester.clone(),
        key: issued.key.clone(),
        end: issued.expires_at,
        message: approval_card::about_key(
            &text::expires_soon(issued, &last_used),
            (&issued.key, &issued.user),
            offers,
        )
        .into(),
    };
    update_key(ctx, stored, &next, happened, Vec::new(), vec![reminder], now).await
}

/// Slack took a reminder. One of an end that was moved since says nothing of the present one.
pub(crate) async fn note_delivered(
    ctx: &Context,
    key: &AccessKeyId,
    end: Timestamp,
    now: Timestamp,
) -> anyhow::Result<()> {
    note(ctx, key, |issued| {
        let is_noted = issued.expires_at != end || issued.reminders.delivered_at.is_some();
        let reminders = Reminders { delivered_at: Some(now), ..issued.reminders };
        (!is_noted).then(|| IssuedKey { reminders, ..issued.clone() })
    })
    .await
}

/// The same of the notice of a postponement.
pub(crate) async fn note_postponement_notified(
    ctx: &Context,
    key: &AccessKeyId,
    end: Timestamp,
    now: Timestamp,
) -> anyhow::Result<()> {
    note(ctx, key, |issued| {
        let postponement = issued.postponement.filter(|_| issued.expires_at == end)?;
        let noted = Postponement { notified_at: Some(now), ..postponement };
        postponement.notified_at.is_none().then(|| IssuedKey { postponement: Some(noted), ..issued.clone() })
    })
    .await
}

/// Writes to a key's item what was delivered, unless there is nothing to note.
async fn note(
    ctx: &Context,
    key: &AccessKeyId,
    next: impl Fn(&IssuedKey) -> Option<IssuedKey>,
) -> anyhow::Result<()> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(stored) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
        let Some(next) = next(&stored.issued) else { return Ok(()) };
        match ctx.tables.write(vec![stored.update(&next)?]).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("a key changed too often for its notice to be noted")
}

/// Its time ran out: it is deactivated, unless it is in use and that would take somebody by surprise.
pub(crate) async fn expire_or_postpone(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some((stored, last_used)) = with_last_use(ctx, stored, now).await? else { return Ok(()) };
    let (stored, issued) = (&stored, &stored.issued);
    if !issued.can_postpone(&last_used, now) {
        return deactivate_key(ctx, stored, DeactivationReason::Expired, now).await;
    }
    let offset = timezone_offset(ctx, &issued.requester).await?;
    let (postponement, unready) = match issued.expiry_decision(offset, now) {
        ExpiryDecision::Deactivate => {
            return deactivate_key(ctx, stored, DeactivationReason::Expired, now).await;
        }
        ExpiryDecision::Postpone(postponement, unready) => (postponement, unready),
    };
    if postponement.times > MAX_POSTPONEMENTS {
        tracing::error!(times = postponement.times, "key in use cannot expire without notice");
    }
    let next = IssuedKey { postponement: Some(postponement), ..issued.clone() };
    let why = match unready {
        PostponeReason::Unreminded => "unreminded",
        PostponeReason::OutOfHours => "out of hours",
    };
    let detail = [
        ("why", why.to_owned()),
        ("until", postponement.new_deadline.rfc3339()),
        ("times", postponement.times.to_string()),
    ];
    let happened = key_event(AuditEvent::KeyExpiryPostponed, stored, detail);
    let sentence = text::postponement(issued, &last_used, postponement, unready);
    let notice = Notification::PostponementNotice {
        key: issued.key.clone(),
        end: issued.expires_at,
        message: approval_card::about_key(&sentence, (&issued.key, &issued.user), &[KeyAction::Deactivate])
            .into(),
    };
    update_key(ctx, stored, &next, happened, Vec::new(), vec![notice], now).await
}

/// How far somebody's clock is ahead of UTC, in seconds. Of whoever left, Slack says nothing.
async fn timezone_offset(ctx: &Context, person: &PersonId) -> anyhow::Result<i64> {
    match slack_client(ctx).await?.user_info(&person.user).await {
        Ok(user) => Ok(user.tz_offset.unwrap_or(0)),
        Err(error) if error.is_about_unknown_person() => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Another took its place: once it is not used any more, whoever asked for the other is asked about it, once. Before
/// its end it is never deactivated by itself.
pub(crate) async fn check_old_key_idle(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    let Some(successor) = &issued.successor else { return Ok(()) };
    if !is_managed_key_active(ctx, &successor.key).await? {
        // Nothing takes its place any more.
        let next = IssuedKey { successor: None, ..issued.clone() };
        return try_to_replace(ctx, stored, &next).await;
    }
    let Some((stored, last_used)) = with_last_use(ctx, stored, now).await? else { return Ok(()) };
    let (stored, issued) = (&stored, &stored.issued);
    let Some(successor) = &issued.successor else { return Ok(()) };
    if !successor.is_idle(&last_used, now) {
        let look_at = Some(Timestamp(now.0 + DAY));
        let next = with_successor(issued, Successor { check_at: look_at, ..successor.clone() });
        return try_to_replace(ctx, stored, &next).await;
    }
    let next = with_successor(issued, Successor { check_at: None, ..successor.clone() });
    let last_use = match &last_used {
        AccessKeyLastUsed::Never => "never".to_owned(),
        AccessKeyLastUsed::Unknown => "unknown".to_owned(),
        AccessKeyLastUsed::At { at, .. } => at.rfc3339(),
    };
    let detail = [("successor", successor.key.to_string()), ("last_used", last_use)];
    let happened = key_event(AuditEvent::KeyIdleQuestionSent, stored, detail);
    let sentence = text::quiet(issued, successor, &last_used);
    let message = approval_card::about_key(&sentence, (&issued.key, &issued.user), &[KeyAction::Retire]);
    let told = vec![Notification::DirectMessage { to: successor.requester.clone(), message: message.into() }];
    update_key(ctx, stored, &next, happened, Vec::new(), told, now).await
}

/// A write of the key's own item alone, which somebody else may have been before with: what is due then is found again.
async fn try_to_replace(ctx: &Context, stored: &StoredKey, next: &IssuedKey) -> Result<(), HandleError> {
    match ctx.tables.write(vec![stored.update(next)?]).await {
        Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Whether a key that keyvend issued is on.
async fn is_managed_key_active(ctx: &Context, key: &AccessKeyId) -> anyhow::Result<bool> {
    Ok(StoredKey::read(&ctx.tables, key).await?.is_some_and(|found| found.issued.state.is_active()))
}

/// The key without a successor that is not on any more.
pub(crate) async fn drop_inactive_successor(ctx: &Context, stored: StoredKey) -> anyhow::Result<StoredKey> {
    match &stored.issued.successor {
        Some(successor) if !is_managed_key_active(ctx, &successor.key).await? => Ok(stored.clear_successor()),
        Some(_) | None => Ok(stored),
    }
}

/// The write that notes, with the key that took another's place being confirmed, that it did.
pub(crate) async fn record_successor(
    ctx: &Context,
    confirmed: &IssuedKey,
    now: Timestamp,
) -> anyhow::Result<Option<Write>> {
    let Some(old) = &confirmed.replaces else { return Ok(None) };
    let Some(stored) = StoredKey::read(&ctx.tables, old).await? else { return Ok(None) };
    if !stored.issued.state.is_active() || stored.issued.successor.is_some() {
        return Ok(None);
    }
    let successor = Successor {
        key: confirmed.key.clone(),
        requester: confirmed.requester.clone(),
        confirmed_at: now,
        check_at: Some(Timestamp(now.0 + DAY)),
    };
    stored.update(&with_successor(&stored.issued, successor)).map(Some)
}

fn with_successor(issued: &IssuedKey, successor: Successor) -> IssuedKey {
    IssuedKey { successor: Some(successor), ..issued.clone() }
}
