//! What the request form begins with: whatever was right in a line, so that nothing is typed twice.

use serde::{Deserialize, Serialize};

use crate::domain::lifetime::Days;
use crate::domain::reason::Reason;
use crate::domain::request::RequestDetails;
use crate::domain::use_case::UseCase;
use crate::slack::command::iam_user::TypedUser;

/// The fields of the form that are known. It travels in the value of a button, at most 2,000 characters, which Slack signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prefill {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<TypedUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_case: Option<UseCase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl From<&RequestDetails> for Prefill {
    fn from(asked: &RequestDetails) -> Self {
        let user = TypedUser { user: asked.user.clone(), account: Some(asked.account.alias.clone()) };
        Self {
            user: Some(user),
            use_case: Some(asked.use_case),
            days: u16::try_from(asked.days).ok().and_then(|days| days.try_into().ok()),
            reason: asked.reason.clone().try_into().ok(),
        }
    }
}

impl Prefill {
    /// Of a button's value. One that cannot be read leaves the form empty.
    #[must_use]
    pub fn of_button(value: &str) -> Self {
        serde_json::from_str(value).unwrap_or_default()
    }

    /// The value of a button.
    #[must_use]
    pub fn to_button(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
