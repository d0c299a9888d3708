//! Policies as AWS and teams write them, and documents that are only partly understood.

use serde_json::json;

use crate::domain::privilege::tests::{FUNCTION, OWN, READ_ONLY_ACCESS, ROLE, SECRET, allow, document};
use crate::domain::privilege::*;

// T2.17
#[test]
fn everyday_policies_are_ordinary() {
    let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders";
    for (name, statements) in [
        (
            "S3 bucket",
            json!([
                allow("s3:ListBucket", "arn:aws:s3:::b"),
                allow("s3:GetObject s3:PutObject", "arn:aws:s3:::b/*")
            ]),
        ),
        ("mail", json!([allow("ses:SendEmail ses:SendRawEmail", "*")])),
        (
            "push images",
            json!([
                allow("ecr:GetAuthorizationToken", "*"),
                allow(
                    "ecr:BatchCheckLayerAvailability ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage",
                    "arn:aws:ecr:eu-west-1:123456789012:repository/*"
                ),
            ]),
        ),
        ("deploy one function", json!([allow("lambda:GetFunction lambda:UpdateFunctionCode", FUNCTION)])),
        ("metrics", json!([allow("cloudwatch:PutMetricData", "*")])),
        (
            "queues and topics",
            json!([allow(
                "sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage sns:Publish",
                "arn:aws:sqs:*:*:jobs-* arn:aws:sns:*:*:jobs-*"
            )]),
        ),
        (
            "a table",
            json!([allow(
                "dynamodb:GetItem dynamodb:PutItem dynamodb:Query",
                &format!("{table} {table}/index/*")
            )]),
        ),
        (
            "invalidate a cache",
            json!([allow(
                "cloudfront:CreateInvalidation",
                "arn:aws:cloudfront::123456789012:distribution/*"
            )]),
        ),
        (
            "deploy a service",
            json!([allow(
                "ecs:UpdateService ecs:DescribeServices",
                "arn:aws:ecs:eu-west-1:123456789012:service/prod/*"
            )]),
        ),
        (
            "name servers",
            json!([allow(
                "route53:ChangeResourceRecordSets route53:ListResourceRecordSets",
                "arn:aws:route53:::hostedzone/*"
            )]),
        ),
        ("one secret", json!([allow("secretsmanager:GetSecretValue", SECRET)])),
        ("one role", json!([allow("sts:AssumeRole", ROLE)])),
        ("one service's role", json!([allow("iam:PassRole", ROLE)])),
        (
            "own password",
            json!([
                allow(
                    "iam:ChangePassword",
                    "arn:aws:iam::*:user/${aws:username} arn:aws:iam::*:user/*/${aws:username}"
                ),
                allow("iam:GetAccountPasswordPolicy", "*"),
            ]),
        ),
        (
            "AmazonS3ReadOnlyAccess",
            json!([allow("s3:Get* s3:List* s3:Describe* s3-object-lambda:Get* s3-object-lambda:List*", "*")]),
        ),
        (
            "IAMReadOnlyAccess",
            json!([allow(
                "iam:GenerateCredentialReport iam:GenerateServiceLastAccessedDetails iam:Get* iam:List* iam:SimulateCustomPolicy iam:SimulatePrincipalPolicy",
                "*"
            )]),
        ),
    ] {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        assert!(!is_privileged(&document, OWN), "{name}");
    }
    assert!(!is_privileged(READ_ONLY_ACCESS, OWN), "ReadOnlyAccess");
}

// T2.17
#[test]
fn what_aws_calls_full_access_is_privileged() {
    for (name, statements) in [
        ("AdministratorAccess", json!([allow("*", "*")])),
        (
            "PowerUserAccess",
            json!([{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}]),
        ),
        ("IAMFullAccess", json!([allow("iam:* organizations:DescribeAccount", "*")])),
        (
            "AWSLambda_FullAccess",
            json!([
                allow("cloudformation:DescribeStacks ec2:DescribeVpcs lambda:* logs:DescribeLogGroups", "*"),
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
                    "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}},
            ]),
        ),
        (
            "AmazonEC2FullAccess",
            json!([allow("ec2:* elasticloadbalancing:* cloudwatch:* autoscaling:*", "*")]),
        ),
        (
            "AmazonSSMFullAccess",
            json!([allow(
                "cloudwatch:PutMetricData ds:Describe* ec2:DescribeInstanceStatus logs:* ssm:* ec2messages:*",
                "*"
            )]),
        ),
        ("AWSCodeBuildAdminAccess", json!([allow("codebuild:* codecommit:GetBranch s3:ListBucket", "*")])),
    ] {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        assert!(is_privileged(&document, OWN), "{name}");
    }
}

