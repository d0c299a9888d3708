//! STS: `AssumeRole` with the checks of its documentation, every session kept with what was asked for it.
//! (winterbaume's accepts anything, drops `SourceIdentity`, and draws keys and dates of its own.)

use std::sync::Mutex;
use std::time::Duration;

use keyvend::time::Timestamp;
use serde_json::Value;

use crate::clock::Clock;
use crate::iam::Iam;
use crate::iam_rights;
use crate::net::{Call, HOME, Reply, Request, escape};

/// One successful `AssumeRole`.
#[derive(Clone, Debug)]
pub struct Session {
    pub access_key: String,
    pub account: String,
    pub role: String,
    pub name: String,
    pub source_identity: Option<String>,
    pub duration_seconds: i64,
    pub expires: Timestamp,
    /// The session policy, None where the session has all that the role has.
    pub policy: Option<Value>,
}

impl Session {
    /// The session policy's statements as (actions, resources).
    pub fn allowed(&self) -> Vec<(Vec<String>, Vec<String>)> {
        statements(self.policy.as_ref())
            .iter()
            .map(|statement| (texts(&statement["Action"]), texts(&statement["Resource"])))
            .collect()
    }

    /// Whether the session policy lets this action pass on this resource, with these tag keys in the request.
    pub fn allows(&self, action: &str, resource: &str, tag_keys: &[String]) -> bool {
        let allows = |statement: &Value| {
            let action_fits = |pattern: &String| matches(&pattern.to_lowercase(), &action.to_lowercase());
            texts(&statement["Action"]).iter().any(action_fits)
                && texts(&statement["Resource"]).iter().any(|pattern| matches(pattern, resource))
                && conditions(statement).iter().all(|condition| condition.holds(tag_keys))
        };
        self.policy.is_none() || statements(self.policy.as_ref()).iter().any(allows)
    }
}

/// The one kind of condition that keyvend's sessions have: on `aws:TagKeys`, which has many values, so for all or
/// for any of them.
struct OnTagKeys {
    for_all: bool,
    patterns: Vec<String>,
}

impl OnTagKeys {
    fn parse(operator: &str, key: &str, value: &Value) -> Option<Self> {
        let for_all = match operator {
            "ForAllValues:StringLike" => true,
            "ForAnyValue:StringLike" => false,
            _ => return None,
        };
        (key == "aws:TagKeys").then(|| Self { for_all, patterns: texts(value) })
    }

    fn holds(&self, tag_keys: &[String]) -> bool {
        let fits = |key: &String| self.patterns.iter().any(|pattern| matches(pattern, key));
        if self.for_all { tag_keys.iter().all(fits) } else { tag_keys.iter().any(fits) }
    }
}

/// A statement's conditions, all of which were understood when the session was assumed.
fn conditions(statement: &Value) -> Vec<OnTagKeys> {
    parse_conditions(statement).unwrap()
}

fn parse_conditions(statement: &Value) -> Result<Vec<OnTagKeys>, String> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    let mut all = Vec::new();
    for (operator, keys) in operators {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let parsed = OnTagKeys::parse(operator, key, value);
            all.push(parsed.ok_or_else(|| format!("the test world knows no condition {operator} on {key}"))?);
        }
    }
    Ok(all)
}

fn statements(policy: Option<&Value>) -> Vec<Value> {
    match policy.map(|policy| &policy["Statement"]) {
        Some(Value::Array(list)) => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(&pattern[1..], &text[at..]))
        }
        Some(first) => {
            let mut rest = text.chars();
            rest.next().is_some_and(|other| first == '?' || first == other)
                && matches(&pattern[first.len_utf8()..], rest.as_str())
        }
    }
}

/// The model.
#[derive(Debug)]
pub struct Sts {
    clock: Clock,
    sessions: Mutex<Vec<Session>>,
}

