"""Measures `slack` beside Slack's own framework, Bolt for Python and for JavaScript; fills that table of docs/numbers.md.

    python3 bench/peers.py [--built FOLDER] [--starts N] [--rounds N] [--print]

Installs Bolt with pip and npm into target/peers. Needs Python 3.10 or later with venv, Node, npm and openssl.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import events
import numbers_page
import readme
from aws import Aws, certificates
from runtime_api import Function, WrongAnswer

ROOT = Path(__file__).resolve().parent.parent
HERE, INSTALLED = ROOT / "bench/peers", ROOT / "target/peers"
BOLT_PYTHON, BOLT_JS = "1.30.0", "5.1.0"
TURN = 50
# How many times as long a peer has to take, from start and warm.
GOALS = (80, 5)


def install():
    """Bolt, each in its folder."""
    python, javascript = INSTALLED / f"python-{BOLT_PYTHON}", INSTALLED / f"js-{BOLT_JS}"
    if not (python / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", python], check=True)
        # Its adapter for Lambda imports boto3.
        subprocess.run([python / "bin/pip", "install", "--quiet", f"slack_bolt=={BOLT_PYTHON}", "boto3"], check=True)
        (python / "complete").touch()
    if not (javascript / "complete").exists():
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", javascript, f"@slack/bolt@{BOLT_JS}"], check=True)
        (javascript / "complete").touch()
    return python / "bin/python", javascript / "node_modules"


class Peer:
    """One program, and its times in seconds, a list over the runs."""

    def __init__(self, name, program, arguments=(), environment=None):
        self.name, self.program, self.arguments = name, str(program), [str(argument) for argument in arguments]
        self.environment = environment or {}
        self.starts, self.cpu, self.warm = [], [], []

    def start(self, environment, log, event):
        """Starts it and gives it its first event."""
        function = Function(self.program, {**environment, **self.environment}, log, self.arguments)
        try:
            answer, _, answered = function.invoke(event)
            self.check(answer, function)
            return function, answered - function.started
        except BaseException:
            function.end()
            raise

    def check(self, answer, function):
        """A number counts only where the answer is right."""
        if '"statusCode": 200' not in json.dumps(answer):
            raise WrongAnswer(f"{self.name} answered {answer}; {function.said()}")


def measure(peers, environment, aws, log, starts, rounds):
    """Starts all in turn, then keeps them running and gives them turns."""
    event = events.slash_command("whoam", aws.url)
    for run in range(-2, starts):
        for peer in peers:
            function, took = peer.start(environment, log, event)
            cpu = function.end()
            if run >= 0:
                peer.starts.append(took)
                peer.cpu.append(cpu)
    running = [(peer, peer.start(environment, f"{log}.{number}", event)[0]) for number, peer in enumerate(peers)]
    try:
        for turn in range(-1, rounds):
            for peer, function in running:
                for _ in range(TURN):
                    answer, sent, answered = function.invoke(event)
                    peer.check(answer, function)
                    if turn >= 0:
                        peer.warm.append(answered - sent)
    finally:
        for _, function in running:
            function.end()


def table(peers):
    """Medians, and how many times as long as `slack` each takes."""
    ours = peers[0]
    rows = []
    for peer in peers:
        row = [peer.name, "a typing error"]
        for own, base, unit, goal in (
            (peer.starts, ours.starts, 1e3, GOALS[0]), (peer.cpu, ours.cpu, 1e3, None), (peer.warm, ours.warm, 1e3, GOALS[1]),
        ):
            times = statistics.median(a / b for a, b in zip(own, base, strict=True))
            verdict = "" if peer is ours or goal is None else " kept" if times >= goal else " **missed**"
            row += [f"{statistics.median(own) * unit:.2f}", f"{times:.1f}{verdict}"]
        rows.append(row)
    head = ["program", "event", "ms to first answer", f"x slack (at least {GOALS[0]})", "ms of CPU", "x slack", "ms warm",
            f"x slack (at least {GOALS[1]})"]
    return numbers_page.table(head, rows)


def main():
    """Runs all, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--built", default=ROOT / ".aws-sam/build")
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--print", action="store_true", help="print the table, and leave the documents as they are")
    arguments = parser.parse_args()
    python, modules = install()
    node = shutil.which("node")
    bolt = {"SLACK_SIGNING_SECRET": events.SIGNING_SECRET, "PATH": os.environ["PATH"]}
    peers = [
        Peer("slack", Path(arguments.built, "Slack", "bootstrap")),
        Peer(f"Bolt for Python {BOLT_PYTHON}", python, [HERE / "bolt_python.py"], bolt),
        Peer(f"Bolt for JavaScript {BOLT_JS}", node, [HERE / "bolt_js.cjs"], {**bolt, "NODE_PATH": str(modules)}),
    ]
    with tempfile.TemporaryDirectory(prefix="keyvend-peers-") as folder:
        trusted = certificates(folder)
        aws = Aws(folder)
        try:
            environment = events.environment(aws.url, trusted, ROOT / "policies")
            measure(peers, environment, aws, os.path.join(folder, "log"), arguments.starts, arguments.rounds)
        finally:
            aws.end()
    page = table(peers)
    print(page, end="")
    if not arguments.print:
        numbers_page.write("peers", page)
        readme.write()


if __name__ == "__main__":
    main()
