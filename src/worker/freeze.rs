//! `freeze`: one command stops all issuing within seconds; `unfreeze` lets it go on.

use std::time::Duration;

use super::cancel::RACES;
use super::{NotDone, Worker};
use crate::audit::{Chain, Happened};
use crate::aws::WriteError;
use crate::card;
use crate::inbound::Message;
use crate::item::{Table, Write};
use crate::policy::Freeze;
use crate::store;
use crate::time::Timestamp;
use crate::words;

impl Worker {
    pub(super) async fn freeze(
        &self,
        message: &Message,
        freeze: bool,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let Ok(policies) = &self.policies else {
            return Ok(self.answer(message, now, words::POLICIES_INVALID).await?);
        };
        let slack = self.slack().await?;
        let memberships = match self.memberships(&slack).await {
            Ok(memberships) => memberships,
            Err(fault) => {
                let no = self.unreachable(fault)?;
                return self.refuse_freeze(message, freeze, &no, now).await;
            }
        };
        let person = self.lookup.person(&slack, &message.person, &memberships).await?;
        // It stops issuing in every account, so it is asked about every account.
        let denied = self
            .config
            .accounts
            .iter()
            .find_map(|account| policies.authorize(&person, Freeze, account).err());
        if let Some(denial) = denied {
            let no = words::refused(&denial.advice, self.config.help_channel.as_ref());
            return self.refuse_freeze(message, freeze, &no, now).await;
        }
        let event = if freeze { "frozen" } else { "unfrozen" };
        let chain = alone(message, [Happened::new(event, &message.person, [])]);
        if self.changes(message, freeze, &chain, now).await? {
            self.insert_alone(message, &chain).await?;
            let told = card::text(&words::frozen_by(freeze, &message.person));
            slack.post(self.config.approvals_channel.as_str(), &told).await?;
        } else {
            let nothing = [("changed", "nothing".to_owned())];
            self.audit_alone(message, [Happened::new(event, &message.person, nothing)]).await?;
        }
        Ok(self.answer(message, now, if freeze { words::FREEZE_DONE } else { words::UNFREEZE_DONE }).await?)
    }

    /// Makes it so, in one write with what the trail says of it. Whether this message made it so: delivered again it did, too,
    /// and nobody may have been told yet.
    async fn changes(
        &self,
        message: &Message,
        freeze: bool,
        chain: &Chain,
        now: Timestamp,
    ) -> Result<bool, NotDone> {
        for _ in 0..RACES {
            let update = if freeze { store::freeze(&message.person, now) } else { store::unfreeze() };
            let update = Write::Update { table: Table::Requests, key: store::FREEZE.to_owned(), update };
            let mut writes = vec![update];
            match store::lone_end(&self.dynamo, &message.id).await? {
                Some(end) if end == chain.end() => return Ok(true),
                // It was refused before, and has its place in the trail: a stop is made all the same.
                Some(_) => {}
                None => writes.push(store::lone_chain(&message.id, chain)),
            }
            match self.dynamo.write(writes).await {
                Ok(()) => return Ok(true),
                Err(WriteError::Lost(_)) => {}
                Err(WriteError::Fault(fault)) => return Err(fault.into()),
            }
            // Else it crossed a key that is being issued.
            if store::is_frozen(&self.dynamo).await? == freeze {
                return Ok(false);
            }
        }
        Err(NotDone::Later(Duration::from_secs(1)))
    }

    async fn refuse_freeze(
        &self,
        message: &Message,
        freeze: bool,
        no: &str,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let event = if freeze { "freeze-refused" } else { "unfreeze-refused" };
        self.audit_alone(message, [Happened::new(event, &message.person, [])]).await?;
        Ok(self.answer(message, now, no).await?)
    }

    /// Audits a command that is about no request, in a chain of its own that its very message names: delivered again, it
    /// finds its entry there.
    pub(super) async fn audit_alone(
        &self,
        message: &Message,
        events: impl IntoIterator<Item = Happened>,
    ) -> anyhow::Result<()> {
        let chain = alone(message, events);
        match self.dynamo.write(vec![store::lone_chain(&message.id, &chain)]).await {
            // Delivered again.
            Ok(()) | Err(WriteError::Lost(_)) => {}
            Err(WriteError::Fault(fault)) => return Err(fault),
        }
        self.insert_alone(message, &chain).await
    }

    async fn insert_alone(&self, message: &Message, chain: &Chain) -> anyhow::Result<()> {
        for entry in &chain.outbox {
            self.dynamo.insert_audit(&message.id, entry).await?;
        }
        Ok(())
    }
}

/// The chain that a message's own events make: the same whenever it is delivered.
fn alone(message: &Message, events: impl IntoIterator<Item = Happened>) -> Chain {
    let mut chain = Chain::default();
    for happened in events {
        chain.append(&message.id, message.signed_at, happened);
    }
    chain
}
