//! A stand-in for Slack that keeps what it was told: one workspace, its people and channels, the Web API methods
//! that keyvend calls, response URLs, and a transcript of every message. What the product says is checked against
//! Slack's limits as it arrives (`world::block_kit`): a bad message stops the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use keyvend::time::Timestamp;
use serde_json::{Map, Value, json};

use super::aws::BOT_TOKEN;
use super::block_kit;
use super::clock::Clock;
use super::net::{Call, Reply, Request};

pub const TEAM: &str = "T0001";
pub const APP: &str = "A0KEYVEND";
/// keyvend's own bot user.
pub const BOT: &str = "U0KEYVEND";
pub const APPROVALS: &str = "C0APPROVE";
pub const GENERAL: &str = "C0GENERAL";
/// The user group that alice_owner is in.
pub const TEAM_GROUP: &str = "S0TEAM";

pub const ALICE_OWNER: &str = "U0ALICE";
pub const BOB_APPROVER: &str = "U0BOB";
pub const CAROL_APPROVER: &str = "U0CAROL";
pub const DAVE_APPROVER: &str = "U0DAVE";
pub const MALLORY_OUTSIDER: &str = "U0MALLORY";
pub const GUS_GUEST: &str = "U0GUS";
pub const XENA_EXTERNAL: &str = "U0XENA";
pub const DORA_DELETED: &str = "U0DORA";
pub const BOTTY: &str = "U0BOTTY";

/// A trigger id lives three seconds.
const TRIGGER: i64 = 3;
/// A response URL lives thirty minutes and takes five posts.
const RESPONSE_URL: (i64, usize) = (1800, 5);

/// Somebody, as `users.info` tells.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub team: String,
    pub name: String,
    pub email: Option<String>,
    pub email_confirmed: bool,
    pub tz: String,
    pub tz_offset: i64,
    pub deleted: bool,
    pub bot: bool,
    pub restricted: bool,
    pub ultra_restricted: bool,
    pub stranger: bool,
}

impl Person {
    fn new(id: &str, name: &str) -> Self {
        let first = name.split('_').next().unwrap();
        Self {
            id: id.to_owned(),
            team: TEAM.to_owned(),
            name: name.to_owned(),
            email: Some(format!("{first}@example.com")),
            email_confirmed: true,
            tz: "Europe/Amsterdam".to_owned(),
            tz_offset: 3600,
            deleted: false,
            bot: false,
            restricted: false,
            ultra_restricted: false,
            stranger: false,
        }
    }

    /// The user object; a deactivated one has lost most of its fields.
    pub fn json(&self) -> Value {
        let Self { id, team, name, tz, tz_offset, deleted, bot, email_confirmed, .. } = self;
        let mut profile = json!({"real_name": name, "display_name": name, "team": team});
        if let Some(email) = &self.email {
            profile["email"] = json!(email);
        }
        let mut user = json!({
            "id": id, "team_id": team, "name": name, "deleted": deleted, "profile": profile, "is_bot": bot,
            "is_app_user": false, "updated": 1_700_000_000,
        });
        if !deleted {
            let more = json!({
                "real_name": name, "tz": tz, "tz_label": "Central European Time", "tz_offset": tz_offset,
                "is_admin": false, "is_owner": false, "is_primary_owner": false,
                "is_restricted": self.restricted, "is_ultra_restricted": self.ultra_restricted,
                "is_email_confirmed": email_confirmed, "who_can_share_contact_card": "EVERYONE",
            });
            user.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        }
        if self.stranger {
            user["is_stranger"] = json!(true);
        }
        user
    }
}

/// A channel, as `conversations.info` tells.
#[derive(Clone, Debug)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub private: bool,
    pub shared: bool,
    pub ext_shared: bool,
    pub org_shared: bool,
    pub archived: bool,
    pub members: BTreeSet<String>,
}

/// A message as it stands now.
#[derive(Clone, Debug)]
pub struct Message {
    pub channel: String,
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

