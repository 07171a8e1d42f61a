#!/usr/bin/python3
"""Records rdb_payloads.txt: DUMP payloads of every encoding, and what they hold, as real Redis servers tell it.

  record_rdb_payloads.py /path/to/redis-7.2.4/src/redis-server [/usr/bin/redis-check-rdb as 7.0.15]

A record is a line "# NAME WRITER", a line "payload HEX", and what is in it, one line each (bytes as %xx where they are not
letters or digits); or "refused", when Redis 7.2.4 refuses it. What older versions wrote is made by hand and restored into
Redis 7.2.4, which then says what it holds.
"""

import os
import struct
import subprocess
import sys
import tempfile
import time

import redis

POLYNOMIAL = 0x95AC9329AC4BC9B5


def crc64(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def footer(value, version=11):
    body = value + struct.pack("<H", version)
    return body + struct.pack("<Q", crc64(body))


def quote(data):
    if isinstance(data, int):
        data = str(data).encode()
    return "".join(chr(b) if chr(b).isascii() and chr(b).isalnum() else "%%%02x" % b for b in data) or "%"


class Server:
    def __init__(self, program, port, *options):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder.name, *options],
            executable=program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = redis.Redis(port=port, socket_timeout=5)
        for _ in range(100):
            try:
                self.client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)

    def __call__(self, *words):
        return self.client.connection_pool and self.client.execute_command(*words)

    def raw(self, *words):
        connection = self.client.connection_pool.get_connection("x")
        try:
            connection.send_command(*words)
            return connection.read_response()
        finally:
            self.client.connection_pool.release(connection)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def describe(server, key):
    kind = server.raw("TYPE", key).decode()
    encoding = server.raw("OBJECT", "ENCODING", key).decode()
    if kind == "string":
        return ["string", "value " + quote(server.raw("GET", key))]
    lines = []
    if kind == "list":
        lines = ["element " + quote(e) for e in server.raw("LRANGE", key, 0, -1)]
    elif kind == "set":
        lines = sorted("element " + quote(e) for e in server.raw("SMEMBERS", key))
    elif kind == "hash":
        lines = sorted(f"field {quote(f)} {quote(v)}" for f, v in pairs(server.raw("HGETALL", key)).items())
    elif kind == "zset":
        lines = sorted(f"scored {quote(m)} {float(s)!r}" for m, s in pairs(server.raw("ZRANGE", key, 0, -1, "WITHSCORES")).items())
    elif kind == "stream":
        info = pairs(server.raw("XINFO", "STREAM", key, "FULL", "COUNT", 0))
        for entry_id, fields in server.raw("XRANGE", key, "-", "+"):
            lines.append("entry " + entry_id.decode() + "".join(" " + quote(f) for f in fields))
        lines.append("stream %d %s %s %s %d" % (info[b"length"], info[b"last-generated-id"].decode(),
                                               info[b"recorded-first-entry-id"].decode(),
                                               info[b"max-deleted-entry-id"].decode(), info[b"entries-added"]))
        for group in map(pairs, info[b"groups"]):
            read = group[b"entries-read"]
            lines.append(f"group {quote(group[b'name'])} {group[b'last-delivered-id'].decode()} {-1 if read is None else read}")
            for consumer in map(pairs, group[b"consumers"]):
                active = consumer.get(b"active-time", consumer[b"seen-time"])
                lines.append(f"consumer {quote(consumer[b'name'])} {consumer[b'seen-time']} {active}")
                for pending in consumer[b"pel"] if b"pel" in consumer else consumer[b"pending"]:
                    lines.append("pending %s %d %d" % (pending[0].decode(), pending[1], pending[2]))
    return [f"{kind} {encoding}"] + lines


