"""A share of a processor, as Lambda gives it by memory: 1,769 MB are one
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). Linux control groups, version 1 or 2; needs root.
"""

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MB_PER_PROCESSOR = 1769
PERIOD_US = 20_000


class Throttle:
    """A control group with what a function of this memory gets. A process is put into it once its start is over."""

    def __init__(self, memory_mb):
        quota = round(PERIOD_US * memory_mb / MB_PER_PROCESSOR)
        name = f"keyvend-bench-{os.getpid()}-{memory_mb}"
        if (ROOT / "cpu").is_dir():
            self.group = ROOT / "cpu" / name
            self.group.mkdir()
            (self.group / "cpu.cfs_period_us").write_text(f"{PERIOD_US}", encoding="ascii")
            (self.group / "cpu.cfs_quota_us").write_text(f"{quota}", encoding="ascii")
        else:
            (ROOT / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
            self.group = ROOT / name
            self.group.mkdir()
            (self.group / "cpu.max").write_text(f"{quota} {PERIOD_US}", encoding="ascii")

    def take(self, pid):
        """Throttles a process from now on."""
        (self.group / "cgroup.procs").write_text(f"{pid}", encoding="ascii")

    def end(self):
        """Removes the group; its processes have ended."""
        self.group.rmdir()
