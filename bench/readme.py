"""The table in README.md: every number of docs/numbers.md that has a budget, and why a budget is missed.

    python3 bench/readme.py            writes it, and bench/notes.md into docs/numbers.md
    python3 bench/readme.py --check    fails where either says something else
"""

import difflib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README, NUMBERS, NOTES = ROOT / "README.md", ROOT / "docs/numbers.md", ROOT / "bench/notes.md"
BEGIN, END = "<!-- numbers: written by bench/readme.py -->\n", "<!-- end of numbers -->"
HEAD = "\n| function | what | measured | budget | | why |\n|---|---|---:|---:|---|---|\n"

# A section of docs/numbers.md, in it the columns of the value, the budget and the verdict; what it is; the notes' word for it.
MEASURED = [
    ("From start to first answer", 3, 6, 7, "start to first answer, x an empty function's", "Start"),
    ("Warm answers", 4, 5, 6, "warm answer, AWS aside, x an empty function's", "Warm answers"),
    ("Size and memory", 2, 3, 4, "binary, stripped, MB", "Size"),
    ("Size and memory", 5, 6, 7, "resident at most, MB", "Memory"),
]


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


def table(numbers, notes):
    """The table. A miss without a cause is an error."""
    why = causes(notes)
    lines = []
    for section, value, budget, verdict, what, word in MEASURED:
        counted = [row for row in rows(numbers, section) if row[budget]]
        if not counted:
            raise SystemExit(f'docs/numbers.md, "{section}": no budget where one is expected')
        for row in counted:
            cause = ""
            if row[verdict] != "kept":
                cause = why.get((word, row[0]))
                if cause is None:
                    raise SystemExit(f'bench/notes.md has no cause "*{word} of `{row[0]}`*", and that budget is missed')
            lines.append(f"| {row[0]} | {what} | {row[value]} | {row[budget]} | {row[verdict]} | {cause} |\n")
    return HEAD + "".join(lines) + "\n"


def wanted():
    """What README.md and docs/numbers.md are to be, by file."""
    numbers, notes, readme = (file.read_text(encoding="utf-8") for file in (NUMBERS, NOTES, README))
    heading = notes.split("\n", 1)[0]
    measured, found, _ = numbers.partition(f"\n{heading}\n")
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (found and begin and end):
        raise SystemExit(f"docs/numbers.md lacks {heading!r}, or README.md one of {BEGIN.strip()} {END}")
    return {NUMBERS: f"{measured}\n{notes}", README: before + BEGIN + table(numbers, notes) + END + after}


def write():
    """Writes both."""
    for file, text in wanted().items():
        file.write_text(text, encoding="utf-8")


def check():
    """Ends with what is different, if anything is."""
    different = []
    for file, text in wanted().items():
        name, old = str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
        different += difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, f"{name}, as it should be")
    if different:
        raise SystemExit("".join(different) + "to write it: python3 bench/readme.py")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    elif sys.argv[1:]:
        raise SystemExit(__doc__)
    else:
        write()