CASES = {
    "string": [("SET", "k", "hello")],
    "string_empty": [("SET", "k", "")],
    "string_int8": [("SET", "k", "-128")],
    "string_int16": [("SET", "k", "32767")],
    "string_int32": [("SET", "k", "-2147483648")],
    "string_int64": [("SET", "k", "9223372036854775807")],
    "string_not_canonical": [("SET", "k", "007")],
    "string_lzf": [("SET", "k", b"abcabcabd" * 40)],
    "string_long_lzf": [("SET", "k", b"x" * 20000)],
    "string_binary": [("SET", "k", bytes(range(256)))],
    "list_listpack": [("RPUSH", "k", "a", "", "1", "-7", "4095", "-4096", "32767", "-8388608", "2147483647",
                       "-9223372036854775808", "x" * 63, "y" * 64, "z" * 4095)],
    "list_quicklist": [("RPUSH", "k", *["element %d" % i for i in range(900)])],
    "list_one_large": [("RPUSH", "k", b"v" * 4096, b"w" * 40000, "tail")],
    "list_plain": [("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b"), ("RPUSH", "k", "short", "p" * 200, "q" * 300, "17"),
                   ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0")],
    "set_intset16": [("SADD", "k", 5, -3, 32767)],
    "set_intset32": [("SADD", "k", 5, -3, 32768)],
    "set_intset64": [("SADD", "k", 5, -9223372036854775808, 1 << 40)],
    "set_listpack": [("SADD", "k", "a", "b", "17", "")],
    "set_hashtable": [("SADD", "k", *["member:%d" % i for i in range(200)], "3", "300", "70000", "m" * 100)],
    "zset_listpack": [("ZADD", "k", 1, "a", 1.5, "b", "-inf", "c", "+inf", "d", 1e300, "e", -0.1, "17", 4503599627370497, "f")],
    "zset_skiplist": [("ZADD", "k", *sum(([i / 8, "m%d" % i] for i in range(200)), [])), ("ZADD", "k", "inf", "last")],
    "hash_listpack": [("HSET", "k", "f", "v", "1", "2", "", "empty field", "g", "")],
    "hash_hashtable": [("HSET", "k", *sum((["field%d" % i, i * i] for i in range(200)), []), "long", "x" * 100)],
    "stream": [("XADD", "k", "5-1", "a", "1", "b", "2"), ("XADD", "k", "5-2", "a", "3", "b", "4"),
               ("XADD", "k", "6-0", "other", "x"), ("XADD", "k", "7-7", "a", "5", "b", "6"), ("XDEL", "k", "5-2")],
    "stream_nodes": [("XADD", "k", "%d-1" % i, "field", "value %d" % i, "n", i) for i in range(1, 251)],
    "stream_empty": [("XADD", "k", "5-1", "a", "1"), ("XDEL", "k", "5-1")],
    "stream_made_by_group": [("XGROUP", "CREATE", "k", "g", "$", "MKSTREAM")],
    "stream_large_ids": [("XADD", "k", "18446744073709551615-18446744073709551614", "a", "1"),
                         ("XADD", "k", "18446744073709551615-18446744073709551615", "a", "2")],
    "stream_groups": [("XADD", "k", "%d-0" % i, "f", i) for i in range(1, 11)] + [
        ("XGROUP", "CREATE", "k", "first", "0"), ("XGROUP", "CREATE", "k", "second", "$"),
        ("XGROUP", "CREATE", "k", "third", "4-0", "ENTRIESREAD", "4"),
        ("XREADGROUP", "GROUP", "first", "alice", "COUNT", "3", "STREAMS", "k", ">"),
        ("XREADGROUP", "GROUP", "first", "bob", "COUNT", "3", "STREAMS", "k", ">"),
        ("XREADGROUP", "GROUP", "first", "alice", "COUNT", "1", "STREAMS", "k", ">"),
        ("XACK", "k", "first", "2-0"), ("XDEL", "k", "3-0"),
        ("XCLAIM", "k", "first", "bob", "0", "1-0"),
        ("XGROUP", "CREATECONSUMER", "k", "first", "never"),
        ("XREADGROUP", "GROUP", "third", "carol", "STREAMS", "k", ">")],
}


def length(n):
    if n < 64:
        return bytes([n])
    if n < 16384:
        return struct.pack(">H", n | 0x4000)
    return b"\x80" + struct.pack(">I", n)


def text(data):
    return length(len(data)) + data


def ziplist(*items):
    """Items are bytes (strings), or (encoding, data) of an integer."""
    body, before, last = b"", 0, 10
    for item in items:
        last = 10 + len(body)
        entry = bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)
        if isinstance(item, tuple):
            entry += bytes([item[0]]) + item[1]
        elif len(item) < 64:
            entry += bytes([len(item)]) + item
        elif len(item) < 16384:
            entry += struct.pack(">H", len(item) | 0x4000) + item
        else:
            entry += b"\x80" + struct.pack(">I", len(item)) + item
        before = len(entry)
        body += entry
    return struct.pack("<IIH", 11 + len(body), last, len(items)) + body + b"\xff"


