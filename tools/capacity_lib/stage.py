"""One value size of one profile, on all servers: preload, sweep, knee, the long run. Saves after every step."""

import statistics
import time

from . import errors_seen, figures, limit, load, machine, plan, results, sample
from .failure import Failure
from .knee import KneeSearch
from .observer import Observer

SETTLE_MAX_S = 15
FLUSH_S = 1  # after FLUSHALL, until the server begins to give the disk back
ACHIEVED = 0.99  # of the offered rate; less, and more than one request in a hundred was not even sent in time
KNEE_START = 0.15  # of the closed-loop rate with the least pipelining
CONFIRMATIONS_MAX = 3
ERRORS_END_STAGE = 0.01  # of the requests
BACKGROUND = ("compactions_running", "flushes_running", "rdb_bgsave_in_progress", "aof_rewrite_in_progress")


class Stage:
    """One value size of one profile, on all servers."""

    def __init__(self, runner, profile, keys, value_bytes, document):
        self.runner, self.profile, self.keys, self.value_bytes, self.document = (
            runner,
            profile,
            keys,
            value_bytes,
            document,
        )
        self.out = set()  # servers that failed in this stage
        self.began = time.time()
        self.parts = {}
        for server in runner.active():
            self.parts[server.name] = document["servers"][server.name] = {
                "failure": None,
                "preload": None,
                "points": [],
                "knee": None,
                "sustained": None,
                "limit": None,
                "samples": {"t": []},
            }

    def run(self):
        progress = self.runner.progress
        planned = plan.stage_s(self.profile, self.keys, self.value_bytes, self.runner.generator.open_loop) * len(
            self.parts
        )
        spent_before = progress.planned_done
        progress.say(
            "%s %s: %s keys of %s bytes"
            % (progress.clock(), self.profile.title, format(self.keys, ","), format(self.value_bytes, ","))
        )
        try:
            for server in self.servers():
                self.attempt(server, lambda: self.preload(server))
            self.sweep()
            if self.runner.generator.open_loop:
                self.find_knees()
            else:
                self.closed_knees()
            self.sustain()
        finally:
            self.judge()
            self.save()
            progress.skip(planned - (progress.planned_done - spent_before))

    def servers(self):
        return [server for server in self.runner.active() if server.name not in self.out]

    def attempt(self, server, action):
        """Runs the action; a failure ends this stage for the server (or the run, when it is gone), not for the others."""
        try:
            return action()
        except Failure as failure:
            self.lose(server, str(failure))
            return None

    def lose(self, server, text):
        self.out.add(server.name)
        self.parts[server.name]["failure"] = text
        if not server.answers():
            self.runner.gone.add(server.name)
        self.runner.fail("%s: %s" % (self.profile.name, text))

    def save(self):
        for name, part in self.parts.items():
            part["samples"] = self.runner.samplers[name].columns(self.began)
        self.runner.save()

    # ---- phases ----
    def preload(self, server):
        if int(server.call("DBSIZE")):
            server.call("FLUSHALL")
            time.sleep(FLUSH_S)
            self.settle(server)
        before, count, seconds = sample.take(server), 0, 0.0
        self.runner.progress.doing("%s: preload on %s" % (self.profile.title, server.name))
        for part in load.preload(self.profile, self.keys, self.value_bytes):
            measurement = self.runner.generator.run(part, server, self.runner.stop)
            count += measurement["count"]
            seconds += measurement["seconds"]
            trouble = errors_seen.line(measurement["errors"])
            if trouble:
                raise Failure("%s: loading its data gave %s" % (server.name, trouble))
            self.runner.check_stop()
        self.settle(server)
        after = sample.take(server)
        loaded = int(server.call("DBSIZE"))

        def each(name):
            grew = after[name] - before[name] if name in before and name in after else 0
            return round(grew / loaded, 1) if loaded and grew > 0 else None

        written, source = sample.bytes_written(before, after)
        self.parts[server.name]["preload"] = {
            "keys": loaded,
            "seconds": round(seconds, 2),
            "ops_per_s": round(count / seconds, 1) if seconds else 0,
            "memory_bytes_per_key": each("used_memory"),
            "disk_bytes_per_key": each("disk_used"),
            "disk_written_bytes": written,
            "disk_written_source": source,
        }
        self.runner.progress.done(
            "%s: %s loaded %s keys, %s a second"
            % (
                self.profile.title,
                server.name,
                format(loaded, ","),
                format(round(count / seconds) if seconds else 0, ","),
            ),
            plan.preload_s(self.keys, self.value_bytes),
        )
        self.save()

    def sweep(self):
        """Closed loop over clients × pipeline."""
        for turn in range(self.profile.repeats):
            for clients in self.profile.clients:
                for pipeline in self.profile.pipeline:
                    for server in self.in_turn(turn):
                        self.measure(
                            server,
                            "sweep",
                            load.of(self.profile, self.keys, self.value_bytes, clients, pipeline, self.profile.step_s),
                        )

    def in_turn(self, turn):
        servers = self.servers()
        return servers if turn % 2 == 0 else servers[::-1]

    def find_knees(self):
        searches = {}
        for server in self.servers():
            best = self.best_closed(server, min(self.profile.pipeline))
            if best is not None:
                searches[server.name] = KneeSearch(
                    KNEE_START * best["ops_per_s"],
                    self.profile.knee_steps,
                    lowest=self.runner.generator.lowest_rate(self.profile.connections),
                )
        while True:
            # A server whose part ended early is not among servers() any more.
            going = [
                one for one in self.servers() if one.name in searches and searches[one.name].next_rate() is not None
            ]
            if not going:
                break
            for server in going:
                search = searches[server.name]
                measurement = self.measure(server, "rate", self.at_rate(search.next_rate()))
                if measurement is not None:
                    search.record(self.keeps(measurement))
        for server in self.servers():
            if server.name in searches:
                self.confirm(server, searches[server.name])

    def at_rate(self, rate):
        return load.of(
            self.profile, self.keys, self.value_bytes, self.profile.connections, 1, self.profile.step_s, rate
        )

    def keeps(self, measurement):
        """Whether this rate was carried: sent in full, answered without error, and fast enough."""
        p99 = measurement["latency_ms"]["p99"]
        return (
            results.valid(measurement)
            and p99 is not None
            and p99 <= self.profile.p99_ms
            and measurement["ops_per_s"] >= ACHIEVED * measurement["offered"]
        )

    def confirm(self, server, search):
        """Repeats the knee; when the middle of the repeats breaks the promise, the next lower rate that held is tried."""
        part = self.parts[server.name]
        rates = sorted({rate for rate, votes in search.votes.items() if KneeSearch.verdict(votes)}, reverse=True)
        for rate in rates[:CONFIRMATIONS_MAX]:
            point = self.point(part, "rate", self.at_rate(rate))
            while len(point["repeats"]) < self.profile.repeats:
                if self.measure(server, "rate", self.at_rate(rate)) is None:
                    return
            counted = results.whole(point)
            p99 = figures.latency(point, "p99")
            achieved = statistics.median(one["ops_per_s"] / one["offered"] for one in counted) if counted else 0
            if p99 is not None and p99["median"] <= self.profile.p99_ms and achieved >= ACHIEVED:
                broke = min((other for other in search.votes if other > rate), default=None)
                part["knee"] = knee_document("open loop", self.profile, point, rate, broke, self.why_broke(part, broke))
                return
        part["knee"] = knee_document(
            "open loop", self.profile, None, None, min(search.votes), self.why_broke(part, min(search.votes))
        )

    def why_broke(self, part, rate):
        point = next((one for one in part["points"] if one["phase"] == "rate" and one["asked_rate"] == rate), None)
        if point is None:
            return None
        if not results.whole(point):
            return "errors"
        return "p99" if any(one["latency_ms"]["p99"] > self.profile.p99_ms for one in results.whole(point)) else "rate"

    def closed_knees(self):
        """Without rates: the best of the sweep that keeps the promise."""
        for server in self.servers():
            part = self.parts[server.name]
            fitting = [
                point
                for point in figures.closed_points(part)
                if figures.latency(point, "p99") and figures.latency(point, "p99")["median"] <= self.profile.p99_ms
            ]
            best = max(fitting, key=lambda point: figures.ops(point)["median"], default=None)
            part["knee"] = knee_document("closed loop", self.profile, best, None, None, None)

    def best_closed(self, server, pipeline=None):
        """The closed-loop measurement with the most operations a second: of the point's repeats the one in the middle."""
        best = figures.best_closed(self.parts[server.name], pipeline)
        if best is None:
            return None
        middle = figures.ops(best)["median"]
        return min(results.whole(best), key=lambda one: abs(one["ops_per_s"] - middle))

    def sustain(self):
        """One long step: at the knee, or as much as it takes; for the series by the second and for write amplification."""
        if self.profile.sustain_s <= 0:
            return
        for server in self.servers():
            part = self.parts[server.name]
            knee = part["knee"]
            if self.profile.sustain == "knee" and knee and knee["asked_rate"]:
                step = self.at_rate(knee["asked_rate"])
            else:
                best = figures.best_closed(part)
                if best is None:
                    continue
                step = load.of(self.profile, self.keys, self.value_bytes, best["clients"], best["pipeline"], 1)
            self.attempt(server, lambda: self.sustain_one(server, step.lasting(self.profile.sustain_s)))

    def sustain_one(self, server, step):
        runner = self.runner
        self.settle_others(server)
        runner.progress.doing("%s: sustained on %s" % (self.profile.title, server.name))
        before = sample.take(server)
        with Observer(server, step.seconds if runner.generator.keeps_time else None) as seen:
            measurement = runner.generator.run(step, server, runner.stop)
        self.add_server_side(measurement, seen, server)
        self.settle(server)  # what the load left to do belongs to it
        settled = sample.take(server)
        written, source = sample.bytes_written(before, settled)
        sent = sum(measurement["by_command"][name]["bytes_sent"] or 0 for name in runner.writes(server, measurement))
        self.parts[server.name]["sustained"] = {
            "load": "knee" if step.rate is not None else "full",
            "measurement": measurement,
            "settled": settled["t"],
            "samples": runner.samplers[server.name].columns(before["t"] - 1),
            "written_bytes": written,
            "written_source": source,
            "write_command_bytes": sent,
            "write_amplification": round(written / sent, 2) if written is not None and sent else None,
        }
        runner.progress.done(
            "%s: %s %.0f s long: %s" % (self.profile.title, server.name, measurement["seconds"], told(measurement)),
            self.profile.sustain_s + 2 * plan.OVERHEAD_S,
        )
        self.save()
        runner.check_stop()

    def judge(self):
        runner = self.runner
        for server in runner.servers:
            part = self.parts.get(server.name)
            best = self.best_closed(server) if part else None
            if best is not None:
                part["limit"] = limit.of(
                    best, runner.document["machine"]["cores"], runner.generator.threads, machine.is_local(server.host)
                )

    # ---- one step ----
    def point(self, part, phase, step):
        rate = step.rate
        for point in part["points"]:
            if (point["phase"], point["clients"], point["pipeline"], point["asked_rate"]) == (
                phase,
                step.clients,
                step.pipeline,
                rate,
            ):
                return point
        point = {"phase": phase, "clients": step.clients, "pipeline": step.pipeline, "asked_rate": rate, "repeats": []}
        part["points"].append(point)
        return point

    def measure(self, server, phase, step):
        """One warmed-up measurement, kept and saved; None when the server failed."""
        runner = self.runner
        runner.check_stop()
        label = "%s: %s, %s" % (self.profile.title, server.name, told_load(step))
        runner.progress.doing(label)
        measurement = self.attempt(server, lambda: self.measure_once(server, step))
        if measurement is None:
            return None
        self.point(self.parts[server.name], phase, step)["repeats"].append(measurement)
        planned = plan.sweep_step_s(self.profile) if step.rate is None else plan.rate_step_s(self.profile)
        runner.progress.done("%s: %s" % (label, told(measurement)), planned)
        self.save()
        runner.check_stop()
        errors = measurement["errors"]
        if errors["lost_connections"] or errors["replies"] > ERRORS_END_STAGE * max(1, measurement["count"]):
            self.lose(
                server, "%s: %s; the rest of this profile is left out for it" % (server.name, errors_seen.line(errors))
            )
            return None
        return measurement

    def measure_once(self, server, step):
        runner = self.runner
        self.settle_others(server)
        if self.profile.warmup_s and step.rate is None:  # what is offered a rate was under full load just before
            runner.generator.run(step.lasting(self.profile.warmup_s), server, runner.stop)
            runner.check_stop()
        with Observer(server, step.seconds if runner.generator.keeps_time else None) as seen:
            measurement = runner.generator.run(step, server, runner.stop)
        self.add_server_side(measurement, seen, server)
        measurement.pop("per_second")
        return measurement

    def add_server_side(self, measurement, seen, server):
        side = measurement["server"] = seen.side()
        measurement["others_cores"] = None
        if (
            side
            and side["machine_busy"] is not None
            and side["cpu_cores"] is not None
            and machine.is_local(server.host)
        ):
            busy = side["machine_busy"] * self.runner.document["machine"]["cores"]
            measurement["others_cores"] = round(max(0.0, busy - side["cpu_cores"] - measurement["generator_cpu"]), 3)

    def settle_others(self, server):
        for other in self.servers():
            if other is not server:
                self.attempt(other, lambda other=other: self.settle(other))

    def settle(self, server):
        """Waits a while for the server's background work, which would disturb what is measured next."""
        deadline = time.monotonic() + SETTLE_MAX_S
        while time.monotonic() < deadline and not self.runner.stop:
            info = server.info()
            if not any(info.get(name) for name in BACKGROUND):
                break
            time.sleep(0.2)


