//! **Get my key**, call by call, as in src/worker/interactions/get_key.rs: a link in place of the one before.

use std::time::Duration;

use keyvend::aws::item::{Item, Table, Write};
use keyvend::domain::request::{RequestEvent, RequestState};
use keyvend::domain::ticket::claim::TicketState;
use keyvend::store::ticket_refs::TicketRef;
use keyvend::store::tickets;

use crate::claims::calls::NotWritten;
use crate::claims::fixtures::{self, ALICE, LINK_LIFE, LINKS};
use crate::claims::tables::Row;
use crate::claims::worker::{HandleError, MAX_CONFLICT_RETRIES, Worker};

/// What becomes of a link that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    Seen,
    SeenUnheard,
    NotSeen,
}

impl Worker {
    /// `get_key`. Every link is another of the pinned ones; there are no more presses than links.
    pub async fn get_key(&self) -> Result<(), HandleError> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let Some((row, replaced)) = self.ensure_collectable().await? else { return Ok(()) };
            let Some((link, wants_code)) = self.next_link() else { return Ok(()) };
            let tid = &LINKS[link].tid;
            let event = RequestEvent::IssueLink { tid: tid.clone() };
            let Ok(next) = row.request.apply(event, &ALICE.to_string(), self.now) else { continue };
            let expires_at = self.now + Duration::from_secs(LINK_LIFE.unsigned_abs());
            let mut writes = vec![
                Write::Put {
                    table: Table::Tickets,
                    item: tickets::new_item(&fixtures::ticket_of(link, wants_code, expires_at), expires_at),
                    condition: "attribute_not_exists(tid)",
                    values: Item::new(),
                },
                TicketRef::create(tid, &row.request.id, &LINKS[link].psk, expires_at),
            ];
            writes.extend(replaced);
            match self.save(&row, next, writes).await {
                Ok(saved) => return self.deliver_link(saved, link).await,
                Err(NotWritten::Lost) => {}
                Err(NotWritten::Fault) => return Err(HandleError),
            }
        }
        Err(HandleError)
    }

    fn next_link(&self) -> Option<(usize, bool)> {
        let mut stage = self.calls.stage.borrow_mut();
        let link = stage.made;
        if link == LINKS.len() {
            return None;
        }
        stage.made += 1;
        Some((link, stage.wants_code))
    }

    /// `ensure_collectable`
    async fn ensure_collectable(&self) -> Result<Option<(Row, Vec<Write>)>, HandleError> {
        let row = self.calls.get_request().await?;
        if row.request.is_expired(self.now) {
            self.expire_ticket(&row).await?;
            return Ok(None);
        }
        let RequestState::LinkIssued { tid } = &row.request.state else {
            let approved = matches!(row.request.state, RequestState::Approved);
            return Ok(approved.then_some((row, Vec::new())));
        };
        let ticket = self.read_ticket(fixtures::link_of(tid)).await?;
        let replaced = match ticket.as_deref().map(|ticket| &ticket.state) {
            Some(TicketState::Claimed(_)) => return Ok(None),
            Some(TicketState::Pending | TicketState::Locked) => {
                vec![tickets::void(tid), TicketRef::remove_psk(tid)]
            }
            _ => Vec::new(),
        };
        Ok(Some((row, replaced)))
    }

    /// `deliver_link`: the mail and the button are one call here.
    async fn deliver_link(&self, saved: Row, link: usize) -> Result<(), HandleError> {
        let luck = self.luck.shown();
        let heard = self.calls.elsewhere("shows the link", |stage| {
            if luck != Showing::NotSeen && !stage.shown.contains(&link) {
                stage.shown.push(link);
            }
        });
        if heard.await.is_ok() && luck == Showing::Seen {
            self.flush(saved).await;
            return Ok(());
        }
        let tid = LINKS[link].tid.clone();
        let gone = RequestEvent::TicketVoided { tid: tid.clone(), why: "not-shown" };
        let Ok(next) = saved.request.apply(gone, "keyvend", self.now) else { return Ok(()) };
        match self.save(&saved, next, vec![tickets::void(&tid), TicketRef::remove_psk(&tid)]).await {
            Ok(saved) => {
                self.flush(saved).await;
                Ok(())
            }
            Err(NotWritten::Lost) => Ok(()),
            Err(NotWritten::Fault) => Err(HandleError),
        }
    }
}
