//! The layers of `src`: who imports whom. Every `crate::` path outside tests is compared with one table, so that an arrow
//! that runs upward, or a circle between two files, fails with its file and line. Functions that are long for a reason are
//! listed with it; an entry that is no longer needed fails as well. No file is long, be it code or tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A layer's modules, and the modules that they may import. Modules of one row never import each other.
const LAYERS: &[&[&str]] = &[
    &["time", "text", "encoding", "random"],
    // An id reads and writes itself in Crockford's base 32 or base64url.
    &["id"],
    &["domain", "http"],
    &["aws", "policy", "slack"],
    &["config", "store", "facts", "render", "queue"],
    &["functions", "worker", "cli"],
    &["bin"],
];

/// What the rows above do not say: `http` sees less than all below it.
const NARROWER: &[(&str, &[&str])] = &[("http", &["text", "encoding"])];

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 80;

/// Longer functions, by file and name, and why.
const LONG_FUNCTIONS: &[(&str, &str, &str)] =
    &[("src/worker/dispatch.rs", "dispatch", "the one exhaustive dispatch")];

/// One source file, without its tests, comments and texts.
struct Source {
    name: String,
    module: Vec<String>,
    text: String,
    whole: String,
}

/// One path that begins at the crate, and where it is written.
struct Import {
    line: usize,
    path: Vec<String>,
    is_public: bool,
}

