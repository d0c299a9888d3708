//! A stand-in for Slack that keeps what it was told: one workspace, its people and channels, the Web API methods
//! that keyvend calls, response URLs, and a transcript of every message. What the product says is checked against
//! Slack's limits as it arrives (`world::block_kit`): a bad message stops the test.

mod web_api;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyvend::time::Timestamp;
use serde_json::{Value, json};

use crate::aws::BOT_TOKEN;
use crate::block_kit;
use crate::clock::Clock;
use crate::net::{Call, Reply, Request};
use crate::slack::web_api::no;
use crate::slack_limits::Limits;

pub use crate::people::*;
pub use crate::transcript::{Button, Message, View};

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

#[derive(Clone, Debug)]
struct RequestState {
    token: String,
    people: BTreeMap<String, Person>,
    channels: BTreeMap<String, Channel>,
    groups: BTreeMap<String, Vec<String>>,
    messages: Vec<Message>,
    /// The direct messages that were opened.
    opened: BTreeSet<String>,
    views: Vec<View>,
    /// What each person's Home tab shows.
    homes: BTreeMap<String, Value>,
    triggers: BTreeMap<String, (String, Timestamp, bool)>,
    urls: BTreeMap<String, ResponseUrl>,
    failures: Vec<(String, Failure)>,
    limits: Limits,
    org_wide: bool,
    page: usize,
    made: u64,
}

/// The model.
pub struct Slack {
    clock: Clock,
    state: Mutex<RequestState>,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slack")
    }
}

