//! The templates say of the deployed functions what the code needs and the test world grants: no variable, attribute
//! or right too few, and none too many.

use std::collections::{BTreeMap, BTreeSet};

use keyvend::aws::item::Update;
use keyvend::config::{RevealConfig, SlackConfig, WorkerConfig};
use keyvend::domain::browser::Browser;
use keyvend::domain::ticket::claim::{
    self, Ack, Claim, ClaimHolder, ClaimStep, StoredTicket, TicketState, TicketWrite,
};
use keyvend::store::tickets;
use keyvend::time::Timestamp;
use serde_json::{Value, json};

const TEMPLATE: &str = include_str!("../../template.yaml");
const ISSUER_ROLE: &str = include_str!("../../deploy/issuer-role.yaml");
const MANIFEST: &str = include_str!("../../deploy/slack-manifest.yaml");
const CONFIG: &str = concat!(
    include_str!("../../src/config/accounts.rs"),
    include_str!("../../src/config/aws.rs"),
    include_str!("../../src/config/cli.rs"),
    include_str!("../../src/config/reveal.rs"),
    include_str!("../../src/config/slack.rs"),
    include_str!("../../src/config/worker.rs"),
);
const SLACK_API: &str = include_str!("../../src/slack/api.rs");
const OWNER_TAGS_SCP: &str = include_str!("../../deploy/scp/protect-owner-tags.json");
const WORLD_IAM: &str = include_str!("../testkit/src/iam.rs");

type Names = BTreeSet<String>;

fn names<'a>(list: impl IntoIterator<Item = &'a str>) -> Names {
    list.into_iter().map(str::to_owned).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines below the first one that reads `head`, as far as they are indented deeper.
fn below<'t>(text: &'t str, head: &str) -> Vec<&'t str> {
    let mut lines = text.lines().skip_while(|line| line.trim() != head);
    let depth = indent(lines.next().unwrap_or_else(|| panic!("no line `{head}`")));
    lines.take_while(|line| line.trim().is_empty() || indent(line) > depth).collect()
}

fn part(text: &str, heads: &[&str]) -> String {
    heads.iter().fold(text.to_owned(), |text, head| below(&text, head).join("\n"))
}

fn items(text: &str) -> Names {
    names(text.lines().filter_map(|line| line.trim().strip_prefix("- ")))
}

fn variables(function: &str) -> Names {
    let text = part(TEMPLATE, &[&format!("{function}:"), "Variables:"]);
    names(text.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name))
        .into_iter()
        .filter(|name| name.starts_with("KEYVEND_"))
        .collect()
}

/// The names in double quotes that begin so.
fn quoted(text: &str, prefix: &str) -> Names {
    names(text.split('"').filter(|name| {
        name.starts_with(prefix) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
    }))
}

#[test]
fn each_function_is_given_the_variables_it_reads() {
    let given = |function: &str| -> BTreeMap<String, String> {
        let value = |name: &str| match name {
            "KEYVEND_ACCOUNTS" => r#"{"home":"123456789012"}"#.to_owned(),
            "KEYVEND_REVEAL_URL" => "https://keys.example.com/reveal".to_owned(),
            "KEYVEND_APPROVALS_CHANNEL" => "C0APPROVE".to_owned(),
            name if name.ends_with("_QUEUE_URL") => {
                "https://sqs.eu-west-1.amazonaws.com/123456789012/q.fifo".to_owned()
            }
            name if name.ends_with("_TABLE") || name.ends_with("_ID") || name.ends_with("_NAME") => {
                if name == "KEYVEND_SLACK_APP_ID" { String::new() } else { "x".to_owned() }
            }
            _ => String::new(),
        };
        variables(function).into_iter().map(|name| (name.clone(), value(&name))).collect()
    };
    SlackConfig::read(&given("Slack")).unwrap();
    RevealConfig::read(&given("Reveal")).unwrap();
    WorkerConfig::read(&given("Worker")).unwrap();
}

#[test]
fn template_sets_every_variable_it_should() {
    // Variables for other places are left out.
    let all: Names = ["Slack", "Reveal", "Worker"].into_iter().flat_map(variables).collect();
    let elsewhere = names(["KEYVEND_BOT_TOKEN", "KEYVEND_POLICY_DIR"]);
    let read = quoted(CONFIG, "KEYVEND_");
    assert_eq!(&all | &elsewhere, read);
    assert_eq!(&all & &elsewhere, Names::new());
}

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

