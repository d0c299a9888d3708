//! `list`: the keys of one IAM user, or of all that are the person's own.

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join, try_join3};

use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::IamUser;
use crate::domain::person::Person;
use crate::facts::{Listing, NoSuchUser};
use crate::policy::{IamUserRef, List, Policies, Resource as _};
use crate::render::approval_card::{self, Listed, MOST_LISTED};
use crate::render::text;
use crate::slack::command::TypedUser;
use crate::slack::receive::SlackEnvelope;
use crate::store::counters;
use crate::time::Timestamp;
use crate::worker::authorize::{account_named, barred, refuse_barred};
use crate::worker::authorize::{denial_text, denied_by_policy};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied, memberships};
use crate::worker::limits::admit;
use crate::worker::ops::key_list::rows;
use crate::worker::ops::ownership::{known_users, refresh_directory};
use crate::worker::outbox::audit_alone;
use crate::worker::reply::{answer, answer_with};

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
        let no = denial_text(ctx, &denied_by_policy(&denial));
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
        let issued_today = counters::issued_today(&ctx.tables, &message.person, now);
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
    let listing = &Listing::of(&ctx.config.accounts);
    let listed = join_all(shown.iter().map(|at| {
        let (slack, person, mut memberships) = (&slack, &person, memberships.clone());
        async move {
            let found = ctx.lookup.listed_user_of(listing, &at.account, &at.name, now).await?;
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
