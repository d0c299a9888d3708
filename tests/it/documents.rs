//! The documents say what the sources say: terms, error messages and layers of the one are those of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const GLOSSARY: &str = include_str!("../../docs/glossary.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder whose names end so.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.to_str().unwrap().ends_with(ending)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no {endings:?}");
    found.sort();
    found
}

/// The first two cells of each row of the table between these comments.
fn rows<'a>(page: &'a str, name: &str) -> BTreeMap<&'a str, &'a str> {
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let table = page.split(&begin).nth(1).unwrap().split(&end).next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let rows: BTreeMap<&str, &str> = rows.skip(1).collect();
    assert!(!rows.is_empty(), "{name} has no rows");
    rows
}

/// A text with everything but letters and digits turned into single blanks, and blanks at both ends.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    format!(" {} ", words.collect::<Vec<_>>().join(" ").to_lowercase())
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[test]
fn no_retired_term_comes_back() {
    let retired = rows(GLOSSARY, "retired words");
    let mut found = Vec::new();
    let texts =
        [files("src", &[".rs", ".html"]), files("docs", &[".md"]), files("policies", &[".cedar"])].concat();
    let others = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "template.yaml", "samconfig.toml"];
    for path in texts.into_iter().chain(others.map(|name| root().join(name))) {
        let text = fs::read_to_string(&path).unwrap();
        // The list itself has them all.
        let text = text.split("## Retired terms").next().unwrap();
        for (number, pair) in text.lines().zip(text.lines().skip(1).chain([""])).enumerate() {
            let (line, both) = (words(pair.0), words(&format!("{} {}", pair.0, pair.1)));
            for (term, instead) in &retired {
                let term = format!(" {term} ");
                // Across the end of a line, but not twice.
                if line.contains(&term) || (both.contains(&term) && !words(pair.1).contains(&term)) {
                    let path = path.strip_prefix(root()).unwrap().display();
                    found.push(format!("{path}:{}: `{}` is now {instead}", number + 1, term.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} retired terms:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_retired_identifier_comes_back() {
    let retired = rows(GLOSSARY, "retired identifiers");
    let mut found = Vec::new();
    for path in files("src", &[".rs"]) {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for word in code(line).split(|c: char| !c.is_alphanumeric() && c != '_') {
                if let Some(instead) = retired.get(word) {
                    let path = path.strip_prefix(root()).unwrap().display();
                    found.push(format!("{path}:{}: `{word}` is now {instead}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} retired identifiers:\n{}", found.len(), found.join("\n"));
}

#[test]
fn glossary_leads_to_existing_files() {
    // One step from a term to where it is decided, rendered and tested.
    let table = GLOSSARY.split("## Retired terms").next().unwrap();
    let terms: Vec<&str> = table.lines().filter(|line| line.starts_with("| **")).collect();
    assert!(terms.len() >= 20, "{} terms", terms.len());
    let mut wrong = Vec::new();
    for row in terms {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [term, _, decided, _, rendered, tested] = cells[..] else { panic!("{row}: {cells:?}") };
        for (folder, cell) in [("src", decided), ("src", rendered), ("tests", tested)] {
            let path = root().join(folder).join(cell.trim_matches('`'));
            if !cell.is_empty() && !path.exists() {
                wrong.push(format!("{term}: there is no {folder}/{cell}"));
            }
        }
        if decided.is_empty() || tested.is_empty() {
            wrong.push(format!("{term} is decided or tested nowhere"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn operators_find_every_logged_error() {
    let documented: BTreeSet<String> =
        rows(OPERATIONS, "errors").into_keys().map(|message| message.trim_matches('`').to_owned()).collect();
    let mut logged = BTreeSet::new();
    for path in files("src", &[".rs"]) {
        for call in fs::read_to_string(&path).unwrap().split("tracing::error!(").skip(1) {
            let call = call.split(");").next().unwrap();
            // The message is the last string of the call; a field's own text stands before it.
            logged.insert(call.rsplit('"').nth(1).expect("a fixed phrase").to_owned());
        }
    }
    assert_eq!(documented, logged);
}
