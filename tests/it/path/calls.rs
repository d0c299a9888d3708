//! What an operation costs in calls and bytes, and that it costs the same however much is stored. The table is in docs/numbers.md;
//! `KEYVEND_WRITE=1 cargo test path::calls` writes it, and `make scale` stores up to 20,000 requests.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::aws::{REQUESTS, TICKETS};
use testkit::deployed::Deployed;
use testkit::net::Call;

const NUMBERS: &str = "docs/numbers.md";
const BEGIN: &str = "<!-- calls: written by tests/it/path/calls.rs -->\n";
const END: &str = "<!-- end of calls -->";
/// From the tab's claim to the transaction that seals the key.
const MOST_TO_SEALED: usize = 30;

/// An operation: its calls in order, and the bytes that they send.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    operation: &'static str,
    calls: Vec<String>,
    bytes: usize,
}

impl Cost {
    fn of(operation: &'static str, calls: &[Call]) -> Self {
        let names = calls.iter().map(|call| format!("{}:{}", call.service, call.operation)).collect();
        let bytes = calls.iter().map(|call| call.parameters.to_string().len()).sum();
        Self { operation, calls: names, bytes }
    }

    /// How often each call is made, in the order of the first of each. Kilobytes change less often than sentences do.
    fn row(&self) -> String {
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for call in &self.calls {
            match counted.iter_mut().find(|(name, _)| name == call) {
                Some((_, count)) => *count += 1,
                None => counted.push((call, 1)),
            }
        }
        let list: Vec<String> = counted.iter().map(|(call, count)| format!("{count} `{call}`")).collect();
        let kilobytes = (self.bytes + 500) / 1_000;
        format!("| {} | {} | {kilobytes} | {} |", self.operation, self.calls.len(), list.join(", "))
    }
}

/// Every item of the tables again, `copies` times, each time of other requests, tickets and keys.
async fn store_copies(keyvend: &Deployed, copies: usize) {
    let dynamo = keyvend.world.net.dynamo();
    for table in [REQUESTS, TICKETS] {
        for item in dynamo.items(table).await {
            let text = item.to_string();
            let key = item.get("pk").or(item.get("tid")).unwrap()["S"].as_str().unwrap();
            let owner = key.rsplit('#').next().unwrap();
            for copy in 0..copies {
                let other = format!("{copy:0width$}", width = owner.len());
                let item: Value = serde_json::from_str(&text.replace(owner, &other)).unwrap();
                dynamo.answer("PutItem", &json!({"TableName": table, "Item": item})).await;
            }
        }
    }
}

async fn sweep(keyvend: &Deployed) {
    keyvend.world.clock.advance(Duration::from_secs(60));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver().await;
}

/// The operations, where about so many requests are stored.
async fn costs(stored: usize) -> Vec<Cost> {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    keyvend.deliver_everything().await;
    store_copies(&keyvend, stored).await;
    let net = &keyvend.world.net;
    sweep(&keyvend).await;

    net.forget();
    sweep(&keyvend).await;
    let idle = Cost::of("an idle sweep", &net.calls());

    let tab = keyvend.linked().await;
    keyvend.deliver_everything().await;
    net.forget();
    keyvend.claims(&tab).await;
    keyvend.deliver().await;
    let calls = net.calls();
    let created = calls.iter().position(|call| call.operation == "CreateAccessKey").unwrap();
    let transactions =
        calls.iter().enumerate().skip(created).filter(|(_, call)| call.operation == "TransactWriteItems");
    // The first after the key exists records it, the second seals it.
    let sealed = transactions.map(|(at, _)| at).nth(1).unwrap();
    let claimed = Cost::of("from the tab's claim to the sealed key", &calls[..=sealed]);
    let rest = Cost::of("what is left of that message: audit, notifications, tag", &calls[sealed + 1..]);

    let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    let key = tab.unseal(&body);
    net.forget();
    keyvend.posts("/reveal/ack", &tab.ack(&key)).await;
    keyvend.deliver().await;
    vec![idle, claimed, rest, Cost::of("a confirmation", &net.calls())]
}

fn table(costs: &[Cost]) -> String {
    let mut table = String::from("\n| operation | calls | KB sent | which |\n| --- | ---: | ---: | --- |\n");
    for cost in costs {
        writeln!(table, "{}", cost.row()).unwrap();
    }
    table + "\n"
}

/// How many requests are stored in the larger of two tables.
#[expect(clippy::disallowed_methods, reason = "how large a test is, is no setting of the product")]
fn many() -> usize {
    std::env::var("KEYVEND_STORED").map_or(1_000, |count| count.parse().unwrap())
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "whether to write the table is no setting of the product")]
async fn operation_costs_the_same_however_much_is_stored() {
    let few = costs(10).await;
    assert_eq!(few, costs(many()).await);
    assert!(few[1].calls.len() <= MOST_TO_SEALED, "{:?}", few[1]);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(NUMBERS);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/numbers.md has the mark of the table");
    let (old, after) = rest.split_once(END).unwrap();
    let new = table(&few);
    if std::env::var_os("KEYVEND_WRITE").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{before}{BEGIN}{new}{END}{after}")).unwrap();
    } else {
        assert_eq!(old, new, "to write it: KEYVEND_WRITE=1 cargo test path::calls");
    }
}