def listpack(*items):
    """Integers from 0 to 127 and short strings."""
    body = b""
    for item in items:
        entry = bytes([item]) if isinstance(item, int) else bytes([0x80 | len(item)]) + item
        body += entry + bytes([len(entry)])
    return struct.pack("<IH", 7 + len(body), len(items)) + body + b"\xff"


def intset(width, *numbers):
    return struct.pack("<II", width, len(numbers)) + b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)


NUMBERS = [(0xFE, b"\x85"), (0xC0, b"\x00\x80"), (0xF0, b"\x00\x00\x80"), (0xD0, b"\x00\x00\x00\x80"),
           (0xE0, b"\x00" * 7 + b"\x80"), (0xF1, b""), (0xFD, b"")]
NODE = listpack(2, 0, 1, b"f", 0, 2, 0, 0, b"a", 4, 2, 0, 1, b"b", 4)
STREAM_1 = text(struct.pack(">QQ", 9, 5)) + text(NODE) + length(2) + length(9) + length(6)
GROUP_1 = (length(1) + text(b"g") + length(9) + length(6) + length(1) + struct.pack(">QQQ", 9, 5, 0)[:16] +
           struct.pack("<Q", 1000) + length(3) + length(1) + text(b"c") + struct.pack("<Q", 2000) + length(1) +
           struct.pack(">QQ", 9, 5))

