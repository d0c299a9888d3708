//! Facts about IAM users and their keys, from IAM.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all, try_join, try_join_all};
use tokio::sync::OnceCell;

use crate::aws::{AttachedPolicy, Iam, IamError, KeyUse, TaggedUser, UserDetail};
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account, IamUser};
use crate::facts::lookup::Lookup;
use crate::facts::owners::read_owners;
use crate::facts::policy_documents::{
    Document, EvaluatedPolicy, boundary, digest, documents_of_group, judge,
};
use crate::id::{AccessKeyId, AccountId, Digest256, IamUserName, SlackUserId, UserGroupId};
use crate::time::Timestamp;

/// A user that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchUser;

/// Where a key is, as IAM shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLocation {
    /// Of this user, with this status where its list has it already.
    Found {
        user: IamUserName,
        path: String,
        status: Option<AccessKeyStatus>,
    },
    Gone,
}

/// An IAM user with whose it is.
#[derive(Clone, Debug)]
pub struct OwnedUser {
    pub name: IamUserName,
    /// `/` or `/bots/`.
    pub path: String,
    /// Slack users named by its tags.
    pub owners: BTreeSet<SlackUserId>,
    /// Slack user groups named there.
    pub owner_groups: BTreeSet<UserGroupId>,
    /// Whether AWS has quarantined it.
    pub quarantined: bool,
}

