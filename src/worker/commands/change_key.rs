//! A request about a key that exists: another in its place, the key back, or more time for it. Each comes to life like a
//! new key, only by an `issue` decision; approvals it needs are asked for on a card like any other's.

use futures_util::FutureExt as _;
use futures_util::future::{try_join, try_join5};

use crate::aws::WriteError;
use crate::domain::audit::AuditEvent;
use crate::domain::email_hash::email_hash;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState, StoredKey, UNDO_EXTENSION, days_until};
use crate::domain::request::{
    Approval, KeyRequest, Notification, RequestDetails, RequestKind, RequestState, ReviewSnapshot,
    RevisionSalt,
};
use crate::id::{AccessKeyId, RequestId};
use crate::policy::{
    Activate, Denial, Issue, KeyFacts, Policies, PolicyDecision, Request, RequiredApprovals, Rotate,
};
use crate::random::random;
use crate::render::approval_card;
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::{OpenRequests, StoredRequest};
use crate::time::{DAY, Timestamp};
use crate::worker::commands::create::{Limit, too_many_approvers, too_many_open};
use crate::worker::commands::keys::{chooser, has_two_keys};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied};
use crate::worker::limits::{admit, barred, refuse_barred, still_open};
use crate::worker::notify::{answer, answer_with};
use crate::worker::ops::key_expiry::drop_inactive_successor;
use crate::worker::outbox::{drain_outbox, record_audit};
use crate::worker::timers::key::{delete_key, read_key, remove_description_of};

/// What can be asked about a key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    /// Another in its place.
    Rotate,
    /// Back after it was deactivated; after its expiry, what `Undo` asks.
    Activate,
    /// Its expiry taken back.
    Undo,
    /// Back, because its requester has it although nobody confirmed that.
    Received,
    /// Another in its place, because nobody received it.
    Replace,
    /// A longer life.
    Extend,
}

impl KeyChange {
    /// What the trail says where it is refused without becoming a request.
    fn refused(self) -> AuditEvent {
        match self {
            Self::Rotate => AuditEvent::KeyRotateDenied,
            Self::Activate => AuditEvent::KeyActivateDenied,
            Self::Undo => AuditEvent::KeyUndoDenied,
            Self::Received => AuditEvent::KeyConfirmDenied,
            Self::Replace => AuditEvent::KeyReplaceDenied,
            Self::Extend => AuditEvent::KeyExtendDenied,
        }
    }

    /// Whether this very message, about this key, is what made a request: its id alone, which whoever can write to the
    /// queue chooses, says nothing.
    fn made(self, asked: &RequestDetails, message: &SlackEnvelope, key: &AccessKeyId) -> bool {
        let about = match (self, &asked.kind) {
            (Self::Rotate | Self::Replace, RequestKind::Rotate { key, .. })
            | (Self::Activate | Self::Undo | Self::Received, RequestKind::Back { key, .. })
            | (Self::Extend, RequestKind::Longer { key, .. }) => key,
            (
                _,
                RequestKind::New
                | RequestKind::Rotate { .. }
                | RequestKind::Back { .. }
                | RequestKind::Longer { .. },
            ) => {
                return false;
            }
        };
        about == key && asked.requester == message.person && asked.at == message.signed_at
    }

    /// What this asks of a key as it stands, with how many days are asked for; or why it cannot be had.
    pub(crate) fn wants(
        self,
        stored: &StoredKey,
        most_days: u32,
        now: Timestamp,
    ) -> Result<(RequestKind, u32), String> {
        let issued = &stored.issued;
        if stored.is_deactivation_pending() && !issued.state.is_active() {
            return Err(text::being_worked_on(&issued.key));
        }
        match self {
            Self::Rotate => rotated(stored, now),
            Self::Activate | Self::Undo | Self::Received => back(self, issued, now),
            Self::Replace => match &issued.state {
                KeyState::Inactive { why: DeactivationReason::Unconfirmed, .. }
                | KeyState::Deleting { why: DeactivationReason::Unconfirmed, .. }
                | KeyState::Deleted { why: DeactivationReason::Unconfirmed, .. } => replaces(issued, now),
                KeyState::Delivered
                | KeyState::Confirmed
                | KeyState::Unconfirmed { .. }
                | KeyState::Inactive { .. }
                | KeyState::Activating { .. }
                | KeyState::Active
                | KeyState::Deleting { .. }
                | KeyState::Deleted { .. }
                | KeyState::Suspect { .. }
                | KeyState::NotOurs { .. } => Err(text::not_unconfirmed(issued)),
            },
            Self::Extend => {
                let lives = matches!(issued.state, KeyState::Confirmed | KeyState::Active);
                if !lives || stored.deactivation_mark.is_some() {
                    return Err(text::not_on(issued));
                }
                let days = issued.days.min(most_days);
                let end = Timestamp(now.0 + i64::from(days) * DAY);
                if end.since(issued.expires_at) < DAY {
                    return Err(text::long_enough(issued));
                }
                Ok((RequestKind::Longer { key: issued.key.clone(), end }, days))
            }
        }
    }
}

