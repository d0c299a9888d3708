//! An invocation of the worker, call by call: what its handlers do to a request and its tickets around a claim. What
//! they look up elsewhere, and what AWS and Slack say, the schedule decides.

use std::rc::Rc;

use keyvend::aws::item::{Item, Table, Write, text};
use keyvend::domain::audit::{AuditEvent, NewAuditEntry};
use keyvend::domain::denial::DenialReason;
use keyvend::domain::key::{DueAction, IssuedKey, KeyState};
use keyvend::domain::request::{AbortOutcome, KeyRequest, RequestEvent, RequestState, ReviewSnapshot};
use keyvend::domain::ticket::claim::{self, StoredTicket, TicketEventKind, TicketState};
use keyvend::id::AccessKeyId;
use keyvend::queue::ClaimEvent;
use keyvend::slack::command::Reason;
use keyvend::store::keys::StoredKey;
use keyvend::store::ticket_refs::TicketRef;
use keyvend::store::tickets;
use keyvend::time::Timestamp;

use crate::claims::calls::{Calls, Fault, NotWritten};
use crate::claims::fixtures::{self, ALICE, BOB, LINKS, REQUEST_LIFE, USER};
use crate::claims::get_key::Showing;
use crate::claims::state::Message;
use crate::claims::tables::Row;

/// As in src/worker/context.rs.
pub const MAX_CONFLICT_RETRIES: usize = 5;
/// How long an invocation has, in seconds.
pub const LIFE: i64 = 30;
/// What a message or a person asks of the worker. A new one is a name here, a handler below, its place among those that
/// a schedule picks ([`Task::OFTEN`]), and its arrows in rules.rs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// **Get my key**: a link, in place of the one before.
    Press,
    Cancel,
    Deny,
    Approve,
    /// The request's timer.
    Timer,
    /// The ticket's timer.
    Raise,
    /// The key's timer.
    CheckConfirmation,
    /// A message on queue `claims`.
    Message(Message),
}

impl Task {
    /// Of what people and timers ask, as often as it shall be asked.
    pub const OFTEN: [Self; 16] = [
        Self::Press,
        Self::Press,
        Self::Press,
        Self::Press,
        Self::Press,
        Self::Press,
        Self::CheckConfirmation,
        Self::Timer,
        Self::Timer,
        Self::Timer,
        Self::Raise,
        Self::Raise,
        Self::Approve,
        Self::Deny,
        Self::Cancel,
        Self::Cancel,
    ];
}

/// What policy, AWS, SES and Slack say to an invocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Luck(pub usize);

impl Luck {
    /// Whether one time in so many, by its digit.
    fn hits(self, digit: u32, one_in: usize) -> bool {
        (self.0 >> digit) % one_in == one_in - 1
    }

    /// Whether the message dies with this receive.
    pub fn last_receive(self) -> bool {
        self.hits(0, 4)
    }

    fn policy_refuses(self) -> bool {
        self.hits(2, 16)
    }

    fn approvals_lack(self) -> bool {
        self.hits(6, 16)
    }

    fn no_session(self) -> bool {
        self.hits(10, 16)
    }

    pub fn aws_refuses(self) -> bool {
        self.hits(14, 16)
    }

    pub fn shown(self) -> Showing {
        match (self.0 >> 2) % 8 {
            6 => Showing::SeenUnheard,
            7 => Showing::NotSeen,
            _ => Showing::Seen,
        }
    }
}

/// Why a message is not done: it comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleError;

impl From<Fault> for HandleError {
    fn from(_: Fault) -> Self {
        Self
    }
}

impl From<NotWritten> for HandleError {
    fn from(_: NotWritten) -> Self {
        Self
    }
}

/// An invocation.
#[derive(Clone)]
pub struct Worker {
    pub calls: Calls,
    pub now: Timestamp,
    pub luck: Luck,
}

impl Worker {
    pub fn until(&self) -> Timestamp {
        Timestamp(self.now.0 + LIFE)
    }

    /// Does what is asked, or not: nobody waits for it.
    pub async fn work(self, task: Task) {
        let done = match task {
            Task::Press => self.get_key().await,
            Task::Cancel => self.cancel().await,
            Task::Deny => self.decide(false).await,
            Task::Approve => self.decide(true).await,
            Task::Timer => self.look_at().await,
            Task::Raise => self.raise().await,
            Task::CheckConfirmation => self.check_confirmation().await,
            Task::Message(message) => self.on_claims(message).await,
        };
        if done.is_err() {
            self.calls.stage.borrow_mut().tell(|| format!("{}: not done", self.calls.who));
        }
    }

