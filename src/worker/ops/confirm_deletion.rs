//! A deletion that was typed is confirmed first, by a button in a direct message: a line is typed fast, and a thief may choose
//! where its answer goes.

use crate::aws::KeyUse;
use crate::domain::iam::{AccessKeyLastUsed, Account};
use crate::id::{AccessKeyId, IamUserName};
use crate::render::{approval_card, text};
use crate::slack::receive::{SlackEnvelope, SlackEvent};
use crate::time::Timestamp;
use crate::worker::context::Context;
use crate::worker::reply::{answer, direct};

/// Whether it was typed; a button has its own dialog.
pub(crate) fn is_typed(message: &SlackEnvelope) -> bool {
    matches!(message.what, SlackEvent::Command(_))
}

pub(crate) async fn ask_to_confirm(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    (account, user): (&Account, &IamUserName),
    now: Timestamp,
) -> anyhow::Result<()> {
    let last_used = match ctx.lookup.key_use(account, key, now).await? {
        KeyUse::Of(_, last_used) => last_used,
        KeyUse::NoSuchKey | KeyUse::Unreadable(_) => AccessKeyLastUsed::Unknown,
    };
    direct(ctx, &message.person, &approval_card::confirm_deletion(key, user, account, &last_used)).await?;
    answer(ctx, message, now, &text::deletion_to_confirm(key)).await
}
