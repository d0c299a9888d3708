//! Where Slack asks us to answer. Whoever has a `response_url` speaks to that person in the app's name, and whatever is
//! answered goes there: so it must be Slack's, and is never printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a `response_url` must point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseUrlRule {
    origin: String,
}

/// A text that is no URL of a Slack API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The Slack API URL must be https://slack.com/api/, GovSlack's https://slack-gov.com/api/, or that of a simulated Slack."
)]
pub struct InvalidSlackApiUrl;

/// A text that is no `response_url` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a response_url")]
pub struct InvalidResponseUrl;

impl ResponseUrlRule {
    /// The rule that goes with a Slack API URL: `https://hooks.slack.com` for Slack's own, `https://hooks.slack-gov.com`
    /// for GovSlack's, the same origin for any other.
    ///
    /// # Errors
    /// Where the URL is not `http(s)://<host>[:port]/...`.
    pub fn for_api(url: &str) -> Result<Self, InvalidSlackApiUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidSlackApiUrl)?;
        let host = rest.split('/').next().unwrap_or_default();
        let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        if !matches!(scheme, "http" | "https") || host.is_empty() || !plain {
            return Err(InvalidSlackApiUrl);
        }
        // Slack's own are these two. Another of its hosts, or one without TLS, would be found out by every answer that fails.
        let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let is_slacks = ["slack.com", "slack-gov.com"].iter().any(|own| {
            name.strip_suffix(own).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        let origin = format!("{scheme}://{host}");
        if is_slacks && !matches!(origin.as_str(), "https://slack.com" | "https://slack-gov.com") {
            return Err(InvalidSlackApiUrl);
        }
        let origin = match origin.as_str() {
            "https://slack.com" => "https://hooks.slack.com".to_owned(),
            "https://slack-gov.com" => "https://hooks.slack-gov.com".to_owned(),
            other => other.to_owned(),
        };
        Ok(Self { origin })
    }

    /// Where they are, without a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Compared as text, because two readers of URLs can differ on where a host ends.
    fn allows(&self, url: &str) -> bool {
        url.len() <= ResponseUrl::LONGEST
            && url.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
            && url.strip_prefix(self.origin.as_str()).is_some_and(|path| path.starts_with('/'))
    }

    /// A `response_url`, if it points where it must.
    ///
    /// # Errors
    /// Where it does not.
    pub fn check(&self, url: &str) -> Result<ResponseUrl, InvalidResponseUrl> {
        if self.allows(url) { Ok(ResponseUrl(url.to_owned())) } else { Err(InvalidResponseUrl) }
    }
}

/// A `response_url` (<https://docs.slack.dev/interactivity/handling-user-interaction>): good for 30 minutes and 5
/// answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseUrl(String);

impl ResponseUrl {
    const LONGEST: usize = 512;

    /// Its text, if the rule allows it. Asked again here because a queue's message is no proof of where it came from.
    #[must_use]
    pub fn under(&self, rule: &ResponseUrlRule) -> Option<&str> {
        rule.allows(&self.0).then_some(self.0.as_str())
    }
}

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseUrl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T1.8
    #[test]
    fn response_url_must_point_to_slack() {
        let slack = "https://slack.com/api/";
        let gov = "https://slack-gov.com/api/";
        let local = "http://127.0.0.1:8080/api/";
        let cases = [
            (gov, "https://hooks.slack-gov.com/commands/T0001/1/x", true),
            (gov, "https://hooks.slack.com/commands/T0001/1/x", false),
            (gov, "https://slack-gov.com/x", false),
            (gov, "https://hooks.slack-gov.com.evil.test/x", false),
            (gov, "http://hooks.slack-gov.com/x", false),
            (slack, "https://hooks.slack-gov.com/x", false),
            (slack, "https://hooks.slack.com/commands/T0001/1/x", true),
            (slack, "https://hooks.slack.com/", true),
            (slack, "https://hooks.slack.com", false),
            (slack, "http://hooks.slack.com/x", false),
            (slack, "HTTPS://hooks.slack.com/x", false),
            (slack, "https://hooks.slack.com:443/x", false),
            (slack, "https://hooks.slack.com.evil.test/x", false),
            (slack, "https://hooks.slack.com@evil.test/x", false),
            (slack, "https://hooks.slack.com\\@evil.test/x", false),
            (slack, "https://hooks.slack.com/\\x", false),
            (slack, "https://hooks.slack.com/x\r\nHost: evil.test", false),
            (slack, "https://hooks.slack.com/\u{e9}", false),
            (slack, " https://hooks.slack.com/x", false),
            (slack, "https://slack.com/x", false),
            (slack, "https://evil.test/https://hooks.slack.com/x", false),
            (slack, "", false),
            (local, "http://127.0.0.1:8080/response/1", true),
            (local, "http://127.0.0.1:8081/response/1", false),
            (local, "http://127.0.0.1:80801/response/1", false),
            (local, "https://127.0.0.1:8080/response/1", false),
            (local, "https://hooks.slack.com/x", false),
            ("http://[::1]:9/api", "http://[::1]:9/x", true),
            ("https://slack.com", "https://hooks.slack.com/x", true),
            ("https://slack.com.evil.test/api/", "https://hooks.slack.com/x", false),
            ("https://myslack.com/api/", "https://myslack.com/x", true),
        ];
        for (api, url, expected) in cases {
            let rule = ResponseUrlRule::for_api(api).unwrap();
            assert_eq!(rule.check(url).is_ok(), expected, "{url} under {api}");
            assert_eq!(ResponseUrl(url.to_owned()).under(&rule).is_some(), expected, "{url} under {api}");
        }
        let rule = ResponseUrlRule::for_api(slack).unwrap();
        let long = format!("https://hooks.slack.com/{}", "x".repeat(512));
        assert_eq!(rule.check(&long), Err(InvalidResponseUrl));
    }

    #[test]
    fn slack_api_url_needs_scheme_and_host() {
        for url in [
            "",
            "slack.com",
            "ftp://slack.com/",
            "https:///x",
            "https://a@b/",
            "https://a b/",
            "https://a?b",
            "http://slack.com/api/",
            "https://api.slack.com/",
            "https://example.slack.com/api/",
            "https://slack.com:443/api/",
            "https://Slack.com/api/",
            "http://slack-gov.com/api/",
            "https://api.slack-gov.com/",
        ] {
            assert_eq!(ResponseUrlRule::for_api(url), Err(InvalidSlackApiUrl), "{url:?}");
        }
    }

    // T3.11
    #[test]
    fn a_response_url_does_not_print() {
        let rule = ResponseUrlRule::for_api("https://slack.com/api/").unwrap();
        let url = rule.check("https://hooks.slack.com/commands/T0001/1/secret").unwrap();
        assert_eq!(format!("{url:?}"), "ResponseUrl");
    }
}
