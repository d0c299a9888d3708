//! keyvend running: one turn at a time. Its queues are delivered and its minutes swept as Lambda and EventBridge would.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use keyvend::time::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, watch};

use super::scene;
use testkit::deployed::Deployed;
use testkit::sqs::QUEUES;
use testkit::{World, aws, environment};

/// How long somebody who waits for news waits at most.
const PATIENCE: Duration = Duration::from_secs(25);
const MINUTE: i64 = 60;
const SIX_HOURS: i64 = 360 * MINUTE;

/// The deployed functions with their world.
pub struct Running {
    pub world: World,
    pub origin: String,
    /// Whoever holds it has the turn.
    keyvend: Mutex<Deployed>,
    mail: Cell<bool>,
    /// By how many seconds the world is ahead of the clock on the wall.
    ahead: Cell<i64>,
    /// The minute of the last sweep.
    swept: Cell<i64>,
    news: watch::Sender<usize>,
}

impl Running {
    /// On this port of 127.0.0.1; links want a mailed code if `mail`.
    pub async fn new(port: u16, mail: bool) -> Self {
        let origin = format!("http://127.0.0.1:{port}");
        let world = scene::world(keyvend::functions::runtime::now()).await;
        Self {
            keyvend: Mutex::new(deployed(&world, &origin, mail)),
            world,
            origin,
            mail: Cell::new(mail),
            ahead: Cell::default(),
            swept: Cell::default(),
            news: watch::Sender::new(0),
        }
    }

    /// Something arrives and is answered. What it put into the queues is delivered by the next `tick`.
    pub async fn step(&self, arrive: impl AsyncFnOnce(&Deployed) -> Value) -> Value {
        let keyvend = self.turn().await;
        let answer = arrive(&keyvend).await;
        self.changed();
        answer
    }

    /// Delivers what is visible in the queues, and once a minute does what the per-minute rule does.
    pub async fn tick(&self) {
        let keyvend = self.turn().await;
        if self.swept.replace(self.world.clock.now().0 / MINUTE) != self.world.clock.now().0 / MINUTE {
            self.world.net.sqs().sweep();
        }
        if keyvend.deliver().await > 0 {
            self.changed();
        }
    }

    /// Lets time pass: messages are delivered when they become visible, and minutes are swept. Of the sweeps those are
    /// made for which something is due, four a day, and one at the end; the others would find nothing.
    pub async fn pass(&self, time: Duration) {
        let keyvend = self.turn().await;
        let clock = &self.world.clock;
        let end = clock.now() + time;
        keyvend.deliver().await;
        while clock.now() < end {
            let sweep = self.next_sweep().await;
            let visible = QUEUES.iter().filter_map(|queue| self.world.net.sqs().next_visible(queue)).min();
            clock.set(visible.map_or(sweep, |visible| visible.min(sweep)).min(end));
            if clock.now() == sweep || clock.now() == end {
                self.world.net.sqs().sweep();
            }
            keyvend.deliver().await;
        }
        self.ahead.set(clock.now().since(keyvend::functions::runtime::now()));
        self.changed();
    }

    /// The next minute that has to be swept.
    async fn next_sweep(&self) -> Timestamp {
        let now = self.world.clock.now().0;
        let items = self.world.net.dynamo().items(aws::REQUESTS).await;
        let due = items.iter().filter_map(|item| item["due_at"]["N"].as_str()?.parse::<i64>().ok()).min();
        let after = |time: i64, step: i64| (time.div_euclid(step) + 1) * step;
        let due = due.map_or(i64::MAX, |due| after(due.max(now + 1) - 1, MINUTE));
        Timestamp(due.min(after(now, SIX_HOURS)))
    }

    /// Whether links need a code by email.
    pub fn mail(&self) -> bool {
        self.mail.get()
    }

    /// Deploys keyvend again, with mailed codes or without.
    pub async fn set_mail(&self, mail: bool) {
        let mut keyvend = self.turn().await;
        *keyvend = deployed(&self.world, &self.origin, mail);
        self.mail.set(mail);
        self.changed();
    }

    /// Waits until it is one's turn, and looks at the clock then.
    async fn turn(&self) -> MutexGuard<'_, Deployed> {
        let keyvend = self.keyvend.lock().await;
        let clock = &self.world.clock;
        let wall = keyvend::functions::runtime::now().0 + self.ahead.get();
        clock.set(clock.now().max(Timestamp(wall)));
        keyvend
    }

    fn changed(&self) {
        self.news.send_modify(|seq| *seq += 1);
    }

    /// Grows whenever something may have changed that somebody sees.
    pub fn seq(&self) -> usize {
        *self.news.borrow()
    }

    /// Returns once there is more than this, or after a while without.
    pub async fn wait(&self, seq: usize) {
        let mut news = self.news.subscribe();
        let more = news.wait_for(|now| *now > seq);
        // Nothing new is an answer too.
        let _ = tokio::time::timeout(PATIENCE, more).await;
    }
}

/// What the example says while somebody tries it is not what the tests saw.
fn deployed(world: &World, origin: &str, mail: bool) -> Deployed {
    let keyvend = Deployed::of(world.clone(), &variables(origin, mail));
    if cfg!(test) { keyvend } else { keyvend.unrecorded() }
}

fn variables(origin: &str, mail: bool) -> BTreeMap<String, String> {
    let mut variables = environment();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("KEYVEND_POLICY_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/policies"));
    set("KEYVEND_REVEAL_URL", &format!("{origin}/reveal"));
    if mail {
        set("KEYVEND_MAIL_FROM", "keyvend@example.com");
        set("KEYVEND_MAIL_DOMAINS", "example.com");
    }
    variables
}