// T7.11
#[test]
fn bot_scopes_match_called_methods() {
    let scopes = |method: &str| match method {
        "users.info" => ["users:read", "users:read.email"].as_slice(),
        "conversations.info" | "conversations.members" => &["groups:read"],
        "usergroups.users.list" => &["usergroups:read"],
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" => &["chat:write"],
        "conversations.open" => &["im:write"],
        "views.open" | "views.update" | "views.publish" => &[],
        other => panic!("which scopes does {other} take?"),
    };
    let called = SLACK_API.split('"').filter(|name| {
        let method = name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
        method && name.contains('.') && name.starts_with(|c: char| c.is_ascii_lowercase())
    });
    let needed: Names = called.flat_map(scopes).map(|scope| (*scope).to_owned()).collect();
    let asked = items(&part(MANIFEST, &["oauth_config:", "bot:"]));
    assert_eq!(asked, &needed | &names(["commands"]));
}

// T2.6
#[test]
fn the_app_gets_the_events_that_are_handled() {
    const HANDLED: &str = include_str!("../../src/slack/receive/event.rs");
    let handled = HANDLED.lines().filter_map(|line| line.trim().strip_prefix("Some(\"")?.split_once('"'));
    let handled = names(handled.map(|(event, _)| event));
    assert_eq!(items(&part(MANIFEST, &["event_subscriptions:", "bot_events:"])), handled);
    // Joins of private channels come by groups:read, changes of user groups by usergroups:read.
    let scopes = items(&part(MANIFEST, &["oauth_config:", "bot:"]));
    assert!(scopes.is_superset(&names(["groups:read", "usergroups:read"])));
}

