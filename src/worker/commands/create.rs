//! `create`: facts, policy, the record, then the card or the button.

use futures_util::FutureExt as _;
use futures_util::future::{join, try_join, try_join3};

use crate::aws::WriteError;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::denial::DenialReason;
use crate::domain::email_hash::email_hash;
use crate::domain::iam::Account;
use crate::domain::iam::IamUserRef;
use crate::domain::request::{
    KeyRequest, Notification, RequestDetails, RequestEvent, RequestKind, RequestState, ReviewSnapshot,
    RevisionSalt,
};
use crate::facts::NoSuchUser;
use crate::id::{AccountAlias, RequestId};
use crate::policy::{Policies, Request, RequiredApprovals};
use crate::random::random;
use crate::render::{approval_card, text};
use crate::slack::api;
use crate::slack::command::{Create, Prefill};
use crate::slack::receive::SlackEnvelope;
use crate::store::open_requests::OpenRequests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::{
    Barred, Limit, barred, denial_text, denied_by_policy, has_two_keys, too_long, too_many_approvers,
    too_many_open, unfit,
};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied};
use crate::worker::limits::{admit, fetch_ahead, still_open};
use crate::worker::ops::enough_approvers::too_few_approvers;
use crate::worker::ops::key_list::chooser;
use crate::worker::ops::ownership::{Known, known_users, nearest_own_user, note_owners};
use crate::worker::ops::request_form::{FormContents, request_form};
use crate::worker::outbox::{audit_alone, drain_outbox};
use crate::worker::reply::{
    answer_with, approvers_unreachable, direct, reply, show_open_request, show_outcome,
};

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

/// What was submitted, typed or in the form.
#[derive(Clone, Copy)]
pub(crate) struct Submission<'a> {
    pub(crate) create: &'a Create,
    /// The pending request of the same person that it is an edited version of, and ends.
    pub(crate) replaces: Option<&'a StoredRequest>,
}

impl<'a> From<&'a Create> for Submission<'a> {
    fn from(create: &'a Create) -> Self {
        Self { create, replaces: None }
    }
}

pub(crate) async fn create(
    ctx: &Context,
    message: &SlackEnvelope,
    submission: Submission<'_>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let create = submission.create;
    let account = account(ctx, create);
    // Whether they may ask so often is seen beside what can be fetched before anything is looked up.
    let open = async { Ok(OpenRequests::read(&ctx.tables, &message.person.user).await?) };
    let ahead = fetch_ahead(ctx, account.ok(), now).map(Ok);
    let (open, (), ()) = try_join3(open, admit(ctx, message), ahead).await?;
    let account = match account {
        Ok(account) => account,
        Err(alias) => return refuse_account(ctx, message, submission, alias, now).await,
    };
    if let Some(named) = account_in_reason(ctx, create).filter(|named| named.id != account.id) {
        return Ok(ask_for_account(ctx, message, submission, (named, account), now).await?);
    }
    let replaces = submission.replaces.map(|old| old.request.id.clone());
    let asked = RequestDetails {
        kind: RequestKind::Create,
        requester: message.person.clone(),
        account: account.clone(),
        user: create.user.clone(),
        use_case: create.use_case,
        days: u32::from(create.days.get()),
        reason: create.reason.as_str().to_owned(),
        email_hash: None,
        at: message.signed_at,
        replaces: replaces.clone(),
    };
    let open = open.replacing(replaces);
    let evaluated = evaluate(ctx, message, (asked, open), RevisionSalt::new(random()?), now).await?;
    let EvaluatedRequest { request, open, .. } = &evaluated;
    let is_unchanged = |old: &StoredRequest| old.request.details.asks_the_same(&request.details);
    if request.is_actionable() && submission.replaces.is_some_and(is_unchanged) {
        return Ok(reply(ctx, message, now, text::NOTHING_EDITED).await?);
    }
    if let Some(first) = open.as_ref().and_then(|open| open.same_as(request)) {
        return Ok(show_open_request(ctx, message, first, now).await?);
    }
    record(ctx, message, submission, evaluated, now).await
}

