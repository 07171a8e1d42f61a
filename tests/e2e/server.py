"""Starts a server of our own for one test, on a free port of 127.0.0.1 and in a temporary folder, and ends it by its pid."""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from resp import Client, Closed, RespError

START_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_parent():
    """In a child before exec: the kernel ends it when the test that started it is gone, however that one ended."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def limit_files(soft, hard):
    """In a child before exec: so many open files, and no right to raise the harder limit, whoever runs it."""
    pr_capbset_drop, cap_sys_resource = 24, 24
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    ctypes.CDLL(None).prctl(pr_capbset_drop, cap_sys_resource)


class StartError(Exception):
    """The server ended, or did not answer, before it was ready; carries what it printed."""


class Server:
    """A running server. kind: "basalt" or "redis" (how options are given). Use as a context manager.

    options: {"name": "value"}, as on the command line (--name value).
    folder: where data goes; None: a temporary folder of its own, removed at the end. log: file for what it prints.
    files: the soft and the hard limit of open files.
    """

    def __init__(self, binary, kind="basalt", options=None, folder=None, password=None, wait=True, log=None, files=None):
        self.binary = os.path.abspath(binary)
        self.kind = kind
        self.options = dict(options or {})
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="basalt-test.")
        self.log_path = log or (os.path.join(self.folder, "server.out") if self.own_folder else self.folder.rstrip("/") + ".out")
        self.password = password
        self.files = files
        self.process = None
        self.port = None
        self.killed = False
        if wait:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()
        self.remove()

    @property
    def data_folder(self):
        return os.path.join(self.folder, "data") if self.own_folder else self.folder

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        options = {"port": str(self.port), "dir": self.data_folder, "bind": "127.0.0.1"}
        if self.kind == "redis":
            options["save"] = ""
            os.makedirs(self.data_folder, exist_ok=True)
        options.update(self.options)
        if self.kind == "redis":
            args = []
            for name, value in options.items():
                args += ["--" + name, str(value)]
            # Debian's redis-check-rdb is the whole server; it decides by the name it is called with.
            return ["redis-server"] + args
        return [self.binary] + ["--%s=%s" % (name.replace("-", "_"), value) for name, value in options.items()]

    def spawn(self):
        """Starts the process without waiting for it to be ready."""
        if "port" in self.options:
            self.port = int(self.options["port"])
        else:
            self.port = free_port()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), executable=self.binary, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder if self.own_folder else None, preexec_fn=self.in_child)

    def in_child(self):
        end_with_parent()
        if self.files is not None:
            limit_files(*self.files)

    def start(self):
        self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None:
                raise StartError("%s ended with status %s:\n%s" % (self.binary, self.process.returncode, self.output()))
            try:
                with Client(("127.0.0.1", self.port), timeout=5) as client:
                    client.call("PING")
                    return self
            except RespError as error:
                if str(error).startswith(("NOAUTH", "MISCONF")):  # it is up, and refuses
                    return self
            except (OSError, Closed):
                pass
            if time.monotonic() > deadline:
                self.kill()
                raise StartError("%s did not answer within %d s:\n%s" % (self.binary, START_SECONDS, self.output()))
            time.sleep(0.02)

    def client(self, timeout=10.0):
        client = Client(("127.0.0.1", self.port), timeout=timeout)
        if self.password is not None:
            client.call("AUTH", self.password)
        return client

    def output(self):
        """What the process has printed so far."""
        try:
            with open(self.log_path, errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def kill(self):
        """kill -9, and the end of the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.killed = True

    def stop(self, signum=signal.SIGTERM, seconds=30):
        """Asks the process to end; its exit status. After `seconds` it is killed and the status is None."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signum)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        return self.process.returncode

    def remove(self):
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif os.path.exists(self.log_path):
            os.unlink(self.log_path)

    # ---- what /proc and INFO tell ----
    def rss_bytes(self):
        with open("/proc/%d/status" % self.pid) as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def cpu_seconds(self):
        """User and system time of the process so far, as two numbers."""
        with open("/proc/%d/stat" % self.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        tick = os.sysconf("SC_CLK_TCK")
        return int(fields[11]) / tick, int(fields[12]) / tick

    def info(self, section="everything", client=None):
        """INFO as a dict of str."""
        connection = client or self.client()
        try:
            text = connection.call("INFO", section)
        finally:
            if client is None:
                connection.close()
        lines = text.decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
