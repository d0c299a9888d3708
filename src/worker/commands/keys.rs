//! The commands about keys that exist: `list`, and what is done to one key at once. Asking for more of a key is
//! src/worker/commands/change_key.rs; keys that keyvend did not issue are src/worker/ops/unmanaged_key.rs.

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join, try_join_all, try_join3};

use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::{AccessKey, AccessKeyStatus, Account, IamUser};
use crate::domain::key::{DeactivationReason, KeyState, StoredKey};
use crate::domain::person::Person;
use crate::domain::request::RequestDetails;
use crate::facts::NoSuchUser;
use crate::id::{AccessKeyId, AccountAlias, IamUserName};
use crate::policy::{
    Act, Authorized, Deactivate, Delete, IamUserRef, KeyFacts, List, Policies, PolicyDecision, Resource as _,
};
use crate::render::approval_card::{self, KeyAction, Listed, MOST_LISTED, Row};
use crate::render::text;
use crate::slack::command::TypedUser;
use crate::slack::receive::SlackEnvelope;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::change_key::{KeyChange, authorize_change};
use crate::worker::commands::freeze::audit_alone;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied, memberships};
use crate::worker::interactions::report_key::{is_in_a_group, take_off};
use crate::worker::jobs::refresh_ownership::{known_users, refresh_directory};
use crate::worker::limits::{admit, barred, refuse_barred};
use crate::worker::notify::{answer, answer_with};
use crate::worker::ops::unmanaged_key::{deactivate_unmanaged, delete_unmanaged};
use crate::worker::outbox::record_audit;
use crate::worker::timers::key::{delete_key, finish_deactivation, read_key, remove_description_of};

/// AWS's limit (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
pub(crate) const KEYS_PER_USER: usize = 2;

/// What a key's id leads to.
pub(crate) enum KeyFound {
    /// A key that keyvend issued.
    Issued(Box<StoredKey>),
    /// A key that may have come of an unanswered request.
    Suspect,
    /// A key of an IAM user in one of the accounts, that keyvend did not issue.
    Foreign(Account, IamUserName),
    /// No key of any account.
    Nowhere,
}

/// Whose a key is, as the table or else AWS tells.
pub(crate) async fn find(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> anyhow::Result<KeyFound> {
    let stored = read_key(ctx, key).await?;
    find_as(ctx, stored, key, now).await
}

/// The same, of a key that was read.
async fn find_as(
    ctx: &Context,
    stored: Option<StoredKey>,
    key: &AccessKeyId,
    now: Timestamp,
) -> anyhow::Result<KeyFound> {
    match stored {
        Some(stored) if stored.is_managed() => Ok(KeyFound::Issued(Box::new(stored))),
        Some(stored) if matches!(stored.issued.state, KeyState::Suspect { .. }) => Ok(KeyFound::Suspect),
        Some(StoredKey { issued, .. }) => Ok(KeyFound::Foreign(issued.account, issued.user)),
        None => match ctx.lookup.owner_of(&ctx.config.accounts, key, now).await? {
            Some((account, user)) => Ok(KeyFound::Foreign(account.clone(), user)),
            None => Ok(KeyFound::Nowhere),
        },
    }
}

pub(crate) fn has_two_keys(user: &IamUser) -> bool {
    user.keys.len() >= KEYS_PER_USER
}

/// The account of this alias, or the first one; else what to say.
pub(crate) fn account_named<'a>(
    ctx: &'a Context,
    alias: Option<&AccountAlias>,
) -> Result<&'a Account, String> {
    let Some(alias) = alias else {
        return ctx.config.accounts.first().ok_or_else(|| text::UNKNOWN_BUTTON.to_owned());
    };
    let named = ctx.config.accounts.iter().find(|account| account.alias == *alias);
    named.ok_or_else(|| text::unknown_account(alias, &ctx.config.accounts))
}

