//! The keys of an IAM user, each with what the person may do about it.

use futures_util::future::try_join_all;

use crate::domain::iam::{AccessKey, AccessKeyStatus};
use crate::domain::key::KeyState;
use crate::domain::request::RequestDetails;
use crate::id::AccessKeyId;
use crate::policy::{Deactivate, Delete, KeyFacts, PolicyDecision, Resource as _};
use crate::render::approval_card::{self, KeyAction, Row};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::authorize::{has_two_keys, unmanaged_key_facts};
use crate::worker::context::Context;
use crate::worker::decision_facts::DecisionFacts;
use crate::worker::ops::key_change::{KeyChange, authorize_change};

/// Both keys of an IAM user, where a third is asked for.
pub(crate) async fn chooser(
    ctx: &Context,
    facts: &DecisionFacts,
    now: Timestamp,
) -> anyhow::Result<crate::slack::api::SlackMessage> {
    let rows = rows(ctx, facts, now).await?;
    Ok(approval_card::chooser(&facts.iam_user.at(), &rows, now))
}

/// An IAM user's keys, each with what this person may do about it.
pub(crate) async fn rows(ctx: &Context, facts: &DecisionFacts, now: Timestamp) -> anyhow::Result<Vec<Row>> {
    let keys = &facts.iam_user.keys;
    let stored = try_join_all(keys.iter().map(|key| StoredKey::read(&ctx.tables, &key.id))).await?;
    // What took another's place is a key of the same user, if it is still there.
    let lives = |key: &AccessKeyId| {
        stored.iter().flatten().any(|found| found.issued.key == *key && found.issued.state.is_active())
    };
    let is_succeeded =
        |stored: &StoredKey| stored.issued.successor.as_ref().is_none_or(|successor| lives(&successor.key));
    let rows = std::iter::zip(keys, &stored).map(|(key, stored)| {
        let stored = stored.clone();
        let stored =
            stored.map(|stored| if is_succeeded(&stored) { stored } else { stored.clear_successor() });
        let offers = available_actions(ctx, facts, key, stored.as_ref(), now);
        Row { key: key.clone(), issued: stored.map(|stored| stored.issued), offers }
    });
    Ok(rows.collect())
}

/// What this person may do about a key now: what its state allows and policy does not refuse.
fn available_actions(
    ctx: &Context,
    facts: &DecisionFacts,
    key: &AccessKey,
    stored: Option<&StoredKey>,
    now: Timestamp,
) -> Vec<KeyAction> {
    let Ok(policies) = &ctx.policies else { return Vec::new() };
    let ours = stored.filter(|stored| stored.is_managed());
    let suspect = stored.is_some_and(|stored| matches!(stored.issued.state, KeyState::Suspect { .. }));
    let key_facts =
        ours.map_or_else(|| unmanaged_key_facts(&key.id), |stored| KeyFacts::from(&stored.issued));
    let under_way = ours.is_some_and(|stored| {
        matches!(stored.issued.state, KeyState::Activating { .. } | KeyState::Deleting { .. })
    });
    if suspect || under_way {
        return Vec::new();
    }
    let (who, user) = (&facts.requester, &facts.iam_user);
    let mut offers = Vec::new();
    for (again, offer) in [
        (KeyChange::Rotate, KeyAction::Rotate),
        (KeyChange::Extend, KeyAction::Extend),
        (KeyChange::UndoExpiry, KeyAction::Undo),
        (KeyChange::ConfirmReceipt, KeyAction::Received),
        (KeyChange::Reactivate, KeyAction::Activate),
    ] {
        let Some(stored) = ours else { continue };
        // There is one button for one thing, and none for a third key.
        let other = match again {
            KeyChange::Rotate => has_two_keys(user) || !stored.issued.state.is_active(),
            KeyChange::UndoExpiry => !stored.issued.can_undo_expiry(),
            KeyChange::Reactivate => {
                offers.contains(&KeyAction::Undo) || offers.contains(&KeyAction::Received)
            }
            KeyChange::Renew | KeyChange::Extend | KeyChange::ConfirmReceipt | KeyChange::Replace => false,
        };
        let wanted = again.plan(stored, ctx.config.max_key_days, now);
        if let (Ok((kind, days)), false) = (wanted, other) {
            let asked = RequestDetails {
                kind,
                requester: who.id.clone(),
                account: user.account.clone(),
                user: user.name.clone(),
                use_case: stored.issued.use_case,
                days,
                reason: stored.issued.reason.clone(),
                email_hash: None,
                at: now,
                replaces: None,
            };
            let about = asked.kind.existing().map(|_| stored.issued.clone());
            if authorize_change(policies, &asked, &facts.about(about), &stored.issued, again).is_ok() {
                offers.push(offer);
            }
        }
    }
    let allows = |verdict| matches!(verdict, PolicyDecision::Allow { .. });
    match key.status {
        AccessKeyStatus::Active => {
            let stored_may = ours.is_some_and(|stored| stored.issued.can_deactivate(&who.id));
            if stored_may || allows(policies.decide(who, &Deactivate(key_facts), user)) {
                offers.push(KeyAction::Deactivate);
            }
        }
        AccessKeyStatus::Inactive | AccessKeyStatus::Expired => {
            if allows(policies.decide(who, &Delete(key_facts), user)) {
                offers.push(KeyAction::Delete);
            }
        }
    }
    offers
}
