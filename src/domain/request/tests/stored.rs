//! What is read back from the table, and what is not.

use serde_json::Value;

use crate::domain::request::tests::{asked, in_state, name, person, states};
use crate::domain::request::*;

#[test]
fn request_equality_ignores_response_address() {
    let moved = RequestDetails { email_hash: None, ..asked() };
    assert!(asked().is_same(&moved) && moved.is_same(&asked()));
    assert!(!asked().is_same(&RequestDetails { reason: "another".to_owned(), ..asked() }));
    assert!(!asked().is_same(&RequestDetails { requester: person("U0BOB"), ..asked() }));
}

#[test]
fn request_states_read_back_or_fail() {
    // A half-written item is an error.
    for state in states() {
        let posted = Card { channel: "C0APPROVE".parse().unwrap(), ts: "1764000000.000001".parse().unwrap() };
        // Where there are no questions the field is left out, so every field of this one is required.
        let mut whole = KeyRequest { card: Some(posted), questions: Vec::new(), ..in_state(state) };
        whole.notifications.extend([Notification::DirectMessage {
            to: person("U0ALICE"),
            message: crate::render::approval_card::text("told").into(),
        }]);
        assert_eq!(whole.notifications.take_new().len(), 1, "stored beside the request, not in it");
        let document = serde_json::to_value(&whole).unwrap();
        assert_eq!(serde_json::from_value::<KeyRequest>(document.clone()).unwrap(), whole);
        let mut places = Vec::new();
        fields(&document, String::new(), &mut places);
        assert!(places.len() > 30);
        for (parent, field) in places {
            let mut half = document.clone();
            half.pointer_mut(&parent).unwrap().as_object_mut().unwrap().remove(&field);
            let read = serde_json::from_value::<KeyRequest>(half.clone());
            assert!(read.is_err(), "{} reads without {parent}/{field}", name(&whole.state));
            if field == "blocks" {
                continue;
            }
            half.pointer_mut(&parent).unwrap()[&field] = serde_json::json!([{}]);
            let read = serde_json::from_value::<KeyRequest>(half);
            assert!(read.is_err(), "{} reads with another {parent}/{field}", name(&whole.state));
        }
    }
}

/// Every field of every object within, but for an audit entry's details and a message's blocks, which are any.
fn fields(value: &Value, at: String, all: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !at.ends_with("/detail") && !at.contains("/blocks/") => {
            for (field, inner) in map {
                all.push((at.clone(), field.clone()));
                fields(inner, format!("{at}/{field}"), all);
            }
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, inner)| fields(inner, format!("{at}/{n}"), all));
        }
        _ => {}
    }
}
