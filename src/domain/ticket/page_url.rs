//! Where the page is that opens a link.

/// The page's address, `https://<host>/reveal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevealUrl(String);

impl RevealUrl {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An address that was checked when it was configured.
    #[must_use]
    pub(crate) fn new(url: String) -> Self {
        Self(url)
    }

    /// Scheme, host and port: what a claim's `Origin` header must say.
    #[must_use]
    pub fn origin(&self) -> String {
        origin_of(&self.0)
    }
}

/// Scheme, host and port of a URL, in lower case.
pub(crate) fn origin_of(url: &str) -> String {
    let host_at = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host_at..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host_at + at);
    url.get(..end).unwrap_or(url).to_ascii_lowercase()
}