impl Lookup {
    /// An IAM user with everything that decides over it, in three steps of parallel calls at most.
    ///
    /// # Errors
    /// A fault; that there is no such user is an answer.
    pub async fn iam_user(
        &self,
        account: &Account,
        name: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<Result<IamUser, NoSuchUser>> {
        match self.listed_user(account, name, now).await? {
            Ok(listed) => listed.documented().await,
            Err(missing) => Ok(Err(missing)),
        }
    }

    /// The first of these steps: whose the user is and what it has, without any policy document.
    pub async fn listed_user(
        &self,
        account: &Account,
        name: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<Result<ListedUser, NoSuchUser>> {
        let iam = self.read_session(account, now).await?;
        let versions = async { iam.default_versions().await };
        found(list_user(iam.clone(), account, name, versions).await)
    }

    /// The same for one of several users that are looked up together: what is the same for all of an account's is read once.
    pub async fn listed_user_of(
        &self,
        listing: &Listing,
        account: &Account,
        name: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<Result<ListedUser, NoSuchUser>> {
        let iam = self.read_session(account, now).await?;
        let Some(kept) = listing.0.get(&account.id) else {
            return self.listed_user(account, name, now).await;
        };
        let versions = async { kept.get_or_try_init(|| iam.default_versions()).await.cloned() };
        found(list_user(iam.clone(), account, name, versions).await)
    }

    /// An IAM user's keys as IAM lists them, without their last uses; none where there is no such user.
    pub async fn keys(
        &self,
        account: &Account,
        user: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<Vec<AccessKey>> {
        match self.read_session(account, now).await?.list_access_keys(user).await {
            Ok(keys) => Ok(keys),
            Err(IamError::NoSuchEntity) => Ok(Vec::new()),
            Err(IamError::Other(error)) => Err(error),
        }
    }

    /// The keys that tags of an IAM user are named after, whether they still exist or not; none where there is no such
    /// user.
    pub async fn described_keys(
        &self,
        account: &Account,
        user: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<Vec<AccessKeyId>> {
        match self.read_session(account, now).await?.get_user(user).await {
            Ok(detail) => {
                let named = detail.tags.into_keys().filter(|tag| tag.starts_with("AKIA"));
                Ok(named.filter_map(|tag| tag.try_into().ok()).collect())
            }
            Err(IamError::NoSuchEntity) => Ok(Vec::new()),
            Err(IamError::Other(error)) => Err(error),
        }
    }

    /// When a key was last used, as far as AWS tells.
    ///
    /// # Errors
    /// A fault where there is no session to ask with.
    pub async fn last_used(
        &self,
        account: &Account,
        key: &AccessKeyId,
        now: Timestamp,
    ) -> anyhow::Result<AccessKeyLastUsed> {
        Ok(self.read_session(account, now).await?.last_used(key).await)
    }

    /// Whose a key is now and when it was last used, as far as AWS tells.
    ///
    /// # Errors
    /// A fault where there is no session to ask with.
    pub async fn key_use(
        &self,
        account: &Account,
        key: &AccessKeyId,
        now: Timestamp,
    ) -> anyhow::Result<KeyUse> {
        Ok(self.read_session(account, now).await?.key_use(key).await)
    }

    /// Where a key is now, whatever its user was called when it was issued. It is gone only where AWS knows no user of it and
    /// the user that it was of has no such key, or is gone as well.
    pub async fn locate_key(
        &self,
        account: &Account,
        key: &AccessKeyId,
        issued_for: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<KeyLocation> {
        let iam = self.read_session(account, now).await?;
        let named = iam.user_of_key(key).await?;
        let user = named.as_ref().unwrap_or(issued_for);
        let (detail, keys) = match try_join(iam.get_user(user), iam.list_access_keys(user)).await {
            Ok(read) => read,
            Err(IamError::NoSuchEntity) if named.is_none() => return Ok(KeyLocation::Gone),
            Err(IamError::NoSuchEntity) => anyhow::bail!("iam: the user of a key is not found"),
            Err(IamError::Other(error)) => return Err(error),
        };
        let status = keys.iter().find(|listed| listed.id == *key).map(|listed| listed.status);
        if named.is_none() && status.is_none() {
            return Ok(KeyLocation::Gone);
        }
        Ok(KeyLocation::Found { user: detail.name, path: detail.path, status })
    }

    /// The account and the IAM user that a key is of, asked in every account at once.
    ///
    /// # Errors
    /// A fault, also where it is found nowhere and an account did not answer.
    pub async fn owner_of<'a>(
        &self,
        accounts: &'a [Account],
        key: &AccessKeyId,
        now: Timestamp,
    ) -> anyhow::Result<Option<(&'a Account, IamUserName)>> {
        let asked = join_all(accounts.iter().map(|account| async move {
            let user = self.read_session(account, now).await?.user_of_key(key).await?;
            anyhow::Ok(user.map(|user| (account, user)))
        }));
        let mut failed = None;
        for answer in asked.await {
            match answer {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// One page of an account's users with their owners, and where the next one begins.
    pub async fn owned_users(
        &self,
        account: &Account,
        marker: Option<&str>,
        now: Timestamp,
    ) -> anyhow::Result<(Vec<OwnedUser>, Option<String>)> {
        let page = self.read_session(account, now).await?.page_of_users(marker).await?;
        let owned = page.users.into_iter().map(|user| {
            let (owners, owner_groups) = read_owners(&user.tags);
            let TaggedUser { name, path, quarantined, .. } = user;
            OwnedUser { name, path, owners, owner_groups, quarantined }
        });
        Ok((owned.collect(), page.next))
    }
}

/// What is read once for all users of an account that are looked up together: the policies attached in it, of which there may
/// be a thousand.
#[derive(Debug)]
pub struct Listing(BTreeMap<AccountId, OnceCell<BTreeMap<String, String>>>);

impl Listing {
    #[must_use]
    pub fn of(accounts: &[Account]) -> Self {
        Self(accounts.iter().map(|account| (account.id.clone(), OnceCell::new())).collect())
    }
}

/// An IAM user as IAM lists it: its policy documents are still to be read.
#[derive(Debug)]
pub struct ListedUser {
    iam: Iam,
    account: Account,
    detail: UserDetail,
    keys: Vec<AccessKey>,
    groups: Vec<String>,
    attached: Vec<AttachedPolicy>,
    inline: Vec<String>,
    versions: BTreeMap<String, String>,
}

impl ListedUser {
    /// What is known by now, with this as whether it is privileged: for a preliminary question to policy, of which only a no
    /// counts.
    #[must_use]
    pub fn as_if(&self, privileged: bool) -> IamUser {
        let (detail, keys, groups) = (self.detail.clone(), self.keys.clone(), self.groups.clone());
        // What its groups hold is not known yet.
        let quarantined = self.attached.iter().any(AttachedPolicy::is_quarantine);
        IamUser { privileged, quarantined, ..assemble(&self.account, detail, keys, groups, Vec::new(), None) }
    }

    /// The user with what its policy documents say, read in two steps of parallel calls at most.
    ///
    /// # Errors
    /// A fault; that the user is gone meanwhile is an answer.
    pub async fn documented(self) -> anyhow::Result<Result<IamUser, NoSuchUser>> {
        found(read_documents(self).await)
    }
}

fn found<T>(read: Result<T, IamError>) -> anyhow::Result<Result<T, NoSuchUser>> {
    match read {
        Ok(found) => Ok(Ok(found)),
        Err(IamError::NoSuchEntity) => Ok(Err(NoSuchUser)),
        Err(IamError::Other(error)) => Err(error),
    }
}

async fn list_user(
    iam: Iam,
    account: &Account,
    name: &IamUserName,
    versions: impl Future<Output = Result<BTreeMap<String, String>, IamError>>,
) -> Result<ListedUser, IamError> {
    let (detail, (keys, (groups, (attached, (inline, versions))))) = try_join(
        iam.get_user(name),
        try_join(
            iam.list_access_keys(name),
            try_join(
                iam.list_groups(name),
                try_join(
                    iam.list_attached_policies(name),
                    try_join(iam.list_inline_policies(name), versions),
                ),
            ),
        ),
    )
    .await?;
    let account = account.clone();
    Ok(ListedUser { iam, account, detail, keys, groups, attached, inline, versions })
}

async fn read_documents(listed: ListedUser) -> Result<IamUser, IamError> {
    let ListedUser { iam, account, detail, keys, groups, attached, inline, versions } = listed;
    let (iam, account) = (&iam, &account);
    let of_user =
        attached.into_iter().map(Document::Attached).chain(inline.into_iter().map(Document::InlineOfUser));
    let of_user: Vec<_> = of_user.map(|document| (None, document)).collect();
    let of_groups = try_join_all(groups.iter().map(|group| documents_of_group(iam, group)));
    // The user's own documents and the keys' last uses are read while the groups are still being listed.
    let of_user = try_join(judge(iam, &detail, of_user, &versions), boundary(iam, &detail, &versions));
    let (keys, read) = join(with_last_use(iam, keys), try_join(of_user, of_groups)).await;
    let ((own, boundary), of_groups) = read?;
    let in_groups = judge(iam, &detail, of_groups.into_iter().flatten().collect(), &versions).await?;
    Ok(assemble(account, detail, keys, groups, [own, in_groups].concat(), boundary.as_ref()))
}

async fn with_last_use(iam: &Iam, mut keys: Vec<AccessKey>) -> Vec<AccessKey> {
    let last_uses = join_all(keys.iter().map(|key| iam.last_used(&key.id))).await;
    for (key, last_used) in std::iter::zip(&mut keys, last_uses) {
        key.last_used = last_used;
    }
    keys
}

fn assemble(
    account: &Account,
    detail: UserDetail,
    keys: Vec<AccessKey>,
    groups: Vec<String>,
    judged: Vec<EvaluatedPolicy>,
    boundary: Option<&Digest256>,
) -> IamUser {
    let (owners, owner_groups) = read_owners(&detail.tags);
    IamUser {
        account: account.clone(),
        name: detail.name,
        path: detail.path,
        owners,
        owner_groups,
        tags: detail.tags,
        groups: groups.into_iter().collect(),
        privileged: judged.iter().any(|policy| policy.privileged),
        quarantined: judged.iter().any(|policy| policy.quarantine),
        policy_digest: digest(&judged, detail.boundary.as_deref().zip(boundary)),
        policies: judged.into_iter().map(|policy| policy.name).collect(),
        boundary: detail.boundary.map(|arn| arn.rsplit('/').next().unwrap_or_default().to_owned()),
        keys,
    }
}
