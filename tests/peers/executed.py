"""Another program from the fork server: `-m tests.peers.executed PROGRAM WORDS...` becomes it, as
the broker is started: in a session of its own, with coarse timers."""

from __future__ import annotations

import os
import sys

from postroad.runtime.children import coarse_timers

if __name__ == "__main__":
    os.setsid()
    coarse_timers()
    os.execv(sys.argv[1], sys.argv[1:])
