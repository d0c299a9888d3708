//! Once a day, beside the reading of who owns what: the keys that IAM has are compared with those on record. What does not
//! fit is reported; nothing is done to it. That AWS quarantined a user is noted with the keys that were issued for it.

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join_all};

use crate::aws::WriteError;
use crate::domain::audit::AuditEvent;
use crate::domain::iam::{AccessKeyStatus, Account};
use crate::domain::key::{DELETION_GRACE, IssuedKey};
use crate::domain::reconciliation::{Discrepancy, FoundKey};
use crate::domain::request::Notification;
use crate::facts::OwnedUser;
use crate::id::{AccessKeyId, SlackUserId};
use crate::queue::OwnershipPage;
use crate::render::approval_card::{self, KeyAction};
use crate::render::{discrepancies, text};
use crate::store::document::{StoredFindings, findings_pk};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::ops::findings::read_findings;
use crate::worker::ops::key_record::{key_event, update_key};
use crate::worker::ops::posted_messages::{end_discrepancies, keep_posted};

/// How many IAM users are looked at at a time: IAM answers a few calls a second.
const AT_ONCE: usize = 4;

/// Compares the keys of some IAM users with what is on record, and stores what does not fit. The last time that the
/// page comes, a key that cannot be noted holds up no other. Returns who requested the keys that are on.
pub(crate) async fn compare(
    ctx: &Context,
    account: &Account,
    users: &[&OwnedUser],
    page: &OwnershipPage,
    now: Timestamp,
    last: bool,
) -> anyhow::Result<BTreeSet<SlackUserId>> {
    let mut requesters = BTreeSet::new();
    let mut found = Vec::new();
    for some in users.chunks(AT_ONCE) {
        let compared =
            try_join_all(some.iter().map(|user| discrepancies_of(ctx, account, user, now, last))).await?;
        for (discrepancy, requester) in compared.into_iter().flatten() {
            requesters.extend(requester);
            found.extend(discrepancy);
        }
    }
    if !found.is_empty() {
        store_findings(ctx, page, found).await?;
    }
    Ok(requesters)
}

