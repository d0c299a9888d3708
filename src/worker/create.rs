//! `create`: facts, policy, the record, then the card or the button.

use futures_util::future::try_join;

use super::facts::Facts;
use super::ticket::{address_hash, random};
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::command::Create;
use crate::facts::{Account, IamUser};
use crate::id::RequestId;
use crate::inbound::Message;
use crate::lookup::NoSuchUser;
use crate::policy::{Needed, Policies, Request};
use crate::request::{Asked, KeyRequest, Salt, Shown, State, Telling};
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
            return Ok(self.reply(message, now, &sentence.unwrap_or_default()).await?);
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
        let (mut request, seen) = self.judge(message, asked, Salt::of(random()?), now).await?;
        if request.state == State::Pending {
            request.tellings.extend([Telling::Card]);
        }
        let stored = match Stored::create(&self.dynamo, &request).await {
            Ok(stored) => stored,
            // A redelivery goes on from what the first delivery recorded.
            Err(WriteError::Lost(lost)) => {
                let found = Stored::read(&self.dynamo, &request.id).await?.ok_or(lost)?;
                if !found.request.asked.is_same(&request.asked) {
                    // Ids are made of signatures, so this is no redelivery: whoever made the message chose the id, and is
                    // told nothing of the request that has it.
                    tracing::error!("a message bears the id of another one's request");
                    return Ok(());
                }
                found
            }
            Err(WriteError::Fault(fault)) => return Err(fault.into()),
        };
        let told = self.tell_asked(message, &stored, now).await;
        let stored = self.flush(stored).await;
        if let Some(found) = seen {
            self.note_owners(&stored.request, found.as_ref().ok(), now).await;
        }
        Ok(told?)
    }

    /// The account that is meant: the one that is named, or the only or first one.
    fn account(&self, create: &Create) -> Option<&Account> {
        match &create.account {
            Some(alias) => self.config.accounts.iter().find(|account| account.alias == *alias),
            None => self.config.accounts.first(),
        }
    }

    /// The request as policy lets it begin, refused ones too, with what was looked up for it.
    async fn judge(
        &self,
        message: &Message,
        mut asked: Asked,
        salt: Salt,
        now: Timestamp,
    ) -> anyhow::Result<(KeyRequest, Option<Result<Facts, NoSuchUser>>)> {
        let id = message.id.clone();
        let Ok(policies) = &self.policies else {
            return Ok((KeyRequest::refused(id, asked, salt, words::POLICIES_INVALID.to_owned(), &[]), None));
        };
        if asked.days > self.config.max_key_days {
            let why = words::too_many_days(self.config.max_key_days);
            return Ok((
                KeyRequest::refused(id, asked, salt, why, &["KEYVEND_MAX_KEY_DAYS".to_owned()]),
                None,
            ));
        }
        let (slack, ()) = try_join(self.slack(), self.lookup.open(&asked.account, now)).await?;
        let subject = (&asked.account, &asked.user);
        let found = self.facts(&slack, &asked.requester, subject, (&[], None), now).await?;
        let request = match &found {
            Ok(facts) => {
                asked.email_hash = facts.requester.email.as_deref().map(address_hash);
                self.weigh(policies, (id, salt), asked, facts, now)
            }
            Err(NoSuchUser) => {
                let why = words::no_such_user(&asked.user, &asked.account, self.config.help_channel.as_ref());
                KeyRequest::refused(id, asked, salt, why, &[])
            }
        };
        Ok((request, Some(found)))
    }

    /// The request as policy lets it begin, by these facts.
    fn weigh(
        &self,
        policies: &Policies,
        (id, salt): (RequestId, Salt),
        asked: Asked,
        facts: &Facts,
        now: Timestamp,
    ) -> KeyRequest {
        let help = self.config.help_channel.as_ref();
        if let Some(why) = self.unmanaged(&asked, &facts.iam_user) {
            return KeyRequest::refused(id, asked, salt, why, &[]);
        }
        let question = facts.asked(&asked, 0);
        if let Err(denial) = policies.authorize(&facts.requester, Request(question.clone()), &facts.iam_user)
        {
            let why = words::refused(&denial.advice, help);
            return KeyRequest::refused(id, asked, salt, why, &denial.by);
        }
        if facts.iam_user.keys.len() >= KEYS_PER_USER {
            let why = words::two_keys(&asked.user, &asked.account, &facts.iam_user.keys, now);
            return KeyRequest::refused(id, asked, salt, why, &[]);
        }
        match policies.needed_approvals(&facts.requester, &facts.iam_user, &question) {
            Needed::Approvals(needed) => {
                let shown = Shown::of(&facts.iam_user, needed);
                KeyRequest::new(id, asked, shown, salt, self.config.request_ttl, self.config.approved_ttl)
            }
            Needed::Never(denial) => {
                let why = words::refused(&denial.advice, help);
                KeyRequest::refused(id, asked, salt, why, &denial.by)
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

    /// Answers with what came of it. In a form it is a sentence; the buttons come by direct message, which stays.
    async fn tell_asked(&self, message: &Message, stored: &Stored, now: Timestamp) -> anyhow::Result<()> {
        let request = &stored.request;
        let (in_form, answer) = match &request.state {
            State::Pending => (words::form_asked(request), card::asked(request)),
            State::Approved => (words::form_ready(request), card::ready(request)),
            State::Refused { why } => return self.reply(message, now, why).await,
            State::Ticketed { .. }
            | State::Issuing(_)
            | State::Ambiguous(_)
            | State::Issued { .. }
            | State::Denied { .. }
            | State::Cancelled
            | State::Lapsed => return self.reply(message, now, &words::standing(request)).await,
        };
        if message.submitted_view().is_some() {
            self.direct(&message.person, &answer).await?;
            self.show_outcome(message, &in_form).await;
            return Ok(());
        }
        self.answer_with(message, now, &answer).await
    }
}
