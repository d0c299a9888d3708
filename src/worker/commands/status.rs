//! `whoami` and `status`: what keyvend knows of somebody and of what they asked for.

use futures_util::future::{join, try_join_all};

use crate::domain::request::RequestState;
use crate::id::RequestId;
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::store::requests::newest_requests;
use crate::time::Timestamp;
use crate::worker::authorize::barred;
use crate::worker::authorize::denial_text;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::card::{key_of, redraw};
use crate::worker::ops::ownership::{known_users, refresh_directory};
use crate::worker::ops::posted_messages::offer_again;
use crate::worker::reply::answer;

pub(crate) async fn whoami(
    ctx: &Context,
    message: &SlackEnvelope,
    now: Timestamp,
) -> Result<(), HandleError> {
    let slack = slack_client(ctx).await?;
    let memberships = ctx.lookup.approvers(&slack, ctx.config.approval_places()).await?.into();
    let (person, known) = join(
        ctx.lookup.person(&slack, &message.person, &memberships),
        known_users(ctx, &message.person.user),
    )
    .await;
    let person = person?;
    let who = text::whoami(&person, memberships.approvers().contains(&message.person.user));
    let barred = if person.is_full_member() { None } else { barred(ctx, &message.person).await? };
    let rest = barred.map_or_else(|| text::own_users(&known.own), |barred| denial_text(ctx, &barred.reason));
    let sentence = format!("{who}\n{rest}");
    answer(ctx, message, now, &sentence).await?;
    refresh_directory(ctx, &known, now).await;
    Ok(())
}

pub(crate) async fn status(
    ctx: &Context,
    message: &SlackEnvelope,
    request: Option<&RequestId>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let requests = match request {
        Some(id) => match StoredRequest::read(&ctx.tables, id).await? {
            Some(stored) if stored.request.details.requester == message.person => vec![stored],
            _ => return Ok(answer(ctx, message, now, &text::no_such_request(id)).await?),
        },
        None => newest_requests(&ctx.tables, &message.person).await?,
    };
    if requests.is_empty() {
        return Ok(answer(ctx, message, now, text::NO_REQUESTS).await?);
    }
    let keys = try_join_all(requests.iter().map(|stored| key_of(ctx, &stored.request))).await?;
    let help = ctx.config.help_channel.as_ref();
    let lines: Vec<String> = std::iter::zip(&requests, &keys)
        .map(|(stored, key)| text::status_line(&stored.request, key.as_ref(), help))
        .collect();
    // Not in the answer: a thief may have typed the line, and chosen where it goes.
    let mut offered = Vec::new();
    let is_offered = |stored: &&StoredRequest| {
        let pending = request.is_some() && stored.request.state == RequestState::Pending;
        stored.request.is_collectable(now) || (pending && !stored.request.is_expired(now))
    };
    for stored in requests.iter().filter(is_offered) {
        offered.extend(offer_again(ctx, &stored.request).await?);
    }
    answer(ctx, message, now, &lines.join("\n")).await?;
    for posted in offered {
        posted.keep(ctx, now).await;
    }
    // A card that was deleted is posted again.
    for stored in requests.iter().filter(|stored| stored.request.state == RequestState::Pending) {
        redraw(ctx, stored, now).await;
    }
    Ok(())
}
