"""The text format of tests/commands/*.test: parsing, printing and matching. README.md in this folder describes it."""

import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from resp import Reply  # noqa: E402

LONG_BYTES = 512  # a longer string is written as its length and hash


class ScriptError(Exception):
    """The file does not follow the format; the text says which line."""


# ---- quoting, as redis-cli ----

_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}


def split_words(text):
    """Words of a command line, quoted as in redis-cli: bare, 'single' or "double" with \\xHH and the usual escapes.
    $(BYTES*COUNT) anywhere in a word repeats; ${name} is a captured value and is left for expand().
    Returns a list of lists of parts: bytes, or ("name",)."""
    words, at, size = [], 0, len(text)
    while True:
        while at < size and text[at] == " ":
            at += 1
        if at == size:
            return words
        parts, literal = [], bytearray()
        while at < size and text[at] != " ":
            char = text[at]
            if char == '"':
                at, piece = _double(text, at + 1)
                literal += piece
            elif char == "'":
                at, piece = _single(text, at + 1)
                literal += piece
            elif text.startswith("${", at):
                end = text.find("}", at)
                if end < 0:
                    raise ScriptError("'${' without '}'")
                parts += [bytes(literal), (text[at + 2 : end],)]
                literal = bytearray()
                at = end + 1
            elif text.startswith("$(", at):
                match = re.compile(r"\$\((.+?)\*(\d+)\)").match(text, at)
                if not match:
                    raise ScriptError("'$(' must be $(text*count)")
                literal += match.group(1).encode() * int(match.group(2))
                at = match.end()
            else:
                literal += char.encode()
                at += 1
        parts.append(bytes(literal))
        words.append(parts)


def _double(text, at):
    out = bytearray()
    while at < len(text):
        char = text[at]
        if char == '"':
            return at + 1, out
        if char == "\\" and at + 1 < len(text):
            following = text[at + 1]
            digits = text[at + 2 : at + 4]
            if following == "x" and re.fullmatch("[0-9a-fA-F]{2}", digits):
                out.append(int(digits, 16))
                at += 4
                continue
            out += _ESCAPES.get(following, following.encode())
            at += 2
            continue
        out += char.encode()
        at += 1
    raise ScriptError('no closing "')


def _single(text, at):
    out = bytearray()
    while at < len(text):
        if text[at] == "'":
            return at + 1, out
        if text.startswith("\\'", at):
            at += 1
        out += text[at].encode()
        at += 1
    raise ScriptError("no closing '")


def expand(words, captured):
    """The words as bytes, with captured values put in."""
    out = []
    for parts in words:
        word = b""
        for part in parts:
            if isinstance(part, tuple):
                if part[0] not in captured:
                    raise ScriptError("nothing was captured as ${%s}" % part[0])
                part = captured[part[0]]
            word += part
        out.append(word)
    return out


def quote(data):
    """Bytes as a double-quoted word; the inverse of split_words for one word."""
    out = []
    names = {10: "\\n", 13: "\\r", 9: "\\t", 8: "\\b", 7: "\\a", 34: '\\"', 92: "\\\\"}
    for byte in data:
        out.append(names.get(byte) or (chr(byte) if 32 <= byte < 127 else "\\x%02x" % byte))
    return '"' + "".join(out) + '"'


# ---- replies as text ----


def render(reply, indent=""):
    """The lines of a reply."""
    kind, value = reply.kind, reply.value
    if value is None:
        return [indent + {"$": "(nil)", "*": "(nil array)", "_": "(null)"}[kind]]
    if kind in "+-" and not re.fullmatch(rb'[!#-~](?:[ -~]*[!-~])?', value):
        return [indent + kind + quote(value)]  # trailing blanks and the like would not be seen
    if kind in "+-:,(#":
        return [indent + kind + value.decode("latin-1")]
    if kind == "$":
        if len(value) > LONG_BYTES:
            return ["%s<string %d bytes, sha1 %s>" % (indent, len(value), hashlib.sha1(value).hexdigest())]
        return [indent + quote(value)]
    if kind in "=!":
        return ["%s%s%s" % (indent, kind, quote(value))]
    count = len(value) // 2 if kind in "%|" else len(value)
    lines = ["%s%s%d" % (indent, kind, count)]
    for item in value:
        lines += render(item, indent + "  ")
    return lines


