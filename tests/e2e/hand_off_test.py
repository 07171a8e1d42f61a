#!/usr/bin/python3
"""Messages, caches, scripts and transactions at once: hand_off_stress.cc checks what each is told. $BASALT_SEED replays a run."""

import random

from case import ROOT, SANITIZED, BasaltTest, main, os, subprocess

PROGRAM = os.environ.get("HAND_OFF_STRESS", os.path.join(ROOT, "build/release/tests/hand_off_stress"))


class HandOff(BasaltTest):
    options = {"workers": "2", "pool-threads": "2"}

    def test_nobody_is_told_what_is_not_so(self):
        seed = int(os.environ.get("BASALT_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
        print("BASALT_SEED=%d" % seed, flush=True)
        done = subprocess.run([PROGRAM, str(self.server.port), "20" if SANITIZED else "8", str(seed)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, text=True, errors="replace")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    main()
