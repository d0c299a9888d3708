//! Policies from a folder: read, named by their `@id`, validated. Reports everything that is wrong at once, each with
//! its file and line; a set with anything wrong in it, be it a warning, is no set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr as _;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Authorizer, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use crate::domain::person::APPROVERS;
use crate::id::UserGroupId;
use crate::policy::engine::{Policies, Rule};
use crate::policy::entities::{SLACK_GROUP, Types};
use crate::policy::schema_check::probe;

const SCHEMA: &str = "schema.cedarschema";

/// Everything that is wrong with a folder of policies, a line each.
#[derive(Debug, thiserror::Error)]
pub struct InvalidPolicies(pub Vec<Problem>);

impl fmt::Display for InvalidPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// One thing that is wrong. Written `limits.cedar:12: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name, or the folder.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The `@id` of the policy that it is about, where one is known by then.
    pub policy: Option<String>,
    /// What is wrong, on one line.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// A file's name and text.
struct File {
    name: String,
    text: String,
}

impl File {
    fn read(path: &Path) -> Result<Self, Problem> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => Err(Problem { file: name, line: None, policy: None, reason: error.to_string() }),
        }
    }

    fn problem(&self, line: Option<usize>, reason: impl fmt::Display) -> Problem {
        let reason = reason.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Problem { file: self.name.clone(), line, policy: None, reason }
    }

    /// Cedar's own complaint, with its hint.
    fn complaint(&self, error: &DetailedError) -> Problem {
        let line = offset(error).map(|offset| self.line(offset));
        match &error.help {
            Some(help) => self.problem(line, format_args!("{} ({help})", error.message)),
            None => self.problem(line, &error.message),
        }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}

fn offset(error: &DetailedError) -> Option<usize> {
    match error.source_locations.first() {
        Some(label) => Some(label.loc.start),
        None => error.related.iter().find_map(offset),
    }
}

impl Policies {
    /// The `*.cedar` files of a folder, in the order of their names, with its `schema.cedarschema`.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its file and, where there is one, its line.
    pub fn load(dir: &Path) -> Result<Self, InvalidPolicies> {
        let (schema_file, files) = read(dir).map_err(InvalidPolicies)?;
        let mut problems = Vec::new();
        let schema = schema(&schema_file, &mut problems);
        let named = named(&files, &mut problems);
        let Some(schema) = schema.filter(|_| problems.is_empty()) else {
            return Err(InvalidPolicies(problems));
        };
        let set = PolicySet::from_policies(named.iter().map(|(_, _, policy)| policy.clone()))
            .map_err(|error| InvalidPolicies(vec![folder(dir, error)]))?;
        problems.extend(invalid(&set, &schema, &named));
        let slack_groups = slack_groups(&named, &mut problems);
        let types = Types::new().map_err(|error| InvalidPolicies(vec![folder(dir, error)]))?;
        if let Err(reason) = probe(&types, &schema) {
            problems.push(schema_file.problem(None, reason));
        }
        if !problems.is_empty() {
            return Err(InvalidPolicies(problems));
        }
        let rules = named
            .iter()
            .map(|(_, _, policy)| Rule {
                id: policy.id().clone(),
                advice: annotation(policy, "advice").map(str::to_owned),
            })
            .collect();
        Ok(Self { schema, set, rules, slack_groups, types, authorizer: Authorizer::new() })
    }
}

fn folder(dir: &Path, reason: impl fmt::Display) -> Problem {
    Problem { file: dir.display().to_string(), line: None, policy: None, reason: reason.to_string() }
}

