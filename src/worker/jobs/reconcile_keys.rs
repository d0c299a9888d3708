//! Once a day, beside the reading of who owns what: the keys that IAM has are compared with those on record. What does not
//! fit is reported; nothing is done to it. That AWS quarantined a user is noted with the keys that were issued for it.

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join_all};

use crate::aws::WriteError;
use crate::aws::item::Table;
use crate::domain::audit::AuditEvent;
use crate::domain::iam::{AccessKeyStatus, Account};
use crate::domain::key::{DELETION_GRACE, IssuedKey};
use crate::domain::reconciliation::Findings;
use crate::domain::request::Notification;
use crate::facts::OwnedUser;
use crate::id::{AccessKeyId, SlackUserId};
use crate::queue::OwnershipPage;
use crate::render::approval_card::{self, KeyAction};
use crate::render::text;
use crate::store::keys::StoredKey;
use crate::store::reconciliation::{FINDINGS_PK, StoredFindings};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::ops::key_record::{key_event, update_key};

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
        for (line, requester) in compared.into_iter().flatten() {
            requesters.extend(requester);
            found.extend(line);
        }
    }
    if !found.is_empty() {
        store_findings(ctx, page, &found).await?;
    }
    Ok(requesters)
}

/// Stores what one page found, once however often its message comes.
async fn store_findings(ctx: &Context, page: &OwnershipPage, found: &[String]) -> anyhow::Result<()> {
    let of_page = format!("{}/{}", page.account, page.page);
    for _ in 0..MAX_CONFLICT_RETRIES {
        let stored = findings(ctx).await?;
        let Some(next) = stored.findings.with_page(page.begun, &of_page, found) else { return Ok(()) };
        match ctx.tables.write(vec![stored.replace(&next)?]).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("the findings of a comparison changed too often")
}

async fn findings(ctx: &Context) -> anyhow::Result<StoredFindings> {
    let item = ctx.tables.get(Table::Requests, FINDINGS_PK, None).await?;
    item.as_ref().map(StoredFindings::try_from).transpose().map(Option::unwrap_or_default)
}

/// The keys of one IAM user that are on: a line about each that should not be, and who requested it, unless the
/// approvers were notified before that this person has left.
async fn discrepancies_of(
    ctx: &Context,
    account: &Account,
    user: &OwnedUser,
    now: Timestamp,
    last: bool,
) -> anyhow::Result<Vec<(Option<String>, Option<SlackUserId>)>> {
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
    let judged = try_join_all(live.map(|mut key| async move {
        let record = StoredKey::read(&ctx.tables, &key.id).await?;
        let requester = record.as_ref().map(|record| &record.issued).and_then(requester_to_look_up);
        if record.as_ref().is_some_and(|record| fits(record, now)) {
            return anyhow::Ok((None, requester));
        }
        key.last_used = ctx.lookup.last_used(account, &key.id, now).await?;
        let record = record.as_ref().map(|record| &record.issued);
        Ok((Some(text::compared_line(&user.name, account, &key, record, now)), requester))
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
    let message = approval_card::about_key(&text::quarantined(issued), key, offers);
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

/// The report of a whole reading, where there is anything to report.
pub(crate) async fn report_findings(ctx: &Context, begun: Timestamp) -> anyhow::Result<()> {
    let Findings { begun: stored, lines, more, .. } = findings(ctx).await?.findings;
    if stored != Some(begun) || lines.is_empty() {
        return Ok(());
    }
    let told = approval_card::text(&text::compared(&lines, more));
    slack_client(ctx).await?.post(ctx.config.approvals_channel.as_str(), &told).await?;
    Ok(())
}

fn requester_to_look_up(issued: &IssuedKey) -> Option<SlackUserId> {
    let wanted = issued.state.is_active() && issued.left_notified_at.is_none();
    wanted.then(|| issued.requester.user.clone())
}

/// Whether a key that is on may be on. What ends late is on its way; only long after its end something is wrong.
fn fits(record: &StoredKey, now: Timestamp) -> bool {
    record.issued.state.is_active() && now.since(record.issued.expires_at) < 2 * DELETION_GRACE
}
