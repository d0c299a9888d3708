//! What arrives at keyvend: whole API Gateway events (HTTP API, payload version 2.0), signed as Slack signs
//! (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyvend::time::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::World;
use crate::aws::SIGNING_SECRET;
use crate::form;
use crate::net::HOME;
use crate::slack::{APP, BOT, Button, GENERAL, Message, ORGANISATION, TEAM, View};

/// Where keyvend is, for browsers and for Slack.
pub const HOST: &str = "keys.example.com";

/// The two headers by which Slack signs a request.
pub fn sign(secret: &str, now: Timestamp, body: &str) -> [(String, String); 2] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{}:{body}", now.0).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    [
        ("x-slack-request-timestamp".to_owned(), now.0.to_string()),
        ("x-slack-signature".to_owned(), format!("v0={hex}")),
    ]
}

/// An event as API Gateway makes it: the body of a form arrives in base64, JSON and text as they are.
pub fn event(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Value {
    let headers: Map<String, Value> =
        headers.iter().map(|(name, value)| (name.to_lowercase(), json!(value))).collect();
    let kind = headers.get("content-type").and_then(Value::as_str).unwrap_or_default();
    let as_text = kind.starts_with("text/") || kind.starts_with("application/json");
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "requestContext": {
            "accountId": HOME,
            "apiId": "api0000001",
            "domainName": HOST,
            "domainPrefix": "keys",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9",
                "userAgent": headers.get("user-agent").cloned().unwrap_or(json!("test world")),
            },
            "requestId": "request-id=",
            "routeKey": format!("{method} {path}"),
            "stage": "$default",
            "time": "24/Nov/2025:16:00:00 +0000",
            "timeEpoch": 1_764_000_000_000_i64,
        },
        "isBase64Encoded": false,
    });
    if let Some(body) = body {
        event["isBase64Encoded"] = json!(!as_text);
        event["body"] = json!(if as_text { body.to_owned() } else { STANDARD.encode(body) });
    }
    event["headers"] = Value::Object(headers);
    event
}

/// A view as Slack hands it back.
fn shown(view: &View, values: &Value) -> Value {
    let mut shown = view.view.clone();
    shown["id"] = json!(view.id);
    shown["team_id"] = json!(TEAM);
    shown["app_id"] = json!(APP);
    shown["hash"] = json!(view.hash());
    shown["root_view_id"] = json!(view.id);
    shown["previous_view_id"] = Value::Null;
    shown["state"] = json!({"values": values});
    shown
}

/// A press, a form submitted or the like: one field named `payload`.
fn interaction_body(payload: &Value) -> String {
    form::encode([("payload", payload.to_string().as_str())])
}

impl World {
    /// Slack posts this body now.
    pub fn posted(&self, path: &str, content_type: &str, body: &str) -> Value {
        let signed = sign(SIGNING_SECRET, self.clock.now(), body);
        let [timestamp, signature] = &signed;
        let headers = [
            ("Content-Type", content_type),
            ("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)"),
            ("Host", HOST),
            (timestamp.0.as_str(), timestamp.1.as_str()),
            (signature.0.as_str(), signature.1.as_str()),
        ];
        event("POST", path, &headers, Some(body))
    }

    fn interaction(&self, payload: &Value) -> Value {
        self.posted("/slack/interactive", "application/x-www-form-urlencoded", &interaction_body(payload))
    }

    /// `/access-key <text>`, typed in #general.
    pub fn slash_command(&self, person: &str, text: &str) -> Value {
        self.slash_command_in(person, GENERAL, text)
    }

    /// `/access-key <text>`, typed in a channel.
    pub fn slash_command_in(&self, person: &str, channel: &str, text: &str) -> Value {
        self.slash_command_named("/access-key", person, channel, text)
    }

    /// The command as it was installed, typed in a channel.
    pub fn slash_command_named(&self, name: &str, person: &str, channel: &str, text: &str) -> Value {
        let slack = self.net.slack();
        let who = slack.who(person);
        let (trigger, url) = (slack.trigger(person), slack.response_url(person, channel, None));
        let body = form::encode([
            ("token", "verification-token"),
            ("team_id", if slack.is_org_wide() { TEAM } else { who.team.as_str() }),
            ("team_domain", "example"),
            ("channel_id", channel),
            ("channel_name", "general"),
            ("user_id", person),
            ("user_name", who.name.as_str()),
            ("command", name),
            ("text", text),
            ("api_app_id", APP),
            ("is_enterprise_install", if slack.is_org_wide() { "true" } else { "false" }),
            ("response_url", url.as_str()),
            ("trigger_id", trigger.as_str()),
        ]);
        self.posted("/slack/commands", "application/x-www-form-urlencoded", &body)
    }

