//! Taking a request back, and ending one whose time ran out: any link it has is withdrawn in the same transaction.

use super::decide::carried;
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::claim::{self, StoredTicket, TicketState};
use crate::id::{RequestId, TicketId};
use crate::inbound::Message;
use crate::item::{Table, Write};
use crate::request::{Event, Telling, Unfit};
use crate::store::{Link, Stored};
use crate::time::Timestamp;
use crate::words;

/// How often a lost race is run again before the message is.
pub(super) const RACES: usize = 5;

impl Worker {
    pub(super) async fn cancel(
        &self,
        message: &Message,
        request: Option<&RequestId>,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let id = match request {
            Some(id) => id.clone(),
            None => {
                let open: Vec<RequestId> = self
                    .newest(&message.person)
                    .await?
                    .into_iter()
                    .filter(|stored| stored.request.waits() && !stored.request.is_expired(now))
                    .map(|stored| stored.request.id)
                    .collect();
                match open.as_slice() {
                    [] => return Ok(self.answer(message, now, words::NOTHING_TO_CANCEL).await?),
                    [only] => only.clone(),
                    several => {
                        return Ok(self.answer(message, now, &words::which_to_cancel(several)).await?);
                    }
                }
            }
        };
        self.cancel_request(message, &id, now).await
    }

    pub(super) async fn cancel_by_button(
        &self,
        message: &Message,
        value: &str,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        if let Some((id, revision)) = carried(value)
            && let Some(stored) = Stored::read(&self.dynamo, &id).await?
        {
            if revision == stored.request.requesters_revision() {
                return self.cancel_request(message, &id, now).await;
            }
            return Ok(self.turn_away(message, &stored, now).await?);
        }
        Ok(self.answer(message, now, words::UNKNOWN_BUTTON).await?)
    }

    async fn cancel_request(&self, message: &Message, id: &RequestId, now: Timestamp) -> Result<(), NotDone> {
        for _ in 0..RACES {
            let Some(stored) = Stored::read(&self.dynamo, id).await? else {
                return Ok(self.answer(message, now, &words::no_such_request(id)).await?);
            };
            if stored.request.asked.requester != message.person {
                return Ok(self.answer(message, now, &words::no_such_request(id)).await?);
            }
            match stored.request.apply(Event::Cancel, &message.person.to_string(), now) {
                Ok(next) => {
                    let voided = self.void_ticket(&stored).await?;
                    match self.commit(&stored, next, voided, vec![Telling::Card]).await {
                        Ok(saved) => {
                            let told = self.answer(message, now, &words::cancelled(&saved.request)).await;
                            self.flush(saved).await;
                            return Ok(told?);
                        }
                        Err(WriteError::Lost(_)) => {}
                        Err(WriteError::Fault(fault)) => return Err(fault.into()),
                    }
                }
                Err(Unfit::Expired) => self.lapse(&stored, now).await?,
                Err(Unfit::MovedOn | Unfit::AlreadyApproved | Unfit::NotEligible | Unfit::Replaced) => {
                    return Ok(self.answer(message, now, &words::standing(&stored.request)).await?);
                }
            }
        }
        Err(anyhow::anyhow!("a request changed too often to be cancelled").into())
    }

    /// Ends a request whose time ran out, and tells. Somebody else may have been first.
    pub(super) async fn lapse(&self, stored: &Stored, now: Timestamp) -> anyhow::Result<()> {
        let Ok(next) = stored.request.apply(Event::Lapse, "keyvend", now) else { return Ok(()) };
        let voided = self.void_ticket(stored).await?;
        let message = card::text(&words::lapsed(&next));
        let tellings = vec![Telling::Card, Telling::Direct { to: next.asked.requester.clone(), message }];
        match self.commit(stored, next, voided, tellings).await {
            Ok(saved) => {
                self.flush(saved).await;
                Ok(())
            }
            Err(WriteError::Lost(_)) => Ok(()),
            Err(WriteError::Fault(fault)) => Err(fault),
        }
    }

    /// The ticket, as it is now.
    pub(super) async fn read_ticket(&self, tid: &TicketId) -> anyhow::Result<Option<StoredTicket>> {
        let item = self.dynamo.get(Table::Tickets, tid.as_str(), None).await?;
        Ok(item.as_ref().map(StoredTicket::try_from).transpose()?)
    }

    /// The writes that withdraw whatever link a waiting request has, as part of its end.
    pub(super) async fn void_ticket(&self, stored: &Stored) -> anyhow::Result<Vec<Write>> {
        let Some(tid) = stored.request.ticket() else { return Ok(Vec::new()) };
        Ok(match self.read_ticket(tid).await?.map(|ticket| ticket.state) {
            Some(TicketState::Pending | TicketState::Locked) => vec![claim::void(tid), Link::forget_psk(tid)],
            Some(TicketState::Claimed(_)) => vec![claim::void_claimed(tid), Link::forget_psk(tid)],
            Some(
                TicketState::Void
                | TicketState::Failed
                | TicketState::Sealed { .. }
                | TicketState::Acked { .. }
                | TicketState::Lapsed(_),
            )
            | None => Vec::new(),
        })
    }
}
