//! `create`: who wants a key of which IAM user, for what, for how long and why.

use serde::{Deserialize, Serialize};

use crate::domain::lifetime::Days;
use crate::domain::reason::{InvalidReason, Reason};
use crate::domain::use_case::UseCase;
use crate::id::{AccountAlias, IamUserName};
use crate::slack::command::error::{Problem, SyntaxError};
use crate::slack::command::iam_user::TypedUser;
use crate::slack::command::prefill::Prefill;
use crate::slack::command::word::{ascii_hyphens, bare, option, unwrapped};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// The IAM user that the key shall be of.
    pub user: IamUserName,
    /// The AWS account that the IAM user is in; none is the home account.
    pub account: Option<AccountAlias>,
    /// What the key is for.
    pub use_case: UseCase,
    /// How long the key shall live.
    pub days: Days,
    /// Why, in the person's own words.
    pub reason: Reason,
}

impl From<&Create> for Prefill {
    fn from(create: &Create) -> Self {
        let user = TypedUser { user: create.user.clone(), account: create.account.clone() };
        Self {
            user: Some(user),
            use_case: Some(create.use_case),
            days: Some(create.days),
            reason: Some(create.reason.clone()),
        }
    }
}

/// What an option says, by any of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    User,
    Account,
    UseCase,
    Lifetime,
    Reason,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        match name {
            "user" | "user-name" | "username" | "iam-user" => Some(Self::User),
            "account" => Some(Self::Account),
            "use" | "use-case" | "usecase" => Some(Self::UseCase),
            "ttl" | "lifetime" => Some(Self::Lifetime),
            "reason" => Some(Self::Reason),
            _ => None,
        }
    }

    /// Whether this can be its value.
    fn takes(self, word: &str) -> bool {
        match self {
            Self::User => word.parse::<TypedUser>().is_ok(),
            Self::Account => account(word).is_some(),
            Self::UseCase => use_case(word).map_or_else(|near| near.is_some(), |_| true),
            Self::Lifetime => days(word).is_some(),
            Self::Reason => false,
        }
    }

    /// The part that a word says, with its value.
    fn of(word: &str) -> Option<(Self, &str)> {
        let option = option(word)?;
        Some((Self::named(&option.name)?, option.value))
    }
}

/// What is right so far. The first problem is the one that is told; what follows it still goes into the correct line.
#[derive(Default)]
struct Draft<'a> {
    user: Option<TypedUser>,
    account: Option<AccountAlias>,
    use_case: Option<UseCase>,
    use_suggested: Option<UseCase>,
    days: Option<Days>,
    reason: Vec<&'a str>,
    problem: Option<Problem>,
}

/// Reads the words after `create`: options in any order and place; of the other words the first is the IAM user, unless
/// an option names it, and the rest is the reason.
pub(crate) fn create<'a>(words: impl Iterator<Item = &'a str>) -> Result<Create, SyntaxError> {
    let mut draft = Draft::default();
    let mut words = words.peekable();
    if let Some(word) = words.next_if(|word| Part::of(word).is_none()) {
        draft.name(word);
    }
    while let Some(word) = words.next() {
        let Some((part, value)) = Part::of(word) else {
            draft.reason.push(word);
            continue;
        };
        // `use: cli` and `--use cli`. What cannot be the value stays in the reason, and is named as what is wrong.
        let value = if value.is_empty() && part != Part::Reason {
            let next = words.peek().copied().filter(|next| Part::of(next).is_none()).map(unwrapped);
            words.next_if(|_| next.is_some_and(|next| part.takes(next)));
            next.unwrap_or_default()
        } else {
            value
        };
        match part {
            Part::User => draft.name(value),
            Part::Account => draft.place(value),
            Part::UseCase => draft.purpose(value),
            Part::Lifetime => {
                let unit = words.next_if(|unit| {
                    is_number(value) && unit_days(&bare(unit).to_ascii_lowercase()).is_some()
                });
                draft.last(value, unit.map(bare).unwrap_or_default());
            }
            Part::Reason => draft.reason.extend(Some(value).filter(|value| !value.is_empty())),
        }
    }
    draft.finish()
}

