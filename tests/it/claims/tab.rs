//! One request of a tab: what `reveal` does around the pure steps, call by call, and what the tab hears.

use std::cell::Cell;
use std::rc::Rc;

use keyvend::aws::item::{Item, Table, Update, number};
use keyvend::domain::ticket::claim::{
    Ack, Claim, ClaimOutcome, ClaimStep, StoredTicket, TicketWrite, acknowledge, after_try, claim,
};
use keyvend::encoding::base64url;
use keyvend::queue::ClaimEvent;
use keyvend::store::tickets::reveal_update;
use keyvend::time::Timestamp;
use serde_json::{Value, json};

use crate::claims::calls::{Calls, Fault, NotWritten};
use crate::claims::fixtures::{self, Code, LINKS};
use crate::claims::state::Message;
use crate::claims::trace::heard;

/// As in src/functions/reveal.rs.
const MAX_CONFLICT_RETRIES: usize = 4;

/// What a tab posts.
#[derive(Clone, Debug)]
pub enum Posted {
    Claim(Claim, Code),
    Ack(Ack),
}

/// A tab's request.
#[derive(Clone, Debug)]
pub struct Visit {
    pub tab: usize,
    pub link: usize,
    pub posted: Posted,
    pub now: Timestamp,
    /// Whether its proof, and the receipt it shows, are the right ones.
    pub right_proof: bool,
    pub right_receipt: bool,
    /// Whether a try was taken for its code.
    pub tried: Cell<bool>,
}

impl Visit {
    /// A tab's claim.
    pub fn claim(link: usize, tab: usize, right_proof: bool, code: Code, now: Timestamp) -> Self {
        let posted = Posted::Claim(fixtures::claim_of(link, tab, right_proof, code), code);
        Self { tab, link, posted, now, right_proof, right_receipt: false, tried: Cell::new(false) }
    }

    /// A tab's confirmation.
    pub fn ack(link: usize, tab: usize, right_proof: bool, right_receipt: bool, now: Timestamp) -> Self {
        let posted = Posted::Ack(fixtures::ack_of(link, tab, right_proof, right_receipt));
        Self { tab, link, posted, now, right_proof, right_receipt, tried: Cell::new(false) }
    }

    /// As its page posts it: path and body.
    pub fn body(&self) -> (&'static str, Value) {
        let (link, key) = (&LINKS[self.link], fixtures::key(self.tab));
        let proof = if self.right_proof { link.proof } else { fixtures::NO_PROOF };
        let mut body = json!({
            "tid": link.tid, "proof": base64url(&proof), "cid": fixtures::cid(self.tab),
        });
        match &self.posted {
            Posted::Claim(_, code) => {
                body["pub"] = json!(base64url(key.as_bytes()));
                if let Some(code) = code.derived(self.link) {
                    body["code"] = json!(base64url(&code));
                }
                ("/reveal/claim", body)
            }
            Posted::Ack(_) => {
                let receipt = if self.right_receipt { fixtures::receipt(&key) } else { fixtures::NO_RECEIPT };
                body["receipt"] = json!(base64url(&receipt));
                ("/reveal/ack", body)
            }
        }
    }

    pub fn proof(&self) -> &[u8; 32] {
        match &self.posted {
            Posted::Claim(claim, _) => &claim.proof_hash,
            Posted::Ack(ack) => &ack.proof_hash,
        }
    }

    fn tid(&self) -> &'static str {
        LINKS[self.link].tid.as_str()
    }

    fn judge(&self, ticket: &StoredTicket) -> ClaimStep {
        match &self.posted {
            Posted::Claim(posted, _) => claim(ticket, posted, self.now),
            Posted::Ack(posted) => acknowledge(ticket, posted, self.now),
        }
    }

    fn after_try(&self, ticket: &StoredTicket, tries: i64) -> ClaimStep {
        match &self.posted {
            Posted::Claim(posted, _) => after_try(ticket, posted, tries, self.now),
            Posted::Ack(_) => ClaimStep::Answer(ClaimOutcome::NotFound),
        }
    }
}

/// `Reveal::claim` and `Reveal::acknowledge`. A fault is a 503: the tab has heard nothing and asks again.
pub async fn answer(calls: Calls, visit: Rc<Visit>) {
    let answer = render(&calls, &visit).await;
    calls.answered(answer.as_ref().ok());
    let Ok(answer) = answer else { return };
    let mut stage = calls.stage.borrow_mut();
    stage.tell(|| format!("{}: hears {}", calls.who, heard(&answer)));
    stage.answers.push((visit, answer));
}

