//! The worker's way from a claim to a sealed key, call by call, as in src/worker/issue.rs.

use keyvend::claim::{self, Claimed, TicketState};
use keyvend::id::{AccessKeyId, RunId};
use keyvend::item::Write;
use keyvend::key::IssuedKey;
use keyvend::request::{Event, Intent, KeyRequest, State, Withdrawn};
use keyvend::store::{self, Link};

use crate::claims::calls::{Fate, NotWritten};
use crate::claims::cast::{self, ALICE, COUNT, LINKS, USER};
use crate::claims::jobs::{NotDone, RACES, Worker};
use crate::claims::stage::Message;
use crate::claims::tables::Row;

/// As in src/worker/issue.rs.
pub const CLAIM_LIFE: i64 = 180;

/// What `CreateAccessKey` came to.
enum Created {
    Key(AccessKeyId),
    Refused,
    NoAnswer,
}

impl Worker {
    /// `Worker::issue`
    pub async fn issue(&self, message: Message) -> Result<(), NotDone> {
        let Some(row) = self.take_in(message.link).await? else { return Ok(()) };
        let own = &LINKS[message.link].tid;
        match &row.request.state {
            State::Issuing(intent) if intent.tid == *own => {
                let intent = intent.clone();
                self.finish(row, intent).await
            }
            State::Ticketed { tid } if tid == own => self.begin(row, message).await,
            _ => Ok(()),
        }
    }

    /// `Worker::finish`; that its holder has until its deadline is left to the transition.
    pub async fn finish(&self, row: Row, intent: Intent) -> Result<(), NotDone> {
        let run = self.new_run();
        let take_over = Event::TakeOver { run: run.clone(), until: self.until() };
        let next = row.request.apply(take_over, "keyvend", self.now).map_err(|_| NotDone)?;
        let row = self.save(&row, next, Vec::new()).await?;
        match intent.created {
            Some(key) => {
                self.delete_own(&key).await?;
                self.fail(row, Some(&run), Withdrawn::Approved, Some(key)).await
            }
            None => self.unanswered(row, &run).await,
        }
    }

    /// `Worker::begin`
    async fn begin(&self, row: Row, message: Message) -> Result<(), NotDone> {
        if row.request.is_expired(self.now) {
            return self.lapse(&row).await;
        }
        let Some(ticket) = self.read_ticket(message.link).await? else { return Ok(()) };
        let TicketState::Claimed(claimed) = &ticket.state else { return Ok(()) };
        if claimed.attempt != message.attempt {
            return Ok(());
        }
        if self.now.since(claimed.at) > CLAIM_LIFE {
            return self.fail(row, None, Withdrawn::Approved, None).await;
        }
        if self.read_link(message.link).await? != Some(true) {
            return self.fail(row, None, Withdrawn::Approved, None).await;
        }
        let issued_today = self.issued_today().await?;
        if let Some(to) = self.unauthorized() {
            return self.fail(row, None, to, None).await;
        }
        self.create_and_seal(row, message.link, claimed, issued_today).await
    }

    /// `store::issued_today`
    async fn issued_today(&self) -> Result<u32, NotDone> {
        let item = self.calls.get(keyvend::item::Table::Requests, &COUNT).await?;
        let issued = item.map_or(0, |item| keyvend::item::number(&item, "issued").unwrap());
        Ok(u32::try_from(issued).unwrap())
    }

    /// `Worker::create_and_seal`
    async fn create_and_seal(
        &self,
        row: Row,
        link: usize,
        claimed: &Claimed,
        issued_today: u32,
    ) -> Result<(), NotDone> {
        let (row, run) = self.intend(&row, link, claimed, issued_today).await?;
        let key = match self.create_key().await {
            Created::Key(key) => key,
            Created::NoAnswer => return self.unanswered(row, &run).await,
            Created::Refused => return self.fail(row, Some(&run), Withdrawn::Approved, None).await,
        };
        match self.record_and_seal(row, &run, claimed, &key).await {
            Ok(saved) => {
                self.flush(saved).await;
                Ok(())
            }
            Err(NotDone) => self.unsealed(&run, key).await,
        }
    }

    /// `Worker::unsealed`
    async fn unsealed(&self, run: &RunId, key: AccessKeyId) -> Result<(), NotDone> {
        let found = self.calls.get_request().await?;
        match &found.request.state {
            State::Issued { key: sealed, .. } if *sealed == key => {
                self.flush(found).await;
                Ok(())
            }
            State::Issuing(intent) if intent.run == *run => {
                self.delete_own(&key).await?;
                self.fail(found, Some(run), Withdrawn::Approved, Some(key)).await
            }
            _ => {
                self.delete_own(&key).await?;
                Err(NotDone)
            }
        }
    }