impl Draft<'_> {
    /// Keeps the first problem.
    fn wrong(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    fn name(&mut self, word: &str) {
        match word.parse::<TypedUser>() {
            Ok(user) if self.user.as_ref().is_none_or(|known| *known == user) => self.user = Some(user),
            Ok(_) => self.wrong(Problem::UserRepeated),
            Err(_) => self.wrong(Problem::NotAnIamUser(word.to_owned())),
        }
    }

    fn place(&mut self, value: &str) {
        match account(value) {
            Some(account) if self.account.as_ref().is_none_or(|known| *known == account) => {
                self.account = Some(account);
            }
            Some(_) => self.wrong(Problem::AccountRepeated),
            None => self.wrong(Problem::NotAnAccount(value.to_owned())),
        }
    }

    fn purpose(&mut self, value: &str) {
        match use_case(value) {
            Ok(use_case) if self.use_case.is_none_or(|known| known == use_case) => {
                self.use_case = Some(use_case);
            }
            Ok(_) => self.wrong(Problem::UseRepeated),
            Err(near) => {
                self.use_suggested = self.use_suggested.or(near);
                self.wrong(Problem::UnknownUseCase(value.to_owned(), near));
            }
        }
    }

    fn last(&mut self, value: &str, unit: &str) {
        match days(&format!("{value}{unit}")) {
            Some(days) if self.days.is_none_or(|known| known == days) => self.days = Some(days),
            Some(_) => self.wrong(Problem::TtlRepeated),
            None => self.wrong(Problem::InvalidLifetime(value.to_owned())),
        }
    }

    /// Where options come first: `create use:cli ttl:7d ci-deployer to deploy`.
    fn take_user_from_reason(&mut self) {
        if self.user.is_none()
            && self.problem.is_none()
            && let Some((word, rest)) = self.reason.split_first()
            && let Ok(user) = word.parse()
        {
            self.user = Some(user);
            self.reason = rest.to_vec();
        }
    }

    /// An account may stand behind the user's name, in an option of its own, or in both.
    fn settle_account(&mut self) {
        let Some(account) = self.account.take() else { return };
        match self.user.as_mut() {
            Some(TypedUser { account: Some(named), .. }) if *named != account => {
                self.wrong(Problem::AccountRepeated);
            }
            Some(user) => user.account = Some(account),
            None => {}
        }
    }

    fn finish(mut self) -> Result<Create, SyntaxError> {
        self.take_user_from_reason();
        self.settle_account();
        let reason = Reason::from_words(self.reason.iter().copied());
        let problem = match (self.problem, &self.user, self.use_case, self.days, &reason) {
            (None, Some(TypedUser { user, account }), Some(use_case), Some(days), Ok(reason)) => {
                let (user, account, reason) = (user.clone(), account.clone(), reason.clone());
                return Ok(Create { user, account, use_case, days, reason });
            }
            (Some(problem), ..) => problem,
            (None, None, ..) => Problem::UserMissing,
            (None, _, None, ..) => Problem::UseMissing,
            (None, _, _, None, _) => Problem::TtlMissing,
            (None, .., Err(InvalidReason::Empty)) => Problem::ReasonMissing,
            (None, .., Err(InvalidReason::TooLong)) => Problem::ReasonTooLong,
        };
        let user = self.user.as_ref().map_or_else(|| "ci-deployer".to_owned(), TypedUser::to_string);
        // A use case that nobody named is left open: an invented one would be requested, approved and audited.
        let use_case = self.use_case.or(self.use_suggested).map_or("<use-case>", UseCase::as_str);
        let days = self.days.unwrap_or(Days::DEFAULT);
        let fitting = fitting(&self.reason);
        let reason = fitting.as_ref().map_or("why you need it", Reason::as_str);
        let correct = format!("create {user} use:{use_case} ttl:{days} {reason}");
        let prefill = Prefill { user: self.user, use_case: self.use_case, days: self.days, reason: fitting };
        Err(SyntaxError { problem, correct, prefill: Some(Box::new(prefill)) })
    }
}

/// The words of a reason as far as they fit.
fn fitting(words: &[&str]) -> Option<Reason> {
    let of_first = |count: usize| Reason::from_words(words.iter().take(count).copied()).ok();
    (1..=words.len()).rev().find_map(of_first)
}

/// The use case that a word is, or the one that it may be meant for.
fn use_case(value: &str) -> Result<UseCase, Option<UseCase>> {
    let name = ascii_hyphens(bare(value)).to_ascii_lowercase().replace('_', "-");
    name.parse().map_err(|_| suggested(&name))
}

/// An account's alias, which has no upper case, or its number.
fn account(value: &str) -> Option<AccountAlias> {
    ascii_hyphens(bare(value)).to_ascii_lowercase().parse().ok()
}

