"""Writes events/*.json: one event a function and kind, as the gateway and SQS send them, signed with the test world's secret.

Run it from the repository's root after changing what it says, then `cargo test --test events`, which says what comes of them.
"""

import base64
import datetime
import hashlib
import hmac
import json
import urllib.parse

SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
START = 1_764_000_000
HOST = "keys.example.com"
ACCOUNT = "123456789012"
FORM = "application/x-www-form-urlencoded"
# The request that the command makes, and where its card is. The button's value ends in the revision that the request has with
# the salt that tests/events.rs gives it.
REQUEST = "9RYC71A7DR365X5S"
APPROVE = f"{REQUEST}.W5A27H40HKGXWBMD"
CARD = "1764000000.000003"
# ticket_3 of tests/vectors/ticket.json.
TID = "BSTC2Bo9x_uu2YktyiEMaA"
PROOF = "tPu-cT11dRaEGbnkZBx1AbAE2HF95cDRIT-OUDy9Y60"
# P-256's base point: any point of the curve will do.
POINT = (
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def gateway(method, path, headers, body, at, source):
    route = f"{method} {path}"
    event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "r3pmxmplak",
            "domainName": HOST,
            "domainPrefix": "keys",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source,
                "userAgent": headers["user-agent"],
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
            "time": datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": at * 1000 + 123,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        # The gateway hands text and JSON through, and encodes everything else.
        event["isBase64Encoded"] = headers["content-type"] == FORM
        event["body"] = base64.b64encode(body.encode()).decode() if event["isBase64Encoded"] else body
    return event


def sign(at, body):
    return "v0=" + hmac.new(SECRET, f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()


def slack(path, content_type, body, at):
    headers = {
        "accept": "application/json,*/*",
        "accept-encoding": "gzip,deflate",
        "content-length": str(len(body.encode())),
        "content-type": content_type,
        "host": HOST,
        "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "x-amzn-trace-id": "Root=1-69248200-1e8d2b6f0c5a4b3d2e1f0a9b",
        "x-forwarded-for": "198.51.100.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        "x-slack-request-timestamp": str(at),
        "x-slack-signature": sign(at, body),
    }
    return gateway("POST", path, headers, body, at, "198.51.100.7")


def browser(method, path, body=None):
    headers = {
        "accept": "*/*" if body else "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "accept-encoding": "gzip, deflate, br, zstd",
        "accept-language": "en-US,en;q=0.5",
        "host": HOST,
        "sec-fetch-dest": "empty" if body else "document",
        "sec-fetch-mode": "cors" if body else "navigate",
        "sec-fetch-site": "same-origin" if body else "cross-site",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "x-amzn-trace-id": "Root=1-69248278-5b7c1d0e2f3a4b5c6d7e8f90",
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    if body is None:
        return gateway(method, path, headers, None, START + 120, "203.0.113.9")
    text = json.dumps(body, separators=(",", ":"))
    headers |= {
        "content-length": str(len(text)),
        "content-type": "application/json",
        "origin": f"https://{HOST}",
    }
    return gateway(method, path, headers, text, START + 120, "203.0.113.9")


def queued(queue, group, deduplication, body, role):
    text = json.dumps(body, separators=(",", ":"))
    return {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": text,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "AWSTraceHeader": "Root=1-69248200-1e8d2b6f0c5a4b3d2e1f0a9b",
                    "SentTimestamp": str(START * 1000 + 210),
                    "SequenceNumber": "18850274137541871616",
                    "MessageGroupId": group,
                    "SenderId": f"AROAXMPLROLEID:{role}",
                    "MessageDeduplicationId": deduplication,
                    "ApproximateFirstReceiveTimestamp": str(START * 1000 + 240),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(text.encode()).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{queue}",
                "awsRegion": "eu-west-1",
            }
        ]
    }


def command():
    return urllib.parse.urlencode(
        {
            "token": "gIkuvaNzQIHg97ATvDxqgjtO",
            "team_id": "T0001",
            "team_domain": "example",
            "channel_id": "C0GENERAL",
            "channel_name": "general",
            "user_id": "U0ALICE",
            "user_name": "alice_owner",
            "command": "/access-key",
            "text": "create ci-deployer use:local-code ttl:30d laptop tooling",
            "api_app_id": "A0KEYVEND",
            "is_enterprise_install": "false",
            "response_url": "https://hooks.slack.com/commands/T0001/9876543210123/4Zl1tPbTfPAkTnJBGrPgYVJc",
            "trigger_id": "9876543210123.1234567890.0123456789abcdef0123456789abcdef",
        }
    )


def press():
    button = {
        "type": "button",
        "action_id": "approve",
        "value": APPROVE,
        "style": "primary",
        "text": {"type": "plain_text", "text": "Approve", "emoji": True},
    }
    who = {"id": "U0BOB", "username": "bob_approver", "name": "bob_approver", "team_id": "T0001"}
    payload = {
        "type": "block_actions",
        "user": who,
        "api_app_id": "A0KEYVEND",
        "token": "gIkuvaNzQIHg97ATvDxqgjtO",
        "container": {"type": "message", "message_ts": CARD, "channel_id": "C0APPROVE", "is_ephemeral": False},
        "trigger_id": "9876543210456.1234567890.fedcba9876543210fedcba9876543210",
        "team": {"id": "T0001", "domain": "example"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": "C0APPROVE", "name": "privategroup"},
        "message": {
            "user": "U0KEYVEND",
            "type": "message",
            "ts": CARD,
            "bot_id": "B0KEYVEND",
            "app_id": "A0KEYVEND",
            "text": "<!channel> <@U0ALICE> requests an access key for `ci-deployer` in `home`: laptop tooling",
            "team": "T0001",
            "blocks": [{"type": "actions", "block_id": "decide", "elements": [button]}],
        },
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/T0001/9876543210456/u4Vd2kq5S0mE8yR1xC7bN3aZ",
        "actions": [button | {"block_id": "decide", "action_ts": f"{START + 30}.112233"}],
    }
    return urllib.parse.urlencode({"payload": json.dumps(payload, separators=(",", ":"))})


def main():
    typed = command()
    deduplication = hashlib.sha256(sign(START, typed).encode()).hexdigest()
    message = {
        "id": REQUEST,
        "dedup": deduplication,
        "signed_at": START,
        "person": "T0001.U0ALICE",
        "channel": "C0GENERAL",
        "command": "/access-key",
        "response_url": "https://hooks.slack.com/commands/T0001/9876543210123/4Zl1tPbTfPAkTnJBGrPgYVJc",
        "trigger_id": "9876543210123.1234567890.0123456789abcdef0123456789abcdef",
        "what": {
            "command": {
                "create": {
                    "user": "ci-deployer",
                    "account": None,
                    "use_case": "local-code",
                    "days": 30,
                    "reason": "laptop tooling",
                }
            }
        },
    }
    challenge = {
        "token": "Jhj5dZrVaK7ZwHHjRyZWjbDl",
        "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
        "type": "url_verification",
    }
    tab = {"tid": TID, "proof": PROOF, "cid": base64url(bytes(range(16)))}
    claimed = {"tid": TID, "event": "claimed", "attempt": 1}
    claim = tab | {"pub": base64url(bytes.fromhex(POINT))}
    events = {
        "slack-command": slack("/slack/commands", FORM, typed, START),
        "slack-press": slack("/slack/interactive", FORM, press(), START + 30),
        "slack-url-verification": slack("/slack/events", "application/json", json.dumps(challenge), START),
        "reveal-page": browser("GET", "/reveal"),
        "reveal-claim": browser("POST", "/reveal/claim", claim),
        "reveal-ack": browser("POST", "/reveal/ack", tab | {"receipt": base64url(bytes(range(16, 32)))}),
        "worker-slack": queued("keyvend-slack.fifo", "T0001.U0ALICE", deduplication, message, "keyvend-slack"),
        "worker-claims": queued("keyvend-claims.fifo", TID, f"{TID}.claimed.1", claimed, "keyvend-reveal"),
    }
    for name, event in events.items():
        with open(f"events/{name}.json", "w", encoding="utf-8") as file:
            file.write(json.dumps(event, indent=2) + "\n")


if __name__ == "__main__":
    main()
