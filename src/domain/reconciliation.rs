//! What the daily comparison of IAM with the table has found so far: stored page by page, and reported from the table when
//! the last page is read. No message carries it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

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
    pub more: usize,
}

impl Findings {
    /// The findings with those of one page; `None` where they are in it already, or a later comparison has begun.
    #[must_use]
    pub fn with_page(&self, begun: Timestamp, page: &str, found: &[String]) -> Option<Self> {
        let mut next = match self {
            stored if stored.begun == Some(begun) => stored.clone(),
            stored if stored.begun > Some(begun) => return None,
            _ => Self { begun: Some(begun), ..Self::default() },
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
}

#[cfg(test)]
mod tests {
    use super::*;

    // T7.6
    #[test]
    fn reconciliation_page_is_stored_once() {
        // Findings of an older run are never stored.
        let found = |from: usize, to: usize| (from..to).map(|n| format!("key {n}")).collect::<Vec<_>>();
        let empty = Findings::default();
        let first = empty.with_page(Timestamp(10), "a/0", &found(0, 15)).unwrap();
        let stored = first.clone();
        assert_eq!(stored.with_page(Timestamp(10), "a/0", &found(0, 15)), None, "its message came again");
        assert_eq!(stored.with_page(Timestamp(9), "b/0", &found(0, 1)), None, "its reading is over");
        let second = stored.with_page(Timestamp(10), "a/1", &found(15, 25)).unwrap();
        assert_eq!((second.lines.len(), second.more), (20, 5));
        let next = stored.with_page(Timestamp(11), "a/0", &found(0, 1)).unwrap();
        assert_eq!((next.lines, next.more), (found(0, 1), 0), "another comparison begins empty");
    }
}
