//! Every write holds by itself, whatever was read before it: each thing its condition must mention is changed in the
//! item, one at a time, and then it must not hold.

use std::collections::BTreeSet;

use keyvend::aws::item::{Attribute, Item, Table, Update, Write};
use keyvend::domain::ticket::claim::{
    self, ClaimStep, StoredTicket, TRIES, TicketState, TicketWrite, acknowledge, after_try, claim,
};
use keyvend::domain::ticket::hash;
use keyvend::store::tickets;
use keyvend::time::Timestamp;

use crate::claims::expressions::holds;
use crate::claims::fixtures::{self, Code, EXPIRES, START};
use crate::claims::tables::Tables;

fn written(step: ClaimStep) -> Update {
    match step {
        ClaimStep::CountAttempt(write) | ClaimStep::Write(write, _) => tickets::reveal_update(&write),
        ClaimStep::Answer(answer) => panic!("nothing is written: {answer:?}"),
    }
}

fn pending(wants_code: bool, tries: i64) -> Item {
    let mut item = tickets::new_item(&fixtures::ticket(wants_code), Timestamp(EXPIRES.0 + 1));
    item.insert("tries".to_owned(), tries.into());
    item
}

/// An item that went through the protocol's own writes: sealed to tab 0.
fn sealed() -> Item {
    let mut tables = Tables::default();
    tables.seed(Table::Tickets, pending(false, 0));
    let tid = fixtures::tid();
    let taken = written(claim(&fixtures::ticket(false), &fixtures::claim(0, true, Code::None), START));
    tables.update(Table::Tickets, tid.as_str(), &taken).unwrap();
    tables.write(&[tickets::sealed(&tid, 1, fixtures::sealed_to(&fixtures::key(0)), START)], None).unwrap();
    (**tables.get(Table::Tickets, tid.as_str()).unwrap()).clone()
}

/// What breaks a condition, by what it is about.
fn broken(about: &str, item: &Item) -> Item {
    let mut item = item.clone();
    let (name, value): (&str, Attribute) = match about {
        "state" => ("state", "VOID".into()),
        "proof" => ("proof_sha256", hash(b"of another link").as_slice().into()),
        "expiry" => ("expires_at", START.0.into()),
        "fewer tries" => ("tries", TRIES.into()),
        "own try" | "five tries" => ("tries", 0.into()),
        "no code wanted" => ("code_sha256", hash(b"a code").as_slice().into()),
        "tab" => ("cid", fixtures::cid(1).as_str().into()),
        "receipt" => ("receipt_sha256", hash(b"another").as_slice().into()),
        "first misuse" => ("misused_at", START.0.into()),
        "attempt" => ("attempt", 2.into()),
        "outbox" => ("outbox", Attribute::List(vec!["grown".into(), "again".into()])),
        "timer" => ("due_at", (START.0 + 7).into()),
        "most attempts" => ("attempt", claim::ATTEMPTS.into()),
        other => panic!("nothing is known of {other}"),
    };
    item.insert(name.to_owned(), value);
    item
}