    /// The message object.
    pub fn json(&self) -> Value {
        json!({
            "type": "message", "user": BOT, "bot_id": "B0KEYVEND", "app_id": APP, "team": TEAM, "ts": self.ts,
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
}

#[derive(Clone, Debug)]
struct ResponseUrl {
    channel: String,
    user: String,
    /// The message whose button made it, if it was one.
    origin: Option<String>,
    made: Timestamp,
    uses: usize,
}

#[derive(Clone, Debug)]
enum Failure {
    Error(String),
    RateLimited(u64),
}

#[derive(Debug)]
struct State {
    token: String,
    people: BTreeMap<String, Person>,
    channels: BTreeMap<String, Channel>,
    groups: BTreeMap<String, Vec<String>>,
    messages: Vec<Message>,
    views: Vec<View>,
    triggers: BTreeMap<String, (String, Timestamp, bool)>,
    urls: BTreeMap<String, ResponseUrl>,
    failures: Vec<(String, Failure)>,
    page: usize,
    made: u64,
}

/// The model.
pub struct Slack {
    clock: Clock,
    state: Mutex<State>,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slack")
    }
}

type Answer = Result<Value, String>;

fn no(error: &str) -> Answer {
    Err(error.to_owned())
}

impl Slack {
    pub fn new(clock: &Clock) -> Self {
        let person = Person::new;
        let people = [
            person(ALICE_OWNER, "alice_owner"),
            person(BOB_APPROVER, "bob_approver"),
            person(CAROL_APPROVER, "carol_approver"),
            person(DAVE_APPROVER, "dave_approver"),
            person(MALLORY_OUTSIDER, "mallory_outsider"),
            Person { restricted: true, ..person(GUS_GUEST, "gus_guest") },
            Person { team: "T0XENA".to_owned(), stranger: true, ..person(XENA_EXTERNAL, "xena_external") },
            Person { deleted: true, ..person(DORA_DELETED, "dora_deleted") },
            Person { bot: true, email: None, ..person(BOTTY, "botty") },
            Person { bot: true, email: None, ..person(BOT, "keyvend") },
        ];
        let channel = |id: &str, name: &str, private, members: &[&str]| Channel {
            id: id.to_owned(),
            name: name.to_owned(),
            private,
            shared: false,
            ext_shared: false,
            org_shared: false,
            archived: false,
            members: members.iter().map(|id| (*id).to_owned()).collect(),
        };
        let everybody: Vec<&str> = people.iter().filter(|p| !p.deleted).map(|p| p.id.as_str()).collect();
        let channels = [
            channel(APPROVALS, "approvals", true, &[BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, BOT]),
            channel(GENERAL, "general", false, &everybody),
        ];
        Self {
            clock: clock.clone(),
            state: Mutex::new(State {
                token: BOT_TOKEN.to_owned(),
                channels: channels.into_iter().map(|channel| (channel.id.clone(), channel)).collect(),
                people: people.into_iter().map(|person| (person.id.clone(), person)).collect(),
                groups: BTreeMap::from([(TEAM_GROUP.to_owned(), vec![ALICE_OWNER.to_owned()])]),
                messages: Vec::new(),
                views: Vec::new(),
                triggers: BTreeMap::new(),
                urls: BTreeMap::new(),
                failures: Vec::new(),
                page: usize::MAX,
                made: 0,
            }),
        }
    }

    /// Changes somebody, or makes somebody.
    pub fn person(&self, id: &str, change: impl FnOnce(&mut Person)) {
        let mut state = self.state.lock().unwrap();
        change(state.people.entry(id.to_owned()).or_insert_with(|| Person::new(id, &id.to_lowercase())));
    }

    /// Somebody's profile as it is.
    pub fn who(&self, id: &str) -> Person {
        self.state.lock().unwrap().people[id].clone()
    }

    /// Changes a channel.
    pub fn channel(&self, id: &str, change: impl FnOnce(&mut Channel)) {
        change(self.state.lock().unwrap().channels.get_mut(id).unwrap());
    }

    /// Sets who is in a user group.
    pub fn group(&self, id: &str, members: &[&str]) {
        let members = members.iter().map(|id| (*id).to_owned()).collect();
        self.state.lock().unwrap().groups.insert(id.to_owned(), members);
    }

    /// The token that is good from now on.
    pub fn token(&self, token: &str) {
        token.clone_into(&mut self.state.lock().unwrap().token);
    }

    /// The next call of this method (`response_url` too) answers this error.
    pub fn fail_next(&self, method: &str, error: &str) {
        self.state.lock().unwrap().failures.push((method.to_owned(), Failure::Error(error.to_owned())));
    }

    /// The next call of this method answers 429 with this Retry-After.
    pub fn rate_limit_next(&self, method: &str, seconds: u64) {
        self.state.lock().unwrap().failures.push((method.to_owned(), Failure::RateLimited(seconds)));
    }

    /// At most this many members a page, whatever limit is asked for.
    pub fn page(&self, members: usize) {
        self.state.lock().unwrap().page = members;
    }

    /// Everything that was said and still stands, in order.
    pub fn all(&self) -> Vec<Message> {
        self.state.lock().unwrap().messages.iter().filter(|message| !message.deleted).cloned().collect()
    }

    /// Everything that was ever said, deleted messages too.
    pub fn ever(&self) -> Vec<Message> {
        self.state.lock().unwrap().messages.clone()
    }

    /// What everybody in a channel sees.
    pub fn messages(&self, channel: &str) -> Vec<Message> {
        self.all().into_iter().filter(|m| m.channel == channel && m.ephemeral_to.is_none()).collect()
    }

    /// What this person was told alone: direct messages and ephemeral ones.
    pub fn told(&self, user: &str) -> Vec<Message> {
        let direct = direct(user);
        let own = |m: &Message| m.channel == direct || m.ephemeral_to.as_deref() == Some(user);
        self.all().into_iter().filter(own).collect()
    }

    /// The last of these.
    pub fn last_told(&self, user: &str) -> Message {
        self.told(user).pop().unwrap_or_else(|| panic!("{user} was told nothing"))
    }

    /// The last message in a channel.
    pub fn last_message(&self, channel: &str) -> Message {
        self.messages(channel).pop().unwrap_or_else(|| panic!("nothing was said in {channel}"))
    }

    /// The modals opened, as they stand now.
    pub fn views(&self) -> Vec<View> {
        self.state.lock().unwrap().views.clone()
    }

    /// A trigger id of something this person does now.
    pub fn trigger(&self, user: &str) -> String {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        state.made += 1;
        let id = format!("{}.{}.trigger", now.0, state.made);
        state.triggers.insert(id.clone(), (user.to_owned(), now, false));
        id
    }

    /// A response URL of something this person does now in a channel, to a message perhaps.
    pub fn response_url(&self, user: &str, channel: &str, origin: Option<&str>) -> String {
        let mut state = self.state.lock().unwrap();
        state.made += 1;
        let url = format!("https://hooks.slack.com/actions/{TEAM}/{}/secret", state.made);
        let made = self.clock.now();
        let (channel, user, origin) = (channel.to_owned(), user.to_owned(), origin.map(str::to_owned));
        state.urls.insert(url.clone(), ResponseUrl { channel, user, origin, made, uses: 0 });
        url
    }

    pub fn answer(&self, request: &Request, call: &Call) -> Reply {
        let mut state = self.state.lock().unwrap();
        let method = call.operation.as_str();
        let failure = state.failures.iter().position(|(failing, _)| failing == method);
        if let Some((_, failure)) = failure.map(|index| state.failures.remove(index)) {
            return match failure {
                Failure::RateLimited(seconds) => Reply {
                    headers: vec![("retry-after".to_owned(), seconds.to_string())],
                    ..Reply::json(429, &json!({"ok": false, "error": "ratelimited"}))
                },
                Failure::Error(error) if method == "response_url" => plain(404, &error),
                Failure::Error(error) => Reply::json(200, &json!({"ok": false, "error": error})),
            };
        }
        assert_eq!(request.method, "POST", "keyvend posts to Slack");
        if method == "response_url" {
            return match state.respond(&request.url, &call.parameters, self.clock.now()) {
                Ok(()) => plain(200, "ok"),
                Err((status, error)) => plain(status, error),
            };
        }
        let answer = match request.header("authorization").map(|header| header.strip_prefix("Bearer ")) {
            None => no("not_authed"),
            Some(token) if token != Some(&state.token) => no("invalid_auth"),
            Some(_) => state.method(method, &call.parameters, self.clock.now()),
        };
        match answer {
            Ok(mut answer) => {
                answer["ok"] = json!(true);
                Reply::json(200, &answer)
            }
            Err(error) => Reply::json(200, &json!({"ok": false, "error": error})),
        }
    }
}

fn plain(status: u16, text: &str) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: text.to_owned(),
    }
}

