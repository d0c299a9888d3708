//! Issue: the one way a key comes to life. Finish what is found; decide with fresh facts; write down the intent; create
//! once; seal; and only then tell. Every write after the intent is conditional on holding it.

mod abort_issuing;
mod authorize_claim;

use std::time::Duration;

use futures_util::FutureExt as _;
use hpke::rand_core::UnwrapErr;

use crate::aws::item::Write;
use crate::aws::session_policy::{self, IamStep};
use crate::aws::{CreateError, Iam, TagError, WriteError};
use crate::domain::denial::DenialReason;
use crate::domain::key::IssuedKey;
use crate::domain::new_access_key::NewAccessKey;
use crate::domain::request::{IssueIntent, KeyRequest, Notification, RequestEvent, RequestState};
use crate::domain::ticket::claim::TicketState;
use crate::domain::ticket::seal::{KeyNotice, seal};
use crate::id::{AccessKeyId, RunId, TicketId};
use crate::policy::{Authorized, Issue};
use crate::queue::ClaimMessage;
use crate::random::random;
use crate::render::{approval_card, text};
use crate::store::counters;
use crate::store::freeze;
use crate::store::keys::StoredKey;
use crate::store::leases;
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::store::tickets;
use crate::store::tickets::read_ticket;
use crate::time::Timestamp;
use crate::worker::context::{
    CLOCK_SKEW, Context, HandleError, Invocation, LEASE_RETRY_DELAY, MAX_CONFLICT_RETRIES, seconds,
};
use crate::worker::decision_facts::DecisionFacts;
use crate::worker::ops::expire_request::expire_request;
use crate::worker::ops::issue_key::abort_issuing::{abort_issuing, mark_ambiguous};
use crate::worker::ops::issue_key::authorize_claim::{AuthorizedClaim, IssueFailure, authorize_claim};
use crate::worker::ops::key_description::{Described, remove_descriptions};
use crate::worker::ops::key_in_iam::{KeyAt, step_on_key};
use crate::worker::ops::ticket_outbox::import_ticket_events;
use crate::worker::outbox::{commit, drain_outbox};

/// A claim is served for this long, in seconds.
const CLAIM_LIFE: i64 = 180;

/// An invocation with less time left than this begins nothing.
const LEAST_TIME: i64 = 15;

pub(crate) async fn issue(
    ctx: &Context,
    message: &ClaimMessage,
    invocation: Invocation,
) -> Result<(), HandleError> {
    let Some(stored) = import_ticket_events(ctx, &message.tid, invocation.now).await? else {
        return Ok(());
    };
    let state = &stored.request.state;
    if let Some(intent) = state.intent().filter(|intent| intent.tid == message.tid).cloned() {
        resume_intent(ctx, stored, intent, invocation).await
    } else if state.link() == Some(&message.tid) {
        load_claim(ctx, stored, message, invocation).await
    } else {
        Ok(())
    }
}

/// An intent is found: the invocation that holds it has until its deadline. After that its key, unread, is deleted; and where
/// no key is recorded, whether there is one is not known.
pub(crate) async fn resume_intent(
    ctx: &Context,
    stored: StoredRequest,
    intent: IssueIntent,
    invocation: Invocation,
) -> Result<(), HandleError> {
    let Invocation { now, deadline } = invocation;
    if now <= intent.deadline {
        let wait = u64::try_from(intent.deadline.since(now) + 1).unwrap_or(1);
        return Err(HandleError::RetryAfter(Duration::from_secs(wait)));
    }
    let run = RunId::of(random()?);
    let next = stored.request.apply(
        RequestEvent::ResumeIssuing { run: run.clone(), until: deadline },
        "keyvend",
        now,
    )?;
    let stored = match commit(ctx, &stored, next, Vec::new(), Vec::new()).await {
        Ok(stored) => stored,
        Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(Duration::from_secs(1))),
        Err(WriteError::Other(error)) => return Err(error.into()),
    };
    match intent.created {
        Some(key) => {
            delete_own(ctx, &stored.request, (&intent.path, &key), now).await?;
            let failed =
                IssueFailure { deleted: Some(key), ..IssueFailure::again("interrupted", text::TOO_LATE) };
            abort_issuing(ctx, stored, Some(&run), failed, now).await
        }
        None => mark_ambiguous(ctx, stored, &run, now).await,
    }
}

