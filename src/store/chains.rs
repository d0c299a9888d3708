//! Heads of audit chains in table `Requests`: of requests, and of what was audited about no request.

use crate::aws::Tables;
use crate::aws::item::{Attribute, Item, Table, Update, Write, text, values};
use crate::domain::audit::AuditChain;
use crate::id::RequestId;
use crate::store::partition::changed_on;
use crate::store::requests::StoredRequest;

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
