//! More accounts than the environment of a function holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keyvend::config::{ConfigError, WorkerConfig};
use testkit::aws::SANDBOX;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::ALICE_OWNER;

/// A folder with the policies and these accounts.
fn policy_dir(name: &str, accounts: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("accounts").join(name);
    fs::create_dir_all(&dir).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(dir.join("accounts.json"), accounts).unwrap();
    dir
}

/// 200 accounts, a line each; the sandbox is the last one.
fn two_hundred() -> Vec<String> {
    let others = (1..199).map(|n| format!("\"team-{n}-production\": \"{n:012}\""));
    let mut lines = vec![format!("\"home\": \"{HOME}\"")];
    lines.extend(others);
    lines.push(format!("\"sandbox\": \"{SANDBOX}\""));
    lines
}

#[tokio::test]
async fn two_hundred_accounts_are_read_from_file() {
    let accounts = format!("{{\n{}\n}}\n", two_hundred().join(",\n"));
    assert!(accounts.len() > 4_096, "more than Lambda's variables hold");
    let dir = policy_dir("two-hundred", &accounts);
    let variables = [("KEYVEND_ACCOUNTS", "accounts.json"), ("KEYVEND_POLICY_DIR", dir.to_str().unwrap())];
    let keyvend = Deployed::with(&variables).await;
    keyvend.types(ALICE_OWNER, "create ci-deployer@sandbox use:cli ttl:7d in the last account").await;
    assert!(keyvend.card().reading().contains("`ci-deployer` in `sandbox`"), "{}", keyvend.card().reading());
    let mut environment: BTreeMap<String, String> = testkit::environment();
    environment.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let read = WorkerConfig::read(&environment).unwrap().accounts;
    assert_eq!((read.len(), read[0].id.as_str(), read[199].id.as_str()), (200, HOME, SANDBOX));
}

#[test]
fn wrong_line_of_accounts_file_is_named() {
    let read = |name: &str, lines: &[String]| -> ConfigError {
        let dir = policy_dir(name, &format!("{{\n{}\n}}\n", lines.join(",\n")));
        let mut environment = testkit::environment();
        environment.insert("KEYVEND_ACCOUNTS".to_owned(), "accounts.json".to_owned());
        environment.insert("KEYVEND_POLICY_DIR".to_owned(), dir.to_str().unwrap().to_owned());
        WorkerConfig::read(&environment).unwrap_err()
    };
    let mut lines = two_hundred();
    lines[136] = "\"team-136\": 136".to_owned();
    let error = read("no-text", &lines).to_string();
    assert!(error.contains("accounts.json is no JSON object") && error.contains("at line 138,"), "{error}");
    lines[136] = "\"team-136\": \"136\"".to_owned();
    let error = read("no-id", &lines).to_string();
    assert!(error.contains("has as entry 137, \"team-136\": \"136\", a value that is not"), "{error}");
    lines[136] = format!("\"team-136\": \"{HOME}\"");
    let error = read("twice", &lines).to_string();
    assert!(error.contains("entry 137, ") && error.contains("twice, `home` and `team-136`"), "{error}");
}
