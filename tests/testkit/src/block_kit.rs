//! Slack's limits on messages and modals, as its reference for blocks, elements and objects has them
//! (<https://docs.slack.dev/reference/block-kit>). What breaks one is refused by Slack or cut where nobody sees;
//! here it stops the test, saying where.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The blocks of a message, which a form carries as text.
pub fn blocks_of(input: &Value) -> Value {
    match &input["blocks"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        Value::Null => json!([]),
        blocks => blocks.clone(),
    }
}

/// Stops where a message breaks a limit, or where Slack would make mentions and links out of what it says.
pub fn check_message(input: &Value) {
    check(message(input), input);
    if !input["channel"].is_null() {
        check(unparsed(input), input);
    }
}

/// What is wrong with the text that Slack shows where it shows no blocks: by `parse` and `link_names` it is taken as it is
/// (<https://docs.slack.dev/reference/methods/chat.postMessage>).
fn unparsed(input: &Value) -> Checked {
    if input["parse"] == "none" && input["link_names"] == false {
        Ok(())
    } else {
        Err("its text names channels and people, and links, by itself".to_owned())
    }
}

/// Stops where a modal breaks a limit.
pub fn check_view(view: &Value) {
    check(modal(view), view);
}

/// Stops where an answer, which goes to wherever the request says, would be of use to somebody who forged that request:
/// a link to a key, or a button that decides for an approver.
pub fn check_for_anybody(answer: &Value) {
    let all = answer.to_string();
    assert!(
        !all.contains("/reveal#"),
        "a link to a key goes to anybody who asked to be answered there: {answer:#}"
    );
    for action in ["approve", "deny", "ask-question", "details", "not-me"] {
        let button = format!(r#""action_id":"{action}""#);
        assert!(
            !all.contains(&button),
            "{action} goes to anybody who asked to be answered there: {answer:#}"
        );
    }
}

/// Stops where an update gives a form something to carry that it did not carry when it was opened: that would go to anybody who
/// names the form.
pub fn check_carries_no_more(view: &Value, opened_with: Option<&str>) {
    let carried = view["private_metadata"].as_str().unwrap_or_default();
    let is_known = carried.is_empty() || opened_with == Some(carried);
    assert!(is_known, "what a form carries goes to anybody who names the form");
}

fn check(result: Checked, what: &Value) {
    if let Err(problem) = result {
        panic!("Slack would not take this: {problem}\n{what:#}");
    }
}

type Checked = Result<(), String>;

/// What is wrong with a message, if anything.
pub fn message(input: &Value) -> Checked {
    length(&input["text"], "text (the notification)", 1, 40_000)?;
    blocks(&blocks_of(input), 50, false)
}

/// What is wrong with a modal, if anything.
pub fn modal(view: &Value) -> Checked {
    if view["type"] != "modal" {
        return Err("a view is of type modal".to_owned());
    }
    plain(&view["title"], "title", 24)?;
    for name in ["submit", "close"] {
        optional(&view[name], |value| plain(value, name, 24))?;
    }
    optional(&view["private_metadata"], |value| length(value, "private_metadata", 0, 3000))?;
    optional(&view["callback_id"], |value| length(value, "callback_id", 1, 255))?;
    let all = view["blocks"].as_array().ok_or("a view has blocks")?;
    if all.iter().any(|block| block["type"] == "input") && view["submit"].is_null() {
        return Err("a view with an input needs submit".to_owned());
    }
    blocks(&view["blocks"], 100, true)
}

fn blocks(value: &Value, most: usize, in_view: bool) -> Checked {
    let all = value.as_array().ok_or("blocks are a list")?;
    if all.len() > most {
        return Err(format!("{} blocks, at most {most}", all.len()));
    }
    let mut ids = BTreeSet::new();
    for (index, block) in all.iter().enumerate() {
        let kind = block["type"].as_str().unwrap_or("no type");
        let checked = known(block, kind).and_then(|()| self::block(block, kind, in_view));
        checked.map_err(|problem| format!("block {index} ({kind}): {problem}"))?;
        if let Some(id) = block["block_id"].as_str() {
            length(&block["block_id"], "block_id", 1, 255)?;
            if !ids.insert(id) {
                return Err(format!("block_id {id} twice"));
            }
        }
    }
    Ok(())
}

/// Slack refuses a field that the block does not have.
fn known(block: &Value, kind: &str) -> Checked {
    let fields: &[&str] = match kind {
        "section" => &["text", "fields", "accessory", "expand"],
        "actions" | "context" | "rich_text" => &["elements"],
        "divider" => &[],
        "header" => &["text"],
        "image" => &["image_url", "alt_text", "title", "slack_file"],
        "input" => &["label", "element", "hint", "optional", "dispatch_action"],
        other => return Err(format!("no block of Slack's: {other}")),
    };
    let object = block.as_object().ok_or("no object")?;
    match object
        .keys()
        .find(|key| !["type", "block_id"].contains(&key.as_str()) && !fields.contains(&key.as_str()))
    {
        Some(key) => Err(format!("no field of its: {key}")),
        None => Ok(()),
    }
}

fn block(block: &Value, kind: &str, in_view: bool) -> Checked {
    match kind {
        "section" => {
            if block["text"].is_null() && block["fields"].is_null() {
                return Err("neither text nor fields".to_owned());
            }
            optional(&block["text"], |value| any_text(value, "text", 3000))?;
            optional(&block["fields"], |value| {
                each(value, "fields", 1, 10, |field| any_text(field, "a field", 2000))
            })?;
            optional(&block["accessory"], element)
        }
        "actions" => {
            each(&block["elements"], "elements", 1, 25, element)?;
            let ids: Vec<&Value> =
                list(&block["elements"]).iter().map(|element| &element["action_id"]).collect();
            let twice =
                ids.iter().enumerate().find(|(index, id)| !id.is_null() && ids[..*index].contains(id));
            twice.map_or(Ok(()), |(_, id)| Err(format!("action_id {id} twice")))
        }
        "context" => each(&block["elements"], "elements", 1, 10, |part| match part["type"].as_str() {
            Some("image") => length(&part["alt_text"], "alt_text", 1, 2000),
            _ => any_text(part, "a text", 3000),
        }),
        "header" => plain(&block["text"], "text", 150),
        "image" => length(&block["alt_text"], "alt_text", 1, 2000),
        "input" => {
            if !in_view {
                return Err("keyvend has inputs in modals only".to_owned());
            }
            plain(&block["label"], "label", 2000)?;
            optional(&block["hint"], |value| plain(value, "hint", 2000))?;
            if block["element"]["type"] == "button" {
                return Err("a button is no input".to_owned());
            }
            element(&block["element"])
        }
        _ => Ok(()),
    }
}

fn element(element: &Value) -> Checked {
    let kind = element["type"].as_str().unwrap_or("no type");
    let inner = || {
        optional(&element["action_id"], |value| length(value, "action_id", 1, 255))?;
        optional(&element["placeholder"], |value| plain(value, "placeholder", 150))?;
        optional(&element["confirm"], confirm)?;
        match kind {
            "button" => {
                plain(&element["text"], "text", 75)?;
                optional(&element["value"], |value| length(value, "value", 0, 2000))?;
                optional(&element["url"], |value| length(value, "url", 1, 3000))?;
                match element["style"].as_str() {
                    None | Some("primary" | "danger") => Ok(()),
                    Some(style) => Err(format!("no style of Slack's: {style}")),
                }
            }
            "static_select" | "multi_static_select" => match element["option_groups"].is_null() {
                true => each(&element["options"], "options", 1, 100, option),
                false => each(&element["option_groups"], "option_groups", 1, 100, |group| {
                    plain(&group["label"], "label", 75)?;
                    each(&group["options"], "options", 1, 100, option)
                }),
            },
            "radio_buttons" | "checkboxes" => each(&element["options"], "options", 1, 10, option),
            "overflow" => each(&element["options"], "options", 1, 5, option),
            "plain_text_input" => match element["max_length"].as_u64() {
                None | Some(1..=3000) => Ok(()),
                Some(most) => Err(format!("max_length {most}, at most 3000")),
            },
            "number_input" if element["is_decimal_allowed"].is_boolean() => Ok(()),
            "external_select"
            | "users_select"
            | "conversations_select"
            | "channels_select"
            | "datepicker" => Ok(()),
            _ => Err("no element of Slack's".to_owned()),
        }
    };
    inner().map_err(|problem| format!("{kind}: {problem}"))
}

fn option(option: &Value) -> Checked {
    any_text(&option["text"], "an option's text", 75)?;
    length(&option["value"], "an option's value", 1, 150)?;
    optional(&option["description"], |value| any_text(value, "an option's description", 75))
}

fn confirm(confirm: &Value) -> Checked {
    plain(&confirm["title"], "confirm's title", 100)?;
    any_text(&confirm["text"], "confirm's text", 300)?;
    plain(&confirm["confirm"], "confirm's confirm", 30)?;
    plain(&confirm["deny"], "confirm's deny", 30)
}

fn plain(value: &Value, what: &str, most: usize) -> Checked {
    match value["type"].as_str() {
        Some("plain_text") => any_text(value, what, most),
        other => Err(format!("{what} is plain_text, not {other:?}")),
    }
}

fn any_text(value: &Value, what: &str, most: usize) -> Checked {
    let kind = value["type"].as_str().unwrap_or("no type");
    let only = match kind {
        "plain_text" => "emoji",
        "mrkdwn" => "verbatim",
        other => return Err(format!("{what} is plain_text or mrkdwn, not {other}")),
    };
    if kind == "mrkdwn" && value["verbatim"] != true {
        return Err(format!(
            "{what} names channels and people, and links, by itself: mrkdwn without verbatim"
        ));
    }
    let odd = value.as_object().unwrap().keys().find(|key| !["type", "text", only].contains(&key.as_str()));
    if let Some(odd) = odd {
        return Err(format!("{what}: a {kind} has no {odd}"));
    }
    length(&value["text"], what, 1, most)
}

fn length(value: &Value, what: &str, least: usize, most: usize) -> Checked {
    let text = value.as_str().ok_or_else(|| format!("{what} is missing or no text"))?;
    let count = text.chars().count();
    if (least..=most).contains(&count) {
        Ok(())
    } else {
        Err(format!("{what} has {count} characters, {least} to {most}"))
    }
}

fn each(value: &Value, what: &str, least: usize, most: usize, check: impl Fn(&Value) -> Checked) -> Checked {
    let all = list(value);
    if !(least..=most).contains(&all.len()) {
        return Err(format!("{} {what}, {least} to {most}", all.len()));
    }
    all.iter().try_for_each(check)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn optional(value: &Value, check: impl FnOnce(&Value) -> Checked) -> Checked {
    if value.is_null() { Ok(()) } else { check(value) }
}
