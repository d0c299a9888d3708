"""ministack as a child process, and the built template deployed to it."""

import ctypes
import http.client
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

ACCOUNT, REGION, STACK = "123456789012", "eu-west-1", "keyvend"
PATIENCE = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2}, proxies={})


def ends_with_us():
    """Has the kernel end this process when its parent is gone, however that happened."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(what, probe, seconds=40):
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: never"
        time.sleep(0.2)


class Emulator:
    """Checks signatures and enforces IAM. The functions that it runs are of its process group."""

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
        self.log = Path(folder, "ministack.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=ends_with_us,
            )

    def ready(self):
        def answers():
            assert self.process.poll() is None, "ministack ended"
            try:
                return self.http("GET", "/_ministack/health", {}, None)[0] == 200
            except OSError:
                return False

        eventually("ministack ready", answers, 60)

    def client(self, service, key=None):
        access_key, secret, *token = key or self.root
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token[0] if token else None,
            config=PATIENCE,
        )

    def http(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(), dict(reply.getheaders())
        finally:
            connection.close()

    def mails(self):
        """What SES was given to send."""
        status, body, _ = self.http("GET", "/_ministack/ses/messages", {}, None)
        assert status == 200, (status, body)
        return json.loads(body)["messages"].get(ACCOUNT, [])

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def function_logs(self):
        """What the functions wrote, without Lambda's own lines."""
        logs = self.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                if not event["message"].startswith(("START ", "END ", "REPORT ")):
                    yield f"{group['logGroupName']}: {event['message'].strip()}"

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def package(emulator, built, template):
    """Uploads each function's build and the policies, as `sam package` does."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="keyvend-builds", CreateBucketConfiguration={"LocationConstraint": REGION})

    def upload(name, key):
        properties = template["Resources"][name]["Properties"]
        folder = (built / properties[key]).resolve()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(str(path.relative_to(folder)), (2025, 1, 1, 0, 0, 0))
                entry.external_attr = (0o755 if path.name == "bootstrap" else 0o644) << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        s3.put_object(Bucket="keyvend-builds", Key=f"{name}.zip", Body=packed.getvalue())
        properties[key] = f"s3://keyvend-builds/{name}.zip"

    for name in ("Slack", "Reveal", "Worker"):
        upload(name, "CodeUri")
    upload("PolicyFiles", "ContentUri")


class Stack:
    def __init__(self, emulator, template):
        self.cfn, self.sqs = emulator.client("cloudformation"), emulator.client("sqs")
        # `sam deploy` hands a template over in S3, where it may be 1 MB. Here it goes into the call, which takes 51,200 bytes.
        self.body = json.dumps(template, separators=(",", ":"))
        self.deployed = False

    def deploy(self, **parameters):
        """Deploys with these parameters, and returns the outputs."""
        arguments = {
            "StackName": STACK,
            "TemplateBody": self.body,
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        if self.deployed:
            # Lambda lets a running invocation end; the emulator stops its process, and the message comes back minutes later.
            eventually("idle queues", self.is_idle, 60)
        (self.cfn.update_stack if self.deployed else self.cfn.create_stack)(**arguments)
        wanted = "UPDATE_COMPLETE" if self.deployed else "CREATE_COMPLETE"

        def settled():
            (stack,) = self.cfn.describe_stacks(StackName=STACK)["Stacks"]
            return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

        stack = eventually("the stack deployed", settled, 120)
        if stack["StackStatus"] != wanted:
            events = self.cfn.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [(e["LogicalResourceId"], e["ResourceStatusReason"]) for e in events if e.get("ResourceStatusReason")]
            raise AssertionError(f"{stack['StackStatus']}: {reasons}")
        self.deployed = True
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def is_idle(self):
        """Whether no message of the stack's queues waits or is being worked off."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        queues = self.sqs.list_queues(QueueNamePrefix=f"{STACK}-").get("QueueUrls", [])
        assert queues, "the stack has no queues"
        counts = [self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in queues]
        return all(int(count[name]) == 0 for count in counts for name in names)

    def resource(self, name):
        found = self.cfn.describe_stack_resource(StackName=STACK, LogicalResourceId=name)
        return found["StackResourceDetail"]["PhysicalResourceId"]
