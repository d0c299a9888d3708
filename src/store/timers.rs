//! Timers of items: moved on where what they call for failed.

use crate::aws::Tables;
use crate::aws::item::{Table, Update, number, values};
use crate::domain::timer::Lane;
use crate::time::Timestamp;

/// Moves an item's timer on, if it is still the one that ran out.
#[must_use]
pub fn postpone(due_at: Timestamp, until: Timestamp) -> Update {
    Update {
        update: "SET due_at = :until",
        condition: "due_at = :due",
        values: values([(":until", until.0.into()), (":due", due_at.0.into())]),
    }
}

/// The same after a failure, with how often it failed in a row.
#[must_use]
pub fn back_off(due_at: Timestamp, until: Timestamp, failures: i64) -> Update {
    Update {
        update: "SET due_at = :until, due_failures = :failures",
        condition: "due_at = :due",
        values: values([
            (":until", until.0.into()),
            (":due", due_at.0.into()),
            (":failures", failures.into()),
        ]),
    }
}

/// How often in a row what an item's timer calls for failed.
pub async fn failures(tables: &Tables, table: Table, key: &str) -> anyhow::Result<i64> {
    let item = tables.get(table, key, None).await?;
    Ok(item.and_then(|item| number(&item, "due_failures").ok()).unwrap_or(0))
}

/// Whether this is an item's timer.
pub async fn is_due(tables: &Tables, key: &str, due_at: Timestamp) -> anyhow::Result<bool> {
    let item = tables.get(Table::Requests, key, None).await?;
    Ok(item.is_some_and(|item| number(&item, "due_at").is_ok_and(|at| at == due_at.0)))
}

/// Gives a timer to a stored notification that could not be delivered.
#[must_use]
pub fn retry_notification(key: &str, at: Timestamp, failures: i64) -> Update {
    Update {
        update: "SET due_at = :due, due_shard = :shard, due_failures = :failures",
        condition: "attribute_exists(pk)",
        values: values([
            (":due", at.0.into()),
            (":shard", Lane::Outbox.shard(key).into()),
            (":failures", failures.into()),
        ]),
    }
}

/// Takes a timer away, if it is still the one that ran out.
#[must_use]
pub fn clear(due_at: Timestamp) -> Update {
    Update {
        update: "REMOVE due_at",
        condition: "due_at = :due",
        values: values([(":due", due_at.0.into())]),
    }
}
