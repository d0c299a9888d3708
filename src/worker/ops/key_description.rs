//! Descriptions of keys: a tag on the IAM user that is named after the key, as the console shows it. IAM allows 50 tags
//! on a user, so a description goes when its key does. Nothing depends on one: a failure is a note in the log.

use crate::aws::session_policy::{self, IamStep};
use crate::domain::iam::Account;
use crate::id::{AccessKeyId, IamUserName};
use crate::time::Timestamp;
use crate::worker::context::Context;

/// Whose descriptions, and how the session that removes them is named in CloudTrail.
#[derive(Clone, Copy)]
pub(crate) struct Described<'a> {
    pub account: &'a Account,
    pub user: &'a IamUserName,
    pub path: &'a str,
    pub operation: &'a str,
    pub by: &'a str,
}

/// Removes the descriptions of keys that the IAM user no longer has. `deleted` is one of them, also while IAM still
/// lists it.
pub(crate) async fn remove_descriptions(
    ctx: &Context,
    of: Described<'_>,
    deleted: Option<&AccessKeyId>,
    now: Timestamp,
) {
    if let Err(error) = try_to_remove_descriptions(ctx, of, deleted, now).await {
        tracing::warn!(error = format!("{error:#}"), "removing descriptions of deleted keys failed");
    }
}

async fn try_to_remove_descriptions(
    ctx: &Context,
    of: Described<'_>,
    deleted: Option<&AccessKeyId>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let mut described = ctx.lookup.described_keys(of.account, of.user, now).await?;
    // Listed after the tags were read: a key described since then is not among them.
    let keys = ctx.lookup.keys(of.account, of.user, now).await?;
    described.retain(|key| deleted == Some(key) || !keys.iter().any(|listed| listed.id == *key));
    if described.is_empty() {
        return Ok(());
    }
    let policy = session_policy::write_policy(IamStep::RemoveDescriptions, of.account, of.path, of.user)?;
    let iam = ctx.sts.session(of.account, of.operation, of.by, policy).await?;
    iam.untag_keys(of.user, &described).await
}
