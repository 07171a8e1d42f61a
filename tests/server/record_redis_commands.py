#!/usr/bin/env python3
"""Writes what a real Redis says about its commands (COMMAND INFO, COMMAND DOCS) as the lines that command_facts_test.cc
compares the command table with. Usage: record_redis_commands.py PORT > redis-7.2.4-commands.txt

  info <name> <arity> <flags> <first> <last> <step> <categories> <tips> <key specs>
  docs <name> <since> <group> <arguments>

Lists are joined by commas, "-" is empty. Arguments: type, ":TOKEN", "#key spec", "?" before what is optional, "+" behind what
repeats, "++" where the token repeats too, parts in parentheses.
"""
import socket
import sys


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def __call__(self, *args):
        parts = [b"*%d\r\n" % len(args)]
        parts += [b"$%d\r\n%s\r\n" % (len(a), a.encode()) for a in args]
        self.socket.sendall(b"".join(parts))
        return self.read()

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind in b"+-":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def joined(words):
    return ",".join(words) or "-"


def key_spec(flat):
    spec = pairs(flat)
    begin, find = pairs(spec["begin_search"]), pairs(spec["find_keys"])
    begin_values = pairs(begin["spec"])
    if begin["type"] == "keyword":
        begin_text = "keyword:%s:%d" % (begin_values["keyword"], begin_values["startfrom"])
    elif begin["type"] == "index":
        begin_text = "index:%d" % begin_values["index"]
    else:
        begin_text = "unknown"
    values = pairs(find["spec"])
    if find["type"] == "range":
        find_text = "range:%d:%d:%d" % (values["lastkey"], values["keystep"], values["limit"])
    elif find["type"] == "keynum":
        find_text = "keynum:%d:%d:%d" % (values["keynumidx"], values["firstkey"], values["keystep"])
    else:
        find_text = "unknown"
    return ".".join(spec["flags"]) + "@" + begin_text + "/" + find_text


def argument(flat):
    fields = pairs(flat)
    flags = fields.get("flags", [])
    text = ("?" if "optional" in flags else "") + fields["type"]
    if "token" in fields:
        text += ":" + fields["token"].upper()
    if "key_spec_index" in fields:
        text += "#%d" % fields["key_spec_index"]
    if "arguments" in fields:
        text += "(" + arguments(fields["arguments"]) + ")"
    return text + ("++" if "multiple_token" in flags else "+" if "multiple" in flags else "")


def arguments(flat_list):
    return " ".join(argument(flat) for flat in flat_list)


def info_lines(commands):
    for name, arity, flags, first, last, step, categories, tips, specs, subcommands in commands:
        # No two builds agree on the order of flags in a set.
        yield "info %s %d %s %d %d %d %s %s %s" % (name, arity, joined(sorted(flags)), first, last, step, joined(c[1:] for c in categories),
                                                   joined(tips), joined(key_spec(s) for s in specs))
        yield from info_lines(subcommands or [])


def docs_lines(docs):
    for name, flat in pairs(docs).items():
        fields = pairs(flat)
        yield "docs %s %s %s %s" % (name, fields["since"], fields["group"], arguments(fields.get("arguments", [])) or "-")
        yield from docs_lines(fields.get("subcommands", []))


def main():
    redis = Connection(int(sys.argv[1]))
    for line in sorted(info_lines(redis("COMMAND"))) + sorted(docs_lines(redis("COMMAND", "DOCS"))):
        print(line)


main()
