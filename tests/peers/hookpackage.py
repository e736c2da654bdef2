"""A package of hooks, installed into a folder of its own as pip does it, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "postroad-example-rule"


def install(home: Path, source: Path = EXAMPLE) -> Path:
    """The folder to put on the path, so that its modules and entry points are found."""
    copy, target = home / "package", home / "installed"
    shutil.copytree(source, copy)
    quiet = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-build-isolation")
    words = ("-m", "pip", "install", *quiet, "--no-deps", "--target", str(target), str(copy))
    subprocess.run([sys.executable, *words], check=True, timeout=120)
    return target