fn holds_only_with(name: &str, (condition, values): (&'static str, &Item), item: &Item, about: &[&str]) {
    assert!(holds(condition, values, item), "{name}: {condition} does not hold to begin with");
    for what in about {
        assert!(
            !holds(condition, values, &broken(what, item)),
            "{name}: {condition} does not look at the {what}"
        );
    }
    assert!(!holds(condition, values, &Item::new()), "{name}: {condition} makes a ticket out of nothing");
}

// T3.3
#[test]
fn what_reveal_writes_holds_by_itself() {
    let ask = |code| fixtures::claim(0, true, code);
    let take = written(claim(&fixtures::ticket(false), &ask(Code::None), START));
    let count_attempt = written(claim(&fixtures::ticket(true), &ask(Code::Right), START));
    let take_after = written(after_try(&fixtures::ticket(true), &ask(Code::Right), 3, START));
    let lock = written(after_try(&fixtures::ticket(true), &ask(Code::Wrong), TRIES, START));
    let sealed = sealed();
    let ticket = StoredTicket::try_from(&sealed).unwrap();
    let misuse = TicketWrite::RecordMisuse { proof_hash: fixtures::proof(0, true), now: START };
    let misuse = tickets::reveal_update(&misuse);
    let confirm = written(acknowledge(&ticket, &fixtures::ack(0, true, true), START));
    let cases: [(&str, &Update, Item, &[&str]); 6] = [
        ("claim", &take, pending(false, 0), &["state", "proof", "expiry", "no code wanted"]),
        ("take a try", &count_attempt, pending(true, 4), &["state", "proof", "expiry", "fewer tries"]),
        ("claim on a try", &take_after, pending(true, 3), &["state", "proof", "expiry", "own try"]),
        ("lock", &lock, pending(true, 5), &["state", "proof", "five tries"]),
        ("misuse", &misuse, sealed.clone(), &["proof", "first misuse"]),
        ("confirm", &confirm, sealed, &["state", "proof", "tab", "receipt"]),
    ];
    for (name, update, item, about) in cases {
        holds_only_with(name, (update.condition, &update.values), &item, about);
    }
}

#[test]
fn what_the_worker_writes_holds_by_itself() {
    let tid = fixtures::tid();
    let mut claimed = sealed();
    claimed.insert("state".to_owned(), "CLAIMED".into());
    let seal = tickets::sealed(&tid, 1, fixtures::sealed_to(&fixtures::key(0)), START);
    for (name, write, about) in [
        ("still claimed", tickets::assert_claimed(&tid, 1), ["state", "attempt"].as_slice()),
        ("seal", seal, &["state", "attempt"]),
        ("fail", tickets::failed(&tid), &["state"]),
        ("void", tickets::void_claimed(&tid), &["state"]),
        ("take the outbox", tickets::clear_outbox(&tid, 1), &["outbox"]),
    ] {
        let (condition, values) = match &write {
            Write::Update { update, .. } => (update.condition, &update.values),
            Write::Check { condition, values, .. } | Write::Put { condition, values, .. } => {
                (*condition, values)
            }
        };
        holds_only_with(name, (condition, values), &claimed, about);
    }
}

#[test]
fn what_the_timers_write_holds_by_itself() {
    let (tid, later) = (fixtures::tid(), Timestamp(EXPIRES.0 + 1));
    let with = |mut item: Item, pairs: &[(&str, Attribute)]| {
        item.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        item
    };
    let due: Attribute = START.0.into();
    let claimed = with(sealed(), &[("state", "CLAIMED".into()), ("due_at", due.clone())]);
    let settling = with(sealed(), &[("due_at", due), ("outbox", Attribute::List(Vec::new()))]);
    let ten_minutes_on = Timestamp(START.0 + claim::FETCH_WINDOW);
    for (name, write, item, about) in [
        (
            "raise",
            tickets::increment_attempt(&tid, 1, START),
            claimed.clone(),
            ["state", "attempt"].as_slice(),
        ),
        (
            "raise for the last time",
            tickets::increment_attempt(&tid, 2, START),
            with(claimed.clone(), &[("attempt", 2.into())]),
            &["state", "most attempts"],
        ),
        ("look again", tickets::reschedule(&tid, START, later), claimed, &["timer"]),
        ("expire", tickets::expired(&tid, later), pending(true, 4), &["state", "fewer tries"]),
        ("write a lock down", tickets::locked(&tid, later), pending(true, 5), &["state", "five tries"]),
        (
            "expire",
            tickets::unconfirmed(&tid, ten_minutes_on),
            with(sealed(), &[("sealed_at", START.0.into())]),
            &["state"],
        ),
        ("settle", tickets::clear_timer(&tid, START), settling, &["timer", "outbox"]),
    ] {
        let Write::Update { update, .. } = &write else { panic!("{name} is an update") };
        holds_only_with(name, (update.condition, &update.values), &item, about);
    }
    let early = tickets::unconfirmed(&tid, Timestamp(START.0 + claim::FETCH_WINDOW - 1));
    let Write::Update { update, .. } = &early else { panic!() };
    assert!(!holds(update.condition, &update.values, &sealed()), "nothing expires early");
    let Write::Update { update, .. } = &tickets::expired(&tid, START) else { panic!() };
    assert!(!holds(update.condition, &update.values, &pending(true, 0)), "nothing expires early");
}

/// State, new state and writer of every row of the table of tickets in docs/state-machines.md.
fn drawn() -> BTreeSet<(String, String, String)> {
    let page = include_str!("../../../docs/state-machines.md");
    let table =
        page.split("<!-- begin ticket -->").nth(1).unwrap().split("<!-- end ticket -->").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| state"));
    rows.map(|row| {
        let cells: Vec<&str> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        (cells[0].to_owned(), cells[2].to_owned(), cells[3].to_owned())
    })
    .collect()
}

/// Every write to a ticket is tried on a ticket in every state, with and without a code, at every count of tries.
#[test]
fn documented_ticket_diagram_matches_code() {
    let tid = fixtures::tid();
    let late = Timestamp(EXPIRES.0 + 1);
    let ask = |code| fixtures::claim(0, true, code);
    let ticket = StoredTicket::try_from(&sealed()).unwrap();
    let by_reveal = [
        written(claim(&fixtures::ticket(false), &ask(Code::None), START)),
        written(claim(&fixtures::ticket(true), &ask(Code::Right), START)),
        written(after_try(&fixtures::ticket(true), &ask(Code::Right), 3, START)),
        written(after_try(&fixtures::ticket(true), &ask(Code::Wrong), TRIES, START)),
        written(acknowledge(&ticket, &fixtures::ack(0, true, true), START)),
    ];
    let by_worker = [
        tickets::sealed(&tid, 1, fixtures::sealed_to(&fixtures::key(0)), START),
        tickets::failed(&tid),
        tickets::void(&tid),
        tickets::void_claimed(&tid),
        tickets::increment_attempt(&tid, 1, START),
        tickets::locked(&tid, late),
        tickets::unconfirmed(&tid, Timestamp(START.0 + claim::FETCH_WINDOW)),
    ];
    let by_worker = by_worker.into_iter().map(|write| match write {
        Write::Update { update, .. } => ("worker", update),
        other => panic!("{other:?} is no update"),
    });
    let mut found = BTreeSet::from([("none".to_owned(), "PENDING".to_owned(), "worker".to_owned())]);
    for (by, update) in by_reveal.into_iter().map(|update| ("reveal", update)).chain(by_worker) {
        for from in ["PENDING", "CLAIMED", "LOCKED", "VOID", "FAILED", "SEALED", "CONFIRMED", "UNCONFIRMED"] {
            for (wants_code, tries) in [(false, 0), (true, 0), (true, 3), (true, TRIES)] {
                let mut item = sealed();
                item.extend(pending(wants_code, tries));
                item.insert("state".to_owned(), from.into());
                let mut tables = Tables::default();
                tables.seed(Table::Tickets, item);
                if tables.update(Table::Tickets, tid.as_str(), &update).is_err() {
                    continue;
                }
                let Some(Attribute::Text(to)) =
                    tables.get(Table::Tickets, tid.as_str()).unwrap().get("state")
                else {
                    panic!("{update:?} leaves no state");
                };
                found.insert((from.to_owned(), to.clone(), by.to_owned()));
            }
        }
    }
    assert_eq!(drawn(), found);
    let named: BTreeSet<_> = found.iter().map(|(_, to, _)| to).collect();
    assert_eq!(named.len(), 8, "every state of a ticket is drawn: {named:?}");
}

#[test]
fn a_half_written_ticket_is_an_error() {
    let whole = sealed();
    assert!(matches!(StoredTicket::try_from(&whole).unwrap().state, TicketState::Sealed { .. }));
    // Both are the table's own, for its TTL and its index.
    for name in whole.keys().filter(|name| !["keep_until", "due_shard"].contains(&name.as_str())) {
        let mut item = whole.clone();
        item.remove(name);
        assert!(StoredTicket::try_from(&item).is_err(), "without {name}");
        item.insert(name.clone(), Attribute::Map(Item::new()));
        assert!(StoredTicket::try_from(&item).is_err(), "with another {name}");
    }
}
