//! DynamoDB: winterbaume keeps the items and applies updates; what it gets wrong about AWS is put right here,
//! each with what AWS does. Calls run one after another, as writes to one item do at AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keyvend::time::Timestamp;
use serde_json::{Map, Value, json};
use winterbaume_core::StatefulService as _;
use winterbaume_dynamodb::DynamoDbService;
use winterbaume_dynamodb::types::AttributeValue;
use winterbaume_partiql::DdbOperation;

use crate::clock::Clock;
use crate::dynamo_rules::{
    KeyPart, Refused, Shape, check_indexes, check_item, exact_key, no_empty_set, no_overlap, text,
};
use crate::expressions;
use crate::net::{HOME, REGION, Reply, Request, winterbaume};

const IDEMPOTENT: i64 = 600;
const CONDITION_FAILED: &str = "The conditional request failed";

/// The model.
pub struct Dynamo {
    clock: Clock,
    service: DynamoDbService,
    turn: tokio::sync::Mutex<()>,
    shapes: Mutex<BTreeMap<String, Shape>>,
    /// Items as winterbaume was last asked for them, by table and key, until something is written there: whatever it
    /// is asked, it copies all that it holds.
    read: Mutex<BTreeMap<(String, String), Value>>,
    tokens: Mutex<BTreeMap<String, (Timestamp, Value)>>,
    page: AtomicUsize,
    mute: AtomicBool,
}

/// Where an item is, in whatever order the parts of its key were given.
fn place(table: &str, key: &Value) -> (String, String) {
    let parts: BTreeMap<&String, &Value> = key.as_object().into_iter().flatten().collect();
    (table.to_owned(), format!("{parts:?}"))
}

