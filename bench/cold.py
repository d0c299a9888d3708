"""Measures the first answer of a function whose start is over, as Lambda would run it; writes that section of docs/numbers.md.

    python3 bench/cold.py [--built FOLDER] [--runs N] [--out FILE]

A start has a whole processor, an invocation only its share by memory; every service has its own name and connection, a round trip
away; and the first event comes some time after the start. Needs root (a mount namespace and a control group) and openssl.
"""

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from pathlib import Path

import events
import network
import numbers_page
from aws import Aws, certificates
from runtime_api import Function, WrongAnswer
from throttle import Throttle

ROOT = Path(__file__).resolve().parent.parent
ROUND_TRIPS = (0.002, 0.010)
MEMORIES = (128, 256, 512, 1024)
# Between the end of a start and the first event, in seconds.
IDLE = 0.2
WARM_ANSWERS = 10
# US East (N. Virginia), x86, as published on https://aws.amazon.com/lambda/pricing/ in 2025, in US dollars.
PER_REQUEST, PER_GB_SECOND = 0.20 / 1e6, 0.0000166667


def measure(case, environment, throttle, log):
    """One start: how long it took, the first answer and the median of those that follow, in seconds."""
    function = Function(str(case["bootstrap"]), environment, log)
    try:
        started = function.wait() - function.started
        throttle.take(function.pid)
        time.sleep(IDLE)
        took = []
        for _ in range(1 + WARM_ANSWERS):
            answer, sent, answered = function.invoke(case["event"])
            if case["expected"] not in json.dumps(answer) or function.said():
                raise WrongAnswer(f"{case['function']} ({case['name']}) answered {answer}; {function.said()}")
            took.append(answered - sent)
        return started, took[0], statistics.median(took[1:])
    finally:
        function.end()


def cases(built, aws, environment, log):
    """What is measured; the worker's message is the one that `slack` queues here."""
    slack_command = events.slash_command("whoami", "https://hooks.slack.com")
    function = Function(str(Path(built, "Slack", "bootstrap")), environment, log)
    function.invoke(slack_command)
    function.end()
    message = events.queued(aws.queued.read_text(encoding="utf-8"))
    rows = [
        ("slack", "`whoami`, queued", slack_command, '"statusCode": 200'),
        ("reveal", "page, no AWS call", events.page(), "<!doctype html>"),
        ("reveal", "claim", events.claim(), '"statusCode": 202'),
        ("worker", "`whoami`", message, '{"batchItemFailures": []}'),
    ]
    return [
        {"function": function, "name": name, "event": event, "expected": expected,
         "bootstrap": Path(built, function.capitalize(), "bootstrap")}
        for function, name, event, expected in rows
    ]


def cost(memory_mb, seconds):
    """US dollars for 1,000 requests that take this long; billed by the millisecond, rounded up."""
    return 1000 * (PER_REQUEST + memory_mb / 1024 * math.ceil(seconds * 1000) / 1000 * PER_GB_SECOND)


def row(case, memory, round_trip, runs):
    """A row of the table: medians over the runs, in milliseconds."""
    started, first, warm = (statistics.median(values) for values in zip(*runs, strict=True))
    goal = warm + round_trip
    verdict = "kept" if first <= goal else f"**missed** by {100 * (first / goal - 1):.0f} %"
    return [case["function"], case["name"], f"{memory}", f"{round_trip * 1e3:.0f}", f"{started * 1e3:.1f}",
            f"{first * 1e3:.1f}", f"{warm * 1e3:.1f}", verdict, f"{cost(memory, warm):.5f}"]


def main():
    """Runs all, writes the section, prints it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--built", default=ROOT / ".aws-sam/build")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--out", help="write the table there, and leave docs/numbers.md as it is")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="keyvend-cold-") as folder:
        network.take_names(folder)
        trusted = certificates(folder, network.HOSTS)
        aws = Aws(folder)
        environment = events.environment(None, trusted, ROOT / "policies")
        log = os.path.join(folder, "log")
        try:
            for round_trip in ROUND_TRIPS:
                relay = network.Relay(aws.address, round_trip)
                for case in cases(arguments.built, aws, environment, log):
                    for memory in MEMORIES:
                        throttle = Throttle(memory)
                        try:
                            runs = []
                            for _ in range(arguments.runs):
                                runs.append(measure(case, environment, throttle, log))
                                aws.busy()
                        finally:
                            throttle.end()
                        rows.append(row(case, memory, round_trip, runs))
                        print(" | ".join(rows[-1]), flush=True)
                relay.end()
        finally:
            aws.end()
    head = ["function", "first event", "MB", "ms per round trip", "ms start", "ms first answer", "ms warm answer",
            "first within warm and a round trip", "US $ per 1,000"]
    table = numbers_page.table(head, rows)
    if arguments.out:
        Path(arguments.out).write_text(table, encoding="utf-8")
    else:
        numbers_page.write("cold", table)


if __name__ == "__main__":
    main()
