//! DynamoDB: the items are kept here and winterbaume's expressions change them; what those get wrong about AWS is put
//! right, each with what AWS does. Calls run one after another, as writes to one item do at AWS. (winterbaume's own store
//! copies all that it holds at every call, and that a run of a whole path makes thousands of times.)

mod reads;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use keyvend::time::Timestamp;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use winterbaume_dynamodb::expr::{apply_update_actions, parse_update_expression};
use winterbaume_partiql::DdbOperation;

use crate::clock::Clock;
use crate::dynamo::reads::only;
use crate::dynamo_rules::{
    Refused, Shape, check_indexes, check_item, exact_key, no_empty_set, no_overlap, text,
};
use crate::expressions::{self, Item, item_of};
use crate::net::Reply;

const IDEMPOTENT: i64 = 600;
const CONDITION_FAILED: &str = "The conditional request failed";

/// An item in DynamoDB's JSON, and as expressions take it.
struct Stored {
    json: Value,
    item: Item,
}

impl From<Item> for Stored {
    fn from(item: Item) -> Self {
        Self { json: serde_json::to_value(&item).unwrap(), item }
    }
}

/// What is there before a write or after it; None where no item is.
type Image = Option<Arc<Stored>>;

fn json_of(image: &Image) -> Value {
    image.as_ref().map_or(Value::Null, |stored| stored.json.clone())
}

/// A table with its items by their keys.
#[derive(Clone)]
struct Table {
    shape: Shape,
    items: BTreeMap<String, Arc<Stored>>,
}

/// The model.
pub struct Dynamo {
    clock: Clock,
    turn: tokio::sync::Mutex<()>,
    tables: Mutex<BTreeMap<String, Table>>,
    tokens: Mutex<BTreeMap<String, (Timestamp, Value)>>,
    page: AtomicUsize,
    mute: AtomicBool,
}

/// What an item is found by, in whatever order the parts of its key were given.
fn place(key: &Value) -> String {
    let parts: BTreeMap<&String, &Value> = key.as_object().into_iter().flatten().collect();
    format!("{parts:?}")
}