type Answer = Result<Value, String>;

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
            state: Mutex::new(RequestState {
                token: BOT_TOKEN.to_owned(),
                channels: channels.into_iter().map(|channel| (channel.id.clone(), channel)).collect(),
                people: people.into_iter().map(|person| (person.id.clone(), person)).collect(),
                groups: BTreeMap::from([(TEAM_GROUP.to_owned(), vec![ALICE_OWNER.to_owned()])]),
                messages: Vec::new(),
                opened: BTreeSet::new(),
                views: Vec::new(),
                homes: BTreeMap::new(),
                triggers: BTreeMap::new(),
                urls: BTreeMap::new(),
                failures: Vec::new(),
                limits: Limits::default(),
                org_wide: false,
                page: usize::MAX,
                made: 0,
            }),
        }
    }

    /// The same workspace, on another clock; what happens in one is not seen in the other.
    pub fn fork(&self, clock: &Clock) -> Self {
        Self { clock: clock.clone(), state: Mutex::new(self.state().clone()) }
    }

    /// What a bad message stopped is as it was before that message.
    fn state(&self) -> MutexGuard<'_, RequestState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes somebody, or makes somebody.
    pub fn person(&self, id: &str, change: impl FnOnce(&mut Person)) {
        let mut state = self.state();
        change(state.people.entry(id.to_owned()).or_insert_with(|| Person::new(id, &id.to_lowercase())));
    }

    /// Somebody's profile as it is.
    pub fn who(&self, id: &str) -> Person {
        self.state().people[id].clone()
    }

    /// The same of somebody who may not exist.
    pub fn find(&self, id: &str) -> Option<Person> {
        self.state().people.get(id).cloned()
    }

    /// Changes a channel.
    pub fn channel(&self, id: &str, change: impl FnOnce(&mut Channel)) {
        change(self.state().channels.get_mut(id).unwrap());
    }

    /// Makes a channel, which keyvend's bot is in.
    pub fn new_channel(&self, id: &str, private: bool, members: &[&str]) {
        let members = members.iter().copied().chain([BOT]).map(str::to_owned).collect();
        let (shared, ext_shared, org_shared, archived) = (false, false, false, false);
        let (id, name) = (id.to_owned(), id.to_lowercase());
        let channel = Channel { id, name, private, shared, ext_shared, org_shared, archived, members };
        self.state().channels.insert(channel.id.clone(), channel);
    }

    /// Sets who is in a user group.
    pub fn group(&self, id: &str, members: &[&str]) {
        let members = members.iter().map(|id| (*id).to_owned()).collect();
        self.state().groups.insert(id.to_owned(), members);
    }

    /// The app is installed for the whole organisation: payloads name no workspace, and the bot's token is of none.
    pub fn install_org_wide(&self) {
        self.state().org_wide = true;
    }

    /// Whether it is.
    pub fn is_org_wide(&self) -> bool {
        self.state().org_wide
    }

    /// The token that is good from now on.
    pub fn token(&self, token: &str) {
        token.clone_into(&mut self.state().token);
    }

    /// The next call of this method (`response_url` too) answers this error.
    pub fn fail_next(&self, method: &str, error: &str) {
        self.state().failures.push((method.to_owned(), Failure::Error(error.to_owned())));
    }

    /// The next call of this method answers 429 with this Retry-After.
    pub fn rate_limit_next(&self, method: &str, seconds: u64) {
        self.state().failures.push((method.to_owned(), Failure::RateLimited(seconds)));
    }

    /// From now on Slack takes no more than it documents, of every method and for every channel.
    pub fn limit_rates(&self) {
        self.state().limits.document();
    }

    /// A method is limited until then, for one channel or for all; each call is told to wait, at most so many seconds.
    pub fn limit_until(&self, method: &str, channel: Option<&str>, until: Timestamp, retry_after: i64) {
        self.state().limits.close(method, channel, until, retry_after);
    }

    /// At most this many members a page, whatever limit is asked for.
    pub fn page(&self, members: usize) {
        self.state().page = members;
    }

    /// Everything that was said and still stands, in order.
    pub fn all(&self) -> Vec<Message> {
        self.state().messages.iter().filter(|message| !message.deleted).cloned().collect()
    }

    /// Everything that was ever said, deleted messages too.
    pub fn ever(&self) -> Vec<Message> {
        self.state().messages.clone()
    }

    /// What everybody in a channel sees.
    pub fn messages(&self, channel: &str) -> Vec<Message> {
        self.all().into_iter().filter(|m| m.channel == channel && m.ephemeral_to.is_none()).collect()
    }

    /// What this person sees, in every channel.
    pub fn seen_by(&self, user: &str) -> Vec<Message> {
        let channels = self.channels();
        let here = |m: &Message| {
            let members = channels.iter().find(|channel| channel.id == m.channel).map(|c| &c.members);
            m.channel == direct(user) || members.is_some_and(|members| members.contains(user))
        };
        let own = |m: &Message| m.ephemeral_to.as_deref().is_none_or(|to| to == user);
        self.all().into_iter().filter(|m| here(m) && own(m)).collect()
    }

    /// The channels that are not direct messages.
    pub fn channels(&self) -> Vec<Channel> {
        self.state().channels.values().cloned().collect()
    }

    /// Grows with every message, edit and deletion, and with every modal.
    pub fn changes(&self) -> usize {
        let state = self.state();
        let messages = state.messages.iter().map(|m| 1 + m.edits.len() + usize::from(m.deleted));
        let views = state.views.iter().map(|view| 1 + view.replaced + usize::from(view.closed));
        messages.chain(views).sum()
    }

    /// Somebody says something; Slack escapes it.
    pub fn say(&self, user: &str, channel: &str, text: &str) {
        let now = self.clock.now();
        let said = json!({"text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")});
        self.state().keep(channel, user, &said, None, now);
    }

    /// The answer to a slash command, as Slack shows it to the person who typed it.
    pub fn shows(&self, user: &str, channel: &str, answer: &Value) -> Message {
        block_kit::check_message(answer);
        let now = self.clock.now();
        self.state().keep(channel, BOT, answer, Some(user.to_owned()), now)
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

    /// Somebody deletes a message, or Slack's retention does.
    pub fn delete(&self, message: &Message) {
        let mut state = self.state();
        let is_it = |found: &&mut Message| found.channel == message.channel && found.ts == message.ts;
        state.messages.iter_mut().find(is_it).unwrap().deleted = true;
    }

    /// The last message in a channel.
    pub fn last_message(&self, channel: &str) -> Message {
        self.messages(channel).pop().unwrap_or_else(|| panic!("nothing was said in {channel}"))
    }

    /// The modals opened, as they stand now.
    pub fn views(&self) -> Vec<View> {
        self.state().views.clone()
    }

    /// What this person's Home tab shows.
    pub fn home(&self, user: &str) -> Option<Value> {
        self.state().homes.get(user).cloned()
    }

    /// The modal that this person has before them.
    pub fn last_view(&self, user: &str) -> View {
        let found = self.views().into_iter().rev().find(|view| view.user == user && !view.closed);
        found.unwrap_or_else(|| panic!("{user} has no modal open"))
    }

    /// What Slack does with the answer to a submitted form: shows errors, shows another view, or closes it.
    pub fn submitted(&self, view: &str, answer: &Value) {
        let mut state = self.state();
        let open = state.views.iter_mut().find(|open| open.id == view).unwrap();
        match answer["response_action"].as_str() {
            Some("errors") => {
                for block_id in answer["errors"].as_object().unwrap().keys() {
                    open.input(block_id);
                }
            }
            Some("update") => {
                block_kit::check_view(&answer["view"]);
                open.view = answer["view"].clone();
                open.replaced += 1;
            }
            None | Some("clear") => open.closed = true,
            Some(other) => panic!("no response_action that keyvend uses: {other}"),
        }
    }

    /// Somebody closes a modal.
    pub fn close_view(&self, view: &str) {
        self.state().views.iter_mut().find(|open| open.id == view).unwrap().closed = true;
    }

    /// A trigger id of something this person does now.
    pub fn trigger(&self, user: &str) -> String {
        let now = self.clock.now();
        let mut state = self.state();
        state.made += 1;
        let id = format!("{}.{}.trigger", now.0, state.made);
        state.triggers.insert(id.clone(), (user.to_owned(), now, false));
        id
    }

    /// A response URL of something this person does now in a channel, to a message perhaps.
    pub fn response_url(&self, user: &str, channel: &str, origin: Option<&str>) -> String {
        let mut state = self.state();
        state.made += 1;
        let url = format!("https://hooks.slack.com/actions/{TEAM}/{}/secret", state.made);
        let made = self.clock.now();
        let (channel, user, origin) = (channel.to_owned(), user.to_owned(), origin.map(str::to_owned));
        state.urls.insert(url.clone(), ResponseUrl { channel, user, origin, made, uses: 0 });
        url
    }

    pub fn answer(&self, request: &Request, call: &Call) -> Reply {
        let mut state = self.state();
        let method = call.operation.as_str();
        let failure = state.failures.iter().position(|(failing, _)| failing == method);
        if let Some((_, failure)) = failure.map(|index| state.failures.remove(index)) {
            return match failure {
                Failure::RateLimited(seconds) => rate_limited(seconds),
                Failure::Error(error) if method == "response_url" => plain(404, &error),
                Failure::Error(error) => Reply::json(200, &json!({"ok": false, "error": error})),
            };
        }
        let now = self.clock.now();
        if let Some(seconds) = state.limits.exceeded(method, call.parameters["channel"].as_str(), now) {
            return rate_limited(u64::try_from(seconds).unwrap());
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

fn rate_limited(seconds: u64) -> Reply {
    Reply {
        headers: vec![("retry-after".to_owned(), seconds.to_string())],
        ..Reply::json(429, &json!({"ok": false, "error": "ratelimited"}))
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
