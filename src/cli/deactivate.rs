//! `key deactivate`: marked, made inactive in IAM, recorded, in that order; only a wrong name stops it on the way. A
//! table that cannot be read or written never keeps a key on.

use serde::Serialize;

use crate::aws::item::Table;
use crate::aws::session_policy::{self, SessionPolicy};
use crate::aws::{Iam, IamError, Tables, WriteError};
use crate::cli::account::{find_account, own_account};
use crate::cli::args::Deactivate;
use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::flags::{Flags, tables};
use crate::cli::identity::Operator;
use crate::cli::output::{failure, notification};
use crate::cli::standalone_audit::record_standalone_audit;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::{Account, CONSISTENT_AFTER};
use crate::domain::key::IssuedKey;
use crate::domain::request::{Notification, RequestEvent};
use crate::id::{AccessKeyId, IamUserName, PersonId, RequestId};
use crate::render::approval_card;
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;

/// How often a request may change while its chain is written to.
const MAX_CONFLICT_RETRIES: usize = 5;

/// What was done, step by step.
#[derive(Debug, Serialize)]
pub struct Deactivated {
    /// The key.
    pub key: AccessKeyId,
    /// Its IAM user.
    pub user: IamUserName,
    /// The user's account, where it is known.
    pub account: Option<Account>,
    /// The request that keyvend issued it for.
    pub request: Option<RequestId>,
    /// Who asked for it there.
    pub requester: Option<PersonId>,
    /// When this was done: sessions made with the key before are to be revoked.
    pub at: Timestamp,
    /// Marking it in keyvend's table.
    pub marked: Outcome,
    /// Making it inactive in IAM.
    pub inactive: Outcome,
    /// Recording it in the audit trail.
    pub recorded: Outcome,
    /// The chain in which it is recorded.
    pub recorded_in: RequestId,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Done,
    /// It was so already.
    Already,
    /// There is nothing to do it to: keyvend did not issue the key, or IAM does not have it.
    Nothing,
    /// It failed.
    Failed(String),
    /// It was not tried, because something before it failed.
    NotTried,
}

impl From<anyhow::Result<Self>> for Outcome {
    fn from(done: anyhow::Result<Self>) -> Self {
        done.unwrap_or_else(|error| Self::Failed(format!("{error:#}")))
    }
}

impl Outcome {
    pub(crate) fn is_in_order(&self) -> bool {
        match self {
            Self::Done | Self::Already | Self::Nothing => true,
            Self::Failed(_) | Self::NotTried => false,
        }
    }
}

pub(crate) async fn deactivate(
    args: &Deactivate,
    place: &CommandContext<'_>,
) -> Result<Deactivated, Failure> {
    let given = args.aws.flags().into_iter().chain(args.tables.flags());
    let flags = Flags::over(place.environment, given);
    let (names, accounts) = (tables(flags.config())?, flags.config().accounts()?);
    let sdk = place.aws(flags.config()).await?;
    let dynamo = Tables::new(&sdk, names);
    let operator = Operator::of(&sdk, args.as_name.as_ref()).await?;

    let known = read(&dynamo, &args.key).await;
    let issued = known.as_ref().ok().and_then(Option::as_ref).map(|stored| &stored.issued);
    let user = whose(args, issued, known.is_err())?;
    let account = where_(args, issued, &operator, &accounts)?;
    let reach =
        Reach { operator: &operator, sdk: &sdk, account: account.as_ref(), role: args.role.as_deref() };
    let marked = match &known {
        Ok(Some(_)) => {
            mark(&dynamo, &args.key, (operator.actor(), &place.own_chain()), place.now).await.into()
        }
        Ok(None) => Outcome::Nothing,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    let (user, inactive) = match (reach.make_inactive(&user, &args.key).await?, issued) {
        (Ok(()), _) => (user, Outcome::Done),
        (Err(IamError::NoSuchEntity), Some(issued)) => match reach.follow(issued, place.now).await? {
            Ok((user, outcome)) => (user, outcome),
            Err(error) => (user, Outcome::Failed(format!("{error:#}"))),
        },
        (Err(IamError::NoSuchEntity), None) => {
            return Err(failure::no_such_key(&args.key, &user, account.as_ref()));
        }
        (Err(IamError::Other(error)), _) => (user, Outcome::Failed(format!("{error:#}"))),
    };
    let detail = [
        ("key", args.key.to_string()),
        ("user", user.to_string()),
        ("account", account.as_ref().map(|account| account.id.to_string()).unwrap_or_default()),
        ("why", "reported".to_owned()),
    ];
    let happened = operator.happened(AuditEvent::KeyDeactivated, detail);
    let (recorded, recorded_in) = if inactive.is_in_order() {
        record(&dynamo, issued, happened, &operator, place).await
    } else {
        (Outcome::NotTried, place.own_chain())
    };
    Ok(Deactivated {
        key: args.key.clone(),
        user,
        account,
        request: issued.map(|issued| issued.request.clone()),
        requester: issued.map(|issued| issued.requester.clone()),
        at: place.now,
        marked,
        inactive,
        recorded,
        recorded_in,
    })
}

/// How IAM of the key's account is reached.
struct Reach<'a> {
    operator: &'a Operator,
    sdk: &'a aws_config::SdkConfig,
    account: Option<&'a Account>,
    role: Option<&'a str>,
}

