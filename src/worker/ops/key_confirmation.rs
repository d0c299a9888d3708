//! Ten minutes after a key was delivered: it was confirmed, it was used, or it is deactivated.

use crate::domain::audit::AuditEvent;
use crate::domain::iam::AccessKeyLastUsed;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::domain::ticket::claim::TicketState;
use crate::id::AccessKeyId;
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::store::tickets;
use crate::store::tickets::read_ticket;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::confirm_key::confirm;
use crate::worker::ops::deactivate_key::deactivate_key;
use crate::worker::ops::key_expiry::record_successor;
use crate::worker::ops::key_in_iam::with_last_use;
use crate::worker::ops::key_record::{key_event, update_key};
use crate::worker::ops::ticket_outbox::import_ticket_events;

/// Ten minutes after the seal: the tab confirmed, or it never did.
pub(crate) async fn check_confirmation(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(request) = StoredRequest::read(&ctx.tables, &stored.issued.request).await? else {
        return Ok(());
    };
    let ticket = match request.request.issued() {
        Some((_, tid)) => {
            import_ticket_events(ctx, tid, now).await?;
            read_ticket(&ctx.tables, tid).await?
        }
        None => None,
    };
    let ticket_writes = match &ticket {
        Some(ticket) => match &ticket.state {
            TicketState::Confirmed { .. } => return confirm(ctx, &stored.issued.key, now).await,
            TicketState::Sealed { .. } => vec![tickets::unconfirmed(&ticket.tid, now)],
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
    match StoredKey::read(&ctx.tables, key).await? {
        Some(stored) if matches!(stored.issued.state, KeyState::Unconfirmed { .. }) => {
            check_last_use(ctx, &stored, now).await
        }
        _ => Ok(()),
    }
}

/// A use shows that somebody received it. One that cannot be read shows nothing.
pub(crate) async fn check_last_use(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some((stored, last_used)) = with_last_use(ctx, stored, now).await? else { return Ok(()) };
    let (stored, issued) = (&stored, &stored.issued);
    match last_used {
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