def settings(profile):
    """What the profile asks for, for the reader of a report."""
    return {
        "set_get": None if profile.commands else profile.set_get,
        "key_pattern": None if profile.commands else profile.key_pattern,
        "expiry_s": profile.expiry_s,
        "commands": [{"text": c.text, "ratio": c.ratio, "keys": c.keys} for c in profile.commands],
        "clients": list(profile.clients),
        "pipeline": list(profile.pipeline),
        "connections": profile.connections,
        "warmup_s": profile.warmup_s,
        "step_s": profile.step_s,
        "sustain_s": profile.sustain_s,
        "sustain": profile.sustain,
        "repeats": profile.repeats,
        "knee_steps": profile.knee_steps,
        "memory_times": profile.memory_times,
    }


def knee_document(how, profile, point, asked_rate, broke_at, broke_by):
    """point None: no rate kept the promise."""
    return {
        "how": how,
        "p99_ms_target": profile.p99_ms,
        "asked_rate": asked_rate,
        "ops_per_s": figures.ops(point)["median"] if point else None,
        "p50_ms": figures.latency(point, "p50")["median"] if point else None,
        "p99_ms": figures.latency(point, "p99")["median"] if point else None,
        "clients": point["clients"] if point else None,
        "pipeline": point["pipeline"] if point else None,
        "broke_at": broke_at,
        "broke_by": broke_by,
    }


def told_load(step):
    if step.rate is not None:
        return "%s/s offered" % format(round(step.rate), ",")
    return "%d client%s × %d" % (step.clients, "" if step.clients == 1 else "s", step.pipeline)


def told(measurement):
    latency = measurement["latency_ms"]
    trouble = errors_seen.line(measurement["errors"])
    text = "%s ops/s" % format(round(measurement["ops_per_s"]), ",")
    if latency["p99"] is not None:
        text += ", p50 %.2f ms, p99 %.2f ms" % (latency["p50"], latency["p99"])
    if measurement["interrupted"]:
        text += " (cut short)"
    return text + (" — NOT COUNTED: " + trouble if trouble else "")
