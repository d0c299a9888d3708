"""Feeds what the page writes to what reads it: the AWS CLI (versions 1 and 2), botocore, the shells sh, bash, zsh and fish, and a calendar
parser. Needs Node, Python with requirements.txt, and Debian's awscli (version 2), fish and zsh. PowerShell is used if `pwsh` is there; it
comes from no registry of this repository's checks, so its lines are otherwise compared as text alone (formats.test.mjs)."""

import base64
import csv
import hashlib
import hmac
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import awscli
import botocore.session
import icalendar

HERE = Path(__file__).resolve().parent
# Debian's, not the one of the Python that runs this.
AWS_V2 = "/usr/bin/aws"
AWS_V1 = [sys.executable, "-m", "awscli"]
STALE = {
    "AWS_SESSION_TOKEN": "stale", "AWS_SECURITY_TOKEN": "stale", "AWS_PROFILE": "nobody",
    "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z", "AWS_ACCESS_KEY_ID": "ASIASTALE", "AWS_SECRET_ACCESS_KEY": "stale",
}
# What a program that is started in a shell finds.
RESOLVE = """
import botocore.session, json
session = botocore.session.Session()
found = session.get_credentials().get_frozen_credentials()
print(json.dumps([found.access_key, found.secret_key, found.token, session.get_config_variable("region")]))
"""


