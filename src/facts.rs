//! Looking up facts, afresh for every decision. A look-up that fails is a fault and so a no; it never turns into an
//! empty set. The read-only session is the one thing kept, for as long as it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::Context as _;
use futures_util::future::{join, join_all, try_join, try_join_all};

use crate::aws::session_policy;
use crate::aws::{AttachedPolicy, Iam, IamError, Sts, TaggedUser, UserDetail};
use crate::domain::approvers::Approvers;
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, Account, IamUser};
use crate::domain::person::{APPROVERS, Person};
use crate::domain::privilege::is_privileged;
use crate::id::{
    AccessKeyId, AccountId, ChannelId, Digest256, IamUserName, PersonId, SlackTeamId, SlackUserId,
    UserGroupId,
};
use crate::slack::api::{SlackApi, SlackError, User};
use crate::time::Timestamp;

/// A session is used for at most this many seconds of its fifteen minutes.
const SESSION_USE: i64 = 780;

/// Looks things up.
#[derive(Debug)]
pub struct Lookup {
    sts: Option<Sts>,
    sessions: Mutex<BTreeMap<AccountId, (Iam, Timestamp)>>,
}

/// A user that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchUser;

/// An IAM user with whose it is.
#[derive(Clone, Debug)]
pub struct OwnedUser {
    /// Its name.
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

/// Who approves, as of now.
#[derive(Clone, Debug)]
pub struct ApproverSet(BTreeSet<SlackUserId>);

impl ApproverSet {
    /// Whether this person is one of them.
    #[must_use]
    pub fn contains(&self, user: &SlackUserId) -> bool {
        self.0.contains(user)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SlackUserId> {
        self.0.iter()
    }
}

/// Who is in which Slack groups, as of now: the approvers, and such user groups as were looked up.
#[derive(Clone, Debug)]
pub struct Memberships {
    approvers: ApproverSet,
    groups: BTreeMap<UserGroupId, BTreeSet<SlackUserId>>,
}

impl From<ApproverSet> for Memberships {
    fn from(approvers: ApproverSet) -> Self {
        Self { approvers, groups: BTreeMap::new() }
    }
}

impl Memberships {
    /// Nobody's.
    #[must_use]
    pub fn none() -> Self {
        ApproverSet(BTreeSet::new()).into()
    }

    /// Who approves.
    #[must_use]
    pub fn approvers(&self) -> &ApproverSet {
        &self.approvers
    }

    /// The groups that somebody is in, as policies name them.
    #[must_use]
    pub fn of(&self, user: &SlackUserId) -> BTreeSet<String> {
        let groups = self.groups.iter().filter(|(_, members)| members.contains(user));
        let approver = self.approvers.contains(user).then(|| APPROVERS.to_owned());
        groups.map(|(group, _)| group.to_string()).chain(approver).collect()
    }
}

/// The approvers' channel cannot be used as it is. What is to be done about it is said to whoever reads the log.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalsChannelError {
    /// It is not there, or keyvend is not in it.
    #[error(
        "Slack says {code} of the channel {channel}: invite keyvend there (/invite), or correct KEYVEND_APPROVALS_CHANNEL \
         and KEYVEND_APPROVERS"
    )]
    Unreachable {
        /// Which.
        channel: ChannelId,
        /// Slack's word for it.
        code: String,
    },
    /// Others than its members, or people from elsewhere, could see or decide what is asked there.
    #[error("the channel {0} must be private and not shared: make it so, or name another that is")]
    Open(ChannelId),
}

impl ApprovalsChannelError {
    /// Slack's answer about a channel, told apart where it says that the channel cannot be used.
    #[must_use]
    pub fn of(channel: &ChannelId, error: SlackError) -> anyhow::Error {
        match error {
            SlackError::Said(code)
                if ["channel_not_found", "not_in_channel", "is_archived"].contains(&code.as_str()) =>
            {
                Self::Unreachable { channel: channel.clone(), code }.into()
            }
            SlackError::Said(_) | SlackError::Wait(_) | SlackError::NoAnswer(_) => error.into(),
        }
    }

    /// Whether this is what a fault comes of.
    #[must_use]
    pub fn is_cause_of(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.is::<Self>())
    }
}

impl Lookup {
    /// With sessions from `sts`.
    #[must_use]
    pub fn new(sts: Sts) -> Self {
        Self { sts: Some(sts), sessions: Mutex::default() }
    }

