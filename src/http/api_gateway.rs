//! API Gateway's event becomes a request, and a response becomes what API Gateway wants back: payload version 2.0
//! (HTTP API, function URL) and 1.0 (REST API). Any JSON at all gets an answer; nothing here fails the invocation.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The longest body that is read, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// One HTTP request. Its body is what the client sent, byte for byte, and at most [`BODY_LIMIT`] long.
pub struct HttpRequest {
    method: String,
    path: String,
    headers: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

/// What a request has under one header name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header<'a> {
    /// The header was not sent.
    Absent,
    /// It was sent once.
    One(&'a str),
    /// It was sent more than once; which one counts is not for us to guess.
    Several,
}

/// An event that is no request we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayEventError {
    /// The JSON is no gateway event; holds the part that is missing or not what it should be.
    #[error("the event has no usable {0}")]
    Malformed(&'static str),
    /// The body is longer than [`BODY_LIMIT`].
    #[error("the body is too long")]
    TooLarge,
}

impl HttpRequest {
    /// A request of its parts. Header names may be in any case and may repeat.
    ///
    /// # Errors
    /// `TooLarge`, where the body is longer than [`BODY_LIMIT`].
    pub fn new(
        method: String,
        path: String,
        headers: impl IntoIterator<Item = (String, String)>,
        body: Vec<u8>,
    ) -> Result<Self, GatewayEventError> {
        if body.len() > BODY_LIMIT {
            return Err(GatewayEventError::TooLarge);
        }
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            by_name.entry(name.to_ascii_lowercase()).or_default().push(value);
        }
        Ok(Self { method, path, headers: by_name, body })
    }

    /// The method as it was sent, `POST`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path without the gateway's stage, `/slack/commands`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What was sent under a name, given here in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Header<'_> {
        match self.headers.get(name).map(Vec::as_slice) {
            None | Some([]) => Header::Absent,
            Some([value]) => Header::One(value),
            Some(_) => Header::Several,
        }
    }
}

/// The method and the path only: headers and body carry signatures and people's words.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.method, self.path)
    }
}

/// Reads both payload versions
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
impl TryFrom<Value> for HttpRequest {
    type Error = GatewayEventError;

    fn try_from(mut event: Value) -> Result<Self, GatewayEventError> {
        let (method, path) = match event.get("rawPath") {
            Some(path) => (event.pointer("/requestContext/http/method"), Some(path)),
            None => (event.get("httpMethod"), event.get("path")),
        };
        let method = text(method, "method")?.to_owned();
        let path = without_stage(text(path, "path")?, &event).to_owned();
        let headers = headers(&event)?;
        let flagged = match event.get("isBase64Encoded") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flagged)) => *flagged,
            Some(_) => return Err(GatewayEventError::Malformed("isBase64Encoded")),
        };
        let body = match event.get_mut("body").map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) if flagged => decode(&text)?,
            Some(Value::String(text)) => text.into_bytes(),
            Some(_) => return Err(GatewayEventError::Malformed("body")),
        };
        Self::new(method, path, headers, body)
    }
}

fn text<'a>(value: Option<&'a Value>, what: &'static str) -> Result<&'a str, GatewayEventError> {
    value.and_then(Value::as_str).ok_or(GatewayEventError::Malformed(what))
}

fn decode(text: &str) -> Result<Vec<u8>, GatewayEventError> {
    if text.len() > BODY_LIMIT.div_ceil(3) * 4 {
        return Err(GatewayEventError::TooLarge);
    }
    STANDARD.decode(text).map_err(|_| GatewayEventError::Malformed("base64 body"))
}

/// A named stage stands before the path in `rawPath`, unless a custom domain maps it away; in `path` it does not.
/// Where the path is already the route that matched, a first segment named like the stage is the route's own.
fn without_stage<'a>(path: &'a str, event: &Value) -> &'a str {
    let route = event.get("routeKey").or_else(|| event.get("resource")).and_then(Value::as_str);
    if route.is_some_and(|route| route.split(' ').next_back() == Some(path)) {
        return path;
    }
    event
        .pointer("/requestContext/stage")
        .and_then(Value::as_str)
        .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage))
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path)
}

