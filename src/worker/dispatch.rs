//! Receives the messages of every queue, and dispatches them. What a message may say is decided by the queue it came from,
//! never by the message. Every handler is re-entrant, for a message may come more than once.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use futures_util::future::join;
use serde_json::Value;
use tracing::field::{self, display};
use tracing::{Instrument as _, Span};

use crate::aws::ReceiptHandle;
use crate::config::QueueUrl;
use crate::domain::audit::AuditEvent;
use crate::id::AccessKeyId;
use crate::queue::DueMessage;
use crate::render::text;
use crate::slack::action_id::{Action, Callback};
use crate::slack::command::{self, Command, Create, Prefill};
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::backlog::NotificationRef;
use crate::store::keys::StoredKey;
use crate::store::requests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::{account_named, barred, refuse_barred};
use crate::worker::backlog::deliver_in_order;
use crate::worker::claims::on_claims;
use crate::worker::commands::cancel::{cancel, cancel_by_button};
use crate::worker::commands::change_key::change_key;
use crate::worker::commands::create::create;
use crate::worker::commands::deactivate::deactivate;
use crate::worker::commands::delete::delete;
use crate::worker::commands::freeze::freeze;
use crate::worker::commands::list::list;
use crate::worker::commands::status::{status, whoami};
use crate::worker::context::{
    CLOCK_SKEW, Context, HandleError, Invocation, MAX_COMMAND_AGE, MAX_RECEIVES, seconds,
};
use crate::worker::events::approver_joined::somebody_joined;
use crate::worker::events::home_opened::show_home;
use crate::worker::events::user_deactivated::somebody_left;
use crate::worker::interactions::details::details;
use crate::worker::interactions::discrepancies::{mark_known, show_discrepancies};
use crate::worker::interactions::edit_request::{edit_request, open_edit_form};
use crate::worker::interactions::get_key::get_key;
use crate::worker::interactions::question::{answer_question, ask_question, open_answer_form};
use crate::worker::interactions::report_key::{marked_off, report_key};
use crate::worker::interactions::request_form::{open_form, open_form_for, show_alternative};
use crate::worker::interactions::review::{ReviewAction, review};
use crate::worker::interactions::review_form::open_review_form;
use crate::worker::interactions::review_suspect::review_suspect;
use crate::worker::interactions::several_accounts::create_in_accounts;
use crate::worker::interactions::undo_deactivation::undo_deactivation;
use crate::worker::jobs::audit_checkpoint::take_page;
use crate::worker::jobs::refresh_ownership::refresh_ownership_page;
use crate::worker::limits::{
    admit, admits_itself, fetch_ahead, only_turns_off, refuse_rate, tells_of_iam_users,
};
use crate::worker::ops::button::{PressOrigin, key_to_deactivate};
use crate::worker::ops::key_change::KeyChange;
use crate::worker::ops::key_in_iam::{NotShown, notify_of_unproven};
use crate::worker::outbox::record_audit;
use crate::worker::rate_limit::{in_crowd, limited_by, retry_after};
use crate::worker::reply::{answer, failure_text, reply, try_to_reply};
use crate::worker::timers::sweep::{run_item_timer, sweep, ticket_timer};
use crate::worker::timers::ticket::resume_issue;

/// Handles one event of an SQS mapping; the answer names the messages that are failed
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
pub async fn handle(ctx: &Context, event: Value, invocation: Invocation) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let Ok(event) = serde_json::from_value::<SqsEvent>(event) else {
        tracing::error!("unexpected Lambda event");
        return response;
    };
    for message in event.records {
        let id = message.message_id.clone().unwrap_or_default();
        let span = tracing::info_span!(
            "message",
            queue = field::Empty,
            message_id = id,
            request_id = field::Empty,
            ticket_id = field::Empty,
            key_id = field::Empty,
        );
        if receive(ctx, message, invocation).instrument(span).await.is_err() {
            response.add_failure(id);
        }
    }
    response
}

/// What is left to be delivered again.
struct Undone;

