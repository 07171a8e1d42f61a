"""A profile: which data, which load, which steps. Read from a TOML file; tools/capacity-profiles/README.md explains each name."""

import os
import re
import tomllib
from dataclasses import dataclass, field

from .failure import Failure

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "capacity-profiles")


@dataclass(frozen=True)
class Command:
    """One command of a load. keys: how memtier draws __key__ (R uniform, G Gaussian, Z Zipf, S sequential, P partitioned)."""

    text: str
    ratio: int = 1
    keys: str = "R"


@dataclass(frozen=True)
class Profile:
    name: str
    title: str
    about: str
    # data
    keys: int | None = None  # None: memory_times says how many
    memory_times: float | None = None
    prefix: str = "key:"
    value_bytes: tuple = (100,)
    preload: bool = True
    preload_commands: tuple = ()
    # load: either SET and GET, or commands
    set_get: str = "1:1"
    key_pattern: str = "R:R"
    expiry_s: str | None = None
    commands: tuple = ()
    # steps
    clients: tuple = (50,)
    pipeline: tuple = (1,)
    connections: int = 48
    knee_steps: int = 12
    p99_ms: float = 5.0
    sustain: str = "knee"
    # time
    warmup_s: float = 1.0
    step_s: float = 5.0
    sustain_s: float = 20.0
    repeats: int = 3
    source: str = field(default="", compare=False)

    def key_count(self, memory_bytes):
        """How many keys are loaded. memory_bytes: the memory setting of the server that tells one, or None."""
        if self.keys is not None:
            return self.keys
        if memory_bytes is None:
            raise Failure(
                "profile %s loads %g times the memory setting, and no server tells one: give --memory 1gb"
                % (self.name, self.memory_times)
            )
        return max(1000, int(self.memory_times * memory_bytes / max(self.value_bytes)))


# name in the file -> name here, and what it must be
SECTIONS = {
    "": {"title": ("title", str), "about": ("about", str)},
    "data": {
        "keys": ("keys", int),
        "memory_times": ("memory_times", float),
        "prefix": ("prefix", str),
        "value_bytes": ("value_bytes", list),
        "preload": ("preload", bool),
        "preload_command": ("preload_commands", "commands"),
    },
    "load": {
        "set_get": ("set_get", str),
        "key_pattern": ("key_pattern", str),
        "expiry_s": ("expiry_s", str),
        "command": ("commands", "commands"),
    },
    "sweep": {"clients": ("clients", list), "pipeline": ("pipeline", list)},
    "knee": {"connections": ("connections", int), "steps": ("knee_steps", int), "p99_ms": ("p99_ms", float)},
    "sustain": {"load": ("sustain", str), "seconds": ("sustain_s", float)},
    "time": {"warmup_s": ("warmup_s", float), "step_s": ("step_s", float), "repeats": ("repeats", int)},
}


def known():
    """Names of the profiles in tools/capacity-profiles, in the order in which `--profile all` runs them."""
    order = ["quick", "cache", "session", "write-heavy", "pipeline", "big-values", "types", "larger-than-memory"]
    found = [name[:-5] for name in os.listdir(FOLDER) if name.endswith(".toml")]
    return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))


def named(name):
    if name not in known():
        raise Failure("no profile %s; there are: %s (or give --profile-file)" % (name, ", ".join(known())))
    return read(os.path.join(FOLDER, name + ".toml"))


def read(path):
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise Failure("cannot read profile %s: %s" % (path, error.strerror)) from error
    except tomllib.TOMLDecodeError as error:
        raise Failure("profile %s: %s" % (path, error)) from error
    return parse(document, os.path.splitext(os.path.basename(path))[0], path)


def parse(document, name, source=""):
    values = {"name": name, "source": source}
    flat = {"": {key: value for key, value in document.items() if not isinstance(value, dict)}}
    flat.update({key: value for key, value in document.items() if isinstance(value, dict)})
    for section, entries in flat.items():
        if section not in SECTIONS:
            raise Failure(
                "profile %s: no section [%s]; there are: %s" % (name, section, ", ".join(filter(None, SECTIONS)))
            )
        for key, value in entries.items():
            where = "%s.%s" % (section, key) if section else key
            if key not in SECTIONS[section]:
                raise Failure("profile %s: unknown name %s" % (name, where))
            attribute, kind = SECTIONS[section][key]
            values[attribute] = convert(name, where, value, kind)
    for required in ("title", "about"):
        if required not in values:
            raise Failure("profile %s: %s is missing" % (name, required))
    profile = Profile(**values)
    check(profile)
    return profile


def convert(name, where, value, kind):
    if kind == "commands":
        if not isinstance(value, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get("text"), str) for entry in value
        ):
            raise Failure("profile %s: %s must be a list of tables with a text" % (name, where))
        unknown = {key for entry in value for key in entry} - {"text", "ratio", "keys"}
        if unknown:
            raise Failure("profile %s: unknown name %s.%s" % (name, where, sorted(unknown)[0]))
        return tuple(Command(**entry) for entry in value)
    if kind is list:
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list) or not value or not all(type(entry) is int and entry > 0 for entry in value):
            raise Failure("profile %s: %s must be positive whole numbers" % (name, where))
        return tuple(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise Failure(
            "profile %s: %s must be %s"
            % (name, where, {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[kind])
        )
    if kind in (int, float) and value < 0:
        raise Failure("profile %s: %s must not be negative" % (name, where))
    return value


def check(profile):
    def refuse(text):
        raise Failure("profile %s: %s" % (profile.name, text))

    if (profile.keys is None) == (profile.memory_times is None):
        refuse("data.keys or data.memory_times must be given, not both")
    if profile.keys == 0 or profile.memory_times == 0:
        refuse("there must be keys")
    if not re.fullmatch(r"\d+:\d+", profile.set_get) or profile.set_get in ("0:0",):
        refuse("load.set_get must be as 1:9")
    if not re.fullmatch(r"[RGZSP]:[RGZSP]", profile.key_pattern):
        refuse("load.key_pattern must be as R:R (R, G, Z, S or P)")
    if profile.expiry_s is not None and not re.fullmatch(r"\d+-\d+", profile.expiry_s):
        refuse("load.expiry_s must be as 60-3600")
    if profile.sustain not in ("knee", "full"):
        refuse("sustain.load must be knee or full")
    for command in profile.commands + profile.preload_commands:
        if not re.fullmatch(r"[RGZSP]", command.keys) or type(command.ratio) is not int or command.ratio < 1:
            refuse("command %r: keys must be R, G, Z, S or P, ratio at least 1" % command.text)
    if profile.repeats < 1 or profile.step_s < 1 or profile.connections < 1 or profile.p99_ms <= 0:
        refuse("time.repeats, time.step_s and knee.connections must be at least 1, knee.p99_ms more than 0")