async fn load_claim(
    ctx: &Context,
    stored: StoredRequest,
    message: &ClaimMessage,
    invocation: Invocation,
) -> Result<(), HandleError> {
    let now = invocation.now;
    if stored.request.is_expired(now) {
        return Ok(expire_request(ctx, &stored, now).await?);
    }
    let Some(ticket) = read_ticket(&ctx.tables, &message.tid).await? else { return Ok(()) };
    let TicketState::Claimed(claimed) = ticket.state else { return Ok(()) };
    if claimed.attempt != message.attempt {
        return Ok(());
    }
    // `reveal` wrote that time: one that is still to come would never grow old.
    let ahead = claimed.at.since(now);
    if (1..=CLOCK_SKEW).contains(&ahead) {
        return Err(HandleError::RetryAfter(seconds(ahead)));
    }
    if ahead > 0 || now.since(claimed.at) > CLAIM_LIFE {
        return abort_issuing(ctx, stored, None, IssueFailure::again("too-late", text::TOO_LATE), now).await;
    }
    if invocation.deadline.since(now) < LEAST_TIME {
        return Err(HandleError::RetryAfter(Duration::from_secs(1)));
    }
    let ready = match authorize_claim(ctx, stored, claimed, now).boxed().await? {
        Ok(ready) => ready,
        Err((stored, failed)) => return abort_issuing(ctx, *stored, None, failed, now).await,
    };
    create_and_seal(ctx, ready, invocation).boxed().await
}

async fn create_and_seal(
    ctx: &Context,
    ready: AuthorizedClaim,
    invocation: Invocation,
) -> Result<(), HandleError> {
    let now = invocation.now;
    let creator = match session_for(ctx, IamStep::Create, &ready).await {
        Ok(creator) => creator,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "issuing session not available");
            let say = text::aws_refused(&ready.stored.request.id);
            return abort_issuing(ctx, ready.stored, None, IssueFailure::again("no-session", say), now).await;
        }
    };
    let (stored, run) = write_intent(ctx, &ready, invocation).await?;
    let Some(stored) = stored else {
        let failed = IssueFailure::again("frozen", text::FROZEN);
        return abort_issuing(ctx, ready.stored, None, failed, now).await;
    };
    let key = match create_key(ctx, &creator, &ready.authorized).await {
        Ok(key) => key,
        Err(CreateError::Unknown) => return mark_ambiguous(ctx, stored, &run, now).await,
        Err(error) => {
            tracing::warn!(%error, "CreateAccessKey denied");
            let failed = match error {
                CreateError::LimitExceeded => IssueFailure::again("two-keys", text::SLOT_TAKEN),
                CreateError::NoSuchUser => IssueFailure::denied(ctx, "user-gone", DenialReason::UserDeleted),
                CreateError::Refused(_) | CreateError::Unknown => {
                    IssueFailure::again("aws-refused", text::aws_refused(&stored.request.id))
                }
            };
            return abort_issuing(ctx, stored, Some(&run), failed, now).await;
        }
    };
    let id = key.id.clone();
    match record_and_seal(ctx, &ready, stored, &run, key, now).boxed().await {
        Ok(saved) => {
            let saved = drain_outbox(ctx, saved).await;
            describe(ctx, &ready, &saved, &id, now).await;
            Ok(())
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "sealing failed");
            delete_unsealed_key(ctx, &ready, &run, id, error, now).await
        }
    }
}

/// Replaced, or a write whose outcome is unknown: if the key did not become the request's, it goes.
async fn delete_unsealed_key(
    ctx: &Context,
    ready: &AuthorizedClaim,
    run: &RunId,
    key: AccessKeyId,
    error: anyhow::Error,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(found) = StoredRequest::read(&ctx.tables, &ready.stored.request.id).await? else {
        return Err(error.into());
    };
    let path = &ready.facts.iam_user.path;
    let state = &found.request.state;
    if state.issued().is_some_and(|(sealed, _)| *sealed == key) {
        let found = drain_outbox(ctx, found).await;
        describe(ctx, ready, &found, &key, now).await;
        return Ok(());
    }
    let is_held = state.intent().is_some_and(|intent| intent.invocation == *run);
    delete_own(ctx, &found.request, (path, &key), now).await?;
    if !is_held {
        return Err(error.into());
    }
    let failed = IssueFailure { deleted: Some(key), ..IssueFailure::again("not-recorded", text::TOO_LATE) };
    abort_issuing(ctx, found, Some(run), failed, now).await
}

