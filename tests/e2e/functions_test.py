#!/usr/bin/python3
"""Libraries of functions: kept over a restart and in backups, left by FLUSHALL, seen by every thread at once."""

import threading

from case import BasaltTest, main, os
from resp import RespError


def library(name, result):
    return "#!lua name=%s\nredis.register_function('%s', function() return '%s' end)" % (name, name, result)


class Functions(BasaltTest):
    def names(self, client):
        return [each[1].decode() for each in client.call("FUNCTION", "LIST")]

    def test_a_restart_and_a_backup_keep_them(self):
        client = self.client()
        for name in ("a", "b", "c"):
            self.assertEqual(client.call("FUNCTION", "LOAD", library(name, "1")), name.encode())
        client.call("FUNCTION", "LOAD", "REPLACE", library("b", "2"))
        client.call("FUNCTION", "DELETE", "c")
        client.call("FLUSHALL")
        client.call("SAVE")
        client.call("FUNCTION", "LOAD", library("later", "3"))
        self.assertEqual(self.server.stop(), 0)
        self.server = self.start(self.options)
        client = self.client()
        self.assertEqual(self.names(client), ["a", "b", "later"])
        self.assertEqual([client.call("FCALL", name, 0) for name in ("a", "b")], [b"1", b"2"])
        backups = os.path.join(self.server.data_folder, "backups")
        (backup,) = os.listdir(backups)
        restored = self.start(folder=os.path.join("data", "backups", backup))
        with restored.client() as other:
            self.assertEqual(self.names(other), ["a", "b"])
            self.assertEqual(other.call("FCALL", "b", 0), b"2")

    def test_what_was_loaded_is_called_from_every_connection(self):
        client = self.client()
        others = [self.client() for _ in range(8)]
        for version in range(20):
            client.call("FUNCTION", "LOAD", "REPLACE", library("f", version))
            for other in others:
                self.assertEqual(other.call("FCALL", "f", 0), str(version).encode())
        client.call("FUNCTION", "FLUSH")
        for other in others:
            with self.assertRaisesRegex(RespError, "Function not found"):
                other.call("FCALL", "f", 0)

    def test_a_call_runs_one_version_or_the_other_while_libraries_change(self):
        client = self.client()
        client.call("FUNCTION", "LOAD", library("f", 0))
        done = threading.Event()
        failures = []

        def call():
            last = 0
            try:
                with self.server.client() as caller:
                    while not done.is_set():
                        for reply in caller.pipeline([("FCALL", "f", "0")] * 20):
                            if not last <= int(reply):
                                raise AssertionError("%r after %d" % (reply, last))
                            last = int(reply)
            except Exception as error:  # noqa: BLE001 - told to the test's thread
                failures.append(error)

        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for version in range(1, 200):
            client.call("FUNCTION", "LOAD", "REPLACE", library("f", version))
        done.set()
        for caller in callers:
            caller.join(20)
        self.assertEqual(failures, [])

    def test_a_pipeline_sees_what_it_loaded(self):
        client = self.client()
        replies = client.pipeline([
            ("SET", "k", "1"), ("FUNCTION", "LOAD", library("p", "1")), ("FCALL", "p", "0"),
            ("FUNCTION", "LOAD", "REPLACE", library("p", "2")), ("FCALL", "p", "0"), ("FUNCTION", "DELETE", "p"), ("GET", "k"),
        ])
        self.assertEqual(replies, ["OK", b"p", b"1", b"p", b"2", "OK", b"1"])

    def test_a_library_that_does_not_end_is_given_up(self):
        client = self.client()
        with self.assertRaisesRegex(RespError, "FUNCTION LOAD timeout"):
            client.call("FUNCTION", "LOAD", "#!lua name=x\nwhile true do end")
        self.assertEqual(client.call("PING"), "PONG")


if __name__ == "__main__":
    main()
