#!/usr/bin/python3
"""Users: the aclfile, lines of the conf file, and changes that reach connections while these are at work."""

import hashlib
import threading
import time

from case import BasaltTest, main, os
from resp import Client, Closed, RespError
from server import free_port


def error_of(client, *args):
    try:
        client.call(*args)
    except RespError as error:
        return str(error)
    return None


class AclFile(BasaltTest):
    def start(self, options=None, **more):
        self.acl = os.path.join(self.folder, "users.acl")
        if not os.path.exists(self.acl):
            self.write("user alice on >alice +@all ~* &*\nuser bob on >bob +@set +acl ~set* (+get ~b*)\n")
        return super().start(dict(options or {}, aclfile=self.acl), **more)

    def write(self, text):
        with open(self.acl, "w") as file:
            file.write(text)

    def read(self):
        with open(self.acl) as file:
            return file.read()

    def test_users_are_loaded_saved_and_there_after_a_restart(self):
        client = self.client()
        self.assertEqual(client.call("ACL", "USERS"), [b"alice", b"bob", b"default"])
        client.call("ACL", "SETUSER", "eve", "on", ">eve", "+get", "~*")
        self.assertEqual(client.call("ACL", "SAVE"), "OK")
        self.assertIn("user eve on sanitize-payload #%s ~* resetchannels -@all +get\n" % hashlib.sha256(b"eve").hexdigest(),
                      self.read())
        self.assertEqual([name for name in os.listdir(self.folder) if "users.acl" in name], ["users.acl"])
        self.assertEqual(self.server.stop(), 0)
        self.server = self.start()
        client = self.client()
        self.assertEqual(client.call("AUTH", "eve", "eve"), "OK")
        self.assertIn("NOPERM", error_of(client, "SET", "k", "v"))

    def test_load_ends_the_connections_of_all_users_but_the_default_one(self):
        admin, alice, blocked = self.client(), self.client(), self.client()
        alice.call("AUTH", "alice", "alice")
        blocked.call("AUTH", "alice", "alice")
        blocked.send("BLPOP", "list", "0")
        self.write("user alice on >alice +ping\n")
        self.assertEqual(admin.call("ACL", "LOAD"), "OK")
        self.assertEqual(admin.call("PING"), "PONG")
        for client in (alice, blocked):
            with self.assertRaises(Closed):
                client.read()
        self.assertEqual(admin.call("ACL", "USERS"), [b"alice", b"default"])
        own = self.client()
        own.call("AUTH", "alice", "alice")
        self.assertEqual(own.call("PING"), "PONG")
        admin.call("ACL", "SETUSER", "alice", "+acl|load")
        self.assertEqual(own.call("ACL", "LOAD"), "OK")  # one's own reply still comes
        with self.assertRaises(Closed):
            own.read()

    def test_a_file_with_errors_changes_nothing(self):
        client, alice = self.client(), self.client()
        alice.call("AUTH", "alice", "alice")
        before = client.call("ACL", "LIST")
        self.write("user alice on\nuser alice off\nuser bob +nosuch\n")
        error = error_of(client, "ACL", "LOAD")
        self.assertIn("Duplicate user 'alice' found on line 2", error)
        self.assertIn(self.acl + ":3: Error in applying operation '+nosuch'", error)
        self.assertEqual(client.call("ACL", "LIST"), before)
        self.assertEqual(alice.call("PING"), "PONG")
        self.write("".join(line.decode() + "\n" for line in before))  # for the end of the test's server
        os.chmod(self.folder, 0o500)
        try:
            if os.geteuid() != 0:
                self.assertIn("There was an error trying to save the ACLs", error_of(client, "ACL", "SAVE"))
        finally:
            os.chmod(self.folder, 0o700)

    def test_a_start_that_cannot_have_its_users_is_refused(self):
        conf = os.path.join(self.folder, "users.conf")
        with open(conf, "w") as file:
            file.write("user carl on\n")
        wrong = os.path.join(self.folder, "wrong.acl")
        with open(wrong, "w") as file:
            file.write("user carl on\nuser carl on\n")
        for arguments, words in (
            (["--config=" + conf, "--aclfile=" + self.acl], [conf + ":1", "both here and in the aclfile"]),
            (["--aclfile=" + wrong], ["Duplicate user 'carl'"]),
            (["--aclfile=" + wrong + ".none"], ["No such file"]),
        ):
            status, output = self.run_to_end("--port=%d" % free_port(), "--dir=" + os.path.join(self.folder, "other"), *arguments)
            self.assertGreater(status, 0, output)
            for word in words:
                self.assertIn(word, output)


class ConfUsers(BasaltTest):
    def start(self, options=None, **more):
        self.conf = os.path.join(self.folder, "basalt.conf")
        if not os.path.exists(self.conf):
            with open(self.conf, "w") as file:
                file.write("# mine\nuser default on nopass ~* +@all -flushdb\nuser alice on >a +@read ~a*\n")
        return super().start(dict(options or {}, config=self.conf), **more)

    def test_config_rewrite_keeps_users(self):
        client = self.client()
        self.assertIn("NOPERM", error_of(client, "FLUSHDB"))
        self.assertIn("NOPERM", error_of(client, "PUBLISH", "c", "m"))
        client.call("ACL", "SETUSER", "bob", "on", ">b", "(+get ~b*)")
        client.call("ACL", "DELUSER", "alice")
        self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        users = client.call("ACL", "LIST")
        self.assertEqual(self.server.stop(), 0)
        self.server = self.start()
        client = self.client()
        self.assertEqual(client.call("ACL", "LIST"), users)
        self.assertIn("NOPERM", error_of(client, "FLUSHDB"))
        self.assertIn("not configured to use an ACL file", error_of(client, "ACL", "SAVE"))


