"""A server under test: where it is, what it is, and what it says about itself."""

import os
import re

from . import machine
from .failure import Failure
from .process import Process

try:
    import redis
except ImportError as error:
    raise Failure("redis-py is missing: apt-get install python3-redis (or: tools/install-packages capacity)") from error

TIMEOUT_S = 10
KINDS = ("basalt", "kvrocks", "pika", "dragonfly", "valkey", "redis")
SECRET = re.compile(r"pass|auth|secret|user$")


class Server:
    """Speaks to one server with redis-py, for everything but the load. Not thread-safe: a thread that samples makes its own."""

    def __init__(self, name, host, port, user=None, password=None, pid=None):
        self.name, self.host, self.port, self.user, self.password, self.pid = name, host, port, user, password, pid
        self.client = None
        self.kind = None
        self.process = None

    def __str__(self):
        return "%s (%s:%d)" % (self.name, self.host, self.port)

    def connect(self):
        self.client = redis.Redis(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=5,
            decode_responses=True,
        )
        return self

    def call(self, *words):
        """One command's reply. Raises Failure, in one line, for whatever goes wrong."""
        try:
            return self.client.execute_command(*words)
        except (redis.exceptions.AuthenticationError, redis.exceptions.ResponseError) as error:
            raise Failure(self.refusal(words, error)) from error
        except redis.exceptions.TimeoutError as error:
            raise Failure("%s does not answer within %d s" % (self, TIMEOUT_S)) from error
        except redis.exceptions.ConnectionError as error:
            if "refused" in str(error):
                raise Failure(
                    "%s: nothing listens there (connection refused); is the port right, and does the server run?" % self
                ) from error
            raise Failure("%s: %s" % (self, str(error).rstrip("."))) from error
        except redis.exceptions.RedisError as error:
            raise Failure("%s does not speak the Redis protocol: %s" % (self, error)) from error

    def answers(self):
        """Whether it is there; not PING, which says MISCONF when the disk is full."""
        try:
            self.call("ECHO", "there")
        except Failure:
            return False
        return True

    def refusal(self, words, error):
        """The line for an error reply. Versions of redis-py differ in what they make of its first word, and in whether they keep it."""
        text = str(error)
        if re.match(r"WRONGPASS|invalid password|invalid username", text, re.IGNORECASE):
            return "%s refuses the password: %s" % (self, text)
        if re.match(r"NOAUTH|Authentication required|HELLO must be called", text):
            return "%s wants a password: give --password, or password= in --server" % self
        return "%s answers %s with: %s" % (self, words[0], text)

    def info(self):
        """INFO as a flat dict; numbers are numbers, lists of k=v are dicts."""
        return self.call("INFO", "all")

    def identify(self):
        """Connects, finds out what it is, and looks for its process when it runs here."""
        self.connect()
        info = self.info()
        self.kind = kind_of(info)
        if self.pid is not None:
            self.process = Process(self.pid)
        elif machine.is_local(self.host):
            self.pid = own_process(info)
            self.process = Process(self.pid) if self.pid else None
        return info

    def document(self, info):
        known = (
            "redis_version",
            "basalt_version",
            "rocksdb_version",
            "rocksdb_build",
            "kvrocks_version",
            "pika_version",
            "os",
            "mem_allocator",
            "worker_threads",
            "fast_threads",
            "slow_threads",
            "appendfsync",
            "aof_enabled",
            "memory_budget",
            "maxmemory",
            "executable",
        )
        version = info.get(self.kind + "_version") or info.get("redis_version") or "?"
        return {
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "kind": self.kind,
            "version": str(version),
            "pid": self.pid,
            "facts": {key: info[key] for key in known if info.get(key) not in (None, "")},
            "config": self.config(),
        }

    def config(self):
        """CONFIG GET *, without secrets and empty values; {} where the server has none."""
        try:
            reply = self.call("CONFIG", "GET", "*")
        except Failure:
            return {}
        pairs = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
        return {
            key: value for key, value in sorted(pairs.items()) if value not in ("", None) and not SECRET.search(key)
        }

    def memory_setting(self, info):
        """The bytes that the server is set to keep in memory; None when it tells none (a Redis without maxmemory)."""
        for key in ("memory_budget", "maxmemory"):
            if int(info.get(key) or 0) > 0:
                return int(info[key])
        return None

    def writes(self, command):
        """Whether a command writes, by what COMMAND INFO says."""
        try:
            reply = self.call("COMMAND", "INFO", command)
        except Failure:
            return False
        rows = reply.values() if isinstance(reply, dict) else [row for row in reply if row]
        return any("write" in (row.get("flags", ()) if isinstance(row, dict) else row[2]) for row in rows if row)


def kind_of(info):
    for kind in KINDS:
        if kind + "_version" in info and (kind != "redis" or "redis_version" in info):
            return kind
    return "valkey" if info.get("server_name") == "valkey" else "unknown"


def own_process(info):
    """The process id that INFO tells, when that process is here and runs the program that INFO names."""
    pid, program = info.get("process_id"), info.get("executable")
    if not pid or not program:
        return None
    try:
        return (
            int(pid) if os.path.basename(os.readlink("/proc/%d/exe" % int(pid))) == os.path.basename(program) else None
        )
    except OSError:
        return None


def parse(text, number):
    """A Server out of the words of --server: name=host:port[,user=…][,password=…][,pid=…]. number: its place, for a default name."""
    first, *options = text.split(",")
    name, _, address = first.rpartition("=")
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise Failure("--server %s: expected [name=]host:port[,user=…][,password=…][,pid=…]" % first)
    values = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in ("user", "password", "pid") or not value:
            raise Failure("--server %s: unknown option %s (user=, password=, pid=)" % (first, key))
        values[key] = value
    if "pid" in values:
        if not values["pid"].isdigit():
            raise Failure("--server %s: pid must be a number" % first)
        values["pid"] = int(values["pid"])
    return Server(name or "server%d" % number, host or "127.0.0.1", int(port), **values)
