//! The default policies: every sentence in policies/ALLOW and policies/DENY, and what holds for all facts.

mod cases;
mod decisions;
mod loading;
mod properties;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use keyvend::domain::iam::{Account, IamUser};
use keyvend::domain::person::Person;
use keyvend::domain::use_case::UseCase;
use keyvend::id::{Digest256, PersonId};
use keyvend::policy::{KeyFacts, Policies, RequestContext};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn default_policies() -> Policies {
    Policies::load(&shipped()).unwrap_or_else(|invalid| panic!("{invalid}"))
}

/// A folder with the shipped schema and these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies").join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    fs::copy(shipped().join("schema.cedarschema"), dir.join("schema.cedarschema")).unwrap();
    for (file, text) in files {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn load(name: &str, policies: &str) -> Policies {
    Policies::load(&folder(name, &[("one.cedar", policies)])).unwrap_or_else(|invalid| panic!("{invalid}"))
}

fn person(id: &str, groups: &[&str]) -> Person {
    Person {
        id: PersonId::try_from(id.to_owned()).unwrap(),
        guest: false,
        external: false,
        deleted: false,
        bot: false,
        email: None,
        email_confirmed: false,
        utc_offset: 0,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn alice_owner() -> Person {
    person("T0HOME.UALICEOWNER", &[])
}

fn bob_approver() -> Person {
    person("T0HOME.UBOBAPPROVER", &["approvers"])
}

fn mallory_outsider() -> Person {
    person("T0HOME.UMALLORYOUTSIDER", &[])
}

fn alices_iam_user() -> IamUser {
    IamUser {
        account: Account { alias: "home".parse().unwrap(), id: "111122223333".parse().unwrap() },
        name: "ci-deployer".parse().unwrap(),
        path: "/".to_owned(),
        tags: BTreeMap::new(),
        owners: BTreeSet::from([alice_owner().id.user]),
        owner_groups: BTreeSet::new(),
        groups: BTreeSet::new(),
        policies: BTreeSet::new(),
        policy_digest: Digest256::of(b""),
        boundary: None,
        privileged: false,
        quarantined: false,
        keys: Vec::new(),
    }
}

fn asked_by(requester: &Person) -> RequestContext {
    RequestContext {
        requester: requester.id.clone(),
        use_case: UseCase::OutsideAws,
        days: 30,
        approvals: 0,
        issued_today: 0,
        key: None,
    }
}

fn key(number: u32) -> KeyFacts {
    KeyFacts {
        id: format!("AKIA{number:012}").parse().unwrap(),
        requester: Some(alice_owner().id),
        concerns: BTreeSet::new(),
    }
}
