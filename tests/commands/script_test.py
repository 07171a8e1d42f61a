#!/usr/bin/python3
"""The runner itself: a wrong reply must be seen, in every notation."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import script  # noqa: E402
from resp import Reply  # noqa: E402


def bulk(text):
    return Reply("$", text.encode())


def array(*items, kind="*"):
    return Reply(kind, list(items))


def expected(text):
    return script.parse_expected(list(enumerate(text.split("\n"), 1)))


class Matching(unittest.TestCase):
    def yes(self, text, reply):
        self.assertTrue(script.matches(expected(text), reply, {}), text)

    def no(self, text, reply):
        self.assertFalse(script.matches(expected(text), reply, {}), text)
        self.assertNotEqual(script.render_expected(expected(text)), script.align(expected(text), reply))

    def test_types_are_told_apart(self):
        self.yes("  +OK", Reply("+", b"OK"))
        self.no("  +OK", bulk("OK"))
        self.no('  "1"', Reply(":", b"1"))
        self.no("  (nil)", Reply("*", None))
        self.no("  (null)", Reply("$", None))
        self.no("  *1\n    :1", array(Reply(":", b"1"), kind="~"))

    def test_arrays(self):
        self.yes('  *2\n    "a"\n    "b"', array(bulk("a"), bulk("b")))
        self.no('  *2\n    "a"\n    "b"', array(bulk("b"), bulk("a")))
        self.no('  *2\n    "a"\n    "b"', array(bulk("a")))
        self.no('  *1\n    "a"', array(bulk("a"), bulk("b")))
        self.yes('  *1\n    "a"\n    ...', array(bulk("a"), bulk("b")))
        self.no('  *1\n    "a"\n    ...', array(bulk("b"), bulk("b")))

    def test_unordered(self):
        self.yes('  <unordered>\n  *2\n    "a"\n    "b"', array(bulk("b"), bulk("a")))
        self.no('  <unordered>\n  *2\n    "a"\n    "b"', array(bulk("b"), bulk("b")))
        self.yes('  <unordered pairs>\n  *4\n    "a"\n    :1\n    "b"\n    :2',
                 array(bulk("b"), Reply(":", b"2"), bulk("a"), Reply(":", b"1")))
        self.no('  <unordered pairs>\n  *4\n    "a"\n    :1\n    "b"\n    :2',
                array(bulk("b"), Reply(":", b"1"), bulk("a"), Reply(":", b"2")))
        self.no('  <unordered>\n  *2\n    "0"\n    *2\n      "a"\n      "b"', array(bulk("0"), array(bulk("b"), bulk("a"))))
        self.yes('  <unordered deep>\n  *2\n    "0"\n    *2\n      "a"\n      "b"', array(bulk("0"), array(bulk("b"), bulk("a"))))

    def test_matchers(self):
        self.yes("  <integer 1..3>", Reply(":", b"3"))
        self.no("  <integer 1..3>", Reply(":", b"4"))
        self.no("  <integer>", bulk("4"))
        self.yes(r"  <string /\d+/>", bulk("12"))
        self.no(r"  <string /\d+/>", bulk("12x"))
        self.no("  <string 3 bytes>", bulk("12"))
        self.no("  <error /ERR .*/>", Reply("+", b"ERR x"))
        captured = {}
        self.assertTrue(script.matches(expected("  <integer =id>"), Reply(":", b"7"), captured))
        self.assertEqual(script.expand(script.split_words("KILL ${id}"), captured), [b"KILL", b"7"])

    def test_mistakes_are_refused(self):
        for text in ("  <intger>", "  *2\n    :1", "  hello", "  :1\n  :2", "  <integer a..b>", '  "open'):
            with self.assertRaises(script.ScriptError, msg=text):
                expected(text)

    def test_words(self):
        self.assertEqual(script.expand(script.split_words(r'''SET "a b\x00" 'c"\n' "" $(xy*2)z'''), {}),
                         [b"SET", b"a b\0", b'c"\\n', b"", b"xyxyz"])
        every_byte = bytes(range(256))
        self.assertEqual(script.expand(script.split_words(script.quote(every_byte)), {}), [every_byte])

    def test_rendering_is_read_back(self):
        reply = array(Reply("+", b"OK"), Reply("-", b"ERR x: "), Reply(":", b"-5"), bulk("x" * 600), Reply("$", None),
                      array(bulk("k"), Reply(",", b"1.5"), kind="%"), Reply("#", b"t"), Reply("=", b"txt:hi"),
                      array(Reply("_", None), kind=">"), Reply("(", b"123"))
        text = "\n".join(script.render(reply, "  "))
        self.yes(text, reply)
        self.no(text.replace(":-5", ":-6"), reply)


if __name__ == "__main__":
    unittest.main()
