//! Records that a key's holder has it.

use crate::aws::WriteError;
use crate::domain::key::{IssuedKey, KeyState};
use crate::id::AccessKeyId;
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES};
use crate::worker::ops::key_expiry::record_successor;

/// Its holder has it. One that expired before stays as it is.
pub(crate) async fn confirm(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> Result<(), HandleError> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(stored) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
        if stored.issued.state != KeyState::Delivered {
            return Ok(());
        }
        let next = IssuedKey { state: KeyState::Confirmed, ..stored.issued.clone() };
        let mut writes = vec![stored.update(&next)?];
        writes.extend(record_successor(ctx, &next, now).await?);
        match ctx.tables.write(writes).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("a key changed too often to be confirmed").into())
}
