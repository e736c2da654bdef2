"""The `postroad` command, one module per noun; `frame` says how to add to it.

`main` is the entry point. It imports the frame only when it is called, because services start as
`python -m postroad.cli.serve NAME`, which imports this package and needs none of the rest.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 wrong settings or usage."""
    from postroad.cli.app import app
    from postroad.cli.frame import run

    os.umask(0o077)  # what a command leaves under state_dir may hold addresses
    sys.exit(run(app, sys.argv[1:]))
