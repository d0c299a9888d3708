//! The facts of one decision about a request, looked up afresh and in parallel.

use futures_util::FutureExt as _;
use futures_util::future::{try_join, try_join_all};

use crate::domain::iam::{Account, IamUser};
use crate::domain::key::IssuedKey;
use crate::domain::person::{EligibleApprovers, Person};
use crate::domain::request::{Approval, KeyRequest, RequestDetails};
use crate::facts::{Memberships, NoSuchUser};
use crate::id::{IamUserName, PersonId};
use crate::policy::{self, Denial, KeyFacts, Policies, RequiredApprovals};
use crate::slack::api::SlackApi;
use crate::store::counters;
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::Context;

/// What a decision rests on.
#[derive(Clone)]
pub(crate) struct DecisionFacts {
    pub requester: Person,
    pub iam_user: IamUser,
    pub issued_today: u32,
    /// Those who approved so far, as they are now.
    pub approved_by: Vec<Person>,
    /// Whoever pressed, where somebody did.
    pub actor: Option<Person>,
    /// Who is in the groups that decide.
    pub memberships: Memberships,
    /// Who was an approver when the request was created; where it is being created, who is one now.
    pub eligible: EligibleApprovers,
    /// The key that exists and that is to come back or to live longer.
    pub key: Option<IssuedKey>,
    /// The key that is to be replaced by a new one.
    pub replaced: Option<IssuedKey>,
}

/// What looking up came to.
pub(crate) enum Found {
    Facts(Box<DecisionFacts>),
    /// There is no such IAM user.
    NoSuchUser,
    /// What is known without the user's policy documents is enough for a no, whatever they say: none was read. The facts are
    /// those, with the user taken for privileged.
    Denied(Denial, Box<DecisionFacts>),
}

/// Looks up what decides over a request that exists: whose approvals can count was settled when it was created.
pub(crate) async fn facts_about(
    ctx: &Context,
    slack: &SlackApi,
    request: &KeyRequest,
    actor: Option<&PersonId>,
    now: Timestamp,
) -> anyhow::Result<Result<DecisionFacts, NoSuchUser>> {
    let asked = &request.details;
    let subject = (&asked.account, &asked.user);
    let people = (request.approvals.as_slice(), actor);
    let found = facts(ctx, slack, &asked.requester, subject, people, now).await?;
    Ok(found.map(|facts| DecisionFacts { eligible: request.eligible_approvers.clone(), ..facts }))
}

/// Looks up what decides over a key for `user`, asked for by `requester`.
pub(crate) async fn facts(
    ctx: &Context,
    slack: &SlackApi,
    requester: &PersonId,
    subject: (&Account, &IamUserName),
    people: (&[Approval], Option<&PersonId>),
    now: Timestamp,
) -> anyhow::Result<Result<DecisionFacts, NoSuchUser>> {
    let ask = |_: &Policies, _: &DecisionFacts| Ok(());
    Ok(match facts_unless_denied(ctx, slack, requester, subject, people, now, ask).await? {
        Found::Facts(facts) => Ok(*facts),
        Found::NoSuchUser | Found::Denied(..) => Err(NoSuchUser),
    })
}

/// The same, but policy is asked first who the person is and whose the user: `ask` is what is wanted of it. Where it is
/// denied both to an ordinary and to a privileged user, nobody's documents are read for somebody who may not ask.
pub(crate) async fn facts_unless_denied(
    ctx: &Context,
    slack: &SlackApi,
    requester: &PersonId,
    (account, user): (&Account, &IamUserName),
    (approvals, actor): (&[Approval], Option<&PersonId>),
    now: Timestamp,
    ask: impl Fn(&Policies, &DecisionFacts) -> Result<(), Denial>,
) -> anyhow::Result<Found> {
    let people = async {
        let memberships = memberships(ctx, slack).await?;
        let look_up = |id| ctx.lookup.person(slack, id, &memberships);
        let approved = try_join_all(approvals.iter().map(|approval| look_up(&approval.by)));
        let pressed = try_join_all(actor.into_iter().map(look_up));
        let (requester, (approved_by, pressed)) =
            try_join(look_up(requester), try_join(approved, pressed)).await?;
        anyhow::Ok((requester, approved_by, pressed.into_iter().next(), memberships))
    };
    let counted = counters::issued_today(&ctx.tables, requester, now);
    let (people, (found, issued_today)) =
        try_join(people, try_join(ctx.lookup.listed_user(account, user, now).boxed(), counted)).await?;
    let Ok(listed) = found.map_err(|NoSuchUser| ()) else { return Ok(Found::NoSuchUser) };
    let (mut requester, mut approved_by, mut actor, mut memberships) = people;
    let iam_user = listed.as_if(false);
    ctx.lookup.load_groups(slack, &mut memberships, &iam_user.owner_groups).await?;
    for person in [&mut requester].into_iter().chain(&mut approved_by).chain(&mut actor) {
        person.groups = memberships.of(&person.id.user);
    }
    let eligible = memberships.approvers().iter().cloned().collect();
    let known = DecisionFacts {
        requester,
        iam_user,
        issued_today,
        approved_by,
        actor,
        memberships,
        eligible,
        key: None,
        replaced: None,
    };
    if let Ok(policies) = &ctx.policies
        && let Err(denial) = ask(policies, &known)
    {
        let privileged = DecisionFacts { iam_user: listed.as_if(true), ..known.clone() };
        if ask(policies, &privileged).is_err() {
            return Ok(Found::Denied(denial, Box::new(privileged)));
        }
    }
    Ok(match listed.documented().boxed().await? {
        Ok(iam_user) => Found::Facts(Box::new(DecisionFacts { iam_user, ..known })),
        Err(NoSuchUser) => Found::NoSuchUser,
    })
}