/// The direct message channel of a person.
pub fn direct(user: &str) -> String {
    format!("D{}", user.trim_start_matches('U'))
}

impl State {
    fn method(&mut self, method: &str, input: &Value, now: Timestamp) -> Answer {
        match method {
            "auth.test" => Ok(json!({
                "url": "https://example.slack.com/", "team": "Example", "user": "keyvend", "team_id": TEAM,
                "user_id": BOT, "bot_id": "B0KEYVEND", "is_enterprise_install": false,
            })),
            "users.info" => match self.people.get(&text(&input["user"])) {
                Some(person) => Ok(json!({"user": person.json()})),
                None => no("user_not_found"),
            },
            "conversations.info" => self.visible(input).map(|channel| {
                json!({"channel": {
                    "id": channel.id, "name": channel.name, "is_channel": true, "is_group": false, "is_im": false,
                    "is_private": channel.private, "is_archived": channel.archived, "is_shared": channel.shared,
                    "is_ext_shared": channel.ext_shared, "is_org_shared": channel.org_shared,
                    "is_pending_ext_shared": false, "is_member": channel.members.contains(BOT),
                }})
            }),
            "conversations.members" => self.members(input),
            "conversations.open" => {
                let user = text(&input["users"]);
                match self.people.get(&user) {
                    None => no("user_not_found"),
                    Some(person) if person.deleted => no("user_disabled"),
                    Some(person) if person.bot => no("cannot_dm_bot"),
                    Some(_) => Ok(json!({"channel": {"id": direct(&user)}})),
                }
            }
            "usergroups.users.list" => match self.groups.get(&text(&input["usergroup"])) {
                Some(users) => Ok(json!({"users": users})),
                None => no("no_such_subteam"),
            },
            "chat.postMessage" => self.post(input, None, now),
            "chat.postEphemeral" => {
                let user = text(&input["user"]);
                let channel = self.visible(input)?;
                if !channel.members.contains(&user) {
                    return no("user_not_in_channel");
                }
                let answer = self.post(input, Some(user), now)?;
                Ok(json!({"message_ts": answer["ts"]}))
            }
            "chat.update" => self.update(input),
            "chat.delete" => {
                self.own_message(input)?.deleted = true;
                Ok(json!({"channel": input["channel"], "ts": input["ts"]}))
            }
            "views.open" => self.open_view(input, now),
            "views.update" => {
                let view = view_of(input);
                block_kit::check_view(&view);
                match self.views.iter_mut().find(|open| open.id == input["view_id"]) {
                    Some(open) => {
                        open.view = view;
                        Ok(json!({"view": {"id": open.id}}))
                    }
                    None => no("not_found"),
                }
            }
            _ => no("unknown_method"),
        }
    }