class Expected:
    """One expected reply: a Reply whose parts may be matchers, and how to compare it."""

    def __init__(self, flags, node):
        self.flags = flags  # set of: unordered, unordered deep, unordered pairs; "since X"; "differs: why"
        self.node = node  # Reply with Matcher children, or a Matcher

    def has_matchers(self):
        return _has_matchers(self.node)


class Rest:
    """`...`: any further items."""

    text = "..."


class Matcher:
    """`<integer 1..5>` and the like. See README.md for the list."""

    def __init__(self, text):
        self.text = "<%s>" % text
        body, capture = text, None
        match = re.search(r"\s*=(\w+)$", body)
        if match:
            body, capture = body[: match.start()], match.group(1)
        self.capture = capture
        word, _, rest = body.partition(" ")
        self.word, self.pattern, self.low, self.high, self.size, self.sha1 = word, None, None, None, None, None
        if word not in ("any", "integer", "double", "string", "status", "error", "array", "map", "set"):
            raise ScriptError("unknown matcher <%s>" % text)
        if not rest:
            return
        digest = re.fullmatch(r"(\d+) bytes(?:, sha1 ([0-9a-f]{40}))?", rest)
        bounds = re.fullmatch(r"(-?[\d.]+)?\.\.(-?[\d.]+)?", rest)
        if rest.startswith("/") and rest.endswith("/") and len(rest) > 1:
            self.pattern = re.compile(rest[1:-1].encode(), re.DOTALL)
        elif digest and word == "string":
            self.size, self.sha1 = int(digest.group(1)), digest.group(2)
        elif bounds and word in ("integer", "double"):
            number = int if word == "integer" else float
            self.low = number(bounds.group(1)) if bounds.group(1) else None
            self.high = number(bounds.group(2)) if bounds.group(2) else None
        else:
            raise ScriptError("cannot read the matcher <%s>" % text)

    KINDS = {"integer": ":", "double": ",", "string": "$=", "status": "+", "error": "-!", "array": "*", "map": "%", "set": "~"}

    def matches(self, reply, captured):
        if self.word != "any":
            if reply.kind not in self.KINDS[self.word] or reply.value is None:
                # RESP2 has no doubles, maps and sets: there they are strings and arrays.
                if not (self.word == "double" and reply.kind == "$" and reply.value is not None):
                    return False
            if self.pattern and not self.pattern.fullmatch(reply.value):
                return False
            if self.size is not None and len(reply.value) != self.size:
                return False
            if self.sha1 and hashlib.sha1(reply.value).hexdigest() != self.sha1:
                return False
            if self.word in ("integer", "double"):
                try:
                    number = (int if self.word == "integer" else float)(reply.value)
                except ValueError:
                    return False
                if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
                    return False
        if self.capture:
            captured[self.capture] = reply.value if isinstance(reply.value, bytes) else b""
        return True


def _has_matchers(node):
    if isinstance(node, (Matcher, Rest)):
        # The hash of a long string is only another way to write a recorded value.
        return not (isinstance(node, Matcher) and node.sha1)
    return isinstance(node.value, list) and any(_has_matchers(item) for item in node.value)


def parse_expected(lines):
    """Expected from the indented lines below a command; None if there are none."""
    flags, rest = [], []
    for number, line in lines:
        text = line.strip()
        flag = re.fullmatch(r"<(unordered(?: deep| pairs)?|since \d+\.\d+|differs: .+)>", text)
        if flag:
            flags.append(flag.group(1))
        else:
            rest.append((number, line))
    if not rest:
        return Expected(flags, None) if flags else None
    node, at = _parse_node(rest, 0)
    if at != len(rest):
        raise ScriptError("line %d: more than one reply; use !read for a further one" % rest[at][0])
    return Expected(flags, node)


