//! The rights of the functions, of the issuer role, and of the people who may tag owners.

use keyvend::aws::item::Update;
use keyvend::domain::browser::Browser;
use keyvend::domain::ticket::claim::{
    self, Ack, Claim, ClaimHolder, ClaimStep, StoredTicket, TicketState, TicketWrite,
};
use keyvend::store::tickets;
use keyvend::time::Timestamp;
use serde_json::{Value, json};

use crate::template::{
    ISSUER_ROLE, Names, OWNER_TAGS_SCP, TEMPLATE, WORLD_IAM, flat, items, names, of_type, part, properties,
    quoted, statements,
};

// T7.11
#[test]
fn reveal_attributes_match_claim_protocol() {
    let granted = |sid: &str| {
        let text = part(TEMPLATE, &[&format!("- Sid: {sid}"), "ForAllValues:StringEquals:"]);
        items(&text)
    };
    let read: Names = tickets::READ.split(", ").map(|name| name.trim_start_matches('#').to_owned()).collect();
    assert_eq!(granted("ReadTicket"), read);
    let written: Names = updates().iter().flat_map(attributes).collect();
    assert_eq!(granted("UpdateTicket"), &written | &names(["tid"]));
}

/// Every update that a claim, a confirmation or a misuse can lead to.
fn updates() -> Vec<Update> {
    let now = Timestamp(1_764_000_000);
    let point: Vec<u8> = p256_base_point();
    let cid: keyvend::id::ClaimId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let claim = Claim {
        proof_hash: [1; 32],
        code_hash: Some([2; 32]),
        cid: cid.clone(),
        key: point.try_into().unwrap(),
        browser: Browser::of_user_agent("Firefox/140.0 (Linux)"),
    };
    let pending = StoredTicket {
        tid: "BSTC2Bo9x_uu2YktyiEMaA".parse().unwrap(),
        proof_hash: [1; 32],
        expires_at: Timestamp(now.0 + 900),
        code_hash: Some([2; 32]),
        tries: 0,
        state: TicketState::Pending,
        due_at: None,
        outbox: Vec::new(),
    };
    let claimed =
        ClaimHolder { cid: cid.clone(), key: claim.key.clone(), attempt: 1, at: now, browser: claim.browser };
    let sealed = StoredTicket {
        state: TicketState::Sealed {
            claimed,
            sealed_at: now,
            enc: vec![1],
            ct: vec![2],
            aad: vec![3],
            receipt_hash: [3; 32],
        },
        ..pending.clone()
    };
    let without_code = StoredTicket { code_hash: None, ..pending.clone() };
    let wrong = Claim { code_hash: Some([9; 32]), ..claim.clone() };
    let ack = Ack { proof_hash: [1; 32], cid, receipt_hash: [3; 32] };
    let steps = [
        claim::claim(&without_code, &claim, now),
        claim::claim(&pending, &claim, now),
        claim::after_try(&pending, &claim, 1, now),
        claim::after_try(&pending, &wrong, claim::TRIES, now),
        claim::acknowledge(&sealed, &ack, now),
    ];
    let update = |step| match step {
        ClaimStep::CountAttempt(write) | ClaimStep::Write(write, _) => tickets::reveal_update(&write),
        ClaimStep::Answer(answer) => panic!("{answer:?} where something is written"),
    };
    let misuse = TicketWrite::RecordMisuse { proof_hash: [1; 32], now };
    steps.into_iter().map(update).chain([tickets::reveal_update(&misuse)]).collect()
}

