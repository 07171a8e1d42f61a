"""One look at a server: counters and levels out of INFO, /proc and the machine; and what lies between two looks."""

import time

from . import machine
from .process import busy_by_group

# Our name -> the name in INFO. What a server does not tell is missing, and so is all that would follow from it.
COUNTERS = {
    "commands": "total_commands_processed",
    "net_in": "total_net_input_bytes",
    "net_out": "total_net_output_bytes",
    "error_replies": "total_error_replies",
    "record_hits": "record_cache_hits",
    "record_misses": "record_cache_misses",
    "block_hits": "block_cache_hits",
    "block_misses": "block_cache_misses",
    "key_hits": "keyspace_hits",
    "key_misses": "keyspace_misses",
    "fast_batches": "fast_lane_batches",
    "slow_batches": "slow_lane_batches",
    "compactions": "compactions",
    "compaction_read": "compaction_bytes_read",
    "compaction_written": "compaction_bytes_written",
    "flush_written": "flush_bytes_written",
    "wal_written": "wal_bytes",
    "wal_syncs": "wal_syncs",
    "stalls": "write_stalls",
    "stall_us": "write_stall_usec",
    "expired": "expired_keys",
    "evicted": "evicted_keys",
}
LEVELS = {
    "clients": "connected_clients",
    "used_memory": "used_memory",
    "rss": "used_memory_rss",
    "compactions_running": "compactions_running",
    "flushes_running": "flushes_running",
    "fast_queued": "fast_lane_queued",
    "slow_queued": "slow_lane_queued",
    "write_delayed": "write_delayed",
    "write_stopped": "write_stopped",
    "disk_used": "disk_used_bytes",
    "record_cache": "record_cache_bytes",
    "block_cache": "block_cache_bytes",
}


def take(server):
    """A sample of the server now: {"t": Unix seconds, …}. Raises Failure when it does not answer."""
    info = server.info()
    sample = {"t": time.time()}
    for name, key in {**COUNTERS, **LEVELS}.items():
        value = info.get(key)
        if isinstance(value, (int, float)):
            sample[name] = value
    if "disk_used" not in sample:  # Redis: its append-only file; Kvrocks: its folder
        for key in ("aof_current_size", "used_db_size"):
            if isinstance(info.get(key), (int, float)):
                sample["disk_used"] = info[key]
    for lane in ("fast", "slow"):
        average = info.get(lane + "_lane_queue_wait_usec_avg")
        if average is not None:
            sample[lane + "_wait_us"] = average * info[lane + "_lane_batches"]
    if isinstance(info.get("used_cpu_user"), (int, float)):
        sample["cpu"] = info["used_cpu_user"] + info["used_cpu_sys"]
    sample["threads"] = {}
    if server.process is not None:
        sample["threads"] = server.process.threads()
        read, written = server.process.disk_bytes()
        for name, value in (
            ("rss", server.process.rss_bytes()),
            ("cpu", server.process.cpu_seconds()),
            ("disk_read", read),
            ("disk_written", written),
        ):
            if value is not None:
                sample[name] = value
        sample["machine"] = machine.busy_seconds()
        sample["io_pressure"] = machine.io_pressure_seconds()
    return sample


def between(before, after):
    """The server's side of what happened between two samples, as results.schema.json describes it (`server_side`)."""
    seconds = max(after["t"] - before["t"], 1e-6)

    def grew(name):
        return after[name] - before[name] if name in before and name in after else None

    def rate(name):
        value = grew(name)
        return None if value is None else round(value / seconds, 3)

    def share(part, rest):
        a, b = grew(part), grew(rest)
        return None if a is None or b is None or a + b <= 0 else round(a / (a + b), 4)

    def average(total, count):
        a, b = grew(total), grew(count)
        return None if a is None or not b else round(a / b, 2)

    out = {
        "seconds": round(seconds, 3),
        "commands_per_s": rate("commands"),
        "cpu_cores": rate("cpu"),
        "cpu_us_per_op": round(1e6 * grew("cpu") / grew("commands"), 2)
        if grew("cpu") is not None and grew("commands")
        else None,
        "rss_bytes": after.get("rss"),
        "used_memory_bytes": after.get("used_memory"),
        "disk_used_bytes": after.get("disk_used"),
        "clients": after.get("clients"),
        "error_replies": grew("error_replies"),
        "record_cache_hit_rate": share("record_hits", "record_misses"),
        "block_cache_hit_rate": share("block_hits", "block_misses"),
        "key_hit_rate": share("key_hits", "key_misses"),
        "fast_wait_us": average("fast_wait_us", "fast_batches"),
        "slow_wait_us": average("slow_wait_us", "slow_batches"),
        "slow_share": share("slow_batches", "fast_batches"),
        "compactions": grew("compactions"),
        "compaction_written_per_s": rate("compaction_written"),
        "stalls": grew("stalls"),
        "stall_share": None if grew("stall_us") is None else round(grew("stall_us") / 1e6 / seconds, 4),
        "wal_syncs_per_s": rate("wal_syncs"),
        "disk_read_per_s": rate("disk_read"),
        "disk_written_per_s": rate("disk_written"),
        "threads": busy_by_group(before["threads"], after["threads"], seconds) if after.get("threads") else {},
        "machine_busy": None,
        "io_pressure": rate("io_pressure") if after.get("io_pressure") is not None else None,
    }
    if before.get("machine") and after.get("machine"):
        busy, total = (after["machine"][i] - before["machine"][i] for i in (0, 1))
        out["machine_busy"] = round(busy / total, 3) if total > 0 else None
    return out


def bytes_written(before, after):
    """What the server wrote to its disk between two samples, and who says so; (None, None) when nobody does."""
    if "disk_written" in before and "disk_written" in after:
        return after["disk_written"] - before["disk_written"], "the kernel's count for the process"
    parts = [
        name for name in ("wal_written", "flush_written", "compaction_written") if name in before and name in after
    ]
    if len(parts) == 3:
        return sum(after[name] - before[name] for name in parts), "the server's log, flushes and compactions"
    return None, None
