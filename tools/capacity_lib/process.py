"""What /proc tells about a server's process on this machine."""

import os
import re

from .failure import Failure
from .machine import read

TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """A process by its id. Every reading is None (or empty) once it is gone."""

    def __init__(self, pid):
        if not os.path.isdir("/proc/%d" % pid):
            raise Failure("no process %d on this machine" % pid)
        self.pid = pid

    def cpu_seconds(self):
        stat = read("/proc/%d/stat" % self.pid)
        return cpu_of(stat) if stat else None

    def threads(self):
        """{"tid": (group, CPU seconds)}; a group is a thread's name without its number."""
        out = {}
        try:
            ids = os.listdir("/proc/%d/task" % self.pid)
        except OSError:
            return out
        for tid in ids:
            stat = read("/proc/%d/task/%s/stat" % (self.pid, tid))
            if stat:
                name = stat[stat.index("(") + 1 : stat.rindex(")")]
                out[tid] = (re.sub(r"[-_ :#]*\d+$", "", name) or name, cpu_of(stat))
        return out

    def rss_bytes(self):
        found = re.search(r"VmRSS:\s*(\d+) kB", read("/proc/%d/status" % self.pid))
        return int(found.group(1)) * 1024 if found else None

    def disk_bytes(self):
        """(read, written): what this process made the block devices move; (None, None) where we may not look."""
        text = read("/proc/%d/io" % self.pid)
        numbers = dict(re.findall(r"^(\w+): (\d+)", text, re.MULTILINE))
        if "write_bytes" not in numbers:
            return None, None
        return int(numbers["read_bytes"]), int(numbers["write_bytes"])


def cpu_of(stat):
    fields = stat.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def busy_by_group(before, after, seconds):
    """{"group": {"threads", "cores", "busiest"}}: how many cores each group of threads kept busy, and its busiest thread."""
    groups = {}
    for tid, (name, cpu) in after.items():
        share = (cpu - before.get(tid, (name, 0.0))[1]) / seconds if seconds > 0 else 0.0
        group = groups.setdefault(name, {"threads": 0, "cores": 0.0, "busiest": 0.0})
        group["threads"] += 1
        group["cores"] = round(group["cores"] + share, 3)
        group["busiest"] = round(max(group["busiest"], share), 3)
    return groups