/// Writes the intent down: the request, the IAM user's lease, the ticket as claimed, no freeze, the day's count.
/// `None` where all issuing is stopped.
async fn write_intent(
    ctx: &Context,
    ready: &AuthorizedClaim,
    invocation: Invocation,
) -> Result<(Option<StoredRequest>, RunId), HandleError> {
    let run = RunId::of(random()?);
    let asked = &ready.stored.request.details;
    let intent = IssueIntent {
        tid: ready.tid.clone(),
        invocation: run.clone(),
        started_at: invocation.now,
        deadline: invocation.deadline,
        path: ready.facts.iam_user.path.clone(),
        existing_keys: ready.facts.iam_user.keys.iter().map(|key| key.id.clone()).collect(),
        created: None,
    };
    let event = RequestEvent::StartIssuing { intent, browser: ready.claimed.browser.to_string() };
    let next = ready.stored.request.apply(event, &asked.requester.to_string(), invocation.now)?;
    let others = vec![
        leases::take_lease(&asked.account, &asked.user, ready.stored.request.id.as_str()),
        tickets::assert_claimed(&ready.tid, ready.claimed.attempt),
        freeze::not_frozen(),
        counters::increment_daily_count(&asked.requester, invocation.now, ready.facts.issued_today),
    ];
    match commit(ctx, &ready.stored, next, others, Vec::new()).await {
        Ok(stored) => Ok((Some(stored), run)),
        Err(WriteError::Conflict(_)) if freeze::is_frozen(&ctx.tables).await? => Ok((None, run)),
        // The lease is held, or something moved since it was read: look again.
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// The one call that brings a key to life: it takes policy's yes.
async fn create_key(
    _ctx: &Context,
    creator: &Iam,
    authorized: &Authorized<Issue>,
) -> Result<NewAccessKey, CreateError> {
    creator.create_access_key(&authorized.at().name).await
}

async fn record_and_seal(
    ctx: &Context,
    ready: &AuthorizedClaim,
    stored: StoredRequest,
    run: &RunId,
    key: NewAccessKey,
    now: Timestamp,
) -> anyhow::Result<StoredRequest> {
    let asked = ready.stored.request.details.clone();
    let created = RequestEvent::Created { run: run.clone(), key: key.id.clone() };
    let stored =
        save_while_holding_intent(ctx, stored, &created, now, |_| Ok((Vec::new(), Vec::new()))).await?;
    // As its record will have it: both are of this request and this time.
    let DecisionFacts { requester, iam_user, .. } = &ready.facts;
    let issued = |request: &KeyRequest| IssuedKey::from_request(request, requester, iam_user, &key.id, now);
    let expires_at = issued(&stored.request).expires_at;
    let notice = KeyNotice { expires_at, command: ctx.config.command.as_str() };
    let sealed = seal(
        &key,
        (&asked.account, &asked.user),
        notice,
        &ready.claimed.key,
        (&tid_bytes(&ready.tid)?, &ready.psk),
        &random()?,
        &mut UnwrapErr(getrandom::SysRng),
    )?;
    let sealing = RequestEvent::Seal { run: run.clone() };
    let with = |next: &KeyRequest| {
        let issued = issued(next);
        let others = vec![
            tickets::sealed(&ready.tid, ready.claimed.attempt, sealed.clone(), now),
            StoredKey::create(&issued)?,
            TicketRef::remove_psk(&ready.tid),
            leases::release_lease(&asked.account, &asked.user, next.id.as_str()),
        ];
        let message = approval_card::issued(next, &issued, ready.claimed.browser);
        let told = Notification::DirectMessage { to: asked.requester.clone(), message: message.into() };
        Ok((others, vec![Notification::UpdateCard, told]))
    };
    save_while_holding_intent(ctx, stored, &sealing, now, with).await
}

/// A write by the invocation that holds the intent. Others may write beside it (what `reveal` did is taken in); as long as the
/// intent is still this invocation's, that is no reason to give up its key.
async fn save_while_holding_intent(
    ctx: &Context,
    mut stored: StoredRequest,
    event: &RequestEvent,
    now: Timestamp,
    with: impl Fn(&KeyRequest) -> anyhow::Result<(Vec<Write>, Vec<Notification>)>,
) -> anyhow::Result<StoredRequest> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let next = stored.request.apply(event.clone(), "keyvend", now)?;
        let (others, notifications) = with(&next)?;
        match commit(ctx, &stored, next, others, notifications).await {
            Ok(saved) => return Ok(saved),
            Err(WriteError::Conflict(lost)) => {
                stored = StoredRequest::read(&ctx.tables, &stored.request.id).await?.ok_or(lost)?;
            }
            Err(WriteError::Other(error)) => return Err(error),
        }
    }
    anyhow::bail!("a request changed too often while its key was recorded")
}