    /// A press on the message's button of this label.
    pub fn press(&self, person: &str, message: &Message, label: &str) -> Value {
        self.press_button(person, message, &message.button(label))
    }

    /// A press on a button as given, which need not be one that the message has.
    pub fn press_button(&self, person: &str, message: &Message, button: &Button) -> Value {
        let mut action = json!({
            "type": "button", "action_id": button.action_id, "block_id": button.block_id,
            "text": {"type": "plain_text", "text": button.text, "emoji": true},
            "action_ts": format!("{}.000000", self.clock.now().0),
        });
        if !button.value.is_empty() {
            action["value"] = json!(button.value);
        }
        if let Some(url) = &button.url {
            action["url"] = json!(url);
        }
        self.act(person, message, &action)
    }

    /// Any action on a message. An ephemeral message is not shown in the payload.
    pub fn act(&self, person: &str, message: &Message, action: &Value) -> Value {
        let slack = self.net.slack();
        let ephemeral = message.ephemeral_to.is_some();
        let mut payload = json!({
            "type": "block_actions",
            "user": self.user(person),
            "api_app_id": APP,
            "token": "verification-token",
            "container": {
                "type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": ephemeral,
            },
            "trigger_id": slack.trigger(person),
            "team": self.workspace(&slack.who(person).team),
            "enterprise": self.organisation(),
            "is_enterprise_install": slack.is_org_wide(),
            "channel": {"id": message.channel, "name": "channel"},
            "state": {"values": {}},
            "response_url": slack.response_url(person, &message.channel, Some(&message.ts)),
            "actions": [action],
        });
        if !ephemeral {
            payload["message"] = message.json();
        }
        self.interaction(&payload)
    }

    /// A form submitted, `values` by block id and action id as Slack has them.
    pub fn submit(&self, view: &View, values: &Value) -> Value {
        self.interaction(&json!({
            "type": "view_submission",
            "team": self.workspace(TEAM),
            "user": self.user(&view.user),
            "api_app_id": APP,
            "token": "verification-token",
            "trigger_id": self.net.slack().trigger(&view.user),
            "view": shown(view, values),
            "response_urls": [],
            "is_enterprise_install": self.net.slack().is_org_wide(),
            "enterprise": self.organisation(),
        }))
    }

    /// Something is chosen in an open form.
    pub fn choose(&self, view: &View, block_id: &str, value: &str) -> Value {
        let state = view.filled(block_id, Some(value));
        let (action_id, chosen) = state.as_object().unwrap().iter().next().unwrap();
        let mut action = chosen.clone();
        action["action_id"] = json!(action_id);
        action["block_id"] = json!(block_id);
        self.interaction(&json!({
            "type": "block_actions",
            "team": self.workspace(TEAM),
            "user": self.user(&view.user),
            "api_app_id": APP,
            "token": "verification-token",
            "container": {"type": "view", "view_id": view.id},
            "trigger_id": self.net.slack().trigger(&view.user),
            "view": shown(view, &view.values(&[(block_id, value)])),
            "actions": [action],
            "is_enterprise_install": self.net.slack().is_org_wide(),
            "enterprise": self.organisation(),
        }))
    }

    /// The first button of somebody's Home tab, pressed.
    pub fn press_in_home(&self, person: &str) -> Value {
        let slack = self.net.slack();
        let view = slack.home(person).unwrap();
        let blocks = view["blocks"].as_array().unwrap();
        let button = blocks.iter().find(|block| block["type"] == "actions").unwrap()["elements"][0].clone();
        self.interaction(&json!({
            "type": "block_actions",
            "team": self.workspace(TEAM),
            "user": self.user(person),
            "api_app_id": APP,
            "token": "verification-token",
            "container": {"type": "view", "view_id": "V0HOME"},
            "trigger_id": slack.trigger(person),
            "view": {"id": "V0HOME", "type": "home", "hash": "1.home", "blocks": blocks},
            "actions": [{"type": "button", "action_id": button["action_id"], "value": button["value"]}],
            "is_enterprise_install": slack.is_org_wide(),
            "enterprise": self.organisation(),
        }))
    }

