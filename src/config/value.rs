//! Values that several settings have: each parsed, or else what would have been right in its place.

use std::str::FromStr;

use crate::aws::queue_url::QueueUrl;
use crate::domain::ticket::page_url::origin_of;
use crate::id::{AccountId, InvalidId, SlackTeamId};

pub(crate) fn parse_text(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

/// As the AWS SDKs read it: in any case, and nothing else.
pub(crate) fn parse_bool(value: &str) -> Result<bool, String> {
    value.to_ascii_lowercase().parse().map_err(|_| "must be true or false".to_owned())
}

pub(crate) fn parse_id<T: FromStr<Err = InvalidId>>(value: &str) -> Result<T, String> {
    value.trim().parse().map_err(|error| format!("is {error}"))
}

pub(crate) fn parse_url(url: &str) -> Result<String, String> {
    if is_http_url(url) { Ok(url.to_owned()) } else { Err("must be a URL".to_owned()) }
}

pub(crate) fn parse_queue_url(url: &str) -> Result<QueueUrl, String> {
    let mut end = url.rsplit('/');
    let (name, account) = (end.next().unwrap_or_default(), end.next().unwrap_or_default());
    let named = name.strip_suffix(".fifo").is_some_and(|name| !name.is_empty());
    match account.parse::<AccountId>() {
        Ok(account) if is_http_url(url) && named => Ok(QueueUrl::new(url.to_owned(), &account, name)),
        _ => Err("must be the URL of an SQS FIFO queue".to_owned()),
    }
}

pub(crate) fn parse_teams(value: &str) -> Result<Vec<SlackTeamId>, String> {
    value.split([',', ' ']).filter(|part| !part.is_empty()).map(parse_id).collect()
}

pub(crate) fn is_http_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|b| b.is_ascii_graphic())
}

/// Plain http, to this very machine.
pub(crate) fn is_local(url: &str) -> bool {
    let origin = origin_of(url);
    let host = origin.strip_prefix("http://").unwrap_or_default();
    matches!(host.split_once(':').map_or(host, |(host, _)| host), "localhost" | "127.0.0.1")
}
