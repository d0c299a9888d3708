//! Whether a schema takes what this program asks. One that does not would turn every answer into a no, so it is
//! found out when the policies are loaded, with made-up facts of every shape.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{Request, Schema};

use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus, Account, IamUser};
use crate::domain::person::Person;
use crate::domain::risk::RiskFlag;
use crate::domain::use_case::UseCase;
use crate::id::{Digest256, InvalidId, PersonId};
use crate::policy::action::{Action, Context, KeyFacts, On, RequestContext};
use crate::policy::entities::Types;
use crate::time::Timestamp;

/// Takes the barest and the fullest facts, every action with each, and every use case.
pub(crate) fn probe(types: &Types, schema: &Schema) -> Result<(), String> {
    let (bare, mut full) = samples().map_err(|error| error.to_string())?;
    for sample in [&bare, &full] {
        types
            .entities(&sample.person, On::IamUser(&sample.iam_user), schema)
            .map_err(|error| format!("it does not take the facts that are looked up: {error}"))?;
        for action in Action::ALL {
            sample.ask(action, types, schema)?;
        }
    }
    for use_case in UseCase::ALL {
        full.asked.use_case = use_case;
        full.ask(Action::Request, types, schema)?;
    }
    Ok(())
}

struct Sample {
    person: Person,
    iam_user: IamUser,
    asked: RequestContext,
    key: KeyFacts,
}

impl Sample {
    fn ask(&self, action: Action, types: &Types, schema: &Schema) -> Result<(), String> {
        let refused = |error: &dyn fmt::Display| format!("it does not take `{}`: {error}", action.as_str());
        let (on, context) = self.question(action);
        let context = types.context(&self.person.id.team, context).map_err(|error| refused(&error))?;
        let (person, resource) = (types.person(&self.person.id), types.resource(on));
        Request::new(person, types.action(action), resource, context, Some(schema))
            .map_err(|error| refused(&error))?;
        Ok(())
    }

    fn question(&self, action: Action) -> (On<'_>, Context<'_>) {
        let iam_user = On::IamUser(&self.iam_user);
        match action {
            Action::Request | Action::Issue | Action::Approve => {
                (iam_user, Context::RequestContext(&self.asked))
            }
            Action::List => (iam_user, Context::Nothing),
            Action::Rotate | Action::Deactivate | Action::Activate | Action::Delete => {
                (iam_user, Context::Key(&self.key))
            }
            Action::Freeze => (On::Account(&self.iam_user.account), Context::Nothing),
        }
    }
}

/// Facts with nothing optional in them, and facts with everything.
fn samples() -> Result<(Sample, Sample), InvalidId> {
    let id = PersonId { team: "T0".parse()?, user: "U0".parse()? };
    let key = AccessKey {
        id: "AKIA000000000000".parse()?,
        status: AccessKeyStatus::Active,
        create_date: Timestamp(0),
        last_used: AccessKeyLastUsed::Unknown,
    };
    let bare = Sample {
        person: Person {
            id: id.clone(),
            guest: false,
            external: false,
            deleted: false,
            bot: false,
            email: None,
            email_confirmed: false,
            utc_offset: 0,
            groups: BTreeSet::new(),
        },
        iam_user: IamUser {
            account: Account { alias: "home".parse()?, id: "000000000000".parse()? },
            name: "ci".parse()?,
            path: "/".to_owned(),
            tags: BTreeMap::new(),
            owners: BTreeSet::new(),
            owner_groups: BTreeSet::new(),
            groups: BTreeSet::new(),
            policies: BTreeSet::new(),
            policy_digest: Digest256::of(b""),
            boundary: None,
            privileged: false,
            quarantined: false,
            keys: Vec::new(),
        },
        asked: RequestContext {
            requester: id.clone(),
            use_case: UseCase::Cli,
            days: 1,
            approvals: 0,
            issued_today: 0,
            key: None,
        },
        key: KeyFacts { id: key.id.clone(), requester: None, concerns: BTreeSet::new() },
    };
    let full_key =
        KeyFacts { id: key.id.clone(), requester: Some(id.clone()), concerns: RiskFlag::ALL.into() };
    let full = Sample {
        person: Person {
            email: Some("a@example.com".to_owned()),
            groups: BTreeSet::from(["S0".to_owned()]),
            ..bare.person.clone()
        },
        iam_user: IamUser {
            tags: BTreeMap::from([("team".to_owned(), "data".to_owned())]),
            owners: BTreeSet::from([id.user]),
            owner_groups: BTreeSet::from(["S0".parse()?]),
            groups: BTreeSet::from(["ci".to_owned()]),
            keys: vec![key],
            ..bare.iam_user.clone()
        },
        asked: RequestContext { key: Some(full_key.clone()), ..bare.asked.clone() },
        key: full_key,
    };
    Ok((bare, full))
}