// T2.8
#[test]
fn an_iam_path_is_no_pattern() {
    for template in [TEMPLATE, ISSUER_ROLE] {
        let parameter = part(template, &["Parameters:", "IamPath:"]);
        // All that IAM allows in a path, but `$`, `*` and `?`.
        assert!(parameter.contains(r#"AllowedPattern: "/([!-#%-)+->@-~]+/)?""#), "{parameter}");
    }
    let allowed = |c: char| {
        [('!', '#'), ('%', ')'), ('+', '>'), ('@', '~')].iter().any(|(from, to)| (*from..=*to).contains(&c))
    };
    let refused: String = ('!'..='~').filter(|c| !allowed(*c)).collect();
    assert_eq!(refused, "$*?");
}

// T3.9
#[test]
fn link_lifetime_is_limited_to_an_hour() {
    let parameter = part(TEMPLATE, &["Parameters:", "TicketTtl:"]);
    assert!(parameter.contains("MaxValue: 3600"), "{parameter}");
}

#[test]
fn manifest_routes_match_template() {
    let routes = names(TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")));
    for path in ["/slack/commands", "/slack/interactive", "/slack/events"] {
        assert!(MANIFEST.contains(&format!("https://YOUR-API-HOST{path}\n")), "{path}");
        assert!(routes.contains(&format!("POST {path}")), "{path}");
    }
    let throttled: Names =
        ["Stage", "PageStage"].into_iter().flat_map(throttled).map(|(key, _)| key).collect();
    assert_eq!(routes, throttled, "every route has its own limit");
}

/// The routes of a stage that have a limit of their own, with its rate.
fn throttled(stage: &str) -> Vec<(String, u32)> {
    let settings = part(TEMPLATE, &[&format!("{stage}:"), "RouteSettings:"]);
    let lines = settings.lines().filter_map(|line| line.trim().split_once(": { ThrottlingRateLimit: "));
    let rate = |rest: &str| rest.split(',').next().unwrap().parse().unwrap();
    lines.map(|(route, rest)| (route.to_owned(), rate(rest))).collect()
}

/// Slack's routes and the page's are of two APIs, so that they share neither a stage's limit nor a function's executions:
/// whoever floods the page keeps nobody from **This wasn't me**.
// T6.7
#[test]
fn slack_and_the_page_share_no_limit() {
    assert_eq!(of_type("AWS::ApiGatewayV2::Api"), ["Api", "PageApi"]);
    assert_eq!(of_type("AWS::ApiGatewayV2::Stage"), ["Stage", "PageStage"]);
    for route in of_type("AWS::ApiGatewayV2::Route") {
        let own = properties(route);
        let (api, integration) = match own.contains("/slack/") {
            true => ("Api", "SlackIntegration"),
            false => ("PageApi", "RevealIntegration"),
        };
        assert!(own.contains(&format!("ApiId: !Ref {api} ")), "{route}: {own}");
        assert!(own.contains(&format!("integrations/${{{integration}}}")), "{route}: {own}");
        assert!(properties(integration).contains(&format!("ApiId: !Ref {api} ")), "{integration}");
    }
    for (stage, api, path) in [("Stage", "Api", "/slack/"), ("PageStage", "PageApi", "/reveal")] {
        assert!(says(stage, &format!("ApiId: !Ref {api}")), "{stage}");
        let routes = throttled(stage);
        assert!(routes.iter().all(|(route, _)| route.contains(path)), "{stage}: {routes:?}");
        // What all routes of a stage may take together is no less than the sum of theirs: none takes from another.
        let sum: u32 = routes.iter().map(|(_, rate)| rate).sum();
        assert!(says(
            stage,
            &format!(
                "DefaultRouteSettings: {{ ThrottlingRateLimit: {sum}, ThrottlingBurstLimit: {} }}",
                2 * sum
            )
        ));
    }
    assert!(properties("ApiMayCallSlack").contains("${Api}/*/POST/slack/*"));
    assert!(properties("ApiMayCallReveal").contains("${PageApi}/*/*/reveal*"));
    for (function, least) in [("Slack", 20), ("Reveal", 10)] {
        let reserved = format!("{function}ReservedConcurrency");
        let own = format!(
            "ReservedConcurrentExecutions: !If [{function}Reserved, !Ref {reserved}, !Ref AWS::NoValue]"
        );
        assert!(says(function, &own), "{function}");
        let parameter = flat(&part(TEMPLATE, &["Parameters:", &format!("{reserved}:")]));
        assert!(parameter.starts_with(&format!("Type: Number Default: {least} MinValue: 0 ")), "{parameter}");
    }
    // Throttles would count towards a message's six receives.
    assert!(!properties("Worker").contains("ReservedConcurrentExecutions"));
}

/// With a domain of its own, Slack's API answers nobody but who has a client certificate under the CAs that are named.
// T6.7
#[test]
fn mutual_tls_disables_default_endpoint() {
    assert!(says("Api", "DisableExecuteApiEndpoint: !If [SlackDomain, true, false]"));
    assert_eq!(of_type("AWS::ApiGatewayV2::DomainName"), ["SlackDomainOfApi"]);
    let domain = properties("SlackDomainOfApi");
    for part in [
        "Condition: SlackDomain",
        "DomainName: !Ref SlackDomainName",
        "MutualTlsAuthentication: { TruststoreUri: !Ref SlackTruststoreUri }",
    ] {
        assert!(domain.contains(part), "{part}: {domain}");
    }
    assert_eq!(of_type("AWS::ApiGatewayV2::ApiMapping"), ["SlackDomainMapping"]);
    assert!(says("SlackDomainMapping", "ApiId: !Ref Api"), "and never the page's, whose visitors have none");
}

/// The resources of one type, in the order of the template.
fn of_type(kind: &str) -> Vec<&'static str> {
    let pairs = TEMPLATE.lines().zip(TEMPLATE.lines().skip(1));
    let named = pairs.filter(|(_, second)| second.trim() == format!("Type: {kind}"));
    named.map(|(first, _)| first.trim().trim_end_matches(':')).collect()
}

/// A part of a template as one line, without its comments.
fn flat(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join(" ")
}

/// What a resource is made of, as one line.
fn properties(resource: &str) -> String {
    flat(&part(TEMPLATE, &[&format!("{resource}:")]))
}

/// Whether a resource is made of this, to the end of its last word: `BatchSize: 10` does not say `BatchSize: 1`.
fn says(resource: &str, what: &str) -> bool {
    format!("{} ", properties(resource)).contains(&format!(" {what} "))
}

/// The statements of a policy, a line each. The names in lists of attributes are skipped: another test holds those
/// against the code.
fn statements(text: &str) -> String {
    let attribute = |line: &&str| {
        let name = line.trim().strip_prefix("- ").unwrap_or("a: b");
        !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let text = flat(&text.lines().filter(attribute).collect::<Vec<_>>().join("\n"));
    let text = text.replace("- !If - ", "\nif ").replace("- !Ref AWS::NoValue", "");
    let text = text.replace(" - Effect:", "\n- Effect:").replace(" - Sid:", "\n- Sid:");
    let text = text.replace(" - PolicyName:", "\n- PolicyName:");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
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

#[test]
fn queues_are_fifo_with_own_dead_letter_queues() {
    // Each of the four has a visibility timeout of 60 s and six receives.
    let queues = of_type("AWS::SQS::Queue");
    let (dead, live): (Vec<&str>, Vec<&str>) = queues.iter().partition(|name| name.ends_with("DeadLetters"));
    assert_eq!(live, ["SlackQueue", "ClaimsQueue", "DueQueue", "SweepQueue"]);
    assert_eq!(dead, ["SlackDeadLetters", "ClaimsDeadLetters", "DueDeadLetters", "SweepDeadLetters"]);
    for (live, dead) in live.iter().zip(&dead) {
        for queue in [live, dead] {
            assert!(says(queue, "FifoQueue: true"), "{queue}");
        }
        let redrive = format!("deadLetterTargetArn: !GetAtt {dead}.Arn maxReceiveCount: 6");
        assert!(says(live, "VisibilityTimeout: 60") && says(live, &redrive), "{live}");
        // Only the rule cannot name a deduplication id; everybody else must.
        assert_eq!(says(live, "ContentBasedDeduplication: true"), *live == "SweepQueue", "{live}");
    }
}

/// SQS moves dead letters by itself and asks no queue policy: a queue that others may name as their dead-letter queue can
/// be written to by whoever owns another queue of the account.
// T7.9
#[test]
fn only_dead_letter_queues_take_dead_letters() {
    let queues = of_type("AWS::SQS::Queue");
    let source_of = |dead: &str| -> Vec<&str> {
        let names = format!("deadLetterTargetArn: !GetAtt {dead}.Arn");
        queues.iter().copied().filter(|queue| says(queue, &names)).collect()
    };
    for queue in &queues {
        let sources = source_of(queue);
        if sources.is_empty() {
            assert!(says(queue, "RedriveAllowPolicy: { redrivePermission: denyAll }"), "{queue}");
            continue;
        }
        let [source] = sources.as_slice() else { panic!("{queue} has several sources: {sources:?}") };
        let (_, name) = properties(source).split_once("QueueName: !Sub \"").map_or_else(
            || panic!("{source} has no name"),
            |(before, name)| (before.to_owned(), name.split('"').next().unwrap_or_default().to_owned()),
        );
        let arn = format!("\"arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}\"");
        let one = format!("RedriveAllowPolicy: redrivePermission: byQueue sourceQueueArns: - !Sub {arn}");
        assert!(says(queue, &one) && properties(queue).ends_with(&one), "{queue}: {one}");
    }
}

// T7.8
#[test]
fn queue_accepts_only_its_senders() {
    insta::assert_snapshot!(statements(&part(TEMPLATE, &["SlackQueuePolicy:", "Properties:"])), @r#"
    Queues: [!Ref SlackQueue] PolicyDocument: Version: "2012-10-17" Statement:
    - Sid: OnlyTheSlackFunctionSends Effect: Deny Principal: "*" Action: sqs:SendMessage Resource: !GetAtt SlackQueue.Arn Condition: ArnNotEquals: aws:PrincipalArn: !If [Redrive, [!GetAtt SlackRole.Arn, !Ref RedriveRoleArn], !GetAtt SlackRole.Arn]
    if Redrive
    - Sid: RedriveDeadLetters Effect: Allow Principal: { AWS: !Ref RedriveRoleArn } Action: sqs:SendMessage Resource: !GetAtt SlackQueue.Arn
    - Sid: OnlyByTls Effect: Deny Principal: "*" Action: sqs:* Resource: !GetAtt SlackQueue.Arn Condition: Bool: { aws:SecureTransport: "false" }
    "#);
    insta::assert_snapshot!(statements(&part(TEMPLATE, &["ClaimsQueuePolicy:", "Properties:"])), @r#"
    Queues: [!Ref ClaimsQueue] PolicyDocument: Version: "2012-10-17" Statement:
    - Sid: OnlyTheRevealFunctionSends Effect: Deny Principal: "*" Action: sqs:SendMessage Resource: !GetAtt ClaimsQueue.Arn Condition: ArnNotEquals: aws:PrincipalArn: !If [Redrive, [!GetAtt RevealRole.Arn, !Ref RedriveRoleArn], !GetAtt RevealRole.Arn]
    if Redrive
    - Sid: RedriveDeadLetters Effect: Allow Principal: { AWS: !Ref RedriveRoleArn } Action: sqs:SendMessage Resource: !GetAtt ClaimsQueue.Arn
    - Sid: OnlyByTls Effect: Deny Principal: "*" Action: sqs:* Resource: !GetAtt ClaimsQueue.Arn Condition: Bool: { aws:SecureTransport: "false" }
    "#);
    insta::assert_snapshot!(statements(&part(TEMPLATE, &["DueQueuePolicy:", "Properties:"])), @r#"
    Queues: [!Ref DueQueue] PolicyDocument: Version: "2012-10-17" Statement:
    - Sid: OnlyTheWorkerSends Effect: Deny Principal: "*" Action: sqs:SendMessage Resource: !GetAtt DueQueue.Arn Condition: ArnNotEquals: aws:PrincipalArn: !If [Redrive, [!GetAtt WorkerRole.Arn, !Ref RedriveRoleArn], !GetAtt WorkerRole.Arn]
    if Redrive
    - Sid: RedriveDeadLetters Effect: Allow Principal: { AWS: !Ref RedriveRoleArn } Action: sqs:SendMessage Resource: !GetAtt DueQueue.Arn
    - Sid: OnlyByTls Effect: Deny Principal: "*" Action: sqs:* Resource: !GetAtt DueQueue.Arn Condition: Bool: { aws:SecureTransport: "false" }
    "#);
    insta::assert_snapshot!(statements(&part(TEMPLATE, &["SweepQueuePolicy:", "Properties:"])), @r#"
    Queues: [!Ref SweepQueue] PolicyDocument: Version: "2012-10-17" Statement:
    - Sid: TheRuleSends Effect: Allow Principal: { Service: events.amazonaws.com } Action: sqs:SendMessage Resource: !GetAtt SweepQueue.Arn Condition: ArnEquals: { aws:SourceArn: !GetAtt EveryMinute.Arn }
    - Sid: OnlyTheRuleSends Effect: Deny Principal: "*" Action: sqs:SendMessage Resource: !GetAtt SweepQueue.Arn Condition: ArnNotEquals: { aws:SourceArn: !GetAtt EveryMinute.Arn }
    - Sid: OnlyByTls Effect: Deny Principal: "*" Action: sqs:* Resource: !GetAtt SweepQueue.Arn Condition: Bool: { aws:SecureTransport: "false" }
    "#);
    insta::assert_snapshot!(statements(&part(TEMPLATE, &["DeadLettersPolicy:", "Properties:"])), @r#"
    Queues: [!Ref SlackDeadLetters, !Ref ClaimsDeadLetters, !Ref DueDeadLetters, !Ref SweepDeadLetters] PolicyDocument: Version: "2012-10-17" Statement:
    - Sid: NobodySends Effect: Deny Principal: "*" Action: sqs:SendMessage Resource: "*" Condition: "Null": { aws:PrincipalArn: "false" }
    if Redrive
    - Sid: RedriveDeadLetters Effect: Allow Principal: { AWS: !Ref RedriveRoleArn } Action: - sqs:StartMessageMoveTask - sqs:ListMessageMoveTasks - sqs:CancelMessageMoveTask - sqs:ReceiveMessage - sqs:DeleteMessage - sqs:GetQueueAttributes Resource: "*"
    - Sid: OnlyByTls Effect: Deny Principal: "*" Action: sqs:* Resource: "*" Condition: Bool: { aws:SecureTransport: "false" }
    "#);
}

#[test]
fn worker_takes_single_messages_with_bounded_concurrency() {
    let mappings = of_type("AWS::Lambda::EventSourceMapping");
    assert_eq!(mappings, ["FromSlackQueue", "FromClaimsQueue", "FromDueQueue", "FromSweepQueue"]);
    for mapping in mappings {
        let queue = mapping.trim_start_matches("From");
        for part in [
            &format!("EventSourceArn: !GetAtt {queue}.Arn"),
            "FunctionName: !Ref Worker",
            "BatchSize: 1",
            "FunctionResponseTypes: [ReportBatchItemFailures]",
            "ScalingConfig: { MaximumConcurrency:",
        ] {
            assert!(says(mapping, part), "{mapping} has no {part}");
        }
        assert!(!properties(mapping).contains("MaximumBatchingWindow"), "{mapping} waits");
    }
    // Half of the visibility: a message is not seen again while its invocation may still run.
    assert!(says("Worker", "Timeout: 30"));
}

// T7.5
#[test]
fn scheduler_has_its_own_queue() {
    // The rule sends its whole event, once a minute.
    assert_eq!(of_type("AWS::Events::Rule"), ["EveryMinute"]);
    insta::assert_snapshot!(properties("EveryMinute"), @"Type: AWS::Events::Rule Properties: ScheduleExpression: rate(1 minute) Targets: - Id: sweep Arn: !GetAtt SweepQueue.Arn SqsParameters: { MessageGroupId: sweep }");
}

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

/// A message move task does what its caller may do: the role needs a right at both ends, and has them only while it is named.
// T7.13
#[test]
fn only_named_redrive_role_returns_dead_letters() {
    let allowed = "if Redrive\n- Sid: RedriveDeadLetters Effect: Allow Principal: { AWS: !Ref RedriveRoleArn } Action: ";
    for queue in ["Slack", "Claims", "Due"] {
        let policy = statements(&part(TEMPLATE, &[&format!("{queue}QueuePolicy:"), "Properties:"]));
        assert!(
            policy.contains(&format!("{allowed}sqs:SendMessage Resource: !GetAtt {queue}Queue.Arn")),
            "{policy}"
        );
        assert!(policy.contains(", !Ref RedriveRoleArn], !GetAtt "), "its own denial excepts it: {policy}");
    }
    let dead = statements(&part(TEMPLATE, &["DeadLettersPolicy:", "Properties:"]));
    for action in ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
        assert!(dead.contains(allowed) && dead.contains(&format!("- sqs:{action} ")), "{action}: {dead}");
    }
    // Nobody returns a sweep: the next one comes within a minute.
    assert!(!properties("SweepQueuePolicy").contains("RedriveRoleArn"));
    let parameter = flat(&part(TEMPLATE, &["Parameters:", "RedriveRoleArn:"]));
    assert!(parameter.starts_with(r#"Type: String Default: "" "#), "{parameter}");
}

#[test]
fn functions_share_package_and_worker_gets_policy_layer() {
    assert_eq!(of_type("AWS::Serverless::Function"), ["Slack", "Reveal", "Worker"]);
    for (function, binary) in [("Slack", "slack"), ("Reveal", "reveal"), ("Worker", "worker")] {
        let own = properties(function);
        let build = format!("BuildMethod: rust-cargolambda BuildProperties: Binary: {binary} ");
        assert!(own.contains(&build) && own.contains("CodeUri: . "), "{function}: {own}");
        assert_eq!(own.contains("Layers: [!Ref PolicyFiles]"), function == "Worker", "{function}");
    }
    assert!(properties("PolicyFiles").contains("ContentUri: policies/"));
    // The layer is unpacked where the worker looks when it is told nothing.
    assert!(!variables("Worker").contains("KEYVEND_POLICY_DIR"));
}

#[test]
fn access_log_never_contains_request_path() {
    // It names the route.
    assert!(says("Api", "ProtocolType: HTTP") && says("PageApi", "ProtocolType: HTTP"));
    for integration in of_type("AWS::ApiGatewayV2::Integration") {
        assert!(properties(integration).contains(r#"PayloadFormatVersion: "2.0""#), "{integration}");
    }
    let harmless =
        ["requestId", "requestTime", "routeKey", "status", "responseLatency", "integrationLatency"];
    for stage in of_type("AWS::ApiGatewayV2::Stage") {
        let log = flat(&part(TEMPLATE, &[&format!("{stage}:"), "AccessLogSettings:"]));
        let logged = names(log.split("$context.").skip(1).map(|rest| rest.split('"').next().unwrap()));
        assert_eq!(logged, names(harmless), "{stage}");
    }
}

#[test]
fn secrets_are_made_empty_and_are_no_parameters() {
    assert_eq!(of_type("AWS::SecretsManager::Secret"), ["SigningSecret", "BotToken"]);
    for value in ["SecretString", "GenerateSecretString", "NoEcho"] {
        assert!(!TEMPLATE.contains(value), "{value}");
    }
}

#[test]
fn dead_letters_and_errors_raise_alarms() {
    for queue in ["Slack", "Claims", "Due", "Sweep"] {
        let alarm = properties(&format!("{queue}DeadLettersAlarm"));
        let watches =
            format!("Dimensions: [{{ Name: QueueName, Value: !GetAtt {queue}DeadLetters.QueueName }}]");
        let at_once = "Period: 60 EvaluationPeriods: 1 Threshold: 0 ComparisonOperator: GreaterThanThreshold";
        assert!(alarm.contains(&watches) && alarm.contains(at_once), "{alarm}");
        assert!(alarm.contains("MetricName: ApproximateNumberOfMessagesVisible"), "{alarm}");
    }
    let silence = properties("NoSweepAlarm");
    for part in [
        "MetricName: NumberOfMessagesSent Dimensions: [{ Name: QueueName, Value: !GetAtt SweepQueue.QueueName }]",
        "Threshold: 1 ComparisonOperator: LessThanThreshold TreatMissingData: breaching",
    ] {
        assert!(silence.contains(part), "{silence}");
    }
    // What is logged as an error, an invalid policy set too, is counted and told.
    let counted = properties("WorkerLoggedErrors");
    assert!(counted.contains("LogGroupName: !Ref WorkerLogs"), "{counted}");
    assert!(counted.contains(r#"FilterPattern: '{ $.level = "ERROR" }'"#), "{counted}");
    assert!(properties("WorkerLoggedErrorsAlarm").contains("MetricName: WorkerLoggedErrors"));
    const OPERATIONS: &str = include_str!("../../docs/operations.md");
    // What fails for hours has alarms of its own, by the very phrases that are logged.
    for (filter, phrases) in [
        ("AuditOutbox", &["audit entry not inserted, left in outbox"][..]),
        ("TimersBackingOff", &["timer failed, backing off", "notification failed, backing off"]),
    ] {
        let counted = properties(filter);
        let pattern =
            phrases.iter().map(|phrase| format!(r#"$.fields.message = "{phrase}""#)).collect::<Vec<_>>();
        let pattern = format!("FilterPattern: '{{ {} }}'", pattern.join(" || "));
        assert!(counted.contains(&pattern) && counted.contains("LogGroupName: !Ref WorkerLogs"), "{counted}");
        let alarm = properties(&format!("{filter}Alarm"));
        assert!(
            alarm.contains(&format!("MetricName: {filter}")) && alarm.contains("AlarmTopicArn"),
            "{alarm}"
        );
        for phrase in phrases {
            assert!(OPERATIONS.contains(&format!("| `{phrase}` |")), "{phrase}");
        }
    }
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

/// Outside of its tests, no source file assumes the commercial partition.
#[test]
fn sources_hardcode_no_arn_partition() {
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                files(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    files(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            assert!(!line.contains("arn:aws"), "{}: {line}", file.display());
        }
    }
}

/// Nothing that is deployed names the commercial partition or its hosts; the principals of services are the same everywhere.
#[test]
fn templates_hardcode_no_partition_and_no_host() {
    let scps = [OWNER_TAGS_SCP, include_str!("../../deploy/scp/owner-tags.json")];
    for text in [TEMPLATE, ISSUER_ROLE, MANIFEST].into_iter().chain(scps) {
        for line in text.lines() {
            assert!(!line.contains("arn:aws"), "{line}");
            let is_principal = line.contains("Service: ") || line.trim_start().starts_with("Principal: ");
            assert!(is_principal || !line.contains("amazonaws.com"), "{line}");
        }
    }
}
