//! Phrases that the sentences share.

use crate::domain::iam::Account;
use crate::id::{ChannelId, IamUserName, PersonId};
use crate::time::Timestamp;

/// An IAM user, with its account where there are several.
#[must_use]
pub fn iam_user(user: &IamUserName, account: &Account) -> String {
    format!("`{user}` in `{}`", account.alias)
}

/// A time, shown in the reader's time zone.
#[must_use]
pub fn slack_date(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} at {{time}}|{}>", at.0, at.rfc3339())
}

/// A number of days.
#[must_use]
pub fn days(number: u32) -> String {
    if number == 1 { "1 day".to_owned() } else { format!("{number} days") }
}

pub(crate) fn ask_help(help: Option<&ChannelId>) -> String {
    match help {
        Some(channel) => format!("Ask in <#{channel}>."),
        None => "Ask your AWS administrators.".to_owned(),
    }
}

/// A person, as Slack shows them.
#[must_use]
pub fn person(id: &PersonId) -> String {
    format!("<@{}>", id.user)
}

pub(crate) fn approvals(number: u32) -> String {
    if number == 1 { "1 approval".to_owned() } else { format!("{number} approvals") }
}
