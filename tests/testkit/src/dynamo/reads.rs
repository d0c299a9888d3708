//! Reads: one item, a query of a table or an index, and a scan, page by page.

use std::cmp::Ordering as Order;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};
use winterbaume_dynamodb::types::AttributeValue;

use crate::dynamo::{Dynamo, Stored};
use crate::dynamo_rules::{KeyPart, Refused, exact_key, text};
use crate::expressions::{self, item_of};

impl Dynamo {
    pub(crate) fn get(&self, input: &Value) -> Result<Value, Refused> {
        expressions::check(input).map_err(Refused::invalid)?;
        exact_key(&self.shape(input)?, &input["Key"])?;
        let names = match input["ProjectionExpression"].as_str() {
            None => None,
            Some(projection) if projection.contains(['.', '[']) => {
                return Err(Refused::invalid("the test world projects whole attributes"));
            }
            Some(projection) => Some(expressions::top_level(projection, input)),
        };
        let item = self.stored(&text(&input["TableName"]), &input["Key"]);
        Ok(match (item, names) {
            (None, _) => json!({}),
            (Some(item), None) => json!({"Item": item.json}),
            (Some(item), Some(names)) => json!({"Item": only(&item.json, &names)}),
        })
    }

    /// An index shows no items that lack part of its key, and of the others what it projects.
    pub(crate) fn query(&self, input: &Value) -> Result<Value, Refused> {
        expressions::check(input).map_err(Refused::invalid)?;
        let shape = self.shape(input)?;
        let index = match input["IndexName"].as_str() {
            Some(name) => Some(shape.indexes.get(name).ok_or_else(|| {
                Refused::invalid(format!("The table does not have the specified index: {name}"))
            })?),
            None => None,
        };
        let key = index.map_or(&shape.key, |index| &index.key);
        if let Some(filter) = input["FilterExpression"].as_str()
            && let Some(name) =
                expressions::top_level(filter, input).into_iter().find(|n| key.iter().any(|(k, _)| k == n))
        {
            return Err(Refused::invalid(format!(
                "Filter Expression can only contain non-primary key attributes: {name}"
            )));
        }
        let condition = input["KeyConditionExpression"].as_str().unwrap_or_default();
        if !expressions::fixes(condition, input, &key[0].0).map_err(Refused::invalid)? {
            return Err(Refused::invalid("Query condition missed key schema element"));
        }
        if index.is_some() && input["ConsistentRead"] == true {
            return Err(Refused::invalid("Consistent reads are not supported on global secondary indexes"));
        }
        let has_key = |stored: &Stored| key.iter().all(|(name, _)| stored.item.contains_key(name));
        let mut candidates = self.all(&text(&input["TableName"]));
        candidates.retain(|stored| has_key(stored));
        let candidates = matching(condition, input, candidates)?;
        let mut found: Vec<Value> = candidates.iter().map(|stored| stored.json.clone()).collect();
        let order: Vec<&KeyPart> = key.iter().skip(1).chain(&shape.key).collect();
        let compare = |left: &Value, right: &Value| {
            let parts = order.iter().map(|(name, _)| by_key(&left[name], &right[name]));
            parts.fold(Order::Equal, Order::then)
        };
        let descending = input["ScanIndexForward"] == false;
        found.sort_by(|left, right| if descending { compare(right, left) } else { compare(left, right) });
        let start = &input["ExclusiveStartKey"];
        if !start.is_null() {
            let behind = if descending { Order::Less } else { Order::Greater };
            found.retain(|item| compare(item, start) == behind);
        }
        let names = key.iter().chain(&shape.key).map(|(name, _)| name);
        let projected = index.and_then(|index| index.projected.as_ref());
        self.page_of(input, found, names, projected)
    }

    /// AWS gives the items of a partition together, in the order
    /// of their sort keys, and cuts pages before it filters.
    pub(crate) fn scan(&self, input: &Value) -> Result<Value, Refused> {
        expressions::check(input).map_err(Refused::invalid)?;
        let shape = self.shape(input)?;
        let all = self.all(&text(&input["TableName"]));
        let mut found: Vec<Value> = all.iter().map(|stored| stored.json.clone()).collect();
        let compare = |left: &Value, right: &Value| {
            let parts = shape.key.iter().map(|(name, _)| by_key(&left[name], &right[name]));
            parts.fold(Order::Equal, Order::then)
        };
        found.sort_by(compare);
        let start = &input["ExclusiveStartKey"];
        if !start.is_null() {
            found.retain(|item| compare(item, start) == Order::Greater);
        }
        self.page_of(input, found, shape.key.iter().map(|(name, _)| name), None)
    }

    /// One page of what was found, in its order: cut to the limit, then filtered and projected.
    fn page_of<'a>(
        &self,
        input: &Value,
        mut found: Vec<Value>,
        key: impl Iterator<Item = &'a String>,
        projected: Option<&BTreeSet<String>>,
    ) -> Result<Value, Refused> {
        let limit = input["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let limit = limit.min(self.page.load(Ordering::SeqCst));
        let mut output = Map::new();
        // AWS stops at the limit without looking whether anything is left.
        if found.len() >= limit {
            found.truncate(limit);
            let last = found.last().unwrap();
            let last: Map<String, Value> = key.map(|name| (name.clone(), last[name].clone())).collect();
            output.insert("LastEvaluatedKey".to_owned(), Value::Object(last));
        }
        output.insert("ScannedCount".to_owned(), json!(found.len()));
        if let Some(projected) = projected {
            for item in &mut found {
                item.as_object_mut().unwrap().retain(|name, _| projected.contains(name));
            }
        }
        if let Some(filter) = input["FilterExpression"].as_str() {
            found = filtered(filter, input, found)?;
        }
        if let Some(projection) = input["ProjectionExpression"].as_str() {
            let names = expressions::top_level(projection, input);
            found = found.iter().map(|item| only(item, &names)).collect();
        }
        output.insert("Count".to_owned(), json!(found.len()));
        if input["Select"] != "COUNT" {
            output.insert("Items".to_owned(), Value::Array(found));
        }
        Ok(Value::Object(output))
    }
}

/// Those for which a condition holds.
fn matching(condition: &str, input: &Value, all: Vec<Arc<Stored>>) -> Result<Vec<Arc<Stored>>, Refused> {
    let mut kept = Vec::new();
    for stored in all {
        if expressions::condition_holds(condition, input, &stored.item).map_err(Refused::invalid)? {
            kept.push(stored);
        }
    }
    Ok(kept)
}

/// The same, of what a page shows of them.
fn filtered(filter: &str, input: &Value, all: Vec<Value>) -> Result<Vec<Value>, Refused> {
    let mut kept = Vec::new();
    for item in all {
        if expressions::condition_holds(filter, input, &item_of(&item)).map_err(Refused::invalid)? {
            kept.push(item);
        }
    }
    Ok(kept)
}

fn by_key(left: &Value, right: &Value) -> Order {
    let value = |value: &Value| serde_json::from_value::<AttributeValue>(value.clone()).unwrap();
    expressions::order(&value(left), &value(right)).unwrap()
}

/// The named top-level attributes of an item.
pub(crate) fn only(item: &Value, paths: &[String]) -> Value {
    let names: BTreeSet<&str> = paths.iter().map(|path| path.split(['.', '[']).next().unwrap()).collect();
    let Some(item) = item.as_object() else { return json!({}) };
    item.iter()
        .filter(|(name, _)| names.contains(name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}
