"""The report: one HTML file with everything in it. Tables and text are made here, plots by page/report.js with ECharts."""

import html
import json
import os

from . import charts, errors_seen, figures, plotting_library, results, summary, words
from .failure import Failure
from .method import NOTES

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page")


def library():
    """Raises Failure when reports cannot be made here."""
    plotting_library.text()


def write(document, path):
    save(path, render(document))


def write_comparison(table, path):
    from . import compare

    save(path, assemble("Comparison", "<header><h1>Comparison</h1></header>" + compare.html_table(table), [], []))


def save(path, shown):
    temporary = path + ".new"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(shown)
        os.replace(temporary, path)
    except OSError as error:
        raise Failure("cannot write %s: %s" % (path, error.strerror)) from error


def part_of(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def assemble(title, body, plots, servers):
    data = json.dumps({"charts": plots, "servers": servers}, ensure_ascii=False).replace("</", "<\\/")
    library_text = plotting_library.text().replace("</script", "<\\/script") if plots else ""
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n',
            '<link rel="icon" href="data:,">\n<title>%s</title>\n<style>\n%s</style>\n<body>\n<main>\n'
            % (text(title), part_of("report.css")),
            body,
            "\n</main>\n",
            '<script type="application/json" id="data">%s</script>\n<script>%s</script>\n<script>\n%s</script>\n'
            % (data, library_text, part_of("report.js"))
            if plots
            else "",
            "</body>\n</html>\n",
        ]
    )


def render(document):
    names = [server["name"] for server in document["servers"]]
    plots, sections = [], []
    first = charts.overview(document, names)
    if first:
        plots.append(first)
    for i, profile in enumerate(document["profiles"]):
        for j, stage in enumerate(profile["stages"]):
            found = charts.of_stage(profile, stage, names, "s%d-%d" % (i, j))
            plots += found
            sections.append(section(profile, stage, found, "p%d-%d" % (i, j)))
    title = "How much does it carry? " + words.listed(names)
    body = "\n".join(
        [
            heading(document),
            answer(document, names, first),
            contents(document),
            *sections,
            trouble(document),
            method(document),
            environment(document),
        ]
    )
    return assemble(title, body, plots, names)


# ---- parts of the page ----
def heading(document):
    machine = document["machine"]
    what = words.listed(
        "%s %s" % (server["name"], server["version"])
        if server["kind"] in server["name"]
        else "%s (%s %s)" % (server["name"], server["kind"], server["version"])
        for server in document["servers"]
    )
    facts = "%s · %d cores · %s memory · %s" % (
        machine["cpu"],
        machine["cores"],
        words.size(machine["memory_bytes"]),
        document["started"].replace("T", " ").replace("Z", " UTC"),
    )
    warning = "" if document["complete"] else '<p class="warning">%s</p>' % text(summary.incomplete(document))
    if summary.disturbed(document):
        warning += '<p class="warning">%s</p>' % text(summary.disturbed(document))
    note = '<p class="note">%s</p>' % text(document["note"]) if document["note"] else ""
    return '<header><h1>How much does it carry?</h1><p class="what">%s</p><p class="facts">%s</p>%s%s</header>' % (
        text(what),
        text(facts),
        warning,
        note,
    )


def answer(document, names, chart):
    blocks = []
    for profile in document["profiles"]:
        for stage in profile["stages"]:
            lines = "".join(
                "<li>%s</li>" % server_mark(names, name, text(upper(summary.sentence(profile, name, part))))
                for name, part in stage["servers"].items()
            )
            if lines:
                blocks.append("<dt>%s</dt><dd><ul>%s</ul></dd>" % (text(figures.stage_title(profile, stage)), lines))
    return '<section id="answer"><h2>In plain words</h2><dl>%s</dl>%s<h3>At a glance</h3>%s</section>' % (
        "".join(blocks),
        figure(chart) if chart else "",
        glance(document, names),
    )