impl Dynamo {
    pub fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            service: DynamoDbService::new(),
            turn: tokio::sync::Mutex::new(()),
            shapes: Mutex::default(),
            read: Mutex::default(),
            tokens: Mutex::default(),
            page: AtomicUsize::new(usize::MAX),
            mute: AtomicBool::new(false),
        }
    }

    /// The same tables, on another clock.
    pub async fn fork(&self, clock: &Clock) -> Self {
        let _turn = self.turn.lock().await;
        let service = DynamoDbService::new();
        service.restore(HOME, REGION, self.service.snapshot(HOME, REGION).await).await.unwrap();
        Self {
            clock: clock.clone(),
            service,
            turn: tokio::sync::Mutex::new(()),
            shapes: Mutex::new(self.shapes.lock().unwrap().clone()),
            read: Mutex::new(self.read.lock().unwrap().clone()),
            tokens: Mutex::new(self.tokens.lock().unwrap().clone()),
            page: AtomicUsize::new(self.page.load(Ordering::SeqCst)),
            mute: AtomicBool::new(self.mute.load(Ordering::SeqCst)),
        }
    }

    /// Every item of a table, in DynamoDB's JSON.
    pub async fn items(&self, table: &str) -> Vec<Value> {
        let _turn = self.turn.lock().await;
        let (_, answer) = self.forward("Scan", &json!({"TableName": table})).await;
        answer["Items"].as_array().unwrap().clone()
    }

    /// One item, or null.
    pub async fn item(&self, table: &str, key: Value) -> Value {
        let _turn = self.turn.lock().await;
        self.stored(table, &key).await
    }

    /// At most this many items in any page of a Query or a Scan: AWS ends a page after 1 MB too.
    pub fn page(&self, items: usize) {
        self.page.store(items, Ordering::SeqCst);
    }

    /// Leaves the item out of failed conditions, as other emulators do where AWS returns it when asked.
    pub fn without_item_on_failure(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    pub async fn answer(&self, operation: &str, input: &Value) -> Reply {
        let _turn = self.turn.lock().await;
        let result = match operation {
            "CreateTable" => {
                self.shapes.lock().unwrap().insert(text(&input["TableName"]), Shape::of(input));
                Ok(self.forward(operation, input).await)
            }
            "GetItem" => self.get(input).await,
            "PutItem" | "UpdateItem" | "DeleteItem" => self.write(operation, input).await,
            "Query" => self.query(input).await,
            "Scan" => self.scan(input).await,
            "TransactWriteItems" => self.transact(input).await,
            "ExecuteStatement" => self.statement(input).await,
            other => {
                self.read.lock().unwrap().clear();
                Ok(self.forward(other, input).await)
            }
        };
        match result {
            Ok((status, body)) => Reply::json(status, &body),
            Err(refused) => refused.into(),
        }
    }

    async fn forward(&self, operation: &str, input: &Value) -> (u16, Value) {
        let scope = format!("AWS4-HMAC-SHA256 Credential=world/20251124/{REGION}/dynamodb/aws4_request, ");
        let request = Request {
            method: "POST".to_owned(),
            url: format!("https://dynamodb.{REGION}.amazonaws.com/"),
            headers: vec![
                ("x-amz-target".to_owned(), format!("DynamoDB_20120810.{operation}")),
                ("authorization".to_owned(), scope),
            ],
            body: input.to_string().into_bytes(),
        };
        let reply = winterbaume(&self.service, &request).await;
        (reply.status, serde_json::from_str(&reply.body).unwrap())
    }

    fn shape(&self, input: &Value) -> Result<Shape, Refused> {
        let shapes = self.shapes.lock().unwrap();
        let found = shapes.get(input["TableName"].as_str().unwrap_or_default()).cloned();
        found.ok_or_else(|| Refused::new("ResourceNotFoundException", "Requested resource not found"))
    }

    async fn stored(&self, table: &str, key: &Value) -> Value {
        let place = place(table, key);
        if let Some(item) = self.read.lock().unwrap().get(&place) {
            return item.clone();
        }
        let found = self.forward("GetItem", &json!({"TableName": table, "Key": key})).await.1["Item"].take();
        self.read.lock().unwrap().insert(place, found.clone());
        found
    }

    /// Something was, or is to be, written there.
    fn forget(&self, table: &str, key: &Value) {
        self.read.lock().unwrap().remove(&place(table, key));
    }

    async fn get(&self, input: &Value) -> Result<(u16, Value), Refused> {
        expressions::check(input).map_err(Refused::invalid)?;
        exact_key(&self.shape(input)?, &input["Key"])?;
        let names = match input["ProjectionExpression"].as_str() {
            None => None,
            // Paths into an attribute are winterbaume's.
            Some(projection) if projection.contains(['.', '[']) => {
                return Ok(self.forward("GetItem", input).await);
            }
            Some(projection) => Some(expressions::top_level(projection, input)),
        };
        let item = self.stored(&text(&input["TableName"]), &input["Key"]).await;
        Ok(match (item, names) {
            (Value::Null, _) => (200, json!({})),
            (item, None) => (200, json!({"Item": item})),
            (item, Some(names)) => (200, json!({"Item": only(&item, &names)})),
        })
    }

    /// One write, by the same steps alone and in a transaction: checked, its condition judged on the stored item.
    async fn prepare(&self, operation: &str, input: &Value) -> Result<Prepared, Refused> {
        expressions::check(input).map_err(Refused::invalid)?;
        let shape = self.shape(input)?;
        let key = match operation {
            "PutItem" => {
                check_item(&shape, &input["Item"])?;
                shape.key.iter().map(|(name, _)| (name.clone(), input["Item"][name].clone())).collect()
            }
            _ => {
                exact_key(&shape, &input["Key"])?;
                input["Key"].clone()
            }
        };
        for field in ["Item", "ExpressionAttributeValues"] {
            for value in input[field].as_object().into_iter().flatten().map(|(_, value)| value) {
                no_empty_set(value)?;
            }
        }
        let mut written = Vec::new();
        if let Some(update) = input["UpdateExpression"].as_str() {
            written = expressions::written(update, input);
            no_overlap(&written)?;
            let keys = written.iter().find(|path| shape.key.iter().any(|(name, _)| name == *path));
            if let Some(name) = keys {
                return Err(Refused::invalid(format!(
                    "Cannot update attribute {name}. This attribute is part of the key"
                )));
            }
        }
        let before = self.stored(&text(&input["TableName"]), &key).await;
        let holds = match input["ConditionExpression"].as_str() {
            Some(condition) => {
                expressions::condition_holds(condition, input, &before).map_err(Refused::invalid)?
            }
            None => true,
        };
        // winterbaume cannot compare binaries and the like; the condition has been judged.
        let mut input = input.clone();
        input.as_object_mut().unwrap().remove("ConditionExpression");
        Ok(Prepared { table: text(&input["TableName"]), key, shape, before, written, holds, input })
    }

    /// AWS returns the stored item with a failed condition when asked to.
    fn item_on_failure(&self, prepared: &Prepared) -> Map<String, Value> {
        let asked = prepared.input["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
        let mut more = Map::new();
        if asked && !prepared.before.is_null() && !self.mute.load(Ordering::SeqCst) {
            more.insert("Item".to_owned(), prepared.before.clone());
        }
        more
    }

    async fn write(&self, operation: &str, input: &Value) -> Result<(u16, Value), Refused> {
        let prepared = self.prepare(operation, input).await?;
        let wanted = input["ReturnValues"].as_str().unwrap_or("NONE");
        if operation != "UpdateItem" && !["NONE", "ALL_OLD"].contains(&wanted) {
            return Err(Refused::invalid(format!("ReturnValues {wanted} is not for {operation}")));
        }
        if !prepared.holds {
            let more = self.item_on_failure(&prepared);
            return Err(Refused {
                more,
                ..Refused::new("ConditionalCheckFailedException", CONDITION_FAILED)
            });
        }
        self.forget(&prepared.table, &prepared.key);
        let answer = self.forward(operation, &prepared.input).await;
        if answer.0 != 200 {
            return Ok(answer);
        }
        let after = match wanted {
            "ALL_NEW" | "UPDATED_NEW" => self.stored(&prepared.table, &prepared.key).await,
            _ => Value::Null,
        };
        if let Err(refused) = self.check_indexes(&prepared).await {
            self.put_back(&prepared).await;
            return Err(refused);
        }
        // winterbaume returns ALL_NEW and ALL_OLD of a put only.
        let attributes = match wanted {
            "ALL_OLD" => prepared.before,
            "ALL_NEW" => after,
            "UPDATED_NEW" => only(&after, &prepared.written),
            "UPDATED_OLD" => only(&prepared.before, &prepared.written),
            _ => Value::Null,
        };
        let empty = attributes.as_object().is_none_or(Map::is_empty);
        Ok((200, if empty { json!({}) } else { json!({"Attributes": attributes}) }))
    }

    /// Looks at an item that was written, if its write can have changed an index's key.
    async fn check_indexes(&self, prepared: &Prepared) -> Result<(), Refused> {
        let Prepared { table, key, shape, written, .. } = prepared;
        let indexed = shape.indexes.values().flat_map(|index| &index.key);
        let updates = prepared.input["UpdateExpression"].is_string();
        if updates && !indexed.into_iter().any(|(name, _)| written.contains(name)) {
            return Ok(());
        }
        check_indexes(shape, &self.stored(table, key).await)
    }

    async fn put_back(&self, prepared: &Prepared) {
        let Prepared { table, key, before, .. } = prepared;
        self.forget(table, key);
        match before.is_null() {
            true => self.forward("DeleteItem", &json!({"TableName": table, "Key": key})).await,
            false => self.forward("PutItem", &json!({"TableName": table, "Item": before})).await,
        };
    }

    async fn transact(&self, input: &Value) -> Result<(u16, Value), Refused> {
        let items = input["TransactItems"].as_array().cloned().unwrap_or_default();
        if items.is_empty() || items.len() > 100 {
            return Err(Refused::invalid("a transaction has 1 to 100 items"));
        }
        // AWS takes a repeated token with the same items, within ten minutes, for the same transaction.
        let token = input["ClientRequestToken"].as_str().map(str::to_owned);
        if let Some(token) = &token {
            if !(1..=36).contains(&token.len()) {
                return Err(Refused::invalid("ClientRequestToken has 1 to 36 characters"));
            }
            let tokens = self.tokens.lock().unwrap();
            if let Some((at, done)) = tokens.get(token)
                && self.clock.now().since(*at) < IDEMPOTENT
            {
                let same = *done == input["TransactItems"];
                let message = "Request rejected because the token was used with other items";
                return if same {
                    Ok((200, json!({})))
                } else {
                    Err(Refused::new("IdempotentParameterMismatchException", message))
                };
            }
        }
        let mut all = Vec::new();
        for item in &items {
            let actions: Vec<(&String, &Value)> =
                item.as_object().unwrap().iter().filter(|(_, v)| !v.is_null()).collect();
            let [(kind, action)] = actions[..] else {
                return Err(Refused::invalid(
                    "TransactItems can only contain one of Check, Put, Update or Delete",
                ));
            };
            if kind == "ConditionCheck" && !action["ConditionExpression"].is_string() {
                return Err(Refused::invalid("a ConditionCheck needs a ConditionExpression"));
            }
            let operation = if kind == "Put" { "PutItem" } else { "UpdateItem" };
            let prepared = self.prepare(operation, action).await?;
            let twice = all.iter().any(|(_, other): &(String, Prepared)| {
                other.table == prepared.table && other.key == prepared.key
            });
            if twice {
                return Err(Refused::invalid(
                    "Transaction request cannot include multiple operations on one item",
                ));
            }
            all.push((kind.clone(), prepared));
        }
        if all.iter().any(|(_, prepared)| !prepared.holds) {
            let reason = |prepared: &Prepared| match prepared.holds {
                true => json!({"Code": "None"}),
                false => {
                    let mut reason = self.item_on_failure(prepared);
                    reason.insert("Code".to_owned(), json!("ConditionalCheckFailed"));
                    reason.insert("Message".to_owned(), json!(CONDITION_FAILED));
                    Value::Object(reason)
                }
            };
            return Err(cancelled(all.iter().map(|(_, prepared)| reason(prepared)).collect()));
        }
        let writes: Vec<Value> = all
            .iter()
            .filter(|(kind, _)| kind != "ConditionCheck")
            .map(|(kind, prepared)| json!({kind: prepared.input}))
            .collect();
        if !writes.is_empty() {
            for (_, prepared) in &all {
                self.forget(&prepared.table, &prepared.key);
            }
            let answer = self.forward("TransactWriteItems", &json!({"TransactItems": writes})).await;
            if answer.0 != 200 {
                self.put_all_back(&all).await;
                return Ok(answer);
            }
        }
        let mut reasons = Vec::new();
        for (_, prepared) in &all {
            reasons.push(match self.check_indexes(prepared).await {
                Ok(()) => json!({"Code": "None"}),
                Err(refused) => json!({"Code": "ValidationError", "Message": refused.message}),
            });
        }
        if reasons.iter().any(|reason| reason["Code"] != "None") {
            self.put_all_back(&all).await;
            return Err(cancelled(reasons));
        }
        if let Some(token) = token {
            let now = self.clock.now();
            let mut tokens = self.tokens.lock().unwrap();
            tokens.retain(|_, (at, _)| now.since(*at) < IDEMPOTENT);
            tokens.insert(token, (now, input["TransactItems"].clone()));
        }
        Ok((200, json!({})))
    }

    async fn put_all_back(&self, all: &[(String, Prepared)]) {
        for (_, prepared) in all {
            self.put_back(prepared).await;
        }
    }

    /// winterbaume sorts numbers as texts, shows items in an index that lack its sort key, ignores what an index
    /// projects, and loses items of one sort key at the end of a page. So it only finds the candidates.
    async fn query(&self, input: &Value) -> Result<(u16, Value), Refused> {
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
        let mut all = input.clone();
        for field in ["Limit", "ExclusiveStartKey", "FilterExpression", "ProjectionExpression", "Select"] {
            all.as_object_mut().unwrap().remove(field);
        }
        let (status, answer) = self.forward("Query", &all).await;
        if status != 200 {
            return Ok((status, answer));
        }
        let mut found: Vec<Value> = answer["Items"].as_array().unwrap().clone();
        found.retain(|item| key.iter().all(|(name, _)| !item[name].is_null()));
        let order: Vec<&KeyPart> = key.iter().skip(1).chain(&shape.key).collect();
        let compare = |left: &Value, right: &Value| {
            let parts = order.iter().map(|(name, _)| by_key(&left[name], &right[name]));
            parts.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        let descending = input["ScanIndexForward"] == false;
        found.sort_by(|left, right| if descending { compare(right, left) } else { compare(left, right) });
        let start = &input["ExclusiveStartKey"];
        if !start.is_null() {
            let behind = if descending { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
            found.retain(|item| compare(item, start) == behind);
        }
        let limit = input["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let limit = limit.min(self.page.load(Ordering::SeqCst));
        let mut output = Map::new();
        // AWS stops at the limit without looking whether anything is left.
        if found.len() >= limit {
            found.truncate(limit);
            let last = found.last().unwrap();
            let names = key.iter().chain(&shape.key).map(|(name, _)| name);
            let last: Map<String, Value> = names.map(|name| (name.clone(), last[name].clone())).collect();
            output.insert("LastEvaluatedKey".to_owned(), Value::Object(last));
        }
        output.insert("ScannedCount".to_owned(), json!(found.len()));
        if let Some(projected) = index.and_then(|index| index.projected.as_ref()) {
            for item in &mut found {
                item.as_object_mut().unwrap().retain(|name, _| projected.contains(name));
            }
        }
        if let Some(filter) = input["FilterExpression"].as_str() {
            let mut kept = Vec::new();
            for item in found {
                if expressions::condition_holds(filter, input, &item).map_err(Refused::invalid)? {
                    kept.push(item);
                }
            }
            found = kept;
        }
        if let Some(projection) = input["ProjectionExpression"].as_str() {
            let names = expressions::top_level(projection, input);
            found = found.iter().map(|item| only(item, &names)).collect();
        }
        output.insert("Count".to_owned(), json!(found.len()));
        if input["Select"] != "COUNT" {
            output.insert("Items".to_owned(), Value::Array(found));
        }
        Ok((200, Value::Object(output)))
    }

    /// winterbaume scans in the order of a hash map, and once. AWS gives the items of a partition together, in the order
    /// of their sort keys, and cuts pages before it filters.
    async fn scan(&self, input: &Value) -> Result<(u16, Value), Refused> {
        expressions::check(input).map_err(Refused::invalid)?;
        let shape = self.shape(input)?;
        let all = json!({"TableName": input["TableName"]});
        let (status, answer) = self.forward("Scan", &all).await;
        if status != 200 {
            return Ok((status, answer));
        }
        let mut found: Vec<Value> = answer["Items"].as_array().unwrap().clone();
        let compare = |left: &Value, right: &Value| {
            let parts = shape.key.iter().map(|(name, _)| by_key(&left[name], &right[name]));
            parts.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        found.sort_by(compare);
        let start = &input["ExclusiveStartKey"];
        if !start.is_null() {
            found.retain(|item| compare(item, start) == std::cmp::Ordering::Greater);
        }
        let limit = input["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let limit = limit.min(self.page.load(Ordering::SeqCst));
        let mut output = Map::new();
        if found.len() >= limit {
            found.truncate(limit);
            let last = found.last().unwrap();
            let last: Map<String, Value> =
                shape.key.iter().map(|(name, _)| (name.clone(), last[name].clone())).collect();
            output.insert("LastEvaluatedKey".to_owned(), Value::Object(last));
        }
        output.insert("ScannedCount".to_owned(), json!(found.len()));
        if let Some(filter) = input["FilterExpression"].as_str() {
            let mut kept = Vec::new();
            for item in found {
                if expressions::condition_holds(filter, input, &item).map_err(Refused::invalid)? {
                    kept.push(item);
                }
            }
            found = kept;
        }
        if let Some(projection) = input["ProjectionExpression"].as_str() {
            let names = expressions::top_level(projection, input);
            found = found.iter().map(|item| only(item, &names)).collect();
        }
        output.insert("Count".to_owned(), json!(found.len()));
        output.insert("Items".to_owned(), Value::Array(found));
        Ok((200, Value::Object(output)))
    }

    /// winterbaume's INSERT replaces; AWS's fails on an existing key, with an error of its own.
    async fn statement(&self, input: &Value) -> Result<(u16, Value), Refused> {
        let statement = input["Statement"].as_str().unwrap_or_default();
        let parameters = input["Parameters"].as_array().cloned().unwrap_or_default();
        if input["Parameters"].as_array().is_some_and(Vec::is_empty) {
            return Err(Refused::invalid("Parameters must have length greater than or equal to 1"));
        }
        let wanted = statement.matches('?').count();
        if wanted != parameters.len() {
            let given = parameters.len();
            return Err(Refused::invalid(format!(
                "Number of parameters in request and statement don't match: {given}, {wanted}"
            )));
        }
        let parsed = winterbaume_partiql::parse_statement(statement, &parameters).map_err(|error| {
            Refused::invalid(format!("Statement wasn't well formed, can't be processed: {error}"))
        })?;
        let DdbOperation::Insert(insert) = parsed else {
            self.read.lock().unwrap().clear();
            return Ok(self.forward("ExecuteStatement", input).await);
        };
        if insert.table_name.contains('-') && !statement.contains(&format!("\"{}\"", insert.table_name)) {
            return Err(Refused::invalid(
                "Statement wasn't well formed, can't be processed: Unexpected token: -",
            ));
        }
        let item: Map<String, Value> = insert.item.into_iter().collect();
        let put = json!({"TableName": insert.table_name, "Item": item});
        let prepared = self.prepare("PutItem", &put).await?;
        if !prepared.before.is_null() {
            let more = match input["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD" {
                true => Map::from_iter([("Item".to_owned(), prepared.before)]),
                false => Map::new(),
            };
            let message = "Duplicate primary key exists in table";
            return Err(Refused { more, ..Refused::new("DuplicateItemException", message) });
        }
        check_indexes(&prepared.shape, &put["Item"])?;
        self.forget(&prepared.table, &prepared.key);
        self.forward("PutItem", &put).await;
        Ok((200, json!({"Items": []})))
    }
}

struct Prepared {
    table: String,
    key: Value,
    shape: Shape,
    before: Value,
    written: Vec<String>,
    holds: bool,
    input: Value,
}

fn cancelled(reasons: Vec<Value>) -> Refused {
    let codes: Vec<String> = reasons.iter().map(|reason| text(&reason["Code"])).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let more = Map::from_iter([("CancellationReasons".to_owned(), Value::Array(reasons))]);
    Refused { more, ..Refused::new("TransactionCanceledException", message) }
}

fn by_key(left: &Value, right: &Value) -> std::cmp::Ordering {
    let value = |value: &Value| serde_json::from_value::<AttributeValue>(value.clone()).unwrap();
    expressions::order(&value(left), &value(right)).unwrap()
}

/// The named top-level attributes of an item.
fn only(item: &Value, paths: &[String]) -> Value {
    let names: BTreeSet<&str> = paths.iter().map(|path| path.split(['.', '[']).next().unwrap()).collect();
    let Some(item) = item.as_object() else { return json!({}) };
    item.iter()
        .filter(|(name, _)| names.contains(name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}
