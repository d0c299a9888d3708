//! `whoami` and `status`: what keyvend knows of somebody and of what they asked for.

use futures_util::future::{join, try_join_all};

use crate::id::{PersonId, RequestId};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::jobs::refresh_ownership::{known_users, refresh_directory};
use crate::worker::limits::barred;
use crate::worker::notify::answer;

/// How many requests a list shows.
const NEWEST: i32 = 5;

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
    let rest = barred.map_or_else(|| text::own_users(&known.own), |barred| barred.why);
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
            let lines: Vec<String> = newest(ctx, &message.person)
                .await?
                .iter()
                .map(|stored| text::status_line(&stored.request))
                .collect();
            if lines.is_empty() { text::NO_REQUESTS.to_owned() } else { lines.join("\n") }
        }
    };
    Ok(answer(ctx, message, now, &sentence).await?)
}

/// A person's newest requests, as they are now.
pub(crate) async fn newest(ctx: &Context, person: &PersonId) -> anyhow::Result<Vec<StoredRequest>> {
    let keys = ctx.tables.newest_requests(person, NEWEST).await?;
    let ids = keys.iter().filter_map(|key| store::request_of(key));
    let read = try_join_all(ids.map(|id| async move { StoredRequest::read(&ctx.tables, &id).await })).await?;
    Ok(read.into_iter().flatten().filter(|stored| stored.request.details.requester == *person).collect())
}
