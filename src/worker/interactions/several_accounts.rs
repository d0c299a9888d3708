//! The form where the same is requested in several accounts: a request for each, as if each had been typed, with limits, policy
//! decision and card of its own; then one answer that lists them.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::id::RequestId;
use crate::render::text;
use crate::slack::command::{Command, Create, other_accounts};
use crate::slack::receive::{SlackEnvelope, SlackEvent};
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::account_named;
use crate::worker::commands::create::create;
use crate::worker::context::{Context, HandleError};
use crate::worker::reply::reply;

/// Submits what was filled in, in each of the chosen accounts.
pub(crate) async fn create_in_accounts(
    ctx: &Context,
    message: &SlackEnvelope,
    submitted: &Create,
    values: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let each = in_each_account(ctx, submitted, values);
    if each.len() < 2 {
        return create(ctx, message, submitted.into(), now).await;
    }
    let mut lines = Vec::new();
    let mut is_limited = false;
    for (nth, one) in each.iter().enumerate() {
        let own = envelope_of(message, nth, one);
        if !is_limited {
            match create(ctx, &own, one.into(), now).await {
                Err(HandleError::RateLimited) => is_limited = true,
                done => done?,
            }
        }
        lines.push(match StoredRequest::read(&ctx.tables, &own.id).await? {
            Some(stored) => text::status_line(&stored.request, None, ctx.config.help_channel.as_ref()),
            None if is_limited => text::not_submitted(&one.user, one.account.as_ref()),
            None => text::told_directly(&one.user, one.account.as_ref()),
        });
    }
    Ok(reply(ctx, message, now, &text::several(&lines)).await?)
}

/// The same in the first account and in the others that were chosen, each account once.
fn in_each_account(ctx: &Context, submitted: &Create, values: &BTreeMap<String, String>) -> Vec<Create> {
    let alias_of = |create: &Create| {
        let account = account_named(ctx, create.account.as_ref()).ok();
        account.map(|account| account.alias.clone()).or_else(|| create.account.clone())
    };
    let mut each = vec![Create { account: alias_of(submitted), ..submitted.clone() }];
    // What the front door let pass is well formed; a forged message is taken for one account.
    for alias in other_accounts(values).unwrap_or_default() {
        let other = Create { account: Some(alias), ..submitted.clone() };
        if each.iter().all(|one| one.account != alias_of(&other)) {
            each.push(other);
        }
    }
    each
}

/// The message that one of them would have been: with an id of its own, which is the same whenever it is delivered, and
/// answered by direct message.
fn envelope_of(message: &SlackEnvelope, nth: usize, create: &Create) -> SlackEnvelope {
    let id = match nth {
        0 => message.id.clone(),
        _ => RequestId::of_signature(&Sha256::digest(format!("{}.{nth}", message.id)).into()),
    };
    SlackEnvelope {
        id,
        response_url: None,
        trigger_id: None,
        what: SlackEvent::Command(Command::Create(create.clone())),
        ..message.clone()
    }
}