BY_HAND = {
    "list_old": b"\x01" + length(3) + text(b"a") + b"\xc0\x07" + text(b"b"),
    "set_old": b"\x02" + length(3) + text(b"a") + b"\xc1\x07\x07" + text(b""),
    "set_old_of_integers": b"\x02" + length(2) + b"\xc0\x01" + text(b"2"),
    "zset_old": b"\x03" + length(4) + text(b"a") + text(b"1.25") + text(b"b") + b"\xff" + text(b"c") + b"\xfe" + text(b"d") + text(b"17"),
    "hash_old": b"\x04" + length(2) + text(b"f") + text(b"v") + text(b"g") + b"\xc0\x09",
    "hash_zipmap": b"\x09" + text(b"\x02\x03foo\x03\x00bar\x05hello\x05\x02worldzz\xff"),
    "list_ziplist": b"\x0a" + text(ziplist(b"a", *NUMBERS, b"x" * 300, b"end")),
    "zset_ziplist": b"\x0c" + text(ziplist(b"a", b"1.5", b"b", (0xC0, b"\x10\x00"), b"c", b"inf")),
    "hash_ziplist": b"\x0d" + text(ziplist(b"f", b"v", b"g", (0xF5, b""))),
    "list_quicklist_of_ziplists": b"\x0e" + length(2) + text(ziplist(b"a", (0xF2, b""))) + text(ziplist(b"b")),
    "list_quicklist_of_one_ziplist": b"\x0e" + length(1) + text(ziplist(b"a", (0xF2, b""))),
    "list_with_an_empty_node": b"\x12" + length(2) + b"\x02" + text(listpack()) + b"\x02" + text(listpack(b"a")),
    "stream_of_5.0": b"\x0f" + length(1) + STREAM_1 + length(0),
    "stream_of_5.0_with_group": b"\x0f" + length(1) + STREAM_1 + GROUP_1,
    "trailing_bytes": b"\x00" + text(b"a") + b"rest",
    # ---- what nobody writes ----
    "bad_type_8": b"\x08" + text(b"a"),
    "bad_type_22": b"\x16" + text(b"a"),
    "bad_module": b"\x07" + length(5),
    "bad_length": b"\x00\x82\x00\x00\x00\x01a",
    "bad_string_longer_than_payload": b"\x00\x80\x7f\xff\xff\xff" + b"a",
    "bad_string_64_bit_length": b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xf0a",
    "bad_lzf_length": b"\x00\xc3" + length(3) + length(60) + b"\x01ab",
    "bad_lzf_reference": b"\x00\xc3" + length(2) + length(3) + b"\x20\x05",
    "bad_empty_list": b"\x12" + length(0),
    "bad_empty_set": b"\x02" + length(0),
    "bad_empty_hash": b"\x04" + length(0),
    "bad_empty_zset": b"\x05" + length(0),
    "bad_empty_listpack_hash": b"\x10" + text(listpack()),
    "bad_empty_listpack_set": b"\x14" + text(listpack()),
    "bad_empty_listpack_zset": b"\x11" + text(listpack()),
    "bad_empty_intset": b"\x0b" + text(intset(2)),
    "bad_only_empty_nodes": b"\x12" + length(1) + b"\x02" + text(listpack()),
    "bad_container": b"\x12" + length(1) + b"\x03" + text(listpack(b"a")),
    "bad_set_twice": b"\x02" + length(2) + text(b"a") + text(b"a"),
    "bad_set_integer_twice": b"\x02" + length(2) + text(b"7") + b"\xc0\x07",
    "bad_hash_twice": b"\x04" + length(2) + text(b"a") + text(b"1") + text(b"a") + text(b"2"),
    "bad_zset_twice": b"\x05" + length(2) + (text(b"a") + struct.pack("<d", 1)) * 2,
    "bad_zset_nan": b"\x05" + length(1) + text(b"a") + struct.pack("<d", float("nan")),
    "bad_zset_old_nan": b"\x03" + length(1) + text(b"a") + b"\xfd",
    "bad_count": b"\x02" + length(5) + text(b"a"),
    "bad_count_huge": b"\x04\x81" + b"\x7f" + b"\xff" * 7 + text(b"a") + text(b"b"),
    "bad_listpack_twice": b"\x14" + text(listpack(b"a", b"a")),
    "bad_listpack_hash_twice": b"\x10" + text(listpack(b"a", 1, b"a", 2)),
    "bad_listpack_odd": b"\x10" + text(listpack(b"a", 1, b"b")),
    "bad_listpack_count": b"\x10" + text(listpack(b"a", 1)[:4] + b"\x04\x00" + listpack(b"a", 1)[6:]),
    "bad_listpack_size": b"\x10" + text(b"\x40" + listpack(b"a", 1)[1:]),
    "bad_listpack_element": b"\x10" + text(listpack(b"a", 1)[:6] + b"\xbf" + listpack(b"a", 1)[7:]),
    "bad_listpack_backlen": b"\x10" + text(listpack(b"a", 1)[:8] + b"\x05" + listpack(b"a", 1)[9:]),
    "bad_listpack_end": b"\x10" + text(listpack(b"a", 1)[:-1] + b"\x00"),
    "bad_intset_order": b"\x0b" + text(intset(2, 2, 1)),
    "bad_intset_twice": b"\x0b" + text(intset(2, 1, 1)),
    "bad_intset_width": b"\x0b" + text(intset(3, 1)),
    "bad_intset_count": b"\x0b" + text(intset(2, 1)[:4] + b"\xff\xff\xff\x7f" + intset(2, 1)[8:]),
    "bad_ziplist_tail": b"\x0d" + text(ziplist(b"a", b"b")[:4] + b"\x0b" + ziplist(b"a", b"b")[5:]),
    "bad_ziplist_before": b"\x0d" + text(ziplist(b"a", b"b")[:13] + b"\x09" + ziplist(b"a", b"b")[14:]),
    "bad_ziplist_encoding": b"\x0d" + text(ziplist(b"a", (0xC1, b"xx"))),
    "bad_ziplist_count": b"\x0d" + text(ziplist(b"a", b"b")[:8] + b"\x04" + ziplist(b"a", b"b")[9:]),
    "bad_zipmap_length": b"\x09" + text(b"\x01\x7ffoo\x03\x00bar\xff"),
    "bad_zipmap_twice": b"\x09" + text(b"\x02\x01a\x01\x00b\x01a\x01\x00c\xff"),
    "bad_stream_node_key": b"\x0f" + length(1) + text(b"short") + text(NODE) + length(2) + length(9) + length(6) + length(0),
    "bad_stream_field_count": b"\x0f" + length(1) + text(bytes(15) + b"\x01") +
                              text(listpack(1, 0, 9, b"f", 0, 2, 0, 0, b"a", 4)) + length(1) + length(9) + length(6) + length(0),
    "bad_stream_entry_count": b"\x0f" + length(1) + text(bytes(15) + b"\x01") +
                              text(listpack(3, 0, 1, b"f", 0, 2, 0, 0, b"a", 4)) + length(3) + length(9) + length(6) + length(0),
    "bad_stream_pending_without_consumer": b"\x0f" + length(1) + STREAM_1 + length(1) + text(b"g") + length(9) + length(6) +
                                           length(1) + struct.pack(">QQ", 9, 5) + struct.pack("<Q", 1) + length(1) + length(0),
    "bad_stream_pending_not_of_group": b"\x0f" + length(1) + STREAM_1 + length(1) + text(b"g") + length(9) + length(6) +
                                       length(0) + length(1) + text(b"c") + struct.pack("<Q", 1) + length(1) + struct.pack(">QQ", 9, 5),
    "bad_stream_group_twice": b"\x0f" + length(1) + STREAM_1 + length(2) + (text(b"g") + length(0) * 4) * 2,
    "bad_stream_consumer_twice": b"\x0f" + length(1) + STREAM_1 + length(1) + text(b"g") + length(0) * 3 + length(2) +
                                 (text(b"c") + bytes(8) + length(0)) * 2,
}


