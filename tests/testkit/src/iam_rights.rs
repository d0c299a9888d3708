//! What each function's role may do, as the design's table has it, so that no whole-path test passes by a right
//! that the deployed function would not have.

use serde_json::Value;

use crate::net::{Call, Reply};

/// The deployed functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Slack,
    Reveal,
    Worker,
}

impl Function {
    /// The access key that this function's role signs with.
    pub fn access_key(self) -> &'static str {
        match self {
            Self::Slack => "ASIAFUNCTIONSLACK000",
            Self::Reveal => "ASIAFUNCTIONREVEAL00",
            Self::Worker => "ASIAFUNCTIONWORKER00",
        }
    }

    fn of(access_key: &str) -> Option<Self> {
        [Self::Slack, Self::Reveal, Self::Worker]
            .into_iter()
            .find(|function| function.access_key() == access_key)
    }
}

/// The access key of an account's administrator, who sets the world up and is never refused.
pub fn admin_key(account: &str) -> String {
    format!("AKIAADMIN{account}")
}

/// The account whose administrator signs with this key.
pub fn account_of_admin(access_key: &str) -> Option<&str> {
    access_key.strip_prefix("AKIAADMIN")
}

const ONE_ITEM: [&str; 4] = ["GetItem", "PutItem", "UpdateItem", "Query"];

/// Whether the caller may; if not, the reply that says so. Calls to IAM are judged by the session they are made
/// with, in `world::iam`.
pub fn check(call: &Call) -> Result<(), Reply> {
    let Some(function) = Function::of(&call.access_key) else {
        let known =
            account_of_admin(&call.access_key).is_some() || call.service == "iam" || call.service == "sts";
        return if known { Ok(()) } else { Err(denied(call, "an unknown caller")) };
    };
    if may(function, call) { Ok(()) } else { Err(denied(call, &format!("{function:?}"))) }
}

fn may(function: Function, call: &Call) -> bool {
    let text = |name: &str| call.parameters[name].as_str().unwrap_or_default();
    let service = call.service.as_str();
    let operation = call.operation.as_str();
    match (function, service, operation) {
        (Function::Slack, "secretsmanager", "GetSecretValue") => {
            text("SecretId").contains("keyvend/signing-secret")
        }
        (Function::Slack, "sqs", "SendMessage") => text("QueueUrl").ends_with("/keyvend-slack.fifo"),
        (Function::Reveal, "dynamodb", "GetItem") => {
            text("TableName") == "keyvend-tickets" && call.parameters["ProjectionExpression"].is_string()
        }
        (Function::Reveal, "dynamodb", "UpdateItem") => {
            text("TableName") == "keyvend-tickets"
                // No condition key covers ReturnValuesOnConditionCheckFailure
                // (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html).
                && matches!(text("ReturnValues"), "" | "NONE" | "UPDATED_NEW")
        }
        (Function::Reveal, "sqs", "SendMessage") => text("QueueUrl").ends_with("/keyvend-claims.fifo"),
        (Function::Worker, "secretsmanager", "GetSecretValue") => {
            text("SecretId").contains("keyvend/bot-token")
        }
        (Function::Worker, "sqs", "SendMessage" | "SendMessageBatch") => {
            text("QueueUrl").ends_with("/keyvend-due.fifo")
        }
        (Function::Worker, "sqs", "ChangeMessageVisibility") => true,
        (Function::Worker, "ses", "SendEmail") => true,
        (Function::Worker, "sts", "AssumeRole") => true,
        // AWS asks for no right to this one.
        (_, "sts", "GetCallerIdentity") => true,
        (Function::Worker, "dynamodb", "ExecuteStatement") => {
            text("Statement").starts_with("INSERT INTO \"keyvend-audit\"")
        }
        (Function::Worker, "dynamodb", "TransactWriteItems") => {
            call.parameters["TransactItems"].as_array().is_some_and(|items| items.iter().all(may_transact))
        }
        (Function::Worker, "dynamodb", operation) => {
            ONE_ITEM.contains(&operation) && not_audit(text("TableName"))
        }
        _ => false,
    }
}

fn may_transact(item: &Value) -> bool {
    item.as_object().is_some_and(|item| {
        item.iter().all(|(kind, action)| {
            let table = action["TableName"].as_str().unwrap_or_default();
            match kind.as_str() {
                "Put" | "Update" | "ConditionCheck" => not_audit(table),
                _ => false,
            }
        })
    })
}

fn not_audit(table: &str) -> bool {
    ["keyvend-requests", "keyvend-tickets"].contains(&table)
}

fn denied(call: &Call, who: &str) -> Reply {
    let message = format!("{who} is not authorized to perform: {}:{}", call.service, call.operation);
    match call.service.as_str() {
        "ses" | "iam" | "sts" => Reply::xml_error(403, "AccessDenied", &message),
        _ => Reply::json_error(400, "AccessDeniedException", &message),
    }
}
