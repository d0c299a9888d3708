//! Somebody joined the approvals channel, or became an approver: whoever approves is told, for one approver may have
//! invited another.

use crate::domain::approvers::Approvers;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::id::SlackUserId;
use crate::render::{approval_card, text};
use crate::slack::receive::{SlackEnvelope, SlackEvent};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::outbox::audit_alone;

/// Posts it in the approvals channel and audits it. Delivered again it may be posted again, and is audited once.
pub(crate) async fn somebody_joined(ctx: &Context, message: &SlackEnvelope) -> Result<(), HandleError> {
    let cards = &ctx.config.approvals_channel;
    let person = &message.person;
    let (announcement, happened) = match (&message.what, &ctx.config.approvers) {
        (SlackEvent::JoinedChannel { channel, inviter }, approvers) => {
            let approves = *approvers == Approvers::Channel(channel.clone());
            if channel != cards && !approves {
                return Ok(());
            }
            let joined = text::joined_channel(
                &person.user,
                inviter.as_ref(),
                (channel != cards).then_some(channel),
                approves,
            );
            let inviter = inviter.as_ref().map(SlackUserId::to_string).unwrap_or_default();
            let detail = [("channel", channel.to_string()), ("inviter", inviter)];
            let event =
                if approves { AuditEvent::ApproverJoined } else { AuditEvent::ApprovalsChannelJoined };
            (joined, NewAuditEntry::new(event, person, detail))
        }
        (SlackEvent::JoinedGroup { group, users, more }, Approvers::UserGroup(approvers))
            if group == approvers =>
        {
            let added: Vec<&str> = users.iter().map(SlackUserId::as_str).collect();
            let detail =
                [("group", group.to_string()), ("users", added.join(" ")), ("more", more.to_string())];
            (
                text::joined_group(group, users, *more),
                NewAuditEntry::new(AuditEvent::ApproverJoined, person, detail),
            )
        }
        (
            SlackEvent::JoinedGroup { .. }
            | SlackEvent::Command(_)
            | SlackEvent::Interaction(_)
            | SlackEvent::OpenedHome
            | SlackEvent::UserDeactivated,
            _,
        ) => {
            return Ok(());
        }
    };
    audit_alone(ctx, message, [happened]).await?;
    let told = approval_card::text(&announcement);
    slack_client(ctx).await?.post(cards.as_str(), &told).await?;
    Ok(())
}
