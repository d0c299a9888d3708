//! The accounts by their aliases, of which neither may stand there twice: a few in the variable itself; any number in a
//! file beside the policies, for Lambda's variables hold 4 KB together.

use std::fs;
use std::path::Path;

use crate::config::json_pairs::JsonPairs;
use crate::domain::iam::Account;
use crate::id::{AccountAlias, AccountId};

/// The file in the folder of the policies, and what names it in the variable.
pub(crate) const FILE: &str = "accounts.json";

const ACCOUNTS: &str = "must be accounts such as prod:123456789012,dev:210987654321, the same as a JSON object, or accounts.json";

/// The longest part of a wrong entry that is repeated.
const REPEATED: usize = 40;

/// The accounts that the variable holds, or the file that it names.
pub(crate) fn parse_accounts(value: &str, policy_dir: &Path) -> Result<Vec<Account>, String> {
    let value = value.trim();
    if value == FILE {
        let path = policy_dir.join(FILE);
        let within = |problem| format!("names a file, and {} {problem}", path.display());
        let json = fs::read_to_string(&path).map_err(|error| within(format!("cannot be read: {error}")))?;
        return from_json(&json).and_then(accounts).map_err(within);
    }
    accounts(if value.starts_with(['{', '[']) { from_json(value)? } else { from_pairs(value)? })
}

/// What is wrong with the file in this folder, where there is one.
#[cfg(feature = "cli")]
pub(crate) fn problem_in_file(policy_dir: &Path) -> Option<String> {
    match fs::read_to_string(policy_dir.join(FILE)) {
        Ok(json) => from_json(&json).and_then(accounts).err(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn from_json(json: &str) -> Result<Vec<(String, String)>, String> {
    let JsonPairs(pairs) = serde_json::from_str(json).map_err(|error| {
        format!(
            "is no JSON object of aliases and account ids, such as {{\"prod\":\"123456789012\"}}, at line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    Ok(pairs)
}

fn from_pairs(value: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = value.split(',').map(|pair| {
        let (alias, account) = pair.trim().split_once(':').ok_or_else(|| ACCOUNTS.to_owned())?;
        Ok((alias.to_owned(), account.to_owned()))
    });
    pairs.collect()
}

fn accounts(pairs: Vec<(String, String)>) -> Result<Vec<Account>, String> {
    let mut accounts: Vec<Account> = Vec::new();
    for (number, (alias, account)) in pairs.into_iter().enumerate() {
        let entry = format!("has as entry {}, {}", number + 1, repeated(&alias, &account));
        let alias: AccountAlias =
            alias.parse().map_err(|error| format!("{entry}, a name that is {error}"))?;
        let id: AccountId = account.parse().map_err(|error| format!("{entry}, a value that is {error}"))?;
        if accounts.iter().any(|known| known.alias == alias) {
            return Err(format!("{entry}, and names `{alias}` twice"));
        }
        if let Some(known) = accounts.iter().find(|known| known.id == id) {
            return Err(format!(
                "{entry}, and names the account {id} twice, `{}` and `{alias}`: remove one of these aliases",
                known.alias
            ));
        }
        accounts.push(Account { alias, id });
    }
    if accounts.is_empty() { Err(ACCOUNTS.to_owned()) } else { Ok(accounts) }
}

/// An entry as its author wrote it, as far as that helps to find it.
fn repeated(alias: &str, account: &str) -> String {
    let cut = |text: &str| text.chars().take(REPEATED).collect::<String>();
    format!("{:?}: {:?}", cut(alias), cut(account))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<Vec<String>, String> {
        let accounts = parse_accounts(value, Path::new("no-such-folder"))?;
        Ok(accounts.into_iter().map(|account| format!("{}:{}", account.alias, account.id)).collect())
    }

    #[test]
    fn accounts_are_read_in_each_form() {
        let expected = ["prod:123456789012", "dev:210987654321"].map(str::to_owned);
        for value in [
            "prod:123456789012,dev:210987654321",
            " prod:123456789012, dev:210987654321\n",
            r#"{"prod":"123456789012","dev":"210987654321"}"#,
            "{\n  \"prod\": \"123456789012\",\n  \"dev\": \"210987654321\"\n}\n",
        ] {
            assert_eq!(parsed(value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn wrong_entry_is_named() {
        for (value, named) in [
            (
                "prod:123456789012,dev:21098765432",
                "has as entry 2, \"dev\": \"21098765432\", a value that is not",
            ),
            (
                "prod:123456789012,Dev:210987654321",
                "has as entry 2, \"Dev\": \"210987654321\", a name that is not",
            ),
            (
                "prod:123456789012,prod:210987654321",
                "entry 2, \"prod\": \"210987654321\", and names `prod` twice",
            ),
            ("{\n\"prod\": \"123456789012\",\n\"dev\": 210987654321\n}", "at line 3, column "),
            ("{\n\"prod\": \"123456789012\",\n}", "at line 3, column "),
            // What a shell leaves of JSON without its quotes.
            ("{prod:123456789012}", "at line 1, column "),
            ("prod", "must be accounts such as"),
            ("prod=123456789012", "must be accounts such as"),
            ("accounts.json", "names a file, and no-such-folder/accounts.json cannot be read: "),
        ] {
            let error = parsed(value).unwrap_err();
            assert!(error.contains(named), "{value}: {error}");
        }
    }
}
