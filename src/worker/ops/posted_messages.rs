//! Messages with buttons, kept where they were posted: when the buttons lose their meaning, the message says the outcome.

use crate::aws::WriteError;
use crate::domain::posted_message::{MAX_POSTED, PostedMessage};
use crate::domain::request::KeyRequest;
use crate::id::{AccessKeyId, ChannelId, MessageTs, RequestId};
use crate::render::{approval_card, ended};
use crate::slack::api::{SlackError, SlackMessage};
use crate::store::document::{StoredPosts, posts_pk};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, MAX_CONFLICT_RETRIES, slack_client};

/// Keeps where a message about a request was posted. Failing is only logged: the message was delivered, and would be again.
pub(crate) async fn keep_posted(
    ctx: &Context,
    request: &RequestId,
    (channel, ts): (ChannelId, MessageTs),
    message: &SlackMessage,
) {
    if !ended::has_buttons(message) {
        return;
    }
    let post = PostedMessage { channel, ts, message: message.clone().into() };
    let kept = change(ctx, request, |posts| {
        let mut posts: Vec<PostedMessage> = posts.to_vec();
        posts.push(post.clone());
        let surplus = posts.len().saturating_sub(MAX_POSTED);
        posts.split_off(surplus)
    });
    if let Err(error) = kept.await {
        tracing::warn!(error = format!("{error:#}"), "posted message not recorded");
    }
}

/// A message that was just posted, and is kept once the person who waits was answered.
pub(crate) struct Posted {
    request: RequestId,
    place: (ChannelId, MessageTs),
    message: SlackMessage,
}

impl Posted {
    pub(crate) async fn keep(self, ctx: &Context) {
        keep_posted(ctx, &self.request, self.place, &self.message).await;
    }
}

/// Sends a requester the buttons of a request that is open, once more.
pub(crate) async fn offer_again(ctx: &Context, open: &KeyRequest) -> anyhow::Result<Option<Posted>> {
    let Some(message) = approval_card::open_request(open) else { return Ok(None) };
    let place = slack_client(ctx).await?.post(open.details.requester.user.as_str(), &message).await?;
    Ok(Some(Posted { request: open.id.clone(), place, message }))
}

/// Ends the messages about a request whose buttons have lost their meaning.
pub(crate) async fn end_posted(ctx: &Context, request: &KeyRequest, now: Timestamp) -> anyhow::Result<()> {
    let posts = StoredPosts::read(&ctx.tables, &posts_pk(&request.id)).await?.document;
    let mut done = Vec::new();
    for post in posts {
        let message: SlackMessage = (&post.message).try_into()?;
        let about = ended::keys_of(&message).into_iter();
        let mut keys = Vec::new();
        for key in about.chain(request.issued().map(|(key, _)| key.clone())) {
            keys.extend(StoredKey::read(&ctx.tables, &key).await?.map(|stored| stored.issued));
        }
        let Some(end) = ended::ended(&message, request, &keys, now) else { continue };
        match slack_client(ctx).await?.update(&post.channel, &post.ts, &end).await {
            Ok(()) => {}
            // It was deleted, or cannot be changed any more.
            Err(SlackError::Said(code)) if is_beyond_change(&code) => {}
            Err(error) => return Err(error.into()),
        }
        done.push(post);
    }
    if done.is_empty() {
        return Ok(());
    }
    change(ctx, &request.id, |posts| posts.iter().filter(|post| !done.contains(post)).cloned().collect())
        .await
}

/// Whether Slack says that a message can never be updated.
pub(crate) fn is_beyond_change(code: &str) -> bool {
    matches!(code, "message_not_found" | "cant_update_message" | "edit_window_closed")
}

/// The request that a key came of, where a request is about a key that exists.
pub(crate) async fn origin_of(ctx: &Context, key: &AccessKeyId) -> anyhow::Result<Option<RequestId>> {
    Ok(StoredKey::read(&ctx.tables, key).await?.map(|stored| stored.issued.request))
}

async fn change(
    ctx: &Context,
    request: &RequestId,
    next: impl Fn(&[PostedMessage]) -> Vec<PostedMessage>,
) -> anyhow::Result<()> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let stored = StoredPosts::read(&ctx.tables, &posts_pk(request)).await?;
        match ctx.tables.write(vec![stored.replace(&next(&stored.document))?]).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("the messages of a request changed too often")
}
