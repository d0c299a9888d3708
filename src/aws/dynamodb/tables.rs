//! The tables' clients, and what reads and writes items by their keys: reads are consistent, every write carries its
//! condition.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Put, ReturnValue, TransactWriteItem,
    Update as UpdateItem,
};

use crate::aws::dynamodb::attributes::{read_item, reserved_names, some_values, write_item};
use crate::aws::error::aws_error;
use crate::aws::item::{Item, Table, Update, Write};

/// DynamoDB with the names of the tables.
#[derive(Clone, Debug)]
pub struct Tables {
    pub(in crate::aws::dynamodb) client: Client,
    pub(in crate::aws::dynamodb) names: TableNames,
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
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// How often a transaction that crossed another is written again at once: another issue that checks the freeze, for example.
const MAX_CROSSINGS: u32 = 3;

/// Why DynamoDB wrote nothing
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Canceled {
    /// A condition did not hold.
    Lost,
    /// Another transaction was at one of the items at that moment, and no condition failed.
    Crossed,
    Other,
}

impl Canceled {
    fn of(reasons: &[CancellationReason]) -> Self {
        let is_among = |wanted| reasons.iter().any(|reason| reason.code() == Some(wanted));
        if is_among("ConditionalCheckFailed") {
            Self::Lost
        } else if is_among("TransactionConflict") {
            Self::Crossed
        } else {
            Self::Other
        }
    }
}

impl Tables {
    /// A client for these tables.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, names: TableNames) -> Self {
        Self { client: Client::new(config), names }
    }

    pub(in crate::aws::dynamodb) fn name(&self, table: Table) -> &str {
        match table {
            Table::Requests => &self.names.requests,
            Table::Tickets => &self.names.tickets,
        }
    }

    /// Reads an item as it is now; `projection` limits what is read, and `#state` may stand in it.
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
        let answer = get.send().await.map_err(|error| aws_error("dynamodb:GetItem", &error))?;
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
            .set_expression_attribute_names(reserved_names(&[update.update, update.condition]))
            .set_expression_attribute_values(some_values(&update.values))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(failed) if failed.is_conditional_check_failed_exception() => {
                    WriteError::Conflict(Conflict)
                }
                _ => WriteError::Other(aws_error("dynamodb:UpdateItem", &error)),
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
        let mut crossings = 0;
        loop {
            let write = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let Err(error) = write.send().await else { return Ok(()) };
            let why = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    Canceled::of(canceled.cancellation_reasons())
                }
                _ => Canceled::Other,
            };
            match why {
                Canceled::Crossed if crossings < MAX_CROSSINGS => crossings += 1,
                Canceled::Crossed | Canceled::Lost => return Err(Conflict.into()),
                Canceled::Other => return Err(aws_error("dynamodb:TransactWriteItems", &error).into()),
            }
        }
    }

    fn transact_item(&self, write: Write) -> anyhow::Result<TransactWriteItem> {
        let item = TransactWriteItem::builder();
        let built = match write {
            Write::Put { table, item: whole, condition, values } => Put::builder()
                .table_name(self.name(table))
                .set_item(Some(write_item(&whole)))
                .condition_expression(condition)
                .set_expression_attribute_names(reserved_names(&[condition]))
                .set_expression_attribute_values(some_values(&values))
                .build()
                .map(|put| item.put(put)),
            Write::Update { table, key, update } => UpdateItem::builder()
                .table_name(self.name(table))
                .key(table.key_name(), AttributeValue::S(key))
                .update_expression(update.update)
                .condition_expression(update.condition)
                .set_expression_attribute_names(reserved_names(&[update.update, update.condition]))
                .set_expression_attribute_values(some_values(&update.values))
                .build()
                .map(|update| item.update(update)),
            Write::Check { table, key, condition, values } => ConditionCheck::builder()
                .table_name(self.name(table))
                .key(table.key_name(), AttributeValue::S(key))
                .condition_expression(condition)
                .set_expression_attribute_names(reserved_names(&[condition]))
                .set_expression_attribute_values(some_values(&values))
                .build()
                .map(|check| item.condition_check(check)),
        };
        built
            .map(|item| item.build())
            .map_err(|_| anyhow::anyhow!("dynamodb:TransactWriteItems: a write could not be built"))
    }
}