/// Shows the keys of one IAM user, or of those that are the person's own.
pub(crate) async fn list(
    ctx: &Context,
    message: &SlackEnvelope,
    of: Option<&TypedUser>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Ok(policies) = &ctx.policies else {
        admit(ctx, message).await?;
        return Ok(answer(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    match of {
        Some(typed) => {
            let account = match account_named(ctx, typed.account.as_ref()) {
                Ok(account) => account.clone(),
                Err(sentence) => return Ok(answer(ctx, message, now, &sentence).await?),
            };
            list_one(ctx, policies, message, IamUserRef { account, name: typed.user.clone() }, now).await
        }
        None => list_own(ctx, policies, message, now).await,
    }
}

async fn list_one(
    ctx: &Context,
    policies: &Policies,
    message: &SlackEnvelope,
    at: IamUserRef,
    now: Timestamp,
) -> Result<(), HandleError> {
    let (slack, ()) = try_join(slack_client(ctx), ctx.lookup.warm_session(&at.account, now)).await?;
    let subject = (&at.account, &at.name);
    let may_list = |policies: &Policies, facts: &DecisionFacts| {
        policies.authorize(&facts.requester, List, &facts.iam_user).map(drop)
    };
    let found =
        facts_unless_denied(ctx, &slack, &message.person, subject, (&[], None), now, may_list).await?;
    let (facts, allowed) = match found {
        Found::Facts(facts) => {
            let allowed = may_list(policies, &facts);
            (*facts, allowed)
        }
        Found::Denied(denial, facts) => (*facts, Err(denial)),
        Found::NoSuchUser => {
            let help = ctx.config.help_channel.as_ref();
            let no = text::no_such_user(&at.name, &at.account, help);
            return Ok(answer(ctx, message, now, &no).await?);
        }
    };
    if let Err(denial) = allowed {
        let of = [("account", at.account.id.to_string()), ("user", at.name.to_string())];
        audit_alone(ctx, message, [NewAuditEntry::new(AuditEvent::KeyListDenied, &message.person, of)])
            .await?;
        let no = text::refused(&denial.advice, ctx.config.help_channel.as_ref());
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let rows = rows(ctx, &facts, now).await?;
    let listed = approval_card::listed(&[(facts.iam_user.at(), Some(rows))], &[], now);
    Ok(answer_with(ctx, message, now, &listed).await?)
}

/// The directory says which to look at; whose they are is read afresh.
async fn list_own(
    ctx: &Context,
    policies: &Policies,
    message: &SlackEnvelope,
    now: Timestamp,
) -> Result<(), HandleError> {
    // An account that cannot be read holds up no other, and says so where its users are looked up.
    let open = async {
        anyhow::Ok(
            join_all(ctx.config.accounts.iter().map(|account| ctx.lookup.warm_session(account, now))).await,
        )
    };
    let read = async {
        let known = async { anyhow::Ok(known_users(ctx, &message.person.user).await) };
        let issued_today = store::issued_today(&ctx.tables, &message.person, now);
        Ok(try_join3(try_join(known, open), slack_client(ctx), issued_today).await?)
    };
    let (((known, _), slack, issued_today), ()) = try_join(read, admit(ctx, message)).await?;
    if let Some(barred) = barred(ctx, &message.person).await? {
        return refuse_barred(ctx, message, barred, now).await;
    }
    let memberships = memberships(ctx, &slack).await?;
    let person = ctx.lookup.person(&slack, &message.person, &memberships).await?;
    if known.own.is_empty() {
        answer(ctx, message, now, text::NOTHING_TO_LIST).await?;
        refresh_directory(ctx, &known, now).await;
        return Ok(());
    }
    let (shown, rest) = known.own.split_at(known.own.len().min(MOST_LISTED));
    let listed = join_all(shown.iter().map(|at| {
        let (slack, person, mut memberships) = (&slack, &person, memberships.clone());
        async move {
            let found = ctx.lookup.listed_user(&at.account, &at.name, now).await?;
            let Ok(listed) = found.map_err(|NoSuchUser| ()) else { return Ok(None) };
            let known = listed.as_if(false);
            ctx.lookup.load_groups(slack, &mut memberships, &known.owner_groups).await?;
            let requester = Person { groups: memberships.of(&person.id.user), ..person.clone() };
            let denied = |user: &IamUser| policies.authorize(&requester, List, user).is_err();
            if denied(&known) && denied(&listed.as_if(true)) {
                return Ok(None);
            }
            let Ok(iam_user) = listed.documented().await?.map_err(|NoSuchUser| ()) else {
                return Ok(None);
            };
            let facts = DecisionFacts {
                requester,
                iam_user,
                issued_today,
                approved_by: Vec::new(),
                actor: None,
                eligible: memberships.approvers().iter().cloned().collect(),
                memberships,
                key: None,
                replaced: None,
            };
            if policies.authorize(&facts.requester, List, &facts.iam_user).is_err() {
                return Ok(None);
            }
            rows(ctx, &facts, now).await.map(Some)
        }
        .boxed()
    }));
    let listed: Vec<Listed> = std::iter::zip(shown, listed.await)
        .filter_map(|(at, rows)| match rows {
            Ok(rows) => Some((at.clone(), Some(rows?))),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "listing access keys failed");
                Some((at.clone(), None))
            }
        })
        .collect();
    let answer = match (listed.is_empty(), rest) {
        (true, []) => approval_card::text(text::NOTHING_LISTED),
        (_, rest) => approval_card::listed(&listed, rest, now),
    };
    answer_with(ctx, message, now, &answer).await?;
    refresh_directory(ctx, &known, now).await;
    Ok(())
}

/// Both keys of an IAM user, where a third is asked for.
pub(crate) async fn chooser(
    ctx: &Context,
    facts: &DecisionFacts,
    now: Timestamp,
) -> anyhow::Result<crate::slack::api::SlackMessage> {
    let rows = rows(ctx, facts, now).await?;
    Ok(approval_card::chooser(&facts.iam_user.at(), &rows, now))
}

/// An IAM user's keys, each with what this person may do about it.
async fn rows(ctx: &Context, facts: &DecisionFacts, now: Timestamp) -> anyhow::Result<Vec<Row>> {
    let keys = &facts.iam_user.keys;
    let stored = try_join_all(keys.iter().map(|key| read_key(ctx, &key.id))).await?;
    // What took another's place is a key of the same user, if it is still there.
    let lives = |key: &AccessKeyId| {
        stored.iter().flatten().any(|found| found.issued.key == *key && found.issued.state.is_active())
    };
    let is_succeeded =
        |stored: &StoredKey| stored.issued.successor.as_ref().is_none_or(|successor| lives(&successor.key));
    let rows = std::iter::zip(keys, &stored).map(|(key, stored)| {
        let stored = stored.clone();
        let stored =
            stored.map(|stored| if is_succeeded(&stored) { stored } else { stored.clear_successor() });
        let offers = available_actions(ctx, facts, key, stored.as_ref(), now);
        Row { key: key.clone(), issued: stored.map(|stored| stored.issued), offers }
    });
    Ok(rows.collect())
}

/// What this person may do about a key now: what its state allows and policy does not refuse.
fn available_actions(
    ctx: &Context,
    facts: &DecisionFacts,
    key: &AccessKey,
    stored: Option<&StoredKey>,
    now: Timestamp,
) -> Vec<KeyAction> {
    let Ok(policies) = &ctx.policies else { return Vec::new() };
    let ours = stored.filter(|stored| stored.is_managed());
    let suspect = stored.is_some_and(|stored| matches!(stored.issued.state, KeyState::Suspect { .. }));
    let key_facts =
        ours.map_or_else(|| unmanaged_key_facts(&key.id), |stored| KeyFacts::from(&stored.issued));
    let under_way = ours.is_some_and(|stored| {
        matches!(stored.issued.state, KeyState::Activating { .. } | KeyState::Deleting { .. })
    });
    if suspect || under_way {
        return Vec::new();
    }
    let (who, user) = (&facts.requester, &facts.iam_user);
    let mut offers = Vec::new();
    for (again, offer) in [
        (KeyChange::Rotate, KeyAction::Rotate),
        (KeyChange::Extend, KeyAction::Extend),
        (KeyChange::Undo, KeyAction::Undo),
        (KeyChange::Received, KeyAction::Received),
        (KeyChange::Activate, KeyAction::Activate),
    ] {
        let Some(stored) = ours else { continue };
        // There is one button for one thing, and none for a third key.
        let other = match again {
            KeyChange::Rotate => has_two_keys(user) || !stored.issued.state.is_active(),
            KeyChange::Undo => !stored.issued.can_undo_expiry(),
            KeyChange::Activate => offers.contains(&KeyAction::Undo) || offers.contains(&KeyAction::Received),
            KeyChange::Extend | KeyChange::Received | KeyChange::Replace => false,
        };
        let wanted = again.wants(stored, ctx.config.max_key_days, now);
        if let (Ok((wants, days)), false) = (wanted, other) {
            let asked = RequestDetails {
                kind: wants,
                requester: who.id.clone(),
                account: user.account.clone(),
                user: user.name.clone(),
                use_case: stored.issued.use_case,
                days,
                reason: stored.issued.reason.clone(),
                email_hash: None,
                at: now,
            };
            let about = asked.kind.existing().map(|_| stored.issued.clone());
            if authorize_change(ctx, policies, &asked, &facts.about(about), &stored.issued, again).is_ok() {
                offers.push(offer);
            }
        }
    }
    let allows = |verdict| matches!(verdict, PolicyDecision::Allow { .. });
    match key.status {
        AccessKeyStatus::Active => {
            let stored_may = ours.is_some_and(|stored| stored.issued.can_deactivate(&who.id));
            if stored_may || allows(policies.decide(who, &Deactivate(key_facts), user)) {
                offers.push(KeyAction::Deactivate);
            }
        }
        AccessKeyStatus::Inactive => {
            if allows(policies.decide(who, &Delete(key_facts), user)) {
                offers.push(KeyAction::Delete);
            }
        }
    }
    offers
}

/// Whether policy lets whoever acts do this to a key of that IAM user, by facts looked up afresh; or what to say.
pub(crate) async fn authorize_key_action<A: Act<On = IamUser> + Send + Sync>(
    ctx: &Context,
    message: &SlackEnvelope,
    (account, user): (&Account, &IamUserName),
    act: A,
    now: Timestamp,
) -> anyhow::Result<Result<(Authorized<A>, DecisionFacts), String>> {
    let Ok(policies) = &ctx.policies else { return Ok(Err(text::POLICIES_INVALID.to_owned())) };
    let slack = slack_client(ctx).await?;
    let ask = |policies: &Policies, facts: &DecisionFacts| match policies.decide(
        &facts.requester,
        &act,
        &facts.iam_user,
    ) {
        PolicyDecision::Allow { .. } => Ok(()),
        PolicyDecision::Deny(denial) => Err(denial),
    };
    let found = facts_unless_denied(ctx, &slack, &message.person, (account, user), (&[], None), now, ask);
    let facts = match found.boxed().await? {
        Found::Facts(facts) => *facts,
        Found::NoSuchUser => return Ok(Err(text::user_gone(user, account))),
        Found::Denied(denial, _) => {
            return Ok(Err(text::refused(&denial.advice, ctx.config.help_channel.as_ref())));
        }
    };
    Ok(match policies.authorize(&facts.requester, act, &facts.iam_user) {
        Ok(authorized) => Ok((authorized, facts)),
        Err(denial) => Err(text::refused(&denial.advice, ctx.config.help_channel.as_ref())),
    })
}

/// Switches a key off: by whoever may by what is stored at once, by anybody else if policy allows it.
pub(crate) async fn deactivate(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let stored = read_key(ctx, key).await?;
    let at_once = stored
        .as_ref()
        .is_some_and(|stored| stored.is_managed() && stored.issued.can_deactivate(&message.person));
    if !at_once && let Some(barred) = barred(ctx, &message.person).await? {
        return refuse_barred(ctx, message, barred, now).await;
    }
    let stored = match find_as(ctx, stored, key, now).await? {
        KeyFound::Issued(stored) => *stored,
        KeyFound::Suspect => {
            return Ok(answer(ctx, message, now, &text::being_asked_about(key)).await?);
        }
        KeyFound::Foreign(account, user) => {
            return deactivate_unmanaged(ctx, message, key, (&account, &user), now).boxed().await;
        }
        KeyFound::Nowhere => return Ok(answer(ctx, message, now, &text::no_such_key(key)).await?),
    };
    let issued = &stored.issued;
    match &issued.state {
        KeyState::Deleted { .. } => return Ok(answer(ctx, message, now, text::KEY_GONE).await?),
        KeyState::Inactive { .. } | KeyState::Deleting { .. } => {
            return Ok(answer(ctx, message, now, &text::off_already(key)).await?);
        }
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Activating { .. }
        | KeyState::Active
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => {}
    }
    if !issued.can_deactivate(&message.person)
        && let Err(no) = may_deactivate(ctx, message, &stored, now).await?
    {
        note_on_key(ctx, message, &stored, AuditEvent::KeyDeactivateDenied, now).await?;
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let by = message.person.to_string();
    take_off(ctx, issued, (message.id.as_str(), &by), why, now).await?;
    finish_deactivation(ctx, key, why, now).await?;
    let Some(StoredKey { issued, .. }) = read_key(ctx, key).await? else { return Ok(()) };
    Ok(answer(ctx, message, now, &text::deactivated(&issued)).await?)
}

/// Somebody who is not stored with the key: policy decides, and without one only who approves or owns it in a group.
async fn may_deactivate(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredKey,
    now: Timestamp,
) -> anyhow::Result<Result<(), String>> {
    let issued = &stored.issued;
    if ctx.policies.is_err() {
        let may = is_in_a_group(ctx, message, issued).await?;
        return Ok(if may { Ok(()) } else { Err(text::NOT_YOURS_TO_SWITCH_OFF.to_owned()) });
    }
    let act = Deactivate(KeyFacts::from(issued));
    Ok(authorize_key_action(ctx, message, (&issued.account, &issued.user), act, now).await?.map(drop))
}

/// Deletes a key that is off.
pub(crate) async fn delete(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let stored = match find(ctx, key, now).await? {
        KeyFound::Issued(stored) => *stored,
        KeyFound::Suspect => {
            return Ok(answer(ctx, message, now, &text::being_asked_about(key)).await?);
        }
        KeyFound::Foreign(account, user) => {
            return delete_unmanaged(ctx, message, key, (&account, &user), now).boxed().await;
        }
        KeyFound::Nowhere => return Ok(answer(ctx, message, now, &text::no_such_key(key)).await?),
    };
    let issued = &stored.issued;
    if let KeyState::Deleted { why, .. } = &issued.state {
        return Ok(answer(ctx, message, now, &text::key_deleted(issued, *why)).await?);
    }
    if let Err(no) = may_delete(ctx, message, &stored, now).await? {
        note_on_key(ctx, message, &stored, AuditEvent::KeyDeleteDenied, now).await?;
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let by = message.person.to_string();
    match &issued.state {
        KeyState::Inactive { .. } => {
            delete_key(ctx, &stored, (DeactivationReason::UserRequested, &by), now).boxed().await?
        }
        // Begun before, by this very message or another.
        KeyState::Deleting { why, by } => delete_key(ctx, &stored, (*why, by), now).boxed().await?,
        KeyState::Activating { .. } => {
            return Ok(answer(ctx, message, now, &text::being_worked_on(key)).await?);
        }
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Active
        | KeyState::Deleted { .. }
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => {
            let no =
                approval_card::about_key(&text::active_is_not_deleted(key), key, &[KeyAction::Deactivate]);
            return Ok(answer_with(ctx, message, now, &no).await?);
        }
    }
    let Some(StoredKey { issued, .. }) = read_key(ctx, key).await? else { return Ok(()) };
    answer(ctx, message, now, &text::key_deleted(&issued, DeactivationReason::UserRequested)).await?;
    remove_description_of(ctx, &issued, &by, now).await;
    Ok(())
}

/// Policy decides; while it is not valid, who may is what is stored with the key, and who approves.
async fn may_delete(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredKey,
    now: Timestamp,
) -> anyhow::Result<Result<(), String>> {
    let issued = &stored.issued;
    if ctx.policies.is_err() {
        let may = issued.can_deactivate(&message.person) || is_in_a_group(ctx, message, issued).await?;
        return Ok(if may { Ok(()) } else { Err(text::POLICIES_INVALID.to_owned()) });
    }
    let act = Delete(KeyFacts::from(issued));
    Ok(authorize_key_action(ctx, message, (&issued.account, &issued.user), act, now).await?.map(drop))
}

/// Audits something about a key that changed nothing, in the chain of the request that it came of.
pub(crate) async fn note_on_key(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredKey,
    event: AuditEvent,
    now: Timestamp,
) -> anyhow::Result<()> {
    match StoredRequest::read(&ctx.tables, &stored.issued.request).await? {
        Some(request) => record_audit(ctx, &request, event, message, now).await,
        None => Ok(()),
    }
}

/// What policy is told of a key that keyvend did not issue.
pub(crate) fn unmanaged_key_facts(key: &AccessKeyId) -> KeyFacts {
    KeyFacts { id: key.clone(), requester: None, concerns: std::collections::BTreeSet::new() }
}
