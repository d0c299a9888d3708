//! A queue as it is named to SQS and recognised in an event.

use crate::id::AccountId;

/// An SQS queue's URL, with the account and name by which its ARN is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl {
    url: String,
    arn_end: String,
}

impl QueueUrl {
    /// A queue by its URL, in the account and of the name that the URL ends in.
    #[must_use]
    pub fn new(url: String, account: &AccountId, name: &str) -> Self {
        Self { arn_end: format!(":{account}:{name}"), url }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether an event source's ARN (`arn:<partition>:sqs:<region>:<account>:<name>`) is this queue.
    #[must_use]
    pub fn is_source(&self, arn: &str) -> bool {
        arn.strip_prefix("arn:").is_some_and(|rest| rest.ends_with(&self.arn_end))
    }
}
