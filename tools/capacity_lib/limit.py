"""What gives first: which part was full when the server carried all it could."""

FULL_THREAD, FULL_MACHINE, FULL_GENERATOR = 0.85, 0.92, 0.92
OTHERS = 0.15  # of the machine, taken by programs that are neither the server nor the load generator
STALL_SHARE, SLOW_WAIT_US, IO_PRESSURE = 0.05, 1000, 0.3
THREADS = {
    "worker": "the worker threads (sockets)",
    "fast": "the fast lane's threads",
    "slow": "the slow lane's threads (disk reads)",
    "rocksdb:low": "the compaction threads",
    "rocksdb:high": "the flush threads",
    "redis-server": "its one main thread",
    "main": "its main thread",
}


def of(measurement, cores, generator_threads, local):
    """{"what", "why", "evidence": {name: share}} for a step in which the load was as high as it could be.

    local: the server runs on the machine of the tool, so that /proc tells of both. Several parts may be full at once; what
    delays all others comes first: write stalls, a full machine, the disk, a full group of threads, the load generator.
    """
    side = measurement.get("server") or {}
    groups = {name: group for name, group in side.get("threads", {}).items() if group["cores"] >= 0.02}
    evidence = {}
    if side.get("machine_busy") is not None and local:
        evidence["machine"] = side["machine_busy"]
    for name, group in sorted(groups.items(), key=lambda item: -item[1]["busiest"]):
        evidence["thread " + name] = group["busiest"]
    generator = measurement["generator_cpu"] / generator_threads
    evidence["load generator"] = round(generator, 3)
    for name in ("stall_share", "io_pressure"):
        if side.get(name):
            evidence[name] = side[name]

    def verdict(what, why):
        return {"what": what, "why": why, "evidence": evidence}

    if (side.get("stall_share") or 0) >= STALL_SHARE:
        return verdict(
            "write stalls",
            "RocksDB slowed writes down in %.0f %% of the time: flushes and compactions do not keep up"
            % (100 * side["stall_share"]),
        )
    busiest = max(groups.items(), key=lambda item: item[1]["busiest"], default=(None, None))
    full = busiest[0] is not None and busiest[1]["busiest"] >= FULL_THREAD
    name = THREADS.get(busiest[0], "the threads %s" % busiest[0]) if busiest[0] else ""
    if local and (side.get("machine_busy") or 0) >= FULL_MACHINE:
        others = measurement.get("others_cores") or 0
        used = "the server used %.2f of them, the load generator %.2f, others %.2f" % (
            side.get("cpu_cores") or 0,
            measurement["generator_cpu"],
            others,
        )
        if others >= OTHERS * cores:
            return verdict(
                "other programs on the machine",
                "all %d cores were %.0f %% busy, but not with this: %s" % (cores, 100 * side["machine_busy"], used),
            )
        return verdict(
            "the machine's processors",
            "all %d cores were %.0f %% busy: %s%s"
            % (
                cores,
                100 * side["machine_busy"],
                used,
                "; the fullest of the server: %s, %.0f %% of a core" % (name, 100 * busiest[1]["busiest"])
                if busiest[0]
                else "",
            ),
        )
    if (side.get("slow_wait_us") or 0) >= SLOW_WAIT_US and (side.get("slow_share") or 0) > 0.01:
        disk = (
            " while the disk was waited for in %.0f %% of the time" % (100 * side["io_pressure"])
            if (side.get("io_pressure") or 0) >= IO_PRESSURE
            else ""
        )
        return verdict(
            "the slow lane",
            "batches that need the disk waited %.1f ms on average for a thread%s" % (side["slow_wait_us"] / 1000, disk),
        )
    if (side.get("io_pressure") or 0) >= IO_PRESSURE:
        return verdict("the disk", "threads waited for the disk in %.0f %% of the time" % (100 * side["io_pressure"]))
    if full:
        return verdict(
            "CPU of " + name,
            "the busiest of %d used %.0f %% of a core" % (busiest[1]["threads"], 100 * busiest[1]["busiest"]),
        )
    if generator >= FULL_GENERATOR:
        return verdict(
            "the load generator",
            "it used %.0f %% of its processor time; the server carries more: give --threads, or "
            "run it on another machine" % (100 * generator),
        )
    if not side.get("threads") and side.get("cpu_cores") is None:
        return verdict("not known", "the server tells nothing of its CPU, and its process is not on this machine")
    return verdict("round trips", "nothing was full: with so few requests under way, each client waits for its reply")
