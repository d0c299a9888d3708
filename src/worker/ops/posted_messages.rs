//! Messages with buttons, kept where they were posted: when the buttons lose their meaning, the message says the outcome. One
//! that somebody still has to answer is looked for once a day, and posted again where it was deleted.

use crate::aws::WriteError;
use crate::domain::iam::{AccessKeyStatus, Account};
use crate::domain::posted_message::{MAX_POSTED, PostSubject, PostTimer, PostedMessage};
use crate::domain::request::KeyRequest;
use crate::id::{AccessKeyId, ChannelId, MessageTs, RequestId};
use crate::render::ended::Standing;
use crate::render::{approval_card, ended};
use crate::slack::api::{SlackApi, SlackError, SlackMessage};
use crate::store::document::{StoredFindings, StoredPosts, posts_pk};
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::ops::findings::{end_marks, read_findings};

/// Keeps where a message was posted, and ends it where what it is about changed before that. Failing is only logged: the
/// message was delivered, and would be again.
pub(crate) async fn keep_posted(
    ctx: &Context,
    place: (ChannelId, MessageTs),
    message: &SlackMessage,
    now: Timestamp,
) {
    let timer = ended::waits_for_answer(message).then(|| PostTimer::next_check(now));
    // A message about several things is looked at as a whole.
    if let Some(subject) = keep(ctx, place, message, timer).await.first()
        && let Err(error) = run_posts_timer(ctx, subject, now).await
    {
        tracing::warn!(error = format!("{error:#}"), "posted message not brought up to date");
    }
}

/// The same of a message that comes again by itself, however often it is deleted.
pub(crate) async fn keep_unchecked(ctx: &Context, place: (ChannelId, MessageTs), message: &SlackMessage) {
    keep(ctx, place, message, None).await;
}

/// The same of a message whose buttons lose their meaning then, whatever happens.
pub(crate) async fn keep_until(
    ctx: &Context,
    place: (ChannelId, MessageTs),
    message: &SlackMessage,
    until: Timestamp,
) {
    keep(ctx, place, message, Some(PostTimer::Ends(until))).await;
}

/// Keeps a message with everything that it is about.
async fn keep(
    ctx: &Context,
    (channel, ts): (ChannelId, MessageTs),
    message: &SlackMessage,
    timer: Option<PostTimer>,
) -> Vec<PostSubject> {
    let kept = async {
        let post = PostedMessage { channel, ts, message: message.clone().into(), timer };
        let subjects = subjects_of(ctx, message).await?;
        for (index, subject) in subjects.iter().enumerate() {
            add(ctx, subject, timed_at(&post, index)).await?;
        }
        anyhow::Ok(subjects)
    };
    kept.await.unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "posted message not recorded");
        Vec::new()
    })
}

/// A message about several things is kept with each; only with the first it has its timer.
fn timed_at(post: &PostedMessage, index: usize) -> PostedMessage {
    PostedMessage { timer: post.timer.filter(|_| index == 0), ..post.clone() }
}

