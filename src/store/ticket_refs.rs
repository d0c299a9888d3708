//! Where a ticket leads, in table `Requests`: whom it is for, and the key for its sealing. `reveal` cannot read it.

use crate::aws::Tables;
use crate::aws::item::{Item, ItemError, Table, Update, Write, bytes, number, text, values};
use crate::domain::ticket::Psk;
use crate::id::{RequestId, TicketId};
use crate::store::partition::CONDITION_ABSENT;
use crate::time::{DAY, Timestamp};

/// What a ticket's name leads to: whom it is for, and the key for its sealing.
pub struct TicketRef {
    pub request: RequestId,
    /// Until the key is sealed or the ticket void.
    pub psk: Option<Psk>,
    /// Until when it can be opened, where `reveal` cannot change it.
    pub expires_at: Timestamp,
}

/// How long it is kept where a ticket leads, after its expiry, in seconds.
const LINKS_KEPT: i64 = 30 * DAY;

fn link_key(tid: &TicketId) -> String {
    format!("ticket#{tid}")
}

impl TicketRef {
    /// Reads where a ticket leads.
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
        Write::Put { table: Table::Requests, item, condition: CONDITION_ABSENT, values: Item::new() }
    }

    /// The write that forgets the sealing key.
    #[must_use]
    pub fn remove_psk(tid: &TicketId) -> Write {
        let update = Update { update: "REMOVE psk", condition: "attribute_exists(pk)", values: Item::new() };
        Write::Update { table: Table::Requests, key: link_key(tid), update }
    }
}
