//! Whether a policy document makes its holder privileged: Allow on everything, on all of IAM, or to take or pass any
//! role. Yes unless shown to be no: a document that cannot be read, or says what it does not allow, counts as yes.
//! Conditions are not reckoned with: they narrow when, not what.

use serde_json::Value;

/// Judges one policy document (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).
#[must_use]
pub fn is_privileged(document: &str, _own_arn: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return true };
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().any(statement_is_privileged),
        Some(statement @ Value::Object(_)) => statement_is_privileged(statement),
        _ => true,
    }
}

fn statement_is_privileged(statement: &Value) -> bool {
    match statement.get("Effect").and_then(Value::as_str) {
        Some("Deny") => return false,
        Some("Allow") => {}
        _ => return true,
    }
    let Some(actions) = statement.get("Action").and_then(texts) else { return true };
    let every_resource = match statement.get("Resource").and_then(texts) {
        Some(resources) => resources.iter().any(|resource| is_any_role(resource)),
        None => true,
    };
    actions.iter().any(|action| {
        let covers = |name: &str| matches(action, name);
        // One name no other service has and two of IAM's own: only `*` and `iam:*` (or a pattern as wide) cover them.
        let everything = covers("zzz:Anything");
        let all_of_iam = covers("iam:GetUser") && covers("iam:PutUserPolicy");
        let any_role = every_resource && (covers("sts:AssumeRole") || covers("iam:PassRole"));
        everything || all_of_iam || any_role
    })
}

/// A text or a list of texts; `None` for anything else.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Whether a resource pattern takes in roles without naming one: `*`, `arn:aws:iam::*:role/*`.
fn is_any_role(resource: &str) -> bool {
    resource.ends_with('*')
        && (matches(resource, "arn:aws:iam::000000000000:role/a") || resource.ends_with(":role/*"))
}

/// IAM's wildcards, `*` and `?`, without regard to case.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for (at, was) in reached.iter().enumerate() {
            if !was {
                continue;
            }
            if wanted == '*' {
                next.iter_mut().skip(at).for_each(|slot| *slot = true);
                break;
            }
            if text.get(at).is_some_and(|c| wanted == '?' || wanted == *c)
                && let Some(slot) = next.get_mut(at + 1)
            {
                *slot = true;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn allow(action: Value, resource: Value) -> String {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})
            .to_string()
    }

    #[test]
    fn only_what_is_shown_to_be_narrow_is_not_privileged() {
        let cases = [
            (allow(json!("s3:GetObject"), json!("arn:aws:s3:::b/*")), false),
            (allow(json!(["s3:*", "ec2:Describe*"]), json!("*")), false),
            (allow(json!("*"), json!("*")), true),
            (allow(json!("*:*"), json!("*")), true),
            (allow(json!("*"), json!("arn:aws:s3:::b/*")), true),
            (allow(json!("iam:*"), json!("*")), true),
            (allow(json!("IAM:*"), json!("arn:aws:iam::1:user/me")), true),
            (allow(json!("i?m:*"), json!("*")), true),
            (allow(json!("iam:Get*"), json!("*")), false),
            (allow(json!("sts:AssumeRole"), json!("*")), true),
            (allow(json!("sts:Assume*"), json!("arn:aws:iam::*:role/*")), true),
            (allow(json!("sts:AssumeRole"), json!("arn:aws:iam::123456789012:role/*")), true),
            (allow(json!("sts:AssumeRole"), json!("arn:aws:iam::123456789012:role/deploy")), false),
            (allow(json!("iam:PassRole"), json!(["arn:aws:iam::123456789012:role/x", "*"])), true),
            (allow(json!("iam:PassRole"), json!("arn:aws:iam::123456789012:role/x")), false),
            (
                json!({"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}).to_string(),
                true,
            ),
            (
                json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "NotResource": "x"}})
                    .to_string(),
                true,
            ),
            (json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}).to_string(), false),
            (json!({"Statement": {"Effect": "Allow", "Action": 7, "Resource": "*"}}).to_string(), true),
            (json!({"Statement": {"Action": "s3:*", "Resource": "*"}}).to_string(), true),
            (json!({"Statement": []}).to_string(), false),
            (json!({}).to_string(), true),
            ("not JSON".to_owned(), true),
        ];
        for (document, privileged) in cases {
            assert_eq!(
                is_privileged(&document, "arn:aws:iam::123456789012:user/me"),
                privileged,
                "{document}"
            );
        }
    }
}