    /// The global shortcut of this callback id, chosen.
    pub fn shortcut(&self, person: &str, callback_id: &str) -> Value {
        let slack = self.net.slack();
        self.interaction(&json!({
            "type": "shortcut",
            "callback_id": callback_id,
            "action_ts": "1700000000.000000",
            "team": self.workspace(TEAM),
            "user": self.user(person),
            "api_app_id": APP,
            "token": "verification-token",
            "trigger_id": slack.trigger(person),
            "is_enterprise_install": slack.is_org_wide(),
            "enterprise": self.organisation(),
        }))
    }

    /// Somebody opens a tab of the app; the event of it.
    pub fn opens_tab(&self, person: &str, tab: &str) -> Value {
        let now = self.clock.now();
        let event = json!({
            "type": "app_home_opened", "user": person, "channel": format!("D{}", &person[1..]), "tab": tab,
            "event_ts": format!("{}.000000", now.0),
        });
        self.event_callback(&format!("EvHome{person}{}", now.0), &event)
    }

    /// The event that somebody's profile changed, as it is now.
    pub fn user_change(&self, person: &str) -> Value {
        let now = self.clock.now();
        let event = json!({
            "type": "user_change", "user": self.net.slack().who(person).json(),
            "cache_ts": now.0, "event_ts": format!("{}.000000", now.0),
        });
        self.event_callback(&format!("Ev{person}{}", now.0), &event)
    }

    /// Somebody is added to a channel, by `inviter` or by themselves; the event of it.
    pub fn joins(&self, person: &str, channel: &str, inviter: Option<&str>) -> Value {
        let slack = self.net.slack();
        slack.channel(channel, |channel| _ = channel.members.insert(person.to_owned()));
        let now = self.clock.now();
        let mut event = json!({
            "type": "member_joined_channel", "user": person, "channel": channel, "channel_type": "G",
            "team": slack.who(person).team, "event_ts": format!("{}.000000", now.0),
        });
        if let Some(inviter) = inviter {
            event["inviter"] = json!(inviter);
        }
        self.event_callback(&format!("Ev{person}{channel}{}", now.0), &event)
    }

    /// People are added to a user group and others removed; the event of it.
    pub fn changes_group(&self, group: &str, added: &[&str], removed: &[&str]) -> Value {
        let now = self.clock.now();
        let event = json!({
            "type": "subteam_members_changed", "subteam_id": group, "team_id": TEAM,
            "date_previous_update": now.0 - 60, "date_update": now.0,
            "added_users": added, "added_users_count": added.len().to_string(),
            "removed_users": removed, "removed_users_count": removed.len().to_string(),
            "event_ts": format!("{}.000000", now.0),
        });
        self.event_callback(&format!("Ev{group}{}", now.0), &event)
    }

    /// Slack sends an event.
    pub fn event_callback(&self, id: &str, event: &Value) -> Value {
        let body = json!({
            "token": "verification-token",
            "team_id": TEAM,
            "api_app_id": APP,
            "type": "event_callback",
            "event_id": id,
            "event_time": self.clock.now().0,
            "authorizations": [{
                "enterprise_id": null, "team_id": TEAM, "user_id": BOT, "is_bot": true, "is_enterprise_install": false,
            }],
            "event": event,
        });
        self.posted("/slack/events", "application/json", &body.to_string())
    }

    /// A request of a browser to the reveal page's own origin.
    pub fn browser(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let origin = format!("https://{HOST}");
        let mut headers = vec![("Host", HOST), ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/142")];
        if body.is_some() {
            let more = [
                ("Content-Type", "application/json"),
                ("Origin", &origin),
                ("Sec-Fetch-Site", "same-origin"),
            ];
            headers.extend(more);
        }
        event(method, path, &headers, body.map(Value::to_string).as_deref())
    }

    /// The workspace that a payload names; an app that is installed for a whole organisation may be told of none.
    fn workspace(&self, team: &str) -> Value {
        if self.net.slack().is_org_wide() { Value::Null } else { json!({"id": team, "domain": "example"}) }
    }

    fn organisation(&self) -> Value {
        let org_wide = self.net.slack().is_org_wide();
        if org_wide { json!({"id": ORGANISATION, "name": "Example"}) } else { Value::Null }
    }

    fn user(&self, person: &str) -> Value {
        let who = self.net.slack().who(person);
        json!({"id": person, "username": who.name, "name": who.name, "team_id": who.team})
    }
}
