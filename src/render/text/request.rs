//! What people are told in Slack about requests, as mrkdwn: each says what happened and what to do next.

use crate::domain::approvers::Approvers;
use crate::domain::browser::Browser;
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account};
use crate::domain::key::{IssuedKey, KeyState};
use crate::domain::request::{KeyRequest, RequestKind, RequestState};
use crate::domain::use_case::UseCase;
use crate::id::{
    AccessKeyId, AccountAlias, ChannelId, IamUserName, PersonId, RequestId, SlackUserId, UserGroupId,
};
use crate::render::text::{asks_again, escape_mrkdwn, inline_code, wanted};
use crate::time::{DAY, Timestamp};

/// A person, as Slack shows them.
#[must_use]
pub fn person(id: &PersonId) -> String {
    format!("<@{}>", id.user)
}

/// An IAM user, with its account where there are several.
#[must_use]
pub fn iam_user(user: &IamUserName, account: &Account) -> String {
    format!("`{user}` in `{}`", account.alias)
}

/// A moment, in the reader's own time zone.
#[must_use]
pub fn slack_date(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} at {{time}}|{}>", at.0, at.rfc3339())
}

/// So many days.
#[must_use]
pub fn days(number: u32) -> String {
    if number == 1 { "1 day".to_owned() } else { format!("{number} days") }
}

fn approvals(number: u32) -> String {
    if number == 1 { "1 approval".to_owned() } else { format!("{number} approvals") }
}

fn ask_help(help: Option<&ChannelId>) -> String {
    match help {
        Some(channel) => format!("Ask in <#{channel}>."),
        None => "Ask whoever looks after your AWS accounts.".to_owned(),
    }
}

/// The use case, with what it means.
#[must_use]
pub fn use_case(use_case: UseCase) -> &'static str {
    match use_case {
        UseCase::Cli => "AWS CLI",
        UseCase::LocalCode => "code on their own machine",
        UseCase::AwsCompute => "code on AWS compute",
        UseCase::ThirdParty => "a third-party service",
        UseCase::OutsideAws => "a workload outside AWS",
        UseCase::Other => "something else",
    }
}

/// What AWS recommends instead of a long-lived key for this use.
#[must_use]
pub fn alternative(use_case: UseCase) -> &'static str {
    match use_case {
        UseCase::Cli => {
            "AWS recommends `aws login` or IAM Identity Center for the CLI: no key to keep at all."
        }
        UseCase::LocalCode => {
            "AWS recommends IAM Identity Center for code on your machine: the SDKs and IDEs sign in with it."
        }
        UseCase::AwsCompute => "AWS recommends an IAM role on the instance, task or function.",
        UseCase::ThirdParty => {
            "AWS recommends a role that the third party assumes, with an external id, instead of a key."
        }
        UseCase::OutsideAws => {
            "AWS recommends IAM Roles Anywhere or OIDC federation for workloads outside AWS."
        }
        UseCase::Other => "AWS recommends short-lived credentials wherever they can be had.",
    }
}

