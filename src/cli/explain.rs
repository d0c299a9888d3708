//! `policy explain`: one question to the policies, with the facts of a file or with facts looked up now.

use std::collections::BTreeSet;

use anyhow::Context as _;
use futures_util::future::try_join;
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::item::Table;
use crate::aws::session_policy;
use crate::aws::{TableNames, Tables};
use crate::cli::account::{find_account, own_account};
use crate::cli::args::{Explain, Live};
use crate::cli::check;
use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::flags::Flags;
use crate::cli::identity::Operator;
use crate::cli::output::failure;
use crate::cli::value_parsers::PersonArg;
use crate::config::OperatorConfig;
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, IamUser};
use crate::domain::person::Person;
use crate::facts::Lookup;
use crate::id::PersonId;
use crate::policy::{
    Action, InvalidPolicies, KeyFacts, Policies, PolicyDecision, Question, RequestContext, RequiredApprovals,
    test_cases,
};
use crate::slack::api::SlackApi;
use crate::slack::token::BotToken;
use crate::store::counters;
use crate::store::keys::StoredKey;

/// What the policies say, and why.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// Whether it is a yes.
    pub allowed: bool,
    /// The policies that decide: they permit, or they forbid. None with a no: none permits it.
    pub policies: Vec<Decisive>,
    /// Policies that could not be evaluated, or facts that the schema does not take: then it is a no.
    pub failed: Vec<String>,
    /// How many approvals a request like this waits for; none where no number would do.
    pub needed_approvals: Option<u32>,
    /// What it was decided with, as far as the action takes it.
    pub facts: Value,
    /// The question, for people.
    #[serde(skip)]
    pub question: Question,
    /// How many keys the requester was issued today, where nobody looked it up: then it was taken for none.
    #[serde(skip)]
    pub counted: bool,
}

/// A policy that decides.
#[derive(Debug, Serialize)]
pub struct Decisive {
    /// Its `@id`.
    pub id: String,
    /// Its `@advice`.
    pub advice: Option<String>,
}

pub(crate) async fn explain(args: &Explain, place: &CommandContext<'_>) -> Result<Explained, Failure> {
    let dir = check::folder(args.policies.as_ref(), place)?;
    let policies =
        Policies::load(&dir).map_err(|InvalidPolicies(problems)| failure::invalid(&dir, problems.len()))?;
    if let Some(file) = &args.file {
        let named = || file.display().to_string();
        let question = test_cases::one(file).and_then(|case| case.question(&policies)).with_context(named)?;
        return Ok(decided(&policies, question, true));
    }
    let (question, counted) = look_up(args, &policies, place).await?;
    Ok(decided(&policies, question, counted))
}

fn decided(policies: &Policies, question: Question, counted: bool) -> Explained {
    let (allowed, by, failed) = match question.verdict(policies) {
        PolicyDecision::Allow { by } => (true, by, Vec::new()),
        PolicyDecision::Deny(denial) => (false, denial.by, denial.failed),
    };
    let decisive = |id: String| Decisive { advice: policies.advice(&id).map(str::to_owned), id };
    let asks = matches!(question.action, Action::Request | Action::Issue);
    let needed =
        asks.then(|| policies.needed_approvals(&question.principal, &question.iam_user, &question.asked));
    Explained {
        allowed,
        policies: by.into_iter().map(decisive).collect(),
        failed,
        needed_approvals: match needed {
            Some(RequiredApprovals::Approvals(number)) => Some(number),
            Some(RequiredApprovals::Never(_)) | None => None,
        },
        facts: facts(&question),
        question,
        counted,
    }
}

/// The facts of a question, by name. An address is a fact too; of it only the domain is shown.
fn facts(question: &Question) -> Value {
    let Question { principal, action, iam_user, asked, key } = question;
    let person = json!({
        "id": principal.id, "guest": principal.guest, "external": principal.external,
        "deleted": principal.deleted, "bot": principal.bot, "groups": principal.groups,
        "email_domain": domain(principal), "email_confirmed": principal.email_confirmed,
    });
    let mut facts = json!({"person": person, "action": action});
    let mut add = |name: &str, value: Value| {
        if let Some(facts) = facts.as_object_mut() {
            facts.insert(name.to_owned(), value);
        }
    };
    match action {
        Action::Freeze => add("account", json!(iam_user.account)),
        Action::Request | Action::Issue | Action::Approve => {
            add("iam_user", user_facts(iam_user));
            add("asked", asked_facts(asked));
        }
        Action::List => add("iam_user", user_facts(iam_user)),
        Action::Rotate | Action::Deactivate | Action::Activate | Action::Delete => {
            add("iam_user", user_facts(iam_user));
            add("key", key_facts(key));
        }
    }
    facts
}

/// The domain of a person's address.
pub(crate) fn domain(person: &Person) -> Option<&str> {
    person.email.as_ref()?.rsplit_once('@').map(|(_, domain)| domain)
}

fn user_facts(user: &IamUser) -> Value {
    let keys: Vec<Value> = user.keys.iter().map(existing_key).collect();
    json!({
        "account": user.account, "name": user.name, "path": user.path, "tags": user.tags, "owners": user.owners,
        "owner_groups": user.owner_groups, "groups": user.groups, "policies": user.policies,
        "boundary": user.boundary, "privileged": user.privileged, "quarantined": user.quarantined, "keys": keys,
    })
}