    /// A private channel that the bot is not in does not exist for it.
    fn visible(&self, input: &Value) -> Result<&Channel, String> {
        let channel = self.channels.get(&text(&input["channel"]));
        let visible = channel.filter(|channel| !channel.private || channel.members.contains(BOT));
        visible.ok_or_else(|| "channel_not_found".to_owned())
    }

    fn members(&self, input: &Value) -> Answer {
        let channel = self.visible(input)?;
        let limit = match &input["limit"] {
            Value::Null => 100,
            Value::Number(number) => usize::try_from(number.as_u64().unwrap()).unwrap(),
            other => other.as_str().unwrap().parse().unwrap(),
        };
        if !(1..=1000).contains(&limit) {
            return no("invalid_limit");
        }
        let from = match input["cursor"].as_str() {
            None | Some("") => 0,
            Some(cursor) => match cursor.strip_prefix("cursor").and_then(|from| from.parse().ok()) {
                Some(from) => from,
                None => return no("invalid_cursor"),
            },
        };
        let size = limit.min(self.page);
        let page: Vec<&String> = channel.members.iter().skip(from).take(size).collect();
        let more = channel.members.len() > from + page.len();
        let next = if more { format!("cursor{}", from + page.len()) } else { String::new() };
        Ok(json!({"members": page, "response_metadata": {"next_cursor": next}}))
    }

    fn post(&mut self, input: &Value, ephemeral_to: Option<String>, now: Timestamp) -> Answer {
        let to = text(&input["channel"]);
        let channel = if to.starts_with('U') { direct(&to) } else { to };
        if let Some(rest) = channel.strip_prefix('D') {
            match self.people.get(&format!("U{rest}")) {
                None => return no("channel_not_found"),
                Some(person) if person.deleted => return no("user_disabled"),
                Some(person) if person.bot => return no("cannot_dm_bot"),
                Some(_) => {}
            }
        } else {
            let found = self.visible(&json!({"channel": channel}))?;
            if found.archived {
                return no("is_archived");
            }
            if !found.members.contains(BOT) {
                return no("not_in_channel");
            }
        }
        block_kit::check_message(input);
        for flag in ["unfurl_links", "unfurl_media"] {
            assert_eq!(input[flag], json!(false), "{flag} must be off: a preview opens links");
        }
        let message = self.keep(&channel, input, ephemeral_to, now);
        Ok(json!({"channel": channel, "ts": message.ts, "message": message.json()}))
    }

