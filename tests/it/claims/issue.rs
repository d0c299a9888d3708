//! The worker's way from a claim to a sealed key, call by call, as in src/worker/ops/issue_key.rs.

use keyvend::aws::item::Write;
use keyvend::domain::key::IssuedKey;
use keyvend::domain::person::Person;
use keyvend::domain::request::{AbortOutcome, IssueIntent, KeyRequest, RequestEvent, RequestState};
use keyvend::domain::ticket::claim::{ClaimHolder, TicketState};
use keyvend::id::{AccessKeyId, RunId};
use keyvend::store::counters;
use keyvend::store::freeze;
use keyvend::store::keys::StoredKey;
use keyvend::store::leases;
use keyvend::store::ticket_refs::TicketRef;
use keyvend::store::tickets;

use crate::claims::calls::{Fate, NotWritten};
use crate::claims::fixtures::{self, ALICE, COUNT, LINKS, USER};
use crate::claims::state::Message;
use crate::claims::tables::Row;
use crate::claims::worker::{HandleError, MAX_CONFLICT_RETRIES, Worker};

/// As in src/worker/ops/issue_key.rs.
pub const CLAIM_LIFE: i64 = 180;

/// What `CreateAccessKey` came to.
enum Created {
    Key(AccessKeyId),
    Refused,
    NoAnswer,
}

impl Worker {
    /// `issue`
    pub async fn issue(&self, message: Message) -> Result<(), HandleError> {
        let Some(row) = self.import_ticket_events(message.link).await? else { return Ok(()) };
        let own = &LINKS[message.link].tid;
        match &row.request.state {
            RequestState::Issuing(intent) if intent.tid == *own => {
                let intent = intent.clone();
                self.finish(row, intent).await
            }
            RequestState::LinkIssued { tid } if tid == own => self.begin(row, message).await,
            _ => Ok(()),
        }
    }

    /// `finish`; that its holder has until its deadline is left to the transition.
    pub async fn finish(&self, row: Row, intent: IssueIntent) -> Result<(), HandleError> {
        let run = self.new_run();
        let take_over = RequestEvent::ResumeIssuing { run: run.clone(), until: self.until() };
        let next = row.request.apply(take_over, "keyvend", self.now).map_err(|_| HandleError)?;
        let row = self.save(&row, next, Vec::new()).await?;
        match intent.created {
            Some(key) => {
                self.delete_own(&key).await?;
                self.fail(row, Some(&run), AbortOutcome::Approved, Some(key)).await
            }
            None => self.unanswered(row, &run).await,
        }
    }

    /// `begin`
    async fn begin(&self, row: Row, message: Message) -> Result<(), HandleError> {
        if row.request.is_expired(self.now) {
            return self.expire_ticket(&row).await;
        }
        let Some(ticket) = self.read_ticket(message.link).await? else { return Ok(()) };
        let TicketState::Claimed(claimed) = &ticket.state else { return Ok(()) };
        if claimed.attempt != message.attempt {
            return Ok(());
        }
        if self.now.since(claimed.at) > CLAIM_LIFE {
            return self.fail(row, None, AbortOutcome::Approved, None).await;
        }
        if self.read_link(message.link).await? != Some(true) {
            return self.fail(row, None, AbortOutcome::Approved, None).await;
        }
        let issued_today = self.issued_today().await?;
        if let Some(to) = self.unauthorized() {
            return self.fail(row, None, to, None).await;
        }
        self.create_and_seal(row, message.link, claimed, issued_today).await
    }

    /// `counters::issued_today`
    async fn issued_today(&self) -> Result<u32, HandleError> {
        let item = self.calls.get(keyvend::aws::item::Table::Requests, &COUNT).await?;
        let issued = item.map_or(0, |item| keyvend::aws::item::number(&item, "issued").unwrap());
        Ok(u32::try_from(issued).unwrap())
    }

    /// `create_and_seal`
    async fn create_and_seal(
        &self,
        row: Row,
        link: usize,
        claimed: &ClaimHolder,
        issued_today: u32,
    ) -> Result<(), HandleError> {
        let (row, run) = self.intend(&row, link, claimed, issued_today).await?;
        let key = match self.create_key().await {
            Created::Key(key) => key,
            Created::NoAnswer => return self.unanswered(row, &run).await,
            Created::Refused => return self.fail(row, Some(&run), AbortOutcome::Approved, None).await,
        };
        match self.record_and_seal(row, &run, claimed, &key).await {
            Ok(saved) => {
                self.flush(saved).await;
                Ok(())
            }
            Err(HandleError) => self.unsealed(&run, key).await,
        }
    }

    /// `unsealed`
    async fn unsealed(&self, run: &RunId, key: AccessKeyId) -> Result<(), HandleError> {
        let found = self.calls.get_request().await?;
        match &found.request.state {
            RequestState::Issued { key: sealed, .. } if *sealed == key => {
                self.flush(found).await;
                Ok(())
            }
            RequestState::Issuing(intent) if intent.invocation == *run => {
                self.delete_own(&key).await?;
                self.fail(found, Some(run), AbortOutcome::Approved, Some(key)).await
            }
            _ => {
                self.delete_own(&key).await?;
                Err(HandleError)
            }
        }
    }