/// One that makes room for it loses its buttons, where a newer one has them.
async fn add(ctx: &Context, subject: &PostSubject, post: PostedMessage) -> anyhow::Result<()> {
    let with_it = |posts: &[PostedMessage]| make_room([posts, std::slice::from_ref(&post)].concat());
    let before = change(ctx, subject, |posts| with_it(posts).0).await?;
    let Some(repeated) = with_it(&before).1 else { return Ok(()) };
    let Some(end) = ended::superseded(&(&repeated.message).try_into()?) else { return Ok(()) };
    match slack_client(ctx).await?.update(&repeated.channel, &repeated.ts, &end).await {
        Err(error) if !is_beyond_change(&error) => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// As many messages as are kept. Too many lose the oldest whose buttons a newer one has, too, which is the second; where there is
/// none, the oldest is forgotten and keeps its buttons: **This wasn't me** may be one.
fn make_room(posts: Vec<PostedMessage>) -> (Vec<PostedMessage>, Option<PostedMessage>) {
    if posts.len() <= MAX_POSTED {
        return (posts, None);
    }
    let mut places = posts.iter().enumerate();
    let repeated = places.find(|(index, post)| is_repeated(post, posts.iter().skip(index + 1)));
    let repeated = repeated.map(|(index, _)| index);
    let mut posts = posts;
    let oldest = posts.remove(repeated.unwrap_or(0));
    (posts, repeated.map(|_| oldest))
}

/// Whether one of these has all buttons of a message, too.
fn is_repeated<'p>(post: &PostedMessage, mut newer: impl Iterator<Item = &'p PostedMessage>) -> bool {
    let read = |post: &PostedMessage| SlackMessage::try_from(&post.message).ok();
    read(post).is_some_and(|message| {
        newer.any(|newer| read(newer).is_some_and(|newer| ended::is_asked_in(&message, &newer)))
    })
}

/// What the buttons of a message are about: each ends it, or a part of it.
async fn subjects_of(ctx: &Context, message: &SlackMessage) -> anyhow::Result<Vec<PostSubject>> {
    let mut subjects: Vec<PostSubject> =
        ended::requests_of(message).into_iter().map(PostSubject::Request).collect();
    for key in ended::keys_of(message) {
        subjects.push(match origin_of(ctx, &key).await? {
            Some(request) => PostSubject::Request(request),
            None => PostSubject::UnmanagedKey(key),
        });
    }
    subjects.extend(ended::is_about_discrepancies(message).then_some(PostSubject::Discrepancies));
    let mut distinct: Vec<PostSubject> = Vec::new();
    for subject in subjects {
        if !distinct.contains(&subject) {
            distinct.push(subject);
        }
    }
    Ok(distinct)
}

/// A message that was just posted, and is kept once the person who waits was answered.
pub(crate) struct Posted {
    place: (ChannelId, MessageTs),
    message: SlackMessage,
}

impl Posted {
    pub(crate) async fn keep(self, ctx: &Context, now: Timestamp) {
        keep_posted(ctx, self.place, &self.message, now).await;
    }
}

/// Sends a requester the buttons of a request that is open, once more.
pub(crate) async fn offer_again(ctx: &Context, open: &KeyRequest) -> anyhow::Result<Option<Posted>> {
    let Some(message) = approval_card::open_request(open) else { return Ok(None) };
    let place = slack_client(ctx).await?.post(open.details.requester.user.as_str(), &message).await?;
    Ok(Some(Posted { place, message }))
}

/// Ends the messages about a request whose buttons have lost their meaning.
pub(crate) async fn end_posted(ctx: &Context, request: &KeyRequest, now: Timestamp) -> anyhow::Result<()> {
    let subject = PostSubject::Request(request.id.clone());
    settle(ctx, &subject, About { request: Some(request), ..About::default() }, now).await
}

/// The same about a key that keyvend did not issue, which has this status now; none where it was deleted. Failing is only logged:
/// what was done is done.
pub(crate) async fn end_posted_about_unmanaged(
    ctx: &Context,
    key: &AccessKeyId,
    status: Option<AccessKeyStatus>,
    now: Timestamp,
) {
    let subject = PostSubject::UnmanagedKey(key.clone());
    let about = About { unmanaged: Some((key, status)), ..About::default() };
    if let Err(error) = settle(ctx, &subject, about, now).await {
        tracing::warn!(error = format!("{error:#}"), "messages about an unmanaged key not ended");
    }
}

/// The same about keys that do not match the records: some are known now, or match.
pub(crate) async fn end_discrepancies(ctx: &Context, now: Timestamp) {
    if let Err(error) = run_posts_timer(ctx, &PostSubject::Discrepancies, now).await {
        tracing::warn!(error = format!("{error:#}"), "reports of discrepancies not ended");
    }
}

/// Ends what is over, and looks for what waits for an answer.
pub(crate) async fn run_posts_timer(
    ctx: &Context,
    subject: &PostSubject,
    now: Timestamp,
) -> anyhow::Result<()> {
    match subject {
        PostSubject::Request(id) => match StoredRequest::read(&ctx.tables, id).await? {
            Some(stored) => end_posted(ctx, &stored.request, now).await,
            None => Ok(()),
        },
        PostSubject::UnmanagedKey(_) => settle(ctx, subject, About::default(), now).await,
        PostSubject::Discrepancies => {
            let findings = read_findings(ctx).await?;
            settle(ctx, subject, About { findings: &findings, ..About::default() }, now).await
        }
    }
}

/// What is known of that which messages are about.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    request: Option<&'a KeyRequest>,
    unmanaged: Option<(&'a AccessKeyId, Option<AccessKeyStatus>)>,
    findings: &'a [(&'a Account, StoredFindings)],
}

/// Brings all messages about something up to date. Each is written down at once: what comes after it may fail.
async fn settle(
    ctx: &Context,
    subject: &PostSubject,
    about: About<'_>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let posts = StoredPosts::read(&ctx.tables, &posts_pk(subject)).await?.document;
    for (index, post) in posts.iter().enumerate() {
        let message: SlackMessage = (&post.message).try_into()?;
        let end = end_of(ctx, post, &message, about, now).await?;
        if end.is_none() && !post.is_to_check(now) {
            continue;
        }
        let next = if end.is_none() && is_repeated(post, posts.iter().skip(index + 1)) {
            Some(PostedMessage { timer: None, ..post.clone() })
        } else {
            show(ctx, post, &message, end, now).await?
        };
        replace(ctx, subject, (post, &message), next).await?;
    }
    Ok(())
}

