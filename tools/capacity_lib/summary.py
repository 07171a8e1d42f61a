"""The results in plain words."""

from . import errors_seen, figures, results, words


def lines(document):
    """One sentence for each profile, value size and server, and one for each thing that went wrong."""
    out = []
    if not document["complete"]:
        out.append(incomplete(document))
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
    most = "%s a second at the most, with a p99 of %s ms" % (
        words.count(figures.ops(best)["median"]), words.milliseconds(figures.latency(best, "p99")["median"])) if best and figures.latency(
            best, "p99") else None
    if knee and knee["ops_per_s"]:
        text = "%s carries %s %s a second under %g ms p99" % (name, words.count(knee["ops_per_s"]), kind, knee["p99_ms_target"])
        return text + (" (%s when clients wait for replies)" % most if most else "")
    if knee:
        tried = ", not even at %s a second" % words.count(knee["broke_at"]) if knee["broke_at"] else ""
        return "%s does not keep %g ms p99%s%s" % (name, knee["p99_ms_target"], tried, "; it carries %s" % most if most else "")
    return "%s carries %s %s" % (name, most, kind) if most else "%s was not measured to an end" % name


def gives(limit):
    if limit["what"] == "round trips":
        return "nothing was full, each client waits for its reply"
    if limit["what"] == "not known":
        return "what gives first is not known (its process is not on this machine)"
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
                    load = "%s/s offered" % words.count(point["asked_rate"]) if point["asked_rate"] else "%d clients × %d" % (
                        point["clients"], point["pipeline"])
                    out.append("%s, %s, %s: %s" % (figures.stage_title(profile, stage), name, load, trouble or "cut short"))
    return out + document["failures"]
