//! The items of table `Requests`, and how a request changes: read, decided, written on the version it was read at.
//! Losing that race is an answer, and the loser reads again.

pub mod tickets;

use std::fmt;

use crate::aws::item::{
    Attribute, Item, ItemError, Table, Update, Write, bytes, number, shard, text, values,
};
use crate::aws::{Tables, WriteError};
use crate::domain::audit::AuditChain;
use crate::domain::iam::Account;
use crate::domain::request::{KeyRequest, Notification, OutboxEntry, RequestState};
use crate::domain::ticket::Psk;
use crate::id::{IamUserName, PersonId, RequestId, SlackUserId, TicketId};
use crate::time::{DAY, Timestamp};

/// A request as it was read, with the version that the next write must meet.
#[derive(Clone, Debug)]
pub struct StoredRequest {
    /// The request.
    pub request: KeyRequest,
    version: i64,
}

/// What a ticket's name leads to: whom it is for, and the key for its sealing.
pub struct TicketRef {
    /// The request.
    pub request: RequestId,
    /// Until the key is sealed or the ticket void.
    pub psk: Option<Psk>,
    /// Until when it can be opened, where `reveal` cannot change it.
    pub expires_at: Timestamp,
}

/// How long a notification is kept, in seconds. SQS keeps a message for 14 days, and for as long again once it is dead
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
const NOTIFICATIONS_KEPT: i64 = 30 * DAY;

/// How long it is kept where a ticket leads, after its expiry, in seconds.
const LINKS_KEPT: i64 = 30 * DAY;

/// The condition that no such item exists.
pub const NEW: &str = "attribute_not_exists(pk)";

/// The key of a request's item.
#[must_use]
pub fn request_key(id: &RequestId) -> String {
    format!("request#{id}")
}

fn link_key(tid: &TicketId) -> String {
    format!("ticket#{tid}")
}

fn lease_key(account: &Account, user: &IamUserName) -> String {
    // IAM does not distinguish names by case: both spellings are one user.
    format!("lease#{}/{}", account.id, user.as_str().to_ascii_lowercase())
}

/// By Slack user: somebody in two workspaces of one organization is one person, with one count.
fn count_key(person: &PersonId, now: Timestamp) -> String {
    format!("issued#{}#{}", person.user, now.day())
}

fn notification_key(request: &RequestId, number: u32) -> String {
    format!("notification#{request}#{number}")
}

