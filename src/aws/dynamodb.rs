//! The tables. Reads are consistent; every write carries its condition.

#[cfg(feature = "cli")]
pub mod audit_scan;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValue, TransactWriteItem, Update as UpdateItem,
};

use crate::aws::item::{Attribute, Item, Table, Update, Write};
use crate::domain::audit::AuditEntry;
use crate::id::{PersonId, RequestId};
use crate::time::Timestamp;

#[cfg(feature = "cli")]
pub use audit_scan::{KnownEnd, Page, Position, UnreadableRecord};

/// DynamoDB with the names of the tables.
#[derive(Clone, Debug)]
pub struct Tables {
    client: Client,
    names: TableNames,
}

/// The tables' names; a function knows only those it may touch.
#[derive(Clone, Debug, Default)]
pub struct TableNames {
    /// `Requests`
    pub requests: String,
    /// `Tickets`
    pub tickets: String,
    /// `Audit`
    pub audit: String,
}

/// The condition did not hold: somebody else wrote first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("somebody else wrote first")]
pub struct Conflict;

/// Why a write did not take place, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Its condition did not hold.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Tables {
    /// A client for these tables.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, names: TableNames) -> Self {
        Self { client: Client::new(config), names }
    }

    fn name(&self, table: Table) -> &str {
        match table {
            Table::Requests => &self.names.requests,
            Table::Tickets => &self.names.tickets,
        }
    }

    /// Reads an item as it is now; `projection` limits what is read, and `#state` may stand in it.
    ///
    /// # Errors
    /// A fault.
    pub async fn get(
        &self,
        table: Table,
        key: &str,
        projection: Option<&str>,
    ) -> anyhow::Result<Option<Item>> {
        let mut get = self
            .client
            .get_item()
            .table_name(self.name(table))
            .key(table.key_name(), AttributeValue::S(key.to_owned()))
            .consistent_read(true);
        if let Some(projection) = projection {
            get = get.projection_expression(projection);
            if projection.contains("#state") {
                get = get.expression_attribute_names("#state", "state");
            }
        }
        let answer = get.send().await.map_err(|error| crate::aws::aws_error("dynamodb:GetItem", &error))?;
        answer.item.map(read_item).transpose()
    }

    /// One conditional update; returns what it set.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn update(&self, table: Table, key: &str, update: &Update) -> Result<Item, WriteError> {
        let answer = self
            .client
            .update_item()
            .table_name(self.name(table))
            .key(table.key_name(), AttributeValue::S(key.to_owned()))
            .update_expression(update.update)
            .condition_expression(update.condition)
            .set_expression_attribute_names(names(&[update.update, update.condition]))
            .set_expression_attribute_values(some_values(&update.values))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(failed) if failed.is_conditional_check_failed_exception() => {
                    WriteError::Conflict(Conflict)
                }
                _ => WriteError::Other(crate::aws::aws_error("dynamodb:UpdateItem", &error)),
            })?;
        Ok(read_item(answer.attributes.unwrap_or_default())?)
    }

    /// All of these writes or none.
    ///
    /// # Errors
    /// [`WriteError`]; the SDK's own retries carry one client token, so a lost reply is no second write.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), WriteError> {
        let items =
            writes.into_iter().map(|write| self.transact_item(write)).collect::<anyhow::Result<Vec<_>>>()?;
        let answer = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        answer.map(drop).map_err(|error| {
            let lost = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => canceled
                    .cancellation_reasons()
                    .iter()
                    .filter_map(|reason| reason.code())
                    .any(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict")),
                _ => false,
            };
            if lost {
                Conflict.into()
            } else {
                crate::aws::aws_error("dynamodb:TransactWriteItems", &error).into()
            }
        })
    }

    fn transact_item(&self, write: Write) -> anyhow::Result<TransactWriteItem> {
        let item = TransactWriteItem::builder();
        let built = match write {
            Write::Put { table, item: whole, condition, values } => Put::builder()
                .table_name(self.name(table))
                .set_item(Some(write_item(&whole)))
                .condition_expression(condition)
                .set_expression_attribute_names(names(&[condition]))
                .set_expression_attribute_values(some_values(&values))
                .build()
                .map(|put| item.put(put)),
            Write::Update { table, key, update } => UpdateItem::builder()
                .table_name(self.name(table))
                .key(table.key_name(), AttributeValue::S(key))
                .update_expression(update.update)
                .condition_expression(update.condition)
                .set_expression_attribute_names(names(&[update.update, update.condition]))
                .set_expression_attribute_values(some_values(&update.values))
                .build()
                .map(|update| item.update(update)),
            Write::Check { table, key, condition, values } => ConditionCheck::builder()
                .table_name(self.name(table))
                .key(table.key_name(), AttributeValue::S(key))
                .condition_expression(condition)
                .set_expression_attribute_names(names(&[condition]))
                .set_expression_attribute_values(some_values(&values))
                .build()
                .map(|check| item.condition_check(check)),
        };
        built
            .map(|item| item.build())
            .map_err(|_| anyhow::anyhow!("dynamodb:TransactWriteItems: a write could not be built"))
    }

    /// The partition keys of a person's newest requests, newest first. The index lags: its hits are hints.
    ///
    /// # Errors
    /// A fault.
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
            .map_err(|error| crate::aws::aws_error("dynamodb:Query", &error))?;
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
                .map_err(|error| crate::aws::aws_error("dynamodb:Query", &error))?;
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
    ///
    /// # Errors
    /// A fault.
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
        let answer = query.send().await.map_err(|error| crate::aws::aws_error("dynamodb:Query", &error))?;
        let items = answer.items.unwrap_or_default();
        Ok(items.into_iter().filter_map(|mut item| item.remove("pk")?.as_s().ok().cloned()).collect())
    }

    /// The keys of a table's items in one shard whose timers have run out, longest first, with those timers. Hints, as
    /// above.
    ///
    /// # Errors
    /// A fault.
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
            .map_err(|error| crate::aws::aws_error("dynamodb:Query", &error))?;
        let read = |item: HashMap<String, AttributeValue>| {
            let due_at = item.get("due_at")?.as_n().ok()?.parse().ok()?;
            Some((item.get(table.key_name())?.as_s().ok()?.clone(), Timestamp(due_at)))
        };
        Ok(answer.items.unwrap_or_default().into_iter().filter_map(read).collect())
    }

    /// Inserts an audit entry. PartiQL's INSERT fails on an existing key, where PutItem would replace it; and then
    /// the entry is there already, which is as good
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html>).
    ///
    /// # Errors
    /// A fault.
    pub async fn insert_audit(&self, request: &RequestId, entry: &AuditEntry) -> anyhow::Result<()> {
        let detail =
            entry.detail.iter().map(|(name, value)| (name.clone(), AttributeValue::S(value.clone())));
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let statement = format!(
            "INSERT INTO \"{}\" VALUE {{'pk': ?, 'sk': ?, 'at': ?, 'event': ?, 'actor': ?, 'detail': ?, 'prev': ?, \
             'hash': ?}}",
            self.names.audit
        );
        let parameters = vec![
            text(request.as_str()),
            AttributeValue::N(entry.seq.to_string()),
            AttributeValue::N(entry.at.0.to_string()),
            text(&entry.event),
            text(&entry.actor),
            AttributeValue::M(detail.collect()),
            text(&entry.prev),
            text(&entry.hash),
        ];
        let answer = self
            .client
            .execute_statement()
            .statement(statement)
            .set_parameters(Some(parameters))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_duplicate_item_exception()) => Ok(()),
            Err(error) => Err(crate::aws::aws_error("dynamodb:PartiQLInsert", &error)),
        }
    }
}

