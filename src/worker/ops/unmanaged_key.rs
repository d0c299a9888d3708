//! A key that keyvend did not issue: deactivated or deleted when an entitled person asks for exactly that key, and never
//! touched otherwise. It has no item and no request, so what is done to it is audited in a chain of its own that the
//! asking message names, before and after; while it is deleted, the IAM user's lease tells what is going on.

use futures_util::FutureExt as _;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use crate::aws::WriteError;
use crate::aws::session_policy::IamStep;
use crate::domain::audit::{AuditChain, AuditEvent, NewAuditEntry};
use crate::domain::iam::{AccessKeyStatus, Account, IamUser};
use crate::domain::key::{DeactivationUndo, UNPROVEN_LIMIT};
use crate::facts::NoSuchUser;
use crate::id::{AccessKeyId, IamUserName, PersonId, RequestId};
use crate::policy::{Deactivate, Delete};
use crate::render::approval_card::{self, KeyAction};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::document::StoredUndo;
use crate::store::leases::{DeletionLease, lease_is_free};
use crate::store::{chains, freeze};
use crate::time::Timestamp;
use crate::worker::authorize::{authorize_key_action, denial_text, unfit, unmanaged_key_facts};
use crate::worker::context::{Context, HandleError, LEASE_RETRY_DELAY, slack_client};
use crate::worker::decision_facts::{DecisionFacts, facts};
use crate::worker::ops::confirm_deletion::{ask_to_confirm, is_typed};
use crate::worker::ops::find_key::{KeyFound, find};
use crate::worker::ops::key_description::{Described, remove_descriptions};
use crate::worker::ops::key_in_iam::{KeyAt, KeyOutcome, NotShown, notify_of_unproven, step_on_key};
use crate::worker::ops::posted_messages::end_posted_about_unmanaged;
use crate::worker::ops::undo_deactivation::offer_undo;
use crate::worker::outbox::audit_alone;
use crate::worker::reply::{answer, answer_with, direct};

/// How long a deletion may take before its timer finishes it, in seconds: longer than any invocation runs.
const RECHECK_AFTER: i64 = 300;

/// Something done to a key that keyvend did not issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnmanagedDeletion {
    key: AccessKeyId,
    account: Account,
    user: IamUserName,
    path: String,
    by: PersonId,
    message: RequestId,
    at: Timestamp,
}

impl UnmanagedDeletion {
    /// AWS knew it when it was asked whose it is.
    fn target(&self) -> KeyAt<'_> {
        let Self { account, user, path, key, .. } = self;
        KeyAt { account, user, path, key, created_at: None }
    }

    /// The lease as it is held for this.
    fn held(&self) -> anyhow::Result<DeletionLease> {
        let holder = format!("delete#{}#{}", self.key, self.message);
        Ok(DeletionLease { holder, work: serde_json::to_string(self)? })
    }
}

