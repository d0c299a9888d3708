//! What is due: once a minute the index is asked, and every hit becomes a message of its own. A hit is a hint: the item
//! is read as it is, and nothing happens to it but what its state and the time allow.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::Value;

use super::{Due, Invocation, NotDone, RECEIVES, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::item::Table;
use crate::request::{Event, State, Telling};
use crate::store::{self, SHARDS, Stored};
use crate::time::Timestamp;
use crate::words;

/// How many items of a shard one sweep takes on; the next is a minute later.
const BATCH: i32 = 25;
/// How far an item that keeps failing is moved on, so that it keeps nobody behind it waiting.
const POSTPONED: Duration = Duration::from_secs(3_600);

/// Whether a body is the per-minute rule's event, passed on whole
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>).
pub(super) fn is_sweep(body: &str) -> bool {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let says = |field: &str, what: &str| event.get(field).and_then(Value::as_str) == Some(what);
    says("source", "aws.events") && says("detail-type", "Scheduled Event")
}

impl Worker {
    pub(super) async fn sweep(&self, now: Timestamp) -> Result<(), NotDone> {
        let found = try_join_all(SHARDS.map(|shard| self.dynamo.due(shard, now, BATCH))).await?;
        try_join_all(found.into_iter().flatten().map(|(item, due_at)| self.queue_timer(item, due_at)))
            .await?;
        Ok(())
    }

    async fn queue_timer(&self, item: String, due_at: Timestamp) -> anyhow::Result<()> {
        let (group, once) = (format!("timer.{item}"), format!("{item}.{}", due_at.0));
        let body = serde_json::to_string(&Due::Timer { item, due_at })?;
        self.sqs.send(&self.config.due_queue, body, &group, &once).await
    }

    pub(super) async fn timer(
        &self,
        item: &str,
        due_at: Timestamp,
        invocation: Invocation,
        received: u32,
    ) -> Result<(), NotDone> {
        let Some(id) = store::request_of(item) else { return Ok(()) };
        let done = match Stored::read(&self.dynamo, &id).await? {
            Some(stored) => self.look_at(stored, invocation).await,
            None => Ok(()),
        };
        if matches!(done, Err(NotDone::Fault(_))) && received >= RECEIVES {
            let postponed = store::postpone(due_at, invocation.now + POSTPONED);
            match self.dynamo.update(Table::Requests, item, &postponed).await {
                Ok(_) | Err(WriteError::Lost(_)) => {}
                Err(WriteError::Fault(fault)) => return Err(fault.into()),
            }
        }
        done
    }

    /// Leftovers first; then whatever the state and the time call for.
    async fn look_at(&self, stored: Stored, invocation: Invocation) -> Result<(), NotDone> {
        let now = invocation.now;
        if let State::Issuing(intent) = &stored.request.state {
            let intent = intent.clone();
            return self.finish(stored, intent, invocation).await;
        }
        let stored = self.flush(stored).await;
        if stored.request.is_expired(now) {
            return Ok(self.lapse(&stored, now).await?);
        }
        let Ok(next) = stored.request.apply(Event::Remind, "keyvend", now) else { return Ok(()) };
        // Where the card could not be posted, that is still to be done, and calls the approvers too.
        let telling = if next.card.is_some() {
            Telling::Thread { message: card::text(&words::reminder(&next, &self.config.approvers)) }
        } else {
            Telling::Card
        };
        match self.commit(&stored, next, Vec::new(), vec![telling]).await {
            Ok(saved) => {
                self.flush(saved).await;
                Ok(())
            }
            Err(WriteError::Lost(_)) => Ok(()),
            Err(WriteError::Fault(fault)) => Err(fault.into()),
        }
    }
}
