"""AWS and Slack over https on loopback: each answers at once what a function asks for one event.

A process of its own, so that it never waits for the interpreter that measures.
"""

import hashlib
import json
import multiprocessing
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

from events import BOT_TOKEN, CHANNEL, SIGNING_SECRET, USER, item
from runtime_api import Reader

SPAN = struct.Struct("dd")
BUNDLES = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
]


# What the functions trust of AWS where nothing else is said.
AMAZON_ROOTS = Path(__file__).resolve().parent.parent / "src/aws/amazon_roots.pem"


def certificates(folder, names=()):
    """Makes an authority and a certificate for 127.0.0.1 and these names. Returns two files of what is to be trusted, for reading
    them is part of a start: of AWS, Amazon's roots and that authority; of Slack, the machine's own and that authority."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-subj", "/CN=bench authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=bench", "-keyout", "leaf.key", "-out", "leaf.csr")
    names = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    Path(folder, "san").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n", encoding="ascii")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "san", "-out", "leaf.pem")
    machine = next((Path(bundle) for bundle in BUNDLES if Path(bundle).exists()), None)
    if machine is None:
        raise SystemExit("this machine has no bundle of root certificates: " + ", ".join(BUNDLES))
    authority = Path(folder, "ca.pem").read_text(encoding="ascii")
    trusted = Path(folder, "aws.pem"), Path(folder, "slack.pem")
    for file, roots in zip(trusted, (AMAZON_ROOTS, machine), strict=True):
        file.write_text(roots.read_text(encoding="utf-8") + authority, encoding="utf-8")
    return trusted


class Aws:
    """The simulated AWS and Slack: how long they held requests, and the first message that was queued."""

    def __init__(self, folder):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = listener.getsockname()
        self.url = f"https://127.0.0.1:{self.address[1]}"
        self.spans, spans = os.pipe()
        self.queued = Path(folder, "queued")
        self.process = multiprocessing.get_context("fork").Process(
            target=serve, args=(listener, folder, spans, self.queued), daemon=True
        )
        self.process.start()
        listener.close()

    def busy(self):
        """For how long, since last asked, it had at least one request that it had not answered."""
        data = b""
        while select.select([self.spans], [], [], 0)[0]:
            data += os.read(self.spans, 65_536)
        total, until = 0.0, 0.0
        for begin, end in sorted(SPAN.iter_unpack(data)):
            total += max(0.0, end - max(begin, until))
            until = max(until, end)
        return total

    def end(self):
        """Stops the simulated services."""
        self.process.terminate()
        self.process.join()


def serve(listener, folder, spans, queued):
    """Accepts for ever, a thread a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(folder, "leaf.pem"), Path(folder, "leaf.key"))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=talk, args=(connection, context, spans, queued), daemon=True).start()


def talk(connection, context, spans, queued):
    """Answers one connection until the other end closes it."""
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            reader = Timed(secure)
            while request := reader.request():
                answer = reply(*request, queued)
                os.write(spans, SPAN.pack(reader.first, time.perf_counter()))
                reader.first = None
                secure.sendall(answer)
    except OSError:
        pass  # the function was ended


class Timed(Reader):
    """A reader that knows when a request's first bytes came."""

    first = None

    def _more(self):
        more = super()._more()
        self.first = self.first or time.perf_counter()
        return more


def reply(head, body, queued):
    """One answer, by the operation in the headers, or Slack's method in the path."""
    line, *headers = head.split("\r\n")
    if line.startswith("HEAD "):
        return b"HTTP/1.1 404 -\r\nContent-Length: 0\r\n\r\n"
    targets = [header.split(": ", 1)[1] for header in headers if header.lower().startswith("x-amz-target:")]
    what = targets[0].split(".")[-1] if targets else line.split(" ")[1]
    status, answer = 200, {"ok": True}
    match what:
        case "GetSecretValue":
            asked = json.loads(body)
            if asked["VersionStage"] == "AWSPREVIOUS":
                status, answer = 400, {"__type": "ResourceNotFoundException", "message": "no such version"}
            else:
                secret = BOT_TOKEN if "bot" in asked["SecretId"] else SIGNING_SECRET
                answer = {"Name": asked["SecretId"], "SecretString": secret, "VersionStages": ["AWSCURRENT"]}
        case "SendMessage":
            text = json.loads(body)["MessageBody"]
            if not queued.exists():
                queued.write_text(text, encoding="utf-8")
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            answer = {"MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "MD5OfMessageBody": digest}
        case "SendMessageBatch":
            sent = [{"Id": entry["Id"], "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                     "MD5OfMessageBody": hashlib.md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest()}
                    for entry in json.loads(body)["Entries"]]
            answer = {"Successful": sent, "Failed": []}
        case "GetItem":
            answer = {"Item": item(json.loads(body)["Key"])}
        case "UpdateItem":
            answer = {"Attributes": {"state": {"S": "CLAIMED"}, "attempt": {"N": "1"}}}
        case "/api/users.info":
            full_member = {"deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False}
            answer = {"ok": True, "user": {"id": USER, "team_id": "T0001", "is_email_confirmed": True,
                                           "profile": {"email": "alice@example.com"}, **full_member}}
        case "/api/conversations.info":
            own = {"is_private": True, "is_archived": False}
            shared = {"is_shared": False, "is_ext_shared": False, "is_org_shared": False}
            answer = {"ok": True, "channel": {"id": CHANNEL, **own, **shared}}
        case "/api/conversations.members":
            answer = {"ok": True, "members": ["U0B0B", "U0CAROL"]}
        case "/response":
            pass
        case _:
            status, answer = 404, {"error": what}
    text = json.dumps(answer).encode()
    return (f"HTTP/1.1 {status} -\r\nContent-Type: application/x-amz-json-1.1\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode() + text
