//! The same tables at the emulator, reached by the product's own `Dynamo` over the SDK. A call is under way until the
//! schedule lets it be heard; what the SDK does about lost replies is the SDK's.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvend::aws::{Dynamo, TableNames, WriteError};
use keyvend::item::{Attribute, Item, Table, Write, number};
use keyvend::request::KeyRequest;
use keyvend::store::Stored;
use serde_json::{Map, Value, json};

use crate::calls::{Fate, Op, Outcome};
use crate::cast::{self, REPLACE};
use crate::tables::{Row, Tables};
use crate::world::aws;
use crate::world::clock::Clock;
use crate::world::net::{Interfere, Net, yield_now};
use crate::world::rights::Function;

/// No call takes so many polls.
const POLLS: usize = 10_000;

/// The emulator with the product's clients. All clones are the same.
#[derive(Clone)]
pub struct Emulated(Rc<Inner>);

struct Inner {
    clock: Clock,
    net: Net,
    /// What makes the tables.
    tables: Vec<Value>,
    reveal: Dynamo,
    worker: Dynamo,
    attempts: Arc<Mutex<VecDeque<Interfere>>>,
    /// Whether the last attempt at a call was interfered with.
    unheard: Arc<AtomicBool>,
}

/// A call under way.
pub struct Flight {
    future: Pin<Box<dyn Future<Output = Outcome>>>,
    unheard: Arc<AtomicBool>,
    outcome: Option<Outcome>,
}

/// The SDK's pause before it tries again: over when somebody looks a second time.
#[derive(Debug)]
struct Pause;

impl AsyncSleep for Pause {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(yield_now())
    }
}

impl Emulated {
    /// With tables as deployed, and nothing in them.
    pub fn new() -> Self {
        let clock = Clock::default();
        let net = Net::new(&clock);
        now(aws::tables(&net));
        let made = net.done("dynamodb", "CreateTable").into_iter().map(|call| call.parameters);
        let tables = made.filter(|input| input["TableName"] != aws::AUDIT).collect();
        let attempts = Arc::new(Mutex::new(VecDeque::new()));
        let unheard = Arc::new(AtomicBool::new(false));
        let (next, lost) = (Arc::clone(&attempts), Arc::clone(&unheard));
        net.before(move |_| {
            let fate = next.lock().unwrap().pop_front();
            lost.store(fate.is_some(), Ordering::SeqCst);
            fate.unwrap_or(Interfere::Pass)
        });
        let sleep = SharedAsyncSleep::new(Pause);
        let client = |function, requests: &str| {
            let config = net.config(function).into_builder().sleep_impl(sleep.clone()).build();
            let (requests, tickets) = (requests.to_owned(), aws::TICKETS.to_owned());
            Dynamo::new(&config, TableNames { requests, tickets, ..TableNames::default() })
        };
        let (reveal, worker) = (client(Function::Reveal, ""), client(Function::Worker, aws::REQUESTS));
        Self(Rc::new(Inner { clock, net, tables, reveal, worker, attempts, unheard }))
    }

    /// Puts the request there, as every story begins.
    pub fn seed_request(&self) {
        let item = request_item(&Row { request: Rc::new(cast::REQUEST.clone()), version: 1 });
        self.at_once("PutItem", json!({"TableName": aws::REQUESTS, "Item": json_of(&item)}));
    }

    /// Empties the tables, an hour later.
    pub fn clear(&self) {
        for table in [aws::REQUESTS, aws::TICKETS] {
            self.at_once("DeleteTable", json!({"TableName": table}));
        }
        for table in &self.0.tables {
            self.at_once("CreateTable", table.clone());
        }
        self.0.attempts.lock().unwrap().clear();
        self.0.net.forget();
        self.0.clock.advance(Duration::from_secs(3_600));
    }

    /// The fate of the next attempts at a call; so many are left.
    pub fn attempts(&self, fate: Fate, left: usize) {
        let fates: Vec<Interfere> = match fate {
            Fate::Done => Vec::new(),
            Fate::Unheard | Fate::KilledAfter => vec![Interfere::LoseReply],
            Fate::Lost => {
                let mut fates = vec![Interfere::FailBefore; left];
                fates[0] = Interfere::LoseReply;
                fates
            }
            Fate::LostEachTime => vec![Interfere::LoseReply; left],
            Fate::Unreachable => vec![Interfere::FailBefore; left],
        };
        self.0.attempts.lock().unwrap().extend(fates);
    }