/// Stores the request as it begins, and answers with it.
async fn record(
    ctx: &Context,
    message: &SlackEnvelope,
    submission: Submission<'_>,
    EvaluatedRequest { mut request, seen, open }: EvaluatedRequest,
    now: Timestamp,
) -> Result<(), HandleError> {
    if request.state == RequestState::Pending {
        request.notifications.extend([Notification::UpdateCard]);
    }
    let chooser = async {
        match &seen {
            Some(Ok(facts)) if needs_key_choice(&request) => chooser(ctx, facts, now).await.map(Some),
            _ => Ok(None),
        }
    };
    let stored = store(ctx, &request, open.as_ref(), submission.replaces, now);
    let ((stored, ended), chooser) = try_join(stored, chooser).await?;
    if !stored.request.details.is_same(&request.details) {
        // Ids are made of signatures, so this is no redelivery: whoever made the message chose the id, and is told
        // nothing of the request that has it.
        tracing::error!("request id collision");
        return Ok(());
    }
    let told = match chooser {
        Some(chooser) if needs_key_choice(&stored.request) => {
            offer_key_to_replace(ctx, message, &chooser, now).await
        }
        Some(_) | None => {
            // Whoever was refused before anything was looked up may be somebody who learns nothing of IAM users.
            let known = match &seen {
                Some(_) if message.submitted_view().is_some() => known_users(ctx, &message.person.user).await,
                Some(_) | None => Known::default(),
            };
            confirm_request(ctx, message, (submission, &known), &stored, now).await
        }
    };
    let stored = drain_outbox(ctx, stored).await;
    if let Some(ended) = ended {
        drain_outbox(ctx, ended).await;
    }
    if let Some(found) = seen {
        note_owners(ctx, &stored.request, found.as_ref().ok(), now).await;
    }
    Ok(told?)
}

/// Stores a request, and ends the one whose place it takes in the same transaction: there are never both, nor neither.
async fn store(
    ctx: &Context,
    request: &KeyRequest,
    open: Option<&OpenRequests>,
    replaces: Option<&StoredRequest>,
    now: Timestamp,
) -> anyhow::Result<(StoredRequest, Option<StoredRequest>)> {
    // One that is refused takes nothing's place.
    let replaces = replaces.filter(|_| request.is_actionable());
    let (ending, ended) = match replaces.filter(|old| old.request.replaced_by.as_ref() != Some(&request.id)) {
        Some(old) => {
            let event = RequestEvent::Replace { by: request.id.clone() };
            let mut next = old.request.apply(event, &request.details.requester.to_string(), now)?;
            next.notifications.extend([Notification::UpdateCard]);
            let (writes, saved) = old.with_notifications(next)?;
            (writes, Some(saved))
        }
        None => (Vec::new(), None),
    };
    match StoredRequest::create(&ctx.tables, request, open, ending).await {
        Ok(stored) => Ok((stored, ended)),
        // A redelivery goes on from what the first delivery recorded.
        Err(WriteError::Conflict(lost)) => {
            let stored = StoredRequest::read(&ctx.tables, &request.id).await?;
            Ok((stored.ok_or_else(|| anyhow::Error::from(lost))?, None))
        }
        Err(WriteError::Other(error)) => Err(error),
    }
}

/// The account that is meant: the one that is named, or the only or first one; else the name that is none's.
fn account<'a>(ctx: &'a Context, create: &'a Create) -> Result<&'a Account, Option<&'a AccountAlias>> {
    match &create.account {
        Some(alias) => ctx.config.account(alias).ok_or(Some(alias)),
        None => ctx.config.accounts.first().ok_or(None),
    }
}

/// Refuses an account that is none of ours. It is audited in a chain of its own, with the name as it was typed: a
/// request is stored with its account's number, and here there is none.
async fn refuse_account(
    ctx: &Context,
    message: &SlackEnvelope,
    submission: Submission<'_>,
    alias: Option<&AccountAlias>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let create = submission.create;
    let alias = alias.ok_or_else(|| anyhow::anyhow!("no account is configured"))?;
    let detail = [
        ("alias", alias.to_string()),
        ("user", create.user.to_string()),
        ("use_case", create.use_case.to_string()),
        ("days", create.days.get().to_string()),
        ("reason", create.reason.as_str().to_owned()),
    ];
    let asked = NewAuditEntry::new(AuditEvent::RequestCreated, &message.person, detail);
    // In the order in which a known account's are refused, so that whoever may not ask cannot tell the two apart.
    let (by, why) = if ctx.policies.is_err() {
        (String::new(), text::POLICIES_INVALID.to_owned())
    } else if let Some(Limit { by, reason }) = too_long(ctx, u32::from(create.days.get())) {
        (by.to_owned(), denial_text(ctx, &reason))
    } else if let Some(Barred { by, reason }) = barred(ctx, &message.person).await? {
        (by.join(" "), denial_text(ctx, &reason))
    } else {
        ("KEYVEND_ACCOUNTS".to_owned(), text::unknown_account(alias, &ctx.config.accounts))
    };
    let refused = NewAuditEntry::new(AuditEvent::RequestPolicyDenied, "keyvend", [("by", by)]);
    audit_alone(ctx, message, [asked, refused]).await?;
    Ok(refuse(ctx, message, (submission, &Known::default()), &why, now).await?)
}

