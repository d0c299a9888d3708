//! `create`: facts, policy, the record, then the card or the button.

use futures_util::FutureExt as _;
use futures_util::future::{join, try_join, try_join3};

use crate::aws::WriteError;
use crate::aws::session_policy::is_supported_path;
use crate::domain::audit::NewAuditEntry;
use crate::domain::iam::{Account, IamUser, MAX_ELIGIBLE_APPROVERS};
use crate::domain::request::{
    KeyRequest, Notification, RequestDetails, RequestKind, RequestState, ReviewSnapshot, RevisionSalt,
};
use crate::facts::NoSuchUser;
use crate::id::{AccountAlias, PersonId, RequestId};
use crate::policy::{Policies, Request, RequiredApprovals};
use crate::render::approval_card;
use crate::render::text;
use crate::slack::api;
use crate::slack::command::Create;
use crate::slack::receive::SlackEnvelope;
use crate::store::{OpenRequests, StoredRequest};
use crate::time::Timestamp;
use crate::worker::decision_facts::{DecisionFacts, Found};
use crate::worker::interactions::get_key::{address_hash, random};
use crate::worker::limits::{Barred, OPEN_REQUESTS};
use crate::worker::{HandleError, Worker};

/// A request as it begins, with what was looked up for it.
struct EvaluatedRequest {
    request: KeyRequest,
    seen: Option<Result<DecisionFacts, NoSuchUser>>,
    open: Option<OpenRequests>,
}

impl EvaluatedRequest {
    /// One that is refused before anything in IAM was looked up.
    fn unseen(request: KeyRequest) -> Self {
        Self { request, seen: None, open: None }
    }
}

/// A no that the configuration says, not policy.
pub(crate) struct Limit {
    /// Which variable.
    pub by: &'static str,
    /// What is told.
    pub why: String,
}

impl Worker {
    pub(crate) async fn create(
        &self,
        message: &SlackEnvelope,
        create: &Create,
        now: Timestamp,
    ) -> Result<(), HandleError> {
        let account = self.account(create);
        // Whether they may ask so often is seen beside what can be fetched before anything is looked up.
        let open = async { Ok(OpenRequests::read(&self.tables, &message.person.user).await?) };
        let ahead = self.fetch_ahead(account.ok(), now).map(Ok);
        let (open, (), ()) = try_join3(open, self.admit(message), ahead).await?;
        let account = match account {
            Ok(account) => account,
            Err(alias) => return self.refuse_account(message, create, alias, now).await,
        };
        let asked = RequestDetails {
            kind: RequestKind::New,
            requester: message.person.clone(),
            account: account.clone(),
            user: create.user.clone(),
            use_case: create.use_case,
            days: u32::from(create.days.get()),
            reason: create.reason.as_str().to_owned(),
            email_hash: None,
            at: message.signed_at,
        };
        let EvaluatedRequest { mut request, seen, open } =
            self.evaluate(message, (asked, open), RevisionSalt::new(random()?), now).await?;
        if request.state == RequestState::Pending {
            request.notifications.extend([Notification::Card]);
        }
        let chooser = async {
            match &seen {
                Some(Ok(facts)) if needs_key_choice(&request) => self.chooser(facts, now).await.map(Some),
                _ => Ok(None),
            }
        };
        let create = async {
            match StoredRequest::create(&self.tables, &request, open.as_ref()).await {
                Ok(stored) => Ok(stored),
                // A redelivery goes on from what the first delivery recorded.
                Err(WriteError::Conflict(lost)) => {
                    StoredRequest::read(&self.tables, &request.id).await?.ok_or_else(|| lost.into())
                }
                Err(WriteError::Other(fault)) => Err(fault),
            }
        };
        let (stored, chooser) = try_join(create, chooser).await?;
        if !stored.request.details.is_same(&request.details) {
            // Ids are made of signatures, so this is no redelivery: whoever made the message chose the id, and is told
            // nothing of the request that has it.
            tracing::error!("a message bears the id of another one's request");
            return Ok(());
        }
        let told = match chooser {
            Some(chooser) if needs_key_choice(&stored.request) => {
                self.offer_key_to_replace(message, &chooser, now).await
            }
            Some(_) | None => self.confirm_request(message, &stored, now).await,
        };
        let stored = self.drain_outbox(stored).await;
        if let Some(found) = seen {
            self.note_owners(&stored.request, found.as_ref().ok(), now).await;
        }
        Ok(told?)
    }