    async fn on_claims(&self, message: Message) -> Result<(), HandleError> {
        match message.event {
            ClaimEvent::Claimed => {
                let done = Box::pin(self.issue(message)).await;
                if done.is_err() && self.luck.last_receive() {
                    self.give_up(message).await?;
                }
                done
            }
            ClaimEvent::Confirmed => self.acknowledged(message).await,
            ClaimEvent::Misused => self.import_ticket_events(message.link).await.map(drop),
        }
    }

    /// `read_ticket`
    pub async fn read_ticket(&self, link: usize) -> Result<Option<Rc<StoredTicket>>, Fault> {
        let item = self.calls.get(Table::Tickets, LINKS[link].tid.as_str()).await?;
        Ok(item.map(|item| self.calls.stage.borrow_mut().ticket(link, &item)))
    }

    /// Whether the link leads anywhere, and whether its sealing key is still there.
    pub async fn read_link(&self, link: usize) -> Result<Option<bool>, Fault> {
        let item = self.calls.get(Table::Requests, &LINKS[link].key).await?;
        Ok(item.map(|item| item.contains_key("psk")))
    }

    /// `Stored::save`
    pub async fn save(&self, row: &Row, next: KeyRequest, others: Vec<Write>) -> Result<Row, NotWritten> {
        let next = Rc::new(next);
        let saved = Row { request: Rc::clone(&next), version: row.version + 1 };
        let Err(error) = self.calls.write(Some((row.clone(), next)), others).await else { return Ok(saved) };
        match self.calls.get_request().await {
            Ok(found) if found == saved => Ok(saved),
            Ok(_) => Err(error),
            Err(Fault) => Err(NotWritten::Fault),
        }
    }

    /// `flush`, of its audit entries.
    pub async fn flush(&self, row: Row) -> Row {
        if matches!(row.request.state, RequestState::Issuing(_)) || row.request.chain.outbox.is_empty() {
            return row;
        }
        let mut next = (*row.request).clone();
        for entry in &row.request.chain.outbox {
            let inserted = self.calls.elsewhere("inserts an audit entry", |stage| {
                let there = stage.audit.entry(entry.seq).or_insert_with(|| entry.clone()).clone();
                stage.must(there == *entry, || format!("the audit chain forks: {there:?} and {entry:?}"));
            });
            match inserted.await {
                Ok(()) => next.chain.remove_inserted(entry.seq),
                Err(Fault) => break,
            }
        }
        if next == *row.request {
            return row;
        }
        self.save(&row, next, Vec::new()).await.unwrap_or(row)
    }

    /// `import_ticket_events`
    pub async fn import_ticket_events(&self, link: usize) -> Result<Option<Row>, HandleError> {
        if self.read_link(link).await?.is_none() {
            return Ok(None);
        }
        for _ in 0..MAX_CONFLICT_RETRIES {
            let row = self.calls.get_request().await?;
            let ticket = self.read_ticket(link).await?.filter(|ticket| !ticket.outbox.is_empty());
            let Some(ticket) = ticket else { return Ok(Some(self.flush(row).await)) };
            let next = self.seen(&row, &ticket);
            let taken = tickets::clear_outbox(&ticket.tid, ticket.outbox.len());
            match self.save(&row, next, vec![taken]).await {
                Ok(saved) => return Ok(Some(self.flush(saved).await)),
                Err(NotWritten::Lost) => {}
                Err(NotWritten::Fault) => return Err(HandleError),
            }
        }
        Err(HandleError)
    }

    /// `take_events`
    fn seen(&self, row: &Row, ticket: &StoredTicket) -> KeyRequest {
        let mut next = (*row.request).clone();
        for event in &ticket.outbox {
            let (name, alert) = match event.what {
                TicketEventKind::Claimed => (AuditEvent::LinkClaimed, false),
                TicketEventKind::Confirmed => (AuditEvent::LinkConfirmed, false),
                TicketEventKind::Misused => (AuditEvent::LinkReused, true),
                TicketEventKind::Locked => (AuditEvent::LinkLocked, true),
            };
            let detail = [("tid", ticket.tid.to_string()), ("attempt", event.attempt.to_string())];
            let mut happened = NewAuditEntry::new(name, "reveal", detail);
            let at = event.at.min(self.now).max(next.chain.last_appended_at);
            if at != event.at {
                happened.detail.insert("reported_at".to_owned(), event.at.0.to_string());
            }
            next = next
                .apply(RequestEvent::RecordTicketEvent { happened, at, alert }, "reveal", self.now)
                .unwrap();
        }
        next
    }

