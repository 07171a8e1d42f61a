"""What is plotted: chart documents that page/report.js turns into ECharts. No colours and no sizes here.

A chart: {"id", "title", "kind", "x", "y", "series": [{"server": index, "name", "line": "solid"|"dashed"|"dotted", "data"}],
"marks": {"x": [...], "y": [...], "areas": [...]}, "note"}. x and y: {"name", "type": "value"|"log"|"category"|"nines", "unit"}.
"""

import math

from . import figures, results, words

LINES = {"p50": "solid", "p99": "dashed", "p99.9": "dotted"}


def overview(document, names):
    """The knees of everything that was run; None when there is none."""
    rows = []
    for profile in document["profiles"]:
        for stage in profile["stages"]:
            values = [knee_ops(stage["servers"].get(name)) for name in names]
            if any(values):
                rows.append((figures.stage_title(profile, stage), values))
    if not rows:
        return None
    return {
        "id": "overview",
        "title": "Operations a second that keep the promise",
        "kind": "bars",
        "x": {"name": "operations a second", "type": "value"},
        "y": {"type": "category", "categories": [row[0] for row in rows]},
        "series": [{"server": i, "name": name, "data": [row[1][i] for row in rows]} for i, name in enumerate(names)],
    }


def knee_ops(part):
    return part["knee"]["ops_per_s"] if part and part["knee"] else None


def knee_marks(parts):
    found = [(server, part["knee"]) for server, _, part in parts if part["knee"]]
    return [
        {"at": round(knee["asked_rate"]), "server": server, "text": "knee %s" % words.count(knee["ops_per_s"])}
        for server, knee in found
        if knee["ops_per_s"] and knee["asked_rate"]
    ]


def of_stage(profile, stage, names, key):
    """All charts of one value size of one profile; those without data are left out."""
    parts = [(names.index(name), name, part) for name, part in stage["servers"].items()]
    found = [latency_over_load(profile, parts), throughput_over_load(parts), closed_loop(parts), distribution(parts)]
    found += by_second(parts) + over_stage(parts)
    found = [chart for chart in found if chart and any(series["data"] for series in chart["series"])]
    for number, chart in enumerate(found):
        chart["id"] = "%s-%d" % (key, number)
    return found


def latency_over_load(profile, parts):
    series = []
    for server, name, part in parts:
        points = figures.rate_points(part)
        for percentile, line in LINES.items():
            data = [
                [round(figures.offered(point)), figures.latency(point, percentile)["median"]]
                for point in points
                if figures.latency(point, percentile)
            ]
            series.append({"server": server, "name": "%s %s" % (name, percentile), "line": line, "data": data})
    return {
        "title": "Latency over offered load",
        "kind": "lines",
        "x": {"name": "offered operations a second", "type": "value"},
        "y": {"name": "ms", "type": "log"},
        "series": series,
        "marks": {"x": knee_marks(parts), "y": [{"at": profile["p99_ms"], "text": "%g ms" % profile["p99_ms"]}]},
        "note": "Solid p50, dashed p99, dotted p99.9; the vertical lines are the knees, the horizontal one the promise for p99.",
    }


def throughput_over_load(parts):
    series = []
    for server, name, part in parts:
        data = [[round(figures.offered(point)), figures.ops(point)["median"]] for point in figures.rate_points(part)]
        series.append({"server": server, "name": name, "line": "solid", "data": data})
    highest = max((point[0] for one in series for point in one["data"]), default=0)
    if highest:
        series.append(
            {"server": None, "name": "all that was offered", "line": "dotted", "data": [[0, 0], [highest, highest]]}
        )
    return {
        "title": "Throughput over offered load",
        "kind": "lines",
        "x": {"name": "offered operations a second", "type": "value"},
        "y": {"name": "operations a second", "type": "value"},
        "series": series,
        "marks": {"x": knee_marks(parts)},
    }


