//! Reads single records by their keys.

use futures_util::future::try_join_all;

use crate::aws::item::Table;
use crate::domain::key::StoredKey;
use crate::domain::ticket::claim::StoredTicket;
use crate::id::{AccessKeyId, PersonId, TicketId};
use crate::store::{self, StoredRequest};
use crate::worker::context::Context;

/// The ticket, as it is now.
pub(crate) async fn read_ticket(ctx: &Context, tid: &TicketId) -> anyhow::Result<Option<StoredTicket>> {
    let item = ctx.tables.get(Table::Tickets, tid.as_str(), None).await?;
    Ok(item.as_ref().map(StoredTicket::try_from).transpose()?)
}

/// How many requests a list shows.
const NEWEST: i32 = 5;

/// A person's newest requests, as they are now.
pub(crate) async fn newest(ctx: &Context, person: &PersonId) -> anyhow::Result<Vec<StoredRequest>> {
    let keys = ctx.tables.newest_requests(person, NEWEST).await?;
    let ids = keys.iter().filter_map(|key| store::request_of(key));
    let read = try_join_all(ids.map(|id| async move { StoredRequest::read(&ctx.tables, &id).await })).await?;
    Ok(read.into_iter().flatten().filter(|stored| stored.request.details.requester == *person).collect())
}

/// The key's item as it is now, if keyvend issued it.
pub(crate) async fn read_key(ctx: &Context, key: &AccessKeyId) -> anyhow::Result<Option<StoredKey>> {
    let item = ctx.tables.get(Table::Requests, &StoredKey::item_key(key), None).await?;
    item.as_ref().map(StoredKey::try_from).transpose()
}