    async fn acknowledged(&self, message: Message) -> Result<(), HandleError> {
        let Some(row) = self.import_ticket_events(message.link).await? else { return Ok(()) };
        let RequestState::Issued { key, tid, .. } = &row.request.state else { return Ok(()) };
        if *tid != LINKS[message.link].tid {
            return Ok(());
        }
        self.confirm(key).await
    }

    /// `read_key`
    async fn read_key(&self, key: &AccessKeyId) -> Result<Option<StoredKey>, Fault> {
        let item = self.calls.get(Table::Requests, &StoredKey::item_key(key)).await?;
        Ok(item.map(|item| StoredKey::try_from(&*item).unwrap()))
    }

    /// `confirm`
    async fn confirm(&self, key: &AccessKeyId) -> Result<(), HandleError> {
        let Some(stored) = self.read_key(key).await? else { return Ok(()) };
        if stored.issued.state != KeyState::Delivered {
            return Ok(());
        }
        let next = IssuedKey { state: KeyState::Confirmed, ..stored.issued.clone() };
        match self.calls.write(None, vec![stored.update(&next).unwrap()]).await {
            Ok(()) => Ok(()),
            // It is judged again on what is there then.
            Err(NotWritten::Lost | NotWritten::Fault) => Err(HandleError),
        }
    }

    /// `check_confirmation`
    async fn check_confirmation(&self) -> Result<(), HandleError> {
        let row = self.calls.get_request().await?;
        let RequestState::Issued { key, tid, .. } = &row.request.state else { return Ok(()) };
        let link = fixtures::link_of(tid);
        let Some(stored) = self.read_key(key).await? else { return Ok(()) };
        if stored.due_action(self.now) != DueAction::CheckConfirmation {
            return Ok(());
        }
        self.import_ticket_events(link).await?;
        let events = match self.read_ticket(link).await?.as_deref().map(|ticket| &ticket.state) {
            Some(TicketState::Confirmed { .. }) => return self.confirm(key).await,
            Some(TicketState::Sealed { .. }) => vec![tickets::unconfirmed(tid, self.now)],
            _ => Vec::new(),
        };
        let next = IssuedKey { state: KeyState::Unconfirmed { since: self.now }, ..stored.issued.clone() };
        self.change_key(&stored, &next, &events).await
    }

