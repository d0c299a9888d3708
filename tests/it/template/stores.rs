//! The tables and secrets: who reads and writes them, and how they are encrypted.

use crate::template::{TEMPLATE, flat, items, names, of_type, part, properties, says, statements};

#[test]
fn tables_are_encrypted_recoverable_and_indexes_minimal() {
    // Tables are on demand, and indexes hold keys only.
    let tables = of_type("AWS::DynamoDB::Table");
    assert_eq!(tables, ["Requests", "Tickets", "Audit"]);
    for table in tables {
        let own = properties(table);
        for part in [
            "BillingMode: PAY_PER_REQUEST",
            "PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }",
            "SSESpecification: SSEEnabled: true SSEType: KMS",
        ] {
            assert!(own.contains(part), "{table} has no {part}: {own}");
        }
        // Nothing of the audit trail is ever collected as garbage.
        let ttl = own.contains("TimeToLiveSpecification: { AttributeName: keep_until, Enabled: true }");
        assert_eq!(ttl, table != "Audit", "{table}");
        let indexes = own.matches("IndexName:").count();
        assert_eq!(own.matches("ProjectionType: KEYS_ONLY").count(), indexes, "{table}");
        assert_eq!(own.matches("ProjectionType:").count(), indexes, "{table}");
        let expected = match table {
            "Requests" => 3,
            "Tickets" => 1,
            _ => 0,
        };
        assert_eq!(indexes, expected, "{table}");
    }
}

const WRITES: [&str; 7] = [
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
];
const READS: [&str; 6] = [
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:PartiQLSelect",
];

/// Rights over all tables of the account are none over these: a resource policy keeps every write of an item, and of what a
/// ticket holds every read, to the functions, and to operators where their tool writes. Nothing that manages a table is
/// denied, so that nobody is locked out.
// T7.12
#[test]
fn tables_accept_only_functions_and_named_operators() {
    let role = |function: &str| {
        format!(
            r#"!Sub "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/${{AWS::StackName}}-{function}""#
        )
    };
    for function in ["slack", "reveal", "worker"] {
        let logical = format!("{}Role", function[..1].to_uppercase() + &function[1..]);
        assert!(says(&logical, &format!(r#"RoleName: !Sub "${{AWS::StackName}}-{function}""#)), "{logical}");
    }
    let tables = of_type("AWS::DynamoDB::Table");
    assert_eq!(tables.len(), 3);
    for table in tables {
        let document = part(TEMPLATE, &[&format!("{table}:"), "ResourcePolicy:", "PolicyDocument:"]);
        let one = flat(&document);
        assert_eq!(one.matches("Effect: ").count(), 1, "{table}: {one}");
        assert!(one.contains(r#"Effect: Deny Principal: "*" Action: "#), "{table}: {one}");
        let denied = items(&part(&document, &["Action:"]));
        let (actions, who) = match table {
            "Tickets" => (
                names(READS.into_iter().chain(WRITES)),
                format!("aws:PrincipalArn: - {} - {}", role("worker"), role("reveal")),
            ),
            _ => (
                names(WRITES),
                format!(
                    "aws:PrincipalArn: !If - Operators - !Split - \",\" - !Sub - {},${{Operators}}\" \
                     - {{ Operators: !Join [\",\", !Ref OperatorRoleArns] }} - {}",
                    role("worker").trim_start_matches("!Sub ").trim_end_matches('"'),
                    role("worker")
                ),
            ),
        };
        assert_eq!(denied, actions, "{table}");
        assert!(one.ends_with(&format!(r#"Resource: "*" Condition: ArnNotEquals: {who}"#)), "{table}: {one}");
    }
}

/// Whoever may read all secrets of the account may not read these; storing a value is left to administrators.
// T7.12
#[test]
fn every_secret_is_read_by_its_function_alone() {
    let secrets = of_type("AWS::SecretsManager::Secret");
    let policies = of_type("AWS::SecretsManager::ResourcePolicy");
    assert_eq!(secrets.len(), policies.len());
    for (secret, role) in [("SigningSecret", "SlackRole"), ("BotToken", "WorkerRole")] {
        assert!(secrets.contains(&secret));
        let own = properties(&format!("{secret}Policy"));
        assert!(own.contains(&format!("SecretId: !Ref {secret} BlockPublicPolicy: true ")), "{own}");
        assert_eq!(own.matches("Effect: ").count(), 1, "{own}");
        let denial = format!(
            r#"Effect: Deny Principal: "*" Action: secretsmanager:GetSecretValue Resource: "*" Condition: ArnNotEquals: {{ aws:PrincipalArn: !GetAtt {role}.Arn }}"#
        );
        assert!(own.ends_with(&denial), "{own}");
    }
}

/// Without a key of one's own everything is encrypted with AWS's; with one, nothing is skipped.
// T7.12
#[test]
fn configured_kms_key_encrypts_every_store() {
    for queue in of_type("AWS::SQS::Queue") {
        let own = "SqsManagedSseEnabled: !If [OwnKey, false, true] KmsMasterKeyId: !If [OwnKey, !Ref KmsKeyArn, !Ref AWS::NoValue]";
        assert!(says(queue, own), "{queue}");
    }
    for table in of_type("AWS::DynamoDB::Table") {
        let own = "SSESpecification: SSEEnabled: true SSEType: KMS KMSMasterKeyId: !If [OwnKey, !Ref KmsKeyArn, !Ref AWS::NoValue]";
        assert!(says(table, own), "{table}");
    }
    for secret in of_type("AWS::SecretsManager::Secret") {
        assert!(says(secret, "KmsKeyId: !If [OwnKey, !Ref KmsKeyArn, !Ref AWS::NoValue]"), "{secret}");
    }
    // Whatever uses the key does so through the service whose data it encrypts.
    let uses = statements(TEMPLATE);
    let mut uses = uses.lines().filter(|line| line.contains("kms:Decrypt"));
    assert!(uses.all(|line| line.contains("Condition: StringEquals: kms:ViaService:")));
}

#[test]
fn secrets_are_made_empty_and_are_no_parameters() {
    assert_eq!(of_type("AWS::SecretsManager::Secret"), ["SigningSecret", "BotToken"]);
    for value in ["SecretString", "GenerateSecretString", "NoEcho"] {
        assert!(!TEMPLATE.contains(value), "{value}");
    }
}