/// What is not as IAM describes a policy document is privileged, whatever it seems to say.
// T2.17
#[test]
fn partially_understood_document_is_privileged() {
    let narrow = r#""Action": "s3:GetObject", "Resource": "*""#;
    let one = |statement: String| format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
    for (text, privileged) in [
        (one(format!(r#"[{{"Effect": "Allow", {narrow}}}]"#)), false),
        (one(format!(r#"{{"Effect": "Allow", {narrow}}}"#)), false),
        (
            one(format!(
                r#"{{"Sid": "1", "Effect": "Allow", {narrow}, "Condition": {{"Bool": {{"a": "b"}}}}}}"#
            )),
            false,
        ),
        (format!(r#"{{"Id": "x", "Statement": {{"Effect": "Allow", {narrow}}}}}"#), false),
        (format!(r#"{{"Version": "2008-10-17", "Statement": {{"Effect": "Allow", {narrow}}}}}"#), false),
        (format!(r#"{{"Version": "2030-10-17", "Statement": {{"Effect": "Allow", {narrow}}}}}"#), true),
        (one("[]".to_owned()), false),
        (one(r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#.to_owned()), false),
        (one(r#"{"Effect": "Deny", "NotAction": "iam:*", "NotResource": "x"}"#.to_owned()), false),
        // Twice the same member, and members that are not known, or are so in another case.
        (one(format!(r#"{{"Effect": "Deny", "Effect": "Allow", {narrow}}}"#)), true),
        (one(format!(r#"{{"Effect": "Allow", "Effect": "Deny", {narrow}}}"#)), true),
        (one(format!(r#"{{"Effect": "Allow", "Action": "*", {narrow}}}"#)), true),
        (one(format!(r#"[{{"Effect": "Allow", {narrow}, "Resource": "x"}}]"#)), true),
        (format!(r#"{{"Statement": [], "Statement": {{"Effect": "Allow", {narrow}}}}}"#), true),
        (one(format!(r#"{{"Effect": "Allow", {narrow}, "Principal": "*"}}"#)), true),
        (one(format!(r#"{{"Effect": "Allow", {narrow}, "action": "*"}}"#)), true),
        (one(format!(r#"{{"effect": "Allow", {narrow}}}"#)), true),
        (format!(r#"{{"statement": {{"Effect": "Allow", {narrow}}}}}"#), true),
        // What says what it does not allow, or does not say all.
        (one(r#"{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}"#.to_owned()), true),
        (one(format!(r#"{{"Effect": "Allow", {narrow}, "NotAction": "s3:*"}}"#)), true),
        (one(format!(r#"{{"Effect": "Allow", {narrow}, "NotAction": null}}"#)), true),
        (one(r#"{"Effect": "Allow", "Action": "s3:*", "NotResource": "x"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": "s3:*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Resource": "*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": null}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": [], "Resource": "*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": 7, "Resource": "*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": ["s3:*", 7], "Resource": "*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": {"s3": "*"}, "Resource": "*"}"#.to_owned()), true),
        (one(format!(r#"{{{narrow}}}"#)), true),
        (one(format!(r#"{{"Effect": "allow", {narrow}}}"#)), true),
        (one(format!(r#"{{"Effect": "Grant", {narrow}}}"#)), true),
        (one(format!(r#"{{"Effect": {{"Deny": null}}, {narrow}}}"#)), true),
        // No name of an action.
        (one(r#"{"Effect": "Allow", "Action": "s3:Get ", "Resource": "*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": "s3:${a}", "Resource": "*"}"#.to_owned()), true),
        (one(r#"{"Effect": "Allow", "Action": "\u0131am:*", "Resource": "*"}"#.to_owned()), true),
        ("{}".to_owned(), true),
        ("[]".to_owned(), true),
        ("null".to_owned(), true),
        (String::new(), true),
        ("not JSON".to_owned(), true),
    ] {
        assert_eq!(is_privileged(&text, OWN), privileged, "{text}");
    }
}

/// They say when, and what is left: an administrator who must come from one network is one.
// T2.17
#[test]
fn conditions_and_denials_make_nobody_ordinary() {
    let condition = json!({"StringEquals": {"aws:SourceIp": "192.0.2.1"}});
    for (actions, resources) in [("*", "*"), ("iam:PassRole", "*"), ("ssm:SendCommand", "*")] {
        let mut narrowed = allow(actions, resources);
        narrowed["Condition"] = condition.clone();
        assert!(is_privileged(&document(&narrowed), OWN), "{actions}");
        let denied = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        let both = json!({"Version": "2012-10-17", "Statement": [denied, allow(actions, resources)]});
        assert!(is_privileged(&both.to_string(), OWN), "{actions}");
    }
}

/// One statement that is not ordinary is enough, wherever it stands.
#[test]
fn each_statement_counts() {
    let narrow = allow("s3:GetObject", "*");
    for at in 0..4 {
        let mut statements = vec![narrow.clone(); 4];
        assert!(!is_privileged(&json!({"Statement": statements}).to_string(), OWN));
        statements[at] = allow("iam:AttachUserPolicy", "*");
        assert!(is_privileged(&json!({"Statement": statements}).to_string(), OWN), "{at}");
    }
}