/// `multiValueHeaders` tells what `headers` of version 1.0 hides: a repeated header's other values. Version 2.0 joins
/// them with commas, which no value that we read may contain.
fn headers(event: &Value) -> Result<Vec<(String, String)>, GatewayEventError> {
    const WRONG: GatewayEventError = GatewayEventError::Malformed("headers");
    let object = |name| match event.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(WRONG),
    };
    let mut all = Vec::new();
    for (name, values) in object("multiValueHeaders")?.into_iter().flatten() {
        for value in values.as_array().ok_or(WRONG)? {
            all.push((name.clone(), value.as_str().ok_or(WRONG)?.to_owned()));
        }
    }
    let multiple = all.len();
    for (name, value) in object("headers")?.into_iter().flatten() {
        let value = value.as_str().ok_or(WRONG)?;
        let told =
            all.iter().take(multiple).any(|(other, same)| other.eq_ignore_ascii_case(name) && same == value);
        if !told {
            all.push((name.clone(), value.to_owned()));
        }
    }
    Ok(all)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// Headers, each name once.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl HttpResponse {
    /// A status and no body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// A sentence as plain text.
    #[must_use]
    pub fn text(status: u16, sentence: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", sentence.to_owned())
    }

    /// 200 with a JSON body.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::of(200, "application/json", body.to_string())
    }

    fn of(status: u16, media_type: &str, body: String) -> Self {
        let headers = vec![
            ("Content-Type", media_type.to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        Self { status, headers, body }
    }

    /// This response with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The JSON that both payload versions accept as a function's answer.
    #[must_use]
    pub fn into_event(self) -> Value {
        let headers: serde_json::Map<String, Value> =
            self.headers.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        json!({
            "statusCode": self.status,
            "headers": headers,
            "body": self.body,
            "isBase64Encoded": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v1(headers: Value, multiple: Value) -> Value {
        json!({ "httpMethod": "POST", "path": "/p", "headers": headers, "multiValueHeaders": multiple, "body": null })
    }

    #[test]
    fn repeated_headers_are_distinguished_ignoring_case() {
        let cases = [
            (v1(json!(null), json!(null)), Header::Absent),
            (v1(json!({}), json!({ "X-A": [] })), Header::Absent),
            (v1(json!({ "X-A": "1" }), json!(null)), Header::One("1")),
            (v1(json!({ "X-A": "1" }), json!({ "X-A": ["1"] })), Header::One("1")),
            (v1(json!({}), json!({ "x-A": ["1"] })), Header::One("1")),
            (v1(json!({ "x-a": "1" }), json!({ "X-A": ["1"] })), Header::One("1")),
            (v1(json!({ "X-A": "2" }), json!({ "X-A": ["1", "2"] })), Header::Several),
            (v1(json!({ "X-A": "1" }), json!({ "X-A": ["1", "1"] })), Header::Several),
            (v1(json!({ "X-A": "1" }), json!({ "X-A": ["2"] })), Header::Several),
            (v1(json!({ "X-A": "1", "x-a": "1" }), json!(null)), Header::Several),
            (v1(json!({ "X-A": "1" }), json!({ "X-A": ["1"], "x-a": ["2"] })), Header::Several),
        ];
        for (event, expected) in cases {
            let request = HttpRequest::try_from(event.clone()).unwrap();
            assert_eq!(request.header("x-a"), expected, "{event}");
        }
    }

    #[test]
    fn the_stage_is_no_part_of_the_path() {
        let v2 = |path: &str, stage: &str, route: &str| {
            json!({ "rawPath": path, "routeKey": route,
                    "requestContext": { "stage": stage, "http": { "method": "POST" } } })
        };
        let rest = |path: &str, stage: &str, resource: &str| json!({ "path": path, "httpMethod": "POST", "resource": resource, "requestContext": { "stage": stage } });
        let cases = [
            (v2("/slack/commands", "$default", "$default"), "/slack/commands"),
            (v2("/live/slack/commands", "live", "POST /slack/commands"), "/slack/commands"),
            (v2("/live/slack/commands", "live", "$default"), "/slack/commands"),
            (v2("/lively/slack/commands", "live", "$default"), "/lively/slack/commands"),
            (v2("/slack/slack/commands", "slack", "POST /slack/commands"), "/slack/commands"),
            (v2("/slack/commands", "slack", "POST /slack/commands"), "/slack/commands"),
            (v2("/live", "live", "$default"), "/live"),
            (v2("/x", "", "$default"), "/x"),
            (rest("/slack/commands", "prod", "/slack/commands"), "/slack/commands"),
            (rest("/slack/commands", "slack", "/slack/commands"), "/slack/commands"),
            (rest("/prod/slack/commands", "prod", "/slack/commands"), "/slack/commands"),
        ];
        for (event, expected) in cases {
            assert_eq!(HttpRequest::try_from(event.clone()).unwrap().path(), expected, "{event}");
        }
    }

    #[test]
    fn invalid_gateway_event_is_an_error() {
        let cases = [
            (json!(null), "method"),
            (json!([1, 2]), "method"),
            (json!("POST"), "method"),
            (json!({ "rawPath": "/x" }), "method"),
            (json!({ "rawPath": 1, "requestContext": { "http": { "method": "POST" } } }), "path"),
            (json!({ "httpMethod": "POST" }), "path"),
            (json!({ "httpMethod": "POST", "path": "/", "headers": [] }), "headers"),
            (json!({ "httpMethod": "POST", "path": "/", "headers": { "a": 1 } }), "headers"),
            (json!({ "httpMethod": "POST", "path": "/", "multiValueHeaders": { "a": "1" } }), "headers"),
            (json!({ "httpMethod": "POST", "path": "/", "multiValueHeaders": { "a": [1] } }), "headers"),
            (json!({ "httpMethod": "POST", "path": "/", "body": {} }), "body"),
            (json!({ "httpMethod": "POST", "path": "/", "isBase64Encoded": "yes" }), "isBase64Encoded"),
            (
                json!({ "httpMethod": "POST", "path": "/", "body": "a", "isBase64Encoded": true }),
                "base64 body",
            ),
            (
                json!({ "httpMethod": "POST", "path": "/", "body": "YQ", "isBase64Encoded": true }),
                "base64 body",
            ),
        ];
        for (event, part) in cases {
            let refused = HttpRequest::try_from(event.clone()).unwrap_err();
            assert_eq!(refused, GatewayEventError::Malformed(part), "{event}");
            assert!(matches!(refused, GatewayEventError::Malformed(_)), "{event}");
        }
    }

    #[test]
    fn body_is_decoded_up_to_limit() {
        let event = |body: &[u8], flagged: bool| {
            let text =
                if flagged { STANDARD.encode(body) } else { String::from_utf8(body.to_vec()).unwrap() };
            json!({ "httpMethod": "POST", "path": "/", "body": text, "isBase64Encoded": flagged })
        };
        let read = |event| HttpRequest::try_from(event).map(|request| request.body().to_vec());
        assert_eq!(read(event(&[0xff, 0, b'a'], true)).unwrap(), [0xff, 0, b'a']);
        assert_eq!(read(event(b"YQ==", false)).unwrap(), b"YQ==");
        for flagged in [true, false] {
            let full = vec![b'a'; BODY_LIMIT];
            assert_eq!(read(event(&full, flagged)).unwrap(), full, "flagged {flagged}");
            for over in [1, 2, 3, 4, BODY_LIMIT] {
                let refused = read(event(&vec![b'a'; BODY_LIMIT + over], flagged)).unwrap_err();
                assert_eq!(refused, GatewayEventError::TooLarge, "{over} over, flagged {flagged}");
                assert_eq!(refused, GatewayEventError::TooLarge);
            }
        }
    }

    #[test]
    fn a_response_is_what_the_gateway_wants() {
        let response = HttpResponse::text(405, "no").with_header("Allow", "POST").into_event();
        assert_eq!(response["statusCode"], 405);
        assert_eq!(response["body"], "no");
        assert_eq!(response["isBase64Encoded"], false);
        assert_eq!(response["headers"]["Allow"], "POST");
        assert_eq!(response["headers"]["Content-Type"], "text/plain; charset=utf-8");
        assert_eq!(HttpResponse::empty(200).into_event()["headers"], json!({}));
    }
}
