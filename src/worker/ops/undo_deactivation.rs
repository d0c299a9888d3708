//! Undoes a deactivation: offered to the person who asked for it, by direct message alone, for a thief may choose where an
//! answer goes. It needs no approval, for it only restores what was approved; so what speaks against that is asked again.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::aws::session_policy::IamStep;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::{DeactivationUndo, IssuedKey, KeyState};
use crate::domain::request::{Notification, RequestEvent};
use crate::encoding::crockford_of;
use crate::id::{AccessKeyId, PersonId, RequestId};
use crate::policy::{Activate, Authorized, Deactivate, KeyFacts};
use crate::random::random;
use crate::render::{approval_card, text};
use crate::slack::receive::SlackEnvelope;
use crate::store::document::{StoredUndo, undo_pk};
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::store::{freeze, leases};
use crate::time::Timestamp;
use crate::worker::authorize::authorize_key_action;
use crate::worker::context::{Context, HandleError, LEASE_RETRY_DELAY, slack_client};
use crate::worker::ops::deactivate_key::redo_deactivation;
use crate::worker::ops::end_requests::end_requests_of_active_key;
use crate::worker::ops::key_in_iam::{KeyOutcome, end_gone, step_on_key};
use crate::worker::ops::key_record::update_key;
use crate::worker::ops::posted_messages::keep_until;
use crate::worker::outbox::{commit, drain_outbox};

/// The characters of a nonce, five random bits each.
const NONCE_LENGTH: usize = 25;

/// How the deactivation of a managed key can be taken back, where it can: `before` is how the key stood.
pub(crate) fn undo_of(
    message: &SlackEnvelope,
    before: &KeyState,
    stored: &StoredKey,
) -> Option<DeactivationUndo> {
    let issued = &stored.issued;
    let mark = stored.deactivation_mark.as_ref()?;
    let undo = DeactivationUndo {
        by: message.person.clone(),
        message: message.id.clone(),
        deactivated_at: mark.since,
        account: issued.account.clone(),
        user: issued.user.clone(),
        state: Some(before.clone()),
        nonces: Vec::new(),
        earlier: Vec::new(),
        pressed: None,
    };
    let was = IssuedKey { state: before.clone(), ..issued.clone() };
    (was.offers_undo(mark.why) && undo.is_of(Some(mark), &issued.state)).then_some(undo)
}

/// Sends the person who deactivated a key the button that undoes it: `new` of this deactivation, or what an earlier delivery of
/// the same message stored. Until when it can be pressed; none where it is not offered. Failing is only logged: the key is
/// off, and that must be said.
pub(crate) async fn offer_undo(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    new: Option<DeactivationUndo>,
    now: Timestamp,
) -> Option<Timestamp> {
    let offered = async {
        let stored = StoredUndo::read(&ctx.tables, &undo_pk(key)).await?;
        let undo = match (stored.document.clone(), new) {
            (Some(begun), _) if begun.message == message.id && begun.by == message.person => begun,
            (Some(before), Some(new)) => new.after(before),
            (None, Some(new)) => new,
            (_, None) => return Ok(None),
        };
        if undo.pressed.is_some() || now >= undo.until() {
            return Ok(None);
        }
        let nonce = crockford_of(&random::<16>()?, NONCE_LENGTH);
        let undo = undo.with_nonce(&nonce);
        let until = undo.until();
        let offer = approval_card::undo_offer(key, &undo, Some(&nonce));
        let kept = approval_card::undo_offer(key, &undo, None);
        ctx.tables.write(vec![stored.replace(&Some(undo))?]).await?;
        let place = slack_client(ctx).await?.post(message.person.user.as_str(), &offer).await?;
        keep_until(ctx, place, &kept, until).await;
        anyhow::Ok(Some(until))
    };
    match offered.await {
        Ok(until) => until,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "undo not offered");
            None
        }
    }
}

/// Takes back the deactivation of a managed key; or what to say instead.
pub(crate) async fn undo_managed(
    ctx: &Context,
    press: &RequestId,
    key: &AccessKeyId,
    (stored_undo, undo): (&StoredUndo, &DeactivationUndo),
    now: Timestamp,
) -> Result<Result<String, String>, HandleError> {
    let Some(stored) = StoredKey::read(&ctx.tables, key).await? else {
        return Ok(Err(text::KEY_GONE.to_owned()));
    };
    let issued = &stored.issued;
    if undo.pressed.as_ref() == Some(press) {
        // Delivered again: it goes on, or it was done.
        return match &issued.state {
            KeyState::Activating { by, .. } if by == press => finish_undo(ctx, &stored, undo, now).await,
            state if state.is_active() => Ok(Ok(text::undone(key))),
            _ => Ok(Err(text::changed_since(issued))),
        };
    }
    if !undo.is_of(stored.deactivation_mark.as_ref(), &issued.state) {
        return Ok(Err(text::changed_since(issued)));
    }
    if issued.expires_at <= now {
        return Ok(Err(text::past_end(key, issued.expires_at)));
    }
    let authorized = match authorize_undo(ctx, &undo.by, issued, now).boxed().await? {
        Ok(authorized) => authorized,
        Err(no) => return Ok(Err(no)),
    };
    let pressed = DeactivationUndo { pressed: Some(press.clone()), ..undo.clone() };
    if let Err(no) = begin_undo(ctx, &stored, (stored_undo, &pressed, press), &authorized, now).await? {
        return Ok(Err(no));
    }
    match StoredKey::read(&ctx.tables, key).await? {
        Some(begun) => finish_undo(ctx, &begun, &pressed, now).await,
        None => Ok(Err(text::KEY_GONE.to_owned())),
    }
}

