"""One service as a process: `python -m postroad.cli.serve NAME [--config FILE] [--once]`.

The supervisor starts services this way, and so do containers and systemd: it saves each process
the time and memory of the command line's libraries (measured: see ARCHITECTURE.md).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

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
    sys.exit(serve(sys.argv[1:]))
