"""Named crash points: `POSTROAD_CRASHPOINT=name:n` kills this process at the n-th pass.

A fault test must be able to stop a process between any two steps; SIGKILL leaves no chance to
tidy up, as a power cut would.
"""

from __future__ import annotations

import os
import signal

_name, _, _count = os.environ.get("POSTROAD_CRASHPOINT", "").partition(":")
_left = int(_count) if _count.isdigit() else 1


def crashpoint(name: str) -> None:
    """Die here if told so; else nothing."""
    global _left
    if name == _name:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
