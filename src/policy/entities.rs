//! Facts as Cedar's entities and context. Names and tags come from outside: they go in through typed constructors
//! and are never pasted into Cedar text.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use cedar_policy::{
    Context as CedarContext, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    RestrictedExpression as Value, Schema,
};

use crate::domain::iam::{Account, IamUser};
use crate::domain::person::Person;
use crate::domain::risk::RiskFlag;
use crate::id::{PersonId, SlackTeamId, SlackUserId};
use crate::policy::action::{Action, Context, KeyFacts, On, RequestContext};

/// The schema's entity types, parsed once.
pub(crate) struct Types {
    account: EntityTypeName,
    action: EntityTypeName,
    concern: EntityTypeName,
    iam_group: EntityTypeName,
    iam_user: EntityTypeName,
    person: EntityTypeName,
    slack_group: EntityTypeName,
    use_case: EntityTypeName,
}

type Attributes = HashMap<String, Value>;

/// The type of a Slack user group, or of the approvers.
pub(crate) const SLACK_GROUP: &str = "SlackGroup";

impl Types {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            account: "Account".parse()?,
            action: "Action".parse()?,
            concern: "Concern".parse()?,
            iam_group: "IamGroup".parse()?,
            iam_user: "IamUser".parse()?,
            person: "Person".parse()?,
            slack_group: SLACK_GROUP.parse()?,
            use_case: "UseCase".parse()?,
        })
    }

    pub(crate) fn person(&self, id: &PersonId) -> EntityUid {
        uid(&self.person, &id.to_string())
    }

    pub(crate) fn action(&self, action: Action) -> EntityUid {
        uid(&self.action, action.as_str())
    }

    pub(crate) fn resource(&self, on: On<'_>) -> EntityUid {
        match on {
            On::IamUser(iam_user) => {
                uid(&self.iam_user, &format!("{}/{}", iam_user.account.id, iam_user.name))
            }
            On::Account(account) => uid(&self.account, account.id.as_str()),
        }
    }

    /// Who acts and what on, with the schema's actions.
    pub(crate) fn entities(&self, principal: &Person, on: On<'_>, schema: &Schema) -> Result<Entities> {
        let mut entities = vec![self.person_entity(principal)?];
        match on {
            On::IamUser(iam_user) => {
                entities.push(self.iam_user_entity(iam_user, &principal.id.team)?);
                entities.push(self.account_entity(&iam_user.account)?);
            }
            On::Account(account) => entities.push(self.account_entity(account)?),
        }
        Ok(Entities::from_entities(entities, Some(schema))?)
    }

    /// What the question is asked with. People in it are taken as members of the acting person's team.
    pub(crate) fn context(&self, team: &SlackTeamId, context: Context<'_>) -> Result<CedarContext> {
        let pairs = match context {
            Context::Nothing => Attributes::new(),
            Context::RequestContext(asked) => self.asked(team, asked)?,
            Context::Key(key) => Attributes::from([("key".to_owned(), self.key(team, key)?)]),
        };
        Ok(CedarContext::from_pairs(pairs)?)
    }

    fn asked(&self, team: &SlackTeamId, asked: &RequestContext) -> Result<Attributes> {
        let mut pairs = Attributes::from([
            ("requester".to_owned(), self.member(team, &asked.requester.user)),
            ("use_case".to_owned(), value(&self.use_case, asked.use_case.as_str())),
            ("days".to_owned(), Value::new_long(asked.days.into())),
            ("approvals".to_owned(), Value::new_long(asked.approvals.into())),
            ("issued_today".to_owned(), Value::new_long(asked.issued_today.into())),
        ]);
        if let Some(key) = &asked.key {
            pairs.insert("key".to_owned(), self.key(team, key)?);
        }
        Ok(pairs)
    }

    fn key(&self, team: &SlackTeamId, key: &KeyFacts) -> Result<Value> {
        let concerns = key.concerns.iter().copied().map(RiskFlag::as_str);
        let mut pairs = Attributes::from([(
            "concerns".to_owned(),
            Value::new_set(concerns.map(|concern| value(&self.concern, concern))),
        )]);
        if let Some(requester) = &key.requester {
            pairs.insert("requester".to_owned(), self.member(team, &requester.user));
        }
        Value::new_record(pairs).map_err(Into::into)
    }

    // A `keyvend:owners` tag has no room for a team, and one Slack user met through two workspaces of an Enterprise
    // Grid must not pass for two people: so everybody named is compared within the acting person's team.
    fn member(&self, team: &SlackTeamId, user: &SlackUserId) -> Value {
        Value::new_entity_uid(self.person(&PersonId { team: team.clone(), user: user.clone() }))
    }

    fn person_entity(&self, person: &Person) -> Result<Entity> {
        let mut attributes = Attributes::from([
            ("guest".to_owned(), Value::new_bool(person.guest)),
            ("external".to_owned(), Value::new_bool(person.external)),
            ("deleted".to_owned(), Value::new_bool(person.deleted)),
            ("bot".to_owned(), Value::new_bool(person.bot)),
            ("email_confirmed".to_owned(), Value::new_bool(person.email_confirmed)),
        ]);
        if let Some(email) = &person.email {
            attributes.insert("email".to_owned(), Value::new_string(email.clone()));
        }
        let groups = person.groups.iter().map(|group| uid(&self.slack_group, group)).collect();
        Ok(Entity::new(self.person(&person.id), attributes, groups)?)
    }

    fn iam_user_entity(&self, iam_user: &IamUser, team: &SlackTeamId) -> Result<Entity> {
        let owners = iam_user.owners.iter().map(|user| self.member(team, user));
        let owner_groups = iam_user.owner_groups.iter().map(|group| value(&self.slack_group, group.as_str()));
        let keys = |count| Value::new_long(i64::try_from(count).unwrap_or(i64::MAX));
        let attributes = Attributes::from([
            ("name".to_owned(), Value::new_string(iam_user.name.to_string())),
            ("path".to_owned(), Value::new_string(iam_user.path.clone())),
            ("owners".to_owned(), Value::new_set(owners)),
            ("owner_groups".to_owned(), Value::new_set(owner_groups)),
            ("privileged".to_owned(), Value::new_bool(iam_user.privileged)),
            ("quarantined".to_owned(), Value::new_bool(iam_user.quarantined)),
            ("active_keys".to_owned(), keys(iam_user.active_keys())),
            ("inactive_keys".to_owned(), keys(iam_user.inactive_keys())),
        ]);
        let account = uid(&self.account, iam_user.account.id.as_str());
        let group = |name| uid(&self.iam_group, &format!("{}/{name}", iam_user.account.id));
        let parents: HashSet<EntityUid> = iam_user.groups.iter().map(group).chain([account]).collect();
        let tags = iam_user.tags.iter().map(|(key, tag)| (key.clone(), Value::new_string(tag.clone())));
        Ok(Entity::new_with_tags(self.resource(On::IamUser(iam_user)), attributes, parents, tags)?)
    }

    fn account_entity(&self, account: &Account) -> Result<Entity> {
        let attributes =
            Attributes::from([("alias".to_owned(), Value::new_string(account.alias.to_string()))]);
        Ok(Entity::new(self.resource(On::Account(account)), attributes, HashSet::new())?)
    }
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn value(of: &EntityTypeName, id: &str) -> Value {
    Value::new_entity_uid(uid(of, id))
}
