//! The index from the threats of docs/threat-model.md to their tests, from the comments `// T1.2, T3.4` above them.
//!
//! `KEYVEND_WRITE=1 cargo test threats` writes docs/threat-index.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const MODEL: &str = "docs/threat-model.md";
const INDEX: &str = "docs/threat-index.md";
/// How many lines below its comment the function of a test begins at most.
const REACH: usize = 8;

/// `T<threat>.<defence>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ThreatId(u32, u32);

impl ThreatId {
    fn parse(text: &str) -> Option<Self> {
        let (threat, defence) = text.strip_prefix('T')?.split_once('.')?;
        Some(Self(threat.parse().ok()?, defence.parse().ok()?))
    }
}

impl std::fmt::Display for ThreatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "T{}.{}", self.0, self.1)
    }
}

/// What the model says: its defences, and how some are shown without a test in Rust.
struct Model {
    defences: BTreeSet<ThreatId>,
    elsewhere: BTreeMap<ThreatId, String>,
    headings: BTreeMap<u32, String>,
}

fn parse_model(text: &str) -> Model {
    let mut model =
        Model { defences: BTreeSet::new(), elsewhere: BTreeMap::new(), headings: BTreeMap::new() };
    for line in text.lines() {
        if let Some(row) = line.strip_prefix("| T") {
            let id = row.split(" |").next().and_then(|id| ThreatId::parse(&format!("T{id}")));
            let id = id.unwrap_or_else(|| panic!("{MODEL}: no threat id in {line:?}"));
            assert!(model.defences.insert(id), "{MODEL}: {id} is there twice");
        } else if let Some((id, by)) = line.strip_prefix("- ").and_then(|line| line.split_once(": ")) {
            if let Some(id) = ThreatId::parse(id) {
                assert!(model.elsewhere.insert(id, by.to_owned()).is_none(), "{MODEL}: {id} is listed twice");
            }
        } else if let Some((id, title)) = line.strip_prefix("### T").and_then(|line| line.split_once(' '))
            && let Ok(id) = id.parse()
        {
            model.headings.insert(id, title.to_owned());
        }
    }
    model
}

/// The ids in a comment that has nothing else.
fn ids_of(line: &str) -> Option<Vec<ThreatId>> {
    line.trim().strip_prefix("// ")?.split(", ").map(ThreatId::parse).collect()
}

fn function_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    line.split('(').next()
}

/// The tests of one file under the threats that their comments name; what is wrong with a comment goes to `problems`.
fn tests_of(file: &str, text: &str, problems: &mut Vec<String>) -> Vec<(ThreatId, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(ids) = ids_of(line) else { continue };
        let below = lines.iter().skip(at + 1).take(REACH);
        let is_test = below
            .clone()
            .take_while(|line| function_of(line).is_none())
            .any(|line| line.trim_end().ends_with("test]"));
        match below.clone().find_map(|line| function_of(line)) {
            Some(name) if is_test => found.extend(ids.into_iter().map(|id| (id, name.to_owned()))),
            _ => problems.push(format!("{file}:{}: no test below {:?}", at + 1, line.trim())),
        }
    }
    found
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The index, or everything that is wrong.
fn index(
    model: &Model,
    tests: &BTreeMap<ThreatId, BTreeSet<(String, String)>>,
    problems: &mut Vec<String>,
) -> String {
    for (id, tests) in tests.iter().filter(|(id, _)| !model.defences.contains(id)) {
        let (file, name) = tests.first().unwrap();
        problems.push(format!("{file}: {name} names {id}, which is not in {MODEL}"));
    }
    for id in model.elsewhere.keys().filter(|id| !model.defences.contains(id)) {
        problems.push(format!("{MODEL}: {id} is shown by something, but is not in a table"));
    }
    let mut text = "# Threat index\n\nThe tests of each defence in [threat-model.md](threat-model.md). Generated from the comments above the tests by\n`KEYVEND_WRITE=1 cargo test threats`; do not edit.\n".to_owned();
    let mut threat = 0;
    for id in &model.defences {
        if id.0 != threat {
            threat = id.0;
            let title = model.headings.get(&threat).map_or("", String::as_str);
            write!(text, "\n## T{threat} {title}\n\n| id | test | file |\n|---|---|---|\n").unwrap();
        }
        let tests = tests.get(id);
        for (file, name) in tests.into_iter().flatten() {
            writeln!(text, "| {id} | `{name}` | {file} |").unwrap();
        }
        match model.elsewhere.get(id) {
            Some(by) => writeln!(text, "| {id} | {by} | |").unwrap(),
            None if tests.is_none() => problems.push(format!("{MODEL}: no test is marked with {id}")),
            None => {}
        }
    }
    text
}

#[test]
fn every_threat_has_a_test_and_index_entry() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = parse_model(&fs::read_to_string(root.join(MODEL)).unwrap());
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    files.sort();

    let mut problems = Vec::new();
    let mut tests: BTreeMap<ThreatId, BTreeSet<(String, String)>> = BTreeMap::new();
    for path in files {
        let file = path.strip_prefix(root).unwrap().display().to_string();
        for (id, name) in tests_of(&file, &fs::read_to_string(&path).unwrap(), &mut problems) {
            tests.entry(id).or_default().insert((file.clone(), name));
        }
    }
    let text = index(&model, &tests, &mut problems);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(model.defences.len() > 50, "{} defences were read", model.defences.len());

    if std::env::var_os("KEYVEND_WRITE").is_some_and(|value| value == "1") {
        fs::write(root.join(INDEX), &text).unwrap();
    }
    let stored = fs::read_to_string(root.join(INDEX)).unwrap_or_default();
    assert!(stored == text, "{INDEX} differs from what is generated; write it with KEYVEND_WRITE=1");
}

fn problems_with(model: &str, test_file: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut tests: BTreeMap<ThreatId, BTreeSet<(String, String)>> = BTreeMap::new();
    for (id, name) in tests_of("a.rs", test_file, &mut problems) {
        tests.entry(id).or_default().insert(("a.rs".to_owned(), name));
    }
    index(&parse_model(model), &tests, &mut problems);
    problems
}

#[test]
fn missing_and_unknown_threat_ids_are_reported() {
    let model = "### T1 Forged requests\n\n| T1.1 | signature |\n| T1.2 | age |\n";
    let both = "// T1.1, T1.2\n#[tokio::test]\nasync fn signed() {\n";
    assert!(problems_with(model, both).is_empty());
    assert_eq!(
        problems_with(model, &both.replace(", T1.2", "")),
        ["docs/threat-model.md: no test is marked with T1.2"]
    );
    assert!(
        problems_with(&format!("{model}\n- T1.2: another tool\n"), &both.replace(", T1.2", "")).is_empty()
    );
    assert_eq!(
        problems_with(model, &both.replace("T1.2", "T1.2, T9.9")),
        ["a.rs: signed names T9.9, which is not in docs/threat-model.md"]
    );
    assert_eq!(
        problems_with(model, &both.replace("#[tokio::test]", "")).len(),
        3,
        "no test follows, so both lack one"
    );
}