impl Sts {
    pub fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), sessions: Mutex::default() }
    }

    /// The same sessions, on another clock.
    pub fn fork(&self, clock: &Clock) -> Self {
        Self { clock: clock.clone(), sessions: Mutex::new(self.sessions()) }
    }

    /// Every session, in the order they were assumed.
    pub fn sessions(&self) -> Vec<Session> {
        self.sessions.lock().unwrap().clone()
    }

    /// The session that this access key belongs to.
    pub fn session(&self, access_key: &str) -> Option<Session> {
        self.sessions().into_iter().find(|session| session.access_key == access_key)
    }

    pub async fn answer(&self, _: &Request, call: &Call, iam: &Iam) -> Reply {
        match call.operation.as_str() {
            "AssumeRole" => self.assume_role(call, iam).await,
            "GetCallerIdentity" => self.caller_identity(call),
            other => Reply::xml_error(400, "InvalidAction", &format!("Could not find operation {other}")),
        }
    }

    async fn assume_role(&self, call: &Call, iam: &Iam) -> Reply {
        let text = |name: &str| call.parameters[name].as_str();
        let invalid = |message: &str| Reply::xml_error(400, "ValidationError", message);
        let role_arn = text("RoleArn").unwrap_or_default();
        let name = text("RoleSessionName").unwrap_or_default();
        if !session_name(name) {
            return invalid("Value at 'roleSessionName' must be 2 to 64 of [\\w+=,.@-]");
        }
        let source_identity = text("SourceIdentity");
        if source_identity.is_some_and(|identity| !session_name(identity) || identity.starts_with("aws:")) {
            return invalid(
                "Value at 'sourceIdentity' must be 2 to 64 of [\\w+=,.@-], not beginning with aws:",
            );
        }
        let duration_seconds = text("DurationSeconds").map_or(3600, |seconds| seconds.parse().unwrap());
        if !(900..=43_200).contains(&duration_seconds) {
            return invalid("Value at 'durationSeconds' must be 900 to 43200");
        }
        let policy = match text("Policy").map(session_policy).transpose() {
            Ok(policy) => policy,
            Err(message) => return Reply::xml_error(400, "MalformedPolicyDocument", &message),
        };
        let arn: Vec<&str> = role_arn.splitn(6, ':').collect();
        let [_, _, _, _, account, role] = arn[..] else {
            return invalid("Value at 'roleArn' is no ARN");
        };
        // AWS does not say whether the role is missing or does not trust the caller.
        if !iam.has_role(account, role_arn).await {
            let message = format!("not authorized to perform: sts:AssumeRole on resource: {role_arn}");
            return Reply::xml_error(403, "AccessDenied", &message);
        }
        let mut sessions = self.sessions.lock().unwrap();
        let expires = self.clock.now() + Duration::from_secs(u64::try_from(duration_seconds).unwrap());
        let session = Session {
            access_key: format!("ASIASESSION{:09}", sessions.len()),
            account: account.to_owned(),
            role: role.trim_start_matches("role/").to_owned(),
            name: name.to_owned(),
            source_identity: source_identity.map(str::to_owned),
            duration_seconds,
            expires,
            policy,
        };
        sessions.push(session.clone());
        let Session { access_key, account, role, .. } = &session;
        let source = session.source_identity.as_ref().map_or(String::new(), |identity| {
            format!("<SourceIdentity>{}</SourceIdentity>", escape(identity))
        });
        Reply::xml(
            200,
            format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>{source}\
                 <AssumedRoleUser><AssumedRoleId>AROAWORLD:{name}</AssumedRoleId>\
                 <Arn>arn:aws:sts::{account}:assumed-role/{role}/{name}</Arn></AssumedRoleUser>\
                 <Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>not-checked</SecretAccessKey>\
                 <SessionToken>session-token</SessionToken><Expiration>{}</Expiration></Credentials>\
                 </AssumeRoleResult></AssumeRoleResponse>",
                expires.rfc3339()
            ),
        )
    }

    fn caller_identity(&self, call: &Call) -> Reply {
        let (account, arn) =
            match (self.session(&call.access_key), iam_rights::account_of_admin(&call.access_key)) {
                (Some(session), _) => {
                    let Session { account, role, name, .. } = session;
                    (account.clone(), format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"))
                }
                (None, Some(account)) => (account.to_owned(), format!("arn:aws:iam::{account}:user/admin")),
                (None, None) => {
                    (HOME.to_owned(), format!("arn:aws:sts::{HOME}:assumed-role/keyvend/function"))
                }
            };
        Reply::xml(
            200,
            format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{}</UserId><Account>{account}</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>",
                call.access_key
            ),
        )
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn session_name(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn session_policy(text: &str) -> Result<Value, String> {
    if text.len() > 2048 {
        return Err(format!("a session policy has at most 2048 characters, this has {}", text.len()));
    }
    let policy: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if policy["Version"] != "2012-10-17" {
        return Err("Version is not 2012-10-17".to_owned());
    }
    let all = statements(Some(&policy));
    if all.is_empty() {
        return Err("no Statement".to_owned());
    }
    for statement in &all {
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        let odd =
            statement.as_object().and_then(|parts| parts.keys().find(|key| !known.contains(&key.as_str())));
        if let Some(odd) = odd {
            return Err(format!("the test world knows no {odd} in a session policy"));
        }
        parse_conditions(statement)?;
        if statement["Effect"] != "Allow"
            || texts(&statement["Action"]).is_empty()
            || texts(&statement["Resource"]).is_empty()
        {
            return Err("a statement needs Effect Allow, Action and Resource".to_owned());
        }
    }
    Ok(policy)
}