def main():
    out = []

    def write(name, writer, payload, lines):
        out.extend([f"# {name} {writer}", "payload " + payload.hex(), *lines, ""])

    port = 7680
    oracle = Server(sys.argv[1], port, "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes")
    older = Server(sys.argv[2], 7698, "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes") if len(sys.argv) > 2 else None
    for server in filter(None, (oracle, older)):
        version = server.client.info("server")["redis_version"]
        for name, commands in CASES.items():
            server.raw("FLUSHALL")
            for command in commands:
                server.raw(*command)
            lines = describe(server, "k")
            write(name, version, server.raw("DUMP", "k"), lines)
    for name, value in BY_HAND.items():
        payload = footer(value)
        oracle.raw("FLUSHALL")
        try:
            oracle.raw("RESTORE", "k", 0, payload)
            lines = describe(oracle, "k")
        except redis.ResponseError as error:
            assert "Bad data format" in str(error), error
            lines = ["refused"]
        except (redis.ConnectionError, redis.TimeoutError):  # Redis did not survive it
            print("Redis did not survive", name)
            lines = ["refused"]
            oracle.process.kill()
            port += 1
            oracle = Server(sys.argv[1], port, "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes")
        assert (lines == ["refused"]) == name.startswith("bad_"), (name, lines)
        write(name, "by_hand", payload, lines)
    oracle.stop()
    if older:
        older.stop()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rdb_payloads.txt"), "w") as file:
        file.write("\n".join(out))
    print(sum(line.startswith("payload") for line in out), "payloads")


main()