def glance(document, names):
    rows = []
    for profile, stage, name, part in results.stages(document):
        knee, best = part["knee"] or {}, figures.best_closed(part)
        sustained, preload = part["sustained"] or {}, part["preload"] or {}
        rows.append(
            [
                figures.stage_title(profile, stage),
                server_mark(names, name, text(name)),
                words.count(knee.get("ops_per_s")),
                words.milliseconds(knee.get("p50_ms")),
                "%s of %g" % (words.milliseconds(knee.get("p99_ms")), profile["p99_ms"]) if knee.get("p99_ms") else "—",
                words.count(figures.ops(best)["median"]) if best else "—",
                words.milliseconds(figures.latency(best, "p99")["median"])
                if best and figures.latency(best, "p99")
                else "—",
                number(figures.side(best, "cpu_us_per_op") if best else None),
                size_each(preload.get("memory_bytes_per_key")),
                size_each(preload.get("disk_bytes_per_key")),
                number(sustained.get("write_amplification"), "×"),
                text(part["limit"]["what"]) if part["limit"] else "—",
            ]
        )
    return table(
        [
            "profile",
            "server",
            "carries, ops/s",
            "p50 ms",
            "p99 ms",
            "clients that wait, ops/s",
            "p99 ms",
            "CPU µs/op",
            "memory B/key",
            "disk B/key",
            "write ampl.",
            "gives first",
        ],
        rows,
        text_columns=(0, 1, 11),
        raw=(1, 11),
    )


def contents(document):
    entries = [
        '<a href="#p%d-%d">%s</a>' % (i, j, text(figures.stage_title(profile, stage)))
        for i, profile in enumerate(document["profiles"])
        for j, stage in enumerate(profile["stages"])
    ]
    return "<nav>%s</nav>" % " ".join(entries) if len(entries) > 1 else ""


def section(profile, stage, plots, key):
    about = "%s. %s keys, values of %s." % (
        profile["about"].rstrip("."),
        "{:,}".format(stage["keys"]),
        words.size(stage["value_bytes"]),
    )
    large = [chart for chart in plots if not chart.get("small")]
    small = [chart for chart in plots if chart.get("small")]
    blocks = [
        '<section id="%s"><h2>%s</h2><p>%s</p>' % (key, text(figures.stage_title(profile, stage)), text(about)),
        limits(stage),
        '<div class="plots">%s</div>' % "".join(figure(chart) for chart in large),
    ]
    if small:
        blocks.append(
            '<h3>The server, second by second</h3><div class="plots small">%s</div>' % "".join(figure(c) for c in small)
        )
    blocks += [
        "<h3>Clients that wait for replies</h3>",
        closed_table(stage),
        open_table(stage),
        server_table(stage),
        commands(stage),
        "</section>",
    ]
    return "\n".join(blocks)


EVIDENCE = {
    "machine": "the machine",
    "load generator": "load generator",
    "stall_share": "time in write stalls",
    "io_pressure": "time waiting for the disk",
}
BROKE = {
    "p99": "its p99 is beyond the promise",
    "rate": "not all that is offered is carried",
    "errors": "there are errors",
}


def limits(stage):
    items = []
    for name, part in stage["servers"].items():
        knee = part["knee"] or {}
        if part["limit"]:
            full = ", ".join(
                "%s %s"
                % (text(EVIDENCE.get(what) or what.replace("thread ", "busiest thread of ")), words.percent(share))
                for what, share in part["limit"]["evidence"].items()
            )
            items.append(
                '<li><b>%s: %s.</b> %s. <span class="evidence">(%s)</span></li>'
                % (text(name), text(part["limit"]["what"]), text(upper(part["limit"]["why"])), full)
            )
        if knee.get("broke_at") and knee.get("broke_by"):
            items.append(
                "<li>%s at an offered %s a second: %s.</li>"
                % (text(name), words.count(knee["broke_at"]), BROKE[knee["broke_by"]])
            )
    return '<h3>What gives first</h3><ul class="limits">%s</ul>' % "".join(items) if items else ""


def closed_table(stage):
    rows = []
    loads = sorted(
        {
            (point["clients"], point["pipeline"])
            for part in stage["servers"].values()
            for point in figures.closed_points(part)
        }
    )
    for clients, pipeline in loads:
        for name, part in stage["servers"].items():
            point = next(
                (
                    one
                    for one in figures.closed_points(part)
                    if (one["clients"], one["pipeline"]) == (clients, pipeline)
                ),
                None,
            )
            if point:
                rows.append(["%d" % clients, "%d" % pipeline, name] + point_cells(point))
    return table(["clients", "pipeline", "server"] + POINT_HEADINGS, rows, text_columns=(2,))


