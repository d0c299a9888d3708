//! Messages about requests, as mrkdwn. Each says what happened and what to do next.

use crate::domain::approvers::Approvers;
use crate::domain::browser::Browser;
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, Account};
use crate::domain::key::{IssuedKey, KeyState};
use crate::domain::request::{KeyRequest, RequestKind, RequestState};
use crate::domain::use_case::UseCase;
use crate::id::{
    AccessKeyId, AccountAlias, ChannelId, IamUserName, PersonId, RequestId, SlackUserId, UserGroupId,
};
use crate::render::text::denial::denial;
use crate::render::text::phrase::{ask_help, days, iam_user, slack_date};
use crate::render::text::{
    asks_again, comments, escape_mrkdwn, inline_code, key_now, replaced, replaces, wanted,
};
use crate::time::{DAY, Timestamp};

/// A person, as Slack shows them.
#[must_use]
pub fn person(id: &PersonId) -> String {
    format!("<@{}>", id.user)
}

fn approvals(number: u32) -> String {
    if number == 1 { "1 approval".to_owned() } else { format!("{number} approvals") }
}

/// The use case, with what it means.
#[must_use]
pub fn use_case(use_case: UseCase) -> &'static str {
    match use_case {
        UseCase::Cli => "AWS CLI",
        UseCase::LocalCode => "local development",
        UseCase::AwsCompute => "code on AWS compute",
        UseCase::ThirdParty => "a third-party service",
        UseCase::OutsideAws => "a workload outside AWS",
        UseCase::Other => "something else",
    }
}

/// What AWS recommends instead of a long-lived key for this use case, with links to how it is set up.
#[must_use]
pub fn alternative(use_case: UseCase) -> &'static str {
    match use_case {
        UseCase::Cli => {
            "AWS recommends <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html|`aws login`> or <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html|IAM Identity Center> for the CLI: no long-lived key needed."
        }
        UseCase::LocalCode => {
            "AWS recommends <https://docs.aws.amazon.com/sdkref/latest/guide/access-sso.html|IAM Identity Center> for code on your machine: the SDKs and IDEs sign in with it."
        }
        UseCase::AwsCompute => {
            "AWS recommends an IAM role on the <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html|instance>, <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html|task> or <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html|function>."
        }
        UseCase::ThirdParty => {
            "AWS recommends <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html|a role that the third party assumes>, with an external id, instead of a key."
        }
        UseCase::OutsideAws => {
            "AWS recommends <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/introduction.html|IAM Roles Anywhere> or <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html|OIDC federation> for workloads outside AWS."
        }
        UseCase::Other => {
            "AWS recommends <https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html|short-lived credentials> where possible."
        }
    }
}

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

/// The account alias is not configured.
#[must_use]
pub fn unknown_account(alias: &AccountAlias, known: &[Account]) -> String {
    let known: Vec<String> = known.iter().map(|account| format!("`@{}`", account.alias)).collect();
    format!(
        "There is no account `@{alias}`. Configured accounts: {}. If `@{alias}` is part of the IAM user's name, add the account after it.",
        known.join(", ")
    )
}

/// To the requester: the request was sent to the approvers.
#[must_use]
pub fn asked(request: &KeyRequest) -> String {
    format!(
        "Request sent: {}.{} It needs {} by {}.{} You will be notified when it is decided.",
        wanted(request),
        replaces(request),
        approvals(request.snapshot.required_approvals),
        slack_date(request.expires_at),
        approvers_asked(request)
    )
}

