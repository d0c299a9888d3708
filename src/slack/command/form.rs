//! A form as it was filled in, judged by the grammar of the typed line.

use std::collections::BTreeMap;

use crate::domain::reason::{InvalidReason, Reason};
use crate::id::AccountAlias;
use crate::slack::command::create::{Create, days};
use crate::slack::command::error::Problem;
use crate::slack::command::iam_user::TypedUser;
use crate::slack::command::secret::holds_secret;
use crate::text::is_blank;

/// A field of a form; its name is the block's that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// One of the person's own IAM users.
    Own,
    /// An IAM user, written as in a typed line. It counts before a chosen one.
    Other,
    /// Other accounts, in which the same is requested.
    Accounts,
    /// What the key is for.
    UseCase,
    /// How long it shall live.
    Lifetime,
    Reason,
}

impl Field {
    /// The `block_id`.
    #[must_use]
    pub fn block_id(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
            Self::Accounts => "accounts",
            Self::UseCase => "use-case",
            Self::Lifetime => "lifetime",
            Self::Reason => "reason",
        }
    }

    fn of(self, values: &BTreeMap<String, String>) -> Option<&str> {
        let value = values.get(self.block_id())?.trim_matches(is_blank);
        (!value.is_empty()).then_some(value)
    }
}

/// Between what was chosen in a menu of which several can be.
pub(crate) const CHOSEN_SEPARATOR: char = ',';

/// A field and what is wrong with it.
type Wrong = (Field, Problem);

impl Create {
    /// Reads the form in which a key is asked for, by the fields' `block_id`.
    ///
    /// # Errors
    /// Everything that is wrong, each with the field that it is said at.
    pub fn filled(values: &BTreeMap<String, String>) -> Result<Self, Vec<Wrong>> {
        if let Some((field, _)) = holding_secret(values) {
            return Err(vec![(field, Problem::SecretTyped)]);
        }
        let field = |field: Field| field.of(values);
        let user = match field(Field::Other).or(field(Field::Own)) {
            None => Err((Field::Other, Problem::UserMissing)),
            Some(word) => {
                word.parse::<TypedUser>().map_err(|_| (Field::Other, Problem::NotAnIamUser(word.to_owned())))
            }
        };
        let use_case = match field(Field::UseCase) {
            None => Err((Field::UseCase, Problem::UseMissing)),
            Some(word) => {
                word.parse().map_err(|_| (Field::UseCase, Problem::UnknownUseCase(word.to_owned(), None)))
            }
        };
        let days = match field(Field::Lifetime) {
            None => Err((Field::Lifetime, Problem::TtlMissing)),
            Some(word) => {
                days(word).ok_or_else(|| (Field::Lifetime, Problem::InvalidLifetime(word.to_owned())))
            }
        };
        match (user, use_case, days, reason(values)) {
            (Ok(TypedUser { user, account }), Ok(use_case), Ok(days), Ok(reason)) => {
                Ok(Self { user, account, use_case, days, reason })
            }
            (user, use_case, days, reason) => {
                Err([user.err(), use_case.err(), days.err(), reason.err()].into_iter().flatten().collect())
            }
        }
    }
}

/// So many other accounts can be chosen in the form.
pub const MOST_OTHER_ACCOUNTS: usize = 4;

/// Reads in which other accounts the form requests the same.
///
/// # Errors
/// What is wrong with them.
pub fn other_accounts(values: &BTreeMap<String, String>) -> Result<Vec<AccountAlias>, Wrong> {
    let chosen = Field::Accounts.of(values).unwrap_or_default();
    let parsed = chosen
        .split(CHOSEN_SEPARATOR)
        .filter(|alias| !alias.is_empty())
        .map(|alias| alias.parse().map_err(|_| (Field::Accounts, Problem::NotAnAccount(alias.to_owned()))));
    let accounts = parsed.collect::<Result<Vec<_>, _>>()?;
    if accounts.len() > MOST_OTHER_ACCOUNTS {
        return Err((Field::Accounts, Problem::NotAnAccount(chosen.to_owned())));
    }
    Ok(accounts)
}

/// Reads the form in which an approver says why they deny.
///
/// # Errors
/// What is wrong with the reason.
pub fn review_reason(values: &BTreeMap<String, String>) -> Result<Reason, Wrong> {
    reason(values)
}

/// The field that seems to hold a secret access key.
fn holding_secret(values: &BTreeMap<String, String>) -> Option<(Field, &str)> {
    let fields = [Field::Own, Field::Other, Field::UseCase, Field::Lifetime, Field::Reason];
    fields
        .into_iter()
        .filter_map(|field| Some((field, field.of(values)?)))
        .find(|(_, text)| holds_secret(text))
}

