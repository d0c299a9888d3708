//! Whose a key is: issued by keyvend, a suspect, or a key of somebody else.

use crate::domain::iam::Account;
use crate::domain::key::KeyState;
use crate::id::{AccessKeyId, IamUserName};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::Context;

/// What a key's id leads to.
pub(crate) enum KeyFound {
    /// A key that keyvend issued.
    Issued(Box<StoredKey>),
    /// A key that may have come of an unanswered request.
    Suspect,
    /// A key of an IAM user in one of the accounts, that keyvend did not issue.
    Foreign(Account, IamUserName),
    /// No key of any account.
    Nowhere,
}

/// Whose a key is, as the table or else AWS tells.
pub(crate) async fn find(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> anyhow::Result<KeyFound> {
    let stored = StoredKey::read(&ctx.tables, key).await?;
    find_as(ctx, stored, key, now).await
}

/// The same, of a key that was read.
pub(crate) async fn find_as(
    ctx: &Context,
    stored: Option<StoredKey>,
    key: &AccessKeyId,
    now: Timestamp,
) -> anyhow::Result<KeyFound> {
    match stored {
        Some(stored) if stored.is_managed() => Ok(KeyFound::Issued(Box::new(stored))),
        Some(stored) if matches!(stored.issued.state, KeyState::Suspect { .. }) => Ok(KeyFound::Suspect),
        Some(StoredKey { issued, .. }) => Ok(KeyFound::Foreign(issued.account, issued.user)),
        None => match ctx.lookup.owner_of(&ctx.config.accounts, key, now).await? {
            Some((account, user)) => Ok(KeyFound::Foreign(account.clone(), user)),
            None => Ok(KeyFound::Nowhere),
        },
    }
}
