"""What each function is given: its environment, an event as Lambda passes it on, and what a right answer has in it."""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BOT_TOKEN = "xoxb-not-a-token"
USER, CHANNEL = "U0ALICE", "C0APPROVE"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-"
PAGE = "https://keys.example.com"
# P-256's base point is as good a public key as any.
POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
PROOF = bytes(range(32))


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def environment(aws, trusted, policies):
    """One environment for all: each function reads its own part. `aws` is where all services are, unless they have their names."""
    of_aws, of_slack = trusted
    one_place = {"AWS_ENDPOINT_URL": aws, "KEYVEND_SLACK_API_URL": aws + "/api/"} if aws else {}
    return {
        **one_place,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjE" * 40,
        "AWS_CA_BUNDLE": str(of_aws),
        "SSL_CERT_FILE": str(of_slack),
        "KEYVEND_SLACK_QUEUE_URL": QUEUE + "slack.fifo",
        "KEYVEND_CLAIMS_QUEUE_URL": QUEUE + "claims.fifo",
        "KEYVEND_DUE_QUEUE_URL": QUEUE + "due.fifo",
        "KEYVEND_SWEEP_QUEUE_URL": QUEUE + "sweep.fifo",
        "KEYVEND_REQUESTS_TABLE": "keyvend-requests",
        "KEYVEND_TICKETS_TABLE": "keyvend-tickets",
        "KEYVEND_AUDIT_TABLE": "keyvend-audit",
        "KEYVEND_SIGNING_SECRET_ID": "keyvend/signing-secret",
        "KEYVEND_BOT_TOKEN_ID": "keyvend/bot-token",
        "KEYVEND_SLACK_APP_ID": "A0001",
        "KEYVEND_SLACK_TEAM_IDS": "T0001",
        "KEYVEND_APPROVALS_CHANNEL": CHANNEL,
        "KEYVEND_REVEAL_URL": PAGE + "/reveal",
        "KEYVEND_ISSUER_ROLE_NAME": "keyvend-issuer",
        "KEYVEND_ACCOUNTS": '{"home":"123456789012"}',
        "KEYVEND_POLICY_DIR": str(policies),
    }


def gateway(method, path, headers, body):
    """An HTTP API's event, payload version 2.0."""
    event = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip,deflate",
            "host": "keys.example.com",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "x-amzn-trace-id": "Root=1-69248278-5b7c1d0e2f3a4b5c6d7e8f90",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **headers,
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "r3pmxmplak",
            "domainName": "keys.example.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": bool(body),
    }
    if body:
        event["body"] = base64.b64encode(body).decode()
    return json.dumps(event).encode()


def slash_command(text, aws):
    """A slash command as Slack signs it."""
    body = urlencode({
        "token": "legacy", "team_id": "T0001", "team_domain": "example", "channel_id": "C0GENERAL",
        "channel_name": "general", "user_id": USER, "user_name": "alice", "command": "/access-key",
        "text": text, "api_app_id": "A0001", "is_enterprise_install": "false",
        "response_url": aws + "/response", "trigger_id": "1.2.3abc",
    }).encode()
    stamp = str(int(time.time()))
    mac = hmac.new(SIGNING_SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": "v0=" + mac.hexdigest(),
    }
    return gateway("POST", "/slack/commands", headers, body)


def page():
    return gateway("GET", "/reveal", {"accept": "text/html"}, b"")


def claim():
    """A tab's claim of the ticket that table `Tickets` holds."""
    body = {"tid": base64url(bytes(16)), "proof": base64url(PROOF), "cid": base64url(bytes(16)), "pub": base64url(POINT)}
    headers = {"content-type": "application/json", "origin": PAGE, "sec-fetch-site": "same-origin"}
    return gateway("POST", "/reveal/claim", headers, json.dumps(body).encode())


def item(key):
    """What the tables hold, in DynamoDB's JSON: that ticket, not yet claimed, and a person's directory of one user."""
    now = int(time.time())
    match key:
        case {"tid": _}:
            proof = base64.b64encode(hashlib.sha256(PROOF).digest()).decode()
            return {
                "tid": {"S": base64url(bytes(16))},
                "proof_sha256": {"B": proof},
                "expires_at": {"N": str(now + 900)},
                "tries": {"N": "0"},
                "state": {"S": "PENDING"},
                "outbox": {"L": []},
            }
        case {"pk": {"S": "directory"}}:
            return {"begun": {"N": str(now - 61)}, "completed": {"N": str(now - 60)}}
        case _:
            return {"owned": {"M": {"123456789012/ci-deployer": {"N": str(now)}}}, "version": {"N": "1"}}


def queued(body):
    """What an event source mapping makes of one message on queue `slack`."""
    record = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(int(time.time() * 1000)),
            "SequenceNumber": "18850274137541871616",
            "MessageGroupId": "T0001.U0ALICE",
            "SenderId": "AROAXMPLROLEID:keyvend-slack",
            "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:keyvend-slack.fifo",
        "awsRegion": "eu-west-1",
    }
    return json.dumps({"Records": [record]}).encode()
