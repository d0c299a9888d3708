//! `whoami` and `status`: what keyvend knows of somebody and of what they asked for.

use futures_util::future::{join, try_join_all};

use crate::id::{PersonId, RequestId};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::{HandleError, Worker};

/// How many requests a list shows.
const NEWEST: i32 = 5;

impl Worker {
    pub(crate) async fn whoami(&self, message: &SlackEnvelope, now: Timestamp) -> Result<(), HandleError> {
        let slack = self.slack().await?;
        let memberships = self.lookup.approvers(&slack, &self.config).await?.into();
        let (person, known) = join(
            self.lookup.person(&slack, &message.person, &memberships),
            self.known_users(&message.person.user),
        )
        .await;
        let person = person?;
        let who = text::whoami(&person, memberships.approvers().contains(&message.person.user));
        let barred = if person.is_full_member() { None } else { self.barred(&message.person).await? };
        let rest = barred.map_or_else(|| text::own_users(&known.own), |barred| barred.why);
        let sentence = format!("{who}\n{rest}");
        self.answer(message, now, &sentence).await?;
        self.refresh_directory(&known, now).await;
        Ok(())
    }

    pub(crate) async fn status(
        &self,
        message: &SlackEnvelope,
        request: Option<&RequestId>,
        now: Timestamp,
    ) -> Result<(), HandleError> {
        let sentence = match request {
            Some(id) => match StoredRequest::read(&self.tables, id).await? {
                Some(stored) if stored.request.details.requester == message.person => {
                    text::status_line(&stored.request)
                }
                _ => text::no_such_request(id),
            },
            None => {
                let lines: Vec<String> = self
                    .newest(&message.person)
                    .await?
                    .iter()
                    .map(|stored| text::status_line(&stored.request))
                    .collect();
                if lines.is_empty() { text::NO_REQUESTS.to_owned() } else { lines.join("\n") }
            }
        };
        Ok(self.answer(message, now, &sentence).await?)
    }

    /// A person's newest requests, as they are now.
    pub(crate) async fn newest(&self, person: &PersonId) -> anyhow::Result<Vec<StoredRequest>> {
        let keys = self.tables.newest_requests(person, NEWEST).await?;
        let ids = keys.iter().filter_map(|key| store::request_of(key));
        let read =
            try_join_all(ids.map(|id| async move { StoredRequest::read(&self.tables, &id).await })).await?;
        Ok(read.into_iter().flatten().filter(|stored| stored.request.details.requester == *person).collect())
    }
}
