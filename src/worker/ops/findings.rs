//! What the daily comparisons found, of all accounts.

use futures_util::future::try_join_all;

use crate::domain::iam::Account;
use crate::store::document::{StoredFindings, findings_pk};
use crate::worker::context::Context;

/// How many accounts are read at a time.
const AT_ONCE: usize = 16;

/// The findings account by account, in the configured order.
pub(crate) async fn read_findings(ctx: &Context) -> anyhow::Result<Vec<(&Account, StoredFindings)>> {
    let mut all = Vec::new();
    for some in ctx.config.accounts.chunks(AT_ONCE) {
        let read = some.iter().map(|account| async move {
            anyhow::Ok((account, StoredFindings::read(&ctx.tables, &findings_pk(&account.id)).await?))
        });
        all.extend(try_join_all(read).await?);
    }
    Ok(all)
}
