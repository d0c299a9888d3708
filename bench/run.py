"""Measures the functions that `sam build` made against one that does nothing; fills its tables in docs/numbers.md, and the summary in README.md.

    python3 bench/run.py [--empty FILE] [--built FOLDER] [--starts N] [--rounds N] [--print]

Needs Linux, Python 3.10 or later, and the `openssl` command. Every process it starts it ends.
"""

import argparse
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import events
import numbers_page
import readme
import report
from aws import Aws, certificates
from runtime_api import Function, WrongAnswer

ROOT = Path(__file__).resolve().parent.parent
# Invocations of one function before the next one's turn.
TURN = 50


@dataclass
class Case:
    """One function with one event. Times in seconds, a list over the runs; memory and sizes in bytes."""

    function: str
    event: str
    bootstrap: Path
    payload: bytes
    expected: str
    starts: list = field(default_factory=list)
    start_cpu: list = field(default_factory=list)
    warm: list = field(default_factory=list)
    warm_aside: list = field(default_factory=list)
    memory: int = 0

    def start(self, environment, log):
        """Starts the function and gives it its first event."""
        function = Function(str(self.bootstrap), environment, log)
        try:
            answer, _, answered = function.invoke(self.payload)
            self.check(answer, function)
            return function, answered - function.started
        except BaseException:
            function.end()
            raise

    def check(self, answer, function):
        """A number counts only where the answer is right and nothing went wrong on the way."""
        if self.expected not in json.dumps(answer) or function.said():
            raise WrongAnswer(f"{self.function} ({self.event}) answered {answer}; {function.said()}")


def cases(arguments, aws, environment, log):
    """What is measured. The worker's message is the one that `slack` queues here, now."""
    built = lambda name: Path(arguments.built, name, "bootstrap")
    checking = '"statusCode": 200'
    command = events.slash_command("whoami", aws.url)
    slack = Case("slack", "`whoami`, queued", built("Slack"), command, checking)
    function, _ = slack.start(environment, log)
    function.end()
    message = events.queued(aws.queued.read_text(encoding="utf-8"))
    return [
        Case("empty", "any", Path(arguments.empty), command, "{}"),
        slack,
        Case("slack", "a typing error, no AWS call", built("Slack"), events.slash_command("whoam", aws.url), checking),
        Case("reveal", "claim", built("Reveal"), events.claim(), '"statusCode": 202'),
        Case("reveal", "page, no AWS call", built("Reveal"), events.page(), "<!doctype html>"),
        Case("worker", "`whoami`", built("Worker"), message, '{"batchItemFailures": []}'),
    ]


def measure_starts(all_cases, environment, aws, log, runs):
    """Starts every function in turn, so that whatever the machine does meanwhile it does to all of them."""
    for run in range(-2, runs):
        for case in all_cases:
            function, took = case.start(environment, log)
            case.memory = max(case.memory, function.most_memory())
            cpu = function.end()
            aws.busy()
            if run >= 0:
                case.starts.append(took)
                case.start_cpu.append(cpu)


def measure_warm(all_cases, environment, aws, log, rounds):
    """Keeps every function running and gives them turns."""
    running = []
    try:
        for number, case in enumerate(all_cases):
            running.append((case, case.start(environment, f"{log}.{number}")[0]))
        for turn in range(-1, rounds):
            for case, function in running:
                aws.busy()
                total, aside = 0.0, []
                for _ in range(TURN):
                    answer, sent, answered = function.invoke(case.payload)
                    aside.append(answered - sent - aws.busy())
                    total += answered - sent
                    case.check(answer, function)
                    if turn >= 0:
                        case.warm.append(answered - sent)
                        case.warm_aside.append(aside[-1])
                case.memory = max(case.memory, function.most_memory())
    finally:
        for _, function in running:
            function.end()


def main():
    """Runs all, prints the tables and writes them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--empty", default=ROOT / "target/lambda/empty/bootstrap")
    parser.add_argument("--built", default=ROOT / ".aws-sam/build")
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--print", action="store_true", help="print the tables, and leave the documents as they are")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keyvend-bench-") as folder:
        trusted = certificates(folder)
        aws = Aws(folder)
        try:
            environment = events.environment(aws.url, trusted, ROOT / "policies")
            log = os.path.join(folder, "log")
            measured = cases(arguments, aws, environment, log)
            measure_starts(measured, environment, aws, log, arguments.starts)
            measure_warm(measured, environment, aws, log, arguments.rounds)
        finally:
            aws.end()
    tables = {"starts": report.starts(measured), "warm": report.warm(measured), "sizes": report.sizes(measured)}
    for part, table in tables.items():
        print(table)
        if not arguments.print:
            numbers_page.write(part, table)
    if not arguments.print:
        readme.write()


if __name__ == "__main__":
    main()
