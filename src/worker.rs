//! The worker: everything that decides and acts. What a message may say is decided by the queue it came from, never
//! by the message. Every handler is re-entrant, for a message may come more than once.

pub mod commands;
pub mod decision_facts;
pub mod events;
pub mod interactions;
pub mod jobs;
pub mod limits;
pub mod notify;
pub mod ops;
pub mod timers;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::FutureExt as _;
use futures_util::future::join;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::aws::item::Write;
use crate::aws::{ReceiptHandle, Secrets, Ses, Sqs, Sts, TableNames, Tables, VersionStage, WriteError};
use crate::config::{QueueUrl, WorkerConfig};
use crate::domain::audit::NewAuditEntry;
use crate::domain::checkpoint::CheckpointPage;
use crate::domain::key::DeactivationReason;
use crate::domain::request::{KeyRequest, Notification, RequestEvent, RequestState};
use crate::facts::{ApprovalsChannelError, Lookup};
use crate::id::{AccessKeyId, AccountId, RequestId, TicketId};
use crate::policy::{InvalidPolicies, Policies};
use crate::render::approval_card::action;
use crate::render::modal;
use crate::render::text;
use crate::slack::api::{SlackApi, SlackError};
use crate::slack::command::{self, Command, Create};
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::StoredRequest;
use crate::time::Timestamp;
use crate::worker::commands::change_key::KeyChange;
use crate::worker::interactions::review::{PressOrigin, ReviewAction};

/// How often a message is received before it dies.
const MAX_RECEIVES: u32 = 6;
/// A message older than this begins nothing.
const MAX_COMMAND_AGE: i64 = 600;
/// How far the clock of whoever wrote something may be ahead of this function's, in seconds. It is waited for until then; a
/// time that is later still is none that a clock told.
const CLOCK_SKEW: i64 = 5;

/// Everything a message can need.
pub struct Worker {
    config: WorkerConfig,
    policies: Result<Policies, InvalidPolicies>,
    tables: Tables,
    sqs: Sqs,
    ses: Ses,
    sts: Sts,
    secrets: Secrets,
    lookup: Lookup,
    connector: (SharedHttpConnector, SharedAsyncSleep),
    slack: Mutex<Option<Arc<SlackApi>>>,
}

/// When an invocation runs, and until when it may.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// The time it began.
    pub now: Timestamp,
    /// The time at which Lambda ends it.
    pub deadline: Timestamp,
}

/// A message on queue `claims`: which ticket, and what `reveal` did with it. All else is read from the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimMessage {
    /// The ticket.
    pub tid: TicketId,
    /// What happened to it.
    pub event: ClaimEvent,
    /// At which attempt to issue.
    pub attempt: i64,
}

/// What `reveal` tells the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimEvent {
    /// A tab claimed it.
    Claimed,
    /// The tab confirmed.
    Confirmed,
    /// A second tab came, or codes were guessed.
    Misused,
}

impl ClaimEvent {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Confirmed => "acknowledged",
            Self::Misused => "misused",
        }
    }
}

/// A message on queue `due`, which only the worker itself sends: it names an item and what to do with it, and holds no text
/// that anybody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DueMessage {
    /// Somebody is to be told. What it says is read from table `Requests`, never from the message.
    Tell {
        /// About which request.
        request: RequestId,
        /// Which of its notifications.
        number: u32,
    },
    /// A timer ran out, of an item of table `Requests`.
    Timer {
        /// The item's key.
        item: String,
        /// The timer, as the index had it.
        due_at: Timestamp,
    },
    /// A ticket's timer ran out.
    Ticket {
        /// Which.
        tid: TicketId,
        /// The timer, as the index had it.
        due_at: Timestamp,
    },
    /// A claim is to be served again.
    Issue {
        /// Which ticket's.
        tid: TicketId,
        /// At which attempt.
        attempt: i64,
    },
    /// Who owns which IAM users is to be read afresh: one page of one account.
    Directory(OwnershipPage),
    /// A page of the daily audit checkpoint.
    Checkpoint(CheckpointPage),
}

