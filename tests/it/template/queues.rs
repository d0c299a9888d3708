//! The queues and their alarms: who may send, what becomes of dead letters, and how the worker takes messages.

use crate::template::{TEMPLATE, flat, of_type, part, properties, says, statements};

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
/// be written to by the owner of another queue of the account.
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
    const OPERATIONS: &str = include_str!("../../../docs/operations.md");
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
