"""Drives a run: profile by profile, value size by value size, all servers interleaved."""

from . import results
from .failure import Failure
from .sampler import Sampler
from .stage import Stage, settings


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: what was measured is saved."""


class Runner:
    """servers: identified ones. profiles: as they are run (plan.fit). document: results.new(); saved to path after every step."""

    def __init__(self, servers, generator, profiles, memory_bytes, document, path, progress, stop):
        self.servers, self.generator, self.profiles = list(servers), generator, profiles
        self.memory_bytes, self.document, self.path = memory_bytes, document, path
        self.progress, self.stop = progress, stop
        self.gone = set()  # servers that did not answer any more
        self.samplers = {}

    def run(self):
        """Runs everything; the document is complete, or says why it is not. Raises nothing but programming errors."""
        for server in self.servers:
            self.samplers[server.name] = Sampler(server)
            self.samplers[server.name].start()
        try:
            for profile in self.profiles:
                self.run_profile(profile)
                if len(self.gone) == len(self.servers):
                    break
            failed = self.document["failures"]
            self.document.update(complete=not failed, ended_by=None if not failed else failed[0])
        except Interrupted:
            self.document["ended_by"] = self.stop.reason
        except Failure as failure:
            self.fail(str(failure))
            self.document["ended_by"] = str(failure)
        finally:
            for sampler in self.samplers.values():
                sampler.stop()
            self.document["finished"] = results.stamp()
            self.save()

    def run_profile(self, profile):
        keys = profile.key_count(self.memory_bytes)
        entry = {
            "name": profile.name,
            "title": profile.title,
            "about": profile.about,
            "settings": settings(profile),
            "p99_ms": profile.p99_ms,
            "stages": [],
        }
        self.document["profiles"].append(entry)
        for value_bytes in profile.value_bytes:
            self.look_for_gone()
            stage = {"value_bytes": value_bytes, "keys": keys, "servers": {}}
            entry["stages"].append(stage)
            Stage(self, profile, keys, value_bytes, stage).run()

    def look_for_gone(self):
        """A server that paused for long, or was started again, takes part from the next stage on."""
        for server in self.servers:
            if server.name in self.gone and server.answers():
                self.gone.discard(server.name)

    # ---- what stages use ----
    def active(self):
        return [server for server in self.servers if server.name not in self.gone]

    def fail(self, text):
        self.document["failures"].append(text)
        self.progress.say("capacity: " + text)

    def save(self):
        results.save(self.document, self.path)

    def check_stop(self):
        if self.stop:
            raise Interrupted

    def writes(self, server, measurement):
        return [name for name in measurement["by_command"] if server.writes(name)]
