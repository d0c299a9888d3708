//! The methods of the Web API and the response URLs, as Slack answers them.

use keyvend::time::Timestamp;
use serde_json::{Value, json};

use crate::block_kit;
use crate::people::{BOT, Channel, TEAM};
use crate::slack::{Answer, RequestState, ResponseUrl, direct};
use crate::transcript::{Message, View, with_block_ids};

/// A trigger id lives three seconds.
const TRIGGER: i64 = 3;
/// A response URL lives thirty minutes and takes five posts.
const RESPONSE_URL: (i64, usize) = (1800, 5);

pub(crate) fn no(error: &str) -> Answer {
    Err(error.to_owned())
}

impl RequestState {
    pub(crate) fn method(&mut self, method: &str, input: &Value, now: Timestamp) -> Answer {
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
                    Some(_) => {
                        self.opened.insert(direct(&user));
                        Ok(json!({"channel": {"id": direct(&user)}}))
                    }
                }
            }
            // The token of an organisation is of no workspace, so one has to be named.
            "usergroups.users.list" if self.org_wide && input["team_id"] != TEAM => no("missing_argument"),
            "usergroups.users.list" => match self.groups.get(&text(&input["usergroup"])) {
                Some(users) => Ok(json!({"users": users})),
                None => no("no_such_subteam"),
            },
            "chat.postMessage" => self.post(input, None, now),
            "chat.postEphemeral" => {
                let user = text(&input["user"]);
                let channel = text(&input["channel"]);
                // A direct message has its person in it and the bot, once somebody opened it.
                let inside = if channel.starts_with('D') {
                    if !self.opened.contains(&channel) {
                        return no("channel_not_found");
                    }
                    channel == direct(&user)
                } else {
                    self.visible(input)?.members.contains(&user)
                };
                if !inside {
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
            "views.publish" => {
                let (user, view) = (text(&input["user_id"]), view_of(input));
                if !self.people.contains_key(&user) {
                    return no("user_not_found");
                }
                assert_eq!(view["type"], "home");
                block_kit::check_message(&json!({"text": "Home", "blocks": view["blocks"]}));
                self.homes.insert(user, view);
                Ok(json!({"view": {"id": "V0HOME"}}))
            }
            "views.update" => {
                let view = view_of(input);
                block_kit::check_view(&view);
                let open = self.views.iter_mut().find(|open| open.id == input["view_id"] && !open.closed);
                block_kit::check_for_anybody(&view);
                block_kit::check_carries_no_more(&view, open.as_ref().map(|open| open.carried.as_str()));
                match open {
                    Some(open) if !input["hash"].is_null() && input["hash"] != open.hash() => no("hash_conflict"),
                    Some(open) => {
                        open.view = view;
                        open.replaced += 1;
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
                Some(_) => _ = self.opened.insert(channel.clone()),
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
        let message = self.keep(&channel, BOT, input, ephemeral_to, now);
        Ok(json!({"channel": channel, "ts": message.ts, "message": message.json()}))
    }

    pub(crate) fn keep(
        &mut self,
        channel: &str,
        user: &str,
        input: &Value,
        ephemeral_to: Option<String>,
        now: Timestamp,
    ) -> Message {
        self.made += 1;
        let message = Message {
            channel: channel.to_owned(),
            user: user.to_owned(),
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
        match found {
            Some(message) if message.user == BOT => Ok(message),
            Some(_) => Err("cant_update_message".to_owned()),
            None => Err("message_not_found".to_owned()),
        }
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
        let (user, carried) = (user.clone(), text(&view["private_metadata"]));
        self.views.push(View { id: id.clone(), user, view, carried, replaced: 0, closed: false });
        Ok(json!({"view": {"id": id}}))
    }

    pub(crate) fn respond(
        &mut self,
        url: &str,
        input: &Value,
        now: Timestamp,
    ) -> Result<(), (u16, &'static str)> {
        let Some(found) = self.urls.get_mut(url) else { return Err((404, "invalid_url")) };
        if now.since(found.made) > RESPONSE_URL.0 {
            return Err((404, "expired_url"));
        }
        if found.uses >= RESPONSE_URL.1 {
            return Err((404, "used_url"));
        }
        found.uses += 1;
        block_kit::check_for_anybody(input);
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
        self.keep(&channel, BOT, input, ephemeral_to, now);
        Ok(())
    }
}

fn view_of(input: &Value) -> Value {
    match &input["view"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        view => view.clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
