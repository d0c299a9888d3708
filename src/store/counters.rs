//! What is counted by person: keys issued a day, and anything else that has a quota.

use crate::aws::item::{Attribute, Table, Update, Write, number, values};
use crate::aws::{Tables, WriteError};
use crate::id::PersonId;
use crate::time::{DAY, Timestamp};

/// By Slack user: somebody in two workspaces of one organization is one person, with one count.
fn count_key(person: &PersonId, now: Timestamp) -> String {
    format!("issued#{}#{}", person.user, now.day())
}

/// How many keys a person was issued on the day of `now`.
pub async fn issued_today(dynamo: &Tables, person: &PersonId, now: Timestamp) -> anyhow::Result<u32> {
    match dynamo.get(Table::Requests, &count_key(person, now), None).await? {
        None => Ok(0),
        Some(item) => Ok(u32::try_from(number(&item, "issued")?)?),
    }
}

/// Counts one more key for that day, if still so many were counted as policy was asked about.
#[must_use]
pub fn increment_daily_count(person: &PersonId, now: Timestamp, seen: u32) -> Write {
    let update = Update {
        update: "SET issued = :next, keep_until = :keep",
        condition: if seen == 0 { "attribute_not_exists(pk) OR issued = :seen" } else { "issued = :seen" },
        values: values([
            (":seen", i64::from(seen).into()),
            (":next", i64::from(seen + 1).into()),
            (":keep", (now.0 + 3 * DAY).into()),
        ]),
    };
    Write::Update { table: Table::Requests, key: count_key(person, now), update }
}

/// Takes one back: no key was created. The day is that of the intent.
#[must_use]
pub fn decrement_daily_count(person: &PersonId, counted_at: Timestamp) -> Write {
    let update = Update {
        update: "SET issued = issued - :one",
        condition: "issued >= :one",
        values: values([(":one", 1.into())]),
    };
    Write::Update { table: Table::Requests, key: count_key(person, counted_at), update }
}

/// A number of things that one person may have in a span of time, each counted once however often it comes.
#[derive(Clone, Debug)]
pub struct Quota {
    key: String,
    most: usize,
    keep_until: Timestamp,
}

impl Quota {
    /// At most `most` of one `kind` in the span of this number. By Slack user: somebody in two workspaces of one organization
    /// is one person.
    #[must_use]
    pub fn new(kind: &str, person: &PersonId, span: i64, most: usize, now: Timestamp) -> Self {
        let keep_until = Timestamp(now.0 + crate::time::DAY);
        Self { key: format!("{kind}#{}#{span}", person.user), most, keep_until }
    }

    /// Counts one more by its name; `false` where there are too many. Counted before, it is not counted again.
    pub async fn take(&self, dynamo: &Tables, name: &str) -> anyhow::Result<bool> {
        let counted = Attribute::Text(name.to_owned());
        let update = Update {
            update: "SET counted = list_append(if_not_exists(counted, :none), :these), keep_until = :keep",
            condition: "attribute_not_exists(counted) OR (size(counted) < :most AND NOT contains(counted, :this))",
            values: values([
                (":none", Attribute::List(Vec::new())),
                (":these", Attribute::List(vec![counted.clone()])),
                (":this", counted.clone()),
                (":most", i64::try_from(self.most)?.into()),
                (":keep", self.keep_until.0.into()),
            ]),
        };
        match dynamo.update(Table::Requests, &self.key, &update).await {
            Ok(_) => Ok(true),
            Err(WriteError::Conflict(_)) => {
                let kept = dynamo.get(Table::Requests, &self.key, None).await?;
                let before = kept.as_ref().and_then(|item| item.get("counted"));
                Ok(matches!(before, Some(Attribute::List(before)) if before.contains(&counted)))
            }
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T2.19
    #[test]
    fn daily_key_count_ignores_workspace() {
        let now = Timestamp(1_700_000_000);
        let item =
            |person: &str, now| match increment_daily_count(&person.to_owned().try_into().unwrap(), now, 0) {
                Write::Update { key, .. } => key,
                other => panic!("{other:?}"),
            };
        assert_eq!(item("T0001.U0ALICE", now), item("T0002.U0ALICE", now));
        assert_ne!(item("T0001.U0ALICE", now), item("T0001.U0BOB", now));
        assert_ne!(
            item("T0001.U0ALICE", now),
            item("T0001.U0ALICE", now + std::time::Duration::from_secs(86_400))
        );
    }
}
