"""Named crash points: `POSTROAD_CRASHPOINT=name:n` kills this process at the n-th pass.

A fault test must be able to stop a process between any two steps; SIGKILL leaves no chance to
tidy up, as a power cut would.
"""

from __future__ import annotations

import itertools
import os
import signal

_name, _, _count = os.environ.get("POSTROAD_CRASHPOINT", "").partition(":")
_passes = itertools.count(1)


def crashpoint(name: str) -> None:
    """Die here if told so; else nothing."""
    if name == _name and next(_passes) >= int(_count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
