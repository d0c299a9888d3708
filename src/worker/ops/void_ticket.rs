//! Voids the link that a request has, as part of another write.

use crate::aws::item::Write;
use crate::domain::ticket::claim::TicketState;
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::store::tickets;
use crate::store::tickets::read_ticket;
use crate::worker::context::Context;

/// The writes that withdraw whatever link a waiting request has, as part of its end.
pub(crate) async fn void_ticket(ctx: &Context, stored: &StoredRequest) -> anyhow::Result<Vec<Write>> {
    let Some(tid) = stored.request.ticket() else { return Ok(Vec::new()) };
    Ok(match read_ticket(&ctx.tables, tid).await?.map(|ticket| ticket.state) {
        Some(TicketState::Pending | TicketState::Locked) => {
            vec![tickets::void(tid), TicketRef::remove_psk(tid)]
        }
        Some(TicketState::Claimed(_)) => vec![tickets::void_claimed(tid), TicketRef::remove_psk(tid)],
        Some(
            TicketState::Void
            | TicketState::Failed
            | TicketState::Sealed { .. }
            | TicketState::Confirmed { .. }
            | TicketState::Unconfirmed(_),
        )
        | None => Vec::new(),
    })
}