fn read(dir: &Path) -> Result<(File, Vec<File>), Vec<Problem>> {
    let listed = fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<BTreeSet<_>, _>>()
    });
    let paths = listed.map_err(|error| vec![folder(dir, error)])?;
    let schema = File::read(&dir.join(SCHEMA)).map_err(|problem| vec![problem])?;
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "cedar")) {
        match File::read(path) {
            Ok(file) => files.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    if files.is_empty() && problems.is_empty() {
        problems.push(folder(dir, "no policies: no file ends in .cedar"));
    }
    if problems.is_empty() { Ok((schema, files)) } else { Err(problems) }
}

fn schema(file: &File, problems: &mut Vec<Problem>) -> Option<Schema> {
    match Schema::from_cedarschema_str(&file.text) {
        Ok((schema, warnings)) => {
            problems.extend(warnings.map(|warning| file.complaint(&DetailedError::from(&warning))));
            Some(schema)
        }
        Err(error) => {
            problems.push(file.complaint(&DetailedError::from(&error)));
            None
        }
    }
}

/// Every policy under its `@id`, with its file and line.
fn named<'a>(files: &'a [File], problems: &mut Vec<Problem>) -> Vec<(&'a File, usize, Policy)> {
    let mut named: Vec<(&File, usize, Policy)> = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let set = match PolicySet::from_str(&file.text) {
            Ok(set) => set,
            Err(errors) => {
                problems.extend(errors.iter().map(|error| file.complaint(&DetailedError::from(error))));
                continue;
            }
        };
        for template in set.templates() {
            let line = file.text.find(&template.to_cedar()).map(|at| file.line(at));
            problems
                .push(file.problem(line, "a template is no policy: write out `principal` and `resource`"));
        }
        for (line, policy) in in_order(file, &set) {
            let at = format!("{}:{line}", file.name);
            match id(policy) {
                Ok(id) => {
                    if let Some(first) = seen.insert(id.to_owned(), at) {
                        let reason = format_args!("@id(\"{id}\") is taken by the policy at {first}");
                        problems.push(file.problem(Some(line), reason));
                    }
                    named.push((file, line, policy.new_id(PolicyId::new(id))));
                }
                Err(reason) => {
                    let policy = annotation(policy, "id").map(str::to_owned);
                    problems.push(Problem { policy, ..file.problem(Some(line), reason) });
                }
            }
        }
    }
    named
}

/// A file's policies with their lines, first to last. Cedar names them `policy0`, `policy1`, and keeps their text.
fn in_order<'a>(file: &File, set: &'a PolicySet) -> Vec<(usize, &'a Policy)> {
    let number = |policy: &&Policy| {
        policy.id().to_string().strip_prefix("policy").and_then(|number| number.parse::<usize>().ok())
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(number);
    let mut from = 0;
    policies
        .into_iter()
        .map(|policy| {
            let text = policy.to_cedar().unwrap_or_default();
            let start = file.text.get(from..).and_then(|rest| rest.find(&text)).map_or(from, |at| from + at);
            from = start + text.len();
            (file.line(start), policy)
        })
        .collect()
}

// `Policy::annotation` parses its key again at every call, which was a seventh of the whole load.
fn annotation<'a>(policy: &'a Policy, key: &str) -> Option<&'a str> {
    policy.annotations().find(|(name, _)| *name == key).map(|(_, text)| text)
}

/// The `@id`, which goes into the audit trail and into replies, so it is a plain word. And whoever is forbidden
/// something is told what to do next.
fn id(policy: &Policy) -> Result<&str, &'static str> {
    let id = annotation(policy, "id").ok_or("a policy without @id(\"...\")")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
    if !(1..=64).contains(&id.len()) || !id.bytes().all(plain) {
        return Err("an @id is 1 to 64 letters, digits, `-`, `_` and `.`");
    }
    match (policy.effect(), annotation(policy, "advice")) {
        (Effect::Forbid, None | Some("")) => Err("a policy that forbids without @advice(\"...\")"),
        (Effect::Forbid | Effect::Permit, _) => Ok(id),
    }
}

/// The user groups that policies name, which are then looked up for whoever is judged. A name that can be no user
/// group's would never match anybody, so that a policy that forbids by it would never forbid.
fn slack_groups(named: &[(&File, usize, Policy)], problems: &mut Vec<Problem>) -> BTreeSet<UserGroupId> {
    let mut groups = BTreeSet::new();
    for (file, line, policy) in named {
        for literal in policy.entity_literals() {
            let id = literal.id().unescaped();
            if literal.type_name().to_string() != SLACK_GROUP || id == APPROVERS {
                continue;
            }
            match id.parse() {
                Ok(group) => _ = groups.insert(group),
                Err(_) => {
                    let reason = format_args!(
                        "a {SLACK_GROUP} is \"{APPROVERS}\" or the id of a Slack user group, such as \"S0614TZR7\""
                    );
                    problems.push(file.problem(Some(*line), reason));
                }
            }
        }
    }
    groups
}

fn invalid(set: &PolicySet, schema: &Schema, named: &[(&File, usize, Policy)]) -> Vec<Problem> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| (error.policy_id(), DetailedError::from(error)));
    let warnings =
        result.validation_warnings().map(|warning| (warning.policy_id(), DetailedError::from(warning)));
    let mut problems: Vec<Problem> = errors
        .chain(warnings)
        .filter_map(|(id, error)| {
            let (file, line, _) = named.iter().find(|(_, _, policy)| policy.id() == id)?;
            let problem = file.complaint(&error);
            Some(Problem { line: problem.line.or(Some(*line)), policy: Some(id.to_string()), ..problem })
        })
        .collect();
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    problems
}