/// One existing key, on one line.
#[must_use]
pub fn key_line(key: &AccessKey, now: Timestamp) -> String {
    let status = match key.status {
        AccessKeyStatus::Active => "active",
        AccessKeyStatus::Inactive => "inactive",
    };
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

/// The account alias is none that is configured.
#[must_use]
pub fn unknown_account(alias: &AccountAlias, known: &[Account]) -> String {
    let known: Vec<String> = known.iter().map(|account| format!("`@{}`", account.alias)).collect();
    format!(
        "I don't know an account `@{alias}`. I know {}. If `@{alias}` is part of the IAM user's name, add the account after it.",
        known.join(", ")
    )
}

/// More days than this keyvend ever gives.
#[must_use]
pub fn too_many_days(most: u32) -> String {
    format!("A key here can live for at most {}. Ask again with `ttl:{most}d` or less.", days(most))
}

/// There is no such IAM user.
#[must_use]
pub fn no_such_user(user: &IamUserName, account: &Account, help: Option<&ChannelId>) -> String {
    format!(
        "There is no IAM user {}. Check the name in the AWS console. {}",
        iam_user(user, account),
        ask_help(help)
    )
}

/// The IAM user is not under the path that keyvend looks after.
#[must_use]
pub fn outside_path(user: &IamUserName, account: &Account, path: &str, help: Option<&ChannelId>) -> String {
    format!(
        "{} is not under `{}`, and keyvend looks after no other IAM users. {}",
        iam_user(user, account),
        escape_mrkdwn(path),
        ask_help(help)
    )
}

/// The IAM user's path would be read as a pattern by the policies that keyvend works with.
#[must_use]
pub fn unsupported_path(user: &IamUserName, account: &Account, help: Option<&ChannelId>) -> String {
    format!(
        "The path of {} contains `*`, `?` or `$`, and keyvend does not work with such IAM users. Have the user moved to another path. A key of it can be deactivated in the IAM console or with `keyvend key deactivate`. {}",
        iam_user(user, account),
        ask_help(help)
    )
}

/// The IAM user has no owner.
#[must_use]
pub fn no_owner(user: &IamUserName, account: &Account, asker: &PersonId, help: Option<&ChannelId>) -> String {
    format!(
        "Nobody is recorded as the owner of {}, so nobody can ask for its keys. If it is yours, have it tagged `keyvend:owners` = `{}`. {}",
        iam_user(user, account),
        asker.user,
        ask_help(help)
    )
}

/// Policy refused.
#[must_use]
pub fn refused(advice: &[String], help: Option<&ChannelId>) -> String {
    if advice.is_empty() { format!("No policy allows this. {}", ask_help(help)) } else { advice.join("\n") }
}

/// The policy set in force cannot be used.
pub const POLICIES_INVALID: &str = "keyvend's policies are not valid at the moment, so nothing can be asked for or \
    approved. Whoever runs keyvend has been alerted; try again later.";

/// A request is on its way to the approvers.
#[must_use]
pub fn asked(request: &KeyRequest) -> String {
    format!(
        "Asked for {}. It needs {} by {}; I'll tell you how it goes.",
        wanted(request),
        approvals(request.snapshot.required_approvals),
        slack_date(request.expires_at)
    )
}

/// The first line of the card, under a heading that names the IAM user.
#[must_use]
pub fn asks(request: &KeyRequest) -> String {
    asks_again(request).unwrap_or_else(|| {
        format!(
            "*{}* asks for a key for {}:",
            person(&request.details.requester),
            iam_user(&request.details.user, &request.details.account)
        )
    })
}

/// What was asked and who approved it, once the card is an outcome.
#[must_use]
pub fn asked_for(request: &KeyRequest) -> String {
    let by: Vec<String> = request.approvals.iter().map(|approval| person(&approval.by)).collect();
    let approved = if by.is_empty() { String::new() } else { format!(" Approved by {}.", by.join(" and ")) };
    format!(
        "Asked by {}: {}, {}.{approved} Request `{}`",
        person(&request.details.requester),
        use_case(request.details.use_case),
        days(request.details.days),
        request.id
    )
}

/// How many approvals there are and must be, and by when.
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
        "Policy allows it without an approval".to_owned()
    } else {
        format!("Approved by {}", by.join(" and "))
    };
    format!(
        "{why}: your key for {} can be made. Press *Get my key* where you want to store it, by {}. No key exists until you open its link.",
        iam_user(&request.details.user, &request.details.account),
        slack_date(request.expires_at)
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

/// Said to a requester in addition, where too few can still give the approvals that a request lacks; else nothing.
#[must_use]
pub fn too_few_left(request: &KeyRequest, left: usize) -> String {
    let had = u32::try_from(request.approvals.len()).unwrap_or(u32::MAX);
    let lacking =
        usize::try_from(request.snapshot.required_approvals.saturating_sub(had)).unwrap_or(usize::MAX);
    if lacking <= left {
        return String::new();
    }
    " Too few of those who were approvers when you submitted it are left to give them: cancel this request and submit it again."
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
            "{by} They can read the requests here but cannot approve them: `KEYVEND_APPROVERS` names who can. Remove them if nobody expected this."
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
    "This makes them an approver. They can approve only requests submitted from now on. Remove them if nobody expected this, and look at the requests made since."
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
    let others = if eligible.len() > MAX_NAMED { " or another of them" } else { "" };
    let ask = match named.as_slice() {
        [] => String::new(),
        named => format!("Ask somebody who was an approver then: {}{others}. ", named.join(", ")),
    };
    format!(
        "Your approval was not counted: you became an approver after this request was submitted. {ask}{submit_again}"
    )
}

/// More approvers than a request can keep.
#[must_use]
pub fn too_many_approvers(most: usize) -> String {
    format!(
        "There are more than {most} approvers, and a request cannot record that many. Ask the person who runs keyvend to set `KEYVEND_APPROVERS` to a smaller channel or user group, then submit the request again."
    )
}

/// An approver's click counted.
pub const APPROVAL_COUNTED: &str = "Your approval is recorded.";
/// An approver's no counted.
pub const DENIAL_COUNTED: &str = "You denied this request. The requester has been told.";

/// The approvers are called, once: a user group by its name, a channel as a whole.
#[must_use]
pub fn call(approvers: &Approvers) -> String {
    match approvers {
        Approvers::UserGroup(group) => format!("<!subteam^{group}>"),
        Approvers::Channel(_) => "<!channel>".to_owned(),
    }
}

/// The same before a sentence, where they are mentioned.
#[must_use]
pub fn calling(mention: Option<&Approvers>) -> String {
    mention.map(|approvers| format!("{} ", call(approvers))).unwrap_or_default()
}

/// A quarter of the card's time is gone.
#[must_use]
pub fn reminder(request: &KeyRequest, mention: Option<&Approvers>) -> String {
    let lacking = request
        .snapshot
        .required_approvals
        .saturating_sub(u32::try_from(request.approvals.len()).unwrap_or(u32::MAX));
    format!(
        "{}{} still waits for {}. It lapses {}.",
        calling(mention),
        person(&request.details.requester),
        approvals(lacking.max(1)),
        slack_date(request.expires_at)
    )
}

/// A request was approved, but not by enough people who still may: the approvers are called once more.
#[must_use]
pub fn asked_again(request: &KeyRequest, mention: Option<&Approvers>) -> String {
    let had = u32::try_from(request.approvals.len()).unwrap_or(u32::MAX);
    format!(
        "{}{} was about to get this key, but what was approved no longer counts, or is no longer enough. It needs {} again, by {}.",
        calling(mention),
        person(&request.details.requester),
        approvals(request.snapshot.required_approvals.saturating_sub(had).max(1)),
        slack_date(request.expires_at)
    )
}

/// The approvers' channel cannot be used, so nothing can be judged.
#[must_use]
pub fn approvers_unreachable(help: Option<&ChannelId>) -> String {
    format!(
        "The approvers cannot be reached: keyvend cannot use their channel in Slack as it is now. Nothing was done. {} Whoever runs keyvend has to mend that first; then do it again.",
        ask_help(help)
    )
}

/// The card could not be posted, so no approver knows of the request.
#[must_use]
pub fn card_not_posted(request: &KeyRequest, help: Option<&ChannelId>) -> String {
    format!(
        "The approvers cannot be reached: your request for {} could not be shown in their channel. It stays open until {}, but nobody sees it there. {} Show whoever runs keyvend this: `{}`.",
        iam_user(&request.details.user, &request.details.account),
        slack_date(request.expires_at),
        ask_help(help),
        request.id
    )
}

/// The requester is told of the no.
#[must_use]
pub fn denied(request: &KeyRequest, by: &PersonId) -> String {
    format!(
        "{} denied your request for {}. Talk to them before you ask again.",
        person(by),
        iam_user(&request.details.user, &request.details.account)
    )
}

/// The requester took it back.
#[must_use]
pub fn cancelled(request: &KeyRequest) -> String {
    format!(
        "Your request for {} is cancelled. Any link you were given no longer works, and no key was created.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// What the card showed is no longer so.
#[must_use]
pub fn card_changed() -> String {
    "This changed since the card was drawn, so your press was not counted and earlier approvals fell. The card now shows how it is: please look again.".to_owned()
}

/// The same, to the requester.
#[must_use]
pub fn facts_changed(request: &KeyRequest) -> String {
    format!(
        "{} changed while your request waited, so approvals so far no longer count. The approvers see the new card; it needs {}.",
        iam_user(&request.details.user, &request.details.account),
        approvals(request.snapshot.required_approvals)
    )
}

/// A click on something that is decided.
#[must_use]
pub fn moved_on(request: &KeyRequest) -> String {
    format!("Your press changed nothing. {}", standing(request))
}

/// A click by somebody who approved already.
pub const ALREADY_APPROVED: &str = "You approved this already; another person has to give the next approval.";

/// A press on a button of a request that is not theirs.
pub const NOT_YOURS: &str =
    "Only the person who asked can do this. Ask for a key of your own with `/access-key help`.";

/// A press on a card by somebody whom its request does not concern.
pub const NOT_YOURS_TO_DECIDE: &str =
    "Only an approver, or the person who asked, can do this: ask one of them.";

/// The same about a key whose IAM user is gone.
pub const ONLY_APPROVERS_ANSWER: &str =
    "The IAM user is gone, so only an approver can answer this: ask one of them.";

/// A button that leads nowhere.
pub const UNKNOWN_BUTTON: &str =
    "I can't tell what this button belongs to; it may be from before a change. Look at `/access-key status`.";

/// No such request.
#[must_use]
pub fn no_such_request(id: &RequestId) -> String {
    format!("I know no request `{id}` of yours. `/access-key status` lists those I know.")
}

/// Nothing to take back.
pub const NOTHING_TO_CANCEL: &str = "You have no request that could be cancelled.";

/// More than one could be meant.
#[must_use]
pub fn which_to_cancel(ids: &[RequestId]) -> String {
    let lines: Vec<String> = ids.iter().map(|id| format!("\u{2022} `cancel {id}`")).collect();
    format!("You have more than one open request. Say which:\n{}", lines.join("\n"))
}

/// One person sends more than is looked at.
#[must_use]
pub fn rate_limited(most: usize) -> String {
    format!(
        "You sent more than {most} commands, button presses and forms within one minute, so this one was not looked at. Wait a minute, then send it again. Deactivating a key, *This wasn't me*, `cancel` and `freeze` are never limited."
    )
}

/// One person has as many open requests as anybody may have.
#[must_use]
pub fn too_many_open(open: &[RequestId]) -> String {
    let lines: Vec<String> = open.iter().map(|id| format!("\u{2022} `/access-key cancel {id}`")).collect();
    format!(
        "You have {} open requests, and that is the most. Get the keys that were approved, or cancel what you no longer need, then ask again:\n{}",
        open.len(),
        lines.join("\n")
    )
}

/// No requests.
pub const NO_REQUESTS: &str = "You have asked for nothing yet. `/access-key help` shows how.";

/// Where a request stands, in a sentence.
#[must_use]
pub fn standing(request: &KeyRequest) -> String {
    let what = iam_user(&request.details.user, &request.details.account);
    match &request.state {
        RequestState::Pending => {
            format!("The request for {what} waits for approval: {}.", approvals_so_far(request))
        }
        RequestState::Approved if request.details.kind.existing().is_some() => {
            format!("The request for {what} is approved, and is being carried out.")
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
            "AWS gave no answer when a key for {what} was created, so whether it exists is not known. The approvers have been told, and nothing more is created for it."
        ),
        RequestState::Issued { key, at, .. } => {
            format!("The key `{key}` for {what} was created {}.", slack_date(*at))
        }
        RequestState::Completed { key, .. } => match &request.details.kind {
            RequestKind::Longer { end, .. } => {
                format!("The key `{key}` for {what} lives until {}.", slack_date(*end))
            }
            RequestKind::Back { end, .. } => {
                format!("The key `{key}` for {what} is switched on again, until {}.", slack_date(*end))
            }
            RequestKind::New | RequestKind::Rotate { .. } => format!("The key `{key}` for {what} is there."),
        },
        RequestState::Denied { by, .. } => format!("The request for {what} was denied by {}.", person(by)),
        RequestState::Cancelled => format!("The request for {what} was cancelled."),
        RequestState::Expired => format!("The request for {what} lapsed because nobody answered in time."),
        RequestState::PolicyDenied { why } => format!("The request for {what} was refused: {why}"),
    }
}

/// A request on one line of a list.
#[must_use]
pub fn status_line(request: &KeyRequest) -> String {
    format!("\u{2022} `{}` {}", request.id, standing(request))
}

/// Who somebody is to keyvend.
#[must_use]
pub fn whoami(who: &crate::domain::person::Person, approver: bool) -> String {
    let mut lines = vec![format!("You are {} (`{}`).", person(&who.id), who.id)];
    let role = if approver { "You are one of the approvers." } else { "You are not one of the approvers." };
    lines.push(role.to_owned());
    if who.guest || who.external || who.bot || who.deleted {
        lines.push("Guests, people of other workspaces and bots cannot ask for keys here.".to_owned());
    }
    lines.push(format!("An IAM user is yours when its tag `keyvend:owners` has `{}` in it.", who.id.user));
    lines.join("\n")
}

/// Beside the button with the link.
#[must_use]
pub fn link(request: &KeyRequest, expires_at: Timestamp, label: Option<&str>) -> String {
    let second = match label {
        Some(label) => format!(
            "It asks for the code that was mailed to the address in your Slack profile, marked *{label}*. Forward neither."
        ),
        None => "Don't forward it: whoever opens it first gets the key.".to_owned(),
    };
    format!(
        "Your one-time link for {} works once, in one browser tab, until {}. {second}",
        iam_user(&request.details.user, &request.details.account),
        slack_date(expires_at)
    )
}

/// The link was shown, but not where it was asked for.
pub const LINK_SHOWN: &str = "Your one-time link is in your direct messages with keyvend, for you alone, until you reload Slack. If it is not there, press *Get my key* again.";

/// The link could not be shown to whoever pressed.
pub const LINK_NOT_SHOWN: &str = "I could not show you your one-time link, so I withdrew it. Nothing was created; press *Get my key* again.";

/// The request's time ran out.
#[must_use]
pub fn lapsed(request: &KeyRequest) -> String {
    format!(
        "Your request for {} lapsed because its time ran out. Ask again if you still need the key.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// The one place where a key is being collected.
pub const BEING_COLLECTED: &str =
    "A browser tab is collecting this key right now. If that isn't you, tell the approvers at once.";

/// All issuing is stopped.
pub const FROZEN: &str =
    "All issuing of keys is stopped for now. Your approval stays; press *Get my key* again later.";

/// It was claimed too long ago.
pub const TOO_LATE: &str = "Your link was opened, but the key could not be made in time. No key came of it; press \
    *Get my key* again.";

/// AWS's limit of two keys.
pub const SLOT_TAKEN: &str = "The IAM user got a second key in the meantime, and AWS allows no third. Nothing was \
    created. Free a slot and press *Get my key* again.";

/// The IAM user went away.
pub const USER_GONE: &str = "The IAM user no longer exists. Nothing was created.";

/// AWS said no.
#[must_use]
pub fn aws_refused(reference: &RequestId) -> String {
    format!(
        "AWS refused to create the key. Nothing was created; try *Get my key* again later, and if that doesn't help, show whoever runs keyvend this: `{reference}`."
    )
}

/// Another operation holds the IAM user.
pub const BUSY: &str = "Another key operation on this IAM user is going on. Nothing was created; press *Get my key* \
    again in a minute.";

/// Approvals are lacking now.
#[must_use]
pub fn approvals_lacking(request: &KeyRequest) -> String {
    format!(
        "An approval of your request for {} no longer counts, so the approvers are asked again. It needs {}.",
        iam_user(&request.details.user, &request.details.account),
        approvals(request.snapshot.required_approvals)
    )
}

/// Whether a key exists is not known.
#[must_use]
pub fn ambiguous(request: &KeyRequest) -> String {
    format!(
        "AWS gave no answer when a key for {} was to be created. Nothing is tried again until it is clear what happened: look at the access keys of that IAM user in the AWS console for one created around {}, and delete it if nobody has it.",
        iam_user(&request.details.user, &request.details.account),
        slack_date(if let RequestState::Ambiguous(doubt) = &request.state {
            doubt.intent.started_at
        } else {
            request.details.at
        })
    )
}

/// The key was created and lies sealed for the tab.
#[must_use]
pub fn issued(request: &KeyRequest, key: &AccessKeyId, browser: Browser) -> String {
    format!(
        "The key `{key}` for {} was created and handed to the browser tab that opened your link ({}). New keys need about 10 seconds to work. If that wasn't you, press *This wasn't me*: the key is off within seconds.",
        iam_user(&request.details.user, &request.details.account),
        browser
    )
}

/// Whoever pressed it has nothing to do with the key.
pub const NOT_YOURS_TO_SWITCH_OFF: &str = "Only whoever asked for this key, owns its IAM user or approves here can \
    switch it off. Tell the approvers if you think it is misused.";

/// The key is off.
#[must_use]
pub fn switched_off(key: &AccessKeyId) -> String {
    format!("The key `{key}` is switched off. It no longer works anywhere.")
}

/// The same, to those whom it concerns.
#[must_use]
pub fn reported(issued: &IssuedKey, by: &str) -> String {
    let said = match PersonId::try_from(by.to_owned()) {
        Ok(by) => format!("{} said of", person(&by)),
        Err(_) => "An operator said of".to_owned(),
    };
    let off = if matches!(issued.state, KeyState::Deleted { .. }) { "deleted" } else { "switched off" };
    format!(
        "{said} the key `{}` for {}: this wasn't me. It is {off}. Look in CloudTrail for what was done with it since {}, and who opened the link.",
        issued.key,
        iam_user(&issued.user, &issued.account),
        slack_date(issued.issued_at)
    )
}

/// The same press was delivered again.
#[must_use]
pub fn reported_before(issued: &IssuedKey) -> String {
    if issued.state.is_active() {
        format!(
            "The key `{}` was deactivated when you said that it wasn't you, and has been activated again since. Press again to deactivate it.",
            issued.key
        )
    } else {
        switched_off(&issued.key)
    }
}

/// Issuing was stopped.
pub const FREEZE_DONE: &str = "All issuing of keys is stopped. Keys that exist go on working; `/access-key unfreeze` \
    lets issuing go on.";
/// Issuing goes on.
pub const UNFREEZE_DONE: &str = "Keys can be issued again.";
/// A stop was carried out, and lifted before its answer went out.
pub const FREEZE_REVERTED: &str = "Your command stopped all issuing of keys, and somebody has let it go on since: keys can \
    be issued. Type `/access-key freeze` again to stop it.";
/// A stop was lifted, and there was another before the answer went out.
pub const UNFREEZE_REVERTED: &str = "Your command let the issuing of keys go on, and somebody has stopped it again since. \
    Type `/access-key unfreeze` again if you want to let it go on.";

/// An unfreeze that crossed a freeze: the freeze wins.
#[must_use]
pub fn unfreeze_raced(by: &str, at: Timestamp) -> String {
    let by = by.to_owned().try_into().map_or_else(|_| escape_mrkdwn(by), |by| person(&by));
    format!(
        "All issuing of keys is still stopped: {by} stopped it {}, which was not before you typed this. If you want to let it go on all the same, type `/access-key unfreeze` again.",
        slack_date(at)
    )
}

/// The approvers hear of either.
#[must_use]
pub fn frozen_by(freeze: bool, by: &PersonId) -> String {
    if freeze {
        format!("{} stopped all issuing of keys. `/access-key unfreeze` lets it go on.", person(by))
    } else {
        format!("{} let the issuing of keys go on.", person(by))
    }
}

/// A second tab came with the right link, or codes were guessed.
#[must_use]
pub fn misused(request: &KeyRequest) -> String {
    format!(
        "Somebody opened your one-time link for {} a second time, in another browser tab, and was turned away. If that was not you, your link has leaked: switch the key off with *This wasn't me* if you did not get it, and tell the approvers.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// Five wrong codes.
#[must_use]
pub fn locked(request: &KeyRequest) -> String {
    format!(
        "Five wrong codes were typed for your link for {}, and it is locked. No key was created. If that was not you, tell the approvers; else press *Get my key* again for a new link.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// A message that lay too long.
pub const TOO_OLD: &str = "This took too long to reach me, so I did nothing with it. Please do it again.";

/// Something failed on our side for good.
#[must_use]
pub fn not_done(reference: &RequestId) -> String {
    format!(
        "That did not work, and it was not your fault. Nothing was done; please try again, and if it fails again, show whoever runs keyvend this: `{reference}`."
    )
}

/// Mail: no address that a code could go to.
pub const MAIL_MISSING: &str = "Your Slack profile shows no mail address, and this key needs a code by mail. Add one to your profile and press *Get my key* again.";
/// Mail: an address that Slack has not seen confirmed.
pub const MAIL_UNCONFIRMED: &str = "The mail address in your Slack profile is not confirmed, and this key needs a code by mail. Confirm it in Slack and press *Get my key* again.";
/// Mail: not one plain address.
pub const MAIL_MALFORMED: &str = "The mail address in your Slack profile is not one plain address such as name@example.com, so no code is mailed to it. Correct it in your profile, then submit your request again.";
/// Mail: an address elsewhere.
pub const MAIL_FOREIGN: &str = "The mail address in your Slack profile is of a domain that codes are not mailed to. Change it to your work address and press *Get my key* again.";
/// Mail: not the address of when it was asked.
pub const MAIL_CHANGED: &str = "The mail address in your Slack profile changed since you asked for this key, so no code is mailed. Ask for the key anew.";
/// Mail: SES refused.
pub const MAIL_REFUSED: &str = "The code could not be mailed, so you get no link. Nothing was created; try again later, and tell whoever runs keyvend if it keeps failing.";

/// The mailed code's subject.
#[must_use]
pub fn mail_subject(label: &str) -> String {
    format!("Your keyvend code {label}")
}

/// The mailed code.
#[must_use]
pub fn mail_text(code: &str, label: &str, user: &IamUserName, account: &Account) -> String {
    format!(
        "Your code is {code}\n\nIt belongs to the link marked {label} that you were given in Slack, for an access key for the IAM user {user} in the account {}. Type it only on the page that this link opens.\n\nIf you did not press \"Get my key\" in Slack a moment ago, do nothing with it and tell your security team.\n",
        account.alias
    )
}

/// What somebody's reason is shown as.
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