/// Who is in the groups that any policy names, the approvers among them.
pub(crate) async fn memberships(ctx: &Context, slack: &SlackApi) -> anyhow::Result<Memberships> {
    let named = ctx.policies.iter().flat_map(Policies::slack_groups);
    let whose = (&ctx.config.approvals_channel, &ctx.config.approvers);
    ctx.lookup.memberships(slack, whose, named).await
}

/// The same facts with the key that exists and that the request is about, if it is about one.
pub(crate) async fn with_key(
    ctx: &Context,
    facts: DecisionFacts,
    asked: &RequestDetails,
) -> anyhow::Result<DecisionFacts> {
    let key = key_about(ctx, asked).await?;
    Ok(facts.with(asked, key))
}

/// That key, as it is now.
pub(crate) async fn key_about(ctx: &Context, asked: &RequestDetails) -> anyhow::Result<Option<IssuedKey>> {
    Ok(match asked.kind.key() {
        Some(key) => StoredKey::read(&ctx.tables, key).await?.map(|stored| stored.issued),
        None => None,
    })
}

impl DecisionFacts {
    /// The same facts about this key.
    pub(crate) fn about(&self, key: Option<IssuedKey>) -> Self {
        Self { key, replaced: None, ..self.clone() }
    }

    /// The same facts about a request that exists, with the key that it is about: whose approvals can count was settled when it
    /// was created.
    pub(crate) fn of_request(self, request: &KeyRequest, key: Option<IssuedKey>) -> Self {
        Self { eligible: request.eligible_approvers.clone(), ..self }.with(&request.details, key)
    }

    /// The same facts with the key that the request is about.
    pub(crate) fn with(self, asked: &RequestDetails, key: Option<IssuedKey>) -> Self {
        let (key, replaced) = if asked.kind.existing().is_some() { (key, None) } else { (None, key) };
        Self { key, replaced, ..self }
    }

    /// What policy is asked about, with the approvals that count now: by whoever acts, who counts as one approval where
    /// there are concerns about the key of somebody else.
    pub(crate) fn asked(&self, asked: &RequestDetails, approvals: u32) -> policy::RequestContext {
        let key = self.key.as_ref().map(KeyFacts::from);
        let plain = policy::RequestContext { approvals, key, ..self.approve_query(asked) };
        match &self.key {
            Some(key) if self.counts_as_approval(asked) => {
                policy::RequestContext { requester: key.requester.clone(), approvals: approvals + 1, ..plain }
            }
            Some(_) | None => plain,
        }
    }

    /// Whether the request itself counts as its requester's approval: an approver reactivates a key of somebody else that
    /// there are concerns about. As for every approval, they must have been an approver when the request was created and
    /// still be one; nor is the holder of the key another person for acting in another workspace.
    fn counts_as_approval(&self, asked: &RequestDetails) -> bool {
        let requester = &asked.requester.user;
        let of_somebody_else = self
            .key
            .as_ref()
            .is_some_and(|key| !key.concerns().is_empty() && key.requester.user != *requester);
        of_somebody_else
            && self.eligible.contains(requester)
            && self.memberships.approvers().contains(requester)
    }

    /// How many approvals the request needs beside that.
    pub(crate) fn required_approvals(
        &self,
        policies: &Policies,
        asked: &RequestDetails,
    ) -> RequiredApprovals {
        match policies.needed_approvals(&self.requester, &self.iam_user, &self.asked(asked, 0)) {
            RequiredApprovals::Approvals(all) if self.counts_as_approval(asked) => {
                RequiredApprovals::Approvals(all.saturating_sub(1))
            }
            needed => needed,
        }
    }

    /// What policy is asked about an approval: the request is of whoever made it.
    pub(crate) fn approve_query(&self, asked: &RequestDetails) -> policy::RequestContext {
        policy::RequestContext {
            requester: asked.requester.clone(),
            use_case: asked.use_case,
            days: asked.days,
            approvals: 0,
            issued_today: self.issued_today,
            // Whose key is replaced matters too: its holder approves no change of it.
            key: self.key.as_ref().or(self.replaced.as_ref()).map(KeyFacts::from),
        }
    }

    /// Whether the approval that this person gave still counts.
    pub(crate) fn still_counts(&self, policies: &Policies, asked: &RequestDetails, by: &PersonId) -> bool {
        let person = self.approved_by.iter().filter(|person| person.id == *by);
        policies.approvals(person, &self.eligible, &self.iam_user, &self.approve_query(asked)) > 0
    }

    /// How many of those who approved still count, and `one_more` with them.
    pub(crate) fn approvals(
        &self,
        policies: &Policies,
        asked: &RequestDetails,
        one_more: Option<&Person>,
    ) -> u32 {
        let people = self.approved_by.iter().chain(one_more);
        policies.approvals(people, &self.eligible, &self.iam_user, &self.approve_query(asked))
    }
}

/// Whether somebody is a full member and approves now, where there is no IAM user that policy could be asked about.
pub(crate) async fn approves_now(ctx: &Context, slack: &SlackApi, person: &PersonId) -> anyhow::Result<bool> {
    let memberships = memberships(ctx, slack).await?;
    let person = ctx.lookup.person(slack, person, &memberships).await?;
    Ok(memberships.approvers().contains(&person.id.user) && person.is_full_member())
}