/// The writes that store the new notifications of a request: part of the write that stores the request. Every one comes
/// with an audited change, so the time of the last one is theirs.
fn put_notifications(request: &KeyRequest, new: &[OutboxEntry]) -> anyhow::Result<Vec<Write>> {
    let keep_until = request.chain.last_appended_at.0 + NOTIFICATIONS_KEPT;
    let puts = new.iter().map(|OutboxEntry { number, notification }| {
        let item = values([
            ("pk", notification_key(&request.id, *number).as_str().into()),
            ("document", Attribute::Text(serde_json::to_string(notification)?)),
            ("keep_until", keep_until.into()),
        ]);
        Ok(Write::Put { table: Table::Requests, item, condition: NEW, values: Item::new() })
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

fn encode(request: &KeyRequest, version: i64) -> anyhow::Result<Item> {
    let mut item = values([
        ("pk", request_key(&request.id).as_str().into()),
        ("version", version.into()),
        ("state", state_name(&request.state).into()),
        ("person", request.details.requester.to_string().as_str().into()),
        ("asked_at", request.details.at.0.into()),
        ("changed_on", changed_on(request.chain.last_appended_at, request.id.as_str()).as_str().into()),
        ("document", Attribute::Text(serde_json::to_string(request)?)),
    ]);
    if let Some(due_at) = request.due_at() {
        item.insert("due_at".to_owned(), due_at.0.into());
        item.insert("due_shard".to_owned(), shard(request.id.as_str()).into());
    }
    Ok(item)
}

/// The partition of index `changed` that an item is in: the day on which its audit chain last grew, and a shard.
#[must_use]
pub fn changed_on(last_appended_at: Timestamp, id: &str) -> String {
    format!("{}#{}", last_appended_at.day(), shard(id))
}

/// Where the end of a chain that no request carries is kept, for the checkpoints and for `audit verify`. It replaces a
/// shorter one of the same chain.
#[must_use]
pub fn put_standalone_chain_head(id: &RequestId, chain: &AuditChain) -> Write {
    let entries: Attribute = i64::from(chain.last_place()).into();
    let item = values([
        ("pk", format!("chain#{id}").as_str().into()),
        ("end", chain.head().as_str().into()),
        ("entries", entries.clone()),
        ("changed_on", changed_on(chain.last_appended_at, id.as_str()).as_str().into()),
    ]);
    let condition = "attribute_not_exists(pk) OR entries < :entries";
    Write::Put { table: Table::Requests, item, condition, values: values([(":entries", entries)]) }
}

/// Moves that end on from where it was, for a command that was refused and is carried out when it comes again.
#[must_use]
pub fn move_standalone_chain_head(id: &RequestId, chain: &AuditChain, from: &str) -> Write {
    let update = Update {
        update: "SET #end = :end, changed_on = :on",
        condition: "#end = :from",
        values: values([
            (":end", chain.head().as_str().into()),
            (":from", from.into()),
            (":on", changed_on(chain.last_appended_at, id.as_str()).as_str().into()),
        ]),
    };
    Write::Update { table: Table::Requests, key: format!("chain#{id}"), update }
}

/// The end of the chain that was kept of a command about no request, if one was.
///
/// # Errors
/// A fault.
pub async fn standalone_chain_head(dynamo: &Tables, id: &RequestId) -> anyhow::Result<Option<String>> {
    let kept = dynamo.get(Table::Requests, &format!("chain#{id}"), None).await?;
    Ok(kept.map(|kept| text(&kept, "end").map(str::to_owned)).transpose()?)
}

/// The chain that an item carries: whose, and its end.
///
/// # Errors
/// A fault where the item is half-written.
pub fn chain_end(item: &Item) -> anyhow::Result<(RequestId, String)> {
    let pk = text(item, "pk")?;
    if let Some(id) = pk.strip_prefix("chain#") {
        return Ok((id.parse()?, text(item, "end")?.to_owned()));
    }
    let stored = StoredRequest::try_from(item)?;
    Ok((stored.request.id, stored.request.chain.head()))
}

/// Moves an item's timer on, if it is still the one that failed.
#[must_use]
pub fn postpone(due_at: Timestamp, until: Timestamp) -> Update {
    Update {
        update: "SET due_at = :until",
        condition: "due_at = :due",
        values: values([(":until", until.0.into()), (":due", due_at.0.into())]),
    }
}

/// The request that an item's key names, if it is one.
#[must_use]
pub fn request_of(key: &str) -> Option<RequestId> {
    key.strip_prefix("request#")?.parse().ok()
}

impl TryFrom<&Item> for StoredRequest {
    type Error = anyhow::Error;

    fn try_from(item: &Item) -> anyhow::Result<Self> {
        let request = serde_json::from_str(text(item, "document")?)?;
        Ok(Self { request, version: number(item, "version")? })
    }
}

/// A state's name, as the table and people read it.
#[must_use]
pub fn state_name(state: &RequestState) -> &'static str {
    match state {
        RequestState::Pending => "PENDING",
        RequestState::Approved => "APPROVED",
        RequestState::LinkIssued { .. } => "LINK_ISSUED",
        RequestState::Issuing(_) => "ISSUING",
        RequestState::Ambiguous(_) => "AMBIGUOUS",
        RequestState::Issued { .. } => "ISSUED",
        RequestState::Completed { .. } => "COMPLETED",
        RequestState::Denied { .. } => "DENIED",
        RequestState::Cancelled => "CANCELLED",
        RequestState::Expired => "EXPIRED",
        RequestState::PolicyDenied { .. } => "POLICY_DENIED",
    }
}

impl StoredRequest {
    /// Puts a new request where there is none, with its notifications, and among its requester's open ones if it is open, in the
    /// same transaction.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] where there is one of this id, or its requester opened another meanwhile.
    pub async fn create(
        dynamo: &Tables,
        request: &KeyRequest,
        open: Option<&OpenRequests>,
    ) -> Result<Self, WriteError> {
        let mut request = request.clone();
        let new = request.notifications.take_new();
        let item = encode(&request, 1)?;
        let mut writes =
            vec![Write::Put { table: Table::Requests, item, condition: NEW, values: Item::new() }];
        writes.extend(put_notifications(&request, &new)?);
        writes.extend(open.filter(|_| request.is_actionable()).map(|open| open.add(&request.id)));
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
        let mut next = next;
        let new = next.notifications.take_new();
        let mut writes = vec![self.replace(&next)?];
        writes.extend(others);
        writes.extend(put_notifications(&next, &new)?);
        let saved = Self { request: next, version: self.version + 1 };
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

impl TicketRef {
    /// Reads where a ticket leads.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(dynamo: &Tables, tid: &TicketId) -> anyhow::Result<Option<Self>> {
        let Some(item) = dynamo.get(Table::Requests, &link_key(tid), None).await? else { return Ok(None) };
        Ok(Some(Self {
            request: text(&item, "request")?.parse().map_err(|_| ItemError("request"))?,
            psk: bytes(&item, "psk").ok().and_then(Psk::from_stored),
            expires_at: Timestamp(number(&item, "expires_at")?),
        }))
    }

    /// The write that makes one.
    #[must_use]
    pub fn create(tid: &TicketId, request: &RequestId, psk: &Psk, expires_at: Timestamp) -> Write {
        let item = values([
            ("pk", link_key(tid).as_str().into()),
            ("request", request.as_str().into()),
            ("psk", psk.expose().as_slice().into()),
            ("expires_at", expires_at.0.into()),
            ("keep_until", (expires_at.0 + LINKS_KEPT).into()),
        ]);
        Write::Put { table: Table::Requests, item, condition: NEW, values: Item::new() }
    }

    /// The write that forgets the sealing key.
    #[must_use]
    pub fn remove_psk(tid: &TicketId) -> Write {
        let update = Update { update: "REMOVE psk", condition: "attribute_exists(pk)", values: Item::new() };
        Write::Update { table: Table::Requests, key: link_key(tid), update }
    }
}

/// Takes the lease of an IAM user: whoever holds it may create, activate or delete its keys. The holder is what its own
/// timer finishes: a request's id, or the key of a key's item.
#[must_use]
pub fn take_lease(account: &Account, user: &IamUserName, holder: &str) -> Write {
    let update = Update {
        update: "SET holder = :me",
        condition: "attribute_not_exists(holder) OR holder = :me",
        values: values([(":me", holder.into())]),
    };
    Write::Update { table: Table::Requests, key: lease_key(account, user), update }
}

/// Gives the lease back; part of the write that ends the operation.
#[must_use]
pub fn release_lease(account: &Account, user: &IamUserName, holder: &str) -> Write {
    let update = Update {
        update: "REMOVE holder",
        condition: "holder = :me",
        values: values([(":me", holder.into())]),
    };
    Write::Update { table: Table::Requests, key: lease_key(account, user), update }
}

/// The lease of an IAM user as it is held by an operation that has no item of its own, with what is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionLease {
    /// Who holds it.
    pub holder: String,
    /// What is being deleted, as its module wrote it.
    pub work: String,
}

impl DeletionLease {
    /// Takes the lease of an IAM user, with what is being done under it and when its timer is to manage that.
    #[must_use]
    pub fn acquire(&self, account: &Account, user: &IamUserName, due_at: Timestamp) -> Write {
        let update = Update {
            update: "SET holder = :me, deletion = :work, due_at = :due, due_shard = :shard",
            condition: "attribute_not_exists(holder) OR holder = :me",
            values: values([
                (":me", self.holder.as_str().into()),
                (":work", self.work.as_str().into()),
                (":due", due_at.0.into()),
                (":shard", shard(user.as_str()).into()),
            ]),
        };
        Write::Update { table: Table::Requests, key: lease_key(account, user), update }
    }

    /// Gives it back: what was being done is done.
    #[must_use]
    pub fn release(&self, account: &Account, user: &IamUserName) -> Write {
        let update = Update {
            update: "REMOVE holder, deletion, due_at, due_shard",
            condition: "holder = :me",
            values: values([(":me", self.holder.as_str().into())]),
        };
        Write::Update { table: Table::Requests, key: lease_key(account, user), update }
    }

    /// Whether an item's key is a lease's.
    #[must_use]
    pub fn is_item(key: &str) -> bool {
        key.starts_with("lease#")
    }

    /// What is being done under a lease, by its item's key; nothing where it is free, or its holder has an item.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(dynamo: &Tables, key: &str) -> anyhow::Result<Option<Self>> {
        let item = dynamo.get(Table::Requests, key, None).await?;
        let held = item.and_then(|item| {
            let (holder, work) = (text(&item, "holder").ok()?, text(&item, "deletion").ok()?);
            Some(Self { holder: holder.to_owned(), work: work.to_owned() })
        });
        Ok(held)
    }
}

/// The key of the item that stops all issuing.
pub const FREEZE: &str = "freeze";

/// Holds only while nobody has stopped all issuing.
#[must_use]
pub fn not_frozen() -> Write {
    let condition = "attribute_not_exists(frozen_by)";
    Write::Check { table: Table::Requests, key: FREEZE.to_owned(), condition, values: Item::new() }
}

/// Stops all issuing, where it goes on.
#[must_use]
pub fn freeze(by: impl fmt::Display, at: Timestamp) -> Update {
    Update { condition: "attribute_not_exists(frozen_by)", ..freeze_again(by, at) }
}

/// Stops it once more, where it is stopped: whoever lets it go on without having seen this one loses.
#[must_use]
pub fn freeze_again(by: impl fmt::Display, at: Timestamp) -> Update {
    Update {
        update: "SET frozen_by = :by, frozen_at = :at",
        condition: "attribute_exists(frozen_by)",
        values: values([(":by", by.to_string().as_str().into()), (":at", at.0.into())]),
    }
}

/// Lets issuing go on, if it was stopped before `asked_at`. Within one second it cannot be told which came first, and the
/// stop stays.
#[must_use]
pub fn unfreeze(asked_at: Timestamp) -> Update {
    Update {
        update: "REMOVE frozen_by, frozen_at",
        condition: "frozen_at < :asked_at",
        values: values([(":asked_at", asked_at.0.into())]),
    }
}

/// Who stopped all issuing last, as stored, and when; none while it goes on.
///
/// # Errors
/// A fault.
pub async fn frozen(dynamo: &Tables) -> anyhow::Result<Option<(String, Timestamp)>> {
    let Some(item) = dynamo.get(Table::Requests, FREEZE, None).await? else { return Ok(None) };
    match text(&item, "frozen_by") {
        Ok(by) => Ok(Some((by.to_owned(), Timestamp(number(&item, "frozen_at")?)))),
        Err(_) => Ok(None),
    }
}

/// Whether all issuing is stopped.
///
/// # Errors
/// A fault.
pub async fn is_frozen(dynamo: &Tables) -> anyhow::Result<bool> {
    let item = dynamo.get(Table::Requests, FREEZE, None).await?;
    Ok(item.is_some_and(|item| item.contains_key("frozen_by")))
}

/// How many keys a person was issued on the day of `now`.
///
/// # Errors
/// A fault.
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

/// Takes one back: no key came of it. The day is that of the intent.
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
    ///
    /// # Errors
    /// A fault.
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

/// A person's requests that were open when they last made one. Whether they still are is read from each.
#[derive(Clone, Debug)]
pub struct OpenRequests {
    user: SlackUserId,
    kept: Vec<RequestId>,
    open: Vec<RequestId>,
}

impl OpenRequests {
    /// Reads them.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(dynamo: &Tables, user: &SlackUserId) -> anyhow::Result<Self> {
        let item = dynamo.get(Table::Requests, &open_key(user), None).await?;
        let kept = match item.as_ref().map(|item| item.get("open_requests")) {
            None => Vec::new(),
            Some(Some(Attribute::List(ids))) => ids
                .iter()
                .map(|id| match id {
                    Attribute::Text(id) => id.parse().map_err(|_| ItemError("open_requests")),
                    _ => Err(ItemError("open_requests")),
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(ItemError("open_requests").into()),
        };
        Ok(Self { user: user.clone(), open: kept.clone(), kept })
    }

    /// Those that were open then.
    pub fn ids(&self) -> impl Iterator<Item = &RequestId> {
        self.kept.iter()
    }

    /// The same, with those that were found open now.
    #[must_use]
    pub fn still(self, open: Vec<RequestId>) -> Self {
        Self { open, ..self }
    }

    /// Those that are open now.
    #[must_use]
    pub fn open(&self) -> &[RequestId] {
        &self.open
    }

    /// The write that adds one: part of the transaction that makes it, so that two at once cannot both be the last.
    #[must_use]
    pub fn add(&self, id: &RequestId) -> Write {
        let list = |ids: &[RequestId]| {
            Attribute::List(ids.iter().map(|id| Attribute::Text(id.as_str().to_owned())).collect())
        };
        let next: Vec<RequestId> = self.open.iter().filter(|open| *open != id).chain([id]).cloned().collect();
        let new = self.kept.is_empty();
        let update = Update {
            update: "SET open_requests = :next",
            condition: if new {
                "attribute_not_exists(open_requests) OR open_requests = :kept"
            } else {
                "open_requests = :kept"
            },
            values: values([(":next", list(&next)), (":kept", list(&self.kept))]),
        };
        Write::Update { table: Table::Requests, key: open_key(&self.user), update }
    }
}

fn open_key(user: &SlackUserId) -> String {
    format!("open#{user}")
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
