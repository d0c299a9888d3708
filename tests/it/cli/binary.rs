//! The real binary: what it is told on the command line, and what it says where it cannot go on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
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
    The command-line tool of keyvend: check the audit trail and policies, freeze issuing, deactivate keys

    It uses your own AWS credentials and is not part of the deployed functions. Tables are given by
    flags, or by the variables that the functions use: KEYVEND_AUDIT_TABLE, KEYVEND_REQUESTS_TABLE.

    Usage: keyvend [OPTIONS] <COMMAND>

    Commands:
      audit     Export or verify the audit trail
      policy    Check policies or explain a decision
      freeze    Freeze key issuing immediately
      unfreeze  Resume key issuing
      key       Deactivate an access key
      help      Print this message or the help of the given subcommand(s)

    Options:
          --json
              Print JSON, for programs

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit status:
      0  success; yes; valid
      1  no; invalid
      2  the command line is invalid
      3  failed or partially failed
    ");
    let (status, out, err) = run(&[], &[]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("Usage: keyvend"), "{err}");
}

#[test]
fn command_help_describes_json_output() {
    // The help of every command describes its JSON output.
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
fn invalid_command_line_suggests_valid_one() {
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
        (&["freeze", "--as", "T0001.U0ALICE"], "not a Slack ID"),
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
    assert!(out.ends_with("cases pass.\n"), "{out}");
    let (status, out, _) = run(&["policy", "check", "/nonexistent"], &[]);
    assert_eq!(status, 1);
    assert!(out.contains("/nonexistent: "), "{out}");
    let (status, out, _) =
        run(&["policy", "explain", "policies/DENY/a guest lists the keys of an IAM user they own.json"], &[]);
    assert_eq!(status, 1);
    assert!(out.contains("no-guests"), "{out}");
}

#[test]
fn missing_aws_settings_are_named() {
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
fn exported_trail_is_verified_offline() {
    // An exported audit trail is verified from the file alone, without AWS access or configuration.
    let dir = super::operator::scratch("elsewhere");
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

/// Answers one request as DynamoDB would whoever may not scan; the request's head.
fn refuse_once(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"no"}"#;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).unwrap();
    head
}

#[test]
fn region_and_credentials_come_from_environment_or_profile() {
    let home = super::operator::scratch("home");
    std::fs::create_dir(home.join(".aws")).unwrap();
    std::fs::write(home.join(".aws/config"), "[profile audit]\nregion = eu-north-1\n").unwrap();
    let secrets =
        "[audit]\naws_access_key_id = AKIAOFTHEPROFILE\naws_secret_access_key = a-secret-of-the-profile\n";
    std::fs::write(home.join(".aws/credentials"), secrets).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let common = [("AWS_ENDPOINT_URL", endpoint.as_str()), ("HOME", home.to_str().unwrap())];
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAOFTHEVARIABLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-variable"),
    ];
    let table = ["audit", "export", "--audit-table", "a"];
    type Case<'c> = (&'c [&'c str], &'c [(&'c str, &'c str)], &'c str);
    let cases: [Case<'_>; 4] = [
        (&[], &variables, "AKIAOFTHEVARIABLE/<day>/eu-west-1/dynamodb"),
        (&["--region", "us-west-2"], &variables, "AKIAOFTHEVARIABLE/<day>/us-west-2/dynamodb"),
        (&["--profile", "audit"], &[], "AKIAOFTHEPROFILE/<day>/eu-north-1/dynamodb"),
        (&[], &[("AWS_PROFILE", "audit")], "AKIAOFTHEPROFILE/<day>/eu-north-1/dynamodb"),
    ];
    for (words, variables, scope) in cases {
        let listener = listener.try_clone().unwrap();
        let answered = std::thread::spawn(move || refuse_once(&listener));
        let (status, out, err) = run(&[&table, words].concat(), &[&common, variables].concat());
        let head = answered.join().unwrap();
        let (_, signed) = head.split_once("Credential=").unwrap();
        let day = signed.split('/').nth(1).unwrap();
        assert!(signed.starts_with(&scope.replace("<day>", day)), "{words:?}: {head}");
        assert_eq!(status, 3, "{err}");
        assert!(err.contains("dynamodb:Scan: AWS answered AccessDenied"), "{err}");
        assert!(!out.contains("a-secret") && !err.contains("a-secret"), "{out}{err}");
    }
}