fn rotated(stored: &StoredKey, now: Timestamp) -> Result<(RequestKind, u32), String> {
    let issued = &stored.issued;
    if let Some(successor) = &issued.successor {
        return Err(text::replaced_already(issued, successor));
    }
    match &issued.state {
        // One that is off, too: its holder may need another in its place.
        KeyState::Confirmed | KeyState::Active | KeyState::Inactive { .. } => replaces(issued, now),
        KeyState::Delivered | KeyState::Unconfirmed { .. } => Err(text::not_confirmed(issued)),
        KeyState::Activating { .. } | KeyState::Deleting { .. } => Err(text::being_worked_on(&issued.key)),
        KeyState::Deleted { .. } => Err(text::KEY_GONE.to_owned()),
        KeyState::Suspect { .. } | KeyState::NotOurs { .. } => Err(text::not_issued_here(&issued.key)),
    }
}

fn replaces(issued: &IssuedKey, now: Timestamp) -> Result<(RequestKind, u32), String> {
    let end = issued.expires_at;
    if end <= now {
        return Err(text::past_end(issued));
    }
    Ok((RequestKind::Rotate { key: issued.key.clone(), end, days: issued.days }, issued.days_left(now)))
}

fn back(again: KeyChange, issued: &IssuedKey, now: Timestamp) -> Result<(RequestKind, u32), String> {
    let key = issued.key.clone();
    let why = match &issued.state {
        KeyState::Inactive { why, .. } => *why,
        KeyState::Delivered | KeyState::Confirmed | KeyState::Unconfirmed { .. } | KeyState::Active => {
            return Err(text::not_off(issued));
        }
        KeyState::Activating { .. } | KeyState::Deleting { .. } => {
            return Err(text::being_worked_on(&issued.key));
        }
        KeyState::Deleted { .. } => return Err(text::KEY_GONE.to_owned()),
        KeyState::Suspect { .. } | KeyState::NotOurs { .. } => return Err(text::not_issued_here(&key)),
    };
    if again == KeyChange::Received && why != DeactivationReason::Unconfirmed {
        return Err(text::not_unconfirmed(issued));
    }
    if why == DeactivationReason::Expired {
        if issued.undone_expiry.is_some() {
            return Err(text::undone_before(issued));
        }
        let end = Timestamp(now.0 + UNDO_EXTENSION);
        return Ok((RequestKind::Back { key, end, undo: true }, days_until(end, now)));
    }
    let end = issued.expires_at;
    if end <= now {
        return Err(text::past_end(issued));
    }
    Ok((RequestKind::Back { key, end, undo: false }, issued.days_left(now)))
}

