//! A key that keyvend did not issue: switched off or deleted when an entitled person asks for exactly that key, and never
//! touched otherwise. It has no item and no request, so what is done to it is audited in a chain of its own that the
//! asking message names, before and after; while it is deleted, the IAM user's lease tells what is going on.

use futures_util::FutureExt as _;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use super::descriptions::Described;
use super::facts::Facts;
use super::keys::foreign;
use super::{NotDone, Worker};
use crate::audit::{Chain, Happened};
use crate::aws::WriteError;
use crate::card::{self, Offer};
use crate::facts::{AccessKeyStatus, Account};
use crate::id::{AccessKeyId, IamUserName, PersonId, RequestId};
use crate::inbound::Message;
use crate::lookup::NoSuchUser;
use crate::policy::{Deactivate, Delete};
use crate::session::{self, IamStep};
use crate::store::{self, Held};
use crate::time::Timestamp;
use crate::words;

/// How long a deletion may take before its timer finishes it, in seconds: longer than any invocation runs.
const LOOK_AFTER: i64 = 300;
/// How long to wait for whoever else works on the same IAM user.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// Something done to a key that keyvend did not issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Work {
    key: AccessKeyId,
    account: Account,
    user: IamUserName,
    path: String,
    by: PersonId,
    message: RequestId,
    at: Timestamp,
}

impl Work {
    /// The lease as it is held for this.
    fn held(&self) -> anyhow::Result<Held> {
        let holder = format!("delete#{}#{}", self.key, self.message);
        Ok(Held { holder, work: serde_json::to_string(self)? })
    }
}

impl Worker {
    pub(super) async fn deactivate_foreign(
        &self,
        message: &Message,
        key: &AccessKeyId,
        at: (&Account, &IamUserName),
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let facts = match self.may_deactivate_foreign(message, key, at, now).await? {
            Ok(facts) => facts,
            Err(no) => return self.refuse_foreign(message, "deactivate-refused", &no, now).await,
        };
        if let Some(no) = self.unmanaged(&message.person, &facts.iam_user) {
            return self.refuse_foreign(message, "deactivate-refused", &no, now).await;
        }
        let work = work(message, key, at, facts.iam_user.path, now);
        self.audit(&work, &["deactivating"]).await?;
        let policy = session::acting(IamStep::Deactivate, &work.account, &work.path, &work.user)?;
        let iam = self.sts.session(&work.account, message.id.as_str(), &work.by.to_string(), policy).await?;
        iam.deactivate_access_key(&work.user, key).await?;
        self.audit(&work, &["deactivating", "deactivated"]).await?;
        Ok(self.answer(message, now, &words::foreign_deactivated(key)).await?)
    }

    /// Policy decides; while it is not valid, whoever approves may.
    async fn may_deactivate_foreign(
        &self,
        message: &Message,
        key: &AccessKeyId,
        at: (&Account, &IamUserName),
        now: Timestamp,
    ) -> anyhow::Result<Result<Facts, String>> {
        if self.policies.is_ok() {
            let allowed = self.may(message, at, Deactivate(foreign(key)), now).await?;
            return Ok(allowed.map(|(_, facts)| facts));
        }
        let slack = self.slack().await?;
        if !self.lookup.approvers(&slack, &self.config).await?.contains(&message.person.user) {
            return Ok(Err(words::POLICIES_INVALID.to_owned()));
        }
        let facts = self.facts(&slack, &message.person, at, (&[], None), now).await?;
        Ok(facts.map_err(|NoSuchUser| words::user_gone(at.1, at.0)))
    }

    pub(super) async fn delete_foreign(
        &self,
        message: &Message,
        key: &AccessKeyId,
        at: (&Account, &IamUserName),
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let (_, facts) = match self.may(message, at, Delete(foreign(key)), now).await? {
            Ok(allowed) => allowed,
            Err(no) => return self.refuse_foreign(message, "delete-refused", &no, now).await,
        };
        if let Some(no) = self.unmanaged(&message.person, &facts.iam_user) {
            return self.refuse_foreign(message, "delete-refused", &no, now).await;
        }
        let found = facts.iam_user.keys.iter().find(|found| found.id == *key);
        if found.is_some_and(|found| found.status == AccessKeyStatus::Active) {
            let no = card::about_key(&words::active_is_not_deleted(key), key, &[Offer::SwitchOff]);
            return Ok(self.answer_with(message, now, &no).await?);
        }
        let work = work(message, key, at, facts.iam_user.path, now);
        let taken = work.held()?.take(&work.account, &work.user, Timestamp(now.0 + LOOK_AFTER));
        match self.dynamo.write(vec![taken]).await {
            Ok(()) => {}
            Err(WriteError::Lost(_)) => return Err(NotDone::Later(BUSY)),
            Err(WriteError::Fault(fault)) => return Err(fault.into()),
        }
        let sentence = self.carry_out_deletion(&work, now).await?;
        self.answer(message, now, &sentence).await?;
        self.remove_descriptions_after(&work, now).await;
        Ok(())
    }

