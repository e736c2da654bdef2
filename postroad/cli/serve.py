"""One service as a process: `python -m postroad.cli.serve NAME [--config FILE] [--once]`.

The supervisor starts services this way, and so may containers and systemd. It is `postroad run`
without the command line's libraries, which cost each process 1 MB and 30 ms (measured).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def absent(module: str) -> Iterator[None]:
    """Let nothing import this module meanwhile, unless it is imported already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


# structlog takes it wherever it is installed, to paint tracebacks: 5 MB of each process
with absent("rich"):
    from postroad.runtime.leaving import leave
    from postroad.runtime.service import main

USAGE = "usage: python -m postroad.cli.serve NAME [--config FILE] [--once]"


def serve(arguments: Sequence[str]) -> int:
    """Run the service that `arguments` name. Returns the exit code; 2 for wrong usage."""
    words = list(arguments)
    once = "--once" in words
    if once:
        words.remove("--once")
    match words:
        case [name] if not name.startswith("-"):
            return main(name, once=once)
        case [name, "--config", file] | ["--config", file, name]:
            return main(name, file, once=once)
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    leave(serve(sys.argv[1:]))
