//! The ends of issuing without a key: none was created, for certain, or nobody knows.

use crate::domain::request::{Notification, RequestEvent, RequestState};
use crate::id::RunId;
use crate::render::{approval_card, text};
use crate::store::counters;
use crate::store::leases;
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::store::tickets;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::limits::may_mention;
use crate::worker::ops::issue_key::authorize_claim::IssueFailure;
use crate::worker::outbox::finish_claim;

/// Certainly no key was created: ticket FAILED, request back, lease released, count taken back, in one
/// transaction; then the requester is told which.
pub(crate) async fn abort_issuing(
    ctx: &Context,
    stored: StoredRequest,
    run: Option<&RunId>,
    failed: IssueFailure,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(tid) = stored.request.ticket().cloned() else { return Ok(()) };
    let asked = &stored.request.details;
    let mut others = vec![tickets::failed(&tid), TicketRef::remove_psk(&tid)];
    if let RequestState::Issuing(intent) = &stored.request.state {
        others.push(leases::release_lease(&asked.account, &asked.user, stored.request.id.as_str()));
        others.push(counters::decrement_daily_count(&asked.requester, intent.started_at));
    }
    let event = RequestEvent::AbortIssuing {
        run: run.cloned(),
        to: failed.to,
        why: failed.why,
        deleted: failed.deleted,
    };
    let next = stored.request.apply(event, "keyvend", now)?;
    let may_press_again = next.state == RequestState::Approved;
    let message = if may_press_again {
        approval_card::again(&failed.say, &next)
    } else {
        approval_card::text(&failed.say)
    };
    // Asked for while policy wanted no approval, it has no card, and gets one only if it has to be approved.
    let mut notifications = vec![
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() },
        Notification::UpdateCard,
    ];
    // A card that is drawn again calls nobody; one that is posted does.
    if next.card.is_some() && next.state == RequestState::Pending {
        let what = format!("{}.again", next.id);
        let mention = may_mention(ctx, &next.details.requester, &what, now).await?;
        let mention = mention.then_some(&ctx.config.approvers);
        let message = approval_card::text(&text::asked_again(&next, mention));
        notifications.push(Notification::ThreadReply { message: message.into() });
    }
    finish_claim(ctx, &stored, next, others, notifications).await
}

/// `CreateAccessKey` gave no answer. It is never repeated under this intent, and the lease stays.
pub(crate) async fn mark_ambiguous(
    ctx: &Context,
    stored: StoredRequest,
    run: &RunId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(tid) = stored.request.ticket().cloned() else { return Ok(()) };
    let next = stored.request.apply(RequestEvent::CreateTimedOut { run: run.clone() }, "keyvend", now)?;
    let others = vec![tickets::failed(&tid), TicketRef::remove_psk(&tid)];
    let message = approval_card::text(&text::ambiguous(&next));
    let notifications = vec![
        Notification::UpdateCard,
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.clone().into() },
        Notification::ApprovalsChannel { message: message.into() },
    ];
    finish_claim(ctx, &stored, next, others, notifications).await
}