async fn receive(ctx: &Context, message: SqsMessage, invocation: Invocation) -> Result<(), Undone> {
    let received = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let received: u32 = received.unwrap_or(1);
    let arn = message.event_source_arn.as_deref().unwrap_or_default();
    let body = message.body.as_deref().unwrap_or_default();
    let span = Span::current();
    let (queue, done) = if ctx.config.slack_queue.is_source(arn) {
        span.record("queue", "slack");
        (&ctx.config.slack_queue, on_slack(ctx, body, invocation, received).boxed().await)
    } else if ctx.config.claims_queue.is_source(arn) {
        span.record("queue", "claims");
        (&ctx.config.claims_queue, on_claims(ctx, body, invocation, received).boxed().await)
    } else if ctx.config.due_queue.is_source(arn) {
        span.record("queue", "due");
        let group = message.attributes.get("MessageGroupId").map(String::as_str);
        (&ctx.config.due_queue, on_due(ctx, body, group, invocation, received).boxed().await)
    } else if ctx.config.sweep_queue.is_source(arn) {
        span.record("queue", "sweep");
        // Whatever its body says: this queue has one meaning, so nothing can be said through it.
        (&ctx.config.sweep_queue, sweep(ctx, invocation.now).boxed().await)
    } else {
        tracing::error!("unexpected queue ARN");
        return Err(Undone);
    };
    let Err(error) = done else { return Ok(()) };
    let id = message.message_id.unwrap_or_default();
    delay_retry(ctx, queue, (&id, message.receipt_handle), error, received).await;
    Err(Undone)
}

async fn on_slack(
    ctx: &Context,
    body: &str,
    invocation: Invocation,
    received: u32,
) -> Result<(), HandleError> {
    let Ok(message) = serde_json::from_str::<SlackEnvelope>(body) else {
        tracing::error!("malformed message");
        return Ok(());
    };
    record_ids(&message);
    let ahead = message.signed_at.since(invocation.now);
    if (1..=CLOCK_SKEW).contains(&ahead) {
        return Err(HandleError::RetryAfter(seconds(ahead)));
    }
    let done = dispatch(ctx, &message, invocation).await;
    if let Err(HandleError::RateLimited) = done {
        refuse_rate(ctx, &message).await;
        return Ok(());
    }
    if let (Err(error), true) = (&done, received >= MAX_RECEIVES) {
        if limited_by(error).is_some() && message.what.is_of_a_person() && !only_turns_off(&message.what) {
            tracing::warn!("Slack rate limit lasted too long, sender notified");
            try_to_reply(ctx, &message, invocation.now, text::SLACK_LIMITS).await;
            return Ok(());
        }
        let not_shown = not_shown(error);
        let say = match (marked_off(ctx, &message).await, error) {
            (Some(key), _) => text::deactivation_failed(&key),
            (None, HandleError::Failed(error)) => match error.downcast_ref::<NotShown>() {
                Some(NotShown { key, cause }) => text::key_unproven(key, &cause.to_string()),
                None => failure_text(ctx, error, &message.id),
            },
            (None, HandleError::RetryAfter(_) | HandleError::RateLimited) => text::error(&message.id),
        };
        record_failure(ctx, &message, invocation.now).await;
        if message.what.is_of_a_person() {
            try_to_reply(ctx, &message, invocation.now, &say).await;
        }
        if let Some(not_shown) = not_shown {
            // Of a key on record the timer goes on; people are told of it by that.
            if StoredKey::read(&ctx.tables, &not_shown.key).await?.is_none() {
                notify_of_unproven(ctx, not_shown).await?;
            }
            return Ok(());
        }
    }
    done
}

fn not_shown(error: &HandleError) -> Option<&NotShown> {
    match error {
        HandleError::Failed(error) => error.downcast_ref(),
        HandleError::RetryAfter(_) | HandleError::RateLimited => None,
    }
}

