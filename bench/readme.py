"""The summary in README.md of docs/numbers.md. Also checks that each missed budget has its cause there.

    python3 bench/readme.py            writes it
    python3 bench/readme.py --check    fails if it differs
"""

import difflib
import re
import sys
import textwrap
from pathlib import Path

from numbers_page import NUMBERS, rows

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- numbers: written by bench/readme.py -->\n", "<!-- end of numbers -->"

# A table of docs/numbers.md; in it the columns of the budget and the verdict; the word for it in the text about misses.
BUDGETED = [("starts", 6, 7, "Start"), ("warm", 5, 6, "Warm answers"), ("sizes", 3, 4, "Size"), ("sizes", 6, 7, "Memory")]
# Columns of the table of sizes.
SIZE, MEMORY = 2, 5
FUNCTIONS = ("slack", "reveal", "worker")


def causes():
    """Why budgets are missed: the first sentence that docs/numbers.md has for each "what of which functions"."""
    found = {}
    bullet = r"^- \*([A-Z][\w ]*) of (`.+?`)\*: (.+?)\n(?! )"
    for what, functions, text in re.findall(bullet, NUMBERS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        sentence = re.split(r"\.(?:\s|$)", " ".join(text.split()))[0]
        found |= {(what, function): sentence for function in re.findall(r"`(\w+)`", functions)}
    return found


def budgets():
    """Fails where a budget is missed and docs/numbers.md has no cause for it."""
    why = causes()
    for part, budget, verdict, word in BUDGETED:
        counted = [row for row in rows(part) if row[budget]]
        if not counted:
            raise SystemExit(f'docs/numbers.md, "{part}": no budget where one is expected')
        for row in counted:
            if row[verdict] != "kept" and (word, row[0]) not in why:
                raise SystemExit(f'docs/numbers.md has no cause "*{word} of `{row[0]}`*", and that budget is missed')


def summary():
    """The paragraph in README.md."""
    budgets()
    ours, *others = [(row[0], row[2], row[6]) for row in rows("peers")]
    beside = "; ".join(f"{name} takes {start} ms and {warm} ms" for name, start, warm in others)
    sizes = {row[0]: row for row in rows("sizes")}
    of_all = lambda column: ", ".join(sizes[function][column] for function in FUNCTIONS)
    functions = ", ".join(f"`{function}`" for function in FUNCTIONS)
    text = (f"Measured on loopback: `slack` answers {ours[1]} ms after its process was started, and then in {ours[2]} ms; {beside}. "
            f"{functions} have {of_all(SIZE)} MB and use at most {of_all(MEMORY)} MB of memory. "
            "[docs/numbers.md](docs/numbers.md) says how this is measured, what calls cost, and which budgets are missed and why.")
    return f"\n{textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)}\n\n"


def expected():
    """What README.md has to be."""
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"README.md lacks one of {BEGIN.strip()} {END}")
    return before + BEGIN + summary() + END + after


def write():
    """Writes it."""
    README.write_text(expected(), encoding="utf-8")


def check():
    """Fails with the differences, if there are any."""
    old, new = README.read_text(encoding="utf-8"), expected()
    if old != new:
        different = difflib.unified_diff(old.splitlines(True), new.splitlines(True), "README.md", "README.md, expected")
        raise SystemExit("".join(different) + "to write it: python3 bench/readme.py")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    elif sys.argv[1:]:
        raise SystemExit(__doc__)
    else:
        write()
