"""The summary in README.md of docs/numbers.md: how many budgets are met, and the numbers that an operator asks for first.

    python3 bench/readme.py            writes it, and bench/notes.md into docs/numbers.md
    python3 bench/readme.py --check    fails if either differs
"""

import difflib
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README, NUMBERS, NOTES = ROOT / "README.md", ROOT / "docs/numbers.md", ROOT / "bench/notes.md"
BEGIN, END = "<!-- numbers: written by bench/readme.py -->\n", "<!-- end of numbers -->"

# A section of docs/numbers.md; in it the columns of the budget and the verdict; the word for it in the notes.
BUDGETED = [
    ("From start to first answer", 6, 7, "Start"),
    ("Warm answers", 5, 6, "Warm answers"),
    ("Size and memory", 3, 4, "Size"),
    ("Size and memory", 6, 7, "Memory"),
]
# What is summarized of each function: a section, the column of the value, and how it is introduced.
SUMMARIZED = [
    ("From start to first answer", 2, "start to first answer in milliseconds"),
    ("Size and memory", 2, "binary in MB"),
    ("Size and memory", 5, "peak memory in MB"),
]
FUNCTIONS = ("slack", "reveal", "worker")


def rows(numbers, section):
    """The cells of a section's table, without its head."""
    text = numbers.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def causes(notes):
    """Why budgets are missed: the first sentence that the notes have for each "what of which functions"."""
    found = {}
    bullet = r"^- \*([A-Z][\w ]*) of (`.+?`)\*: (.+?)\n(?! )"
    for what, functions, text in re.findall(bullet, notes, re.MULTILINE | re.DOTALL):
        sentence = re.split(r"\.(?:\s|$)", " ".join(text.split()))[0]
        found |= {(what, function): sentence for function in re.findall(r"`(\w+)`", functions)}
    return found


def budgets(numbers, notes):
    """How many budgets are met, and how many there are. A miss without a cause is an error."""
    why, met, total = causes(notes), 0, 0
    for section, budget, verdict, word in BUDGETED:
        counted = [row for row in rows(numbers, section) if row[budget]]
        if not counted:
            raise SystemExit(f'docs/numbers.md, "{section}": no budget where one is expected')
        for row in counted:
            total += 1
            met += row[verdict] == "kept"
            if row[verdict] != "kept" and (word, row[0]) not in why:
                raise SystemExit(f'bench/notes.md has no cause "*{word} of `{row[0]}`*", and that budget is missed')
    return met, total


def summary(numbers, notes):
    """The paragraph in README.md."""
    met, total = budgets(numbers, notes)
    parts = []
    for section, column, name in SUMMARIZED:
        # The first row of a function is the event that its budget is for.
        values = {row[0]: row[column].split(" ")[0] for row in reversed(rows(numbers, section))}
        parts.append(f"{name} {', '.join(values[function] for function in FUNCTIONS)}")
    functions = ", ".join(f"`{function}`" for function in FUNCTIONS)
    text = (f"Measured on loopback for {functions}: {'; '.join(parts)}. {met} of {total} budgets are met; "
            "[docs/numbers.md](docs/numbers.md) has the budgets, how they are measured and why some are missed.")
    return f"\n{textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)}\n\n"


def expected():
    """What README.md and docs/numbers.md have to be, by file."""
    numbers, notes, readme = (file.read_text(encoding="utf-8") for file in (NUMBERS, NOTES, README))
    heading = notes.split("\n", 1)[0]
    measured, found, _ = numbers.partition(f"\n{heading}\n")
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (found and begin and end):
        raise SystemExit(f"docs/numbers.md lacks {heading!r}, or README.md one of {BEGIN.strip()} {END}")
    return {NUMBERS: f"{measured}\n{notes}", README: before + BEGIN + summary(numbers, notes) + END + after}


def write():
    """Writes both."""
    for file, text in expected().items():
        file.write_text(text, encoding="utf-8")


def check():
    """Fails with the differences, if there are any."""
    different = []
    for file, text in expected().items():
        name, old = str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
        different += difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, f"{name}, expected")
    if different:
        raise SystemExit("".join(different) + "to write it: python3 bench/readme.py")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    elif sys.argv[1:]:
        raise SystemExit(__doc__)
    else:
        write()
