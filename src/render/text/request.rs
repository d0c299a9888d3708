//! Messages to the requester about a request, as mrkdwn. Each says what happened and what to do next.

use crate::domain::browser::Browser;
use crate::domain::iam::Account;
use crate::domain::key::{IssuedKey, KeyState};
use crate::domain::request::{KeyRequest, RequestKind, RequestState};
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, AccountAlias, ChannelId, IamUserName, PersonId, RequestId};
use crate::render::text::denial::denial;
use crate::render::text::phrase::{approvals, ask_help, iam_user, person, slack_date};
use crate::render::text::{
    comments, escape_mrkdwn, inline_code, key_now, named_approvers, replaced, replaces, wanted,
};

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

/// Whom the requester can turn to; empty where they are many.
fn approvers_asked(request: &KeyRequest) -> String {
    named_approvers(request).map_or(String::new(), |named| format!(" Approvers: {named}."))
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

/// A button of another person's request.
pub const NOT_YOURS: &str = "Only the requester can do this. Request a key of your own with `/access-key`.";

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

/// The same with its key, as it is now.
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

/// To the requester: expired.
#[must_use]
pub fn request_expired(request: &KeyRequest) -> String {
    format!(
        "Your request for {} has expired. Submit a new request if you still need the key.",
        iam_user(&request.details.user, &request.details.account)
    )
}

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
