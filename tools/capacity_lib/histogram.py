"""A latency histogram: HdrHistogram's, as memtier_benchmark writes it into its JSON, decoded, added up, and asked.

Format: base64 of a compressed V2 histogram, as https://github.com/HdrHistogram/HdrHistogram describes it: a cookie, a length and
zlib data; in those, a header (cookie, payload length, normalizing offset, significant digits, lowest, highest, ratio) and the
counts as ZigZag LEB128 numbers, a negative one standing for so many empty buckets.
"""

import base64
import binascii
import struct
import zlib

COMPRESSED_COOKIE, COOKIE = 0x1C849304, 0x1C849303
COOKIE_MASK = 0xFFFFFF0F  # the half byte that is left out tells the word size, which V2 does not use
PERCENTILES = (0, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.999, 100)


class Histogram:
    """Counts by the highest value of a bucket, in microseconds."""

    def __init__(self, counts=None):
        self.counts = dict(counts or {})

    @staticmethod
    def decode(text):
        """Raises ValueError when that is no histogram."""
        try:
            raw = base64.b64decode(text, validate=True)
            cookie, length = struct.unpack(">iI", raw[:8])
            if cookie & COOKIE_MASK != COMPRESSED_COOKIE & COOKIE_MASK:
                raise ValueError("not a compressed V2 histogram")
            data = zlib.decompress(raw[8 : 8 + length])
            cookie, payload, _, digits, lowest, _, _ = struct.unpack(">iiiiqqd", data[:40])
        except (binascii.Error, struct.error, zlib.error) as error:
            raise ValueError("not a histogram: %s" % error) from error
        if cookie & COOKIE_MASK != COOKIE & COOKIE_MASK:
            raise ValueError("not a V2 histogram")
        half_bits = (2 * 10**digits - 1).bit_length() - 1
        unit_bits = max(0, lowest.bit_length() - 1)
        counts, index = {}, 0
        for number in zigzag_numbers(data[40 : 40 + payload]):
            if number < 0:
                index += -number
                continue
            if number:
                counts[highest_value(index, half_bits, unit_bits)] = number
            index += 1
        return Histogram(counts)

    def add(self, other):
        for value, count in other.counts.items():
            self.counts[value] = self.counts.get(value, 0) + count

    @property
    def count(self):
        return sum(self.counts.values())

    def percentile_ms(self, percentile):
        """The latency that so many per cent of the requests do not exceed; None when there are none."""
        total = self.count
        if total == 0:
            return None
        wanted = max(1, -(-total * percentile // 100))
        seen = 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= wanted:
                return value / 1000
        return max(self.counts) / 1000

    def mean_ms(self):
        total = self.count
        return sum(value * count for value, count in self.counts.items()) / total / 1000 if total else None

    def distribution(self):
        """[[percentile, ms], …] for a plot; percentiles that fewer than one request decides are left out."""
        total = self.count
        return [[p, self.percentile_ms(p)] for p in PERCENTILES if total and (p == 100 or total * (100 - p) >= 100)]


def zigzag_numbers(data):
    at = 0
    while at < len(data):
        value = shift = 0
        for step in range(9):  # the ninth byte holds eight bits
            if at >= len(data):
                raise ValueError("a histogram that ends within a number")
            byte = data[at]
            at += 1
            if step == 8:
                value |= byte << shift
                break
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield (value >> 1) ^ -(value & 1)


def highest_value(index, half_bits, unit_bits):
    """The highest value that is counted in this bucket."""
    bucket = (index >> half_bits) - 1
    sub = (index & ((1 << half_bits) - 1)) + (1 << half_bits)
    if bucket < 0:
        sub -= 1 << half_bits
        bucket = 0
    shift = bucket + unit_bits
    return ((sub + 1) << shift) - 1
