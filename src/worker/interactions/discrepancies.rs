//! An approver sees all keys that do not match the records, or marks some as known for a while. Nothing is done to a key.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::reconciliation::KNOWN_FOR;
use crate::render::{approval_card, discrepancies, text};
use crate::slack::receive::SlackEnvelope;
use crate::store::chains;
use crate::store::document::{StoredFindings, findings_pk};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::decision_facts::approves_now;
use crate::worker::ops::card::to_approvers;
use crate::worker::ops::findings::{marked_keys, read_findings};
use crate::worker::ops::posted_messages::end_discrepancies;
use crate::worker::outbox::{alone, audit_alone, insert_alone};
use crate::worker::reply::{answer, direct};

pub(crate) async fn show_discrepancies(
    ctx: &Context,
    message: &SlackEnvelope,
    now: Timestamp,
) -> Result<(), HandleError> {
    let slack = slack_client(ctx).await?;
    if !approves_now(ctx, &slack, &message.person).await? {
        return Ok(answer(ctx, message, now, text::ONLY_APPROVERS_MARK).await?);
    }
    let stored = read_findings(ctx).await?;
    let mut listed = Vec::new();
    let mut more = 0;
    for (account, stored) in &stored {
        let (keys, others) = stored.document.all();
        listed.extend(keys.into_iter().map(|(found, known_until)| discrepancies::ListedKey {
            account,
            found,
            known_until,
        }));
        more += others;
    }
    if listed.is_empty() && more == 0 {
        return Ok(answer(ctx, message, now, text::NO_DISCREPANCIES).await?);
    }
    // Not where the press says, which may be a thief's place.
    Ok(direct(ctx, &message.person, &discrepancies::all(&listed, more, now), now).await?)
}

/// Marks keys as known; the first write goes with what the trail says of it. Delivered again, it goes on where it was.
pub(crate) async fn mark_known(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let slack = slack_client(ctx).await?;
    if !approves_now(ctx, &slack, &message.person).await? {
        audit_alone(ctx, message, [NewAuditEntry::new(AuditEvent::KeyMarkKnownDenied, &message.person, [])])
            .await?;
        return Ok(answer(ctx, message, now, text::ONLY_APPROVERS_MARK).await?);
    }
    let Some((accounts, which)) = marked_keys(ctx, value) else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    let until = Timestamp(message.signed_at.0 + KNOWN_FOR);
    let detail = [("keys", value.to_owned()), ("until", until.rfc3339())];
    let chain = alone(message, [NewAuditEntry::new(AuditEvent::KeyMarkedKnown, &message.person, detail)]);
    let mut is_kept = chains::standalone_chain_head(&ctx.tables, &message.id).await?.is_some();
    for account in accounts {
        for attempt in 0.. {
            if attempt == MAX_CONFLICT_RETRIES {
                return Err(HandleError::RetryAfter(Duration::from_secs(1)));
            }
            let stored = StoredFindings::read(&ctx.tables, &findings_pk(&account.id)).await?;
            let (count, next) = stored.document.mark_known(&which, until);
            if count == 0 {
                break;
            }
            let mut writes = vec![stored.replace(&next)?];
            if !is_kept {
                writes.push(chains::put_standalone_chain_head(&message.id, &chain));
            }
            match ctx.tables.write(writes).await {
                Ok(()) => {
                    is_kept = true;
                    break;
                }
                // The comparison wrote meanwhile, or this message was delivered twice.
                Err(WriteError::Conflict(_)) => {
                    is_kept = chains::standalone_chain_head(&ctx.tables, &message.id).await?.is_some();
                }
                Err(WriteError::Other(error)) => return Err(error.into()),
            }
        }
    }
    if !is_kept {
        return Ok(answer(ctx, message, now, text::NOTHING_TO_MARK).await?);
    }
    insert_alone(ctx, message, &chain).await?;
    // All approvers see it: what is known is not reported for a while.
    let announced = approval_card::text(&text::marked_known_by(&message.person, &which, until));
    to_approvers(ctx, &announced).await?;
    answer(ctx, message, now, &text::marked_known(until)).await?;
    end_discrepancies(ctx, now).boxed().await;
    Ok(())
}
