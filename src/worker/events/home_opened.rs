//! The Home tab: a person's requests and IAM users, and the way to the request form. Slack shows what was published last, so
//! it is published whenever somebody opens it.

use futures_util::future::{try_join, try_join_all};

use crate::render::home;
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::newest_requests;
use crate::time::Timestamp;
use crate::worker::authorize::{barred, denial_text};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::card::key_of;
use crate::worker::ops::ownership::{known_users, refresh_directory};

/// Publishes the tab. A person who may not request keys sees why, and nothing of any IAM user.
pub(crate) async fn show_home(
    ctx: &Context,
    message: &SlackEnvelope,
    now: Timestamp,
) -> Result<(), HandleError> {
    let slack = slack_client(ctx).await?;
    let user = &message.person.user;
    if let Some(barred) = barred(ctx, &message.person).await? {
        let view = home::notice(&denial_text(ctx, &barred.reason));
        return Ok(slack.publish_home(user, &view).await?);
    }
    let known = async { anyhow::Ok(known_users(ctx, user).await) };
    let (known, requests) = try_join(known, newest_requests(&ctx.tables, &message.person)).await?;
    let keys = try_join_all(requests.iter().map(|stored| key_of(ctx, &stored.request))).await?;
    let requests: Vec<_> = requests.into_iter().map(|stored| stored.request).zip(keys).collect();
    let view = home::home(&known.own, &requests, ctx.config.help_channel.as_ref());
    slack.publish_home(user, &view).await?;
    refresh_directory(ctx, &known, now).await;
    Ok(())
}
