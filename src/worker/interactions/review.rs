//! An approver's click: judged with fresh facts, against what the card showed, by what the table holds.

use futures_util::future::try_join;

use crate::aws::WriteError;
use crate::domain::audit::AuditEvent;
use crate::domain::denial::DenialReason;
use crate::domain::reason::Reason;
use crate::domain::request::{
    KeyRequest, Notification, RequestEvent, RequestState, ReviewSnapshot, TransitionError,
};
use crate::id::{PersonId, RequestId, Revision};
use crate::policy::{Approve, Authorized, Issue, Policies, PolicyDecision, RequiredApprovals};
use crate::render::{approval_card, text};
use crate::slack::api::{self, SlackApi};
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::{Limit, beyond_limits, denial_text, denied_by_policy, who_may_still_approve};
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied, key_about, memberships};
use crate::worker::limits::admit;
use crate::worker::ops::button::{
    NOTED_SOON, PressOrigin, carried, is_card_being_noted, reject_unknown_button,
};
use crate::worker::ops::card::redraw;
use crate::worker::ops::expire_request::expire_request;
use crate::worker::ops::void_ticket::void_ticket;
use crate::worker::outbox::{commit, drain_outbox, record_audit};
use crate::worker::reply::{approvers_unreachable, reply, try_to_reply};

/// What an approver decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReviewAction {
    Approve(Option<Reason>),
    Deny(Reason),
}

/// What a click comes to, before it is written.
enum ReviewOutcome {
    Event(RequestEvent),
    /// Write this approval, and that these people's no longer count; so many others could still approve.
    Approved {
        event: RequestEvent,
        fallen: Vec<PersonId>,
        left: usize,
    },
    /// The card shows something else than what is so: draw it again.
    Changed(ReviewSnapshot),
    /// The card in front of this person is an old one.
    OldCard,
    /// Say this and change nothing.
    No(String),
}

