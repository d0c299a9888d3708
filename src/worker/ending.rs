//! The end of a key draws near, or another took its place: reminders, the guard for keys in use, and the question whether
//! an old key that is not used any more can go.

use super::cancel::RACES;
use super::look_after::happened;
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card::{self, Offer};
use crate::facts::AccessKeyLastUsed;
use crate::id::{AccessKeyId, PersonId};
use crate::item::Write;
use crate::key::{Expiry, IssuedKey, StoredKey, Successor, Unready, Why};
use crate::request::Telling;
use crate::slack_api::SlackError;
use crate::time::{DAY, Timestamp};
use crate::words;

impl Worker {
    /// Its requester is reminded. Whether that was delivered is noted when Slack took it.
    pub(super) async fn remind(&self, stored: &StoredKey, now: Timestamp) -> Result<(), NotDone> {
        let stored = &self.as_succeeded(stored.clone()).await?;
        let issued = &stored.issued;
        let last_used = self.lookup.last_used(&issued.account, &issued.key, now).await?;
        let next = issued.reminded(now);
        let happened = happened("reminded", stored, [("end", issued.expires_at.rfc3339())]);
        let offers: &[Offer] =
            if issued.successor.is_some() { &[Offer::Retire] } else { &[Offer::Extend, Offer::Rotate] };
        let reminder = Telling::Reminder {
            to: issued.requester.clone(),
            key: issued.key.clone(),
            end: issued.expires_at,
            message: card::about_key(&words::expires_soon(issued, &last_used), &issued.key, offers),
        };
        self.change_key(stored, &next, happened, Vec::new(), vec![reminder], now).await
    }

