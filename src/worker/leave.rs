//! Somebody was deactivated in Slack: the approvers are asked about the keys which that person asked for.

use futures_util::future::try_join_all;

use super::{NotDone, Worker};
use crate::card;
use crate::id::AccessKeyId;
use crate::inbound::Message;
use crate::key::IssuedKey;
use crate::request::State;
use crate::store::{self, Stored};

/// How many of a person's newest requests are gone through.
const MOST: i32 = 100;

impl Worker {
    pub(super) async fn somebody_left(&self, message: &Message) -> Result<(), NotDone> {
        let requests = self.dynamo.newest_requests(&message.person, MOST).await?;
        let ids = requests.iter().filter_map(|key| store::request_of(key));
        let read = try_join_all(ids.map(|id| async move { Stored::read(&self.dynamo, &id).await })).await?;
        let keys = read.into_iter().flatten().filter_map(|stored| match stored.request.state {
            State::Issued { key, .. } => Some(key),
            State::Pending
            | State::Approved
            | State::Ticketed { .. }
            | State::Issuing(_)
            | State::Ambiguous(_)
            | State::Fulfilled { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed
            | State::Refused { .. } => None,
        });
        let keys = keys.collect::<Vec<AccessKeyId>>();
        let read = try_join_all(keys.iter().map(|key| self.read_key(key))).await?;
        let live: Vec<IssuedKey> = read
            .into_iter()
            .flatten()
            .map(|stored| stored.issued)
            .filter(|issued| issued.requester == message.person && issued.state.is_live())
            .collect();
        if live.is_empty() {
            return Ok(());
        }
        let told = card::owner_left(&message.person, &live);
        self.slack().await?.post(self.config.approvals_channel.as_str(), &told).await?;
        Ok(())
    }
}
