//! **Ask** and **Answer**: an approver asks about a request that waits, its requester answers, and both are kept with it. Only
//! those ask whose approval could count now; neither decides anything.

use crate::aws::WriteError;
use crate::domain::audit::AuditEvent;
use crate::domain::reason::Reason;
use crate::domain::request::{KeyRequest, MAX_QUESTIONS, Notification, Question, RequestEvent, RequestState};
use crate::facts::NoSuchUser;
use crate::policy::Approve;
use crate::render::{approval_card, modal, text};
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::{denial_text, denied_by_policy};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{facts_about, with_key};
use crate::worker::ops::button::{PressOrigin, of_requester, on_card, open_or_say};
use crate::worker::ops::card::redraw;
use crate::worker::outbox::{commit, drain_outbox, record_audit};
use crate::worker::reply::{answer, approvers_unreachable, reply, try_to_reply};

/// Sends an approver's question to the requester, and into the card's thread.
pub(crate) async fn ask_question(
    ctx: &Context,
    message: &SlackEnvelope,
    question: &Reason,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = on_card(ctx, message, value, PressOrigin::Form, now).await? else { return Ok(()) };
    let request = &stored.request;
    let is_this = |asked: &Question| asked.interaction_id == message.id && asked.by == message.person;
    if request.questions.iter().any(is_this) {
        return Ok(reply(ctx, message, now, text::QUESTION_SENT).await?);
    }
    if let Some(no) = may_not_ask(ctx, message, request, now).await? {
        reply(ctx, message, now, &no).await?;
        return Ok(record_audit(ctx, &stored, AuditEvent::ReviewRejected, message, now).await?);
    }
    if request.state != RequestState::Pending || request.is_expired(now) {
        redraw(ctx, &stored, now).await;
        return Ok(reply(ctx, message, now, &text::moved_on(request)).await?);
    }
    if request.questions.len() >= MAX_QUESTIONS {
        return Ok(reply(ctx, message, now, text::ENOUGH_QUESTIONS).await?);
    }
    let event = RequestEvent::Ask {
        by: message.person.clone(),
        press: message.id.clone(),
        question: question.clone(),
    };
    let next = request.apply(event, &message.person.to_string(), now).map_err(anyhow::Error::from)?;
    let notifications = next.questions.last().map(|asked| {
        let thread = approval_card::text(&text::asked_in_thread(&next, asked));
        let direct = approval_card::question(&next, request.questions.len(), asked);
        [
            Notification::DirectMessage { to: next.details.requester.clone(), message: direct.into() },
            Notification::ThreadReply { message: thread.into() },
        ]
    });
    let notifications = notifications.into_iter().flatten().collect();
    save(ctx, message, &stored, (next, notifications), text::QUESTION_SENT, now).await
}

/// Why this person may not ask: it is the requester, or their approval would not count.
async fn may_not_ask(
    ctx: &Context,
    message: &SlackEnvelope,
    request: &KeyRequest,
    now: Timestamp,
) -> anyhow::Result<Option<String>> {
    if !request.can_count(&message.person) {
        return Ok(Some(text::ONLY_REVIEWERS_ASK.to_owned()));
    }
    let Ok(policies) = &ctx.policies else { return Ok(Some(text::POLICIES_INVALID.to_owned())) };
    let asked = &request.details;
    let facts = match facts_about(ctx, &*slack_client(ctx).await?, request, Some(&message.person), now).await
    {
        Ok(Ok(facts)) => with_key(ctx, facts, asked).await?,
        Ok(Err(NoSuchUser)) => return Ok(Some(text::user_gone(&asked.user, &asked.account))),
        Err(error) => return Ok(Some(denial_text(ctx, &approvers_unreachable(error)?))),
    };
    let actor = facts.actor.as_ref().ok_or_else(|| anyhow::anyhow!("nobody pressed"))?;
    let approve = Approve(facts.approve_query(asked));
    let denied = policies.authorize(actor, approve, &facts.iam_user).err();
    Ok(denied.map(|denial| denial_text(ctx, &denied_by_policy(&denial))))
}

/// Opens the form in which the requester answers.
pub(crate) async fn open_answer_form(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let (own, number) = approval_card::question_of(value).unwrap_or_default();
    let Some(stored) = of_requester(ctx, message, own, now).await? else { return Ok(()) };
    let request = &stored.request;
    let Some(asked) = request.open_question(number, now) else {
        return Ok(answer(ctx, message, now, &text::not_to_answer(&text::standing(request))).await?);
    };
    open_or_say(ctx, message, &modal::answer(asked, value), now).await
}

/// Puts the requester's answer into the card's thread.
pub(crate) async fn answer_question(
    ctx: &Context,
    message: &SlackEnvelope,
    given: &Reason,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let (own, number) = approval_card::question_of(value).unwrap_or_default();
    let Some(stored) = of_requester(ctx, message, own, now).await? else { return Ok(()) };
    let request = &stored.request;
    let before = request.questions.get(number).and_then(|asked| asked.answer.as_ref());
    if before.is_some_and(|before| before.interaction_id == message.id) {
        return Ok(reply(ctx, message, now, text::ANSWER_SENT).await?);
    }
    let Some(asked) = request.open_question(number, now) else {
        return Ok(reply(ctx, message, now, &text::not_to_answer(&text::standing(request))).await?);
    };
    let thread = approval_card::text(&text::answered_in_thread(request, asked, given.as_str()));
    let event = RequestEvent::Answer { number, press: message.id.clone(), answer: given.clone() };
    let next = request.apply(event, &message.person.to_string(), now).map_err(anyhow::Error::from)?;
    // The card's update ends the message with the question.
    let notifications = vec![Notification::ThreadReply { message: thread.into() }, Notification::UpdateCard];
    save(ctx, message, &stored, (next, notifications), text::ANSWER_SENT, now).await
}

/// Losing the race to write it is a fault, so that the message comes again and is judged again.
async fn save(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredRequest,
    (next, notifications): (KeyRequest, Vec<Notification>),
    said: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let saved = commit(ctx, stored, next, Vec::new(), notifications).await.map_err(|error| match error {
        WriteError::Conflict(lost) => HandleError::from(anyhow::Error::from(lost)),
        WriteError::Other(error) => error.into(),
    })?;
    try_to_reply(ctx, message, now, said).await;
    drain_outbox(ctx, saved).await;
    Ok(())
}
