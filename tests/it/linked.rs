//! What the deployed binaries are made of: the functions that face the internet link no IAM, STS, SES and Cedar, so
//! nothing that goes wrong in them can call it. Read from the symbol tables, where only linked code is named.

use object::{Object as _, ObjectSymbol as _, SymbolKind};

const SLACK: &str = env!("CARGO_BIN_EXE_slack");
const REVEAL: &str = env!("CARGO_BIN_EXE_reveal");
const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const KEYVEND: &str = env!("CARGO_BIN_EXE_keyvend");

/// The names of the functions and statics of a binary, a line each.
fn symbols(binary: &str) -> String {
    let bytes = std::fs::read(binary).unwrap();
    let file = object::File::parse(bytes.as_slice()).unwrap();
    // An object file that the linker looked into is named too, even where it took nothing out of it.
    let linked = file.symbols().filter(|symbol| symbol.kind() != SymbolKind::File);
    let names = linked.map(|symbol| symbol.name().unwrap()).collect::<Vec<_>>().join("\n");
    assert!(
        names.contains("keyvend") && (names.contains("lambda_runtime") || binary == KEYVEND),
        "{binary} has no symbols to search"
    );
    names
}

// T7.1
#[test]
fn internet_facing_functions_link_no_iam_or_policy() {
    // Neither `slack` nor `reveal` links the clients of IAM and SES or the policy engine.
    let (slack, reveal, worker) = (symbols(SLACK), symbols(REVEAL), symbols(WORKER));
    for name in ["aws_sdk_iam", "aws_sdk_ses", "aws_sdk_sts", "cedar_policy"] {
        assert!(worker.contains(name), "{name} is not found where it must be");
        assert!(!slack.contains(name), "slack links {name}");
        assert!(!reveal.contains(name), "reveal links {name}");
    }
    for part in ["keyvend3aws3sts", "keyvend3aws3iam", "keyvend6policy"] {
        assert!(worker.contains(part), "{part} is not found where it must be");
        assert!(!slack.contains(part) && !reveal.contains(part), "{part} faces the internet");
    }
}

// T7.1
#[test]
fn slack_links_no_table_and_reveal_no_secret() {
    let (slack, reveal) = (symbols(SLACK), symbols(REVEAL));
    assert!(reveal.contains("aws_sdk_dynamodb") && slack.contains("aws_sdk_secretsmanager"));
    assert!(!slack.contains("aws_sdk_dynamodb"), "slack links DynamoDB");
    assert!(!reveal.contains("aws_sdk_secretsmanager"), "reveal links Secrets Manager");
}

// T7.2
#[test]
fn functions_link_nothing_of_operator_cli() {
    let tool = symbols(KEYVEND);
    for name in ["clap_builder", "keyvend3cli", "keyvend6policy4lint"] {
        assert!(tool.contains(name), "{name} is not found where it must be");
        for function in [SLACK, REVEAL, WORKER] {
            assert!(!symbols(function).contains(name), "{function} links {name}");
        }
    }
    assert!(!tool.contains("lambda_runtime"), "the tool links the functions' loop");
}
