"""What memtier_benchmark writes: complaints on stderr, and figures as JSON, of one process or of several that drove a load together."""

import json
import re

from .errors_seen import ErrorsSeen
from .histogram import Histogram

REPLIES_MAX = 20_000  # error replies after which a step ends early


class Complaints:
    """Reads memtier's stderr, line by line."""

    def __init__(self):
        self.seen = ErrorsSeen()
        self.refused = None  # why it cannot work at all
        self.last = ""

    def line(self, text):
        text = re.sub(
            r"\[RUN #\d+ .*?msec latency", "", text
        ).strip()  # a complaint may follow the progress on its line
        if not text or text.startswith(("[RUN #", "Writing results", "Json file", "Saving JSON")):
            return
        self.last = text
        found = re.search(r"handle error response: (.*)", text)
        if found:
            self.seen.reply(found.group(1))
        elif "authentication failed" in text:
            reply = re.search(r"\[-?(.*)\]", text)
            self.refused = "authentication failed: %s" % (reply.group(1) if reply else "the password is wrong")
        elif re.search(
            r"connection dropped|Connection error|connect failed|Connection timeout|response parsing failed", text
        ):
            self.seen.lost(text.rstrip("."))

    def enough(self):
        # memtier forgets what it has measured when it replaces a connection, so the rest of the step would tell nothing.
        return self.refused is not None or self.seen.lost_connections > 0 or self.seen.replies >= REPLIES_MAX


def read_json(path):
    """The document that memtier wrote; None when it wrote none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    text = re.sub(r"(:\s*)-?(?:nan|inf)\b", r"\1null", text)  # what it divides by zero
    try:
        return json.loads(text)
    except ValueError:
        return None  # it was ended while it wrote


def merge(documents, seconds):
    """Client figures of one step of so many seconds out of the JSON of the processes that drove it together.

    The "Total duration" there averages the clocks of the connections, whole seconds and the rest apart: with ten
    connections it is often a second off.
    """
    histogram, mean_weight, mean_sum, maximum, count = Histogram(), 0, 0.0, 0.0, 0
    by_command, per_second, hits, misses, percentiles = {}, {}, 0.0, 0.0, None
    for document in documents:
        stats = document["ALL STATS"]
        for name, part in stats.items():
            if isinstance(part, dict) and name not in ("Runtime", "Totals") and part.get("Count"):
                add_command(by_command, name, part)
        totals = stats["Totals"]
        count += totals["Count"]
        hits += totals.get("Hits/sec") or 0
        misses += totals.get("Misses/sec") or 0
        if totals["Count"]:
            mean_sum += totals.get("Accumulated Latency") or 0
            mean_weight += totals["Count"]
            maximum = max(maximum, totals.get("Max Latency") or 0)
            percentiles = totals.get("Percentile Latencies") or {}
            encoded = (percentiles.get("Histogram log format") or {}).get("Compressed Histogram")
            if encoded:
                histogram.add(Histogram.decode(encoded))
        add_seconds(per_second, totals.get("Time-Serie") or {})
    if histogram.count:
        latency = {
            "p50": histogram.percentile_ms(50),
            "p90": histogram.percentile_ms(90),
            "p99": histogram.percentile_ms(99),
            "p99.9": histogram.percentile_ms(99.9),
        }
    else:  # a memtier without histograms: only ever one process
        latency = {"p50": None, "p90": None, "p99": None, "p99.9": None}
        for key, value in (percentiles or {}).items():
            found = re.fullmatch(r"p(\d+(?:\.\d+)?)", key)
            name = "p%g" % float(found.group(1)) if found else None
            if name in latency:
                latency[name] = value
    latency.update({"mean": round(mean_sum / mean_weight, 3) if mean_weight else None, "max": maximum or None})
    for entry in by_command.values():
        own = entry.pop("histogram")
        entry["ops_per_s"] = round(entry.pop("count") / seconds, 1) if seconds else 0
        entry["p50"], entry["p99"] = own.percentile_ms(50), own.percentile_ms(99)
    whole = sorted(second for second in per_second)[: int(seconds)]  # the last one is cut
    return {
        "seconds": round(seconds, 3),
        "count": count,
        "ops_per_s": round(count / seconds, 1) if seconds else 0.0,
        "latency_ms": latency,
        "distribution": histogram.distribution(),
        "hits_per_s": round(hits, 1),
        "misses_per_s": round(misses, 1),
        "by_command": by_command,
        "per_second": {
            "t": whole,
            "ops": [per_second[s]["ops"] for s in whole],
            "p50": [per_second[s]["p50"] for s in whole],
            "p99": [per_second[s]["p99"] for s in whole],
        },
    }


def add_command(by_command, name, part):
    entry = by_command.setdefault(
        name.rstrip("s").upper() if name in ("Sets", "Gets", "Waits") else name[:-1].upper(),
        {"count": 0, "bytes_sent": 0, "histogram": Histogram()},
    )
    entry["count"] += part["Count"]
    entry["bytes_sent"] += sum(second.get("Bytes TX", 0) for second in (part.get("Time-Serie") or {}).values())
    encoded = ((part.get("Percentile Latencies") or {}).get("Histogram log format") or {}).get("Compressed Histogram")
    if encoded:
        entry["histogram"].add(Histogram.decode(encoded))


def add_seconds(per_second, series):
    """Operations add up; of the processes' percentiles within one second only the worst is kept, as no histogram is there."""
    for second, part in series.items():
        entry = per_second.setdefault(int(second), {"ops": 0, "p50": None, "p99": None})
        entry["ops"] += part.get("Count", 0)
        for name, key in (("p50", "p50.00"), ("p99", "p99.00")):
            if part.get(key) is not None:
                entry[name] = max(part[key], entry[name] or 0)