pub(crate) async fn review(
    ctx: &Context,
    message: &SlackEnvelope,
    click: ReviewAction,
    value: &str,
    place: PressOrigin<'_>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let named = carried(value);
    // Whether they may press so often is seen beside the first read.
    let read = async {
        match &named {
            Some((id, _)) => Ok(StoredRequest::read(&ctx.tables, id).await?),
            None => Ok(None),
        }
    };
    let (read, ()) = try_join(read, admit(ctx, message)).await?;
    let mut read = Some(read);
    let Some((id, revision)) = named else {
        return Ok(reply(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    let Ok(policies) = &ctx.policies else {
        return Ok(reply(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    for _ in 0..MAX_CONFLICT_RETRIES {
        let found = match read.take() {
            Some(found) => found,
            None => StoredRequest::read(&ctx.tables, &id).await?,
        };
        let Some(stored) = found else {
            return Ok(reply(ctx, message, now, text::UNKNOWN_BUTTON).await?);
        };
        if !stored.request.is_known_revision(&revision) {
            return Ok(reject_unknown_button(ctx, message, &stored, now).await?);
        }
        if let Some(own) = find_prior_review(&stored.request, message) {
            redraw(ctx, &stored, now).await;
            return Ok(reply(ctx, message, now, own).await?);
        }
        if is_card_being_noted(ctx, message, place, &stored.request, now) {
            return Err(HandleError::RetryAfter(NOTED_SOON));
        }
        if !place.is_of(&stored.request) {
            return Ok(reply(ctx, message, now, text::UNKNOWN_BUTTON).await?);
        }
        if stored.request.is_expired(now) {
            expire_request(ctx, &stored, now).await?;
            continue;
        }
        if !stored.request.is_actionable()
            || (matches!(click, ReviewAction::Approve(_)) && stored.request.state != RequestState::Pending)
        {
            redraw(ctx, &stored, now).await;
            return Ok(reply(ctx, message, now, &text::moved_on(&stored.request)).await?);
        }
        let judged = evaluate_review(ctx, policies, message, &click, &stored, &revision, now).await?;
        if carry_out(ctx, message, judged, &stored, now).await? {
            return Ok(());
        }
    }
    Err(anyhow::anyhow!("a request changed too often to be decided").into())
}

async fn evaluate_review(
    ctx: &Context,
    policies: &Policies,
    message: &SlackEnvelope,
    click: &ReviewAction,
    stored: &StoredRequest,
    revision: &Revision,
    now: Timestamp,
) -> anyhow::Result<ReviewOutcome> {
    let request = &stored.request;
    let asked = &request.details;
    let slack = slack_client(ctx).await?;
    let subject = (&asked.account, &asked.user);
    let people = (request.approvals.as_slice(), Some(&message.person));
    let key = key_about(ctx, asked).await?;
    let about_request = |facts: DecisionFacts| facts.of_request(request, key.clone());
    let ask = |policies: &Policies, facts: &DecisionFacts| match &facts.actor {
        Some(actor) => {
            let approve = Approve(about_request(facts.clone()).approve_query(asked));
            policies.authorize(actor, approve, &facts.iam_user).map(drop)
        }
        None => Ok(()),
    };
    let found = facts_unless_denied(ctx, &slack, &asked.requester, subject, people, now, ask).await;
    let facts = match found {
        Ok(Found::Facts(facts)) => about_request(*facts),
        Ok(Found::Denied(denial, _)) => {
            return Ok(ReviewOutcome::No(denial_text(ctx, &denied_by_policy(&denial))));
        }
        Ok(Found::NoSuchUser) => {
            return evaluate_without_user(ctx, policies, &slack, message, request).await;
        }
        Err(error) => return Ok(ReviewOutcome::No(denial_text(ctx, &approvers_unreachable(error)?))),
    };
    let actor = facts.actor.as_ref().ok_or_else(|| anyhow::anyhow!("nobody pressed"))?;
    let authorized = policies.authorize(actor, Approve(facts.approve_query(asked)), &facts.iam_user);
    let authorized = match authorized {
        Ok(authorized) => authorized,
        Err(denial) => return Ok(ReviewOutcome::No(denial_text(ctx, &denied_by_policy(&denial)))),
    };
    Ok(match click {
        ReviewAction::Deny(reason) => ReviewOutcome::Event(deny(&authorized, message, reason)),
        ReviewAction::Approve(_) if !request.can_count(&actor.id) => {
            let others = who_may_still_approve(ctx, &slack, &facts, request).await?;
            ReviewOutcome::No(text::approver_since(request, &others))
        }
        ReviewAction::Approve(comment) => {
            if let Some(Limit { reason, .. }) = beyond_limits(ctx, asked, &facts.iam_user) {
                return Ok(ReviewOutcome::Event(RequestEvent::Refuse { reason }));
            }
            match facts.required_approvals(policies, asked) {
                RequiredApprovals::Never(denial) => {
                    ReviewOutcome::Event(RequestEvent::Refuse { reason: denied_by_policy(&denial) })
                }
                RequiredApprovals::Approvals(needed) => {
                    let shown = ReviewSnapshot::of(&facts.iam_user, needed);
                    if request.revision_of(&shown) != request.revision() {
                        ReviewOutcome::Changed(shown)
                    } else if *revision != request.revision() {
                        ReviewOutcome::OldCard
                    } else {
                        let approved = (&authorized, comment.as_ref());
                        let event = approval(ctx, policies, approved, &facts, request, message);
                        with_fallen(ctx, policies, &slack, event, &facts, request).await?
                    }
                }
            }
        }
    })
}

/// There is no IAM user any more that policy could be asked about. The request can only end, and those may end it
/// whom it concerns: its requester, and whoever approves now.
async fn evaluate_without_user(
    ctx: &Context,
    policies: &Policies,
    slack: &SlackApi,
    message: &SlackEnvelope,
    request: &KeyRequest,
) -> anyhow::Result<ReviewOutcome> {
    let memberships = memberships(ctx, slack).await?;
    let actor = ctx.lookup.person(slack, &message.person, &memberships).await?;
    let concerned = memberships.approvers().contains(&actor.id.user) || request.details.requester == actor.id;
    if !actor.is_full_member()
        && let Some(denial) = policies.bars(&actor, &request.details.account)
    {
        return Ok(ReviewOutcome::No(denial_text(ctx, &denied_by_policy(&denial))));
    }
    if !concerned || !actor.is_full_member() {
        return Ok(ReviewOutcome::No(text::NOT_YOURS_TO_DECIDE.to_owned()));
    }
    Ok(ReviewOutcome::Event(RequestEvent::Refuse { reason: DenialReason::UserDeleted }))
}

/// The approval, with whether policy then allows issuing.
fn approval(
    ctx: &Context,
    policies: &Policies,
    (authorized, comment): (&Authorized<Approve>, Option<&Reason>),
    facts: &DecisionFacts,
    request: &KeyRequest,
    message: &SlackEnvelope,
) -> RequestEvent {
    let count = facts.approvals(policies, &request.details, facts.actor.as_ref());
    let issue = Issue(facts.asked(&request.details, count));
    let enough =
        matches!(policies.decide(&facts.requester, &issue, &facts.iam_user), PolicyDecision::Allow { .. });
    RequestEvent::Approve {
        by: authorized.principal().clone(),
        press: message.id.clone(),
        comment: comment.cloned(),
        enough,
        approved_ttl: ctx.config.approved_ttl,
    }
}

/// With the approvals that fall, and how many others could still give one where one is lacking.
async fn with_fallen(
    ctx: &Context,
    policies: &Policies,
    slack: &SlackApi,
    event: RequestEvent,
    facts: &DecisionFacts,
    request: &KeyRequest,
) -> anyhow::Result<ReviewOutcome> {
    let given = request.approvals.iter().map(|approval| &approval.by);
    let fallen = given.filter(|by| !facts.still_counts(policies, &request.details, by)).cloned().collect();
    let left = if matches!(event, RequestEvent::Approve { enough: true, .. }) {
        usize::MAX
    } else {
        let others = who_may_still_approve(ctx, slack, facts, request).await?;
        let pressed = facts.actor.as_ref().map(|person| &person.id.user);
        others.iter().filter(|user| Some(*user) != pressed).count()
    };
    Ok(ReviewOutcome::Approved { event, fallen, left })
}

/// Writes what a click came to and tells whom it concerns; `false` where somebody else wrote first.
async fn carry_out(
    ctx: &Context,
    message: &SlackEnvelope,
    judged: ReviewOutcome,
    stored: &StoredRequest,
    now: Timestamp,
) -> Result<bool, HandleError> {
    let (event, fallen, left) = match judged {
        ReviewOutcome::No(sentence) => {
            reply(ctx, message, now, &sentence).await?;
            record_audit(ctx, stored, AuditEvent::ReviewRejected, message, now).await?;
            return Ok(true);
        }
        ReviewOutcome::OldCard => {
            redraw(ctx, stored, now).await;
            reply(ctx, message, now, &text::card_changed()).await?;
            return Ok(true);
        }
        ReviewOutcome::Changed(shown) => (RequestEvent::FactsChanged(shown), Vec::new(), usize::MAX),
        ReviewOutcome::Event(event) => (event, Vec::new(), usize::MAX),
        ReviewOutcome::Approved { event, fallen, left } => (event, fallen, left),
    };
    let standing = if fallen.is_empty() {
        Ok(stored.request.clone())
    } else {
        stored.request.apply(RequestEvent::RevokeApprovals { by: fallen }, "keyvend", now)
    };
    let applied = standing.and_then(|request| request.apply(event.clone(), &message.person.to_string(), now));
    let next = match applied {
        Ok(next) => next,
        Err(TransitionError::AlreadyApproved) => {
            reply(ctx, message, now, text::ALREADY_APPROVED).await?;
            return Ok(true);
        }
        Err(TransitionError::NotEligible) => {
            reply(ctx, message, now, &text::approver_since(&stored.request, &[])).await?;
            return Ok(true);
        }
        Err(TransitionError::Expired | TransitionError::InvalidState | TransitionError::IntentLost) => {
            return Ok(false);
        }
    };
    let voided = if next.is_actionable() { Vec::new() } else { void_ticket(ctx, stored).await? };
    let (to_presser, to_requester) = notifications_for(&event, &next, left);
    let direct =
        Notification::DirectMessage { to: next.details.requester.clone(), message: to_requester.into() };
    match commit(ctx, stored, next, voided, vec![Notification::UpdateCard, direct]).await {
        Ok(saved) => {
            try_to_reply(ctx, message, now, &to_presser).await;
            drain_outbox(ctx, saved).await;
            Ok(true)
        }
        Err(WriteError::Conflict(_)) => Ok(false),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// What a decision is told as: to whoever pressed, and to the requester.
fn notifications_for(event: &RequestEvent, next: &KeyRequest, left: usize) -> (String, api::SlackMessage) {
    match event {
        RequestEvent::Approve { enough: true, .. } if next.details.kind.existing().is_some() => {
            (text::APPROVAL_COUNTED.to_owned(), approval_card::text(&text::being_done(next)))
        }
        RequestEvent::Approve { enough: true, .. } => {
            (text::APPROVAL_COUNTED.to_owned(), approval_card::ready(next))
        }
        RequestEvent::Approve { by, .. } => {
            let lacking = text::one_more(next, by) + &text::too_few_left(next, left) + &text::comments(next);
            (text::APPROVAL_COUNTED.to_owned(), approval_card::text(&lacking))
        }
        RequestEvent::Deny { by, reason, .. } => {
            let told = format!("{}\n{}", text::denied(next, by), text::because(reason));
            (text::DENIAL_COUNTED.to_owned(), approval_card::text(&told))
        }
        RequestEvent::FactsChanged(_) => {
            (text::card_changed(), approval_card::text(&text::facts_changed(next)))
        }
        RequestEvent::Refuse { .. } => (text::standing(next), approval_card::text(&text::standing(next))),
        // None of these comes of a click alone; they are here so that a new event is thought of.
        RequestEvent::RevokeApprovals { .. }
        | RequestEvent::Ask { .. }
        | RequestEvent::Answer { .. }
        | RequestEvent::Cancel
        | RequestEvent::Replace { .. }
        | RequestEvent::Expire
        | RequestEvent::Remind
        | RequestEvent::IssueLink { .. }
        | RequestEvent::TicketVoided { .. }
        | RequestEvent::Reopen { .. }
        | RequestEvent::StartIssuing { .. }
        | RequestEvent::ResumeIssuing { .. }
        | RequestEvent::Created { .. }
        | RequestEvent::CreateTimedOut { .. }
        | RequestEvent::Rechecked { .. }
        | RequestEvent::Complete
        | RequestEvent::AbortIssuing { .. }
        | RequestEvent::Seal { .. }
        | RequestEvent::RecordTicketEvent { .. }
        | RequestEvent::CardPosted(_) => (text::moved_on(next), approval_card::text(&text::standing(next))),
    }
}

fn deny(authorized: &Authorized<Approve>, message: &SlackEnvelope, reason: &Reason) -> RequestEvent {
    RequestEvent::Deny {
        by: authorized.principal().clone(),
        press: message.id.clone(),
        reason: reason.clone(),
    }
}

/// What to say where this very press was counted before: it was delivered again.
fn find_prior_review(request: &KeyRequest, message: &SlackEnvelope) -> Option<&'static str> {
    // The id alone is no press of this person's: whoever can write to the queue chooses it.
    let is_own = |by: &PersonId, press: &RequestId| *by == message.person && *press == message.id;
    if let RequestState::Denied { by, press, .. } = &request.state
        && is_own(by, press)
    {
        return Some(text::DENIAL_COUNTED);
    }
    let approved = request.approvals.iter().any(|approval| is_own(&approval.by, &approval.interaction_id));
    approved.then_some(text::APPROVAL_COUNTED)
}
