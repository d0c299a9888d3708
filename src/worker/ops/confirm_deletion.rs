//! A deletion that was typed is confirmed first, by a button in a direct message: a line is typed fast, and a thief may choose
//! where its answer goes.

use crate::aws::KeyUse;
use crate::domain::iam::{AccessKeyLastUsed, Account};
use crate::id::{AccessKeyId, IamUserName};
use crate::render::{approval_card, text};
use crate::slack::receive::{SlackEnvelope, SlackEvent};
use crate::time::{DAY, Timestamp};
use crate::worker::context::{Context, slack_client};
use crate::worker::ops::posted_messages::keep_until;
use crate::worker::reply::answer;

/// How long the question stands, in seconds: a key may be in use again by then.
const CONFIRM_WITHIN: i64 = DAY;

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
    let question = approval_card::confirm_deletion(key, user, account, &last_used);
    let place = slack_client(ctx).await?.post(message.person.user.as_str(), &question).await?;
    answer(ctx, message, now, &text::deletion_to_confirm(key)).await?;
    keep_until(ctx, place, &question, Timestamp(now.0 + CONFIRM_WITHIN)).await;
    Ok(())
}
