//! The chat page's side of things, as pinned in `chat.html`: what a person sees, and what they do. Everything done
//! goes to the `slack` function as Slack would send it.

use std::collections::BTreeMap;
use std::time::Duration;

use keyvend::slack::command::Command;
use serde::Deserialize;
use serde_json::{Value, json};

use super::running::Running;
use super::{console, scene, tour};
use testkit::aws;
use testkit::slack::{BOT, Message, TEAM, View, direct};

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
    /// The worker comes to it too late for Slack to open a form.
    #[serde(default)]
    late: bool,
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

/// A form that somebody submitted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    #[serde(rename = "as")]
    person: String,
    view: String,
    values: BTreeMap<String, Option<String>>,
}

/// Something that somebody chose in an open form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    #[serde(rename = "as")]
    person: String,
    view: String,
    block_id: String,
    value: String,
}

/// A modal that somebody closed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    #[serde(rename = "as")]
    person: String,
    view: String,
}

/// Time that shall pass.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passing {
    seconds: u32,
}

/// Whether links need a code by email.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailing {
    on: bool,
}

/// What cannot be done in this chat, whoever asks.
#[derive(Debug, PartialEq, Eq)]
pub struct NoSuchThing(pub &'static str);

/// Slack lets a form open for three seconds.
const LATE: Duration = Duration::from_secs(4);
/// The most that may pass at once.
const LONGEST: u32 = 31 * 86_400;

const NO_SUCH_FIELD: NoSuchThing = NoSuchThing("There is no such field or choice in this form.");
const NOT_THERE: NoSuchThing = NoSuchThing("This person is not in this channel.");

/// What this person may see of the chat and the mail, and what anybody who administers AWS sees.
pub async fn state(running: &Running, person: &str) -> Value {
    // Before all that is read: what changes meanwhile is then news.
    let seq = running.seq();
    let iam = console::users(&running.world).await;
    let net = &running.world.net;
    let channels = net.slack().channels().into_iter().map(|channel| {
        let member = channel.members.contains(person);
        json!({"id": channel.id, "name": channel.name, "private": channel.private, "member": member})
    });
    let email = net.slack().find(person).and_then(|who| who.email);
    let mail = aws::mails(net).into_iter().filter(|mail| Some(&mail.to) == email.as_ref());
    json!({
        "now": running.world.clock.now(),
        "people": scene::PEOPLE.map(|(id, name, role)| json!({"id": id, "name": name, "role": role})),
        "team": TEAM,
        "channels": channels.collect::<Vec<_>>(),
        "messages": net.slack().seen_by(person).iter().map(message).collect::<Vec<_>>(),
        "views": views(running, person).map(|view| json!({"id": view.id, "view": view.view})).collect::<Vec<_>>(),
        "mail": mail.map(|m| json!({"from": m.from, "subject": m.subject, "text": m.text})).collect::<Vec<_>>(),
        "email": email,
        "wants_code": running.mail(),
        "iam": iam,
        "scenes": tour::SCENES,
        "commands": Command::HELP.iter().map(|lines| usage(lines)).collect::<Vec<_>>(),
        "seq": seq,
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

/// A slash command, sent.
pub async fn command(running: &Running, typed: &Typed) -> Result<Value, NoSuchThing> {
    let channel = channel(running, &typed.person, &typed.channel)?;
    let (name, text) = typed.text.split_once(' ').unwrap_or((&typed.text, ""));
    if name != "/access-key" {
        return Err(NoSuchThing("There is no such command here."));
    }
    let answer = running
        .step(async |keyvend| {
            let answer = keyvend.arrive(keyvend.world.slash_command_in(&typed.person, &channel, text)).await;
            if body(&answer)["blocks"].is_array() {
                keyvend.world.net.slack().shows(&typed.person, &channel, &body(&answer));
            }
            if typed.late {
                keyvend.world.clock.advance(LATE);
            }
            answer
        })
        .await;
    // One with buttons is a message like any other.
    let body = body(&answer);
    let ephemeral = if body["blocks"].is_array() { &Value::Null } else { &body["text"] };
    Ok(json!({"status": answer["statusCode"], "ephemeral": ephemeral}))
}

/// A press on a button that this person sees, pressed.
pub async fn press(running: &Running, pressed: &Pressed) -> Result<Value, NoSuchThing> {
    let channel = channel(running, &pressed.person, &pressed.channel)?;
    let seen = running.world.net.slack().seen_by(&pressed.person);
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

/// The modals that a person has open, the last on top.
fn views(running: &Running, person: &str) -> impl Iterator<Item = View> {
    let open = move |view: &View| view.user == person && !view.closed;
    running.world.net.slack().views().into_iter().filter(open)
}

fn view(running: &Running, person: &str, id: &str) -> Result<View, NoSuchThing> {
    views(running, person).find(|view| view.id == id).ok_or(NoSuchThing("There is no such form."))
}

/// Whether a field of the form can hold this.
fn can_hold(view: &View, block_id: &str, value: &str) -> bool {
    let mut blocks = view.view["blocks"].as_array().into_iter().flatten();
    let field = blocks.find(|block| block["block_id"] == block_id && block["type"] == "input");
    field.is_some_and(|field| {
        let choices = view.choices(block_id);
        let may_be = |chosen: &str| choices.iter().any(|choice| choice == chosen);
        match field["element"]["type"].as_str() {
            Some("multi_static_select") => value.split(',').all(may_be),
            _ => field["element"]["options"].is_null() || may_be(value),
        }
    })
}

/// A form, sent as it is filled in; what is wrong with its fields.
pub async fn submit(running: &Running, submitted: &Submitted) -> Result<Value, NoSuchThing> {
    let view = view(running, &submitted.person, &submitted.view)?;
    let filled: Vec<(&str, &str)> = submitted
        .values
        .iter()
        .filter_map(|(block_id, value)| Some((block_id.as_str(), value.as_deref()?)))
        .collect();
    if !filled.iter().all(|(block_id, value)| can_hold(&view, block_id, value)) {
        return Err(NO_SUCH_FIELD);
    }
    let answer = running.step(async |keyvend| {
        let answer = keyvend.arrive(keyvend.world.submit(&view, &view.values(&filled))).await;
        if answer["statusCode"] == 200 {
            keyvend.world.net.slack().submitted(&view.id, &body(&answer));
        }
        answer
    });
    let answer = answer.await;
    Ok(json!({"status": answer["statusCode"], "errors": body(&answer)["errors"]}))
}

/// A choice in an open form that the app wants to hear of at once.
pub async fn choose(running: &Running, chosen: &Chosen) -> Result<Value, NoSuchThing> {
    let view = view(running, &chosen.person, &chosen.view)?;
    if !can_hold(&view, &chosen.block_id, &chosen.value) {
        return Err(NO_SUCH_FIELD);
    }
    let answer = running.step(async |keyvend| {
        keyvend.arrive(keyvend.world.choose(&view, &chosen.block_id, &chosen.value)).await
    });
    Ok(json!({"status": answer.await["statusCode"]}))
}

/// A modal, closed; keyvend hears nothing of it.
pub async fn close(running: &Running, closed: &Closed) -> Result<Value, NoSuchThing> {
    let view = view(running, &closed.person, &closed.view)?;
    let done = running.step(async |keyvend| {
        keyvend.world.net.slack().close_view(&view.id);
        json!({})
    });
    Ok(done.await)
}

fn body(answer: &Value) -> Value {
    answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()
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

/// Lets time pass, for everybody.
pub async fn pass(running: &Running, passing: &Passing) -> Result<Value, NoSuchThing> {
    if passing.seconds > LONGEST {
        return Err(NoSuchThing("A month may pass at once, no more."));
    }
    running.pass(Duration::from_secs(passing.seconds.into())).await;
    Ok(json!({"now": running.world.clock.now()}))
}

/// Switches mailed codes on or off.
pub async fn mail(running: &Running, mailing: &Mailing) -> Result<Value, NoSuchThing> {
    running.set_mail(mailing.on).await;
    Ok(json!({}))
}

/// The channel as Slack names it, if this person is in it.
fn channel(running: &Running, person: &str, channel: &str) -> Result<String, NoSuchThing> {
    if !scene::PEOPLE.iter().any(|(id, ..)| *id == person) {
        return Err(NoSuchThing("There is no such person."));
    }
    if channel == format!("D:{person}") {
        return Ok(direct(person));
    }
    let channels = running.world.net.slack().channels();
    let found = channels.into_iter().find(|c| c.id == channel && c.members.contains(person));
    found.map(|channel| channel.id).ok_or(NOT_THERE)
}