fn existing_key(key: &AccessKey) -> Value {
    let last_used = match &key.last_used {
        AccessKeyLastUsed::Never => json!("never"),
        AccessKeyLastUsed::Unknown => json!("unknown"),
        AccessKeyLastUsed::At { at, service, region } => {
            json!({"at": at, "service": service, "region": region})
        }
    };
    json!({"id": key.id, "status": key.status, "create_date": key.create_date, "last_used": last_used})
}

fn asked_facts(asked: &RequestContext) -> Value {
    json!({
        "requester": asked.requester, "use_case": asked.use_case, "days": asked.days,
        "approvals": asked.approvals, "issued_today": asked.issued_today,
        "key": asked.key.as_ref().map(key_facts),
    })
}

fn key_facts(key: &KeyFacts) -> Value {
    json!({"id": key.id, "requester": key.requester, "concerns": key.concerns})
}

/// The question with facts as they are now, and whether today's keys were counted.
async fn look_up(
    args: &Explain,
    policies: &Policies,
    place: &CommandContext<'_>,
) -> Result<(Question, bool), Failure> {
    let live = &args.live;
    let table = [("KEYVEND_REQUESTS_TABLE", args.requests_table.clone())];
    let flags = Flags::over(place.environment, args.aws.flags().into_iter().chain(table));
    let config = flags.config();
    let (Some(person), Some(user), Some(action)) = (&live.person, &live.user, live.action) else {
        return Err(failure::not_enough_to_ask());
    };
    let person = whole(person, config)?;
    let requester = live.requester.as_ref().map(|given| whole(given, config)).transpose()?;
    let requester = requester.unwrap_or_else(|| person.clone());
    let (api, rule, token) = config.slack()?;
    let (cards, approvers) = config.approvers()?;
    let accounts = config.accounts()?;
    let sdk = place.aws(config).await?;
    let caller = Operator::of(&sdk, None).await?;
    let account = match (&user.account, accounts.first()) {
        (Some(given), _) => find_account(given, &accounts)?,
        // As in Slack, the first is meant where none is typed.
        (None, Some(first)) => first.clone(),
        (None, None) => {
            let own = caller.account().context("sts:GetCallerIdentity gave no account")?;
            own_account(own, &accounts)?
        }
    };
    let iam = caller.iam(&sdk, &account, live.role.as_deref(), session_policy::read_policy()).await?;
    let lookup = Lookup::of_one_account(&account, iam, place.now);
    let sleep = sdk.sleep_impl().context("there is nothing to end a call with")?;
    let slack = SlackApi::new(
        (place.connector.clone(), sleep),
        api,
        rule,
        BotToken::fixed(token),
        Some(person.team.clone()),
    );
    let of_person = async {
        let members = lookup.memberships(&slack, (&cards, &approvers), policies.slack_groups()).await?;
        lookup.person(&slack, &person, &members).await
    };
    let (mut principal, found) =
        try_join(of_person, lookup.iam_user(&account, &user.name, place.now)).await?;
    let Ok(iam_user) = found else { return Err(failure::no_such_user(&user.name, &account)) };
    principal.groups.extend(lookup.groups_of(&slack, &person.user, &iam_user.owner_groups).await?);
    let dynamo = config
        .requests_if_named()?
        .map(|requests| Tables::new(&sdk, TableNames { requests, ..TableNames::default() }));
    let issued_today = match &dynamo {
        Some(dynamo) => Some(counters::issued_today(dynamo, &requester, place.now).await?),
        None => None,
    };
    let key = key_of(live, action, &requester, dynamo.as_ref()).await?;
    let comes_back =
        matches!(action, Action::Request | Action::Issue | Action::Approve) && live.key.is_some();
    let asked = RequestContext {
        requester,
        use_case: live.use_case,
        days: live.days,
        approvals: live.approvals,
        issued_today: issued_today.unwrap_or(0),
        key: comes_back.then(|| key.clone()),
    };
    Ok((Question { principal, action, iam_user, asked, key }, issued_today.is_some()))
}

/// The key that is meant, with whoever asked for it as the table has it.
async fn key_of(
    live: &Live,
    action: Action,
    requester: &PersonId,
    dynamo: Option<&Tables>,
) -> Result<KeyFacts, Failure> {
    let concerns: BTreeSet<_> = live.concern.iter().copied().collect();
    let Some(id) = live.key.clone() else {
        return match action {
            Action::Rotate | Action::Deactivate | Action::Activate | Action::Delete => {
                Err(failure::which_key(action))
            }
            Action::Request | Action::Issue | Action::Approve | Action::List | Action::Freeze => {
                let id = "AKIA000000000000".parse().map_err(anyhow::Error::from)?;
                Ok(KeyFacts { id, requester: None, concerns })
            }
        };
    };
    let Some(dynamo) = dynamo else {
        return Ok(KeyFacts { id, requester: Some(requester.clone()), concerns });
    };
    let item = dynamo.get(Table::Requests, &StoredKey::item_key(&id), None).await?;
    let stored = item.as_ref().map(StoredKey::try_from).transpose()?;
    Ok(KeyFacts { id, requester: stored.map(|stored| stored.issued.requester), concerns })
}

/// A person with their workspace: the only configured one where none was said.
fn whole(given: &PersonArg, config: OperatorConfig<'_>) -> Result<PersonId, Failure> {
    match given {
        PersonArg::Person(person) => Ok(person.clone()),
        PersonArg::User(user) => match config.team_ids()?.as_slice() {
            [team] => Ok(PersonId { team: team.clone(), user: user.clone() }),
            _ => Err(failure::which_workspace(user)),
        },
    }
}
