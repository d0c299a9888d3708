//! Messages about existing keys: a list with the actions available to its reader, the choice between two keys, and
//! notifications about expiry. A button carries the key's id and nothing else.

use serde_json::{Value, json};

use crate::domain::iam::{AccessKey, AccessKeyLastUsed, Account};
use crate::domain::key::{DeactivationReason, DeactivationUndo, IssuedKey};
use crate::id::{AccessKeyId, IamUserName, PersonId};
use crate::policy::IamUserRef;
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::block_kit::{button as element, confirm, context, section};
use crate::slack::message::SlackMessage;
use crate::time::Timestamp;

/// How many IAM users a list shows: each takes up to five of the fifty blocks that Slack allows in a message.
pub const MOST_LISTED: usize = 8;

/// An action on a key, one button each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyAction {
    Rotate,
    /// Request another key in its place, for its lifetime from now.
    Renew,
    /// Request a later expiry.
    Extend,
    /// Request reactivation after expiry.
    Undo,
    /// Request reactivation of an unconfirmed key.
    Received,
    /// Replace it with the approvals it had, because it was not received.
    Replace,
    Activate,
    Deactivate,
    /// Deactivate it after a rotation.
    Retire,
    /// Deactivate it, because its requester has left.
    OwnerLeft,
    Delete,
}

/// One key as a list shows it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The key as IAM has it.
    pub key: AccessKey,
    /// What keyvend knows of it.
    pub issued: Option<IssuedKey>,
    /// What whoever reads the list may do about it.
    pub offers: Vec<KeyAction>,
}

/// One IAM user in a list; no rows at all where it could not be looked up.
pub type Listed = (IamUserRef, Option<Vec<Row>>);

/// The access keys of these IAM users, and the names of those that there was no room for.
#[must_use]
pub fn listed(users: &[Listed], rest: &[IamUserRef], now: Timestamp) -> SlackMessage {
    let mut blocks = vec![context(text::KEYS_LISTED)];
    for (user, rows) in users {
        match rows {
            None => blocks.push(section(&text::unreadable(user))),
            Some(found) => {
                blocks.push(section(&text::keys_of(user, found.len())));
                blocks.extend(rows_of(&user.name, found, now));
            }
        }
    }
    if !rest.is_empty() {
        blocks.push(context(&text::more_users(rest)));
    }
    SlackMessage { text: text::KEYS_LISTED.to_owned(), blocks: Value::Array(blocks) }
}

/// The choice between two keys when a third is requested.
#[must_use]
pub fn chooser(user: &IamUserRef, rows: &[Row], now: Timestamp) -> SlackMessage {
    let sentence = text::two_keys(&user.name, &user.account);
    let mut blocks = vec![section(&sentence)];
    blocks.extend(rows_of(&user.name, rows, now));
    SlackMessage { text: sentence, blocks: Value::Array(blocks) }
}

/// A sentence about one key, with what can be done about it.
#[must_use]
pub fn about_key(
    sentence: &str,
    (key, user): (&AccessKeyId, &IamUserName),
    offers: &[KeyAction],
) -> SlackMessage {
    let mut blocks = vec![section(sentence)];
    blocks.extend(buttons((key, user), offers));
    SlackMessage { text: sentence.to_owned(), blocks: Value::Array(blocks) }
}

/// To its requester: a key was deactivated, with the available actions.
#[must_use]
pub fn off(issued: &IssuedKey, why: DeactivationReason) -> SlackMessage {
    let offers: &[KeyAction] = match why {
        DeactivationReason::Expired if issued.can_undo_expiry() => &[KeyAction::Undo],
        DeactivationReason::Unconfirmed => &[KeyAction::Received, KeyAction::Replace],
        DeactivationReason::Expired
        | DeactivationReason::Reported
        | DeactivationReason::UserRequested
        | DeactivationReason::Rotated
        | DeactivationReason::OwnerDeactivated
        | DeactivationReason::DeletedInAws => &[],
    };
    about_key(&text::key_off(issued, why), (&issued.key, &issued.user), offers)
}

/// To the person who deactivated a key, alone: the button that takes that back. `nonce` stands nowhere but in it.
#[must_use]
pub fn undo_offer(key: &AccessKeyId, undo: &DeactivationUndo, nonce: Option<&str>) -> SlackMessage {
    let sentence = text::undo_offer(key, &undo.user, &undo.account, undo.until());
    let value = nonce.map_or_else(|| key.to_string(), |nonce| format!("{key}.{nonce}"));
    let press = element("Undo", Action::UndoDeactivation, &value, Some("primary"), None);
    let blocks = json!([section(&sentence), {"type": "actions", "elements": [press]}]);
    SlackMessage { text: sentence, blocks }
}

