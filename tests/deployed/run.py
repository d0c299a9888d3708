"""Deploys what `sam build` built to ministack and walks people's paths through it, from the command to the key.

`python tests/deployed/run.py` from the repository's root, after `sam build`, with the packages of requirements.txt and
with node. The template is deployed as built, but for the edits in gaps.py; the functions are the release binaries.
"""

import json
import re
import signal
import sys
import tempfile
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

import gaps
import operator_paths as operator
import thief
from emulator import ACCOUNT, Emulator, Stack, eventually, package
from people import ROOT, SIGNING_SECRET, Keyvend, Tab
from slack import ALICE_OWNER, APP, APPROVALS, BOB_APPROVER, TEAM, TOKEN, Slack, buttons

BUILT = ROOT / ".aws-sam" / "build"
USER, SECOND_USER, STRANGER = "ci-deployer", "nightly-reports", "somebody-elses"
CONNECTED = {"SlackAppId": APP, "SlackTeamIds": TEAM, "ApprovalsChannel": APPROVALS, "RequestTtl": "100"}
SENDER = "keyvend@example.com"
# Seconds. The second event of the every-minute rule comes after 120.
LONGEST = 600


class Walk:
    def __init__(self, emulator, slack):
        self.emulator = emulator
        self.slack = slack
        self.iam = emulator.client("iam")
        template = yaml_parse((BUILT / "template.yaml").read_text(encoding="utf-8"))
        package(emulator, BUILT, template)
        self.policies = gaps.bridge(template["Resources"], {"KEYVEND_POLICY_DIR": str(ROOT / "policies")})
        thief.trust_the_harness(template["Resources"])
        for function in ("Slack", "Worker"):
            variables = template["Resources"][function]["Properties"]["Environment"]["Variables"]
            assert variables["KEYVEND_SLACK_API_URL"] == {"Ref": "SlackApiUrl"}
            variables["KEYVEND_SLACK_API_URL"] = slack.api
        self.stack = Stack(emulator, template)
        # What must be nowhere but in a tab.
        self.secrets = []

    def walk(self):
        step("the first deployment takes no parameter, and tells Slack that it is not connected")
        self.keyvend = Keyvend(self.emulator, self.slack, self.stack.deploy())
        gaps.put_secret_policies(self.emulator, self.stack, self.policies)
        status, body = self.keyvend.types(ALICE_OWNER, "help")
        assert status == 503 and "not yet connected" in body, (status, body)
        self.connect()
        forgotten = self.forget()
        self.one_channel()
        self.two_channels()
        self.every_minute(forgotten)
        self.look_back()
        step("whoever steals a function's role gets neither an approval nor a key")
        thief.rob(self.emulator, self.stack, USER, STRANGER)
        step("dead letters are sent back by the redrive role while it is named, and by nobody else")
        operator.redrive(self.emulator, self.stack, CONNECTED)

    def connect(self):
        step("then its secrets are stored, and the second deployment names the app")
        vault = self.emulator.client("secretsmanager")
        for name, value in (("SigningSecret", SIGNING_SECRET), ("BotToken", TOKEN)):
            vault.put_secret_value(SecretId=self.stack.resource(name), SecretString=value)
        self.outputs = self.stack.deploy(**CONNECTED)
        may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
        for user in (USER, SECOND_USER):
            self.iam.create_user(UserName=user, Tags=[{"Key": "keyvend:owners", "Value": ALICE_OWNER}])
            self.iam.put_user_policy(UserName=user, PolicyName="upload", PolicyDocument=json.dumps(may))
        self.iam.create_user(UserName=STRANGER)

        step("a forged command is refused, a signed one is taken")
        assert self.keyvend.types(ALICE_OWNER, "help", secret="forged")[0] == 401
        assert self.keyvend.types(ALICE_OWNER, "help")[0] == 200

    def forget(self):
        step("a request reaches the approvers, and nobody answers it")
        self.keyvend.asks(ALICE_OWNER, f"create {USER} use:local-code ttl:7d forgotten by everybody")
        card = self.slack.wait_for(APPROVALS, "forgotten by everybody")
        return buttons(card)["Approve"]["value"].split(".")[0]

    def approved(self, user, why):
        """Asks and has it approved; the message with **Get my key**."""
        self.keyvend.asks(ALICE_OWNER, f"create {user} use:local-code ttl:30d {why}")
        self.keyvend.presses(BOB_APPROVER, self.slack.wait_for(APPROVALS, why), "Approve")
        ready = self.slack.wait_for(ALICE_OWNER, "Get my key", user)
        assert self.keys(user) == [], "a key before its link was opened"
        return ready

    def link(self, message):
        url = buttons(message)["Open the one-time link"]["url"]
        assert url.startswith(self.outputs["PageUrl"] + "#1."), url.split("#")[0]
        self.secrets.append(url.split("#1.")[1])
        return url

    def collected(self, tab, user):
        """The key that a tab opens, shown to be the one that IAM has, and usable."""
        key = tab.opens()
        self.secrets.append(key["secret_access_key"])
        assert self.keys(user) == [key["access_key_id"]]
        sts = self.emulator.client("sts", (key["access_key_id"], key["secret_access_key"]))
        assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{user}"
        return key

    def one_channel(self):
        step("another request is approved; the requester gets a link, and opening the page does nothing")
        ready = self.approved(USER, "laptop tooling")
        self.keyvend.presses(ALICE_OWNER, ready, "Get my key")
        link = self.link(self.slack.wait_for(ALICE_OWNER, "#1."))
        status, page, headers = self.keyvend.gets("/reveal")
        assert status == 200 and page.encode() == (ROOT / "src/page/reveal.html").read_bytes()
        assert "default-src 'none'" in {name.lower(): value for name, value in headers.items()}["content-security-policy"]
        assert self.keyvend.gets("/reveal", "HEAD")[0] == 200
        assert self.keys(USER) == []

        step("one tab claims the key and opens it, another gets nothing")
        tab = Tab(self.keyvend, link)
        assert tab.claims()[0] == 202
        key = self.collected(tab, USER)
        assert Tab(self.keyvend, link).claims()[0] == 409
        self.slack.wait_for(ALICE_OWNER, "This wasn't me", USER)

        step("the tab confirms, and the records say so")
        tab.confirms(key)
        self.state_of(key, "CONFIRMED")
        described = {tag["Key"]: tag["Value"] for tag in self.iam.list_user_tags(UserName=USER)["Tags"]}
        assert key["access_key_id"] in described, described

        step("the requester's list shows the request")
        request = self.request_of(key)
        assert self.keyvend.types(ALICE_OWNER, "status")[0] == 200
        self.slack.wait_for(ALICE_OWNER, f"\\u2022 `{request}`")
        print("  audit:", ", ".join(self.audited(request, {"link.confirmed", "link.reused"})))

    def two_channels(self):
        step("the third deployment mails codes: the link is in Slack, the code in the mail, each marked as the other's")
        self.emulator.client("ses").verify_domain_identity(Domain="example.com")
        self.stack.deploy(**CONNECTED, MailFrom=SENDER, MailDomains="example.com")
        ready = self.approved(SECOND_USER, "reports at night")
        assert self.emulator.mails() == []
        self.keyvend.presses(ALICE_OWNER, ready, "Get my key")
        message = self.slack.wait_for(ALICE_OWNER, "#1.", SECOND_USER)
        link = self.link(message)
        (mail,) = self.emulator.mails()
        assert (mail["Source"], mail["To"]) == (SENDER, ["alice_owner@example.com"]), mail
        assert "http" not in mail["BodyText"] and not mail["BodyHtml"], "a link in the mail"
        (code,) = re.findall(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", mail["BodyText"])
        self.secrets.append(code)
        (label,) = re.findall(r"labeled \*(\w\w)\*", message["text"])
        assert label in mail["Subject"], (label, mail["Subject"])

        step("the link alone opens nothing, nor does the code alone")
        tab = Tab(self.keyvend, link)
        assert tab.claims() == (401, {"error": "code-wanted", "tries_left": 5})
        wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        assert tab.claims(wrong) == (401, {"error": "code-wrong", "tries_left": 4})
        other = Tab(self.keyvend, link.split("#")[0] + "#1." + "A" * 43)
        assert other.claims(code, tid=tab.who["tid"])[0] == 404
        assert self.keys(SECOND_USER) == []

        step("both open the key")
        assert tab.claims(code)[0] == 202
        key = self.collected(tab, SECOND_USER)
        tab.confirms(key)
        self.state_of(key, "CONFIRMED")

        step("a press on This wasn't me switches it off")
        card = self.slack.wait_for(ALICE_OWNER, "This wasn't me", SECOND_USER)
        self.keyvend.presses(ALICE_OWNER, card, "This wasn't me")
        self.state_of(key, "INACTIVE")
        (off,) = self.iam.list_access_keys(UserName=SECOND_USER)["AccessKeyMetadata"]
        assert off["Status"] == "Inactive", off

    def every_minute(self, forgotten):
        step("the every-minute rule makes the worker remind the approvers once, and end what nobody answered")
        self.slack.wait_for(APPROVALS, "Reminder: the request of", seconds=150)
        self.slack.wait_for(ALICE_OWNER, "has expired", seconds=150)
        card = self.slack.wait_for(APPROVALS, "forgotten by everybody", "Expired: ")
        assert not buttons(card).keys() & {"Approve", "Deny"}, card
        events = self.audited(forgotten, {"review.reminder_sent", "request.expired"})
        print("  audit:", ", ".join(events))
        assert events.count("review.reminder_sent") == 1, events

    def look_back(self):
        step("no secret was kept, logged, queued or said but the links to whom they are for; no message died")
        kept = json.dumps([self.items(name) for name in ("Requests", "Tickets", "Audit")], default=bytes.hex)
        logged = self.emulator.said() + "\n".join(self.emulator.function_logs())
        said = json.dumps([message for message in self.slack.said if not self.shows_link(message)])
        for number, secret in enumerate(self.secrets):
            for where, text in (("a table", kept), ("a log", logged), ("a message", said)):
                assert secret not in text, f"secret {number} is in {where}"
        assert self.slack.refused == [], self.slack.refused
        sqs = self.emulator.client("sqs")
        for queue in ("SlackDeadLetters", "ClaimsDeadLetters", "DueDeadLetters", "SweepDeadLetters"):
            url, wanted = self.stack.resource(queue), "ApproximateNumberOfMessages"
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[wanted])["Attributes"]
            assert attributes[wanted] == "0", queue

    @staticmethod
    def shows_link(message):
        return message["ts"].startswith("ephemeral") and "Open the one-time link" in buttons(message)

    def keys(self, user):
        return [key["AccessKeyId"] for key in self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]

    def items(self, table):
        dynamo = self.emulator.client("dynamodb")
        return dynamo.scan(TableName=self.stack.resource(table), ConsistentRead=True)["Items"]

    def state_of(self, key, state):
        name = f"key#{key['access_key_id']}"
        eventually(f"{state}", lambda: any(i["pk"]["S"] == name and i["state"]["S"] == state for i in self.items("Requests")))

    def request_of(self, key):
        (pk,) = (i["pk"]["S"] for i in self.items("Requests")
                 if i["pk"]["S"].startswith("request#") and key["access_key_id"] in i["document"]["S"])
        return pk.removeprefix("request#")

    def audited(self, request, wanted):
        """A request's chain of events, once these are in it."""

        def told():
            mine = [entry for entry in self.items("Audit") if entry["pk"]["S"] == request]
            events = [entry["event"]["S"] for entry in sorted(mine, key=lambda entry: int(entry["sk"]["N"]))]
            return events if wanted <= set(events) else None

        return eventually(f"{wanted} audited", told)


def step(text):
    print(f"- {text}", flush=True)


def give_up(number, _):
    raise AssertionError(f"not done after {LONGEST} seconds" if number == signal.SIGALRM else "told to stop")


def main():
    assert (BUILT / "template.yaml").exists(), "run `sam build` first"
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, give_up)
    signal.alarm(LONGEST)
    with tempfile.TemporaryDirectory(prefix="keyvend-deployed-") as folder:
        slack = Slack()
        emulator = Emulator(folder)
        try:
            emulator.ready()
            Walk(emulator, slack).walk()
        except BaseException:
            signal.alarm(60)
            print("-- ministack's log:", emulator.said()[-20_000:], sep="\n", file=sys.stderr)
            if emulator.process.poll() is None:
                print("-- the functions' logs:", *emulator.function_logs(), sep="\n", file=sys.stderr)
            raise
        finally:
            emulator.stop()
    print("deployed: ok")


if __name__ == "__main__":
    main()
