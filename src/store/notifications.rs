//! Notifications in table `Requests`: each an item of its own, stored by the write that changes its request.

use crate::aws::Tables;
use crate::aws::item::{Attribute, Item, Table, Write, text, values};
use crate::domain::request::{KeyRequest, Notification, OutboxEntry};
use crate::id::RequestId;
use crate::store::partition::CONDITION_ABSENT;
use crate::time::DAY;

/// How long a notification is kept, in seconds. SQS keeps a message for 14 days, and for as long again once it is dead
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
const NOTIFICATIONS_KEPT: i64 = 30 * DAY;

/// The key of a notification's item.
#[must_use]
pub fn notification_key(request: &RequestId, number: u32) -> String {
    format!("notification#{request}#{number}")
}

/// The notification that an item's key names, if it is one.
#[must_use]
pub fn notification_of(key: &str) -> Option<(RequestId, u32)> {
    let (request, number) = key.strip_prefix("notification#")?.split_once('#')?;
    Some((request.parse().ok()?, number.parse().ok()?))
}

/// The writes that store the new notifications of a request: part of the write that stores the request. Every one comes
/// with an audited change, so the time of the last one is theirs.
pub(crate) fn put_notifications(request: &KeyRequest, new: &[OutboxEntry]) -> anyhow::Result<Vec<Write>> {
    let keep_until = request.chain.last_appended_at.0 + NOTIFICATIONS_KEPT;
    let puts = new.iter().map(|OutboxEntry { number, notification }| {
        let item = values([
            ("pk", notification_key(&request.id, *number).as_str().into()),
            ("document", Attribute::Text(serde_json::to_string(notification)?)),
            ("keep_until", keep_until.into()),
        ]);
        Ok(Write::Put { table: Table::Requests, item, condition: CONDITION_ABSENT, values: Item::new() })
    });
    puts.collect()
}

/// Reads one notification of a request, if there is such a one.
///
/// # Errors
/// A fault, also where the item is half-written.
pub async fn read_notification(
    dynamo: &Tables,
    request: &RequestId,
    number: u32,
) -> anyhow::Result<Option<Notification>> {
    let item = dynamo.get(Table::Requests, &notification_key(request, number), None).await?;
    item.map(|item| anyhow::Ok(serde_json::from_str(text(&item, "document")?)?)).transpose()
}
