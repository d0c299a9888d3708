//! Somebody was deactivated in Slack: the approvers are asked about the keys which that person asked for.

use futures_util::future::try_join_all;

use super::{NotDone, Worker};
use crate::card;
use crate::id::AccessKeyId;
use crate::inbound::Message;
use crate::key::IssuedKey;
use crate::store::{self, Stored};

/// How many of a person's newest requests are gone through.
const MOST: i32 = 100;

impl Worker {
    pub(super) async fn somebody_left(&self, message: &Message) -> Result<(), NotDone> {
        let requests = self.dynamo.newest_requests(&message.person, MOST).await?;
        let ids = requests.iter().filter_map(|key| store::request_of(key));
        let read = try_join_all(ids.map(|id| async move { Stored::read(&self.dynamo, &id).await })).await?;
        let issued = read.into_iter().flatten().filter_map(|stored| Some(stored.request.issued()?.0.clone()));
        let keys: Vec<AccessKeyId> = issued.collect();
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