def _parse_node(lines, at):
    number, line = lines[at]
    indent = len(line) - len(line.lstrip(" "))
    text = line.strip()
    at += 1
    if text == "...":
        return Rest(), at
    if text in ("(nil)", "(nil array)", "(null)"):
        return Reply({"(nil)": "$", "(nil array)": "*", "(null)": "_"}[text], None), at
    if text.startswith("<") and text.endswith(">"):
        try:
            return Matcher(text[1:-1]), at
        except ScriptError as error:
            raise ScriptError("line %d: %s" % (number, error)) from None
    if text[0] == '"':
        return Reply("$", _one_word(text, number)), at
    if text[0] in "=!+-" and text[1:2] == '"':
        return Reply(text[0], _one_word(text[1:], number)), at
    if text[0] in "*~>%|" and re.fullmatch(r".\d+", text):
        count = int(text[1:])
        if text[0] in "%|":
            count *= 2
        if text[0] == "|":
            count += 1
        items = []
        while at < len(lines) and len(lines[at][1]) - len(lines[at][1].lstrip(" ")) > indent:
            item, at = _parse_node(lines, at)
            items.append(item)
        if len(items) != count and not (items and isinstance(items[-1], Rest)):
            raise ScriptError("line %d: %s announces %d items, %d follow" % (number, text, count, len(items)))
        return Reply(text[0], items), at
    if text[0] in "+-:,(#":
        return Reply(text[0], text[1:].encode("latin-1")), at
    raise ScriptError("line %d: not a reply: %s" % (number, text))


def _one_word(text, number):
    try:
        words = split_words(text)
    except ScriptError as error:
        raise ScriptError("line %d: %s" % (number, error)) from None
    if len(words) != 1:
        raise ScriptError("line %d: one quoted string expected: %s" % (number, text))
    return expand(words, {})[0]


# ---- comparing ----


def matches(expected, reply, captured):
    """True if the reply is as expected; captures are put into `captured`."""
    return _same(expected.node, reply, captured, _order(expected), top=True)


def _order(expected):
    for flag in expected.flags:
        if flag.startswith("unordered"):
            return flag
    return None


def _same(want, got, captured, order, top):
    if isinstance(want, Matcher):
        return want.matches(got, captured)
    if want.kind != got.kind:
        return False
    if not isinstance(want.value, list) or not isinstance(got.value, list):
        return want.value == got.value
    wanted, have = want.value, got.value
    open_end = bool(wanted) and isinstance(wanted[-1], Rest)
    if open_end:
        wanted = wanted[:-1]
    if len(have) < len(wanted) or (len(have) > len(wanted) and not open_end):
        return False
    child_order = order if order == "unordered deep" else None
    if want.kind in "~%" or (order and (top or order == "unordered deep")):
        # RESP3 sets and maps have no order of their own.
        step = 2 if want.kind == "%" or order == "unordered pairs" else 1
        return _same_unordered(_groups(wanted, step), _groups(have, step), captured, child_order)
    return all(_same(w, h, captured, child_order, top=False) for w, h in zip(wanted, have))


def _groups(items, step):
    return [items[at : at + step] for at in range(0, len(items), step)]


def _same_unordered(wanted, have, captured, order):
    left = list(have)
    # Exact ones first, so that a matcher does not take what an exact line needs.
    for group in sorted(wanted, key=lambda g: any(_has_matchers(item) for item in g)):
        for index, candidate in enumerate(left):
            trial = dict(captured)
            if len(candidate) == len(group) and all(_same(w, h, trial, order, top=False) for w, h in zip(group, candidate)):
                captured.update(trial)
                del left[index]
                break
        else:
            return False
    return True


def render_expected(expected):
    """The expected reply as lines, for messages."""
    return ["<%s>" % flag for flag in expected.flags] + _render_node(expected.node, "")


def _render_node(node, indent):
    if isinstance(node, (Matcher, Rest)):
        return [indent + node.text]
    if not isinstance(node.value, list):
        return render(node, indent)
    count = len(node.value) // 2 if node.kind in "%|" else len(node.value)
    lines = ["%s%s%d" % (indent, node.kind, count)]
    for item in node.value:
        lines += _render_node(item, indent + "  ")
    return lines


