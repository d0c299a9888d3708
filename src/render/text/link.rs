//! The one-time link and its code: how they are delivered, and what is said when they fail or are misused.

use crate::domain::iam::Account;
use crate::domain::request::KeyRequest;
use crate::id::{IamUserName, RequestId};
use crate::render::text::phrase::{iam_user, person, slack_date};
use crate::time::Timestamp;

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

/// A tab holds the claim.
pub const BEING_COLLECTED: &str =
    "A browser tab is collecting this key right now. If that isn't you, tell the approvers at once.";

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

/// The link was used again from another tab.
#[must_use]
pub fn misused(request: &KeyRequest) -> String {
    let blocked = used_again(&requesters(request, "your one-time link"));
    format!(
        "{blocked} If that wasn't you, your link has leaked: deactivate the key with *This wasn't me* if you did not receive it, and tell the approvers."
    )
}

/// The same, to the approvers.
#[must_use]
pub fn misused_link(request: &KeyRequest) -> String {
    format!(
        "{} {}: press *Report and deactivate* on the card of request `{}`, and freeze key issuing with `/access-key freeze` if more may follow.",
        used_again(&link_of(request)),
        ask_whether_leaked(request),
        request.id
    )
}

/// Five wrong codes, to the approvers.
#[must_use]
pub fn locked_link(request: &KeyRequest) -> String {
    format!(
        "{}, and no key was created. {}. Request `{}`",
        wrong_codes(&link_of(request)),
        ask_whether_leaked(request),
        request.id
    )
}

/// The same, to the requester.
#[must_use]
pub fn locked(request: &KeyRequest) -> String {
    let locked = wrong_codes(&requesters(request, "your link"));
    format!(
        "{locked}. No key was created. If that wasn't you, tell the approvers; otherwise press *Get my key* for a new link."
    )
}

fn used_again(link: &str) -> String {
    format!("Somebody tried to use {link} again in another browser tab and was blocked.")
}

fn wrong_codes(link: &str) -> String {
    format!("Five wrong codes were entered for {link}, so it is locked")
}

fn requesters(request: &KeyRequest, link: &str) -> String {
    format!("{link} for {}", iam_user(&request.details.user, &request.details.account))
}

fn link_of(request: &KeyRequest) -> String {
    requesters(request, &format!("the one-time link of {}", person(&request.details.requester)))
}

fn ask_whether_leaked(request: &KeyRequest) -> String {
    let requester = person(&request.details.requester);
    format!("Ask {requester} whether that was them. If not, the link has leaked")
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