async fn on_due(
    ctx: &Context,
    body: &str,
    group: Option<&str>,
    invocation: Invocation,
    received: u32,
) -> Result<(), HandleError> {
    let span = Span::current();
    match serde_json::from_str::<DueMessage>(body) {
        Ok(DueMessage::Notify { request, number }) => {
            span.record("request_id", display(&request));
            let group = group.map_or_else(|| format!("notify.{request}"), str::to_owned);
            let notification = NotificationRef(request, number);
            deliver_in_order(ctx, &group, &notification, invocation.now, received).boxed().await
        }
        Ok(DueMessage::RefreshOwnership(page)) => {
            refresh_ownership_page(ctx, page, invocation.now, received).boxed().await
        }
        Ok(DueMessage::Checkpoint(page)) => match take_page(ctx, &page, invocation.now).await {
            // A later sweep sends it again.
            Err(HandleError::Failed(error)) if received >= MAX_RECEIVES => {
                tracing::error!(error = format!("{error:#}"), "audit checkpoint failed, backing off");
                Ok(())
            }
            taken => taken,
        },
        Ok(DueMessage::ItemTimer { item, due_at }) => {
            if let Some(request) = requests::request_of(&item) {
                span.record("request_id", display(request));
            } else if let Some(key) = StoredKey::of_item(&item) {
                span.record("key_id", display(key));
            }
            run_item_timer(ctx, &item, due_at, invocation, received).await
        }
        Ok(DueMessage::TicketTimer { tid, due_at }) => {
            span.record("ticket_id", display(&tid));
            ticket_timer(ctx, &tid, due_at, invocation.now, received).boxed().await
        }
        Ok(DueMessage::ResumeIssue { tid, attempt }) => {
            span.record("ticket_id", display(&tid));
            resume_issue(ctx, tid, attempt, invocation, received >= MAX_RECEIVES).boxed().await
        }
        Err(_) => {
            tracing::error!("malformed message");
            Ok(())
        }
    }
}

/// Puts the request or key that a message is about into the span of its log lines.
fn record_ids(message: &SlackEnvelope) {
    let key: Option<AccessKeyId> = match &message.what {
        SlackEvent::Command(
            Command::Rotate(key)
            | Command::Extend(key)
            | Command::Activate(key)
            | Command::Deactivate(key)
            | Command::Delete(key),
        ) => Some(key.clone()),
        SlackEvent::Interaction(Interaction::BlockActions { value, .. }) => value.parse().ok(),
        SlackEvent::Command(_)
        | SlackEvent::Interaction(Interaction::ViewSubmission { .. })
        | SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => None,
    };
    let span = Span::current();
    match key {
        Some(key) => span.record("key_id", display(key)),
        None => span.record("request_id", display(message.about())),
    };
}