class Changes(BasaltTest):
    """What SETUSER and DELUSER say is true for every command that is sent after their reply."""

    def test_passwords_are_shown_nowhere(self):
        watcher, client = self.client(), self.client()
        watcher.call("MONITOR")
        client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
        client.call("ACL", "SETUSER", "u", "on", ">hush", "+@all")
        error_of(client, "AUTH", "u", "hush2")
        error_of(client, "HELLO", "3", "AUTH", "u", "hush3")
        client.call("ECHO", "end")
        seen = ""
        while "end" not in seen:
            seen += watcher.read().plain()
        slowlog = repr(client.call("SLOWLOG", "GET", "-1"))
        self.assertNotIn("hush", seen + slowlog + repr(client.call("ACL", "LOG")))
        self.assertIn("[b'ACL', b'SETUSER', b'(redacted)', b'(redacted)', b'(redacted)', b'(redacted)']", slowlog)
        self.assertIn('"AUTH" "(redacted)" "(redacted)"', seen)

    def test_a_denied_command_never_runs_after_the_change(self):
        admin = self.client()
        admin.call("ACL", "SETUSER", "u", "on", "nopass", "~*", "+incr", "+get", "+multi", "+exec")
        stop, problems = threading.Event(), []
        epoch = [0]  # odd: the admin was told that it is denied; even: also while a change is under way

        def work(inside_multi):
            with Client(("127.0.0.1", self.server.port), timeout=20) as client:
                client.call("AUTH", "u", "x")
                while not stop.is_set():
                    before = epoch[0]
                    try:
                        if inside_multi:
                            client.call("MULTI")
                            queued = error_of(client, "INCR", "n")
                            reply = error_of(client, "EXEC") if queued else client.call("EXEC")[0]
                            worked = isinstance(reply, int)
                        else:
                            client.call("INCR", "n")
                            worked = True
                    except RespError as error:
                        worked = False
                        if "NOPERM" not in str(error):
                            problems.append(str(error))
                    if worked and before % 2 == 1 and before == epoch[0]:
                        problems.append("ran although it was denied")

        threads = [threading.Thread(target=work, args=(kind,)) for kind in (False, False, True)]
        for thread in threads:
            thread.start()
        for _ in range(150):
            admin.call("ACL", "SETUSER", "u", "-incr")
            epoch[0] += 1
            count = admin.call("GET", "n")
            admin.pipeline([("PING",)] * 20)
            if admin.call("GET", "n") != count:
                problems.append("counted on while it was denied")
            epoch[0] += 1
            admin.call("ACL", "SETUSER", "u", "+incr")
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])

    def test_nobody_stays_in_as_a_user_that_was_deleted(self):
        admin = self.client()
        stop, problems = threading.Event(), []

        def log_in():
            while not stop.is_set():
                try:
                    with Client(("127.0.0.1", self.server.port), timeout=20) as client:
                        client.pipeline([("AUTH", "u", "x"), ("PING",)])
                except (RespError, Closed, OSError):
                    pass

        threads = [threading.Thread(target=log_in) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            admin.call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*", "&*")
            admin.pipeline([("PING",)] * 10)
            admin.call("ACL", "DELUSER", "u")
            if b" user=u " in admin.call("CLIENT", "LIST"):
                # One that was just authenticating is ended before its next command.
                for line in admin.call("CLIENT", "LIST").splitlines():
                    if b" user=u " in line and b" cmd=ping " in line:
                        problems.append(line)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])

    def test_nobody_listens_to_a_channel_that_was_taken_away(self):
        admin = self.client()
        admin.call("ACL", "SETUSER", "u", "on", "nopass", "+subscribe")
        stop, heard = threading.Event(), []

        def listen():
            while not stop.is_set():
                try:
                    with Client(("127.0.0.1", self.server.port), timeout=20) as client:
                        client.call("AUTH", "u", "x")
                        client.call("SUBSCRIBE", "c")
                        heard.append(1)
                        client.read()  # until it is ended
                except (RespError, Closed, OSError):
                    pass

        threads = [threading.Thread(target=listen, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            admin.call("ACL", "SETUSER", "u", "&c")
            admin.pipeline([("PING",)] * 30)
            admin.call("ACL", "SETUSER", "u", "resetchannels")
            # One that was just subscribing is ended as soon as its command is done.
            deadline = time.monotonic() + 5
            while admin.call("PUBSUB", "NUMSUB", "c") != [b"c", 0]:
                self.assertLess(time.monotonic(), deadline, "somebody still listens")
        stop.set()
        for thread in threads:
            thread.join()
        self.assertGreater(len(heard), 0)


if __name__ == "__main__":
    main()