    /// Slack took a reminder. One of an end that was moved since says nothing of the present one.
    pub(super) async fn note_delivered(
        &self,
        key: &AccessKeyId,
        end: Timestamp,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        for _ in 0..RACES {
            let Some(stored) = self.read_key(key).await? else { return Ok(()) };
            let mut next = stored.issued.clone();
            if next.expires_at != end || next.reminders.delivered_at.is_some() {
                return Ok(());
            }
            next.reminders.delivered_at = Some(now);
            match self.dynamo.write(vec![stored.replace(&next)?]).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Lost(_)) => {}
                Err(WriteError::Fault(fault)) => return Err(fault),
            }
        }
        anyhow::bail!("a key changed too often for its reminder to be noted")
    }

    /// Its time ran out: it is switched off, unless it is in use and that would take somebody by surprise.
    pub(super) async fn end_of_time(&self, stored: &StoredKey, now: Timestamp) -> Result<(), NotDone> {
        let issued = &stored.issued;
        let last_used = self.lookup.last_used(&issued.account, &issued.key, now).await?;
        if !issued.may_be_put_off(&last_used, now) {
            return self.switch_off_in_time(stored, Why::Expired, now).await;
        }
        let offset = self.offset_of(&issued.requester).await?;
        let (put_off, unready) = match issued.expiry(offset, now) {
            Expiry::SwitchOff => return self.switch_off_in_time(stored, Why::Expired, now).await,
            Expiry::PutOff(put_off, unready) => (put_off, unready),
        };
        let next = IssuedKey { put_off: Some(put_off), ..issued.clone() };
        let why = match unready {
            Unready::Unreminded => "unreminded",
            Unready::OutOfHours => "out of hours",
        };
        let detail = [
            ("why", why.to_owned()),
            ("until", put_off.until.rfc3339()),
            ("times", put_off.times.to_string()),
        ];
        let happened = happened("put-off", stored, detail);
        let sentence = words::put_off(issued, &last_used, put_off, unready);
        let message = card::about_key(&sentence, &issued.key, &[Offer::SwitchOff]);
        self.change_key(stored, &next, happened, Vec::new(), vec![Telling::Approvers { message }], now).await
    }

    /// How far somebody's clock is ahead of UTC, in seconds. Of whoever left, Slack says nothing.
    async fn offset_of(&self, person: &PersonId) -> anyhow::Result<i64> {
        match self.slack().await?.user_info(&person.user).await {
            Ok(user) => Ok(user.tz_offset.unwrap_or(0)),
            Err(SlackError::Said(code))
                if ["user_not_found", "user_not_visible"].contains(&code.as_str()) =>
            {
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Another took its place: once it is not used any more, whoever asked for the other is asked about it, once. Before
    /// its end it is never switched off by itself.
    pub(super) async fn see_whether_quiet(&self, stored: &StoredKey, now: Timestamp) -> Result<(), NotDone> {
        let issued = &stored.issued;
        let Some(successor) = &issued.successor else { return Ok(()) };
        if !self.lives(&successor.key).await? {
            // Nothing takes its place any more.
            let next = IssuedKey { successor: None, ..issued.clone() };
            return self.try_to_replace(stored, &next).await;
        }
        let last_used = self.lookup.last_used(&issued.account, &issued.key, now).await?;
        if !successor.is_quiet(&last_used, now) {
            let look_at = Some(Timestamp(now.0 + DAY));
            let next = with(issued, Successor { look_at, ..successor.clone() });
            return self.try_to_replace(stored, &next).await;
        }
        let next = with(issued, Successor { look_at: None, ..successor.clone() });
        let last_use = match &last_used {
            AccessKeyLastUsed::Never => "never".to_owned(),
            AccessKeyLastUsed::Unknown => "unknown".to_owned(),
            AccessKeyLastUsed::At { at, .. } => at.rfc3339(),
        };
        let detail = [("successor", successor.key.to_string()), ("last_used", last_use)];
        let happened = happened("asked-whether-quiet", stored, detail);
        let sentence = words::quiet(issued, successor, &last_used);
        let message = card::about_key(&sentence, &issued.key, &[Offer::Retire]);
        let told = vec![Telling::Direct { to: successor.requester.clone(), message }];
        self.change_key(stored, &next, happened, Vec::new(), told, now).await
    }

    /// A write of the key's own item alone, which somebody else may have been before with: what is due then is found again.
    async fn try_to_replace(&self, stored: &StoredKey, next: &IssuedKey) -> Result<(), NotDone> {
        match self.dynamo.write(vec![stored.replace(next)?]).await {
            Ok(()) | Err(WriteError::Lost(_)) => Ok(()),
            Err(WriteError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Whether a key that keyvend issued is on.
    async fn lives(&self, key: &AccessKeyId) -> anyhow::Result<bool> {
        Ok(self.read_key(key).await?.is_some_and(|found| found.issued.state.is_live()))
    }

    /// The key without a successor that is not on any more.
    pub(super) async fn as_succeeded(&self, stored: StoredKey) -> anyhow::Result<StoredKey> {
        match &stored.issued.successor {
            Some(successor) if !self.lives(&successor.key).await? => Ok(stored.without_successor()),
            Some(_) | None => Ok(stored),
        }
    }

    /// The write that notes, with the key that took another's place being confirmed, that it did.
    pub(super) async fn succeed(
        &self,
        confirmed: &IssuedKey,
        now: Timestamp,
    ) -> anyhow::Result<Option<Write>> {
        let Some(old) = &confirmed.in_place_of else { return Ok(None) };
        let Some(stored) = self.read_key(old).await? else { return Ok(None) };
        if !stored.issued.state.is_live() || stored.issued.successor.is_some() {
            return Ok(None);
        }
        let successor = Successor {
            key: confirmed.key.clone(),
            requester: confirmed.requester.clone(),
            confirmed_at: now,
            look_at: Some(Timestamp(now.0 + DAY)),
        };
        stored.replace(&with(&stored.issued, successor)).map(Some)
    }
}

fn with(issued: &IssuedKey, successor: Successor) -> IssuedKey {
    IssuedKey { successor: Some(successor), ..issued.clone() }
}
