"""Save the best inputs: `python -m tests.fuzz.keep TARGET ...`.

Of what `make fuzz` left in build/fuzz, those few small inputs that reach lines which the saved
corpus does not, the widest first. What is saved stays.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz import targets
from tests.fuzz.__main__ import BUILD, CORPUS, HERE

FILES = 15  # of a target
OCTETS = 1_500  # of one
PRODUCT = tuple(f"{HERE.parents[1] / name}/" for name in ("postroad", "services"))

Step = tuple[str, int, int]


def reached(one_input: targets.OneInput, data: bytes) -> set[Step]:
    """The steps from line to line of ours that an input leads to."""
    steps: set[Step] = set()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(PRODUCT):
            return None
        before = 0

        def local(frame: FrameType, event: str, arg: object) -> Any:
            nonlocal before
            if event == "line":
                steps.add((name, before, frame.f_lineno))
                before = frame.f_lineno
            return local

        return local

    sys.settrace(trace)
    try:
        one_input(data)
    finally:
        sys.settrace(None)
    return steps


def keep(name: str) -> int:
    """Save the best inputs of a target; how many."""
    one_input, saved = targets.load(name), CORPUS / name
    saved.mkdir(parents=True, exist_ok=True)
    known: set[Step] = set()
    for path in saved.iterdir():
        known |= reached(one_input, path.read_bytes())
    candidates = [path for path in sorted((BUILD / name).iterdir()) if small(path)]
    reach = {path: reached(one_input, path.read_bytes()) for path in candidates}
    count = 0
    while reach and len(list(saved.iterdir())) < FILES:
        best = max(reach, key=lambda path: (len(reach[path] - known), -path.stat().st_size))
        if reach[best] <= known:
            break
        known |= reach.pop(best)
        data = best.read_bytes()
        (saved / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        count += 1
    return count


def small(path: Path) -> bool:
    """Whether it is worth its room."""
    return path.stat().st_size <= OCTETS


if __name__ == "__main__":
    for each in sys.argv[1:] or targets.names():
        print(f"{each}: {keep(each)} saved")