/// The approvers who are named, where any are.
fn named_approvers(request: &KeyRequest) -> Option<String> {
    let named: Vec<String> = request.named_approvers.iter().map(|user| format!("<@{user}>")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Whom the requester can turn to; empty where they are many.
fn approvers_asked(request: &KeyRequest) -> String {
    named_approvers(request).map_or(String::new(), |named| format!(" Approvers: {named}."))
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

/// Given and required approvals, and the deadline.
#[must_use]
pub fn approvals_so_far(request: &KeyRequest) -> String {
    let by: Vec<String> = request.approvals.iter().map(|approval| person(&approval.by)).collect();
    let given = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
    format!(
        "{} of {}{given}, by {}",
        by.len(),
        request.snapshot.required_approvals,
        slack_date(request.expires_at)
    )
}

/// The requester may press Get my key.
#[must_use]
pub fn ready(request: &KeyRequest) -> String {
    let by: Vec<String> = request.approvals.iter().map(|approval| person(&approval.by)).collect();
    let why = if by.is_empty() {
        "No approval needed".to_owned()
    } else {
        format!("Approved by {}", by.join(" and "))
    };
    format!(
        "{why}: your key for {} is ready to create. Press *Get my key* on the computer where you will use it, by {}. The key is created only when you confirm on the page of its link.{}",
        iam_user(&request.details.user, &request.details.account),
        slack_date(request.expires_at),
        comments(request)
    )
}

/// One more approval, but not enough yet.
#[must_use]
pub fn one_more(request: &KeyRequest, by: &PersonId) -> String {
    let had = u32::try_from(request.approvals.len()).unwrap_or(u32::MAX);
    let lacking = request.snapshot.required_approvals.saturating_sub(had).max(1);
    format!(
        "{} approved your request for {}. It still needs {}.",
        person(by),
        iam_user(&request.details.user, &request.details.account),
        approvals(lacking)
    )
}

/// Added for a requester if too few people can still give the missing approvals; otherwise empty.
#[must_use]
pub fn too_few_left(request: &KeyRequest, left: usize) -> String {
    let had = u32::try_from(request.approvals.len()).unwrap_or(u32::MAX);
    let lacking =
        usize::try_from(request.snapshot.required_approvals.saturating_sub(had)).unwrap_or(usize::MAX);
    if lacking <= left {
        return String::new();
    }
    " Too few people who were approvers when you submitted it can still approve: cancel this request and submit it again."
        .to_owned()
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

/// The card could not be posted, so no approver knows of the request.
#[must_use]
pub fn card_not_posted(request: &KeyRequest, help: Option<&ChannelId>) -> String {
    format!(
        "Approvals are unavailable: your request for {} could not be posted in the approvers' channel. It stays open until {}, but nobody sees it there. {} Show this reference to a keyvend administrator: `{}`.",
        iam_user(&request.details.user, &request.details.account),
        slack_date(request.expires_at),
        ask_help(help),
        request.id
    )
}

/// To the requester: denied.
#[must_use]
pub fn denied(request: &KeyRequest, by: &PersonId) -> String {
    format!(
        "{} denied your request for {}. Talk to them before you submit a new request.",
        person(by),
        iam_user(&request.details.user, &request.details.account)
    )
}

/// To the requester: cancelled.
#[must_use]
pub fn cancelled(request: &KeyRequest) -> String {
    format!(
        "Your request for {} is cancelled. Its one-time link, if any, no longer works, and no key was created.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// The facts on the card have changed.
#[must_use]
pub fn card_changed() -> String {
    "The facts changed since this card was posted. Your click was not counted and earlier approvals were revoked. Please review the updated card.".to_owned()
}

/// The same, to the requester.
#[must_use]
pub fn facts_changed(request: &KeyRequest) -> String {
    format!(
        "{} changed while your request was pending, so earlier approvals no longer count. The approvers see an updated card; it needs {}.",
        iam_user(&request.details.user, &request.details.account),
        approvals(request.snapshot.required_approvals)
    )
}

/// A click on a request that is no longer pending.
#[must_use]
pub fn moved_on(request: &KeyRequest) -> String {
    format!("No change. {}", standing(request))
}

/// A second approval by the same person.
pub const ALREADY_APPROVED: &str =
    "You have already approved this; another person has to give the next approval.";

/// A button of another person's request.
pub const NOT_YOURS: &str = "Only the requester can do this. Request a key of your own with `/access-key`.";

/// A button on a card, pressed by somebody who is neither approver nor requester.
pub const NOT_YOURS_TO_DECIDE: &str = "Only an approver or the requester can do this: ask one of them.";

/// The same about a key whose IAM user is gone.
pub const ONLY_APPROVERS_ANSWER: &str =
    "The IAM user no longer exists, so only an approver can answer this: ask one of them.";

pub const UNKNOWN_BUTTON: &str = "This button is no longer valid. `/access-key status` shows your requests.";

#[must_use]
pub fn no_such_request(id: &RequestId) -> String {
    format!("You have no request `{id}`. `/access-key status` lists your requests.")
}

pub const NOTHING_TO_CANCEL: &str = "You have no request that can be cancelled.";

/// Several requests could be cancelled.
#[must_use]
pub fn which_to_cancel(ids: &[RequestId]) -> String {
    let lines: Vec<String> = ids.iter().map(|id| format!("\u{2022} `cancel {id}`")).collect();
    format!("You have more than one open request. Choose one:\n{}", lines.join("\n"))
}

/// The rate limit of a person.
#[must_use]
pub fn rate_limited(most: usize) -> String {
    format!(
        "You sent more than {most} commands, button presses and forms within one minute, so this one was not processed. Wait a minute, then send it again. Deactivating a key, *This wasn't me*, `cancel` and `freeze` are never limited."
    )
}

pub const NO_REQUESTS: &str = "You have no requests yet. `/access-key help` shows how to submit one.";

/// The state of a request, in a sentence.
#[must_use]
pub fn standing(request: &KeyRequest) -> String {
    let what = iam_user(&request.details.user, &request.details.account);
    match &request.state {
        RequestState::Pending => {
            format!("The request for {what} is pending approval: {}.", approvals_so_far(request))
        }
        RequestState::Approved if request.details.kind.existing().is_some() => {
            format!("The request for {what} is approved; the change is being applied.")
        }
        RequestState::Approved => format!(
            "The request for {what} is approved: {} can get the key, by {}.",
            person(&request.details.requester),
            slack_date(request.expires_at)
        ),
        RequestState::LinkIssued { .. } => format!(
            "The request for {what} is approved, and {} has a one-time link. No key exists yet.",
            person(&request.details.requester)
        ),
        RequestState::Issuing(_) => format!("A key for {what} is being created right now."),
        RequestState::Ambiguous(_) => format!(
            "AWS did not respond when a key for {what} was created, so it is unknown whether the key exists. The approvers have been notified, and no other key is created for this request."
        ),
        RequestState::Issued { key, at, .. } => {
            format!("The key `{key}` for {what} was created {}.", slack_date(*at))
        }
        RequestState::Completed { key, .. } => match &request.details.kind {
            RequestKind::Extend { end, .. } => {
                format!("The key `{key}` for {what} is extended until {}.", slack_date(*end))
            }
            RequestKind::Reactivate { end, .. } => {
                format!("The key `{key}` for {what} is reactivated until {}.", slack_date(*end))
            }
            RequestKind::Create | RequestKind::Rotate { .. } => format!("The key `{key}` for {what} exists."),
        },
        RequestState::Denied { by, .. } => format!("The request for {what} was denied by {}.", person(by)),
        RequestState::Cancelled => match &request.replaced_by {
            Some(by) => replaced(&what, by),
            None => format!("The request for {what} was cancelled."),
        },
        RequestState::Expired => format!("The request for {what} expired without a decision."),
        RequestState::PolicyDenied { reason } => {
            format!("The request for {what} was refused: {}", denial(reason, None))
        }
    }
}

/// A request on one line of a list.
#[must_use]
pub fn status_line(request: &KeyRequest, key: Option<&IssuedKey>, help: Option<&ChannelId>) -> String {
    let standing = match &request.state {
        RequestState::PolicyDenied { reason } => {
            let what = iam_user(&request.details.user, &request.details.account);
            format!("The request for {what} was refused: {}", denial(reason, help))
        }
        RequestState::Pending
        | RequestState::Approved
        | RequestState::LinkIssued { .. }
        | RequestState::Issuing(_)
        | RequestState::Ambiguous(_)
        | RequestState::Issued { .. }
        | RequestState::Completed { .. }
        | RequestState::Denied { .. }
        | RequestState::Cancelled
        | RequestState::Expired => standing_now(request, key),
    };
    format!("\u{2022} `{}` {standing}", request.id)
}

/// The same with the key that came of it, as it is now.
#[must_use]
pub fn standing_now(request: &KeyRequest, key: Option<&IssuedKey>) -> String {
    let standing = standing(request);
    key.map_or(standing.clone(), |key| format!("{standing} {}", key_now(key)))
}

/// The same was requested before, and is still open.
#[must_use]
pub fn already_open(request: &KeyRequest) -> String {
    format!("You requested this before, so no second request was created. {}", standing(request))
}

/// The account of a request that is named in its reason, and not after the IAM user.
#[must_use]
pub fn account_in_reason(user: &IamUserName, named: &Account, home: &Account) -> String {
    format!(
        "Which account is the key for? An account is written after the IAM user: {} or {}. Submit it again with one of them.",
        inline_code(&format!("{user}@{}", named.alias)),
        inline_code(&format!("{user}@{}", home.alias)),
    )
}

/// The answer to `whoami`.
#[must_use]
pub fn whoami(who: &crate::domain::person::Person, approver: bool) -> String {
    let mut lines = vec![format!("You are {} (`{}`).", person(&who.id), who.id)];
    let role = if approver { "You are one of the approvers." } else { "You are not one of the approvers." };
    lines.push(role.to_owned());
    if who.guest || who.external || who.bot || who.deleted {
        lines.push("Guests, people of other workspaces and bots cannot request keys here.".to_owned());
    }
    lines.push(format!("You own an IAM user if its tag `keyvend:owners` contains `{}`.", who.id.user));
    lines.join("\n")
}

/// Beside the button with the link.
#[must_use]
pub fn link(request: &KeyRequest, expires_at: Timestamp, label: Option<&str>) -> String {
    let second = match label {
        Some(label) => format!(
            "You will need the code that was emailed to the address in your Slack profile, labeled *{label}*. Do not share the link or the code."
        ),
        None => "Do not share it: the first person to use it gets the key.".to_owned(),
    };
    format!(
        "Your one-time link for {} works once, in one browser tab, until {}. {second}",
        iam_user(&request.details.user, &request.details.account),
        slack_date(expires_at)
    )
}

/// The link was shown, but not in the conversation of the button.
pub const LINK_SHOWN: &str = "Your one-time link is in your direct messages with keyvend, visible only to you, until you reload Slack. If it is not there, press *Get my key* again.";

/// The link could not be shown.
pub const LINK_NOT_SHOWN: &str = "Your one-time link could not be delivered, so it was revoked. No key was created; press *Get my key* again.";

/// To the requester: expired.
#[must_use]
pub fn request_expired(request: &KeyRequest) -> String {
    format!(
        "Your request for {} has expired. Submit a new request if you still need the key.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// A tab holds the claim.
pub const BEING_COLLECTED: &str =
    "A browser tab is collecting this key right now. If that isn't you, tell the approvers at once.";

pub const FROZEN: &str =
    "Key issuing is frozen. Your approval remains valid; press *Get my key* again later.";

/// It was claimed too long ago.
pub const TOO_LATE: &str = "Your link was used, but the key could not be created in time. No key was created; press *Get my key* again.";

/// AWS's limit of two keys.
pub const SLOT_TAKEN: &str = "The IAM user got a second key in the meantime, and AWS allows only two. No key was created. Delete one of them and press *Get my key* again.";

/// AWS refused `CreateAccessKey`.
#[must_use]
pub fn aws_refused(reference: &RequestId) -> String {
    format!(
        "AWS refused to create the key. No key was created; try *Get my key* again later, and if that fails again, show this reference to a keyvend administrator: `{reference}`."
    )
}

/// Another operation holds the IAM user.
pub const KEY_OPERATION_IN_PROGRESS: &str = "Another key operation on this IAM user is in progress. No key was created; press *Get my key* again in a minute.";

/// An approval no longer counts.
#[must_use]
pub fn approvals_lacking(request: &KeyRequest) -> String {
    format!(
        "An approval of your request for {} no longer counts, so it was sent to the approvers again. It needs {}.",
        iam_user(&request.details.user, &request.details.account),
        approvals(request.snapshot.required_approvals)
    )
}

/// The outcome of `CreateAccessKey` is unknown.
#[must_use]
pub fn ambiguous(request: &KeyRequest) -> String {
    format!(
        "AWS did not respond when a key for {} was created. keyvend will not retry until the outcome is known: check the access keys of that IAM user in the AWS console for one created around {}, and delete it if nobody has it.",
        iam_user(&request.details.user, &request.details.account),
        slack_date(if let RequestState::Ambiguous(doubt) = &request.state {
            doubt.intent.started_at
        } else {
            request.details.at
        })
    )
}

/// The key was created and sealed for the tab.
#[must_use]
pub fn issued(issued: &IssuedKey, browser: Browser) -> String {
    format!(
        "The key `{}` for {} was created and delivered to the browser tab that used your link ({browser}). It may take about 10 seconds to start working. It expires {}; you will be reminded before. If that wasn't you, press *This wasn't me* to deactivate it within seconds.",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.expires_at)
    )
}

/// The report button, pressed by somebody who may not deactivate the key.
pub const NOT_YOURS_TO_DEACTIVATE: &str = "Only the requester, an owner of the IAM user or an approver can deactivate this key. Tell the approvers if you think it is misused.";

/// The key is deactivated.
#[must_use]
pub fn key_deactivated(key: &AccessKeyId) -> String {
    format!("The key `{key}` is deactivated. It no longer works anywhere.")
}

/// The same, to the requester and the approvers.
#[must_use]
pub fn reported(issued: &IssuedKey, by: &str) -> String {
    let said = match PersonId::try_from(by.to_owned()) {
        Ok(by) => format!("{} reported", person(&by)),
        Err(_) => "An operator reported".to_owned(),
    };
    let off = if matches!(issued.state, KeyState::Deleted { .. }) { "deleted" } else { "deactivated" };
    format!(
        "{said} the key `{}` for {}. It is {off}. Next: check CloudTrail for its use since {}, and find out who opened the link.",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.issued_at)
    )
}

/// The same button press was delivered again.
#[must_use]
pub fn reported_before(issued: &IssuedKey) -> String {
    if issued.state.is_active() {
        format!(
            "The key `{}` was deactivated when you reported it, and has been activated again since. Press again to deactivate it.",
            issued.key
        )
    } else {
        key_deactivated(&issued.key)
    }
}

/// What freezing does, in its dialog.
pub const FREEZE_MEANS: &str = "No key is issued until an approver resumes it. Existing keys keep working.";
/// The answer to `freeze`.
pub const FREEZE_DONE: &str =
    "Key issuing is frozen. Existing keys keep working; `/access-key unfreeze` resumes issuing.";
/// The answer to `unfreeze`.
pub const UNFREEZE_DONE: &str = "Key issuing is resumed.";
/// A freeze that was resumed before its answer was sent.
pub const FREEZE_REVERTED: &str = "Your command froze key issuing, but somebody has resumed it since: keys can be issued. Type `/access-key freeze` to freeze it again.";
/// A resume that was followed by a freeze before its answer was sent.
pub const UNFREEZE_REVERTED: &str = "Your command resumed key issuing, but somebody has frozen it again since. Type `/access-key unfreeze` if you want to resume it.";

/// An unfreeze that crossed a freeze: the freeze wins.
#[must_use]
pub fn unfreeze_raced(by: &str, at: Timestamp) -> String {
    let by = by.to_owned().try_into().map_or_else(|_| escape_mrkdwn(by), |by| person(&by));
    format!(
        "Key issuing is still frozen: {by} froze it {}, which was not before your command. To resume it anyway, type `/access-key unfreeze` again.",
        slack_date(at)
    )
}

/// To the approvers: frozen or resumed.
#[must_use]
pub fn frozen_by(freeze: bool, by: &PersonId) -> String {
    if freeze {
        format!(
            "{} froze key issuing. Existing keys keep working. `/access-key unfreeze` resumes it.",
            person(by)
        )
    } else {
        format!("{} resumed key issuing.", person(by))
    }
}

/// The link was used again from another tab.
#[must_use]
pub fn misused(request: &KeyRequest) -> String {
    format!(
        "Somebody tried to use your one-time link for {} again in another browser tab and was blocked. If that wasn't you, your link has leaked: deactivate the key with *This wasn't me* if you did not receive it, and tell the approvers.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// The same, to the approvers.
#[must_use]
pub fn misused_link(request: &KeyRequest) -> String {
    format!(
        "Somebody tried to use the one-time link of {} for {} again in another browser tab and was blocked. Ask {0} whether that was them. If not, the link has leaked: press *Report and deactivate* on the card of request `{}`, and freeze key issuing with `/access-key freeze` if more may follow.",
        person(&request.details.requester),
        iam_user(&request.details.user, &request.details.account),
        request.id
    )
}

/// Five wrong codes, to the approvers.
#[must_use]
pub fn locked_link(request: &KeyRequest) -> String {
    format!(
        "Five wrong codes were entered for the one-time link of {} for {}, so it is locked, and no key was created. Ask {0} whether that was them. If not, the link has leaked. Request `{}`",
        person(&request.details.requester),
        iam_user(&request.details.user, &request.details.account),
        request.id
    )
}

#[must_use]
pub fn locked(request: &KeyRequest) -> String {
    format!(
        "Five wrong codes were entered for your link for {}, so it is locked. No key was created. If that wasn't you, tell the approvers; otherwise press *Get my key* for a new link.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// A command that is too old.
pub const TOO_OLD: &str = "This reached keyvend too late, so nothing was changed. Please try again.";

/// Slack's rate limits lasted longer than a command is good for.
pub const SLACK_LIMITS: &str = "Slack currently limits how much keyvend can do, so this could not be completed. Please try again in a few minutes. `/access-key status` shows your requests.";

/// A message failed permanently.
#[must_use]
pub fn error(reference: &RequestId) -> String {
    format!(
        "That failed because of a problem in keyvend. Nothing was changed; please try again, and if it fails again, show this reference to a keyvend administrator: `{reference}`."
    )
}

/// Email: no address in the profile.
pub const MAIL_MISSING: &str = "Your Slack profile has no email address, and this key needs a code by email. Add one to your profile and press *Get my key* again.";
/// Email: an unconfirmed address.
pub const MAIL_UNCONFIRMED: &str = "The email address in your Slack profile is not confirmed, and this key needs a code by email. Confirm it in Slack and press *Get my key* again.";
/// Email: not one plain address.
pub const MAIL_MALFORMED: &str = "The email address in your Slack profile is not one plain address such as name@example.com, so no code is sent to it. Correct it in your profile, then submit a new request.";
/// Email: an address in another domain.
pub const MAIL_FOREIGN: &str = "The email address in your Slack profile is in a domain that codes are not sent to. Change it to your work address and press *Get my key* again.";
/// Email: another address than at the time of the request.
pub const MAIL_CHANGED: &str = "The email address in your Slack profile changed since you requested this key, so no code is sent. Please submit a new request.";
/// Email: SES did not answer, or is throttled.
pub const MAIL_FAILED: &str = "The code could not be emailed, so there is no link. No key was created; try again later, and tell a keyvend administrator if it keeps failing.";
/// Email: SES will not send it, however often it is tried.
pub const MAIL_REFUSED: &str = "The code was not emailed, because the email service refused it, so there is no link. No key was created, and trying again does not help until a keyvend administrator has corrected the set-up of email; the reason is in the log and in the thread of your request.";

/// That the code for a link was not sent, in the card's thread.
#[must_use]
pub fn code_not_mailed(request: &KeyRequest, reason: &str) -> String {
    format!(
        "The code for {} could not be emailed, so there is no link and no key was created: {reason}. A keyvend \
         administrator has to correct that; then *Get my key* works again.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// The subject of the email with the code.
#[must_use]
pub fn mail_subject(label: &str) -> String {
    format!("Your keyvend code {label}")
}

/// The text of the email with the code.
#[must_use]
pub fn mail_text(code: &str, label: &str, user: &IamUserName, account: &Account) -> String {
    format!(
        "Your code is {code}\n\nIt belongs to the link labeled {label} that you received in Slack, for an access key for the IAM user {user} in the account {}. Enter it only on the page that this link opens.\n\nIf you did not press \"Get my key\" in Slack a moment ago, do not use it and tell your security team.\n",
        account.alias
    )
}

/// A reason, as a quotation.
#[must_use]
pub fn reason(text: &str) -> String {
    format!("> {}", escape_mrkdwn(text).replace('`', "'"))
}

/// A name that comes from AWS, shown as code.
#[must_use]
pub fn named(name: &str) -> String {
    inline_code(name)
}

/// What the AWS console shows as a key's description: IAM's tag values take letters, digits, blanks and `_.:/=+-@`,
/// 256 of them (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html>).
#[must_use]
pub fn description(request: &KeyRequest) -> String {
    let asked = &request.details;
    let text = format!("keyvend {} for {}: {}", request.id, asked.requester.user, asked.reason);
    let clean = |c: char| if c.is_alphanumeric() || " _.:/=+-@".contains(c) { c } else { ' ' };
    text.chars().map(clean).take(256).collect::<String>().trim_end().to_owned()
}
