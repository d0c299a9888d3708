//! The chat page's side of things, as pinned in `chat.html`: what a person sees, and what they do. Everything done
//! goes to the `slack` function as Slack would send it.

use keyvend::command::Command;
use serde::Deserialize;
use serde_json::{Value, json};

use super::running::Running;
use super::scene;
use super::world::aws;
use super::world::slack::{BOT, Message, TEAM, direct};

/// The page.
pub const PAGE: &str = include_str!("chat.html");

/// A slash command that somebody typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    #[serde(rename = "as")]
    person: String,
    channel: String,
    text: String,
}

/// A button that somebody pressed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pressed {
    #[serde(rename = "as")]
    person: String,
    channel: String,
    ts: String,
    action_id: Option<String>,
    block_id: Option<String>,
    value: Option<String>,
}

/// What cannot be done in this chat, whoever asks.
#[derive(Debug, PartialEq, Eq)]
pub struct NoSuchThing(pub &'static str);

const NOT_THERE: NoSuchThing = NoSuchThing("This person is not in this channel.");

/// What this person may see, and nothing else.
pub fn state(running: &Running, person: &str) -> Value {
    let net = &running.keyvend.world.net;
    let channels = net.slack().channels().into_iter().map(|channel| {
        let member = channel.members.contains(person);
        json!({"id": channel.id, "name": channel.name, "private": channel.private, "member": member})
    });
    let email = net.slack().find(person).and_then(|who| who.email);
    let mail = aws::mails(net).into_iter().filter(|mail| Some(&mail.to) == email.as_ref());
    json!({
        "people": scene::PEOPLE.map(|(id, name, role)| json!({"id": id, "name": name, "role": role})),
        "team": TEAM,
        "channels": channels.collect::<Vec<_>>(),
        "messages": net.slack().seen_by(person).iter().map(message).collect::<Vec<_>>(),
        "mail": mail.map(|m| json!({"to": m.to, "subject": m.subject, "text": m.text})).collect::<Vec<_>>(),
        "hints": scene::hints(),
        "commands": Command::HELP.iter().map(|lines| usage(lines)).collect::<Vec<_>>(),
        "seq": running.seq(),
    })
}

/// What the product's own help says of a command.
fn usage(lines: &[&str]) -> Value {
    let mut lines = lines.iter().map(|line| line.trim());
    let usage = lines.next().unwrap_or_default().trim_matches('`');
    json!({"usage": usage, "about": lines.collect::<Vec<_>>().join(" ")})
}

fn message(message: &Message) -> Value {
    let empty = message.blocks.as_array().is_none_or(Vec::is_empty);
    json!({
        "channel": match message.channel.strip_prefix('D') {
            Some(rest) => format!("D:U{rest}"),
            None => message.channel.clone(),
        },
        "ts": message.ts,
        "user": if message.user == BOT { "APP" } else { &message.user },
        "text": message.text,
        "blocks": if empty { Value::Null } else { message.blocks.clone() },
        "ephemeral_to": message.ephemeral_to,
        "edited": !message.edits.is_empty(),
        "thread_ts": message.thread_ts,
    })
}

/// A slash command, sent and worked off.
pub async fn command(running: &Running, typed: &Typed) -> Result<Value, NoSuchThing> {
    let channel = channel(running, &typed.person, &typed.channel)?;
    let (name, text) = typed.text.split_once(' ').unwrap_or((&typed.text, ""));
    if name != "/access-key" {
        return Err(NoSuchThing("There is no such command here."));
    }
    let answer = running
        .step(async |keyvend| {
            keyvend.arrive(keyvend.world.slash_command_in(&typed.person, &channel, text)).await
        })
        .await;
    let body: Value =
        answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    Ok(json!({"status": answer["statusCode"], "ephemeral": body["text"]}))
}

/// A press on a button that this person sees, sent and worked off.
pub async fn press(running: &Running, pressed: &Pressed) -> Result<Value, NoSuchThing> {
    let channel = channel(running, &pressed.person, &pressed.channel)?;
    let seen = running.keyvend.world.net.slack().seen_by(&pressed.person);
    let found = seen.into_iter().find(|message| message.channel == channel && message.ts == pressed.ts);
    let message = found.ok_or(NoSuchThing("There is no such message."))?;
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let (block, action, value) = (given(&pressed.block_id), given(&pressed.action_id), given(&pressed.value));
    let mut buttons = message.buttons().into_iter();
    let found = buttons.find(|b| b.block_id == block && b.action_id == action && b.value == value);
    let button = found.ok_or(NoSuchThing("There is no such button."))?;
    let answer = running
        .step(async |keyvend| {
            keyvend.arrive(keyvend.world.press_button(&pressed.person, &message, &button)).await
        })
        .await;
    Ok(json!({"status": answer["statusCode"]}))
}

/// Words that are no command; keyvend hears nothing of them.
pub async fn say(running: &Running, typed: &Typed) -> Result<Value, NoSuchThing> {
    let channel = channel(running, &typed.person, &typed.channel)?;
    let said = running.step(async |keyvend| {
        keyvend.world.net.slack().say(&typed.person, &channel, &typed.text);
        json!({})
    });
    Ok(said.await)
}

/// The channel as Slack names it, if this person is in it.
fn channel(running: &Running, person: &str, channel: &str) -> Result<String, NoSuchThing> {
    if !scene::PEOPLE.iter().any(|(id, ..)| *id == person) {
        return Err(NoSuchThing("There is no such person."));
    }
    if channel == format!("D:{person}") {
        return Ok(direct(person));
    }
    let channels = running.keyvend.world.net.slack().channels();
    let found = channels.into_iter().find(|c| c.id == channel && c.members.contains(person));
    found.map(|channel| channel.id).ok_or(NOT_THERE)
}
