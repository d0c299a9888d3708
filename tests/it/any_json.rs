//! JSON as it should not be.

use proptest::prelude::*;
use serde_json::Value;

/// Any JSON at all, with a few texts in it that something looks for.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(vec!["T0001", "A123456", "U0001", "block_actions", "true", "2.0", "POST", ""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place inside a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, v)| pointers(v, &format!("{at}/{}", escaped(key)), all))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, v)| pointers(v, &format!("{at}/{n}"), all))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value with something else in up to two places.
pub fn damaged(base: Value) -> impl Strategy<Value = Value> {
    let mut all = Vec::new();
    pointers(&base, "", &mut all);
    prop::collection::vec((prop::sample::select(all), any_json()), 0..3).prop_map(move |changes| {
        changes.into_iter().fold(base.clone(), |mut value, (pointer, change)| {
            if let Some(place) = value.pointer_mut(&pointer) {
                *place = change;
            }
            value
        })
    })
}
