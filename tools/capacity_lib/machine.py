"""The machine that the tool runs on: what it is, and how busy it is."""

import os
import platform
import re
import socket


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def document():
    model = re.search(r"model name\s*:\s*(.*)", read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+) kB", read("/proc/meminfo"))
    name = re.search(r'PRETTY_NAME="?([^"\n]*)', read("/etc/os-release"))
    return {
        "cpu": model.group(1) if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": int(memory.group(1)) * 1024 if memory else None,
        "kernel": platform.release(),
        "os": name.group(1) if name else platform.system(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def busy_seconds():
    """(busy, all) processor seconds of all cores since boot; None where /proc does not tell."""
    fields = read("/proc/stat").split("\n", 1)[0].split()[1:9]
    if len(fields) < 8:
        return None
    ticks = [int(field) for field in fields]
    tick = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - ticks[3] - ticks[4]) / tick, sum(ticks) / tick


def io_pressure_seconds():
    """Seconds since boot in which some thread waited for a disk (/proc/pressure); None where the kernel does not count them."""
    found = re.search(r"some .*total=(\d+)", read("/proc/pressure/io"))
    return int(found.group(1)) / 1e6 if found else None


def is_local(host):
    return host in ("localhost", "::1") or host.startswith("127.") or host in read_own_addresses()


def read_own_addresses():
    try:
        return {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()
