//! Parts that hostile requests are made of, and how many of them are run against a world.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use testkit::net::Call;

/// What names in paths, headers and fields are looked for, and much else.
pub fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ".{0,40}",
        1 => "[\\PC\u{0}-\u{1f}\u{7f}\u{fffe}\u{ffff}\u{202e}\u{feff}]{0,40}",
        1 => Just(String::new()),
        1 => prop::sample::select(vec![
            "../../etc/passwd", "' OR 1=1 --", "<script>alert(1)</script>", "${jndi:ldap://x}", "%00", "\0", "null",
            "undefined", "NaN", "-1", "1e309", "\u{feff}", "why\u{fffe}", "\u{ffff}", "{{7*7}}", "#state", ":proof", "$(id)", "\r\nSet-Cookie: a=b",
        ])
        .prop_map(str::to_owned),
        1 => (1usize..5_000).prop_map(|n| "A".repeat(n)),
    ]
}

/// Paths that exist, that nearly do, and others.
pub fn any_path(ours: &'static [&'static str]) -> impl Strategy<Value = String> {
    let near = (prop::sample::select(ours), 0usize..8).prop_map(|(path, how)| match how {
        0 => format!("{path}/"),
        1 => format!("/{path}"),
        2 => path.to_uppercase(),
        3 => format!("{path}?x=1"),
        4 => format!("{path}%2f"),
        5 => path.replacen('/', "//", 1),
        6 => format!("{path}/../{path}"),
        _ => path.trim_start_matches('/').to_owned(),
    });
    prop_oneof![6 => prop::sample::select(ours).prop_map(str::to_owned), 1 => near, 1 => any_text()]
}

pub fn any_method() -> impl Strategy<Value = String> {
    let known =
        vec!["POST", "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post", ""];
    prop_oneof![6 => Just("POST".to_owned()), 3 => prop::sample::select(known).prop_map(str::to_owned), 1 => any_text()]
}

/// Headers, of which some are looked for.
pub fn any_headers(
    known: &'static [(&'static str, &'static str)],
) -> impl Strategy<Value = Vec<(String, String)>> {
    let header = prop_oneof![
        4 => prop::sample::select(known).prop_map(|(name, value)| (name.to_owned(), value.to_owned())),
        1 => (prop::sample::select(known), any_text()).prop_map(|((name, _), value)| (name.to_owned(), value)),
        1 => ("[a-zA-Z-]{1,12}", any_text()),
    ];
    prop::collection::vec(header, 0..6)
}

/// Bodies: bytes, JSON, forms, and some over the limit.
pub fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..300),
        3 => crate::any_json::any_json().prop_map(|json| json.to_string().into_bytes()),
        3 => any_text().prop_map(String::into_bytes),
        1 => (0u8..=255, 255usize..260).prop_map(|(byte, kib)| vec![byte; kib * 1024]),
    ]
}

/// A gateway event of these parts, the body in base64. A name given twice is joined, as the gateway does.
pub fn event(method: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Value {
    let mut joined: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let before =
            joined.get(&name.to_lowercase()).and_then(Value::as_str).map(|before| format!("{before},"));
        joined.insert(name.to_lowercase(), json!(before.unwrap_or_default() + value));
    }
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": joined,
        "requestContext": { "stage": "$default", "http": { "method": method, "path": path } },
        "body": STANDARD.encode(body), "isBase64Encoded": true,
    })
}

/// Runs so many cases of a property, one after the other, in one world.
pub fn run<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner.run(&strategy, property).unwrap_or_else(|failure| panic!("{failure}"));
}

/// The executor of a test's world.
pub fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Whether a call changes nothing anywhere.
pub fn only_reads(call: &Call) -> bool {
    matches!(
        (call.service.as_str(), call.operation.as_str()),
        ("secretsmanager", "GetSecretValue") | ("dynamodb", "GetItem" | "Query")
    )
}

/// The status of an answer that the gateway can pass on.
pub fn status_of(answer: &Value) -> Result<u64, TestCaseError> {
    prop_assert!(answer["headers"].is_object() && answer["body"].is_string(), "{}", answer);
    prop_assert_eq!(&answer["isBase64Encoded"], &json!(false));
    let status = answer["statusCode"].as_u64().ok_or_else(|| TestCaseError::fail(format!("{answer}")))?;
    prop_assert!((200..500).contains(&status), "{}", answer);
    Ok(status)
}
