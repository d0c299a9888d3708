//! Somebody joined the approvals channel, or became an approver: whoever approves is told, for one approver may have
//! invited another.

use super::{NotDone, Worker};
use crate::audit::Happened;
use crate::card;
use crate::config::Approvers;
use crate::id::SlackUserId;
use crate::inbound::{Message, What};
use crate::words;

impl Worker {
    /// Posts it in the approvals channel and audits it. Delivered again it may be posted again, and is audited once.
    pub(super) async fn somebody_joined(&self, message: &Message) -> Result<(), NotDone> {
        let cards = &self.config.approvals_channel;
        let person = &message.person;
        let (announcement, happened) = match (&message.what, &self.config.approvers) {
            (What::JoinedChannel { channel, inviter }, approvers) => {
                let approves = *approvers == Approvers::Channel(channel.clone());
                if channel != cards && !approves {
                    return Ok(());
                }
                let joined = words::joined_channel(
                    &person.user,
                    inviter.as_ref(),
                    (channel != cards).then_some(channel),
                    approves,
                );
                let inviter = inviter.as_ref().map(SlackUserId::to_string).unwrap_or_default();
                let detail = [("channel", channel.to_string()), ("inviter", inviter)];
                let event = if approves { "approver-joined" } else { "approvals-channel-joined" };
                (joined, Happened::new(event, person, detail))
            }
            (What::JoinedGroup { group, users, more }, Approvers::UserGroup(approvers))
                if group == approvers =>
            {
                let added: Vec<&str> = users.iter().map(SlackUserId::as_str).collect();
                let detail =
                    [("group", group.to_string()), ("users", added.join(" ")), ("more", more.to_string())];
                (words::joined_group(group, users, *more), Happened::new("approver-joined", person, detail))
            }
            (What::JoinedGroup { .. } | What::Command(_) | What::Interaction(_) | What::PersonLeft, _) => {
                return Ok(());
            }
        };
        self.audit_alone(message, [happened]).await?;
        let told = card::text(&announcement);
        self.slack().await?.post(cards.as_str(), &told).await?;
        Ok(())
    }
}
