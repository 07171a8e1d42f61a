#!/usr/bin/python3
"""Writes the command table that the server prints into README.md, between its two marker comments.

  readme_table.py --write build/release/basalt README.md
"""

import re
import subprocess
import sys


def main():
    if len(sys.argv) != 4 or sys.argv[1] != "--write":
        sys.exit(__doc__)
    _, _, program, path = sys.argv
    table = subprocess.run([program, "--print_commands_markdown"], capture_output=True, text=True, check=True).stdout.strip()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    marked = re.compile(r"(<!-- commands: begin[^>]*-->\n).*?(<!-- commands: end -->)", re.DOTALL)
    if not marked.search(text):
        sys.exit("%s has no markers for the command table" % path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(marked.sub(lambda match: "%s%s\n%s" % (match.group(1), table, match.group(2)), text))


if __name__ == "__main__":
    main()
