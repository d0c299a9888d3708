//! What `reveal` did with a ticket: taken into the request's audit chain, and told where it must be.

use super::cancel::RACES;
use super::{ClaimMessage, NotDone, Worker};
use crate::audit::Happened;
use crate::aws::WriteError;
use crate::card;
use crate::claim::{self, StoredTicket, TicketEventKind};
use crate::id::{AccessKeyId, TicketId};
use crate::key::{IssuedKey, KeyState};
use crate::request::{Event, State, Telling};
use crate::store::{Link, Stored};
use crate::time::Timestamp;
use crate::words;

impl Worker {
    /// Takes a ticket's outbox into its request's chain; the request as it then stands, if there is one.
    pub(super) async fn take_in(&self, tid: &TicketId, now: Timestamp) -> Result<Option<Stored>, NotDone> {
        let Some(link) = Link::read(&self.dynamo, tid).await? else { return Ok(None) };
        for _ in 0..RACES {
            let Some(stored) = Stored::read(&self.dynamo, &link.request).await? else { return Ok(None) };
            let Some(ticket) = self.read_ticket(tid).await? else {
                return Ok(Some(self.flush(stored).await));
            };
            if ticket.outbox.is_empty() {
                return Ok(Some(self.flush(stored).await));
            }
            let (next, alerts) = take_events(&stored, &ticket, now)?;
            let to = &stored.request.asked.requester;
            let told = |alert: &String| Telling::Direct { to: to.clone(), message: card::text(alert) };
            let tellings = alerts.iter().map(told).collect();
            match self
                .commit(&stored, next, vec![claim::outbox_taken(tid, ticket.outbox.len())], tellings)
                .await
            {
                Ok(saved) => return Ok(Some(self.flush(saved).await)),
                Err(WriteError::Lost(_)) => {}
                Err(WriteError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(anyhow::anyhow!("a ticket changed too often to be taken in").into())
    }

    /// The tab has the key.
    pub(super) async fn acknowledged(&self, message: &ClaimMessage, now: Timestamp) -> Result<(), NotDone> {
        let Some(stored) = self.take_in(&message.tid, now).await? else { return Ok(()) };
        let State::Issued { key, tid, .. } = &stored.request.state else { return Ok(()) };
        if *tid != message.tid {
            return Ok(());
        }
        self.confirm(key, now).await
    }

    /// Its holder has it. One that lapsed before stays as it is.
    pub(super) async fn confirm(&self, key: &AccessKeyId, now: Timestamp) -> Result<(), NotDone> {
        for _ in 0..RACES {
            let Some(stored) = self.read_key(key).await? else { return Ok(()) };
            if stored.issued.state != KeyState::Delivered {
                return Ok(());
            }
            let next = IssuedKey { state: KeyState::Confirmed, ..stored.issued.clone() };
            let mut writes = vec![stored.replace(&next)?];
            writes.extend(self.succeed(&next, now).await?);
            match self.dynamo.write(writes).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Lost(_)) => {}
                Err(WriteError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(anyhow::anyhow!("a key changed too often to be confirmed").into())
    }
}

/// The request with the ticket's events in its chain, and what the requester must hear, once.
fn take_events(
    stored: &Stored,
    ticket: &StoredTicket,
    now: Timestamp,
) -> anyhow::Result<(crate::request::KeyRequest, Vec<String>)> {
    let mut next = stored.request.clone();
    let mut alerts = Vec::new();
    for event in &ticket.outbox {
        let sentence = match event.what {
            TicketEventKind::Misused => Some(words::misused(&next)),
            TicketEventKind::Locked => Some(words::locked(&next)),
            TicketEventKind::Claimed | TicketEventKind::Acknowledged => None,
        };
        let name = match event.what {
            TicketEventKind::Claimed => "claimed",
            TicketEventKind::Acknowledged => "revealed",
            TicketEventKind::Misused => "misused",
            TicketEventKind::Locked => "locked",
        };
        let alert = sentence.is_some();
        if !next.alerted {
            alerts.extend(sentence);
        }
        let detail = [("tid", ticket.tid.to_string()), ("attempt", event.attempt.to_string())];
        let mut happened = Happened::new(name, "reveal", detail);
        // `reveal` says when. It was not later than now, and not before what is in the chain already.
        let at = event.at.min(now).max(next.chain.grown_at);
        if at != event.at {
            happened.detail.insert("reported_at".to_owned(), event.at.0.to_string());
        }
        next = next.apply(Event::Seen { happened, at, alert }, "reveal", now)?;
    }
    Ok((next, alerts))
}