/// Answers with a refusal. In a form it is shown above what was filled in, which can be changed and submitted again.
async fn refuse(
    ctx: &Context,
    message: &SlackEnvelope,
    (submission, known): (Submission<'_>, &Known),
    why: &str,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Some(view) = message.submitted_view() else { return reply(ctx, message, now, why).await };
    let contents = FormContents {
        prefill: Prefill::from(submission.create),
        refusal: Some(why.to_owned()),
        edits: submission.replaces.map(|old| approval_card::requesters_value(&old.request)),
    };
    let form = request_form(ctx, known, contents);
    match slack_client(ctx).await?.update_view(view, None, &form).await {
        Ok(()) => Ok(()),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "updating modal failed");
            reply(ctx, message, now, why).await
        }
    }
}

/// The request as policy lets it begin, refused ones too, with what was looked up for it.
async fn evaluate(
    ctx: &Context,
    message: &SlackEnvelope,
    (mut asked, open): (RequestDetails, OpenRequests),
    salt: RevisionSalt,
    now: Timestamp,
) -> anyhow::Result<EvaluatedRequest> {
    let id = message.id.clone();
    let Ok(policies) = &ctx.policies else {
        let reason = DenialReason::PoliciesInvalid;
        return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, reason, &[])));
    };
    if let Some(Limit { by, reason }) = too_long(ctx, asked.days) {
        return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, reason, &[by.to_owned()])));
    }
    let (slack, ()) = try_join(slack_client(ctx), ctx.lookup.warm_session(&asked.account, now)).await?;
    if let Some(Barred { by, reason }) = barred(ctx, &asked.requester).await? {
        return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, reason, &by)));
    }
    let subject = (&asked.account, &asked.user);
    let ask = |policies: &Policies, facts: &DecisionFacts| {
        let request = Request(facts.asked(&asked, 0));
        policies.authorize(&facts.requester, request, &facts.iam_user).map(drop)
    };
    let found = facts_unless_denied(ctx, &slack, &asked.requester, subject, (&[], None), now, ask);
    let (found, open) = join(found.boxed(), still_open(ctx, open, now)).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let (reason, by) = (approvers_unreachable(error)?, "KEYVEND_APPROVALS_CHANNEL".to_owned());
            return Ok(EvaluatedRequest::unseen(KeyRequest::refused(id, asked, salt, reason, &[by])));
        }
    };
    if let Found::Facts(facts) | Found::Denied(_, facts) = &found {
        asked.user = facts.iam_user.name.clone();
        asked.email_hash = facts.requester.email.as_deref().map(email_hash);
    }
    let (request, seen) = match found {
        Found::Facts(facts) => {
            let request = evaluate_facts(ctx, policies, (id, salt), asked, &facts);
            (too_few_approvers(ctx, &slack, policies, request, &facts).await, Ok(*facts))
        }
        Found::Denied(denial, facts) => {
            let (reason, by) = unfit(ctx, &asked.requester, &facts.iam_user)
                .unwrap_or_else(|| (denied_by_policy(&denial), denial.by));
            let request = KeyRequest::refused(id, asked, salt, reason, &by);
            (request, Ok(*facts))
        }
        Found::NoSuchUser => {
            let user = IamUserRef { account: asked.account.clone(), name: asked.user.clone() };
            let near = nearest_own_user(ctx, &asked.requester.user, &user).await;
            let reason = DenialReason::NoSuchUser { user, near };
            (KeyRequest::refused(id, asked, salt, reason, &[]), Err(NoSuchUser))
        }
    };
    let open = open?;
    Ok(EvaluatedRequest { request: too_many_open(request, &open), seen: Some(seen), open: Some(open) })
}

