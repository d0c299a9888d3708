//! Reading table `Audit` whole, and the ends of chains that table `Requests` knows. The deployed functions may do
//! neither; an operator may.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;

use crate::aws::dynamodb::tables::Tables;
use crate::aws::error::aws_error;
use crate::aws::item::Table;
use crate::domain::audit::{AuditChain, AuditEntry, AuditRecord};
use crate::time::Timestamp;

/// Where a reading stopped and goes on.
#[derive(Clone, Debug)]
pub struct Position(HashMap<String, AttributeValue>);

/// A part of a table, in the table's order: chain after chain, each from its first record to its last.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next part begins, if there is one.
    pub next: Option<Position>,
}

/// An item of table `Audit` that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRecord {
    pub request: String,
    /// Its place there, as far as it is one.
    pub seq: Option<u32>,
    /// The attribute that is missing or of another kind.
    pub lacks: &'static str,
}

/// The last record of a chain that is known to be in table `Audit`, as the chain's item in table `Requests` has it: the
/// request's own, or that of a chain about no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEnd {
    pub request: String,
    /// The record's place, and its hash; none where the item cannot be read.
    pub end: Option<(u32, String)>,
    /// Whether nothing can follow: a chain about no request is written as a whole.
    pub closed: bool,
}

impl Tables {
    /// A part of table `Audit`, or of one of its chains.
    pub async fn audit_page(
        &self,
        chain: Option<&str>,
        from: Option<Position>,
    ) -> anyhow::Result<Page<Result<AuditRecord, UnreadableRecord>>> {
        let (table, from) = (&self.names.audit, from.map(|position| position.0));
        let (items, next) = match chain {
            None => {
                let scan = self.client.scan().table_name(table).consistent_read(true);
                let answer = scan.set_exclusive_start_key(from).send().await;
                let answer = answer.map_err(|error| aws_error("dynamodb:Scan", &error))?;
                (answer.items, answer.last_evaluated_key)
            }
            Some(chain) => {
                let query = self.client.query().table_name(table).consistent_read(true);
                let query = query.key_condition_expression("pk = :chain");
                let query = query.expression_attribute_values(":chain", AttributeValue::S(chain.to_owned()));
                let answer = query.set_exclusive_start_key(from).send().await;
                let answer = answer.map_err(|error| aws_error("dynamodb:Query", &error))?;
                (answer.items, answer.last_evaluated_key)
            }
        };
        let items = items.unwrap_or_default().iter().map(record).collect();
        Ok(Page { items, next: next.map(Position) })
    }

    /// A part of table `Requests`: where each chain ends, of requests and of commands about no request.
    pub async fn known_ends(&self, from: Option<Position>) -> anyhow::Result<Page<KnownEnd>> {
        let answer = self
            .client
            .scan()
            .table_name(&self.names.requests)
            .consistent_read(true)
            .projection_expression("pk, document, #end")
            .filter_expression("begins_with(pk, :request) OR begins_with(pk, :chain)")
            .expression_attribute_names("#end", "end")
            .expression_attribute_values(":request", AttributeValue::S("request#".to_owned()))
            .expression_attribute_values(":chain", AttributeValue::S("chain#".to_owned()))
            .set_exclusive_start_key(from.map(|position| position.0))
            .send()
            .await
            .map_err(|error| aws_error("dynamodb:Scan", &error))?;
        let items = answer.items.unwrap_or_default().iter().filter_map(known_end).collect();
        Ok(Page { items, next: answer.last_evaluated_key.map(Position) })
    }

    /// Whether table `Requests` has an item of a chain.
    pub async fn knows_chain(&self, chain: &str) -> anyhow::Result<bool> {
        for kind in ["request", "chain"] {
            if self.get(Table::Requests, &format!("{kind}#{chain}"), Some("pk")).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn record(item: &HashMap<String, AttributeValue>) -> Result<AuditRecord, UnreadableRecord> {
    let text = |name: &'static str| match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text.clone()),
        _ => Err(name),
    };
    let number = |name: &'static str| match item.get(name) {
        Some(AttributeValue::N(number)) => Ok(number),
        _ => Err(name),
    };
    let whole = |name: &'static str| number(name)?.parse::<u32>().map_err(|_| name);
    let detail = || match item.get("detail") {
        Some(AttributeValue::M(map)) => map
            .iter()
            .map(|(name, value)| value.as_s().map(|text| (name.clone(), text.clone())))
            .collect::<Result<BTreeMap<_, _>, _>>()
            .map_err(|_| "detail"),
        _ => Err("detail"),
    };
    let read = || {
        Ok(AuditEntry {
            seq: whole("sk")?,
            at: Timestamp(number("at")?.parse().map_err(|_| "at")?),
            event: text("event")?,
            actor: text("actor")?,
            detail: detail()?,
            prev: text("prev")?,
            hash: text("hash")?,
        })
    };
    let request = text("pk").unwrap_or_default();
    match read() {
        Ok(entry) => Ok(AuditRecord { request, entry }),
        Err(lacks) => Err(UnreadableRecord { request, seq: whole("sk").ok(), lacks }),
    }
}

fn known_end(item: &HashMap<String, AttributeValue>) -> Option<KnownEnd> {
    #[derive(Deserialize)]
    struct Document {
        chain: AuditChain,
    }
    let key = item.get("pk")?.as_s().ok()?;
    if let Some(chain) = key.strip_prefix("chain#") {
        let end = item.get("end").and_then(|end| end.as_s().ok()).and_then(|end| place_and_hash(end));
        return Some(KnownEnd { request: chain.to_owned(), end, closed: true });
    }
    let request = key.strip_prefix("request#")?.to_owned();
    let document = item.get("document").and_then(|document| document.as_s().ok());
    let document = document.and_then(|text| serde_json::from_str::<Document>(text).ok());
    let end = document.map(|document| document.chain.last_inserted());
    Some(KnownEnd { request, end, closed: false })
}

fn place_and_hash(end: &str) -> Option<(u32, String)> {
    let (seq, hash) = end.split_once(':')?;
    Some((seq.parse().ok()?, hash.to_owned()))
}