pub(crate) async fn deactivate_unmanaged(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    at: (&Account, &IamUserName),
    now: Timestamp,
) -> Result<(), HandleError> {
    let facts = match may_deactivate_unmanaged(ctx, message, key, at, now).await? {
        Ok(facts) => facts,
        Err(no) => {
            return deny_unmanaged(ctx, message, AuditEvent::KeyDeactivateDenied, &no, now).await;
        }
    };
    if let Some((reason, _)) = unfit(ctx, &message.person, &facts.iam_user) {
        let no = denial_text(ctx, &reason);
        return deny_unmanaged(ctx, message, AuditEvent::KeyDeactivateDenied, &no, now).await;
    }
    let was_active = is_active(&facts.iam_user, key);
    let work = work(message, key, at, facts.iam_user.path, now);
    audit(ctx, &work, &[AuditEvent::KeyDeactivating]).await?;
    let by = work.by.to_string();
    let session = (message.id.as_str(), by.as_str());
    let outcome = step_on_key(ctx, IamStep::Deactivate, work.target(), session, now).boxed().await?;
    if outcome == KeyOutcome::Gone {
        return deny_nowhere(ctx, message, key, now).await;
    }
    audit(ctx, &work, &[AuditEvent::KeyDeactivating, AuditEvent::KeyDeactivated]).await?;
    // A key that was off before is not activated by taking this back.
    let undo = (was_active && !facts.iam_user.quarantined).then(|| DeactivationUndo {
        by: work.by.clone(),
        message: work.message.clone(),
        deactivated_at: now,
        account: work.account.clone(),
        user: work.user.clone(),
        state: None,
        nonces: Vec::new(),
        earlier: Vec::new(),
        pressed: None,
    });
    let until = offer_undo(ctx, message, key, undo, now).await;
    let sentence = until.map_or_else(
        || text::unmanaged_deactivated(key),
        |until| text::unmanaged_deactivated_undoable(key, until),
    );
    answer(ctx, message, now, &sentence).await?;
    end_posted_about_unmanaged(ctx, key, Some(AccessKeyStatus::Inactive), now).boxed().await;
    Ok(())
}

fn is_active(user: &IamUser, key: &AccessKeyId) -> bool {
    user.keys.iter().any(|found| found.id == *key && found.status == AccessKeyStatus::Active)
}

