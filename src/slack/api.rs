//! Slack's Web API and response URLs, over the SDK's own HTTP connector. One method is one call; Slack's
//! `"ok": false` becomes the error it names.

use std::pin::pin;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use futures_util::future::{Either, select};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::id::{ChannelId, MessageTs, SlackTeamId, SlackUserId, UserGroupId, ViewHash, ViewId};
use crate::slack::api_url::SlackApiUrl;
use crate::slack::command_name::CommandName;
pub use crate::slack::error::SlackError;
pub use crate::slack::message::SlackMessage;
use crate::slack::response_url::{ResponseUrl, ResponseUrlRule};
use crate::slack::token::BotToken;
use crate::slack::trigger::TriggerId;

/// Slack, as one bot.
#[derive(Debug)]
pub struct SlackApi {
    connector: SharedHttpConnector,
    api: SlackApiUrl,
    response_urls: ResponseUrlRule,
    token: BotToken,
    team: Option<SlackTeamId>,
    command: CommandName,
    sleep: SharedAsyncSleep,
}

/// `users.info`'s user (<https://docs.slack.dev/reference/objects/user-object>), as far as it is read here. A field may be
/// missing, null or of a form that is not documented: then nothing is known of it, and that makes nobody eligible.
#[derive(Debug, Deserialize)]
pub struct User {
    #[serde(default, deserialize_with = "lenient")]
    pub team_id: Option<SlackTeamId>,
    #[serde(default, deserialize_with = "lenient")]
    pub deleted: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_bot: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_restricted: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_ultra_restricted: Option<bool>,
    /// Only somebody from elsewhere has it.
    #[serde(default, deserialize_with = "lenient")]
    pub is_stranger: Option<bool>,
    /// How far its clock is ahead of UTC, in seconds. A deactivated user has none.
    #[serde(default, deserialize_with = "lenient")]
    pub tz_offset: Option<i64>,
    /// Whether the address was confirmed.
    #[serde(default, deserialize_with = "lenient")]
    pub is_email_confirmed: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub profile: Option<Profile>,
    /// On an Enterprise organisation: the workspaces it is in.
    #[serde(default, deserialize_with = "lenient")]
    pub enterprise_user: Option<EnterpriseUser>,
}

impl User {
    /// Whether it may be deactivated: only what says that it is not, is not.
    #[must_use]
    pub fn is_deactivated(&self) -> bool {
        self.deleted != Some(false)
    }

    /// The address, if it has one and the bot may see it.
    #[must_use]
    pub fn email(&self) -> Option<String> {
        self.profile.as_ref()?.email.clone()
    }
}

/// The part of a profile that is read.
#[derive(Debug, Deserialize)]
pub struct Profile {
    /// The address, if the bot may see it.
    #[serde(default, deserialize_with = "lenient")]
    pub email: Option<String>,
}

/// The workspaces of an organisation's member.
#[derive(Debug, Deserialize)]
pub struct EnterpriseUser {
    #[serde(default, deserialize_with = "lenient_list")]
    pub teams: Vec<SlackTeamId>,
}

/// `conversations.info`'s channel (<https://docs.slack.dev/reference/objects/conversation-object>). What is not said of it
/// speaks against it.
#[derive(Debug, Deserialize)]
pub struct Channel {
    /// Only its members see it.
    #[serde(default, deserialize_with = "lenient")]
    pub is_private: Option<bool>,
    /// With another workspace or organisation.
    #[serde(default, deserialize_with = "lenient")]
    pub is_shared: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_ext_shared: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_org_shared: Option<bool>,
    /// Nothing can be posted there any more.
    #[serde(default, deserialize_with = "lenient")]
    pub is_archived: Option<bool>,
}

/// A value of the documented form, or none.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).ok())
}

