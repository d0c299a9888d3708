//! The story in words: who acts, what they call and what they hear. For people, when something is broken.

use keyvend::aws::item::{Attribute, Write, text};
use keyvend::domain::ticket::claim::{ClaimOutcome, TicketState};

use crate::claims::calls::{Op, Outcome};
use crate::claims::fixtures::{self, Code, LINKS};
use crate::claims::invariants::Actor;
use crate::claims::state::Message;
use crate::claims::tab::Posted;
use crate::claims::worker::Task;

/// An actor in a few words.
pub fn name(actor: &Actor) -> String {
    match actor {
        Actor::Tab(visit) => match &visit.posted {
            Posted::Claim(_, code) => {
                format!("tab {} opens link {} with {} code", visit.tab, visit.link, code_in_words(*code))
            }
            Posted::Ack(_) => format!("tab {} confirms link {}", visit.tab, visit.link),
        },
        Actor::Worker(Task::Message(Message { link, event, attempt })) => {
            format!("worker on {} of link {link}, attempt {attempt}", event.as_str())
        }
        Actor::Worker(task) => format!("worker on {task:?}"),
    }
}

fn code_in_words(code: Code) -> &'static str {
    match code {
        Code::None => "no",
        Code::Right => "the right",
        Code::Wrong => "a wrong",
    }
}

/// A state of a ticket, and whose it is.
pub fn state(state: &TicketState) -> String {
    match state {
        TicketState::Pending => "PENDING".to_owned(),
        TicketState::Claimed(claimed) => {
            format!("CLAIMED by tab {}, attempt {}", fixtures::tab_of(claimed), claimed.attempt)
        }
        TicketState::Locked => "LOCKED".to_owned(),
        TicketState::Void => "VOID".to_owned(),
        TicketState::Failed => "FAILED".to_owned(),
        TicketState::Sealed { claimed, .. } => format!("SEALED to tab {}", fixtures::tab_of(claimed)),
        TicketState::Confirmed { claimed, .. } => format!("CONFIRMED by tab {}", fixtures::tab_of(claimed)),
        TicketState::Unconfirmed(claimed) => format!("UNCONFIRMED, of tab {}", fixtures::tab_of(claimed)),
    }
}

/// An answer.
pub fn heard(answer: &ClaimOutcome) -> String {
    match answer {
        ClaimOutcome::Sealed { .. } => "the sealed key".to_owned(),
        other => format!("{other:?}"),
    }
}

/// A call and its outcome.
pub fn said(op: &Op, outcome: &Outcome) -> String {
    let name = |key: &str| match LINKS.iter().position(|link| link.tid.as_str() == key) {
        Some(link) => format!("ticket {link}"),
        None => match LINKS.iter().position(|link| link.key == key) {
            Some(link) => format!("the way from ticket {link}"),
            None => key.to_owned(),
        },
    };
    let held = match outcome {
        Outcome::Lost => "the condition does not hold",
        Outcome::Fault => "nothing done",
        Outcome::Got(_) | Outcome::GotRequest(_) | Outcome::Set(_) | Outcome::Written => "done",
    };
    match (op, outcome) {
        (Op::GetRequest, Outcome::GotRequest(row)) => {
            let state = row.request.state.as_str();
            format!("reads the request: {state}, version {}", row.version)
        }
        (Op::GetRequest, _) => format!("reads the request: {held}"),
        (Op::Get { key, .. }, Outcome::Got(item)) => {
            let state = item.as_ref().and_then(|item| item.get("state"));
            let state = match (item, state) {
                (None, _) => "is not there".to_owned(),
                (_, Some(Attribute::Text(state))) => state.clone(),
                _ => "is there".to_owned(),
            };
            format!("reads {}: {state}", name(key))
        }
        (Op::Get { key, .. }, _) => format!("reads {}: {held}", name(key)),
        (Op::Update { key, update, .. }, _) => {
            format!("{}: {} if {}: {held}", name(key), update.update, update.condition)
        }
        (Op::Write { request, others }, _) => {
            let request = request
                .iter()
                .map(|(row, next)| format!("request to {} at {}", next.state.as_str(), row.version));
            let others = others.iter().map(|write| match write {
                Write::Update { key, update, .. } => {
                    format!("{}: {} if {}", name(key), update.update, update.condition)
                }
                Write::Check { key, condition, .. } => format!("{} if {condition}", name(key)),
                Write::Put { table, item, .. } => {
                    format!("new {}", name(text(item, table.key_name()).unwrap()))
                }
            });
            let all: Vec<String> = request.chain(others).collect();
            format!("[{}]: {held}", all.join("; "))
        }
    }
}
