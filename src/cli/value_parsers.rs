//! What can be given to a flag: each checked as it is read, with an error that says what would be right.

use std::str::FromStr;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::output::usage;
use crate::domain::use_case::UseCase;
use crate::id::{AccountAlias, AccountId, IamUserName, PersonId, SlackUserId};
use crate::policy::{Action, RiskFlag};
use crate::slack::command::TypedUser;
use crate::time::Timestamp;

/// A value that is not what a flag takes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidArgument(&'static str);

/// A moment, or the beginning of a day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = InvalidArgument;
    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        let at = DateTime::from_str(&whole, Format::DateTimeWithOffset);
        at.map(|at| Self(Timestamp(at.secs()))).map_err(|_| InvalidArgument(usage::NOT_A_MOMENT))
    }
}

/// The hash of a checkpoint: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor(pub String);

impl FromStr for Anchor {
    type Err = InvalidArgument;
    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let hash = text.trim().to_ascii_lowercase();
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hash { Ok(Self(hash)) } else { Err(InvalidArgument(usage::NOT_A_HASH)) }
    }
}

/// A person, whose workspace may be clear without being said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonArg {
    /// `U...`
    User(SlackUserId),
    /// `T....U...`
    Person(PersonId),
}

impl FromStr for PersonArg {
    type Err = InvalidArgument;
    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let user = text.parse().map(Self::User);
        user.or_else(|_| PersonId::try_from(text.to_owned()).map(Self::Person))
            .map_err(|_| InvalidArgument(usage::NOT_A_PERSON))
    }
}

/// An account by the alias or number that somebody gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountArg {
    /// 12 digits.
    Id(AccountId),
    /// An alias of `KEYVEND_ACCOUNTS`.
    Alias(AccountAlias),
}

impl From<AccountAlias> for AccountArg {
    fn from(alias: AccountAlias) -> Self {
        alias.as_str().parse().map_or(Self::Alias(alias), Self::Id)
    }
}

impl FromStr for AccountArg {
    type Err = InvalidArgument;
    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        text.parse::<AccountAlias>().map(Self::from).map_err(|_| InvalidArgument(usage::NOT_AN_ACCOUNT))
    }
}

/// An IAM user with its account, if that was said: read as the slash command reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAt {
    /// Its name.
    pub name: IamUserName,
    /// Its account.
    pub account: Option<AccountArg>,
}

impl FromStr for UserAt {
    type Err = InvalidArgument;
    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let typed: TypedUser = text.parse().map_err(|_| InvalidArgument(usage::NOT_AN_IAM_USER))?;
        Ok(Self { name: typed.user, account: typed.account.map(AccountArg::from) })
    }
}

/// A name for the audit trail that cannot be mistaken for somebody in Slack or for keyvend itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorName(String);

impl OperatorName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorName {
    type Err = InvalidArgument;
    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let plain = |c: char| c.is_alphanumeric() || " .,@_+-".contains(c);
        let taken =
            PersonId::try_from(text.to_owned()).is_ok() || text.starts_with("keyvend") || text == "reveal";
        let fits = (1..=64).contains(&text.chars().count()) && text.chars().all(plain) && text.trim() == text;
        if fits && !taken { Ok(Self(text.to_owned())) } else { Err(InvalidArgument(usage::NOT_A_NAME)) }
    }
}

/// Reads an action.
pub fn action() -> impl TypedValueParser<Value = Action> {
    one_of(Action::ALL.map(|action| (action.as_str(), action)))
}

/// Reads a use case.
pub fn use_case() -> impl TypedValueParser<Value = UseCase> {
    one_of(UseCase::ALL.map(|use_case| (use_case.as_str(), use_case)))
}

/// Reads a concern.
pub fn concern() -> impl TypedValueParser<Value = RiskFlag> {
    one_of(RiskFlag::ALL.map(|concern| (concern.as_str(), concern)))
}

fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(|(name, _)| name)).try_map(move |text| {
        let found = all.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or(InvalidArgument(usage::NOT_ONE_OF_THESE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_argument_is_date_or_zoned_time() {
        let cases = [
            ("2025-11-24", Some(1_763_942_400)),
            ("2025-11-24T16:00:00Z", Some(1_764_000_000)),
            ("2025-11-24T17:00:00+01:00", Some(1_764_000_000)),
            ("2025-11-24T16:00:00", None),
            ("2025-13-01", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Moment>().ok().map(|moment| moment.0.0), expected, "{text}");
        }
    }

    #[test]
    fn an_anchor_is_a_sha_256_in_hexadecimal() {
        let hash = "ab".repeat(32);
        assert_eq!(hash.to_uppercase().parse::<Anchor>().unwrap().0, hash);
        for wrong in [&hash[1..], "g", "", &format!("{hash}0")] {
            assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn account_argument_is_number_or_alias() {
        let user: UserAt = "ci@123456789012".parse().unwrap();
        assert_eq!(user.account, Some(AccountArg::Id("123456789012".parse().unwrap())));
        let user: UserAt = "ci@prod".parse().unwrap();
        assert_eq!(user.account, Some(AccountArg::Alias("prod".parse().unwrap())));
        assert_eq!("ci".parse::<UserAt>().unwrap().account, None);
        assert!("ci/x".parse::<UserAt>().is_err());
    }

    #[test]
    fn an_operators_name_cannot_pass_for_somebody_else() {
        for good in ["Jane Doe", "jane@example.com", "on-call", "Zoë"] {
            assert!(good.parse::<OperatorName>().is_ok(), "{good}");
        }
        for bad in
            ["", " x", "T0001.U0ALICE", "keyvend", "keyvend.expiry", "reveal", "=x", "a\nb", "a;b", "<x>"]
        {
            assert!(bad.parse::<OperatorName>().is_err(), "{bad}");
        }
    }
}