/// Whether policy lets this person act on the key now, and its requester have it.
async fn authorize_undo(
    ctx: &Context,
    by: &PersonId,
    issued: &IssuedKey,
    now: Timestamp,
) -> anyhow::Result<Result<Authorized<Activate>, String>> {
    let (at, key) = ((&issued.account, &issued.user), KeyFacts::from(issued));
    let requester = &issued.requester;
    if by != requester
        && let Err(no) = authorize_key_action(ctx, by, at, Deactivate(key.clone()), now).await?
    {
        return Ok(Err(no));
    }
    Ok(match authorize_key_action(ctx, requester, at, Activate(key), now).await? {
        Ok((authorized, _)) => Ok(authorized),
        Err(no) if by == requester => Err(no),
        Err(no) => Err(text::requester_may_not(requester, &no)),
    })
}

/// Writes down that it is taken back, once, and that the key is to be active; or what to say instead.
async fn begin_undo(
    ctx: &Context,
    stored: &StoredKey,
    (stored_undo, pressed, press): (&StoredUndo, &DeactivationUndo, &RequestId),
    authorized: &Authorized<Activate>,
    now: Timestamp,
) -> Result<Result<(), String>, HandleError> {
    let issued = &stored.issued;
    let KeyState::Inactive { why, since } = issued.state else {
        return Ok(Err(text::changed_since(issued)));
    };
    let Some(request) = StoredRequest::read(&ctx.tables, &issued.request).await? else {
        return Err(anyhow::anyhow!("a key without the request that it came of").into());
    };
    let state = KeyState::Activating { by: press.clone(), end: issued.expires_at, why, since };
    let activating = IssuedKey { state, reassert_at: None, ..issued.clone() };
    let detail = [("key", issued.key.to_string()), ("user", authorized.at().to_string())];
    let happened = NewAuditEntry::new(AuditEvent::KeyActivating, &pressed.by, detail);
    let seen = RequestEvent::RecordTicketEvent { happened, at: now, alert: false };
    let next = request.request.apply(seen, "keyvend", now)?;
    let others = vec![
        stored.update_if_unmarked(&activating)?,
        stored_undo.replace(&Some(pressed.clone()))?,
        leases::take_lease(&issued.account, &issued.user, &StoredKey::item_key(&issued.key)),
        freeze::not_frozen(),
    ];
    match commit(ctx, &request, next, others, Vec::new()).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(Ok(()))
        }
        Err(WriteError::Conflict(_)) if freeze::is_frozen(&ctx.tables).await? => {
            Ok(Err(text::FROZEN_FOR_NOW.to_owned()))
        }
        // The lease is held, or something changed since it was read: look again.
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Has IAM activate the key, and then says so. Whoever deactivates it meanwhile changes the item, and wins.
async fn finish_undo(
    ctx: &Context,
    stored: &StoredKey,
    undo: &DeactivationUndo,
    now: Timestamp,
) -> Result<Result<String, String>, HandleError> {
    let issued = &stored.issued;
    let (KeyState::Activating { by: press, .. }, Some(state)) = (&issued.state, &undo.state) else {
        return Ok(Err(text::changed_since(issued)));
    };
    if stored.deactivation_mark.is_some() {
        redo_deactivation(ctx, stored, now).boxed().await?;
        return Ok(Err(text::off_already(&issued.key)));
    }
    let by = undo.by.to_string();
    let session = (press.as_str(), by.as_str());
    if step_on_key(ctx, IamStep::Activate, issued.into(), session, now).boxed().await? == KeyOutcome::Gone {
        end_gone(ctx, &issued.key, now).await?;
        return Ok(Err(text::KEY_GONE.to_owned()));
    }
    let next = IssuedKey { state: state.clone(), unproven: None, ..issued.clone() };
    let happened =
        NewAuditEntry::new(AuditEvent::KeyDeactivationUndone, &by, [("key", issued.key.to_string())]);
    let message = approval_card::text(&text::undone_by(&next, &undo.by)).into();
    let told =
        vec![Notification::UpdateCard, Notification::DirectMessage { to: issued.requester.clone(), message }];
    let release = leases::release_lease(&issued.account, &issued.user, &StoredKey::item_key(&issued.key));
    match update_key(ctx, stored, &next, happened, vec![release], told, now).await {
        Ok(()) => {
            end_requests_of_active_key(ctx, &next, now).await;
            Ok(Ok(text::undone(&issued.key)))
        }
        Err(HandleError::RetryAfter(_)) => match StoredKey::read(&ctx.tables, &issued.key).await? {
            Some(found) if found.is_same(stored) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
            // It was deactivated meanwhile: IAM hears last that it is off.
            Some(found) if found.deactivation_mark.is_some() || !found.issued.state.is_active() => {
                redo_deactivation(ctx, &found, now).boxed().await?;
                Ok(Err(text::off_already(&issued.key)))
            }
            Some(_) | None => Ok(Ok(text::undone(&issued.key))),
        },
        Err(error) => Err(error),
    }
}

/// One that was interrupted is judged again before it goes on: facts may have changed since.
pub(crate) async fn resume_undo(
    ctx: &Context,
    stored: &StoredKey,
    press: &RequestId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    let undo = StoredUndo::read(&ctx.tables, &undo_pk(&issued.key)).await?.document;
    let undo = undo.filter(|undo| undo.pressed.as_ref() == Some(press));
    let may = match &undo {
        Some(undo) if !freeze::is_frozen(&ctx.tables).await? => {
            authorize_undo(ctx, &undo.by, issued, now).boxed().await?.is_ok()
        }
        Some(_) | None => false,
    };
    match undo {
        Some(undo) if may => finish_undo(ctx, stored, &undo, now).await.map(drop),
        Some(_) | None => redo_deactivation(ctx, stored, now).await,
    }
}
