//! Texts of modals. Titles, labels, hints and field errors are plain text; the rest is mrkdwn.

use crate::domain::iam::{Account, IamUser};
use crate::domain::request::{Approval, KeyRequest};
use crate::domain::use_case::UseCase;
use crate::id::{AccountAlias, IamUserName, SlackUserId};
use crate::policy::IamUserRef;
use crate::render::text::{asks_again, escape_mrkdwn, iam_user, person, reason};
use crate::slack::command::{Problem, Reason};

/// A submitted form is being processed.
pub const CHECKING_FORM: &str = "Checking...";
/// Details are being loaded.
pub const LOOKING_UP: &str = "Loading...";
/// The title of every notice modal.
pub const KEY_TITLE: &str = "Access key";
/// The title of the form.
pub const ASK_TITLE: &str = "Request an access key";
/// Above the form in which a request was made that was refused.
#[must_use]
pub fn refused_in_form(why: &str) -> String {
    format!("*Your request was refused.* {why}\nYou can change it and submit it again.")
}

/// The title of the form of an approval with a comment.
pub const APPROVE_TITLE: &str = "Approve this request";
/// The title of the deny form.
pub const DENY_TITLE: &str = "Deny this request";
/// The title of what does not fit on the card.
pub const DETAILS_TITLE: &str = "Details";

/// Below the choice of an IAM user, or in its place.
pub const OTHER_USER_HINT: &str =
    "The name in the AWS console, such as ci-deployer. For another account: ci-deployer@sandbox.";
/// Above it, where there is a choice.
pub const OTHER_USER: &str = "Or another IAM user";
/// The choice of further accounts.
pub const OTHER_ACCOUNTS: &str = "Also in these accounts";
/// Below it.
pub const OTHER_ACCOUNTS_HINT: &str =
    "The same for the IAM user of this name in each of them. Every account is a request of its own.";
/// Slack shows 100 choices in a menu.
pub const ACCOUNTS_CUT: &str = "The first 100 accounts are listed; submit the form again for another one.";
/// After the form, the requests that it submitted.
#[must_use]
pub fn several(lines: &[String]) -> String {
    format!(
        "You submitted {} requests. Each has a direct message of its own.\n{}",
        lines.len(),
        lines.join("\n")
    )
}

/// One of them that came to no request of its own, or to none yet.
#[must_use]
pub fn told_directly(user: &IamUserName, alias: Option<&AccountAlias>) -> String {
    let place = alias.map_or(String::new(), |alias| format!(" in `{alias}`"));
    format!("\u{2022} `{user}`{place}: see your direct messages with keyvend.")
}

/// One of them that was not submitted, because there were too many in one minute.
#[must_use]
pub fn not_submitted(user: &IamUserName, alias: Option<&AccountAlias>) -> String {
    let place = alias.map_or(String::new(), |alias| format!(" in `{alias}`"));
    format!(
        "\u{2022} `{user}`{place}: not submitted, because you sent too much within one minute. Submit it again later."
    )
}

/// Below the use case, before one is chosen.
pub const ALTERNATIVE_UNKNOWN: &str = "Choose a use case to see the alternative that AWS recommends.";
/// Below the reason for a key.
pub const REASON_HINT: &str = "The approvers read this.";
/// Below the comment of an approval.
pub const COMMENT_HINT: &str = "The requester and the other approvers read this.";
/// Below the reason for a denial.
pub const DENY_HINT: &str = "The requester reads this.";

/// One of the use cases, to choose.
#[must_use]
pub fn use_case_choice(use_case: UseCase) -> &'static str {
    match use_case {
        UseCase::Cli => "AWS CLI on my machine",
        UseCase::LocalCode => "Code on my machine",
        UseCase::AwsCompute => "Code on AWS (EC2, ECS, Lambda)",
        UseCase::ThirdParty => "A third-party service",
        UseCase::OutsideAws => "A workload outside AWS",
        UseCase::Other => "Something else",
    }
}

/// What is wrong with a field. Plain text, shown under it.
#[must_use]
pub fn in_field(problem: &Problem) -> String {
    match problem {
        Problem::SecretTyped => {
            "This looks like a secret access key. It was not stored. Deactivate that key, and never enter its secret here."
                .to_owned()
        }
        Problem::UserMissing => "Choose one of your IAM users or enter its name.".to_owned(),
        Problem::NotAnIamUser(_) => {
            "This is not an IAM user name. Enter it as shown in the AWS console.".to_owned()
        }
        Problem::UseMissing | Problem::UseRepeated | Problem::UnknownUseCase(..) => {
            "Choose a use case.".to_owned()
        }
        Problem::TtlMissing | Problem::TtlRepeated | Problem::InvalidLifetime(_) => {
            "Choose a lifetime.".to_owned()
        }
        Problem::ReasonMissing => "Enter a few words.".to_owned(),
        Problem::ReasonTooLong => format!("Use at most {} characters.", Reason::MOST),
        Problem::UnknownCommand(_)
        | Problem::UserRepeated
        | Problem::AccountRepeated
        | Problem::NotAnAccount(_)
        | Problem::TooMuch(_)
        | Problem::NotARequestId(_)
        | Problem::KeyMissing(_)
        | Problem::NotAKey => "This value is invalid.".to_owned(),
    }
}