    /// The account that is meant: the one that is named, or the only or first one; else the name that is none's.
    fn account<'a>(&'a self, create: &'a Create) -> Result<&'a Account, Option<&'a AccountAlias>> {
        match &create.account {
            Some(alias) => self.config.accounts.iter().find(|known| known.alias == *alias).ok_or(Some(alias)),
            None => self.config.accounts.first().ok_or(None),
        }
    }

    /// Refuses an account that is none of ours. It is audited in a chain of its own, with the name as it was typed: a
    /// request is stored with its account's number, and here there is none.
    async fn refuse_account(
        &self,
        message: &SlackEnvelope,
        create: &Create,
        alias: Option<&AccountAlias>,
        now: Timestamp,
    ) -> Result<(), HandleError> {
        let alias = alias.ok_or_else(|| anyhow::anyhow!("no account is configured"))?;
        let detail = [
            ("alias", alias.to_string()),
            ("user", create.user.to_string()),
            ("use_case", create.use_case.to_string()),
            ("days", create.days.get().to_string()),
            ("reason", create.reason.as_str().to_owned()),
        ];
        let asked = NewAuditEntry::new("asked", &message.person, detail);
        // In the order in which a known account's are refused, so that whoever may not ask cannot tell the two apart.
        let (by, why) = if self.policies.is_err() {
            (String::new(), text::POLICIES_INVALID.to_owned())
        } else if let Some(Limit { by, why }) = self.too_long(u32::from(create.days.get())) {
            (by.to_owned(), why)
        } else if let Some(Barred { by, why }) = self.barred(&message.person).await? {
            (by.join(" "), why)
        } else {
            ("KEYVEND_ACCOUNTS".to_owned(), text::unknown_account(alias, &self.config.accounts))
        };
        let refused = NewAuditEntry::new("refused", "keyvend", [("by", by)]);
        self.audit_alone(message, [asked, refused]).await?;
        Ok(self.reply(message, now, &why).await?)
    }

    /// The request as policy lets it begin, refused ones too, with what was looked up for it.
    async fn evaluate(
        &self,
        message: &SlackEnvelope,
        (mut asked, open): (RequestDetails, OpenRequests),
        salt: RevisionSalt,
        now: Timestamp,
    ) -> anyhow::Result<EvaluatedRequest> {
        let id = message.id.clone();
        let Ok(policies) = &self.policies else {
            let why = text::POLICIES_INVALID.to_owned();
            return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, why, &[])));
        };
        if let Some(Limit { by, why }) = self.too_long(asked.days) {
            return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, why, &[by.to_owned()])));
        }
        let (slack, ()) = try_join(self.slack(), self.lookup.warm_session(&asked.account, now)).await?;
        if let Some(Barred { by, why }) = self.barred(&asked.requester).await? {
            return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, why, &by)));
        }
        let subject = (&asked.account, &asked.user);
        let ask = |policies: &Policies, facts: &DecisionFacts| {
            let request = Request(facts.asked(&asked, 0));
            policies.authorize(&facts.requester, request, &facts.iam_user).map(drop)
        };
        let found = self.facts_unless_denied(&slack, &asked.requester, subject, (&[], None), now, ask);
        let (found, open) = join(found.boxed(), self.still_open(open, now)).await;
        let found = match found {
            Ok(found) => found,
            Err(fault) => {
                let (why, by) = (self.approvers_unreachable(fault)?, "KEYVEND_APPROVALS_CHANNEL".to_owned());
                return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, why, &[by])));
            }
        };
        let help = self.config.help_channel.as_ref();
        if let Found::Facts(facts) | Found::Denied(_, facts) = &found {
            asked.user = facts.iam_user.name.clone();
            asked.email_hash = facts.requester.email.as_deref().map(address_hash);
        }
        let (request, seen) = match found {
            Found::Facts(facts) => (self.evaluate_facts(policies, (id, salt), asked, &facts), Ok(*facts)),
            Found::Denied(denial, facts) => {
                let request = match self.unfit(&asked, &facts.iam_user) {
                    Some((why, by)) => KeyRequest::refused(id, asked, salt, why, &by),
                    None => {
                        KeyRequest::refused(id, asked, salt, text::refused(&denial.advice, help), &denial.by)
                    }
                };
                (request, Ok(*facts))
            }
            Found::NoSuchUser => {
                let why = text::no_such_user(&asked.user, &asked.account, help);
                (KeyRequest::refused(id, asked, salt, why, &[]), Err(NoSuchUser))
            }
        };
        let open = open?;
        Ok(EvaluatedRequest { request: too_many_open(request, &open), seen: Some(seen), open: Some(open) })
    }

    /// Why nobody gets a key for this IAM user here, whoever asks, with what says so.
    fn unfit(&self, asked: &RequestDetails, user: &IamUser) -> Option<(String, Vec<String>)> {
        if let Some(Limit { by, why }) = self.outside_path(asked, user) {
            return Some((why, vec![by.to_owned()]));
        }
        let help = self.config.help_channel.as_ref();
        (user.owners.is_empty() && user.owner_groups.is_empty())
            .then(|| (text::no_owner(&asked.user, &asked.account, &asked.requester, help), Vec::new()))
    }

    /// The request as policy lets it begin, by these facts.
    fn evaluate_facts(
        &self,
        policies: &Policies,
        (id, salt): (RequestId, RevisionSalt),
        asked: RequestDetails,
        facts: &DecisionFacts,
    ) -> KeyRequest {
        let help = self.config.help_channel.as_ref();
        if let Some((why, by)) = self.unfit(&asked, &facts.iam_user) {
            return KeyRequest::refused(id, asked, salt, why, &by);
        }
        let question = facts.asked(&asked, 0);
        if let Err(denial) = policies.authorize(&facts.requester, Request(question.clone()), &facts.iam_user)
        {
            let why = text::refused(&denial.advice, help);
            return KeyRequest::refused(id, asked, salt, why, &denial.by);
        }
        if Self::has_two_keys(&facts.iam_user) {
            let why = text::two_keys(&asked.user, &asked.account);
            return KeyRequest::refused(id, asked, salt, why, &[]);
        }
        if let Some(Limit { by, why }) = too_many_approvers(facts) {
            return KeyRequest::refused(id, asked, salt, why, &[by.to_owned()]);
        }
        match policies.needed_approvals(&facts.requester, &facts.iam_user, &question) {
            RequiredApprovals::Approvals(needed) => {
                let shown = ReviewSnapshot::of(&facts.iam_user, needed);
                let ttls = (self.config.request_ttl, self.config.approved_ttl);
                KeyRequest::new(id, asked, shown, salt, facts.eligible.clone(), ttls)
            }
            RequiredApprovals::Never(denial) => {
                let why = text::refused(&denial.advice, help);
                KeyRequest::refused(id, asked, salt, why, &denial.by)
            }
        }
    }

    fn too_long(&self, days: u32) -> Option<Limit> {
        let most = self.config.max_key_days;
        (days > most).then(|| Limit { by: "KEYVEND_MAX_KEY_DAYS", why: text::too_many_days(most) })
    }

    /// Why an IAM user is none that keyvend looks after, if so.
    pub(crate) fn unmanaged(&self, asker: &PersonId, user: &IamUser) -> Option<String> {
        let help = self.config.help_channel.as_ref();
        if !is_supported_path(&user.path) {
            return Some(text::unsupported_path(&user.name, &user.account, help));
        }
        if let Some(path) = self.config.iam_path.as_ref().filter(|path| !user.path.starts_with(path.as_str()))
        {
            return Some(text::outside_path(&user.name, &user.account, path, help));
        }
        (user.owners.is_empty() && user.owner_groups.is_empty())
            .then(|| text::no_owner(&user.name, &user.account, asker, help))
    }

    fn outside_path(&self, asked: &RequestDetails, user: &IamUser) -> Option<Limit> {
        if !is_supported_path(&user.path) {
            let help = self.config.help_channel.as_ref();
            let why = text::unsupported_path(&asked.user, &asked.account, help);
            return Some(Limit { by: "path", why });
        }
        let path = self.config.iam_path.as_ref().filter(|path| !user.path.starts_with(path.as_str()))?;
        let why = text::outside_path(&asked.user, &asked.account, path, self.config.help_channel.as_ref());
        Some(Limit { by: "KEYVEND_IAM_PATH", why })
    }

    /// Why this keyvend gives no such key, whatever policy says. Either setting, and the user's path, may have changed
    /// since it was asked for.
    pub(crate) fn beyond_limits(&self, asked: &RequestDetails, user: &IamUser) -> Option<Limit> {
        self.too_long(asked.days).or_else(|| self.outside_path(asked, user))
    }

    /// Which of two keys could go. In a form it is a sentence, as below.
    async fn offer_key_to_replace(
        &self,
        message: &SlackEnvelope,
        chooser: &api::SlackMessage,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        if message.submitted_view().is_some() {
            self.direct(&message.person, chooser).await?;
            self.show_outcome(message, &chooser.text).await;
            return Ok(());
        }
        self.answer_with(message, now, chooser).await
    }

    /// Answers with what came of it. In a form it is a sentence; the buttons come by direct message, which stays.
    async fn confirm_request(
        &self,
        message: &SlackEnvelope,
        stored: &StoredRequest,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let request = &stored.request;
        let (in_form, answer) = match &request.state {
            RequestState::Pending => (text::form_asked(request), approval_card::asked(request)),
            RequestState::Approved => (text::form_ready(request), approval_card::ready(request)),
            RequestState::PolicyDenied { why } => return self.reply(message, now, why).await,
            RequestState::LinkIssued { .. }
            | RequestState::Issuing(_)
            | RequestState::Ambiguous(_)
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired => return self.reply(message, now, &text::standing(request)).await,
        };
        if message.submitted_view().is_some() {
            self.direct(&message.person, &answer).await?;
            self.show_outcome(message, &in_form).await;
            return Ok(());
        }
        self.answer_with(message, now, &answer).await
    }
}

/// More approvers than a request can keep.
pub(crate) fn too_many_approvers(facts: &DecisionFacts) -> Option<Limit> {
    let why = || text::too_many_approvers(MAX_ELIGIBLE_APPROVERS);
    facts.eligible.are_too_many().then(|| Limit { by: "KEYVEND_APPROVERS", why: why() })
}

/// The request as it is made where its requester has as many open ones as anybody may have. One that is made already, by an
/// earlier delivery, is among them.
pub(crate) fn too_many_open(request: KeyRequest, open: &OpenRequests) -> KeyRequest {
    let others = open.open();
    if !request.is_actionable() || others.len() < OPEN_REQUESTS || others.contains(&request.id) {
        return request;
    }
    let why = text::too_many_open(others);
    KeyRequest::refused(request.id, request.details, request.salt, why, &["open-requests".to_owned()])
}

/// Whether it was refused because there are two keys.
fn needs_key_choice(request: &KeyRequest) -> bool {
    let asked = &request.details;
    matches!(&request.state, RequestState::PolicyDenied { why } if *why == text::two_keys(&asked.user, &asked.account))
}
