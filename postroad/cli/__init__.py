"""The `postroad` command, one module per noun; `frame` says how to add to it.

`main` is the entry point. It imports the frame only when it is called, because services start as
`python -m postroad.cli.serve NAME`, which imports this package and needs none of the rest.
"""

from __future__ import annotations

import os
import sys

from postroad.runtime.leaving import leave


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 wrong settings or usage."""
    os.umask(0o077)  # what a command leaves under state_dir may hold addresses
    if sys.argv[1:3] == ["mail", "take"] and "--help" not in sys.argv:
        from postroad.cli.take import main as take

        leave(take(sys.argv[3:]))  # a mail server waits for it: 0.1 s of processor less
    from postroad.cli.app import app
    from postroad.cli.frame import run

    leave(run(app, sys.argv[1:]))