impl Reach<'_> {
    async fn make_inactive(
        &self,
        user: &IamUserName,
        key: &AccessKeyId,
    ) -> Result<Result<(), IamError>, Failure> {
        // At any path: it may have been moved since its key was issued.
        let iam = self.iam(|account| session_policy::deactivating_at_any_path(account, user)).await?;
        Ok(iam.deactivate_known_access_key(user, key).await)
    }

    /// IAM finds no such key of the user whom it was issued for. That user may have another name by now, and a new key may not
    /// be found yet: so it is gone only where IAM shows that.
    async fn follow(
        &self,
        issued: &IssuedKey,
        now: Timestamp,
    ) -> Result<anyhow::Result<(IamUserName, Outcome)>, Failure> {
        let (key, user) = (&issued.key, &issued.user);
        let iam = self.iam(|_| session_policy::read_policy()).await?;
        let renamed = match iam.user_of_key(key).await {
            Ok(Some(now_named)) if !now_named.is_same_user(user) => now_named,
            Ok(Some(_)) => return Ok(Err(not_found_yet())),
            Ok(None) => return Ok(is_gone(&iam, issued, now).await.map(|outcome| (user.clone(), outcome))),
            Err(error) => return Ok(Err(error)),
        };
        Ok(match self.make_inactive(&renamed, key).await? {
            Ok(()) => Ok((renamed, Outcome::Done)),
            Err(IamError::NoSuchEntity) => Err(not_found_yet()),
            Err(IamError::Other(error)) => Err(error),
        })
    }

    async fn iam(&self, policy: impl Fn(&Account) -> SessionPolicy) -> Result<Iam, Failure> {
        match self.account {
            Some(account) => self.operator.iam(self.sdk, account, self.role, policy(account)).await,
            None => Ok(Iam::of_caller(self.sdk)),
        }
    }
}

/// A key that AWS names no user of: gone where its user's list does not show it either and it is not new.
async fn is_gone(iam: &Iam, issued: &IssuedKey, now: Timestamp) -> anyhow::Result<Outcome> {
    let listed = match iam.list_access_keys(&issued.user).await {
        Ok(keys) => keys.iter().any(|listed| listed.id == issued.key),
        Err(IamError::NoSuchEntity) => false,
        Err(IamError::Other(error)) => return Err(error),
    };
    if listed || now.since(issued.issued_at) < CONSISTENT_AFTER {
        Err(not_found_yet())
    } else {
        Ok(Outcome::Nothing)
    }
}

fn not_found_yet() -> anyhow::Error {
    anyhow::anyhow!(
        "iam:UpdateAccessKey: IAM does not find the key yet; changes in IAM take a moment to show"
    )
}

async fn read(dynamo: &Tables, key: &AccessKeyId) -> anyhow::Result<Option<StoredKey>> {
    let item = dynamo.get(Table::Requests, &StoredKey::item_key(key), None).await?;
    item.as_ref().map(StoredKey::try_from).transpose()
}