/// One step of reading who owns which IAM users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnershipPage {
    /// When the reading began.
    pub begun: Timestamp,
    /// Which account.
    pub account: AccountId,
    /// Which of its pages, from 0.
    pub page: u32,
    /// What IAM gave to find it by.
    pub marker: Option<String>,
    /// Whether all before it was read.
    pub complete: bool,
}

/// Why a message is not done.
#[derive(Debug)]
pub(crate) enum HandleError {
    /// It is not time yet; nothing is wrong.
    RetryAfter(Duration),
    /// Its person sent too many in one minute.
    RateLimited,
    /// Something failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for HandleError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Worker {
    /// A worker of this configuration. An invalid policy set is kept as such: everything is then refused.
    #[must_use]
    pub fn new(config: WorkerConfig, sdk: &aws_config::SdkConfig, connector: SharedHttpConnector) -> Self {
        let policies = Policies::load(&config.policy_dir);
        if let Err(invalid) = &policies {
            tracing::error!(reason = %invalid, "the policies are not valid: everything is refused");
        }
        let names = TableNames {
            requests: config.requests.clone(),
            tickets: config.tickets.clone(),
            audit: config.audit.clone(),
        };
        let sts = Sts::new(sdk, &config.issuer_role_name, config.partition.clone());
        let sleep = sdk.sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new()));
        Self {
            policies,
            tables: Tables::new(sdk, names),
            sqs: Sqs::new(sdk),
            ses: Ses::new(sdk),
            secrets: Secrets::new(sdk),
            lookup: Lookup::new(sts.clone()),
            sts,
            connector: (connector, sleep),
            slack: Mutex::default(),
            config,
        }
    }

    /// Handles one event of an SQS mapping; the answer names the messages that are not done
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
    pub async fn handle(&self, event: Value, invocation: Invocation) -> Value {
        let Ok(event) = serde_json::from_value::<SqsEvent>(event) else {
            tracing::error!("an event that is none of SQS's");
            return json!({"batchItemFailures": []});
        };
        let mut failures = Vec::new();
        for message in event.records {
            if let Err(id) = self.receive(message, invocation).await {
                failures.push(json!({"itemIdentifier": id}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    async fn receive(&self, message: SqsMessage, invocation: Invocation) -> Result<(), String> {
        let id = message.message_id.clone().unwrap_or_default();
        let received = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        let received: u32 = received.unwrap_or(1);
        let arn = message.event_source_arn.as_deref().unwrap_or_default();
        let body = message.body.as_deref().unwrap_or_default();
        let (queue, done) = if self.config.slack_queue.is_source(arn) {
            (&self.config.slack_queue, self.on_slack(body, invocation, received).boxed().await)
        } else if self.config.claims_queue.is_source(arn) {
            (&self.config.claims_queue, self.on_claims(body, invocation, received).boxed().await)
        } else if self.config.due_queue.is_source(arn) {
            (&self.config.due_queue, self.on_due(body, invocation, received).boxed().await)
        } else if self.config.sweep_queue.is_source(arn) {
            // Whatever its body says: this queue has one meaning, so nothing can be said through it.
            (&self.config.sweep_queue, self.sweep(invocation.now).boxed().await)
        } else {
            tracing::error!("a message from a queue that is not ours");
            return Err(id);
        };
        let Err(not_done) = done else { return Ok(()) };
        self.delay_retry(queue, message.receipt_handle, not_done, received).await;
        Err(id)
    }

    async fn on_slack(&self, body: &str, invocation: Invocation, received: u32) -> Result<(), HandleError> {
        let Ok(message) = serde_json::from_str::<SlackEnvelope>(body) else {
            tracing::error!("a message on queue `slack` that cannot be read");
            return Ok(());
        };
        let ahead = message.signed_at.since(invocation.now);
        if (1..=CLOCK_SKEW).contains(&ahead) {
            return Err(HandleError::RetryAfter(seconds(ahead)));
        }
        let done = self.dispatch(&message, invocation).await;
        if let Err(HandleError::RateLimited) = done {
            self.refuse_rate(&message).await;
            return Ok(());
        }
        if let (Err(not_done), true) = (&done, received >= MAX_RECEIVES) {
            let say = match (self.marked_off(&message).await, not_done) {
                (Some(key), _) => text::off_not_done(&key),
                (None, HandleError::Failed(fault)) => self.failure_text(fault, &message.id),
                (None, HandleError::RetryAfter(_) | HandleError::RateLimited) => text::not_done(&message.id),
            };
            self.record_failure(&message, invocation.now).await;
            if message.what.is_of_a_person() {
                self.try_to_reply(&message, invocation.now, &say).await;
            }
        }
        done
    }

    /// What whoever waits is told of a fault, and what they can do.
    fn failure_text(&self, fault: &anyhow::Error, reference: &RequestId) -> String {
        if ApprovalsChannelError::is_cause_of(fault) {
            text::approvers_unreachable(self.config.help_channel.as_ref())
        } else {
            text::not_done(reference)
        }
    }

    /// The same where a fault is an answer: what has to do with approvers is not tried again while they cannot be
    /// reached.
    ///
    /// # Errors
    /// Every other fault.
    fn approvers_unreachable(&self, fault: anyhow::Error) -> anyhow::Result<String> {
        if !ApprovalsChannelError::is_cause_of(&fault) {
            return Err(fault);
        }
        tracing::error!(fault = format!("{fault:#}"), "the approvers cannot be reached");
        Ok(text::approvers_unreachable(self.config.help_channel.as_ref()))
    }

    /// Audits something that changed nothing: a press that was refused, a message that dies. Losing the race to write it
    /// is a fault, so that the message comes again.
    async fn record_audit(
        &self,
        stored: &StoredRequest,
        event: &'static str,
        message: &SlackEnvelope,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let happened = NewAuditEntry::new(event, &message.person, [("message", message.id.to_string())]);
        let next = stored.request.apply(
            RequestEvent::RecordTicketEvent { happened, at: now, alert: false },
            "keyvend",
            now,
        )?;
        let saved = self.commit(stored, next, Vec::new(), Vec::new()).await?;
        self.drain_outbox(saved).await;
        Ok(())
    }

    /// Audits that a message dies undone, where there is a request that it was about.
    async fn record_failure(&self, message: &SlackEnvelope, now: Timestamp) {
        let noted = async {
            match StoredRequest::read(&self.tables, &message.about()).await? {
                Some(stored) => self.record_audit(&stored, "not-done", message, now).await,
                None => Ok(()),
            }
        };
        if let Err(fault) = noted.await {
            tracing::error!(fault = format!("{fault:#}"), "a message dies unaudited");
        }
    }

    async fn dispatch(&self, message: &SlackEnvelope, invocation: Invocation) -> Result<(), HandleError> {
        if message.what == SlackEvent::UserDeactivated {
            // Facts are looked up afresh for every decision, so whoever left is refused from now on; what is left are
            // the keys that person asked for.
            return self.somebody_left(message, invocation.now).boxed().await;
        }
        if let SlackEvent::JoinedChannel { .. } | SlackEvent::JoinedGroup { .. } = &message.what {
            return self.somebody_joined(message).boxed().await;
        }
        if let SlackEvent::Interaction(Interaction::BlockActions { action_id, value, .. }) = &message.what {
            // However late it comes, switching off is never too late.
            if action_id == action::NOT_ME {
                return self.switch_off(message, value, invocation.now).await;
            }
        }
        if let Some((key, why)) = key_to_deactivate(&message.what) {
            return self.deactivate(message, &key, why, invocation.now).boxed().await;
        }
        // Nor is it from the future, in which no time would run out. Where Slack's clock is ahead, the time of receiving it
        // counts.
        let age = invocation.now.since(message.signed_at);
        if !(0..=MAX_COMMAND_AGE).contains(&age) {
            return Ok(self.reply(message, invocation.now, text::TOO_OLD).await?);
        }
        if !limits::admits_itself(&message.what) {
            let account = if let SlackEvent::Command(Command::List(Some(typed))) = &message.what {
                self.account_named(typed.account.as_ref()).ok()
            } else {
                None
            };
            join(self.admit(message), self.fetch_ahead(account, invocation.now)).await.0?;
        }
        if limits::tells_of_iam_users(&message.what)
            && let Some(barred) = self.barred(&message.person).await?
        {
            return self.refuse_barred(message, barred, invocation.now).boxed().await;
        }
        // Boxed, each: else the one future has room for all of them at once, and the stack too.
        match &message.what {
            SlackEvent::Command(command) => match command {
                Command::Form => self.open_form(message, invocation.now).boxed().await,
                Command::Create(create) => self.create(message, create, invocation.now).boxed().await,
                Command::List(user) => self.list(message, user.as_ref(), invocation.now).boxed().await,
                Command::Rotate(key) => {
                    self.change_key(message, key, KeyChange::Rotate, invocation.now).boxed().await
                }
                Command::Activate(key) => {
                    self.change_key(message, key, KeyChange::Activate, invocation.now).boxed().await
                }
                Command::Delete(key) => self.delete(message, key, invocation.now).boxed().await,
                Command::Status(request) => {
                    self.status(message, request.as_ref(), invocation.now).boxed().await
                }
                Command::Cancel(request) => {
                    self.cancel(message, request.as_ref(), invocation.now).boxed().await
                }
                Command::Whoami => self.whoami(message, invocation.now).boxed().await,
                Command::Freeze => self.freeze(message, true, invocation.now).boxed().await,
                Command::Unfreeze => self.freeze(message, false, invocation.now).boxed().await,
                Command::Deactivate(_) | Command::Help => Ok(()),
            },
            SlackEvent::Interaction(Interaction::BlockActions {
                action_id, value, view: Some(view), ..
            }) => {
                match action_id.as_str() {
                    modal::CHOOSE_USE_CASE => self.show_alternative(message, view, value).boxed().await,
                    // Whatever else is chosen in a form counts when it is submitted.
                    _ => Ok(()),
                }
            }
            SlackEvent::Interaction(Interaction::BlockActions {
                action_id, value, message: button, ..
            }) => {
                let place = PressOrigin::Card(button.as_ref());
                match action_id.as_str() {
                    action::APPROVE => {
                        self.review(message, ReviewAction::Approve, value, place, invocation.now)
                            .boxed()
                            .await
                    }
                    action::DENY => self.open_denial(message, value, place, invocation.now).boxed().await,
                    action::DETAILS => self.details(message, value, place, invocation.now).boxed().await,
                    action::OPEN_FORM => self.open_form(message, invocation.now).boxed().await,
                    action::GET_KEY => self.get_key(message, value, invocation.now).boxed().await,
                    action::CANCEL => self.cancel_by_button(message, value, invocation.now).boxed().await,
                    action::SUSPECT_OURS => {
                        self.review_suspect(message, value, true, invocation.now).boxed().await
                    }
                    action::SUSPECT_NOT_OURS => {
                        self.review_suspect(message, value, false, invocation.now).boxed().await
                    }
                    other => match (value.parse(), key_change_of(other)) {
                        (Ok(key), Some(again)) => {
                            self.change_key(message, &key, again, invocation.now).boxed().await
                        }
                        (Ok(key), None) if other == action::DELETE => {
                            self.delete(message, &key, invocation.now).boxed().await
                        }
                        (Ok(_), None) | (Err(_), _) => {
                            Ok(self.answer(message, invocation.now, text::UNKNOWN_BUTTON).await?)
                        }
                    },
                }
            }
            SlackEvent::Interaction(Interaction::ViewSubmission { callback_id, carried, values, .. }) => {
                match (callback_id.as_str(), Create::filled(values), command::denial_reason(values)) {
                    (modal::ASK, Ok(create), _) => {
                        self.create(message, &create, invocation.now).boxed().await
                    }
                    (modal::DENY, _, Ok(reason)) => {
                        self.review(
                            message,
                            ReviewAction::Deny(reason),
                            carried,
                            PressOrigin::Form,
                            invocation.now,
                        )
                        .boxed()
                        .await
                    }
                    _ => Ok(self.reply(message, invocation.now, text::UNKNOWN_BUTTON).await?),
                }
            }
            SlackEvent::UserDeactivated
            | SlackEvent::JoinedChannel { .. }
            | SlackEvent::JoinedGroup { .. } => Ok(()),
        }
    }

    async fn on_claims(&self, body: &str, invocation: Invocation, received: u32) -> Result<(), HandleError> {
        let Ok(message) = serde_json::from_str::<ClaimMessage>(body) else {
            tracing::error!("a message on queue `claims` that cannot be read");
            return Ok(());
        };
        match message.event {
            ClaimEvent::Claimed => {
                let done = self.issue(&message, invocation).boxed().await;
                if let (Err(not_done), true) = (&done, received >= MAX_RECEIVES) {
                    self.give_up_claim(&message, not_done, invocation.now).await;
                }
                done
            }
            ClaimEvent::Confirmed => self.confirm_ticket(&message, invocation.now).await,
            ClaimEvent::Misused => self.misused(&message.tid, invocation.now).await,
        }
    }

    async fn on_due(&self, body: &str, invocation: Invocation, received: u32) -> Result<(), HandleError> {
        match serde_json::from_str::<DueMessage>(body) {
            Ok(DueMessage::Tell { request, number }) => {
                self.deliver_notification(&request, number, invocation.now, received).await
            }
            Ok(DueMessage::Directory(page)) => {
                self.refresh_ownership_page(page, invocation.now, received).boxed().await
            }
            Ok(DueMessage::Checkpoint(page)) => self.take_page(&page, invocation.now).await,
            Ok(DueMessage::Timer { item, due_at }) => {
                self.run_item_timer(&item, due_at, invocation, received).await
            }
            Ok(DueMessage::Ticket { tid, due_at }) => {
                self.ticket_timer(&tid, due_at, invocation.now, received).boxed().await
            }
            Ok(DueMessage::Issue { tid, attempt }) => {
                self.resume_issue(tid, attempt, invocation, received >= MAX_RECEIVES).boxed().await
            }
            Err(_) => {
                tracing::error!("a message on queue `due` that cannot be read");
                Ok(())
            }
        }
    }

    /// Makes the message visible again when it is worth another look.
    async fn delay_retry(
        &self,
        queue: &QueueUrl,
        receipt: Option<String>,
        not_done: HandleError,
        received: u32,
    ) {
        let delay = match not_done {
            HandleError::RetryAfter(delay) => delay,
            HandleError::RateLimited => Duration::from_secs(60),
            HandleError::Failed(fault) => {
                let slack = fault.chain().find_map(|cause| cause.downcast_ref::<SlackError>());
                if slack.is_some_and(SlackError::is_about_the_token) {
                    // The next look reads it again.
                    self.slack.lock().await.take();
                }
                tracing::error!(received, fault = format!("{fault:#}"), "not done");
                match slack {
                    Some(SlackError::Wait(delay)) => *delay,
                    _ => Duration::from_secs(4u64.saturating_pow(received.clamp(1, 3) - 1)),
                }
            }
        };
        let Some(receipt) = receipt.map(ReceiptHandle) else { return };
        if let Err(fault) = self.sqs.change_visibility(queue, &receipt, delay).await {
            tracing::warn!(fault = format!("{fault:#}"), "the message comes back by itself");
        }
    }

    /// Slack, with the bot's token read once.
    async fn slack(&self) -> anyhow::Result<Arc<SlackApi>> {
        let mut slack = self.slack.lock().await;
        if let Some(slack) = slack.as_ref() {
            return Ok(Arc::clone(slack));
        }
        let token = self.secrets.get(&self.config.bot_token_id, VersionStage::Current).await?;
        let token = token.ok_or_else(|| anyhow::anyhow!("there is no bot token yet"))?;
        let (api, rule) = (self.config.slack_api.clone(), self.config.response_urls.clone());
        let made = SlackApi::new(self.connector.clone(), api, rule, token, self.config.team.clone());
        let made = Arc::new(made);
        *slack = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Slack, with the bot's token read again: the one in `stale` is no longer good.
    async fn refresh_slack_client(&self, stale: &Arc<SlackApi>) -> anyhow::Result<Arc<SlackApi>> {
        let mut slack = self.slack.lock().await;
        // Somebody else may have been here meanwhile.
        if slack.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, stale)) {
            slack.take();
        }
        drop(slack);
        self.slack().await
    }

    /// Writes a request's next state with what goes with it: its audit entry and tellings in the same item.
    async fn commit(
        &self,
        stored: &StoredRequest,
        next: KeyRequest,
        others: Vec<Write>,
        notifications: Vec<Notification>,
    ) -> Result<StoredRequest, WriteError> {
        let mut next = next;
        next.notifications.extend(notifications);
        stored.save(&self.tables, next, others).await
    }

    /// Inserts a request's audit entries and queues its tellings: the last thing every handler does, when whoever waits
    /// has been answered. What fails or never came to this stays in the item's outboxes, and the next sweep finds it.
    async fn drain_outbox(&self, stored: StoredRequest) -> StoredRequest {
        let request = &stored.request;
        if matches!(request.state, RequestState::Issuing(_)) {
            // Another write would cross whoever holds the intent; what it leaves is flushed when it ends.
            return stored;
        }
        let mut next = request.clone();
        for entry in &request.chain.outbox {
            match self.tables.insert_audit(&request.id, entry).await {
                Ok(()) => next.chain.remove_inserted(entry.seq),
                Err(fault) => {
                    tracing::error!(fault = format!("{fault:#}"), "an audit entry stays in the outbox");
                    break;
                }
            }
        }
        for number in &request.notifications.outbox {
            match self.queue_notification(&request.id, *number).await {
                Ok(()) => next.notifications.remove_delivered(*number),
                Err(fault) => {
                    tracing::error!(fault = format!("{fault:#}"), "a notification stays in the outbox");
                    break;
                }
            }
        }
        if ops::complete_request::is_to_fulfil(request)
            && let Err(fault) = self.queue_fulfilment(request).await
        {
            tracing::error!(fault = format!("{fault:#}"), "what was approved waits for the next sweep");
        }
        if next == *request {
            return stored;
        }
        match stored.save(&self.tables, next, Vec::new()).await {
            Ok(saved) => saved,
            Err(_) => stored,
        }
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

/// The key that a command or a button asks to switch off, and why.
fn key_to_deactivate(what: &SlackEvent) -> Option<(AccessKeyId, DeactivationReason)> {
    match what {
        SlackEvent::Command(Command::Deactivate(key)) => {
            Some((key.clone(), DeactivationReason::UserRequested))
        }
        SlackEvent::Interaction(Interaction::BlockActions { action_id, value, view: None, .. }) => {
            let why = match action_id.as_str() {
                action::SWITCH_OFF => DeactivationReason::UserRequested,
                action::RETIRE => DeactivationReason::Rotated,
                action::OWNER_LEFT => DeactivationReason::OwnerDeactivated,
                _ => return None,
            };
            Some((value.parse().ok()?, why))
        }
        SlackEvent::Command(_)
        | SlackEvent::Interaction(_)
        | SlackEvent::UserDeactivated
        | SlackEvent::JoinedChannel { .. }
        | SlackEvent::JoinedGroup { .. } => None,
    }
}

/// What a button about a key asks for, if it asks for more of it.
fn key_change_of(action_id: &str) -> Option<KeyChange> {
    Some(match action_id {
        action::ROTATE => KeyChange::Rotate,
        action::EXTEND => KeyChange::Extend,
        action::UNDO => KeyChange::Undo,
        action::RECEIVED => KeyChange::Received,
        action::REPLACE => KeyChange::Replace,
        action::SWITCH_ON => KeyChange::Activate,
        _ => return None,
    })
}
