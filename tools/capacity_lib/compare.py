"""Several results side by side: ratios with their spread, and which differences are larger than the noise."""

import html

from . import figures, results, spread, words

# label, figures of a (profile, stage, part) as a list of repeats, how they are shown, whether more is better
ROWS = (
    ("carries, ops/s", lambda part: knee_range(part), words.count, True),
    ("p99 at the knee, ms", lambda part: at_knee(part, "p99"), words.milliseconds, False),
    ("most, ops/s", lambda part: of_best(part, lambda one: one["ops_per_s"]), words.count, True),
    ("its p50, ms", lambda part: of_best(part, lambda one: one["latency_ms"]["p50"]), words.milliseconds, False),
    ("its p99, ms", lambda part: of_best(part, lambda one: one["latency_ms"]["p99"]), words.milliseconds, False),
    (
        "CPU µs/op",
        lambda part: of_best(part, lambda one: (one["server"] or {}).get("cpu_us_per_op")),
        words.significant,
        False,
    ),
    ("memory B/key", lambda part: single(part["preload"], "memory_bytes_per_key"), words.significant, False),
    ("disk B/key", lambda part: single(part["preload"], "disk_bytes_per_key"), words.significant, False),
    ("write amplification", lambda part: single(part["sustained"], "write_amplification"), words.significant, False),
)


def knee_range(part):
    """The knee lies between the rate that held and the one that broke: these two stand for its spread."""
    knee = part["knee"]
    if not knee or not knee["ops_per_s"]:
        return []
    return [knee["ops_per_s"], max(knee["ops_per_s"], knee["broke_at"])] if knee["broke_at"] else [knee["ops_per_s"]]


def at_knee(part, percentile):
    point = figures.knee_point(part)
    return [one["latency_ms"][percentile] for one in results.whole(point)] if point else []


def of_best(part, figure):
    point = figures.best_closed(part)
    return [value for value in map(figure, results.whole(point)) if value is not None] if point else []


def single(section, name):
    return [section[name]] if section and section.get(name) is not None else []


def of(named):
    """named: [(path, document)]. {"columns": [{"name", "detail"}], "rows": [{"profile", "figure", "cells": [...]}]}.

    A column is compared with the first one of the same server in another file, or else with the first of all. A cell is None, or
    {"value", "ratio": None or spread.ratio's, "better": whether that is in its favour}.
    """
    columns = []
    for path, document in named:
        for server in document["servers"]:
            columns.append({"path": path, "server": server["name"], "document": document})
    several = len({column["server"] for column in columns}) > 1
    base = [baseline(columns, i) for i in range(len(columns))]
    keys, order = {}, []
    for column in columns:
        for profile, stage, name, part in results.stages(column["document"]):
            key = figures.stage_title(profile, stage)
            if name == column["server"]:
                if key not in keys:
                    keys[key] = {}
                    order.append(key)
                keys[key][id(column)] = part
    rows = []
    for key in order:
        for label, read, show, more_is_better in ROWS:
            values = [read(keys[key][id(column)]) if id(column) in keys[key] else [] for column in columns]
            if not any(values):
                continue
            cells = []
            for i, value in enumerate(values):
                middle = spread.of(value)
                # Of a knee's range the rate that held is the figure.
                shown = None if middle is None else show(value[0] if read is ROWS[0][1] else middle["median"])
                ratio = spread.ratio(value, values[base[i]]) if base[i] != i and value and values[base[i]] else None
                cells.append(
                    None
                    if shown is None
                    else {"value": shown, "ratio": ratio, "better": ratio and (ratio["ratio"] > 1) == more_is_better}
                )
            rows.append({"profile": key, "figure": label, "cells": cells})
    return {
        "columns": [
            {"name": short_name(column, several), "detail": column["document"]["started"]} for column in columns
        ],
        "rows": rows,
    }


def baseline(columns, i):
    """Which column the i-th is compared with; itself: with none."""
    return next(
        (
            j
            for j in range(i)
            if columns[j]["server"] == columns[i]["server"] and columns[j]["path"] != columns[i]["path"]
        ),
        0,
    )


def short_name(column, several):
    name = column["path"].rstrip("/")
    name = name[: -len("/results.json")] if name.endswith("/results.json") else name
    name = name.split("/")[-1]
    return "%s: %s" % (name, column["server"]) if several else name


def cell_text(cell):
    if cell is None:
        return "—"
    if not cell["ratio"]:
        return cell["value"]
    ratio = cell["ratio"]
    verdict = (" better" if cell["better"] else " worse") if ratio["differs"] else " ≈"
    if ratio["low"] == ratio["high"]:
        return "%s  ×%.2f (taken once)" % (cell["value"], ratio["ratio"])
    return "%s  ×%.2f (%.2f–%.2f)%s" % (cell["value"], ratio["ratio"], ratio["low"], ratio["high"], verdict)


NOTE = (
    "× says how many times the figure of the same server in an earlier file, or else of the first column, it is; in brackets how far "
    "that may be off by the spread of the repeats; better and worse mark what is larger than the noise, ≈ what is not. Figures taken "
    "once are never called different."
)


def text(table):
    grid = [["profile", "figure"] + [column["name"] for column in table["columns"]]]
    last = None
    for row in table["rows"]:
        grid.append(
            [row["profile"] if row["profile"] != last else "", row["figure"]]
            + [cell_text(cell) for cell in row["cells"]]
        )
        last = row["profile"]
    widths = [max(len(line[i]) for line in grid) for i in range(len(grid[0]))]
    return (
        "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in grid)
        + "\n\n"
        + NOTE
    )


def html_table(table):
    out = [
        '<p>%s</p><div class="scroll"><table><thead><tr><th class="t">profile</th><th class="t">figure</th>'
        % html.escape(NOTE)
    ]
    out += [
        '<th title="%s">%s</th>' % (html.escape(column["detail"]), html.escape(column["name"]))
        for column in table["columns"]
    ]
    out.append("</tr></thead><tbody>")
    last = None
    for row in table["rows"]:
        cells = "".join(
            "<td%s>%s</td>"
            % (
                ' class="larger"' if cell and cell["ratio"] and cell["ratio"]["differs"] else "",
                html.escape(cell_text(cell)),
            )
            for cell in row["cells"]
        )
        out.append(
            '<tr><td class="t">%s</td><td class="t">%s</td>%s</tr>'
            % (html.escape(row["profile"]) if row["profile"] != last else "", html.escape(row["figure"]), cells)
        )
        last = row["profile"]
    return "".join(out) + "</tbody></table></div>"
