"""Every command, made once for all that are forked: whoever imports this has it."""

from __future__ import annotations

from postroad.cli import frame
from postroad.cli.app import app

TREE = frame.tree(app)
