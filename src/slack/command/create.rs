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
mod tests;
