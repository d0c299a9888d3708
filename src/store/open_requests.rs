//! The open requests of a person, so that two made at once cannot both be the last one allowed.

use crate::aws::Tables;
use crate::aws::item::{Attribute, ItemError, Table, Update, Write, values};
use crate::domain::request::KeyRequest;
use crate::id::{RequestId, SlackUserId};

fn open_key(user: &SlackUserId) -> String {
    format!("open#{user}")
}

/// A person's requests that were open when they last made one. Whether they still are is read from each.
#[derive(Clone, Debug)]
pub struct OpenRequests {
    user: SlackUserId,
    kept: Vec<RequestId>,
    open: Vec<RequestId>,
    /// Those that are open now, once they were read.
    requests: Vec<KeyRequest>,
    /// The one whose place the new one takes: it counts no more.
    replaced: Option<RequestId>,
}

impl OpenRequests {
    /// Reads them.
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
        Ok(Self { user: user.clone(), open: kept.clone(), kept, requests: Vec::new(), replaced: None })
    }

    /// Those that were open then.
    pub fn ids(&self) -> impl Iterator<Item = &RequestId> {
        self.kept.iter()
    }

    /// The same, where the new one takes the place of this one.
    #[must_use]
    pub fn replacing(self, replaced: Option<RequestId>) -> Self {
        Self { replaced, ..self }
    }

    /// The same, with those that were found open now.
    #[must_use]
    pub fn still(self, mut requests: Vec<KeyRequest>) -> Self {
        requests.retain(|request| Some(&request.id) != self.replaced.as_ref());
        let open = requests.iter().map(|request| request.id.clone()).collect();
        Self { open, requests, ..self }
    }

    /// The open one that asks for the same as this one, if this one is to be made.
    #[must_use]
    pub fn same_as(&self, request: &KeyRequest) -> Option<&KeyRequest> {
        if !request.is_actionable() {
            return None;
        }
        let same = |open: &&KeyRequest| open.id != request.id && open.details.asks_the_same(&request.details);
        self.requests.iter().find(same)
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
