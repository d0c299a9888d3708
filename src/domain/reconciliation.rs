//! What the daily comparison of IAM with the table has found so far: stored page by page, and reported from the table when
//! the last page is read. No message carries it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::aws::item::{Attribute, Item, Table, Write, number, text, values};
use crate::store::NEW;
use crate::time::Timestamp;

/// The key of its item in table `Requests`.
pub const FINDINGS: &str = "reconciliation";
/// How many keys a report names; the rest it counts.
const NAMED: usize = 20;

/// The findings of one comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// When its reading of IAM began.
    pub begun: Option<Timestamp>,
    /// The pages whose findings are in it.
    pages: BTreeSet<String>,
    /// Keys that do not match the table, each on a line.
    pub lines: Vec<String>,
    /// How many more.
    pub more: usize,
}

/// The item as read, or what stands for it before there is one.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// What it holds.
    pub findings: Findings,
    version: i64,
}

impl Stored {
    /// The findings with those of one page; `None` where they are in it already, or a later comparison has begun.
    #[must_use]
    pub fn with(&self, begun: Timestamp, page: &str, found: &[String]) -> Option<Findings> {
        let mut next = match &self.findings {
            stored if stored.begun == Some(begun) => stored.clone(),
            stored if stored.begun > Some(begun) => return None,
            _ => Findings { begun: Some(begun), ..Findings::default() },
        };
        if !next.pages.insert(page.to_owned()) {
            return None;
        }
        for line in found {
            if next.lines.len() < NAMED {
                next.lines.push(line.clone());
            } else {
                next.more += 1;
            }
        }
        Some(next)
    }

    /// The write that puts `next` in its place.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn replace(&self, next: &Findings) -> anyhow::Result<Write> {
        let item = values([
            ("pk", FINDINGS.into()),
            ("version", (self.version + 1).into()),
            ("document", Attribute::Text(serde_json::to_string(next)?)),
        ]);
        let (condition, values) = if self.version == 0 {
            (NEW, Item::new())
        } else {
            ("version = :version", values([(":version", self.version.into())]))
        };
        Ok(Write::Put { table: Table::Requests, item, condition, values })
    }
}

impl TryFrom<&Item> for Stored {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let findings = serde_json::from_str(text(item, "document")?)?;
        Ok(Self { findings, version: number(item, "version")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T7.6
    #[test]
    fn reconciliation_page_is_stored_once() {
        // Findings of an older run are never stored.
        let found = |from: usize, to: usize| (from..to).map(|n| format!("key {n}")).collect::<Vec<_>>();
        let empty = Stored::default();
        let first = empty.with(Timestamp(10), "a/0", &found(0, 15)).unwrap();
        let stored = Stored { findings: first.clone(), version: 1 };
        assert_eq!(stored.with(Timestamp(10), "a/0", &found(0, 15)), None, "its message came again");
        assert_eq!(stored.with(Timestamp(9), "b/0", &found(0, 1)), None, "its reading is over");
        let second = stored.with(Timestamp(10), "a/1", &found(15, 25)).unwrap();
        assert_eq!((second.lines.len(), second.more), (20, 5));
        let next = stored.with(Timestamp(11), "a/0", &found(0, 1)).unwrap();
        assert_eq!((next.lines, next.more), (found(0, 1), 0), "another comparison begins empty");
    }
}
