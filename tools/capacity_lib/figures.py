"""Figures that a report and a comparison ask the results for: medians of what counts, by point and by server."""

import statistics

from . import results, spread

LATENCIES = ("p50", "p90", "p99", "p99.9", "max")


def ops(point):
    return spread.of([one["ops_per_s"] for one in results.whole(point)])


def latency(point, name):
    return spread.of([one["latency_ms"][name] for one in results.whole(point)])


def side(point, name):
    """The median of a server-side figure."""
    values = [
        one["server"][name] for one in results.whole(point) if one.get("server") and one["server"].get(name) is not None
    ]
    return statistics.median(values) if values else None


def errors(point):
    """Error replies and lost connections of all its repeats."""
    return (
        sum(one["errors"]["replies"] for one in point["repeats"]),
        sum(one["errors"]["lost_connections"] for one in point["repeats"]),
    )


def closed_points(part):
    return [point for point in part["points"] if point["phase"] == "sweep"]


def best_closed(part, pipeline=None):
    """The closed-loop point (with so much pipelining) with the most operations a second; None without one that counts."""
    points = [point for point in closed_points(part) if ops(point) and pipeline in (None, point["pipeline"])]
    return max(points, key=lambda point: ops(point)["median"], default=None)


def rate_points(part):
    """Open-loop points that count, by rising rate."""
    return sorted(
        (point for point in part["points"] if point["phase"] == "rate" and ops(point)),
        key=lambda point: point["asked_rate"],
    )


def knee_point(part):
    knee = part["knee"]
    if not knee or not knee.get("ops_per_s"):
        return None
    return next(
        (
            point
            for point in part["points"]
            if point["asked_rate"] == knee["asked_rate"]
            and point["clients"] == knee["clients"]
            and point["pipeline"] == knee["pipeline"]
            and ops(point)
        ),
        None,
    )


def offered(point):
    values = [one["offered"] for one in results.whole(point) if one["offered"]]
    return statistics.median(values) if values else None


def stage_title(profile, stage):
    if len({one["value_bytes"] for one in profile["stages"]}) < 2 and len(profile["stages"]) < 2:
        return profile["title"]
    value = stage["value_bytes"]
    return "%s, %s" % (profile["title"], "%d KiB" % (value >> 10) if value % 1024 == 0 else "%d bytes" % value)