async fn dispatch(ctx: &Context, message: &SlackEnvelope, invocation: Invocation) -> Result<(), HandleError> {
    if message.what == SlackEvent::UserDeactivated {
        // Facts are looked up afresh for every decision, so whoever left is refused from now on; what is left are
        // the keys that person asked for.
        return somebody_left(ctx, message, invocation.now).boxed().await;
    }
    if let SlackEvent::JoinedChannel { .. } | SlackEvent::JoinedGroup { .. } = &message.what {
        return somebody_joined(ctx, message).boxed().await;
    }
    if let SlackEvent::Interaction(Interaction::BlockActions {
        action_id: Some(Action::ReportKey),
        value,
        ..
    }) = &message.what
    {
        // However late it comes, deactivating is never too late.
        return report_key(ctx, message, value, invocation.now).await;
    }
    if message.what == SlackEvent::OpenedHome {
        return show_home(ctx, message, invocation.now).boxed().await;
    }
    if let Some((key, why)) = key_to_deactivate(&message.what) {
        return deactivate(ctx, message, &key, why, invocation.now).boxed().await;
    }
    // Nor is it from the future, in which no time would run out. Where Slack's clock is ahead, the time of receiving it
    // counts.
    let age = invocation.now.since(message.signed_at);
    if !(0..=MAX_COMMAND_AGE).contains(&age) {
        return Ok(reply(ctx, message, invocation.now, text::TOO_OLD).await?);
    }
    if !admits_itself(&message.what) {
        let account = if let SlackEvent::Command(Command::List(Some(typed))) = &message.what {
            account_named(ctx, typed.account.as_ref()).ok()
        } else {
            None
        };
        join(admit(ctx, message), fetch_ahead(ctx, account, invocation.now)).await.0?;
    }
    if tells_of_iam_users(&message.what)
        && let Some(barred) = barred(ctx, &message.person).await?
    {
        return refuse_barred(ctx, message, barred, invocation.now).boxed().await;
    }
    // Boxed, each: else the one future has room for all of them at once, and the stack too.
    match &message.what {
        SlackEvent::Command(command) => match command {
            Command::Form(user) => open_form_for(ctx, message, user.clone(), invocation.now).boxed().await,
            Command::Create(typed) => create(ctx, message, typed.into(), invocation.now).boxed().await,
            Command::List(user) => list(ctx, message, user.as_ref(), invocation.now).boxed().await,
            Command::Rotate(key) => {
                change_key(ctx, message, key, KeyChange::Rotate, invocation.now).boxed().await
            }
            Command::Extend(key) => {
                change_key(ctx, message, key, KeyChange::Extend, invocation.now).boxed().await
            }
            Command::Activate(key) => {
                change_key(ctx, message, key, KeyChange::Reactivate, invocation.now).boxed().await
            }
            Command::Delete(key) => delete(ctx, message, key, invocation.now).boxed().await,
            Command::Status(request) => status(ctx, message, request.as_ref(), invocation.now).boxed().await,
            Command::Cancel(request) => cancel(ctx, message, request.as_ref(), invocation.now).boxed().await,
            Command::Whoami => whoami(ctx, message, invocation.now).boxed().await,
            Command::Freeze => freeze(ctx, message, true, invocation.now).boxed().await,
            Command::Unfreeze => freeze(ctx, message, false, invocation.now).boxed().await,
            Command::Deactivate(_) | Command::Help => Ok(()),
        },
        SlackEvent::Interaction(Interaction::BlockActions { action_id, value, view: Some(view), .. }) => {
            match action_id {
                Some(Action::ChooseUseCase) => show_alternative(ctx, message, view, value).boxed().await,
                // In the Home tab.
                Some(Action::OpenRequestForm) => {
                    open_form(ctx, message, Prefill::of_button(value), invocation.now).boxed().await
                }
                // Whatever else is chosen in a form counts when it is submitted.
                Some(_) | None => Ok(()),
            }
        }
        SlackEvent::Interaction(Interaction::BlockActions { action_id, value, message: button, .. }) => {
            let press = Press { value, place: PressOrigin::Card(button.as_ref()) };
            match action_id {
                Some(action) => dispatch_action(ctx, message, *action, press, invocation.now).await,
                None => Ok(answer(ctx, message, invocation.now, text::UNKNOWN_BUTTON).await?),
            }
        }
        SlackEvent::Interaction(Interaction::ViewSubmission { callback_id, carried, values, .. }) => {
            match (callback_id, Create::filled(values), command::review_reason(values)) {
                (Some(Callback::Request), Ok(submitted), _) => {
                    create_in_accounts(ctx, message, &submitted, values, invocation.now).boxed().await
                }
                (Some(Callback::Edit), Ok(changed), _) => {
                    edit_request(ctx, message, &changed, carried, invocation.now).boxed().await
                }
                (Some(Callback::Approve), _, Ok(comment)) => {
                    let (approve, form) = (ReviewAction::Approve(Some(comment)), PressOrigin::Form);
                    review(ctx, message, approve, carried, form, invocation.now).boxed().await
                }
                (Some(Callback::Deny), _, Ok(reason)) => {
                    let (deny, form) = (ReviewAction::Deny(reason), PressOrigin::Form);
                    review(ctx, message, deny, carried, form, invocation.now).boxed().await
                }
                (Some(Callback::Question), _, Ok(question)) => {
                    ask_question(ctx, message, &question, carried, invocation.now).boxed().await
                }
                (Some(Callback::Answer), _, Ok(given)) => {
                    answer_question(ctx, message, &given, carried, invocation.now).boxed().await
                }
                (
                    Some(
                        Callback::Request
                        | Callback::Edit
                        | Callback::Approve
                        | Callback::Deny
                        | Callback::Question
                        | Callback::Answer,
                    )
                    | None,
                    _,
                    _,
                ) => Ok(reply(ctx, message, invocation.now, text::UNKNOWN_BUTTON).await?),
            }
        }
        SlackEvent::OpenedHome
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => Ok(()),
    }
}

/// A pressed button: what it carries and where it was.
#[derive(Clone, Copy)]
struct Press<'a> {
    value: &'a str,
    place: PressOrigin<'a>,
}