/// To the person who typed that a key is to be deleted, alone.
#[must_use]
pub fn confirm_deletion(
    key: &AccessKeyId,
    user: &IamUserName,
    account: &Account,
    last_used: &AccessKeyLastUsed,
) -> SlackMessage {
    let sentence = text::confirm_deletion(key, user, account, last_used);
    about_key(&sentence, (key, user), &[KeyAction::Delete])
}

/// How many keys of somebody who left one message can show: Slack takes 50 blocks.
pub const MOST_LEFT: usize = 20;

/// To the approvers: somebody left whose keys still work.
#[must_use]
pub fn owner_left(who: &PersonId, keys: &[&IssuedKey]) -> SlackMessage {
    let sentence = text::owner_left(who, keys.len());
    let mut blocks = vec![section(&sentence)];
    for issued in keys {
        blocks.push(section(&text::left_key(issued)));
        blocks.extend(buttons((&issued.key, &issued.user), &[KeyAction::OwnerLeft]));
    }
    SlackMessage { text: sentence, blocks: Value::Array(blocks) }
}

fn rows_of(user: &IamUserName, rows: &[Row], now: Timestamp) -> Vec<Value> {
    let blocks = rows.iter().flat_map(|row| {
        let text = section(&text::key_row(&row.key, row.issued.as_ref(), now));
        [Some(text), buttons((&row.key.id, user), &row.offers)]
    });
    blocks.flatten().collect()
}

fn buttons(key: (&AccessKeyId, &IamUserName), offers: &[KeyAction]) -> Option<Value> {
    let elements: Vec<Value> = offers.iter().map(|offer| button(*offer, key)).collect();
    (!elements.is_empty()).then(|| json!({"type": "actions", "elements": elements}))
}

fn button(offer: KeyAction, (key, user): (&AccessKeyId, &IamUserName)) -> Value {
    let (text, action, style) = match offer {
        KeyAction::Rotate => ("Rotate", Action::Rotate, None),
        KeyAction::Renew => ("Rotate and renew", Action::Renew, None),
        KeyAction::Extend => ("Extend", Action::Extend, None),
        KeyAction::Undo => ("Request reactivation", Action::UndoExpiry, Some("primary")),
        KeyAction::Received => ("I saved it", Action::ConfirmReceipt, Some("primary")),
        KeyAction::Replace => ("Get a new key", Action::Replace, None),
        KeyAction::Activate => ("Request reactivation", Action::Activate, None),
        KeyAction::Deactivate => ("Deactivate", Action::Deactivate, Some("danger")),
        KeyAction::Retire => ("Deactivate the old key", Action::DeactivateRotated, Some("primary")),
        KeyAction::OwnerLeft => ("Deactivate", Action::DeactivateOrphaned, Some("danger")),
        KeyAction::Delete => ("Delete", Action::Delete, Some("danger")),
    };
    let sure = match offer {
        KeyAction::Deactivate | KeyAction::Retire | KeyAction::OwnerLeft => {
            Some(confirm("Deactivate this key?", &text::sure_to_deactivate(key, user), "Deactivate"))
        }
        KeyAction::Delete => Some(sure_to_delete(key, user)),
        KeyAction::Replace => {
            Some(confirm("Replace this key?", &text::sure_to_replace(key, user), "Get a new key"))
        }
        KeyAction::Rotate
        | KeyAction::Renew
        | KeyAction::Extend
        | KeyAction::Undo
        | KeyAction::Received
        | KeyAction::Activate => None,
    };
    element(text, action, key.as_str(), style, sure)
}

/// The dialog before a key is deleted.
pub(crate) fn sure_to_delete(key: &AccessKeyId, user: &IamUserName) -> Value {
    confirm("Delete this key?", &text::sure_to_delete(key, user), "Delete it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::iam::AccessKeyStatus;

    #[test]
    fn longest_key_list_fits_one_message() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        let user =
            |n: usize| IamUserRef { account: account.clone(), name: format!("{n:x>64}").parse().unwrap() };
        let row = || Row {
            key: AccessKey {
                id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
                status: AccessKeyStatus::Active,
                create_date: Timestamp(0),
                last_used: AccessKeyLastUsed::Unknown,
            },
            issued: None,
            offers: vec![KeyAction::Rotate, KeyAction::Extend, KeyAction::Deactivate],
        };
        let users: Vec<Listed> = (0..MOST_LISTED).map(|n| (user(n), Some(vec![row(), row()]))).collect();
        let rest: Vec<IamUserRef> = (0..92).map(user).collect();
        let message = listed(&users, &rest, Timestamp(0));
        assert!(message.blocks.as_array().unwrap().len() <= 50, "{}", message.blocks);
    }
}
