//! The audit entries of a command that belong to no request.

use crate::aws::Tables;
use crate::domain::audit::{AuditChain, NewAuditEntry};
use crate::id::RequestId;
use crate::store::chains;
use crate::time::Timestamp;

/// Records something that belongs to no request, in a chain of its own.
pub(crate) async fn record_standalone_audit(
    dynamo: &Tables,
    chain: &RequestId,
    now: Timestamp,
    happened: NewAuditEntry,
) -> anyhow::Result<()> {
    let mut entries = AuditChain::default();
    entries.append(chain, now, happened);
    // First, so that `audit verify` misses the entry if it is lost; but a table that cannot be written loses no entry.
    let kept = dynamo.write(vec![chains::put_standalone_chain_head(chain, &entries)]).await;
    for entry in &entries.outbox {
        dynamo.insert_audit(chain, entry).await?;
    }
    Ok(kept?)
}