/// `state` and `end` are reserved words; wherever an expression says `#state` or `#end`, this names it.
fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let reserved = ["state", "end"].map(|name| (format!("#{name}"), name.to_owned()));
    let used = reserved
        .into_iter()
        .filter(|(placeholder, _)| expressions.iter().any(|expression| expression.contains(placeholder)));
    Some(used.collect()).filter(|names: &HashMap<_, _>| !names.is_empty())
}

fn some_values(values: &Item) -> Option<HashMap<String, AttributeValue>> {
    if values.is_empty() { None } else { Some(write_item(values)) }
}

fn write_item(item: &Item) -> HashMap<String, AttributeValue> {
    item.iter().map(|(name, value)| (name.clone(), write_attribute(value))).collect()
}

fn write_attribute(value: &Attribute) -> AttributeValue {
    match value {
        Attribute::Text(text) => AttributeValue::S(text.clone()),
        Attribute::Number(number) => AttributeValue::N(number.to_string()),
        Attribute::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Attribute::List(list) => AttributeValue::L(list.iter().map(write_attribute).collect()),
        Attribute::Map(item) => AttributeValue::M(write_item(item)),
    }
}

fn read_item(item: HashMap<String, AttributeValue>) -> anyhow::Result<Item> {
    item.into_iter().map(|(name, value)| Ok((name, read_attribute(value)?))).collect()
}

fn read_attribute(value: AttributeValue) -> anyhow::Result<Attribute> {
    Ok(match value {
        AttributeValue::S(text) => Attribute::Text(text),
        AttributeValue::N(number) => Attribute::Number(number.parse()?),
        AttributeValue::B(bytes) => Attribute::Bytes(bytes.into_inner()),
        AttributeValue::L(list) => {
            Attribute::List(list.into_iter().map(read_attribute).collect::<anyhow::Result<_>>()?)
        }
        AttributeValue::M(item) => Attribute::Map(read_item(item)?),
        _ => anyhow::bail!("a stored attribute of a type that is not written here"),
    })
}
