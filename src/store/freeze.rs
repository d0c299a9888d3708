//! The freeze of all issuing.

use std::fmt;

use crate::aws::Tables;
use crate::aws::item::{Item, Table, Update, Write, number, text, values};
use crate::time::Timestamp;

/// The key of the item that stops all issuing.
pub const FREEZE_PK: &str = "freeze";

/// Holds only while nobody has stopped all issuing.
#[must_use]
pub fn not_frozen() -> Write {
    let condition = "attribute_not_exists(frozen_by)";
    Write::Check { table: Table::Requests, key: FREEZE_PK.to_owned(), condition, values: Item::new() }
}

/// Stops all issuing, where it goes on.
#[must_use]
pub fn freeze(by: impl fmt::Display, at: Timestamp) -> Update {
    Update { condition: "attribute_not_exists(frozen_by)", ..freeze_again(by, at) }
}

/// Stops it once more, where it is stopped: a resume that has not seen this one loses.
#[must_use]
pub fn freeze_again(by: impl fmt::Display, at: Timestamp) -> Update {
    Update {
        update: "SET frozen_by = :by, frozen_at = :at",
        condition: "attribute_exists(frozen_by)",
        values: values([(":by", by.to_string().as_str().into()), (":at", at.0.into())]),
    }
}

/// Lets issuing go on, if it was stopped before `asked_at`. Within one second it cannot be told which came first, and the
/// stop stays.
#[must_use]
pub fn unfreeze(asked_at: Timestamp) -> Update {
    Update {
        update: "REMOVE frozen_by, frozen_at",
        condition: "frozen_at < :asked_at",
        values: values([(":asked_at", asked_at.0.into())]),
    }
}

/// Who stopped all issuing last, as stored, and when; none while it goes on.
pub async fn frozen(dynamo: &Tables) -> anyhow::Result<Option<(String, Timestamp)>> {
    let Some(item) = dynamo.get(Table::Requests, FREEZE_PK, None).await? else { return Ok(None) };
    match text(&item, "frozen_by") {
        Ok(by) => Ok(Some((by.to_owned(), Timestamp(number(&item, "frozen_at")?)))),
        Err(_) => Ok(None),
    }
}

/// Whether all issuing is stopped.
pub async fn is_frozen(dynamo: &Tables) -> anyhow::Result<bool> {
    let item = dynamo.get(Table::Requests, FREEZE_PK, None).await?;
    Ok(item.is_some_and(|item| item.contains_key("frozen_by")))
}
