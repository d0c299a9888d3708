//! How much one person may ask for, and who may ask at all: messages a minute, open requests, mentions of the approvers an
//! hour. Checked before anything is looked up about anybody. What only turns something off is never limited.

use futures_util::future::{try_join, try_join_all};

use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::Account;
use crate::id::PersonId;
use crate::render::{approval_card, text};
use crate::slack::action_id::{Action, Callback};
use crate::slack::command::{Command, Create, review_reason};
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::counters::Quota;
use crate::store::open_requests::OpenRequests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::outbox::audit_alone;
use crate::worker::reply::show_outcome;

/// Commands, presses and forms of one person in one minute of Slack's clock.
const MESSAGES_A_MINUTE: usize = 20;

/// Requests of one person that are open at a time.
pub(crate) const OPEN_REQUESTS: usize = 10;

/// Messages in the approvals channel about one person's requests that mention the approvers, in one hour of the clock.
const MENTIONS_AN_HOUR: usize = 5;

/// Counts a message of its person, once however often it is delivered.
///
/// # Errors
/// [`HandleError::RateLimited`] where there were too many in its minute.
pub(crate) async fn admit(ctx: &Context, message: &SlackEnvelope) -> Result<(), HandleError> {
    if only_turns_off(&message.what) {
        return Ok(());
    }
    let quota = Quota::new("rate", &message.person, minute(message), MESSAGES_A_MINUTE, message.signed_at);
    if quota.take(&ctx.tables, message.id.as_str()).await? { Ok(()) } else { Err(HandleError::RateLimited) }
}

/// Answers a message over the limit, with one call that is not tried again, and audits the first of its minute. The
/// message is done with then: it neither fails nor comes back.
pub(crate) async fn refuse_rate(ctx: &Context, message: &SlackEnvelope) {
    tracing::warn!(message = %message.id, "rate limit reached");
    let told = async {
        let Some(url) = &message.response_url else {
            show_outcome(ctx, message, &text::rate_limited(MESSAGES_A_MINUTE)).await;
            return anyhow::Ok(());
        };
        let slack = slack_client(ctx).await?;
        Ok(slack.respond(url, &approval_card::text(&text::rate_limited(MESSAGES_A_MINUTE))).await?)
    };
    if let Err(error) = told.await {
        tracing::warn!(error = format!("{error:#}"), "rate limit reply not delivered");
    }
    let audited = async {
        let first = Quota::new("rate-refused", &message.person, minute(message), 1, message.signed_at);
        if first.take(&ctx.tables, message.id.as_str()).await? {
            let most = [("messages_a_minute", MESSAGES_A_MINUTE.to_string())];
            audit_alone(
                ctx,
                message,
                [NewAuditEntry::new(AuditEvent::MessageRateLimited, &message.person, most)],
            )
            .await?;
        }
        anyhow::Ok(())
    };
    if let Err(error) = audited.await {
        tracing::error!(error = format!("{error:#}"), "audit entry for rate limit not written");
    }
}

/// Has the token and the read-only session at hand that a look-up in this account needs; neither is about anybody. Who needs
/// them sees whether that failed.
pub(crate) async fn fetch_ahead(ctx: &Context, account: Option<&Account>, now: Timestamp) {
    if let (Some(account), Ok(_)) = (account, &ctx.policies) {
        let _ = try_join(slack_client(ctx), ctx.lookup.warm_session(account, now)).await;
    }
}

/// The requests that were open when their person last made one, as far as they still are.
pub(crate) async fn still_open(
    ctx: &Context,
    kept: OpenRequests,
    now: Timestamp,
) -> anyhow::Result<OpenRequests> {
    let read = try_join_all(kept.ids().map(|id| StoredRequest::read(&ctx.tables, id))).await?;
    let open = read.into_iter().flatten().filter(|stored| stored.request.is_unresolved(now));
    Ok(kept.still(open.map(|stored| stored.request).collect()))
}

/// Whether one more message in the approvals channel about this person's requests mentions the approvers. `what` names it,
/// so that it counts once however often it is posted.
pub(crate) async fn may_mention(
    ctx: &Context,
    person: &PersonId,
    what: &str,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let quota = Quota::new("mentions", person, now.0.div_euclid(3_600), MENTIONS_AN_HOUR, now);
    quota.take(&ctx.tables, what).await
}

/// The minute in which Slack signed a message: the same whenever it is delivered.
fn minute(message: &SlackEnvelope) -> i64 {
    message.signed_at.0.div_euclid(60)
}

/// Whether a message can only end or turn off something.
pub(crate) fn only_turns_off(what: &SlackEvent) -> bool {
    match what {
        // What Slack tells of somebody is nobody's doing.
        SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => true,
        SlackEvent::Command(Command::Deactivate(_) | Command::Freeze | Command::Cancel(_)) => true,
        SlackEvent::Command(
            Command::Form(_)
            | Command::Create(_)
            | Command::List(_)
            | Command::Rotate(_)
            | Command::Extend(_)
            | Command::Activate(_)
            | Command::Delete(_)
            | Command::Status(_)
            | Command::Unfreeze
            | Command::Whoami
            | Command::Help,
        ) => false,
        SlackEvent::Interaction(Interaction::BlockActions { action_id, view, .. }) => {
            view.is_none() && action_id.is_some_and(Action::only_turns_off)
        }
        SlackEvent::Interaction(Interaction::ViewSubmission { callback_id, .. }) => {
            *callback_id == Some(Callback::Deny)
        }
    }
}

/// Whether a message's own handler counts it, beside what it reads from the tables first.
pub(crate) fn admits_itself(what: &SlackEvent) -> bool {
    match what {
        SlackEvent::Command(command) => matches!(
            command,
            Command::Create(_)
                | Command::List(None)
                | Command::Rotate(_)
                | Command::Extend(_)
                | Command::Activate(_)
        ),
        SlackEvent::Interaction(Interaction::BlockActions { action_id, value, view: None, .. }) => {
            let about_key = action_id.is_some_and(Action::is_key_change)
                && value.parse::<crate::id::AccessKeyId>().is_ok();
            *action_id == Some(Action::Approve) || about_key
        }
        SlackEvent::Interaction(Interaction::ViewSubmission { callback_id, values, .. }) => match callback_id
        {
            Some(Callback::Request) => Create::filled(values).is_ok(),
            Some(Callback::Approve) => review_reason(values).is_ok(),
            Some(Callback::Deny | Callback::Edit | Callback::Question | Callback::Answer) | None => false,
        },
        SlackEvent::Interaction(_)
        | SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => false,
    }
}

/// Whether the answer to a message could tell which IAM users or keys exist: then who asks is looked at first. The handlers of
/// those that are not listed look for themselves, or tell nothing of the kind.
pub(crate) fn tells_of_iam_users(what: &SlackEvent) -> bool {
    match what {
        SlackEvent::Command(command) => matches!(
            command,
            Command::Form(_) | Command::List(Some(_)) | Command::Delete(_) | Command::Status(_)
        ),
        SlackEvent::Interaction(Interaction::BlockActions { action_id, .. }) => {
            matches!(
                action_id,
                Some(Action::OpenRequestForm | Action::EditRequest | Action::Delete | Action::ChooseUseCase)
            )
        }
        SlackEvent::Interaction(Interaction::ViewSubmission { .. })
        | SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => false,
    }
}
