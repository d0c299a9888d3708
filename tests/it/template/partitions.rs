//! Nothing assumes the commercial partition of AWS or its hosts.

use crate::template::{ISSUER_ROLE, MANIFEST, OWNER_TAGS_SCP, TEMPLATE};

/// Outside of its tests, no source file assumes the commercial partition.
#[test]
fn sources_hardcode_no_arn_partition() {
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                files(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    files(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            assert!(!line.contains("arn:aws"), "{}: {line}", file.display());
        }
    }
}

/// Nothing that is deployed names the commercial partition or its hosts; the principals of services are the same everywhere.
#[test]
fn templates_hardcode_no_partition_and_no_host() {
    let scps = [OWNER_TAGS_SCP, include_str!("../../../deploy/scp/owner-tags.json")];
    for text in [TEMPLATE, ISSUER_ROLE, MANIFEST].into_iter().chain(scps) {
        for line in text.lines() {
            assert!(!line.contains("arn:aws"), "{line}");
            let is_principal = line.contains("Service: ") || line.trim_start().starts_with("Principal: ");
            assert!(is_principal || !line.contains("amazonaws.com"), "{line}");
        }
    }
}
