//! The indexes of the tables. They lag: what they give are hints, to be read again by key.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::dynamodb::tables::Tables;
use crate::aws::error::aws_error;
use crate::aws::item::Table;
use crate::id::PersonId;
use crate::time::Timestamp;

impl Tables {
    /// The partition keys of a person's newest requests, newest first. The index lags: its hits are hints.
    pub async fn newest_requests(&self, person: &PersonId, most: i32) -> anyhow::Result<Vec<String>> {
        let answer = self
            .client
            .query()
            .table_name(&self.names.requests)
            .index_name("by_person")
            .key_condition_expression("person = :person")
            .expression_attribute_values(":person", AttributeValue::S(person.to_string()))
            .scan_index_forward(false)
            .limit(most)
            .send()
            .await
            .map_err(|error| aws_error("dynamodb:Query", &error))?;
        let items = answer.items.unwrap_or_default();
        Ok(items.into_iter().filter_map(|mut item| item.remove("pk")?.as_s().ok().cloned()).collect())
    }

    /// The partition keys of everything under `person` in index `by_person`, all pages of it. Hints, as above.
    ///
    /// # Errors
    /// A fault; a page that cannot be read is never the end.
    pub async fn all_of_person(&self, person: &str) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.names.requests)
                .index_name("by_person")
                .key_condition_expression("person = :person")
                .expression_attribute_values(":person", AttributeValue::S(person.to_owned()))
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(|error| aws_error("dynamodb:Query", &error))?;
            let items = answer.items.unwrap_or_default();
            found.extend(items.into_iter().filter_map(|mut item| item.remove("pk")?.as_s().ok().cloned()));
            after = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// A page of the partition keys of items whose audit chains last grew on a day, in one shard, after `after`. Hints, as
    /// above.
    pub async fn changed(
        &self,
        changed_on: &str,
        after: Option<&str>,
        most: i32,
    ) -> anyhow::Result<Vec<String>> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let query = self.client.query().table_name(&self.names.requests).index_name("changed").limit(most);
        let query = query.expression_attribute_values(":on", text(changed_on));
        let query = match after {
            None => query.key_condition_expression("changed_on = :on"),
            Some(after) => query
                .key_condition_expression("changed_on = :on AND pk > :after")
                .expression_attribute_values(":after", text(after)),
        };
        let answer = query.send().await.map_err(|error| aws_error("dynamodb:Query", &error))?;
        let items = answer.items.unwrap_or_default();
        Ok(items.into_iter().filter_map(|mut item| item.remove("pk")?.as_s().ok().cloned()).collect())
    }

    /// The keys of a table's items in one shard whose timers have run out, longest first, with those timers. Hints, as
    /// above.
    pub async fn due(
        &self,
        table: Table,
        shard: &str,
        now: Timestamp,
        most: i32,
    ) -> anyhow::Result<Vec<(String, Timestamp)>> {
        let answer = self
            .client
            .query()
            .table_name(self.name(table))
            .index_name("due")
            .key_condition_expression("due_shard = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()))
            .expression_attribute_values(":now", AttributeValue::N(now.0.to_string()))
            .limit(most)
            .send()
            .await
            .map_err(|error| aws_error("dynamodb:Query", &error))?;
        let read = |item: HashMap<String, AttributeValue>| {
            let due_at = item.get("due_at")?.as_n().ok()?.parse().ok()?;
            Some((item.get(table.key_name())?.as_s().ok()?.clone(), Timestamp(due_at)))
        };
        Ok(answer.items.unwrap_or_default().into_iter().filter_map(read).collect())
    }
}