/// The key's description, as the console shows it. Going without is a note, no failure. Where the user has no room for
/// another tag, the descriptions of keys that are gone make some.
async fn describe(
    ctx: &Context,
    ready: &AuthorizedClaim,
    saved: &StoredRequest,
    key: &AccessKeyId,
    now: Timestamp,
) {
    let asked = &saved.request.details;
    let described = async {
        let session = session_for(ctx, IamStep::Describe, ready).await?;
        let description = text::description(&saved.request);
        match session.tag_key(&asked.user, key, &description).await {
            Err(TagError::LimitExceeded) => {}
            done => return Ok(done?),
        }
        let requester = asked.requester.to_string();
        let described = Described {
            account: &asked.account,
            user: &asked.user,
            path: &ready.facts.iam_user.path,
            operation: saved.request.id.as_str(),
            by: &requester,
        };
        remove_descriptions(ctx, described, None, now).boxed().await;
        anyhow::Ok(session.tag_key(&asked.user, key, &description).await?)
    };
    if let Err(error) = described.await {
        tracing::warn!(error = format!("{error:#}"), "key description not tagged");
    }
}

/// The message dies with this receive: the person who waits is told, and may press again.
pub(crate) async fn give_up_claim(
    ctx: &Context,
    message: &ClaimMessage,
    error: &HandleError,
    now: Timestamp,
) {
    let say = match error {
        HandleError::RetryAfter(_) | HandleError::RateLimited => text::KEY_OPERATION_IN_PROGRESS,
        HandleError::Failed(_) => text::TOO_LATE,
    };
    let given_up = async {
        let Some(stored) = import_ticket_events(ctx, &message.tid, now).await? else { return Ok(()) };
        if stored.request.state != (RequestState::LinkIssued { tid: message.tid.clone() }) {
            return Ok(());
        }
        abort_issuing(ctx, stored, None, IssueFailure::again("gave-up", say), now).await
    };
    if let Err(HandleError::Failed(error)) = given_up.await {
        tracing::error!(error = format!("{error:#}"), "abandoned claim not recorded");
    }
}

/// A session of the issuer role for one step on this request's IAM user.
async fn session_for(ctx: &Context, step: IamStep, ready: &AuthorizedClaim) -> anyhow::Result<Iam> {
    session(ctx, step, &ready.stored.request, &ready.facts.iam_user.path).await
}

async fn session(ctx: &Context, step: IamStep, request: &KeyRequest, path: &str) -> anyhow::Result<Iam> {
    let asked = &request.details;
    let policy = session_policy::write_policy(step, &asked.account, path, &asked.user)?;
    ctx.sts.session(&asked.account, request.id.as_str(), &asked.requester.to_string(), policy).await
}

/// Deletes a key that this request created and nobody has read. It was not described yet: that follows the seal.
async fn delete_own(
    ctx: &Context,
    request: &KeyRequest,
    (path, key): (&str, &AccessKeyId),
    now: Timestamp,
) -> anyhow::Result<()> {
    let asked = &request.details;
    let created_at = Some(request.state.intent().map_or(now, |intent| intent.started_at));
    let at = KeyAt { account: &asked.account, user: &asked.user, path, key, created_at };
    let requester = asked.requester.to_string();
    let session = (request.id.as_str(), requester.as_str());
    step_on_key(ctx, IamStep::Delete, at, session, now).boxed().await.map(drop)
}

fn tid_bytes(tid: &TicketId) -> anyhow::Result<[u8; 16]> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(tid.as_str())?;
    bytes.try_into().map_err(|_| anyhow::anyhow!("a ticket id of another length"))
}
