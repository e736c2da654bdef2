"""How our programs end: at once, and with as little work as they began."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with `code`, as Python does, but for one thing: what was imported is not
    taken down object by object. That takes 0.1 s of processor, and in who was forked copies every
    page of memory before it is given back."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  waits for threads that run
    atexit._run_exitfuncs()  # noqa: SLF001
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # nobody reads it, or there is none
        gc.unfreeze()
        sys.exit(code)
    if sys.getprofile() or sys.gettrace():  # who measures us has something to say yet
        sys.exit(code)
    os._exit(code)
