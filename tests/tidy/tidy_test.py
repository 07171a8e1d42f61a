#!/usr/bin/python3
"""The house rules that a program can check. $BASALT names the server program (for what it prints of itself)."""

import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASALT = os.environ.get("BASALT", os.path.join(ROOT, "build/release/basalt"))
LINES_WARN, LINES_MAX = 900, 1500
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "README.md", "conf", "net", "server", "storage", "tests", "tools"}
# Which rooms the files of a room may include from, beside itself.
MAY_INCLUDE = {"net": set(), "storage": set(), "server": {"net", "storage"}}


def tracked():
    """Files of the project: what git knows or would take, as paths from the root."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.splitlines()
    return sorted(path for path in set(listed) if os.path.isfile(os.path.join(ROOT, path)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


class Tidy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tracked()
        cls.sources = [path for path in cls.files if re.fullmatch(r"(net|storage|server)/.*\.(cc|h)", path)]
        cls.code = {path: without_comments(read(path)) for path in cls.sources}

    def offenders(self, found, rule):
        self.assertEqual([], found, rule)

    def test_there_are_sources_to_check(self):
        self.assertGreater(len(self.sources), 50)

    def test_the_top_level_is_the_users(self):
        top = {path.split("/")[0] for path in self.files}
        self.offenders(sorted(name for name in top - TOP_LEVEL if not name.startswith(".")), "nothing else at the top level")

    def test_include_direction(self):
        found = []
        for path, code in self.code.items():
            room = path.split("/")[0]
            for included in re.findall(r'#include "([^"]+)"', read(path)):
                other = included.split("/")[0]
                if other != room and other not in MAY_INCLUDE[room]:
                    found.append("%s includes %s" % (path, included))
        self.offenders(found, "net and storage stand alone; server includes both; nobody includes server")

    def test_storage_knows_no_sockets_and_net_no_rocksdb(self):
        found = []
        for path in self.sources:
            for header in re.findall(r"#include <([^>]+)>", read(path)):
                if path.startswith("storage/") and re.match(r"sys/(socket|epoll)|netinet/|arpa/", header):
                    found.append("%s includes <%s>" % (path, header))
                if path.startswith("net/") and header.startswith("rocksdb/"):
                    found.append("%s includes <%s>" % (path, header))
                if path.startswith("server/commands/") and header.startswith("rocksdb/"):
                    found.append("%s includes <%s>" % (path, header))
        self.offenders(found, "each library knows its own world only; commands know stores, not RocksDB")

    def test_epoll_only_in_the_poller(self):
        call = re.compile(r"\bepoll_(create1?|ctl|p?wait2?)\s*\(")
        self.offenders([path for path, code in self.code.items() if call.search(code) and path != "net/poller.cc"],
                       "epoll is called in net/poller.cc only")
        self.assertRegex(self.code["net/poller.cc"], call)

    def test_keys_are_built_in_the_codec_only(self):
        # A key begins with big-endian numbers: whoever swaps bytes by hand builds one.
        swap = re.compile(r"\b(htobe(32|64)|be(32|64)toh|__builtin_bswap(32|64)|htonl|htonll|std::byteswap)\s*\(")
        self.offenders([path for path, code in self.code.items()
                        if path.startswith("storage/") and swap.search(code) and path != "storage/key_codec.cc"],
                       "bytes are put in key order in storage/key_codec.cc only")

    def test_headers(self):
        found = []
        for path, code in self.code.items():
            if path.endswith(".h"):
                if "#pragma once" not in code:
                    found.append(path + " has no #pragma once")
                if re.search(r"\busing namespace\b", code):
                    found.append(path + " has a using namespace")
        self.offenders(found, "headers")

    def test_nothing_is_left_open(self):
        words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
        self.offenders(["%s:%d" % (path, number) for path in self.files if re.search(r"\.(cc|h|py|txt|cmake)$|^tools/", path)
                        for number, line in enumerate(read(path).split("\n"), 1) if words.search(line)],
                       "finish it, or make it an honest error reply")

    def test_no_test_is_switched_off(self):
        off = re.compile(r"\bDISABLED_|\bSUCCEED\(\)")
        self.offenders([path for path in self.files if path.startswith("tests/") and path.endswith(".cc")
                        and off.search(read(path))],
                       "a test that cannot fail is none")

    def test_files_stay_readable(self):
        for path in self.files:
            if path.endswith((".cc", ".h", ".py")):
                lines = read(path).count("\n")
                if lines > LINES_WARN:
                    print("note: %s has %d lines; is it still one noun?" % (path, lines))
                self.assertLessEqual(lines, LINES_MAX, path)

    def test_whitespace(self):
        found = []
        for path in self.files:
            if not re.search(r"\.(cc|h|py|md|txt|cmake|json|conf)$|^tools/|^\.ci/", path) or path.endswith(".patch"):
                continue
            text = read(path)
            if text and not text.endswith("\n"):
                found.append(path + ": no newline at the end")
            found += ["%s:%d" % (path, number) for number, line in enumerate(text.split("\n"), 1)
                      if line != line.rstrip() or ("\t" in line and not path.endswith(".md"))]
        self.offenders(found, "no tabs, no blanks at the end of a line")

    def test_scripts_parse_and_are_executable(self):
        for path in self.files:
            full = os.path.join(ROOT, path)
            first = read(path).split("\n", 1)[0] if re.search(r"^tools/|^\.ci/|\.py$|^tests/fuzz/run$", path) else ""
            if first.startswith("#!"):
                self.assertTrue(os.access(full, os.X_OK), path + " is not executable")
            if "bash" in first:
                self.assertIn("set -euo pipefail", read(path), path)
                subprocess.run(["bash", "-n", full], check=True)
            elif "python3" in first or path.endswith(".py"):
                compile(read(path), path, "exec")

    def printed(self, option):
        return subprocess.run([BASALT, option], capture_output=True, text=True, check=True, timeout=60).stdout

    def test_conf_is_what_the_option_table_says(self):
        self.assertEqual(read("conf/basalt.conf"), self.printed("--print_config"),
                         "write it anew: build/release/basalt --print_config > conf/basalt.conf")

    def test_readme_has_the_command_table(self):
        found = re.search(r"<!-- commands: begin[^>]*-->\n(.*?)<!-- commands: end -->", read("README.md"), re.DOTALL)
        self.assertIsNotNone(found, "README.md has no place for the command table")
        self.assertEqual(found.group(1).strip(), self.printed("--print_commands_markdown").strip(), "write it anew: tools/dev readme")

    def test_readme_names_only_what_exists(self):
        text = read("README.md")
        named = set(re.findall(r"`((?:tools|tests|conf|net|storage|server)/[\w./-]+)`", text))
        self.assertGreater(len(named), 5)
        self.offenders(sorted(path for path in named if not os.path.exists(os.path.join(ROOT, path))), "named in README.md")


if __name__ == "__main__":
    unittest.main(verbosity=2)
