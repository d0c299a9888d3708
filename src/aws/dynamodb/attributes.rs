//! Items and attributes as the SDK has them, and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::item::{Attribute, Item};

/// `state` and `end` are reserved words; wherever an expression says `#state` or `#end`, this names it.
pub(crate) fn reserved_names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let reserved = ["state", "end"].map(|name| (format!("#{name}"), name.to_owned()));
    let used = reserved
        .into_iter()
        .filter(|(placeholder, _)| expressions.iter().any(|expression| expression.contains(placeholder)));
    Some(used.collect()).filter(|names: &HashMap<_, _>| !names.is_empty())
}

pub(crate) fn some_values(values: &Item) -> Option<HashMap<String, AttributeValue>> {
    if values.is_empty() { None } else { Some(write_item(values)) }
}

pub(crate) fn write_item(item: &Item) -> HashMap<String, AttributeValue> {
    item.iter().map(|(name, value)| (name.clone(), write_attribute(value))).collect()
}

fn write_attribute(value: &Attribute) -> AttributeValue {
    match value {
        Attribute::Text(text) => AttributeValue::S(text.clone()),
        Attribute::Number(number) => AttributeValue::N(number.to_string()),
        Attribute::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Attribute::List(list) => AttributeValue::L(list.iter().map(write_attribute).collect()),
        Attribute::Map(item) => AttributeValue::M(write_item(item)),
    }
}

pub(crate) fn read_item(item: HashMap<String, AttributeValue>) -> anyhow::Result<Item> {
    item.into_iter().map(|(name, value)| Ok((name, read_attribute(value)?))).collect()
}

fn read_attribute(value: AttributeValue) -> anyhow::Result<Attribute> {
    Ok(match value {
        AttributeValue::S(text) => Attribute::Text(text),
        AttributeValue::N(number) => Attribute::Number(number.parse()?),
        AttributeValue::B(bytes) => Attribute::Bytes(bytes.into_inner()),
        AttributeValue::L(list) => {
            Attribute::List(list.into_iter().map(read_attribute).collect::<anyhow::Result<_>>()?)
        }
        AttributeValue::M(item) => Attribute::Map(read_item(item)?),
        _ => anyhow::bail!("a stored attribute of a type that is not written here"),
    })
}