    /// With this session of this one account, and no other.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn of_one_account(account: &Account, iam: Iam, now: Timestamp) -> Self {
        Self { sts: None, sessions: Mutex::new(BTreeMap::from([(account.id.clone(), (iam, now))])) }
    }

    /// The members of `KEYVEND_APPROVERS`. That channel and the one where cards are posted must be private and not shared.
    ///
    /// # Errors
    /// A fault where Slack does not say, or the channel is not as it must be.
    pub async fn approvers(
        &self,
        slack: &SlackApi,
        (cards, approvers): (&ChannelId, &Approvers),
    ) -> anyhow::Result<ApproverSet> {
        let members = match approvers {
            Approvers::UserGroup(group) => {
                try_join(ensure_private(slack, cards), members_of(slack, group)).await?.1
            }
            Approvers::Channel(channel) if channel == cards => {
                try_join(ensure_private(slack, cards), members_in(slack, channel)).await?.1
            }
            Approvers::Channel(channel) => {
                let both = try_join(ensure_private(slack, cards), ensure_private(slack, channel));
                try_join(both, members_in(slack, channel)).await?.1
            }
        };
        Ok(ApproverSet(members.into_iter().collect()))
    }

    /// The approvers, and who is in the user groups that policies name.
    ///
    /// # Errors
    /// As of [`Lookup::approvers`]; also where Slack does not say of one of the groups, or has none of that id.
    pub async fn memberships<'a>(
        &self,
        slack: &SlackApi,
        (cards, approvers): (&ChannelId, &Approvers),
        named: impl Iterator<Item = &'a UserGroupId>,
    ) -> anyhow::Result<Memberships> {
        let approving = match approvers {
            Approvers::UserGroup(group) => Some(group),
            Approvers::Channel(_) => None,
        };
        let others = named.filter(|group| Some(*group) != approving);
        let (approvers, mut groups) =
            try_join(self.approvers(slack, (cards, approvers)), members_of_all(slack, others)).await?;
        groups.extend(approving.map(|group| (group.clone(), approvers.0.clone())));
        Ok(Memberships { approvers, groups })
    }

    /// Adds who is in these user groups, as far as that was not looked up yet.
    ///
    /// # Errors
    /// A fault.
    pub async fn load_groups(
        &self,
        slack: &SlackApi,
        memberships: &mut Memberships,
        groups: &BTreeSet<UserGroupId>,
    ) -> anyhow::Result<()> {
        let unknown = groups.iter().filter(|group| !memberships.groups.contains_key(*group));
        let found = members_of_all(slack, unknown).await?;
        memberships.groups.extend(found);
        Ok(())
    }

    /// A person, with the groups they are in among those that were looked up.
    ///
    /// # Errors
    /// A fault.
    pub async fn person(
        &self,
        slack: &SlackApi,
        id: &PersonId,
        memberships: &Memberships,
    ) -> anyhow::Result<Person> {
        let user = slack.user_info(&id.user).await.context("users.info")?;
        Ok(read_person(id, user, memberships))
    }

    /// Which of these user groups the person is in.
    ///
    /// # Errors
    /// A fault.
    pub async fn groups_of(
        &self,
        slack: &SlackApi,
        person: &SlackUserId,
        groups: &BTreeSet<UserGroupId>,
    ) -> anyhow::Result<BTreeSet<String>> {
        let found = members_of_all(slack, groups.iter()).await?;
        let own = found.into_iter().filter(|(_, members)| members.contains(person));
        Ok(own.map(|(group, _)| group.to_string()).collect())
    }

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
    ///
    /// # Errors
    /// As above.
    pub async fn listed_user(
        &self,
        account: &Account,
        name: &IamUserName,
        now: Timestamp,
    ) -> anyhow::Result<Result<ListedUser, NoSuchUser>> {
        let iam = self.read_session(account, now).await?;
        found(list_user(iam, account, name).await)
    }

    /// An IAM user's keys as IAM lists them, without their last uses; none where there is no such user.
    ///
    /// # Errors
    /// A fault.
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
    ///
    /// # Errors
    /// A fault.
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
    ///
    /// # Errors
    /// A fault.
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

    /// Has the read-only session of an account at hand, so that what else must be waited for can be waited for meanwhile.
    ///
    /// # Errors
    /// A fault.
    pub async fn warm_session(&self, account: &Account, now: Timestamp) -> anyhow::Result<()> {
        self.read_session(account, now).await.map(drop)
    }

    /// The read-only session of an account.
    async fn read_session(&self, account: &Account, now: Timestamp) -> anyhow::Result<Iam> {
        let kept = |sessions: &BTreeMap<AccountId, (Iam, Timestamp)>| {
            sessions
                .get(&account.id)
                .filter(|(_, since)| now.since(*since) < SESSION_USE)
                .map(|(iam, _)| iam.clone())
        };
        if let Some(iam) = self.sessions.lock().ok().and_then(|sessions| kept(&sessions)) {
            return Ok(iam);
        }
        let sts = self.sts.as_ref().context("no session of that account")?;
        let iam = sts.session(account, "keyvend-read", "keyvend.read", session_policy::read_policy()).await?;
        if let Ok(mut sessions) = self.sessions.lock() {
            sessions.insert(account.id.clone(), (iam.clone(), now));
        }
        Ok(iam)
    }
}

