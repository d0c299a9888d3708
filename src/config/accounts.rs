//! The accounts by their aliases, of which neither may stand there twice.

use crate::config::json_pairs::JsonPairs;
use crate::domain::iam::Account;
use crate::id::{AccountAlias, AccountId};

const ACCOUNTS: &str = "must be JSON such as {\"prod\":\"123456789012\"}";

pub(crate) fn parse_accounts(json: &str) -> Result<Vec<Account>, String> {
    let JsonPairs(pairs) = serde_json::from_str(json).map_err(|_| ACCOUNTS.to_owned())?;
    let mut accounts: Vec<Account> = Vec::new();
    for (alias, account) in pairs {
        let alias: AccountAlias = alias.parse().map_err(|error| format!("has a name that is {error}"))?;
        let id: AccountId = account.parse().map_err(|error| format!("has a value that is {error}"))?;
        if accounts.iter().any(|known| known.alias == alias) {
            return Err(format!("names `{alias}` twice"));
        }
        if let Some(known) = accounts.iter().find(|known| known.id == id) {
            return Err(format!(
                "names the account {id} twice, `{}` and `{alias}`: remove one of these aliases",
                known.alias
            ));
        }
        accounts.push(Account { alias, id });
    }
    if accounts.is_empty() { Err(ACCOUNTS.to_owned()) } else { Ok(accounts) }
}
