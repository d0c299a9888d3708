"""The tables of docs/numbers.md that bench/run.py fills: measured numbers beside their budgets."""

import gzip
import statistics

from numbers_page import table

MB = 1_000_000
# Budgets: start as a multiple of the empty function's, size and memory in MB.
BUDGETS = {"slack": (2.5, 3.5, 7), "reveal": (2.5, 3.5, 7), "worker": (6, 11.2, 14)}
WARM_BUDGET = 1.25


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
