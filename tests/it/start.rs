//! A wrong configuration stops a function at start, with a message that names the variable: the real binaries, run
//! with nothing else in their environment.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SLACK: &str = env!("CARGO_BIN_EXE_slack");
const REVEAL: &str = env!("CARGO_BIN_EXE_reveal");
const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// How long a function may take to give up.
const SOON: Duration = Duration::from_secs(5);

/// What each function needs to start.
fn required(binary: &str) -> Vec<(&'static str, &'static str)> {
    let queue = |name: &'static str| match name {
        "slack" => {
            ("KEYVEND_SLACK_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-slack.fifo")
        }
        "claims" => (
            "KEYVEND_CLAIMS_QUEUE_URL",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-claims.fifo",
        ),
        "due" => {
            ("KEYVEND_DUE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-due.fifo")
        }
        _ => {
            ("KEYVEND_SWEEP_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-sweep.fifo")
        }
    };
    let tickets = ("KEYVEND_TICKETS_TABLE", "keyvend-tickets");
    let reveal_url = ("KEYVEND_REVEAL_URL", "https://keys.example.com/reveal");
    let region = ("AWS_REGION", "eu-west-1");
    match binary {
        SLACK => vec![region, queue("slack"), ("KEYVEND_SIGNING_SECRET_ID", "keyvend/signing-secret")],
        REVEAL => vec![region, queue("claims"), tickets, reveal_url],
        _ => vec![
            region,
            queue("slack"),
            queue("claims"),
            queue("due"),
            queue("sweep"),
            ("KEYVEND_REQUESTS_TABLE", "keyvend-requests"),
            tickets,
            ("KEYVEND_AUDIT_TABLE", "keyvend-audit"),
            ("KEYVEND_BOT_TOKEN_ID", "keyvend/bot-token"),
            ("KEYVEND_APPROVALS_CHANNEL", "C0APPROVE"),
            reveal_url,
            ("KEYVEND_ISSUER_ROLE_NAME", "keyvend-issuer"),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012"}"#),
        ],
    }
}

