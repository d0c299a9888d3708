//! The account that a command means: given by alias or number, or the caller's own.

use crate::cli::failure::Failure;
use crate::cli::output::failure;
use crate::cli::value_parsers::AccountArg;
use crate::domain::iam::Account;
use crate::id::AccountId;

/// The account that is meant: as given, looked for among those that are configured; a number may be of any other too.
pub(crate) fn find_account(given: &AccountArg, known: &[Account]) -> Result<Account, Failure> {
    let found = known.iter().find(|account| match given {
        AccountArg::Id(id) => account.id == *id,
        AccountArg::Alias(alias) => account.alias == *alias,
    });
    match (found, given) {
        (Some(account), _) => Ok(account.clone()),
        (None, AccountArg::Id(id)) => unnamed(id, known),
        (None, AccountArg::Alias(alias)) => Err(failure::unknown_account(alias, known)),
    }
}

/// The account of the caller's own credentials, under the alias that it is configured with, if any.
pub(crate) fn own_account(own: &AccountId, known: &[Account]) -> Result<Account, Failure> {
    match known.iter().find(|account| account.id == *own) {
        Some(account) => Ok(account.clone()),
        None => unnamed(own, known),
    }
}

/// An account that no alias is configured for goes by its number, or by `home` where none is, as the template has it.
fn unnamed(id: &AccountId, known: &[Account]) -> Result<Account, Failure> {
    let alias = if known.is_empty() { "home" } else { id.as_str() };
    let alias = alias.parse().map_err(anyhow::Error::from)?;
    Ok(Account { alias, id: id.clone() })
}
