"""What ministack 1.5.33 cannot do, and the edit of the built template that gets round it.

Each edit fails where it finds nothing to edit, so none outlives what it is for. Not edited, and so not shown by the walk:
EventBridge delivers without asking the queue's policy, `dynamodb:Attributes` is not looked for in an UpdateItem, there is no
`dynamodb:ReturnValues`, a table's resource policy is kept and never asked, a queue that refuses dead letters gets them all the
same, and there are no message move tasks.
"""

import json

STAND_IN_FOR = {"SlackQueuePolicy": "Slack", "ClaimsQueuePolicy": "Reveal", "DueQueuePolicy": "Worker"}
READER_OF = {"SigningSecret": "Slack", "BotToken": "Worker"}


def bridge(resources, environment):
    """Edits the resources of the built template in place; the worker gets `environment` on top. Returns the policies of the
    secrets, for `put_secret_policies`.
    """
    _plain_http(resources)
    _principals_are_sessions(resources)
    _no_source_identity(resources)
    _partiql_is_one_action(resources)
    _batches_are_actions(resources)
    _mail_is_of_no_identity(resources)
    _secret_refs_are_names(resources)
    _layers_are_not_mounted(resources, environment)
    return _secret_policies_are_no_resources(resources)


def _statements(resource):
    properties = resource["Properties"]
    if "PolicyDocument" in properties:
        yield from properties["PolicyDocument"]["Statement"]
    for policy in properties.get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]


def _plain_http(resources):
    """It is spoken to over http, so the statements that demand TLS would refuse everything. On AWS they refuse only http
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport).
    """
    for name in [*STAND_IN_FOR, "SweepQueuePolicy", "DeadLettersPolicy"]:
        statements = resources[name]["Properties"]["PolicyDocument"]["Statement"]
        kept = [statement for statement in statements if statement.get("Sid") != "OnlyByTls"]
        assert len(kept) == len(statements) - 1, name
        resources[name]["Properties"]["PolicyDocument"]["Statement"] = kept


def _principals_are_sessions(resources):
    """aws:PrincipalArn is the session's ARN there; on AWS it is the ARN of the session's role
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn).
    """
    for name, function in STAND_IN_FOR.items():
        (denial,) = [s for s in _statements(resources[name]) if s.get("Effect") == "Deny"]
        conditions = denial["Condition"]
        assert conditions.keys() == {"ArnNotEquals"}, name
        principals = conditions.pop("ArnNotEquals")
        assert principals.keys() == {"aws:PrincipalArn"}, name
        role = {"Fn::GetAtt": [f"{function}Role", "Arn"]}
        session = {"Fn::Sub": "arn:aws:sts::${AWS::AccountId}:assumed-role/${" + f"{function}Role" + "}/*"}
        redrive = {"Ref": "RedriveRoleArn"}
        assert principals["aws:PrincipalArn"] == {"Fn::If": ["Redrive", [role, redrive], role]}, name
        # arn:aws:iam::<account>:role/<name> to arn:aws:sts::<account>:assumed-role/<name>/*
        named = {"Fn::Select": ["1", {"Fn::Split": [":role/", redrive]}]}
        theirs = {"Fn::Sub": ["arn:aws:sts::${AWS::AccountId}:assumed-role/${Role}/*", {"Role": named}]}
        conditions["ArnNotLike"] = {"aws:PrincipalArn": {"Fn::If": ["Redrive", [session, theirs], session]}}


def _no_source_identity(resources):
    """A trust policy never sees sts:SourceIdentity. On AWS it does, when the session is asked for with one
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html).
    """
    (statement,) = resources["IssuerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement.pop("Condition") == {"Null": {"sts:SourceIdentity": "false"}}


def _partiql_is_one_action(resources):
    """PartiQL is dynamodb:ExecuteStatement on everything there; on AWS an action for each kind of statement, on its table
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html).
    """
    found = [s for s in _statements(resources["WorkerRole"]) if s.get("Action") == "dynamodb:PartiQLInsert"]
    assert len(found) == 1
    found[0] |= {"Action": "dynamodb:ExecuteStatement", "Resource": "*"}


def _batches_are_actions(resources):
    """sqs:SendMessageBatch is an action of its own there; on AWS sqs:SendMessage is the permission for both
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api.html).
    """
    found = [s for s in _statements(resources["WorkerRole"]) if s.get("Action") == "sqs:SendMessage"]
    assert len(found) == 1
    found[0]["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]


def _mail_is_of_no_identity(resources):
    """ses:SendEmail is on `*` there and knows no ses:FromAddress; on AWS it is on the sender's identity and does
    (https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html).
    """
    found = [s["Fn::If"][1] for s in _statements(resources["WorkerRole"]) if s.get("Fn::If", [""])[0] == "Mail"]
    assert [s["Action"] for s in found] == ["ses:SendEmail"]
    assert found[0].pop("Condition") == {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}}
    found[0]["Resource"] = "*"


def _secret_refs_are_names(resources):
    """Ref of a secret is its name there; on AWS it is its ARN
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html).
    """
    for role, secret in (("SlackRole", "SigningSecret"), ("WorkerRole", "BotToken")):
        found = [s for s in _statements(resources[role]) if s.get("Action") == "secretsmanager:GetSecretValue"]
        assert [s["Resource"] for s in found] == [{"Ref": secret}], role
        found[0]["Resource"] = {"Fn::GetAtt": [secret, "Id"]}


def _layers_are_not_mounted(resources, environment):
    """`provided.*` functions start without their layers, so the policies are read where the repository has them. On AWS a
    layer is unpacked into /opt (https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html).
    """
    worker = resources["Worker"]["Properties"]
    assert worker.pop("Layers") == [{"Ref": "PolicyFiles"}]
    assert not environment.keys() & worker["Environment"]["Variables"].keys()
    worker["Environment"]["Variables"] |= environment


def _secret_policies_are_no_resources(resources):
    """CloudFormation there knows no AWS::SecretsManager::ResourcePolicy
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-resourcepolicy.html), while
    Secrets Manager does keep to a policy that it is given.
    """
    policies = {}
    for secret, function in READER_OF.items():
        properties = resources.pop(f"{secret}Policy")["Properties"]
        assert properties["SecretId"] == {"Ref": secret}
        (denial,) = properties["ResourcePolicy"]["Statement"]
        assert denial["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": [f"{function}Role", "Arn"]}}}
        policies[secret] = properties["ResourcePolicy"]
    return policies


def put_secret_policies(emulator, stack, policies):
    """Puts them, with a session's ARN for its role's as in `_principals_are_sessions`."""
    for secret, policy in policies.items():
        session = f"arn:aws:sts::123456789012:assumed-role/{stack.resource(READER_OF[secret] + 'Role')}/*"
        (denial,) = policy["Statement"]
        put = denial | {"Condition": {"ArnNotLike": {"aws:PrincipalArn": session}}}
        emulator.client("secretsmanager").put_resource_policy(
            SecretId=stack.resource(secret), ResourcePolicy=json.dumps(policy | {"Statement": [put]})
        )
