//! Which statements make an IAM user privileged.

mod whole_policies;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::privilege::pattern::work;
use crate::domain::privilege::services::{HARMLESS, HARMLESS_PREFIXES, OF_ROLES, SELF_SERVICE, SERVICES};

const OWN: &str = "arn:aws:iam::123456789012:user/bots/ci-deployer";
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:thumbnails";
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf";

/// AWS's own ReadOnlyAccess, version 178 of 2026-02-12, without the services that no table here names.
const READ_ONLY_ACCESS: &str = include_str!("tests/read_only_access.json");

fn document(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Both as a blank-separated list; one of each stands as a text, as IAM allows.
fn allow(actions: &str, resources: &str) -> Value {
    let list = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        if words.len() == 1 { json!(words[0]) } else { json!(words) }
    };
    json!({"Effect": "Allow", "Action": list(actions), "Resource": list(resources)})
}

fn judged(actions: &str, resources: &str) -> bool {
    is_privileged(&document(&allow(actions, resources)), OWN)
}

// T2.17
#[test]
fn what_changes_rights_or_takes_others_is_privileged() {
    for (actions, resources) in [
        // Everything, in any spelling.
        ("*", "*"),
        ("**", "*"),
        ("*:*", "*"),
        ("?*", "*"),
        ("*", "arn:aws:s3:::bucket/*"),
        ("*", OWN),
        ("*:Put*", "*"),
        ("*Policy", "*"),
        ("i?m:*", "*"),
        ("*m:PassRole", "*"),
        ("s3:GetObject *", "*"),
        ("l*:UpdateFunctionCode", FUNCTION),
        // IAM's writes, each of the and some more.
        ("iam:*", "*"),
        ("IAM:*", OWN),
        ("iam:CreateAccessKey", "*"),
        ("iam:createaccesskey", "arn:aws:iam::123456789012:user/another"),
        ("iam:CreateLoginProfile", "*"),
        ("iam:UpdateLoginProfile", "arn:aws:iam::123456789012:user/*"),
        ("iam:AttachUserPolicy", OWN),
        ("iam:PutUserPolicy", OWN),
        ("iam:AttachRolePolicy", ROLE),
        ("iam:PutRolePolicy", ROLE),
        ("iam:AttachGroupPolicy", "arn:aws:iam::123456789012:group/own"),
        ("iam:PutGroupPolicy", "arn:aws:iam::123456789012:group/own"),
        ("iam:CreatePolicyVersion", "arn:aws:iam::123456789012:policy/own"),
        ("iam:SetDefaultPolicyVersion", "arn:aws:iam::123456789012:policy/own"),
        ("iam:AddUserToGroup", "arn:aws:iam::123456789012:group/own"),
        ("iam:UpdateAssumeRolePolicy", ROLE),
        ("iam:DeleteUserPermissionsBoundary", OWN),
        ("iam:DeleteUserPolicy", OWN),
        ("iam:DetachUserPolicy", OWN),
        ("iam:TagUser", OWN),
        ("iam:UntagUser", OWN),
        ("iam:UpdateUser", OWN),
        ("iam:CreateRole", "*"),
        ("iam:CreateServiceLinkedRole", "*"),
        ("iam:CreateSAMLProvider", "*"),
        ("iam:CreateVirtualMFADevice", "*"),
        ("iam:SomethingOfTomorrow", OWN),
        // Patterns of them.
        ("iam:Put*", "*"),
        ("iam:Put*", OWN),
        ("iam:*Policy*", "*"),
        ("iam:*Policy", "*"),
        ("iam:*User", "*"),
        ("iam:?et*", "*"),
        ("iam:G*", "*"),
        ("iam:Ge*", "*"),
        ("iam:L*t*", "*"),
        ("iam:Create*", OWN),
        ("iam:*AccessKey", OWN),
        ("iam:*AccessKey*", OWN),
        ("iam:PassRol?", ROLE),
        ("iam:Pass*", ROLE),
        // Oneself, but not by name.
        ("iam:CreateAccessKey", "arn:aws:iam::*:user/${aws:username}"),
        ("iam:CreateAccessKey", "arn:aws:iam::123456789012:user/bots/ci-deployer*"),
        ("iam:CreateAccessKey", "arn:aws:iam::123456789012:user/bots/ci-deploye?"),
        ("iam:CreateAccessKey", "arn:aws:iam::123456789012:user/bots/CI-Deployer"),
        (
            "iam:CreateAccessKey",
            "arn:aws:iam::123456789012:user/bots/ci-deployer arn:aws:iam::123456789012:user/b",
        ),
        ("iam:CreateAccessKey s3:GetObject", "arn:aws:s3:::bucket/* *"),
        // Roles, in any spelling that does not name one.
        ("sts:AssumeRole", "*"),
        ("sts:AssumeRole", "arn:*"),
        ("sts:AssumeRole", "arn:aws:*"),
        ("sts:AssumeRole", "arn:aws:iam::*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:r*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/?*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:?ole/deploy"),
        ("sts:AssumeRole", "arn:aws:iam::*:role/deploy"),
        ("sts:AssumeRole", "arn:aws:iam::?23456789012:role/deploy"),
        ("sts:AssumeRole", "arn:aws:i?m::123456789012:role/deploy"),
        ("sts:AssumeRole", "arn:aws*s3:::bucket/*"),
        ("sts:AssumeRole", "arn:aws?iam::123456789012:role/deploy*"),
        ("sts:AssumeRole", "ARN:AWS:IAM::123456789012:role/deploy*"),
        ("sts:AssumeRole", "arn:aws*:iam::123456789012:role/deploy"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/team-*"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/${aws:PrincipalTag/team}"),
        ("sts:AssumeRole", "${aws:PrincipalTag/role}"),
        ("sts:AssumeRole", "arn:aws-us-gov:iam::123456789012:role/*"),
        ("sts:AssumeRole", "?*"),
        ("iam:PassRole", "*"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/*"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/service-role/*"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/x *"),
        ("s3:* sts:AssumeRole", "arn:aws:s3:::bucket/* arn:aws:iam::123456789012:role/deplo?"),
        // The rest of STS and of the other services that decide.
        ("sts:*", "*"),
        ("sts:Assume*", ROLE),
        ("sts:AssumeRoot", "*"),
        ("sts:Get*", "*"),
        ("sts:GetFederationToken", "*"),
        ("sts:GetWebIdentityToken", "*"),
        ("sts:TagSession", "*"),
        ("sso:*", "*"),
        ("sso:CreateAccountAssignment", "*"),
        ("sso:PutInlinePolicyToPermissionSet", "*"),
        ("sso-directory:*", "*"),
        ("sso-directory:AddMemberToGroup", "*"),
        ("sso-oauth:CreateTokenWithIAM", "*"),
        ("ss?:*", "*"),
        ("identitystore:*", "*"),
        ("identitystore:CreateGroupMembership", "*"),
        ("identitystore-auth:BatchDeleteSession", "*"),
        ("organizations:*", "*"),
        ("organizations:DetachPolicy", "*"),
        ("organizations:Enable*", "*"),
        // Services that confer rights of others.
        ("lambda:*", "*"),
        ("lambda:Update*", "*"),
        ("lambda:UpdateFunctionCode", "*"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:123456789012:function:*"),
        ("lambda:*Code", "*"),
        ("lambda:UpdateFunctionConfiguration s3:PutObject", "*"),
        ("ssm:*", "*"),
        ("ssm:SendCommand", "*"),
        ("ssm:S*", "*"),
        ("ssm:StartSession", "arn:aws:ec2:eu-west-1:123456789012:instance/*"),
        ("ssm:StartAutomationExecution", "*"),
        ("cloudformation:*", "*"),
        ("cloudformation:UpdateStack", "*"),
        ("cloudformation:CreateStack", "arn:aws:cloudformation:eu-west-1:123456789012:stack/app/1"),
        ("cloudformation:*Stack", "*"),
        ("codebuild:*", "*"),
        ("codebuild:StartBuild", "*"),
        ("codebuild:Start*", "arn:aws:codebuild:eu-west-1:123456789012:project/*"),
        ("secretsmanager:*", "*"),
        ("secretsmanager:GetSecretValue", "*"),
        ("secretsmanager:Get*", "*"),
        ("secretsmanager:*Value", "arn:aws:secretsmanager:*:*:secret:*"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/*"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod*-??????",
        ),
        ("secretsmanager:GetSecretValue", "*-??????"),
        ("ec2:*", "*"),
        ("ec2:ModifyInstanceAttribute", "*"),
        ("ec2-instance-connect:SendSSHPublicKey", "*"),
        ("ecs:ExecuteCommand", "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"),
        ("ecs:*", "*"),
        ("eks:CreateAccessEntry", "*"),
        ("glue:UpdateDevEndpoint", "*"),
        ("glue:*", "*"),
        ("sagemaker:CreatePresignedNotebookInstanceUrl", "*"),
        ("datapipeline:*", "*"),
        ("codestar:CreateProject", "*"),
        ("states:UpdateStateMachine", "*"),
        ("batch:SubmitJob", "*"),
        ("bedrock-agentcore:InvokeCodeInterpreter", "*"),
        ("cognito-identity:SetIdentityPoolRoles", "*"),
        ("rolesanywhere:CreateTrustAnchor", "*"),
    ] {
        assert!(judged(actions, resources), "{actions} on {resources}");
    }
}

// T2.17
#[test]
fn what_is_shown_to_be_narrow_is_ordinary() {
    let qualified = format!("{FUNCTION}:prod");
    let both = format!("{ROLE} arn:aws:iam::210987654321:role/teams/x+=,.@_-y");
    for (actions, resources) in [
        // Reads of the services that decide, and what gives nobody anything.
        ("iam:Get*", "*"),
        ("iam:GetUser", "*"),
        ("IAM:LIST*", "*"),
        ("iam:List*Polic*", "*"),
        ("iam:Simulate*", "*"),
        ("iam:Generate*", "*"),
        ("iam:GetAccountAuthorizationDetails", "*"),
        ("iam:ChangePassword", "arn:aws:iam::*:user/${aws:username}"),
        ("sts:GetCallerIdentity", "*"),
        ("sts:GetSessionToken sts:GetAccessKeyInfo", "*"),
        ("sso:Describe* sso:Get* sso:List* sso-directory:Search*", "*"),
        ("identitystore:ListUsers identitystore:IsMemberInGroups", "*"),
        ("organizations:Describe* organizations:List*", "*"),
        // Oneself, by name.
        ("iam:CreateAccessKey iam:UpdateAccessKey iam:DeleteAccessKey iam:ListAccessKeys", OWN),
        ("iam:EnableMFADevice iam:ResyncMFADevice", OWN),
        ("iam:UploadSSHPublicKey iam:UpdateLoginProfile", OWN),
        ("iam:CreateAccessKey s3:GetObject", &format!("{OWN} arn:aws:s3:::bucket/*")),
        // Roles, by name.
        ("sts:AssumeRole", ROLE),
        ("sts:AssumeRole sts:TagSession", &both),
        ("sts:AssumeRole*", ROLE),
        ("iam:PassRole", ROLE),
        ("iam:PassRole", "arn:aws-cn:iam::123456789012:role/service-role/app"),
        (
            "ecs:UpdateService iam:PassRole",
            &format!("{ROLE} arn:aws:ecs:eu-west-1:123456789012:service/prod/*"),
        ),
        ("sts:AssumeRole s3:GetObject", "arn:aws:s3:::bucket/*"),
        // Services of the table: what confers nothing, and what is named.
        ("lambda:InvokeFunction lambda:Get* lambda:List*", "*"),
        ("lambda:UpdateFunctionCode", FUNCTION),
        ("lambda:UpdateFunctionCode lambda:PublishVersion", &qualified),
        ("lambda:Update*", FUNCTION),
        (
            "codebuild:StartBuild codebuild:BatchGetBuilds",
            "arn:aws:codebuild:eu-west-1:123456789012:project/app",
        ),
        ("codebuild:BatchGet*", "*"),
        ("ssm:GetParameter* ssm:Describe* ssm:PutParameter", "*"),
        ("ssm:StartSession", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"),
        ("cloudformation:ValidateTemplate cloudformation:Describe*", "*"),
        ("secretsmanager:ListSecrets secretsmanager:DescribeSecret", "*"),
        ("secretsmanager:GetSecretValue", SECRET),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-??????",
        ),
        ("ec2:Describe* ec2:StartInstances ec2:StopInstances ec2:RunInstances", "*"),
        ("ecs:UpdateService ecs:Describe*", "*"),
        ("eks:DescribeCluster", "*"),
        ("states:StartExecution", "*"),
        ("glue:Get* glue:CreateTable", "*"),
        ("sagemaker:InvokeEndpoint", "*"),
        ("kms:Decrypt kms:GenerateDataKey", "*"),
        // Others.
        ("s3:*", "*"),
        ("s3:Get* ec2:Describe*", "*"),
        ("ecr:* logs:* cloudwatch:*", "*"),
        ("stss:*", "*"),
        ("xiam:*", "*"),
    ] {
        assert!(!judged(actions, resources), "{actions} on {resources}");
    }
}

#[test]
fn the_tables_say_what_they_mean() {
    let names: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "each once, in order: {names:?}");
    let all = SERVICES.iter().flat_map(|service| service.confers.iter().chain(service.resources));
    let identity = HARMLESS.iter().chain(HARMLESS_PREFIXES).chain(OF_ROLES).chain(SELF_SERVICE);
    for text in all.chain(identity).chain(&names) {
        assert_eq!(**text, text.to_ascii_lowercase(), "{text}");
    }
    for service in SERVICES {
        for pattern in service.confers {
            assert!(
                judged(&format!("{}:{}", service.name, pattern.replace('*', "X")), "*"),
                "{}",
                service.name
            );
        }
        let named = |resource: &str| {
            judged(&format!("{}:{}", service.name, service.confers[0].replace('*', "X")), resource)
        };
        for owner in service.resources {
            assert!(!named(&format!("arn:aws:{owner}:eu-west-1:123456789012:thing/a")), "{owner}");
            assert!(named(&format!("arn:aws:{owner}:eu-west-1:123456789012:thing/*")), "{owner}");
        }
    }
    // Nothing that one may do to oneself is more than that, and no read is anything else.
    for name in SELF_SERVICE.iter().chain(OF_ROLES) {
        assert!(!HARMLESS_PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        assert!(judged(name, "*"), "{name}");
    }
}

proptest! {
    /// Whatever a pattern is made of: if it matches an action that is privileged by itself, it is privileged.
    // T2.17
    #[test]
    fn no_spelling_of_a_privileged_action_is_ordinary(
        action in prop::sample::select(vec![
            "iam:putuserpolicy", "iam:passrole", "sts:assumerole", "sso:createaccountassignment", "lambda:updatefunctioncode",
            "ssm:sendcommand", "organizations:attachpolicy", "secretsmanager:getsecretvalue", "codebuild:startbuild",
        ]),
        cuts in prop::collection::vec((0usize..32, 0usize..8, any::<bool>()), 0..4),
        upper in any::<bool>(),
    ) {
        let mut pattern = action.to_owned();
        for (at, length, star) in cuts {
            let at = at.min(pattern.len());
            let end = (at + length).min(pattern.len());
            // A `*` there stands for more than one character.
            let star = star || pattern[at..end].contains('*');
            let wildcard = if star { "*".to_owned() } else { "?".repeat(end - at) };
            pattern.replace_range(at..end, &wildcard);
        }
        let pattern = if upper { pattern.to_uppercase() } else { pattern };
        prop_assert!(judged(&pattern, "*"), "{}", pattern);
        prop_assert!(judged(&format!("s3:GetObject {pattern}"), "arn:aws:s3:::b *"), "{}", pattern);
    }

    #[test]
    fn any_document_text_is_classified(text in any::<String>(), pattern in "[a-z:*?${}]{0,200}") {
        let _ = is_privileged(&text, OWN);
        let _ = judged(&pattern, &pattern);
    }
}

/// As long as IAM lets a policy be, and made to take long. A million pairs of places take a few milliseconds.
#[test]
fn the_longest_policies_take_bounded_work() {
    let fill = |action: &str, resource: &str| {
        let many = |text: &str, room: usize| vec![text.to_owned(); room / (text.len() + 3)];
        json!({"Statement": {"Effect": "Allow", "Action": many(action, 3000), "Resource": many(resource, 3000)}})
            .to_string()
    };
    let stars = "*a".repeat(3_000);
    for (document, most) in [
        (fill("s3:Get*", "*"), 0),
        (fill("iam:Get*", "*"), 50_000),
        (fill("lambda:*a*b*c*", FUNCTION), 1_000_000),
        (fill("ssm:?*?*?*?*?*?*", "arn:aws:ec2:?*?*?*?*?*?*?*?*"), 1_000_000),
        (fill("?:*", "*"), 100_000),
        (fill("sts:AssumeRole", "a*r*n*:*:*:*:*"), 300_000),
        (fill("sts:AssumeRole", ROLE), 100_000),
        (document(&allow("iam:PassRole", &stars)), 1_000),
        (document(&allow(&stars, "*")), 0),
        (document(&allow("secretsmanager:GetSecretValue", &stars)), 1_000),
        (READ_ONLY_ACCESS.to_owned(), 1_000_000),
    ] {
        work::take();
        let _ = is_privileged(&document, OWN);
        let pairs = work::take();
        assert!(
            pairs <= most,
            "{pairs} instead of {most}: {}",
            document.chars().take(120).collect::<String>()
        );
    }
}
