//! **This wasn't me**: the key is off within seconds. No lease, no policy, and nothing looked up outside the tables
//! unless who pressed is a stranger to them.

use futures_util::future::join;

use super::decide::carried;
use super::{NotDone, Worker, to_switch_off};
use crate::aws::WriteError;
use crate::card::action;
use crate::id::AccessKeyId;
use crate::inbound::{Interaction, Message, What};
use crate::item::{Table, Update};
use crate::key::{IssuedKey, StoredKey, Why};
use crate::request::State;
use crate::session::{self, IamStep};
use crate::store::Stored;
use crate::time::Timestamp;
use crate::words;

impl Worker {
    pub(super) async fn switch_off(
        &self,
        message: &Message,
        value: &str,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let Some((id, revision)) = carried(value) else {
            return Ok(self.answer(message, now, words::UNKNOWN_BUTTON).await?);
        };
        let Some(stored) = Stored::read(&self.dynamo, &id).await? else {
            return Ok(self.answer(message, now, words::UNKNOWN_BUTTON).await?);
        };
        // The button is on the card and in the requester's own message.
        if !stored.request.has_shown(&revision) && revision != stored.request.requesters_revision() {
            return Ok(self.turn_away(message, &stored, now).await?);
        }
        let State::Issued { key, .. } = &stored.request.state else {
            return Ok(self.answer(message, now, &words::moved_on(&stored.request)).await?);
        };
        let Some(StoredKey { issued, .. }) = self.read_key(key).await? else {
            return Ok(self.answer(message, now, words::UNKNOWN_BUTTON).await?);
        };
        if !issued.may_switch_off(&message.person) && !self.is_in_a_group(message, &issued).await? {
            self.note(&stored, "not-switched-off", message, now).await?;
            return Ok(self.answer(message, now, words::NOT_YOURS_TO_SWITCH_OFF).await?);
        }
        if issued.reported.as_ref() == Some(&message.id) {
            // Delivered again: it was carried out, and what was decided about the key since then stands.
            return Ok(self.answer(message, now, &words::reported_before(&issued)).await?);
        }
        let by = message.person.to_string();
        self.mark(&issued, StoredKey::mark_reported(&by, &message.id, now)).await?;
        self.deactivate_in_iam(&issued, (message.id.as_str(), &by)).await?;
        self.settle_off(key, Why::Reported, now).await?;
        Ok(self.answer(message, now, &words::switched_off(key)).await?)
    }

    /// The key that a message wanted off, where that is written down and IAM does not have it off yet.
    pub(super) async fn marked_off(&self, message: &Message) -> Option<AccessKeyId> {
        let key = match (&message.what, to_switch_off(&message.what)) {
            (_, Some((key, _))) => key,
            (What::Interaction(Interaction::BlockActions { action_id, value, .. }), None)
                if action_id == action::NOT_ME =>
            {
                let (id, revision) = carried(value)?;
                let request = Stored::read(&self.dynamo, &id).await.ok()??.request;
                // Which key it is about is nothing to whoever knows the request's id alone.
                let shown = request.has_shown(&revision) || revision == request.requesters_revision();
                request.issued().filter(|_| shown)?.0.clone()
            }
            (
                What::Command(_)
                | What::Interaction(_)
                | What::PersonLeft
                | What::JoinedChannel { .. }
                | What::JoinedGroup { .. },
                None,
            ) => return None,
        };
        let stored = self.read_key(&key).await.ok()??;
        stored.is_off_pending().then_some(key)
    }

    /// Whether whoever pressed is in a group that owns the IAM user, or approves now.
    pub(super) async fn is_in_a_group(&self, message: &Message, issued: &IssuedKey) -> anyhow::Result<bool> {
        let slack = self.slack().await?;
        let person = &message.person.user;
        let owning = self.lookup.groups_of(&slack, person, &issued.owner_groups);
        let approving = self.lookup.approvers(&slack, &self.config);
        // Either will do: a user group that is gone by now keeps no approver from it.
        match join(owning, approving).await {
            (Ok(groups), _) if !groups.is_empty() => Ok(true),
            (_, Ok(approvers)) if approvers.contains(person) => Ok(true),
            (Ok(_), Ok(_)) => Ok(false),
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
        }
    }

    /// Marks the key, then has IAM switch it off, before anything else. `operation` and `actor` name the session.
    pub(super) async fn take_off(
        &self,
        issued: &IssuedKey,
        (operation, actor): (&str, &str),
        why: Why,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.mark(issued, StoredKey::mark_off(actor, why, now)).await?;
        self.deactivate_in_iam(issued, (operation, actor)).await
    }

    async fn mark(&self, issued: &IssuedKey, marked: Update) -> anyhow::Result<()> {
        match self.dynamo.update(Table::Requests, &StoredKey::item_key(&issued.key), &marked).await {
            // Marked before: what follows may still be lacking.
            Ok(_) | Err(WriteError::Lost(_)) => Ok(()),
            Err(WriteError::Fault(fault)) => Err(fault),
        }
    }

    async fn deactivate_in_iam(
        &self,
        issued: &IssuedKey,
        (operation, actor): (&str, &str),
    ) -> anyhow::Result<()> {
        let policy = session::acting(IamStep::Deactivate, &issued.account, &issued.path, &issued.user)?;
        let iam = self.sts.session(&issued.account, operation, actor, policy).await?;
        iam.deactivate_access_key(&issued.user, &issued.key).await
    }
}
