//! `create`: who wants a key of which IAM user, for what, for how long and why.

use serde::{Deserialize, Serialize};

use crate::domain::lifetime::Days;
use crate::domain::reason::{InvalidReason, Reason};
use crate::domain::use_case::UseCase;
use crate::id::{AccountAlias, IamUserName};
use crate::slack::command::error::{Problem, SyntaxError};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// The IAM user that the key shall be of.
    pub user: IamUserName,
    /// The AWS account that the IAM user is in; none is the home account.
    ///
    /// An IAM user name may hold `@` itself. What stands after the *last* `@` is the account if it could be an alias
    /// (lower-case letters, digits, hyphens): `bob@prod` is bob in prod, `bob@example.com` is one name, because an
    /// alias has no dot. A user really named `bob@prod` is typed with its account: `bob@prod@home`.
    pub account: Option<AccountAlias>,
    /// What the key is for.
    pub use_case: UseCase,
    /// How long the key shall live.
    pub days: Days,
    /// Why, in the person's own words.
    pub reason: Reason,
}

/// What is right so far. The first problem is the one that is told; what follows it still goes into the correct line.
#[derive(Default)]
struct Draft<'a> {
    user: Option<(IamUserName, Option<AccountAlias>)>,
    use_seen: bool,
    use_case: Option<UseCase>,
    ttl_seen: bool,
    days: Option<Days>,
    reason: Vec<&'a str>,
    problem: Option<Problem>,
}

/// Reads the words after `create`: the IAM user first, then `use:`, `ttl:` and the reason's words in any order.
pub(crate) fn create<'a>(words: impl Iterator<Item = &'a str>) -> Result<Create, SyntaxError> {
    let mut draft = Draft::default();
    let mut words = words.peekable();
    match words.next_if(|word| option(word, "use:").or(option(word, "ttl:")).is_none()) {
        None => draft.problem = Some(Problem::UserMissing),
        Some(word) => {
            draft.user = iam_user(word);
            if draft.user.is_none() {
                draft.problem = Some(Problem::NotAnIamUser(word.to_owned()));
            }
        }
    }
    for word in words {
        if let Some(value) = option(word, "use:") {
            draft.use_case = draft.use_case.or(value.to_ascii_lowercase().parse().ok());
            if std::mem::replace(&mut draft.use_seen, true) {
                draft.problem.get_or_insert(Problem::UseRepeated);
            } else if draft.use_case.is_none() {
                draft.problem.get_or_insert_with(|| Problem::UnknownUseCase(value.to_owned()));
            }
        } else if let Some(value) = option(word, "ttl:") {
            draft.days = draft.days.or(days(value));
            if std::mem::replace(&mut draft.ttl_seen, true) {
                draft.problem.get_or_insert(Problem::TtlRepeated);
            } else if draft.days.is_none() {
                draft.problem.get_or_insert_with(|| Problem::InvalidLifetime(value.to_owned()));
            }
        } else {
            draft.reason.push(word);
        }
    }
    draft.finish()
}

impl Draft<'_> {
    fn finish(self) -> Result<Create, SyntaxError> {
        let reason = Reason::from_words(self.reason.iter().copied());
        let problem = match (self.problem, &self.user, self.use_case, self.days, reason) {
            (None, Some((user, account)), Some(use_case), Some(days), Ok(reason)) => {
                return Ok(Create { user: user.clone(), account: account.clone(), use_case, days, reason });
            }
            (Some(problem), ..) => problem,
            (None, None, ..) => Problem::UserMissing,
            (None, _, None, ..) => Problem::UseMissing,
            (None, _, _, None, _) => Problem::TtlMissing,
            (None, .., Err(InvalidReason::Empty)) => Problem::ReasonMissing,
            (None, .., Err(InvalidReason::TooLong)) => Problem::ReasonTooLong,
        };
        Err(SyntaxError { problem, correct: correct(self.user, self.use_case, self.days) })
    }
}

/// A correct line out of what was right, with examples for the rest.
fn correct(
    user: Option<(IamUserName, Option<AccountAlias>)>,
    use_case: Option<UseCase>,
    days: Option<Days>,
) -> String {
    let user = user.map(|(user, account)| match account {
        Some(account) => format!("{user}@{account}"),
        None => user.to_string(),
    });
    // A longer one would say too much of what was typed back.
    let user = user.filter(|user| user.len() <= 50).unwrap_or_else(|| "ci-deployer".to_owned());
    let use_case = use_case.unwrap_or(UseCase::Cli);
    let days = days.unwrap_or(Days::DEFAULT);
    format!("create {user} use:{use_case} ttl:{days} why you need it")
}

