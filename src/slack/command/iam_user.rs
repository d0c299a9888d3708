//! IAM users as people type them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::iam::IamUserRef;
use crate::id::{AccountAlias, AccountId, IamUserName, InvalidId};
use crate::slack::command::word::{ascii_hyphens, unwrapped};

/// An IAM user as it is typed: `bob`, or `bob@prod`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedUser {
    pub user: IamUserName,
    /// The account that it is in; none is the home account.
    pub account: Option<AccountAlias>,
}

impl fmt::Display for TypedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            None => write!(f, "{}", self.user),
            Some(account) => write!(f, "{}@{account}", self.user),
        }
    }
}

impl From<&IamUserRef> for TypedUser {
    fn from(user: &IamUserRef) -> Self {
        Self { user: user.name.clone(), account: Some(user.account.alias.clone()) }
    }
}

/// Reads a name, `name@account`, or an ARN.
///
/// An IAM user name may hold `@` itself. What stands after the *last* `@` is the account if it could be an alias (lower-case
/// letters, digits, hyphens): `bob@prod` is bob in prod, `bob@example.com` is one name, because an alias has no dot. A user
/// really named `bob@prod` is typed with its account: `bob@prod@home`.
impl FromStr for TypedUser {
    type Err = InvalidId;

    fn from_str(word: &str) -> Result<Self, InvalidId> {
        let word = ascii_hyphens(&word.replace('`', ""));
        let word = unwrapped(&word);
        if let Some(arn) = word.strip_prefix("arn:") {
            return of_arn(arn).ok_or(InvalidId("the ARN of an IAM user"));
        }
        if let Some((user, alias)) = word.rsplit_once('@')
            && let Ok(account) = alias.parse()
        {
            return Ok(Self { user: user.parse()?, account: Some(account) });
        }
        Ok(Self { user: word.parse()?, account: None })
    }
}

/// `aws:iam::123456789012:user/path/name`: the account's number stands for its alias
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
fn of_arn(arn: &str) -> Option<TypedUser> {
    let mut parts = arn.splitn(5, ':');
    let (_partition, service, _region) = (parts.next()?, parts.next()?, parts.next()?);
    let (account, resource) = (parts.next()?, parts.next()?);
    let path = resource.strip_prefix("user/").filter(|_| service == "iam")?;
    let name = path.rsplit('/').next()?;
    let account: AccountId = account.parse().ok()?;
    Some(TypedUser { user: name.parse().ok()?, account: Some(account.as_str().parse().ok()?) })
}