/// The form could not be opened in time.
pub const FORM_LATE: &str = "The form could not be opened in time. Press *Open the form*, or \
    type `/access-key create &lt;iam-user&gt;[@account] use:&lt;use-case&gt; ttl:&lt;days&gt;d &lt;reason&gt;`.";

/// The same of what a button opens.
pub const PRESS_AGAIN: &str =
    "This could not be opened in time. Nothing was changed; please press the button again.";

/// In the form, once the request is pending.
#[must_use]
pub fn form_asked(request: &KeyRequest) -> String {
    format!(
        "Request sent: a key for {}. You will be notified in a direct message.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// In the form, where no approval is needed.
#[must_use]
pub fn form_ready(request: &KeyRequest) -> String {
    format!(
        "Your key for {} is ready to create. *Get my key* is in your direct messages with keyvend.",
        iam_user(&request.details.user, &request.details.account)
    )
}

/// So many of a person's IAM users are named in a message.
const MAX_NAMED_USERS: usize = 30;

const NO_OWN_USERS: &str =
    "keyvend does not know any IAM users that you own; new tags can take a day to show up.";

/// The IAM users that a person owns, each on a line, and how many more there are.
#[must_use]
pub fn own_user_lines(users: &[IamUserRef]) -> String {
    if users.is_empty() {
        return NO_OWN_USERS.to_owned();
    }
    let named = users.iter().take(MAX_NAMED_USERS);
    let mut lines: Vec<String> =
        named.map(|user| format!("\u{2022} {}", iam_user(&user.name, &user.account))).collect();
    if let Some(more @ 1..) = users.len().checked_sub(MAX_NAMED_USERS) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// The same in a sentence of its own.
#[must_use]
pub fn own_users(users: &[IamUserRef]) -> String {
    let lines = own_user_lines(users);
    if users.is_empty() { lines } else { format!("Your IAM users:\n{lines}") }
}

/// What the Home tab says beside its button.
pub const HOME_ALTERNATIVES: &str = "Prefer IAM Identity Center, roles and OIDC federation where they work: the form shows \
    what AWS recommends for each use case.";

/// An IAM user as a choice in a menu. Plain text.
#[must_use]
pub fn user_choice(user: &IamUserRef) -> String {
    format!("{} in {}", user.name, user.account.alias)
}

/// IAM users of a menu's group, by the first and the last of it. Plain text.
#[must_use]
pub fn user_group(first: &IamUserRef, last: &IamUserRef) -> String {
    if first.account == last.account {
        format!("{} to {} in {}", first.name, last.name, last.account.alias)
    } else {
        format!("{} to {}", user_choice(first), user_choice(last))
    }
}

/// What an approver is about to decide.
#[must_use]
pub fn to_review(request: &KeyRequest) -> String {
    let asks = asks_again(request).unwrap_or_else(|| {
        format!(
            "{} requests an access key for {}:",
            person(&request.details.requester),
            iam_user(&request.details.user, &request.details.account)
        )
    });
    format!("{asks}\n{}", reason(&request.details.reason))
}

/// An approver's reason for a denial.
#[must_use]
pub fn because(why: &Reason) -> String {
    format!("Reason:\n{}", reason(why.as_str()))
}

/// What approvers wrote with their approvals, a paragraph each; empty where they wrote nothing.
#[must_use]
pub fn comments(request: &KeyRequest) -> String {
    let written = request.approvals.iter().filter_map(|approval| {
        let comment = approval.comment.as_ref()?;
        Some(format!("\n{}:\n{}", person(&approval.by), reason(comment.as_str())))
    });
    written.collect()
}

/// Details are for approvers.
pub const NOT_AN_APPROVER: &str = "Only approvers can see the details.";

/// Those who may approve.
#[must_use]
pub fn who_may_approve(people: &[SlackUserId]) -> String {
    const MOST: usize = 50;
    let mut shown: Vec<String> = people.iter().take(MOST).map(|user| format!("<@{user}>")).collect();
    if people.len() > MOST {
        shown.push(format!("and {} more", people.len() - MOST));
    }
    if shown.is_empty() { "nobody".to_owned() } else { shown.join(", ") }
}

#[must_use]
pub fn approval_line(approval: &Approval) -> String {
    format!("{} approved {}", person(&approval.by), crate::render::text::slack_date(approval.at))
}

/// The owners as the tags have them.
#[must_use]
pub fn owners(user: &IamUser) -> String {
    let people = user.owners.iter().map(|owner| format!("<@{owner}>"));
    let groups = user.owner_groups.iter().map(|group| format!("<!subteam^{group}>"));
    let all: Vec<String> = people.chain(groups).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

/// A tag, name and value. Both come from AWS, where others write them.
#[must_use]
pub fn tag(name: &str, value: &str) -> String {
    let code = |text: &str| escape_mrkdwn(&text.chars().take(256).collect::<String>().replace('`', "'"));
    match value {
        "" => format!("`{}`", code(name)),
        _ => format!("`{}` = `{}`", code(name), code(value)),
    }
}

/// The IAM user of a request no longer exists.
#[must_use]
pub fn user_gone(user: &IamUserName, account: &Account) -> String {
    format!("The IAM user {} no longer exists.", iam_user(user, account))
}
