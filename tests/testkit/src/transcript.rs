//! What was said: messages as people read them, with their buttons, and modals.

use keyvend::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::block_kit;
use crate::people::{APP, TEAM};

/// A message as it stands now.
#[derive(Clone, Debug)]
pub struct Message {
    pub channel: String,
    /// Who said it.
    pub user: String,
    pub ts: String,
    pub text: String,
    pub blocks: Value,
    pub metadata: Value,
    pub thread_ts: Option<String>,
    /// Whom alone it was shown to.
    pub ephemeral_to: Option<String>,
    /// What it said before, oldest first.
    pub edits: Vec<(String, Value)>,
    pub deleted: bool,
    /// When it came, on the world's clock.
    pub at: Timestamp,
}

/// A button of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub block_id: String,
    pub action_id: String,
    pub text: String,
    pub value: String,
    pub url: Option<String>,
}

impl Message {
    /// Everything a person reads in it: the text of its blocks, or its text where it has none.
    pub fn reading(&self) -> String {
        let mut lines = Vec::new();
        texts(&self.blocks, &mut lines);
        if lines.is_empty() { self.text.clone() } else { lines.join("\n") }
    }

    /// Its buttons, in order.
    pub fn buttons(&self) -> Vec<Button> {
        let blocks = self.blocks.as_array().into_iter().flatten();
        let elements = blocks.flat_map(|block| {
            let inside = block["elements"].as_array().into_iter().flatten().chain([&block["accessory"]]);
            inside.map(move |element| (block, element))
        });
        elements
            .filter(|(_, element)| element["type"] == "button")
            .map(|(block, element)| Button {
                block_id: text(&block["block_id"]),
                action_id: text(&element["action_id"]),
                text: text(&element["text"]["text"]),
                value: text(&element["value"]),
                url: element["url"].as_str().map(str::to_owned),
            })
            .collect()
    }

    /// The button with this label.
    pub fn button(&self, label: &str) -> Button {
        let found = self.buttons().into_iter().find(|button| button.text == label);
        found.unwrap_or_else(|| panic!("no button {label:?} in {:?}", self.buttons()))
    }

    /// What it says from now on; what it said is kept.
    pub fn replace(&mut self, input: &Value) {
        let new = (text(&input["text"]), with_block_ids(&block_kit::blocks_of(input)));
        let old = (std::mem::replace(&mut self.text, new.0), std::mem::replace(&mut self.blocks, new.1));
        self.edits.push(old);
    }

    /// The message object.
    pub fn json(&self) -> Value {
        json!({
            "type": "message", "user": self.user, "bot_id": "B0KEYVEND", "app_id": APP, "team": TEAM, "ts": self.ts,
            "text": self.text, "blocks": self.blocks,
        })
    }
}

fn texts(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|element| texts(element, lines)),
        Value::Object(map)
            if ["mrkdwn", "plain_text"].iter().any(|kind| map.get("type") == Some(&json!(kind))) =>
        {
            lines.push(text(&map["text"]));
        }
        Value::Object(map) => map.values().for_each(|element| texts(element, lines)),
        _ => {}
    }
}

/// A modal that was opened.
#[derive(Clone, Debug)]
pub struct View {
    pub id: String,
    pub user: String,
    pub view: Value,
    /// What it carried as it was opened.
    pub carried: String,
    /// How often it was replaced, which is what its hash stands for.
    pub replaced: usize,
    pub closed: bool,
}

/// The options of a menu or of radio buttons, whether they are in groups or not.
fn options(element: &Value) -> impl Iterator<Item = &Value> {
    let groups = element["option_groups"].as_array().into_iter().flatten();
    let grouped = groups.flat_map(|group| group["options"].as_array().into_iter().flatten());
    element["options"].as_array().into_iter().flatten().chain(grouped)
}

impl View {
    /// What stands for its present state.
    pub fn hash(&self) -> String {
        format!("1764000000.{}", self.replaced)
    }

    /// Everything a person reads in it.
    pub fn reading(&self) -> String {
        let mut lines = Vec::new();
        texts(&self.view, &mut lines);
        lines.join("\n")
    }

    /// The input block of this id.
    pub fn input(&self, block_id: &str) -> Value {
        let blocks = self.view["blocks"].as_array().unwrap();
        let found = blocks.iter().find(|block| block["block_id"] == block_id && block["type"] == "input");
        found.cloned().unwrap_or_else(|| panic!("no input {block_id:?} in {:#}", self.view))
    }

    /// The values of a menu's options.
    pub fn choices(&self, block_id: &str) -> Vec<String> {
        options(&self.input(block_id)["element"]).map(|option| text(&option["value"])).collect()
    }

    /// What the element begins with: the value of an option, or what is written in it.
    pub fn begins(&self, block_id: &str) -> Option<String> {
        let element = &self.input(block_id)["element"];
        let begun = element.pointer("/initial_option/value").or(element.get("initial_value"))?;
        Some(text(begun))
    }

    /// What Slack sends of an element that holds this: one of its options, or what was written.
    pub fn filled(&self, block_id: &str, value: Option<&str>) -> Value {
        let element = &self.input(block_id)["element"];
        let mut state = json!({"type": element["type"]});
        if text(&element["type"]).starts_with("multi_") {
            let chosen = value.unwrap_or_default().split(',').filter(|value| !value.is_empty());
            let option =
                |value: &str| options(element).find(|option| option["value"].as_str() == Some(value));
            state["selected_options"] = chosen
                .map(|value| option(value).cloned().unwrap_or_else(|| json!({"value": value})))
                .collect();
        } else if element["options"].is_null() && element["option_groups"].is_null() {
            state["value"] = json!(value);
        } else {
            let option = options(element).find(|option| option["value"].as_str() == value);
            state["selected_option"] = option.cloned().unwrap_or_else(|| match value {
                Some(forged) => json!({"value": forged}),
                None => Value::Null,
            });
        }
        json!({text(&element["action_id"]): state})
    }

    /// The state of all its inputs, with these filled in.
    pub fn values(&self, filled: &[(&str, &str)]) -> Value {
        let blocks = self.view["blocks"].as_array().unwrap().iter();
        let inputs = blocks.filter(|block| block["type"] == "input").map(|block| text(&block["block_id"]));
        let values = inputs.map(|id| {
            let value = filled.iter().find(|(name, _)| *name == id).map(|(_, value)| *value);
            (id.clone(), self.filled(&id, value))
        });
        Value::Object(values.collect())
    }
}

/// Slack gives a block without an id one.
pub fn with_block_ids(blocks: &Value) -> Value {
    let mut blocks = blocks.clone();
    for (index, block) in blocks.as_array_mut().into_iter().flatten().enumerate() {
        let block: &mut Map<String, Value> = block.as_object_mut().unwrap();
        block.entry("block_id").or_insert_with(|| json!(format!("b{index}")));
    }
    blocks
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