fn p256_base_point() -> Vec<u8> {
    let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    let y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let hex = format!("04{x}{y}");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

/// The attributes that an update's two expressions name.
fn attributes(update: &Update) -> Names {
    let functions = ["list_append", "attribute_not_exists", "attribute_exists", "size"];
    let text = format!("{} {}", update.update, update.condition);
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:#".contains(c)));
    words
        .filter(|word| !word.is_empty() && !word.starts_with(':') && !functions.contains(word))
        .filter(|word| !word.bytes().all(|b| b.is_ascii_uppercase()))
        .map(|word| word.trim_start_matches('#').to_owned())
        .collect()
}

// T7.11
#[test]
fn issuer_role_is_identical_in_every_account() {
    let here = part(TEMPLATE, &["IssuerRole:", "Policies:"]);
    let there = part(ISSUER_ROLE, &["IssuerRole:", "Policies:"]);
    assert_eq!(here.trim_end(), there.trim_end());
    let trust = |template: &str| {
        part(template, &["IssuerRole:", "AssumeRolePolicyDocument:"])
            .lines()
            .filter(|line| !line.contains("Principal:"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trust(TEMPLATE), trust(ISSUER_ROLE));
}

#[test]
fn issuer_role_matches_sessions_and_emulator() {
    let granted = items(&part(TEMPLATE, &["IssuerRole:", "- Sid: ReadUsers", "Action:"]));
    let session: Value = serde_json::from_str(
        &keyvend::aws::session_policy::read_policy().document(&keyvend::id::Partition::default()),
    )
    .unwrap();
    let asked = session.pointer("/Statement/0/Action").and_then(Value::as_array).unwrap();
    let asked = names(asked.iter().map(|action| action.as_str().unwrap()));
    assert!(asked.is_subset(&granted), "{:?}", &asked - &granted);
    let (_, list) = WORLD_IAM.split_once("const READS").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let world: Names = quoted(list, "").into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(granted, world.iter().map(|name| format!("iam:{name}")).collect());
}

fn policies(role: &str) -> String {
    statements(&part(TEMPLATE, &[&format!("{role}:"), "Policies:"]))
}

// T7.11
#[test]
fn slack_role_has_one_secret_and_queue() {
    insta::assert_snapshot!(policies("SlackRole"), @r#"
    - PolicyName: function PolicyDocument: Version: "2012-10-17" Statement:
    - Effect: Allow Action: secretsmanager:GetSecretValue Resource: !Ref SigningSecret
    - Effect: Allow Action: sqs:SendMessage Resource: !GetAtt SlackQueue.Arn
    if OwnKey
    - Effect: Allow Action: [kms:Decrypt, kms:GenerateDataKey] Resource: !Ref KmsKeyArn Condition: StringEquals: kms:ViaService: !Sub "sqs.${AWS::Region}.${AWS::URLSuffix}"
    if OwnKey
    - Effect: Allow Action: kms:Decrypt Resource: !Ref KmsKeyArn Condition: StringEquals: kms:ViaService: !Sub "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"
    - PolicyName: logs PolicyDocument: Version: "2012-10-17" Statement:
    - Effect: Allow Action: [logs:CreateLogStream, logs:PutLogEvents] Resource: !GetAtt SlackLogs.Arn
    "#);
}

// T7.11
#[test]
fn reveal_role_is_limited_to_ticket_attributes() {
    // It may also send to one queue.
    insta::assert_snapshot!(policies("RevealRole"), @r#"
    - PolicyName: function PolicyDocument: Version: "2012-10-17" Statement:
    - Sid: ReadTicket Effect: Allow Action: dynamodb:GetItem Resource: !GetAtt Tickets.Arn Condition: "Null": dynamodb:Attributes: "false" StringEqualsIfExists: dynamodb:Select: SPECIFIC_ATTRIBUTES ForAllValues:StringEquals: dynamodb:Attributes:
    - Sid: UpdateTicket Effect: Allow Action: dynamodb:UpdateItem Resource: !GetAtt Tickets.Arn Condition: StringEqualsIfExists: dynamodb:ReturnValues: [NONE, UPDATED_NEW] ForAllValues:StringEquals: dynamodb:Attributes:
    - Effect: Allow Action: sqs:SendMessage Resource: !GetAtt ClaimsQueue.Arn
    if OwnKey
    - Effect: Allow Action: [kms:Decrypt, kms:GenerateDataKey] Resource: !Ref KmsKeyArn Condition: StringEquals: kms:ViaService: !Sub "sqs.${AWS::Region}.${AWS::URLSuffix}"
    if OwnKey
    - Effect: Allow Action: kms:Decrypt Resource: !Ref KmsKeyArn Condition: StringEquals: kms:ViaService: !Sub "dynamodb.${AWS::Region}.${AWS::URLSuffix}"
    - PolicyName: logs PolicyDocument: Version: "2012-10-17" Statement:
    - Effect: Allow Action: [logs:CreateLogStream, logs:PutLogEvents] Resource: !GetAtt RevealLogs.Arn
    "#);
}

// T5.1
#[test]
fn worker_role_matches_calls_and_inserts_audit() {
    // Of the audit table it may only insert.
    insta::assert_snapshot!(policies("WorkerRole"), @r#"
    - PolicyName: function PolicyDocument: Version: "2012-10-17" Statement:
    - Effect: Allow Action: secretsmanager:GetSecretValue Resource: !Ref BotToken
    - Effect: Allow Action: [dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:ConditionCheckItem] Resource: [!GetAtt Requests.Arn, !GetAtt Tickets.Arn]
    - Effect: Allow Action: dynamodb:Query Resource: - !Sub "${Requests.Arn}/index/by_person" - !Sub "${Requests.Arn}/index/changed" - !Sub "${Requests.Arn}/index/due" - !Sub "${Tickets.Arn}/index/due"
    - Effect: Allow Action: dynamodb:PartiQLInsert Resource: !GetAtt Audit.Arn
    - Effect: Allow Action: [sts:AssumeRole, sts:SetSourceIdentity] Resource: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}-issuer"
    if OtherAccounts
    - Effect: Allow Action: [sts:AssumeRole, sts:SetSourceIdentity] Resource: !Sub "arn:${AWS::Partition}:iam::*:role/${AWS::StackName}-issuer" Condition: StringEquals: aws:ResourceAccount: !Ref OtherAccountIds
    if Mail
    - Effect: Allow Action: ses:SendEmail Resource: !Sub "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*" Condition: StringEquals: ses:FromAddress: !Ref MailFrom
    - Effect: Allow Action: sqs:SendMessage Resource: !GetAtt DueQueue.Arn
    - Effect: Allow Action: sqs:ChangeMessageVisibility Resource: [!GetAtt SlackQueue.Arn, !GetAtt ClaimsQueue.Arn, !GetAtt DueQueue.Arn, !GetAtt SweepQueue.Arn]
    if OwnKey
    - Effect: Allow Action: [kms:Decrypt, kms:GenerateDataKey] Resource: !Ref KmsKeyArn Condition: StringEquals: kms:ViaService: !Sub "sqs.${AWS::Region}.${AWS::URLSuffix}"
    if OwnKey
    - Effect: Allow Action: kms:Decrypt Resource: !Ref KmsKeyArn Condition: StringEquals: kms:ViaService: - !Sub "secretsmanager.${AWS::Region}.${AWS::URLSuffix}" - !Sub "dynamodb.${AWS::Region}.${AWS::URLSuffix}"
    - PolicyName: event-sources PolicyDocument: Version: "2012-10-17" Statement:
    - Effect: Allow Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes] Resource: [!GetAtt SlackQueue.Arn, !GetAtt ClaimsQueue.Arn, !GetAtt DueQueue.Arn, !GetAtt SweepQueue.Arn]
    - PolicyName: logs PolicyDocument: Version: "2012-10-17" Statement:
    - Effect: Allow Action: [logs:CreateLogStream, logs:PutLogEvents] Resource: !GetAtt WorkerLogs.Arn
    "#);
}

// T2.22
#[test]
fn issuer_role_is_limited_to_tagged_users() {
    // It acts only on tagged users under its path, and writes only tags named by key ids.
    let reads = part(TEMPLATE, &["IssuerRole:", "Policies:", "- Sid: ReadUsers", "Action:"]);
    let changes = |action: &String| !action.starts_with("iam:Get") && !action.starts_with("iam:List");
    assert_eq!(items(&reads).into_iter().filter(changes).collect::<Names>(), Names::new());
    let acts = part(TEMPLATE, &["IssuerRole:", "Policies:"]);
    let (_, acts) = acts.split_once("- Sid: ManageKeysOfOwnedUsers").unwrap();
    insta::assert_snapshot!(statements(acts), @r#"
    Effect: Allow Action: [iam:CreateAccessKey, iam:UpdateAccessKey, iam:DeleteAccessKey] Resource: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:user${IamPath}*" Condition: "Null": { aws:ResourceTag/keyvend:owners: "false" }
    - Sid: DescribeKeysOfOwnedUsers Effect: Allow Action: [iam:TagUser, iam:UntagUser] Resource: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:user${IamPath}*" Condition: "Null": { aws:ResourceTag/keyvend:owners: "false", aws:TagKeys: "false" } ForAllValues:StringLike: { aws:TagKeys: AKIA* }
    "#);
    let trust = flat(&part(TEMPLATE, &["IssuerRole:", "AssumeRolePolicyDocument:"]));
    insta::assert_snapshot!(trust, @r#"Version: "2012-10-17" Statement: - Effect: Allow Principal: { AWS: !GetAtt WorkerRole.Arn } Action: [sts:AssumeRole, sts:SetSourceIdentity] Condition: "Null": { sts:SourceIdentity: "false" }"#);
}

/// A function has the role that is named after it, a role no policy but those above, and nothing may do everything.
// T7.11
#[test]
fn template_grants_no_other_permissions() {
    assert_eq!(of_type("AWS::IAM::Role"), ["SlackRole", "RevealRole", "WorkerRole", "IssuerRole"]);
    for function in of_type("AWS::Serverless::Function") {
        let own = properties(function);
        assert!(own.contains(&format!("Role: !GetAtt {function}Role.Arn")), "{function}");
        assert!(!own.contains("Policies:"), "SAM would add rights to {function}");
    }
    for elsewhere in ["ManagedPolicyArns", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User"] {
        assert!(!flat(TEMPLATE).contains(elsewhere), "{elsewhere}");
    }
    for (at, line) in TEMPLATE.lines().enumerate().filter(|(_, line)| line.contains("Action:")) {
        assert!(!line.contains('*') || line.trim() == "Action: sqs:*", "line {}: {line}", at + 1);
    }
    assert!(statements(TEMPLATE).lines().all(|line| !line.contains("Effect: Allow Action: sqs:*")));
}

/// The SCP is JSON, and denies everybody but the excepted role to set or remove any of the owner tags.
#[test]
fn scp_protects_the_owner_tags() {
    let scp: Value = serde_json::from_str(OWNER_TAGS_SCP).unwrap();
    let statements = scp["Statement"].as_array().unwrap();
    assert!(
        statements.iter().all(|statement| statement["Effect"] == "Deny"),
        "an SCP of ours grants nothing"
    );
    let owners = json!(["keyvend:owners", "keyvend:owners2", "keyvend:owners3", "keyvend:owners4"]);
    let on_tags =
        [("ForAnyValue:StringEqualsIgnoreCase", owners), ("ForAnyValue:StringLike", json!("keyvend:*"))];
    for (operator, keys) in on_tags {
        let found = statements.iter().find(|found| found["Condition"][operator]["aws:TagKeys"] == keys);
        let found = found.unwrap_or_else(|| panic!("no statement on {keys}"));
        assert_eq!(found["Action"], json!(["iam:CreateUser", "iam:TagUser", "iam:UntagUser"]));
        assert_eq!(found["Resource"], "*");
    }
}
