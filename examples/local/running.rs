//! keyvend running by the clock on the wall: one step at a time, and after each what it put into the queues.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, watch};

use super::scene;
use super::world::deployed::Deployed;
use super::world::{aws, environment};

/// How long somebody who waits for news waits at most.
const PATIENCE: Duration = Duration::from_secs(25);

/// The deployed functions with their world.
pub struct Running {
    pub keyvend: Deployed,
    pub origin: String,
    turn: Mutex<()>,
    /// The minute of the last sweep.
    swept: Cell<i64>,
    news: watch::Sender<usize>,
}

impl Running {
    /// On this port of 127.0.0.1; links want a mailed code if `mail`.
    pub async fn new(port: u16, mail: bool) -> Self {
        let origin = format!("http://127.0.0.1:{port}");
        let world = scene::world(keyvend::function::now()).await;
        let keyvend = Deployed::of(world, &variables(&origin, mail));
        Self { keyvend, origin, turn: Mutex::default(), swept: Cell::new(0), news: watch::Sender::new(0) }
    }

    /// Something arrives and is answered; then what is visible in the queues is delivered.
    pub async fn step(&self, arrive: impl AsyncFnOnce(&Deployed) -> Value) -> Value {
        let _turn = self.turn.lock().await;
        self.look_at_the_clock();
        let answer = arrive(&self.keyvend).await;
        self.keyvend.deliver().await;
        self.news.send_replace(self.seq());
        answer
    }

    /// Once a minute what the per-minute rule does, and delivers what became visible in the queues.
    pub async fn tick(&self) {
        let _turn = self.turn.lock().await;
        self.look_at_the_clock();
        let minute = self.keyvend.world.clock.now().0 / 60;
        if self.swept.replace(minute) != minute {
            self.keyvend.world.net.sqs().sweep();
        }
        if self.keyvend.deliver().await > 0 {
            self.news.send_replace(self.seq());
        }
    }

    fn look_at_the_clock(&self) {
        let clock = &self.keyvend.world.clock;
        clock.set(clock.now().max(keyvend::function::now()));
    }

    /// Grows with all that anybody can see.
    pub fn seq(&self) -> usize {
        let net = &self.keyvend.world.net;
        net.slack().changes() + aws::mails(net).len()
    }

    /// Returns once there is more than this, or after a while without.
    pub async fn wait(&self, seq: usize) {
        let mut news = self.news.subscribe();
        let more = news.wait_for(|now| *now > seq);
        // Nothing new is an answer too.
        let _ = tokio::time::timeout(PATIENCE, more).await;
    }
}

fn variables(origin: &str, mail: bool) -> BTreeMap<String, String> {
    let mut variables = environment();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("KEYVEND_TIMERS", "on");
    set("KEYVEND_POLICY_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/policies"));
    set("KEYVEND_REVEAL_URL", &format!("{origin}/reveal"));
    if mail {
        set("KEYVEND_MAIL_FROM", "keyvend@example.com");
        set("KEYVEND_MAIL_DOMAINS", "example.com");
    }
    variables
}