    /// `change_key`
    async fn change_key(
        &self,
        stored: &StoredKey,
        next: &IssuedKey,
        others: &[Write],
    ) -> Result<(), HandleError> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let row = self.calls.get_request().await?;
            let happened = NewAuditEntry::new(
                AuditEvent::KeyUnconfirmed,
                "keyvend.expiry",
                [("key", next.key.to_string())],
            );
            let seen = RequestEvent::RecordTicketEvent { happened, at: self.now, alert: false };
            let changed = row.request.apply(seen, "keyvend", self.now).unwrap();
            let writes = [vec![stored.update(next).unwrap()], others.to_vec()].concat();
            match self.save(&row, changed, writes).await {
                Ok(saved) => {
                    self.flush(saved).await;
                    return Ok(());
                }
                Err(NotWritten::Lost) => {
                    if self.read_key(&next.key).await?.is_none_or(|found| !found.is_same(stored)) {
                        return Err(HandleError);
                    }
                }
                Err(NotWritten::Fault) => return Err(HandleError),
            }
        }
        Err(HandleError)
    }

    /// `void_ticket`
    async fn void_ticket(&self, row: &Row) -> Result<Vec<Write>, Fault> {
        let Some(tid) = row.request.ticket() else { return Ok(Vec::new()) };
        Ok(match self.read_ticket(fixtures::link_of(tid)).await?.as_deref().map(|ticket| &ticket.state) {
            Some(TicketState::Pending | TicketState::Locked) => {
                vec![tickets::void(tid), TicketRef::remove_psk(tid)]
            }
            Some(TicketState::Claimed(_)) => vec![tickets::void_claimed(tid), TicketRef::remove_psk(tid)],
            _ => Vec::new(),
        })
    }

    /// As `expire_request`.
    pub async fn expire_ticket(&self, row: &Row) -> Result<(), HandleError> {
        let Ok(next) = row.request.apply(RequestEvent::Expire, "keyvend", self.now) else { return Ok(()) };
        let voided = self.void_ticket(row).await?;
        match self.save(row, next, voided).await {
            Ok(saved) => {
                self.flush(saved).await;
                Ok(())
            }
            Err(NotWritten::Lost) => Ok(()),
            Err(NotWritten::Fault) => Err(HandleError),
        }
    }

    /// `cancel_request`
    async fn cancel(&self) -> Result<(), HandleError> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let row = self.calls.get_request().await?;
            if row.request.is_expired(self.now) {
                self.expire_ticket(&row).await?;
                continue;
            }
            let Ok(next) = row.request.apply(RequestEvent::Cancel, &ALICE.to_string(), self.now) else {
                return Ok(());
            };
            let voided = self.void_ticket(&row).await?;
            match self.save(&row, next, voided).await {
                Ok(saved) => {
                    self.flush(saved).await;
                    return Ok(());
                }
                Err(NotWritten::Lost) => {}
                Err(NotWritten::Fault) => return Err(HandleError),
            }
        }
        Err(HandleError)
    }

    /// `decide`, of a click that policy allows.
    async fn decide(&self, approve: bool) -> Result<(), HandleError> {
        let press = fixtures::REQUEST.id.clone();
        for _ in 0..MAX_CONFLICT_RETRIES {
            let row = self.calls.get_request().await?;
            if row.request.is_expired(self.now) {
                self.expire_ticket(&row).await?;
                continue;
            }
            let (by, press) = (BOB.clone(), press.clone());
            let event = match approve {
                true => RequestEvent::Approve {
                    by,
                    press,
                    comment: None,
                    enough: true,
                    approved_ttl: REQUEST_LIFE,
                },
                false => {
                    RequestEvent::Deny { by, press, reason: Reason::try_from("not now".to_owned()).unwrap() }
                }
            };
            let Ok(next) = row.request.apply(event, &BOB.to_string(), self.now) else { return Ok(()) };
            let voided = if next.is_actionable() { Vec::new() } else { self.void_ticket(&row).await? };
            match self.save(&row, next, voided).await {
                Ok(saved) => {
                    self.flush(saved).await;
                    return Ok(());
                }
                Err(NotWritten::Lost) => {}
                Err(NotWritten::Fault) => return Err(HandleError),
            }
        }
        Err(HandleError)
    }

    /// `look_at`
    async fn look_at(&self) -> Result<(), HandleError> {
        let row = self.calls.get_request().await?;
        if let RequestState::Issuing(intent) = &row.request.state {
            let intent = intent.clone();
            return self.finish(row, intent).await;
        }
        let row = self.flush(row).await;
        if row.request.is_expired(self.now) {
            return self.expire_ticket(&row).await;
        }
        Ok(())
    }

    /// What a timer of claims may do at its worst: the claim's next attempt, and its message, whoever is at work.
    async fn raise(&self) -> Result<(), HandleError> {
        let row = self.calls.get_request().await?;
        let Some(link) = row.request.ticket().map(fixtures::link_of) else { return Ok(()) };
        let Some(ticket) = self.read_ticket(link).await? else { return Ok(()) };
        let TicketState::Claimed(claimed) = &ticket.state else { return Ok(()) };
        if claimed.attempt >= claim::ATTEMPTS {
            return Ok(());
        }
        let raised = tickets::increment_attempt(&ticket.tid, claimed.attempt, self.now);
        match self.calls.write(None, vec![raised]).await {
            // Whoever was before with it sent its message, or did not come to it.
            Ok(()) | Err(NotWritten::Lost) => {}
            Err(NotWritten::Fault) => return Err(HandleError),
        }
        let message = Message { link, event: ClaimEvent::Claimed, attempt: claimed.attempt + 1 };
        Ok(self.calls.elsewhere("queues claimed", |stage| stage.send(message)).await?)
    }

    /// `give_up`
    async fn give_up(&self, message: Message) -> Result<(), HandleError> {
        let Some(row) = self.import_ticket_events(message.link).await? else { return Ok(()) };
        if row.request.state != (RequestState::LinkIssued { tid: LINKS[message.link].tid.clone() }) {
            return Ok(());
        }
        self.fail(row, None, AbortOutcome::Approved, None).await
    }

    /// What becomes of a request that policy refuses, or that lacks approvals, at issuing.
    pub fn unauthorized(&self) -> Option<AbortOutcome> {
        if self.luck.policy_refuses() {
            return Some(AbortOutcome::Refused { reason: DenialReason::Policy { advice: Vec::new() } });
        }
        let shown = ReviewSnapshot::of(&USER, 1);
        let lack = AbortOutcome::Pending { shown, approvals: Vec::new(), ttl: REQUEST_LIFE };
        if self.luck.approvals_lack() {
            return Some(lack);
        }
        self.luck.no_session().then_some(AbortOutcome::Approved)
    }
}

/// The holder of the IAM user's lease, if any.
pub fn holder(item: Option<&Rc<Item>>) -> Option<&str> {
    item.and_then(|item| text(item, "holder").ok())
}
