//! Voids the link that a request has, as part of another write.

use crate::aws::item::Write;
use crate::domain::ticket::claim::{self, TicketState};
use crate::store::{StoredRequest, TicketRef};
use crate::worker::context::Context;
use crate::worker::records::read_ticket;

/// The writes that withdraw whatever link a waiting request has, as part of its end.
pub(crate) async fn void_ticket(ctx: &Context, stored: &StoredRequest) -> anyhow::Result<Vec<Write>> {
    let Some(tid) = stored.request.ticket() else { return Ok(Vec::new()) };
    Ok(match read_ticket(ctx, tid).await?.map(|ticket| ticket.state) {
        Some(TicketState::Pending | TicketState::Locked) => {
            vec![claim::void(tid), TicketRef::remove_psk(tid)]
        }
        Some(TicketState::Claimed(_)) => vec![claim::void_claimed(tid), TicketRef::remove_psk(tid)],
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
