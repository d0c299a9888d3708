"""A stand-in for Slack on loopback: its Web API, response URLs, and a transcript of what it was told."""

import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEAM, APP, APPROVALS = "T0001", "A0KEYVEND", "C0APPROVE"
ALICE_OWNER, BOB_APPROVER = "U0ALICE", "U0BOB"
TOKEN = "xoxb-deployed-bot"
NAMES = {ALICE_OWNER: "alice_owner", BOB_APPROVER: "bob_approver"}


class Slack:
    def __init__(self):
        self.said = []  # {to, ts, text, blocks}, newest last; an edited message is replaced in place
        self.refused = []
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"slack": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.api = f"{self.origin}/api/"

    def response_url(self, person):
        return f"{self.origin}/response/{person}/{time.monotonic_ns()}"

    def wait_for(self, to, *contains, seconds=40):
        """The newest message to a person or channel with all of this in it, once there is one."""

        def found():
            mine = [m for m in self.said if m["to"] == to and all(text in json.dumps(m) for text in contains)]
            return mine[-1] if mine else None

        with self._changed:
            if not self._changed.wait_for(found, seconds):
                raise AssertionError(f"said: {json.dumps(self.said, indent=1)}\n{to} was never told {contains!r}")
            return found()

    def _say(self, to, ts, text, blocks):
        with self._changed:
            message = {"to": to, "ts": ts, "text": text, "blocks": blocks}
            at = next((i for i, old in enumerate(self.said) if old["to"] == to and old["ts"] == ts), None)
            if at is None:
                self.said.append(message)
            else:
                self.said[at] = message
            self._changed.notify_all()

    def answer(self, method, fields):
        if method == "users.info":
            name = NAMES.get(fields["user"])
            if name is None:
                return {"ok": False, "error": "user_not_found"}
            profile = {"email": f"{name}@example.com", "real_name": name}
            user = {"id": fields["user"], "team_id": TEAM, "name": name, "deleted": False, "is_bot": False}
            user |= {"is_restricted": False, "is_ultra_restricted": False, "is_email_confirmed": True}
            return {"ok": True, "user": user | {"profile": profile}}
        if method == "conversations.info" and fields["channel"] == APPROVALS:
            channel = {"id": APPROVALS, "is_private": True, "is_archived": False, "is_shared": False}
            return {"ok": True, "channel": channel | {"is_ext_shared": False, "is_org_shared": False}}
        if method == "conversations.members" and fields["channel"] == APPROVALS:
            return {"ok": True, "members": [BOB_APPROVER], "response_metadata": {"next_cursor": ""}}
        if method == "chat.postMessage":
            ts = f"{time.time():.6f}"
            self._say(fields["channel"], ts, fields["text"], fields["blocks"])
            # A message to a person is answered with the conversation it went to.
            return {"ok": True, "channel": fields["channel"].replace("U0", "D0", 1), "ts": ts}
        if method == "conversations.open":
            return {"ok": True, "channel": {"id": fields["users"].replace("U0", "D0", 1)}}
        if method == "chat.postEphemeral":
            ts = f"ephemeral-{time.monotonic_ns()}"
            self._say(fields["user"], ts, fields["text"], fields["blocks"])
            return {"ok": True, "message_ts": ts}
        if method == "chat.update":
            self._say(fields["channel"], fields["ts"], fields["text"], fields["blocks"])
            return {"ok": True, "channel": fields["channel"], "ts": fields["ts"]}
        return {"ok": False, "error": "unknown_method"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slack = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path.startswith("/response/"):
            person, fields = self.path.split("/")[2], json.loads(body)
            self.slack._say(person, f"ephemeral-{time.monotonic_ns()}", fields["text"], fields["blocks"])
            return self._reply("ok", "text/plain")
        form = "urlencoded" in self.headers.get("content-type", "")
        fields = dict(urllib.parse.parse_qsl(body)) if form else json.loads(body)
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            answer = {"ok": False, "error": "invalid_auth"}
        else:
            answer = self.slack.answer(self.path.removeprefix("/api/"), fields)
        if not answer["ok"]:
            self.slack.refused.append((self.path, answer["error"]))
        self._reply(json.dumps(answer), "application/json")

    def _reply(self, text, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


def buttons(message):
    """The buttons of a message by their label, each with its block's id."""
    found = {}
    for block in message["blocks"]:
        for element in [*block.get("elements", []), block.get("accessory", {})]:
            if element.get("type") == "button":
                found[element["text"]["text"]] = element | {"block_id": block.get("block_id", "b")}
    return found
