#!/usr/bin/env python3
"""Removes one guard at a time and expects the tests to fail: `make mutants`, or `run.py NAME...` for some of them.

The first line of each patch says what it breaks, the second which tests must then fail. Patches are applied to a clone of
HEAD, under target/mutations. Tests that also fail without the patch prove nothing, so they run unpatched first. A patch that
does not apply or does not build is a failure.

`run.py --check [NAME...]` only verifies that the patches apply to HEAD. It builds nothing and takes seconds. It prints each
patch that does not apply with the reason, and exits with status 1 if there is one.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCHES = ROOT / "tests" / "mutations"
CLONE = ROOT / "target" / "mutations"
# Separate from target: Cargo cannot tell two checkouts of one package apart in a shared target folder and considers the last
# build of either to be fresh, so a later `cargo test` here could run a mutant.
BUILD = ROOT / "target" / "mutations-build"


def run(*command, **options):
    return subprocess.run(command, cwd=CLONE, text=True, capture_output=True, check=False, **options)


def clone():
    if not (CLONE / ".git").exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, CLONE], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True, capture_output=True, check=True)
    for step in (["fetch", "--quiet", "origin"], ["checkout", "--quiet", "--force", commit.stdout.strip()]):
        subprocess.run(["git", *step], cwd=CLONE, check=True)


def tests(patch):
    """The second line: targets, then filters."""
    words = patch.read_text(encoding="utf-8").splitlines()[1].removeprefix("test: ").split()
    options = [word for at, word in enumerate(words) if word.startswith("--") or words[at - 1] == "--test"]
    return options, [word for word in words if word not in options]


def outcome(options, filters):
    """`green`, `red`, or `broken` where nothing was built or run."""
    command = ["cargo", "test", "--locked", "--no-fail-fast", *options, "--", *filters]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILD), "RUST_BACKTRACE": "0"}
    done = run(*command, env=environment)
    said = done.stdout + done.stderr
    if "could not compile" in said:
        return "broken", said
    ran = sum(int(line.split()[3]) + int(line.split()[5]) for line in said.splitlines() if line.startswith("test result:"))
    if ran == 0:
        return "broken", said
    return ("green" if done.returncode == 0 else "red"), said


def named(names):
    """The patches of these names, or all of them."""
    patches = sorted(PATCHES.glob("*.patch"))
    unknown = set(names) - {patch.stem for patch in patches}
    if unknown or not patches:
        sys.exit(f"no such patch: {', '.join(sorted(unknown))}" if unknown else "no patches")
    return [patch for patch in patches if not names or patch.stem in names]


def check(names):
    clone()
    patches, failed = named(names), 0
    for patch in patches:
        applied = run("git", "apply", "--recount", "--check", str(patch))
        if applied.returncode != 0:
            print(f"{patch.stem}: does not apply: {applied.stderr.strip()}")
            failed += 1
    print(f"{len(patches) - failed} of {len(patches)} apply")
    if failed:
        sys.exit(1)


def main(names):
    clone()
    patches = named(names)
    failed, seen = [], {}
    for patch in patches:
        sentence = patch.read_text(encoding="utf-8").splitlines()[0]
        options, filters = tests(patch)
        print(f"{patch.stem}: {sentence}", flush=True)
        key = (*options, *filters)
        if key not in seen:
            seen[key] = outcome(options, filters)[0]
        if seen[key] != "green":
            print(f"  the tests are {seen[key]} without the patch")
            failed.append(patch.stem)
            continue
        applied = run("git", "apply", "--recount", str(patch))
        if applied.returncode != 0:
            print(f"  does not apply: {applied.stderr.strip()}")
            failed.append(patch.stem)
            continue
        result, said = outcome(options, filters)
        run("git", "checkout", "--quiet", "--force", ".")
        if result == "red":
            caught = [line.split()[1] for line in said.splitlines() if line.startswith("test ") and line.endswith("FAILED")]
            print(f"  caught by {', '.join(caught[:3]) or 'a test that ended its run'}")
        else:
            print("  NOT NOTICED" if result == "green" else f"  does not build:\n{said[-2000:]}")
            failed.append(patch.stem)
    print(f"{len(patches) - len(failed)} of {len(patches)} noticed")
    if failed:
        sys.exit(f"not noticed, or not tried: {', '.join(failed)}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--check" in arguments:
        check([argument for argument in arguments if argument != "--check"])
    else:
        main(arguments)
