//! Somebody was deactivated in Slack: the approvers are asked, once, about the keys which that person requested in any
//! workspace. Slack's events are hints: Slack is asked whether it is so, and daily about everybody whose event may be lost.

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join_all};

use crate::aws::WriteError;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::IssuedKey;
use crate::domain::request::{Notification, RequestEvent};
use crate::id::{AccessKeyId, SlackUserId};
use crate::render::approval_card;
use crate::slack::api::{SlackApi, SlackError};
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::store::keys::holder;
use crate::store::requests::StoredRequest;
use crate::time::{DAY, Timestamp};
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::outbox::{commit, drain_outbox};

/// How many keys are read at a time.
const READ_AT_ONCE: usize = 16;

/// How many people a page of the daily comparison looks up: `users.info` answers about a hundred a minute
/// (<https://docs.slack.dev/apis/web-api/rate-limits>). Where there are more, the others have their turn on other days.
const MAX_LOOKUPS: usize = 30;

/// How many of them at a time.
const LOOKUPS_AT_ONCE: usize = 4;

/// After so many lookups that nobody answered a page gives up: its time is limited.
const MAX_UNANSWERED: usize = 3;

pub(crate) async fn somebody_left(
    ctx: &Context,
    message: &SlackEnvelope,
    now: Timestamp,
) -> Result<(), HandleError> {
    if ctx.tables.all_of_person(&holder(&message.person.user)).await?.is_empty() {
        return Ok(());
    }
    let slack = slack_client(ctx).await?;
    if !has_left(&slack, &message.person.user).await? {
        // Somebody wrote it into the queue, or they were back before it was read.
        tracing::warn!(person = %message.person, "deactivation event for an active person ignored");
        return Ok(());
    }
    notify_of_leaver(ctx, &message.person.user, now).await
}

/// Looks for people who left among those whose keys are on. One who cannot be looked up holds up no other, and is
/// looked up again another day.
pub(crate) async fn look_for_leavers(ctx: &Context, people: BTreeSet<SlackUserId>, now: Timestamp) {
    if people.is_empty() {
        return;
    }
    let slack = match slack_client(ctx).await {
        Ok(slack) => slack,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "checking for deactivated people failed");
            return;
        }
    };
    let mut unanswered = 0;
    for some in whose_turn(people, now).chunks(LOOKUPS_AT_ONCE) {
        let answers = join_all(some.iter().map(|user| has_left(&slack, user))).await;
        let mut is_limited = false;
        for (user, answer) in std::iter::zip(some, answers) {
            match answer {
                Ok(false) => {}
                Ok(true) => {
                    if let Err(error) = notify_of_leaver(ctx, user, now).boxed().await {
                        tracing::error!(%user, ?error, "approvers not notified of a deactivated person");
                    }
                }
                Err(error) => {
                    tracing::warn!(%user, %error, "looking up a person failed");
                    is_limited |= matches!(error, SlackError::Wait(_));
                    unanswered += usize::from(matches!(error, SlackError::NoAnswer(_)));
                }
            }
        }
        if is_limited || unanswered >= MAX_UNANSWERED {
            tracing::warn!("remaining people not checked today");
            return;
        }
    }
}

/// Asks the approvers about all keys of somebody who left that are on and that they were not asked about before.
async fn notify_of_leaver(ctx: &Context, user: &SlackUserId, now: Timestamp) -> Result<(), HandleError> {
    let items = ctx.tables.all_of_person(&holder(user)).await?;
    let keys: Vec<AccessKeyId> = items.iter().filter_map(|item| StoredKey::of_item(item)).collect();
    let mut live = Vec::new();
    for some in keys.chunks(READ_AT_ONCE) {
        let read = try_join_all(some.iter().map(|key| StoredKey::read(&ctx.tables, key))).await?;
        live.extend(read.into_iter().flatten().filter(|stored| {
            let issued = &stored.issued;
            issued.requester.user == *user && issued.state.is_active() && issued.left_notified_at.is_none()
        }));
    }
    for some in live.chunks(approval_card::MOST_LEFT) {
        notify_of_keys(ctx, some, now).boxed().await?;
    }
    Ok(())
}