def align(expected, reply):
    """The reply's lines, written with the expected matchers where they match and in the expected order where order does
    not matter, so that a line diff shows only what is wrong."""
    order = _order(expected)
    return ["<%s>" % flag for flag in expected.flags] + _align(expected.node, reply, "", order, True)


def _align(want, got, indent, order, top):
    if isinstance(want, Matcher):
        return [indent + want.text] if want.matches(got, {}) else render(got, indent)
    if want.kind != got.kind or not isinstance(want.value, list) or not isinstance(got.value, list):
        return render(got, indent)
    count = len(got.value) // 2 if got.kind in "%|" else len(got.value)
    open_end = bool(want.value) and isinstance(want.value[-1], Rest)
    if open_end and len(got.value) >= len(want.value) - 1:
        count = (len(want.value) // 2 if got.kind in "%|" else len(want.value))
    lines = ["%s%s%d" % (indent, got.kind, count)]
    child_order = order if order == "unordered deep" else None
    wanted = want.value[:-1] if open_end else want.value
    if want.kind in "~%" or (order and (top or order == "unordered deep")):
        step = 2 if want.kind == "%" or order == "unordered pairs" else 1
        left = _groups(got.value, step)
        for group in _groups(wanted, step):
            found = next((c for c in left if len(c) == len(group)
                          and all(_same(w, h, {}, child_order, False) for w, h in zip(group, c))), None)
            if found is not None:
                left.remove(found)
                for w, h in zip(group, found):
                    lines += _align(w, h, indent + "  ", child_order, False)
        for candidate in [] if open_end else left:
            for item in candidate:
                lines += render(item, indent + "  ")
    else:
        for index, item in enumerate(got.value):
            if index < len(wanted):
                lines += _align(wanted[index], item, indent + "  ", child_order, False)
            elif not open_end:
                lines += render(item, indent + "  ")
    if open_end:
        lines.append(indent + "  ...")
    return lines


def sorted_for_recording(expected, reply):
    """The reply with unordered parts sorted, so that two recordings of the same thing are the same text."""
    order = _order(expected) if expected else None
    return _sort(reply, order, True)


def _sort(reply, order, top):
    if not isinstance(reply.value, list):
        return reply
    child_order = order if order == "unordered deep" else None
    items = [_sort(item, child_order, False) for item in reply.value]
    if reply.kind in "~" or (order and (top or order == "unordered deep")):
        groups = _groups(items, 2 if order == "unordered pairs" or reply.kind == "%" else 1)
        groups.sort(key=lambda group: [render(item) for item in group])
        items = [item for group in groups for item in group]
    return Reply(reply.kind, items)


# ---- the file ----


class Step:
    """One command or directive with the lines of its expected reply."""

    def __init__(self, line_number, client, text):
        self.line_number = line_number
        self.client = client
        self.text = text
        self.reply_lines = []  # (number, line)
        self.eventually_ms = 0

    @property
    def is_directive(self):
        return self.text.startswith("!")


class Script:
    """A parsed file. items: Step or str (a line kept as it is: comments, blank lines)."""

    def __init__(self, path):
        self.path = path
        self.items = []
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        step = None
        for number, line in enumerate(lines, 1):
            line = line.rstrip()
            if line.startswith(" "):
                if not line.strip():
                    continue
                if step is None:
                    raise ScriptError("%s:%d: a reply without a command before it" % (path, number))
                step.reply_lines.append((number, line))
                continue
            if not line or line.startswith("#"):
                self.items.append(line)
                step = None
                continue
            client, text = "main", line
            match = re.match(r"@(\w+) +", line)
            if match:
                client, text = match.group(1), line[match.end() :]
            step = Step(number, client, text)
            self.items.append(step)

    def steps(self):
        return [item for item in self.items if isinstance(item, Step)]

    def write(self):
        """Writes the file back; the reply lines of steps may have been replaced."""
        lines = []
        for item in self.items:
            if isinstance(item, str):
                lines.append(item)
            else:
                lines.append(("@%s " % item.client if item.client != "main" else "") + item.text)
                lines += [line for _, line in item.reply_lines]
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