    /// `Worker::intend`
    async fn intend(
        &self,
        row: &Row,
        link: usize,
        claimed: &Claimed,
        issued_today: u32,
    ) -> Result<(Row, RunId), NotDone> {
        let run = self.new_run();
        let intent = Intent {
            tid: LINKS[link].tid.clone(),
            run: run.clone(),
            begun: self.now,
            until: self.until(),
            path: USER.path.clone(),
            keys_before: Vec::new(),
            created: None,
        };
        let event = Event::Begin { intent, browser: claimed.browser.to_string() };
        let next = row.request.apply(event, &ALICE.to_string(), self.now).map_err(|_| NotDone)?;
        let others = vec![
            store::take_lease(&USER.account, &USER.name, row.request.id.as_str()),
            claim::still_claimed(&LINKS[link].tid, claimed.attempt),
            store::not_frozen(),
            store::count_issued(&ALICE, self.now, issued_today),
        ];
        Ok((self.save(row, next, others).await?, run))
    }

    /// `Worker::create_key`: the SDK makes this call once, whatever it hears.
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

    /// `Worker::record_and_seal`
    async fn record_and_seal(
        &self,
        row: Row,
        run: &RunId,
        claimed: &Claimed,
        key: &AccessKeyId,
    ) -> Result<Row, NotDone> {
        let Some(tid) = row.request.ticket().cloned() else { return Err(NotDone) };
        let created = Event::Created { run: run.clone(), key: key.clone() };
        let row = self.holding(row, &created, |_| Vec::new()).await?;
        let sealing = Event::Seal { run: run.clone() };
        let with = |next: &KeyRequest| {
            vec![
                claim::sealed(&tid, claimed.attempt, cast::sealed_key(&claimed.key, key), self.now),
                IssuedKey::of(next, &USER, key, self.now).create().unwrap(),
                Link::forget_psk(&tid),
                store::release_lease(&USER.account, &USER.name, next.id.as_str()),
            ]
        };
        self.holding(row, &sealing, with).await
    }

    /// `Worker::holding`
    async fn holding(
        &self,
        mut row: Row,
        event: &Event,
        with: impl Fn(&KeyRequest) -> Vec<Write>,
    ) -> Result<Row, NotDone> {
        for _ in 0..RACES {
            let next = row.request.apply(event.clone(), "keyvend", self.now).map_err(|_| NotDone)?;
            let others = with(&next);
            match self.save(&row, next, others).await {
                Ok(saved) => return Ok(saved),
                Err(NotWritten::Lost) => row = self.calls.get_request().await?,
                Err(NotWritten::Fault) => return Err(NotDone),
            }
        }
        Err(NotDone)
    }

    /// `Worker::fail`
    pub async fn fail(
        &self,
        row: Row,
        run: Option<&RunId>,
        to: Withdrawn,
        deleted: Option<AccessKeyId>,
    ) -> Result<(), NotDone> {
        let Some(tid) = row.request.ticket().cloned() else { return Ok(()) };
        let mut others = vec![claim::failed(&tid), Link::forget_psk(&tid)];
        if let State::Issuing(intent) = &row.request.state {
            others.push(store::release_lease(&USER.account, &USER.name, row.request.id.as_str()));
            others.push(store::uncount_issued(&ALICE, intent.begun));
        }
        let event = Event::Withdraw { run: run.cloned(), to, why: "failed", deleted };
        let next = row.request.apply(event, "keyvend", self.now).map_err(|_| NotDone)?;
        self.end(&row, next, others).await
    }

    /// `Worker::end`
    async fn end(&self, row: &Row, next: KeyRequest, others: Vec<Write>) -> Result<(), NotDone> {
        let saved = self.save(row, next, others).await?;
        self.flush(saved).await;
        Ok(())
    }

    /// `Worker::unanswered`
    async fn unanswered(&self, row: Row, run: &RunId) -> Result<(), NotDone> {
        let Some(tid) = row.request.ticket().cloned() else { return Ok(()) };
        let no_answer = Event::NoAnswer { run: run.clone() };
        let next = row.request.apply(no_answer, "keyvend", self.now).map_err(|_| NotDone)?;
        self.end(&row, next, vec![claim::failed(&tid), Link::forget_psk(&tid)]).await
    }

    /// `Worker::delete_own`
    async fn delete_own(&self, key: &AccessKeyId) -> Result<(), NotDone> {
        Ok(self.calls.elsewhere("deletes its key", |stage| stage.keys.delete(key)).await?)
    }

    fn new_run(&self) -> RunId {
        let mut stage = self.calls.stage.borrow_mut();
        stage.runs += 1;
        RunId::of([0, 0, 0, 0, 0, 0, 0, 0, 0, stage.runs])
    }
}