#[test]
fn imports_run_downward() {
    let sources = sources();
    let mut wrong = Vec::new();
    for source in &sources {
        let from = source.module[0].as_str();
        for import in imports(source) {
            let to = import.path[0].as_str();
            if to == from || may_import(from, to) {
                continue;
            }
            let (name, line, path) = (&source.name, import.line, import.path.join("::"));
            wrong.push(format!("{name}:{line} imports {path}: {from} must not know {to}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other() {
    let sources = sources();
    let known: BTreeMap<Vec<String>, usize> =
        sources.iter().enumerate().map(|(at, source)| (source.module.clone(), at)).collect();
    let mut aliases = BTreeMap::new();
    for source in &sources {
        for import in imports(source).into_iter().filter(|import| import.is_public) {
            if let Some(name) = import.path.last().filter(|_| !known.contains_key(&import.path)) {
                let mut alias = source.module.clone();
                alias.push(name.clone());
                aliases.insert(alias, import.path.clone());
            }
        }
    }
    let mut edges: Vec<BTreeMap<usize, usize>> = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let mut targets = BTreeMap::new();
        for import in imports(source) {
            let target = resolve(import.path, &known, &aliases);
            let is_reexport = import.is_public && sources[target].module.starts_with(&source.module);
            if target != at && !is_reexport {
                targets.entry(target).or_insert(import.line);
            }
        }
        edges.push(targets);
    }
    let reached: Vec<BTreeSet<usize>> = (0..sources.len()).map(|at| reach(at, &edges)).collect();
    let in_circle = |a: usize, b: usize| reached[a].contains(&b) && reached[b].contains(&a);
    let mut wrong = Vec::new();
    for (from, targets) in edges.iter().enumerate() {
        for (&to, line) in targets.iter().filter(|(to, _)| in_circle(from, **to)) {
            let (from, to) = (sources[from].name.as_str(), sources[to].name.as_str());
            wrong.push(format!("{from}:{line} imports {to}, which imports it back through others"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_say_what_they_are_and_stay_short() {
    let mut wrong = Vec::new();
    for file in files(&["src", "tests"]) {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{}:1 does not begin with `//!`", file.display()));
        }
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            wrong.push(format!("{} has {lines} lines, more than {MAX_FILE_LINES}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sources_name_modules_by_their_whole_path() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (at, line) in source.text.lines().enumerate().filter(|(_, line)| line.contains("super::")) {
            let (name, line) = (&source.name, line.trim());
            wrong.push(format!("{name}:{} names its parent, write `crate::`: {line}", at + 1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn functions_stay_short() {
    let mut wrong = Vec::new();
    let mut long = BTreeSet::new();
    for source in sources() {
        for (line, name, lines) in functions(&source.whole) {
            if lines <= MAX_FUNCTION_LINES {
                continue;
            }
            if !LONG_FUNCTIONS.iter().any(|(file, known, _)| *file == source.name && *known == name) {
                wrong.push(format!(
                    "{}:{line} `{name}` has {lines} lines, more than {MAX_FUNCTION_LINES}",
                    source.name
                ));
            }
            long.insert((source.name.clone(), name));
        }
    }
    let stale = LONG_FUNCTIONS
        .iter()
        .filter(|(file, name, _)| !long.contains(&((*file).to_owned(), (*name).to_owned())));
    wrong.extend(
        stale.map(|(file, name, _)| format!("LONG_FUNCTIONS: {file} `{name}` is short, remove the entry")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The test itself: what it reads out of a source.
#[test]
fn nested_imports_are_read_with_their_lines() {
    let text = code(
        "use crate::a::{\n    b::C,\n    d as e, // crate::no\n};\npub use crate::f;\nlet x = \"crate::no\"; crate::g::h(1);",
    );
    let source = Source { name: String::new(), module: vec!["x".to_owned()], whole: String::new(), text };
    let read: Vec<_> = imports(&source)
        .into_iter()
        .map(|import| (import.line, import.path.join("::"), import.is_public))
        .collect();
    let expected = [(2, "a::b::C", false), (3, "a::d", false), (5, "f", true), (6, "g::h", false)];
    assert_eq!(read, expected.map(|(line, path, is_public)| (line, path.to_owned(), is_public)));
}

fn may_import(from: &str, to: &str) -> bool {
    if let Some((_, allowed)) = NARROWER.iter().find(|(module, _)| *module == from) {
        return allowed.contains(&to);
    }
    let row = |module| LAYERS.iter().position(|row| row.contains(&module));
    let row_of = |module| row(module).unwrap_or_else(|| panic!("`{module}` has no row in LAYERS"));
    row_of(to) < row_of(from)
}

/// The file that a path leads to: the longest part of it that is a module, behind what is only re-exported.
fn resolve(
    mut path: Vec<String>,
    known: &BTreeMap<Vec<String>, usize>,
    aliases: &BTreeMap<Vec<String>, Vec<String>>,
) -> usize {
    for length in 1..=path.len() {
        if let Some(target) = aliases.get(&path[..length]).filter(|target| target[..] != path[..length]) {
            let mut real = target.clone();
            real.extend_from_slice(&path[length..]);
            path = real;
            return resolve(path, known, aliases);
        }
    }
    (1..=path.len())
        .rev()
        .find_map(|length| known.get(&path[..length]).copied())
        .unwrap_or_else(|| panic!("no module of `crate::{}`", path.join("::")))
}

fn reach(from: usize, edges: &[BTreeMap<usize, usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<usize> = edges[from].keys().copied().collect();
    while let Some(at) = open.pop() {
        if reached.insert(at) {
            open.extend(edges[at].keys());
        }
    }
    reached
}

fn sources() -> Vec<Source> {
    let is_test = |file: &Path| file.ends_with("tests.rs") || file.iter().any(|part| part == "tests");
    let named = files(&["src"]).into_iter().filter(|file| !is_test(file)).map(|file| {
        let whole = fs::read_to_string(root().join(&file)).unwrap();
        let name = file.to_str().unwrap().to_owned();
        let module = name.trim_start_matches("src/").trim_end_matches(".rs");
        let module = module.split('/').map(str::to_owned).collect();
        let whole = match whole.find("#[cfg(test)]\nmod tests") {
            Some(at) => whole[..at].to_owned(),
            None => whole,
        };
        Source { name, module, text: code(&whole), whole }
    });
    named.filter(|source| source.name != "src/lib.rs").collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of Rust in these folders, by its path from the root.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        find(&root().join(folder), &mut files);
    }
    files.sort();
    files.into_iter().map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// The text without comments and the insides of string literals, line for line.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else if c == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..skip].chars().filter(|c| *c == '\n'));
        rest = &rest[skip..];
    }
    out
}

/// Every path of a source that begins with `crate::`, with the crate's name in a binary, or with a module declared there.
fn imports(source: &Source) -> Vec<Import> {
    let text = source.text.as_str();
    let root = if source.module[0] == "bin" { "keyvend::" } else { "crate::" };
    let mut all = Vec::new();
    for (at, _) in text.match_indices(root) {
        let before = &text[..at];
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let statement = before.rsplit([';', '}']).next().unwrap_or_default().trim_end();
        let is_use = statement.ends_with("use");
        let is_public = is_use && statement.lines().next_back().is_some_and(|line| line.contains("pub"));
        let start = at + root.len();
        for (offset, path) in tree(&text[start..], is_use) {
            let line = text[..start + offset].matches('\n').count() + 1;
            all.push(Import { line, path, is_public });
        }
    }
    for child in text.lines().filter_map(|line| {
        let declared = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
        declared.strip_suffix(';')
    }) {
        let called = format!("{child}::");
        for (at, _) in text.match_indices(&called) {
            if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut path = source.module.clone();
            path.push(child.to_owned());
            let statement = text[..at].rsplit([';', '}']).next().unwrap_or_default();
            let is_public = statement.trim_start().starts_with("pub use");
            all.push(Import { line: text[..at].matches('\n').count() + 1, path, is_public });
        }
    }
    all
}

/// The paths of a use tree, each with where its last part begins.
fn tree(text: &str, braces: bool) -> Vec<(usize, Vec<String>)> {
    let mut all = Vec::new();
    let mut prefixes: Vec<Vec<String>> = vec![Vec::new()];
    let mut path: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_alphanumeric() || c == '_' {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let word = &rest[..end];
            if word == "as" {
                at += end;
                at += text[at..].find([',', ';', '}']).unwrap_or(text.len() - at);
                continue;
            }
            if word != "self" {
                path.push(word.to_owned());
            }
            let after = &text[at + end..];
            if !after.starts_with("::") || (!braces && after.starts_with("::<")) {
                all.push((at, path.clone()));
                if prefixes.len() == 1 && !after.trim_start().starts_with("as ") {
                    break;
                }
                path = prefixes.last().cloned().unwrap_or_default();
            }
            at += end;
        } else if c == '{' && braces {
            prefixes.push(path.clone());
            at += 1;
        } else if c == '}' {
            prefixes.pop();
            at += 1;
            if prefixes.len() <= 1 {
                break;
            }
            path = prefixes.last().cloned().unwrap_or_default();
        } else if c == ';' {
            break;
        } else {
            at += c.len_utf8();
        }
    }
    all
}

/// Line, name and length of every function, as rustfmt lays it out: it ends at the brace under its first line.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let Some((before, after)) = code.split_once("fn ") else { continue };
        let is_head = before
            .split_whitespace()
            .all(|word| ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"].contains(&word));
        if !is_head || line.ends_with(';') || line.ends_with('}') {
            continue;
        }
        let close = format!("{indent}}}");
        let Some(length) = lines[at..].iter().position(|line| *line == close) else { continue };
        let name = after.split(['(', '<']).next().unwrap_or_default();
        all.push((at + 1, name.to_owned(), length + 1));
    }
    all
}
