"""What somebody could do who had stolen a function's role: each refusal is looked for, beside something that is allowed."""

import time

from botocore.exceptions import ClientError


def trust_the_harness(resources):
    """Lets the account's root assume the functions' roles, so that a thief can be played."""
    for role in ("SlackRole", "RevealRole", "WorkerRole"):
        trust = resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        root = {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}
        trust.append({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"})


class Thief:
    def __init__(self, emulator, arn, by=None):
        sts = by.client("sts") if by else emulator.client("sts")
        session = sts.assume_role(RoleArn=arn, RoleSessionName="thief")["Credentials"]
        self._emulator = emulator
        self._key = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    def client(self, service):
        return self._emulator.client(service, self._key)


def refused(what, call):
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDenied", "AccessDeniedException"), f"{what}: {code}"
        return
    raise AssertionError(f"{what}: allowed")


def rob(emulator, stack, user, stranger):
    """Tries everything. `user` carries the owner tag, `stranger` does not."""

    def arn(role):
        return emulator.client("iam").get_role(RoleName=stack.resource(role))["Role"]["Arn"]

    slack, reveal, worker = (Thief(emulator, arn(role)) for role in ("SlackRole", "RevealRole", "WorkerRole"))
    issuer = Thief(emulator, arn("IssuerRole"), by=worker)
    requests, tickets, audit = (stack.resource(table) for table in ("Requests", "Tickets", "Audit"))
    queues = {name: stack.resource(name) for name in ("SlackQueue", "ClaimsQueue", "DueQueue", "SweepQueue")}

    def send(thief, queue):
        return lambda: thief.client("sqs").send_message(
            QueueUrl=queues[queue], MessageBody="{}", MessageGroupId="thief", MessageDeduplicationId=str(time.time_ns())
        )

    def read_secret(thief, secret):
        return lambda: thief.client("secretsmanager").get_secret_value(SecretId=stack.resource(secret))

    # slack: its own secret and queue, and nothing else.
    read_secret(slack, "SigningSecret")()
    refused("slack reads the bot token", read_secret(slack, "BotToken"))
    for queue in ("ClaimsQueue", "DueQueue", "SweepQueue"):
        refused(f"slack sends to {queue}", send(slack, queue))
    dynamo = slack.client("dynamodb")
    for table, key in (("Requests", "pk"), ("Tickets", "tid"), ("Audit", "pk")):
        name, item = stack.resource(table), {key: {"S": "x"}}
        refused(f"slack looks through {table}", lambda name=name: dynamo.scan(TableName=name))
        refused(f"slack reads {table}", lambda name=name, item=item: dynamo.get_item(TableName=name, Key=item))
        refused(f"slack writes {table}", lambda name=name, item=item: dynamo.put_item(TableName=name, Item=item))
        refused(f"slack changes {table}", lambda name=name, item=item: dynamo.update_item(TableName=name, Key=item))

    # reveal: of the tables, some attributes of one ticket at a time.
    dynamo = reveal.client("dynamodb")
    key = {"tid": {"S": "none"}}
    dynamo.get_item(TableName=tickets, Key=key, ProjectionExpression="tid, tries")
    refused("reveal reads whole tickets", lambda: dynamo.get_item(TableName=tickets, Key=key))
    more = {"Key": key, "ProjectionExpression": "tid, keep_until"}
    refused("reveal reads keep_until", lambda: dynamo.get_item(TableName=tickets, **more))
    # AWS has no condition key for what a failed condition returns. docs/threat-model.md says what that gives away.
    failing = {
        "Key": key,
        "UpdateExpression": "SET tries = :none",
        "ConditionExpression": "attribute_exists(tid)",
        "ExpressionAttributeValues": {":none": {"N": "0"}},
    }
    try:
        dynamo.update_item(TableName=tickets, ReturnValuesOnConditionCheckFailure="ALL_OLD", **failing)
        raise AssertionError("a ticket that is not there was updated")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ConditionalCheckFailedException", error
    refused("reveal looks for tickets", lambda: dynamo.scan(TableName=tickets))
    refused("reveal deletes tickets", lambda: dynamo.delete_item(TableName=tickets, Key=key))
    refused("reveal makes tickets", lambda: dynamo.put_item(TableName=tickets, Item=key))
    request = {"pk": {"S": "x"}}
    refused("reveal reads requests", lambda: dynamo.get_item(TableName=requests, Key=request, ProjectionExpression="pk"))
    refused("reveal makes requests", lambda: dynamo.put_item(TableName=requests, Item=request))
    refused("reveal changes requests", lambda: dynamo.update_item(TableName=requests, Key=request))
    for secret in ("SigningSecret", "BotToken"):
        refused(f"reveal reads {secret}", read_secret(reveal, secret))
    for queue in ("SlackQueue", "DueQueue", "SweepQueue"):
        refused(f"reveal sends to {queue}", send(reveal, queue))

    # Neither reads what was queued, writes history, mails a code, or gets to IAM.
    insert = {"Statement": f"INSERT INTO \"{audit}\" VALUE {{'pk': 'x', 'sk': 1}}"}
    mail = {
        "Source": "keyvend@example.com",
        "Destination": {"ToAddresses": ["alice_owner@example.com"]},
        "Message": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}},
    }
    for name, thief in (("slack", slack), ("reveal", reveal)):
        for queue, url in queues.items():
            refused(f"{name} reads {queue}", lambda thief=thief, url=url: thief.client("sqs").receive_message(QueueUrl=url))
        refused(f"{name} writes audit entries", lambda thief=thief: thief.client("dynamodb").execute_statement(**insert))
        refused(f"{name} mails", lambda thief=thief: thief.client("ses").send_email(**mail))
        refused(f"{name} makes a key", lambda thief=thief: thief.client("iam").create_access_key(UserName=user))
        refused(f"{name} assumes the issuer role", lambda thief=thief: Thief(emulator, arn("IssuerRole"), by=thief))
        invoke = {"FunctionName": stack.resource("Worker")}
        refused(f"{name} invokes the worker", lambda thief=thief: thief.client("lambda").invoke(**invoke))

    # worker: it decides, but writes no history anew and speaks for nobody else.
    dynamo = worker.client("dynamodb")
    entry = {"pk": {"S": "x"}, "sk": {"N": "1"}}
    dynamo.get_item(TableName=requests, Key={"pk": {"S": "x"}})
    refused("worker replaces audit entries", lambda: dynamo.put_item(TableName=audit, Item=entry))
    refused("worker deletes audit entries", lambda: dynamo.delete_item(TableName=audit, Key=entry))
    refused("worker reads audit entries", lambda: dynamo.get_item(TableName=audit, Key=entry))
    refused("worker deletes requests", lambda: dynamo.delete_item(TableName=requests, Key={"pk": {"S": "x"}}))
    refused("worker scans requests", lambda: dynamo.scan(TableName=requests))
    refused("worker reads the signing secret", read_secret(worker, "SigningSecret"))
    for queue in ("SlackQueue", "ClaimsQueue", "SweepQueue"):
        refused(f"worker sends to {queue}", send(worker, queue))
    refused("worker makes a key by itself", lambda: worker.client("iam").create_access_key(UserName=user))

    # issuer: keys of users that carry the owner tag.
    iam = issuer.client("iam")
    made = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    iam.delete_access_key(UserName=user, AccessKeyId=made)
    refused("issuer makes a key of an untagged user", lambda: iam.create_access_key(UserName=stranger))
    for tag in ("keyvend:owners", "team"):
        tags = [{"Key": tag, "Value": "U0MALLORY"}]
        refused(f"issuer sets {tag}", lambda tags=tags: iam.tag_user(UserName=user, Tags=tags))
        refused(f"issuer sets {tag} of an untagged user", lambda tags=tags: iam.tag_user(UserName=stranger, Tags=tags))
        refused(f"issuer removes {tag}", lambda tag=tag: iam.untag_user(UserName=user, TagKeys=[tag]))
    refused("issuer removes tags of an untagged user", lambda: iam.untag_user(UserName=stranger, TagKeys=[made]))
    iam.tag_user(UserName=user, Tags=[{"Key": made, "Value": "a key that is gone"}])
    iam.untag_user(UserName=user, TagKeys=[made])
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    refused("issuer attaches a policy", lambda: iam.attach_user_policy(UserName=user, PolicyArn=admin))
    refused("issuer makes a user", lambda: iam.create_user(UserName="mallory"))