impl Dynamo {
    pub fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            turn: tokio::sync::Mutex::new(()),
            tables: Mutex::default(),
            tokens: Mutex::default(),
            page: AtomicUsize::new(usize::MAX),
            mute: AtomicBool::new(false),
        }
    }

    /// The same tables, on another clock.
    pub async fn fork(&self, clock: &Clock) -> Self {
        let _turn = self.turn.lock().await;
        Self {
            clock: clock.clone(),
            turn: tokio::sync::Mutex::new(()),
            tables: Mutex::new(self.tables.lock().unwrap().clone()),
            tokens: Mutex::new(self.tokens.lock().unwrap().clone()),
            page: AtomicUsize::new(self.page.load(Ordering::SeqCst)),
            mute: AtomicBool::new(self.mute.load(Ordering::SeqCst)),
        }
    }

    /// Every item of a table, in DynamoDB's JSON.
    pub async fn items(&self, table: &str) -> Vec<Value> {
        let _turn = self.turn.lock().await;
        self.all(table).iter().map(|stored| stored.json.clone()).collect()
    }

    /// One item, or null.
    pub async fn item(&self, table: &str, key: Value) -> Value {
        let _turn = self.turn.lock().await;
        json_of(&self.stored(table, &key))
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
            "CreateTable" => self.create(input),
            "DeleteTable" => self.delete(input),
            "GetItem" => self.get(input),
            "PutItem" | "UpdateItem" | "DeleteItem" => self.write(operation, input),
            "Query" => self.query(input),
            "Scan" => self.scan(input),
            "TransactWriteItems" => self.transact(input),
            "ExecuteStatement" => self.statement(input),
            other => {
                Err(Refused::new("UnknownOperationException", format!("the test world knows no {other}")))
            }
        };
        match result {
            Ok(body) => Reply::json(200, &body),
            Err(refused) => refused.into(),
        }
    }

    fn create(&self, input: &Value) -> Result<Value, Refused> {
        let table = Table { shape: Shape::of(input), items: BTreeMap::new() };
        self.tables.lock().unwrap().insert(text(&input["TableName"]), table);
        Ok(json!({"TableDescription": {"TableName": input["TableName"], "TableStatus": "ACTIVE"}}))
    }

    fn delete(&self, input: &Value) -> Result<Value, Refused> {
        let name = input["TableName"].as_str().unwrap_or_default();
        match self.tables.lock().unwrap().remove(name) {
            Some(_) => Ok(json!({"TableDescription": {"TableName": name, "TableStatus": "DELETING"}})),
            None => Err(Refused::new("ResourceNotFoundException", "Requested resource not found")),
        }
    }

    fn shape(&self, input: &Value) -> Result<Shape, Refused> {
        let tables = self.tables.lock().unwrap();
        let found = tables.get(input["TableName"].as_str().unwrap_or_default());
        let shape = found.map(|table| table.shape.clone());
        shape.ok_or_else(|| Refused::new("ResourceNotFoundException", "Requested resource not found"))
    }

    fn all(&self, table: &str) -> Vec<Arc<Stored>> {
        self.tables.lock().unwrap()[table].items.values().cloned().collect()
    }

    fn stored(&self, table: &str, key: &Value) -> Image {
        self.tables.lock().unwrap()[table].items.get(&place(key)).cloned()
    }

    fn keep(&self, prepared: &Prepared) {
        let mut tables = self.tables.lock().unwrap();
        let items = &mut tables.get_mut(&prepared.table).unwrap().items;
        match &prepared.after {
            Some(after) => items.insert(place(&prepared.key), Arc::clone(after)),
            None => items.remove(&place(&prepared.key)),
        };
    }

    /// One write, by the same steps alone and in a transaction: checked, its condition judged on the stored item, and what
    /// it makes of that.
    fn prepare(&self, operation: &str, input: &Value) -> Result<Prepared, Refused> {
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
        let before = self.stored(&text(&input["TableName"]), &key);
        let holds = match input["ConditionExpression"].as_str() {
            Some(condition) => {
                let item = before.as_ref().map_or(&*NOTHING, |stored| &stored.item);
                expressions::condition_holds(condition, input, item).map_err(Refused::invalid)?
            }
            None => true,
        };
        let after = match operation {
            "PutItem" => Some(item_of(&input["Item"])),
            "UpdateItem" if holds => Some(updated(input, &key, before.as_deref())?),
            _ => None,
        };
        let (table, after) = (text(&input["TableName"]), after.map(|item| Arc::new(item.into())));
        Ok(Prepared { table, key, shape, before, after, written, holds, input: input.clone() })
    }

    /// AWS returns the stored item with a failed condition when asked to.
    fn item_on_failure(&self, prepared: &Prepared) -> Map<String, Value> {
        let asked = prepared.input["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
        let mut more = Map::new();
        if asked && !self.mute.load(Ordering::SeqCst) {
            more.extend(prepared.before.iter().map(|before| ("Item".to_owned(), before.json.clone())));
        }
        more
    }

    fn write(&self, operation: &str, input: &Value) -> Result<Value, Refused> {
        let prepared = self.prepare(operation, input)?;
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
        prepared.check_indexes()?;
        self.keep(&prepared);
        let (before, after) = (json_of(&prepared.before), json_of(&prepared.after));
        let attributes = match wanted {
            "ALL_OLD" => before,
            "ALL_NEW" => after,
            "UPDATED_NEW" => only(&after, &prepared.written),
            "UPDATED_OLD" => only(&before, &prepared.written),
            _ => Value::Null,
        };
        let empty = attributes.as_object().is_none_or(Map::is_empty);
        Ok(if empty { json!({}) } else { json!({"Attributes": attributes}) })
    }

    fn transact(&self, input: &Value) -> Result<Value, Refused> {
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
                    Ok(json!({}))
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
            let operation = match kind.as_str() {
                "Put" => "PutItem",
                "Delete" => "DeleteItem",
                _ => "UpdateItem",
            };
            let prepared = self.prepare(operation, action)?;
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
        let mut reasons = Vec::new();
        for (_, prepared) in &all {
            reasons.push(match prepared.check_indexes() {
                Ok(()) => json!({"Code": "None"}),
                Err(refused) => json!({"Code": "ValidationError", "Message": refused.message}),
            });
        }
        if reasons.iter().any(|reason| reason["Code"] != "None") {
            return Err(cancelled(reasons));
        }
        for (_, prepared) in all.iter().filter(|(kind, _)| kind != "ConditionCheck") {
            self.keep(prepared);
        }
        if let Some(token) = token {
            let now = self.clock.now();
            let mut tokens = self.tokens.lock().unwrap();
            tokens.retain(|_, (at, _)| now.since(*at) < IDEMPOTENT);
            tokens.insert(token, (now, input["TransactItems"].clone()));
        }
        Ok(json!({}))
    }

    /// INSERT, which fails on an existing key with an error of its own.
    fn statement(&self, input: &Value) -> Result<Value, Refused> {
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
            return Err(Refused::invalid("the test world knows INSERT only"));
        };
        if insert.table_name.contains('-') && !statement.contains(&format!("\"{}\"", insert.table_name)) {
            return Err(Refused::invalid(
                "Statement wasn't well formed, can't be processed: Unexpected token: -",
            ));
        }
        let item: Map<String, Value> = insert.item.into_iter().collect();
        let put = json!({"TableName": insert.table_name, "Item": item});
        let prepared = self.prepare("PutItem", &put)?;
        if let Some(before) = &prepared.before {
            let more = match input["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD" {
                true => Map::from_iter([("Item".to_owned(), before.json.clone())]),
                false => Map::new(),
            };
            let message = "Duplicate primary key exists in table";
            return Err(Refused { more, ..Refused::new("DuplicateItemException", message) });
        }
        prepared.check_indexes()?;
        self.keep(&prepared);
        Ok(json!({"Items": []}))
    }
}

struct Prepared {
    table: String,
    key: Value,
    shape: Shape,
    before: Image,
    after: Image,
    written: Vec<String>,
    holds: bool,
    input: Value,
}

impl Prepared {
    /// Looks at what it makes, if it can change an index's key.
    fn check_indexes(&self) -> Result<(), Refused> {
        let Self { shape, written, .. } = self;
        let indexed = shape.indexes.values().flat_map(|index| &index.key);
        let updates = self.input["UpdateExpression"].is_string();
        if updates && !indexed.into_iter().any(|(name, _)| written.contains(name)) {
            return Ok(());
        }
        check_indexes(shape, &json_of(&self.after))
    }
}

static NOTHING: LazyLock<Item> = LazyLock::new(Item::new);

/// The item as an update leaves it; where there is none, it starts from the key.
fn updated(input: &Value, key: &Value, before: Option<&Stored>) -> Result<Item, Refused> {
    let mut item = before.map_or_else(|| item_of(key), |stored| stored.item.clone());
    if let Some(update) = input["UpdateExpression"].as_str() {
        let names = HashMap::deserialize(&input["ExpressionAttributeNames"]).unwrap_or_default();
        let values = item_of(&input["ExpressionAttributeValues"]);
        let actions = parse_update_expression(update, &names, &values).map_err(Refused::invalid)?;
        apply_update_actions(&mut item, &actions).map_err(Refused::invalid)?;
    }
    Ok(item)
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
