"""What was counted, in `state_dir/metrics.json`, so that counts go on when the monitor is started
again: one that goes down is taken for one that began anew, and added once more.

It is written before anybody is shown a count, and now and then.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import msgspec

from postroad.runtime.secretfile import replace_private
from postroad.runtime.totals import Row, Totals

NAME = "metrics.json"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Counting `began` at a time (nanoseconds since the epoch). `sums` are of all processes
    together, `last` what each instance had told by then; `refused` as `Watch` has it."""

    began: int
    sums: list[Row] = []
    last: dict[str, list[Row]] = {}
    refused: list[tuple[float, dict[str, float]]] = []


_decode = msgspec.json.Decoder(Kept).decode


def read(state_dir: Path) -> Kept:
    """What was kept; of a file that is damaged or not there a new beginning."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return _decode((state_dir / NAME).read_bytes())
    return Kept(began=time.time_ns())


def write(
    state_dir: Path, began: int, totals: Totals, refused: list[tuple[float, dict[str, float]]]
) -> None:
    """Replace it. A full disk keeps nobody from being shown what was counted."""
    sums, last = totals.rows()
    kept = Kept(began=began, sums=sums, last=last, refused=refused)
    with contextlib.suppress(OSError):
        replace_private(state_dir / NAME, msgspec.json.encode(kept))