fn reason(values: &BTreeMap<String, String>) -> Result<Reason, Wrong> {
    if let Some((field, _)) = holding_secret(values) {
        return Err((field, Problem::SecretTyped));
    }
    let text = values.get(Field::Reason.block_id()).cloned().unwrap_or_default();
    Reason::try_from(text).map_err(|wrong| match wrong {
        InvalidReason::Empty => (Field::Reason, Problem::ReasonMissing),
        InvalidReason::TooLong => (Field::Reason, Problem::ReasonTooLong),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slack::command::Command;

    fn values(pairs: &[(Field, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(field, value)| (field.block_id().to_owned(), (*value).to_owned())).collect()
    }

    const REST: [(Field, &str); 3] =
        [(Field::UseCase, "cli"), (Field::Lifetime, "30d"), (Field::Reason, "to deploy")];

    #[test]
    fn form_submission_equals_typed_command() {
        let cases: [(&[(Field, &str)], &str); 4] = [
            (&[(Field::Own, "ci@prod")], "ci@prod"),
            (&[(Field::Other, "  bob ")], "bob"),
            (&[(Field::Own, "ci@prod"), (Field::Other, "bob@example.com")], "bob@example.com"),
            (&[(Field::Own, "ci@prod"), (Field::Other, "\u{a0}")], "ci@prod"),
        ];
        for (user, typed) in cases {
            let line = format!("create {typed} use:cli ttl:30d to deploy");
            let filled = Create::filled(&values(&[user, &REST].concat())).map(Command::Create);
            assert_eq!(filled, Ok(line.parse().unwrap()), "{user:?}");
        }
    }

    #[test]
    fn other_accounts_are_few_and_well_named() {
        let read = |chosen: &str| {
            let accounts = other_accounts(&values(&[(Field::Accounts, chosen)]));
            accounts.map(|accounts| accounts.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(other_accounts(&BTreeMap::new()), Ok(Vec::new()));
        assert_eq!(read("prod,sandbox"), Ok(vec!["prod".to_owned(), "sandbox".to_owned()]));
        assert_eq!(read("a,b,c,d").map(|four| four.len()), Ok(4));
        assert_eq!(read("a,b,c,d,e"), Err((Field::Accounts, Problem::NotAnAccount("a,b,c,d,e".to_owned()))));
        assert_eq!(read("a b"), Err((Field::Accounts, Problem::NotAnAccount("a b".to_owned()))));
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let long = "x".repeat(201);
        let wrong = [
            (Field::Other, "a/b"),
            (Field::UseCase, "laptop"),
            (Field::Lifetime, "forever"),
            (Field::Reason, &long),
        ];
        let expected = vec![
            (Field::Other, Problem::NotAnIamUser("a/b".to_owned())),
            (Field::UseCase, Problem::UnknownUseCase("laptop".to_owned(), None)),
            (Field::Lifetime, Problem::InvalidLifetime("forever".to_owned())),
            (Field::Reason, Problem::ReasonTooLong),
        ];
        assert_eq!(Create::filled(&values(&wrong)), Err(expected));
        let lacking = vec![
            (Field::Other, Problem::UserMissing),
            (Field::UseCase, Problem::UseMissing),
            (Field::Lifetime, Problem::TtlMissing),
            (Field::Reason, Problem::ReasonMissing),
        ];
        assert_eq!(Create::filled(&BTreeMap::new()), Err(lacking));
        let wrong = Create::filled(&values(&[&[(Field::Own, "<@U1>")], &REST[..]].concat())).unwrap_err();
        assert_eq!(wrong, [(Field::Other, Problem::NotAnIamUser("<@U1>".to_owned()))]);
    }

    #[test]
    fn form_reason_is_taken_literally() {
        let escaped = [(Field::Reason, "&lt;!channel&gt; <!channel> `x`")];
        assert_eq!(review_reason(&values(&escaped)).unwrap().as_str(), "&lt;!channel&gt; <!channel> `x`");
    }

    proptest! {
        #[test]
        fn any_form_is_read_or_refused(texts in prop::collection::vec(any::<String>(), 5)) {
            let fields = [Field::Own, Field::Other, Field::UseCase, Field::Lifetime, Field::Reason];
            let filled = fields.iter().zip(&texts).map(|(field, text)| (field.block_id().to_owned(), text.clone()));
            if let Err(wrong) = Create::filled(&filled.collect()) {
                prop_assert!(!wrong.is_empty());
            }
        }
    }
}