async fn members_of(slack: &SlackApi, group: &UserGroupId) -> anyhow::Result<Vec<SlackUserId>> {
    slack.group_members(group).await.with_context(|| format!("usergroups.users.list of {group}"))
}

async fn members_of_all(
    slack: &SlackApi,
    groups: impl Iterator<Item = &UserGroupId>,
) -> anyhow::Result<BTreeMap<UserGroupId, BTreeSet<SlackUserId>>> {
    let found = groups.map(|group| async move {
        anyhow::Ok((group.clone(), members_of(slack, group).await?.into_iter().collect()))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

async fn members_in(slack: &SlackApi, channel: &ChannelId) -> anyhow::Result<Vec<SlackUserId>> {
    let members = slack.channel_members(channel).await;
    members.map_err(|error| ApprovalsChannelError::of(channel, error)).context("conversations.members")
}

/// That a channel is private and not shared with anybody outside.
async fn ensure_private(slack: &SlackApi, channel: &ChannelId) -> anyhow::Result<()> {
    let info = slack.channel_info(channel).await;
    let info =
        info.map_err(|error| ApprovalsChannelError::of(channel, error)).context("conversations.info")?;
    if info.is_archived {
        return Err(ApprovalsChannelError::of(channel, SlackError::Said("is_archived".to_owned())));
    }
    let shared = info.is_shared || info.is_ext_shared || info.is_org_shared;
    if info.is_private && !shared { Ok(()) } else { Err(ApprovalsChannelError::Open(channel.clone()).into()) }
}

fn read_person(id: &PersonId, user: User, memberships: &Memberships) -> Person {
    let here = |team: &SlackTeamId| *team == id.team;
    let member = user.team_id.as_ref().is_some_and(here)
        || user.enterprise_user.is_some_and(|enterprise| enterprise.teams.iter().any(here));
    Person {
        id: id.clone(),
        guest: user.is_restricted || user.is_ultra_restricted,
        external: user.is_stranger || !member,
        deleted: user.deleted,
        bot: user.is_bot,
        email: user.profile.email,
        email_confirmed: user.is_email_confirmed,
        groups: memberships.of(&id.user),
    }
}

/// A policy that counts, and where its document is.
enum Document {
    Attached(AttachedPolicy),
    InlineOfUser(String),
    InlineOfGroup(String, String),
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

async fn list_user(iam: Iam, account: &Account, name: &IamUserName) -> Result<ListedUser, IamError> {
    let (detail, (keys, (groups, (attached, (inline, versions))))) = try_join(
        iam.get_user(name),
        try_join(
            iam.list_access_keys(name),
            try_join(
                iam.list_groups(name),
                try_join(
                    iam.list_attached_policies(name),
                    try_join(iam.list_inline_policies(name), iam.default_versions()),
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

async fn documents_of_group(iam: &Iam, group: &str) -> Result<Vec<(Option<String>, Document)>, IamError> {
    let (attached, inline) =
        try_join(iam.list_attached_group_policies(group), iam.list_inline_group_policies(group)).await?;
    let inline = inline.into_iter().map(|policy| Document::InlineOfGroup(group.to_owned(), policy));
    let all = attached.into_iter().map(Document::Attached).chain(inline);
    Ok(all.map(|document| (Some(group.to_owned()), document)).collect())
}

/// Each policy's name as the card shows it, where it is from, its document's digest, whether it makes privileged, and
/// whether it is AWS's quarantine.
#[derive(Clone)]
struct EvaluatedPolicy {
    name: String,
    source: String,
    document: Digest256,
    privileged: bool,
    quarantine: bool,
}

async fn judge(
    iam: &Iam,
    user: &UserDetail,
    documents: Vec<(Option<String>, Document)>,
    versions: &BTreeMap<String, String>,
) -> Result<Vec<EvaluatedPolicy>, IamError> {
    try_join_all(documents.into_iter().map(|(group, document)| async move {
        let prefix = group.map(|group| format!("{group}: ")).unwrap_or_default();
        let (name, source, text, quarantine) = match document {
            Document::Attached(policy) => {
                let quarantine = policy.is_quarantine();
                let text = match versions.get(&policy.arn) {
                    Some(version) => iam.policy_document(&policy.arn, version).await?,
                    // Attached a moment ago, or listed late: not shown to be ordinary.
                    None => String::new(),
                };
                (format!("{prefix}{}", policy.name), policy.arn, text, quarantine)
            }
            Document::InlineOfUser(policy) => {
                let text = iam.inline_document(&user.name, &policy).await?;
                (format!("{policy} (inline)"), "user".to_owned(), text, false)
            }
            Document::InlineOfGroup(group, policy) => {
                let text = iam.inline_group_document(&group, &policy).await?;
                (format!("{prefix}{policy} (inline)"), "group".to_owned(), text, false)
            }
        };
        let privileged = is_privileged(&text, &user.arn);
        Ok(EvaluatedPolicy { name, source, document: Digest256::of(text.as_bytes()), privileged, quarantine })
    }))
    .await
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

/// The digest of the permissions boundary's document. Approvers see that there is one, and may count on it. It is seldom
/// among the attached policies, of which the default versions are known.
async fn boundary(
    iam: &Iam,
    user: &UserDetail,
    versions: &BTreeMap<String, String>,
) -> Result<Option<Digest256>, IamError> {
    let Some(arn) = &user.boundary else { return Ok(None) };
    let text = async {
        match versions.get(arn) {
            Some(version) => iam.policy_document(arn, version).await,
            None => iam.policy_document(arn, &iam.default_version(arn).await?).await,
        }
    };
    let text = match text.await {
        Ok(text) => text,
        // It is the policy that is gone, not the user.
        Err(IamError::NoSuchEntity) => String::new(),
        Err(error) => return Err(error),
    };
    Ok(Some(Digest256::of(text.as_bytes())))
}

/// Changes whenever a policy or the boundary, or the document of one, does, whatever order they are listed in.
fn digest(judged: &[EvaluatedPolicy], boundary: Option<(&str, &Digest256)>) -> Digest256 {
    let policies: BTreeSet<_> =
        judged.iter().map(|policy| (&policy.name, &policy.source, policy.document.as_str())).collect();
    Digest256::of(serde_json::json!([policies, boundary]).to_string().as_bytes())
}

/// `keyvend:owners`, continued in `keyvend:owners2` to `4`: ids separated by blanks. A word that is no id names nobody.
fn read_owners(tags: &BTreeMap<String, String>) -> (BTreeSet<SlackUserId>, BTreeSet<UserGroupId>) {
    let words: Vec<&str> = ["keyvend:owners", "keyvend:owners2", "keyvend:owners3", "keyvend:owners4"]
        .iter()
        .filter_map(|tag| tags.get(*tag))
        .flat_map(|value| value.split_whitespace())
        .collect();
    let users = words.iter().filter_map(|word| word.parse().ok()).collect();
    let groups = words.iter().filter_map(|word| word.parse().ok()).collect();
    (users, groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_the_ids_in_the_tags() {
        let tags = BTreeMap::from([
            ("keyvend:owners".to_owned(), "U0ALICE  S0TEAM nobody".to_owned()),
            ("keyvend:owners2".to_owned(), "U0BOB".to_owned()),
            ("keyvend:owners5".to_owned(), "U0EVE".to_owned()),
            ("owner".to_owned(), "U0MALLORY".to_owned()),
        ]);
        let (users, groups) = read_owners(&tags);
        assert_eq!(users.iter().map(SlackUserId::as_str).collect::<Vec<_>>(), ["U0ALICE", "U0BOB"]);
        assert_eq!(groups.iter().map(UserGroupId::as_str).collect::<Vec<_>>(), ["S0TEAM"]);
    }
}