/// Those of a list that have the documented form; none where it is no list.
fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let listed = lenient::<D, Vec<Value>>(from)?.unwrap_or_default();
    Ok(listed.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

/// Those of a list that have the documented form: an entry that has not names nobody. That there is a list is not left out.
fn lenient_entries<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let listed = Vec::<Value>::deserialize(from)?;
    Ok(listed.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

/// RFC 3986's unreserved characters stay as they are.
const FORM_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const TIME_OUT: Duration = Duration::from_secs(5);
const PAGES: usize = 20;

impl SlackApi {
    /// Slack behind `connector`, as the bot whose token this is; `sleep` ends what goes unanswered. Where the app is
    /// installed for a whole organisation, user groups are those of `team`.
    #[must_use]
    pub fn new(
        (connector, sleep): (SharedHttpConnector, SharedAsyncSleep),
        api: SlackApiUrl,
        response_urls: ResponseUrlRule,
        token: BotToken,
        team: Option<SlackTeamId>,
    ) -> Self {
        Self { connector, api, response_urls, token, team, command: CommandName::default(), sleep }
    }

    /// The same, where the slash command is installed under this name: whatever is sent calls it so.
    #[must_use]
    pub fn with_command(self, command: CommandName) -> Self {
        Self { command, ..self }
    }

    /// <https://docs.slack.dev/reference/methods/users.info>
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn user_info(&self, user: &SlackUserId) -> Result<User, SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            user: Option<User>,
        }
        let answer: Answer = self.ask("users.info", &[("user", user.as_str())]).await?;
        answer.user.ok_or_else(|| SlackError::Said("user_not_found".to_owned()))
    }

    /// <https://docs.slack.dev/reference/methods/conversations.info>
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn channel_info(&self, channel: &ChannelId) -> Result<Channel, SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Channel,
        }
        let answer: Answer = self.ask("conversations.info", &[("channel", channel.as_str())]).await?;
        Ok(answer.channel)
    }

    /// All members of a channel (<https://docs.slack.dev/reference/methods/conversations.members>).
    ///
    /// # Errors
    /// [`SlackError`]; also where there are more than can be read, so that nobody is left out unnoticed.
    pub async fn channel_members(&self, channel: &ChannelId) -> Result<Vec<SlackUserId>, SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(deserialize_with = "lenient_entries")]
            members: Vec<SlackUserId>,
            response_metadata: Option<Metadata>,
        }
        #[derive(Deserialize)]
        struct Metadata {
            next_cursor: Option<String>,
        }
        let mut members = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let fields = [("channel", channel.as_str()), ("limit", "1000"), ("cursor", cursor.as_str())];
            let answer: Answer = self.ask("conversations.members", &fields).await?;
            members.extend(answer.members);
            cursor = answer.response_metadata.and_then(|metadata| metadata.next_cursor).unwrap_or_default();
            if cursor.is_empty() {
                return Ok(members);
            }
        }
        Err(SlackError::NoAnswer("conversations.members"))
    }

    /// <https://docs.slack.dev/reference/methods/usergroups.users.list>, where the token of an organisation needs the
    /// team to be named, and that of a workspace does not mind.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn group_members(&self, group: &UserGroupId) -> Result<Vec<SlackUserId>, SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(deserialize_with = "lenient_entries")]
            users: Vec<SlackUserId>,
        }
        let team = self.team.as_ref().map(SlackTeamId::as_str).unwrap_or_default();
        let fields = [("usergroup", group.as_str()), ("team_id", team)];
        let answer: Answer = self.ask("usergroups.users.list", &fields).await?;
        Ok(answer.users)
    }

    /// Posts to a channel, or to a person as a direct message
    /// (<https://docs.slack.dev/reference/methods/chat.postMessage>).
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn post(&self, to: &str, message: &SlackMessage) -> Result<(ChannelId, MessageTs), SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: ChannelId,
            ts: MessageTs,
        }
        let body = json!({
            "channel": to, "text": message.text, "blocks": message.blocks,
            "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false,
        });
        let answer: Answer = self.send_ignoring_response("chat.postMessage", &body).await?;
        Ok((answer.channel, answer.ts))
    }

    /// Posts into a message's thread.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn reply(
        &self,
        channel: &ChannelId,
        thread: &MessageTs,
        message: &SlackMessage,
    ) -> Result<(), SlackError> {
        let body = json!({
            "channel": channel, "thread_ts": thread, "text": message.text, "blocks": message.blocks,
            "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false,
        });
        self.send_ignoring_response::<Value>("chat.postMessage", &body).await.map(drop)
    }

    /// Opens the direct messages with a person, where they may never have been any
    /// (<https://docs.slack.dev/reference/methods/conversations.open>).
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn open_direct(&self, person: &SlackUserId) -> Result<ChannelId, SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Opened,
        }
        #[derive(Deserialize)]
        struct Opened {
            id: ChannelId,
        }
        let answer: Answer = self.ask("conversations.open", &[("users", person.as_str())]).await?;
        Ok(answer.channel.id)
    }

    /// Shows something in a conversation to one person of it, until their client reloads
    /// (<https://docs.slack.dev/reference/methods/chat.postEphemeral>).
    ///
    /// # Errors
    /// [`SlackError`]. Without one it was taken, but Slack shows it only to whoever is active.
    pub async fn post_ephemeral(
        &self,
        channel: &ChannelId,
        person: &SlackUserId,
        message: &SlackMessage,
    ) -> Result<(), SlackError> {
        let body = json!({
            "channel": channel, "user": person, "text": message.text, "blocks": message.blocks,
            "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false,
        });
        self.send_ignoring_response::<Value>("chat.postEphemeral", &body).await.map(drop)
    }

    /// Replaces a message of ours (<https://docs.slack.dev/reference/methods/chat.update>).
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn update(
        &self,
        channel: &ChannelId,
        ts: &MessageTs,
        message: &SlackMessage,
    ) -> Result<(), SlackError> {
        let body = json!({
            "channel": channel, "ts": ts, "text": message.text, "blocks": message.blocks,
            "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false,
        });
        self.send_ignoring_response::<Value>("chat.update", &body).await.map(drop)
    }

    /// Answers through a response URL: to the one person who acted, if it is theirs. Never with a link to a key, nor with
    /// a button that decides for somebody else
    /// (<https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>).
    ///
    /// # Errors
    /// [`SlackError`]; a URL that is used up or too old is `Said`.
    pub async fn respond(&self, url: &ResponseUrl, message: &SlackMessage) -> Result<(), SlackError> {
        let body = json!({
            "response_type": "ephemeral", "replace_original": false,
            "text": message.text, "blocks": message.blocks, "unfurl_links": false, "unfurl_media": false,
        });
        let url = url.under(&self.response_urls).ok_or_else(|| SlackError::Said("foreign_url".to_owned()))?;
        let (status, text) =
            self.send("response_url", url, "application/json", self.body(&body), None).await?;
        match status {
            200..=299 => Ok(()),
            _ => Err(SlackError::Said(code_in(&text).unwrap_or_else(|| format!("HTTP {status}")))),
        }
    }

    /// Opens a modal (<https://docs.slack.dev/reference/methods/views.open>). Needs no scope.
    ///
    /// # Errors
    /// [`SlackError`]; a trigger lives for three seconds and opens one modal.
    pub async fn open_view(&self, trigger: &TriggerId, view: &Value) -> Result<ViewId, SlackError> {
        #[derive(Deserialize)]
        struct Answer {
            view: View,
        }
        #[derive(Deserialize)]
        struct View {
            id: ViewId,
        }
        let body = json!({"trigger_id": trigger.expose(), "view": view});
        let answer: Answer = self.send_ignoring_response("views.open", &body).await?;
        Ok(answer.view.id)
    }

    /// Replaces what a person sees in the Home tab (<https://docs.slack.dev/reference/methods/views.publish>). Needs no scope.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn publish_home(&self, person: &SlackUserId, view: &Value) -> Result<(), SlackError> {
        let body = json!({"user_id": person, "view": view});
        self.send_ignoring_response::<Value>("views.publish", &body).await.map(drop)
    }

    /// Replaces a modal, if it is still as `hash` says (<https://docs.slack.dev/reference/methods/views.update>).
    ///
    /// # Errors
    /// [`SlackError`]; `not_found` where it was closed, `hash_conflict` where it changed.
    pub async fn update_view(
        &self,
        id: &ViewId,
        hash: Option<&ViewHash>,
        view: &Value,
    ) -> Result<(), SlackError> {
        let mut body = json!({"view_id": id, "view": view});
        if let (Some(hash), Some(body)) = (hash, body.as_object_mut()) {
            body.insert("hash".to_owned(), hash.as_str().into());
        }
        self.send_ignoring_response::<Value>("views.update", &body).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        fields: &[(&str, &str)],
    ) -> Result<T, SlackError> {
        let form: Vec<String> = fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, FORM_VALUE)))
            .collect();
        self.method(method, "application/x-www-form-urlencoded", form.join("&")).await
    }

    async fn send_ignoring_response<T: DeserializeOwned>(
        &self,
        method: &'static str,
        body: &Value,
    ) -> Result<T, SlackError> {
        self.method(method, "application/json; charset=utf-8", self.body(body)).await
    }

    /// What is sent to people, the command under its installed name.
    fn body(&self, body: &Value) -> String {
        self.command.name_in(&body.to_string())
    }

    /// Calls a method; once more where Slack refuses the token and another is stored by now. A refused call did nothing.
    async fn method<T: DeserializeOwned>(
        &self,
        method: &'static str,
        content_type: &'static str,
        body: String,
    ) -> Result<T, SlackError> {
        let token = self.token.current();
        match self.method_with(method, content_type, body.clone(), &token).await {
            Err(error) if error.is_about_the_token() => match self.token.replacement(&token).await {
                Some(token) => self.method_with(method, content_type, body, &token).await,
                None => Err(error),
            },
            answered => answered,
        }
    }

    async fn method_with<T: DeserializeOwned>(
        &self,
        method: &'static str,
        content_type: &'static str,
        body: String,
        token: &SecretString,
    ) -> Result<T, SlackError> {
        let url = format!("{}{method}", self.api.as_str());
        let (_, text) = self.send(method, &url, content_type, body, Some(token)).await?;
        let answer: Value = serde_json::from_str(&text).map_err(|_| SlackError::NoAnswer(method))?;
        match answer.get("ok").and_then(Value::as_bool) {
            Some(true) => serde_json::from_value(answer).map_err(|_| SlackError::NoAnswer(method)),
            Some(false) => {
                Err(SlackError::Said(code_in(&text).unwrap_or_else(|| "an unnamed error".to_owned())))
            }
            None => Err(SlackError::NoAnswer(method)),
        }
    }

    async fn send(
        &self,
        what: &'static str,
        url: &str,
        content_type: &'static str,
        body: String,
        token: Option<&SecretString>,
    ) -> Result<(u16, String), SlackError> {
        let no_answer = || SlackError::NoAnswer(what);
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").map_err(|_| no_answer())?;
        request.set_uri(url).map_err(|_| no_answer())?;
        request.headers_mut().insert("content-type", content_type);
        if let Some(token) = token {
            let value = format!("Bearer {}", token.expose_secret());
            request.headers_mut().try_insert("authorization", value).map_err(|_| no_answer())?;
        }
        let exchange = async {
            let mut response: HttpResponse = self.connector.call(request).await.map_err(|_| no_answer())?;
            let status = response.status().as_u16();
            if status == 429 {
                let after = response.headers().get("retry-after").and_then(|text| text.parse().ok());
                return Err(SlackError::Wait(Duration::from_secs(after.unwrap_or(1))));
            }
            let bytes = aws_smithy_types::byte_stream::ByteStream::new(response.take_body())
                .collect()
                .await
                .map_err(|_| no_answer())?
                .into_bytes();
            Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
        };
        match select(pin!(exchange), self.sleep.sleep(TIME_OUT)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(no_answer()),
        }
    }
}

/// Slack's error code, in JSON or as plain text; nothing longer than a code ever is.
fn code_in(answer: &str) -> Option<String> {
    let code = match serde_json::from_str::<Value>(answer) {
        Ok(json) => json.get("error")?.as_str()?.to_owned(),
        Err(_) => answer.trim().to_owned(),
    };
    let is_code = (1..=60).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_code.then_some(code)
}
