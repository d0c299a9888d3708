//! The real binary: what it is told on the command line, and what it says where it cannot go on.

use std::process::{Command, Output};

const KEYVEND: &str = env!("CARGO_BIN_EXE_keyvend");

fn run(words: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(KEYVEND);
    command.args(words).env_clear().current_dir(env!("CARGO_MANIFEST_DIR"));
    // Neither files nor the machine are asked for credentials.
    command.envs([("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")]);
    let Output { status, stdout, stderr } = command.envs(variables.iter().copied()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_help_says_what_it_can_do() {
    let (status, help, err) = run(&["--help"], &[]);
    assert_eq!((status, err.as_str()), (0, ""));
    insta::assert_snapshot!(help, @r"
    The operator's tool of keyvend: look at the audit trail, try policies, stop what must be stopped

    It works with your own AWS credentials and is no part of the deployed functions. Which tables
    it uses is told by flags, or by the variables that the functions have: KEYVEND_AUDIT_TABLE,
    KEYVEND_REQUESTS_TABLE.

    Usage: keyvend [OPTIONS] <COMMAND>

    Commands:
      audit     The audit trail: take it out, check it
      policy    The policies: check them, ask them
      freeze    Stop all issuing of keys, at once
      unfreeze  Let issuing go on
      key       Access keys: switch one off
      help      Print this message or the help of the given subcommand(s)

    Options:
          --json
              Answer in JSON, for programs

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit status:
      0  done; yes; in order
      1  no; not in order
      2  the command line cannot be read
      3  it could not be done, or not all of it
    ");
    let (status, out, err) = run(&[], &[]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("Usage: keyvend"), "{err}");
}

#[test]
fn every_command_has_a_help_that_says_how_it_is_answered_in_json() {
    let commands: [&[&str]; 7] = [
        &["audit", "export"],
        &["audit", "verify"],
        &["policy", "check"],
        &["policy", "explain"],
        &["freeze"],
        &["unfreeze"],
        &["key", "deactivate"],
    ];
    for command in commands {
        let (status, help, _) = run(&[command, &["--help"]].concat(), &[]);
        assert_eq!(status, 0, "{command:?}");
        assert!(help.contains("--json") && help.contains("Usage: keyvend "), "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 105, "{line}");
        }
    }
}

#[test]
fn a_command_line_that_cannot_be_read_is_told_what_would_be_right() {
    let table: &[(&[&str], &str)] = &[
        (&["audti"], "similar subcommand exists: 'audit'"),
        (&["audit", "export", "--since", "yesterday"], "2026-01-31"),
        (&["audit", "export", "--format", "xml"], "[possible values: csv, jsonl]"),
        (&["audit", "export", "--request", "7"], "not a request id"),
        (&["audit", "verify", "--anchor", "abc"], "64 hexadecimal digits"),
        (&["audit", "verify", "--from", "x", "--audit-table", "y"], "cannot be used with"),
        (&["policy", "explain"], "required arguments were not provided"),
        (&["policy", "explain", "x.json", "--person", "U0"], "cannot be used with"),
        (&["policy", "explain", "--person", "alice"], "U024BE7LH"),
        (&["policy", "explain", "--person", "U0", "--user", "ci"], "--action"),
        (
            &["policy", "explain", "--person", "U0", "--user", "ci", "--action", "grant"],
            "[possible values: request",
        ),
        (&["policy", "explain", "--person", "U0", "--user", "ci", "--action", "approve"], "--requester"),
        (&["policy", "explain", "--person", "U0", "--user", "c/i", "--action", "list"], "IAM user's name"),
        (&["freeze", "--as", "T0001.U0ALICE"], "not a Slack id"),
        (&["key", "deactivate", "x"], "not an access key id"),
        (&["key", "deactivate"], "<KEY>"),
    ];
    for (words, told) in table {
        let (status, out, err) = run(words, &[]);
        assert_eq!((status, out.as_str()), (2, ""), "{words:?}");
        assert!(err.contains(told), "{words:?}: {err}");
    }
}

#[test]
fn policies_are_checked_without_any_configuration() {
    let (status, out, err) = run(&["policy", "check"], &[]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("cases hold.\n"), "{out}");
    let (status, out, _) = run(&["policy", "check", "/nonexistent"], &[]);
    assert_eq!(status, 1);
    assert!(out.contains("/nonexistent: "), "{out}");
    let (status, out, _) =
        run(&["policy", "explain", "policies/DENY/a guest lists the keys of an IAM user they own.json"], &[]);
    assert_eq!(status, 1);
    assert!(out.contains("no-guests"), "{out}");
}

#[test]
fn what_is_missing_to_reach_aws_is_told() {
    let table = ("KEYVEND_AUDIT_TABLE", "keyvend-audit");
    let (status, _, err) = run(&["audit", "verify"], &[]);
    assert_eq!(status, 3);
    assert!(err.contains("KEYVEND_AUDIT_TABLE is not set") && err.contains("--audit-table"), "{err}");
    let (status, _, err) = run(&["audit", "verify"], &[table]);
    assert_eq!(status, 3);
    assert!(err.contains("no AWS region") && err.contains("--region"), "{err}");
    let (status, _, err) = run(&["audit", "verify", "--region", "eu-west-1"], &[table]);
    assert_eq!(status, 3);
    assert!(err.contains("no AWS credentials") && err.contains("export-credentials"), "{err}");
    let (status, out, err) = run(&["audit", "verify", "--region", "eu-west-1", "--json"], &[table]);
    assert_eq!((status, out.as_str()), (3, ""));
    let told: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!(told["error"], "no AWS credentials");
    let wrong = [table, ("AWS_ENDPOINT_URL", "localhost")];
    let (status, _, err) = run(&["audit", "verify", "--region", "eu-west-1"], &wrong);
    assert_eq!(status, 3);
    assert!(err.contains("AWS_ENDPOINT_URL must be a URL"), "{err}");
}

#[test]
fn a_trail_is_verified_from_a_file_on_a_machine_that_has_nothing_else() {
    let dir = super::machine::scratch("elsewhere");
    let file = dir.join("trail.jsonl");
    std::fs::write(&file, "").unwrap();
    let (status, out, err) = run(&["audit", "verify", "--from", file.to_str().unwrap()], &[]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    let anchor = "0".repeat(64);
    let (status, out, _) =
        run(&["audit", "verify", "--from", file.to_str().unwrap(), "--anchor", &anchor], &[]);
    assert_eq!(status, 1, "{out}");
    let (status, _, err) = run(&["audit", "verify", "--from", "/nonexistent"], &[]);
    assert_eq!(status, 3);
    assert!(err.contains("/nonexistent"), "{err}");
}
