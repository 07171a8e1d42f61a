"""The results in plain words."""

import statistics

from . import errors_seen, figures, results, words

DISTURBED = 0.1  # of the machine


def lines(document):
    """One sentence for each profile, value size and server, and one for each thing that went wrong."""
    out = []
    if not document["complete"]:
        out.append(incomplete(document))
    if disturbed(document):
        out.append(disturbed(document))
    for profile in document["profiles"]:
        for stage in profile["stages"]:
            for name, part in stage["servers"].items():
                out.append("%s: %s" % (figures.stage_title(profile, stage), sentence(profile, name, part)))
    return out


def incomplete(document):
    reason = document["ended_by"]
    if reason in ("SIGINT", "SIGTERM", "SIGHUP"):
        return "Not complete: the run was interrupted (%s); what was measured until then is here." % reason
    if reason == "killed":
        return "Not complete: the run was killed, or is still going on; what was saved until then is here."
    return "Not complete: %s" % reason


def operations(profile):
    settings = profile["settings"]
    if settings["commands"]:
        return "mixed commands"
    sets, gets = (int(number) for number in settings["set_get"].split(":"))
    return "writes" if not gets else "reads" if not sets else "mixed operations"


def sentence(profile, name, part):
    """What one server carried; ends with what gives first."""
    text = carried(profile, name, part)
    if part["limit"]:
        text += "; " + gives(part["limit"])
    if part["failure"]:
        text += "; %s" % part["failure"]
    return text + "."


def carried(profile, name, part):
    knee, best, kind = part["knee"], figures.best_closed(part), operations(profile)
    p99 = figures.latency(best, "p99") if best else None
    waiting = (
        "clients that wait for replies get %s a second" % words.count(figures.ops(best)["median"]) if best else None
    )
    if waiting and p99:
        waiting += ", with a p99 of %s ms" % words.milliseconds(p99["median"])
    if knee and knee["ops_per_s"]:
        text = "%s carries %s %s a second under %g ms p99" % (
            name,
            words.count(knee["ops_per_s"]),
            kind,
            knee["p99_ms_target"],
        )
        return text + (" (%s)" % waiting if waiting and knee["how"] == "open loop" else "")
    if knee:
        tried = ", not even at %s a second" % words.count(knee["broke_at"]) if knee["broke_at"] else ""
        return "%s does not keep %g ms p99%s%s" % (
            name,
            knee["p99_ms_target"],
            tried,
            "; " + waiting if waiting else "",
        )
    return "%s: %s" % (name, waiting) if waiting else "%s was not measured to an end" % name


def disturbed(document):
    """A sentence when other programs took much of the machine; None otherwise."""
    taken = [
        one["others_cores"]
        for _, _, _, part in results.stages(document)
        for point in part["points"]
        for one in point["repeats"]
        if one.get("others_cores") is not None
    ]
    if not taken or statistics.median(taken) < DISTURBED * document["machine"]["cores"]:
        return None
    return (
        "Other programs used %.1f of the machine's %d cores in half of the steps (%.1f at the most): rates are lower, and latencies "
        "higher, than this machine allows." % (statistics.median(taken), document["machine"]["cores"], max(taken))
    )


def gives(limit):
    if limit["what"] == "round trips":
        return "nothing was full, each client waits for its reply"
    if limit["what"] == "not known":
        return "what gives first is not known (its process is not on this machine)"
    if limit["what"] == "other programs on the machine":
        return "other programs took the machine's processors first"
    verb = "give" if limit["what"] in ("write stalls", "the machine's processors") else "gives"
    return "%s %s first" % (limit["what"], verb)


def error_lines(document):
    """One line for each point whose figures do not count, and each server that failed."""
    out = []
    for profile, stage, name, part in results.stages(document):
        for point in part["points"]:
            for one in point["repeats"]:
                trouble = errors_seen.line(one["errors"])
                if trouble or one["interrupted"]:
                    load = (
                        "%s/s offered" % words.count(point["asked_rate"])
                        if point["asked_rate"]
                        else "%d clients × %d" % (point["clients"], point["pipeline"])
                    )
                    out.append(
                        "%s, %s, %s: %s" % (figures.stage_title(profile, stage), name, load, trouble or "cut short")
                    )
    return out + document["failures"]