    /// `intend`
    async fn intend(
        &self,
        row: &Row,
        link: usize,
        claimed: &ClaimHolder,
        issued_today: u32,
    ) -> Result<(Row, RunId), HandleError> {
        let run = self.new_run();
        let intent = IssueIntent {
            tid: LINKS[link].tid.clone(),
            invocation: run.clone(),
            started_at: self.now,
            deadline: self.until(),
            path: USER.path.clone(),
            existing_keys: Vec::new(),
            created: None,
        };
        let event = RequestEvent::StartIssuing { intent, browser: claimed.browser.to_string() };
        let next = row.request.apply(event, &ALICE.to_string(), self.now).map_err(|_| HandleError)?;
        let others = vec![
            leases::take_lease(&USER.account, &USER.name, row.request.id.as_str()),
            tickets::assert_claimed(&LINKS[link].tid, claimed.attempt),
            freeze::not_frozen(),
            counters::increment_daily_count(&ALICE, self.now, issued_today),
        ];
        Ok((self.save(row, next, others).await?, run))
    }

    /// `create_key`: the SDK makes this call once, whatever it hears.
    async fn create_key(&self) -> Created {
        if self.luck.aws_refuses() {
            self.calls.act("AWS refuses to create a key", |_, _| {}).await;
            return Created::Refused;
        }
        let mut created = None;
        let fate = self.calls.act("creates a key", |stage, fate| {
            if fate != Fate::Unreachable {
                created = Some(stage.keys.create());
            }
        });
        match (fate.await, created) {
            (Fate::Done, Some(key)) => Created::Key(key),
            _ => Created::NoAnswer,
        }
    }

    /// `record_and_seal`
    async fn record_and_seal(
        &self,
        row: Row,
        run: &RunId,
        claimed: &ClaimHolder,
        key: &AccessKeyId,
    ) -> Result<Row, HandleError> {
        let Some(tid) = row.request.ticket().cloned() else { return Err(HandleError) };
        let created = RequestEvent::Created { run: run.clone(), key: key.clone() };
        let row = self.holding(row, &created, |_| Vec::new()).await?;
        let sealing = RequestEvent::Seal { run: run.clone() };
        let with = |next: &KeyRequest| {
            vec![
                tickets::sealed(&tid, claimed.attempt, fixtures::sealed_key(&claimed.key, key), self.now),
                StoredKey::create(&IssuedKey::from_request(
                    next,
                    &Person::unknown(ALICE.clone()),
                    &USER,
                    key,
                    self.now,
                ))
                .unwrap(),
                TicketRef::remove_psk(&tid),
                leases::release_lease(&USER.account, &USER.name, next.id.as_str()),
            ]
        };
        self.holding(row, &sealing, with).await
    }

    /// `holding`
    async fn holding(
        &self,
        mut row: Row,
        event: &RequestEvent,
        with: impl Fn(&KeyRequest) -> Vec<Write>,
    ) -> Result<Row, HandleError> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let next = row.request.apply(event.clone(), "keyvend", self.now).map_err(|_| HandleError)?;
            let others = with(&next);
            match self.save(&row, next, others).await {
                Ok(saved) => return Ok(saved),
                Err(NotWritten::Lost) => row = self.calls.get_request().await?,
                Err(NotWritten::Fault) => return Err(HandleError),
            }
        }
        Err(HandleError)
    }

    /// `fail`
    pub async fn fail(
        &self,
        row: Row,
        run: Option<&RunId>,
        to: AbortOutcome,
        deleted: Option<AccessKeyId>,
    ) -> Result<(), HandleError> {
        let Some(tid) = row.request.ticket().cloned() else { return Ok(()) };
        let mut others = vec![tickets::failed(&tid), TicketRef::remove_psk(&tid)];
        if let RequestState::Issuing(intent) = &row.request.state {
            others.push(leases::release_lease(&USER.account, &USER.name, row.request.id.as_str()));
            others.push(counters::decrement_daily_count(&ALICE, intent.started_at));
        }
        let event = RequestEvent::AbortIssuing { run: run.cloned(), to, why: "failed", deleted };
        let next = row.request.apply(event, "keyvend", self.now).map_err(|_| HandleError)?;
        self.end(&row, next, others).await
    }

    /// `end`
    async fn end(&self, row: &Row, next: KeyRequest, others: Vec<Write>) -> Result<(), HandleError> {
        let saved = self.save(row, next, others).await?;
        self.flush(saved).await;
        Ok(())
    }

    /// `unanswered`
    async fn unanswered(&self, row: Row, run: &RunId) -> Result<(), HandleError> {
        let Some(tid) = row.request.ticket().cloned() else { return Ok(()) };
        let no_answer = RequestEvent::CreateTimedOut { run: run.clone() };
        let next = row.request.apply(no_answer, "keyvend", self.now).map_err(|_| HandleError)?;
        self.end(&row, next, vec![tickets::failed(&tid), TicketRef::remove_psk(&tid)]).await
    }

    /// `delete_own`
    async fn delete_own(&self, key: &AccessKeyId) -> Result<(), HandleError> {
        Ok(self.calls.elsewhere("deletes its key", |stage| stage.keys.delete(key)).await?)
    }

    fn new_run(&self) -> RunId {
        let mut stage = self.calls.stage.borrow_mut();
        stage.runs += 1;
        RunId::of([0, 0, 0, 0, 0, 0, 0, 0, 0, stage.runs])
    }
}
