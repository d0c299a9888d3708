//! What Rust seals, the page's own receiver opens; and the page's own tests. It needs Node: `make test-page`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a broken test must stop")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hpke::kem::DhP256HkdfSha256;
use hpke::rand_core::UnwrapErr;
use hpke::{Kem as _, Serializable as _};
use keyvend::domain::iam::Account;
use keyvend::domain::new_access_key::NewAccessKey;
use keyvend::domain::ticket::seal::{ClaimKey, KeyNotice, seal};
use keyvend::domain::ticket::{Ticket, hash};
use keyvend::time::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}

/// Runs node with these lines on its standard input.
fn node(arguments: &[PathBuf], flags: &[&str], lines: &str) -> Output {
    let spawned = Command::new("node")
        .args(flags)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| {
        panic!("the page is tested with Node.js 20 or newer, and `node` does not start ({error}): install it")
    });
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// A secret access key of this many characters, such as IAM might give out one day.
fn secret(length: usize) -> String {
    const CHARACTERS: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\"\\ \xc3\xa9";
    let characters = std::str::from_utf8(CHARACTERS).unwrap().chars().collect::<Vec<_>>();
    (0..length).map(|_| characters[usize::from(random::<1>()[0]) % characters.len()]).collect()
}

/// A key sealed to a fresh tab for the link of `t`: the line that opens it, and what must come out.
fn sealed(t: [u8; 32], user: &str, secret: &str) -> (Value, Value) {
    let (private, public) = DhP256HkdfSha256::gen_keypair();
    let (d, point) = (private.to_bytes(), public.to_bytes());
    let ticket = Ticket::of(t);
    let tid: [u8; 16] = URL_SAFE_NO_PAD.decode(ticket.tid().as_str()).unwrap().try_into().unwrap();
    let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
    let key = NewAccessKey {
        id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        secret: SecretString::from(secret.to_owned()),
    };
    let receipt = random();
    let to = ClaimKey::try_from(point.to_vec()).unwrap();
    let user = user.parse().unwrap();
    let rng = &mut UnwrapErr(getrandom::SysRng);
    let notice = KeyNotice { expires_at: Timestamp(1_924_992_000), command: "/access-key" };
    let sealed = seal(&key, (&account, &user), notice, &to, (&tid, &ticket.psk()), &receipt, rng).unwrap();
    assert_eq!(sealed.receipt_hash, hash(&receipt));
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "d": encode(&d), "x": encode(&point[1..33]), "y": encode(&point[33..]),
    });
    let line = json!({
        "T": encode(&t), "jwk": jwk, "enc": encode(&sealed.enc), "ct": encode(&sealed.ct), "aad": encode(&sealed.aad),
    });
    let inside = json!({
        "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": secret, "receipt": encode(&receipt),
        "expires_at": 1_924_992_000, "command": "/access-key",
    });
    (line, inside)
}

fn opened(lines: &[Value]) -> Output {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    node(&[page().join("open.mjs")], &[], &text)
}

// T3.1
#[test]
fn the_page_opens_what_is_sealed_here() {
    let pinned: Vec<Value> = serde_json::from_str(include_str!("../vectors/ticket.json")).unwrap();
    assert!(!pinned.is_empty());
    let pinned = pinned.iter().map(|case| {
        let t = URL_SAFE_NO_PAD.decode(case["T"].as_str().unwrap()).unwrap();
        sealed(t.try_into().unwrap(), "ci-deployer", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    });
    let longest = "u".repeat(64);
    let random = (0..20).map(|n| sealed(random(), if n % 2 == 0 { "a" } else { &longest }, &secret(n * 10)));
    let (lines, inside): (Vec<Value>, Vec<Value>) = pinned.chain(random).unzip();
    let output = opened(&lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shown, inside);
}

// T3.1
#[test]
fn the_page_opens_nothing_that_was_changed() {
    for field in ["T", "enc", "ct", "aad"] {
        let (mut line, _) = sealed(random(), "ci-deployer", "secret");
        let (another, _) = sealed(random(), "cj-deployer", "secret");
        line[field] = another[field].clone();
        let output = opened(&[line]);
        assert!(!output.status.success() && output.stdout.is_empty(), "another {field} opened");
    }
}

#[test]
fn the_pages_own_tests_pass() {
    let mut tests: Vec<PathBuf> = std::fs::read_dir(page())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    tests.sort();
    assert!(tests.len() >= 5, "the page's tests are not where they were: {tests:?}");
    let output = node(&tests, &["--test", "--test-reporter=tap"], "");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let line = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok());
    assert!(line("# pass").is_some_and(|passed| passed >= 20), "{told}");
    assert_eq!((line("# skipped"), line("# todo")), (Some(0), Some(0)), "{told}");
}
