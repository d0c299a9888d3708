"""What an operator does beside keyvend: dead letters are sent back, and secrets are stored but not read.

ministack has no message move tasks. A task does three things with the rights of the role that starts it
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html):
it receives from the dead-letter queue, sends to the queue that the message came from, and deletes. The role does them here.
"""

import json
import time

from emulator import ACCOUNT
from thief import Thief, refused

PAIRS = {"SlackQueue": "SlackDeadLetters", "ClaimsQueue": "ClaimsDeadLetters", "DueQueue": "DueDeadLetters"}
# What no worker can read is dropped: it changes nothing.
NOTHING = "no message of keyvend's"


def _role(emulator, name, rights):
    iam = emulator.client("iam")
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if rights:
        may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": rights, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(may))
    return arn


def redrive(emulator, stack, parameters):
    """`parameters` are those of the stack as it is deployed."""
    # An administrator has every right that a role can give, the redrive role none but those of the queues' policies.
    admin = Thief(emulator, _role(emulator, "an-admin", "*"))
    arn = _role(emulator, "redrive-keyvend", None)
    redriver = Thief(emulator, arn)

    def send(who, queue):
        return lambda: who.client("sqs").send_message(
            QueueUrl=stack.resource(queue), MessageBody=NOTHING, MessageGroupId="redrive",
            MessageDeduplicationId=str(time.time_ns()),
        )

    def receive(who, queue):
        url = stack.resource(queue)
        return lambda: who.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])

    for queue, dead in PAIRS.items():
        refused(f"an administrator sends to {queue}", send(admin, queue))
        refused(f"a role that is not named sends to {queue}", send(redriver, queue))
        refused(f"a role that is not named receives from {dead}", receive(redriver, dead))

    stack.deploy(**parameters, RedriveRoleArn=arn)
    for queue, dead in PAIRS.items():
        assert receive(redriver, dead)() == [], dead
        send(redriver, queue)()
        refused(f"the redrive role sends to {dead}", send(redriver, dead))
        refused(f"an administrator sends to {queue} beside the redrive role", send(admin, queue))
    refused("the redrive role sends to SweepQueue", send(redriver, "SweepQueue"))

    stack.deploy(**parameters)
    for queue in PAIRS:
        refused(f"a role that is no longer named sends to {queue}", send(redriver, queue))

    vault = admin.client("secretsmanager")
    for name in ("SigningSecret", "BotToken"):
        secret = stack.resource(name)
        refused(f"an administrator reads {name}", lambda secret=secret: vault.get_secret_value(SecretId=secret))
        vault.put_secret_value(SecretId=secret, SecretString="stored by an administrator")
