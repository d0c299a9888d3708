//! `whoami` and `status`: what keyvend knows of somebody and of what they asked for.

use futures_util::future::join;

use crate::id::RequestId;
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::store::requests::newest_requests;
use crate::time::Timestamp;
use crate::worker::authorize::barred;
use crate::worker::authorize::denial_text;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::ownership::{known_users, refresh_directory};
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
    let sentence = match request {
        Some(id) => match StoredRequest::read(&ctx.tables, id).await? {
            Some(stored) if stored.request.details.requester == message.person => {
                text::status_line(&stored.request)
            }
            _ => text::no_such_request(id),
        },
        None => {
            let lines: Vec<String> = newest_requests(&ctx.tables, &message.person)
                .await?
                .iter()
                .map(|stored| text::status_line(&stored.request))
                .collect();
            if lines.is_empty() { text::NO_REQUESTS.to_owned() } else { lines.join("\n") }
        }
    };
    Ok(answer(ctx, message, now, &sentence).await?)
}
