//! The sessions that facts are looked up with: one for each account, read-only.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::Context as _;

use crate::aws::{Iam, Sts, session_policy};
use crate::domain::iam::Account;
use crate::id::{AccountId, SlackUserId};
use crate::time::Timestamp;

/// A session is used for at most this many seconds of its fifteen minutes.
const SESSION_USE: i64 = 780;

#[derive(Debug)]
pub struct Lookup {
    sts: Option<Sts>,
    sessions: Mutex<BTreeMap<AccountId, (Iam, Timestamp)>>,
    /// Who was a full member of the workspace when they were last looked up. Only messages are worded by it.
    members: Mutex<BTreeMap<SlackUserId, bool>>,
}

impl Lookup {
    /// With sessions from `sts`.
    #[must_use]
    pub fn new(sts: Sts) -> Self {
        Self { sts: Some(sts), sessions: Mutex::default(), members: Mutex::default() }
    }

    /// With this session of this one account, and no other.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn of_one_account(account: &Account, iam: Iam, now: Timestamp) -> Self {
        let sessions = Mutex::new(BTreeMap::from([(account.id.clone(), (iam, now))]));
        Self { sts: None, sessions, members: Mutex::default() }
    }

    /// Has the read-only session of an account at hand, so that what else must be waited for can be waited for meanwhile.
    pub async fn warm_session(&self, account: &Account, now: Timestamp) -> anyhow::Result<()> {
        self.read_session(account, now).await.map(drop)
    }

    pub(in crate::facts) fn note_member(&self, user: &SlackUserId, is_member: bool) {
        if let Ok(mut members) = self.members.lock() {
            members.insert(user.clone(), is_member);
        }
    }

    pub(in crate::facts) fn known_member(&self, user: &SlackUserId) -> Option<bool> {
        self.members.lock().ok()?.get(user).copied()
    }

    /// The read-only session of an account.
    pub(in crate::facts) async fn read_session(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> anyhow::Result<Iam> {
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
