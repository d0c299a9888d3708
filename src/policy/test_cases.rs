//! Cases beside the policies: `ALLOW/*.json` and `DENY/*.json`, a file a sentence. Whoever changes a policy sees which
//! sentences are no longer true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account, IamUser};
use crate::domain::person::Person;
use crate::domain::risk::RiskFlag;
use crate::domain::use_case::UseCase;
use crate::id::{Digest256, IamUserName, PersonId, SlackTeamId, SlackUserId, UserGroupId};
use crate::policy::action::{Action, KeyFacts, RequestContext};
use crate::policy::decision::PolicyDecision;
use crate::policy::engine::Policies;
use crate::policy::query::Question;
use crate::time::Timestamp;

/// A sentence about who may.
#[derive(Debug)]
pub struct Case {
    /// Its file, named like the sentence.
    pub file: PathBuf,
    allow: bool,
    facts: Facts,
}

/// A case's file. What is left out does not matter to it: nobody owns the IAM user, no flag is set, and 30 days of
/// `outside-aws` are asked for by who acts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    principal: PersonFacts,
    action: Action,
    #[serde(default)]
    iam_user: IamUserFacts,
    #[serde(default)]
    asked: AskedFacts,
    key: Option<KeyHistory>,
    /// The policies that decide. A denial for another reason is not the one meant.
    by: Option<BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonFacts {
    id: SlackUserId,
    team: Option<SlackTeamId>,
    #[serde(default)]
    guest: bool,
    #[serde(default)]
    external: bool,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    bot: bool,
    email: Option<String>,
    #[serde(default)]
    email_confirmed: bool,
    #[serde(default)]
    groups: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct IamUserFacts {
    account: Option<Account>,
    name: Option<IamUserName>,
    path: Option<String>,
    tags: BTreeMap<String, String>,
    owners: BTreeSet<SlackUserId>,
    owner_groups: BTreeSet<UserGroupId>,
    groups: BTreeSet<String>,
    privileged: bool,
    quarantined: bool,
    active_keys: usize,
    inactive_keys: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AskedFacts {
    requester: Option<SlackUserId>,
    use_case: Option<UseCase>,
    days: Option<u32>,
    approvals: u32,
    /// Instead of a number: who pressed Approve, as they are now.
    approved_by: Vec<PersonFacts>,
    issued_today: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct KeyHistory {
    requester: Option<SlackUserId>,
    concerns: BTreeSet<RiskFlag>,
}

/// All cases of a folder of policies.
///
/// # Errors
/// A folder or file that cannot be read, a folder without cases, a case that is not one.
pub fn read(dir: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (folder, allow) in [("ALLOW", true), ("DENY", false)] {
        let folder = dir.join(folder);
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        files.sort();
        ensure!(!files.is_empty(), "{}: no cases", folder.display());
        for file in files {
            cases.push(case(&file, allow).with_context(|| file.display().to_string())?);
        }
    }
    Ok(cases)
}

/// One case's question, wherever its file is and whichever way it is decided.
///
/// # Errors
/// A file that cannot be read or is no case.
pub fn one(file: &Path) -> Result<Case> {
    let facts: Facts = serde_json::from_str(&fs::read_to_string(file)?)?;
    Ok(Case { file: file.to_owned(), allow: true, facts })
}

fn case(file: &Path, allow: bool) -> Result<Case> {
    ensure!(file.extension().is_some_and(|ext| ext == "json"), "a case ends in .json");
    let facts: Facts = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(
        allow || facts.by.as_ref().is_some_and(|by| !by.is_empty()),
        "a DENY case says by which policies"
    );
    Ok(Case { file: file.to_owned(), allow, facts })
}

impl Case {
    /// Asks, and gives the policies that decided.
    ///
    /// # Errors
    /// The answer is not the case's.
    pub fn run(&self, policies: &Policies) -> Result<BTreeSet<String>> {
        let verdict = self.verdict(policies)?;
        let by: BTreeSet<String> = match (&verdict, self.allow) {
            (PolicyDecision::Allow { by }, true) => by.iter().cloned().collect(),
            (PolicyDecision::Deny(denial), false) if denial.failed.is_empty() => {
                denial.by.iter().cloned().collect()
            }
            (PolicyDecision::Allow { .. } | PolicyDecision::Deny(_), _) => {
                bail!("{}: {verdict:?}", self.file.display())
            }
        };
        match &self.facts.by {
            Some(wanted) if *wanted != by => {
                bail!("{}: decided by {by:?}, not by {wanted:?}", self.file.display())
            }
            Some(_) | None => Ok(by),
        }
    }

    fn verdict(&self, policies: &Policies) -> Result<PolicyDecision> {
        Ok(self.question(policies)?.verdict(policies))
    }

    /// What is asked, with what the file left out filled in. The policies say which approvals count.
    ///
    /// # Errors
    /// Facts that contradict each other.
    pub fn question(&self, policies: &Policies) -> Result<Question> {
        let facts = &self.facts;
        let principal = person(&facts.principal)?;
        let iam_user = iam_user(&facts.iam_user)?;
        let asked = self.asked(policies, &principal, &iam_user)?;
        let key = key(&principal.id.team, facts.key.as_ref().unwrap_or(&KeyHistory::default()))?;
        Ok(Question { principal, action: facts.action, iam_user, asked, key })
    }

    fn asked(&self, policies: &Policies, principal: &Person, iam_user: &IamUser) -> Result<RequestContext> {
        let facts = &self.facts.asked;
        let team = &principal.id.team;
        let requester = facts.requester.clone().unwrap_or_else(|| principal.id.user.clone());
        let asked = RequestContext {
            requester: PersonId { team: team.clone(), user: requester },
            use_case: facts.use_case.unwrap_or(UseCase::OutsideAws),
            days: facts.days.unwrap_or(30),
            approvals: facts.approvals,
            issued_today: facts.issued_today,
            key: self.facts.key.as_ref().map(|facts| key(team, facts)).transpose()?,
        };
        if facts.approved_by.is_empty() {
            return Ok(asked);
        }
        ensure!(facts.approvals == 0, "either `approvals` or `approved_by`");
        let approvers = facts.approved_by.iter().map(person).collect::<Result<Vec<_>>>()?;
        // A case is about policy: all of them were approvers when the request was created.
        let eligible = approvers.iter().map(|person| person.id.user.clone()).collect();
        Ok(RequestContext { approvals: policies.approvals(&approvers, &eligible, iam_user, &asked), ..asked })
    }
}

fn person(facts: &PersonFacts) -> Result<Person> {
    let team = facts.team.clone().map_or_else(|| "T0HOME".parse(), Ok)?;
    Ok(Person {
        id: PersonId { team, user: facts.id.clone() },
        guest: facts.guest,
        external: facts.external,
        deleted: facts.deleted,
        bot: facts.bot,
        email: facts.email.clone(),
        email_confirmed: facts.email_confirmed,
        utc_offset: 0,
        groups: facts.groups.clone(),
    })
}

fn iam_user(facts: &IamUserFacts) -> Result<IamUser> {
    let home =
        || Ok::<_, crate::id::InvalidId>(Account { alias: "home".parse()?, id: "111122223333".parse()? });
    let active = (0..facts.active_keys).map(|_| AccessKeyStatus::Active);
    let inactive = (0..facts.inactive_keys).map(|_| AccessKeyStatus::Inactive);
    let keys = active.chain(inactive).enumerate().map(|(number, status)| {
        Ok(AccessKey {
            id: format!("AKIA{number:012}").parse()?,
            status,
            create_date: Timestamp(0),
            last_used: AccessKeyLastUsed::Unknown,
        })
    });
    Ok(IamUser {
        account: facts.account.clone().map_or_else(home, Ok)?,
        name: facts.name.clone().map_or_else(|| "ci-deployer".parse(), Ok)?,
        path: facts.path.clone().unwrap_or_else(|| "/".to_owned()),
        tags: facts.tags.clone(),
        owners: facts.owners.clone(),
        owner_groups: facts.owner_groups.clone(),
        groups: facts.groups.clone(),
        policies: BTreeSet::new(),
        policy_digest: Digest256::of(b""),
        boundary: None,
        privileged: facts.privileged,
        quarantined: facts.quarantined,
        keys: keys.collect::<Result<_>>()?,
    })
}

fn key(team: &SlackTeamId, facts: &KeyHistory) -> Result<KeyFacts> {
    let requester = facts.requester.clone().map(|user| PersonId { team: team.clone(), user });
    Ok(KeyFacts { id: "AKIA000000000000".parse()?, requester, concerns: facts.concerns.clone() })
}