/// How a message reads now; none where all of its buttons are as they were.
async fn end_of(
    ctx: &Context,
    post: &PostedMessage,
    message: &SlackMessage,
    about: About<'_>,
    now: Timestamp,
) -> anyhow::Result<Option<SlackMessage>> {
    if ended::is_about_discrepancies(message) {
        return Ok(end_marks(ctx, message, about.findings));
    }
    let mut keys = Vec::new();
    let issued = about.request.and_then(|request| request.issued()).map(|(key, _)| key.clone());
    for key in ended::keys_of(message).into_iter().chain(issued) {
        keys.extend(StoredKey::read(&ctx.tables, &key).await?.map(|stored| stored.issued));
    }
    let standing = Standing { request: about.request, keys: &keys, unmanaged: about.unmanaged, now };
    Ok(ended::ended(post, message, standing))
}

/// Shows a message as it reads now, which also tells whether it is there. Where it was deleted and still waits for an answer,
/// it is posted again. None where there is nothing to keep any more.
async fn show(
    ctx: &Context,
    post: &PostedMessage,
    message: &SlackMessage,
    end: Option<SlackMessage>,
    now: Timestamp,
) -> anyhow::Result<Option<PostedMessage>> {
    let shown = end.as_ref().unwrap_or(message);
    let waits = ended::waits_for_answer(shown);
    let timer = match post.timer {
        Some(PostTimer::Check(_)) if !waits => None,
        Some(PostTimer::Check(at)) if at <= now => Some(PostTimer::next_check(now)),
        Some(PostTimer::Ends(at)) if at <= now => None,
        timer => timer,
    };
    let next = PostedMessage { message: shown.clone().into(), timer, ..post.clone() };
    let slack = slack_client(ctx).await?;
    match slack.update(&post.channel, &post.ts, shown).await {
        Ok(()) => Ok(Some(next)),
        Err(error) if waits && is_deleted(&error) => post_again(ctx, &slack, shown, next).await,
        // It can never be changed any more, nor be looked for.
        Err(error) if is_beyond_change(&error) => {
            Ok(end.is_none().then_some(PostedMessage { timer: None, ..next }))
        }
        Err(error) => Err(error.into()),
    }
    .map(|next| next.filter(|_| ended::has_buttons(shown)))
}

async fn post_again(
    ctx: &Context,
    slack: &SlackApi,
    message: &SlackMessage,
    post: PostedMessage,
) -> anyhow::Result<Option<PostedMessage>> {
    match slack.post(post.channel.as_str(), message).await {
        Ok((channel, ts)) => Ok(Some(PostedMessage { channel, ts, ..post })),
        // A person who cannot be reached any more.
        Err(SlackError::Said(code)) if post.channel != ctx.config.approvals_channel => {
            tracing::warn!(code, "deleted message not posted again");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes down what became of a message, with everything that it was about.
async fn replace(
    ctx: &Context,
    subject: &PostSubject,
    (post, message): (&PostedMessage, &SlackMessage),
    next: Option<PostedMessage>,
) -> anyhow::Result<()> {
    let is_about_one = ended::keys_of(message).len() <= 1;
    let (before, after) = match &next {
        _ if is_about_one => (vec![subject.clone()], next.iter().map(|_| subject.clone()).collect()),
        Some(next) => {
            (subjects_of(ctx, message).await?, subjects_of(ctx, &(&next.message).try_into()?).await?)
        }
        None => (subjects_of(ctx, message).await?, Vec::new()),
    };
    let others = before.iter().filter(|other| *other != subject);
    for place in others.chain([subject]) {
        let index = after.iter().position(|kept| kept == place);
        let kept = index.zip(next.as_ref()).map(|(index, next)| timed_at(next, index));
        change(ctx, place, |posts| {
            let others = posts
                .iter()
                .map(|found| if found.is_same(post) { kept.clone() } else { Some(found.clone()) });
            others.flatten().collect()
        })
        .await?;
    }
    Ok(())
}

/// Whether Slack says that a message can never be updated.
pub(crate) fn is_beyond_change(error: &SlackError) -> bool {
    let codes = ["message_not_found", "cant_update_message", "edit_window_closed"];
    matches!(error, SlackError::Said(code) if codes.contains(&code.as_str()))
}

/// Whether somebody deleted it, or the retention of the workspace did.
pub(crate) fn is_deleted(error: &SlackError) -> bool {
    matches!(error, SlackError::Said(code) if code == "message_not_found")
}

/// The request that a key came of, where a request is about a key that exists.
pub(crate) async fn origin_of(ctx: &Context, key: &AccessKeyId) -> anyhow::Result<Option<RequestId>> {
    Ok(StoredKey::read(&ctx.tables, key).await?.map(|stored| stored.issued.request))
}

/// Changes which messages are kept about something; what was kept before.
async fn change(
    ctx: &Context,
    subject: &PostSubject,
    next: impl Fn(&[PostedMessage]) -> Vec<PostedMessage>,
) -> anyhow::Result<Vec<PostedMessage>> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let stored = StoredPosts::read(&ctx.tables, &posts_pk(subject)).await?;
        let next = next(&stored.document);
        if next == stored.document {
            return Ok(next);
        }
        match ctx.tables.write(vec![stored.replace_posts(&next)?]).await {
            Ok(()) => return Ok(stored.document),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("the messages about a request changed too often")
}
