"""The results document: made, saved whole or not at all, and read again. results.schema.json describes it."""

import json
import os
import time

from .failure import Failure

SCHEMA_VERSION = 1
SCHEMA_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results.schema.json")


def stamp(unix=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))


def new(machine, generator, servers, note, words):
    return {
        "schema_version": SCHEMA_VERSION,
        "started": stamp(),
        "finished": None,
        "complete": False,
        "ended_by": "killed",
        "note": note,
        "command": words,
        "machine": machine,
        "generator": generator,
        "servers": servers,
        "profiles": [],
        "failures": [],
    }


def save(document, path):
    """Replaces the file at once, so that a kill at any moment leaves the last whole document."""
    temporary = path + ".new"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(document, file, separators=(",", ":"))
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise Failure("cannot write %s: %s" % (path, error.strerror)) from error


def load(path):
    if os.path.isdir(path):
        path = os.path.join(path, "results.json")
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise Failure("cannot read %s: %s" % (path, error.strerror)) from error
    except ValueError as error:
        raise Failure("%s is no JSON: %s" % (path, error)) from error
    if not isinstance(document, dict) or "schema_version" not in document or "profiles" not in document:
        raise Failure("%s is not the results.json of tools/capacity" % path)
    if document["schema_version"] != SCHEMA_VERSION:
        raise Failure(
            "%s has schema version %s; this tool reads %d" % (path, document["schema_version"], SCHEMA_VERSION)
        )
    return document


def stages(document):
    """Every (profile, stage, server name, the server's part of that stage)."""
    for profile in document["profiles"]:
        for stage in profile["stages"]:
            for name, part in stage["servers"].items():
                yield profile, stage, name, part


def valid(measurement):
    """Whether its figures may count: it ran to its end, and no request went wrong."""
    errors = measurement["errors"]
    return (
        not measurement["interrupted"]
        and not errors["replies"]
        and not errors["lost_connections"]
        and measurement["count"] > 0
    )


def whole(point):
    """The measurements of a point that count."""
    return [one for one in point["repeats"] if valid(one)]