/// One question about some of them. That it is asked is noted with each in the same write, so that it is asked once.
async fn notify_of_keys(ctx: &Context, keys: &[StoredKey], now: Timestamp) -> Result<(), HandleError> {
    let Some(StoredKey { issued: first, .. }) = keys.first() else { return Ok(()) };
    let issued: Vec<&IssuedKey> = keys.iter().map(|stored| &stored.issued).collect();
    let message = approval_card::owner_left(&first.requester, &issued);
    let ids: Vec<String> = issued.iter().map(|issued| issued.key.to_string()).collect();
    let detail = [("person", first.requester.to_string()), ("keys", ids.join(" "))];
    let happened = NewAuditEntry::new(AuditEvent::KeyRequesterDeactivated, "keyvend", detail);
    let noted = keys
        .iter()
        .map(|stored| stored.update(&IssuedKey { left_notified_at: Some(now), ..stored.issued.clone() }));
    let noted = noted.collect::<anyhow::Result<Vec<_>>>()?;
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(request) = StoredRequest::read(&ctx.tables, &first.request).await? else {
            return Err(anyhow::anyhow!("a key without the request that it came of").into());
        };
        let seen = RequestEvent::RecordTicketEvent { happened: happened.clone(), at: now, alert: false };
        let next = request.request.apply(seen, "keyvend", now)?;
        let told = vec![Notification::ApprovalsChannel { message: message.clone().into() }];
        match commit(ctx, &request, next, noted.clone(), told).await {
            Ok(saved) => {
                drain_outbox(ctx, saved).await;
                return Ok(());
            }
            Err(WriteError::Conflict(_)) => {
                let found =
                    try_join_all(issued.iter().map(|issued| StoredKey::read(&ctx.tables, &issued.key)))
                        .await?;
                let is_same = |(found, stored): (&Option<StoredKey>, &StoredKey)| {
                    found.as_ref().is_some_and(|found| found.is_same(stored))
                };
                if !std::iter::zip(&found, keys).all(is_same) {
                    // Read again, all of them.
                    return Err(HandleError::RetryAfter(std::time::Duration::from_secs(1)));
                }
            }
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("a request changed too often for a leaver's keys to be noted").into())
}

/// Whether somebody is deactivated, or unknown to Slack by now.
async fn has_left(slack: &SlackApi, user: &SlackUserId) -> Result<bool, SlackError> {
    match slack.user_info(user).await {
        Ok(user) => Ok(user.deleted == Some(true)),
        Err(SlackError::Said(code)) if ["user_not_found", "users_not_found"].contains(&code.as_str()) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Those of these people who are looked up today: all, or as many as can be, others every day.
fn whose_turn(people: BTreeSet<SlackUserId>, now: Timestamp) -> Vec<SlackUserId> {
    let mut people: Vec<SlackUserId> = people.into_iter().collect();
    let day = usize::try_from(now.0.div_euclid(DAY)).unwrap_or(0);
    let first = (day % people.len().max(1)) * MAX_LOOKUPS % people.len().max(1);
    people.rotate_left(first);
    people.truncate(MAX_LOOKUPS);
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    // T8.3
    #[test]
    fn every_owner_is_checked_within_days() {
        for count in [1_usize, 29, 30, 31, 60, 101, 200] {
            let people: BTreeSet<SlackUserId> =
                (0..count).map(|n| format!("U{n:0>8}").parse().unwrap()).collect();
            let mut seen = BTreeSet::new();
            let days = i64::try_from(count.div_ceil(MAX_LOOKUPS)).unwrap() + 1;
            for day in 20_000..20_000 + days {
                let turn = whose_turn(people.clone(), Timestamp(day * DAY + 3_600));
                assert_eq!(turn.len(), count.min(MAX_LOOKUPS), "{count}");
                seen.extend(turn);
            }
            assert_eq!(seen, people, "{count} people in {days} days");
        }
    }
}
