//! `create`: facts, policy, the record, then the card or the button.

use futures_util::future::try_join;

use super::ticket::address_hash;
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::command::Create;
use crate::facts::{Account, IamUser};
use crate::inbound::Message;
use crate::lookup::NoSuchUser;
use crate::policy::{Needed, Request};
use crate::request::{Asked, KeyRequest, Shown, State, Telling};
use crate::slack_api;
use crate::store::Stored;
use crate::time::Timestamp;
use crate::words;

/// AWS's limit (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const KEYS_PER_USER: usize = 2;

impl Worker {
    pub(super) async fn create(
        &self,
        message: &Message,
        create: &Create,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let Some(account) = self.account(create) else {
            let sentence =
                create.account.as_ref().map(|alias| words::unknown_account(alias, &self.config.accounts));
            return Ok(self.answer(message, now, &sentence.unwrap_or_default()).await?);
        };
        let asked = Asked {
            requester: message.person.clone(),
            account: account.clone(),
            user: create.user.clone(),
            use_case: create.use_case,
            days: u32::from(create.days.get()),
            reason: create.reason.as_str().to_owned(),
            email_hash: None,
            at: message.signed_at,
        };
        let mut request = self.judge(message, asked, now).await?;
        if request.state == State::Pending {
            request.tellings.extend([Telling::Card]);
        }
        let stored = match Stored::create(&self.dynamo, &request).await {
            Ok(stored) => stored,
            // A redelivery goes on from what the first delivery recorded.
            Err(WriteError::Lost(lost)) => Stored::read(&self.dynamo, &request.id).await?.ok_or(lost)?,
            Err(WriteError::Fault(fault)) => return Err(fault.into()),
        };
        let told = self.tell_asked(message, &stored, now).await;
        self.flush(stored).await;
        Ok(told?)
    }

    /// The account that is meant: the one that is named, or the only or first one.
    fn account(&self, create: &Create) -> Option<&Account> {
        match &create.account {
            Some(alias) => self.config.accounts.iter().find(|account| account.alias == *alias),
            None => self.config.accounts.first(),
        }
    }

    /// The request as policy lets it begin, refused ones too.
    async fn judge(&self, message: &Message, mut asked: Asked, now: Timestamp) -> anyhow::Result<KeyRequest> {
        let id = message.id.clone();
        let help = self.config.help_channel.as_ref();
        let Ok(policies) = &self.policies else {
            return Ok(KeyRequest::refused(id, asked, words::POLICIES_INVALID.to_owned(), &[]));
        };
        if asked.days > self.config.max_key_days {
            let why = words::too_many_days(self.config.max_key_days);
            return Ok(KeyRequest::refused(id, asked, why, &["KEYVEND_MAX_KEY_DAYS".to_owned()]));
        }
        let (slack, ()) = try_join(self.slack(), self.lookup.open(&asked.account, now)).await?;
        let found =
            self.facts(&slack, &asked.requester, (&asked.account, &asked.user), (&[], None), now).await?;
        let facts = match found {
            Ok(facts) => facts,
            Err(NoSuchUser) => {
                let why = words::no_such_user(&asked.user, &asked.account, help);
                return Ok(KeyRequest::refused(id, asked, why, &[]));
            }
        };
        asked.email_hash = facts.requester.email.as_deref().map(address_hash);
        if let Some(why) = self.unmanaged(&asked, &facts.iam_user) {
            return Ok(KeyRequest::refused(id, asked, why, &[]));
        }
        let question = facts.asked(&asked, 0);
        if let Err(denial) = policies.authorize(&facts.requester, Request(question.clone()), &facts.iam_user)
        {
            let why = words::refused(&denial.advice, help);
            return Ok(KeyRequest::refused(id, asked, why, &denial.by));
        }
        if facts.iam_user.keys.len() >= KEYS_PER_USER {
            let why = words::two_keys(&asked.user, &asked.account, &facts.iam_user.keys, now);
            return Ok(KeyRequest::refused(id, asked, why, &[]));
        }
        match policies.needed_approvals(&facts.requester, &facts.iam_user, &question) {
            Needed::Approvals(needed) => {
                let shown = Shown::of(&facts.iam_user, needed);
                Ok(KeyRequest::new(id, asked, shown, self.config.request_ttl, self.config.approved_ttl))
            }
            Needed::Never(denial) => {
                let why = words::refused(&denial.advice, help);
                Ok(KeyRequest::refused(id, asked, why, &denial.by))
            }
        }
    }

    /// Why an IAM user is none that keyvend looks after, if so.
    fn unmanaged(&self, asked: &Asked, user: &IamUser) -> Option<String> {
        let help = self.config.help_channel.as_ref();
        if let Some(path) = self.config.iam_path.as_ref().filter(|path| !user.path.starts_with(path.as_str()))
        {
            return Some(words::outside_path(&asked.user, &asked.account, path, help));
        }
        (user.owners.is_empty() && user.owner_groups.is_empty())
            .then(|| words::no_owner(&asked.user, &asked.account, &asked.requester, help))
    }

    async fn tell_asked(&self, message: &Message, stored: &Stored, now: Timestamp) -> anyhow::Result<()> {
        let answer: slack_api::Message = match &stored.request.state {
            State::Pending => card::asked(&stored.request),
            State::Approved => card::ready(&stored.request),
            State::Refused { why } => card::text(why),
            State::Ticketed { .. }
            | State::Issuing(_)
            | State::Ambiguous(_)
            | State::Issued { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed => card::text(&words::standing(&stored.request)),
        };
        self.answer_with(message, now, &answer).await
    }
}
