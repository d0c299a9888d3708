//! **This wasn't me**: the key is off within seconds. No lease, no policy, and nothing looked up outside the tables
//! unless who pressed is a stranger to them.

use futures_util::future::join;

use super::decide::carried;
use super::{NotDone, Worker, to_switch_off};
use crate::audit::Happened;
use crate::aws::WriteError;
use crate::card::{self, action};
use crate::id::AccessKeyId;
use crate::inbound::{Interaction, Message, What};
use crate::item::Table;
use crate::key::{IssuedKey, KeyState, StoredKey, Why};
use crate::request::{Event, State, Telling};
use crate::session::{self, IamStep};
use crate::store::Stored;
use crate::time::Timestamp;
use crate::words;

use super::cancel::RACES;
use super::look_after::release_if_activating;

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
        self.take_off(&issued, (message.id.as_str(), &message.person.to_string()), Why::Reported, now)
            .await?;
        self.tell_off(message, &stored, key, now).await?;
        Ok(self.answer(message, now, &words::switched_off(key)).await?)
    }

    /// The key that a message wanted off, where that is written down and IAM does not have it off yet.
    pub(super) async fn marked_off(&self, message: &Message) -> Option<AccessKeyId> {
        let key = match (&message.what, to_switch_off(&message.what)) {
            (_, Some((key, _))) => key,
            (What::Interaction(Interaction::BlockActions { action_id, value, .. }), None)
                if action_id == action::NOT_ME =>
            {
                let stored = Stored::read(&self.dynamo, &carried(value)?.0).await.ok()??;
                stored.request.issued()?.0.clone()
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
        (stored.off.is_some() && stored.issued.state.is_live()).then_some(key)
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
        let marked = StoredKey::mark_off(actor, why, now);
        match self.dynamo.update(Table::Requests, &StoredKey::item_key(&issued.key), &marked).await {
            // Marked before: what follows may still be lacking.
            Ok(_) | Err(WriteError::Lost(_)) => {}
            Err(WriteError::Fault(fault)) => return Err(fault),
        }
        let policy = session::acting(IamStep::Deactivate, &issued.account, &issued.path, &issued.user)?;
        let iam = self.sts.session(&issued.account, operation, actor, policy).await?;
        iam.deactivate_access_key(&issued.user, &issued.key).await
    }

    /// Audits it and tells the approvers and the requester, once.
    async fn tell_off(
        &self,
        message: &Message,
        stored: &Stored,
        key: &AccessKeyId,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let mut stored = stored.clone();
        for _ in 0..RACES {
            let Some(off) = self.read_key(key).await? else { return Ok(()) };
            if stored.request.reported.is_some() {
                return Ok(());
            }
            let happened = Happened::new(
                "deactivated",
                &message.person,
                [("key", key.to_string()), ("why", "reported".to_owned())],
            );
            let event = Event::Report { by: message.person.clone(), happened };
            let next = stored.request.apply(event, &message.person.to_string(), now)?;
            let told = card::text(&words::reported(&next, key, &message.person));
            let to = next.asked.requester.clone();
            let tellings = vec![
                Telling::Approvers { message: told.clone() },
                Telling::Direct { to, message: told },
                Telling::Card,
            ];
            let mut others = Vec::new();
            if off.issued.state.is_live() {
                others.push(off.replace(&off.issued.switched_off(Why::Reported, now))?);
                others.extend(release_if_activating(&off));
            } else if let KeyState::Inactive { since, .. } = off.issued.state {
                // Off for another reason; but from now on it does not come back just because its owner says so.
                let state = KeyState::Inactive { why: Why::Reported, since };
                others.push(off.replace(&IssuedKey { state, ..off.issued.clone() })?);
            }
            match self.commit(&stored, next, others, tellings).await {
                Ok(saved) => {
                    self.flush(saved).await;
                    return Ok(());
                }
                Err(WriteError::Lost(_)) => match Stored::read(&self.dynamo, &stored.request.id).await? {
                    Some(found) => stored = found,
                    None => return Ok(()),
                },
                Err(WriteError::Fault(fault)) => return Err(fault),
            }
        }
        anyhow::bail!("a request changed too often for its key's end to be noted")
    }
}
