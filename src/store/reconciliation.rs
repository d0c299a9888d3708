//! The findings of the daily reconciliation in table `Requests`: one item.

use crate::aws::item::{Attribute, Item, Table, Write, number, text, values};
use crate::domain::reconciliation::Findings;
use crate::store::partition::CONDITION_ABSENT;

/// The key of the item.
pub const FINDINGS_PK: &str = "reconciliation";

/// The item as read, or what stands for it before there is one.
#[derive(Clone, Debug, Default)]
pub struct StoredFindings {
    pub findings: Findings,
    version: i64,
}

impl StoredFindings {
    /// The write that puts `next` in its place.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn replace(&self, next: &Findings) -> anyhow::Result<Write> {
        let item = values([
            ("pk", FINDINGS_PK.into()),
            ("version", (self.version + 1).into()),
            ("document", Attribute::Text(serde_json::to_string(next)?)),
        ]);
        let (condition, values) = if self.version == 0 {
            (CONDITION_ABSENT, Item::new())
        } else {
            ("version = :version", values([(":version", self.version.into())]))
        };
        Ok(Write::Put { table: Table::Requests, item, condition, values })
    }
}

impl TryFrom<&Item> for StoredFindings {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let findings = serde_json::from_str(text(item, "document")?)?;
        Ok(Self { findings, version: number(item, "version")? })
    }
}