def closed_loop(parts):
    loads = []
    for _, _, part in parts:
        loads += [(point["clients"], point["pipeline"]) for point in figures.closed_points(part)]
    loads = sorted(set(loads))
    series = []
    for server, name, part in parts:
        found = {(point["clients"], point["pipeline"]): figures.ops(point) for point in figures.closed_points(part)}
        data = [found[one]["median"] if found.get(one) else None for one in loads]
        series.append({"server": server, "name": name, "data": data if any(data) else []})
    return {
        "title": "As much as clients get",
        "kind": "bars",
        "x": {"name": "operations a second", "type": "value"},
        "y": {"type": "category", "categories": ["%d clients × %d" % one for one in loads]},
        "series": series,
        "note": "Closed loop: each of so many clients keeps so many requests under way and waits for the replies.",
    }


def distribution(parts):
    series = []
    for server, name, part in parts:
        sustained = part["sustained"]
        source = sustained["measurement"] if sustained and results.valid(sustained["measurement"]) else None
        if source is None:
            point = figures.knee_point(part) or figures.best_closed(part)
            source = results.whole(point)[-1] if point else None
        data = [
            [round(nines(percentile, source["count"]), 4), value]
            for percentile, value in (source["distribution"] if source else [])
        ]
        series.append({"server": server, "name": name, "line": "solid", "data": data})
    return {
        "title": "Distribution of latency",
        "kind": "lines",
        "x": {"name": "of all requests", "type": "nines"},
        "y": {"name": "ms", "type": "log"},
        "series": series,
        "note": "Of the long run: so many per cent of the requests took no longer than this.",
    }


def nines(percentile, count):
    """0 for 0 %, 1 for 90 %, 2 for 99 % …; the slowest of so many requests is one of them."""
    return -math.log10(1 - percentile / 100) if percentile < 100 else math.log10(max(1, count))


def by_second(parts):
    """Of the long run: the client's figures and the server's, second by second, compactions and stalls marked."""
    runs = [(server, name, part["sustained"]) for server, name, part in parts if part["sustained"]]
    if not runs:
        return []
    areas, stalls = [], []
    for server, name, run in runs:
        samples, began = run["samples"], run["measurement"]["started"]
        areas += [
            {"from": low, "to": high, "server": server, "text": "compaction of %s" % name}
            for low, high in spans(samples, began, "compactions_running", run["measurement"]["seconds"])
        ]
        stalls += [{"at": at, "server": server, "text": "stall of %s" % name} for at in stall_seconds(samples, began)]
    seconds = {"name": "seconds", "type": "value"}
    marks = {"areas": areas, "x": stalls}
    note = "Of the long run%s. Shaded: compactions%s." % (
        load_note(runs),
        "; vertical lines: write stalls" if stalls else "; no write stalls",
    )

    def client(title, name, unit, key, kind="value"):
        return {
            "title": title,
            "kind": "lines",
            "x": seconds,
            "y": {"name": unit, "type": kind},
            "marks": marks,
            "note": note,
            "plain": True,
            "series": [
                {
                    "server": server,
                    "name": server_name,
                    "line": "solid",
                    "data": [
                        [t, v]
                        for t, v in zip(run["measurement"]["per_second"]["t"], run["measurement"]["per_second"][key])
                        if v is not None
                    ],
                }
                for server, server_name, run in runs
            ],
        }

    charts = [
        client("Throughput, second by second", "", "operations a second", "ops"),
        client("p99, second by second", "", "ms", "p99", "log"),
    ]

    def server_side(title, unit, lines, kind="value"):
        series = [
            {
                "server": server,
                "name": "%s%s" % (name, label),
                "line": line,
                "data": [[t, v] for t, v in rule(run["samples"], run["measurement"]["started"]) if v is not None],
            }
            for server, name, run in runs
            for label, line, rule in lines
        ]
        return {
            "title": title,
            "kind": "lines",
            "x": seconds,
            "y": {"name": unit, "type": kind},
            "small": True,
            "plain": True,
            "series": [one for one in series if one["data"]],
        }

    charts += [
        server_side("Processor", "cores", [("", "solid", rate("cpu"))]),
        server_side(
            "Cache hits",
            "% of look-ups",
            [
                (" records", "solid", share("record_hits", "record_misses")),
                (" blocks", "dashed", share("block_hits", "block_misses")),
            ],
        ),
        server_side(
            "Wait for a thread",
            "µs on average",
            [
                (" fast lane", "solid", rate("fast_wait_us", "fast_batches")),
                (" slow lane", "dashed", rate("slow_wait_us", "slow_batches")),
            ],
        ),
        server_side(
            "Disk",
            "MiB/s",
            [
                (" written", "solid", rate("disk_written", scale=1 / (1 << 20))),
                (" read", "dashed", rate("disk_read", scale=1 / (1 << 20))),
            ],
        ),
        server_side("Syncs of the log", "a second", [("", "solid", rate("wal_syncs"))]),
        server_side("Connected clients", "", [("", "solid", level("clients"))]),
    ]
    return charts