/// `Reveal::render`
async fn render(calls: &Calls, visit: &Visit) -> Result<ClaimOutcome, Fault> {
    let answer = run(calls, visit).await?;
    let message = match &answer {
        ClaimOutcome::Working { attempt } => Some((ClaimEvent::Claimed, *attempt)),
        ClaimOutcome::Confirmed => Some((ClaimEvent::Confirmed, 0)),
        ClaimOutcome::Used | ClaimOutcome::Locked => Some((ClaimEvent::Misused, 0)),
        _ => None,
    };
    if let Some((event, attempt)) = message {
        let message = Message { link: visit.link, event, attempt };
        calls.elsewhere(&format!("queues {}", event.as_str()), |stage| stage.send(message)).await?;
    }
    Ok(answer)
}

/// `Reveal::run`
async fn run(calls: &Calls, visit: &Visit) -> Result<ClaimOutcome, Fault> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(item) = calls.get(Table::Tickets, visit.tid()).await? else {
            return Ok(ClaimOutcome::NotFound);
        };
        let mut seen = now_there(calls, visit);
        let ticket = calls.stage.borrow_mut().ticket(visit.link, &item);
        let mut step = visit.judge(&ticket);
        if let ClaimStep::CountAttempt(count) = &step {
            let Some(written) = write(calls, visit, &reveal_update(count), &seen).await? else { continue };
            seen = now_there(calls, visit);
            step = visit.after_try(&ticket, number(&written, "tries").unwrap());
            visit.tried.set(true);
            calls.stage.borrow_mut().judged[visit.link] += 1;
        }
        let answer = match step {
            ClaimStep::Answer(answer) => answer,
            ClaimStep::CountAttempt(_) => continue,
            ClaimStep::Write(change, answer) => {
                match write(calls, visit, &reveal_update(&change), &seen).await? {
                    Some(_) => answer,
                    None => continue,
                }
            }
        };
        if answer == ClaimOutcome::Used {
            let misuse = TicketWrite::RecordMisuse { proof_hash: *visit.proof(), now: visit.now };
            match calls.update(Table::Tickets, visit.tid(), &reveal_update(&misuse)).await {
                Ok(_) | Err(NotWritten::Lost) => {}
                Err(NotWritten::Fault) => return Err(Fault),
            }
        }
        return Ok(answer);
    }
    calls.stage.borrow_mut().tell(|| format!("{}: gives up", calls.who));
    Err(Fault)
}

fn now_there(calls: &Calls, visit: &Visit) -> Option<Rc<Item>> {
    calls.stage.borrow().tables.get(Table::Tickets, visit.tid()).cloned()
}

/// A write on what was seen; none where somebody was first. Whoever loses loses to somebody: else the write and what it
/// was decided on contradict each other.
async fn write(
    calls: &Calls,
    visit: &Visit,
    update: &Update,
    seen: &Option<Rc<Item>>,
) -> Result<Option<Item>, Fault> {
    match calls.update(Table::Tickets, visit.tid(), update).await {
        Ok(set) => Ok(Some(set)),
        Err(NotWritten::Lost) => {
            let unchanged = match (seen, &now_there(calls, visit)) {
                (Some(seen), Some(now)) => Rc::ptr_eq(seen, now),
                _ => false,
            };
            calls.stage.borrow_mut().must(!unchanged, || {
                format!("{} lost a race to nobody: {} if {}", calls.who, update.update, update.condition)
            });
            Ok(None)
        }
        Err(NotWritten::Fault) => Err(Fault),
    }
}

/// Status and body of an answer; of none, what a tab is told that cannot be served.
pub fn posted(answer: Option<&ClaimOutcome>) -> (u64, Value) {
    let error = |status, what: &str| (status, json!({"error": what}));
    let code = |what: &str, left: &i64| (401, json!({"error": what, "tries_left": left}));
    match answer {
        None => error(503, "try-again"),
        Some(ClaimOutcome::Sealed { enc, ct, aad }) => {
            let [enc, ct, aad] = [enc, ct, aad].map(|part| base64url(part));
            (200, json!({"enc": enc, "ct": ct, "aad": aad}))
        }
        Some(ClaimOutcome::Working { .. }) => (202, json!({})),
        Some(ClaimOutcome::Confirmed) => (200, json!({})),
        Some(ClaimOutcome::CodeWanted { tries_left }) => code("code-wanted", tries_left),
        Some(ClaimOutcome::CodeWrong { tries_left }) => code("code-wrong", tries_left),
        Some(ClaimOutcome::NotFound) => error(404, "not-found"),
        Some(ClaimOutcome::Used) => error(409, "used"),
        Some(ClaimOutcome::Expired) => error(410, "expired"),
        Some(ClaimOutcome::Void) => error(410, "void"),
        Some(ClaimOutcome::Failed) => error(410, "failed"),
        Some(ClaimOutcome::AlreadyConfirmed) => error(410, "confirmed"),
        Some(ClaimOutcome::Unconfirmed) => error(410, "unconfirmed"),
        Some(ClaimOutcome::Locked) => error(423, "locked"),
        Some(ClaimOutcome::WrongReceipt) => error(400, "bad-request"),
    }
}