/// The value of an option, if the word is one. Phones like to begin with a capital.
fn option<'a>(word: &'a str, name: &str) -> Option<&'a str> {
    let (head, value) = word.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_matches('`'))
}

pub(crate) fn iam_user(word: &str) -> Option<(IamUserName, Option<AccountAlias>)> {
    let word = word.replace('`', "");
    if let Some((user, alias)) = word.rsplit_once('@')
        && let Ok(account) = alias.parse()
    {
        return Some((user.parse().ok()?, Some(account)));
    }
    Some((word.parse().ok()?, None))
}

pub(crate) fn days(value: &str) -> Option<Days> {
    let digits = value.strip_suffix(['d', 'D'])?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u16>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slack::command::Command;

    fn of(user: &str, account: Option<&str>, use_case: UseCase, days: u16, reason: &str) -> Create {
        Create {
            user: user.parse().unwrap(),
            account: account.map(|alias| alias.parse().unwrap()),
            use_case,
            days: Days::try_from(days).unwrap(),
            reason: reason.to_owned().try_into().unwrap(),
        }
    }

    #[test]
    fn a_create_line_is_read_in_any_order_and_spelling() {
        let deploy = || of("ci", None, UseCase::Cli, 30, "to deploy");
        let cases = [
            ("create ci use:cli ttl:30d to deploy", deploy()),
            ("create ci ttl:30d use:cli to deploy", deploy()),
            ("create ci to use:cli deploy ttl:30d", deploy()),
            ("create ci to deploy ttl:30d use:cli", deploy()),
            ("  Create\tci\u{a0}use:cli\nttl:30d   to \r\n deploy ", deploy()),
            ("CREATE ci Use:CLI TTL:30D to deploy", deploy()),
            ("create `ci` use:`cli` ttl:`30d` to deploy", deploy()),
            ("`create ci use:cli ttl:30d to deploy`", deploy()),
            ("create ci use:cli ttl:030d to deploy", deploy()),
            ("create bob@prod use:other ttl:1d x", of("bob", Some("prod"), UseCase::Other, 1, "x")),
            ("create `bob`@prod use:other ttl:1d x", of("bob", Some("prod"), UseCase::Other, 1, "x")),
            (
                "create bob@example.com use:other ttl:1d x",
                of("bob@example.com", None, UseCase::Other, 1, "x"),
            ),
            (
                "create <mailto:bob@example.com|bob@example.com> use:other ttl:1d x",
                of("bob@example.com", None, UseCase::Other, 1, "x"),
            ),
            (
                "create <mailto:bob@example.com|bob@example.com>@prod use:other ttl:1d x",
                of("bob@example.com", Some("prod"), UseCase::Other, 1, "x"),
            ),
            ("create bob@prod@home use:other ttl:1d x", of("bob@prod", Some("home"), UseCase::Other, 1, "x")),
            ("create bob@Prod use:other ttl:1d x", of("bob@Prod", None, UseCase::Other, 1, "x")),
            ("create bob@ use:other ttl:3650d x", of("bob@", None, UseCase::Other, 3650, "x")),
            (
                "create ci use:cli ttl:30d R&amp;D &lt;3 `x` <https://x.test/1|T-1>",
                of("ci", None, UseCase::Cli, 30, "R&D <3 `x` T-1"),
            ),
            (
                "create ci use:cli ttl:30d \u{202e}paid\u{202c} \u{7}bell because:use:x",
                of("ci", None, UseCase::Cli, 30, "paid bell because:use:x"),
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(line.parse(), Ok(Command::Create(expected)), "{line:?}");
        }
    }

    #[test]
    fn a_wrong_create_line_is_told_its_first_problem_and_a_correct_line() {
        let all = "create ci use:other ttl:7d why you need it";
        let none = "create ci-deployer use:cli ttl:30d why you need it";
        let long = format!("create ci use:other ttl:7d {}", "x".repeat(201));
        let name = "n".repeat(64);
        let cases: &[(&str, Problem, &str)] = &[
            (
                "create use:other ttl:7d x",
                Problem::UserMissing,
                "create ci-deployer use:other ttl:7d why you need it",
            ),
            (
                "create a/b use:other ttl:7d x",
                Problem::NotAnIamUser("a/b".to_owned()),
                "create ci-deployer use:other ttl:7d why you need it",
            ),
            ("create @prod", Problem::NotAnIamUser("@prod".to_owned()), none),
            ("create <@U1|bob>", Problem::NotAnIamUser("@bob".to_owned()), none),
            ("create ci ttl:7d x", Problem::UseMissing, "create ci use:cli ttl:7d why you need it"),
            ("create ci use:other x", Problem::TtlMissing, "create ci use:other ttl:30d why you need it"),
            ("create ci use:other ttl:7d", Problem::ReasonMissing, all),
            ("create ci use:other ttl:7d \u{7} \u{202e}", Problem::ReasonMissing, all),
            (&long, Problem::ReasonTooLong, all),
            ("create ci use:other use:cli ttl:7d x", Problem::UseRepeated, all),
            ("create ci use:other use:other ttl:7d x", Problem::UseRepeated, all),
            ("create ci use:other ttl:7d ttl:8d x", Problem::TtlRepeated, all),
            ("create ci use:nope use:other ttl:7d x", Problem::UnknownUseCase("nope".to_owned()), all),
            (
                "create ci use: ttl:7d x",
                Problem::UnknownUseCase(String::new()),
                "create ci use:cli ttl:7d why you need it",
            ),
            ("create bob@prod", Problem::UseMissing, "create bob@prod use:cli ttl:30d why you need it"),
            (&format!("create {name} use:cli"), Problem::TtlMissing, none),
        ];
        for (line, problem, correct) in cases {
            let expected = SyntaxError { problem: problem.clone(), correct: (*correct).to_owned() };
            assert_eq!(line.parse::<Command>(), Err(expected), "{line:?}");
        }
        for wrong in ["", "d", "30", "0d", "3651d", "99999d", "-1d", "+1d", "1.5d", "1w", "30dd", "\u{663}d"]
        {
            let error = format!("create ci use:cli ttl:{wrong} x").parse::<Command>().unwrap_err();
            assert_eq!(error.problem, Problem::InvalidLifetime(wrong.to_owned()), "{wrong:?}");
        }
    }

    fn a_user() -> impl Strategy<Value = String> {
        // What follows the last `@` must not read as an account.
        "[A-Za-z0-9_+=,.@-]{1,64}".prop_filter("ends like an account", |name| {
            name.rsplit_once('@').is_none_or(|(_, rest)| rest.parse::<AccountAlias>().is_err())
        })
    }

    fn a_reason() -> impl Strategy<Value = Reason> {
        ".{1,80}".prop_filter_map("no reason", |text| {
            let kept = text.split(crate::text::is_blank).filter(|word| {
                !word.is_empty() && option(word, "use:").is_none() && option(word, "ttl:").is_none()
            });
            Reason::from_words(kept).ok()
        })
    }

    fn a_create() -> impl Strategy<Value = Create> {
        (
            a_user(),
            prop::option::of("[a-z0-9-]{1,32}"),
            prop::sample::select(&UseCase::ALL[..]),
            1u16..=3650,
            a_reason(),
        )
            .prop_map(|(user, account, use_case, days, reason)| Create {
                user: user.parse().unwrap(),
                account: account.map(|alias| alias.parse().unwrap()),
                use_case,
                days: Days::try_from(days).unwrap(),
                reason,
            })
    }

    proptest! {
        #[test]
        fn every_create_line_reads_back(
            create in a_create(),
            order in prop::sample::subsequence(vec![0, 1, 2], 3).prop_shuffle(),
            blanks in "[ \t\u{a0}\u{2003}\n]{1,3}",
        ) {
            let escaped = create.reason.as_str().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let at = create.account.as_ref().map(|alias| format!("@{alias}")).unwrap_or_default();
            let parts = [format!("use:{}", create.use_case), format!("ttl:{}", create.days), escaped];
            let mut line = vec!["create".to_owned(), format!("{}{at}", create.user)];
            line.extend(order.iter().map(|index| parts[*index].clone()));
            prop_assert_eq!(line.join(&blanks).parse(), Ok(Command::Create(create)));
        }

        #[test]
        fn a_create_survives_the_queue(create in a_create()) {
            let text = serde_json::to_string(&create).unwrap();
            prop_assert_eq!(serde_json::from_str::<Create>(&text).unwrap(), create);
        }
    }
}