def load_note(runs):
    kinds = {run["load"] for _, _, run in runs}
    return " at each server's knee" if kinds == {"knee"} else " at full load" if kinds == {"full"} else ""


def over_stage(parts):
    """Memory and disk over all of the stage."""
    charts = []
    for title, key in (("Resident memory", "rss"), ("Size on disk", "disk_used")):
        series = []
        for server, name, part in parts:
            samples = part["samples"]
            if samples["t"] and key in samples:
                began = samples["t"][0]
                series.append(
                    {
                        "server": server,
                        "name": name,
                        "line": "solid",
                        "data": thinned(
                            [
                                [round((t - began) / 60, 3), round(v / (1 << 20), 1)]
                                for t, v in zip(samples["t"], samples[key])
                                if v is not None
                            ]
                        ),
                    }
                )
        charts.append(
            {
                "title": title,
                "kind": "lines",
                "x": {"name": "minutes since the profile began", "type": "value"},
                "y": {"name": "MiB", "type": "value"},
                "series": series,
                "plain": True,
            }
        )
    return charts


# ---- rules: columns of samples -> [(seconds since the step began, value)] ----
def rate(key, per=None, scale=1.0):
    """How much a counter grew a second, or for each of another counter's steps."""

    def rule(samples, began):
        if key not in samples or (per and per not in samples):
            return
        for i in range(1, len(samples["t"])):
            grew = difference(samples[key], i)
            by = difference(samples[per], i) if per else samples["t"][i] - samples["t"][i - 1]
            if grew is not None and by and grew >= 0:
                yield round(samples["t"][i] - began, 1), round(grew / by * scale, 3)

    return rule


def share(hits, misses):
    def rule(samples, began):
        if hits not in samples or misses not in samples:
            return
        for i in range(1, len(samples["t"])):
            hit, miss = difference(samples[hits], i), difference(samples[misses], i)
            if hit is not None and miss is not None and hit + miss > 0:
                yield round(samples["t"][i] - began, 1), round(100 * hit / (hit + miss), 2)

    return rule


def level(key):
    def rule(samples, began):
        for t, value in zip(samples["t"], samples.get(key, [])):
            yield round(t - began, 1), value

    return rule


def difference(column, i):
    return column[i] - column[i - 1] if column[i] is not None and column[i - 1] is not None else None


def spans(samples, began, key, seconds):
    """[(from, to)] in which the level was above zero, by samples a second apart, cut to the step."""
    out, start = [], None
    for t, value in zip(samples["t"], samples.get(key, [])):
        at = min(max(t - began, 0.0), seconds)
        if value and start is None:
            start = max(0.0, at - 0.5)
        elif not value and start is not None:
            out.append((round(start, 1), round(at, 1)))
            start = None
    if start is not None:
        out.append((round(start, 1), round(seconds, 1)))
    return [(low, high) for low, high in out if high > low]


def stall_seconds(samples, began):
    column = samples.get("stall_us", [])
    return [
        round(samples["t"][i] - began, 1)
        for i in range(1, len(column))
        if (difference(column, i) or 0) > 0 and samples["t"][i] > began
    ]


def thinned(points, most=600):
    step = max(1, -(-len(points) // most))
    return points[::step] + ([points[-1]] if points and (len(points) - 1) % step else [])
