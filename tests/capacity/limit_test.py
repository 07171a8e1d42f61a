#!/usr/bin/python3
"""What gives first, for servers that are full in one way or another."""

import unittest

from library import measurement
from capacity_lib import limit


def side(**more):
    threads = more.pop("threads", {})
    return {
        "threads": {
            name: {"threads": n, "cores": cores, "busiest": busiest} for name, (n, cores, busiest) in threads.items()
        },
        "cpu_cores": 1.0,
        "machine_busy": 0.5,
        **more,
    }


def what(generator_cpu=0.3, local=True, others=0.1, **more):
    return limit.of(
        {**measurement(), "generator_cpu": generator_cpu, "others_cores": others, "server": side(**more)}, 8, 1, local
    )["what"]


class Limit(unittest.TestCase):
    def test_each_part_that_can_be_full(self):
        self.assertEqual(
            "CPU of the worker threads (sockets)", what(threads={"worker": (2, 1.9, 0.97), "fast": (4, 1.0, 0.3)})
        )
        self.assertEqual("CPU of its one main thread", what(threads={"redis-server": (1, 0.99, 0.99)}))
        self.assertEqual("write stalls", what(stall_share=0.2, threads={"worker": (2, 1.9, 0.97)}))
        self.assertEqual("the slow lane", what(slow_wait_us=4000, slow_share=0.5, threads={"slow": (4, 1.0, 0.3)}))
        self.assertEqual("the disk", what(io_pressure=0.6, threads={"fast": (4, 1.0, 0.3)}))
        self.assertEqual("the machine's processors", what(machine_busy=0.97, threads={"fast": (4, 1.0, 0.5)}))
        self.assertEqual(
            "other programs on the machine", what(machine_busy=0.97, others=5.0, threads={"fast": (4, 1.0, 0.5)})
        )
        self.assertEqual("the load generator", what(generator_cpu=0.97, threads={"fast": (4, 1.0, 0.3)}))
        self.assertEqual("round trips", what(threads={"fast": (4, 1.0, 0.3)}))

    def test_a_server_far_away_has_no_machine_of_ours(self):
        self.assertEqual("round trips", what(local=False, machine_busy=0.99))
        far = {**measurement(), "generator_cpu": 0.2, "server": {"threads": {}, "cpu_cores": None}}
        self.assertEqual("not known", limit.of(far, 8, 1, False)["what"])

    def test_the_evidence_is_there_and_idle_threads_are_not(self):
        found = limit.of(
            {**measurement(), "server": side(threads={"worker": (2, 1.9, 0.97), "idle": (3, 0.0, 0.0)})}, 8, 1, True
        )
        self.assertEqual({"machine": 0.5, "thread worker": 0.97, "load generator": 0.5}, found["evidence"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
