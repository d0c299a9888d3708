//! Events (<https://docs.slack.dev/apis/events-api>): somebody was deactivated, or somebody joined a channel or a user
//! group, which may make them an approver; or they opened keyvend's Home tab. All others are acknowledged, so that Slack does
//! not send them again.

use serde_json::Value;

use crate::id::{ChannelId, PersonId, SlackTeamId, SlackUserId, UserGroupId};
use crate::slack::envelope::{MAX_JOINED, SlackEnvelope, SlackEvent};
use crate::slack::receive::outcome::{AppIdentity, ReceiveOutcome, RejectReason, text_at};
use crate::slack::signature::{SignatureHash, Verified};

pub(crate) fn receive(signed: &Verified<Value>, pins: &AppIdentity) -> Result<ReceiveOutcome, RejectReason> {
    let body = signed.get();
    match text_at(body, "/type").ok_or(RejectReason::Lacks("type"))? {
        "url_verification" => {
            let challenge = text_at(body, "/challenge").ok_or(RejectReason::Lacks("challenge"))?;
            Ok(ReceiveOutcome::Challenge(challenge.to_owned()))
        }
        "event_callback" => {
            pins.app(text_at(body, "/api_app_id"))?;
            let named = pins.team_of_event(body);
            // That somebody left counts from any workspace: the table says what they have, and Slack whether they left.
            let any = named.clone().or_else(|| pins.team_ids.first().cloned());
            let happened = match text_at(body, "/event/type") {
                Some("user_change") => any.map(|team| left(signed, team)),
                Some("member_joined_channel") => named.map(|team| joined_channel(signed, team)),
                Some("subteam_members_changed") => named.map(|team| joined_group(signed, team)),
                Some("app_home_opened") => named.map(|team| opened_home(signed, team)),
                Some(_) | None => None,
            };
            happened.unwrap_or(Ok(ReceiveOutcome::Acknowledged))
        }
        _ => Ok(ReceiveOutcome::Acknowledged),
    }
}

/// <https://docs.slack.dev/reference/events/user_change>
fn left(signed: &Verified<Value>, team: SlackTeamId) -> Result<ReceiveOutcome, RejectReason> {
    let body = signed.get();
    if body.pointer("/event/user/deleted") != Some(&Value::Bool(true)) {
        return Ok(ReceiveOutcome::Acknowledged);
    }
    let user = user(body, "/event/user/id")?;
    Ok(queued(SlackEnvelope::of(signed, PersonId { team, user }, SlackEvent::UserDeactivated)))
}

/// <https://docs.slack.dev/reference/events/member_joined_channel>. There is no inviter where somebody joined by themselves.
fn joined_channel(signed: &Verified<Value>, team: SlackTeamId) -> Result<ReceiveOutcome, RejectReason> {
    let body = signed.get();
    let user = user(body, "/event/user")?;
    if own_bot(body) == Some(user.as_str()) {
        return Ok(ReceiveOutcome::Acknowledged);
    }
    let channel: Option<ChannelId> = text_at(body, "/event/channel").and_then(|id| id.parse().ok());
    let channel = channel.ok_or(RejectReason::Lacks("channel"))?;
    let inviter = text_at(body, "/event/inviter").and_then(|id| id.parse().ok());
    let what = SlackEvent::JoinedChannel { channel, inviter };
    Ok(queued(once(body, SlackEnvelope::of(signed, PersonId { team, user }, what))))
}

/// <https://docs.slack.dev/reference/events/subteam_members_changed>, which does not say who added them.
fn joined_group(signed: &Verified<Value>, team: SlackTeamId) -> Result<ReceiveOutcome, RejectReason> {
    let body = signed.get();
    let group: Option<UserGroupId> = text_at(body, "/event/subteam_id").and_then(|id| id.parse().ok());
    let group = group.ok_or(RejectReason::Lacks("subteam_id"))?;
    let Some(added) = body.pointer("/event/added_users").and_then(Value::as_array) else {
        return Ok(ReceiveOutcome::Acknowledged);
    };
    let mut users = Vec::new();
    for added in added {
        let user: Option<SlackUserId> = added.as_str().and_then(|id| id.parse().ok());
        users.push(user.ok_or(RejectReason::Lacks("added_users"))?);
    }
    let Some(first) = users.first().cloned() else { return Ok(ReceiveOutcome::Acknowledged) };
    let more = users.len().saturating_sub(MAX_JOINED);
    users.truncate(MAX_JOINED);
    let what = SlackEvent::JoinedGroup { group, users, more };
    Ok(queued(once(body, SlackEnvelope::of(signed, PersonId { team, user: first }, what))))
}

/// <https://docs.slack.dev/reference/events/app_home_opened>. Of the tabs only Home is keyvend's to fill.
fn opened_home(signed: &Verified<Value>, team: SlackTeamId) -> Result<ReceiveOutcome, RejectReason> {
    let body = signed.get();
    if text_at(body, "/event/tab") != Some("home") {
        return Ok(ReceiveOutcome::Acknowledged);
    }
    let user = user(body, "/event/user")?;
    Ok(queued(once(body, SlackEnvelope::of(signed, PersonId { team, user }, SlackEvent::OpenedHome))))
}

/// Slack signs an event that it sends again again, with the same id: queued again within five minutes it is one message.
fn once(body: &Value, message: SlackEnvelope) -> SlackEnvelope {
    match text_at(body, "/event_id").filter(|id| !id.is_empty()) {
        Some(event) => {
            let dedup = SignatureHash::of_event(event);
            SlackEnvelope { id: dedup.request_id(), dedup, ..message }
        }
        None => message,
    }
}

fn queued(message: SlackEnvelope) -> ReceiveOutcome {
    ReceiveOutcome::Queue(Box::new(message))
}

fn user(body: &Value, pointer: &str) -> Result<SlackUserId, RejectReason> {
    text_at(body, pointer).and_then(|id| id.parse().ok()).ok_or(RejectReason::Lacks("user"))
}

/// keyvend's own bot user, for which Slack sends the event.
fn own_bot(body: &Value) -> Option<&str> {
    let is_bot = body.pointer("/authorizations/0/is_bot") == Some(&Value::Bool(true));
    text_at(body, "/authorizations/0/user_id").filter(|_| is_bot)
}