/// Values that cannot be right, among what is otherwise complete.
fn wrong(binary: &str) -> Vec<(&'static str, &'static str)> {
    let standard = "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-standard";
    match binary {
        SLACK => vec![
            ("KEYVEND_SLACK_QUEUE_URL", standard),
            ("KEYVEND_SLACK_APP_ID", "keyvend"),
            ("KEYVEND_SLACK_APP_ID", "A0KEYVEND"),
            ("KEYVEND_SLACK_TEAM_IDS", "C0APPROVE"),
            ("KEYVEND_SLACK_API_URL", "https://slack.com/api"),
            ("AWS_USE_FIPS_ENDPOINT", "yes"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "1"),
        ],
        REVEAL => vec![
            ("KEYVEND_CLAIMS_QUEUE_URL", standard),
            ("KEYVEND_REVEAL_URL", "http://keys.example.com/reveal"),
            ("KEYVEND_REVEAL_URL", "keys.example.com"),
        ],
        _ => vec![
            ("KEYVEND_SLACK_QUEUE_URL", standard),
            ("KEYVEND_CLAIMS_QUEUE_URL", "keyvend-claims.fifo"),
            ("KEYVEND_DUE_QUEUE_URL", "https://.fifo"),
            ("KEYVEND_SWEEP_QUEUE_URL", standard),
            ("KEYVEND_APPROVALS_CHANNEL", "#approvals"),
            ("KEYVEND_APPROVERS", "U0BOB"),
            ("KEYVEND_HELP_CHANNEL", "U0BOB"),
            ("KEYVEND_REVEAL_URL", "https://keys.example.com/reveal#1.x"),
            ("KEYVEND_MAIL_FROM", "keyvend"),
            ("KEYVEND_ACCOUNTS", r#"{"home":123456789012}"#),
            ("KEYVEND_ACCOUNTS", "home=123456789012"),
            ("KEYVEND_IAM_PATH", "keyvend/"),
            ("KEYVEND_REQUEST_TTL", "1d"),
            ("KEYVEND_TICKET_TTL", "1"),
            ("KEYVEND_MAX_KEY_DAYS", "366"),
            ("KEYVEND_SLACK_API_URL", "ftp://slack.com/api/"),
        ],
    }
}

type Environment = BTreeMap<&'static str, &'static str>;

fn start(binary: &str, environment: &Environment) -> Child {
    Command::new(binary)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whether it ended by itself, soon.
fn ended(child: &mut Child) -> bool {
    let begun = now();
    while begun.elapsed() < SOON {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    false
}

#[expect(clippy::disallowed_methods, reason = "a real process takes real time")]
fn now() -> Instant {
    Instant::now()
}

/// Starts it, which must fail and name the variable.
fn stops(binary: &str, environment: &Environment, variable: &str) {
    let mut child = start(binary, environment);
    assert!(ended(&mut child), "{binary} went on without a right {variable}");
    let output = child.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{binary} ended well without a right {variable}: {said}");
    assert!(said.contains(variable), "{binary} does not name {variable}: {said}");
    for (other, _) in required(binary).into_iter().filter(|(other, _)| *other != variable) {
        assert!(!said.contains(other), "{binary} names {other}, but {variable} is wrong: {said}");
    }
}

// T7.14
#[test]
fn missing_variable_stops_function_and_is_named() {
    for binary in [SLACK, REVEAL, WORKER] {
        for (variable, _) in required(binary) {
            let mut environment: Environment = required(binary).into_iter().collect();
            environment.remove(variable);
            stops(binary, &environment, variable);
            environment.insert(variable, "");
            stops(binary, &environment, variable);
        }
    }
}

// T7.14
#[test]
fn invalid_value_stops_function_and_is_named() {
    for binary in [SLACK, REVEAL, WORKER] {
        for (variable, value) in wrong(binary) {
            let mut environment: Environment = required(binary).into_iter().collect();
            environment.insert(variable, value);
            let named = if value == "A0KEYVEND" { "KEYVEND_SLACK_TEAM_IDS" } else { variable };
            stops(binary, &environment, named);
        }
    }
}

#[test]
fn mailed_codes_without_domains_stop_worker() {
    let mut environment: Environment = required(WORKER).into_iter().collect();
    environment.insert("KEYVEND_MAIL_FROM", "keys@example.com");
    stops(WORKER, &environment, "KEYVEND_MAIL_DOMAINS");
    environment.insert("KEYVEND_MAIL_DOMAINS", "@example.com");
    stops(WORKER, &environment, "KEYVEND_MAIL_DOMAINS");
}

/// Whether a function that is given this beside what it needs asks Lambda for work.
fn asks_for_work(binary: &str, more: &[(&str, &str)]) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let runtime = listener.local_addr().unwrap().to_string();
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(required(binary))
        .envs(more.iter().copied())
        .env("AWS_LAMBDA_RUNTIME_API", &runtime);
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "keyvend"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "keyvend"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "keyvend"),
    ] {
        command.env(name, value);
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    listener.set_nonblocking(true).unwrap();
    let begun = now();
    let asked = loop {
        match listener.accept() {
            Ok(_) => break true,
            Err(_) if begun.elapsed() > SOON => break false,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    asked
}

/// The control: with everything right, a function gets as far as asking Lambda for work.
#[test]
fn valid_configuration_starts_every_function() {
    for binary in [SLACK, REVEAL, WORKER] {
        assert!(asks_for_work(binary, &[]), "{binary} did not ask for work");
    }
}

#[test]
fn services_that_are_down_or_silent_keep_no_function_from_starting() {
    // The warm-up has half a second, and the SDK would be patient for 12.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), down] {
        let (aws, slack) = (format!("http://{address}"), format!("http://{address}/api/"));
        let services = [
            ("AWS_ENDPOINT_URL", aws.as_str()),
            ("KEYVEND_SLACK_API_URL", slack.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ];
        for binary in [SLACK, REVEAL, WORKER] {
            assert!(asks_for_work(binary, &services), "{binary} did not ask for work: {address}");
        }
    }
}