/// Every button, each to its handler.
async fn dispatch_action(
    ctx: &Context,
    message: &SlackEnvelope,
    action: Action,
    Press { value, place }: Press<'_>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let key = value.parse::<AccessKeyId>();
    let change = match action {
        Action::Approve => {
            return review(ctx, message, ReviewAction::Approve(None), value, place, now).boxed().await;
        }
        Action::OpenApproveForm => {
            return open_review_form(ctx, message, (value, place), Callback::Approve, now).boxed().await;
        }
        Action::OpenDenyForm => {
            return open_review_form(ctx, message, (value, place), Callback::Deny, now).boxed().await;
        }
        Action::OpenAskForm => {
            return open_review_form(ctx, message, (value, place), Callback::Question, now).boxed().await;
        }
        Action::OpenAnswerForm => return open_answer_form(ctx, message, value, now).boxed().await,
        Action::Details => return details(ctx, message, value, place, now).boxed().await,
        Action::OpenRequestForm => {
            return open_form(ctx, message, Prefill::of_button(value), now).boxed().await;
        }
        Action::GetKey => return get_key(ctx, message, value, now).boxed().await,
        Action::EditRequest => return open_edit_form(ctx, message, value, now).boxed().await,
        Action::Cancel => return cancel_by_button(ctx, message, value, now).boxed().await,
        Action::SuspectOurs => return review_suspect(ctx, message, value, true, now).boxed().await,
        Action::SuspectNotOurs => return review_suspect(ctx, message, value, false, now).boxed().await,
        Action::Freeze => return freeze(ctx, message, true, now).boxed().await,
        Action::ShowDiscrepancies => return show_discrepancies(ctx, message, now).boxed().await,
        Action::MarkKnown => return mark_known(ctx, message, value, now).boxed().await,
        Action::UndoDeactivation => return undo_deactivation(ctx, message, value, now).boxed().await,
        Action::Rotate => Some(KeyChange::Rotate),
        Action::Renew => Some(KeyChange::Renew),
        Action::Extend => Some(KeyChange::Extend),
        Action::UndoExpiry => Some(KeyChange::UndoExpiry),
        Action::ConfirmReceipt => Some(KeyChange::ConfirmReceipt),
        Action::Replace => Some(KeyChange::Replace),
        Action::Activate => Some(KeyChange::Reactivate),
        // Those that deactivate a key were dispatched before, unless they name none.
        Action::Delete
        | Action::ReportKey
        | Action::Deactivate
        | Action::DeactivateRotated
        | Action::DeactivateOrphaned
        | Action::ChooseUseCase
        | Action::OpenLink => None,
    };
    match (key, change) {
        (Ok(key), Some(change)) => change_key(ctx, message, &key, change, now).boxed().await,
        (Ok(key), None) if action == Action::Delete => delete(ctx, message, &key, now).boxed().await,
        (Ok(_), None) | (Err(_), _) => Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?),
    }
}

/// Makes the message visible again when it is worth another look.
async fn delay_retry(
    ctx: &Context,
    queue: &QueueUrl,
    (id, receipt): (&str, Option<String>),
    error: HandleError,
    received: u32,
) {
    let delay = match error {
        HandleError::RetryAfter(delay) => delay,
        HandleError::RateLimited => Duration::from_secs(60),
        HandleError::Failed(error) => {
            let limit = retry_after(&error);
            let error = format!("{error:#}");
            if received < MAX_RECEIVES {
                tracing::warn!(receive_count = received, error, "message handling failed, will retry");
            } else {
                tracing::error!(receive_count = received, error, "message handling failed, giving up");
            }
            match limit {
                Some(delay) => in_crowd(delay, id, received),
                None => Duration::from_secs(4u64.saturating_pow(received.clamp(1, 3) - 1)),
            }
        }
    };
    let Some(receipt) = receipt.map(ReceiptHandle) else { return };
    if let Err(error) = ctx.sqs.change_visibility(queue, &receipt, delay).await {
        tracing::warn!(error = format!("{error:#}"), "changing message visibility failed");
    }
}

/// Audits that a message dies undone, where there is a request that it was about.
async fn record_failure(ctx: &Context, message: &SlackEnvelope, now: Timestamp) {
    let noted = async {
        match StoredRequest::read(&ctx.tables, &message.about()).await? {
            Some(stored) => record_audit(ctx, &stored, AuditEvent::MessageFailed, message, now).await,
            None => Ok(()),
        }
    };
    if let Err(error) = noted.await {
        tracing::error!(error = format!("{error:#}"), "audit entry for failed message not written");
    }
}