/// Stores what one page found, once however often its message comes.
async fn store_findings(ctx: &Context, page: &OwnershipPage, found: Vec<FoundKey>) -> anyhow::Result<()> {
    let pk = findings_pk(&page.account);
    for _ in 0..MAX_CONFLICT_RETRIES {
        let stored = StoredFindings::read(&ctx.tables, &pk).await?;
        let Some(next) = stored.document.with_page(page.begun, page.page, found.clone()) else {
            return Ok(());
        };
        match ctx.tables.write(vec![stored.replace(&next)?]).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("the findings of a comparison changed too often")
}

/// The keys of one IAM user that are on: in what each does not match the records, and who requested it, unless the
/// approvers were notified before that this person has left.
async fn discrepancies_of(
    ctx: &Context,
    account: &Account,
    user: &OwnedUser,
    now: Timestamp,
    last: bool,
) -> anyhow::Result<Vec<(Option<FoundKey>, Option<SlackUserId>)>> {
    let keys = ctx.lookup.keys(account, &user.name, now).await?;
    if user.quarantined {
        let noted = join_all(keys.iter().map(|key| note_quarantine(ctx, &key.id, now).boxed())).await;
        for error in noted.into_iter().filter_map(Result::err) {
            if !last {
                return Err(error);
            }
            tracing::error!(error = format!("{error:#}"), "recording the quarantine of a key failed");
        }
    }
    let live = keys.into_iter().filter(|key| key.status == AccessKeyStatus::Active);
    let judged = try_join_all(live.map(|key| async move {
        let record = StoredKey::read(&ctx.tables, &key.id).await?;
        let requester = record.as_ref().map(|record| &record.issued).and_then(requester_to_look_up);
        if record.as_ref().is_some_and(|record| fits(record, now)) {
            return anyhow::Ok((None, requester));
        }
        let last_used = ctx.lookup.last_used(account, &key.id, now).await?;
        let found = FoundKey {
            key: key.id,
            user: user.name.clone(),
            create_date: key.create_date,
            last_used,
            discrepancy: discrepancy(record.as_ref().map(|record| &record.issued)),
        };
        Ok((Some(found), requester))
    }));
    judged.await
}

/// AWS quarantined the IAM user of a key: noted with the key, since its owner alone may not switch it on again, and the
/// approvers are told, once. It is not deactivated: which of the keys leaked, AWS does not say here.
async fn note_quarantine(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> anyhow::Result<()> {
    let Some(stored) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
    let issued = &stored.issued;
    if issued.quarantined_at.is_some() || !stored.is_managed() {
        return Ok(());
    }
    let next = IssuedKey { quarantined_at: Some(now), ..issued.clone() };
    let offers: &[KeyAction] = if issued.state.is_active() { &[KeyAction::Deactivate] } else { &[] };
    let sentence = text::alarm(&ctx.config.approvers, &text::quarantined(issued));
    let message = approval_card::about_key(&sentence, (&issued.key, &issued.user), offers);
    let told = vec![Notification::ApprovalsChannel { message: message.into() }];
    match update_key(
        ctx,
        &stored,
        &next,
        key_event(AuditEvent::KeyUserQuarantined, &stored, []),
        Vec::new(),
        told,
        now,
    )
    .await
    {
        // Somebody else is about the key: it is looked at again tomorrow.
        Ok(()) | Err(HandleError::RetryAfter(_) | HandleError::RateLimited) => Ok(()),
        Err(HandleError::Failed(error)) => Err(error),
    }
}

/// In what a key that should not be active does not match the records.
fn discrepancy(record: Option<&IssuedKey>) -> Discrepancy {
    match record {
        None => Discrepancy::Unmanaged,
        Some(issued) if issued.state.is_active() => Discrepancy::Expired { at: issued.expires_at },
        Some(_) => Discrepancy::Deactivated,
    }
}

/// Reports what changed since the last reading, where anything did, and notes that it was said. Only a complete reading knows
/// what is gone.
pub(crate) async fn report_findings(
    ctx: &Context,
    begun: Timestamp,
    is_complete: bool,
    now: Timestamp,
) -> anyhow::Result<()> {
    let mut changed = Vec::new();
    for (account, stored) in read_findings(ctx).await? {
        let (changes, _) = stored.document.report(begun, is_complete, now);
        if !changes.is_empty() {
            changed.push((account, changes));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let told = discrepancies::report(&changed, begun, now);
    let channel = ctx.config.approvals_channel.as_str();
    let place = slack_client(ctx).await?.post(channel, &told).await?;
    for (account, _) in changed {
        note_reported(ctx, account, begun, is_complete, now).await?;
    }
    keep_posted(ctx, place, &told, now).await;
    end_discrepancies(ctx, now).boxed().await;
    Ok(())
}

/// Notes in the findings of an account that its changes were reported.
async fn note_reported(
    ctx: &Context,
    account: &Account,
    begun: Timestamp,
    is_complete: bool,
    now: Timestamp,
) -> anyhow::Result<()> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let stored = StoredFindings::read(&ctx.tables, &findings_pk(&account.id)).await?;
        let (_, next) = stored.document.report(begun, is_complete, now);
        match ctx.tables.write(vec![stored.replace(&next)?]).await {
            Ok(()) => return Ok(()),
            // Somebody marked keys as known meanwhile.
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("the findings of a comparison changed too often")
}

fn requester_to_look_up(issued: &IssuedKey) -> Option<SlackUserId> {
    let wanted = issued.state.is_active() && issued.left_notified_at.is_none();
    wanted.then(|| issued.requester.user.clone())
}

/// Whether a key that is on may be on. What ends late is on its way; only long after its end something is wrong.
fn fits(record: &StoredKey, now: Timestamp) -> bool {
    record.issued.state.is_active() && now.since(record.issued.expires_at) < 2 * DELETION_GRACE
}
