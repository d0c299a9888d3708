//! A reply lost at every write, a worker killed at every call: the path ends well, or with no key and everybody told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::steps::{ASK, record};
use super::world::aws;
use super::world::deployed::{Deployed, Tab};
use super::world::drive;
use super::world::net::{Call, HOME, Interfere};
use super::world::rights::Function;
use super::world::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, Message};
use super::world::sqs;

/// What happens to the `nth` call that `counts`, and to its repetitions, `times` times in all. Tells whether it did.
struct Fault {
    nth: usize,
    times: usize,
    how: Interfere,
    counts: fn(&Call) -> bool,
}

impl Fault {
    fn happens_in(self, keyvend: &Deployed) -> Arc<AtomicUsize> {
        let done = Arc::new(AtomicUsize::new(0));
        let (counted, mut struck, mut seen) = (done.clone(), None::<Value>, 0);
        keyvend.world.net.before(move |call| {
            if !(self.counts)(call) {
                return Interfere::Pass;
            }
            let times = counted.load(Ordering::SeqCst);
            let again = struck.as_ref() == Some(&call.parameters) && times < self.times;
            if seen == self.nth || again {
                struck = Some(call.parameters.clone());
                counted.fetch_add(1, Ordering::SeqCst);
                seen += 1;
                return self.how.clone();
            }
            seen += 1;
            Interfere::Pass
        });
        done
    }
}

impl Deployed {
    /// Delivers until the queues are empty, as Lambda does where the worker may be killed: its message comes back.
    /// Then the minute is over, and what was left behind is swept up.
    async fn outlives(&self) {
        let (sqs, net) = (self.world.net.sqs(), &self.world.net);
        for _ in 0..2 {
            drive::deliver_everything(sqs, &self.world.clock, async |event| {
                let id = event["Records"][0]["messageId"].clone();
                let killed = json!({"batchItemFailures": [{"itemIdentifier": id}]});
                net.survive(self.work(event)).await.unwrap_or(killed)
            })
            .await;
            sqs.sweep();
        }
    }

    async fn typed(&self, person: &str, text: &str) {
        assert_eq!(self.arrive(self.world.slash_command(person, text)).await["statusCode"], 200);
        self.outlives().await;
    }

    async fn pressed_to_the_end(&self, person: &str, message: &Message, label: &str) {
        self.world.clock.advance(Duration::from_secs(1));
        assert_eq!(self.arrive(self.world.press(person, message, label)).await["statusCode"], 200);
        self.outlives().await;
    }

    /// The last message to alice with this button.
    fn offered(&self, label: &str) -> Message {
        let told = self.world.net.slack().told(ALICE_OWNER).into_iter().rev();
        let mut with = told.filter(|message| message.buttons().iter().any(|button| button.text == label));
        with.next().unwrap()
    }

    /// Up to a link in a tab.
    async fn walks_to_the_link(&self) -> Tab {
        self.typed(ALICE_OWNER, ASK).await;
        self.pressed_to_the_end(BOB_APPROVER, &self.card(), "Approve").await;
        self.presses_for_a_link().await
    }

    async fn presses_for_a_link(&self) -> Tab {
        self.pressed_to_the_end(ALICE_OWNER, &self.offered("Get my key"), "Get my key").await;
        Tab::open(&self.offered("Open the one-time link").button("Open the one-time link").url.unwrap())
    }

    /// The tab asks until it has its key, or is told that there is none.
    async fn waits(&self, tab: &Tab) -> Option<Value> {
        for _ in 0..5 {
            let (status, body) = self.posts("/reveal/claim", &tab.claim(None)).await;
            match status {
                200 => return Some(body),
                202 | 503 => self.outlives().await,
                410 => return None,
                other => assert_eq!(other, 200, "{body}"),
            }
        }
        None
    }

    async fn confirms(&self, tab: &Tab, body: &Value) {
        let key = tab.unseal(body);
        for _ in 0..3 {
            if self.posts("/reveal/ack", &tab.ack(&key)).await.0 == 200 {
                break;
            }
        }
        self.outlives().await;
        self.world.net.undisturbed();
        // Whatever is left in an outbox is driven in by the next message about it.
        let again = json!({"tid": tab.tid(), "event": "acknowledged", "attempt": 0}).to_string();
        self.work(record(sqs::CLAIMS, &again, 1)).await;

        assert_eq!(self.stands().await, "ISSUED");
        assert_eq!(self.ticket_stands(tab).await, "ACKED");
        assert_eq!(self.item(&format!("key#{}", key.id)).await["state"]["S"], "CONFIRMED");
        assert_eq!(self.key_ids().as_slice(), std::slice::from_ref(&key.id));
        assert_eq!(aws::keys(&self.world.net, HOME, "ci-deployer")[0].secret, key.secret);
        assert!(self.lease().await.is_null());
        assert_eq!(self.counted().await, "1");
        assert!(!self.has_psk(tab).await);
        self.links_are_shown_to_nobody_else();
        assert_eq!(self.world.places_holding(&key.secret).await, Vec::<String>::new());
    }
}

