"""Deploys what `sam build` built to ministack and walks one person's path through it, from the command to the key.

`python tests/deployed/run.py` from the repository's root, after `sam build`, with the packages of requirements.txt and
with node. The template is deployed as built, but for the edits in gaps.py; the functions are the release binaries.
"""

import base64
import hashlib
import hmac
import http.client
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from pathlib import Path

import boto3
from samtranslator.yaml_helper import yaml_parse

import gaps
import thief
from slack import ALICE_OWNER, APP, APPROVALS, BOB_APPROVER, NAMES, TEAM, TOKEN, Slack, buttons

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam" / "build"
ACCOUNT, REGION, STACK = "123456789012", "eu-west-1", "keyvend"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
USER = "ci-deployer"
FORM = "application/x-www-form-urlencoded"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """ministack as a child process, checking signatures and enforcing IAM."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "TMPDIR": folder,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AWS_ACCESS_KEY_ID": "root-of-this-run",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
            "AWS_ENDPOINT_URL": self.url,
        }
        self.root = (environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        self.log = open(os.path.join(folder, "ministack.log"), "w+", encoding="utf-8")
        command = [sys.executable, "-m", "ministack"]
        self.process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ministack ended: {self.tail()}")
            try:
                if self.http("GET", "/_ministack/health", {}, None)[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("ministack did not start")

    def client(self, service, key=None):
        access_key, secret, *token = key or self.root
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token[0] if token else None,
        )

    def http(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(), dict(reply.getheaders())
        finally:
            connection.close()

    def tail(self, size=6000):
        self.log.flush()
        text = Path(self.log.name).read_text(encoding="utf-8", errors="replace")
        return text[-size:]

    def function_logs(self):
        logs = self.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                yield f"{group['logGroupName']}: {event['message'].strip()}"

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def package(emulator, template):
    """Uploads each function's build, as `sam package` does."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="keyvend-builds", CreateBucketConfiguration={"LocationConstraint": REGION})

    def upload(folder, name):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                entry = zipfile.ZipInfo(path.name, (2025, 1, 1, 0, 0, 0))
                entry.external_attr = (0o755 if path.name == "bootstrap" else 0o644) << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        s3.put_object(Bucket="keyvend-builds", Key=f"{name}.zip", Body=packed.getvalue())
        return f"s3://keyvend-builds/{name}.zip"

    for name in ("Slack", "Reveal", "Worker"):
        properties = template["Resources"][name]["Properties"]
        properties["CodeUri"] = upload(BUILT / properties["CodeUri"], name)
    layer = template["Resources"]["PolicyFiles"]["Properties"]
    layer["ContentUri"] = upload((BUILT / layer["ContentUri"]).resolve(), "PolicyFiles")


