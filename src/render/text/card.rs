//! Sentences to the approvers: on the card, in its thread and channel, and about a click on it.

use crate::domain::approvers::Approvers;
use crate::domain::iam::{AccessKey, AccessKeyLastUsed};
use crate::domain::request::KeyRequest;
use crate::id::{ChannelId, SlackUserId, UserGroupId};
use crate::render::text::phrase::{approvals, days, iam_user, person, slack_date};
use crate::render::text::{asks_again, escape_mrkdwn, use_case};
use crate::time::{DAY, Timestamp};

/// One existing key, on one line.
#[must_use]
pub fn key_line(key: &AccessKey, now: Timestamp) -> String {
    let status = key.status.as_str();
    let age = u32::try_from(now.since(key.create_date).max(0) / DAY).unwrap_or(u32::MAX);
    let used = match &key.last_used {
        AccessKeyLastUsed::Never => "never used".to_owned(),
        AccessKeyLastUsed::Unknown => "last use unknown".to_owned(),
        AccessKeyLastUsed::At { at, service, region } => {
            format!(
                "last used {} with {} in {}",
                slack_date(*at),
                escape_mrkdwn(service),
                escape_mrkdwn(region)
            )
        }
    };
    format!("`{}` {status}, {} old, {used}", key.id, days(age))
}

/// The approvers who are named, where any are.
pub(crate) fn named_approvers(request: &KeyRequest) -> Option<String> {
    let named: Vec<String> = request.named_approvers.iter().map(|user| format!("<@{user}>")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// The same as a line of the card. Slack notifies whom a new message names, so only one that calls the approvers has it.
#[must_use]
pub fn approvers_called(request: &KeyRequest) -> String {
    named_approvers(request).map_or(String::new(), |named| format!("\nApprovers: {named}"))
}

/// The first line of the card, under a heading that names the IAM user.
#[must_use]
pub fn asks(request: &KeyRequest) -> String {
    asks_again(request).unwrap_or_else(|| {
        format!(
            "*{}* requests a key for {}:",
            person(&request.details.requester),
            iam_user(&request.details.user, &request.details.account)
        )
    })
}

/// What was requested and who approved it, below an outcome.
#[must_use]
pub fn asked_for(request: &KeyRequest) -> String {
    let by: Vec<String> = request.approvals.iter().map(|approval| person(&approval.by)).collect();
    let approved = if by.is_empty() { String::new() } else { format!(" Approved by {}.", by.join(" and ")) };
    format!(
        "Requested by {}: {}, {}.{approved} Request `{}`",
        person(&request.details.requester),
        use_case(request.details.use_case),
        days(request.details.days),
        request.id
    )
}

/// To the approvers: somebody joined this channel, or `other` where it is another one. Whether that makes them an approver.
#[must_use]
pub fn joined_channel(
    user: &SlackUserId,
    inviter: Option<&SlackUserId>,
    other: Option<&ChannelId>,
    approves: bool,
) -> String {
    let place = other.map_or_else(|| "this channel".to_owned(), |channel| format!("<#{channel}>"));
    let by = match inviter {
        Some(inviter) => format!("<@{user}> was added to {place} by <@{inviter}>."),
        None => format!("<@{user}> joined {place}."),
    };
    if approves {
        format!("{by} {}", approver_from_now_on())
    } else {
        format!(
            "{by} They can read requests here but cannot approve them: `KEYVEND_APPROVERS` defines who can. Remove them if this was not expected."
        )
    }
}

/// To the approvers: people were added to the user group whose members approve.
#[must_use]
pub fn joined_group(group: &UserGroupId, users: &[SlackUserId], more: usize) -> String {
    let mut added: Vec<String> = users.iter().map(|user| format!("<@{user}>")).collect();
    added.extend((more > 0).then(|| format!("{more} more")));
    format!("Added to the user group `{group}`: {}. {}", added.join(", "), approver_from_now_on())
}

fn approver_from_now_on() -> &'static str {
    "This makes them an approver. They can approve only requests submitted from now on. Remove them if this was not expected, and review the requests submitted since."
}

/// How many approvers are named to somebody whose approval cannot count.
const MAX_NAMED: usize = 5;

/// To an approver who became one after the request was created. `eligible` can still approve it.
#[must_use]
pub fn approver_since(request: &KeyRequest, eligible: &[SlackUserId]) -> String {
    let requester = person(&request.details.requester);
    let submit_again =
        format!("{requester} can also cancel it and submit it again; then you can approve it.");
    let named: Vec<String> = eligible.iter().take(MAX_NAMED).map(|user| format!("<@{user}>")).collect();
    let others = match eligible.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let ask = match named.as_slice() {
        [] => String::new(),
        named => format!("Ask somebody who was an approver then: {}{others}. ", named.join(", ")),
    };
    format!(
        "Your approval was not counted: you became an approver after this request was submitted. {ask}{submit_again}"
    )
}

/// An approver's click counted.
pub const APPROVAL_COUNTED: &str = "Your approval is recorded.";
/// An approver's no counted.
pub const DENIAL_COUNTED: &str = "You denied this request. The requester has been notified.";

/// A mention of the approvers: the user group or the channel.
#[must_use]
pub fn call(approvers: &Approvers) -> String {
    match approvers {
        Approvers::UserGroup(group) => format!("<!subteam^{group}>"),
        Approvers::Channel(_) => "<!channel>".to_owned(),
    }
}

/// The same before a sentence, if they are mentioned.
#[must_use]
pub fn calling(mention: Option<&Approvers>) -> String {
    mention.map(|approvers| format!("{} ", call(approvers))).unwrap_or_default()
}

/// A sentence about an incident, which calls the approvers.
#[must_use]
pub fn alarm(approvers: &Approvers, sentence: &str) -> String {
    format!("{} :rotating_light: {sentence}", call(approvers))
}

/// The reminder after a quarter of the request's lifetime.
#[must_use]
pub fn reminder(request: &KeyRequest, mention: Option<&Approvers>) -> String {
    let lacking = request
        .snapshot
        .required_approvals
        .saturating_sub(u32::try_from(request.approvals.len()).unwrap_or(u32::MAX));
    format!(
        "{}Reminder: the request of {} needs {}. It expires {}.",
        calling(mention),
        person(&request.details.requester),
        approvals(lacking.max(1)),
        slack_date(request.expires_at)
    )
}

/// A request returned to the approvers, because an approval no longer counts.
#[must_use]
pub fn asked_again(request: &KeyRequest, mention: Option<&Approvers>) -> String {
    let had = u32::try_from(request.approvals.len()).unwrap_or(u32::MAX);
    format!(
        "{}{} is about to receive this key, but an approval no longer counts or is no longer enough. It needs {} again, by {}.",
        calling(mention),
        person(&request.details.requester),
        approvals(request.snapshot.required_approvals.saturating_sub(had).max(1)),
        slack_date(request.expires_at)
    )
}

/// The facts on the card have changed.
#[must_use]
pub fn card_changed() -> String {
    "The facts changed since this card was posted. Your click was not counted and earlier approvals were revoked. Please review the updated card.".to_owned()
}

/// A second approval by the same person.
pub const ALREADY_APPROVED: &str =
    "You have already approved this; another person has to give the next approval.";

/// A button on a card, pressed by somebody who is neither approver nor requester.
pub const NOT_YOURS_TO_DECIDE: &str = "Only an approver or the requester can do this: ask one of them.";

/// The same about a key whose IAM user is gone.
pub const ONLY_APPROVERS_ANSWER: &str =
    "The IAM user no longer exists, so only an approver can answer this: ask one of them.";
