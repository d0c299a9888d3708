//! A table's items and conditional writes as plain values, so that what decides can be read, tested and replayed
//! without a database. Only src/aws turns them into DynamoDB's own types.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `S`
    Text(String),
    /// `N`, whole
    Number(i64),
    /// `B`
    Bytes(Vec<u8>),
    /// `L`
    List(Vec<Attribute>),
    /// `M`
    Map(Item),
}

/// An item, or the values of an expression, by name.
pub type Item = BTreeMap<String, Attribute>;

/// A half-written or foreign item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored item has no proper `{0}`")]
pub struct ItemError(pub &'static str);

/// One conditional update: expressions as DynamoDB reads them, and the values they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// `SET ... REMOVE ...`
    pub update: &'static str,
    /// What must hold, or nothing is written.
    pub condition: &'static str,
    /// `:name` to value. `#state` and `#end` always stand for the reserved words `state` and `end`.
    pub values: Item,
}

/// The values of an expression.
#[must_use]
pub fn values<const N: usize>(pairs: [(&str, Attribute); N]) -> Item {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&[u8]> for Attribute {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// The text under `name`.
///
/// # Errors
/// [`ItemError`] where there is none.
pub fn text<'i>(item: &'i Item, name: &'static str) -> Result<&'i str, ItemError> {
    match item.get(name) {
        Some(Attribute::Text(text)) => Ok(text),
        _ => Err(ItemError(name)),
    }
}

/// The number under `name`.
///
/// # Errors
/// [`ItemError`] where there is none.
pub fn number(item: &Item, name: &'static str) -> Result<i64, ItemError> {
    match item.get(name) {
        Some(Attribute::Number(number)) => Ok(*number),
        _ => Err(ItemError(name)),
    }
}

/// The bytes under `name`.
///
/// # Errors
/// [`ItemError`] where there are none.
pub fn bytes<'i>(item: &'i Item, name: &'static str) -> Result<&'i [u8], ItemError> {
    match item.get(name) {
        Some(Attribute::Bytes(bytes)) => Ok(bytes),
        _ => Err(ItemError(name)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Requests, keys, leases, links; partition key `pk`.
    Requests,
    /// Tickets; partition key `tid`.
    Tickets,
}

impl Table {
    /// The name of its partition key.
    #[must_use]
    pub fn key_name(self) -> &'static str {
        match self {
            Self::Requests => "pk",
            Self::Tickets => "tid",
        }
    }
}

/// One part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Replaces the item, if the condition holds.
    Put {
        table: Table,
        /// The whole item, its key included.
        item: Item,
        condition: &'static str,
        values: Item,
    },
    /// Changes the item, if the condition holds.
    Update { table: Table, key: String, update: Update },
    /// Writes nothing; the condition must hold.
    Check { table: Table, key: String, condition: &'static str, values: Item },
}
