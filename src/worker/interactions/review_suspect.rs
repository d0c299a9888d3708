//! An approver says whether a suspect key is keyvend's. Only then is it deleted.

use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::facts::NoSuchUser;
use crate::policy::{Delete, KeyFacts};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::authorize::{Barred, barred, denial_text, denied_by_policy, refuse_barred};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{approves_now, facts};
use crate::worker::ops::delete_key::{delete_key, remove_description_of};
use crate::worker::ops::key_record::{note_on_key, update_key};
use crate::worker::reply::answer;

/// Somebody says whether a suspect came of the request. Whoever may delete the IAM user's keys may say so. A no is in
/// the trail of the request.
pub(crate) async fn review_suspect(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    ours: bool,
    now: Timestamp,
) -> Result<(), HandleError> {
    let found = match value.parse() {
        Ok(key) => StoredKey::read(&ctx.tables, &key).await?,
        Err(_) => None,
    };
    let barred = barred(ctx, &message.person).await?;
    let stored = match (found, barred) {
        (Some(stored), Some(Barred { reason, .. }))
            if matches!(stored.issued.state, KeyState::Suspect { .. }) =>
        {
            note_on_key(ctx, message, &stored, AuditEvent::KeySuspectAnswerDenied, now).await?;
            return Ok(answer(ctx, message, now, &denial_text(ctx, &reason)).await?);
        }
        (_, Some(barred)) => return refuse_barred(ctx, message, barred, now).await,
        (Some(stored), None) => stored,
        (None, None) => return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?),
    };
    let issued = &stored.issued;
    let KeyState::Suspect { .. } = issued.state else {
        return Ok(answer(ctx, message, now, &text::suspect_settled(issued)).await?);
    };
    let Ok(policies) = &ctx.policies else {
        return Ok(answer(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    let slack = slack_client(ctx).await?;
    let subject = (&issued.account, &issued.user);
    let no = match facts(ctx, &slack, &message.person, subject, (&[], None), now).await? {
        Ok(facts) => {
            let denied =
                policies.authorize(&facts.requester, Delete(KeyFacts::from(issued)), &facts.iam_user).err();
            denied.map(|denial| denial_text(ctx, &denied_by_policy(&denial)))
        }
        // There is no IAM user that policy could be asked about: then those may who approve now.
        Err(NoSuchUser) if approves_now(ctx, &slack, &message.person).await? => None,
        Err(NoSuchUser) => Some(text::ONLY_APPROVERS_ANSWER.to_owned()),
    };
    if let Some(no) = no {
        note_on_key(ctx, message, &stored, AuditEvent::KeySuspectAnswerDenied, now).await?;
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let done = if ours {
        delete_key(ctx, &stored, (DeactivationReason::UserRequested, &message.person.to_string()), now).await
    } else {
        let next = IssuedKey { state: KeyState::NotOurs { by: message.person.clone() }, ..issued.clone() };
        let happened =
            NewAuditEntry::new(AuditEvent::KeyNotOurs, &message.person, [("key", next.key.to_string())]);
        update_key(ctx, &stored, &next, happened, Vec::new(), Vec::new(), now).await
    };
    done?;
    let Some(StoredKey { issued, .. }) = StoredKey::read(&ctx.tables, &issued.key).await? else {
        return Ok(());
    };
    let text = text::suspect_settled(&issued);
    answer(ctx, message, now, &text).await?;
    if ours {
        remove_description_of(ctx, &issued, &message.person.to_string(), now).await;
    }
    Ok(())
}