/// A use case for a word that others use for it. It is only suggested: whether it is meant, the person says.
fn suggested(word: &str) -> Option<UseCase> {
    let known = match word {
        "ec2" | "ecs" | "eks" | "lambda" | "fargate" | "batch" | "compute" => Some(UseCase::AwsCompute),
        "laptop" | "local" | "dev" | "development" | "code" | "workstation" => Some(UseCase::LocalCode),
        "ci" | "github" | "gitlab" | "jenkins" | "on-prem" | "onprem" | "datacenter" | "external" => {
            Some(UseCase::OutsideAws)
        }
        "vendor" | "saas" | "partner" => Some(UseCase::ThirdParty),
        "terminal" | "shell" | "command-line" => Some(UseCase::Cli),
        _ => None,
    };
    let mut begun =
        UseCase::ALL.into_iter().filter(|use_case| !word.is_empty() && use_case.as_str().starts_with(word));
    known.or_else(|| begun.next().filter(|_| begun.next().is_none()))
}

/// How many days one of a unit has. Months and years have no certain number.
fn unit_days(unit: &str) -> Option<u16> {
    match unit {
        "d" | "day" | "days" => Some(1),
        "w" | "week" | "weeks" => Some(7),
        _ => None,
    }
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

/// A lifetime: a number of days, with or without its unit, or of weeks.
pub(crate) fn days(value: &str) -> Option<Days> {
    let value = bare(value).to_ascii_lowercase();
    let (number, unit) = value.split_at_checked(value.bytes().take_while(u8::is_ascii_digit).count())?;
    let days = if unit.is_empty() { 1 } else { unit_days(unit)? };
    number.parse::<u16>().ok()?.checked_mul(days)?.try_into().ok()
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
    fn create_arguments_accept_any_order_and_spelling() {
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
            ("create ci use: cli ttl: 30 days to deploy", deploy()),
            ("create ci use=cli ttl=30 to deploy", deploy()),
            ("create ci --use cli --ttl 30 to deploy", deploy()),
            ("create ci \u{2014}use cli \u{2014}ttl 30d to deploy", deploy()),
            ("create --user-name ci --use-case=cli --ttl=30d to deploy", deploy()),
            ("new \u{201c}ci\u{201d} *use:cli* _ttl:30d_ to deploy".replace('_', "").leak(), deploy()),
            ("create ci use:cli use:cli ttl:30d ttl:30 reason: to deploy", deploy()),
            ("/access-key create ci use:CLI ttl:30d. to deploy", deploy()),
            ("create use:cli ttl:30d ci to deploy", deploy()),
            ("create --ttl=30d ci --use=cli to deploy", deploy()),
            ("create ci@prod account:prod use:cli ttl:7d x", of("ci", Some("prod"), UseCase::Cli, 7, "x")),
            ("create ci use:cli ttl:1w to", of("ci", None, UseCase::Cli, 7, "to")),
            ("create ci use:cli ttl:2 weeks to", of("ci", None, UseCase::Cli, 14, "to")),
            ("create ci use:local_code ttl:7d x", of("ci", None, UseCase::LocalCode, 7, "x")),
            (
                "create ci\u{2013}bot use:aws\u{2011}compute ttl:7d x",
                of("ci-bot", None, UseCase::AwsCompute, 7, "x"),
            ),
            ("create ci use:cli ttl:7d --account prod x", of("ci", Some("prod"), UseCase::Cli, 7, "x")),
            (
                "create arn:aws:iam::123456789012:user/build/ci use:cli ttl:7d x",
                of("ci", Some("123456789012"), UseCase::Cli, 7, "x"),
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
    fn invalid_create_line_gets_correction() {
        // The reply names the first problem.
        let all = "create ci use:other ttl:7d why you need it";
        let none = "create ci-deployer use:<use-case> ttl:30d why you need it";
        let long = format!("create ci use:other ttl:7d {}", "x".repeat(201));
        let words = format!("create ci use:other ttl:7d {}", "four ".repeat(41));
        let name = "n".repeat(64);
        let unknown = |word: &str, near| Problem::UnknownUseCase(word.to_owned(), near);
        let cases: &[(&str, Problem, &str)] = &[
            (
                "create use:other ttl:7d",
                Problem::UserMissing,
                "create ci-deployer use:other ttl:7d why you need it",
            ),
            ("create use:other ttl:7d ci", Problem::ReasonMissing, all),
            (
                "create ci@prod --account home use:other ttl:7d x",
                Problem::AccountRepeated,
                "create ci@prod use:other ttl:7d x",
            ),
            (
                "create ci use: nope ttl:7d to go",
                unknown("nope", None),
                "create ci use:<use-case> ttl:7d nope to go",
            ),
            (
                "create a/b use:other ttl:7d x",
                Problem::NotAnIamUser("a/b".to_owned()),
                "create ci-deployer use:other ttl:7d x",
            ),
            ("create @prod", Problem::NotAnIamUser("@prod".to_owned()), none),
            ("create <@U1|bob>", Problem::NotAnIamUser("@bob".to_owned()), none),
            (
                "create ci --user bob use:other ttl:7d x",
                Problem::UserRepeated,
                "create ci use:other ttl:7d x",
            ),
            (
                "create ci account:a/b use:other ttl:7d x",
                Problem::NotAnAccount("a/b".to_owned()),
                "create ci use:other ttl:7d x",
            ),
            // No use case is invented: the line would be approved and audited with it.
            ("create ci ttl:7d x", Problem::UseMissing, "create ci use:<use-case> ttl:7d x"),
            (
                "create ci use:nope ttl:7d to go",
                unknown("nope", None),
                "create ci use:<use-case> ttl:7d to go",
            ),
            (
                "create ci use:ec2 ttl:7d to go",
                unknown("ec2", Some(UseCase::AwsCompute)),
                "create ci use:aws-compute ttl:7d to go",
            ),
            (
                "create ci use:thi ttl:7d to go",
                unknown("thi", Some(UseCase::ThirdParty)),
                "create ci use:third-party ttl:7d to go",
            ),
            ("create ci use:other x", Problem::TtlMissing, "create ci use:other ttl:30d x"),
            ("create ci use:other ttl:7d", Problem::ReasonMissing, all),
            ("create ci use:other ttl:7d \u{7} \u{202e}", Problem::ReasonMissing, all),
            (&long, Problem::ReasonTooLong, all),
            (
                &words,
                Problem::ReasonTooLong,
                &format!("create ci use:other ttl:7d {}", vec!["four"; 40].join(" ")),
            ),
            ("create ci use:other use:cli ttl:7d x", Problem::UseRepeated, "create ci use:other ttl:7d x"),
            ("create ci use:other ttl:7d ttl:8d x", Problem::TtlRepeated, "create ci use:other ttl:7d x"),
            ("create ci use:nope use:other ttl:7d x", unknown("nope", None), "create ci use:other ttl:7d x"),
            ("create ci use: ttl:7d x", unknown("", None), "create ci use:<use-case> ttl:7d x"),
            (
                "create bob@prod",
                Problem::UseMissing,
                "create bob@prod use:<use-case> ttl:30d why you need it",
            ),
            (
                &format!("create {name} use:cli"),
                Problem::TtlMissing,
                &format!("create {name} use:cli ttl:30d why you need it"),
            ),
        ];
        for (line, problem, correct) in cases {
            let error = line.parse::<Command>().unwrap_err();
            assert_eq!((&error.problem, error.correct.as_str()), (problem, *correct), "{line:?}");
        }
        for wrong in
            ["", "d", "0d", "3651d", "99999d", "-1d", "+1d", "1.5d", "12h", "1m", "1y", "30dd", "\u{663}d"]
        {
            let error = format!("create ci use:cli x ttl:{wrong}").parse::<Command>().unwrap_err();
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
            let kept =
                text.split(crate::text::is_blank).filter(|word| !word.is_empty() && Part::of(word).is_none());
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

    /// The words of a line that say something valid.
    fn said(create: &Create) -> [String; 3] {
        [
            TypedUser { user: create.user.clone(), account: create.account.clone() }.to_string(),
            format!("use:{}", create.use_case),
            format!("ttl:{}", create.days),
        ]
    }

    proptest! {
        /// Whatever one part is spoilt: the other parts stay in the line that is suggested.
        #[test]
        fn correction_keeps_every_valid_word(create in a_create(), spoilt in 0_usize..3) {
            let mut parts = said(&create).to_vec();
            parts[spoilt] = ["a/b", "use:nope", "ttl:soon"][spoilt].to_owned();
            let reason = create.reason.as_str().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let line = format!("create {} {reason}", parts.join(" "));
            let error = line.parse::<Command>().unwrap_err();
            for (at, part) in said(&create).iter().enumerate().filter(|(at, _)| *at != spoilt) {
                prop_assert!(error.correct.contains(part.as_str()), "{at}: {} of {line}", error.correct);
            }
            prop_assert!(error.correct.ends_with(create.reason.as_str()), "{} of {line}", error.correct);
        }

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
