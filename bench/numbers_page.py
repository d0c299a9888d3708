"""docs/numbers.md: hand-written text around parts that the benchmarks replace, each between two marks."""

import os
import platform
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ROOT / "docs/numbers.md"


def table(head, rows):
    """A Markdown table; all but the first two columns are right-aligned."""
    ruler = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ruler, *rows]) + "\n"


def _marks(part):
    return f"<!-- {part}: written by bench/ -->\n", f"<!-- end of {part} -->"


def read(part):
    """What a part holds."""
    begin, end = _marks(part)
    text = NUMBERS.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise SystemExit(f"docs/numbers.md lacks {begin.strip()} or {end}")
    return text.split(begin, 1)[1].split(end, 1)[0]


def write(part, content):
    """Replaces a part, and says what was measured where."""
    begin, end = _marks(part)
    old = read(part)
    text = NUMBERS.read_text(encoding="utf-8")
    new = f"\n{stamp()}\n\n{content}\n"
    NUMBERS.write_text(text.replace(begin + old + end, begin + new + end), encoding="utf-8")


def rows(part):
    """The cells of a part's table, without its head."""
    lines = [line for line in read(part).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def stamp():
    """When, of which commit and on what machine."""
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    changed = " with changes" if git("status", "--porcelain", "src", "Cargo.toml") else ""
    models = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
              if line.startswith("model name")]
    machine = models[0] if models else platform.machine()
    return (f"{time.strftime('%Y-%m-%d')}, commit {git('rev-parse', '--short', 'HEAD')}{changed}, {machine}, "
            f"{os.cpu_count()} cores, Linux {platform.release()}.")
