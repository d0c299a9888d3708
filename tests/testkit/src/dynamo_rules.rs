//! What a DynamoDB table demands of keys and items, which winterbaume lets pass, and the errors that say so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::net::Reply;

/// A key attribute: its name and its type, `S`, `N` or `B`.
pub type KeyPart = (String, String);

#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub key: Vec<KeyPart>,
    pub indexes: BTreeMap<String, Index>,
}

#[derive(Clone, Debug)]
pub struct Index {
    pub key: Vec<KeyPart>,
    /// The attributes that the index holds; None for all.
    pub projected: Option<BTreeSet<String>>,
}

impl Shape {
    /// The shape that a CreateTable asks for.
    pub fn of(input: &Value) -> Self {
        let types: BTreeMap<String, String> = input["AttributeDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|definition| (text(&definition["AttributeName"]), text(&definition["AttributeType"])))
            .collect();
        let key = |schema: &Value| -> Vec<KeyPart> {
            let names = schema.as_array().unwrap().iter().map(|part| text(&part["AttributeName"]));
            names.map(|name| (name.clone(), types[&name].clone())).collect()
        };
        let mut shape = Self { key: key(&input["KeySchema"]), indexes: BTreeMap::new() };
        for index in input["GlobalSecondaryIndexes"].as_array().into_iter().flatten() {
            let own = key(&index["KeySchema"]);
            let projected = match text(&index["Projection"]["ProjectionType"]).as_str() {
                "ALL" => None,
                _ => {
                    let more =
                        index["Projection"]["NonKeyAttributes"].as_array().into_iter().flatten().map(text);
                    let keys = own.iter().chain(&shape.key).map(|(name, _)| name.clone());
                    Some(keys.chain(more).collect())
                }
            };
            shape.indexes.insert(text(&index["IndexName"]), Index { key: own, projected });
        }
        shape
    }
}

/// An AWS error: code and message, and what else its JSON holds.
pub struct Refused {
    pub code: &'static str,
    pub message: String,
    pub more: Map<String, Value>,
}

impl Refused {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), more: Map::new() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        let mut body = refused.more;
        // The SDK reads `message`; TransactionCanceledException spells it `Message` at AWS, and the SDK reads both.
        body.insert("__type".to_owned(), json!(format!("com.amazonaws.dynamodb.v20120810#{}", refused.code)));
        body.insert("message".to_owned(), json!(refused.message));
        Reply::json(400, &Value::Object(body))
    }
}

/// AWS wants the key attributes and no others, each of its type and not empty.
pub fn exact_key(shape: &Shape, key: &Value) -> Result<(), Refused> {
    let given = key.as_object().map_or(0, Map::len);
    if given != shape.key.len() {
        return Err(Refused::invalid("The provided key element does not match the schema"));
    }
    check_key(&shape.key, key)
}

pub fn check_item(shape: &Shape, item: &Value) -> Result<(), Refused> {
    check_key(&shape.key, item)
}

fn check_key(key: &[KeyPart], item: &Value) -> Result<(), Refused> {
    for (name, kind) in key {
        match item[name][kind].as_str() {
            None => {
                return Err(Refused::invalid(format!("Missing the key {name} of type {kind} in the item")));
            }
            Some("") => {
                let message = format!(
                    "The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
                );
                return Err(Refused::invalid(message));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// AWS refuses an item whose attribute is an index's key but of another type; an absent one just is not indexed.
pub fn check_indexes(shape: &Shape, item: &Value) -> Result<(), Refused> {
    for (name, kind) in shape.indexes.values().flat_map(|index| &index.key) {
        let value = &item[name];
        if !value.is_null() && value[kind].as_str().is_none_or(str::is_empty) {
            return Err(Refused::invalid(format!("Type mismatch for Index Key {name} Expected: {kind}")));
        }
    }
    Ok(())
}

pub fn no_empty_set(value: &Value) -> Result<(), Refused> {
    fn empty(value: &Value) -> bool {
        value.as_object().into_iter().flatten().any(|(kind, inner)| match (kind.as_str(), inner) {
            ("SS" | "NS" | "BS", Value::Array(set)) => set.is_empty(),
            ("L", Value::Array(list)) => list.iter().any(empty),
            ("M", Value::Object(map)) => map.values().any(empty),
            _ => false,
        })
    }
    if empty(value) {
        return Err(Refused::invalid("One or more parameter values were invalid: An set may not be empty"));
    }
    Ok(())
}

pub fn no_overlap(paths: &[String]) -> Result<(), Refused> {
    for (index, path) in paths.iter().enumerate() {
        for other in &paths[..index] {
            let within = |long: &str, short: &str| {
                long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            if within(path, other) || within(other, path) {
                return Err(Refused::invalid("Two document paths overlap with each other"));
            }
        }
    }
    Ok(())
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