class Stack:
    def __init__(self, emulator, template):
        self.cfn = emulator.client("cloudformation")
        self.body = json.dumps(template)

    def deploy(self, first, **parameters):
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        arguments = {
            "StackName": STACK,
            "TemplateBody": self.body,
            "Parameters": given,
            "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        (self.cfn.create_stack if first else self.cfn.update_stack)(**arguments)
        wanted = "CREATE_COMPLETE" if first else "UPDATE_COMPLETE"
        deadline = time.monotonic() + 120
        while True:
            stack = self.cfn.describe_stacks(StackName=STACK)["Stacks"][0]
            if stack["StackStatus"] == wanted:
                return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
            if not stack["StackStatus"].endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                events = self.cfn.describe_stack_events(StackName=STACK)["StackEvents"]
                reasons = [(e["LogicalResourceId"], e.get("ResourceStatusReason")) for e in events]
                raise AssertionError(f"{stack['StackStatus']}: {[r for r in reasons if r[1]]}")
            time.sleep(0.2)

    def resource(self, name):
        found = self.cfn.describe_stack_resource(StackName=STACK, LogicalResourceId=name)
        return found["StackResourceDetail"]["PhysicalResourceId"]


class Keyvend:
    """The deployed API, as Slack and as a browser call it."""

    def __init__(self, emulator, slack, outputs):
        self.emulator = emulator
        self.slack = slack
        page = urllib.parse.urlsplit(outputs["PageUrl"])
        self.origin = f"{page.scheme}://{page.netloc}"
        self.base = f"/_aws/execute-api/{page.netloc.split('.')[0]}/$default"

    def from_slack(self, path, fields, secret=SIGNING_SECRET):
        body, now = urllib.parse.urlencode(fields), str(int(time.time()))
        signature = hmac.new(secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "content-type": FORM,
            "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "x-slack-request-timestamp": now,
            "x-slack-signature": f"v0={signature}",
        }
        return self.emulator.http("POST", self.base + path, headers, body)[:2]

    def types(self, person, text, **options):
        fields = {
            "token": "legacy",
            "team_id": TEAM,
            "channel_id": "C0GENERAL",
            "user_id": person,
            "user_name": NAMES[person],
            "command": "/access-key",
            "text": text,
            "api_app_id": APP,
            "response_url": self.slack.response_url(person),
            "trigger_id": f"{time.monotonic_ns()}.1.a",
        }
        return self.from_slack("/slack/commands", fields, **options)

    def presses(self, person, message, label):
        button = buttons(message)[label]
        ephemeral = message["ts"].startswith("ephemeral")
        action = {key: button[key] for key in ("type", "action_id", "block_id", "text", "value") if key in button}
        payload = {
            "type": "block_actions",
            "user": {"id": person, "username": NAMES[person], "team_id": TEAM},
            "api_app_id": APP,
            "team": {"id": TEAM, "domain": "example"},
            "container": {
                "type": "message",
                "message_ts": message["ts"] if not ephemeral else f"{time.time():.6f}",
                "channel_id": message["to"] if message["to"].startswith("C") else "D0DIRECT",
                "is_ephemeral": ephemeral,
            },
            "channel": {"id": message["to"] if message["to"].startswith("C") else "D0DIRECT", "name": "channel"},
            "trigger_id": f"{time.monotonic_ns()}.1.a",
            "response_url": self.slack.response_url(person),
            "actions": [action | {"action_ts": f"{time.time():.6f}"}],
        }
        status, body = self.from_slack("/slack/interactive", {"payload": json.dumps(payload)})
        assert status == 200, (status, body)

    def browser(self, method, path, body=None):
        headers = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}
        if body is not None:
            headers |= {"content-type": "application/json", "origin": self.origin, "sec-fetch-site": "same-origin"}
            body = json.dumps(body)
        return self.emulator.http(method, self.base + path, headers, body)

    def posts(self, path, body):
        status, text, _ = self.browser("POST", path, body)
        return status, json.loads(text)


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def node(*arguments, given=None):
    done = subprocess.run(["node", *arguments], input=given, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Tab:
    """A browser tab; the page's own code opens what was sealed to it."""

    MAKE_KEY = """
      const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
      console.log(JSON.stringify(await crypto.subtle.exportKey("jwk", pair.privateKey)));
    """

    def __init__(self, link):
        self.t = link.split("#1.")[1]
        ikm = base64.urlsafe_b64decode(self.t + "=" * (-len(self.t) % 4))
        self.prk = hmac.new(bytes(32), ikm, hashlib.sha256).digest()
        self.jwk = json.loads(node("--input-type=module", "-e", self.MAKE_KEY))
        self.who = {"tid": self.derive("tid", 16), "proof": self.derive("proof", 32), "cid": base64url(secrets.token_bytes(16))}

    def derive(self, label, size):
        return base64url(hmac.new(self.prk, label.encode() + b"\1", hashlib.sha256).digest()[:size])

    def claim(self):
        x, y = (base64.urlsafe_b64decode(self.jwk[axis] + "=") for axis in "xy")
        return self.who | {"pub": base64url(b"\4" + x + y)}

    def opens(self, sealed):
        line = json.dumps({"T": self.t, "jwk": self.jwk} | sealed)
        return json.loads(node("tests/page/open.mjs", given=line + "\n"))


def eventually(what, probe, seconds=40):
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: never"
        time.sleep(0.2)


def step(text):
    print(f"- {text}", flush=True)


def walk(emulator, slack):
    template = yaml_parse((BUILT / "template.yaml").read_text(encoding="utf-8"))
    package(emulator, template)
    variables = {
        "KEYVEND_POLICY_DIR": str(ROOT / "policies"),
        "KEYVEND_SLACK_API_URL": slack.api,
        "KEYVEND_TIMERS": "on",
    }
    gaps.bridge(template["Resources"], variables)
    thief.trust_the_harness(template["Resources"])
    template["Resources"]["Slack"]["Properties"]["Environment"]["Variables"]["KEYVEND_SLACK_API_URL"] = slack.api
    stack = Stack(emulator, template)

    step("the first deployment takes no parameter, and tells Slack that it is not connected")
    keyvend = Keyvend(emulator, slack, stack.deploy(True))
    status, body = keyvend.types(ALICE_OWNER, "help")
    assert status == 503 and "not yet connected" in body, (status, body)

    step("then its secrets are stored, and the second deployment names the app")
    vault = emulator.client("secretsmanager")
    for name, value in (("SigningSecret", SIGNING_SECRET), ("BotToken", TOKEN)):
        vault.put_secret_value(SecretId=stack.resource(name), SecretString=value)
    outputs = stack.deploy(False, SlackAppId=APP, SlackTeamIds=TEAM, ApprovalsChannel=APPROVALS)

    iam = emulator.client("iam")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
    iam.create_user(UserName=USER, Tags=[{"Key": "keyvend:owners", "Value": ALICE_OWNER}])
    iam.create_user(UserName="somebody-elses")
    iam.put_user_policy(UserName=USER, PolicyName="upload", PolicyDocument=json.dumps(policy))

    step("a forged command is refused, a signed one is taken and reaches the approvers")
    assert keyvend.types(ALICE_OWNER, "help", secret="forged")[0] == 401
    assert keyvend.types(ALICE_OWNER, "help")[0] == 200
    status, body = keyvend.types(ALICE_OWNER, f"create {USER} use:local-code ttl:30d laptop tooling")
    assert status == 200 and "Checking" in body, (status, body)
    slack.wait_for(ALICE_OWNER, "Asked for a key")
    card = slack.wait_for(APPROVALS, "laptop tooling")

    step("an approver approves; nothing has been created")
    keyvend.presses(BOB_APPROVER, card, "Approve")
    ready = slack.wait_for(ALICE_OWNER, "Get my key")
    assert iam.list_access_keys(UserName=USER)["AccessKeyMetadata"] == []

    step("the requester gets a link; the page is there, and opening it does nothing")
    keyvend.presses(ALICE_OWNER, ready, "Get my key")
    link = buttons(slack.wait_for(ALICE_OWNER, "#1."))["Open the one-time link"]["url"]
    assert link.startswith(outputs["PageUrl"] + "#1."), link.split("#")[0]
    status, page, headers = keyvend.browser("GET", "/reveal")
    assert status == 200 and page.encode() == (ROOT / "src/page/reveal.html").read_bytes()
    assert "default-src 'none'" in {name.lower(): value for name, value in headers.items()}["content-security-policy"]
    assert keyvend.browser("HEAD", "/reveal")[0] == 200

    step("one tab claims the key and opens it, another gets nothing")
    tab, other = Tab(link), Tab(link)
    status, answer = keyvend.posts("/reveal/claim", tab.claim())
    assert status == 202, (status, answer)

    def sealed():
        status, answer = keyvend.posts("/reveal/claim", tab.claim())
        assert status in (200, 202), (status, answer)
        return answer if status == 200 else None

    key = tab.opens(eventually("the sealed key", sealed))
    assert keyvend.posts("/reveal/claim", other.claim())[0] == 409
    made = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    assert [k["AccessKeyId"] for k in made] == [key["access_key_id"]]
    sts = emulator.client("sts", (key["access_key_id"], key["secret_access_key"]))
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{USER}"

    step("the tab confirms; the records say so, and hold no secret")
    status, answer = keyvend.posts("/reveal/ack", tab.who | {"receipt": key["receipt"]})
    assert status == 200, (status, answer)
    dynamo = emulator.client("dynamodb")

    def items(table):
        return dynamo.scan(TableName=stack.resource(table), ConsistentRead=True)["Items"]

    def confirmed():
        states = [item.get("state", {}).get("S") for item in items("Requests") if item["pk"]["S"].startswith("key#")]
        return states == ["CONFIRMED"]

    eventually("the confirmed key", confirmed)

    def told():
        events = [entry["event"]["S"] for entry in sorted(items("Audit"), key=lambda entry: int(entry["sk"]["N"]))]
        return events if {"revealed", "misused"} <= set(events) else None

    print("  audit:", ", ".join(eventually("the audit entries", told)))
    kept = json.dumps([items(name) for name in ("Requests", "Tickets", "Audit")], default=lambda raw: raw.decode("latin-1"))
    spoken = json.dumps(slack.said)
    for secret in (key["secret_access_key"], tab.t):
        assert secret not in kept
    assert key["secret_access_key"] not in spoken and key["secret_access_key"] not in emulator.tail(10**9)
    assert slack.refused == [], slack.refused
    described = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=USER)["Tags"]}
    assert key["access_key_id"] in described, described

    step("the requester's list shows the request")
    assert keyvend.types(ALICE_OWNER, "status")[0] == 200
    request = next(item["pk"]["S"] for item in items("Requests") if item["pk"]["S"].startswith("request#"))
    slack.wait_for(ALICE_OWNER, "\\u2022 `" + request.removeprefix("request#") + "`")

    step("no message died")
    sqs = emulator.client("sqs")
    for queue in ("SlackDeadLetters", "ClaimsDeadLetters", "DueDeadLetters"):
        attributes = sqs.get_queue_attributes(QueueUrl=stack.resource(queue), AttributeNames=["ApproximateNumberOfMessages"])
        assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0", queue

    step("whoever steals a function's role gets neither an approval nor a key")
    thief.rob(emulator, stack, USER, "somebody-elses")


def main():
    assert (BUILT / "template.yaml").exists(), "run `sam build` first"
    with tempfile.TemporaryDirectory(prefix="keyvend-deployed-") as folder:
        slack = Slack()
        emulator = Emulator(folder)
        try:
            walk(emulator, slack)
        except BaseException:
            print(emulator.tail(), *emulator.function_logs(), sep="\n", file=sys.stderr)
            raise
        finally:
            emulator.stop()
    print("deployed: ok")


if __name__ == "__main__":
    main()