/// The IAM user: as given, which must be what keyvend wrote down when it issued the key.
fn whose(args: &Deactivate, issued: Option<&IssuedKey>, unread: bool) -> Result<IamUserName, Failure> {
    match (&args.user, issued) {
        (Some(given), Some(issued)) if !given.is_same_user(&issued.user) => {
            Err(failure::another_user(issued))
        }
        (_, Some(issued)) => Ok(issued.user.clone()),
        (Some(given), None) => Ok(given.clone()),
        (None, None) => Err(failure::whose_is_it(&args.key, unread)),
    }
}

/// The account: as given, which must be the one the key was issued in; else that one; else the caller's own.
fn where_(
    args: &Deactivate,
    issued: Option<&IssuedKey>,
    operator: &Operator,
    accounts: &[Account],
) -> Result<Option<Account>, Failure> {
    let given = args.account.as_ref().map(|given| find_account(given, accounts)).transpose()?;
    match (given, issued) {
        (Some(given), Some(issued)) if given.id != issued.account.id => Err(failure::another_user(issued)),
        (_, Some(issued)) => Ok(Some(issued.account.clone())),
        (Some(given), None) => Ok(Some(given)),
        (None, None) => operator.account().map(|own| own_account(own, accounts)).transpose(),
    }
}

/// The first write of a deactivation, which no activation may miss.
async fn mark(
    dynamo: &Tables,
    key: &AccessKeyId,
    (actor, press): (&str, &RequestId),
    now: Timestamp,
) -> anyhow::Result<Outcome> {
    let marked = StoredKey::mark_reported(key, actor, press, now);
    match dynamo.update(Table::Requests, &StoredKey::item_key(key), &marked).await {
        Ok(_) => Ok(Outcome::Done),
        Err(WriteError::Conflict(_)) => Ok(Outcome::Already),
        Err(WriteError::Other(error)) => Err(error),
    }
}

/// Records it: in its request's chain, with what the approvers and the requester are to be told; else in one of its own.
async fn record(
    dynamo: &Tables,
    issued: Option<&IssuedKey>,
    happened: NewAuditEntry,
    operator: &Operator,
    place: &CommandContext<'_>,
) -> (Outcome, RequestId) {
    if let Some(issued) = issued {
        match record_with_request(dynamo, issued, &happened, operator, place.now).await {
            Ok(true) => return (Outcome::Done, issued.request.clone()),
            Ok(false) => {}
            Err(error) => return (Outcome::Failed(format!("{error:#}")), issued.request.clone()),
        }
    }
    let chain = place.own_chain();
    let done = record_standalone_audit(dynamo, &chain, place.now, happened).await;
    (done.map(|()| Outcome::Done).into(), chain)
}

/// Whether there is such a request: then it is recorded there. What is to be told is queued by the next sweep.
async fn record_with_request(
    dynamo: &Tables,
    issued: &IssuedKey,
    happened: &NewAuditEntry,
    operator: &Operator,
    now: Timestamp,
) -> anyhow::Result<bool> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(stored) = StoredRequest::read(dynamo, &issued.request).await? else { return Ok(false) };
        let seen = RequestEvent::RecordTicketEvent { happened: happened.clone(), at: now, alert: false };
        let mut next = stored.request.apply(seen, "keyvend", now)?;
        let told = approval_card::text(&notification::told_of_deactivation(issued, operator.actor()));
        let to = issued.requester.clone();
        next.notifications.extend([
            Notification::ApprovalsChannel { message: told.clone().into() },
            Notification::DirectMessage { to, message: told.into() },
        ]);
        let mut others = Vec::new();
        if let Some(key) = read(dynamo, &issued.key).await? {
            let press = key.deactivation_mark.as_ref().and_then(|off| off.press.as_ref());
            others.push(key.update(&key.issued.reported(press, now))?);
            others.extend(key.release_if_activating());
        }
        let saved = match stored.save(dynamo, next, others).await {
            Ok(saved) => saved,
            Err(WriteError::Conflict(_)) => continue,
            Err(WriteError::Other(error)) => return Err(error),
        };
        for entry in &saved.request.chain.outbox {
            dynamo.insert_audit(&issued.request, entry).await?;
        }
        let mut inserted = saved.request.clone();
        inserted.chain.remove_inserted(u32::MAX);
        // Whoever wrote meanwhile finds the entries in the table, as the next sweep would.
        let _ = saved.save(dynamo, inserted, Vec::new()).await;
        return Ok(true);
    }
    anyhow::bail!("a request changed too often for its key's end to be noted")
}
