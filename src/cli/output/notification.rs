//! What is told in Slack of something done with the command-line tool.

use crate::domain::key::IssuedKey;
use crate::render::text::{escape_mrkdwn, iam_user, person};

/// What the approvers and the requester are told, as mrkdwn.
#[must_use]
pub fn told_of_deactivation(issued: &IssuedKey, by: &str) -> String {
    format!(
        "The key `{}` for {}, requested by {}, was deactivated by {} with the command-line tool. It no longer works anywhere; ask {} for the reason before you request another.",
        issued.key,
        iam_user(&issued.user, &issued.account),
        person(&issued.requester),
        escape_mrkdwn(by),
        "the approvers"
    )
}