/// Somebody asks for something about a key that exists.
pub(crate) async fn change_key(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    again: KeyChange,
    now: Timestamp,
) -> Result<(), HandleError> {
    // The read-only session of the home account meanwhile: the key is most likely of it.
    let session = async {
        match ctx.config.accounts.first() {
            Some(account) => ctx.lookup.warm_session(account, now).await,
            None => Ok(()),
        }
    };
    let read = async {
        let before = StoredRequest::read(&ctx.tables, &message.id);
        let open = OpenRequests::read(&ctx.tables, &message.person.user);
        Ok(try_join5(read_key(ctx, key), before, open, slack_client(ctx), session).await?)
    };
    let ((found, before, open, slack, ()), ()) = try_join(read, admit(ctx, message)).await?;
    if let Some(before) = before {
        if !again.made(&before.request.details, message, key) {
            bears_anothers_id();
            return Ok(());
        }
        // A redelivery goes on from what the first delivery recorded.
        return confirm_change(ctx, message, before, None, now).await;
    }
    if let Some(barred) = barred(ctx, &message.person).await? {
        return refuse_barred(ctx, message, barred, now).await;
    }
    let stored = match found {
        Some(stored) if stored.is_managed() => drop_inactive_successor(ctx, stored).await?,
        Some(StoredKey { issued, .. }) if matches!(issued.state, KeyState::Suspect { .. }) => {
            return Ok(answer(ctx, message, now, &text::being_asked_about(key)).await?);
        }
        Some(_) | None => return Ok(answer(ctx, message, now, &text::not_issued_here(key)).await?),
    };
    let issued = &stored.issued;
    let Ok(policies) = &ctx.policies else {
        return Ok(answer(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    if again == KeyChange::Replace && issued.requester != message.person {
        return refuse_again(ctx, message, issued, again, text::NOT_YOURS, now).await;
    }
    let (wants, days) = match again.wants(&stored, ctx.config.max_key_days, now) {
        Ok(wanted) => wanted,
        Err(why) => return refuse_again(ctx, message, issued, again, &why, now).await,
    };
    let approvals = inherited_approvals(ctx, message, issued, again);
    let subject = (&issued.account, &issued.user);
    let mut asked = RequestDetails {
        kind: wants,
        requester: message.person.clone(),
        account: issued.account.clone(),
        user: issued.user.clone(),
        use_case: issued.use_case,
        days,
        reason: issued.reason.clone(),
        email_hash: None,
        at: message.signed_at,
    };
    // The holder of a key approves no change of it, whoever asks for it.
    let about_key = |facts: DecisionFacts, asked: &RequestDetails| {
        let eligible = facts.eligible.clone().without(&issued.requester.user);
        DecisionFacts { eligible, ..facts }.with(asked, Some(issued.clone()))
    };
    let ask = |policies: &Policies, facts: &DecisionFacts| {
        let facts = about_key(facts.clone(), &asked);
        authorize_change(ctx, policies, &asked, &facts, issued, again).map(drop)
    };
    let looked_up =
        facts_unless_denied(ctx, &slack, &message.person, subject, (&approvals, None), now, ask).boxed();
    let (found, open) = try_join(looked_up, still_open(ctx, open, now)).await?;
    let (facts, denied) = match found {
        Found::Facts(facts) => (*facts, None),
        Found::Denied(denial, facts) => (*facts, Some(denial)),
        Found::NoSuchUser => {
            return refuse_again(ctx, message, issued, again, text::USER_GONE, now).await;
        }
    };
    asked.email_hash = facts.requester.email.as_deref().map(email_hash);
    let facts = about_key(facts, &asked);
    let id = match (again, &issued.replacement) {
        // Begun before: goes on as it began.
        (KeyChange::Replace, Some(begun)) => begun.clone(),
        (_, _) => message.id.clone(),
    };
    let salt = RevisionSalt::new(random()?);
    let may = match denied {
        Some(denial) => Err(denial),
        None => authorize_change(ctx, policies, &asked, &facts, issued, again),
    };
    let request = match may {
        Ok(needed) => match too_many_approvers(&facts) {
            Some(Limit { by, why }) => KeyRequest::refused(id, asked, salt, why, &[by.to_owned()]),
            None => new_request(ctx, policies, (id, asked, salt), &facts, (issued, approvals, needed)),
        },
        Err(denial) => {
            let why = text::refused(&denial.advice, ctx.config.help_channel.as_ref());
            KeyRequest::refused(id, asked, salt, why, &denial.by)
        }
    };
    let request = too_many_open(request, &open);
    if again == KeyChange::Replace && !matches!(request.state, RequestState::PolicyDenied { .. }) {
        if was_replaced(ctx, &stored, &request.id).await? {
            return Ok(answer(ctx, message, now, &text::replacement_asked(issued)).await?);
        }
        delete_replaced_key(ctx, message, stored.clone(), &request.id, now).await?;
        submit_request(ctx, (message, key, again), (request, &open), &facts, now).await?;
        remove_description_of(ctx, &stored.issued, &message.person.to_string(), now).await;
        return Ok(());
    }
    submit_request(ctx, (message, key, again), (request, &open), &facts, now).await
}

/// Whether policy lets this person ask for it, with how many approvals it then needs. The same question decides
/// whether a button for it is shown.
pub(crate) fn authorize_change(
    _ctx: &Context,
    policies: &Policies,
    asked: &RequestDetails,
    facts: &DecisionFacts,
    issued: &IssuedKey,
    again: KeyChange,
) -> Result<u32, Denial> {
    let (who, user) = (&facts.requester, &facts.iam_user);
    let key = KeyFacts::from(issued);
    match again {
        KeyChange::Rotate | KeyChange::Replace => policies.authorize(who, Rotate(key), user).map(drop)?,
        KeyChange::Activate | KeyChange::Undo | KeyChange::Received => {
            policies.authorize(who, Activate(key), user).map(drop)?;
        }
        KeyChange::Extend => policies.authorize(who, Request(facts.asked(asked, 0)), user).map(drop)?,
    }
    match facts.required_approvals(policies, asked) {
        RequiredApprovals::Approvals(needed) => Ok(needed),
        RequiredApprovals::Never(denial) => Err(denial),
    }
}

/// The approvals that the key had, where what is asked is what they were given for: that its requester has it, until
/// the end that was approved.
fn inherited_approvals(
    _ctx: &Context,
    message: &SlackEnvelope,
    issued: &IssuedKey,
    again: KeyChange,
) -> Vec<Approval> {
    // Not where the key itself comes back: whoever could forge that press might hold what was sealed.
    if again != KeyChange::Replace || issued.requester != message.person {
        return Vec::new();
    }
    let approvals = issued.approved_by.iter().map(|by| Approval {
        by: by.clone(),
        interaction_id: issued.request.clone(),
        at: issued.issued_at,
    });
    approvals.collect()
}

/// The request as it begins, with the approvals that it inherits and that still count, if what they were given for is
/// still so.
fn new_request(
    ctx: &Context,
    policies: &Policies,
    (id, asked, salt): (RequestId, RequestDetails, RevisionSalt),
    facts: &DecisionFacts,
    (issued, mut approvals, needed): (&IssuedKey, Vec<Approval>, u32),
) -> KeyRequest {
    let shown = ReviewSnapshot::of(&facts.iam_user, needed);
    // Who approved a user with other rights has not approved this.
    let same = issued.approved == shown.digest();
    approvals.retain(|approval| same && facts.still_counts(policies, &asked, &approval.by));
    let count = if same { facts.approvals(policies, &asked, None) } else { 0 };
    let issue = Issue(facts.asked(&asked, count));
    let enough =
        matches!(policies.decide(&facts.requester, &issue, &facts.iam_user), PolicyDecision::Allow { .. });
    let approved_ttl = ctx.config.approved_ttl;
    let ttls = (ctx.config.request_ttl, approved_ttl);
    let request = KeyRequest::new(id, asked, shown, salt, facts.eligible.clone(), ttls);
    if approvals.is_empty() {
        return request;
    }
    request.inheriting(approvals, &issued.request, enough, approved_ttl)
}

/// Whether the key's one replacement was asked for before, by another message.
async fn was_replaced(ctx: &Context, stored: &StoredKey, id: &RequestId) -> anyhow::Result<bool> {
    match &stored.issued.replacement {
        Some(_) => Ok(StoredRequest::read(&ctx.tables, id).await?.is_some()),
        None => Ok(false),
    }
}

/// The key that nobody received goes first. That it is being replaced is written down before, so that it happens once.
async fn delete_replaced_key(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: StoredKey,
    id: &RequestId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let mut stored = stored;
    if stored.issued.replacement.is_none() {
        let begun = IssuedKey { replacement: Some(id.clone()), ..stored.issued.clone() };
        match ctx.tables.write(vec![stored.update(&begun)?]).await {
            Ok(()) => {}
            Err(WriteError::Conflict(_)) => {
                return Err(HandleError::RetryAfter(std::time::Duration::from_secs(1)));
            }
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
        stored = read_key(ctx, &begun.key).await?.unwrap_or(stored);
    }
    if matches!(stored.issued.state, KeyState::Deleted { .. }) {
        return Ok(());
    }
    delete_key(ctx, &stored, (DeactivationReason::Unconfirmed, &message.person.to_string()), now)
        .boxed()
        .await
}

/// Records the request and answers. Where two keys are in the way, which of them could go is the answer.
async fn submit_request(
    ctx: &Context,
    (message, key, again): (&SlackEnvelope, &AccessKeyId, KeyChange),
    (mut request, open): (KeyRequest, &OpenRequests),
    facts: &DecisionFacts,
    now: Timestamp,
) -> Result<(), HandleError> {
    let refused = matches!(request.state, RequestState::PolicyDenied { .. });
    let full = again == KeyChange::Rotate && !refused && has_two_keys(&facts.iam_user);
    if full {
        let why = text::two_keys(&facts.iam_user.name, &facts.iam_user.account);
        request = KeyRequest::refused(request.id, request.details, request.salt, why, &[]);
    }
    if request.state == RequestState::Pending {
        request.notifications.extend([Notification::Card]);
        request.notifications.extend(why_off(&request, facts));
    }
    let chooser = async { if full { chooser(ctx, facts, now).await.map(Some) } else { Ok(None) } };
    let create = async {
        match StoredRequest::create(&ctx.tables, &request, Some(open)).await {
            Ok(stored) => Ok(stored),
            Err(WriteError::Conflict(lost)) => {
                StoredRequest::read(&ctx.tables, &request.id).await?.ok_or_else(|| lost.into())
            }
            Err(WriteError::Other(error)) => Err(error),
        }
    };
    let (stored, chooser) = try_join(create, chooser).await?;
    if !again.made(&stored.request.details, message, key) {
        bears_anothers_id();
        return Ok(());
    }
    confirm_change(ctx, message, stored, chooser, now).await
}

/// Answers with what came of it.
async fn confirm_change(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: StoredRequest,
    chooser: Option<crate::slack::api::SlackMessage>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let request = &stored.request;
    let answer = match (&request.state, chooser) {
        (RequestState::PolicyDenied { .. }, Some(chooser)) => chooser,
        (RequestState::PolicyDenied { why }, None) => approval_card::text(why),
        (RequestState::Pending, _) => approval_card::asked(request),
        (RequestState::Approved, _) if request.details.kind.existing().is_some() => {
            approval_card::text(&text::under_way(request))
        }
        (RequestState::Approved, _) => approval_card::ready(request),
        (
            RequestState::LinkIssued { .. }
            | RequestState::Issuing(_)
            | RequestState::Ambiguous(_)
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired,
            _,
        ) => approval_card::text(&text::standing(request)),
    };
    let told = answer_with(ctx, message, now, &answer).await;
    drain_outbox(ctx, stored).await;
    Ok(told?)
}

/// A no that the key's own state gives: said, and written into its trail.
async fn refuse_again(
    ctx: &Context,
    message: &SlackEnvelope,
    issued: &IssuedKey,
    again: KeyChange,
    why: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    if let Some(stored) = StoredRequest::read(&ctx.tables, &issued.request).await? {
        record_audit(ctx, &stored, again.refused(), message, now).await?;
    }
    Ok(answer(ctx, message, now, why).await?)
}

/// No redelivery: whoever made the message chose the id, and is told nothing of the request that has it.
fn bears_anothers_id() {
    tracing::error!("request id collision");
}

/// Whoever is to approve that a key comes back is told why it is off.
fn why_off(request: &KeyRequest, facts: &DecisionFacts) -> Option<Notification> {
    let RequestKind::Back { undo: false, .. } = &request.details.kind else { return None };
    let KeyState::Inactive { why, since } = &facts.key.as_ref()?.state else { return None };
    Some(Notification::Thread { message: approval_card::text(&text::why_off(*why, *since)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::tests::{START, key, stored};
    use crate::domain::key::{DeactivationMark, Successor};
    use crate::id::PersonId;

    const ALL: [KeyChange; 6] = [
        KeyChange::Rotate,
        KeyChange::Activate,
        KeyChange::Undo,
        KeyChange::Received,
        KeyChange::Replace,
        KeyChange::Extend,
    ];

    fn off(why: DeactivationReason) -> KeyState {
        KeyState::Inactive { why, since: Timestamp(START) }
    }

    fn states() -> Vec<KeyState> {
        let at = Timestamp(START);
        let by = RequestId::of_signature(&[2; 32]);
        let why = DeactivationReason::UserRequested;
        let person: PersonId = "T0001.U0BOB".to_owned().try_into().unwrap();
        vec![
            KeyState::Delivered,
            KeyState::Confirmed,
            KeyState::Unconfirmed { since: at },
            off(DeactivationReason::UserRequested),
            off(DeactivationReason::Reported),
            off(DeactivationReason::Unconfirmed),
            off(DeactivationReason::Expired),
            KeyState::Activating { by, end: at, why, since: at },
            KeyState::Active,
            KeyState::Deleting { why, by: "a".to_owned() },
            KeyState::Deleted { why: DeactivationReason::Unconfirmed, at },
            KeyState::Deleted { why, at },
            KeyState::Suspect { asked_at: at },
            KeyState::NotOurs { by: person },
        ]
    }

    /// In a word each, what can be had of a key in each state ten days after it was issued for thirty.
    // T8.1
    #[test]
    fn each_key_state_offers_its_changes_only() {
        let now = Timestamp(START + 10 * DAY);
        let given: Vec<String> = states()
            .into_iter()
            .map(|state| {
                let stored = stored(IssuedKey { state: state.clone(), ..key(30) });
                let given = ALL.iter().filter(|again| again.wants(&stored, 90, now).is_ok());
                let given: Vec<String> = given.map(|again| format!("{again:?}")).collect();
                let why = match state {
                    KeyState::Inactive { why, .. } | KeyState::Deleted { why, .. } => why.as_str(),
                    _ => "",
                };
                format!("{} {why}: {}", state.as_str(), given.join(", "))
            })
            .collect();
        insta::assert_snapshot!(given.join("\n"), @r"
        DELIVERED : 
        CONFIRMED : Rotate, Extend
        UNCONFIRMED : 
        INACTIVE user-requested: Rotate, Activate, Undo
        INACTIVE reported: Rotate, Activate, Undo
        INACTIVE unconfirmed: Rotate, Activate, Undo, Received, Replace
        INACTIVE expired: Rotate, Activate, Undo
        ACTIVATING : 
        ACTIVE : Rotate, Extend
        DELETING : 
        DELETED unconfirmed: Replace
        DELETED user-requested: 
        SUSPECT : 
        NOT_OURS : 
        ");
    }

    // T8.1
    #[test]
    fn only_extension_passes_approved_expiry() {
        // Undoing an expiry adds a day from now.
        let issued = key(30);
        let end = issued.expires_at;
        for state in states() {
            for now in [Timestamp(START + 10 * DAY), Timestamp(end.0 - 1), end, Timestamp(end.0 + DAY)] {
                let stored = stored(IssuedKey { state: state.clone(), ..issued.clone() });
                for again in ALL {
                    let Ok((wants, days)) = again.wants(&stored, 90, now) else { continue };
                    let to = wants.end().unwrap();
                    assert_eq!(days, days_until(to, now), "{again:?} of {state:?}");
                    let most = match &wants {
                        RequestKind::Back { undo: true, .. } => Timestamp(now.0 + DAY),
                        RequestKind::Longer { .. } => Timestamp(now.0 + 30 * DAY),
                        _ => end,
                    };
                    assert!(now < to && to <= most, "{again:?} of {state:?}");
                }
            }
        }
    }

    #[test]
    fn expiry_is_undone_once_by_any_name() {
        let expired = IssuedKey { state: off(DeactivationReason::Expired), ..key(30) };
        let now = Timestamp(START + 31 * DAY);
        let undone = IssuedKey { undone_expiry: Some(now), ..expired.clone() };
        for again in [KeyChange::Undo, KeyChange::Activate] {
            let (wants, days) = again.wants(&stored(expired.clone()), 90, now).unwrap();
            assert_eq!(
                wants,
                RequestKind::Back { key: expired.key.clone(), end: Timestamp(now.0 + DAY), undo: true }
            );
            assert_eq!(days, 1);
            let no = again.wants(&stored(undone.clone()), 90, now).unwrap_err();
            assert!(no.contains("already reactivated once"), "{no}");
        }
    }

    #[test]
    fn extension_is_original_lifetime_within_maximum() {
        let now = |days: i64| Timestamp(START + days * DAY);
        let extend = |issued: IssuedKey, most, now| KeyChange::Extend.wants(&stored(issued), most, now);
        for (most, at, expected) in
            [(90, 10, Some(30)), (90, 1, Some(30)), (90, 0, None), (20, 29, Some(20)), (20, 10, None)]
        {
            let days = extend(key(30), most, now(at)).ok().map(|(_, days)| days);
            assert_eq!(days, expected, "at most {most}, on day {at}");
        }
        let mut marked = stored(key(30));
        marked.deactivation_mark = Some(DeactivationMark {
            since: now(1),
            by: "a".to_owned(),
            why: DeactivationReason::UserRequested,
            press: None,
        });
        assert!(KeyChange::Extend.wants(&marked, 90, now(10)).is_err(), "it is to be off");
        let successor = Successor {
            key: "AKIAIOSFODNN7EXAMPL2".parse().unwrap(),
            requester: key(30).requester,
            confirmed_at: now(1),
            check_at: None,
        };
        let replaced = IssuedKey { successor: Some(successor), ..key(30) };
        assert!(
            KeyChange::Rotate
                .wants(&stored(replaced), 90, now(10))
                .unwrap_err()
                .contains("already been replaced")
        );
    }
}
