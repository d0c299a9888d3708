//! Requests and replies as the models see them.

use serde_json::{Map, Value, json};
use winterbaume_core::{MockRequest, MockResponse, MockService};

use crate::form;

/// A request as the models see it.
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn host(&self) -> &str {
        let rest = self.url.split_once("://").unwrap().1;
        rest.split(['/', '?']).next().unwrap().split(':').next().unwrap()
    }
}

/// A reply of the models.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/x-amz-json-1.0".to_owned())];
        Self { status, headers, body: body.to_string() }
    }

    pub fn xml(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "text/xml".to_owned())], body }
    }

    /// An error as the JSON protocols of AWS write it.
    pub fn json_error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"__type": code, "message": message}))
    }

    /// An error as the query protocol of AWS writes it.
    pub fn xml_error(status: u16, code: &str, message: &str) -> Self {
        let message = escape(message);
        Self::xml(
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
            ),
        )
    }
}

/// Text inside an XML element.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Hands a request to one of winterbaume's services.
pub async fn winterbaume(service: &impl MockService, request: &Request) -> Reply {
    let mut mock = MockRequest {
        method: request.method.clone(),
        uri: request.url.clone(),
        headers: Default::default(),
        body: request.body.clone().into(),
    };
    for name in ["x-amz-target", "content-type", "authorization"] {
        if let Some(value) = request.header(name) {
            mock.headers.insert(name, value.parse().unwrap());
        }
    }
    reply_of(service.handle(mock).await)
}

fn reply_of(response: MockResponse) -> Reply {
    let headers = response
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    Reply { status: response.status, headers, body: String::from_utf8(response.body.to_vec()).unwrap() }
}

pub(crate) fn access_key(request: &Request) -> String {
    let header = request.header("authorization").unwrap_or_default();
    match header.split_once("Credential=") {
        Some((_, credential)) => credential.split('/').next().unwrap().to_owned(),
        None => String::new(),
    }
}

pub(crate) fn describe(request: &Request) -> (String, String, Value) {
    let host = request.host();
    let parameters = || {
        let text = request.text();
        serde_json::from_str(&text).unwrap_or_else(|_| {
            let fields: Map<String, Value> =
                form::parse(&text).into_iter().map(|(key, value)| (key, Value::String(value))).collect();
            Value::Object(fields)
        })
    };
    if host == "slack.com" {
        let method = request.url.split_once("/api/").map_or("", |(_, method)| method);
        let (method, query) = method.split_once('?').unwrap_or((method, ""));
        let mut parameters = parameters();
        for (key, value) in form::parse(query) {
            parameters[key] = Value::String(value);
        }
        return ("slack".to_owned(), method.to_owned(), parameters);
    }
    if host == "hooks.slack.com" {
        return ("slack".to_owned(), "response_url".to_owned(), parameters());
    }
    let service = match host.split('.').next().unwrap() {
        "email" => "ses",
        service => service,
    };
    let parameters = parameters();
    let operation = match request.header("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap().to_owned(),
        None => parameters["Action"].as_str().unwrap_or_default().to_owned(),
    };
    (service.to_owned(), operation, parameters)
}