    /// What was cut off while a lease was held is finished, and whoever asked for it is told.
    pub(super) async fn finish_held(&self, item: &str, now: Timestamp) -> Result<(), NotDone> {
        let Some(held) = Held::read(&self.dynamo, item).await? else { return Ok(()) };
        let work: Work = serde_json::from_str(&held.work)?;
        let sentence = self.carry_out_deletion(&work, now).await?;
        self.direct(&work.by, &card::text(&sentence)).await?;
        self.remove_descriptions_after(&work, now).await;
        Ok(())
    }

    /// Its key may be there still, where somebody activated it meanwhile; then its description stays.
    async fn remove_descriptions_after(&self, work: &Work, now: Timestamp) {
        let by = work.by.to_string();
        let described = Described {
            account: &work.account,
            user: &work.user,
            path: &work.path,
            operation: work.message.as_str(),
            by: &by,
        };
        self.remove_descriptions(described, None, now).boxed().await;
    }

    /// Deletes the key unless it was switched on meanwhile; then writes down what is true, gives the lease back, and says
    /// it. All of it can be done again.
    async fn carry_out_deletion(&self, work: &Work, now: Timestamp) -> anyhow::Result<String> {
        self.audit(work, &["deleting"]).await?;
        let keys = self.lookup.keys(&work.account, &work.user, now).await?;
        let active = keys.iter().any(|key| key.id == work.key && key.status == AccessKeyStatus::Active);
        let (event, sentence) = if active {
            ("not-deleted", words::foreign_not_deleted(&work.key))
        } else {
            let policy = session::acting(IamStep::Delete, &work.account, &work.path, &work.user)?;
            let by = work.by.to_string();
            let iam = self.sts.session(&work.account, work.message.as_str(), &by, policy).await?;
            iam.delete_access_key(&work.user, &work.key).await?;
            ("deleted", words::foreign_deleted(&work.key))
        };
        self.audit(work, &["deleting", event]).await?;
        match self.dynamo.write(vec![work.held()?.release(&work.account, &work.user)]).await {
            // Given back before.
            Ok(()) | Err(WriteError::Lost(_)) => Ok(sentence),
            Err(WriteError::Fault(fault)) => Err(fault),
        }
    }

    /// The last of these entries, in its place of the chain that the message names. Delivered again, it finds its rows.
    async fn audit(&self, work: &Work, events: &[&'static str]) -> anyhow::Result<()> {
        let mut chain = Chain::default();
        for event in events {
            let detail = [
                ("key", work.key.to_string()),
                ("account", work.account.id.to_string()),
                ("user", work.user.to_string()),
            ];
            chain.append(&work.message, work.at, Happened::new(event, &work.by, detail));
        }
        let keep = async {
            match self.dynamo.write(vec![store::lone_chain(&work.message, &chain)]).await {
                // Delivered again.
                Ok(()) | Err(WriteError::Lost(_)) => Ok(()),
                Err(WriteError::Fault(fault)) => Err(fault),
            }
        };
        let Some(entry) = chain.outbox.last() else { return Ok(()) };
        // At once: what is to be done waits for it.
        try_join(keep, self.dynamo.insert_audit(&work.message, entry)).await.map(drop)
    }

    async fn refuse_foreign(
        &self,
        message: &Message,
        event: &'static str,
        no: &str,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        self.audit_alone(message, [Happened::new(event, &message.person, [])]).await?;
        Ok(self.answer(message, now, no).await?)
    }
}

fn work(
    message: &Message,
    key: &AccessKeyId,
    (account, user): (&Account, &IamUserName),
    path: String,
    now: Timestamp,
) -> Work {
    Work {
        key: key.clone(),
        account: account.clone(),
        user: user.clone(),
        path,
        by: message.person.clone(),
        message: message.id.clone(),
        // Never later than now: deactivating is not refused for its time.
        at: message.signed_at.min(now),
    }
}
