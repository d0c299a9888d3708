//! The output of `policy check`.

use crate::cli::answer::{Answer, ExitStatus};
use crate::cli::check::Checked;
use crate::cli::output::text::{count, listed, plain};
use crate::domain::use_case::UseCase;
use crate::policy::lint::Warning;

impl Answer for Checked {
    fn text(&self) -> String {
        checked(self)
    }

    fn ending(&self) -> ExitStatus {
        if self.valid { ExitStatus::Done } else { ExitStatus::No }
    }
}

fn checked(found: &Checked) -> String {
    let mut text = String::new();
    for wrong in &found.problems {
        let line = wrong.line.map(|line| format!(":{line}")).unwrap_or_default();
        let id = wrong.policy.as_ref().filter(|id| !wrong.reason.contains(id.as_str()));
        let id = id.map(|id| format!(" {}:", plain(id))).unwrap_or_default();
        text += &format!("{}{line}:{id} {}\n", plain(&wrong.file), plain(&wrong.reason));
    }
    for found in &found.warnings {
        text += &format!("warning: {}\n", warning(found));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let dir = found.dir.display();
    if !found.valid {
        let problems = count(found.problems.len(), "problem", "problems");
        return text
            + &format!(
                "{dir}: {problems}. With these policies the worker would deny everything: do not deploy them.\n"
            );
    }
    let policies = count(found.policies, "policy is", "policies are");
    let cases = match found.cases {
        None => "There are no test cases in ALLOW and DENY.".to_owned(),
        Some(1) => "1 test case passes.".to_owned(),
        Some(cases) => format!("{cases} test cases pass."),
    };
    text + &format!("{dir}: {policies} valid. {cases}\n")
}

fn warning(warning: &Warning) -> String {
    let which = |privileged: &bool| {
        if *privileged { "a privileged IAM user" } else { "an IAM user that is not privileged" }
    };
    let uses = |use_cases: &[UseCase]| format!("use: {}", listed(use_cases, "none"));
    let because = |by: &[String]| listed(by, "no policy permits it");
    match warning {
        Warning::NobodyMay { action } => {
            format!("no policy permits `{}`: nobody can ever do this", action.as_str())
        }
        Warning::Shadowed { policy, by } => {
            format!("{policy} has no effect: {by} has no condition and decides everything that it could")
        }
        Warning::NotInAnyCase { policy } => {
            format!("{policy} decides no test case: add one to ALLOW or DENY that shows its purpose")
        }
        Warning::NobodyCouldApprove { privileged, use_cases, needed, by } => format!(
            "a request for {} would need {} that nobody could give ({}; {})",
            which(privileged),
            count(usize::try_from(*needed).unwrap_or(usize::MAX), "approval", "approvals"),
            because(by),
            uses(use_cases)
        ),
        Warning::NeverIssued { privileged, use_cases, by } => format!(
            "a key for {} could be requested, but not even 5 approvals would be enough ({}; {})",
            which(privileged),
            because(by),
            uses(use_cases)
        ),
    }
}
