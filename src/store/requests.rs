//! Requests in table `Requests`, and how one changes: read, decided, written on the version it was read at. Losing that
//! race is an answer, and the loser reads again.

use futures_util::future::try_join_all;

use crate::aws::item::{Attribute, Item, Table, Write, number, text, values};
use crate::aws::{Tables, WriteError};
use crate::domain::request::KeyRequest;
use crate::id::{PersonId, RequestId};
use crate::store::notifications::put_notifications;
use crate::store::open_requests::OpenRequests;
use crate::store::partition::{CONDITION_ABSENT, changed_on};

/// A request as it was read, with the version that the next write must meet.
#[derive(Clone, Debug)]
pub struct StoredRequest {
    pub request: KeyRequest,
    version: i64,
}

/// The key of a request's item.
#[must_use]
pub fn request_key(id: &RequestId) -> String {
    format!("request#{id}")
}

/// The request that an item's key names, if it is one.
#[must_use]
pub fn request_of(key: &str) -> Option<RequestId> {
    key.strip_prefix("request#")?.parse().ok()
}

fn encode(request: &KeyRequest, version: i64) -> anyhow::Result<Item> {
    let mut item = values([
        ("pk", request_key(&request.id).as_str().into()),
        ("version", version.into()),
        ("state", request.state.as_str().into()),
        ("person", request.details.requester.to_string().as_str().into()),
        ("asked_at", request.details.at.0.into()),
        ("changed_on", changed_on(request.chain.last_appended_at, request.id.as_str()).as_str().into()),
        ("document", Attribute::Text(serde_json::to_string(request)?)),
    ]);
    if let Some(due_at) = request.due_at() {
        item.insert("due_at".to_owned(), due_at.0.into());
        item.insert("due_shard".to_owned(), request.lane().shard(request.id.as_str()).into());
    }
    Ok(item)
}

impl TryFrom<&Item> for StoredRequest {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let request = serde_json::from_str(text(item, "document")?)?;
        Ok(Self { request, version: number(item, "version")? })
    }
}

impl StoredRequest {
    /// Puts a new request where there is none, with its notifications, and among its requester's open ones if it is open, in the
    /// same transaction as `others`.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] where there is one of this id, or its requester opened another meanwhile, or a condition of
    /// the others did not hold.
    pub async fn create(
        dynamo: &Tables,
        request: &KeyRequest,
        open: Option<&OpenRequests>,
        others: Vec<Write>,
    ) -> Result<Self, WriteError> {
        let mut request = request.clone();
        let new = request.notifications.take_new();
        let item = encode(&request, 1)?;
        let mut writes = vec![Write::Put {
            table: Table::Requests,
            item,
            condition: CONDITION_ABSENT,
            values: Item::new(),
        }];
        writes.extend(put_notifications(&request, &new)?);
        writes.extend(open.filter(|_| request.is_actionable()).map(|open| open.add(&request.id)));
        writes.extend(others);
        dynamo.write(writes).await?;
        Ok(Self { request, version: 1 })
    }

    /// The write that replaces the request as it was read by `next`; [`Self::save`] adds the notifications.
    ///
    /// # Errors
    /// A fault where it cannot be encoded, or has notifications that this write would not store.
    pub fn replace(&self, next: &KeyRequest) -> anyhow::Result<Write> {
        anyhow::ensure!(
            next.notifications.is_stored(),
            "a request would be written without its notifications"
        );
        Ok(Write::Put {
            table: Table::Requests,
            item: encode(next, self.version + 1)?,
            condition: "version = :version",
            values: values([(":version", self.version.into())]),
        })
    }

    /// The writes that put `next` in this one's place, with its new notifications; and what is stored after them.
    ///
    /// # Errors
    /// A fault where it cannot be encoded.
    pub fn with_notifications(&self, mut next: KeyRequest) -> anyhow::Result<(Vec<Write>, Self)> {
        let new = next.notifications.take_new();
        let mut writes = vec![self.replace(&next)?];
        writes.extend(put_notifications(&next, &new)?);
        Ok((writes, Self { request: next, version: self.version + 1 }))
    }

    /// Reads a request.
    ///
    /// # Errors
    /// A fault, also where the item is half-written.
    pub async fn read(dynamo: &Tables, id: &RequestId) -> anyhow::Result<Option<Self>> {
        let item = dynamo.get(Table::Requests, &request_key(id), None).await?;
        item.as_ref().map(Self::try_from).transpose()
    }

    /// Writes `next` in this one's place, with its new notifications and `others` in the same transaction.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] where any condition did not hold. A lost reply is no loss: what was to be written is
    /// looked for before the race is given up.
    pub async fn save(
        &self,
        dynamo: &Tables,
        next: KeyRequest,
        others: Vec<Write>,
    ) -> Result<Self, WriteError> {
        let (mut writes, saved) = self.with_notifications(next)?;
        writes.splice(1..1, others);
        let error = match dynamo.write(writes).await {
            Ok(()) => return Ok(saved),
            Err(error) => error,
        };
        match Self::read(dynamo, &saved.request.id).await? {
            Some(found) if found.version == saved.version && found.request == saved.request => Ok(saved),
            _ => Err(error),
        }
    }
}

/// How many requests a list shows.
const NEWEST: i32 = 5;

/// A person's newest requests, as they are now.
pub async fn newest_requests(tables: &Tables, person: &PersonId) -> anyhow::Result<Vec<StoredRequest>> {
    let keys = tables.newest_requests(person, NEWEST).await?;
    let ids = keys.iter().filter_map(|key| request_of(key));
    let read = try_join_all(ids.map(|id| async move { StoredRequest::read(tables, &id).await })).await?;
    Ok(read.into_iter().flatten().filter(|stored| stored.request.details.requester == *person).collect())
}
