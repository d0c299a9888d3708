//! Looks at a folder of policies and reports everything at once: its problems, its cases, its warnings.

use std::collections::BTreeSet;
use std::path::Path;

use crate::policy::engine::Policies;
use crate::policy::lint::warning::Warning;
use crate::policy::lint::{coverage, simulation};
use crate::policy::load::Problem;
use crate::policy::test_cases;

#[derive(Debug, Default)]
pub struct Report {
    /// How many policies there are.
    pub policies: usize,
    /// How many cases were run, where the folder has any.
    pub cases: Option<usize>,
    /// What makes the folder unfit to be deployed.
    pub problems: Vec<Problem>,
    /// What is probably not meant so.
    pub warnings: Vec<Warning>,
}

/// Looks at a folder of policies and the cases in it.
#[must_use]
pub fn check(dir: &Path) -> Report {
    let policies = match Policies::load(dir) {
        Ok(policies) => policies,
        Err(invalid) => return Report { problems: invalid.0, ..Report::default() },
    };
    let mut report = Report { policies: policies.rules.len(), ..Report::default() };
    report.warnings.extend(coverage::nobody_may(&policies));
    report.warnings.extend(coverage::shadowed(&policies));
    report.warnings.extend(simulation::without_a_way(&policies));
    if dir.join("ALLOW").exists() || dir.join("DENY").exists() {
        run_cases(&policies, dir, &mut report);
    }
    report
}

fn run_cases(policies: &Policies, dir: &Path, report: &mut Report) {
    let problem = |file: String, reason: String| Problem { file, line: None, policy: None, reason };
    let cases = match test_cases::read(dir) {
        Ok(cases) => cases,
        Err(error) => {
            report.problems.push(problem(dir.display().to_string(), format!("{error:#}")));
            return;
        }
    };
    report.cases = Some(cases.len());
    let mut exercised: BTreeSet<String> = BTreeSet::new();
    for case in &cases {
        match case.run(policies) {
            Ok(by) => exercised.extend(by),
            Err(error) => {
                let (path, reason) = (case.file.display().to_string(), format!("{error:#}"));
                let reason = reason.strip_prefix(&format!("{path}: ")).unwrap_or(&reason).to_owned();
                let file = case.file.strip_prefix(dir).unwrap_or(&case.file).display().to_string();
                report.problems.push(problem(file, reason));
            }
        }
    }
    // A case that does not hold says nothing about which policies are in use.
    if report.problems.is_empty() {
        let idle = policies.ids().filter(|id| !exercised.contains(*id));
        report.warnings.extend(idle.map(|id| Warning::NotInAnyCase { policy: id.to_owned() }));
    }
}