def open_table(stage):
    rows = []
    for name, part in stage["servers"].items():
        knee = part["knee"] or {}
        for point in sorted(
            (one for one in part["points"] if one["phase"] == "rate"), key=lambda one: one["asked_rate"]
        ):
            held = "knee" if point["asked_rate"] == knee.get("asked_rate") else ""
            offered = figures.offered(point)
            rows.append(
                [name, "{:,.0f}".format(offered if offered else point["asked_rate"])] + point_cells(point) + [held]
            )
    if not rows:
        return ""
    return "<h3>Offered rates</h3>" + table(["server", "offered/s"] + POINT_HEADINGS + [""], rows, text_columns=(0, 10))


POINT_HEADINGS = ["ops/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "repeats", "errors"]


def point_cells(point):
    latencies = [
        spread_cell(figures.latency(point, name), words.milliseconds, with_spread=name == "p99")
        for name in figures.LATENCIES
    ]
    replies, lost = figures.errors(point)
    counted, done = len(results.whole(point)), len(point["repeats"])
    trouble = " + ".join(
        filter(None, ["{:,} replies".format(replies) if replies else "", "%d lost connections" % lost if lost else ""])
    )
    return (
        [spread_cell(figures.ops(point), words.count)]
        + latencies
        + [str(done) if counted == done else "%d of %d" % (counted, done), trouble or "0"]
    )


def spread_cell(found, show, with_spread=True):
    if found is None:
        return "—"
    middle, low, high = show(found["median"]), show(found["low"]), show(found["high"])
    return middle if not with_spread or found["n"] < 2 or low == high else "%s (%s–%s)" % (middle, low, high)


SIDE_ROWS = (
    ("CPU per operation", "cpu_us_per_op", lambda v: "%s µs" % words.significant(v)),
    ("CPU used", "cpu_cores", lambda v: "%.2f cores" % v),
    ("Resident memory", "rss_bytes", words.size),
    ("Size on disk", "disk_used_bytes", words.size),
    ("Record cache hits", "record_cache_hit_rate", words.percent),
    ("Block cache hits", "block_cache_hit_rate", words.percent),
    ("Keys found", "key_hit_rate", words.percent),
    ("Wait for a thread, fast lane", "fast_wait_us", lambda v: "%s µs" % words.significant(v)),
    ("Wait for a thread, slow lane", "slow_wait_us", lambda v: "%s µs" % words.significant(v)),
    ("Batches in the slow lane", "slow_share", words.percent),
    ("Compactions", "compactions", lambda v: "%d" % v),
    ("Time in write stalls", "stall_share", words.percent),
    ("Syncs of the log", "wal_syncs_per_s", lambda v: "%s a second" % words.significant(v)),
    ("Disk written", "disk_written_per_s", lambda v: words.size(v) + "/s"),
    ("Disk read", "disk_read_per_s", lambda v: words.size(v) + "/s"),
    ("Time waiting for the disk (any process)", "io_pressure", words.percent),
    ("Machine busy (all programs)", "machine_busy", words.percent),
)


def server_table(stage):
    """The server's side at the most that clients got, and in the long run."""
    columns, headings = [], []
    for name, part in stage["servers"].items():
        best = figures.best_closed(part)
        if best:
            headings.append("%s, full load" % name)
            columns.append(lambda key, point=best: figures.side(point, key))
        side = (part["sustained"] or {}).get("measurement", {}).get("server")
        if side:
            headings.append("%s, long run" % name)
            columns.append(lambda key, side=side: side.get(key))
    rows = []
    for label, key, show in SIDE_ROWS:
        values = [column(key) for column in columns]
        if any(value is not None for value in values):
            rows.append([label] + ["—" if value is None else show(value) for value in values])
    for label, show in (
        ("Write amplification", lambda part: number((part["sustained"] or {}).get("write_amplification"), "×")),
    ):
        values = {name: show(part) for name, part in stage["servers"].items()}
        if any(value != "—" for value in values.values()):
            rows.append([label] + [values[h.rsplit(",", 1)[0]] if h.endswith("long run") else "" for h in headings])
    return "<h3>The server's side</h3>" + table([""] + headings, rows, text_columns=(0,)) if rows else ""


def commands(stage):
    seen = []
    for name, part in stage["servers"].items():
        for point in part["points"]:
            for one in point["repeats"][:1]:
                seen.append(
                    "# %s, %s\n%s"
                    % (
                        name,
                        one["errors"]["replies"]
                        and errors_seen.line(one["errors"])
                        or words.count(one["ops_per_s"]) + " ops/s",
                        one["command"],
                    )
                )
        if part["sustained"]:
            seen.append("# %s, the long run\n%s" % (name, part["sustained"]["measurement"]["command"]))
    return (
        "<details><summary>The exact commands</summary><pre>%s</pre></details>" % text("\n".join(seen)) if seen else ""
    )


def trouble(document):
    lines = summary.error_lines(document)
    if not lines:
        return ""
    return (
        '<section><h2>What went wrong</h2><p>These figures are shown, and counted nowhere.</p><ul class="trouble">%s</ul></section>'
        % "".join("<li>%s</li>" % text(line) for line in lines)
    )


def method(document):
    generator = document["generator"]
    notes = list(NOTES) + ["<b>Lost with this generator:</b> %s." % text(lost) for lost in generator["lost"]]
    return '<section id="method"><h2>How it was measured</h2><ul class="method">%s</ul></section>' % "".join(
        "<li>%s</li>" % n for n in notes
    )


def environment(document):
    machine, generator = document["machine"], document["generator"]
    rows = [
        ["Command", document["command"]],
        [
            "Load generator",
            "%s %s, %d thread%s"
            % (generator["name"], generator["version"], generator["threads"], "" if generator["threads"] == 1 else "s"),
        ],
        ["Machine", "%s, %d cores, %s" % (machine["cpu"], machine["cores"], words.size(machine["memory_bytes"]))],
        [
            "System",
            "%s, Linux %s; load average %.2f at the start"
            % (machine["os"], machine["kernel"], machine["load_at_start"]),
        ],
        ["Time", "%s to %s" % (document["started"], document["finished"] or "(not finished)")],
    ]
    for server in document["servers"]:
        facts = ", ".join("%s %s" % (key, value) for key, value in server["facts"].items())
        rows.append(
            [server["name"], "%s:%d, pid %s; %s" % (server["host"], server["port"], server["pid"] or "not here", facts)]
        )
    settings = "".join(
        "<details><summary>Configuration of %s</summary><pre>%s</pre></details>"
        % (
            text(server["name"]),
            text("\n".join("%s %s" % pair for pair in server["config"].items()) or "It does not tell."),
        )
        for server in document["servers"]
    )
    return '<section id="environment"><h2>Versions, machine and configuration</h2>%s%s</section>' % (
        table(["", ""], rows, text_columns=(0, 1), heading=False),
        settings,
    )


# ---- pieces ----
def figure(chart):
    note = "<p>%s</p>" % text(chart["note"]) if chart.get("note") else ""
    rows = len(chart["y"].get("categories", ())) * max(1, len(chart["series"]))
    height = ' style="height:auto;min-height:%dpx"' % (90 + 24 * rows) if chart["kind"] == "bars" else ""
    return (
        '<figure%s><figcaption>%s</figcaption><div class="plot" id="%s"%s role="img" aria-label="%s"></div>%s</figure>'
        % (
            ' class="wide"' if chart["id"] == "overview" else "",
            text(chart["title"]),
            chart["id"],
            height,
            text(chart["title"]),
            note,
        )
    )


def table(headings, rows, text_columns=(), raw=(), heading=True):
    """raw: columns whose cells are HTML already."""

    def cells(tag, row):
        return "".join(
            "<%s%s>%s</%s>"
            % (tag, ' class="t"' if i in text_columns else "", cell if tag == "td" and i in raw else text(cell), tag)
            for i, cell in enumerate(row)
        )

    head = "<thead><tr>%s</tr></thead>" % cells("th", headings) if heading else ""
    return '<div class="scroll"><table>%s<tbody>%s</tbody></table></div>' % (
        head,
        "".join("<tr>%s</tr>" % cells("td", row) for row in rows),
    )


def server_mark(names, name, content):
    return '<span class="server s%d">%s</span>' % (names.index(name) % 6, content)


def number(value, unit=""):
    return "—" if value is None else words.significant(value) + unit


def size_each(value):
    return "—" if value is None else "{:,.0f}".format(value)


def upper(value):
    return (
        value[:1].upper() + value[1:]
        if value.startswith(("all", "the", "nothing", "batches", "threads", "it ", "RocksDB"))
        else value
    )


def text(value):
    return html.escape(str(value), quote=True)
