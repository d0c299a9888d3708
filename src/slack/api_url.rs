//! Where Slack's Web API is.

/// Slack's API, `https://slack.com/api/` unless a stand-in is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackApiUrl(String);

impl SlackApiUrl {
    pub const DEFAULT: &'static str = "https://slack.com/api/";

    /// `url` must have been found to be `http(s)://<host>/.../`.
    pub(crate) fn new(url: &str) -> Self {
        Self(url.to_owned())
    }

    /// The URL, ending in `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