fn writes_to_dynamo(call: &Call) -> bool {
    ["TransactWriteItems", "UpdateItem", "ExecuteStatement"].contains(&call.operation.as_str())
}

async fn every_lost_reply(times: usize) {
    for nth in 0.. {
        let keyvend = Deployed::new().await;
        let fault = Fault { nth, times, how: Interfere::LoseReply, counts: writes_to_dynamo };
        let happened = fault.happens_in(&keyvend);
        let tab = keyvend.walks_to_the_link().await;
        let body = keyvend.waits(&tab).await;
        let body = body.unwrap_or_else(|| json!(format!("no key after write {nth}")));
        keyvend.confirms(&tab, &body).await;
        assert_eq!(keyvend.creates(), 1, "write {nth}");
        let events = keyvend.events().await;
        let expected =
            ["asked", "approved", "ticketed", "claimed", "issuing", "created", "issued", "revealed"];
        assert_eq!(events, expected, "write {nth}");
        if happened.load(Ordering::SeqCst) == 0 {
            assert!(nth > 20, "only {nth} writes");
            return;
        }
    }
}

#[tokio::test]
async fn a_reply_lost_at_any_write_changes_nothing() {
    every_lost_reply(1).await;
}

#[tokio::test]
async fn a_reply_lost_at_any_write_as_often_as_it_is_repeated_changes_nothing() {
    every_lost_reply(3).await;
}

/// What the worker does to the world; between two of these it may as well die at the second.
fn acts(call: &Call) -> bool {
    let of_another = [Function::Slack, Function::Reveal].iter().any(|f| f.access_key() == call.access_key);
    let reads = ["Get", "List", "users.", "conversations."];
    !of_another && call.operation != "Query" && !reads.iter().any(|read| call.operation.starts_with(read))
}

async fn every_death(how: Interfere) {
    for nth in 0.. {
        let keyvend = Deployed::new().await;
        let fault = Fault { nth, times: 1, how: how.clone(), counts: acts };
        let happened = fault.happens_in(&keyvend);
        let tab = keyvend.walks_to_the_link().await;
        let (tab, body) = match keyvend.waits(&tab).await {
            Some(body) => (tab, body),
            None if keyvend.stands().await == "AMBIGUOUS" => {
                assert!(keyvend.creates() <= 1, "call {nth}");
                assert!(keyvend.key_ids().len() <= 1);
                assert!(!keyvend.lease().await.is_null(), "call {nth}");
                assert!(!keyvend.has_psk(&tab).await, "call {nth}");
                assert_eq!(keyvend.times_told(ALICE_OWNER, "AWS gave no answer"), 1, "call {nth}");
                let public = keyvend.world.net.slack().last_message(APPROVALS).reading();
                assert!(public.contains("AWS gave no answer"), "call {nth}: {public}");
                continue;
            }
            None => {
                assert_eq!(keyvend.stands().await, "APPROVED", "call {nth}");
                assert_eq!(keyvend.key_ids().len(), 0, "call {nth}");
                assert!(keyvend.lease().await.is_null(), "call {nth}");
                let tab = keyvend.presses_for_a_link().await;
                let body = keyvend.waits(&tab).await;
                (tab, body.unwrap_or_else(|| json!(format!("no key after call {nth}"))))
            }
        };
        keyvend.confirms(&tab, &body).await;
        assert!(keyvend.creates() <= 2, "call {nth}");
        keyvend.trail().await;
        if happened.load(Ordering::SeqCst) == 0 {
            assert!(nth > 25, "only {nth} calls");
            return;
        }
    }
}

#[tokio::test]
async fn a_worker_killed_before_any_call_leaves_one_key_or_none() {
    every_death(Interfere::CrashBefore).await;
}

#[tokio::test]
async fn a_worker_killed_after_any_call_leaves_one_key_or_none() {
    every_death(Interfere::CrashAfter).await;
}