    /// Begins a call.
    pub fn begin(&self, by: Function, op: &Op) -> Flight {
        let dynamo = match by {
            Function::Reveal => self.0.reveal.clone(),
            Function::Slack | Function::Worker => self.0.worker.clone(),
        };
        let future: Pin<Box<dyn Future<Output = Outcome>>> = match op {
            Op::Get { table, key, projection } => {
                let (table, key, projection) = (*table, key.clone(), *projection);
                Box::pin(async move {
                    let got = dynamo.get(table, &key, projection).await;
                    got.map_or(Outcome::Fault, |item| Outcome::Got(item.map(Rc::new)))
                })
            }
            Op::GetRequest => Box::pin(async move {
                let got = dynamo.get(Table::Requests, &REPLACE.1, None).await;
                got.map_or(Outcome::Fault, |item| Outcome::GotRequest(row_of(&item.unwrap())))
            }),
            Op::Update { table, key, update } => {
                let (table, key, update) = (*table, key.clone(), update.clone());
                Box::pin(async move {
                    match dynamo.update(table, &key, &update).await {
                        Ok(set) => Outcome::Set(set),
                        Err(WriteError::Lost(_)) => Outcome::Lost,
                        Err(WriteError::Fault(_)) => Outcome::Fault,
                    }
                })
            }
            Op::Write { request, others } => {
                let replace = |(row, next): &(Row, Rc<KeyRequest>)| cast::replace(row.version, next);
                let mut writes: Vec<Write> = request.iter().map(replace).collect();
                writes.extend_from_slice(others);
                Box::pin(async move {
                    match dynamo.write(writes).await {
                        Ok(()) => Outcome::Written,
                        Err(WriteError::Lost(_)) => Outcome::Lost,
                        Err(WriteError::Fault(_)) => Outcome::Fault,
                    }
                })
            }
        };
        Flight { future, unheard: Arc::clone(&self.0.unheard), outcome: None }
    }

    /// What the tables hold that those in memory do not, or the other way round; none where they are the same.
    pub fn difference(&self, tables: &Tables) -> Option<String> {
        let mut expected = BTreeMap::new();
        let row = tables.request();
        expected.insert(REPLACE.1.clone(), json_of(&request_item(&row)));
        for (_, key, item) in tables.items() {
            expected.insert(key.clone(), json_of(item));
        }
        let mut found = BTreeMap::new();
        for (table, key) in [(aws::REQUESTS, "pk"), (aws::TICKETS, "tid")] {
            for item in self.items(table) {
                found.insert(item[key]["S"].as_str().unwrap().to_owned(), item);
            }
        }
        let keys: Vec<&String> = expected.keys().chain(found.keys()).collect();
        let other = keys.into_iter().find(|key| expected.get(*key) != found.get(*key))?;
        let (expected, found) = (expected.get(other), found.get(other));
        Some(format!("at the emulator {other} is {found:?}, in memory {expected:?}"))
    }

    fn items(&self, table: &str) -> Vec<Value> {
        now(self.0.net.dynamo().items(table))
    }

    fn at_once(&self, operation: &str, input: Value) {
        let reply = now(self.0.net.dynamo().answer(operation, &input));
        assert_eq!(reply.status, 200, "{operation} {input}: {}", reply.body);
    }
}

impl Flight {
    /// Goes on until a reply is lost.
    pub fn until_unheard(&mut self) {
        for _ in 0..POLLS {
            if self.poll() || self.unheard.swap(false, Ordering::SeqCst) {
                return;
            }
        }
        panic!("the SDK makes no call");
    }

    /// Goes on to the end.
    pub fn finish(&mut self) -> Outcome {
        for _ in 0..POLLS {
            if self.poll() {
                self.unheard.store(false, Ordering::SeqCst);
                return self.outcome.take().unwrap();
            }
        }
        panic!("the SDK is never done");
    }

    fn poll(&mut self) -> bool {
        if self.outcome.is_none()
            && let Poll::Ready(outcome) = self.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            self.outcome = Some(outcome);
        }
        self.outcome.is_some()
    }
}

/// What waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    for _ in 0..POLLS {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("it waits for something");
}

/// A request's whole item, as the product writes it.
fn request_item(row: &Row) -> Item {
    match cast::replace(row.version - 1, &row.request) {
        Write::Put { item, .. } => item,
        other => panic!("{other:?} is no put"),
    }
}

fn row_of(item: &Item) -> Row {
    let request = Stored::try_from(item).unwrap().request;
    Row { request: Rc::new(request), version: number(item, "version").unwrap() }
}

/// An item in DynamoDB's JSON.
fn json_of(item: &Item) -> Value {
    fn of(value: &Attribute) -> Value {
        match value {
            Attribute::Text(text) => json!({"S": text}),
            Attribute::Number(number) => json!({"N": number.to_string()}),
            Attribute::Bytes(bytes) => json!({"B": STANDARD.encode(bytes)}),
            Attribute::List(list) => json!({"L": list.iter().map(of).collect::<Vec<_>>()}),
            Attribute::Map(map) => json!({"M": map_of(map)}),
        }
    }
    fn map_of(item: &Item) -> Map<String, Value> {
        item.iter().map(|(name, value)| (name.clone(), of(value))).collect()
    }
    Value::Object(map_of(item))
}
