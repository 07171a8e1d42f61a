#!/usr/bin/python3
"""Start and end: clean shutdown, ports and folders that are taken, options that are wrong, CONFIG REWRITE, backups."""

import socket
import tempfile
import time

from case import BASALT, BasaltTest, Server, main, os, signal
from resp import Closed, RespError
from server import free_port


class Shutdown(BasaltTest):
    def restart(self):
        self.server = self.start(self.options)
        return self.client()

    def test_signals_and_the_command_end_it_cleanly_and_keep_the_data(self):
        def shutdown_command():
            with self.server.client() as client:
                client.send("SHUTDOWN")
                with self.assertRaises(Closed):
                    client.read()

        ways = {
            "SIGTERM": lambda: self.server.process.send_signal(signal.SIGTERM),
            "SIGINT": lambda: self.server.process.send_signal(signal.SIGINT),
            "SHUTDOWN": shutdown_command,
        }
        client = self.client()
        for number, (name, end) in enumerate(ways.items()):
            with self.subTest(name):
                client.call("SET", "way", name)
                client.call("INCR", "count")
                end()
                self.assertEqual(self.server.process.wait(20), 0, self.server.output())
                client = self.restart()
                self.assertEqual(client.call("GET", "way"), name.encode())
                self.assertEqual(client.call("GET", "count"), b"%d" % (number + 1))
                self.assertEqual(client.call("DBSIZE"), 2)

    def test_a_pipeline_in_flight_is_answered_before_the_end(self):
        client = self.client()
        client.pipeline([("SET", "k%d" % i, "v") for i in range(1000)])
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.process.wait(20), 0)
        self.assertEqual(self.restart().call("DBSIZE"), 1000)

    def test_a_writer_is_never_told_ok_for_what_is_lost(self):
        client = self.client()
        acknowledged = 0
        try:
            for number in range(1_000_000):
                if number == 500:
                    self.server.process.send_signal(signal.SIGTERM)
                client.call("SET", "last", str(number))
                acknowledged = number
        except (Closed, OSError, RespError):
            pass
        self.assertGreaterEqual(acknowledged, 499)
        self.assertEqual(self.server.process.wait(20), 0)
        self.assertGreaterEqual(int(self.restart().call("GET", "last")), acknowledged)