/// The request as policy lets it begin, by these facts.
fn evaluate_facts(
    ctx: &Context,
    policies: &Policies,
    (id, salt): (RequestId, RevisionSalt),
    asked: RequestDetails,
    facts: &DecisionFacts,
) -> KeyRequest {
    if let Some((reason, by)) = unfit(ctx, &asked.requester, &facts.iam_user) {
        return KeyRequest::refused(id, asked, salt, reason, &by);
    }
    let question = facts.asked(&asked, 0);
    if let Err(denial) = policies.authorize(&facts.requester, Request(question.clone()), &facts.iam_user) {
        return KeyRequest::refused(id, asked, salt, denied_by_policy(&denial), &denial.by);
    }
    if has_two_keys(&facts.iam_user) {
        let user = IamUserRef { account: asked.account.clone(), name: asked.user.clone() };
        return KeyRequest::refused(id, asked, salt, DenialReason::TwoKeys { user }, &[]);
    }
    if let Some(Limit { by, reason }) = too_many_approvers(facts) {
        return KeyRequest::refused(id, asked, salt, reason, &[by.to_owned()]);
    }
    match policies.needed_approvals(&facts.requester, &facts.iam_user, &question) {
        RequiredApprovals::Approvals(needed) => {
            let shown = ReviewSnapshot::of(&facts.iam_user, needed);
            let ttls = (ctx.config.request_ttl, ctx.config.approved_ttl);
            KeyRequest::new(id, asked, shown, salt, facts.eligible.clone(), ttls)
        }
        RequiredApprovals::Never(denial) => {
            KeyRequest::refused(id, asked, salt, denied_by_policy(&denial), &denial.by)
        }
    }
}

/// Which of two keys could go. In a form it is a sentence, as below.
async fn offer_key_to_replace(
    ctx: &Context,
    message: &SlackEnvelope,
    chooser: &api::SlackMessage,
    now: Timestamp,
) -> anyhow::Result<()> {
    if message.submitted_view().is_some() {
        direct(ctx, &message.person, chooser, now).await?;
        show_outcome(ctx, message, &chooser.text).await;
        return Ok(());
    }
    answer_with(ctx, message, now, chooser).await
}

/// Answers with the request as it was recorded.
async fn confirm_request(
    ctx: &Context,
    message: &SlackEnvelope,
    form: (Submission<'_>, &Known),
    stored: &StoredRequest,
    now: Timestamp,
) -> anyhow::Result<()> {
    let request = &stored.request;
    let (in_form, answer) = match &request.state {
        RequestState::Pending => (text::form_asked(request), approval_card::asked(request)),
        RequestState::Approved => (text::form_ready(request), approval_card::ready(request)),
        RequestState::PolicyDenied { reason } => {
            return refuse(ctx, message, form, &denial_text(ctx, reason), now).await;
        }
        RequestState::LinkIssued { .. }
        | RequestState::Issuing(_)
        | RequestState::Ambiguous(_)
        | RequestState::Issued { .. }
        | RequestState::Completed { .. }
        | RequestState::Denied { .. }
        | RequestState::Cancelled
        | RequestState::Expired => return reply(ctx, message, now, &text::standing(request)).await,
    };
    show_request(ctx, message, &in_form, &answer, now).await
}

/// Answers with a request and its buttons. In a form it is a sentence; the buttons come by direct message, which stays.
async fn show_request(
    ctx: &Context,
    message: &SlackEnvelope,
    in_form: &str,
    answer: &api::SlackMessage,
    now: Timestamp,
) -> anyhow::Result<()> {
    if message.submitted_view().is_some() {
        direct(ctx, &message.person, answer, now).await?;
        show_outcome(ctx, message, in_form).await;
        return Ok(());
    }
    answer_with(ctx, message, now, answer).await
}

async fn ask_for_account(
    ctx: &Context,
    message: &SlackEnvelope,
    submission: Submission<'_>,
    (named, home): (&Account, &Account),
    now: Timestamp,
) -> anyhow::Result<()> {
    let create = submission.create;
    let which = text::account_in_reason(&create.user, named, home);
    if submission.replaces.is_some() {
        return refuse(ctx, message, (submission, &Known::default()), &which, now).await;
    }
    let offer = approval_card::offer_form(which.clone(), &Prefill::from(create));
    show_request(ctx, message, &which, &offer, now).await
}

/// The account that the reason begins with, where none stands behind the IAM user: `create ci in sandbox ...`. Only the
/// person knows whether it is meant.
fn account_in_reason<'a>(ctx: &'a Context, create: &Create) -> Option<&'a Account> {
    let mut words = create.reason.as_str().split(' ').map(|word| word.trim_end_matches([',', '.', ':', ';']));
    let preposition = |word: &&str| ["in", "on", "for", "from", "account"].contains(word);
    let named = words.find(|word| !preposition(word))?.to_ascii_lowercase().parse().ok()?;
    ctx.config.account(&named).filter(|_| create.account.is_none())
}

/// Whether it was refused because there are two keys.
fn needs_key_choice(request: &KeyRequest) -> bool {
    matches!(&request.state, RequestState::PolicyDenied { reason: DenialReason::TwoKeys { .. } })
}
