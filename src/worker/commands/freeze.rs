//! `freeze`: one command stops all issuing within seconds; `unfreeze` lets it go on. Where the two race, the stop wins: an
//! unfreeze lifts only what was stopped before it was typed.

use std::time::Duration;

use futures_util::future::try_join;

use crate::aws::WriteError;
use crate::aws::item::{Table, Write};
use crate::domain::audit::{AuditChain, AuditEvent, NewAuditEntry};
use crate::policy::Freeze;
use crate::render::{approval_card, text};
use crate::slack::receive::SlackEnvelope;
use crate::store::chains;
use crate::store::freeze;
use crate::time::Timestamp;
use crate::worker::authorize::{denial_text, denied_by_policy};
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::decision_facts::memberships;
use crate::worker::outbox::{alone, audit_alone, insert_alone, keep_alone};
use crate::worker::reply::{answer, approvers_unreachable};

/// What `freeze` or `unfreeze` came to.
#[derive(Clone, Debug)]
enum Outcome {
    /// This message made it so, by this delivery or an earlier one.
    Made,
    /// It was so before.
    Nothing,
    /// An earlier delivery was carried out, and somebody did the opposite since.
    Reverted,
    /// Not unfrozen: somebody froze at the time that it was typed, or since.
    Raced { by: String, at: Timestamp },
}

fn refused(freeze: bool) -> AuditEvent {
    if freeze { AuditEvent::IssuingFreezeDenied } else { AuditEvent::IssuingResumeDenied }
}

pub(crate) async fn freeze(
    ctx: &Context,
    message: &SlackEnvelope,
    freeze: bool,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Ok(policies) = &ctx.policies else {
        return Ok(answer(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    let slack = slack_client(ctx).await?;
    let memberships = match memberships(ctx, &slack).await {
        Ok(memberships) => memberships,
        Err(error) => {
            let no = denial_text(ctx, &approvers_unreachable(error)?);
            return refuse_freeze(ctx, message, freeze, &no, now).await;
        }
    };
    let person = ctx.lookup.person(&slack, &message.person, &memberships).await?;
    // It stops issuing in every account, so it is asked about every account.
    let denied =
        ctx.config.accounts.iter().find_map(|account| policies.authorize(&person, Freeze, account).err());
    if let Some(denial) = denied {
        let no = denial_text(ctx, &denied_by_policy(&denial));
        return refuse_freeze(ctx, message, freeze, &no, now).await;
    }
    let (outcome, chain) = change_freeze(ctx, message, freeze, now).await?;
    insert_alone(ctx, message, &chain).await?;
    let sentence = match outcome {
        Outcome::Made => {
            let told = approval_card::text(&text::frozen_by(freeze, &message.person));
            slack.post(ctx.config.approvals_channel.as_str(), &told).await?;
            if freeze { text::FREEZE_DONE } else { text::UNFREEZE_DONE }.to_owned()
        }
        Outcome::Nothing => if freeze { text::FREEZE_DONE } else { text::UNFREEZE_DONE }.to_owned(),
        Outcome::Reverted => if freeze { text::FREEZE_REVERTED } else { text::UNFREEZE_REVERTED }.to_owned(),
        Outcome::Raced { by, at } => text::unfreeze_raced(&by, at),
    };
    Ok(answer(ctx, message, now, &sentence).await?)
}

/// Makes it so, in one write with what the trail says of it. Delivered again, it changes nothing, whatever has happened
/// since: the end of its chain shows that it was carried out.
async fn change_freeze(
    ctx: &Context,
    message: &SlackEnvelope,
    freeze: bool,
    now: Timestamp,
) -> Result<(Outcome, AuditChain), HandleError> {
    let by = &message.person;
    let event = if freeze { AuditEvent::IssuingFrozen } else { AuditEvent::IssuingResumed };
    let refusal = alone(message, [NewAuditEntry::new(refused(freeze), by, [])]);
    for _ in 0..MAX_CONFLICT_RETRIES {
        let (kept, frozen) =
            try_join(chains::standalone_chain_head(&ctx.tables, &message.id), freeze::frozen(&ctx.tables))
                .await?;
        // It may have been refused by an earlier delivery: it is carried out all the same, and its trail says both.
        let after = |chain: &AuditChain, detail: &[(&str, String)]| {
            let mut chain = chain.clone();
            let mut happened = NewAuditEntry::new(event, by, []);
            happened.detail.extend(detail.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            chain.append(&message.id, message.signed_at, happened);
            chain
        };
        let nothing = [("changed", "nothing".to_owned())];
        if let Some(kept) = &kept {
            let earlier = [AuditChain::default(), refusal.clone()];
            let made = earlier.iter().map(|before| (after(before, &[]), Outcome::Made));
            let found = earlier.iter().map(|before| (after(before, &nothing), Outcome::Nothing));
            if let Some((chain, outcome)) = made.chain(found).find(|(chain, _)| chain.head() == *kept) {
                let stands = frozen.is_some() == freeze;
                return Ok((if stands { outcome } else { Outcome::Reverted }, chain));
            }
        }
        let was_refused = kept.as_ref() == Some(&refusal.head());
        let before = if was_refused { refusal.clone() } else { AuditChain::default() };
        // The stop counts from when it is carried out: nobody who typed `unfreeze` before can have known of it.
        let at = now.max(message.signed_at);
        let (outcome, detail, update) = match (freeze, frozen) {
            (true, None) => (Outcome::Made, Vec::new(), Some(freeze::freeze(by, at))),
            (true, Some(_)) => (Outcome::Nothing, nothing.to_vec(), Some(freeze::freeze_again(by, at))),
            (false, None) => (Outcome::Nothing, nothing.to_vec(), None),
            (false, Some((by, at))) if at >= message.signed_at => {
                let detail = [("frozen_by", by.clone()), ("frozen_at", at.rfc3339())];
                let chain = alone(message, [NewAuditEntry::new(refused(freeze), &message.person, detail)]);
                keep_alone(ctx, message, &chain).await?;
                return Ok((Outcome::Raced { by, at }, chain));
            }
            (false, Some(_)) => (Outcome::Made, Vec::new(), Some(freeze::unfreeze(message.signed_at))),
        };
        let chain = after(&before, &detail);
        let update = update.map(|update| Write::Update {
            table: Table::Requests,
            key: freeze::FREEZE_PK.to_owned(),
            update,
        });
        let kept = match kept {
            None => Some(chains::put_standalone_chain_head(&message.id, &chain)),
            Some(kept) if was_refused => Some(chains::move_standalone_chain_head(&message.id, &chain, &kept)),
            // Somebody chose an id that is taken; the stop is made all the same.
            Some(_) => None,
        };
        let writes: Vec<Write> = update.into_iter().chain(kept).collect();
        if writes.is_empty() {
            return Ok((outcome, chain));
        }
        match ctx.tables.write(writes).await {
            Ok(()) => return Ok((outcome, chain)),
            // It crossed another stop, or a key that is being issued.
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(HandleError::RetryAfter(Duration::from_secs(1)))
}

async fn refuse_freeze(
    ctx: &Context,
    message: &SlackEnvelope,
    freeze: bool,
    no: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    audit_alone(ctx, message, [NewAuditEntry::new(refused(freeze), &message.person, [])]).await?;
    Ok(answer(ctx, message, now, no).await?)
}
