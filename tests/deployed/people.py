"""What people do: the deployed API as Slack and as a browser call it, and the browser's tab."""

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import time
import urllib.parse
from pathlib import Path

from emulator import eventually
from slack import APP, NAMES, TEAM, buttons

ROOT = Path(__file__).resolve().parents[2]
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
FORM = "application/x-www-form-urlencoded"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Keyvend:
    def __init__(self, emulator, slack, outputs):
        self.emulator = emulator
        self.slack = slack
        page = urllib.parse.urlsplit(outputs["PageUrl"])
        self.origin = f"{page.scheme}://{page.netloc}"
        self.page = self._base(page)
        self.api = self._base(urllib.parse.urlsplit(outputs["CommandsUrl"]))
        assert self.page != self.api, "Slack and the page share an API"

    @staticmethod
    def _base(url):
        return f"/_aws/execute-api/{url.netloc.split('.')[0]}/$default"

    def from_slack(self, path, fields, secret=SIGNING_SECRET):
        body, now = urllib.parse.urlencode(fields), str(int(time.time()))
        signature = hmac.new(secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "content-type": FORM,
            "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "x-slack-request-timestamp": now,
            "x-slack-signature": f"v0={signature}",
        }
        return self.emulator.http("POST", self.api + path, headers, body)[:2]

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

    def asks(self, person, text):
        status, body = self.types(person, text)
        assert status == 200 and "Checking" in body, (status, body)

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

    def gets(self, path, method="GET"):
        return self.emulator.http(method, self.page + path, {"user-agent": FIREFOX}, None)

    def posts(self, path, body):
        headers = {
            "user-agent": FIREFOX,
            "content-type": "application/json",
            "origin": self.origin,
            "sec-fetch-site": "same-origin",
        }
        status, text, _ = self.emulator.http("POST", self.page + path, headers, json.dumps(body))
        return status, json.loads(text)


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def node(*arguments, given=None):
    command = ["node", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Tab:
    """A browser tab; the page's own code opens what was sealed to it."""

    MAKE_KEY = """
      const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
      console.log(JSON.stringify(await crypto.subtle.exportKey("jwk", pair.privateKey)));
    """

    def __init__(self, keyvend, link):
        self.keyvend = keyvend
        self.t = link.split("#1.")[1]
        ikm = base64.urlsafe_b64decode(self.t + "=" * (-len(self.t) % 4))
        self.prk = hmac.new(bytes(32), ikm, hashlib.sha256).digest()
        self.jwk = json.loads(node("--input-type=module", "-e", self.MAKE_KEY))
        cid = base64url(secrets.token_bytes(16))
        self.who = {"tid": base64url(self.derive("tid", 16)), "proof": base64url(self.derive("proof", 32)), "cid": cid}

    def derive(self, label, size):
        return hmac.new(self.prk, label.encode() + b"\1", hashlib.sha256).digest()[:size]

    def claims(self, code=None, **other):
        """The answer to its claim, with the mailed code if one is typed."""
        x, y = (base64.urlsafe_b64decode(self.jwk[axis] + "=") for axis in "xy")
        body = self.who | {"pub": base64url(b"\4" + x + y)} | other
        if code is not None:
            body["code"] = base64url(hashlib.pbkdf2_hmac("sha256", code.encode(), self.derive("code", 32), 600_000))
        return self.keyvend.posts("/reveal/claim", body)

    def opens(self):
        """Asks again until the key is there, and opens it."""

        def sealed():
            status, answer = self.claims()
            assert status in (200, 202), (status, answer)
            return answer if status == 200 else None

        line = json.dumps({"T": self.t, "jwk": self.jwk} | eventually("the sealed key", sealed))
        return json.loads(node("tests/page/open.mjs", given=line + "\n"))

    def confirms(self, key):
        status, answer = self.keyvend.posts("/reveal/ack", self.who | {"receipt": key["receipt"]})
        assert status == 200, (status, answer)