class Refusals(BasaltTest):
    """What cannot be started: one clear line and a status other than 0."""

    def refused(self, *args, mentions):
        status, output = self.run_to_end("--bind=127.0.0.1", *args)
        self.assertNotIn(status, (0, None), output)
        self.assertGreater(status, 0, "ended by a signal: " + output)
        lines = [line for line in output.splitlines() if line.startswith("basalt: ")]
        self.assertEqual(len(lines), 1, "one clear line expected:\n" + output)
        for text in mentions:
            self.assertIn(text, lines[0])
        return lines[0]

    def test_port_in_use(self):
        port = self.server.port
        self.refused("--port=%d" % port, "--dir=" + os.path.join(self.folder, "other"), mentions=[str(port)])

    def test_port_held_by_a_program_that_only_listens(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            self.refused("--port=%d" % port, "--dir=" + os.path.join(self.folder, "other"), mentions=[str(port)])

    def test_a_second_process_on_the_same_folder(self):
        self.refused("--port=%d" % free_port(), "--dir=" + self.server.data_folder, mentions=[self.server.data_folder])
        self.assertEqual(self.client().call("PING"), "PONG")

    def test_a_folder_with_something_else_in_it(self):
        foreign = os.path.join(self.folder, "foreign")
        os.makedirs(foreign)
        with open(os.path.join(foreign, "thesis.txt"), "w") as file:
            file.write("mine")
        self.refused("--port=%d" % free_port(), "--dir=" + foreign, mentions=[foreign])
        self.assertEqual(os.listdir(foreign), ["thesis.txt"])

    def test_a_folder_that_is_a_file(self):
        path = os.path.join(self.folder, "file")
        open(path, "w").close()
        self.refused("--port=%d" % free_port(), "--dir=" + path, mentions=[path])

    def test_options_that_are_wrong_name_file_and_line(self):
        conf = os.path.join(self.folder, "wrong.conf")
        for number, (text, word) in enumerate([
            ("# comment\nport 7000\nno-such-option 1\n", "no-such-option"),
            ("port 7000\n\nmaxclients many\n", "maxclients"),
            ("port 7000\n\nappendfsync sometimes\n", "appendfsync"),
            ("port 7000\n# x\nport 70000\n", "port"),
            ('port 7000\n\nrequirepass "open\n', "3"),
        ]):
            with self.subTest(word), open(conf, "w") as file:
                file.write(text)
                file.flush()
                self.refused("--config=" + conf, "--dir=" + os.path.join(self.folder, "other"), mentions=[conf, ":3", word])

    def test_commands_that_cannot_be_renamed_name_file_and_line(self):
        conf = os.path.join(self.folder, "wrong.conf")
        for line, words in [("rename-command NOSUCH x", "No such command in rename-command"),
                            ("rename-command GET set", "Target command name already exists")]:
            with self.subTest(line), open(conf, "w") as file:
                file.write("\n\n%s\n" % line)
                file.flush()
                self.refused("--config=" + conf, "--port=%d" % free_port(), "--dir=" + os.path.join(self.folder, "other"),
                             mentions=[conf, ":3", words])

    def test_a_configuration_file_that_is_missing(self):
        path = os.path.join(self.folder, "none.conf")
        self.refused("--config=" + path, mentions=[path])

    def test_an_unknown_option_on_the_command_line(self):
        status, output = self.run_to_end("--no_such_option=1")
        self.assertGreater(status, 0)
        self.assertIn("no_such_option", output)


class Full(BasaltTest):
    """A disk without the space that disk-free-stop keeps free."""

    def setUp(self):
        super().setUp()
        self.full = self.start({"disk-free-stop": "1000000gb"}, "full", wait=False)
        self.full.spawn()

    def test_writes_and_ping_are_refused_and_reads_are_not(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                client = self.client(server=self.full)
                if isinstance(self.outcome(client, "SET", "k", "v"), RespError):
                    break
            except OSError:
                pass
            self.assertLess(time.monotonic(), deadline, "it does not start, or takes writes")
            time.sleep(0.05)
        for command in (("SET", "k", "v"), ("PING",), ("PING", "x")):
            with self.assertRaisesRegex(RespError, "^MISCONF "):
                client.call(*command)
        self.assertIsNone(client.call("GET", "none"))

    @staticmethod
    def outcome(client, *command):
        try:
            return client.call(*command)
        except RespError as error:
            return error


class Renamed(BasaltTest):
    """rename-command: hardened installations take commands away, or give them names that only some know."""

    def setUp(self):
        self.conf = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.addCleanup(self.conf.close)
        self.conf.write('rename-command FLUSHALL ""\nrename-command CONFIG Secret-7\n'
                        "user bob on nopass ~* +config -flushall\n")
        self.conf.flush()
        self.options = {"config": self.conf.name}
        super().setUp()

    def test_by_what_names_commands_are_called(self):
        client = self.client()
        for gone in (("FLUSHALL",), ("CONFIG", "GET", "save")):
            with self.assertRaisesRegex(RespError, "^ERR unknown command '%s'" % gone[0]):
                client.call(*gone)
        with self.assertRaisesRegex(RespError, "unknown command|Unknown Redis command"):
            client.call("EVAL", "return redis.call('flushall')", 0)
        self.assertEqual(client.call("secret-7", "GET", "save"), [b"save", b""])
        self.assertEqual(client.call("EVAL", "return redis.call('ping').ok", 0), b"PONG")
        names = client.call("COMMAND", "LIST")
        self.assertNotIn(b"flushall", names)
        self.assertIn(b"config|get", names)
        self.assertEqual(client.call("COMMAND", "INFO", "config", "flushall"), [None, None])
        self.assertEqual(client.call("COMMAND", "INFO", "SECRET-7")[0][0], b"config")
        # Rules of users go by the names that commands have of their own.
        client.call("ACL", "SETUSER", "bob", "+flushall", "-config|set")
        client.call("AUTH", "bob", "")
        with self.assertRaisesRegex(RespError, "NOPERM .* 'config|set' command"):
            client.call("secret-7", "SET", "timeout", "1")


class Rewrite(BasaltTest):
    def setUp(self):
        self.conf = None
        super().setUp()

    def start(self, options=None, **more):
        if self.conf is None:
            self.conf = os.path.join(self.folder, "basalt.conf")
            with open(self.conf, "w") as file:
                file.write("# kept comment\nmaxclients 500\n\nslowlog-max-len 7\n")
        return super().start(dict(options or {}, config=self.conf), **more)

    def test_config_rewrite_keeps_comments_and_is_read_back(self):
        client = self.client()
        self.assertEqual(client.call("CONFIG", "GET", "maxclients"), [b"maxclients", b"500"])
        client.call("CONFIG", "SET", "maxclients", "600", "slowlog-log-slower-than", "1234")
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        with open(self.conf) as file:
            text = file.read()
        self.assertIn("# kept comment", text)
        self.assertIn("maxclients 600", text)
        self.assertNotIn("maxclients 500", text)
        self.assertEqual(self.server.stop(), 0)
        self.server = self.start()
        client = self.client()
        self.assertEqual(client.call("CONFIG", "GET", "slowlog-*"),
                         [b"slowlog-log-slower-than", b"1234", b"slowlog-max-len", b"7"])
        self.assertEqual(client.call("CONFIG", "GET", "maxclients"), [b"maxclients", b"600"])


class Backups(BasaltTest):
    def test_bgsave_beside_a_writer_and_a_backup_that_opens(self):
        client = self.client()
        client.pipeline([("SET", "key:%d" % i, "v%d" % i) for i in range(2000)])
        client.call("PEXPIRE", "key:7", "1000000")
        before = client.call("LASTSAVE")
        time.sleep(1.1)
        client.call("MULTI")
        client.call("SET", "pair:a", "1")
        client.call("SET", "pair:b", "1")
        client.call("EXEC")
        self.assertRegex(client.call("BGSAVE"), "Background saving started")
        for number in range(2, 200):
            client.call("MULTI")
            client.call("SET", "pair:a", str(number))
            client.call("SET", "pair:b", str(number))
            client.call("EXEC")
        deadline = time.monotonic() + 20
        while client.call("LASTSAVE") == before:
            self.assertLess(time.monotonic(), deadline, "BGSAVE did not end")
            time.sleep(0.02)
        self.assertEqual(self.server.info("persistence")["rdb_last_bgsave_status"], "ok")
        backups = os.path.join(self.server.data_folder, "backups")
        names = os.listdir(backups)
        self.assertEqual(len(names), 1, names)
        backup = Server(BASALT, folder=os.path.join(backups, names[0]), log=os.path.join(self.folder, "backup.out"))
        self.servers.append(backup)
        copy = self.client(server=backup)
        self.assertEqual(copy.call("DBSIZE"), 2002)
        self.assertEqual(copy.call("GET", "key:1999"), b"v1999")
        self.assertEqual(copy.call("GET", "pair:a"), copy.call("GET", "pair:b"))
        self.assertGreater(copy.call("PTTL", "key:7"), 0)
        copy.call("SET", "only-in-the-copy", "1")
        self.assertIsNone(client.call("GET", "only-in-the-copy"))


if __name__ == "__main__":
    main()