/// Takes back the deactivation of a key that keyvend did not issue; or what to say instead. Whoever may deactivate it may
/// also restore what they found.
pub(crate) async fn undo_unmanaged(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    (stored_undo, undo): (&StoredUndo, &DeactivationUndo),
    now: Timestamp,
) -> Result<Result<String, String>, HandleError> {
    if let KeyFound::Issued(_) | KeyFound::Suspect = find(ctx, key, now).await? {
        return Ok(Err(text::unmanaged_changed_since(key)));
    }
    let at = (&undo.account, &undo.user);
    let act = Deactivate(unmanaged_key_facts(key));
    let facts = match authorize_key_action(ctx, &message.person, at, act, now).boxed().await? {
        Ok((_, facts)) => facts,
        Err(no) => return Ok(Err(no)),
    };
    if facts.iam_user.quarantined {
        return Ok(Err(text::QUARANTINED.to_owned()));
    }
    if let Some((reason, _)) = unfit(ctx, &message.person, &facts.iam_user) {
        return Ok(Err(denial_text(ctx, &reason)));
    }
    match facts.iam_user.keys.iter().find(|found| found.id == *key).map(|found| found.status) {
        // IAM may not show yet that it is off.
        Some(AccessKeyStatus::Inactive | AccessKeyStatus::Active) => {}
        Some(AccessKeyStatus::Expired) => return Ok(Err(text::unmanaged_changed_since(key))),
        None => return Ok(Err(text::no_such_key(key))),
    }
    if undo.pressed.is_none() {
        let pressed = DeactivationUndo { pressed: Some(message.id.clone()), ..undo.clone() };
        let writes = vec![
            stored_undo.replace(&Some(pressed))?,
            lease_is_free(&undo.account, &undo.user),
            freeze::not_frozen(),
        ];
        match ctx.tables.write(writes).await {
            Ok(()) => {}
            Err(WriteError::Conflict(_)) if freeze::is_frozen(&ctx.tables).await? => {
                return Ok(Err(text::FROZEN_FOR_NOW.to_owned()));
            }
            Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    let work = work(message, key, at, facts.iam_user.path, now);
    audit(ctx, &work, &[AuditEvent::KeyActivating]).await?;
    let by = work.by.to_string();
    let session = (message.id.as_str(), by.as_str());
    if step_on_key(ctx, IamStep::Activate, work.target(), session, now).boxed().await? == KeyOutcome::Gone {
        return Ok(Err(text::no_such_key(key)));
    }
    audit(ctx, &work, &[AuditEvent::KeyActivating, AuditEvent::KeyDeactivationUndone]).await?;
    end_posted_about_unmanaged(ctx, key, Some(AccessKeyStatus::Active), now).boxed().await;
    Ok(Ok(text::undone(key)))
}

/// Policy decides; while it is not valid, whoever approves may.
async fn may_deactivate_unmanaged(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    at: (&Account, &IamUserName),
    now: Timestamp,
) -> anyhow::Result<Result<DecisionFacts, String>> {
    if ctx.policies.is_ok() {
        let allowed =
            authorize_key_action(ctx, &message.person, at, Deactivate(unmanaged_key_facts(key)), now).await?;
        return Ok(allowed.map(|(_, facts)| facts));
    }
    let slack = slack_client(ctx).await?;
    if !ctx.lookup.approvers(&slack, ctx.config.approval_places()).await?.contains(&message.person.user) {
        return Ok(Err(text::POLICIES_INVALID.to_owned()));
    }
    let facts = facts(ctx, &slack, &message.person, at, (&[], None), now).await?;
    Ok(facts.map_err(|NoSuchUser| text::user_gone(at.1, at.0)))
}

pub(crate) async fn delete_unmanaged(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    at: (&Account, &IamUserName),
    now: Timestamp,
) -> Result<(), HandleError> {
    let (_, facts) =
        match authorize_key_action(ctx, &message.person, at, Delete(unmanaged_key_facts(key)), now).await? {
            Ok(allowed) => allowed,
            Err(no) => {
                return deny_unmanaged(ctx, message, AuditEvent::KeyDeleteDenied, &no, now).await;
            }
        };
    if let Some((reason, _)) = unfit(ctx, &message.person, &facts.iam_user) {
        let no = denial_text(ctx, &reason);
        return deny_unmanaged(ctx, message, AuditEvent::KeyDeleteDenied, &no, now).await;
    }
    if is_active(&facts.iam_user, key) {
        let no = approval_card::about_key(
            &text::active_is_not_deleted(key),
            (key, at.1),
            &[KeyAction::Deactivate],
        );
        return Ok(answer_with(ctx, message, now, &no).await?);
    }
    if is_typed(message) {
        return Ok(ask_to_confirm(ctx, message, key, at, now).await?);
    }
    let work = work(message, key, at, facts.iam_user.path, now);
    let taken = work.held()?.acquire(&work.account, &work.user, Timestamp(now.0 + RECHECK_AFTER));
    match ctx.tables.write(vec![taken]).await {
        Ok(()) => {}
        Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => return Err(error.into()),
    }
    let (status, sentence) = carry_out_deletion(ctx, &work, now).await?;
    answer(ctx, message, now, &sentence).await?;
    end_posted_about_unmanaged(ctx, key, status, now).boxed().await;
    remove_descriptions_after(ctx, &work, now).await;
    Ok(())
}

/// What was cut off while a lease was held is finished, and whoever asked for it is told.
pub(crate) async fn finish_held(ctx: &Context, item: &str, now: Timestamp) -> Result<(), HandleError> {
    let Some(held) = DeletionLease::read(&ctx.tables, item).await? else { return Ok(()) };
    let work: UnmanagedDeletion = serde_json::from_str(&held.work)?;
    let sentence = match carry_out_deletion(ctx, &work, now).await {
        Ok((status, sentence)) => {
            end_posted_about_unmanaged(ctx, &work.key, status, now).boxed().await;
            sentence
        }
        Err(error) => match error.downcast_ref::<NotShown>() {
            // Nothing is gained by going on for ever: people do it by hand.
            Some(not_shown) if now.since(work.at) >= UNPROVEN_LIMIT => {
                notify_of_unproven(ctx, not_shown).await?;
                release(ctx, &work).await?;
                text::key_unproven(&work.key, &not_shown.cause.to_string())
            }
            Some(_) | None => return Err(error.into()),
        },
    };
    direct(ctx, &work.by, &approval_card::text(&sentence), now).await?;
    remove_descriptions_after(ctx, &work, now).await;
    Ok(())
}

/// Its key may be there still, where somebody activated it meanwhile; then its description stays.
async fn remove_descriptions_after(ctx: &Context, work: &UnmanagedDeletion, now: Timestamp) {
    let by = work.by.to_string();
    let described = Described {
        account: &work.account,
        user: &work.user,
        path: &work.path,
        operation: work.message.as_str(),
        by: &by,
    };
    remove_descriptions(ctx, described, None, now).boxed().await;
}

/// Deletes the key unless it was activated meanwhile; then writes down what is true, gives the lease back, and says
/// it. All of it can be done again. The status that the key has then; none where it was deleted.
async fn carry_out_deletion(
    ctx: &Context,
    work: &UnmanagedDeletion,
    now: Timestamp,
) -> anyhow::Result<(Option<AccessKeyStatus>, String)> {
    audit(ctx, work, &[AuditEvent::KeyDeleting]).await?;
    let keys = ctx.lookup.keys(&work.account, &work.user, now).await?;
    let active = keys.iter().any(|key| key.id == work.key && key.status == AccessKeyStatus::Active);
    let (event, sentence) = if active {
        (AuditEvent::KeyDeletionSkipped, text::unmanaged_not_deleted(&work.key))
    } else {
        let by = work.by.to_string();
        let session = (work.message.as_str(), by.as_str());
        step_on_key(ctx, IamStep::Delete, work.target(), session, now).boxed().await?;
        (AuditEvent::KeyDeleted, text::unmanaged_deleted(&work.key))
    };
    audit(ctx, work, &[AuditEvent::KeyDeleting, event]).await?;
    release(ctx, work).await?;
    Ok((active.then_some(AccessKeyStatus::Active), sentence))
}

async fn release(ctx: &Context, work: &UnmanagedDeletion) -> anyhow::Result<()> {
    match ctx.tables.write(vec![work.held()?.release(&work.account, &work.user)]).await {
        // Given back before.
        Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

/// The last of these entries, in its place of the chain that the message names. Delivered again, it finds its rows.
async fn audit(ctx: &Context, work: &UnmanagedDeletion, events: &[AuditEvent]) -> anyhow::Result<()> {
    let mut chain = AuditChain::default();
    for event in events {
        let detail = [
            ("key", work.key.to_string()),
            ("account", work.account.id.to_string()),
            ("user", work.user.to_string()),
        ];
        chain.append(&work.message, work.at, NewAuditEntry::new(*event, &work.by, detail));
    }
    let keep = async {
        match ctx.tables.write(vec![chains::put_standalone_chain_head(&work.message, &chain)]).await {
            // Delivered again.
            Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
            Err(WriteError::Other(error)) => Err(error),
        }
    };
    let Some(entry) = chain.outbox.last() else { return Ok(()) };
    // At once: what is to be done waits for it.
    try_join(keep, ctx.tables.insert_audit(&work.message, entry)).await.map(drop)
}

/// There is no such key, or no more: somebody may have deleted it in AWS.
pub(crate) async fn deny_nowhere(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    now: Timestamp,
) -> Result<(), HandleError> {
    answer(ctx, message, now, &text::no_such_key(key)).await?;
    end_posted_about_unmanaged(ctx, key, None, now).boxed().await;
    Ok(())
}

async fn deny_unmanaged(
    ctx: &Context,
    message: &SlackEnvelope,
    event: AuditEvent,
    no: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    audit_alone(ctx, message, [NewAuditEntry::new(event, &message.person, [])]).await?;
    Ok(answer(ctx, message, now, no).await?)
}

fn work(
    message: &SlackEnvelope,
    key: &AccessKeyId,
    (account, user): (&Account, &IamUserName),
    path: String,
    now: Timestamp,
) -> UnmanagedDeletion {
    UnmanagedDeletion {
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