class Home:
    """A home directory of its own, with nothing of this machine's AWS configuration."""

    def __init__(self, folder, credentials=""):
        self.path = Path(tempfile.mkdtemp(dir=folder))
        (self.path / ".aws").mkdir()
        self.credentials = self.path / ".aws" / "credentials"
        self.credentials.write_text(credentials)
        self.config = self.path / ".aws" / "config"
        self.environment = {"HOME": str(self.path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C.UTF-8"}

    def run(self, command, more=None, **options):
        done = subprocess.run(command, env=self.environment | (more or {}), cwd=self.path, text=True, capture_output=True, timeout=60, **options)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def resolve(self, profile=None, more=None):
        """The key that botocore finds here: id, secret, session token and region."""
        with mock.patch.dict(os.environ, self.environment | (more or {}), clear=True):
            session = botocore.session.Session(profile=profile)
            found = session.get_credentials().get_frozen_credentials()
            return [found.access_key, found.secret_key, found.token, session.get_config_variable("region")]


def expected(case, region):
    return [case["id"], case["secret"], None, region or None]


def text(case, name):
    return case["texts"][name]["text"]


OLD = "[old]\naws_access_key_id = AKIAOLDOLDOLDOLDOLD1\naws_secret_access_key = oldoldoldold\n"


def csv_is_imported_by_the_aws_cli(case, folder):
    """In place of an older key of that name, and the rest of the file stays."""
    before = f"{OLD}[{case['profile']}]\naws_access_key_id = AKIAOLDOLDOLDOLDOLD2\naws_secret_access_key = oldoldoldold\n"
    home = Home(folder, before)
    (home.path / case["texts"]["csv"]["file"]).write_bytes(text(case, "csv").encode())
    bin_folder = home.path / "bin"
    bin_folder.mkdir()
    (bin_folder / "aws").symlink_to(AWS_V2)
    home.run(["sh", "-c", text(case, "import")], {"PATH": f"{bin_folder}:{os.environ['PATH']}"})
    assert not (home.path / case["texts"]["csv"]["file"]).exists(), "the file with the secret is left"
    assert home.resolve(case["profile"]) == expected(case, ""), home.credentials.read_text()
    assert home.resolve("old")[0] == "AKIAOLDOLDOLDOLDOLD1"
    [row] = csv.DictReader(io.StringIO(text(case, "csv")))
    assert row == {"User Name": case["profile"], "Access key ID": case["id"], "Secret access key": case["secret"]}


def profile_is_appended_to_any_file(case, folder):
    """Also to one whose last line does not end."""
    for before in ("", OLD, OLD.rstrip("\n")):
        home = Home(folder, before + text(case, "profile"))
        assert home.resolve(case["profile"]) == expected(case, case["region"])
        if before:
            assert home.resolve("old")[:2] == ["AKIAOLDOLDOLDOLDOLD1", "oldoldoldold"]


def profile_is_read_by_both_versions_of_the_aws_cli(case, folder):
    home = Home(folder, OLD.rstrip("\n") + text(case, "profile"))
    for aws in ([AWS_V2], AWS_V1):
        said = home.run([*aws, "configure", "get", "aws_secret_access_key", "--profile", case["profile"]])
        assert said.strip() == case["secret"], (aws, said)


def set_commands_are_taken_by_both_versions_of_the_aws_cli(case, folder):
    for aws in (AWS_V2, shutil.which("aws", path=str(Path(sys.executable).parent))):
        home = Home(folder, OLD)
        bin_folder = home.path / "bin"
        bin_folder.mkdir()
        (bin_folder / "aws").symlink_to(aws)
        home.run(["sh", "-e"], {"PATH": f"{bin_folder}:{os.environ['PATH']}"}, input=text(case, "set"))
        assert home.resolve(case["profile"]) == expected(case, case["region"]), home.credentials.read_text()


def shells_use_the_new_key_and_no_old_token(case, folder):
    program = f"{sys.executable} -c '{RESOLVE}'\n"
    shells = {"sh": "shell", "bash": "shell", "zsh": "shell", "fish": "fish"}
    if shutil.which("pwsh"):
        shells["pwsh"] = "powershell"
    for shell, name in shells.items():
        for stale in (STALE, {}):
            said = Home(folder).run([shell] if shell != "pwsh" else [shell, "-NoProfile", "-Command", "-"], stale, input=text(case, name) + program)
            assert json.loads(said) == expected(case, case["region"]), (shell, said)


def bash_keeps_none_of_it_in_its_history(case, folder):
    home = Home(folder)
    setup = f"HISTFILE={home.path}/history; HISTCONTROL=ignorespace; set -o history\n"
    home.run(["bash", "--norc"], input=f"{setup}{text(case, 'shell')}echo kept\nhistory -w\n")
    kept = (home.path / "history").read_text()
    assert "echo kept" in kept and case["secret"] not in kept, kept


def environment_file_is_read_as_docker_does(case, folder):
    # Docker takes what follows the first equals sign as it stands.
    pairs = dict(line.split("=", 1) for line in text(case, "env").splitlines())
    assert Home(folder).resolve(more=pairs) == expected(case, case["region"])


def credential_process_is_run_by_botocore(case, folder):
    home = Home(folder)
    (home.path / "key.json").write_text(text(case, "process"))
    home.config.write_text(f"[profile {case['profile']}]\ncredential_process = cat {home.path}/key.json\n")
    if case["profile"] == "default":
        home.config.write_text(f"[default]\ncredential_process = cat {home.path}/key.json\n")
    assert home.resolve(case["profile"])[:3] == [case["id"], case["secret"], None]


def smtp_credentials_are_those_of_the_sample_of_aws(case, folder):
    # https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html, "Python"
    def sign(key, msg):
        return hmac.new(key, msg.encode("utf-8"), hashlib.sha256).digest()

    signature = sign(("AWS4" + case["secret"]).encode("utf-8"), "11111111")
    for part in ("eu-central-1", "ses", "aws4_request", "SendRawEmail"):
        signature = sign(signature, part)
    password = base64.b64encode(bytes([0x04]) + signature).decode("utf-8")
    assert text(case, "smtp-password") == password
    settings = dict(line.split("=", 1) for line in text(case, "smtp").splitlines())
    assert settings == {
        "SMTP_HOST": "email-smtp.eu-central-1.amazonaws.com", "SMTP_PORT": "587", "SMTP_USERNAME": case["id"], "SMTP_PASSWORD": password,
    }


def calendar_entry_is_read(case, folder):
    [event] = icalendar.Calendar.from_ical(text(case, "calendar")).walk("VEVENT")
    assert event.decoded("dtstart") == datetime(2031, 1, 1, tzinfo=timezone.utc)
    assert str(event["summary"]) == f"AWS access key {case['id']} of {case['user']} expires"
    assert [alarm.decoded("trigger") for alarm in event.walk("VALARM")] == [timedelta(days=-7), timedelta(days=-1)]
    assert event.errors == []


# Starting a program takes its time: these see fewer cases.
SLOW = (csv_is_imported_by_the_aws_cli, profile_is_read_by_both_versions_of_the_aws_cli, set_commands_are_taken_by_both_versions_of_the_aws_cli,
        shells_use_the_new_key_and_no_old_token)
CHECKS = [
    csv_is_imported_by_the_aws_cli, profile_is_appended_to_any_file, profile_is_read_by_both_versions_of_the_aws_cli,
    set_commands_are_taken_by_both_versions_of_the_aws_cli, shells_use_the_new_key_and_no_old_token, bash_keeps_none_of_it_in_its_history,
    environment_file_is_read_as_docker_does, credential_process_is_run_by_botocore, smtp_credentials_are_those_of_the_sample_of_aws,
    calendar_entry_is_read,
]


def main():
    version = subprocess.run([AWS_V2, "--version"], text=True, capture_output=True, check=True).stdout
    assert version.startswith("aws-cli/2."), f"{AWS_V2} must be version 2, which has `configure import`: {version}"
    assert awscli.__version__.startswith("1."), awscli.__version__
    print(f"{version.split()[0]}, aws-cli/{awscli.__version__}, botocore {botocore.__version__}, "
          f"{subprocess.run(['fish', '--version'], text=True, capture_output=True, check=True).stdout.strip()}, "
          f"PowerShell {'yes' if shutil.which('pwsh') else 'not here'}")
    cases = json.loads(subprocess.run(["node", HERE / "formats.mjs"], text=True, capture_output=True, check=True).stdout)
    with tempfile.TemporaryDirectory(prefix="keyvend-formats-") as folder:
        for check in CHECKS:
            seen = cases[::5] if check in SLOW else cases
            for case in seen:
                try:
                    check(case, folder)
                except Exception:
                    print(f"not ok - {check.__name__}, IAM user {case['user']}", file=sys.stderr)
                    raise
            print(f"ok - {check.__name__} ({len(seen)} keys)")


if __name__ == "__main__":
    main()
