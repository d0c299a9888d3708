//! The same story at the emulator: the worker's calls by the product's own `Tables` over the SDK, a tab's request by
//! the product's own `reveal`. A call is under way until the schedule lets it be heard; what the SDK does about lost
//! replies is the SDK's.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvend::aws::item::{Attribute, Item, Table, Write, number};
use keyvend::aws::{TableNames, Tables as AwsTables, WriteError};
use keyvend::config::RevealConfig;
use keyvend::domain::request::KeyRequest;
use keyvend::functions::reveal::Reveal;
use keyvend::store::requests::StoredRequest;
use serde_json::{Map, Value, json};

use crate::claims::calls::{Fate, Op, Outcome};
use crate::claims::fixtures::{self, REPLACE};
use crate::claims::tab::Visit;
use crate::claims::tables::{Row, Tables};
use testkit::aws;
use testkit::clock::Clock;
use testkit::gateway::{self, HOST};
use testkit::iam_rights::Function;
use testkit::net::{Interfere, Net, yield_now};

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
    reveal: Rc<Reveal>,
    worker: AwsTables,
    /// The fates of the next attempts at calls.
    fates: Arc<Mutex<VecDeque<Interfere>>>,
    /// How many attempts at calls there were.
    made: Arc<AtomicUsize>,
}

/// A call, or a whole handler with its calls, under way.
pub struct Flight<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    outcome: Option<T>,
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
        let fates = Arc::new(Mutex::new(VecDeque::new()));
        let made = Arc::new(AtomicUsize::new(0));
        let (next, count) = (Arc::clone(&fates), Arc::clone(&made));
        net.before(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            next.lock().unwrap().pop_front().unwrap_or(Interfere::Pass)
        });
        let config =
            |function| net.config(function).into_builder().sleep_impl(SharedAsyncSleep::new(Pause)).build();
        let reveal = RevealConfig::read(&testkit::environment()).unwrap();
        let reveal = Rc::new(Reveal::new(reveal, &config(Function::Reveal)));
        let (requests, tickets) = (aws::REQUESTS.to_owned(), aws::TICKETS.to_owned());
        let names = TableNames { requests, tickets, ..TableNames::default() };
        let worker = AwsTables::new(&config(Function::Worker), names);
        Self(Rc::new(Inner { clock, net, tables, reveal, worker, fates, made }))
    }

    /// Puts the request there, as every story begins.
    pub fn seed_request(&self) {
        let item = request_item(&Row { request: Rc::new(fixtures::REQUEST.clone()), version: 1 });
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
        self.0.fates.lock().unwrap().clear();
        self.0.net.forget();
        self.0.clock.advance(Duration::from_secs(3_600));
    }

    /// Goes on with a call that has this fate; so many attempts at it are left.
    pub fn go_on<T>(&self, flight: &mut Flight<T>, fate: Fate, left: usize) {
        let fates = match fate {
            Fate::Done => vec![Interfere::Pass],
            Fate::Unheard | Fate::KilledAfter => vec![Interfere::LoseReply],
            Fate::Lost => {
                let mut fates = vec![Interfere::FailBefore; left];
                fates[0] = Interfere::LoseReply;
                fates
            }
            Fate::LostEachTime => vec![Interfere::LoseReply; left],
            Fate::Unreachable => vec![Interfere::FailBefore; left],
        };
        let wanted = self.0.made.load(Ordering::SeqCst) + fates.len();
        self.0.fates.lock().unwrap().extend(fates);
        for _ in 0..POLLS {
            let ended = flight.poll();
            if self.0.made.load(Ordering::SeqCst) == wanted {
                return;
            }
            assert!(!ended, "it ends where a call was to be made");
        }
        panic!("it makes no call");
    }

    /// A tab's request, answered by `reveal`.
    pub fn visit(&self, visit: &Visit) -> Flight<(u64, Value)> {
        let (path, body) = visit.body();
        let headers = [
            ("content-type", "application/json"),
            ("origin", &format!("https://{HOST}")),
            ("user-agent", "Mozilla/5.0 Firefox/145.0"),
        ];
        let event = gateway::event("POST", path, &headers, Some(&body.to_string()));
        let (reveal, now) = (Rc::clone(&self.0.reveal), visit.now);
        Flight::new(async move {
            let answer = reveal.handle(event, now).await;
            let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            (answer["statusCode"].as_u64().unwrap(), body)
        })
    }

    /// Begins a call of the worker.
    pub fn begin(&self, op: &Op) -> Flight<Outcome> {
        let dynamo = self.0.worker.clone();
        match op {
            Op::Get { table, key } => {
                let (table, key) = (*table, key.clone());
                Flight::new(async move {
                    let got = dynamo.get(table, &key, None).await;
                    got.map_or(Outcome::Fault, |item| Outcome::Got(item.map(Rc::new)))
                })
            }
            Op::GetRequest => Flight::new(async move {
                let got = dynamo.get(Table::Requests, &REPLACE.key, None).await;
                got.map_or(Outcome::Fault, |item| Outcome::GotRequest(row_of(&item.unwrap())))
            }),
            Op::Update { table, key, update } => {
                let (table, key, update) = (*table, key.clone(), update.clone());
                Flight::new(async move {
                    match dynamo.update(table, &key, &update).await {
                        Ok(set) => Outcome::Set(set),
                        Err(WriteError::Conflict(_)) => Outcome::Lost,
                        Err(WriteError::Other(_)) => Outcome::Fault,
                    }
                })
            }
            Op::Write { request, others } => {
                let replace = |(row, next): &(Row, Rc<KeyRequest>)| fixtures::replace(row.version, next);
                let mut writes: Vec<Write> = request.iter().map(replace).collect();
                writes.extend_from_slice(others);
                Flight::new(async move {
                    match dynamo.write(writes).await {
                        Ok(()) => Outcome::Written,
                        Err(WriteError::Conflict(_)) => Outcome::Lost,
                        Err(WriteError::Other(_)) => Outcome::Fault,
                    }
                })
            }
        }
    }

    /// How what a call is about differs from what is in memory, if it does.
    pub fn differs(&self, tables: &Tables, op: &Op) -> Option<String> {
        let (Op::Get { table, key } | Op::Update { table, key, .. }) = op else { return None };
        let (name, key_name) = match table {
            Table::Requests => (aws::REQUESTS, "pk"),
            Table::Tickets => (aws::TICKETS, "tid"),
        };
        let found = now(self.0.net.dynamo().item(name, json!({key_name: {"S": key}})));
        let expected = tables.get(*table, key).map_or(Value::Null, |item| json_of(item));
        (found != expected).then(|| format!("it is {found}, in memory {expected}"))
    }

    /// What the tables hold that those in memory do not, or the other way round; none where they are the same.
    pub fn difference(&self, tables: &Tables) -> Option<String> {
        let mut expected = BTreeMap::new();
        let row = tables.request();
        expected.insert(REPLACE.key.clone(), json_of(&request_item(&row)));
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

impl<T> Flight<T> {
    fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self { future: Box::pin(future), outcome: None }
    }

    /// Goes on to the end; there are no more calls to make.
    pub fn finish(&mut self) -> T {
        for _ in 0..POLLS {
            if self.poll() {
                return self.outcome.take().unwrap();
            }
        }
        panic!("it is never done");
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
    match fixtures::replace(row.version - 1, &row.request) {
        Write::Put { item, .. } => item,
        other => panic!("{other:?} is no put"),
    }
}

fn row_of(item: &Item) -> Row {
    let request = StoredRequest::try_from(item).unwrap().request;
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