    fn keep(
        &mut self,
        channel: &str,
        input: &Value,
        ephemeral_to: Option<String>,
        now: Timestamp,
    ) -> Message {
        self.made += 1;
        let message = Message {
            channel: channel.to_owned(),
            ts: format!("{}.{:06}", now.0, self.made),
            text: text(&input["text"]),
            blocks: with_block_ids(&block_kit::blocks_of(input)),
            metadata: input["metadata"].clone(),
            thread_ts: input["thread_ts"].as_str().map(str::to_owned),
            ephemeral_to,
            edits: Vec::new(),
            deleted: false,
            at: now,
        };
        self.messages.push(message.clone());
        message
    }

    /// A message of the bot's that everybody sees; others cannot be touched.
    fn own_message(&mut self, input: &Value) -> Result<&mut Message, String> {
        let (channel, ts) = (text(&input["channel"]), text(&input["ts"]));
        if !channel.starts_with('D') {
            self.visible(input)?;
        }
        let found = self
            .messages
            .iter_mut()
            .find(|m| m.channel == channel && m.ts == ts && m.ephemeral_to.is_none() && !m.deleted);
        found.ok_or_else(|| "message_not_found".to_owned())
    }

    fn update(&mut self, input: &Value) -> Answer {
        block_kit::check_message(input);
        self.own_message(input)?.replace(input);
        Ok(json!({"channel": input["channel"], "ts": input["ts"], "text": input["text"]}))
    }

    fn open_view(&mut self, input: &Value, now: Timestamp) -> Answer {
        let Some((user, made, used)) = self.triggers.get_mut(&text(&input["trigger_id"])) else {
            return no("invalid_trigger_id");
        };
        if *used {
            return no("exchanged_trigger_id");
        }
        if now.since(*made) > TRIGGER {
            return no("expired_trigger_id");
        }
        let view = view_of(input);
        block_kit::check_view(&view);
        *used = true;
        let id = format!("V{:08}", self.views.len() + 1);
        self.views.push(View { id: id.clone(), user: user.clone(), view });
        Ok(json!({"view": {"id": id}}))
    }

    fn respond(&mut self, url: &str, input: &Value, now: Timestamp) -> Result<(), (u16, &'static str)> {
        let Some(found) = self.urls.get_mut(url) else { return Err((404, "invalid_url")) };
        if now.since(found.made) > RESPONSE_URL.0 {
            return Err((404, "expired_url"));
        }
        if found.uses >= RESPONSE_URL.1 {
            return Err((404, "used_url"));
        }
        found.uses += 1;
        let ResponseUrl { channel, user, origin, .. } = found.clone();
        let original =
            |message: &&mut Message| message.channel == channel && Some(&message.ts) == origin.as_ref();
        if input["delete_original"] == true {
            if let Some(message) = self.messages.iter_mut().find(original) {
                message.deleted = true;
            }
            return Ok(());
        }
        block_kit::check_message(input);
        if input["replace_original"] == true
            && let Some(message) = self.messages.iter_mut().find(original)
        {
            message.replace(input);
            return Ok(());
        }
        let ephemeral_to = match input["response_type"].as_str() {
            Some("in_channel") => None,
            Some("ephemeral") | None => Some(user),
            Some(other) => panic!("no response_type of Slack's: {other}"),
        };
        self.keep(&channel, input, ephemeral_to, now);
        Ok(())
    }
}

impl Message {
    fn replace(&mut self, input: &Value) {
        let new = (text(&input["text"]), with_block_ids(&block_kit::blocks_of(input)));
        let old = (std::mem::replace(&mut self.text, new.0), std::mem::replace(&mut self.blocks, new.1));
        self.edits.push(old);
    }
}

fn view_of(input: &Value) -> Value {
    match &input["view"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        view => view.clone(),
    }
}

/// Slack gives a block without an id one.
fn with_block_ids(blocks: &Value) -> Value {
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
