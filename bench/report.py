"""Renders docs/numbers.md: measured numbers beside their budgets."""

import gzip
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

MB = 1_000_000
# Budgets: start as a multiple of the empty function's, size and memory in MB.
BUDGETS = {"slack": (3, 5, 10), "reveal": (3, 5, 10), "worker": (6, 12, 20)}
WARM_BUDGET = 1.2


def verdict(value, budget):
    """Says whether a value is within its budget."""
    return "kept" if value <= budget else f"**missed** by {100 * (value / budget - 1):.0f} %"


def spread(values, unit):
    """Median, and the middle 90 % of what was seen."""
    scaled = sorted(value * unit for value in values)
    low, high = scaled[len(scaled) // 20], scaled[-1 - len(scaled) // 20]
    return f"{statistics.median(scaled):.2f} ({low:.2f} to {high:.2f})"


def ratio(values, empty):
    """The median of the ratios within a round."""
    return statistics.median(value / base for value, base in zip(values, empty, strict=True))


def table(head, rows):
    """A Markdown table; all but the first two columns are right-aligned."""
    ruler = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ruler, *rows]) + "\n"


def starts(cases):
    """From process start to first response."""
    empty = cases[0]
    rows = []
    for case in cases:
        times = ratio(case.starts, empty.starts)
        budget = BUDGETS.get(case.function)
        counts = budget and "no AWS call" not in case.event
        rows.append([
            case.function, case.event, spread(case.starts, 1e3), f"{times:.2f}",
            f"{statistics.median(case.start_cpu) * 1e3:.2f}", f"{ratio(case.start_cpu, empty.start_cpu):.2f}",
            f"{budget[0]}" if counts else "", verdict(times, budget[0]) if counts else "",
        ])
    return table(["function", "first event", "ms to first answer", "x empty", "ms of CPU", "x empty", "budget", ""], rows)


def warm(cases):
    """Warm answers of a running process."""
    empty = cases[0]
    rows = []
    for case in cases:
        times = ratio(case.warm_aside, empty.warm_aside)
        counts = case.function == "slack" and "no AWS call" in case.event
        rows.append([
            case.function, case.event, spread(case.warm, 1e6), spread(case.warm_aside, 1e6), f"{times:.2f}",
            f"{WARM_BUDGET}" if counts else "", verdict(times, WARM_BUDGET) if counts else "",
        ])
    return table(["function", "event", "µs", "µs less AWS's own", "x empty", "budget", ""], rows)


def sizes(cases):
    """Binary size and peak memory."""
    rows = []
    for name in ["empty", *BUDGETS]:
        mine = [case for case in cases if case.function == name]
        binary = mine[0].bootstrap.read_bytes()
        if b"\0.symtab\0" in binary:
            raise SystemExit(f"{mine[0].bootstrap} is not stripped")
        size, memory = len(binary) / MB, max(case.memory for case in mine) / MB
        row = [name, f"{len(gzip.compress(binary, 9)) / MB:.2f}", f"{size:.2f}", "", "", f"{memory:.2f}", "", ""]
        if name in BUDGETS:
            _, most_size, most_memory = BUDGETS[name]
            row[3:5] = f"{most_size}", verdict(size, most_size)
            row[6:8] = f"{most_memory}", verdict(memory, most_memory)
        rows.append(row)
    head = ["function", "MB gzipped", "MB stripped", "budget", "", "MB resident at most", "budget", ""]
    return table(head, rows)


def machine():
    """The machine that the benchmark ran on."""
    models = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
              if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def commit(root):
    """The commit that was built."""
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "src", "Cargo.toml") else "")


def page(cases, roots, load, root):
    """The complete page."""
    return f"""# Numbers

Made by `make bench`; do not edit. {time.strftime("%Y-%m-%d")}, commit {commit(root)}, {machine()}; load at the start {load:.1f}.
To repeat: `make bench`, which runs `sam build` first (needs sam, cargo-lambda, Python 3.10 and openssl; less than 3 minutes after the build).

The `bootstrap` files that `sam build` produced run as processes of their own, driven by a Lambda Runtime API on loopback. AWS
and Slack are simulated by a process on loopback that answers at once, over https with a P-256 certificate. The trust store is
the machine's own bundle plus that certificate's authority, {roots} roots, because reading it is part of a start. `empty` is a
function from the same build that answers `{{}}`. The functions take turns; "x empty" is the median of the ratios within a round,
and the 5th and 95th percentiles are in parentheses. {len(cases[0].starts)} starts and {len(cases[0].warm)} warm answers each; every
answer is checked.

## From start to first answer

From process start to first response: loading, configuration, TLS set-up and all calls. The budget applies to the time, which
also depends on what else the machine does; the CPU time depends on it much less.

{starts(cases)}
## Warm answers

"AWS's own" is the time between a request's arrival at the simulated service and its answer; the function's own work for the
call (signing, TLS, the SDK) is not subtracted. A command that is queued makes one call, a claim three,
the worker's `whoami` two to DynamoDB and four to Slack.

{warm(cases)}
## Size and memory

Memory is the highest VmHWM over all runs, including the pages of the binary that were touched.

{sizes(cases)}
{Path(root, "bench/notes.md").read_text(encoding="utf-8")}"""
